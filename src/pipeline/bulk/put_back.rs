//! Putting back what was set aside: step after step, the long ones side by side.
//!
//! ```text
//! statistics, indexes || -> keys -> foreign keys -> their checks || -> last look, others may write
//! ```
//!
//! The ledger says what is left, so it makes no difference who begins this, or how often.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{bounded, RecvTimeoutError};
use uuid::Uuid;

use crate::exec::{crew, with_pauses, CrewError, Halt, Progress, Snapshot, Stop, PAUSES};
use crate::format::Format;
use crate::target::bulk::{self, BulkSession, Piece, Step};
use crate::target::{Lock, LockError, Target, TargetError, TargetErrorKind};

use super::clashes::{take_out, Taken};
use crate::pipeline::phase::{lock_again, LOCK_CHECK, TICK};

/// The steps before the last look, and what may go side by side. Statistics of one table wait for whatever
/// else is done to it, so they come first, when there is most to do meanwhile; but those of an expression
/// that is indexed need the index.
const STAGES: [&[Step]; 4] =
    [&[Step::Statistics, Step::Index], &[Step::Key], &[Step::Reference], &[Step::Check, Step::Statistics]];

/// What it takes.
pub struct PutBack<'a> {
    pub format: &'static dyn Format,
    pub target: &'a dyn Target,
    /// How many builds may run at once.
    pub sessions: usize,
    pub progress: &'a Progress,
    pub tick: &'a (dyn Fn(&Snapshot) + Sync),
    /// Who holds the lock.
    pub holder: &'a str,
}

#[derive(Debug, thiserror::Error)]
pub enum PutBackError {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error("`{name}` cannot be put back: {rows} rows of {table} that no document made stand in the way")]
    Foreign { name: String, table: String, rows: usize },
    #[error("`{name}` cannot be put back: rows still stand in the way after their documents were taken out")]
    Stays { name: String, source: TargetError },
    #[error("a part of putting back broke down, which is a mistake in transload")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Puts everything back; returns the documents that were taken out because their rows stood in the
/// way of a key. A request to stop makes no difference: half of it helps nobody.
pub fn put_back(work: &PutBack, lock: &mut Box<dyn Lock>) -> Result<Taken, PutBackError> {
    let mut first = work.target.bulk_session()?;
    let mut taken = Taken::default();
    let run = bulk::pieces(&mut *first)?.first().map(|piece| piece.run);
    let Some(run) = run else { return Ok(taken) };
    work.progress.set_work("building indexes");
    // Rows may have to be taken out.
    work.target.admit(Some(run));
    drop(first);
    let mut sessions = Vec::new();
    for _ in 0..work.sessions.max(1) {
        sessions.push(work.target.bulk_session()?);
    }
    let mut cleared = HashSet::new();
    for steps in STAGES {
        loop {
            let refused = take(work, lock, &mut sessions, steps)?;
            for (piece, error) in &refused {
                if !cleared.insert(piece.position) {
                    return Err(PutBackError::Stays { name: piece.name.clone(), source: again(error) });
                }
                let clashes = sessions[0].in_the_way(piece)?;
                taken.add(take_out(work.format, &mut *sessions[0], piece, &clashes)?);
            }
            if refused.is_empty() {
                break;
            }
        }
    }
    let rest = bulk::pieces(&mut *sessions[0])?;
    retry(work, &mut sessions[0], |session| session.finish(&rest))?;
    work.target.admit(None);
    Ok(taken)
}

/// The same error once more, for whoever reports it.
fn again(error: &TargetError) -> TargetError {
    let mut same = TargetError::new(error.kind, error.context.clone());
    same.code.clone_from(&error.code);
    match std::error::Error::source(error) {
        Some(cause) => same.because(cause.to_string()),
        None => same,
    }
}

type Refused = Vec<(Piece, TargetError)>;

