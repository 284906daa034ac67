//! A verification from the first directory to the conclusion.
//!
//! One thread walks, several judge, each over a connection of its own to one snapshot; the caller's
//! thread keeps the account. What does not agree at first sight is looked at again (`suspects`).

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use crossbeam_channel::{bounded, Receiver, Sender};
use jiff::tz::TimeZone;

use crate::exec::{crew, CrewError, Halt, Progress, Signal, Snapshot, Stop};
use crate::format::Format;
use crate::model::summary::FileTally;
use crate::model::{Anchor, Document, DocumentKind, Instant, Phase, Table};
use crate::source::{Found, Meaning, ProblemKind, ReadOptions, WalkError, WalkOptions, Walker};
use crate::target::{Connection, Target, TargetError};

use super::account::{Account, Order};
use super::batch::{Checked, Judge};
use super::census::Census;
use super::outcome::{Conclusion, Guarded, Outcome, Verdict};
use super::receipt::{Leaves, ReceiptError, Roots};
use super::suspects::{Settled, Suspect, Suspects};
use super::waivers::Waivers;
use super::{database_only, history};

/// Documents in a batch: enough to make few questions, few enough to be held with their rows.
const BATCH_DOCUMENTS: usize = 256;
/// Bytes of files in a batch.
const BATCH_BYTES: u64 = 2 * 1024 * 1024;
/// How long a legacy writer may hold its lock before its file counts as unreadable.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
/// How often progress is shown.
const TICK: Duration = Duration::from_millis(100);

/// Everything that a verification needs.
pub struct Job<'a> {
    pub format: &'static dyn Format,
    pub source: &'a Path,
    pub target: &'a dyn Target,
    pub options: &'a Options,
    pub stop: &'a Stop,
    pub progress: &'a Progress,
    /// Called several times a second.
    pub tick: &'a (dyn Fn(&Snapshot) + Sync),
}

/// What a verification is asked to do, validated.
#[derive(Debug)]
pub struct Options {
    /// The kinds of documents to compare.
    pub kinds: Vec<&'static DocumentKind>,
    pub zone: TimeZone,
    pub follow_links: bool,
    /// Files up to this size are held whole, in bytes.
    pub whole_bytes: u64,
    /// How many threads judge, each with a connection.
    pub threads: usize,
    /// Only a part of the documents, chosen by their ids.
    pub sample: Option<Sample>,
    /// Only documents of which a file was modified then or later.
    pub changed_since: Option<Instant>,
    /// How many differences are kept; all are counted.
    pub max_differences: usize,
    /// How far behind the files the database may be.
    pub max_lag: Duration,
    /// The share of documents that may keep changing, from 0 to 1.
    pub max_unsettled: f64,
    /// How often a suspect may have moved when it is looked at again, until it counts as unsettled.
    pub tries: u32,
    pub waivers: Waivers,
    /// Whether to hash both sides for a receipt.
    pub receipt: bool,
    /// Whether to make guards, by which what differs can be repaired.
    pub guards: bool,
}

/// A share of the documents, the same for the same seed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// From 0 to 1.
    pub share: f64,
    pub seed: u64,
}

impl Sample {
    fn holds(&self, document: &Document) -> bool {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.seed.to_le_bytes()).update(document.id.as_bytes());
        let bytes: [u8; 8] = hasher.finalize().as_bytes()[..8].try_into().expect("8 of 32 bytes");
        (u64::from_le_bytes(bytes) as f64) < self.share * u64::MAX as f64
    }
}

#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error(transparent)]
    Source(#[from] WalkError),
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    #[error("stopped by {}", .0.name())]
    Stopped(Signal),
    #[error("a part of the check broke down, which is a mistake in transload")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<CrewError<VerifyError>> for VerifyError {
    fn from(error: CrewError<VerifyError>) -> VerifyError {
        match error {
            CrewError::Failed(error) => error,
            error => VerifyError::Broken(Box::new(error)),
        }
    }
}

