//! The ledger's rows as typed values, and back; what they mean is decided above.

pub mod extent;
pub mod resolve;

use std::ops::ControlFlow;

use uuid::Uuid;

use crate::format::proof::{Held, HeldFile};
use crate::format::Format;
use crate::model::digest::{sealed, Seal};
use crate::model::ledger::{documents as d, rejects as r, DOCUMENTS, REJECTS};
use crate::model::{Instant, Place, Reason, Reject, RelPath, Row, Value};
use crate::node::{self, Node};
use crate::target::{select_all, Connection, Filter, TargetError};

/// A loaded document as the ledger knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct LedgerDocument {
    pub id: Uuid,
    pub kind: String,
    pub key: String,
    pub row_id: Option<Uuid>,
    /// [`crate::format::Format::reference_key`] of the legacy reference in it.
    pub reference: Option<String>,
    pub digest: Vec<u8>,
    pub bytes: u64,
    pub base_time: Instant,
    /// JSON.
    pub files: String,
    /// JSON.
    pub notes: Option<String>,
    pub run: Uuid,
    /// Of the row as it was read; a row that is written is sealed anew.
    pub seal: Seal,
}

impl LedgerDocument {
    /// # Errors
    /// If the ledger holds something that transload did not write.
    pub fn from_row(row: &Row) -> Result<LedgerDocument, TargetError> {
        let v = &row.0;
        let text = |at: usize| v[at].as_text().map(str::to_owned);
        let read = || {
            Some(LedgerDocument {
                id: v[d::ID].as_uuid()?,
                kind: text(d::KIND)?,
                key: text(d::DOC_KEY)?,
                row_id: v[d::ROW_ID].as_uuid(),
                reference: text(d::REFERENCE),
                digest: v[d::DIGEST].as_bytes()?.to_vec(),
                bytes: u64::try_from(v[d::BYTES].as_int()?).ok()?,
                base_time: v[d::BASE_TIME].as_time()?,
                files: text(d::FILES)?,
                notes: text(d::NOTES),
                run: v[d::RUN_ID].as_uuid()?,
                seal: Seal::of(row),
            })
        };
        read().ok_or_else(|| foreign("documents"))
    }

    pub fn to_row(&self) -> Row {
        self.clone().into_row()
    }

    pub fn into_row(self) -> Row {
        sealed(vec![
            Value::Uuid(self.id),
            Value::Text(self.kind),
            Value::Text(self.key),
            self.row_id.map_or(Value::Null, Value::Uuid),
            Value::text_or_null(self.reference),
            Value::Bytes(self.digest),
            Value::Int(i64::try_from(self.bytes).unwrap_or(i64::MAX)),
            Value::Time(self.base_time),
            Value::Json(self.files),
            self.notes.map_or(Value::Null, Value::Json),
            Value::Uuid(self.run),
        ])
    }

    /// The document as rebuilding takes it; `None` if the ledger holds something that transload did
    /// not write.
    pub fn held(&self, format: &dyn Format) -> Option<Held> {
        let kind = format.kinds().iter().find(|kind| kind.name == self.kind)?;
        let Node::List(files) = node::parse(self.files.as_bytes()).ok()?.0 else { return None };
        let file = |file: &Node| {
            let text = |name: &str| file.get(name).and_then(Node::as_text);
            Some(HeldFile {
                path: RelPath::from_text(text("path")?),
                role: *format.roles().iter().find(|role| Some(role.0) == text("role"))?,
                modified: Instant::from_fixed(text("modified")?)?,
            })
        };
        let files = files.iter().map(file).collect::<Option<Vec<HeldFile>>>().filter(|files| !files.is_empty())?;
        Some(Held { kind, key: self.key.clone(), files, base_time: self.base_time })
    }

    /// The paths of the document's files, as [`crate::model::RelPath::to_text`] spells them.
    pub fn paths(&self) -> Vec<String> {
        paths(&self.files)
    }

