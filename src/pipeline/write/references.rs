//! References between documents: resolving them, and settling those that wait.
//!
//! A reference is a legacy id or a natural key (a clerk id). It is resolved when its document is
//! written, and again whenever what it points to appears or changes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use crate::format::Format;
pub use crate::ledger::resolve::{kind_of, rows_in};
use crate::ledger::resolve::{resolve, Resolved};
use crate::ledger::{self, unpack_ids, uuids, LedgerDocument};
use crate::model::digest::{self, Seal};
use crate::model::document::Anchor;
use crate::model::ledger::{documents as d, residue as r, DOCUMENTS, RESIDUE};
use crate::model::{Instant, Missing, Reference, Row, Table, Value};
use crate::target::{Connection, Filter, TargetError};

use super::insert::{residue_row, Packed};
use super::Env;

/// References that a run remembers, of each kind: some ten megabytes.
const MOST_REMEMBERED: usize = 50_000;

/// What references of each kind were found to mean.
pub type Remembered = Mutex<HashMap<&'static str, Resolved>>;

/// References whose meaning may have changed: kind and text.
pub type References = BTreeSet<(&'static str, String)>;

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
        let texts: BTreeSet<&str> = of_kind().map(|(_, text, _)| *text).collect();
        filled.resolved.extend(resolve_once(env, connection, kind, &texts, careful)?);
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

/// As [`resolve`], from memory where it was asked before in a run into empty tables: there, what a
/// reference to a user means is settled before the first chat is written. If somebody else deletes the
/// user meanwhile, the batch is refused, and the careful look that follows asks again.
fn resolve_once(
    env: &Env,
    connection: &mut dyn Connection,
    kind: &'static str,
    references: &BTreeSet<&str>,
    careful: bool,
) -> Result<Resolved, TargetError> {
    let ask = |connection: &mut dyn Connection, references: BTreeSet<String>| {
        resolve(connection, env.format, kind, &references, careful)
    };
    if careful {
        return ask(connection, references.iter().map(|reference| (*reference).to_owned()).collect());
    }
    let mut resolved = Resolved::new();
    let mut unknown = BTreeSet::new();
    {
        let remembered = env.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let known = remembered.get(kind);
        for reference in references {
            match known.and_then(|known| known.get(*reference)) {
                Some(row) => drop(resolved.insert((*reference).to_owned(), *row)),
                None => drop(unknown.insert((*reference).to_owned())),
            }
        }
    }
    let found = ask(connection, unknown)?;
    let mut remembered = env.remembered.lock().unwrap_or_else(PoisonError::into_inner);
    let known = remembered.entry(kind).or_default();
    if known.len() + found.len() <= MOST_REMEMBERED {
        known.extend(found.iter().map(|(reference, row)| (reference.clone(), *row)));
    }
    drop(remembered);
    resolved.extend(found);
    Ok(resolved)
}

/// Points the documents that wait for one of these references at what it means now. Returns the
/// rows changed, by table. A row that was edited in the database meanwhile is left alone, and so are
/// the documents that `comes` knows: their own turn is still to come.
pub fn settle_waiting(
    connection: &mut dyn Connection,
    format: &dyn Format,
    kind: &'static str,
    references: &BTreeSet<String>,
    comes: &dyn Fn(Uuid) -> bool,
) -> Result<BTreeMap<&'static str, u64>, TargetError> {
    let mut changed = BTreeMap::new();
    let keys: BTreeSet<String> = references.iter().map(|reference| format.reference_key(kind, reference)).collect();
    let values: Vec<Value> = keys.iter().cloned().map(Value::Text).collect();
    let mut waiting = ledger::documents_by(connection, d::REFERENCE, &values)?;
    waiting.retain(|document| {
        if comes(document.id) {
            return false;
        }
        // To write it anew would seal what somebody else made of it.
        let is_sound = document.seal != Seal::Broken;
        if !is_sound {
            tracing::warn!(document = %document.key, "a reference is not settled: the ledger's row was edited");
        }
        is_sound
    });
    if waiting.is_empty() {
        return Ok(changed);
    }
    let mut resolved = resolve(connection, format, kind, &keys, true)?;
    // Rows that were deleted meanwhile need none, so not each of them is used.
    let made = make_placeholders(connection, format, kind, &waiting, &mut resolved)?;
    let mut left = made.clone();
    for document in waiting {
        let means = document.reference.as_ref().and_then(|reference| resolved.get(reference)).copied();
        settle(connection, format, kind, document, means, &mut changed, &mut left)?;
    }
    for row in left {
        if drop_if_unused_placeholder(connection, format, kind, row)? && !made.contains(&row) {
            *changed.entry(kind_of(format, kind).main.name).or_default() += 1;
        }
    }
    Ok(changed)
}

