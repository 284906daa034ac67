//! Rows that the application wrote itself, taken over by the document that says the same.
//!
//! A row is found by its natural key, or below an adopted or known row by what it says. It keeps
//! its id, which is then used for what refers to it.

use std::collections::HashMap;
use std::ops::ControlFlow;

use uuid::Uuid;

use crate::ledger::uuids;
use crate::model::document::Anchor;
use crate::model::{Flaw, Place, Reason, RelPath, Row, Table, Value};
use crate::pipeline::claims::claimed;
use crate::target::Filter;

use super::keys::{natural_key, twin_key};
use super::owners::other_owner;
use super::references::rows_in;
use super::replace::{ReplaceError, Replacement, ADOPTED};

impl Replacement<'_, '_> {
    /// Finds rows that the database holds under a key of these rows, and takes them over.
    pub(super) fn adopt(&mut self, table: &'static Table, rows: &[Row]) -> Result<(), ReplaceError> {
        self.adopt_twins(table, rows);
        if self.is_undisputed {
            return Ok(());
        }
        let Some(&first) = table.natural_key.first() else { return Ok(()) };
        // Rows that are there already are looked at, too: their key may be new.
        let by_key: HashMap<String, Uuid> =
            rows.iter().filter_map(|row| Some((natural_key(table, row)?, row.id()))).collect();
        let mut values: Vec<Value> =
            rows.iter().map(|row| row.0[first].clone()).filter(|value| *value != Value::Null).collect();
        values.dedup();
        let names: Vec<&str> = table.natural_key.iter().map(|at| table.columns[*at].name).collect();
        for held in rows_in(self.connection, table, first, &values)? {
            if let Some(&id) = natural_key(table, &held).and_then(|key| by_key.get(&key)) {
                self.take_over(table, &held, id, &names.join(", "))?;
            }
        }
        if self.source.document.kind.anchor == Anchor::FirstRow {
            let is_new = |id: &Uuid| !self.rows.live.contains_key(id) && !self.adopted.contains_key(id);
            let ids: Vec<Uuid> = rows.iter().map(Row::id).filter(is_new).collect();
            for held in rows_in(self.connection, table, 0, &uuids(&ids))? {
                self.take_over(table, &held, held.id(), "id")?;
            }
        }
        Ok(())
    }

    /// The row `held`, which has the same `key`, becomes the one that would have the id `id`.
    fn take_over(&mut self, table: &'static Table, held: &Row, id: Uuid, key: &str) -> Result<(), ReplaceError> {
        let actual = held.id();
        if self.rows.live.contains_key(&actual) {
            // Its own: under its own id, or adopted earlier.
            if actual != id && !(self.is_repair && self.has_place(id)) {
                self.adopted.insert(id, actual);
            }
            return Ok(());
        }
        if let Some(owner) = other_owner(self.connection, self.env.format, table, held, self.source.document.id)? {
            let first = owner.paths().first().map_or(owner.key, |path| RelPath::from_text(path).to_string());
            return Err(ReplaceError::Flaw(claimed(key, &first)));
        }
        let own = self.adopted.get(&id).copied().unwrap_or(id);
        if self.rows.live.contains_key(&own) {
            // Two rows cannot become one: what refers to either would have to follow.
            let detail = format!("the row {actual}, which no file made, has the same {key}");
            return Err(ReplaceError::Flaw(Flaw::new(Reason::DuplicateClaim, 0, Place::default(), detail)));
        }
        if actual != id {
            self.adopted.insert(id, actual);
        }
        if !self.env.format.is_placeholder(table, held) {
            self.adoptions.push(ADOPTED);
        }
        self.take_over_children(table, actual)?;
        self.rows.add(table, held, false);
        Ok(())
    }

    /// Rows below an adopted row: those that the document has as well are adopted with it, and
    /// what is left of them at the end is a conflict.
    fn take_over_children(&mut self, parent_table: &Table, parent: Uuid) -> Result<(), ReplaceError> {
        if *parent_table != *self.source.document.kind.main || self.source.document.kind.anchor != Anchor::FirstRow {
            return Ok(());
        }
        for table in self.env.format.tables() {
            let Some(column) = table.parent else { continue };
            let rows = &mut self.rows;
            let values = [Value::Uuid(parent)];
            self.connection.select(table, &Filter::In { column, values: &values }, &mut |row| {
                rows.add(table, &row, true);
                ControlFlow::Continue(())
            })?;
        }
        Ok(())
    }

    /// Rows that the application wrote below the document's row, under ids of its own, and that
    /// say the same.
    fn adopt_twins(&mut self, table: &'static Table, rows: &[Row]) {
        if self.rows.twins.is_empty() {
            return;
        }
        let is_new = |row: &&Row| !self.has_place(row.id()) && !self.adopted.contains_key(&row.id());
        let new: Vec<&Row> = rows.iter().filter(is_new).collect();
        for row in new {
            let twins = twin_key(table, row).and_then(|key| self.rows.twins.get_mut(&key));
            if let Some(twin) = twins.and_then(Vec::pop) {
                self.adopted.insert(row.id(), twin);
                if self.rows.live.get(&twin).is_some_and(|live| live.foreign) {
                    self.adoptions.push(ADOPTED);
                }
            }
        }
    }
}
