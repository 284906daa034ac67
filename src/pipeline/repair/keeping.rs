//! A connection that keeps what it overwrites: every row that is updated or deleted by it is read and
//! saved before. So whatever a repair calls, nothing is lost by it.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use uuid::Uuid;

use crate::ledger::uuids;
use crate::model::digest::{self, RowSet, Seal};
use crate::model::ledger::{DOCUMENTS, RESIDUE};
use crate::model::{Catalogue, Owner, Row, Table, Value};
use crate::target::{in_transaction, Connection, Filter, LiveColumn, Piece, TargetError, TargetErrorKind};

use super::saved::{SavedError, Saving};
use super::{Action, Change};

/// Rows read at a time before they are overwritten.
const LOOK_UP: usize = 500;
/// Changes of one document that are listed one by one.
const MOST_CHANGES: usize = 1_000;

/// What was done over the connection.
#[derive(Debug, Default)]
pub struct Kept {
    pub rows: BTreeMap<(&'static str, Action), u64>,
    pub changes: Vec<Change>,
    /// The residue that was written.
    pub parts: RowSet,
    /// The ledger's row that was written.
    pub document: Option<Row>,
}

pub struct Keeping<'a, 's> {
    inner: &'a mut dyn Connection,
    saving: Saving<'s>,
    done: Kept,
}

impl<'a, 's> Keeping<'a, 's> {
    pub fn new(inner: &'a mut dyn Connection, saving: Saving<'s>) -> Keeping<'a, 's> {
        Keeping { inner, saving, done: Kept::default() }
    }

    /// What was done, and the lines that were saved of it.
    pub fn finish(self) -> (Kept, Saving<'s>) {
        (self.done, self.saving)
    }

    /// Makes sure that what was saved stays, whatever happens.
    pub fn sync(&mut self) -> Result<(), TargetError> {
        self.saving.sync().map_err(not_saved)
    }

    pub fn done(&self) -> &Kept {
        &self.done
    }

    /// Saves a row and counts it. The ledger's rows are bookkeeping, and written anew with every
    /// repair: only one that somebody edited is worth keeping.
    fn keep(&mut self, table: &Table, action: Action, row: &Row) -> Result<(), TargetError> {
        match table.owner {
            Owner::Application => self.count(table, action, row),
            Owner::Ledger if Seal::of(row) != Seal::Right => {}
            Owner::Ledger => return Ok(()),
        }
        self.saving.row(table, action, row).map_err(not_saved)
    }

    fn count(&mut self, table: &Table, action: Action, row: &Row) {
        *self.done.rows.entry((table.name, action)).or_default() += 1;
        if self.done.changes.len() < MOST_CHANGES {
            self.done.changes.push(Change { table: table.name, id: row.id(), action });
        }
    }

    /// Updates rows that have each other's natural keys, which the database refuses one by one: none
    /// of them has it for a moment.
    fn update_in_turn(&mut self, table: &Table, rows: &[Row]) -> Result<u64, TargetError> {
        let mut aside = rows.to_vec();
        for row in &mut aside {
            for &at in table.natural_key.iter().filter(|at| table.columns[**at].reference.is_none()) {
                row.0[at] = Value::Text(row.id().to_string());
            }
        }
        self.inner.update(table, &aside)?;
        self.inner.update(table, rows)
    }

    fn note_ledger(&mut self, table: &Table, rows: &[Row]) {
        if *table == RESIDUE {
            rows.iter().for_each(|row| self.done.parts.add(RESIDUE.name, row));
        } else if *table == DOCUMENTS {
            self.done.document = rows.last().cloned();
        }
    }
}

pub fn not_saved(error: SavedError) -> TargetError {
    TargetError::new(TargetErrorKind::Resources, "cannot go on without keeping what is replaced")
        .with_hint("see that the directory for replaced rows can be written and has room")
        .because(error)
}

impl Connection for Keeping<'_, '_> {
    fn begin(&mut self) -> Result<(), TargetError> {
        self.inner.begin()
    }

    fn begin_guarded(&mut self) -> Result<(), TargetError> {
        self.inner.begin_guarded()
    }

    fn commit(&mut self) -> Result<(), TargetError> {
        self.inner.commit()
    }

    fn rollback(&mut self) -> Result<(), TargetError> {
        self.inner.rollback()
    }

