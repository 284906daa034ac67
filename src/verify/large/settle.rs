//! What waits for more than an id: paired at the end, or before it where too much waits.

use crate::format::proof::Expected;
use crate::node::Node;
use crate::verify::compare::{Mode, RowState};
use crate::verify::ids::IdMap;
use crate::verify::judge::{self, Added, Known, Partner, Stood};

use super::feed::Entry;
use super::meeting::{Meeting, MOST_OPEN, WAITING};

/// How far both sides have come.
#[derive(Clone, Copy, PartialEq)]
pub enum Until {
    Now,
    End,
}

impl Meeting<'_> {
    /// Makes room before the end: pairs what says the same, as where all rows were adopted, and tells
    /// what has waited longest if that was not enough.
    pub fn relieve(&mut self) {
        self.settle(Until::Now);
        if self.entries.len() >= WAITING {
            let open = (std::mem::take(&mut self.open), std::mem::take(&mut self.open_ids));
            self.settle(Until::End);
            (self.open, self.open_ids) = open;
        } else if self.open.len() >= MOST_OPEN {
            let entries = (std::mem::take(&mut self.entries), std::mem::take(&mut self.waiting));
            self.settle(Until::End);
            (self.entries, self.waiting) = entries;
        }
    }

    /// Pairs what waits on both sides. At the end, what is left is told; before, it waits on.
    pub fn settle(&mut self, until: Until) {
        let open = std::mem::take(&mut self.open);
        self.open_ids.clear();
        let (mut places, mut wanted): (Vec<u64>, Vec<Expected>) = open.into_iter().unzip();
        let mut entries = std::mem::take(&mut self.entries);
        let mut left = std::mem::take(&mut self.elsewhere);
        left.extend(std::mem::take(&mut self.waiting).iter().filter_map(|id| entries.remove(id)));
        let (mut known, mut added) = sorted(&mut left);
        let mode = match until {
            Until::End => self.comparison.mode,
            // Nothing is paired by its mere place.
            Until::Now => Mode::Changed,
        };
        let mut pairs = judge::pair(self.comparison.resolved, &wanted, &mut known, &mut added, mode);
        let mut keep: IdMap<Option<Node>> = IdMap::default();
        if until == Until::Now {
            let without = pairs.iter().map(|pair| matches!(pair, Partner::None)).collect::<Vec<bool>>();
            let kept = split(&mut wanted, &without).into_iter();
            for (place, wanted) in split(&mut places, &without).into_iter().zip(kept) {
                self.open_ids.insert(wanted.id, place);
                self.open.insert(place, wanted);
            }
            split(&mut pairs, &without);
            for known in known.iter_mut().filter(|known| !known.paired) {
                known.paired = true;
                keep.insert(known.id, known.rebuilt.take());
            }
            for added in added.iter_mut().filter(|added| !added.paired) {
                added.paired = true;
                keep.insert(added.row.id(), None);
            }
        }
        let compared = judge::compare_pairs(&mut self.comparison, &wanted, &known, &added, &pairs, self.is_whole);
        self.unnamed += compared.unnamed;
        if places.first() == Some(&0) {
            let first = left.iter().find(|entry| Some(entry.id) == compared.rows[0]);
            self.first_stood = first
                .and_then(|entry| Some(Stood { row: entry.row.clone()?, moved: entry.known.then_some(entry.moved) }));
        }
        for mut entry in left {
            if let Some(rebuilt) = keep.remove(&entry.id) {
                entry.rebuilt = rebuilt;
                self.waiting.push_back(entry.id);
                self.entries.insert(entry.id, entry);
            }
        }
    }
}

/// Rows that the ledger knows, and such that it does not know.
fn sorted(entries: &mut [Entry]) -> (Vec<Known<'_>>, Vec<Added<'_>>) {
    let (mut known, mut added) = (Vec::new(), Vec::new());
    for Entry { table, id, known: is_known, moved, row, rebuilt } in entries {
        match (*is_known, row.as_ref()) {
            (true, row) => {
                let rebuilt = rebuilt.take();
                known.push(Known { table, id: *id, row, state: RowState::Moved(*moved), rebuilt, paired: false });
            }
            (false, Some(row)) => added.push(Added { table, row, paired: false }),
            (false, None) => {}
        }
    }
    (known, added)
}

/// Takes out those that are marked.
fn split<T>(all: &mut Vec<T>, marked: &[bool]) -> Vec<T> {
    let mut marks = marked.iter();
    let (taken, left) = std::mem::take(all).into_iter().partition(|_| *marks.next().expect("a mark for each"));
    *all = left;
    taken
}
