//! Which documents there are to write: those of the ledger, and those that rows would make of which
//! no document knows.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crossbeam_channel::Sender;
use uuid::Uuid;

use crate::ledger::{self, uuids, LedgerDocument};
use crate::model::ledger::{documents as d, DOCUMENTS};
use crate::model::{Anchor, DocumentKind, RelPath, Row, Table, Value};
use crate::target::{Connection, Filter, TargetError};

use super::account::Report;
use super::fetch::{owner_column, Known};
use super::worker::refuse;
use super::Settings;

/// Documents that are asked for together.
const MOST_DOCUMENTS: usize = 256;
const MOST_BYTES: u64 = 2 * 1024 * 1024;
/// Ids that are looked up together.
const MOST_IDS: usize = 1_000;
/// Directories that are remembered.
const MOST_HOMES: usize = 100;

/// Work for one of the writers.
pub enum Chunk {
    Known(Vec<Known>),
    /// One whose rows are not held together.
    Large(Box<Known>),
    /// Rows of a main table that no document has.
    Rows(&'static Table, Vec<Uuid>),
    /// Rows that no document speaks of refer to these.
    Owners(&'static DocumentKind, Vec<Uuid>),
}

/// The directories in which documents stand, so that new ones come beside them.
#[derive(Default)]
pub struct Homes(Mutex<Vec<PathBuf>>);

impl Homes {
    fn note(&self, path: &RelPath) {
        let Some(directory) = path.as_path().parent() else { return };
        let mut homes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if homes.len() < MOST_HOMES && !homes.iter().any(|home| home == directory) {
            homes.push(directory.to_owned());
        }
    }

    /// The path, or the same one in the directory below which the other documents stand.
    pub fn place(&self, path: &RelPath) -> RelPath {
        let homes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(directory) = path.as_path().parent() else { return path.clone() };
        let other = homes.iter().filter(|home| home.ends_with(directory)).min_by_key(|home| home.as_os_str().len());
        other.map_or_else(|| path.clone(), |home| RelPath::new(home.join(path.file_name())))
    }
}

/// Finds the documents, in two connections: one that goes through tables, one that asks.
pub struct Planner<'a> {
    pub settings: Settings<'a>,
    pub walk: &'a mut dyn Connection,
    pub ask: &'a mut dyn Connection,
    pub homes: &'a Homes,
    pub chunks: Sender<Chunk>,
    /// Whether to end early.
    pub halted: &'a dyn Fn() -> bool,
}

impl Planner<'_> {
    /// Sends all chunks; what can be no document is refused here.
    pub fn run(&mut self, report: &mut Report) -> Result<(), TargetError> {
        if self.documents(report)?.is_break() {
            return Ok(());
        }
        let mut done: Vec<&'static Table> = Vec::new();
        for &kind in self.settings.kinds {
            let flow = match kind.anchor {
                Anchor::FirstRow if !done.contains(&kind.main) => {
                    done.push(kind.main);
                    self.rows(kind.main)?
                }
                Anchor::Referenced => self.owners(kind)?,
                _ => ControlFlow::Continue(()),
            };
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn documents(&mut self, report: &mut Report) -> Result<ControlFlow<()>, TargetError> {
        let kinds: Vec<Value> = self.settings.kinds.iter().map(|kind| Value::Text(kind.name.into())).collect();
        let (settings, homes, chunks, halted) = (self.settings, self.homes, &self.chunks, self.halted);
        let mut together = Vec::new();
        let mut bytes = 0;
        let mut flow = ControlFlow::Continue(());
        self.walk.select(&DOCUMENTS, &Filter::In { column: d::KIND, values: &kinds }, &mut |row| {
            let Some(known) = known(&settings, homes, &row, report) else { return ControlFlow::Continue(()) };
            let anchor = known.held.kind.anchor;
            // A memory file is written whole; a log may be compressed, so that its size says little.
            let large = match anchor {
                Anchor::FirstRow => known.ledger.bytes > settings.whole_bytes,
                Anchor::Referenced => false,
                Anchor::None => true,
            };
            if large {
                flow = send(chunks, Chunk::Large(Box::new(known)), halted);
                return flow;
            }
            if bytes + known.ledger.bytes > MOST_BYTES || together.len() >= MOST_DOCUMENTS {
                flow = send(chunks, Chunk::Known(std::mem::take(&mut together)), halted);
                bytes = 0;
            }
            bytes += known.ledger.bytes;
            together.push(known);
            flow
        })?;
        Ok(match flow {
            ControlFlow::Continue(()) => send(chunks, Chunk::Known(together), halted),
            flow => flow,
        })
    }

    /// Rows of a main table that stand for no document.
    fn rows(&mut self, table: &'static Table) -> Result<ControlFlow<()>, TargetError> {
        let (settings, ask, chunks, halted) = (self.settings, &mut *self.ask, &self.chunks, self.halted);
        let is_of = |document: &LedgerDocument| {
            settings.format.kinds().iter().any(|kind| kind.name == document.kind && *kind.main == *table)
        };
        each_unknown(self.walk, ask, table, 0, &is_of, &mut HashSet::new(), &mut |ids| {
            send(chunks, Chunk::Rows(table, ids), halted)
        })
    }

    /// Rows that refer to something of which no document of the kind speaks.
    fn owners(&mut self, kind: &'static DocumentKind) -> Result<ControlFlow<()>, TargetError> {
        let Some(column) = owner_column(kind) else { return Ok(ControlFlow::Continue(())) };
        let (ask, chunks, halted) = (&mut *self.ask, &self.chunks, self.halted);
        let is_of = |document: &LedgerDocument| document.kind == kind.name;
        each_unknown(self.walk, ask, kind.main, column, &is_of, &mut HashSet::new(), &mut |owners| {
            send(chunks, Chunk::Owners(kind, owners), halted)
        })
    }
}

/// A document of the ledger, or its refusal.
fn known(settings: &Settings, homes: &Homes, row: &Row, report: &mut Report) -> Option<Known> {
    let name = row.0[d::KIND].as_text().unwrap_or_default();
    let kind = settings.kinds.iter().find(|kind| kind.name == name)?;
    report.kind(kind.name).documents += 1;
    let document = LedgerDocument::from_row(row).ok();
    let held =
        document.as_ref().and_then(|document| document.held(settings.format)).filter(|held| !held.files.is_empty());
    match (document, held) {
        (Some(ledger), Some(held)) => {
            held.files.iter().for_each(|file| homes.note(&file.path));
            Some(Known { ledger, held })
        }
        (document, _) => {
            let key = document.as_ref().map(|document| document.key.clone()).unwrap_or_default();
            let file = document.and_then(|document| document.paths().into_iter().next()).unwrap_or_default();
            refuse(report, kind, key, file, "the ledger's row of it is not what transload writes".into(), false);
            None
        }
    }
}

/// Calls `take` with the ids in a column that no document of the ledger stands for, each once.
fn each_unknown(
    walk: &mut dyn Connection,
    ask: &mut dyn Connection,
    table: &'static Table,
    column: usize,
    is_of: &dyn Fn(&LedgerDocument) -> bool,
    taken: &mut HashSet<Uuid>,
    take: &mut dyn FnMut(Vec<Uuid>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, TargetError> {
    let mut ids: HashSet<Uuid> = HashSet::new();
    let mut result = Ok(ControlFlow::Continue(()));
    let mut look = |ids: &mut HashSet<Uuid>| -> Result<ControlFlow<()>, TargetError> {
        let mut unknown: HashSet<Uuid> = std::mem::take(ids);
        let wanted: Vec<Uuid> = unknown.iter().copied().collect();
        for document in ledger::readable_documents_by(ask, d::ROW_ID, &uuids(&wanted))? {
            if let Some(id) = document.row_id.filter(|_| is_of(&document)) {
                unknown.remove(&id);
            }
        }
        // Only what a column may say twice needs to be remembered.
        let mut new: Vec<Uuid> = unknown.into_iter().filter(|id| column == 0 || taken.insert(*id)).collect();
        new.sort_unstable();
        Ok(if new.is_empty() { ControlFlow::Continue(()) } else { take(new) })
    };
    walk.scan(table, &[column], &Filter::All, &mut |values| {
        ids.extend(values[0].as_uuid());
        if ids.len() < MOST_IDS {
            return ControlFlow::Continue(());
        }
        result = look(&mut ids);
        match result {
            Ok(flow) => flow,
            Err(_) => ControlFlow::Break(()),
        }
    })?;
    match result? {
        ControlFlow::Continue(()) => look(&mut ids),
        flow => Ok(flow),
    }
}

fn send(chunks: &Sender<Chunk>, chunk: Chunk, halted: &dyn Fn() -> bool) -> ControlFlow<()> {
    match halted() || chunks.send(chunk).is_err() {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
}
