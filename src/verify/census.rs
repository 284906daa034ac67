//! Counting all rows against those that documents have, in memory that does not grow with them.
//!
//! Ids are summed up in buckets by their first bits. Two sides with the same number and sum of ids
//! in a bucket have the same ids in it, but for a chance of one in 2^64; where they differ, the
//! bucket's ids are looked at one by one.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use uuid::Uuid;

use crate::model::ledger::{documents as d, residue as r, DOCUMENTS, RESIDUE};
use crate::model::Table;
use crate::target::{Connection, Filter, TargetError};

/// As many as keep a bucket of ten million rows at a few thousand.
const BUCKETS: usize = 4096;

/// Ids in buckets.
#[derive(Clone, PartialEq, Eq)]
struct Sums(Vec<(u64, u128)>);

impl Sums {
    fn new() -> Sums {
        Sums(vec![(0, 0); BUCKETS])
    }

    fn note(&mut self, id: Uuid) {
        let (count, sum) = &mut self.0[bucket(id)];
        *count += 1;
        *sum = sum.wrapping_add(mixed(id));
    }
}

fn bucket(id: Uuid) -> usize {
    // The last bits: the first ones of some kinds of UUIDs are a time.
    (id.as_u128() % BUCKETS as u128) as usize
}

/// Ids that were made to have a certain sum are nothing to be feared here, but runs of ids are.
fn mixed(id: Uuid) -> u128 {
    let x = id.as_u128().wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    (x ^ (x >> 61)).wrapping_mul(0xD6E8_FEB8_6659_FD93_A076_1D64_78BD_642F)
}

/// The rows that documents have, by table, and the documents themselves.
pub struct Census {
    tables: HashMap<&'static str, Sums>,
    documents: Sums,
}

impl Census {
    pub fn new(tables: &[&'static Table]) -> Census {
        Census { tables: tables.iter().map(|table| (table.name, Sums::new())).collect(), documents: Sums::new() }
    }

    /// Notes a document of which the walk saw a file.
    pub fn note_document(&mut self, id: Uuid) {
        self.documents.note(id);
    }

    /// The ids of the ledger's documents in all buckets that do not add up: among them are all of which
    /// the walk saw no file.
    pub fn unseen_documents(&self, connection: &mut dyn Connection) -> Result<Vec<Uuid>, TargetError> {
        differing(connection, &DOCUMENTS, d::ID, &self.documents)
    }

    /// Notes a row that a document has.
    pub fn note(&mut self, table: &str, id: Uuid) {
        if let Some(sums) = self.tables.get_mut(table) {
            sums.note(id);
        }
    }

    /// The ids of the table's rows in all buckets that do not add up; empty if all do.
    pub fn candidates(&self, connection: &mut dyn Connection, table: &'static Table) -> Result<Vec<Uuid>, TargetError> {
        match self.tables.get(table.name) {
            Some(noted) => differing(connection, table, 0, noted),
            None => Ok(Vec::new()),
        }
    }
}

/// The ids of a column in all buckets in which they do not add up to those that were noted.
fn differing(
    connection: &mut dyn Connection,
    table: &Table,
    column: usize,
    noted: &Sums,
) -> Result<Vec<Uuid>, TargetError> {
    let mut there = Sums::new();
    scan_ids(connection, table, column, &mut |id| there.note(id))?;
    let wrong: HashSet<usize> = (0..BUCKETS).filter(|at| noted.0[*at] != there.0[*at]).collect();
    let mut ids = Vec::new();
    if !wrong.is_empty() {
        scan_ids(connection, table, column, &mut |id| {
            if wrong.contains(&bucket(id)) {
                ids.push(id);
            }
        })?;
    }
    Ok(ids)
}

/// Calls `each` for a column's ids; NULLs are passed over.
pub fn scan_ids(
    connection: &mut dyn Connection,
    table: &Table,
    column: usize,
    each: &mut dyn FnMut(Uuid),
) -> Result<(), TargetError> {
    connection.scan(table, &[column], &Filter::All, &mut |values| {
        values[0].as_uuid().into_iter().for_each(&mut *each);
        ControlFlow::Continue(())
    })
}

/// Documents of which the ledger has a first part and no row of their own, in the order of ids.
pub fn parts_without_document(connection: &mut dyn Connection) -> Result<Vec<Uuid>, TargetError> {
    let (mut parts, mut documents) = (Sums::new(), Sums::new());
    each_first_part(connection, &mut |id| parts.note(id))?;
    scan_ids(connection, &DOCUMENTS, d::ID, &mut |id| documents.note(id))?;
    let wrong: HashSet<usize> = (0..BUCKETS).filter(|at| parts.0[*at] != documents.0[*at]).collect();
    let mut lost: HashSet<Uuid> = HashSet::new();
    if !wrong.is_empty() {
        each_first_part(connection, &mut |id| {
            if wrong.contains(&bucket(id)) {
                lost.insert(id);
            }
        })?;
        scan_ids(connection, &DOCUMENTS, d::ID, &mut |id| {
            lost.remove(&id);
        })?;
    }
    let mut lost: Vec<Uuid> = lost.into_iter().collect();
    lost.sort_unstable();
    Ok(lost)
}

fn each_first_part(connection: &mut dyn Connection, each: &mut dyn FnMut(Uuid)) -> Result<(), TargetError> {
    connection.scan(&RESIDUE, &[r::DOCUMENT_ID, r::PART], &Filter::All, &mut |values| {
        if values[1].as_int() == Some(0) {
            values[0].as_uuid().into_iter().for_each(&mut *each);
        }
        ControlFlow::Continue(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_tell_other_ids_apart() {
        let ids: Vec<Uuid> = (0..10_000u128).map(Uuid::from_u128).collect();
        let sum = |ids: &[Uuid]| {
            let mut sums = Sums::new();
            ids.iter().for_each(|id| sums.note(*id));
            sums
        };
        let mut reversed = ids.clone();
        reversed.reverse();
        assert!(sum(&ids) == sum(&reversed));
        let mut other = ids.clone();
        other[17] = Uuid::from_u128(17 + 3 * 4096 * 10_000);
        assert!(sum(&ids) != sum(&other));
        assert!(sum(&ids) != sum(&ids[1..]));
    }
}
