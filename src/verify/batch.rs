//! A batch of documents: files read, the database asked with a few questions, each document judged.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Mutex;

use jiff::tz::TimeZone;
use uuid::Uuid;

use crate::format::proof::{Expected, Facts, Unexpected};
use crate::format::Format;
use crate::ledger::LedgerDocument;
use crate::model::digest::Seal;
use crate::model::ledger::{documents as d, DOCUMENTS};
use crate::model::{digest, ids, Anchor, Content, Document, FileRole, Instant, RelPath, Row, Table, Value};
use crate::source::{self, FileContent, ReadOptions, ReadProblem, Reading};
use crate::target::{select_all, Connection, Filter, TargetError};

use super::judge::{judge, Judged, Sides};
use super::large;
use super::leaves::{of_files, of_rows, Both};
use super::outcome::Verdict;
use super::resolve::{resolve, Known, Resolved};
use super::row_ids::RowIds;
use super::stored::{self, Rows, Stored};

/// What judging needs beside the documents.
pub struct Judge<'a> {
    pub format: &'static dyn Format,
    pub root: &'a Path,
    pub read: ReadOptions,
    pub zone: TimeZone,
    /// How many differences of a document are kept.
    pub most: usize,
    /// Whether a receipt is wanted.
    pub receipt: bool,
    /// What references mean, as long as all is judged against one state of the database.
    pub known: Option<Mutex<Known>>,
}

/// A document with its judgement.
pub struct Checked {
    pub document: Document,
    pub judged: Judged,
    /// The rows of the target's tables that were looked at on behalf of the document.
    pub accounted: RowIds,
    /// What was compared: the files' digest and the rows'. Two equal ones are one state.
    pub state: State,
    pub bytes: u64,
    /// For the receipt, where one is wanted.
    pub leaves: Both,
}

/// A state of both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct State {
    pub files: Option<[u8; 32]>,
    pub rows: u128,
    /// When the files changed last.
    pub modified: Option<Instant>,
}