/// Compares the source with the target, and changes neither.
///
/// # Errors
/// When the comparison could not be made to its end. That there is nothing to compare, or too much
/// that keeps changing, is no error but the outcome's conclusion.
pub fn verify(job: &Job) -> Result<Outcome, VerifyError> {
    let started = Instant::now();
    let clock = std::time::Instant::now();
    let options = job.options;
    let mut walker = Walker::new(WalkOptions::new(job.source, options.follow_links))?;
    let mut readers = job.target.readers(options.threads.max(1))?;
    let taken = std::time::Instant::now();
    let judge_with = |known| Judge {
        known,
        format: job.format,
        root: job.source,
        read: ReadOptions {
            whole_bytes: options.whole_bytes,
            lock_patience: LOCK_PATIENCE,
            follow_links: options.follow_links,
        },
        zone: options.zone.clone(),
        most: options.max_differences.max(1),
        receipt: options.receipt,
    };
    let judge = judge_with(None);
    let mut account = Account::new(
        &options.waivers,
        options.max_differences,
        &options.kinds,
        job.format.tables().iter().map(|table| table.name),
    );
    let mut census = Census::new(job.format.tables());
    let leaves = options.receipt.then(Leaves::new);
    let mut guards = Vec::new();
    let first = judge_with(Some(Mutex::default()));
    let suspects = judge_all(job, &first, &mut walker, &mut readers, &mut account, &mut census, leaves.as_ref())?;
    let reader = &mut *readers[0];
    let whole = options.sample.is_none() && options.changed_since.is_none();
    let mut suspects = suspects;
    let mut orphans = None;
    if whole {
        let forged = database_only::documents(job, reader, &mut suspects, &mut census)?;
        account.differences(Order(Order::LAST - 2, 0), forged);
        let counted = counted_tables(job.format, &options.kinds);
        orphans = Some(super::orphans::find(job, &judge, reader, &mut census, &counted)?);
    }
    let history = history::read(reader)?;
    // The first snapshot is not needed any more, and an old one keeps the server from tidying up.
    let mut reader = readers.swap_remove(0);
    drop(readers);
    suspects.settle(job, &judge, &mut *reader, taken, &mut |order, settled| {
        match settled {
            Settled::Judged(checked, guard) => {
                keep(leaves.as_ref(), &checked)?;
                let (document, verdict) = (checked.document.id, checked.judged.verdict);
                let waived = account.document(order, *checked);
                guards.extend(guard.filter(|_| !waived).map(|guard| Guarded { document, verdict, guard }));
            }
            Settled::Gone(files) => forget(&mut account.files, files),
        }
        Ok(())
    })?;
    if let Some(orphans) = orphans {
        super::orphans::settle(job, &judge, &mut *reader, orphans, started, &mut account)?;
    }
    stopped(job)?;
    let receipt = leaves.map(Leaves::finish).transpose()?;
    let mut outcome = outcome(job, account, history, started, clock.elapsed(), receipt);
    outcome.guards = guards;
    Ok(outcome)
}

/// A document whose files vanished while it was looked at, and that the database does not have.
fn forget(files: &mut FileTally, count: u64) {
    files.in_documents -= count;
    files.vanished += count;
}

fn stopped(job: &Job) -> Result<(), VerifyError> {
    job.stop.requested().map_or(Ok(()), |signal| Err(VerifyError::Stopped(signal)))
}

