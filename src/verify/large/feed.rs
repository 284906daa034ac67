//! The database's side of a document that is not held, in the document's order: what the ledger
//! names, then what else stands below the document's row, then whatever is asked for by its id.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ops::ControlFlow;

use crossbeam_channel::{Receiver, Sender};
use uuid::Uuid;

use crate::format::proof::{Held, HeldPart, HeldRow, Piece, RebuildError, Stopped};
use crate::model::digest;
use crate::model::ledger::{residue as r, DOCUMENTS, RESIDUE};
use crate::model::{Row, Table, Value};
use crate::node::Node;
use crate::target::{Connection, Filter, TargetError};
use crate::verify::ids::{IdMap, IdSet};
use crate::verify::leaves;
use crate::verify::receipt::{DocumentHash, Leaf};
use crate::verify::stored::{part_of, Rows, StoredPart};

use super::Flow;

/// Rows in a message where the ledger cuts none.
const PART_ROWS: usize = 1_000;

/// A row on its way from the database.
pub struct Entry {
    pub table: &'static Table,
    pub id: Uuid,
    /// Whether the ledger knows it.
    pub known: bool,
    /// Whether it is there and not what was written.
    pub moved: bool,
    pub row: Option<Row>,
    pub rebuilt: Option<Node>,
}

impl Entry {
    /// A row that the ledger does not know.
    fn added(table: &'static Table, row: Row) -> Entry {
        Entry { table, id: row.id(), known: false, moved: false, row: Some(row), rebuilt: None }
    }
}

/// What the database says.
pub enum Feed {
    Rows(Vec<Entry>),
    /// A whole file, written again.
    Whole {
        file: usize,
        value: Node,
    },
    /// A table of the ledger, and why what it says cannot be.
    Forged(&'static str, String),
    /// Everything that was asked for has come.
    Answered,
    /// There is nothing more but answers; with the document for the receipt.
    End(Option<Leaf>),
}

/// Rows that are looked for wherever they stand.
pub type Ask = Vec<(&'static Table, Uuid)>;

/// The receiver wants no more.
struct Gone;

/// Sends it all.
pub struct Feeder<'a> {
    flow: &'a Flow<'a>,
    connection: &'a mut dyn Connection,
    /// The rows in which the document may stand.
    standing: Vec<Uuid>,
    feed: Sender<Feed>,
    asked: Receiver<Ask>,
    /// Rows that were found, and so were sent.
    sent: IdSet,
}

impl<'a> Feeder<'a> {
    pub fn new(
        flow: &'a Flow<'a>,
        connection: &'a mut dyn Connection,
        standing: Vec<Uuid>,
        feed: Sender<Feed>,
        asked: Receiver<Ask>,
    ) -> Feeder<'a> {
        Feeder { flow, connection, standing, feed, asked, sent: IdSet::default() }
    }

    pub fn run(mut self) -> Result<(), TargetError> {
        let leaf = self.known()?;
        self.below()?;
        let _ = self.feed.send(Feed::End(leaf));
        while let Ok(ask) = self.asked.recv() {
            self.answer(ask)?;
        }
        Ok(())
    }

    fn send(&self, feed: Feed) -> Result<(), Gone> {
        self.feed.send(feed).map_err(|_| Gone)
    }

    /// The parts that the ledger names, written again.
    fn known(&mut self) -> Result<Option<Leaf>, TargetError> {
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
        self.plain(again.read)?;
        Ok(again.hash.filter(|_| !is_bad).map(DocumentHash::finish))
    }

