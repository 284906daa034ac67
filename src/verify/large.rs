//! Judging a document that is too large to be held: its file flows past its rows.
//!
//! One thread asks the database part by part and writes the rows' objects again; the caller's
//! thread reads the file. A few parts of rows are held, and what found no partner yet.

use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;

use crossbeam_channel::{bounded, Receiver, Sender};
use uuid::Uuid;

use crate::exec::{crew, CrewError};
use crate::format::proof::{Expected, HeldPart, HeldRow, Piece, RebuildError, Stopped, Unexpected};
use crate::model::digest;
use crate::model::ledger::{residue as r, DOCUMENTS, RESIDUE};
use crate::model::{Anchor, Content, Document, FileRole, RelPath, Row, Table, Value};
use crate::node::Node;
use crate::source::{self, FileContent, Reading};
use crate::target::{Connection, Filter, TargetError, TargetErrorKind};

use super::batch::{Checked, Judge, State};
use super::compare::{Comparison, Here, Mode};
use super::ids::{IdMap, IdSet};
use super::judge::{self, Judged};
use super::leaves::{self, of_files, Both};
use super::outcome::Cause;
use super::receipt::{DocumentHash, Leaf};
use super::resolve::{resolve, Resolved};
use super::stored::{is_sealed, part_of, Rows, Stored};

/// Rows that wait for their partners: a few parts.
const WAITING: usize = 5_000;
/// Rows in a message from the database's thread where the ledger cuts none.
const PART_ROWS: usize = 1_000;
/// What may find no partner until the end; more is told at once.
const MOST_OPEN: usize = 20_000;

/// A row on its way from the database.
struct Entry {
    table: &'static Table,
    id: Uuid,
    /// Whether the ledger knows it.
    known: bool,
    /// Whether it is there and not what was written.
    moved: bool,
    row: Option<Row>,
    rebuilt: Option<Node>,
}

impl Entry {
    /// A row that the ledger does not know.
    fn added(table: &'static Table, row: Row) -> Entry {
        Entry { table, id: row.id(), known: false, moved: false, row: Some(row), rebuilt: None }
    }
}

/// What the database's thread says.
enum Feed {
    Rows(Vec<Entry>),
    Whole {
        file: usize,
        value: Node,
    },
    Forged(String),
    /// How many parts there were, and the document for the receipt.
    End(usize, Option<Leaf>),
}

/// Judges it. `claimed`: another file has its key.
pub fn judge(
    judge: &Judge,
    connection: &mut dyn Connection,
    document: Document,
    reading: Reading,
    stored: HashMap<Uuid, Stored>,
    claimed: bool,
) -> Result<Checked, TargetError> {
    let none = Stored::default();
    let held = stored.get(&document.id).unwrap_or(&none);
    let bytes = reading.bytes();
    let modified = reading.files.iter().map(|file| file.modified).max();
    let mut state = State { files: Some(reading.digest), rows: 0, modified };
    let twin = stored.get(&document.twin_id());
    if let Some(judged) = judge::rejected_as_is(held, twin, &reading) {
        let leaves = Both::default();
        return Ok(Checked { document, judged, accounted: Vec::new(), state, bytes, leaves });
    }
    if claimed {
        let resolved = Resolved::default();
        let comparison = Comparison::new(judge.format, &document, Mode::Unrecorded, &resolved, judge.most);
        let judged = judge::claimed_document(comparison, held);
        return Ok(Checked { document, judged, accounted: Vec::new(), state, bytes, leaves: Both::default() });
    }
    let files: Vec<(RelPath, FileRole)> = document.files.iter().map(|file| (file.path.clone(), file.role)).collect();
    let flow = Flow { judge, document: &document, reading: &reading, stored: held, files: &files };
    let (judged, accounted, rows, database) = flow.run(connection)?;
    state.rows = rows;
    let file = if judge.receipt { of_files(judge, &document, &reading) } else { None };
    Ok(Checked { document, judged, accounted, state, bytes, leaves: Both { file, database } })
}

struct Flow<'a> {
    judge: &'a Judge<'a>,
    document: &'a Document,
    reading: &'a Reading,
    stored: &'a Stored,
    files: &'a [(RelPath, FileRole)],
}

