//! One attempt to write a batch: one transaction, all or nothing.
//!
//! New documents go into the tables together, table by table; documents that the database knows already, in
//! whatever way, are replaced (`known`). The ledger's rows are in the same commit, so
//! a batch whose commit was answered by silence is recognised when it is tried again.

use std::collections::{BTreeSet, HashMap, HashSet};

use uuid::Uuid;

use crate::ledger::{self, LedgerDocument, LedgerReject};
use crate::model::digest::Seal;
use crate::model::document::{Anchor, Phase};
use crate::model::ledger::{rejects as r, DOCUMENTS, REJECTS, RESIDUE};
use crate::model::{DocumentOutcome, Flaw, Value};
use crate::pipeline::item::{Item, Loaded, Ready, Rejected};
use crate::source::ReadProblem;
use crate::target::{in_guarded_transaction, in_transaction, Connection, Filter, Piece, TargetError};

use super::insert::{anchor_of, ledger_document, residue_row, Packed};
use super::keys::{keys, natural_texts, Key};
use super::references::{fill, rows_in, settle_waiting, References};
use super::{Done, Env};

/// Why an attempt was rolled back.
#[derive(Debug)]
pub enum AttemptError {
    /// This document has to be rejected; the others may go again.
    Flaw {
        index: usize,
        flaw: Flaw,
    },
    /// This document could not be read to its end.
    Unreadable {
        index: usize,
        problem: ReadProblem,
    },
    Target(TargetError),
}

impl From<TargetError> for AttemptError {
    fn from(error: TargetError) -> AttemptError {
        AttemptError::Target(error)
    }
}

/// Writes the items but those in `skip`. `careful`: look up what the database holds even if it
/// was empty when the run began.
pub fn attempt(
    env: &Env,
    connection: &mut dyn Connection,
    items: &mut [Item],
    skip: &[usize],
    careful: bool,
) -> Result<Vec<Done>, AttemptError> {
    let careful = careful || !env.fresh;
    let work = |connection: &mut dyn Connection| {
        let mut attempt = Attempt { env, connection, careful, settle: References::new() };
        attempt.run(items, skip)
    };
    match careful {
        // What is looked up may be edited before it is written.
        true => in_guarded_transaction(connection, work),
        false => in_transaction(connection, work),
    }
}

pub(super) struct Attempt<'a> {
    pub(super) env: &'a Env<'a>,
    pub(super) connection: &'a mut dyn Connection,
    careful: bool,
    /// References of whose meaning something has changed: kind and text.
    pub(super) settle: References,
}

/// How a document goes into the database.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Route {
    /// Nothing of it is there.
    Insert,
    Replace,
    /// The batch was committed before; only its answer was lost.
    Written,
    Reject,
    /// Only the ledger's row of it.
    Touch,
    Skip,
}