    fn insert_pieces(&mut self, table: &Table, pieces: &[Piece]) -> Result<(), TargetError> {
        self.inner.insert_pieces(table, pieces)?;
        for piece in pieces {
            let Piece::Rows(rows) = piece else {
                unreachable!("a repair's rows are not encoded before they are written")
            };
            match table.owner {
                Owner::Application => rows.iter().for_each(|row| self.count(table, Action::Insert, row)),
                Owner::Ledger => self.note_ledger(table, rows),
            }
        }
        Ok(())
    }

    fn update(&mut self, table: &Table, rows: &[Row]) -> Result<u64, TargetError> {
        for rows in rows.chunks(LOOK_UP) {
            let ids: Vec<Uuid> = rows.iter().map(Row::id).collect();
            let new: HashMap<Uuid, [u8; digest::ROW_DIGEST]> =
                rows.iter().map(|row| (row.id(), digest::row(row))).collect();
            let mut replaced = Vec::new();
            self.inner.select(table, &Filter::In { column: 0, values: &uuids(&ids) }, &mut |row| {
                if new.get(&row.id()) != Some(&digest::row(&row)) {
                    replaced.push(row);
                }
                ControlFlow::Continue(())
            })?;
            replaced.iter().try_for_each(|row| self.keep(table, Action::Update, row))?;
        }
        if table.owner == Owner::Ledger {
            self.note_ledger(table, rows);
        }
        if table.natural_key.is_empty() {
            return self.inner.update(table, rows);
        }
        let updated = in_transaction(self.inner, |connection| connection.update(table, rows));
        match updated {
            Err(error) if error.kind == TargetErrorKind::Data && rows.len() > 1 => self.update_in_turn(table, rows),
            updated => updated,
        }
    }

    fn delete(&mut self, table: &Table, filter: &Filter) -> Result<u64, TargetError> {
        if table.owner == Owner::Ledger {
            let mut edited = Vec::new();
            self.inner.select(table, filter, &mut |row| {
                edited.extend(Some(row).filter(|row| Seal::of(row) != Seal::Right));
                ControlFlow::Continue(())
            })?;
            edited.iter().try_for_each(|row| self.keep(table, Action::Delete, row))?;
            return self.inner.delete(table, filter);
        }
        // Not all at once: they may be many.
        let mut ids = Vec::new();
        self.inner.select(table, filter, &mut |row| {
            ids.push(row.id());
            ControlFlow::Continue(())
        })?;
        for ids in ids.chunks(LOOK_UP) {
            let mut deleted = Vec::new();
            self.inner.select(table, &Filter::In { column: 0, values: &uuids(ids) }, &mut |row| {
                deleted.push(row);
                ControlFlow::Continue(())
            })?;
            deleted.iter().try_for_each(|row| self.keep(table, Action::Delete, row))?;
        }
        self.inner.delete(table, filter)
    }

    fn select(
        &mut self,
        table: &Table,
        filter: &Filter,
        each: &mut dyn FnMut(Row) -> ControlFlow<()>,
    ) -> Result<(), TargetError> {
        self.inner.select(table, filter, each)
    }

    fn select_ordered(
        &mut self,
        table: &Table,
        filter: &Filter,
        order: &[usize],
        each: &mut dyn FnMut(Row) -> ControlFlow<()>,
    ) -> Result<(), TargetError> {
        self.inner.select_ordered(table, filter, order, each)
    }

    fn scan(
        &mut self,
        table: &Table,
        columns: &[usize],
        filter: &Filter,
        each: &mut dyn FnMut(&[Value]) -> ControlFlow<()>,
    ) -> Result<(), TargetError> {
        self.inner.scan(table, columns, filter, each)
    }

    fn is_empty(&mut self, table: &Table) -> Result<bool, TargetError> {
        self.inner.is_empty(table)
    }

    fn live_columns(&mut self, table: &Table) -> Result<Option<Vec<LiveColumn>>, TargetError> {
        self.inner.live_columns(table)
    }

    fn catalogue(&mut self, owner: Owner) -> Result<Catalogue, TargetError> {
        self.inner.catalogue(owner)
    }

    fn run_script(&mut self, owner: Owner, sql: &str) -> Result<(), TargetError> {
        self.inner.run_script(owner, sql)
    }

    fn run_alone(&mut self, owner: Owner, sql: &str) -> Result<bool, TargetError> {
        self.inner.run_alone(owner, sql)
    }

    fn refresh(&mut self) -> Result<(), TargetError> {
        self.inner.refresh()
    }

    fn ping(&mut self) -> Result<(), TargetError> {
        self.inner.ping()
    }
}