/// Takes all of these steps that are left; returns those that rows stand in the way of.
fn take(
    work: &PutBack,
    lock: &mut Box<dyn Lock>,
    sessions: &mut [Box<dyn BulkSession>],
    steps: &[Step],
) -> Result<Refused, PutBackError> {
    let mut pieces = bulk::pieces(&mut *sessions[0])?;
    let waiting = if steps.contains(&Step::Index) { with_expressions(&pieces) } else { HashSet::new() };
    let waits = |piece: &Piece| piece.step == Step::Statistics && waiting.contains(&piece.table);
    pieces.retain(|piece| steps.contains(&piece.step) && !waits(piece));
    if pieces.is_empty() {
        return Ok(Refused::new());
    }
    // The largest first, so that all end at about the same time.
    let tables: Vec<&str> = pieces.iter().map(|piece| piece.table.as_str()).collect();
    let sizes = sessions[0].sizes(&tables)?;
    let mut sized: Vec<(u64, Piece)> = sizes.into_iter().zip(pieces).collect();
    let turn = |piece: &Piece| steps.iter().position(|step| *step == piece.step);
    sized.sort_by_key(|(size, piece)| (turn(piece), std::cmp::Reverse(*size), piece.position));
    let queue = Mutex::new(Queue { left: sized.into_iter().map(|(_, piece)| piece).collect(), at_work: Vec::new() });
    let refused = Mutex::new(Refused::new());
    let busy = if steps.iter().all(|step| step.is_parallel()) { sessions.len() } else { 1 };
    let result = crew::run(|crew| {
        let (working, finished) = bounded::<()>(0);
        let halt = crew.halt();
        for (number, session) in sessions.iter_mut().take(busy).enumerate() {
            let (working, halt, queue, refused) = (working.clone(), halt.clone(), &queue, &refused);
            crew.spawn(format!("build-{}", number + 1), move || {
                let result = build(work, session, queue, refused, &halt);
                drop(working);
                result
            });
        }
        drop(working);
        let mut checked = std::time::Instant::now();
        while let Err(RecvTimeoutError::Timeout) = finished.recv_timeout(TICK) {
            (work.tick)(&work.progress.snapshot());
            if checked.elapsed() >= LOCK_CHECK {
                check_lock(work, lock)?;
                checked = std::time::Instant::now();
            }
        }
        Ok(())
    });
    match result {
        Ok(()) => Ok(refused.into_inner().unwrap_or_else(PoisonError::into_inner)),
        Err(CrewError::Failed(error)) => Err(error),
        Err(error) => Err(PutBackError::Broken(Box::new(error))),
    }
}

/// The tables of which an index that is still to be built has, or may have, expressions in it.
fn with_expressions(pieces: &[Piece]) -> HashSet<String> {
    let may_have = |piece: &&Piece| {
        let columns = piece.definition.split(" WHERE ").next().unwrap_or_default();
        piece.step == Step::Index && columns.matches('(').count() > 1
    };
    pieces.iter().filter(may_have).map(|piece| piece.table.clone()).collect()
}

/// What is left of some steps.
struct Queue {
    left: VecDeque<Piece>,
    /// Tables of which a step is being taken that another one of the same table would wait for.
    at_work: Vec<String>,
}

impl Queue {
    /// The first that need not wait for another one, or just the first.
    fn next(&mut self) -> Option<Piece> {
        let free = self.left.iter().position(|piece| !self.at_work.contains(&piece.table));
        let piece = self.left.remove(free.unwrap_or(0))?;
        if piece.step != Step::Index {
            self.at_work.push(piece.table.clone());
        }
        Some(piece)
    }

    fn done(&mut self, piece: &Piece) {
        if piece.step == Step::Index {
            return;
        }
        if let Some(at) = self.at_work.iter().position(|table| *table == piece.table) {
            self.at_work.swap_remove(at);
        }
    }
}

fn check_lock(work: &PutBack, lock: &mut Box<dyn Lock>) -> Result<(), PutBackError> {
    let Err(lost) = lock.check() else { return Ok(()) };
    Ok(lock_again(work.target, work.holder, &Stop::new(), lock, lost)?)
}

