//! Writing batches: one transaction each, tried again where that can help, and narrowed down to the
//! document where the data is at fault.

mod adopt;
mod attempt;
mod insert;
mod keys;
mod known;
pub mod live;
mod owners;
mod parts;
mod references;
pub mod repair;
mod replace;
mod seals;
mod undisputed;
mod writes;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use crate::exec::{with_pauses, Latencies, Stop, PAUSES};
use crate::format::Format;
use crate::model::{DocumentOutcome, FileLayout, Flaw, Note, Place, Reason, Reject};
use crate::source::ReadProblem;
use crate::target::{Connection, Durability, Target, TargetError, TargetErrorKind};

use super::examine::Examiner;
use super::item::{reject, Item, Rejected};
use super::options::Prefer;
use super::reject_files::{RejectFileError, RejectFiles};
use super::repair::Repaired;
use repair::Repairs;

pub use attempt::AttemptError;
pub use insert::{residue_row, Packed};
pub use references::{drop_if_unused_placeholder, is_referred_to, kind_of, Remembered};
pub use seals::seal;

/// What all writers of a run share.
pub struct Env<'a> {
    pub format: &'static dyn Format,
    pub target: &'a dyn Target,
    pub examiner: &'a Examiner<'a>,
    pub run: Uuid,
    pub prefer: Prefer,
    /// Whether ledger and target tables were empty when the run began: then nothing has to be
    /// looked up that this run did not write.
    pub fresh: bool,
    /// Whether the ledger held no reject when the run began.
    pub no_rejects: bool,
    /// A dry run is one transaction on one connection: what is lost cannot be repeated.
    pub dry_run: bool,
    pub reject_files: &'a RejectFiles,
    /// Of a run into empty tables.
    pub remembered: Remembered,
    /// From each batch's begin to its commit, answered.
    pub commits: &'a Latencies,
    /// Of a run that repairs.
    pub repairs: Option<&'a Repairs<'a>>,
    pub stop: &'a Stop,
    /// Set when a connection was lost: the server may have crashed, and commits that did not wait
    /// for the disk with it.
    pub lost: &'a AtomicBool,
}

/// What became of one item of a batch, once the batch is committed.
#[derive(Debug)]
pub struct Done {
    pub outcome: DocumentOutcome,
    /// Whether the ledger has a row of this run for it.
    pub noted: bool,
    /// Rows inserted, updated or deleted, by table.
    pub rows: Vec<(&'static str, u64)>,
    pub notes: Vec<Note>,
    pub files: Vec<FileLayout>,
    pub reject: Option<Reject>,
    /// For a reject that somebody accepted.
    pub accepted: bool,
    /// For a document that could not be read.
    pub problem: Option<ReadProblem>,
    /// For a conflict: what was found.
    pub conflict: Option<String>,
    /// For a repair that could not be made: why.
    pub refused: Option<String>,
    /// Of a repair.
    pub repaired: Option<Box<Repaired>>,
}

impl Done {
    pub fn new(outcome: DocumentOutcome) -> Done {
        Done {
            outcome,
            noted: matches!(outcome, DocumentOutcome::Loaded | DocumentOutcome::Updated),
            rows: Vec::new(),
            notes: Vec::new(),
            files: Vec::new(),
            reject: None,
            accepted: false,
            problem: None,
            conflict: None,
            refused: None,
            repaired: None,
        }
    }