/// The tables all of whose rows belong to documents that are looked at.
fn counted_tables(format: &dyn Format, kinds: &[&'static DocumentKind]) -> Vec<&'static Table> {
    let of_table = |table: &'static Table| -> Vec<&'static DocumentKind> {
        let referred: Vec<&str> =
            format.tables().iter().flat_map(|it| it.columns).filter_map(|it| it.reference).map(|it| it.kind).collect();
        let belongs = |kind: &&'static DocumentKind| match table.parent {
            None => *kind.main == *table,
            Some(_) => kind.anchor == Anchor::FirstRow && !referred.contains(&kind.name),
        };
        format.kinds().iter().copied().filter(belongs).collect()
    };
    let all_looked_at = |table: &&'static Table| of_table(table).iter().all(|kind| kinds.contains(kind));
    format.tables().iter().copied().filter(all_looked_at).collect()
}

type Batch = (u64, Vec<Document>);
type Results = (u64, Vec<Checked>);

/// Judges every document of the source against the first snapshot.
fn judge_all(
    job: &Job,
    judge: &Judge,
    walker: &mut Walker,
    readers: &mut [Box<dyn Connection>],
    account: &mut Account,
    census: &mut Census,
    leaves: Option<&Leaves>,
) -> Result<Suspects, VerifyError> {
    let walked = Mutex::new((FileTally::default(), 0));
    let mut suspects = Suspects::default();
    let result = crew::run(|crew| {
        let (batches, batches_in) = bounded::<Batch>(readers.len());
        let (results, results_in) = bounded::<Results>(readers.len());
        let halt = crew.halt();
        {
            let (halt, walked) = (halt.clone(), &walked);
            crew.spawn("walk", move || walk(job, walker, &batches, walked, &halt));
        }
        for (number, reader) in readers.iter_mut().enumerate() {
            let (batches_in, results) = (batches_in.clone(), results.clone());
            crew.spawn(format!("judge-{}", number + 1), move || {
                judge_batches(job, judge, &mut **reader, &batches_in, &results)
            });
        }
        drop((batches_in, results));
        take(job, &results_in, account, census, &mut suspects, leaves)
    });
    result.map_err(VerifyError::from)?;
    stopped(job)?;
    let (files, skipped) = walked.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    account.files = files;
    account.skipped = skipped;
    Ok(suspects)
}

/// Takes the results in the order of the walk.
fn take(
    job: &Job,
    results: &Receiver<Results>,
    account: &mut Account,
    census: &mut Census,
    suspects: &mut Suspects,
    leaves: Option<&Leaves>,
) -> Result<(), VerifyError> {
    let mut early: BTreeMap<u64, Vec<Checked>> = BTreeMap::new();
    let mut next = 0;
    loop {
        match results.recv_timeout(TICK) {
            Ok((number, checked)) => early.insert(number, checked),
            Err(crossbeam_channel::RecvTimeoutError::Timeout) => {
                (job.tick)(&job.progress.snapshot());
                continue;
            }
            Err(crossbeam_channel::RecvTimeoutError::Disconnected) => return Ok(()),
        };
        while let Some(batch) = early.remove(&next) {
            for (at, checked) in (0..).zip(batch) {
                let order = Order(next, at);
                census.note_document(checked.document.id);
                checked.accounted.iter().for_each(|(table, id)| census.note(table, id));
                job.progress.add_done(checked.document.files.len() as u64, checked.bytes);
                match checked.judged.verdict {
                    Verdict::Agreed | Verdict::Rejected => {
                        keep(leaves, &checked)?;
                        account.document(order, checked);
                    }
                    _ => suspects.push(Suspect::new(order, checked)),
                }
            }
            next += 1;
        }
        (job.tick)(&job.progress.snapshot());
    }
}

/// Notes what both sides of a judged document come to, for the receipt.
fn keep(leaves: Option<&Leaves>, checked: &Checked) -> Result<(), ReceiptError> {
    let Some(leaves) = leaves else { return Ok(()) };
    checked.leaves.each().try_for_each(|(side, leaf)| leaves.add(side, leaf))
}

fn judge_batches(
    job: &Job,
    judge: &Judge,
    reader: &mut dyn Connection,
    batches: &Receiver<Batch>,
    results: &Sender<Results>,
) -> Result<(), VerifyError> {
    for (number, documents) in batches {
        if job.stop.requested().is_some() {
            break;
        }
        let checked = judge.batch(reader, documents)?;
        job.progress.add_rows(checked.iter().map(|checked| checked.accounted.len() as u64).sum());
        if results.send((number, checked)).is_err() {
            break;
        }
    }
    Ok(())
}

fn walk(
    job: &Job,
    walker: &mut Walker,
    batches: &Sender<Batch>,
    walked: &Mutex<(FileTally, u64)>,
    halt: &Halt,
) -> Result<(), VerifyError> {
    let options = job.options;
    let classify = |path: &_| job.format.classify(path);
    let phase_of_directory = |path: &_| job.format.phase_of_directory(path);
    let meaning = Meaning { classify: &classify, phase_of_directory: &phase_of_directory };
    let (mut tally, mut skipped) = (FileTally::default(), 0);
    let mut number = 0;
    let mut batch: Vec<Document> = Vec::new();
    let mut bytes = 0;
    let mut open = true;
    for phase in Phase::ALL {
        if !open {
            break;
        }
        job.progress.set_phase(phase);
        walker.walk(&meaning, phase, &mut |found| {
            if job.stop.requested().is_some() || halt.is_set() {
                open = false;
                return ControlFlow::Break(());
            }
            match found {
                Found::Document(document) => {
                    let files = document.files.len() as u64;
                    tally.found += files;
                    job.progress.add_found(files);
                    if !options.kinds.contains(&document.kind) {
                        tally.not_migrated += files;
                        return ControlFlow::Continue(());
                    }
                    tally.in_documents += files;
                    if !is_wanted(options, &document) {
                        skipped += 1;
                        return ControlFlow::Continue(());
                    }
                    let large = document.files.iter().any(|file| file.size > options.whole_bytes);
                    let full = batch.len() >= BATCH_DOCUMENTS || bytes + document.bytes() > BATCH_BYTES || large;
                    if full && !batch.is_empty() {
                        open &= batches.send((number, std::mem::take(&mut batch))).is_ok();
                        (number, bytes) = (number + 1, 0);
                    }
                    bytes += document.bytes();
                    batch.push(document);
                }
                Found::NotMigrated { .. } => {
                    tally.found += 1;
                    tally.not_migrated += 1;
                }
                Found::Problem(problem) => {
                    tally.found += 1;
                    match problem.kind {
                        ProblemKind::Unreadable => tally.unreadable += 1,
                        ProblemKind::Vanished => tally.vanished += 1,
                    }
                }
                Found::Warning(_) => {}
            }
            match open {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        })?;
    }
    if open && !batch.is_empty() {
        // Nobody takes it any more only if somebody failed, and knows why.
        let _ = batches.send((number, batch));
    }
    *walked.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = (tally, skipped);
    Ok(())
}

/// Whether the sample and the times let a document in.
pub fn is_wanted(options: &Options, document: &Document) -> bool {
    options.sample.is_none_or(|sample| sample.holds(document))
        && options.changed_since.is_none_or(|since| document.files.iter().any(|file| file.modified >= since))
}

fn outcome(
    job: &Job,
    mut account: Account,
    history: Vec<super::outcome::PastRun>,
    started: Instant,
    took: Duration,
    receipt: Option<(Roots, Roots)>,
) -> Outcome {
    let differences = account.take_differences();
    let listed = account.take_listed();
    let conclusion = conclusion(job.options, &account);
    Outcome {
        source: crate::model::RelPath::new(job.source).to_text(),
        target: job.target.name(),
        version: env!("CARGO_PKG_VERSION"),
        started,
        seconds: took.as_secs_f64(),
        files: account.files,
        documents: account.documents,
        kinds: account.kinds,
        tables: account.tables,
        by_columns: account.by_columns,
        accepted: account.accepted,
        differences: account.differences,
        waived: account.waived,
        waived_documents: account.waived_documents,
        causes: account.causes,
        listed_differences: differences,
        listed,
        waivers: job.options.waivers.uses(),
        not_looked_at: not_looked_at(job, account.skipped),
        narrowed: job.options.sample.is_some() || job.options.changed_since.is_some(),
        skipped: account.skipped,
        history,
        receipt,
        guards: Vec::new(),
        conclusion,
    }
}

fn conclusion(options: &Options, account: &Account) -> Conclusion {
    let documents = &account.documents;
    if documents.found == 0 {
        return Conclusion::NotChecked(match account.skipped {
            0 => "there is no document on either side: nothing was compared".into(),
            skipped => format!("none of the {skipped} documents was chosen: nothing was compared"),
        });
    }
    if documents.agreed + documents.different + documents.stale + documents.missing + documents.only_in_database == 0 {
        return Conclusion::NotChecked("no document could be compared".into());
    }
    if documents.only_in_database == documents.found && account.files.in_documents == 0 {
        let found = documents.found;
        return Conclusion::NotChecked(format!(
            "the source has no file of a document, and the database has {found} documents: is it the right directory?"
        ));
    }
    if documents.unsettled as f64 > options.max_unsettled * documents.found as f64 {
        let (unsettled, found) = (documents.unsettled, documents.found);
        return Conclusion::NotChecked(format!(
            "{unsettled} of {found} documents changed each time they were compared"
        ));
    }
    let files = &account.files;
    if documents.unreadable > 0 || files.unreadable > 0 {
        let count = documents.unreadable + files.unreadable;
        return Conclusion::NotChecked(format!("{count} files or documents could not be read"));
    }
    match account.differences > 0 || documents.rejected > account.accepted {
        true => Conclusion::Differ,
        false => Conclusion::Agree,
    }
}

fn not_looked_at(job: &Job, skipped: u64) -> Vec<String> {
    let options = job.options;
    let mut said = Vec::new();
    let left: Vec<&str> =
        job.format.kinds().iter().filter(|kind| !options.kinds.contains(kind)).map(|kind| kind.name).collect();
    if !left.is_empty() {
        said.push(format!("documents of the kinds {}", left.join(", ")));
    }
    if let Some(sample) = options.sample {
        let share = sample.share * 100.0;
        said.push(format!("{skipped} documents outside of the sample of {share} % with the seed {}", sample.seed));
    }
    if let Some(since) = options.changed_since {
        said.push(format!("documents whose files were not modified since {}", since.to_fixed()));
    }
    if options.sample.is_some() || options.changed_since.is_some() {
        said.push("rows and documents that only the database has".into());
    } else {
        let counted = counted_tables(job.format, &options.kinds);
        let tables: Vec<&str> =
            job.format.tables().iter().filter(|table| !counted.contains(table)).map(|table| table.name).collect();
        if !tables.is_empty() {
            said.push(format!("rows of {} that no document has", tables.join(", ")));
        }
    }
    said
}