impl Judge<'_> {
    /// Reads a document's files.
    pub fn read(&self, document: &Document) -> Result<Reading, ReadProblem> {
        source::read(self.root, document, &self.read)
    }

    /// Judges documents against what the connection's snapshot holds.
    pub fn batch(
        &self,
        connection: &mut dyn Connection,
        documents: Vec<Document>,
    ) -> Result<Vec<Checked>, TargetError> {
        let readings: Vec<Result<Reading, ReadProblem>> =
            documents.iter().map(|document| self.read(document)).collect();
        self.batch_of(connection, documents, readings)
    }

    /// As [`Judge::batch`], with the files as they were read before.
    pub fn batch_of(
        &self,
        connection: &mut dyn Connection,
        documents: Vec<Document>,
        readings: Vec<Result<Reading, ReadProblem>>,
    ) -> Result<Vec<Checked>, TargetError> {
        let mut all: Vec<Option<Checked>> = Vec::new();
        all.resize_with(documents.len(), || None);
        let (mut held, mut places) = ((Vec::new(), Vec::new()), Vec::new());
        for (at, (document, reading)) in documents.into_iter().zip(readings).enumerate() {
            match reading {
                Ok(reading) if reading.files.iter().any(|file| file.content == FileContent::Large) => {
                    let ids = [key_id(&document), document.twin_id()];
                    let stored = stored::of_documents(connection, self.format, &ids, false)?;
                    let (document, claimed) = self.claim(document, &stored);
                    all[at] = Some(large::judge(self, connection, document, reading, stored, claimed)?);
                }
                reading => {
                    held.0.push(document);
                    held.1.push(reading);
                    places.push(at);
                }
            }
        }
        for (at, checked) in places.into_iter().zip(self.held(connection, held.0, held.1)?) {
            all[at] = Some(checked);
        }
        Ok(all.into_iter().flatten().collect())
    }

    /// The document under the id that it has, and whether another file has its key: then what the
    /// ledger holds under the key's id is that file's.
    fn claim(&self, document: Document, stored: &HashMap<Uuid, Stored>) -> (Document, bool) {
        let key = key_id(&document);
        let claimed = stored.get(&key).is_some_and(|stored| self.is_anothers(&document, stored));
        let id = if claimed { document.twin_id() } else { key };
        (Document { id, ..document }, claimed)
    }

    fn is_anothers(&self, document: &Document, stored: &Stored) -> bool {
        // A row that transload did not write says nothing about whose the key is.
        let Some(ledger) = stored.document.as_ref().filter(|ledger| ledger.seal != Seal::Broken) else { return false };
        let paths: Vec<RelPath> = ledger.paths().iter().map(|path| RelPath::from_text(path)).collect();
        let is_there = |path: &RelPath| path.below(self.root).symlink_metadata().is_ok();
        !document.files.iter().any(|file| paths.contains(&file.path)) && paths.iter().any(is_there)
    }

    /// Judges documents that are held in memory.
    fn held(
        &self,
        connection: &mut dyn Connection,
        documents: Vec<Document>,
        readings: Vec<Result<Reading, ReadProblem>>,
    ) -> Result<Vec<Checked>, TargetError> {
        let mut ids: Vec<Uuid> = documents.iter().map(key_id).collect();
        // Several versions of one document may be asked about.
        ids.sort_unstable();
        ids.dedup();
        let mut stored = stored::of_documents(connection, self.format, &ids, true)?;
        let none = Stored::default();
        let (documents, claimed): (Vec<Document>, Vec<bool>) =
            documents.into_iter().map(|document| self.claim(document, &stored)).unzip();
        // Under the other id, a document whose key is its own can only have been refused.
        let twins: Vec<Uuid> = documents.iter().map(Document::twin_id).collect();
        stored::rejects(connection, &twins, &mut stored)?;
        let twins: Vec<Uuid> =
            twins.into_iter().zip(&claimed).filter(|(_, claimed)| **claimed).map(|(id, _)| id).collect();
        stored.extend(stored::of_documents(connection, self.format, &twins, true)?);
        let stored_of = |at: usize| stored.get(&documents[at].id).unwrap_or(&none);
        let wanted: Vec<Result<Vec<Expected>, Unexpected>> = documents
            .iter()
            .zip(&readings)
            .enumerate()
            .map(|(at, (document, reading))| match reading {
                Ok(reading) => self.expect(document, reading, stored_of(at)),
                Err(_) => Ok(Vec::new()),
            })
            .collect();
        let mut rows = Rows::default();
        let resolved = self.load(connection, &documents, &wanted, &stored, &mut rows)?;
        let mut results = Vec::with_capacity(documents.len());
        for (at, ((document, reading), wanted)) in documents.iter().zip(readings).zip(wanted).enumerate() {
            let reading = match reading {
                Ok(reading) => reading,
                Err(problem) => {
                    let judged = Judged::listed(Verdict::Unreadable, problem.to_string());
                    let state = State::default();
                    let document = document.clone();
                    let leaves = Both::default();
                    results.push(Checked { document, judged, accounted: RowIds::default(), state, bytes: 0, leaves });
                    continue;
                }
            };
            let stored_here = stored_of(at);
            let sides = Sides {
                format: self.format,
                document,
                reading: &reading,
                stored: stored_here,
                twin: stored.get(&document.twin_id()),
                claimed: claimed[at],
                wanted: &wanted,
                rows: &rows,
                resolved: &resolved,
                most: self.most,
            };
            let (judged, accounted) = judge(&sides);
            // Only what does not agree is looked at again, and compared with what it was.
            let rows_digest = match judged.verdict {
                Verdict::Agreed | Verdict::Rejected => 0,
                _ => rows_digest(stored_here, &rows, &accounted, &sides),
            };
            let state = State {
                files: Some(reading.digest),
                rows: rows_digest,
                modified: reading.files.iter().map(|file| file.modified).max(),
            };
            let bytes = reading.bytes();
            let leaves = match (self.receipt, judged.verdict) {
                (true, Verdict::Rejected) => {
                    Both { file: None, database: of_rows(self.format, document, stored_here, &rows) }
                }
                (true, _) => Both {
                    file: of_files(self, document, &reading),
                    database: of_rows(self.format, document, stored_here, &rows),
                },
                (false, _) => Both::default(),
            };
            results.push(Checked { document: document.clone(), judged, accounted, state, bytes, leaves });
        }
        Ok(results)
    }

    pub fn expect(&self, document: &Document, reading: &Reading, stored: &Stored) -> Result<Vec<Expected>, Unexpected> {
        let files: Vec<(RelPath, FileRole)> =
            document.files.iter().map(|file| (file.path.clone(), file.role)).collect();
        let facts = self.facts(document, reading, stored.document.as_ref(), &files);
        let open = |file: usize| match &reading.files[file].content {
            FileContent::Whole(bytes) => Ok(Content::Whole(bytes)),
            FileContent::Large => {
                let stream = source::open_stream(self.root, document, reading, file, &self.read)?;
                Ok(Content::Stream(Box::new(stream)))
            }
        };
        let mut wanted = Vec::new();
        self.format.expect(&facts, &open, &mut |row| {
            wanted.push(row);
            ControlFlow::Continue(())
        })?;
        Ok(wanted)
    }

    /// What reading the files anew has to know.
    pub fn facts<'f>(
        &self,
        document: &'f Document,
        reading: &Reading,
        ledger: Option<&LedgerDocument>,
        files: &'f [(RelPath, FileRole)],
    ) -> Facts<'f> {
        let modified = reading.files.iter().map(|file| file.modified).min();
        let base_time = ledger.map(|ledger| ledger.base_time).or(modified).unwrap_or(Instant(0));
        Facts { kind: document.kind, key: &document.key, files, base_time, zone: self.zone.clone() }
    }

    /// Reads all rows that the documents' sides name, and resolves their references.
    fn load(
        &self,
        connection: &mut dyn Connection,
        documents: &[Document],
        wanted: &[Result<Vec<Expected>, Unexpected>],
        stored: &HashMap<Uuid, Stored>,
        rows: &mut Rows,
    ) -> Result<Resolved, TargetError> {
        let mut ids: BTreeMap<&'static str, (&'static Table, Vec<Uuid>)> = BTreeMap::new();
        let mut add = |table: &'static Table, id: Uuid| ids.entry(table.name).or_insert((table, Vec::new())).1.push(id);
        let mut texts: BTreeSet<(&'static str, String)> = BTreeSet::new();
        for rows in wanted.iter().flatten() {
            for row in rows {
                // Rows below another are read with all that stands there.
                if row.table.parent.is_none() {
                    add(row.table, row.id);
                }
                for (column, cell) in row.table.columns.iter().zip(&row.cells) {
                    if let (Some(reference), Value::Reference(text)) = (column.reference, &cell.value) {
                        texts.insert((reference.kind, text.clone()));
                    }
                }
            }
        }
        for document in documents {
            let Some(stored) = stored.get(&document.id) else { continue };
            stored.row_ids().filter(|(table, _)| table.parent.is_none()).for_each(|(table, id)| add(table, id));
        }
        for (table, ids) in ids.into_values() {
            rows.read(connection, table, ids)?;
        }
        self.load_by_natural_key(connection, wanted, rows)?;
        self.load_below(connection, documents, wanted, stored, rows)?;
        let mut held: BTreeSet<(&'static str, Uuid)> = BTreeSet::new();
        rows.each(|table, row| {
            for (column, value) in table.columns.iter().zip(&row.0) {
                if let (Some(reference), Some(id)) = (column.reference, value.as_uuid()) {
                    held.insert((reference.kind, id));
                }
            }
        });
        let resolved = resolve(self, connection, rows, &texts, &held)?;
        self.load_owned(connection, documents, wanted, stored, rows, &resolved)?;
        Ok(resolved)
    }

    /// Documents whose row is not where it ought to be: by what identifies them.
    fn load_by_natural_key(
        &self,
        connection: &mut dyn Connection,
        wanted: &[Result<Vec<Expected>, Unexpected>],
        rows: &mut Rows,
    ) -> Result<(), TargetError> {
        let mut values: BTreeMap<&'static str, (&'static Table, usize, Vec<Value>)> = BTreeMap::new();
        for wanted in wanted.iter().flatten().filter_map(|rows| rows.first()) {
            if let [column] = wanted.table.natural_key {
                let value = &wanted.cells[*column].value;
                if rows.get(wanted.table, wanted.id).is_none() && *value != Value::Null {
                    let entry = values.entry(wanted.table.name).or_insert((wanted.table, *column, Vec::new()));
                    entry.2.push(value.clone());
                }
            }
        }
        for (table, column, values) in values.into_values() {
            let found = rows.read_by(connection, table, column, &values)?;
            stored::note_holders(connection, self.format, table, &found, rows)?;
        }
        Ok(())
    }

    /// All rows below the documents' own rows, and those of theirs that stand elsewhere.
    fn load_below(
        &self,
        connection: &mut dyn Connection,
        documents: &[Document],
        wanted: &[Result<Vec<Expected>, Unexpected>],
        stored: &HashMap<Uuid, Stored>,
        rows: &mut Rows,
    ) -> Result<(), TargetError> {
        for table in self.format.tables().iter().filter(|table| table.parent.is_some()) {
            let mut parents: BTreeSet<Uuid> = BTreeSet::new();
            for (document, wanted) in documents.iter().zip(wanted) {
                if document.kind.anchor != Anchor::FirstRow {
                    continue;
                }
                let main = document.kind.main;
                let mut add = |id: Uuid| {
                    if rows.get(main, id).is_some() {
                        parents.insert(id);
                    }
                };
                let first = stored.get(&document.id).and_then(|stored| stored.parts.first());
                first.and_then(|part| part.ids.first()).into_iter().for_each(|id| add(*id));
                let Ok(Some(first)) = wanted.as_ref().map(|rows| rows.first()) else { continue };
                add(first.id);
                if let [column] = first.table.natural_key {
                    let held = rows.by_value(first.table, *column, &first.cells[*column].value);
                    held.iter().map(|row| row.id()).for_each(&mut add);
                }
            }
            let parents: Vec<Uuid> = parents.into_iter().collect();
            rows.read_below(connection, table, &parents)?;
            let elsewhere: Vec<Uuid> = documents
                .iter()
                .filter_map(|document| stored.get(&document.id))
                .flat_map(Stored::row_ids)
                .filter(|(of, id)| of == table && rows.get(table, *id).is_none())
                .map(|(_, id)| id)
                .collect();
            // Also rows that are wanted and that nobody names: below no parent they may still be.
            let orphans: Vec<Uuid> = wanted
                .iter()
                .flatten()
                .flatten()
                .filter(|row| row.table == *table && rows.get(table, row.id).is_none())
                .map(|row| row.id)
                .collect();
            rows.read(connection, table, elsewhere.into_iter().chain(orphans))?;
        }
        Ok(())
    }

    /// For documents that are found by what they refer to: all rows that refer to the same, and
    /// whose they are.
    fn load_owned(
        &self,
        connection: &mut dyn Connection,
        documents: &[Document],
        wanted: &[Result<Vec<Expected>, Unexpected>],
        stored: &HashMap<Uuid, Stored>,
        rows: &mut Rows,
        resolved: &Resolved,
    ) -> Result<(), TargetError> {
        let mut owners: BTreeMap<&'static str, (&'static Table, usize, BTreeSet<Uuid>)> = BTreeMap::new();
        for (document, wanted) in documents.iter().zip(wanted) {
            let table = document.kind.main;
            let column = table.columns.iter().position(|column| column.reference.is_some());
            let (Anchor::Referenced, Some(column)) = (document.kind.anchor, column) else { continue };
            let reference = table.columns[column].reference.expect("this column refers");
            let entry = owners.entry(table.name).or_insert((table, column, BTreeSet::new()));
            let ledger = stored.get(&document.id).and_then(|stored| stored.document.as_ref());
            entry.2.extend(ledger.and_then(|ledger| ledger.row_id));
            for row in wanted.iter().flatten() {
                if let Value::Reference(text) = &row.cells[column].value {
                    entry.2.extend(resolved.meaning(reference, text).and_then(|meaning| meaning.row));
                }
            }
        }
        for (table, column, owners) in owners.into_values() {
            let values: Vec<Value> = owners.into_iter().map(Value::Uuid).collect();
            rows.read_by(connection, table, column, &values)?;
            let mut held = Vec::new();
            if !values.is_empty() {
                held = select_all(connection, &DOCUMENTS, &Filter::In { column: d::ROW_ID, values: &values })?;
            }
            let mut per_owner: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
            for row in &held {
                if let (Some(id), Some(owner)) = (row.0[d::ID].as_uuid(), row.0[d::ROW_ID].as_uuid()) {
                    per_owner.entry(owner).or_default().push(id);
                }
            }
            // An owner with one document needs no asking whose the rows are. The owner's own
            // document names none of them.
            let several: Vec<Uuid> = per_owner.into_values().filter(|ids| ids.len() > 1).flatten().collect();
            for (document, stored) in stored::of_documents(connection, self.format, &several, true)? {
                stored.row_ids().filter(|(of, _)| *of == table).for_each(|(_, id)| rows.note_holder(id, document));
            }
        }
        Ok(())
    }
}

