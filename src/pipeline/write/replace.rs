//! Replacing one document's rows by what its files say now: exactly the rows that differ, parents
//! in place.
//!
//! Before anything is written, the rows in the database are compared with what the ledger says was
//! written. A difference is an edit, and an edit is a conflict unless the file is preferred. Rows
//! that the database holds under another id, because the application wrote them, are adopted.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;

use uuid::Uuid;

use crate::model::digest;
use crate::model::document::{Anchor, Phase};
use crate::model::ledger::{residue as r, DOCUMENTS, RESIDUE};
use crate::model::{Flaw, Instant, Missing, Note, Part, Reference, RelPath, Row, Table, Value};
use crate::pipeline::examine::claim_flaw;
use crate::pipeline::item::Source;
use crate::pipeline::ledger::{uuids, LedgerDocument};
use crate::pipeline::options::Prefer;
use crate::target::{Connection, Filter, TargetError};

use super::attempt::natural_key;
use super::insert::{anchor_of, ledger_document, residue_row, Packed};
use super::live::{self, Live};
use super::owners::other_owner;
use super::references::{kind_of, resolve, rows_in, Resolved};
use super::Env;

/// A document's rows on their way from what they are to what they are to be.
pub struct Replacement<'a, 'e> {
    env: &'a Env<'e>,
    connection: &'a mut dyn Connection,
    source: &'a Source,
    known: Option<LedgerDocument>,
    /// The document's rows in the database.
    live: HashMap<Uuid, Live>,
    /// Ids that rows have under adoption, by the ids that they would have.
    adopted: HashMap<Uuid, Uuid>,
    parts: usize,
    row_id: Option<Uuid>,
    reference: Option<String>,
    rows: BTreeMap<&'static str, u64>,
    settle: References,
    adoptions: Vec<Note>,
}

pub enum Begun<'a, 'e> {
    Ready(Box<Replacement<'a, 'e>>),
    /// Rows were edited in the database; a few words on what was found.
    Conflict(String),
}

#[derive(Debug)]
pub enum ReplaceError {
    /// Only from the first part, and then nothing was written.
    Conflict(String),
    Flaw(Flaw),
    Target(TargetError),
}

impl From<TargetError> for ReplaceError {
    fn from(error: TargetError) -> ReplaceError {
        ReplaceError::Target(error)
    }
}