    /// The paths with the times at which the files were changed last.
    pub fn times(&self) -> Vec<(String, Option<Instant>)> {
        times(&self.files)
    }

    /// How many notes have this code.
    pub fn notes_with(&self, code: &str) -> usize {
        let notes = self.notes.as_deref().map(serde_json::from_str);
        let Some(Ok(serde_json::Value::Array(notes))) = notes else { return 0 };
        notes.iter().filter(|note| note["code"] == code).count()
    }
}

/// What a run asks of each document before it reads it. The row's seal is not recomputed: that is a good
/// part of the work, and whether a file is to be loaded is not for the seal to say.
#[derive(Clone, Debug, PartialEq)]
pub struct Fingerprint {
    pub id: Uuid,
    /// `None` if somebody put something else in its place.
    pub digest: Option<[u8; 32]>,
    pub base_time: Instant,
    /// As [`LedgerDocument::times`] gives them.
    pub files: Vec<(String, Option<Instant>)>,
    pub is_unsealed: bool,
}

impl Fingerprint {
    const COLUMNS: [usize; 5] = [d::ID, d::DIGEST, d::BASE_TIME, d::FILES, d::SEAL];

    /// `None` if the ledger holds something that transload did not write.
    fn of(values: &[Value]) -> Option<Fingerprint> {
        let [id, digest, base_time, files, seal] = values else { return None };
        Some(Fingerprint {
            id: id.as_uuid()?,
            digest: digest.as_bytes()?.try_into().ok(),
            base_time: base_time.as_time()?,
            files: times(files.as_text()?),
            is_unsealed: *seal == Value::Null,
        })
    }
}

/// Where a document's files are, and no more: what it takes to find out whether they still are.
#[derive(Clone, Copy, Debug)]
pub struct Placed<'a> {
    pub id: Uuid,
    pub kind: &'a str,
    files: &'a str,
    pub is_unsealed: bool,
}

impl Placed<'_> {
    /// As [`LedgerDocument::paths`].
    pub fn paths(&self) -> Vec<String> {
        paths(self.files)
    }
}

/// Calls `each` for all documents, in no particular order.
///
/// # Errors
/// Also if the ledger holds something that transload did not write.
pub fn each_placed(connection: &mut dyn Connection, each: &mut dyn FnMut(Placed)) -> Result<(), TargetError> {
    scan_documents(connection, &[d::ID, d::KIND, d::FILES, d::SEAL], &Filter::All, &mut |values| {
        let (id, kind, files) = (values[0].as_uuid()?, values[1].as_text()?, values[2].as_text()?);
        each(Placed { id, kind, files, is_unsealed: values[3] == Value::Null });
        Some(())
    })
}

/// Some columns of some documents. `read` says `None` of what transload did not write, which ends it.
fn scan_documents(
    connection: &mut dyn Connection,
    columns: &[usize],
    filter: &Filter,
    read: &mut dyn FnMut(&[Value]) -> Option<()>,
) -> Result<(), TargetError> {
    let mut is_foreign = false;
    connection.scan(&DOCUMENTS, columns, filter, &mut |values| match read(values) {
        Some(()) => ControlFlow::Continue(()),
        None => {
            is_foreign = true;
            ControlFlow::Break(())
        }
    })?;
    match is_foreign {
        true => Err(foreign("documents")),
        false => Ok(()),
    }
}

/// A reject as the ledger knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct LedgerReject {
    pub document: Uuid,
    pub kind: String,
    pub key: String,
    /// The file that the flaw is in.
    pub file: String,
    /// JSON.
    pub files: String,
    pub bytes: u64,
    pub digest: Vec<u8>,
    pub reason: String,
    pub place: Place,
    pub detail: String,
    pub run: Uuid,
    /// Why somebody accepted it, and when; `None` while it is open.
    pub accepted: Option<(String, Instant)>,
    /// Of the row as it was read; a row that is written is sealed anew.
    pub seal: Seal,
}