fn build(
    work: &PutBack,
    session: &mut Box<dyn BulkSession>,
    queue: &Mutex<Queue>,
    refused: &Mutex<Refused>,
    halt: &Halt,
) -> Result<(), PutBackError> {
    while !halt.is_set() {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        let Some(piece) = next else { break };
        let begin = std::time::Instant::now();
        let result = put_back_one(work, session, &piece);
        queue.lock().unwrap_or_else(PoisonError::into_inner).done(&piece);
        match result {
            Ok(()) => {
                let milliseconds = Duration::as_millis(&begin.elapsed());
                tracing::debug!(step = piece.step.name(), name = %piece.name, milliseconds, "put back");
            }
            Err(error) if error.kind == TargetErrorKind::Data => {
                refused.lock().unwrap_or_else(PoisonError::into_inner).push((piece, error));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// One step, tried again where that can help. An answer that was lost may have been a good one.
fn put_back_one(work: &PutBack, session: &mut Box<dyn BulkSession>, piece: &Piece) -> Result<(), TargetError> {
    let mut first = true;
    retry(work, session, |session| {
        if !std::mem::take(&mut first) && !is_left(&mut **session, piece.position)? {
            return Ok(());
        }
        session.put_back(piece, work.sessions)
    })
}

fn is_left(session: &mut dyn BulkSession, position: i64) -> Result<bool, TargetError> {
    Ok(bulk::pieces(session)?.iter().any(|piece| piece.position == position))
}

/// Runs `attempt`, and again after pauses, over a new connection where the old one was lost.
fn retry(
    work: &PutBack,
    session: &mut Box<dyn BulkSession>,
    mut attempt: impl FnMut(&mut Box<dyn BulkSession>) -> Result<(), TargetError>,
) -> Result<(), TargetError> {
    let may_help = |error: &TargetError| matches!(error.kind, TargetErrorKind::Lost | TargetErrorKind::Transient);
    let mut lost = false;
    with_pauses(&PAUSES, may_help, &Stop::new(), || {
        if lost {
            *session = work.target.bulk_session()?;
        }
        let result = attempt(session);
        lost = matches!(&result, Err(error) if error.kind == TargetErrorKind::Lost);
        result
    })
}

impl Taken {
    /// The documents that were taken out.
    pub fn ids(&self) -> HashSet<Uuid> {
        self.documents.iter().map(|document| document.id).collect()
    }

    fn add(&mut self, other: Taken) {
        self.documents.extend(other.documents);
        for (table, rows) in other.rows {
            *self.rows.entry(table).or_default() += rows;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(position: i64, step: Step, table: &str) -> Piece {
        let (table, name, definition) = (table.to_owned(), format!("{position}"), String::new());
        Piece { position, run: Uuid::nil(), step, table, name, definition, search: None }
    }

    fn positions(queue: &mut Queue, count: usize) -> Vec<i64> {
        (0..count).map(|_| queue.next().expect("there is one left").position).collect()
    }

    #[test]
    fn steps_of_one_table_do_not_wait_for_each_other_while_others_are_left() {
        let check = piece(1, Step::Check, "messages");
        let left = [
            check.clone(),
            piece(2, Step::Statistics, "messages"),
            piece(3, Step::Statistics, "users"),
            piece(4, Step::Statistics, "messages"),
        ];
        let mut queue = Queue { left: left.into(), at_work: Vec::new() };
        assert_eq!(positions(&mut queue, 3), [1, 3, 2]);
        queue.done(&check);
        assert_eq!(positions(&mut queue, 1), [4]);
        assert!(queue.next().is_none());
    }

    #[test]
    fn only_what_is_indexed_as_it_stands_lets_statistics_come_first() {
        let index =
            |table: &str, definition: &str| Piece { definition: definition.into(), ..piece(1, Step::Index, table) };
        let pieces = [
            index("plain", "CREATE INDEX i ON public.plain USING btree (a, b DESC)"),
            index("partial", "CREATE INDEX i ON public.partial USING btree (a) WHERE ((a IS NOT NULL) AND (b > 1))"),
            index("lower", "CREATE INDEX i ON public.lower USING btree (lower(a))"),
            index("json", "CREATE INDEX i ON public.json USING btree (a, ((b ->> 'c'::text)))"),
            Piece { definition: "ANALYZE (VERBOSE) (x)".into(), ..piece(2, Step::Statistics, "other") },
        ];
        let mut waiting: Vec<String> = with_expressions(&pieces).into_iter().collect();
        waiting.sort();
        assert_eq!(waiting, ["json", "lower"]);
    }

    #[test]
    fn an_index_is_not_begun_while_its_table_is_analysed() {
        let statistics = piece(1, Step::Statistics, "messages");
        let left = [
            statistics.clone(),
            piece(2, Step::Index, "messages"),
            piece(3, Step::Index, "users"),
            piece(4, Step::Index, "messages"),
        ];
        let mut queue = Queue { left: left.into(), at_work: Vec::new() };
        assert_eq!(positions(&mut queue, 2), [1, 3]);
        queue.done(&statistics);
        assert_eq!(positions(&mut queue, 2), [2, 4]);
    }

    #[test]
    fn builds_on_one_table_go_side_by_side() {
        let left = [piece(1, Step::Index, "a"), piece(2, Step::Index, "a"), piece(3, Step::Index, "b")];
        let mut queue = Queue { left: left.into(), at_work: Vec::new() };
        assert_eq!(positions(&mut queue, 3), [1, 2, 3]);
    }
}
