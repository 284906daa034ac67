//! The database's side of a batch of documents: what the ledger says, and the rows.
//!
//! Nothing that stands in the ledger is believed: it says where to look, and what it says is
//! compared like everything else. A ledger row that cannot be is told, not an error.

use std::collections::HashMap;

use uuid::Uuid;

use crate::format::Format;
use crate::ledger::{unpack_ids, uuids, LedgerDocument, LedgerReject};
use crate::model::digest::{Seal, ROW_DIGEST};
use crate::model::ledger::{documents as d, rejects as rj, residue as r, DOCUMENTS, REJECTS, RESIDUE};
use crate::model::{ids, Anchor, Row, Table, Value};
use crate::target::{Connection, Filter, TargetError};

use super::ids::{IdMap, IdSet};

/// What the ledger holds of one document.
#[derive(Default)]
pub struct Stored {
    pub document: Option<LedgerDocument>,
    pub parts: Vec<StoredPart>,
    pub reject: Option<LedgerReject>,
    /// Whether a part is missing between or before the others.
    pub gap: bool,
    /// What cannot be: the ledger's table and a few words.
    pub forged: Vec<(&'static str, String)>,
}

/// A part as the ledger has it.
#[derive(Clone, Debug)]
pub struct StoredPart {
    pub number: i64,
    pub table: &'static Table,
    pub ids: Vec<Uuid>,
    /// As many as `ids`; what each row was when it was written.
    pub digests: Vec<[u8; ROW_DIGEST]>,
    pub data: Option<String>,
}

impl Stored {
    /// Whether the ledger knows anything of the document as loaded.
    pub fn is_known(&self) -> bool {
        self.document.is_some() || !self.parts.is_empty()
    }

    /// Whether something in this table of the ledger cannot be.
    pub fn is_forged(&self, table: &str) -> bool {
        self.forged.iter().any(|(forged, _)| *forged == table)
    }

    /// Whether no part is missing, as far as their numbers tell.
    pub fn is_complete(&self) -> bool {
        !self.parts.is_empty() && !self.gap
    }

    /// Whether the residue names all rows that were loaded.
    pub fn is_whole(&self) -> bool {
        self.is_complete() && !self.is_forged(RESIDUE.name)
    }

    /// What a row was when it was written; `None` if the ledger does not name it.
    pub fn written(&self, table: &Table, row: Uuid) -> Option<[u8; ROW_DIGEST]> {
        let of_table = self.parts.iter().filter(|part| part.table == table);
        of_table.flat_map(|part| part.ids.iter().zip(&part.digests)).find(|(id, _)| **id == row).map(|(_, it)| *it)
    }

