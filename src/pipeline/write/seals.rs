//! Seals for rows of the ledger that an earlier version wrote.

use std::ops::ControlFlow;

use uuid::Uuid;

use crate::ledger::uuids;
use crate::model::digest::{sealed, Seal};
use crate::model::ledger::{documents as d, residue as r, DOCUMENTS, RESIDUE};
use crate::model::Row;
use crate::target::{Connection, Filter, TargetError};

/// Rows held at a time, in bytes: a huge document has thousands of parts.
const AT_ONCE: usize = 4 * 1024 * 1024;

/// Seals the rows of these documents that have no seal. May be done twice.
pub fn seal(connection: &mut dyn Connection, documents: &[Uuid]) -> Result<(), TargetError> {
    let values = uuids(documents);
    for (table, column) in [(&DOCUMENTS, d::ID), (&RESIDUE, r::DOCUMENT_ID)] {
        loop {
            let (mut rows, mut weight) = (Vec::new(), 0);
            connection.select(table, &Filter::In { column, values: &values }, &mut |row| {
                if Seal::of(&row) == Seal::Missing {
                    weight += row.weight();
                    rows.push(with_seal(row));
                }
                if weight < AT_ONCE {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            })?;
            if rows.is_empty() {
                break;
            }
            connection.update(table, &rows)?;
        }
    }
    Ok(())
}

fn with_seal(mut row: Row) -> Row {
    row.0.pop();
    sealed(row.0)
}
