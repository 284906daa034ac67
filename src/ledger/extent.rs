//! A document's extent: all rows of the database that a repair of the document may have to do with.
//!
//! Who compares a document and who repairs it find the same rows by the same rule, so that the
//! digest of the one is the guard of the other. The rule does not believe the ledger more than it
//! has to: a ledger's row whose seal is broken names no row as the document's own.

use std::collections::{BTreeSet, HashSet};
use std::ops::ControlFlow;

use uuid::Uuid;

use crate::format::Format;
use crate::model::digest::{RowSet, Seal};
use crate::model::document::Anchor;
use crate::model::ledger::{documents as d, rejects as rj, residue as r, DOCUMENTS, REJECTS, RESIDUE};
use crate::model::{Document, Row, Table, Value};
use crate::target::{Connection, Filter, TargetError};

use super::resolve::{resolve, rows_in};
use super::{readable_documents_by, unpack_ids, uuids, LedgerDocument};

/// Rows looked up at a time.
const LOOK_UP: usize = 2_000;

/// What a document's files say of the rows that they make: enough to find those rows, or what stands
/// in their places.
#[derive(Clone, Debug, Default)]
pub struct Wants {
    ids: Vec<(&'static Table, Vec<Uuid>)>,
    /// The first row's id and natural key.
    first: Option<Uuid>,
    first_key: Option<(usize, Value)>,
    /// What rows refer to: kind and text.
    references: BTreeSet<(&'static str, String)>,
}

impl Wants {
    /// The ids that the rows derive to, by table and in the document's order.
    pub fn ids(&self) -> &[(&'static Table, Vec<Uuid>)] {
        &self.ids
    }

    /// Adds the next row, in the document's order. `values`: one a column, with
    /// [`Value::Reference`] for what the file refers to.
    pub fn add<'v>(&mut self, table: &'static Table, id: Uuid, values: impl Iterator<Item = &'v Value>) {
        let is_first = self.first.is_none();
        self.first.get_or_insert(id);
        for (at, (column, value)) in table.columns.iter().zip(values).enumerate() {
            match (column.reference, value) {
                (Some(reference), Value::Reference(text)) => {
                    self.references.insert((reference.kind, text.clone()));
                }
                (None, Value::Text(_)) if is_first && table.natural_key == [at] => {
                    self.first_key = Some((at, value.clone()));
                }
                _ => {}
            }
        }
        match self.ids.iter_mut().find(|(known, _)| *known == table) {
            Some((_, ids)) => ids.push(id),
            None => self.ids.push((table, vec![id])),
        }
    }
}

/// Why a row is in a document's extent; the first reason that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is the document's own row: a user, a chat session.
    Own,
    /// It stands below the document's own row.
    Below,
    /// It refers to what the document's rows refer to, and no other document has it.
    Owned,
    /// The residue names it.
    Named,
    /// It has an id that only the document's rows have.
    Derived,
    /// It may be somebody else's: it is another row with the id or the key of the document's own,
    /// it stands below such a row, or a residue names it whose seal is broken.
    Doubtful,
}

/// What was found beside the rows.
#[derive(Debug, Default)]
pub struct Extent {
    /// The rows, and the ledger's rows of the document: its own, its parts, its reject.
    pub rows: RowSet,
    /// The document's own row.
    pub own: Option<Uuid>,
    /// The ledger's row, as it stands.
    pub document: Option<Row>,
    /// The ledger's parts, as they stand.
    pub parts: RowSet,
    /// The rows that the residue names, by table and in its order, whether they are there or not.
    pub named: Vec<(&'static Table, Vec<Uuid>)>,
}

impl Extent {
    /// The ledger's row, if it is what transload wrote.
    pub fn held(&self) -> Option<LedgerDocument> {
        let held = LedgerDocument::from_row(self.document.as_ref()?).ok()?;
        (held.seal != Seal::Broken).then_some(held)
    }
}

/// Two of a document's states are the same if their guards are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    /// The digest of the document's files, as [`crate::source::Reading`] has it.
    pub files: [u8; 32],
    /// The rows of the document's extent.
    pub rows: RowSet,
}

/// The guard of a document as the connection sees it. `wants`: what the files that have this
/// digest say, read whichever way; nothing if they say no rows.
pub fn guard(
    connection: &mut dyn Connection,
    format: &dyn Format,
    document: &Document,
    wants: &Wants,
    files: [u8; 32],
) -> Result<Guard, TargetError> {
    let extent = visit(connection, format, document, wants, &mut |_, _, _| {})?;
    Ok(Guard { files, rows: extent.rows })
}

/// Finds the rows of the document's extent and calls `each` for them:
///
/// 1. the document's own row, for kinds that have one. It is, of the rows that are there and that no
///    other document's ledger row claims, the first of: the one that the residue names first, the
///    one that the ledger's row names, the one under the id that the files' first row derives to,
///    the one with that row's natural key. The others of these are doubtful, and so are, in the
///    end, the rows below them;
/// 2. all rows of child tables whose parent is the own row;
/// 3. for kinds whose rows refer to what the document is about (a memory file's user): all rows of
///    their table that refer to it, less those that another document's residue names;
/// 4. the rows that the residue names;
/// 5. the rows under the ids that the files' rows derive to;
/// 6. the rows that a residue with a broken seal names. Such a row of the ledger does not count in
///    1 to 4.
pub fn visit(
    connection: &mut dyn Connection,
    format: &dyn Format,
    document: &Document,
    wants: &Wants,
    each: &mut dyn FnMut(&'static Table, Row, Why),
) -> Result<Extent, TargetError> {
    let mut visit = Visit { connection, format, document, extent: Extent::default(), seen: HashSet::new(), each };
    let parts = visit.ledger()?;
    let held = visit.extent.held();
    let mut doubtful = Vec::new();
    match document.kind.anchor {
        Anchor::FirstRow => doubtful = visit.own_row(&parts, held.as_ref(), wants)?,
        Anchor::Referenced => visit.owned(held.as_ref(), wants)?,
        Anchor::None => {}
    }
    for part in parts.iter().filter(|part| part.trusted) {
        visit.by_id(part.table, &part.ids, Why::Named)?;
    }
    for (table, ids) in &wants.ids {
        visit.by_id(table, ids, Why::Derived)?;
    }
    visit.below(&doubtful, Why::Doubtful)?;
    for part in parts.iter().filter(|part| !part.trusted) {
        visit.by_id(part.table, &part.ids, Why::Doubtful)?;
    }
    for part in parts.into_iter().filter(|part| part.trusted) {
        match visit.extent.named.iter_mut().find(|(table, _)| *table == part.table) {
            Some((_, ids)) => ids.extend(part.ids),
            None => visit.extent.named.push((part.table, part.ids)),
        }
    }
    Ok(visit.extent)
}

/// What a row of the residue names.
struct Named {
    table: &'static Table,
    ids: Vec<Uuid>,
    trusted: bool,
}

struct Visit<'a> {
    connection: &'a mut dyn Connection,
    format: &'a dyn Format,
    document: &'a Document,
    extent: Extent,
    seen: HashSet<(&'static str, Uuid)>,
    each: &'a mut dyn FnMut(&'static Table, Row, Why),
}

impl Visit<'_> {
    /// Reads the ledger's rows of the document; returns what its parts name.
    fn ledger(&mut self) -> Result<Vec<Named>, TargetError> {
        let id = [Value::Uuid(self.document.id)];
        for row in rows_in(self.connection, &DOCUMENTS, d::ID, &id)? {
            self.extent.rows.add(DOCUMENTS.name, &row);
            self.extent.document = Some(row);
        }
        for row in rows_in(self.connection, &REJECTS, rj::DOCUMENT_ID, &id)? {
            self.extent.rows.add(REJECTS.name, &row);
        }
        let (format, extent) = (self.format, &mut self.extent);
        let mut parts = Vec::new();
        self.connection.select(&RESIDUE, &Filter::In { column: r::DOCUMENT_ID, values: &id }, &mut |row| {
            extent.rows.add(RESIDUE.name, &row);
            extent.parts.add(RESIDUE.name, &row);
            let trusted = Seal::of(&row) != Seal::Broken;
            if let Some((table, ids)) = named(format, &row) {
                parts.push(Named { table, ids, trusted });
            }
            ControlFlow::Continue(())
        })?;
        Ok(parts)
    }