/// The ledger's id for whoever has the document's key.
fn key_id(document: &Document) -> Uuid {
    ids::document(document.kind.name, &document.key)
}

/// An order-independent digest of everything that the database holds for the document.
fn rows_digest(stored: &Stored, rows: &Rows, accounted: &RowIds, sides: &Sides) -> u128 {
    let mut sum: u128 = 0;
    let mut add = |table: &str, row: &Row| {
        let mut hasher = blake3::Hasher::new();
        hasher.update(table.as_bytes()).update(row.id().as_bytes()).update(&digest::row(row));
        let bytes: [u8; 16] = hasher.finalize().as_bytes()[..16].try_into().expect("16 of 32 bytes");
        sum = sum.wrapping_add(u128::from_le_bytes(bytes));
    };
    for (table, id) in accounted.iter() {
        let table = sides.format.tables().iter().find(|known| known.name == table);
        table
            .and_then(|table| rows.get(table, id))
            .into_iter()
            .for_each(|row| add(table.map_or("", |it| it.name), row));
    }
    if let Some(document) = &stored.document {
        add(DOCUMENTS.name, &document.to_row());
    }
    for part in &stored.parts {
        sum = sum.wrapping_add(u128::from(part.number.unsigned_abs()) << 64).wrapping_add(part.ids.len() as u128);
    }
    sum
}
