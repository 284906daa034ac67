//! Files that were written again as a whole, against what they say.

use std::collections::HashMap;

use uuid::Uuid;

use crate::format::proof::Expected;
use crate::model::{digest, Row};
use crate::node::{self, Node, NodeDifference};
use crate::source::FileContent;
use crate::verify::compare::{Comparison, Mode};
use crate::verify::outcome::{Cause, Difference, Moved};
use crate::verify::shown::text_of;

use super::Sides;

/// The row that a wanted one was compared with.
#[derive(Clone)]
pub struct Stood {
    pub row: Row,
    /// Whether it is not what was written; `None` if the residue does not name it.
    pub moved: Option<bool>,
}

/// Compares the files of a document that is held.
pub fn compare(
    sides: &Sides,
    comparison: &mut Comparison,
    wanted: &[Expected],
    rows: &[Option<Uuid>],
    whole: &HashMap<usize, Node>,
) {
    let mut files: Vec<(&usize, &Node)> = whole.iter().collect();
    files.sort_by_key(|(file, _)| **file);
    for (&file, rebuilt) in files {
        let FileContent::Whole(bytes) = &sides.reading.files[file].content else { continue };
        let of_file: Vec<usize> = (0..wanted.len()).filter(|at| wanted[*at].file == file).collect();
        let parsed;
        let said = match of_file.as_slice() {
            [only] if wanted[*only].pointer.is_empty() => &wanted[*only].source,
            _ => match node::parse(bytes) {
                Ok((node, _)) => {
                    parsed = node;
                    &parsed
                }
                Err(_) => continue,
            },
        };
        if node::equal(said, rebuilt) {
            continue;
        }
        let stood = |at: usize| {
            let row = sides.rows.get(wanted[at].table, rows[at]?)?.clone();
            let written = sides.stored.written(wanted[at].table, row.id());
            let moved = written.map(|written| digest::row(&row) != written);
            Some(Stood { row, moved })
        };
        let of_file: Vec<(&Expected, Option<Stood>)> = of_file.iter().map(|at| (&wanted[*at], stood(*at))).collect();
        compare_file(comparison, file, said, rebuilt, &of_file);
    }
}

/// Compares what a file says with what was written again for it. `rows`: those that the file wants,
/// with what stands there for them.
pub fn compare_file(
    comparison: &mut Comparison,
    file: usize,
    said: &Node,
    rebuilt: &Node,
    rows: &[(&Expected, Option<Stood>)],
) {
    let is_renamed = |(wanted, stood): &(&Expected, Option<Stood>)| {
        stood.as_ref().is_some_and(|stood| comparison.is_renamed(wanted.table, stood.row.id()))
    };
    let renamed = rows.iter().any(is_renamed);
    for place in node::differences(said, rebuilt, comparison.most.max(1)) {
        if renamed && (place.left.is_none() || place.right.is_none()) {
            continue; // A row stands under another key, which was told.
        }
        let is_under = |(wanted, _): &&(&Expected, Option<Stood>)| {
            let rest = place.pointer.strip_prefix(wanted.pointer.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        match rows.iter().filter(is_under).max_by_key(|(wanted, _)| wanted.pointer.len()) {
            Some((wanted, Some(stood))) => within(comparison, wanted, stood, place),
            Some((_, None)) => {}
            None => above(comparison, file, rows, &place),
        }
    }
}

/// A place within a row's object.
fn within(comparison: &mut Comparison, wanted: &Expected, stood: &Stood, place: NodeDifference) {
    let row_moved = comparison.row_moved(&stood.row, stood.moved);
    if comparison.mode == Mode::Loaded && row_moved != Some(false) {
        return; // Its columns were told.
    }
    // The whole object is on one side only: told as a row, or recorded nowhere.
    if place.pointer.len() == wanted.pointer.len() && stood.moved.is_none() {
        return;
    }
    let base = wanted.pointer.clone();
    let rest = place.pointer[base.len()..].to_owned();
    comparison.place(wanted, stood.row.id(), &base, NodeDifference { pointer: rest, ..place }, row_moved);
}

/// A place above the rows: types without entries, the order of a list.
fn above(comparison: &mut Comparison, file: usize, rows: &[(&Expected, Option<Stood>)], place: &NodeDifference) {
    let holds_rows = rows
        .iter()
        .any(|(wanted, _)| wanted.pointer.strip_prefix(&place.pointer).is_some_and(|rest| rest.starts_with('/')));
    if holds_rows && place.right.is_none() || comparison.mode == Mode::Unrecorded {
        return; // Its rows were told.
    }
    let moved = comparison.moved(Some(false));
    let cause = match moved {
        Moved::File => Cause::EditedInFile,
        _ => Cause::LedgerForged,
    };
    let difference = Difference {
        file: comparison.path(file),
        pointer: place.pointer.clone(),
        in_file: place.left.as_ref().map(text_of),
        in_database: place.right.as_ref().map(text_of),
        detail: Some("no row holds this: it stands in the residue".into()),
        ..comparison.blank(cause, moved)
    };
    comparison.tell(difference);
}