    pub fn row_ids(&self) -> impl Iterator<Item = (&'static Table, Uuid)> + '_ {
        self.parts.iter().flat_map(|part| part.ids.iter().map(|id| (part.table, *id)))
    }
}

/// Reads what the ledger holds of these documents. `whole`: their parts, too.
pub fn of_documents(
    connection: &mut dyn Connection,
    format: &dyn Format,
    ids: &[Uuid],
    whole: bool,
) -> Result<HashMap<Uuid, Stored>, TargetError> {
    let mut found: HashMap<Uuid, Stored> = HashMap::with_capacity(ids.len());
    if ids.is_empty() {
        return Ok(found);
    }
    let values = uuids(ids);
    each(connection, &DOCUMENTS, d::ID, &values, &mut |row| {
        let Some(id) = row.0[d::ID].as_uuid() else { return };
        let stored = found.entry(id).or_default();
        note_seal(stored, DOCUMENTS.name, &row);
        match LedgerDocument::from_row(&row) {
            Ok(document) => stored.document = Some(document),
            Err(error) => stored.forged.push((DOCUMENTS.name, error.to_string())),
        }
    })?;
    rejects(connection, ids, &mut found)?;
    if whole {
        each(connection, &RESIDUE, r::DOCUMENT_ID, &values, &mut |row| {
            let Some(id) = row.0[r::DOCUMENT_ID].as_uuid() else { return };
            take_part(found.entry(id).or_default(), format, &row);
        })?;
        found.values_mut().for_each(order_parts);
    }
    Ok(found)
}

/// Reads what was refused under these ids.
pub fn rejects(
    connection: &mut dyn Connection,
    ids: &[Uuid],
    found: &mut HashMap<Uuid, Stored>,
) -> Result<(), TargetError> {
    each(connection, &REJECTS, rj::DOCUMENT_ID, &uuids(ids), &mut |row| {
        let Some(id) = row.0[rj::DOCUMENT_ID].as_uuid() else { return };
        let stored = found.entry(id).or_default();
        note_seal(stored, REJECTS.name, &row);
        match LedgerReject::from_row(&row) {
            Ok(reject) => stored.reject = Some(reject),
            Err(error) => stored.forged.push((REJECTS.name, error.to_string())),
        }
    })
}

/// Reads which parts a document has, without what they say: of each also its first row. Returns how many rows they
/// name.
pub fn outline(
    connection: &mut dyn Connection,
    format: &dyn Format,
    document: Uuid,
    stored: &mut Stored,
) -> Result<usize, TargetError> {
    let mut named = 0;
    each(connection, &RESIDUE, r::DOCUMENT_ID, &uuids(&[document]), &mut |row| {
        let before = stored.parts.len();
        take_part(stored, format, &row);
        for part in &mut stored.parts[before..] {
            named += part.ids.len();
            part.ids.truncate(1);
            part.ids.shrink_to_fit();
            part.digests = Vec::new();
            part.data = None;
        }
    })?;
    order_parts(stored);
    Ok(named)
}

fn take_part(stored: &mut Stored, format: &dyn Format, row: &Row) {
    note_seal(stored, RESIDUE.name, row);
    match part_of(format, row) {
        Ok(part) => stored.parts.push(part),
        Err(detail) => stored.forged.push((RESIDUE.name, detail)),
    }
}

fn order_parts(stored: &mut Stored) {
    stored.parts.sort_by_key(|part| part.number);
    stored.gap = (0..).zip(&stored.parts).any(|(number, part)| part.number != number);
}

/// Notes which documents have these rows for their own, as the ledger has it: no other document has
/// them, though it may claim the same natural key.
pub fn note_holders(
    connection: &mut dyn Connection,
    format: &dyn Format,
    table: &'static Table,
    ids: &[Uuid],
    rows: &mut Rows,
) -> Result<(), TargetError> {
    let mut holders: IdMap<Vec<Uuid>> = IdMap::default();
    each(connection, &DOCUMENTS, d::ROW_ID, &uuids(ids), &mut |row| {
        let Ok(document) = LedgerDocument::from_row(&row) else { return };
        let kind = format.kinds().iter().find(|kind| kind.name == document.kind && *kind.main == *table);
        let is_own = kind.is_some_and(|kind| kind.anchor == Anchor::FirstRow)
            && document.id == ids::document(&document.kind, &document.key);
        if let (true, Some(row)) = (is_own, document.row_id) {
            holders.entry(row).or_default().push(document.id);
        }
    })?;
    for (row, documents) in holders {
        // Of two, one is forged, which is told with it.
        if let [document] = documents[..] {
            rows.note_holder(row, document);
        }
    }
    Ok(())
}

fn note_seal(stored: &mut Stored, table: &'static str, row: &Row) {
    stored.forged.extend(seal_fault(row).map(|fault| (table, fault.to_owned())));
}

/// What is wrong with the seal of a ledger's row.
pub fn seal_fault(row: &Row) -> Option<&'static str> {
    match Seal::of(row) {
        Seal::Right => None,
        Seal::Broken => Some("the row is not what transload wrote: its seal is broken"),
        Seal::Missing => Some("the row has no seal: one from before there were seals gets it from `migrate`"),
    }
}

pub fn part_of(format: &dyn Format, row: &Row) -> Result<StoredPart, String> {
    let v = &row.0;
    let name = v[r::TABLE_NAME].as_text().unwrap_or_default();
    let table = format.tables().iter().find(|table| table.name == name);
    let table = table.ok_or_else(|| format!("a part names the table {name:?}, which does not exist"))?;
    let ids = v[r::ROW_IDS].as_bytes().unwrap_or_default();
    let digests = v[r::ROW_DIGESTS].as_bytes().unwrap_or_default();
    if !ids.len().is_multiple_of(16) || ids.len() / 16 * ROW_DIGEST != digests.len() {
        return Err("a part has not as many digests as rows".into());
    }
    Ok(StoredPart {
        number: v[r::PART].as_int().unwrap_or(-1),
        table,
        ids: unpack_ids(ids).collect(),
        digests: digests.chunks_exact(ROW_DIGEST).map(|bytes| bytes.try_into().expect("chunks of this size")).collect(),
        data: v[r::DATA].as_text().map(str::to_owned),
    })
}

/// Rows of the target's tables, as one snapshot has them.
#[derive(Default)]
pub struct Rows {
    /// A few tables: looking for one takes less than a hash.
    tables: Vec<(&'static Table, TableRows)>,
    /// Rows that the ledger gives to a document, where several might have them.
    holders: IdMap<Uuid>,
}

#[derive(Default)]
struct TableRows {
    rows: IdMap<Row>,
    children: IdMap<Vec<Uuid>>,
    values: HashMap<(usize, String), Vec<Uuid>>,
    asked: IdSet,
}

/// A value as a key of a map; only of what natural keys are made of.
fn key_of(value: &Value) -> String {
    match value {
        Value::Uuid(id) => id.to_string(),
        value => value.as_text().unwrap_or_default().to_owned(),
    }
}

impl Rows {
    fn of(&self, table: &Table) -> Option<&TableRows> {
        self.tables.iter().find(|(known, _)| *known == table).map(|(_, rows)| rows)
    }