    /// Finds the own row and what is below it; returns the rows that are not the own one.
    fn own_row(
        &mut self,
        parts: &[Named],
        held: Option<&LedgerDocument>,
        wants: &Wants,
    ) -> Result<Vec<Uuid>, TargetError> {
        let main = self.document.kind.main;
        let residue = parts.first().filter(|part| part.trusted && part.table == main);
        let by_id =
            [residue.and_then(|part| part.ids.first().copied()), held.and_then(|held| held.row_id), wants.first];
        let by_id: Vec<Uuid> = by_id.into_iter().flatten().collect();
        let mut rows = rows_in(self.connection, main, 0, &uuids(&by_id))?;
        rows.sort_by_key(|row| by_id.iter().position(|id| *id == row.id()));
        if let Some((column, value)) = &wants.first_key {
            let with_key = rows_in(self.connection, main, *column, std::slice::from_ref(value))?;
            let is_new = |row: &Row| rows.iter().all(|known| known.id() != row.id());
            let with_key: Vec<Row> = with_key.into_iter().filter(is_new).collect();
            rows.extend(with_key);
        }
        let ids: Vec<Uuid> = rows.iter().map(Row::id).collect();
        let others = self.others(&ids)?;
        self.extent.own = ids.iter().find(|id| !others.iter().any(|other| other.row_id == Some(**id))).copied();
        for row in rows {
            let why = if self.extent.own == Some(row.id()) { Why::Own } else { Why::Doubtful };
            self.note(main, row, why);
        }
        self.below(&self.extent.own.into_iter().collect::<Vec<_>>(), Why::Below)?;
        Ok(ids.into_iter().filter(|id| Some(*id) != self.extent.own).collect())
    }

