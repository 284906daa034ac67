//! Rows that were read together, until their documents take them.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use uuid::Uuid;

use crate::format::proof::{HeldPart, HeldRow};
use crate::ledger::uuids;
use crate::model::{Row, Table};
use crate::target::{Connection, Filter, TargetError};

/// Values a query.
const MOST_VALUES: usize = 10_000;

/// Rows by table and id, and the ids by what they stand below.
#[derive(Default)]
pub struct Rows {
    rows: HashMap<(&'static str, Uuid), Row>,
    below: HashMap<(&'static str, usize, Uuid), Vec<Uuid>>,
    weight: usize,
}

impl Rows {
    /// Reads the rows whose column has one of these ids.
    pub fn read_all(
        &mut self,
        connection: &mut dyn Connection,
        table: &'static Table,
        column: usize,
        ids: impl IntoIterator<Item = Uuid>,
    ) -> Result<(), TargetError> {
        self.read(connection, table, column, ids, usize::MAX).map(drop)
    }

    /// As [`Rows::read_all`]; `false` if the rows are more than `most` bytes.
    pub fn read(
        &mut self,
        connection: &mut dyn Connection,
        table: &'static Table,
        column: usize,
        ids: impl IntoIterator<Item = Uuid>,
        most: usize,
    ) -> Result<bool, TargetError> {
        let ids: Vec<Uuid> = ids.into_iter().collect();
        for ids in ids.chunks(MOST_VALUES) {
            let values = uuids(ids);
            connection.select(table, &Filter::In { column, values: &values }, &mut |row| {
                self.weight += row.weight();
                let id = row.id();
                if column != 0 {
                    let owner = row.0[column].as_uuid().unwrap_or_default();
                    self.below.entry((table.name, column, owner)).or_default().push(id);
                }
                self.rows.insert((table.name, id), row);
                if self.weight > most {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })?;
            if self.weight > most {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub fn has(&self, table: &Table, id: Uuid) -> bool {
        self.rows.contains_key(&(table.name, id))
    }

    pub fn take(&mut self, table: &Table, id: Uuid, is_here: impl Fn(&Row) -> bool) -> Option<Row> {
        let key = (table.name, id);
        self.rows.get(&key).is_some_and(is_here).then(|| self.rows.remove(&key)).flatten()
    }

    pub fn take_all(&mut self, table: &Table) -> Vec<Row> {
        let mut keys: Vec<_> = self.rows.keys().filter(|(name, _)| *name == table.name).copied().collect();
        keys.sort_unstable();
        keys.into_iter().filter_map(|key| self.rows.remove(&key)).collect()
    }

    /// Whether there are rows below one that are not named.
    pub fn has_others(&self, table: &Table, column: usize, owner: Uuid, named: &HashSet<Uuid>) -> bool {
        let ids = self.below.get(&(table.name, column, owner));
        ids.is_some_and(|ids| ids.iter().any(|id| !named.contains(id)))
    }

    /// The rows below one that are not named, in the order in which the application would have
    /// written them.
    pub fn take_below(&mut self, table: &'static Table, column: usize, owner: Uuid, named: &HashSet<Uuid>) -> Vec<Row> {
        let ids = self.below.get(&(table.name, column, owner)).cloned().unwrap_or_default();
        let unnamed = ids.into_iter().filter(|id| !named.contains(id));
        let mut rows: Vec<Row> = unnamed.filter_map(|id| self.rows.remove(&(table.name, id))).collect();
        let by: Vec<usize> = match table.twin_key.last() {
            Some(last) => vec![*last],
            None => table.natural_key.iter().copied().filter(|at| *at != column).collect(),
        };
        rows.sort_by_cached_key(|row| {
            let key = |at: &usize| (row.0[*at].as_int(), row.0[*at].as_text().map(str::to_owned));
            (by.iter().map(key).collect::<Vec<_>>(), row.id())
        });
        rows
    }
}

/// Rows that no document has, as a part; none if there are none.
pub fn added_part(table: &'static Table, rows: Vec<Row>) -> Option<HeldPart<'static>> {
    let row = |row: Row| HeldRow { id: row.id(), row: Some(Cow::Owned(row)), edited: false };
    let rows: Vec<HeldRow> = rows.into_iter().map(row).collect();
    (!rows.is_empty()).then_some(HeldPart { table, rows, residue: None, added: true })
}