    fn of_mut(&mut self, table: &'static Table) -> &mut TableRows {
        let at = self.tables.iter().position(|(known, _)| *known == table).unwrap_or_else(|| {
            self.tables.push((table, TableRows::default()));
            self.tables.len() - 1
        });
        &mut self.tables[at].1
    }

    pub fn get(&self, table: &Table, id: Uuid) -> Option<&Row> {
        self.of(table)?.rows.get(&id)
    }

    /// The rows below a parent, which must have been asked for.
    pub fn below(&self, table: &Table, parent: Uuid) -> &[Uuid] {
        self.of(table).and_then(|rows| rows.children.get(&parent)).map_or(&[], Vec::as_slice)
    }

    /// The rows whose column has this value, which must have been asked for.
    pub fn by_value(&self, table: &'static Table, column: usize, value: &Value) -> Vec<&Row> {
        let ids = self.of(table).and_then(|rows| rows.values.get(&(column, key_of(value))));
        ids.into_iter().flatten().filter_map(|id| self.get(table, *id)).collect()
    }

    /// Calls `take` for every row.
    pub fn each(&self, mut take: impl FnMut(&'static Table, &Row)) {
        for (table, rows) in &self.tables {
            rows.rows.values().for_each(|row| take(table, row));
        }
    }

    /// Notes which document has the row.
    pub fn note_holder(&mut self, row: Uuid, document: Uuid) {
        self.holders.insert(row, document);
    }

    pub fn is_anothers(&self, document: Uuid, row: Uuid) -> bool {
        self.holders.get(&row).is_some_and(|holder| *holder != document)
    }

    /// Reads rows by their ids; those that were read before are not read again.
    pub fn read(
        &mut self,
        connection: &mut dyn Connection,
        table: &'static Table,
        ids: impl IntoIterator<Item = Uuid>,
    ) -> Result<(), TargetError> {
        let of = self.of_mut(table);
        let wanted: Vec<Value> =
            ids.into_iter().filter(|id| !of.rows.contains_key(id) && of.asked.insert(*id)).map(Value::Uuid).collect();
        each(connection, table, 0, &wanted, &mut |row| {
            of.rows.insert(row.id(), row);
        })
    }

    /// Reads all rows below the parents.
    pub fn read_below(
        &mut self,
        connection: &mut dyn Connection,
        table: &'static Table,
        parents: &[Uuid],
    ) -> Result<(), TargetError> {
        let Some(column) = table.parent else { return Ok(()) };
        let of = self.of_mut(table);
        each(connection, table, column, &uuids(parents), &mut |row| {
            if let Some(parent) = row.0[column].as_uuid() {
                of.children.entry(parent).or_default().push(row.id());
            }
            of.rows.insert(row.id(), row);
        })?;
        of.children.values_mut().for_each(|ids| ids.sort_unstable());
        Ok(())
    }

    /// Reads the rows whose column has one of the values; returns their ids.
    pub fn read_by(
        &mut self,
        connection: &mut dyn Connection,
        table: &'static Table,
        column: usize,
        values: &[Value],
    ) -> Result<Vec<Uuid>, TargetError> {
        let mut ids = Vec::new();
        let of = self.of_mut(table);
        each(connection, table, column, values, &mut |row| {
            ids.push(row.id());
            of.values.entry((column, key_of(&row.0[column]))).or_default().push(row.id());
            of.rows.insert(row.id(), row);
        })?;
        of.values.values_mut().for_each(|ids| ids.sort_unstable());
        ids.sort_unstable();
        Ok(ids)
    }
}

/// Values a query: a list of any length would do, but it is held in memory on both sides.
const MOST_VALUES: usize = 10_000;

fn each(
    connection: &mut dyn Connection,
    table: &Table,
    column: usize,
    values: &[Value],
    take: &mut dyn FnMut(Row),
) -> Result<(), TargetError> {
    for values in values.chunks(MOST_VALUES) {
        // Whoever needs an order makes it: the server would sort whole rows.
        connection.select_ordered(table, &Filter::In { column, values }, &[], &mut |row| {
            take(row);
            std::ops::ControlFlow::Continue(())
        })?;
    }
    Ok(())
}

/// Whether a row is what transload wrote.
pub fn is_sealed(row: &Row) -> bool {
    Seal::of(row) == Seal::Right
}
