//! The rows of documents: many small ones by a few questions, a large one part by part.
//!
//! Rows stand where the database has them now: a message that was moved to another chat is missing
//! in its document and added to the other.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use crossbeam_channel::Sender;
use uuid::Uuid;

use crate::format::proof::{Held, HeldPart, HeldRow};
use crate::format::Format;
use crate::ledger::{self, LedgerDocument};
use crate::model::ledger::documents as d;
use crate::model::{digest, Anchor, DocumentKind, Row, Table, Value};
use crate::target::{Connection, Filter, TargetError};

use super::names::Names;
use super::rows::{added_part, Rows};
use super::stored::{self, Stored};

/// Rows of documents that are held together, in bytes; what has more goes part by part.
pub const MOST_WEIGHT: usize = 64 * 1024 * 1024;
/// Rows of a part that the ledger does not cut.
const PART_ROWS: usize = 1_000;

/// A document that the ledger knows.
#[derive(Clone, Debug)]
pub struct Known {
    pub ledger: LedgerDocument,
    pub held: Held,
}

/// A document with its parts, or why it has none.
pub struct Fetched {
    pub held: Held,
    pub bytes: u64,
    pub parts: Result<Vec<HeldPart<'static>>, &'static str>,
}

/// Asks the database on behalf of documents.
pub struct Fetch<'a> {
    pub format: &'static dyn Format,
    pub connection: &'a mut dyn Connection,
    pub names: Names,
}