impl Attempt<'_> {
    fn run(&mut self, items: &mut [Item], skip: &[usize]) -> Result<Vec<Done>, AttemptError> {
        let ids: Vec<Uuid> = items.iter().map(Item::id).collect();
        let known: HashMap<Uuid, LedgerDocument> = match self.careful {
            true => ledger::documents(self.connection, &ids)?.into_iter().map(|held| (held.id, held)).collect(),
            false => HashMap::new(),
        };
        let rejects: HashMap<Uuid, LedgerReject> = match self.careful || !self.env.no_rejects {
            true => {
                let ids = [ids, items.iter().map(|item| item.document().twin_id()).collect()].concat();
                ledger::rejects(self.connection, &ids)?.into_iter().map(|held| (held.document, held)).collect()
            }
            false => HashMap::new(),
        };
        let placeholders = self.fill_references(items)?;
        let routes = self.routes(items, skip, &known)?;
        let mut done: Vec<Done> =
            items.iter().zip(&routes).map(|(item, route)| Done::new(outcome(item, *route))).collect();
        // Nobody's rows in particular; the batch's count must be right.
        if let Some(first) = done.first_mut() {
            placeholders.into_iter().for_each(|(table, count)| first.add_rows(table, count));
        }
        self.insert(items, &routes, &mut done)?;
        self.replace(items, &routes, &known, &mut done)?;
        for (index, item) in items.iter().enumerate() {
            match (routes[index], item) {
                (Route::Written, Item::Load(loaded)) => describe(loaded, &mut done[index]),
                (Route::Reject, Item::Reject(rejected)) => {
                    self.reject(rejected, rejects.get(&item.id()), &mut done[index])?;
                }
                _ => {}
            }
        }
        self.touch(items, &routes, known)?;
        self.drop_settled_rejects(items, &done, &rejects)?;
        self.settle(items, &mut done)?;
        Ok(done)
    }

    /// Resolves what the loaded documents refer to, and makes the placeholders that are missing.
    /// Returns how many, by table.
    fn fill_references(&mut self, items: &mut [Item]) -> Result<Vec<(&'static str, u64)>, AttemptError> {
        let mut wanted = Vec::new();
        for item in items.iter() {
            if let Item::Load(loaded) = item {
                for slot in &loaded.slots {
                    let column = &loaded.parts[slot.part].table().columns[slot.column];
                    let reference = column.reference.expect("a slot stands in a column that refers");
                    wanted.push((reference, slot.reference.as_str(), loaded.source.base_time));
                }
            }
        }
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let filled = fill(self.env, self.connection, self.careful, &wanted)?;
        self.settle.extend(filled.made);
        for item in items.iter_mut() {
            if let Item::Load(loaded) = item {
                let Loaded { parts, slots, .. } = &mut **loaded;
                for slot in slots {
                    let value = filled.resolved.get(&slot.reference).copied().map_or(Value::Null, Value::Uuid);
                    parts[slot.part].rows_mut()[slot.row].0[slot.column] = value;
                }
            }
        }
        Ok(filled.placeholders)
    }

    fn routes(
        &mut self,
        items: &[Item],
        skip: &[usize],
        known: &HashMap<Uuid, LedgerDocument>,
    ) -> Result<Vec<Route>, AttemptError> {
        let mut routes: Vec<Route> = items
            .iter()
            .enumerate()
            .map(|(index, item)| match item {
                _ if skip.contains(&index) => Route::Skip,
                Item::Reject(_) => Route::Reject,
                Item::Touch(_) => Route::Touch,
                Item::Stream(_) => Route::Replace,
                Item::Load(loaded) => match known.get(&item.id()) {
                    None => Route::Insert,
                    Some(held) if held.digest == loaded.source.digest && held.run == self.env.run => Route::Written,
                    Some(_) => Route::Replace,
                },
            })
            .collect();
        if self.careful {
            let taken = self.taken(items, &routes)?;
            for (item, route) in items.iter().zip(&mut routes) {
                if let (Item::Load(loaded), Route::Insert) = (item, *route) {
                    let keys_of = |part: &Ready| part.rows().iter().flat_map(|row| keys(part.table(), row)).collect();
                    let keys = loaded.parts.iter().flat_map::<Vec<Key>, _>(keys_of);
                    if keys.into_iter().any(|key| taken.contains(&key)) {
                        *route = Route::Replace;
                    }
                }
            }
        }
        Ok(routes)
    }

    /// The keys that the database holds already, of those that new documents are about to use.
    fn taken(&mut self, items: &[Item], routes: &[Route]) -> Result<HashSet<Key>, AttemptError> {
        let mut taken = HashSet::new();
        for table in self.env.format.tables() {
            let Some(&first) = table.natural_key.first() else { continue };
            let (mut ids, mut values) = (Vec::new(), Vec::new());
            for (item, _) in items.iter().zip(routes).filter(|(_, route)| **route == Route::Insert) {
                let Item::Load(loaded) = item else { continue };
                for part in loaded.parts.iter().filter(|part| *part.table() == **table) {
                    for row in part.rows() {
                        if loaded.source.document.kind.anchor == Anchor::FirstRow {
                            ids.push(row.0[0].clone());
                        }
                        if row.0[first] != Value::Null && values.last() != Some(&row.0[first]) {
                            values.push(row.0[first].clone());
                        }
                    }
                }
            }
            for (column, values) in [(0, ids), (first, values)] {
                for row in rows_in(self.connection, table, column, &values)? {
                    taken.extend(keys(table, &row));
                }
            }
        }
        Ok(taken)
    }

    /// New documents, table by table, parents first.
    fn insert(&mut self, items: &[Item], routes: &[Route], done: &mut [Done]) -> Result<(), AttemptError> {
        let mut pieces = Vec::new();
        for table in self.env.format.tables() {
            pieces.clear();
            let parts = new_documents(items, routes).flat_map(|(_, loaded)| &loaded.parts);
            pieces.extend(parts.filter(|part| part.table() == *table && part.count() > 0).map(Ready::piece));
            if !pieces.is_empty() {
                self.connection.insert_pieces(table, &pieces)?;
            }
        }
        let (mut documents, mut residues) = (Vec::new(), Vec::new());
        pieces.clear();
        for (index, loaded) in new_documents(items, routes) {
            describe(loaded, &mut done[index]);
            let anchor = loaded.source.document.kind.anchor;
            let row_id = loaded.parts.first().and_then(|part| anchor_of(anchor, part.table(), part.rows()));
            let reference = reference_of(self.env, loaded);
            let notes = &loaded.decoded.notes;
            documents.push(ledger_document(&loaded.source, self.env.run, row_id, reference, notes).into_row());
            for (number, part) in loaded.parts.iter().enumerate() {
                match part {
                    Ready::Encoded(encoded) => pieces.push(Piece::Encoded(&encoded.residue)),
                    Ready::Plain(part) => {
                        let (id, packed) = (loaded.source.document.id, Packed::of(&part.rows));
                        residues.push(residue_row(id, number, part.table.name, packed, part.residue.clone()));
                    }
                }
            }
        }
        if !documents.is_empty() {
            self.connection.insert(&DOCUMENTS, &documents)?;
            pieces.push(Piece::Rows(&residues));
            self.connection.insert_pieces(&RESIDUE, &pieces)?;
        }
        Ok(())
    }

    fn reject(
        &mut self,
        rejected: &Rejected,
        held: Option<&LedgerReject>,
        done: &mut Done,
    ) -> Result<(), AttemptError> {
        let reject = LedgerReject::new(&rejected.reject, self.env.run);
        done.noted = !held.is_some_and(|held| held.is_same(&reject));
        match held {
            Some(held) if !done.noted => {
                done.accepted = held.accepted.is_some();
                if held.seal == Seal::Missing {
                    self.connection.update(&REJECTS, &[held.to_row()])?;
                }
            }
            Some(_) => {
                self.connection.update(&REJECTS, &[reject.to_row()])?;
            }
            None => self.connection.insert(&REJECTS, &[reject.to_row()])?,
        }
        done.reject = Some(rejected.reject.clone());
        Ok(())
    }

    /// The times of files whose content the ledger knows.
    fn touch(
        &mut self,
        items: &[Item],
        routes: &[Route],
        mut known: HashMap<Uuid, LedgerDocument>,
    ) -> Result<(), AttemptError> {
        let mut touched = Vec::new();
        for (item, route) in items.iter().zip(routes) {
            let (Item::Touch(source), Route::Touch) = (item, route) else { continue };
            // To write a row anew would seal what somebody else made of it.
            let is_ours = |held: &LedgerDocument| held.digest == source.digest && held.seal != Seal::Broken;
            if let Some(mut held) = known.remove(&item.id()).filter(is_ours) {
                held.files = source.files.clone();
                touched.push(held.to_row());
            }
        }
        if !touched.is_empty() {
            self.connection.update(&DOCUMENTS, &touched)?;
        }
        Ok(())
    }

    /// What loads now is no reject any more.
    fn drop_settled_rejects(
        &mut self,
        items: &[Item],
        done: &[Done],
        rejects: &HashMap<Uuid, LedgerReject>,
    ) -> Result<(), AttemptError> {
        let loads = |done: &Done| matches!(done.outcome, DocumentOutcome::Loaded | DocumentOutcome::Updated);
        let settled: Vec<Value> = items
            .iter()
            .zip(done)
            .filter(|(_, done)| loads(done))
            // Another file may have held its key until now.
            .flat_map(|(item, _)| [item.id(), item.document().twin_id()])
            .filter(|id| rejects.contains_key(id))
            .map(Value::Uuid)
            .collect();
        if !settled.is_empty() {
            self.connection.delete(&REJECTS, &Filter::In { column: r::DOCUMENT_ID, values: &settled })?;
        }
        Ok(())
    }

    /// Documents that waited for what this batch has written.
    fn settle(&mut self, items: &[Item], done: &mut [Done]) -> Result<(), AttemptError> {
        if !self.careful {
            return Ok(()); // Nothing can wait that was not there before the run.
        }
        let mut by_kind: HashMap<&'static str, BTreeSet<String>> = HashMap::new();
        for (kind, reference) in std::mem::take(&mut self.settle) {
            by_kind.entry(kind).or_default().insert(reference);
        }
        for (item, done) in items.iter().zip(done.iter()) {
            let Item::Load(loaded) = item else { continue };
            let document = &loaded.source.document;
            let written = matches!(done.outcome, DocumentOutcome::Loaded | DocumentOutcome::Updated);
            if document.kind.phase == Phase::Users && written {
                let references = by_kind.entry(document.kind.name).or_default();
                references.insert(document.key.clone());
                references.extend(
                    loaded
                        .parts
                        .iter()
                        .flat_map(|part| part.rows().iter().flat_map(|row| natural_texts(part.table(), row))),
                );
            }
        }
        for (kind, references) in by_kind {
            let changed = settle_waiting(self.connection, self.env.format, kind, &references, &|_| false)?;
            if let Some(first) = done.first_mut() {
                changed.into_iter().for_each(|(table, count)| first.add_rows(table, count));
            }
        }
        Ok(())
    }
}

