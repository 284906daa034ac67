//! One phase of a run: all its threads and channels, made and joined in one place.
//!
//! ```text
//! walk --chunks--> look up --chunks--> read (rayon within a round) --rounds--> cut --batches--> write-1, ...
//! ```
//!
//! The reader ends one round before it begins the next, so documents keep their path order on the way to the
//! batches whatever the number of workers.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{bounded, Receiver, RecvTimeoutError, Sender};
use uuid::Uuid;

use crate::exec::{crew, CrewError, Halt, Progress, Snapshot, Stop, PAUSES};
use crate::format::Format;
use crate::model::digest::Seal;
use crate::model::ledger::documents;
use crate::model::{Document, DocumentKind, Instant, Phase};
use crate::source::{self, Found, Meaning, WalkError, WalkOptions, Walker};
use crate::target::{Durability, Holder, Lock, LockError, Target, TargetError};

use super::account::Account;
use super::batch::Batcher;
use super::claims::Claims;
use super::examine::{Examined, Examiner, Known, Seen};
use super::item::{Item, Rejected};
use super::options::Options;
use super::round::round;
use super::write::{self, Env, Shared, WriteError};
use crate::ledger::{self, Fingerprint, LedgerDocument};

/// Chunks that wait to be looked up, and to be read: one, so that the stage before is ahead.
const CHUNKS_AHEAD: usize = 1;
/// Batches that wait for each writer: one, so that it never waits while another is filled.
const BATCHES_AHEAD: usize = 1;
/// Documents in a chunk: enough to keep all cores busy between two hand-overs.
const CHUNK_DOCUMENTS: usize = 512;
/// How often progress is shown.
pub(super) const TICK: Duration = Duration::from_millis(100);
/// How often it is made sure that the lock still holds.
pub(super) const LOCK_CHECK: Duration = Duration::from_secs(1);

/// What a phase needs of its run.
pub struct PhaseJob<'a> {
    pub format: &'static dyn Format,
    pub options: &'a Options,
    pub examiner: &'a Examiner<'a>,
    pub env: &'a Env<'a>,
    pub writers: &'a [Shared],
    pub look_ups: &'a Shared,
    pub account: &'a Mutex<Account>,
    pub progress: &'a Progress,
    pub stop: &'a Stop,
    pub tick: &'a (dyn Fn(&Snapshot) + Sync),
    /// Who holds the lock.
    pub holder: &'a str,
}