impl LedgerReject {
    pub fn new(reject: &Reject, run: Uuid) -> LedgerReject {
        let files: Vec<String> = reject.files.iter().map(|path| path.to_text()).collect();
        LedgerReject {
            document: reject.document,
            kind: reject.kind.into(),
            key: reject.key.clone(),
            file: reject.file().to_text(),
            files: serde_json::to_string(&files).expect("a list of strings is JSON"),
            bytes: reject.bytes,
            digest: reject.digest.to_vec(),
            reason: reject.flaw.reason.code().into(),
            place: reject.flaw.place.clone(),
            detail: reject.flaw.detail.clone(),
            run,
            accepted: None,
            seal: Seal::Right,
        }
    }

    /// # Errors
    /// If the ledger holds something that transload did not write.
    pub fn from_row(row: &Row) -> Result<LedgerReject, TargetError> {
        let v = &row.0;
        let text = |at: usize| v[at].as_text().map(str::to_owned);
        let count = |at: usize| v[at].as_int().and_then(|number| u64::try_from(number).ok());
        let read = || {
            let accepted = match text(r::STATE)?.as_str() {
                "accepted" => Some((text(r::ACCEPTED_BECAUSE).unwrap_or_default(), v[r::ACCEPTED_AT].as_time()?)),
                _ => None,
            };
            Some(LedgerReject {
                document: v[r::DOCUMENT_ID].as_uuid()?,
                kind: text(r::KIND)?,
                key: text(r::DOC_KEY)?,
                file: text(r::FILE)?,
                files: text(r::FILES)?,
                bytes: count(r::BYTES)?,
                digest: v[r::DIGEST].as_bytes()?.to_vec(),
                reason: text(r::REASON)?,
                place: Place { line: count(r::LINE), column: count(r::COL), pointer: text(r::POINTER) },
                detail: text(r::DETAIL)?,
                run: v[r::RUN_ID].as_uuid()?,
                accepted,
                seal: Seal::of(row),
            })
        };
        read().ok_or_else(|| foreign("rejects"))
    }

    pub fn to_row(&self) -> Row {
        let number = |number: Option<u64>| {
            number.map_or(Value::Null, |number| Value::Int(i64::try_from(number).unwrap_or(i64::MAX)))
        };
        let (because, at) = self.accepted.clone().unzip();
        sealed(vec![
            Value::Uuid(self.document),
            Value::Text(self.kind.clone()),
            Value::Text(self.key.clone()),
            Value::Text(self.file.clone()),
            Value::Json(self.files.clone()),
            number(Some(self.bytes)),
            Value::Bytes(self.digest.clone()),
            Value::Text(self.reason.clone()),
            number(self.place.line),
            number(self.place.column),
            Value::text_or_null(self.place.pointer.clone()),
            Value::Text(self.detail.clone()),
            Value::Uuid(self.run),
            Value::Text(if self.accepted.is_some() { "accepted" } else { "open" }.into()),
            Value::text_or_null(because),
            Value::time_or_null(at),
        ])
    }

    /// Whether the same content is refused for the same reason.
    pub fn is_same(&self, other: &LedgerReject) -> bool {
        self.digest == other.digest
            && self.reason == other.reason
            && self.detail == other.detail
            && self.place == other.place
    }

    pub fn reason(&self) -> Option<Reason> {
        Reason::from_code(&self.reason)
    }

    pub fn paths(&self) -> Vec<String> {
        paths(&self.files)
    }
}

