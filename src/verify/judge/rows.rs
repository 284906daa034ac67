//! Which rows are a document's: those that the ledger names, and those that stand where its rows
//! belong and that the ledger does not know.

use std::collections::HashSet;

use uuid::Uuid;

use crate::format::proof::Expected;
use crate::model::{ids, Anchor, Document, Row, Table, Value};
use crate::node::Node;
use crate::verify::compare::RowState;
use crate::verify::ids::IdSet;
use crate::verify::row_ids::RowIds;

use super::Sides;

/// A row that the ledger says belongs to the document.
pub struct Known<'a> {
    pub table: &'static Table,
    pub id: Uuid,
    pub row: Option<&'a Row>,
    pub state: RowState,
    pub rebuilt: Option<Node>,
    pub paired: bool,
}

/// A row of the document that the ledger does not know.
pub struct Added<'a> {
    pub table: &'static Table,
    pub row: &'a Row,
    pub paired: bool,
}

impl Known<'_> {
    /// Whether it is there and not what was written.
    pub fn has_moved(&self) -> bool {
        self.row.is_some_and(|row| self.state.has_moved(row))
    }
}

pub fn known_rows<'a>(sides: &Sides<'a>) -> Vec<Known<'a>> {
    let parts = &sides.stored.parts;
    let mut known = Vec::with_capacity(parts.iter().map(|part| part.ids.len()).sum());
    for part in parts {
        known.extend(part.ids.iter().zip(&part.digests).map(|(id, written)| {
            let row = sides.rows.get(part.table, *id);
            let state = RowState::Digest(*written);
            Known { table: part.table, id: *id, row, state, rebuilt: None, paired: false }
        }));
    }
    known
}

/// The document's own row: what stands below it refers to this one.
pub fn own_row(sides: &Sides, wanted: &[Expected], known: &[Known], added: &[Added]) -> Option<Uuid> {
    if sides.document.kind.anchor != Anchor::FirstRow {
        return None;
    }
    let main = sides.document.kind.main;
    let first = known.first().filter(|known| known.table == main && known.row.is_some()).map(|known| known.id);
    let derived = wanted.first().map(|wanted| wanted.id).filter(|id| sides.rows.get(main, *id).is_some());
    first.or(derived).or_else(|| added.iter().find(|added| added.table == main).map(|added| added.row.id()))
}

/// Rows of the document that its residue does not name.
pub fn added_rows<'a>(sides: &Sides<'a>, wanted: &[Expected], known: &[Known]) -> Vec<Added<'a>> {
    if is_all_there_is(sides, wanted, known) {
        return Vec::new();
    }
    // A row that is not where the ledger has it may be in another table.
    let mut seen: IdSet = known.iter().filter(|known| known.row.is_some()).map(|known| known.id).collect();
    let mut added = Vec::new();
    let mut add = |table: &'static Table, row: &'a Row| {
        if !sides.rows.is_anothers(sides.document.id, row.id()) && seen.insert(row.id()) {
            added.push(Added { table, row, paired: false });
        }
    };
    for wanted in wanted {
        let under_id = sides.rows.get(wanted.table, wanted.id);
        under_id.into_iter().for_each(|row| add(wanted.table, row));
        if under_id.is_none() {
            by_natural_key(sides, wanted).into_iter().for_each(|row| add(wanted.table, row));
        }
    }
    for parent in own_rows(sides, wanted) {
        for table in sides.format.tables().iter().filter(|table| table.parent.is_some()) {
            for id in sides.rows.below(table, parent) {
                sides.rows.get(table, *id).into_iter().for_each(|row| add(table, row));
            }
        }
    }
    if sides.document.kind.anchor == Anchor::Referenced {
        for (table, column, owner) in owners(sides, wanted) {
            sides.rows.by_value(table, column, &Value::Uuid(owner)).into_iter().for_each(|row| add(table, row));
        }
    }
    added
}

/// Whether the ledger names exactly the rows that the files want, all of them are there, and none
/// other stands below the document's own: what nearly every document is like, found with few looks.
fn is_all_there_is(sides: &Sides, wanted: &[Expected], known: &[Known]) -> bool {
    let is_it = |(wanted, known): (&Expected, &Known)| {
        wanted.id == known.id && wanted.table == known.table && known.row.is_some()
    };
    let same = wanted.len() == known.len() && wanted.iter().zip(known).all(is_it);
    if !same || sides.document.kind.anchor != Anchor::FirstRow {
        return false;
    }
    own_rows(sides, wanted).into_iter().all(|parent| {
        sides.format.tables().iter().filter(|table| table.parent.is_some()).all(|table| {
            // The ids that files want are all different, so as many are the same ones.
            let is_below = |known: &&Known| {
                let of = table.parent.zip(known.row).map(|(column, row)| row.0[column].as_uuid());
                known.table == *table && of == Some(Some(parent))
            };
            sides.rows.below(table, parent).len() == known.iter().filter(is_below).count()
        })
    })
}