    pub fn add_rows(&mut self, table: &'static str, count: u64) {
        match self.rows.iter_mut().find(|(name, _)| *name == table) {
            Some((_, sum)) => *sum += count,
            None => self.rows.push((table, count)),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error(transparent)]
    Target(#[from] TargetError),
    /// What was being written when the database gave up.
    #[error("cannot write {documents} documents from {first} on")]
    Batch { first: String, documents: usize, source: Box<TargetError> },
    #[error(transparent)]
    RejectFile(#[from] RejectFileError),
}

/// A connection that several threads may share, as a dry run's have to.
pub type Shared = Mutex<Box<dyn Connection>>;

pub fn locked(connection: &Shared) -> MutexGuard<'_, Box<dyn Connection>> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `work`, and again over a new connection if the old one was lost. For work that may be done
/// twice.
pub fn retried<T>(
    env: &Env,
    connection: &Shared,
    durability: Durability,
    mut work: impl FnMut(&mut dyn Connection) -> Result<T, TargetError>,
) -> Result<T, TargetError> {
    let may_help =
        |error: &TargetError| !env.dry_run && matches!(error.kind, TargetErrorKind::Lost | TargetErrorKind::Transient);
    let mut lost = false;
    with_pauses(&PAUSES, may_help, env.stop, || {
        let mut connection = locked(connection);
        if lost {
            *connection = env.target.connect(durability)?;
        }
        let result = work(&mut **connection);
        lost = matches!(&result, Err(error) if error.kind == TargetErrorKind::Lost);
        if lost {
            tracing::warn!("the connection was lost and is made again");
            env.lost.store(true, Ordering::SeqCst);
        }
        result
    })
}

/// Writes a batch to its end: committed, or each of its documents accounted for.
///
/// # Errors
/// What no retry and no rejecting of documents can help.
pub fn write(env: &Env, connection: &Shared, items: &mut [Item]) -> Result<Vec<Done>, WriteError> {
    match env.repairs {
        Some(repairs) => items.iter_mut().map(|item| repair::repair(env, repairs, connection, item)).collect(),
        None => write_from(env, connection, items, false),
    }
}

fn write_from(env: &Env, connection: &Shared, items: &mut [Item], mut careful: bool) -> Result<Vec<Done>, WriteError> {
    let mut pauses = PAUSES.iter();
    // Documents that turned out to be unreadable while they were written.
    let mut failed: Vec<(usize, ReadProblem)> = Vec::new();
    loop {
        save_rejects(env, items)?;
        let skip: Vec<usize> = failed.iter().map(|(index, _)| *index).collect();
        let begun = std::time::Instant::now();
        let result = attempt::attempt(env, &mut **locked(connection), items, &skip, careful);
        // Whatever went wrong, the next attempt looks at what the database really holds.
        let looked = std::mem::replace(&mut careful, true) || !env.fresh;
        match result {
            Ok(mut done) => {
                // A dry run commits nothing.
                if !env.dry_run {
                    env.commits.add(begun.elapsed());
                }
                for (index, problem) in failed {
                    done[index].problem = Some(problem);
                }
                return Ok(done);
            }
            // New documents go into the database before others are replaced, so this one may have
            // come before who has its key now. One after the other, they go in path order.
            Err(AttemptError::Flaw { flaw, .. }) if flaw.reason == Reason::DuplicateClaim && items.len() > 1 => {
                return halves(env, connection, items);
            }
            Err(AttemptError::Flaw { index, flaw }) => turn_into_reject(items, index, flaw),
            Err(AttemptError::Unreadable { index, problem }) => failed.push((index, problem)),
            Err(AttemptError::Target(error)) => match error.kind {
                TargetErrorKind::Data if items.len() > 1 => return halves(env, connection, items),
                // Who looks knows whose key it is that stands in the way.
                TargetErrorKind::Data if !looked => {}
                TargetErrorKind::Data if !matches!(items[0], Item::Reject(_) | Item::Touch(_)) => {
                    turn_into_reject(items, 0, refused(&error));
                }
                TargetErrorKind::Lost | TargetErrorKind::Transient if !env.dry_run => {
                    let Some(pause) = pauses.next() else { return Err(batch_error(items, error)) };
                    tracing::warn!(error = %error, "a batch is tried again in {pause:?}");
                    wait(env.stop, *pause);
                    if error.kind == TargetErrorKind::Lost {
                        env.lost.store(true, Ordering::SeqCst);
                        let fresh = env.target.connect(Durability::Relaxed)?;
                        *locked(connection) = fresh;
                    } else if items.len() > 1 {
                        // The fewer rows, the less likely is it that an application edits one of them meanwhile.
                        return halves(env, connection, items);
                    }
                }
                _ => return Err(batch_error(items, error)),
            },
        }
    }
}

/// Narrows down which documents are at fault.
fn halves(env: &Env, connection: &Shared, items: &mut [Item]) -> Result<Vec<Done>, WriteError> {
    let (first, second) = items.split_at_mut(items.len() / 2);
    let mut done = write_from(env, connection, first, true)?;
    done.extend(write_from(env, connection, second, true)?);
    Ok(done)
}

fn batch_error(items: &[Item], source: TargetError) -> WriteError {
    let first = items.first().map_or(String::new(), |item| format!("{:?}", item.document().path()));
    WriteError::Batch { first, documents: items.len(), source: Box::new(source) }
}

/// Waits, but not once the run was asked to stop.
pub fn wait(stop: &Stop, pause: Duration) {
    let end = std::time::Instant::now() + pause;
    while stop.requested().is_none() && std::time::Instant::now() < end {
        std::thread::sleep(Duration::from_millis(20).min(pause));
    }
}

fn refused(error: &TargetError) -> Flaw {
    let cause = std::error::Error::source(error).map_or_else(|| error.to_string(), |cause| cause.to_string());
    let code = error.code.as_deref().map_or(String::new(), |code| format!(" ({code})"));
    Flaw::new(Reason::RefusedByDatabase, 0, Place::default(), format!("the database refuses its rows: {cause}{code}"))
}

fn turn_into_reject(items: &mut [Item], index: usize, flaw: Flaw) {
    let (digest, bytes) = match &items[index] {
        Item::Load(loaded) => (loaded.source.digest, loaded.source.bytes),
        Item::Stream(streamed) => (streamed.source.digest, streamed.source.bytes),
        Item::Reject(rejected) => (rejected.reject.digest, rejected.reject.bytes),
        Item::Touch(source) => (source.digest, source.bytes),
    };
    let document = items[index].document().clone();
    let reject = reject(&document, digest, bytes, flaw);
    items[index] = Item::Reject(Box::new(Rejected { reject, document, saved: false }));
}

/// Bytes and lines first, the ledger's row after them: whoever finds the row finds the bytes.
fn save_rejects(env: &Env, items: &mut [Item]) -> Result<(), WriteError> {
    for item in items {
        if let Item::Reject(rejected) = item {
            if !rejected.saved {
                env.reject_files.save(&rejected.reject, &rejected.document)?;
                rejected.saved = true;
            }
        }
    }
    Ok(())
}
