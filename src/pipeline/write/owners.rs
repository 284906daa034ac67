//! Whose row is it? Before a row that the database already holds is adopted, somebody else may
//! have loaded it.

use uuid::Uuid;

use crate::format::Format;
use crate::ledger::{self, unpack_ids, LedgerDocument};
use crate::model::document::Anchor;
use crate::model::ledger::{documents as d, residue as r, RESIDUE};
use crate::model::{Row, Table, Value};
use crate::target::{Connection, TargetError};

use super::references::rows_in;

/// The other document that loaded this row, if one did.
pub fn other_owner(
    connection: &mut dyn Connection,
    format: &dyn Format,
    table: &Table,
    row: &Row,
    document: Uuid,
) -> Result<Option<LedgerDocument>, TargetError> {
    // A document is found by the row that stands for it: the row itself, or what it refers to.
    let mut anchors = vec![Value::Uuid(row.id())];
    for (at, column) in table.columns.iter().enumerate() {
        if column.reference.is_some() {
            anchors.extend(row.0[at].as_uuid().map(Value::Uuid));
        }
    }
    for candidate in ledger::documents_by(connection, d::ROW_ID, &anchors)? {
        // A kind that the format does not have is somebody else's word.
        let Some(kind) = format.kinds().iter().find(|kind| kind.name == candidate.kind) else { continue };
        if candidate.id == document || *kind.main != *table {
            continue;
        }
        let owns = match kind.anchor {
            Anchor::FirstRow => candidate.row_id == Some(row.id()),
            Anchor::Referenced => holds(connection, candidate.id, row.id())?,
            Anchor::None => false,
        };
        if owns {
            return Ok(Some(candidate));
        }
    }
    Ok(None)
}

fn holds(connection: &mut dyn Connection, document: Uuid, row: Uuid) -> Result<bool, TargetError> {
    let parts = rows_in(connection, &RESIDUE, r::DOCUMENT_ID, &[Value::Uuid(document)])?;
    Ok(parts.iter().any(|part| unpack_ids(part.0[r::ROW_IDS].as_bytes().unwrap_or_default()).any(|id| id == row)))
}