impl Fetch<'_> {
    /// The documents with all their rows; `None` if these are more than `most` bytes.
    pub fn known(&mut self, documents: &[Known], most: usize) -> Result<Option<Vec<Fetched>>, TargetError> {
        let ids: Vec<Uuid> = documents.iter().map(|known| known.ledger.id).collect();
        let mut parts = stored::all(self.connection, self.format, &ids)?;
        let mut rows = Rows::default();
        if !self.load(documents, &parts, &mut rows, most)? {
            return Ok(None);
        }
        let mut fetched = Vec::with_capacity(documents.len());
        for known in documents {
            let parts = match parts.remove(&known.ledger.id).unwrap_or(Err("the ledger has no part of it")) {
                Ok(parts) => Ok(self.parts(known, parts, &mut rows)?),
                Err(why) => Err(why),
            };
            fetched.push(Fetched { held: known.held.clone(), bytes: known.ledger.bytes, parts });
        }
        Ok(Some(fetched))
    }

    /// Reads the rows that the documents name and what stands beside them; `false` if they are too
    /// many.
    fn load(
        &mut self,
        documents: &[Known],
        parts: &HashMap<Uuid, stored::Parts>,
        rows: &mut Rows,
        most: usize,
    ) -> Result<bool, TargetError> {
        let mut wanted: HashMap<(&'static str, usize), (&'static Table, HashSet<Uuid>)> = HashMap::new();
        let mut want = |table: &'static Table, column: usize, id: Uuid| {
            wanted.entry((table.name, column)).or_insert((table, HashSet::new())).1.insert(id);
        };
        for known in documents {
            let Some(Ok(parts)) = parts.get(&known.ledger.id) else { continue };
            let kind = known.held.kind;
            match (kind.anchor, owner_column(kind)) {
                (Anchor::FirstRow, _) => {
                    let Some(id) = parts[0].ids.first() else { continue };
                    want(kind.main, 0, *id);
                    for (child, parent) in children(self.format, kind.main) {
                        want(child, parent, *id);
                    }
                }
                (Anchor::Referenced, Some(column)) => {
                    known.ledger.row_id.into_iter().for_each(|owner| want(kind.main, column, owner));
                }
                _ => parts.iter().for_each(|part| part.ids.iter().for_each(|id| want(part.table, 0, *id))),
            }
        }
        for ((_, column), (table, ids)) in wanted {
            if !rows.read(self.connection, table, column, ids, most)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A document's parts, with what stands beside them as the last.
    fn parts(
        &mut self,
        known: &Known,
        parts: Vec<Stored>,
        rows: &mut Rows,
    ) -> Result<Vec<HeldPart<'static>>, TargetError> {
        let kind = known.held.kind;
        let first = parts.first().and_then(|part| part.ids.first().copied());
        let owner = match kind.anchor {
            Anchor::FirstRow => first,
            Anchor::Referenced => known.ledger.row_id,
            Anchor::None => None,
        };
        let mut named: HashSet<Uuid> = HashSet::new();
        let mut held = Vec::with_capacity(parts.len() + 1);
        for part in parts {
            named.extend(&part.ids);
            let column = below(part.table, kind);
            let is_here = |row: &Row| column.is_none_or(|column| row.0[column].as_uuid() == owner);
            held.push(self.part(known, part, |table, id| rows.take(table, id, is_here))?);
        }
        let beside: Vec<(&'static Table, usize)> = match kind.anchor {
            Anchor::FirstRow => children(self.format, kind.main),
            Anchor::Referenced => owner_column(kind).map(|column| (kind.main, column)).into_iter().collect(),
            Anchor::None => Vec::new(),
        };
        for (table, column) in beside {
            let Some(owner) = owner else { continue };
            if kind.anchor == Anchor::Referenced && rows.has_others(table, column, owner, &named) {
                match self.named_by_others(known)? {
                    Some(others) => named.extend(others),
                    // The first of the owner's documents takes them.
                    None => continue,
                }
            }
            held.extend(added_part(table, rows.take_below(table, column, owner, &named)));
        }
        Ok(held)
    }

    /// The rows that other documents about the same owner have; `None` if one of those comes before
    /// this one.
    fn named_by_others(&mut self, known: &Known) -> Result<Option<HashSet<Uuid>>, TargetError> {
        let owner: Vec<Value> = known.ledger.row_id.map(Value::Uuid).into_iter().collect();
        let documents = ledger::readable_documents_by(self.connection, d::ROW_ID, &owner)?;
        let others = documents.into_iter().filter(|other| other.kind == known.ledger.kind).map(|other| other.id);
        let others: Vec<Uuid> = others.filter(|other| *other != known.ledger.id).collect();
        if others.iter().any(|other| *other < known.ledger.id) {
            return Ok(None);
        }
        let parts = stored::all(self.connection, self.format, &others)?;
        Ok(Some(parts.values().flatten().flatten().flat_map(|part| part.ids.iter().copied()).collect()))
    }

    fn part(
        &mut self,
        known: &Known,
        part: Stored,
        mut take: impl FnMut(&'static Table, Uuid) -> Option<Row>,
    ) -> Result<HeldPart<'static>, TargetError> {
        let mut rows = Vec::with_capacity(part.ids.len());
        for (id, written) in part.ids.iter().zip(&part.digests) {
            let mut row = take(part.table, *id);
            let edited = row.as_ref().is_some_and(|row| digest::row(row) != *written);
            if let (Some(row), true, Anchor::FirstRow) = (&mut row, edited, known.held.kind.anchor) {
                let said = known.ledger.reference.as_deref();
                self.names.apply(self.connection, self.format, part.table, row, said)?;
            }
            rows.push(HeldRow { id: *id, row: row.map(Cow::Owned), edited });
        }
        Ok(HeldPart { table: part.table, rows, residue: part.residue.map(Cow::Owned), added: false })
    }

    /// Sends a document part by part, however many rows it has.
    pub fn stream(&mut self, known: &Known, feed: &Sender<Feed>) -> Result<(), TargetError> {
        let kind = known.held.kind;
        let mut owner = None;
        let mut named: HashSet<Uuid> = HashSet::new();
        for number in 0.. {
            let part = match stored::one(self.connection, self.format, known.ledger.id, number)? {
                Ok(Some(part)) => part,
                Ok(None) => break,
                Err(why) => {
                    // Whoever takes it may have gone.
                    let _ = feed.send(Feed::Refused(why));
                    return Ok(());
                }
            };
            let mut rows = Rows::default();
            rows.read_all(self.connection, part.table, 0, part.ids.iter().copied())?;
            if number == 0 && kind.anchor == Anchor::FirstRow {
                owner = part.ids.first().copied().filter(|id| rows.has(part.table, *id));
            }
            if kind.anchor == Anchor::FirstRow {
                named.extend(&part.ids);
            }
            let column = below(part.table, kind);
            let is_here = |row: &Row| column.is_none_or(|column| row.0[column].as_uuid() == owner);
            let part = self.part(known, part, |table, id| rows.take(table, id, is_here))?;
            if feed.send(Feed::Part(part)).is_err() {
                return Ok(());
            }
        }
        match owner {
            Some(owner) => self.stream_children(kind.main, owner, &named, feed),
            None => Ok(()),
        }
    }

    /// Sends the rows below a row that nobody has named.
    pub fn stream_children(
        &mut self,
        main: &'static Table,
        owner: Uuid,
        named: &HashSet<Uuid>,
        feed: &Sender<Feed>,
    ) -> Result<(), TargetError> {
        for (child, parent) in children(self.format, main) {
            let values = [Value::Uuid(owner)];
            let order: Vec<usize> = child.twin_key.last().copied().into_iter().chain([0]).collect();
            let mut rows = Vec::new();
            let mut gone = false;
            let filter = Filter::In { column: parent, values: &values };
            self.connection.select_ordered(child, &filter, &order, &mut |row| {
                if !named.contains(&row.id()) {
                    rows.push(row);
                }
                if rows.len() >= PART_ROWS {
                    let part = added_part(child, std::mem::take(&mut rows));
                    gone = part.into_iter().any(|part| feed.send(Feed::Part(part)).is_err());
                }
                if gone {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })?;
            if let Some(part) = added_part(child, rows) {
                let _ = feed.send(Feed::Part(part));
            }
        }
        Ok(())
    }

    /// Rows that no document has, each the first of a document of its own, with what stands below
    /// them; those whose rows are too many come alone.
    pub fn added(&mut self, table: &'static Table, ids: &[Uuid]) -> Result<(Vec<Row>, Option<Below>), TargetError> {
        let mut rows = Rows::default();
        rows.read_all(self.connection, table, 0, ids.iter().copied())?;
        let mut firsts = rows.take_all(table);
        for row in &mut firsts {
            self.names.apply(self.connection, self.format, table, row, None)?;
        }
        for (child, parent) in children(self.format, table) {
            if !rows.read(self.connection, child, parent, ids.iter().copied(), MOST_WEIGHT)? {
                return Ok((firsts, None));
            }
        }
        Ok((firsts, Some(Below { rows, format: self.format, table })))
    }

    /// The rows of owners of whom no document speaks, with the owners' names in them.
    pub fn of_owners(&mut self, kind: &'static DocumentKind, owners: &[Uuid]) -> Result<Vec<Vec<Row>>, TargetError> {
        let Some(column) = owner_column(kind) else { return Ok(Vec::new()) };
        let reference = kind.main.columns[column].reference;
        let of = |known: &&&'static DocumentKind| reference.is_some_and(|reference| known.name == reference.kind);
        let referred = self.format.kinds().iter().find(of).copied();
        let mut groups = Vec::with_capacity(owners.len());
        for owner in owners {
            let mut rows = Rows::default();
            rows.read_all(self.connection, kind.main, column, [*owner])?;
            let name = match referred {
                Some(referred) => self.names.of(self.connection, referred, *owner)?,
                None => owner.to_string(),
            };
            let mut rows = rows.take_below(kind.main, column, *owner, &HashSet::new());
            rows.iter_mut().for_each(|row| row.0[column] = Value::Reference(name.clone()));
            groups.push(rows);
        }
        Ok(groups)
    }
}

