//! The database's side of a document that is not held, in the document's order: what the ledger
//! names, then what else stands below the document's row, then whatever is asked for by its id.

use std::borrow::Cow;
use std::ops::ControlFlow;

use crossbeam_channel::{Receiver, Sender};
use uuid::Uuid;

use crate::format::proof::{HeldPart, HeldRow};
use crate::model::digest;
use crate::model::ledger::{residue as r, RESIDUE};
use crate::model::{Row, Table, Value};
use crate::node::Node;
use crate::target::{Connection, Filter, TargetError};
use crate::verify::ids::{IdMap, IdSet};
use crate::verify::receipt::Leaf;
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
pub struct Gone;

/// Sends it all.
pub struct Feeder<'a> {
    pub flow: &'a Flow<'a>,
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
        // Made as large as it will be: what grows is held twice for a while.
        let sent = IdSet::with_capacity_and_hasher(flow.named, Default::default());
        Feeder { flow, connection, standing, feed, asked, sent }
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

    pub fn send(&self, feed: Feed) -> Result<(), Gone> {
        self.feed.send(feed).map_err(|_| Gone)
    }

    /// A part's rows, as the ledger names them and as the tables have them.
    pub fn part(
        &mut self,
        part: &StoredPart,
        loose: bool,
    ) -> Result<Option<(Vec<Entry>, HeldPart<'static>)>, TargetError> {
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
            held.push(HeldRow { id: *id, row: row.clone().map(Cow::Owned), edited: loose && moved });
            if row.is_some() {
                self.sent.insert(*id);
            }
            entries.push(Entry { table: part.table, id: *id, known: true, moved, row, rebuilt: None });
        }
        Ok(Some((
            entries,
            HeldPart { table: part.table, rows: held, residue: part.data.map(Cow::Owned), added: false },
        )))
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