type Found = (Judged, Vec<(&'static str, Uuid)>, u128, Option<Leaf>);

impl Flow<'_> {
    fn expect(&self, take: &mut dyn FnMut(Expected) -> ControlFlow<()>) -> Result<(), Unexpected> {
        let facts = self.judge.facts(self.document, self.reading, self.stored.document.as_ref(), self.files);
        let open = |file: usize| match &self.reading.files[file].content {
            FileContent::Whole(bytes) => Ok(Content::Whole(bytes)),
            FileContent::Large => {
                let judge = self.judge;
                let stream = source::open_stream(judge.root, self.document, self.reading, file, &judge.read)?;
                Ok(Content::Stream(Box::new(stream)))
            }
        };
        self.judge.format.expect(&facts, &open, take)
    }

    fn run(&self, connection: &mut dyn Connection) -> Result<Found, TargetError> {
        let mut first = None;
        let begun = self.expect(&mut |row| {
            first = Some(row);
            ControlFlow::Break(())
        });
        let mut rows = Rows::default();
        let (resolved, own) = self.prepare(connection, first.as_ref(), &mut rows)?;
        let mode = match &self.stored.document {
            Some(ledger) if ledger.digest == self.reading.digest => Mode::Loaded,
            Some(_) => Mode::Changed,
            None => Mode::Unrecorded,
        };
        let format = self.judge.format;
        let mut comparison = Comparison::new(format, self.document, mode, &resolved, self.judge.most);
        comparison.parent = own;
        for (table, detail) in &self.stored.forged {
            comparison.ledger(Cause::LedgerForged, table, detail.clone());
        }
        judge::both(&mut comparison, self.stored, self.reading);
        if mode == Mode::Unrecorded {
            let is_there = |first: &Expected| rows.get(first.table, first.id).is_some();
            let derived =
                first.as_ref().filter(|first| !judge::is_legacy_id(self.document, first.id)).is_some_and(is_there);
            if own.is_none() && !derived {
                return Ok((
                    judge::missing_document(self.stored, begun.as_ref().err(), comparison),
                    Vec::new(),
                    0,
                    None,
                ));
            }
            if derived {
                let detail = "the document's rows are there, and the ledger does not know it";
                comparison.ledger(Cause::LedgerMissing, DOCUMENTS.name, detail);
            }
        }
        let mut pairing = Pairing::new(comparison);
        let (feed, feed_in) = bounded::<Feed>(2);
        let result = crew::run(|crew| {
            crew.spawn("rows", move || self.feed(connection, own, mode, &feed));
            let result = match begun {
                Ok(()) => self.expect(&mut |wanted| {
                    pairing.wanted(wanted, &feed_in);
                    ControlFlow::Continue(())
                }),
                Err(problem) => Err(problem),
            };
            match result {
                Ok(()) => pairing.rest(&feed_in),
                // What the file does not say has no partners; the rows are the document's all the same.
                Err(problem) => {
                    while pairing.receive(&feed_in) {
                        pairing.entries.clear();
                        pairing.waiting.clear();
                    }
                    judge::unreadable(&mut pairing.comparison, &problem);
                }
            }
            drop(feed_in);
            Ok(())
        });
        match result {
            Ok(()) => {}
            Err(CrewError::Failed(error)) => return Err(error),
            Err(error) => {
                let context = "a document that is too large to be held could not be compared";
                return Err(TargetError::new(TargetErrorKind::Other, context).because(error));
            }
        }
        Ok(pairing.finish(self))
    }

    /// What the document refers to, and the row that it stands in.
    fn prepare(
        &self,
        connection: &mut dyn Connection,
        first: Option<&Expected>,
        rows: &mut Rows,
    ) -> Result<(Resolved, Option<Uuid>), TargetError> {
        let format = self.judge.format;
        let main = self.document.kind.main;
        let ledger = self.stored.document.as_ref().and_then(|ledger| ledger.row_id);
        let mut texts = std::collections::BTreeSet::new();
        let mut own = None;
        if self.document.kind.anchor == Anchor::FirstRow {
            // As the first part names it; the ledger's own row may say so, too, and is not believed.
            let named = self.stored_part(connection, 0)?.and_then(|row| part_of(format, &row).ok());
            let named = named.and_then(|part| part.ids.first().copied());
            let candidates = [named, first.map(|first| first.id), ledger];
            rows.read(connection, main, candidates.into_iter().flatten())?;
            own = candidates.into_iter().flatten().find(|id| rows.get(main, *id).is_some());
        }
        if let Some(first) = first {
            for (column, cell) in first.table.columns.iter().zip(&first.cells) {
                if let (Some(reference), Value::Reference(text)) = (column.reference, &cell.value) {
                    texts.insert((reference.kind, text.clone()));
                }
            }
            if let (None, [column]) = (own, main.natural_key) {
                let value = first.cells[*column].value.clone();
                own = rows.read_by(connection, main, *column, &[value])?.first().copied();
            }
        }
        let mut held = std::collections::BTreeSet::new();
        rows.each(|table, row| {
            for (column, value) in table.columns.iter().zip(&row.0) {
                if let (Some(reference), Some(id)) = (column.reference, value.as_uuid()) {
                    held.insert((reference.kind, id));
                }
            }
        });
        Ok((resolve(self.judge, connection, rows, &texts, &held)?, own))
    }

    /// The database's side, in the document's order: what the ledger names, then what else stands
    /// below the document's row.
    fn feed(
        &self,
        connection: &mut dyn Connection,
        own: Option<Uuid>,
        mode: Mode,
        feed: &Sender<Feed>,
    ) -> Result<(), TargetError> {
        let mut named = IdSet::default();
        if mode != Mode::Unrecorded {
            match self.known(connection, feed, &mut named)? {
                ControlFlow::Continue(()) => {}
                ControlFlow::Break(()) => return Ok(()),
            }
        }
        let Some(own) = own else { return Ok(()) };
        let main = self.document.kind.main;
        let mut batch = Vec::new();
        let mut gone = false;
        if mode == Mode::Unrecorded {
            let values = [Value::Uuid(own)];
            connection.select(main, &Filter::In { column: 0, values: &values }, &mut |row| {
                batch.push(Entry::added(main, row));
                ControlFlow::Continue(())
            })?;
        }
        for table in self.judge.format.tables() {
            let Some(column) = table.parent else { continue };
            let values = [Value::Uuid(own)];
            let order: Vec<usize> = table.twin_key.last().copied().into_iter().chain([0]).collect();
            connection.select_ordered(table, &Filter::In { column, values: &values }, &order, &mut |row| {
                if !named.contains(&row.id()) {
                    batch.push(Entry::added(table, row));
                }
                if batch.len() >= PART_ROWS {
                    gone |= feed.send(Feed::Rows(std::mem::take(&mut batch))).is_err();
                }
                match gone {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            })?;
        }
        let _ = feed.send(Feed::Rows(batch));
        Ok(())
    }

    /// The parts that the ledger names, written again.
    fn known(
        &self,
        connection: &mut dyn Connection,
        feed: &Sender<Feed>,
        named: &mut IdSet,
    ) -> Result<ControlFlow<()>, TargetError> {
        let Some(held) = self.stored.document.as_ref().and_then(|ledger| ledger.held(self.judge.format)) else {
            let _ = feed.send(Feed::Forged("the document's files are not what transload writes".into()));
            return Ok(ControlFlow::Continue(()));
        };
        // Both closures below look at the part under way.
        let part: std::cell::RefCell<(Vec<Entry>, HashMap<Uuid, usize>)> = Default::default();
        let mut hash = DocumentHash::new(self.document.id, held.kind.name, held.key.clone());
        let numbers: Vec<usize> = held.files.iter().map(|file| hash.file(file.path.to_text(), file.role.0)).collect();
        let mut number = 0;
        let mut failed = None;
        let gone = std::cell::Cell::new(false);
        let flush = || {
            let (entries, _) = std::mem::take(&mut *part.borrow_mut());
            if !entries.is_empty() && feed.send(Feed::Rows(entries)).is_err() {
                gone.set(true);
            }
        };
        let result = self.judge.format.rebuild(
            &held,
            &mut || {
                flush();
                if gone.get() {
                    return Err(Stopped);
                }
                match self.part(connection, number, feed) {
                    Ok(None) => Ok(None),
                    Ok(Some((entries, held))) => {
                        number += 1;
                        named.extend(entries.iter().map(|entry| entry.id));
                        let by_id = entries.iter().enumerate().map(|(at, entry)| (entry.id, at)).collect();
                        *part.borrow_mut() = (entries, by_id);
                        Ok(Some(held))
                    }
                    Err(error) => {
                        failed = Some(error);
                        Err(Stopped)
                    }
                }
            },
            &mut |piece| {
                if self.judge.receipt {
                    leaves::add(&mut hash, &numbers, &piece);
                }
                match piece {
                    Piece::Item { row, value, .. } | Piece::Line { row, value, .. } => {
                        let (entries, by_id) = &mut *part.borrow_mut();
                        if let Some(at) = by_id.get(&row) {
                            entries[*at].rebuilt = Some(value);
                        }
                    }
                    Piece::Whole { file, value } => {
                        let role = held.files.get(file).map(|file| file.role);
                        let here = self.document.files.iter().position(|file| Some(file.role) == role);
                        if let Some(file) = here {
                            let _ = feed.send(Feed::Whole { file, value });
                        }
                    }
                    Piece::Lines { .. } | Piece::Mark { .. } | Piece::New { .. } => {}
                }
                Ok(())
            },
        );
        flush();
        if let Some(error) = failed {
            return Err(error);
        }
        if let Err(RebuildError::Bad(bad)) = result {
            let _ = feed.send(Feed::Forged(bad.to_string()));
            // The rows are the document's all the same.
            while let Some((entries, _)) = self.part(connection, number, feed)? {
                number += 1;
                named.extend(entries.iter().map(|entry| entry.id));
                if feed.send(Feed::Rows(entries)).is_err() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        let leaf = self.judge.receipt.then(|| hash.finish());
        let _ = feed.send(Feed::End(number, leaf));
        Ok(if gone.get() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// A part as the ledger has it.
    fn stored_part(&self, connection: &mut dyn Connection, number: usize) -> Result<Option<Row>, TargetError> {
        let id = [Value::Uuid(self.document.id)];
        let at = [Value::Int(number as i64)];
        let mut found = None;
        let filter = Filter::Both { first: (r::DOCUMENT_ID, &id), second: (r::PART, &at) };
        connection.select(&RESIDUE, &filter, &mut |row| {
            found = Some(row);
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// A part's rows, as the ledger names them and as the tables have them.
    fn part(
        &self,
        connection: &mut dyn Connection,
        number: usize,
        feed: &Sender<Feed>,
    ) -> Result<Option<(Vec<Entry>, HeldPart)>, TargetError> {
        let Some(found) = self.stored_part(connection, number)? else { return Ok(None) };
        if !is_sealed(&found) {
            let _ = feed.send(Feed::Forged("a part is not what transload wrote: its seal is broken".into()));
        }
        let part = match part_of(self.judge.format, &found) {
            Ok(part) => part,
            Err(detail) => {
                let _ = feed.send(Feed::Forged(detail));
                return Ok(None);
            }
        };
        let mut rows = Rows::default();
        rows.read(connection, part.table, part.ids.iter().copied())?;
        let mut entries = Vec::with_capacity(part.ids.len());
        let mut held = Vec::with_capacity(part.ids.len());
        for (id, written) in part.ids.iter().zip(&part.digests) {
            let row = rows.get(part.table, *id).cloned();
            let moved = row.as_ref().is_some_and(|row| digest::row(row) != *written);
            held.push(HeldRow { id: *id, row: row.clone(), edited: moved });
            entries.push(Entry { table: part.table, id: *id, known: true, moved, row, rebuilt: None });
        }
        Ok(Some((entries, HeldPart { table: part.table, rows: held, residue: part.data, added: false })))
    }
}

/// A row with whether it is not what was written.
type Partner = (Row, Option<bool>);

/// Brings what the file wants and what the database has together as both flow past.
struct Pairing<'a> {
    comparison: Comparison<'a>,
    /// Rows without a partner so far, in the document's order.
    waiting: VecDeque<Uuid>,
    entries: IdMap<Entry>,
    open: Vec<Expected>,
    whole: Vec<(usize, Node)>,
    /// The document's first row as the file wants it, with the one that there is and whether it moved.
    first: Option<(Expected, Option<Partner>)>,
    /// Rows of the document that its residue does not name.
    unnamed: u64,
    parts: Option<usize>,
    leaf: Option<Leaf>,
    accounted: Vec<(&'static str, Uuid)>,
    rows: u128,
    ended: bool,
}

impl<'a> Pairing<'a> {
    fn new(comparison: Comparison<'a>) -> Pairing<'a> {
        Pairing {
            comparison,
            waiting: VecDeque::new(),
            entries: IdMap::default(),
            open: Vec::new(),
            whole: Vec::new(),
            first: None,
            unnamed: 0,
            parts: None,
            leaf: None,
            accounted: Vec::new(),
            rows: 0,
            ended: false,
        }
    }

    fn wanted(&mut self, wanted: Expected, feed: &Receiver<Feed>) {
        while !self.entries.contains_key(&wanted.id) && self.entries.len() < WAITING && self.receive(feed) {}
        if let Some(entry) = self.entries.remove(&wanted.id) {
            return self.pair(wanted, entry);
        }
        // Under another id, the row that says the same and has waited longest.
        self.forget_taken();
        let front = self.waiting.front().and_then(|id| self.entries.get(id));
        if front.is_some_and(|entry| entry.table == wanted.table && says_the_same(&wanted, entry)) {
            let id = self.waiting.pop_front();
            if let Some(entry) = id.and_then(|id| self.entries.remove(&id)) {
                return self.pair(wanted, entry);
            }
        }
        match self.open.len() < MOST_OPEN {
            true => self.open.push(wanted),
            false => self.comparison.missing_row(&wanted, wanted.id),
        }
    }

    fn forget_taken(&mut self) {
        while self.waiting.front().is_some_and(|id| !self.entries.contains_key(id)) {
            self.waiting.pop_front();
        }
    }

    fn pair(&mut self, wanted: Expected, entry: Entry) {
        let is_loaded = self.comparison.mode == Mode::Loaded;
        let moved = entry.known.then_some(entry.moved);
        match &entry.row {
            None => self.comparison.missing_row(&wanted, entry.id),
            Some(row) if !entry.known && is_loaded && entry.id != wanted.id => {
                self.comparison.foreign_id(&wanted, wanted.id, row.id());
            }
            Some(row) => {
                self.unnamed += u64::from(!entry.known && is_loaded);
                self.comparison.row(&wanted, Here { id: entry.id, row, moved, rebuilt: entry.rebuilt.as_ref() });
            }
        }
        if self.first.is_none() && wanted.pointer.is_empty() {
            self.first = Some((wanted, entry.row.map(|row| (row, moved))));
        }
    }

    /// Takes what the database says next; `false` at its end.
    fn receive(&mut self, feed: &Receiver<Feed>) -> bool {
        match feed.recv() {
            Ok(Feed::Rows(entries)) => {
                for entry in entries {
                    if let Some(row) = &entry.row {
                        self.accounted.push((entry.table.name, entry.id));
                        let digest = u128::from(u64::from_le_bytes(digest::row(row)));
                        self.rows = self.rows.wrapping_add(digest.wrapping_mul(entry.id.as_u128() | 1));
                    }
                    self.waiting.push_back(entry.id);
                    if self.entries.insert(entry.id, entry).is_some() {
                        self.comparison.ledger(Cause::LedgerForged, RESIDUE.name, "it names a row twice");
                    }
                }
            }
            Ok(Feed::Whole { file, value }) => self.whole.push((file, value)),
            Ok(Feed::Forged(detail)) => self.comparison.ledger(Cause::LedgerForged, RESIDUE.name, detail),
            Ok(Feed::End(parts, leaf)) => {
                self.parts = Some(parts);
                self.leaf = leaf;
            }
            Err(_) => self.ended = true,
        }
        !self.ended
    }

    /// After the file's end: what is left on both sides.
    fn rest(&mut self, feed: &Receiver<Feed>) {
        while self.receive(feed) {
            if self.entries.len() >= MOST_OPEN {
                self.tell_extra();
            }
        }
        let mut by_words: HashMap<String, Vec<Uuid>> = HashMap::new();
        self.forget_taken();
        for id in self.waiting.iter().rev().filter(|id| self.entries.contains_key(id)) {
            by_words.entry(words_of_row(&self.entries[id])).or_default().push(*id);
        }
        let mut left = Vec::new();
        for wanted in std::mem::take(&mut self.open) {
            let twin = by_words.get_mut(&words_of(&wanted)).and_then(Vec::pop);
            match twin.and_then(|id| self.entries.remove(&id)) {
                Some(entry) => self.pair(wanted, entry),
                None => left.push(wanted),
            }
        }
        // Rows that the ledger names under other ids were adopted: they stand in the same place, or
        // did before they were deleted.
        let adopted = |entry: &Entry| entry.known && self.comparison.mode == Mode::Loaded;
        let mut places: VecDeque<Uuid> =
            self.waiting.iter().copied().filter(|id| self.entries.get(id).is_some_and(adopted)).collect();
        for wanted in left {
            let place = places.iter().position(|id| self.entries[id].table == wanted.table);
            match place.and_then(|at| places.remove(at)).and_then(|id| self.entries.remove(&id)) {
                Some(entry) => self.pair(wanted, entry),
                None => self.comparison.missing_row(&wanted, wanted.id),
            }
        }
        self.tell_extra();
    }

    fn tell_extra(&mut self) {
        for id in std::mem::take(&mut self.waiting) {
            let Some(entry) = self.entries.remove(&id) else { continue };
            match &entry.row {
                Some(row) => self.comparison.extra_row(entry.table, row, entry.known),
                None if self.comparison.mode == Mode::Loaded => {
                    let detail = format!("it names the row {id} of {}, which nothing wants", entry.table.name);
                    self.comparison.ledger(Cause::LedgerForged, RESIDUE.name, detail);
                }
                None => {}
            }
        }
    }

    fn finish(mut self, flow: &Flow) -> Found {
        if self.parts == Some(0) {
            self.comparison.ledger(Cause::LedgerMissing, RESIDUE.name, "the document has no part");
        }
        let refers = self.first.as_ref().and_then(|(first, _)| judge::refers(self.comparison.resolved, first));
        judge::ledger_row(&mut self.comparison, flow.document, flow.reading, flow.stored, refers);
        if self.unnamed > 0 {
            let detail = format!("it does not name {} rows of the document", self.unnamed);
            self.comparison.ledger(Cause::LedgerMissing, RESIDUE.name, detail);
        }
        if let Some((wanted, Some((row, moved)))) = &self.first {
            let row_moved = self.comparison.row_moved(row, *moved);
            for (_, rebuilt) in self.whole.iter().filter(|(file, _)| *file == wanted.file) {
                for place in crate::node::differences(&wanted.source, rebuilt, flow.judge.most) {
                    self.comparison.place(wanted, row.id(), "", place, row_moved);
                }
            }
        }
        self.comparison.finish();
        (judge::conclude(self.comparison), self.accounted, self.rows, self.leaf)
    }
}

fn says_the_same(wanted: &Expected, entry: &Entry) -> bool {
    entry.row.is_some() && !wanted.table.twin_key.is_empty() && words_of(wanted) == words_of_row(entry)
}

/// What identifies a row below its parent in the application's eyes, as one text.
fn words_of(wanted: &Expected) -> String {
    let values = wanted.table.twin_key.iter().map(|at| format!("{:?}", wanted.cells[*at].value));
    values.collect::<Vec<_>>().join("\0")
}

fn words_of_row(entry: &Entry) -> String {
    let Some(row) = &entry.row else { return String::new() };
    entry.table.twin_key.iter().map(|at| format!("{:?}", row.0[*at])).collect::<Vec<_>>().join("\0")
}
