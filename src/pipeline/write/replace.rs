//! Replacing one document's rows by what its files say now: exactly the rows that differ, parents
//! in place.
//!
//! In a migration, before anything is written, the rows in the database are compared with what the ledger says was
//! written. A difference is an edit, and an edit is a conflict unless the file is preferred. Which
//! rows of the application's own the document takes over is decided in `adopt`. A repair knows the
//! document's rows before (`repair`), and tells which of them go before others take their place.
//!
//! Nothing is written of a document that is held before its end is seen: so a conflict leaves nothing to undo,
//! and several documents can be written together (`known`).

use std::collections::{BTreeMap, HashMap, HashSet};

use uuid::Uuid;

use crate::ledger::extent::Extent;
use crate::ledger::{uuids, LedgerDocument};
use crate::model::digest;
use crate::model::document::{Anchor, Phase};
use crate::model::ledger::{residue as r, DOCUMENTS, RESIDUE};
use crate::model::{Flaw, Note, Part, Row, Table, Value};
use crate::pipeline::item::Source;
use crate::pipeline::options::Prefer;
use crate::target::{Connection, Filter, TargetError};

use super::insert::{anchor_of, ledger_document, residue_row, Packed};
use super::live::{self, Look};
use super::references::{fill, References};
use super::writes::{self, Writes};
use super::Env;

/// Noted for every row that was taken over.
pub(super) const ADOPTED: Note = Note { code: "adopted", pointer: String::new() };

/// Bytes of the ledger's rows of a document that are held to be written at once.
const MOST_RESIDUE: usize = 1 << 20;

/// A document's rows on their way from what they are to what they are to be.
pub struct Replacement<'a, 'e> {
    pub(super) env: &'a Env<'e>,
    pub(super) connection: &'a mut dyn Connection,
    pub(super) source: &'a Source,
    known: Option<LedgerDocument>,
    /// Whether the ledger has a row for the document, whatever it says.
    noted: bool,
    /// The document's own row, which it keeps whatever its key says now: others refer to it.
    own: Option<Uuid>,
    prefer: Prefer,
    /// The document's rows in the database.
    pub(super) rows: live::Rows,
    pub(super) is_repair: bool,
    /// Of a repair: the rows that the ledger says the document has. One that is missing is put back
    /// under its id, whatever stands in its place.
    named: HashSet<Uuid>,
    /// Ids that rows have under adoption, by the ids that they would have.
    pub(super) adopted: HashMap<Uuid, Uuid>,
    parts: usize,
    row_id: Option<Uuid>,
    reference: Option<String>,
    counts: BTreeMap<&'static str, u64>,
    settle: References,
    pub(super) adoptions: Vec<Note>,
    /// What the ledger holds of parts that have not been written anew.
    held_parts: live::Parts,
    /// The ledger's rows of the parts, not yet written: nobody asks for them before the document is done.
    residues: Vec<Row>,
    residue_bytes: usize,
    /// Of a document that is held: what is to be written.
    kept_back: Option<Writes>,
    /// Whether the keys of the document's rows are known to be no other row's.
    pub(super) is_undisputed: bool,
}

pub enum Begun<'a, 'e> {
    Ready(Box<Replacement<'a, 'e>>),
    /// Rows were edited in the database; a few words on what was found.
    Conflict(String),
}

#[derive(Debug)]
pub enum ReplaceError {
    /// What was written for this document by then has to be rolled back.
    Conflict(String),
    Flaw(Flaw),
    Target(TargetError),
}

impl From<TargetError> for ReplaceError {
    fn from(error: TargetError) -> ReplaceError {
        ReplaceError::Target(error)
    }
}

