//! A document's parts as the ledger has them. The ledger may say anything; what cannot be is the
//! document's refusal.

use std::collections::HashMap;
use std::ops::ControlFlow;

use uuid::Uuid;

use crate::format::Format;
use crate::ledger::{unpack_ids, uuids};
use crate::model::digest::ROW_DIGEST;
use crate::model::ledger::{residue as r, RESIDUE};
use crate::model::{Row, Table, Value};
use crate::target::{Connection, Filter, TargetError};

/// One part.
pub struct Stored {
    pub table: &'static Table,
    pub ids: Vec<Uuid>,
    /// As many; what each row was when it was written.
    pub digests: Vec<[u8; ROW_DIGEST]>,
    pub residue: Option<String>,
}

/// The parts of a document in their order, or why there are none.
pub type Parts = Result<Vec<Stored>, &'static str>;

/// The parts of these documents.
pub fn all(
    connection: &mut dyn Connection,
    format: &dyn Format,
    documents: &[Uuid],
) -> Result<HashMap<Uuid, Parts>, TargetError> {
    let mut found: HashMap<Uuid, Parts> = documents.iter().map(|id| (*id, Ok(Vec::new()))).collect();
    let ids = uuids(documents);
    connection.select(&RESIDUE, &Filter::In { column: r::DOCUMENT_ID, values: &ids }, &mut |row| {
        let id = row.0[r::DOCUMENT_ID].as_uuid().unwrap_or_default();
        if let Some(parts) = found.get_mut(&id) {
            if let Ok(known) = parts {
                match read(format, row, known.len()) {
                    Ok(part) => known.push(part),
                    Err(why) => *parts = Err(why),
                }
            }
        }
        ControlFlow::Continue(())
    })?;
    for parts in found.values_mut() {
        if parts.as_ref().is_ok_and(Vec::is_empty) {
            *parts = Err("the ledger has no part of it");
        }
    }
    Ok(found)
}

/// One part of a document; `None` after the last.
pub fn one(
    connection: &mut dyn Connection,
    format: &dyn Format,
    document: Uuid,
    number: usize,
) -> Result<Result<Option<Stored>, &'static str>, TargetError> {
    let (id, at) = ([Value::Uuid(document)], [Value::Int(i64::try_from(number).unwrap_or(i64::MAX))]);
    let filter = Filter::Both { first: (r::DOCUMENT_ID, &id), second: (r::PART, &at) };
    let mut found = None;
    connection.select(&RESIDUE, &filter, &mut |row| {
        found = Some(row);
        ControlFlow::Break(())
    })?;
    match found {
        Some(row) => Ok(read(format, row, number).map(Some)),
        None if number == 0 => Ok(Err("the ledger has no part of it")),
        None => Ok(Ok(None)),
    }
}

fn read(format: &dyn Format, mut row: Row, number: usize) -> Result<Stored, &'static str> {
    if row.0[r::PART].as_int() != i64::try_from(number).ok() {
        return Err("the ledger lacks a part of it");
    }
    let name = row.0[r::TABLE_NAME].as_text().unwrap_or_default();
    let table = format.tables().iter().copied().find(|table| table.name == name);
    let table = table.ok_or("the ledger has a part of it in a table that does not exist")?;
    let ids = row.0[r::ROW_IDS].as_bytes().unwrap_or_default();
    let digests = row.0[r::ROW_DIGESTS].as_bytes().unwrap_or_default();
    if !ids.len().is_multiple_of(16) || ids.len() / 16 * ROW_DIGEST != digests.len() {
        return Err("the ledger has not as many digests as rows of it");
    }
    Ok(Stored {
        table,
        ids: unpack_ids(ids).collect(),
        digests: digests
            .chunks_exact(ROW_DIGEST)
            .map(|digest| digest.try_into().expect("chunks of this length"))
            .collect(),
        residue: match std::mem::replace(&mut row.0[r::DATA], Value::Null) {
            Value::Text(data) => Some(data),
            _ => None,
        },
    })
}