/// The documents of which nothing is in the database yet, with their positions in the batch.
fn new_documents<'a>(items: &'a [Item], routes: &'a [Route]) -> impl Iterator<Item = (usize, &'a Loaded)> + 'a {
    items.iter().zip(routes).enumerate().filter_map(|(index, (item, route))| match (item, route) {
        (Item::Load(loaded), Route::Insert) => Some((index, &**loaded)),
        _ => None,
    })
}

fn outcome(item: &Item, route: Route) -> DocumentOutcome {
    let known = match item {
        Item::Load(loaded) => loaded.source.known,
        Item::Stream(streamed) => streamed.source.known,
        Item::Reject(_) | Item::Touch(_) => false,
    };
    match route {
        Route::Skip => DocumentOutcome::Failed,
        Route::Reject => DocumentOutcome::Rejected,
        Route::Touch => DocumentOutcome::Unchanged,
        _ if known => DocumentOutcome::Updated,
        _ => DocumentOutcome::Loaded,
    }
}

fn describe(loaded: &Loaded, done: &mut Done) {
    for part in &loaded.parts {
        done.add_rows(part.table().name, part.count() as u64);
    }
    done.notes = loaded.decoded.notes.clone();
    done.files = loaded.decoded.files.clone();
}

/// What the document refers to, as the ledger spells it.
pub(super) fn reference_of(env: &Env, loaded: &Loaded) -> Option<String> {
    let slot = loaded.slots.first()?;
    let kind = loaded.parts[slot.part].table().columns[slot.column].reference?.kind;
    Some(env.format.reference_key(kind, &slot.reference))
}
