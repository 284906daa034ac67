//! Pairing what the files want with what the database has, and comparing the pairs.

use uuid::Uuid;

use crate::format::proof::Expected;
use crate::model::ledger::RESIDUE;
use crate::model::{Row, Value};
use crate::verify::compare::{Comparison, Here, Mode};
use crate::verify::ids::IdMap;
use crate::verify::outcome::Cause;
use crate::verify::resolve::Resolved;

use super::rows::{Added, Known};

/// The row for what the files want, by its place among the known or the added ones.
pub enum Partner {
    Known(usize),
    /// A row that the ledger does not know, in place of one under this id that it names.
    Added(usize, Option<Uuid>),
    None,
}

/// Finds for each row that the files want the one that the database has for it: by id, then by
/// what identifies a row in the application's eyes, then by its place.
pub fn pair(
    resolved: &Resolved,
    wanted: &[Expected],
    known: &mut [Known],
    added: &mut [Added],
    mode: Mode,
) -> Vec<Partner> {
    let by_id: IdMap<usize> = known.iter().enumerate().map(|(at, known)| (known.id, at)).collect();
    let added_by_id: IdMap<usize> = added.iter().enumerate().map(|(at, added)| (added.row.id(), at)).collect();
    let mut pairs: Vec<Partner> = Vec::with_capacity(wanted.len());
    let mut open = Vec::new();
    for (at, wanted) in wanted.iter().enumerate() {
        pairs.push(match by_id.get(&wanted.id) {
            Some(&found) if !known[found].paired && known[found].table == wanted.table => {
                known[found].paired = true;
                Partner::Known(found)
            }
            _ => {
                open.push(at);
                Partner::None
            }
        });
    }
    // Rows that the ledger names under other ids were adopted: they say the same, or stand in the
    // same place, or did before they were deleted.
    let mut free: Vec<usize> = (0..known.len()).filter(|at| !known[*at].paired).collect();
    let says_the_same = |known: &Known, wanted: &Expected| known.row.is_some_and(|row| same_key(resolved, wanted, row));
    let stands_there = |_: &Known, _: &Expected| true;
    for same in [&says_the_same as &dyn Fn(&Known, &Expected) -> bool, &stands_there] {
        open.retain(|&at| {
            let partner = free.iter().position(|&free| {
                let known = &known[free];
                known.table == wanted[at].table && same(known, &wanted[at])
            });
            if let Some(partner) = partner {
                let partner = free.remove(partner);
                known[partner].paired = true;
                pairs[at] = Partner::Known(partner);
            }
            partner.is_none()
        });
        if mode != Mode::Loaded {
            // In a file that has changed, a row in the same place may be any other.
            break;
        }
    }
    open.retain(|&at| {
        let Some(&partner) = added_by_id.get(&wanted[at].id) else { return true };
        added[partner].paired = true;
        pairs[at] = Partner::Added(partner, None);
        false
    });
    open.retain(|&at| {
        let partner = added.iter().position(|added| {
            !added.paired && added.table == wanted[at].table && same_key(resolved, &wanted[at], added.row)
        });
        if let Some(partner) = partner {
            added[partner].paired = true;
            pairs[at] = Partner::Added(partner, None);
        }
        partner.is_none()
    });
    // The ledger names a row that is gone, and a row that says the same stands in its place.
    for at in 0..wanted.len() {
        let Partner::Known(found) = pairs[at] else { continue };
        if known[found].row.is_some() {
            continue;
        }
        let twin = added.iter().position(|added| {
            !added.paired && added.table == wanted[at].table && same_key(resolved, &wanted[at], added.row)
        });
        if let Some(twin) = twin {
            added[twin].paired = true;
            pairs[at] = Partner::Added(twin, Some(known[found].id));
        }
    }
    pairs
}

/// Whether a row is the wanted one in the application's eyes.
pub fn same_key(resolved: &Resolved, wanted: &Expected, row: &Row) -> bool {
    let table = wanted.table;
    let columns = if table.twin_key.is_empty() { table.natural_key } else { table.twin_key };
    !columns.is_empty()
        && columns.iter().all(|at| match (&wanted.cells[*at].value, table.columns[*at].reference) {
            (Value::Reference(text), Some(reference)) => {
                let meaning = resolved.meaning(reference, text);
                meaning.is_some_and(|meaning| meaning.row.is_some() && meaning.row == row.0[*at].as_uuid())
            }
            (Value::Null, _) => false,
            (value, _) => *value == row.0[*at],
        })
}

/// What is left to be said once the pairs were compared.
pub struct Compared {
    /// The row for each that is wanted.
    pub rows: Vec<Option<Uuid>>,
    /// Rows of the document that its residue does not name.
    pub unnamed: u64,
}

/// Compares the pairs, and tells what has no partner.
///
/// `is_whole`: the residue names all that was loaded. Where it lost some of it, nobody can say which
/// other ids were adopted.
pub fn compare(
    comparison: &mut Comparison,
    wanted: &[Expected],
    known: &[Known],
    added: &[Added],
    pairs: &[Partner],
    is_whole: bool,
) -> Compared {
    let mut rows: Vec<Option<Uuid>> = vec![None; wanted.len()];
    let mut foreign: Vec<Uuid> = Vec::new();
    let mut unnamed = 0;
    for (at, (wanted, partner)) in wanted.iter().zip(pairs).enumerate() {
        match partner {
            Partner::Known(partner) => {
                let known = &known[*partner];
                rows[at] = Some(known.id);
                match known.row {
                    Some(row) => comparison.row(
                        wanted,
                        Here { id: known.id, row, moved: Some(known.moved), rebuilt: known.rebuilt.as_ref() },
                    ),
                    None => comparison.missing_row(wanted, known.id),
                }
            }
            Partner::Added(partner, instead) => {
                let row = added[*partner].row;
                let id = instead.unwrap_or(wanted.id);
                rows[at] = Some(row.id());
                if comparison.mode == Mode::Loaded && row.id() != wanted.id && (is_whole || instead.is_some()) {
                    comparison.foreign_id(wanted, id, row.id());
                    foreign.push(id);
                } else {
                    unnamed += u64::from(comparison.mode == Mode::Loaded);
                    comparison.row(wanted, Here { id: row.id(), row, moved: None, rebuilt: None });
                }
            }
            Partner::None => comparison.missing_row(wanted, wanted.id),
        }
    }
    for known in known.iter().filter(|known| !known.paired) {
        match known.row {
            Some(row) => comparison.extra_row(known.table, row, true),
            None if comparison.mode == Mode::Loaded && !foreign.contains(&known.id) => {
                let detail = format!("it names the row {} of {}, which nothing wants", known.id, known.table.name);
                comparison.ledger(Cause::LedgerForged, RESIDUE.name, detail);
            }
            None => {}
        }
    }
    for added in added.iter().filter(|added| !added.paired) {
        comparison.extra_row(added.table, added.row, false);
    }
    Compared { rows, unnamed }
}

/// Tells of rows that the residue does not name; where some of it is lost, that was told.
pub fn tell_unnamed(comparison: &mut Comparison, unnamed: u64, is_whole: bool) {
    if unnamed > 0 && is_whole {
        let detail = format!("it does not name {unnamed} rows of the document");
        comparison.ledger(Cause::LedgerMissing, RESIDUE.name, detail);
    }
}