    /// Parts from this one on, without what the residue says of their rows.
    fn plain(&mut self, from: usize) -> Result<(), TargetError> {
        for part in &self.flow.stored.parts[from..] {
            let Some((entries, _)) = self.part(part, false)? else { continue };
            if self.send(Feed::Rows(entries)).is_err() {
                break;
            }
            self.answer_one()?;
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
                let found = self.answer_one().and_then(|()| self.part(next, loose));
                match found {
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

    /// A part's rows, as the ledger names them and as the tables have them.
    fn part(&mut self, part: &StoredPart, loose: bool) -> Result<Option<(Vec<Entry>, HeldPart)>, TargetError> {
        let id = [Value::Uuid(self.flow.document.id)];
        let number = [Value::Int(part.number)];
        let mut found = None;
        let filter = Filter::Both { first: (r::DOCUMENT_ID, &id), second: (r::PART, &number) };
        self.connection.select(&RESIDUE, &filter, &mut |row| {
            found = Some(row);
            ControlFlow::Continue(())
        })?;
        let Some(part) = found.and_then(|row| part_of(self.flow.judge.format, &row).ok()) else { return Ok(None) };
        let mut rows = Rows::default();
        rows.read(self.connection, part.table, part.ids.iter().copied())?;
        let mut entries = Vec::with_capacity(part.ids.len());
        let mut held = Vec::with_capacity(part.ids.len());
        for (id, written) in part.ids.iter().zip(&part.digests) {
            let row = rows.get(part.table, *id).cloned();
            let moved = row.as_ref().is_some_and(|row| digest::row(row) != *written);
            held.push(HeldRow { id: *id, row: row.clone(), edited: loose && moved });
            if row.is_some() {
                self.sent.insert(*id);
            }
            entries.push(Entry { table: part.table, id: *id, known: true, moved, row, rebuilt: None });
        }
        Ok(Some((entries, HeldPart { table: part.table, rows: held, residue: part.data, added: false })))
    }

    /// Rows in which the document may stand and those below them, as far as they were not sent.
    fn below(&mut self) -> Result<(), TargetError> {
        let main = self.flow.document.kind.main;
        let standing = std::mem::take(&mut self.standing);
        let mut rows = Rows::default();
        rows.read(self.connection, main, standing.iter().copied().filter(|id| !self.sent.contains(id)))?;
        let own = standing.iter().filter_map(|id| rows.get(main, *id));
        let mut batch: Vec<Entry> = own.map(|row| Entry::added(main, row.clone())).collect();
        self.sent.extend(batch.iter().map(|entry| entry.id));
        let mut gone = false;
        let Feeder { flow, connection, feed, sent, .. } = self;
        for parent in standing {
            for table in flow.judge.format.tables() {
                let Some(column) = table.parent else { continue };
                let values = [Value::Uuid(parent)];
                let order: Vec<usize> = table.twin_key.last().copied().into_iter().chain([0]).collect();
                connection.select_ordered(table, &Filter::In { column, values: &values }, &order, &mut |row| {
                    if sent.insert(row.id()) {
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
        }
        let _ = feed.send(Feed::Rows(batch));
        Ok(())
    }

    /// Answers what was asked by now.
    fn answer_one(&mut self) -> Result<(), TargetError> {
        match self.asked.try_recv() {
            Ok(ask) => self.answer(ask),
            Err(_) => Ok(()),
        }
    }

    /// Those of the rows that are there and were not sent.
    fn answer(&mut self, ask: Ask) -> Result<(), TargetError> {
        let mut found: IdMap<Entry> = IdMap::default();
        for table in self.flow.judge.format.tables() {
            let of_table = ask.iter().filter(|(of, id)| of == table && !self.sent.contains(id)).map(|(_, id)| *id);
            let ids: Vec<Uuid> = of_table.collect();
            let mut rows = Rows::default();
            rows.read(self.connection, table, ids)?;
            rows.each(|table, row| drop(found.insert(row.id(), Entry::added(table, row.clone()))));
        }
        let entries = ask.iter().filter_map(|(_, id)| found.remove(id)).collect();
        let _ = self.feed.send(Feed::Rows(entries)).and_then(|()| self.feed.send(Feed::Answered));
        Ok(())
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