    fn below(&mut self, parents: &[Uuid], why: Why) -> Result<(), TargetError> {
        let Visit { connection, format, extent, seen, each, .. } = self;
        for table in format.tables() {
            let Some(column) = table.parent.filter(|_| !parents.is_empty()) else { continue };
            connection.select(table, &Filter::In { column, values: &uuids(parents) }, &mut |row| {
                note(extent, seen, each, table, row, why);
                ControlFlow::Continue(())
            })?;
        }
        Ok(())
    }

    fn owned(&mut self, held: Option<&LedgerDocument>, wants: &Wants) -> Result<(), TargetError> {
        let table = self.document.kind.main;
        let Some(column) = table.columns.iter().position(|column| column.reference.is_some()) else { return Ok(()) };
        let mut owners: BTreeSet<Uuid> = held.and_then(|held| held.row_id).into_iter().collect();
        let kinds: BTreeSet<&'static str> = wants.references.iter().map(|(kind, _)| *kind).collect();
        for kind in kinds {
            let of_kind = wants.references.iter().filter(|(of, _)| *of == kind).map(|(_, text)| text.clone());
            owners.extend(resolve(self.connection, self.format, kind, &of_kind.collect(), true)?.into_values());
        }
        let owners: Vec<Uuid> = owners.into_iter().collect();
        let others: Vec<Uuid> = self.others(&owners)?.iter().map(|other| other.id).collect();
        let mut anothers: HashSet<Uuid> = HashSet::new();
        for part in rows_in(self.connection, &RESIDUE, r::DOCUMENT_ID, &uuids(&others))? {
            if Seal::of(&part) != Seal::Broken {
                anothers.extend(named(self.format, &part).into_iter().flat_map(|(_, ids)| ids));
            }
        }
        for row in rows_in(self.connection, table, column, &uuids(&owners))? {
            if !anothers.contains(&row.id()) {
                self.note(table, row, Why::Owned);
            }
        }
        Ok(())
    }

    /// Other documents with rows of the same table that the ledger finds by one of these rows.
    fn others(&mut self, rows: &[Uuid]) -> Result<Vec<LedgerDocument>, TargetError> {
        let found = readable_documents_by(self.connection, d::ROW_ID, &uuids(rows))?;
        let is_other = |other: &LedgerDocument| {
            let kind = self.format.kinds().iter().find(|kind| kind.name == other.kind);
            other.id != self.document.id
                && other.seal != Seal::Broken
                && kind.is_some_and(|kind| kind.main == self.document.kind.main)
        };
        Ok(found.into_iter().filter(is_other).collect())
    }

    fn by_id(&mut self, table: &'static Table, ids: &[Uuid], why: Why) -> Result<(), TargetError> {
        let Visit { connection, extent, seen, each, .. } = self;
        for ids in ids.chunks(LOOK_UP) {
            let unseen: Vec<Uuid> = ids.iter().copied().filter(|id| !seen.contains(&(table.name, *id))).collect();
            if unseen.is_empty() {
                continue;
            }
            connection.select(table, &Filter::In { column: 0, values: &uuids(&unseen) }, &mut |row| {
                note(extent, seen, each, table, row, why);
                ControlFlow::Continue(())
            })?;
        }
        Ok(())
    }

    fn note(&mut self, table: &'static Table, row: Row, why: Why) {
        note(&mut self.extent, &mut self.seen, self.each, table, row, why);
    }
}

fn note(
    extent: &mut Extent,
    seen: &mut HashSet<(&'static str, Uuid)>,
    each: &mut dyn FnMut(&'static Table, Row, Why),
    table: &'static Table,
    row: Row,
    why: Why,
) {
    if seen.insert((table.name, row.id())) {
        extent.rows.add(table.name, &row);
        each(table, row, why);
    }
}

/// The table and the ids that a row of the residue names.
fn named(format: &dyn Format, part: &Row) -> Option<(&'static Table, Vec<Uuid>)> {
    let name = part.0[r::TABLE_NAME].as_text()?;
    let table = format.tables().iter().find(|table| table.name == name)?;
    Some((*table, unpack_ids(part.0[r::ROW_IDS].as_bytes()?).collect()))
}
