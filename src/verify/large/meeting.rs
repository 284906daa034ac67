//! Brings together what the file wants and what the database has, as both flow past.
//!
//! Rows under the wanted id are compared at once. Whatever needs more than its id to find its
//! partner waits for the end, where all that waits is paired as in a document that is held.

use std::collections::{BTreeMap, VecDeque};

use crossbeam_channel::{Receiver, Sender};
use uuid::Uuid;

use crate::format::proof::Expected;
use crate::model::digest;
use crate::model::ledger::RESIDUE;
use crate::node::Node;
use crate::verify::compare::{Comparison, Here, Mode, RowState};
use crate::verify::ids::IdMap;
use crate::verify::judge::{self, Stood};
use crate::verify::outcome::Cause;
use crate::verify::receipt::Leaf;
use crate::verify::row_ids::RowIds;
use crate::verify::stored::Stored;

use super::feed::{Ask, Entry, Feed};
use super::settle::Until;
use super::{Flow, Found};

/// Rows that are held while their partners are looked for: a few parts.
pub const WAITING: usize = 5_000;
/// What may wait for the end, on either side; more is paired as though the document ended there.
pub const MOST_OPEN: usize = 10_000;
/// Rows that are asked for at once.
const ASKED: usize = 1_000;

/// Both sides of the document, as far as they have come.
pub struct Meeting<'a> {
    pub comparison: Comparison<'a>,
    /// Whether the residue names all rows that were loaded.
    pub is_whole: bool,
    /// Whether the ledger knows any row of the document.
    is_known: bool,
    fed: Option<Receiver<Feed>>,
    ask: Option<Sender<Ask>>,
    /// Rows without a partner so far, in the order in which they came.
    pub entries: IdMap<Entry>,
    pub waiting: VecDeque<Uuid>,
    /// Those that made room for the row that there is under their id.
    pub elsewhere: Vec<Entry>,
    /// What is wanted and has no partner so far, by its place in the document.
    pub open: BTreeMap<u64, Expected>,
    pub open_ids: IdMap<u64>,
    /// How many were wanted, and how many of them were asked for.
    wanted: u64,
    asked: u64,
    /// The row for the first that is wanted.
    pub first_stood: Option<Stood>,
    whole: Vec<(usize, Node)>,
    pub unnamed: u64,
    leaf: Option<Leaf>,
    accounted: RowIds,
    rows: u128,
    answered: bool,
    ended: bool,
}