/// Stand-ins for references that mean nothing any more, where a column must refer to something; returns their ids.
fn make_placeholders(
    connection: &mut dyn Connection,
    format: &dyn Format,
    kind: &'static str,
    waiting: &[LedgerDocument],
    resolved: &mut Resolved,
) -> Result<BTreeSet<Uuid>, TargetError> {
    let mut made = BTreeSet::new();
    let needs_one = |document: &&LedgerDocument| {
        let columns = kind_of(format, &document.kind).main.columns.iter();
        let mut references = columns.filter_map(|column| column.reference);
        references.any(|reference| reference.kind == kind && reference.missing == Missing::Placeholder)
    };
    for document in waiting.iter().filter(needs_one) {
        if let Some(reference) = document.reference.as_ref().filter(|reference| !resolved.contains_key(*reference)) {
            let row = format.placeholder(kind, reference, document.base_time);
            resolved.insert(reference.clone(), row.id());
            made.insert(row.id());
            connection.insert(kind_of(format, kind).main, &[row])?;
        }
    }
    Ok(made)
}

/// Points one document's rows at `means`; rows that they pointed at before go into `left`.
///
/// Where another document's row has the place of one of them, all stay where they are, and the
/// ledger forgets the document's content: the next look at its file finds out whose place it is.
fn settle(
    connection: &mut dyn Connection,
    format: &dyn Format,
    kind: &'static str,
    mut document: LedgerDocument,
    means: Option<Uuid>,
    changed: &mut BTreeMap<&'static str, u64>,
    left: &mut BTreeSet<Uuid>,
) -> Result<(), TargetError> {
    let parts = rows_in(connection, &RESIDUE, r::DOCUMENT_ID, &[Value::Uuid(document.id)])?;
    if parts.iter().any(|part| Seal::of(part) == Seal::Broken) {
        tracing::warn!(document = %document.key, "a reference is not settled: the ledger's rows were edited");
        return Ok(());
    }
    let mut settled_parts = Vec::new();
    for (number, part) in parts.into_iter().enumerate() {
        let Some((table, column)) = referring(format, kind, &part) else { continue };
        let recorded = part.0[r::ROW_DIGESTS].as_bytes().unwrap_or_default().to_vec();
        let row_ids: Vec<Uuid> = unpack_ids(part.0[r::ROW_IDS].as_bytes().unwrap_or_default()).collect();
        let live: HashMap<Uuid, Row> =
            rows_in(connection, table, 0, &uuids(&row_ids))?.into_iter().map(|row| (row.id(), row)).collect();
        let taken = taken_keys(connection, table, column, means)?;
        let mut packed = Packed::with_capacity(row_ids.len());
        let (mut updates, mut restored) = (Vec::new(), Vec::new());
        for (id, recorded) in row_ids.iter().zip(recorded.chunks_exact(digest::ROW_DIGEST)) {
            let mut now: [u8; digest::ROW_DIGEST] = recorded.try_into().expect("chunks have this length");
            if let Some(row) = live.get(id) {
                let mut settled = row.clone();
                settled.0[column] = means.map_or(Value::Null, Value::Uuid);
                if settled == *row {
                    // It points there already.
                } else if digest::row(row) != now && digest::row(&settled) == now {
                    // It lost this reference, and nothing else, when what it refers to was deleted.
                    restored.push(settled);
                } else if digest::row(row) != now {
                    tracing::warn!(document = %document.key, "a reference is not settled: its row was edited");
                } else if taken.contains(&natural_key(table, column, &settled)) {
                    document.digest = vec![0; document.digest.len()];
                    connection.update(&DOCUMENTS, &[document.to_row()])?;
                    return Ok(());
                } else {
                    left.extend(row.0[column].as_uuid());
                    now = digest::row(&settled);
                    updates.push(settled);
                }
            }
            packed.push(*id, now);
        }
        if !restored.is_empty() {
            connection.update(table, &restored)?;
            *changed.entry(table.name).or_default() += restored.len() as u64;
        }
        if !updates.is_empty() {
            let data = part.0[r::DATA].as_text().map(str::to_owned);
            settled_parts.push((table, updates, residue_row(document.id, number, table.name, packed, data)));
        }
    }
    for (table, updates, residue) in settled_parts {
        connection.update(table, &updates)?;
        *changed.entry(table.name).or_default() += updates.len() as u64;
        connection.update(&RESIDUE, &[residue])?;
        if kind_of(format, &document.kind).anchor == Anchor::Referenced {
            document.row_id = means;
            connection.update(&DOCUMENTS, &[document.to_row()])?;
        }
    }
    Ok(())
}