/// A large document on its way.
pub enum Feed {
    Part(HeldPart<'static>),
    Refused(&'static str),
    /// All of it came.
    End,
}

/// What stands below rows that no document has.
pub struct Below {
    rows: Rows,
    format: &'static dyn Format,
    table: &'static Table,
}

impl Below {
    pub fn take(&mut self, owner: Uuid) -> Vec<HeldPart<'static>> {
        let named = HashSet::new();
        let of = |(child, parent)| added_part(child, self.rows.take_below(child, parent, owner, &named));
        children(self.format, self.table).into_iter().flat_map(of).collect()
    }
}

/// The tables whose rows stand below those of a main table, with the column that says so: the
/// tables between it and the next that is a kind's own.
fn children(format: &dyn Format, main: &'static Table) -> Vec<(&'static Table, usize)> {
    let is_main = |table: &Table| format.kinds().iter().any(|kind| *kind.main == *table);
    let after = format.tables().iter().copied().skip_while(|table| *table != main).skip(1);
    after.take_while(|table| !is_main(table)).filter_map(|table| Some((table, table.parent?))).collect()
}

/// The column that names the row that a document's rows refer to.
pub fn owner_column(kind: &DocumentKind) -> Option<usize> {
    kind.main.columns.iter().position(|column| column.reference.is_some())
}

/// The column that says below what a document's rows of this table stand.
fn below(table: &Table, kind: &DocumentKind) -> Option<usize> {
    match kind.anchor {
        Anchor::Referenced => owner_column(kind),
        _ => table.parent,
    }
}