impl<'a> Meeting<'a> {
    pub fn new(comparison: Comparison<'a>, stored: &Stored, fed: Receiver<Feed>, ask: Sender<Ask>) -> Meeting<'a> {
        Meeting {
            comparison,
            is_whole: stored.is_whole(),
            is_known: stored.is_known(),
            fed: Some(fed),
            ask: Some(ask),
            entries: IdMap::default(),
            waiting: VecDeque::new(),
            elsewhere: Vec::new(),
            open: BTreeMap::new(),
            open_ids: IdMap::default(),
            wanted: 0,
            asked: 0,
            first_stood: None,
            whole: Vec::new(),
            unnamed: 0,
            leaf: None,
            accounted: RowIds::default(),
            rows: 0,
            answered: false,
            ended: false,
        }
    }

    /// Takes what the file wants next.
    pub fn wanted(&mut self, wanted: Expected) {
        let place = self.wanted;
        self.wanted += 1;
        while !self.entries.contains_key(&wanted.id) && self.entries.len() < WAITING && self.receive() {}
        let decides = |entry: &&Entry| entry.table == wanted.table && self.is_final(entry);
        if self.entries.get(&wanted.id).filter(decides).is_some() {
            if let Some(entry) = self.entries.remove(&wanted.id) {
                return self.pair(place, &wanted, entry);
            }
        }
        self.open_ids.insert(wanted.id, place);
        self.open.insert(place, wanted);
        // Before its end the database may still come to them by itself.
        if self.ended && self.wanted - self.asked >= ASKED as u64 {
            self.look_for_open();
        }
        if self.open.len() >= MOST_OPEN {
            self.relieve();
        }
    }

    /// Whether the id alone decides that the row is the one that is wanted under it: not for one
    /// that is gone, nor for one that the ledger does not know while it knows others.
    fn is_final(&self, entry: &Entry) -> bool {
        entry.row.is_some() && (entry.known || !self.is_known)
    }

    fn pair(&mut self, place: u64, wanted: &Expected, entry: Entry) {
        let Some(row) = &entry.row else { return };
        let moved = entry.known.then_some(entry.moved);
        let here = Here { id: entry.id, row, state: moved.map(RowState::Moved), rebuilt: entry.rebuilt.as_ref() };
        self.comparison.row(wanted, here);
        if place == 0 {
            self.first_stood = Some(Stood { row: row.clone(), moved });
        }
    }

    /// Takes what the database says next; `false` at its end.
    fn receive(&mut self) -> bool {
        if self.ended {
            return false;
        }
        match self.fed.as_ref().map(Receiver::recv) {
            Some(Ok(Feed::Rows(entries))) => entries.into_iter().for_each(|entry| self.take(entry)),
            Some(Ok(Feed::Whole { file, value })) => self.whole.push((file, value)),
            Some(Ok(Feed::Forged(table, detail))) => self.comparison.ledger(Cause::LedgerForged, table, detail),
            Some(Ok(Feed::Answered)) => self.answered = true,
            Some(Ok(Feed::End(leaf))) => {
                self.leaf = leaf;
                self.ended = true;
            }
            Some(Err(_)) | None => {
                self.ended = true;
                self.answered = true;
            }
        }
        !self.ended
    }

    fn take(&mut self, entry: Entry) {
        if let Some(row) = &entry.row {
            self.accounted.push(entry.table.name, entry.id);
            let digest = u128::from(u64::from_le_bytes(digest::row(row)));
            self.rows = self.rows.wrapping_add(digest.wrapping_mul(entry.id.as_u128() | 1));
        }
        let place = self.open_ids.get(&entry.id).copied().filter(|_| self.is_final(&entry));
        let wanted = place.filter(|place| self.open[place].table == entry.table).and_then(|at| self.open.remove(&at));
        if let (Some(place), Some(wanted)) = (place, wanted) {
            self.open_ids.remove(&entry.id);
            return self.pair(place, &wanted, entry);
        }
        self.waiting.push_back(entry.id);
        let is_known = entry.known;
        match self.entries.insert(entry.id, entry) {
            Some(twice) if twice.known && is_known => {
                self.comparison.ledger(Cause::LedgerForged, RESIDUE.name, "it names a row twice");
            }
            // The ledger names it in a table in which it is not.
            Some(elsewhere) => self.elsewhere.push(elsewhere),
            None => {}
        }
    }

    /// Looks for rows that are wanted and that neither the ledger names nor the document's row has
    /// below it: below no parent, or another's, they may still be. Only answers come after the end.
    fn look_for_open(&mut self) {
        let ask: Ask = self.open.range(self.asked..).map(|(_, wanted)| (wanted.table, wanted.id)).collect();
        self.asked = self.wanted;
        for ask in ask.chunks(ASKED) {
            self.answered = self.ask.as_ref().is_none_or(|channel| channel.send(ask.to_vec()).is_err());
            while !self.answered {
                self.ended = false;
                self.receive();
            }
        }
        self.ended = true;
    }

    /// After the file's end: what is left on both sides.
    pub fn rest(&mut self) {
        while self.receive() {
            if self.entries.len() >= MOST_OPEN {
                self.relieve();
            }
        }
        self.look_for_open();
        self.settle(Until::End);
    }

    /// Lets the database's side pass by uncompared.
    pub fn pass(&mut self) {
        while self.receive() {
            self.entries.clear();
            self.waiting.clear();
        }
    }

    /// Ends the database's side.
    pub fn hang_up(&mut self) {
        self.ask = None;
        self.fed = None;
    }

    pub fn finish(mut self, flow: &Flow, first: Option<&Expected>) -> Found {
        let refers = first.and_then(|first| judge::refers(self.comparison.resolved, first));
        judge::ledger_row(&mut self.comparison, flow.document, flow.reading, flow.stored, refers);
        // A document that nobody recorded has no rows that somebody should have named.
        if self.comparison.mode == Mode::Loaded {
            judge::tell_unnamed(&mut self.comparison, self.unnamed, self.is_whole);
        }
        if let (Some(first), Some(stood)) = (first, &self.first_stood) {
            for (_, rebuilt) in self.whole.iter().filter(|(file, _)| *file == first.file && first.pointer.is_empty()) {
                let rows = [(first, Some(stood.clone()))];
                judge::compare_file(&mut self.comparison, first.file, &first.source, rebuilt, &rows);
            }
        }
        self.conclude()
    }

    /// Sums it up.
    pub fn conclude(mut self) -> Found {
        self.comparison.finish();
        let judged = judge::conclude(self.comparison);
        Found { judged, accounted: self.accounted, rows: self.rows, leaf: self.leaf }
    }
}
