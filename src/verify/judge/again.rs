//! A document written again from its columns and its residue.

use std::collections::HashMap;

use crate::format::proof::{Held, HeldPart, HeldRow, Piece, RebuildError};
use crate::model::ledger::{DOCUMENTS, RESIDUE};
use crate::node::Node;
use crate::verify::compare::Comparison;
use crate::verify::ids::IdMap;
use crate::verify::outcome::Cause;

use super::rows::Known;
use super::Sides;

/// Writes the document again; the rows' objects go to the rows, whole files are returned.
///
/// The residue is about the rows as they were written. Where it does not fit to them, those that
/// somebody edited since are taken as they are: that they were is told by their columns, and is no
/// fault of the residue. Where a part is missing, the others do not make the document.
pub fn rebuild(sides: &Sides, comparison: &mut Comparison, known: &mut [Known]) -> HashMap<usize, Node> {
    let Some(document) = sides.stored.document.as_ref().filter(|_| sides.stored.is_complete()) else {
        return HashMap::new();
    };
    let Some(held) = document.held(sides.format) else {
        comparison.ledger(Cause::LedgerForged, DOCUMENTS.name, "its files are not what transload writes");
        return HashMap::new();
    };
    let mut again = write_again(sides, &held, known, false);
    if again.bad.is_some() && known.iter().any(|known| known.moved) {
        again = write_again(sides, &held, known, true);
    }
    if let Some(bad) = again.bad {
        comparison.ledger(Cause::LedgerForged, RESIDUE.name, bad);
    }
    for (at, value) in again.rows {
        known[at].rebuilt = Some(value);
    }
    again.whole
}

/// A document that was written again, as far as that was possible.
#[derive(Default)]
struct Again {
    /// By position among the known rows.
    rows: Vec<(usize, Node)>,
    whole: HashMap<usize, Node>,
    bad: Option<String>,
}

/// `loose`: rows that were edited are taken as they are.
fn write_again(sides: &Sides, held: &Held, known: &[Known], loose: bool) -> Again {
    let by_id: IdMap<usize> = known.iter().enumerate().map(|(at, known)| (known.id, at)).collect();
    let mut again = Again::default();
    let mut parts = sides.stored.parts.iter();
    let mut at = 0;
    let result = sides.format.rebuild(
        held,
        &mut || {
            let Some(part) = parts.next() else { return Ok(None) };
            // The known rows are those of the parts, in their order.
            let of_part = &known[at..at + part.ids.len()];
            at += part.ids.len();
            let row = |known: &Known| HeldRow { id: known.id, row: known.row.cloned(), edited: loose && known.moved };
            let rows = of_part.iter().map(row).collect();
            Ok(Some(HeldPart { table: part.table, rows, residue: part.data.clone(), added: false }))
        },
        &mut |piece| {
            match piece {
                Piece::Item { row, value, .. } | Piece::Line { row, value, .. } => {
                    again.rows.extend(by_id.get(&row).map(|at| (*at, value)));
                }
                Piece::Whole { file, value } => {
                    again.whole.extend(file_of(sides, held, file).map(|file| (file, value)));
                }
                Piece::Lines { .. } | Piece::Mark { .. } | Piece::New { .. } => {}
            }
            Ok(())
        },
    );
    if let Err(RebuildError::Bad(bad)) = result {
        again.bad = Some(bad.to_string());
    }
    again
}

/// Where a file of the ledger's document stands in the one that was read; told when it is gone.
fn file_of(sides: &Sides, held: &Held, file: usize) -> Option<usize> {
    let role = held.files.get(file)?.role;
    sides.document.files.iter().position(|file| file.role == role)
}