/// Every row that may be the document's own: what stands below any of them is the document's.
fn own_rows(sides: &Sides, wanted: &[Expected]) -> Vec<Uuid> {
    if sides.document.kind.anchor != Anchor::FirstRow {
        return Vec::new();
    }
    let main = sides.document.kind.main;
    let mut ids: Vec<Uuid> = Vec::new();
    ids.extend(sides.stored.parts.first().and_then(|part| part.ids.first()));
    if let Some(first) = wanted.first() {
        ids.push(first.id);
        ids.extend(by_natural_key(sides, first).iter().map(|row| row.id()));
    }
    ids.retain(|id| sides.rows.get(main, *id).is_some());
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// The rows that a memory file's rows refer to, with table and column.
fn owners(sides: &Sides, wanted: &[Expected]) -> Vec<(&'static Table, usize, Uuid)> {
    let table = sides.document.kind.main;
    let column = table.columns.iter().position(|column| column.reference.is_some());
    let Some(column) = column else { return Vec::new() };
    let reference = table.columns[column].reference.expect("it has one");
    let texts: HashSet<&str> = wanted
        .iter()
        .filter_map(|row| match &row.cells[column].value {
            Value::Reference(text) => Some(text.as_str()),
            _ => None,
        })
        .collect();
    let mut ids: Vec<Uuid> =
        texts.iter().filter_map(|text| sides.resolved.meaning(reference, text)).filter_map(|it| it.row).collect();
    ids.extend(sides.stored.document.as_ref().and_then(|document| document.row_id));
    ids.sort_unstable();
    ids.dedup();
    ids.into_iter().map(|id| (table, column, id)).collect()
}

pub struct FoundRows {
    pub any: bool,
    /// Under an id that only transload gives.
    pub derived: bool,
}

/// Whether the tables have anything of what the files want.
pub fn wanted_rows_found(sides: &Sides) -> FoundRows {
    let Ok(wanted) = sides.wanted else { return FoundRows { any: false, derived: false } };
    let mut found = FoundRows { any: false, derived: false };
    for row in wanted {
        if found.any && found.derived {
            return found;
        }
        if sides.rows.get(row.table, row.id).is_some() {
            found.any = true;
            found.derived |= !is_legacy_id(sides.document, row.id);
        }
    }
    found.any = found.any || wanted.iter().any(|row| !by_natural_key(sides, row).is_empty());
    found
}

/// Whether a row's id is the legacy one, which the application may have given to its row, too.
pub fn is_legacy_id(document: &Document, id: Uuid) -> bool {
    ids::as_uuid(&document.key) == Some(id)
}

/// The rows that have the natural key of the one that is wanted.
fn by_natural_key<'a>(sides: &Sides<'a>, wanted: &Expected) -> Vec<&'a Row> {
    let table = wanted.table;
    let mut parts = table.natural_key.iter().map(|at| &wanted.cells[*at].value);
    match (table.natural_key, parts.next()) {
        ([column], Some(value @ Value::Text(_))) => {
            let rows = sides.rows.by_value(table, *column, value);
            rows.into_iter().filter(|row| !sides.rows.is_anothers(sides.document.id, row.id())).collect()
        }
        ([column, rest @ ..], Some(Value::Reference(text))) => {
            let meaning = table.columns[*column].reference.and_then(|it| sides.resolved.meaning(it, text));
            let Some(owner) = meaning.and_then(|meaning| meaning.row) else { return Vec::new() };
            let rows = sides.rows.by_value(table, *column, &Value::Uuid(owner));
            rows.into_iter().filter(|row| rest.iter().all(|at| row.0[*at] == wanted.cells[*at].value)).collect()
        }
        _ => Vec::new(),
    }
}

pub fn rows_there(known: &[Known], added: &[Added]) -> RowIds {
    let there = known.iter().filter(|known| known.row.is_some()).map(|known| (known.table.name, known.id));
    there.chain(added.iter().map(|added| (added.table.name, added.row.id()))).collect()
}