/// Paths and times from `[{"path":..,"modified":..}]`.
fn times(files: &str) -> Vec<(String, Option<Instant>)> {
    #[derive(serde::Deserialize)]
    struct File<'a> {
        path: String,
        #[serde(borrow)]
        modified: std::borrow::Cow<'a, str>,
    }
    if let Ok(files) = serde_json::from_str::<Vec<File>>(files) {
        return files.into_iter().map(|file| (file.path, Instant::from_fixed(&file.modified))).collect();
    }
    // Somebody's edit: what can be read of it.
    let Ok(serde_json::Value::Array(files)) = serde_json::from_str(files) else { return Vec::new() };
    let time = |file: &serde_json::Value| file["modified"].as_str().and_then(Instant::from_fixed);
    files.iter().filter_map(|file| Some((file["path"].as_str()?.to_owned(), time(file)))).collect()
}

/// Paths from `[{"path":..}]` or `[".."]`.
fn paths(files: &str) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct File {
        path: String,
    }
    if let Ok(files) = serde_json::from_str::<Vec<File>>(files) {
        return files.into_iter().map(|file| file.path).collect();
    }
    let Ok(serde_json::Value::Array(files)) = serde_json::from_str(files) else { return Vec::new() };
    let path = |file: &serde_json::Value| file.get("path").unwrap_or(file).as_str().map(str::to_owned);
    files.iter().filter_map(path).collect()
}

fn foreign(table: &str) -> TargetError {
    TargetError::new(
        crate::target::TargetErrorKind::Other,
        format!("the ledger's table `{table}` holds a row that transload did not write"),
    )
    .with_hint("restore the ledger from a backup, or migrate into a fresh database")
}

/// The ids of a part's rows, from the packed form.
pub fn unpack_ids(bytes: &[u8]) -> impl Iterator<Item = Uuid> + '_ {
    bytes.chunks_exact(16).map(|id| Uuid::from_slice(id).expect("16 bytes are a UUID"))
}

pub fn documents(connection: &mut dyn Connection, ids: &[Uuid]) -> Result<Vec<LedgerDocument>, TargetError> {
    documents_by(connection, d::ID, &uuids(ids))
}

pub fn fingerprints(connection: &mut dyn Connection, ids: &[Uuid]) -> Result<Vec<Fingerprint>, TargetError> {
    let mut found = Vec::with_capacity(ids.len());
    let filter = Filter::In { column: d::ID, values: &uuids(ids) };
    scan_documents(connection, &Fingerprint::COLUMNS, &filter, &mut |values| {
        found.push(Fingerprint::of(values)?);
        Some(())
    })?;
    Ok(found)
}

/// The documents with one of the values in a column of the ledger's table.
pub fn documents_by(
    connection: &mut dyn Connection,
    column: usize,
    values: &[Value],
) -> Result<Vec<LedgerDocument>, TargetError> {
    if values.is_empty() {
        return Ok(Vec::new());
    }
    let rows = select_all(connection, &DOCUMENTS, &Filter::In { column, values })?;
    rows.iter().map(LedgerDocument::from_row).collect()
}

/// As [`documents_by`]; rows that transload did not write are passed over.
pub fn readable_documents_by(
    connection: &mut dyn Connection,
    column: usize,
    values: &[Value],
) -> Result<Vec<LedgerDocument>, TargetError> {
    if values.is_empty() {
        return Ok(Vec::new());
    }
    let rows = select_all(connection, &DOCUMENTS, &Filter::In { column, values })?;
    Ok(rows.iter().filter_map(|row| LedgerDocument::from_row(row).ok()).collect())
}

pub fn rejects(connection: &mut dyn Connection, ids: &[Uuid]) -> Result<Vec<LedgerReject>, TargetError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let values = uuids(ids);
    let rows = select_all(connection, &REJECTS, &Filter::In { column: r::DOCUMENT_ID, values: &values })?;
    rows.iter().map(LedgerReject::from_row).collect()
}

pub fn all_rejects(connection: &mut dyn Connection) -> Result<Vec<LedgerReject>, TargetError> {
    select_all(connection, &REJECTS, &Filter::All)?.iter().map(LedgerReject::from_row).collect()
}

pub fn uuids(ids: &[Uuid]) -> Vec<Value> {
    ids.iter().copied().map(Value::Uuid).collect()
}
