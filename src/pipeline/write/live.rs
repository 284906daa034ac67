//! A document's rows as the database holds them, against what the ledger says was written.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use uuid::Uuid;

use crate::format::Format;
use crate::ledger::{unpack_ids, uuids, LedgerDocument};
use crate::model::digest::{self, ROW_DIGEST};
use crate::model::ledger::{residue as r, RESIDUE};
use crate::model::{Row, Table};
use crate::target::{Connection, Filter, TargetError};

use super::keys::{is_derived, natural_texts, twin_key};

/// Rows looked up at a time.
const LOOK_UP: usize = 2_000;

/// One row in the database.
pub struct Live {
    pub table: &'static Table,
    pub digest: [u8; ROW_DIGEST],
    /// Whether the document still has it.
    pub seen: bool,
    /// Whether the application added it below the document's own row.
    pub foreign: bool,
}

/// Rows with ids that the application drew, by [`twin_key`].
pub type Twins = HashMap<[u8; ROW_DIGEST], Vec<Uuid>>;

/// Rows as they are, ready to be compared with what a document says.
#[derive(Default)]
pub struct Rows {
    pub live: HashMap<Uuid, Live>,
    pub twins: Twins,
}

impl Rows {
    pub fn add(&mut self, table: &'static Table, row: &Row, foreign: bool) {
        let id = row.id();
        if let Some(key) = twin_key(table, row).filter(|_| !is_derived(id)) {
            self.twins.entry(key).or_default().push(id);
        }
        self.live.insert(id, Live { table, digest: digest::row(row), seen: false, foreign });
    }

    /// Rows that the application added and no document has taken over.
    pub fn foreign(&self) -> usize {
        self.live.values().filter(|live| live.foreign && !live.seen).count()
    }
}

/// What a look at a document's rows found.
pub struct Look {
    /// All rows that are the document's, and all that stand below its own row.
    pub rows: Rows,
    /// Text by which other documents may refer to its rows.
    pub natural_texts: Vec<String>,
    /// What differs from what was written, in a few words; rows that were added are not counted
    /// here, but by [`Rows::foreign`].
    pub edits: Option<String>,
    /// What the ledger holds of the document's parts.
    pub parts: Parts,
}

/// The digests of the ledger's rows of a document's parts, by the parts' numbers.
pub type Parts = BTreeMap<i64, [u8; ROW_DIGEST]>;

/// Reads a document's rows and compares their digests.
pub fn look(
    format: &dyn Format,
    connection: &mut dyn Connection,
    document: &LedgerDocument,
) -> Result<Look, TargetError> {
    let mut looks = looks(format, connection, &[document])?;
    Ok(looks.pop().expect("there is one look for each document"))
}

/// Looks at several documents at once; their looks, in the order of the documents.
pub fn looks(
    format: &dyn Format,
    connection: &mut dyn Connection,
    documents: &[&LedgerDocument],
) -> Result<Vec<Look>, TargetError> {
    let mut looking = recorded(connection, format, documents)?;
    for table in format.tables() {
        // Who asks for which rows: of the table's key, or of what names a row's parent.
        let (mut by_id, mut by_parent) = (Askers::new(), Askers::new());
        for (at, document) in documents.iter().enumerate() {
            match document.row_id.filter(|_| table.parent.is_some()) {
                // A document's own children are all rows below its row, whoever wrote them.
                Some(anchor) => by_parent.entry(anchor).or_default().push(at),
                None => looking[at].ids_in(table).for_each(|id| by_id.entry(id).or_default().push(at)),
            }
        }
        for (column, askers) in [(Some(0), by_id), (table.parent, by_parent)] {
            let Some(column) = column else { continue };
            for values in uuids(&askers.keys().copied().collect::<Vec<_>>()).chunks(LOOK_UP) {
                connection.select(table, &Filter::In { column, values }, &mut |row| {
                    let asked = row.0[column].as_uuid().and_then(|value| askers.get(&value));
                    asked.into_iter().flatten().for_each(|at| looking[*at].compare(table, &row));
                    ControlFlow::Continue(())
                })?;
            }
        }
    }
    Ok(looking.into_iter().map(Looking::finish).collect())
}

/// The documents, by position, that ask for the rows with a value.
type Askers = BTreeMap<Uuid, Vec<usize>>;

/// A look that has not ended.
#[derive(Default)]
struct Looking {
    /// The rows that the document has by the ledger and that were not found yet, with their digests as written.
    recorded: HashMap<Uuid, (&'static Table, [u8; ROW_DIGEST])>,
    parts: Parts,
    rows: Rows,
    natural_texts: Vec<String>,
    edited: u64,
}

impl Looking {
    fn ids_in<'a>(&'a self, table: &'a Table) -> impl Iterator<Item = Uuid> + 'a {
        self.recorded.iter().filter(move |(_, (of, _))| *of == table).map(|(id, _)| *id)
    }

    fn compare(&mut self, table: &'static Table, row: &Row) {
        let written = self.recorded.remove(&row.id()).map(|(_, written)| written);
        self.rows.add(table, row, written.is_none());
        self.edited += u64::from(written.is_some_and(|written| written != self.rows.live[&row.id()].digest));
        self.natural_texts.extend(natural_texts(table, row));
    }

    fn finish(self) -> Look {
        let found: Vec<String> = [(self.edited, "edited"), (self.recorded.len() as u64, "deleted")]
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        let edits = (!found.is_empty()).then(|| edits(&found.join(", ")));
        Look { rows: self.rows, natural_texts: self.natural_texts, edits, parts: self.parts }
    }
}

/// How a finding about a document's rows begins.
pub fn edits(found: &str) -> String {
    format!("rows in the database since they were written: {found}")
}

/// What the ledger says of the documents' parts.
fn recorded(
    connection: &mut dyn Connection,
    format: &dyn Format,
    documents: &[&LedgerDocument],
) -> Result<Vec<Looking>, TargetError> {
    let mut looking: Vec<Looking> = documents.iter().map(|_| Looking::default()).collect();
    let places: HashMap<Uuid, usize> = documents.iter().enumerate().map(|(at, document)| (document.id, at)).collect();
    let ids: Vec<Uuid> = documents.iter().map(|document| document.id).collect();
    connection.select(&RESIDUE, &Filter::In { column: r::DOCUMENT_ID, values: &uuids(&ids) }, &mut |part| {
        let place = part.0[r::DOCUMENT_ID].as_uuid().and_then(|id| places.get(&id));
        let Some(looking) = place.map(|at| &mut looking[*at]) else { return ControlFlow::Continue(()) };
        if let Some(number) = part.0[r::PART].as_int() {
            looking.parts.insert(number, digest::row(&part));
        }
        let name = part.0[r::TABLE_NAME].as_text();
        if let Some(table) = format.tables().iter().find(|table| Some(table.name) == name) {
            let ids = unpack_ids(part.0[r::ROW_IDS].as_bytes().unwrap_or_default());
            let digests = part.0[r::ROW_DIGESTS].as_bytes().unwrap_or_default().chunks_exact(ROW_DIGEST);
            looking.recorded.extend(
                ids.zip(digests)
                    .map(|(id, digest)| (id, (*table, digest.try_into().expect("chunks have this length")))),
            );
        }
        ControlFlow::Continue(())
    })?;
    Ok(looking)
}
