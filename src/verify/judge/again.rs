//! A document written again from its columns and its residue.

use std::borrow::Cow;
use std::collections::HashMap;

use uuid::Uuid;

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
pub fn rebuild<'k>(sides: &Sides<'k>, comparison: &mut Comparison, known: &mut [Known<'k>]) -> HashMap<usize, Node> {
    let Some(document) = sides.stored.document.as_ref().filter(|_| sides.stored.is_complete()) else {
        return HashMap::new();
    };
    let Some(held) = document.held(sides.format) else {
        comparison.ledger(Cause::LedgerForged, DOCUMENTS.name, "its files are not what transload writes");
        return HashMap::new();
    };
    let mut again = write_again(sides, &held, known, false);
    if again.bad.is_some() && known.iter().any(Known::has_moved) {
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

/// Where rows stand among the known ones. They are mostly asked for in their order.
struct Places<'a, 'k> {
    known: &'a [Known<'k>],
    next: usize,
    /// Made when it is needed.
    by_id: Option<IdMap<usize>>,
}

impl<'a, 'k> Places<'a, 'k> {
    fn new(known: &'a [Known<'k>]) -> Places<'a, 'k> {
        Places { known, next: 0, by_id: None }
    }

    fn find(&mut self, row: Uuid) -> Option<usize> {
        let at = match self.known.get(self.next) {
            Some(known) if known.id == row => Some(self.next),
            _ => {
                let all = self.known.iter().enumerate();
                let by_id = self.by_id.get_or_insert_with(|| all.map(|(at, known)| (known.id, at)).collect());
                by_id.get(&row).copied()
            }
        };
        self.next = at.map_or(self.next, |at| at + 1);
        at
    }
}

/// `loose`: rows that were edited are taken as they are.
fn write_again<'k>(sides: &Sides<'k>, held: &Held, known: &[Known<'k>], loose: bool) -> Again {
    let mut places = Places::new(known);
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
            let row = |known: &Known<'k>| HeldRow {
                id: known.id,
                row: known.row.map(Cow::Borrowed),
                edited: loose && known.has_moved(),
            };
            let rows = of_part.iter().map(row).collect();
            Ok(Some(HeldPart {
                table: part.table,
                rows,
                residue: part.data.as_deref().map(Cow::Borrowed),
                added: false,
            }))
        },
        &mut |piece| {
            match piece {
                Piece::Item { row, value, .. } | Piece::Line { row, value, .. } => {
                    again.rows.extend(places.find(row).map(|at| (at, value)));
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
