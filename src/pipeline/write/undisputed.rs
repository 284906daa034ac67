//! Which of many known documents are what they seem: no row but their own has a key that one of their rows
//! is about to have. Nothing is to be adopted for such a document, so it can be written with others.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use crate::format::Format;
use crate::ledger::{uuids, LedgerDocument};
use crate::model::document::Anchor;
use crate::model::{Row, Table, Value};
use crate::pipeline::item::{Loaded, Ready};
use crate::target::{Connection, TargetError};

use super::keys::natural_key;
use super::live::{self, Look};
use super::references::rows_in;

/// A document whose rows are held and that the ledger knows.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// Its place in the batch.
    pub index: usize,
    pub loaded: &'a Loaded,
    pub held: &'a LedgerDocument,
}

/// Looks at the documents; the looks of the undisputed ones, by their places in the batch.
pub fn undisputed(
    format: &dyn Format,
    connection: &mut dyn Connection,
    documents: &[Known],
) -> Result<HashMap<usize, Look>, TargetError> {
    let held: Vec<&LedgerDocument> = documents.iter().map(|document| document.held).collect();
    let looks = live::looks(format, connection, &held)?;
    let mut disputed = shared(&looks);
    for table in format.tables() {
        disputed.extend(with_keys_of_others(connection, table, documents, &looks)?);
        disputed.extend(with_ids_of_others(connection, table, documents, &looks)?);
    }
    let looks = documents.iter().zip(looks).enumerate().filter(|(at, _)| !disputed.contains(at));
    Ok(looks.map(|(_, (document, look))| (document.index, look)).collect())
}

/// Documents, by position, that have a row in common with one before them.
fn shared(looks: &[Look]) -> HashSet<usize> {
    let mut ids = HashSet::new();
    let mut shared = HashSet::new();
    for (at, look) in looks.iter().enumerate() {
        for id in look.rows.live.keys() {
            if !ids.insert(*id) {
                shared.insert(at);
            }
        }
    }
    shared
}

fn rows_of<'a>(loaded: &'a Loaded, table: &'a Table) -> impl Iterator<Item = &'a Row> {
    loaded.parts.iter().filter(move |part| part.table() == table).flat_map(Ready::rows)
}

/// Documents of which a row's natural key is held by anything but this row itself.
fn with_keys_of_others(
    connection: &mut dyn Connection,
    table: &'static Table,
    documents: &[Known],
    looks: &[Look],
) -> Result<HashSet<usize>, TargetError> {
    let Some(&first) = table.natural_key.first() else { return Ok(HashSet::new()) };
    let mut by_key: HashMap<String, Vec<(usize, Uuid)>> = HashMap::new();
    let mut values: Vec<Value> = Vec::new();
    for (at, document) in documents.iter().enumerate() {
        for row in rows_of(document.loaded, table) {
            let Some(key) = natural_key(table, row) else { continue };
            by_key.entry(key).or_default().push((at, place(*document, &looks[at], row.id())));
            if values.last() != Some(&row.0[first]) {
                values.push(row.0[first].clone());
            }
        }
    }
    let mut disputed = HashSet::new();
    for held in rows_in(connection, table, first, &values)? {
        let who = natural_key(table, &held).and_then(|key| by_key.get(&key));
        for (at, id) in who.into_iter().flatten() {
            if held.id() != *id || !looks[*at].rows.live.contains_key(id) {
                disputed.insert(*at);
            }
        }
    }
    Ok(disputed)
}

/// The id that a row is about to have: a document's own row keeps the one under which it was adopted once.
fn place(Known { loaded, held, .. }: Known, look: &Look, id: Uuid) -> Uuid {
    let is_own = loaded.source.document.kind.anchor == Anchor::FirstRow
        && loaded.parts.first().and_then(|part| part.rows().first()).is_some_and(|first| first.id() == id);
    held.row_id.filter(|own| is_own && look.rows.live.contains_key(own)).unwrap_or(id)
}

/// Documents with a row of their own that the database has, and not as theirs.
fn with_ids_of_others(
    connection: &mut dyn Connection,
    table: &'static Table,
    documents: &[Known],
    looks: &[Look],
) -> Result<HashSet<usize>, TargetError> {
    let mut by_id: HashMap<Uuid, usize> = HashMap::new();
    for (at, Known { loaded, .. }) in documents.iter().enumerate() {
        if loaded.source.document.kind.anchor == Anchor::FirstRow {
            let new = rows_of(loaded, table).map(Row::id).filter(|id| !looks[at].rows.live.contains_key(id));
            by_id.extend(new.map(|id| (id, at)));
        }
    }
    let ids: Vec<Uuid> = by_id.keys().copied().collect();
    let held = rows_in(connection, table, 0, &uuids(&ids))?;
    Ok(held.iter().filter_map(|row| by_id.get(&row.id()).copied()).collect())
}