/// The part's table with its column that refers to the kind.
fn referring(format: &dyn Format, kind: &str, part: &Row) -> Option<(&'static Table, usize)> {
    let name = part.0[r::TABLE_NAME].as_text()?;
    let table = format.tables().iter().find(|table| table.name == name)?;
    table
        .columns
        .iter()
        .enumerate()
        .find_map(|(at, column)| column.reference.filter(|reference| reference.kind == kind).map(|_| (*table, at)))
}

/// The natural keys that rows of others hold already under the new reference.
fn taken_keys(
    connection: &mut dyn Connection,
    table: &Table,
    column: usize,
    means: Option<Uuid>,
) -> Result<BTreeSet<String>, TargetError> {
    match means {
        Some(means) if table.natural_key.contains(&column) => {
            let rows = rows_in(connection, table, column, &[Value::Uuid(means)])?;
            Ok(rows.iter().map(|row| natural_key(table, column, row)).collect())
        }
        _ => Ok(BTreeSet::new()),
    }
}

/// The natural key's values beside the reference, as one text.
fn natural_key(table: &Table, reference: usize, row: &Row) -> String {
    let others = table.natural_key.iter().filter(|at| **at != reference);
    others.map(|at| row.0[*at].as_text().unwrap_or_default()).collect::<Vec<_>>().join("\0")
}

/// Whether any row refers to this one.
pub fn is_referred_to(
    connection: &mut dyn Connection,
    format: &dyn Format,
    kind: &str,
    row: Uuid,
) -> Result<bool, TargetError> {
    for table in format.tables() {
        for (at, column) in table.columns.iter().enumerate() {
            if column.reference.is_some_and(|reference| reference.kind == kind) {
                let mut found = false;
                let values = [Value::Uuid(row)];
                connection.select(table, &Filter::In { column: at, values: &values }, &mut |_| {
                    found = true;
                    ControlFlow::Break(())
                })?;
                if found {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}

/// A placeholder that nobody refers to any more has no reason to be. Returns whether one was deleted.
pub fn drop_if_unused_placeholder(
    connection: &mut dyn Connection,
    format: &dyn Format,
    kind: &str,
    row: Uuid,
) -> Result<bool, TargetError> {
    let table = kind_of(format, kind).main;
    let rows = rows_in(connection, table, 0, &[Value::Uuid(row)])?;
    let unused = rows.iter().any(|row| format.is_placeholder(table, row))
        && ledger::documents_by(connection, d::ROW_ID, &[Value::Uuid(row)])?.iter().all(|held| held.kind != kind)
        && !is_referred_to(connection, format, kind, row)?;
    if unused {
        connection.delete(table, &Filter::In { column: 0, values: &[Value::Uuid(row)] })?;
    }
    Ok(unused)
}