/// What was done.
pub struct Replaced {
    pub rows: Vec<(&'static str, u64)>,
    pub settle: References,
    /// What is still to be written.
    pub kept_back: Writes,
}

impl<'a, 'e> Replacement<'a, 'e> {
    /// Looks at what the database holds; writes nothing if that is a conflict. `reference`: what
    /// the document refers to, if that is resolved already. `look`: what was found of it, if it is undisputed.
    /// `keeps_back`: whether the writes are to be given by [`Replacement::finish`], for the caller to apply.
    pub fn begin(
        env: &'a Env<'e>,
        connection: &'a mut dyn Connection,
        source: &'a Source,
        known: Option<LedgerDocument>,
        reference: Option<String>,
        keeps_back: bool,
        look: Option<Look>,
    ) -> Result<Begun<'a, 'e>, TargetError> {
        let mut replacement = Replacement {
            env,
            connection,
            source,
            noted: known.is_some(),
            own: known.as_ref().and_then(|known| known.row_id),
            prefer: env.prefer,
            known,
            rows: live::Rows::default(),
            is_repair: false,
            named: HashSet::new(),
            adopted: HashMap::new(),
            parts: 0,
            row_id: None,
            reference,
            counts: BTreeMap::new(),
            settle: References::new(),
            adoptions: Vec::new(),
            held_parts: live::Parts::new(),
            residues: Vec::new(),
            residue_bytes: 0,
            kept_back: keeps_back.then(Writes::default),
            is_undisputed: look.is_some(),
        };
        if let Some(known) = &replacement.known {
            let look = match look {
                Some(look) => look,
                None => live::look(env.format, replacement.connection, known)?,
            };
            if let (Some(edits), Prefer::Neither) = (look.edits, env.prefer) {
                return Ok(Begun::Conflict(edits));
            }
            replacement.rows = look.rows;
            replacement.held_parts = look.parts;
            // What was adopted once stays so.
            replacement.adoptions = vec![ADOPTED; known.notes_with(ADOPTED.code)];
            if source.document.kind.phase == Phase::Users {
                let kind = source.document.kind.name;
                replacement.settle.extend(look.natural_texts.into_iter().map(|text| (kind, text)));
            }
        }
        Ok(Begun::Ready(Box::new(replacement)))
    }

    /// For a repair: of a document all of whose rows were found before. `adopted`: the ids that its
    /// rows have by the ledger, by those that they derive to.
    pub fn of_extent(
        env: &'a Env<'e>,
        connection: &'a mut dyn Connection,
        source: &'a Source,
        extent: Extent,
        rows: live::Rows,
        adopted: HashMap<Uuid, Uuid>,
    ) -> Result<Replacement<'a, 'e>, TargetError> {
        let document = [Value::Uuid(source.document.id)];
        connection.delete(&RESIDUE, &Filter::In { column: r::DOCUMENT_ID, values: &document })?;
        let known = extent.held();
        let adoptions = vec![ADOPTED; known.as_ref().map_or(0, |known| known.notes_with(ADOPTED.code))];
        Ok(Replacement {
            env,
            connection,
            source,
            noted: extent.document.is_some(),
            own: extent.own,
            prefer: Prefer::File,
            known,
            rows,
            is_repair: true,
            named: extent.named.into_iter().flat_map(|(_, ids)| ids).collect(),
            adopted,
            parts: 0,
            row_id: None,
            reference: None,
            counts: BTreeMap::new(),
            settle: References::new(),
            adoptions,
            held_parts: live::Parts::new(),
            residues: Vec::new(),
            residue_bytes: 0,
            kept_back: None,
            is_undisputed: false,
        })
    }

    /// Finds the rows of a part, and writes nothing but placeholders. To be called for all parts
    /// before the first [`Replacement::part`], and [`Replacement::clear`] between both.
    pub fn find(&mut self, part: &Part) -> Result<(), ReplaceError> {
        let rows = self.placed(part)?;
        for row in rows {
            if let Some(live) = self.rows.live.get_mut(&row.id()) {
                live.seen = true;
            }
        }
        self.parts += 1;
        Ok(())
    }

    /// Deletes the rows that no part has, so that nothing stands in the way of those that come.
    pub fn clear(&mut self) -> Result<(), TargetError> {
        self.parts = 0;
        self.delete_unseen()
    }