/// References whose meaning may have changed: kind and text.
pub type References = BTreeSet<(&'static str, String)>;

/// What was done.
pub struct Replaced {
    pub rows: Vec<(&'static str, u64)>,
    pub settle: References,
}

impl<'a, 'e> Replacement<'a, 'e> {
    /// Looks at what the database holds; writes nothing if that is a conflict.
    pub fn begin(
        env: &'a Env<'e>,
        connection: &'a mut dyn Connection,
        source: &'a Source,
        known: Option<LedgerDocument>,
    ) -> Result<Begun<'a, 'e>, TargetError> {
        let mut replacement = Replacement {
            env,
            connection,
            source,
            known,
            live: HashMap::new(),
            adopted: HashMap::new(),
            parts: 0,
            row_id: None,
            reference: None,
            rows: BTreeMap::new(),
            settle: References::new(),
            adoptions: Vec::new(),
        };
        if let Some(known) = &replacement.known {
            let look = live::look(env.format, replacement.connection, known)?;
            if let (Some(edits), Prefer::Neither) = (look.edits, env.prefer) {
                return Ok(Begun::Conflict(edits));
            }
            replacement.live = look.rows;
            if source.document.kind.phase == Phase::Users {
                let kind = source.document.kind.name;
                replacement.settle.extend(look.natural_texts.into_iter().map(|text| (kind, text)));
            }
            let document = [Value::Uuid(source.document.id)];
            replacement.connection.delete(&RESIDUE, &Filter::In { column: r::DOCUMENT_ID, values: &document })?;
        }
        Ok(Begun::Ready(Box::new(replacement)))
    }

    /// Writes what differs in one part.
    pub fn part(&mut self, part: &Part) -> Result<(), ReplaceError> {
        let mut rows = part.rows.clone();
        self.fill_references(part.table, &mut rows)?;
        self.adopt(part.table, &rows)?;
        for row in &mut rows {
            for at in [Some(0), part.table.parent].into_iter().flatten() {
                if let Some(id) = row.0[at].as_uuid().and_then(|id| self.adopted.get(&id)) {
                    row.0[at] = Value::Uuid(*id);
                }
            }
        }
        if self.parts == 0 {
            self.row_id = anchor_of(self.source.document.kind.anchor, part.table, &rows);
        }
        let mut packed = Packed::with_capacity(rows.len());
        let (mut inserts, mut updates) = (Vec::new(), Vec::new());
        for row in rows {
            let (id, digest) = (row.id(), digest::row(&row));
            packed.push(id, digest);
            match self.live.get_mut(&id) {
                Some(live) => {
                    live.seen = true;
                    if live.digest != digest {
                        updates.push(row);
                    }
                }
                None => inserts.push(row),
            }
        }
        self.count(part.table.name, inserts.len() + updates.len());
        if !inserts.is_empty() {
            self.connection.insert(part.table, &inserts)?;
        }
        if !updates.is_empty() {
            self.connection.update(part.table, &updates)?;
        }
        let id = self.source.document.id;
        let residue = residue_row(id, self.parts, part.table.name, packed, part.residue.clone());
        self.connection.insert(&RESIDUE, &[residue])?;
        self.parts += 1;
        Ok(())
    }

    /// Deletes what the document no longer has and closes its ledger row.
    pub fn finish(mut self, notes: &mut Vec<Note>) -> Result<Replaced, TargetError> {
        for table in self.env.format.tables().iter().rev() {
            let gone: Vec<Uuid> =
                self.live.iter().filter(|(_, live)| !live.seen && live.table == *table).map(|(id, _)| *id).collect();
            if !gone.is_empty() {
                self.connection.delete(table, &Filter::In { column: 0, values: &uuids(&gone) })?;
                self.count(table.name, gone.len());
            }
        }
        notes.append(&mut self.adoptions);
        let row_id = self.row_id.or(self.known.as_ref().and_then(|known| known.row_id));
        let document = ledger_document(self.source, self.env.run, row_id, self.reference, notes).to_row();
        match self.known {
            Some(_) => {
                self.connection.update(&DOCUMENTS, &[document])?;
            }
            None => self.connection.insert(&DOCUMENTS, &[document])?,
        }
        Ok(Replaced { rows: self.rows.into_iter().collect(), settle: self.settle })
    }

    fn fill_references(&mut self, table: &'static Table, rows: &mut [Row]) -> Result<(), TargetError> {
        for (at, column) in table.columns.iter().enumerate() {
            let Some(reference) = column.reference else { continue };
            let texts: Vec<String> = rows
                .iter()
                .filter_map(|row| match &row.0[at] {
                    Value::Reference(text) => Some(text.clone()),
                    _ => None,
                })
                .collect();
            let wanted: Vec<_> = texts.iter().map(|text| (reference, text.as_str(), self.source.base_time)).collect();
            let filled = fill(self.env, self.connection, true, &wanted)?;
            self.settle.extend(filled.made);
            filled.placeholders.into_iter().for_each(|(table, count)| self.count(table, count as usize));
            for row in rows.iter_mut() {
                if let Value::Reference(text) = &row.0[at] {
                    self.reference = Some(self.env.format.reference_key(reference.kind, text));
                    row.0[at] = filled.resolved.get(text).copied().map_or(Value::Null, Value::Uuid);
                }
            }
        }
        Ok(())
    }

    /// Finds rows that the database holds under a key of these rows, and takes them over.
    fn adopt(&mut self, table: &'static Table, rows: &[Row]) -> Result<(), ReplaceError> {
        let new: Vec<&Row> = rows.iter().filter(|row| !self.live.contains_key(&row.id())).collect();
        let Some(&first) = table.natural_key.first() else { return Ok(()) };
        if new.is_empty() {
            return Ok(());
        }
        let by_key: HashMap<String, Uuid> =
            new.iter().filter_map(|row| Some((natural_key(table, row)?, row.id()))).collect();
        let mut values: Vec<Value> =
            new.iter().map(|row| row.0[first].clone()).filter(|value| *value != Value::Null).collect();
        values.dedup();
        for held in rows_in(self.connection, table, first, &values)? {
            if let Some(&id) = natural_key(table, &held).and_then(|key| by_key.get(&key)) {
                self.take_over(table, &held, id)?;
            }
        }
        if self.source.document.kind.anchor == Anchor::FirstRow {
            let ids: Vec<Uuid> = new.iter().map(|row| row.id()).filter(|id| !self.adopted.contains_key(id)).collect();
            for held in rows_in(self.connection, table, 0, &uuids(&ids))? {
                self.take_over(table, &held, held.id())?;
            }
        }
        Ok(())
    }

    /// The row `held` becomes the one that would have the id `id`.
    fn take_over(&mut self, table: &'static Table, held: &Row, id: Uuid) -> Result<(), ReplaceError> {
        let actual = held.id();
        if actual != id {
            self.adopted.insert(id, actual);
        }
        if self.live.contains_key(&actual) {
            return Ok(());
        }
        if let Some(owner) = other_owner(self.connection, self.env.format, table, held, self.source.document.id)? {
            let first = owner.paths().into_iter().next().unwrap_or(owner.key);
            let own = actual == id || table.natural_key.len() != 1;
            let what = if own { "id" } else { table.columns[table.natural_key[0]].name };
            return Err(ReplaceError::Flaw(claim_flaw(what, &RelPath::from_text(&first))));
        }
        if !self.env.format.is_placeholder(table, held) {
            self.adoptions.push(Note { code: "adopted", pointer: String::new() });
        }
        self.take_over_children(table, actual)?;
        self.live.insert(actual, Live::new(table, held));
        Ok(())
    }

    /// Rows below an adopted row are not the file's: they would stand beside its own.
    fn take_over_children(&mut self, parent_table: &Table, parent: Uuid) -> Result<(), ReplaceError> {
        if *parent_table != *self.source.document.kind.main || self.source.document.kind.anchor != Anchor::FirstRow {
            return Ok(());
        }
        let mut count = 0;
        for table in self.env.format.tables() {
            let Some(column) = table.parent else { continue };
            let live = &mut self.live;
            let values = [Value::Uuid(parent)];
            self.connection.select(table, &Filter::In { column, values: &values }, &mut |row| {
                count += 1;
                live.insert(row.id(), Live::new(table, &row));
                ControlFlow::Continue(())
            })?;
        }
        if count > 0 && self.env.prefer != Prefer::File {
            let found = format!("{count} rows below it that transload did not write");
            return Err(ReplaceError::Conflict(found));
        }
        Ok(())
    }

    fn count(&mut self, table: &'static str, rows: usize) {
        *self.rows.entry(table).or_default() += rows as u64;
    }
}

/// What [`fill`] found and made.
#[derive(Default)]
pub struct Filled {
    pub resolved: Resolved,
    /// References that mean something only now.
    pub made: References,
    /// Placeholders inserted, by table.
    pub placeholders: Vec<(&'static str, u64)>,
}

/// Resolves references, each with the time for a placeholder, and makes the placeholders that are
/// missing.
pub fn fill(
    env: &Env,
    connection: &mut dyn Connection,
    careful: bool,
    wanted: &[(Reference, &str, Instant)],
) -> Result<Filled, TargetError> {
    let mut filled = Filled::default();
    let kinds: BTreeSet<&'static str> = wanted.iter().map(|(reference, ..)| reference.kind).collect();
    for kind in kinds {
        let of_kind = || wanted.iter().filter(|(reference, ..)| reference.kind == kind);
        let texts: BTreeSet<String> = of_kind().map(|(_, text, _)| text.to_string()).collect();
        filled.resolved.extend(resolve(connection, env.format, kind, &texts, careful)?);
        let mut placeholders: BTreeMap<Uuid, Row> = BTreeMap::new();
        for (reference, text, time) in of_kind() {
            if reference.missing == Missing::Placeholder && !filled.resolved.contains_key(*text) {
                let row = env.format.placeholder(kind, text, *time);
                filled.resolved.insert(text.to_string(), row.id());
                placeholders.entry(row.id()).or_insert(row);
                filled.made.insert((kind, text.to_string()));
            }
        }
        if !placeholders.is_empty() {
            let table = kind_of(env.format, kind).main;
            filled.placeholders.push((table.name, placeholders.len() as u64));
            connection.insert(table, &placeholders.into_values().collect::<Vec<_>>())?;
        }
    }
    Ok(filled)
}
