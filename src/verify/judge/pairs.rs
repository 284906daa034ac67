//! Pairing what the files want with what the database has, and comparing the pairs.

use std::collections::{HashMap, VecDeque};

use uuid::Uuid;

use crate::format::proof::Expected;
use crate::model::ledger::RESIDUE;
use crate::model::{Row, Table, Value};
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
    let same = |(known, wanted): (&Known, &Expected)| {
        known.id == wanted.id && known.table == wanted.table && known.row.is_some()
    };
    if added.is_empty() && known.len() == wanted.len() && known.iter().zip(wanted).all(same) {
        known.iter_mut().for_each(|known| known.paired = true);
        return (0..known.len()).map(Partner::Known).collect();
    }
    let by_id: IdMap<usize> = known.iter().enumerate().map(|(at, known)| (known.id, at)).collect();
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
    if !open.is_empty() {
        let there = known.iter().enumerate().filter_map(|(at, known)| Some((at, known, known.row?)));
        let free = there.filter(|(_, known, _)| !known.paired);
        let mut same = Keys::of(free.map(|(at, known, row)| (at, known.table, row)));
        open.retain(|&at| {
            let Some(partner) = same.take(resolved, &wanted[at]) else { return true };
            known[partner].paired = true;
            pairs[at] = Partner::Known(partner);
            false
        });
    }
    // In a file that has changed, a row in the same place may be any other.
    if mode == Mode::Loaded && !open.is_empty() {
        let mut places: HashMap<&str, VecDeque<usize>> = HashMap::new();
        for (at, known) in known.iter().enumerate().filter(|(_, known)| !known.paired) {
            places.entry(known.table.name).or_default().push_back(at);
        }
        open.retain(|&at| {
            let place = places.get_mut(wanted[at].table.name).and_then(VecDeque::pop_front);
            let Some(partner) = place else { return true };
            known[partner].paired = true;
            pairs[at] = Partner::Known(partner);
            false
        });
    }
    // The ledger names a row that is gone, and a row that says the same stands in its place.
    let gone = |pair: &Partner| matches!(pair, Partner::Known(found) if known[*found].row.is_none());
    if added.is_empty() || (open.is_empty() && !pairs.iter().any(gone)) {
        return pairs;
    }
    let added_by_id: IdMap<usize> = added.iter().enumerate().map(|(at, added)| (added.row.id(), at)).collect();
    open.retain(|&at| {
        let Some(&partner) = added_by_id.get(&wanted[at].id) else { return true };
        added[partner].paired = true;
        pairs[at] = Partner::Added(partner, None);
        false
    });
    let free = added.iter().enumerate().filter(|(_, added)| !added.paired);
    let mut same = Keys::of(free.map(|(at, added)| (at, added.table, added.row)));
    for at in open {
        if let Some(partner) = same.take(resolved, &wanted[at]) {
            added[partner].paired = true;
            pairs[at] = Partner::Added(partner, None);
        }
    }
    for (wanted, pair) in wanted.iter().zip(&mut pairs) {
        let Partner::Known(found) = pair else { continue };
        if known[*found].row.is_some() {
            continue;
        }
        if let Some(twin) = same.take(resolved, wanted) {
            added[twin].paired = true;
            *pair = Partner::Added(twin, Some(known[*found].id));
        }
    }
    pairs
}

/// Rows by what identifies them in the application's eyes, in their order.
struct Keys(HashMap<(&'static str, String), VecDeque<usize>>);

impl Keys {
    fn of<'r>(rows: impl Iterator<Item = (usize, &'static Table, &'r Row)>) -> Keys {
        let mut keys = HashMap::new();
        for (at, table, row) in rows {
            let texts = columns(table).map(|column| key_text(&row.0[column]));
            if let Some(key) = joined(texts) {
                keys.entry((table.name, key)).or_insert_with(VecDeque::new).push_back(at);
            }
        }
        Keys(keys)
    }

    /// The first row that is the wanted one, which is not given twice.
    fn take(&mut self, resolved: &Resolved, wanted: &Expected) -> Option<usize> {
        let table = wanted.table;
        let text = |column: usize| match (&wanted.cells[column].value, table.columns[column].reference) {
            (Value::Reference(text), Some(reference)) => {
                resolved.meaning(reference, text)?.row.and_then(|row| key_text(&Value::Uuid(row)))
            }
            (value, _) => key_text(value),
        };
        let key = joined(columns(table).map(text))?;
        self.0.get_mut(&(table.name, key))?.pop_front()
    }
}

/// The columns that identify a row: below its parent, where it has one.
fn columns(table: &'static Table) -> impl Iterator<Item = usize> {
    let columns = if table.twin_key.is_empty() { table.natural_key } else { table.twin_key };
    columns.iter().copied()
}

/// A value as a part of a key; NULL identifies nothing.
fn key_text(value: &Value) -> Option<String> {
    (*value != Value::Null).then(|| format!("{value:?}"))
}

/// `None` without parts, or with one that is none.
fn joined(texts: impl Iterator<Item = Option<String>>) -> Option<String> {
    let texts = texts.collect::<Option<Vec<String>>>()?;
    (!texts.is_empty()).then(|| texts.join("\0"))
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
                        Here { id: known.id, row, state: Some(known.state), rebuilt: known.rebuilt.as_ref() },
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
                    comparison.row(wanted, Here { id: row.id(), row, state: None, rebuilt: None });
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
