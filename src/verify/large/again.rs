//! A document that is not held, written again part by part from its columns and its residue.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use uuid::Uuid;

use crate::format::proof::{Held, Piece, RebuildError, Stopped};
use crate::model::ledger::{DOCUMENTS, RESIDUE};
use crate::node::Node;
use crate::target::TargetError;
use crate::verify::leaves;
use crate::verify::receipt::{DocumentHash, Leaf};

use super::feed::{Entry, Feed, Feeder, Gone};

impl Feeder<'_> {
    /// The parts that the ledger names, written again.
    pub fn known(&mut self) -> Result<Option<Leaf>, TargetError> {
        let stored = self.flow.stored;
        let Some(document) = stored.document.as_ref().filter(|_| stored.is_complete()) else {
            self.plain(0)?;
            return Ok(None);
        };
        let Some(held) = document.held(self.flow.judge.format) else {
            let _ = self.send(Feed::Forged(DOCUMENTS.name, "its files are not what transload writes".into()));
            self.plain(0)?;
            return Ok(None);
        };
        let mut again = self.again(&held, 0, false)?;
        // As with a document that is held: rows that somebody edited are taken as they are where the
        // residue does not fit to them.
        if again.bad.is_some() && again.moved {
            again = Again { hash: None, ..self.again(&held, again.sent, true)? };
        }
        let is_bad = again.bad.is_some();
        let _ = again.bad.is_some_and(|bad| self.send(Feed::Forged(RESIDUE.name, bad)).is_err());
        for (file, value) in again.whole {
            let role = held.files.get(file).map(|file| file.role);
            let here = self.flow.document.files.iter().position(|file| Some(file.role) == role);
            let _ = here.is_some_and(|file| self.send(Feed::Whole { file, value }).is_err());
        }
        let _ = self.send(Feed::Rows(again.left));
        // The rows of the other parts are the document's all the same.
        self.plain(again.read.max(again.sent))?;
        Ok(again.hash.filter(|_| !is_bad).map(DocumentHash::finish))
    }

    /// Parts from this one on, without what the residue says of their rows.
    fn plain(&mut self, from: usize) -> Result<(), TargetError> {
        for part in &self.flow.stored.parts[from..] {
            let Some((entries, _)) = self.part(part, false)? else { continue };
            if self.send(Feed::Rows(entries)).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Writes the document again; the rows of the first `sent` parts are not sent once more.
    /// `loose`: rows that were edited are taken as they are.
    fn again(&mut self, held: &Held, sent: usize, loose: bool) -> Result<Again, TargetError> {
        let flow = self.flow;
        let mut hash = DocumentHash::new(flow.document.id, held.kind.name, held.key.clone());
        let numbers: Vec<usize> = held.files.iter().map(|file| hash.file(file.path.to_text(), file.role.0)).collect();
        let mut parts = flow.stored.parts.iter();
        // Both closures below look at the part under way.
        let part: RefCell<(Vec<Entry>, HashMap<Uuid, usize>)> = RefCell::default();
        let mut again = Again { sent, ..Again::default() };
        let mut failed = None;
        let moved = Cell::new(false);
        let mut whole = Vec::new();
        let mut flush = |this: &Feeder, read: usize| {
            let (entries, _) = std::mem::take(&mut *part.borrow_mut());
            if read > again.sent {
                again.sent = read;
                return this.send(Feed::Rows(entries));
            }
            Ok(())
        };
        let mut read = 0;
        let result = flow.judge.format.rebuild(
            held,
            &mut || {
                flush(self, read).map_err(|Gone| Stopped)?;
                let Some(next) = parts.next() else { return Ok(None) };
                match self.part(next, loose) {
                    Ok(Some((entries, held))) => {
                        read += 1;
                        moved.set(moved.get() || entries.iter().any(|entry| entry.moved));
                        let by_id = entries.iter().enumerate().map(|(at, entry)| (entry.id, at)).collect();
                        *part.borrow_mut() = (entries, by_id);
                        Ok(Some(held))
                    }
                    // It was there a moment ago, in the same snapshot.
                    Ok(None) => Ok(None),
                    Err(error) => {
                        failed = Some(error);
                        Err(Stopped)
                    }
                }
            },
            &mut |piece| {
                if flow.judge.receipt {
                    leaves::add(&mut hash, &numbers, &piece);
                }
                match piece {
                    Piece::Item { row, value, .. } | Piece::Line { row, value, .. } => {
                        let (entries, by_id) = &mut *part.borrow_mut();
                        if let Some(at) = by_id.get(&row) {
                            entries[*at].rebuilt = Some(value);
                        }
                    }
                    Piece::Whole { file, value } => whole.push((file, value)),
                    Piece::Lines { .. } | Piece::Mark { .. } | Piece::New { .. } => {}
                }
                Ok(())
            },
        );
        if let Some(error) = failed {
            return Err(error);
        }
        again.read = read;
        again.moved = moved.get();
        again.whole = whole;
        again.left = if read > again.sent { part.into_inner().0 } else { Vec::new() };
        again.hash = flow.judge.receipt.then_some(hash);
        again.bad = match result {
            Err(RebuildError::Bad(bad)) => Some(bad.to_string()),
            Ok(()) | Err(RebuildError::Stopped) => None,
        };
        Ok(again)
    }
}

/// What came of writing the document again.
#[derive(Default)]
struct Again {
    /// Parts that were read, and those of them whose rows were sent.
    read: usize,
    sent: usize,
    /// Whether a row of them is not what was written.
    moved: bool,
    /// The rows of the last part, if they were not sent.
    left: Vec<Entry>,
    whole: Vec<(usize, Node)>,
    hash: Option<DocumentHash>,
    bad: Option<String>,
}
