//! Judging one document whose files and rows are held: pairing rows, comparing them, and saying
//! what became of it.
//!
//! ```text
//! rows     the rows that may be the document's        again       the document, written once more
//! pairs    which row is the one that the file wants   whole       a file that was written again
//! verdict  what it all comes to                       ledger_row  what the ledger says of itself
//! ```

mod again;
mod ledger_row;
mod pairs;
mod rows;
mod verdict;
mod whole;

use crate::format::proof::{Expected, Unexpected};
use crate::format::Format;
use crate::model::ledger::RESIDUE;
use crate::model::Document;
use crate::source::Reading;

use super::compare::{Comparison, Mode};
use super::resolve::Resolved;
use super::row_ids::RowIds;
use super::stored::{Rows, Stored};

use pairs::Compared;
use rows::{added_rows, known_rows, own_row, rows_there, wanted_rows_found};

pub use ledger_row::{forgotten, ledger_row, of_ledger, refers};
pub use pairs::{compare as compare_pairs, pair, tell_unnamed, Partner};
pub use rows::{is_legacy_id, Added, Known};
pub use verdict::{claimed_document, conclude, missing_document, rejected_as_is, unreadable, Judged};
pub use whole::{compare_file, Stood};

/// Both sides of one document.
pub struct Sides<'a> {
    pub format: &'static dyn Format,
    pub document: &'a Document,
    pub reading: &'a Reading,
    pub stored: &'a Stored,
    /// What the ledger holds under the id of a file whose key another file has.
    pub twin: Option<&'a Stored>,
    /// Whether another file has the key, and the rows that go with it.
    pub claimed: bool,
    pub wanted: &'a Result<Vec<Expected>, Unexpected>,
    pub rows: &'a Rows,
    pub resolved: &'a Resolved,
    /// How many differences are kept.
    pub most: usize,
}

impl Sides<'_> {
    /// The rows that are looked at on behalf of the document.
    pub fn accounted(&self) -> RowIds {
        let known = known_rows(self);
        let none = Vec::new();
        let added = added_rows(self, self.wanted.as_ref().unwrap_or(&none), &known);
        rows_there(&known, &added)
    }
}

/// Compares a document; also gives the rows that were looked at on its behalf.
pub fn judge(sides: &Sides) -> (Judged, RowIds) {
    if let Some(rejected) = rejected_as_is(sides.stored, sides.twin, sides.reading) {
        let accounted = match sides.stored.is_known() {
            true => sides.accounted(),
            // Its rows, if there are any, are those of who claimed the same.
            false => RowIds::default(),
        };
        return (rejected, accounted);
    }
    if sides.claimed {
        let comparison = Comparison::new(sides.format, sides.document, Mode::Unrecorded, sides.resolved, sides.most);
        return (claimed_document(comparison, sides.stored), RowIds::default());
    }
    let known = sides.stored.document.as_ref();
    let found = wanted_rows_found(sides);
    let mode = mode(sides.stored, sides.reading);
    let mut comparison = Comparison::new(sides.format, sides.document, mode, sides.resolved, sides.most);
    comparison.sealed = !sides.stored.is_forged(RESIDUE.name);
    of_ledger(&mut comparison, sides.stored, sides.reading);
    if known.is_none() {
        if !sides.stored.is_known() && !found.any {
            let judged = missing_document(sides.stored, sides.wanted.as_ref().err(), comparison);
            return (judged, sides.accounted());
        }
        if sides.stored.is_known() || found.derived {
            forgotten(&mut comparison);
        }
    }
    let accounted = match sides.wanted {
        Ok(wanted) => compare(sides, &mut comparison, wanted),
        Err(problem) => {
            unreadable(&mut comparison, problem);
            sides.accounted()
        }
    };
    comparison.finish();
    (conclude(comparison), accounted)
}

fn compare(sides: &Sides, comparison: &mut Comparison, wanted: &[Expected]) -> RowIds {
    let is_whole = sides.stored.is_whole();
    let mut known = known_rows(sides);
    let whole = again::rebuild(sides, comparison, &mut known);
    let mut added = added_rows(sides, wanted, &known);
    comparison.parent = own_row(sides, wanted, &known, &added);
    let refers = wanted.first().and_then(|wanted| refers(sides.resolved, wanted));
    ledger_row(comparison, sides.document, sides.reading, sides.stored, refers);
    let pairs = pair(sides.resolved, wanted, &mut known, &mut added, comparison.mode);
    let Compared { rows, unnamed } = pairs::compare(comparison, wanted, &known, &added, &pairs, is_whole);
    tell_unnamed(comparison, unnamed, is_whole);
    whole::compare(sides, comparison, wanted, &rows, &whole);
    rows_there(&known, &added)
}

/// What the comparison can rest on.
pub fn mode(stored: &Stored, reading: &Reading) -> Mode {
    match &stored.document {
        Some(ledger) if ledger.digest == reading.digest => Mode::Loaded,
        Some(_) => Mode::Changed,
        None if stored.is_known() => Mode::Changed,
        None => Mode::Unrecorded,
    }
}
