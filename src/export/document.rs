//! One document from its parts to its files, and what that counts.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

use uuid::Uuid;

use crate::format::proof::{Held, HeldPart, NextPart, Piece, RebuildError, Stopped};
use crate::format::Format;
use crate::model::{Anchor, Instant, RelPath, Value};

use super::account::TableTally;
use super::tree::Tree;
use super::write::{WriteProblem, Writer};
use super::ExportError;

/// What became of a document.
#[derive(Debug)]
pub enum Outcome {
    Exported {
        files: u64,
        bytes: u64,
    },
    /// None of its rows is left.
    Gone,
    Refused {
        path: RelPath,
        why: String,
    },
    /// Whoever gives the parts cannot go on, and knows why.
    Stopped,
}

/// What the document's rows were.
#[derive(Debug, Default)]
pub struct Counts {
    pub tables: BTreeMap<&'static str, TableTally>,
    /// Rows that the ledger or the database has, and those that are there.
    known: u64,
    present: u64,
}

/// Writes a document's files. `bytes`: how large they were, as far as the ledger knows. `now`: rows
/// cannot have been changed after it.
pub fn write(
    format: &dyn Format,
    tree: &Tree,
    held: &Held,
    bytes: u64,
    now: Instant,
    next: &mut NextPart,
) -> Result<(Outcome, Counts), ExportError> {
    // Both closures below look at what is under way.
    let writer = RefCell::new(Writer::new(tree, &held.files, bytes));
    let counts = RefCell::new(Counts::default());
    let gaps = RefCell::new(Gaps::default());
    let has_lines = held.kind.anchor == Anchor::None;
    let mut problem = None;
    let rebuilt = format.rebuild(
        held,
        &mut || {
            let part = next()?;
            if let Some(part) = &part {
                counts.borrow_mut().note(part);
                changes(part, now).into_iter().for_each(|time| writer.borrow_mut().note_change(time));
                if has_lines {
                    gaps.borrow_mut().note(part);
                }
            }
            Ok(part)
        },
        &mut |piece| {
            let gone = if has_lines { gaps.borrow_mut().before(&piece) } else { 0 };
            writer.borrow_mut().take(piece, gone).map_err(|why| {
                problem = Some(why);
                Stopped
            })
        },
    );
    let mut writer = writer.into_inner();
    let counts = counts.into_inner();
    let outcome = match (rebuilt, problem) {
        (Ok(()), _) if counts.known > 0 && counts.present == 0 => Outcome::Gone,
        (Ok(()), _) => match writer.finish() {
            Ok(files) => Outcome::Exported { files, bytes: writer.bytes },
            Err(problem) => refused(problem)?,
        },
        (Err(RebuildError::Bad(bad)), _) => {
            let path = held.files.first().map_or_else(|| RelPath::new(""), |file| file.path.clone());
            Outcome::Refused { path, why: format!("its residue does not fit its rows: {bad}") }
        }
        (Err(RebuildError::Stopped), Some(problem)) => refused(problem)?,
        (Err(RebuildError::Stopped), None) => Outcome::Stopped,
    };
    if !matches!(outcome, Outcome::Exported { .. }) {
        writer.discard().or_else(|problem| refused(problem).map(drop))?;
    }
    Ok((outcome, counts))
}

fn refused(problem: WriteProblem) -> Result<Outcome, ExportError> {
    match problem {
        WriteProblem::Refused { path, why } => Ok(Outcome::Refused { path, why }),
        WriteProblem::Io { path, source } => Err(ExportError::Write { path, source }),
    }
}

/// When rows of the part were edited or added, as far as they say; times to come say something else.
fn changes(part: &HeldPart, now: Instant) -> Option<Instant> {
    let changed = part.rows.iter().filter(|row| row.edited || part.added).filter_map(|row| row.row.as_ref());
    changed.flat_map(|row| row.0.iter().filter_map(Value::as_time)).filter(|time| *time <= now).max()
}

impl Counts {
    fn note(&mut self, part: &HeldPart) {
        let tally = self.tables.entry(part.table.name).or_default();
        for row in &part.rows {
            self.known += 1;
            self.present += u64::from(row.row.is_some());
            match row.row {
                None => tally.deleted += 1,
                Some(_) => {
                    tally.exported += 1;
                    tally.edited += u64::from(row.edited);
                    tally.added += u64::from(part.added);
                }
            }
        }
    }
}

/// Lines that nobody has any more: the lines after them move up.
#[derive(Default)]
struct Gaps {
    gone: u64,
    /// Of each row, how many lines before it are gone.
    rows: VecDeque<(Uuid, u64)>,
}

impl Gaps {
    fn note(&mut self, part: &HeldPart) {
        for row in &part.rows {
            match row.row {
                None => self.gone += 1,
                Some(_) => self.rows.push_back((row.id, self.gone)),
            }
        }
    }

    fn before(&mut self, piece: &Piece) -> u64 {
        let Piece::Line { row, .. } = piece else { return self.gone };
        while let Some((id, gone)) = self.rows.pop_front() {
            if id == *row {
                return gone;
            }
        }
        self.gone
    }
}