    /// Writes what differs in one part.
    pub fn part(&mut self, part: &Part) -> Result<(), ReplaceError> {
        let rows = self.placed(part)?;
        if self.parts == 0 {
            self.row_id = anchor_of(self.source.document.kind.anchor, part.table, &rows);
        }
        let mut packed = Packed::with_capacity(rows.len());
        let (mut inserts, mut updates) = (Vec::new(), Vec::new());
        for row in rows {
            let (id, digest) = (row.id(), digest::row(&row));
            packed.push(id, digest);
            match self.rows.live.get_mut(&id) {
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
        self.write(part.table, inserts, updates)?;
        let id = self.source.document.id;
        let residue = residue_row(id, self.parts, part.table.name, packed, part.residue.clone());
        self.residue_bytes += residue.weight();
        self.residues.push(residue);
        self.parts += 1;
        match self.residue_bytes > MOST_RESIDUE {
            true => Ok(self.write_residues()?),
            false => Ok(()),
        }
    }

    /// Writes those of the parts' rows that the ledger does not hold as they are.
    fn write_residues(&mut self) -> Result<(), TargetError> {
        let (mut inserts, mut updates) = (Vec::new(), Vec::new());
        for row in self.residues.drain(..) {
            let held = row.0[r::PART].as_int().and_then(|number| self.held_parts.remove(&number));
            match held {
                Some(held) if held == digest::row(&row) => {}
                Some(_) => updates.push(row),
                None => inserts.push(row),
            }
        }
        self.residue_bytes = 0;
        self.write(&RESIDUE, inserts, updates)
    }

    fn write(&mut self, table: &'static Table, inserts: Vec<Row>, updates: Vec<Row>) -> Result<(), TargetError> {
        if let Some(writes) = &mut self.kept_back {
            writes.add(table, inserts, updates);
            return Ok(());
        }
        if !inserts.is_empty() {
            self.connection.insert(table, &inserts)?;
        }
        if !updates.is_empty() {
            self.connection.update(table, &updates)?;
        }
        Ok(())
    }

    /// Deletes the ledger's rows of parts that the document no longer has.
    fn forget_parts(&mut self) -> Result<(), TargetError> {
        let numbers: Vec<i64> = std::mem::take(&mut self.held_parts).into_keys().collect();
        let document = self.source.document.id;
        match &mut self.kept_back {
            _ if numbers.is_empty() => {}
            Some(writes) => writes.forget_parts(document, numbers),
            None => writes::forget_parts(self.connection, document, &numbers)?,
        }
        Ok(())
    }

    /// Whether the row that would have this id has one in the database, or had one.
    pub(super) fn has_place(&self, id: Uuid) -> bool {
        let place = self.adopted.get(&id).copied().unwrap_or(id);
        self.rows.live.contains_key(&place) || self.named.contains(&place)
    }

    /// The part's rows with the ids and the parents that they have in the database.
    fn placed(&mut self, part: &Part) -> Result<Vec<Row>, ReplaceError> {
        let mut rows = part.rows.clone();
        self.fill_references(part.table, &mut rows)?;
        self.keep_own_row(&rows);
        self.adopt(part.table, &rows)?;
        for row in &mut rows {
            for at in [Some(0), part.table.parent].into_iter().flatten() {
                if let Some(id) = row.0[at].as_uuid().and_then(|id| self.adopted.get(&id)) {
                    row.0[at] = Value::Uuid(*id);
                }
            }
        }
        Ok(rows)
    }

    /// A known document stays in its row, whatever its key says now: others refer to that row.
    fn keep_own_row(&mut self, rows: &[Row]) {
        if self.parts > 0 || self.source.document.kind.anchor != Anchor::FirstRow {
            return;
        }
        let own = self.own.filter(|own| self.rows.live.contains_key(own));
        if let (Some(own), Some(first)) = (own, rows.first().map(Row::id)) {
            if own != first {
                self.adopted.insert(first, own);
            }
        }
    }

    /// Deletes what the document no longer has and closes its ledger row.
    ///
    /// # Errors
    /// A conflict, for which what was written has to be rolled back: rows that the application
    /// added and the document does not have.
    pub fn finish(mut self, notes: &mut Vec<Note>) -> Result<Replaced, ReplaceError> {
        let foreign = self.rows.foreign();
        if foreign > 0 && self.prefer == Prefer::Neither {
            let found = match self.known {
                Some(_) => live::edits(&format!("{foreign} added")),
                None => format!("{foreign} rows below it that transload did not write"),
            };
            return Err(ReplaceError::Conflict(found));
        }
        self.write_residues()?;
        self.forget_parts()?;
        self.delete_unseen()?;
        notes.append(&mut self.adoptions);
        let row_id = self.row_id.or(self.known.as_ref().and_then(|known| known.row_id));
        let reference = self.reference.take();
        let document = ledger_document(self.source, self.env.run, row_id, reference, notes).into_row();
        match self.noted {
            true => self.write(&DOCUMENTS, Vec::new(), vec![document])?,
            false => self.write(&DOCUMENTS, vec![document], Vec::new())?,
        }
        let kept_back = self.kept_back.unwrap_or_default();
        Ok(Replaced { rows: self.counts.into_iter().collect(), settle: self.settle, kept_back })
    }

    fn delete_unseen(&mut self) -> Result<(), TargetError> {
        for table in self.env.format.tables().iter().rev() {
            let unseen = self.rows.live.iter().filter(|(_, live)| !live.seen && live.table == *table);
            let gone: Vec<Uuid> = unseen.map(|(id, _)| *id).collect();
            if !gone.is_empty() {
                self.rows.live.retain(|_, live| live.seen || live.table != *table);
                self.count(table.name, gone.len());
                match &mut self.kept_back {
                    Some(writes) => writes.delete(table, gone),
                    None => drop(self.connection.delete(table, &Filter::In { column: 0, values: &uuids(&gone) })?),
                }
            }
        }
        Ok(())
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

    fn count(&mut self, table: &'static str, rows: usize) {
        *self.counts.entry(table).or_default() += rows as u64;
    }
}
