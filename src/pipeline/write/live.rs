//! A document's rows as the database holds them, against what the ledger says was written.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use uuid::Uuid;

use crate::format::Format;
use crate::ledger::{unpack_ids, uuids, LedgerDocument};
use crate::model::digest::{self, ROW_DIGEST};
use crate::model::ledger::{residue as r, RESIDUE};
use crate::model::{Row, Table, Value};
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

/// Reads the rows and compares their digests.
pub fn look(
    format: &dyn Format,
    connection: &mut dyn Connection,
    document: &LedgerDocument,
) -> Result<Look, TargetError> {
    let Held { mut recorded, parts } = held(connection, format, document.id)?;
    let mut edited = 0u64;
    let mut rows = Rows::default();
    let mut texts = Vec::new();
    for table in format.tables() {
        let of_table: Vec<Uuid> = recorded.iter().filter(|(_, held)| held.0 == *table).map(|(id, _)| *id).collect();
        let mut compare = |row: Row| {
            let written = recorded.remove(&row.id()).map(|(_, written)| written);
            rows.add(table, &row, written.is_none());
            edited += u64::from(written.is_some_and(|written| written != rows.live[&row.id()].digest));
            texts.extend(natural_texts(table, &row));
            ControlFlow::Continue(())
        };
        // A document's own children are all rows below its row, whoever wrote them.
        if let (Some(parent), Some(anchor)) = (table.parent, document.row_id) {
            let values = [Value::Uuid(anchor)];
            connection.select(table, &Filter::In { column: parent, values: &values }, &mut compare)?;
        } else {
            for ids in of_table.chunks(LOOK_UP) {
                connection.select(table, &Filter::In { column: 0, values: &uuids(ids) }, &mut compare)?;
            }
        }
    }
    let gone = recorded.len() as u64;
    let found: Vec<String> = [(edited, "edited"), (gone, "deleted")]
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let edits = (!found.is_empty()).then(|| edits(&found.join(", ")));
    Ok(Look { rows, natural_texts: texts, edits, parts })
}

/// How a finding about a document's rows begins.
pub fn edits(found: &str) -> String {
    format!("rows in the database since they were written: {found}")
}

/// What the ledger says of a document's parts.
struct Held {
    /// The rows that the document has, with their digests as written.
    recorded: HashMap<Uuid, (&'static Table, [u8; ROW_DIGEST])>,
    parts: Parts,
}

fn held(connection: &mut dyn Connection, format: &dyn Format, document: Uuid) -> Result<Held, TargetError> {
    let (mut recorded, mut parts) = (HashMap::new(), Parts::new());
    let values = [Value::Uuid(document)];
    connection.select(&RESIDUE, &Filter::In { column: r::DOCUMENT_ID, values: &values }, &mut |part| {
        if let Some(number) = part.0[r::PART].as_int() {
            parts.insert(number, digest::row(&part));
        }
        let name = part.0[r::TABLE_NAME].as_text();
        if let Some(table) = format.tables().iter().find(|table| Some(table.name) == name) {
            let ids = unpack_ids(part.0[r::ROW_IDS].as_bytes().unwrap_or_default());
            let digests = part.0[r::ROW_DIGESTS].as_bytes().unwrap_or_default().chunks_exact(ROW_DIGEST);
            recorded.extend(
                ids.zip(digests)
                    .map(|(id, digest)| (id, (*table, digest.try_into().expect("chunks have this length")))),
            );
        }
        ControlFlow::Continue(())
    })?;
    Ok(Held { recorded, parts })
}