#[derive(Debug, thiserror::Error)]
pub enum PhaseError {
    #[error(transparent)]
    Walk(#[from] WalkError),
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Lock(#[from] LockError),
}

/// Runs one phase to its end, or to where it was asked to stop: then what was read is written.
pub fn run(
    job: &PhaseJob,
    phase: Phase,
    walker: &mut Walker,
    claims: &mut Claims,
    lock: &mut Box<dyn Lock>,
) -> Result<(), CrewError<PhaseError>> {
    let writers = match phase {
        // Two memory files may turn out to speak of one user; the first in path order wins.
        Phase::Memory => &job.writers[..1],
        // So do two users' files in one clerk id, where the database decides about it.
        Phase::Users if !job.env.fresh => &job.writers[..1],
        // One repair may put right what another one wants.
        _ if job.env.repairs.is_some() => &job.writers[..1],
        _ => job.writers,
    };
    job.progress.set_phase(phase);
    crew::run(|crew| {
        let (chunks, chunks_in) = bounded(CHUNKS_AHEAD);
        let (batches, batches_in) = bounded(BATCHES_AHEAD * writers.len());
        let (working, finished) = bounded::<()>(0);
        let halt = crew.halt();
        let written = Halt::default();
        {
            let (halt, written) = (halt.clone(), written.clone());
            crew.spawn("count", move || count(job, &|| halt.is_set() || written.is_set()));
        }
        {
            let halt = halt.clone();
            crew.spawn("walk", move || walk(job, phase, walker, chunks, &halt));
        }
        let (looked_up, looked_up_in) = bounded(CHUNKS_AHEAD);
        crew.spawn("look up", move || look_up(job, chunks_in, looked_up));
        // None waits between the two: what was read is held by one of them.
        let (rounds, rounds_in) = bounded(0);
        let (done, done_in) = bounded(1);
        crew.spawn("read", move || read(job, looked_up_in, rounds, done_in));
        crew.spawn("cut", move || cut(job, claims, rounds_in, done, batches));
        for (number, connection) in writers.iter().enumerate() {
            let (batches_in, working) = (batches_in.clone(), working.clone());
            crew.spawn(format!("write-{}", number + 1), move || {
                let result = write(job, connection, batches_in);
                drop(working);
                result
            });
        }
        drop((batches_in, working));
        let mut checked = std::time::Instant::now();
        // The last writer's end closes `finished`; an early return must not leave the count behind.
        while let Err(RecvTimeoutError::Timeout) = finished.recv_timeout(TICK) {
            (job.tick)(&job.progress.snapshot());
            if checked.elapsed() < LOCK_CHECK {
                continue;
            }
            checked = std::time::Instant::now();
            if let Err(error) = lock.check() {
                if let Err(error) = lock_again(job.env.target, job.holder, job.stop, lock, error) {
                    halt.set();
                    written.set();
                    return Err(error.into());
                }
            }
        }
        written.set();
        (job.tick)(&job.progress.snapshot());
        Ok(())
    })
}

/// Counts what there is, for the total of the progress. Given up when the phase has ended; the
/// next one tries again.
fn count(job: &PhaseJob, stopped: &dyn Fn() -> bool) -> Result<(), PhaseError> {
    if !job.options.count_first || job.progress.snapshot().files_total.is_some() {
        return Ok(());
    }
    let options = WalkOptions::new(job.examiner.root, job.options.follow_links);
    if let Some(all) = source::count(&options, &|| stopped() || job.stop.requested().is_some())? {
        job.progress.set_total(all.files, all.bytes);
    }
    Ok(())
}

/// A lock that was lost with its connection is taken again, unless somebody else has it by now.
/// What that one may have written meanwhile is seen by every batch, as what an application writes.
pub(super) fn lock_again(
    target: &dyn Target,
    holder: &str,
    stop: &Stop,
    lock: &mut Box<dyn Lock>,
    lost: TargetError,
) -> Result<(), LockError> {
    let holder = Holder { name: holder.to_owned(), since: Instant::now() };
    let mut last = LockError::Target(lost);
    for pause in PAUSES {
        write::wait(stop, pause);
        match target.lock(&holder) {
            Ok(taken) => {
                tracing::warn!("the lock was lost with its connection and is taken again");
                *lock = taken;
                return Ok(());
            }
            Err(error @ LockError::Held { .. }) => return Err(error),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Gives each of the phase's files to whom it concerns.
fn walk(
    job: &PhaseJob,
    phase: Phase,
    walker: &mut Walker,
    chunks: Sender<Vec<Document>>,
    halt: &Halt,
) -> Result<(), PhaseError> {
    let mut chunk = Vec::new();
    let mut open = true;
    walk_phase(job.format, job.options, phase, walker, &mut |found| {
        if job.stop.requested().is_some() || halt.is_set() {
            open = false;
            return ControlFlow::Break(());
        }
        match found {
            Met::Document(document) => {
                job.progress.add_found(document.files.len() as u64);
                chunk.push(document);
                let is_full = chunk.len() >= CHUNK_DOCUMENTS;
                if is_full && chunks.send(std::mem::take(&mut chunk)).is_err() {
                    open = false; // The reader is gone and knows why.
                    return ControlFlow::Break(());
                }
            }
            Met::Other { files, bytes, note } => {
                job.progress.add_found(files);
                job.progress.add_done(files, bytes);
                note(&mut job.account.lock().unwrap_or_else(PoisonError::into_inner));
            }
        }
        ControlFlow::Continue(())
    })?;
    if open && !chunk.is_empty() {
        let _ = chunks.send(chunk);
    }
    drop(chunks);
    // Others still read and write what was found.
    if let (true, Some(next)) = (open, phase.next()) {
        go_ahead(job.format, walker, next);
    }
    Ok(())
}

/// Has the phase's first files listed, for a thread that has nothing else to do.
pub fn go_ahead(format: &dyn Format, walker: &mut Walker, phase: Phase) {
    with_meaning(format, |meaning| walker.go_ahead(meaning, phase));
}

/// A document that the run is to look at, or something that only has to be accounted for.
pub enum Met<'a> {
    Document(Document),
    Other { files: u64, bytes: u64, note: Box<dyn FnOnce(&mut Account) + 'a> },
}

/// Walks one phase and sorts what it finds.
pub fn walk_phase(
    format: &'static dyn Format,
    options: &Options,
    phase: Phase,
    walker: &mut Walker,
    each: &mut dyn FnMut(Met) -> ControlFlow<()>,
) -> Result<(), WalkError> {
    // Where some documents are named, nothing else exists for the run.
    let everything = !options.is_narrowed();
    let mut sort = |found| match found {
        Found::Document(document) if !options.kinds.contains(&document.kind) => {
            let layout = not_asked_for(document.kind);
            let (files, bytes) = (document.files.len() as u64, document.bytes());
            let note = move |account: &mut Account| {
                document.files.iter().for_each(|file| account.not_migrated(&layout, file));
            };
            if everything {
                each(Met::Other { files, bytes, note: Box::new(note) })
            } else {
                ControlFlow::Continue(())
            }
        }
        Found::Document(document) if !options.wants(&document) => ControlFlow::Continue(()),
        Found::Document(document) => each(Met::Document(document)),
        _ if !everything => ControlFlow::Continue(()),
        Found::NotMigrated { layout, file } => {
            let bytes = file.size;
            each(Met::Other { files: 1, bytes, note: Box::new(move |account| account.not_migrated(layout, &file)) })
        }
        Found::Problem(problem) => {
            each(Met::Other { files: 1, bytes: 0, note: Box::new(move |account| account.file_problem(&problem)) })
        }
        Found::Warning(warning) => {
            each(Met::Other { files: 0, bytes: 0, note: Box::new(move |account| account.warning(warning)) })
        }
    };
    with_meaning(format, |meaning| walker.walk(meaning, phase, &mut sort))
}

fn with_meaning<T>(format: &dyn Format, work: impl FnOnce(&Meaning) -> T) -> T {
    let classify = |path: &_| format.classify(path);
    let phase_of_directory = |path: &_| format.phase_of_directory(path);
    work(&Meaning { classify: &classify, phase_of_directory: &phase_of_directory })
}

fn not_asked_for(kind: &DocumentKind) -> String {
    match kind.name {
        "logs" => "12 log (see --with logs)".into(),
        name => format!("{name} (not in --only)"),
    }
}

/// Some documents, and what the ledger knows of them.
type LookedUp = (Vec<Document>, HashMap<Uuid, Known>);

/// Asks the ledger about the next chunk while the one before is read.
fn look_up(job: &PhaseJob, chunks: Receiver<Vec<Document>>, looked_up: Sender<LookedUp>) -> Result<(), PhaseError> {
    for chunk in chunks {
        if job.stop.requested().is_some() {
            break;
        }
        let known = known(job, &chunk)?;
        if looked_up.send((chunk, known)).is_err() {
            break; // The reader is gone and knows why.
        }
    }
    Ok(())
}

/// What reading some documents made of them, in their order.
struct Round {
    examined: Vec<Examined>,
    /// There are rows in it: nothing else is read before they are in batches, for the memory. Then it is
    /// the writers that all others wait for, so nothing is lost by it.
    is_heavy: bool,
}

/// Reads, recognises and decodes, as many documents at one time as may be held, on all cores.
fn read(
    job: &PhaseJob,
    chunks: Receiver<LookedUp>,
    rounds: Sender<Round>,
    done: Receiver<()>,
) -> Result<(), PhaseError> {
    let mut waiting = VecDeque::new();
    while job.stop.requested().is_none() {
        while waiting.len() < CHUNK_DOCUMENTS {
            let next = if waiting.is_empty() { chunks.recv().ok() } else { chunks.try_recv().ok() };
            let Some((chunk, known)) = next else { break };
            let known = Arc::new(known);
            waiting.extend(chunk.into_iter().map(|document| (document, known.clone())));
        }
        if waiting.is_empty() {
            break;
        }
        let examined = round(&mut waiting, job.options.round_bytes, |(document, known)| {
            let known = known.get(&document.id);
            let examined = job.examiner.examine(document, known);
            let bytes = examined.seen.bytes();
            (examined, bytes)
        });
        let is_heavy = examined.iter().any(|examined| matches!(examined.seen, Seen::Loaded(_)));
        let sent = rounds.send(Round { examined, is_heavy });
        if sent.is_err() || (is_heavy && done.recv().is_err()) {
            break; // Whoever cuts is gone and knows why.
        }
    }
    Ok(())
}

/// Accounts for what need not be written, and cuts the rest into batches, while the next round is read.
fn cut(
    job: &PhaseJob,
    claims: &mut Claims,
    rounds: Receiver<Round>,
    done: Sender<()>,
    batches: Sender<Vec<Item>>,
) -> Result<(), PhaseError> {
    // A repair is a transaction of its own.
    let batch_rows = if job.env.repairs.is_some() { 1 } else { job.options.batch_rows };
    let mut batcher = Batcher::new(batch_rows, job.options.batch_bytes);
    for Round { examined, is_heavy } in rounds {
        let unsealed = examined.iter().filter(|examined| examined.is_unsealed);
        let unsealed: Vec<Uuid> = unsealed.map(|examined| examined.seen.document().id).collect();
        if !unsealed.is_empty() {
            write::retried(job.env, job.look_ups, Durability::Full, |connection| write::seal(connection, &unsealed))?;
        }
        for Examined { seen, gone, warnings, .. } in examined {
            job.progress.add_done(gone.len() as u64, 0);
            if !gone.is_empty() || !warnings.is_empty() {
                let mut account = job.account.lock().unwrap_or_else(PoisonError::into_inner);
                account.met(&gone, warnings);
            }
            let Some(item) = sort(job, claims, seen) else { continue };
            let (rows, bytes) = item.size();
            for batch in batcher.push(item, rows, bytes) {
                if batches.send(batch).is_err() {
                    return Ok(()); // The writers are gone and know why.
                }
            }
        }
        if is_heavy && done.send(()).is_err() {
            break; // The reader is gone and knows why.
        }
    }
    if let Some(batch) = batcher.take() {
        let _ = batches.send(batch);
    }
    Ok(())
}

fn known(job: &PhaseJob, chunk: &[Document]) -> Result<HashMap<Uuid, Known>, TargetError> {
    if job.env.fresh {
        return Ok(HashMap::new());
    }
    let ids: Vec<Uuid> = chunk.iter().map(|document| document.id).collect();
    if job.env.repairs.is_some() {
        return known_to_repair(job, &ids);
    }
    let no_rejects = job.env.no_rejects;
    let (held, rejects) = write::retried(job.env, job.look_ups, Durability::Full, |connection| {
        let rejects = if no_rejects { Vec::new() } else { ledger::rejects(connection, &ids)? };
        Ok((ledger::fingerprints(connection, &ids)?, rejects))
    })?;
    let rejects: HashSet<Uuid> = rejects.into_iter().map(|held| held.document).collect();
    let known = |held: Fingerprint| {
        let Fingerprint { id, digest, base_time, files, is_unsealed: unsealed } = held;
        let digest = Some(digest?);
        Some((id, Known { digest, base_time, files, rejected: rejects.contains(&id), unsealed }))
    };
    Ok(held.into_iter().filter_map(known).collect())
}

/// As [`known`], for documents that are written again whatever the ledger says of them. A row of it
/// that somebody edited says nothing.
fn known_to_repair(job: &PhaseJob, ids: &[Uuid]) -> Result<HashMap<Uuid, Known>, TargetError> {
    let held = write::retried(job.env, job.look_ups, Durability::Full, |connection| {
        ledger::readable_documents_by(connection, documents::ID, &ledger::uuids(ids))
    })?;
    let known = |held: LedgerDocument| {
        let (files, base_time) = (held.times(), held.base_time);
        (held.id, Known { digest: None, base_time, files, rejected: false, unsealed: false })
    };
    Ok(held.into_iter().filter(|held| held.seal != Seal::Broken).map(known).collect())
}

/// What has to be written of a document; the rest is accounted for here.
fn sort(job: &PhaseJob, claims: &mut Claims, seen: Seen) -> Option<Item> {
    let account = |note: &dyn Fn(&mut Account)| note(&mut job.account.lock().unwrap_or_else(PoisonError::into_inner));
    let judged = claims.judge(seen);
    if let Some(document) = judged.held() {
        account(&|account| account.present.add(document));
    }
    match judged {
        Seen::Loaded(loaded) => Some(Item::Load(loaded)),
        Seen::Large(streamed) => Some(Item::Stream(streamed)),
        Seen::Rejected { document, reject, .. } => {
            Some(Item::Reject(Box::new(Rejected { reject: *reject, document, saved: false })))
        }
        Seen::Touched(source) => Some(Item::Touch(source)),
        Seen::Unchanged { document, bytes } => {
            account(&|account| account.unchanged(&document, bytes));
            job.progress.add_done(document.files.len() as u64, bytes);
            None
        }
        Seen::Failed { document, problem } => {
            account(&|account| account.failed(&document, &problem));
            job.progress.add_done(document.files.len() as u64, 0);
            None
        }
    }
}

/// Writes batches until there are no more.
fn write(job: &PhaseJob, connection: &Shared, batches: Receiver<Vec<Item>>) -> Result<(), PhaseError> {
    for mut batch in batches {
        let done = write::write(job.env, connection, &mut batch)?;
        let mut account = job.account.lock().unwrap_or_else(PoisonError::into_inner);
        for (item, done) in batch.iter().zip(&done) {
            let document = item.document();
            let bytes = match item {
                Item::Load(loaded) => loaded.source.bytes,
                Item::Stream(streamed) => streamed.source.bytes,
                Item::Reject(rejected) => rejected.reject.bytes,
                Item::Touch(source) => source.bytes,
            };
            account.done(document, bytes, done);
            job.progress.add_done(document.files.len() as u64, bytes);
            job.progress.add_rows(done.rows.iter().map(|(_, count)| count).sum());
            job.progress.add_rejects(u64::from(done.reject.is_some()));
        }
    }
    Ok(())
}
