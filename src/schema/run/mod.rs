//! Running migrations: apply, baseline, rollback.
//!
//! ```text
//! lock -> history -> plan -> for each file: begin, statements, post-conditions, catalogue, record, commit
//! ```
//!
//! The plan is made again for every file, within its transaction: so nothing that another run did
//! meanwhile is done twice, and what a kill leaves behind is always a recorded version.

mod alone;
mod baseline;
mod error;
mod file;
mod job;
mod reading;
mod watched;

pub use baseline::{baseline, Baselined};
pub use error::{Fate, RunError};
pub use job::{Done, Job, Outcome, Told, PAUSES};
pub use reading::concurrent_index;

use crate::model::{Catalogue, Instant};
use crate::target::{AttemptLog, Holder, Lock, LockError, SchemaSession, Watch};

use super::catalogue::{compare, Comparison};
use super::files::{MigrationFile, MigrationSet};
use super::history::{self, History};
use super::lint::lint;
use super::log::{self, Entry, Event};
use super::plan::{self, plan, Allowed, Plan, Refusal};
use super::snapshot::{Declared, Snapshot};

/// Brings the database up to date.
///
/// # Errors
/// What was refused before anything was done, or what failed; every file is applied and recorded, or
/// neither, but for one that says NO TRANSACTION: the error tells.
pub fn apply(job: &Job) -> Result<Outcome, RunError> {
    with_log(job, |log| {
        let declared = declared(job.set)?;
        if !job.target.exists() {
            // What is refused leaves no file behind.
            lint_steps(job, &plan(job.set, &[], &job.allowed)?)?;
        }
        let mut runner = Runner::open(job, declared, log)?;
        runner.apply()
    })
}

/// Runs the file that undoes the newest applied one; see [`plan::undoing`].
///
/// # Errors
/// As [`apply`], and when nothing undoes it or other files stand before the one that does.
pub fn rollback(job: &Job) -> Result<Outcome, RunError> {
    let history = match job.target.exists() {
        true => History::read(&mut *job.target.schema_reader()?, job.set.dialect)?.of(job.name),
        false => Vec::new(),
    };
    let plan = plan(job.set, &history, &job.allowed)?;
    let Some(undoing) = plan::undoing(job.set, &history) else {
        let last = history.last().map(|recorded| recorded.file.clone());
        return Err(RunError::NothingUndoes { last });
    };
    match plan.steps.first() {
        Some(step) if step.number == undoing.number => {}
        Some(step) => {
            return Err(RunError::Between { undoing: undoing.file.clone(), first: step.file.clone() });
        }
        None => return Err(RunError::NothingUndoes { last: Some(undoing.file.clone()) }),
    }
    apply(&Job { allowed: Allowed { until: Some(undoing.number), ..job.allowed.clone() }, ..*job })
}

/// The declared schemas of a set; none where it declares none.
pub fn declared(set: &MigrationSet) -> Result<Declared, Refusal> {
    Declared::of(set).map_err(|source| Refusal::Snapshot { origin: set.origin.clone(), source })
}

/// Of files that were applied already it is too late to say anything.
fn lint_steps(job: &Job, plan: &Plan) -> Result<(), RunError> {
    let is_step = |file: &str| plan.steps.iter().any(|step| step.file == file);
    let found = if job.lint { lint(job.set) } else { Vec::new() };
    match found.into_iter().find(|finding| finding.is_error() && is_step(&finding.file)) {
        None => Ok(()),
        Some(finding) => Err(RunError::Rule {
            line: finding.place.map(|place| place.line),
            rule: finding.rule.number,
            message: finding.message,
            help: finding.help,
            file: finding.file,
        }),
    }
}

/// Opens the log, runs `work`, and notes its failure in the log.
fn with_log<T>(
    job: &Job,
    work: impl FnOnce(&mut Option<Box<dyn AttemptLog>>) -> Result<T, RunError>,
) -> Result<T, RunError> {
    plan::check_files(job.set)?;
    let mut opened = Some(job.target.attempt_log()?);
    let result = work(&mut opened);
    if let Err(error) = &result {
        if let Some(log) = &mut opened {
            // A file's own failure is noted where it happens.
            if error.file().is_none() {
                let entry =
                    Entry { message: Some(error.to_lines()), ..Entry::new(Event::Refused, job.name, None, job.by) };
                note(&mut **log, &entry);
            }
        }
    }
    result
}

/// Appends to the log; what cannot be logged is done all the same.
fn note(log: &mut dyn AttemptLog, entry: &Entry) {
    if let Err(error) = log::append(log, entry) {
        let cause = error.source.as_ref().map(ToString::to_string).unwrap_or_default();
        tracing::warn!(%error, cause, "the log of schema changes could not be written");
    }
}

/// A run under way: its connections, and the lock.
struct Runner<'r, 'a> {
    job: &'r Job<'a>,
    declared: Declared,
    log: &'r mut Option<Box<dyn AttemptLog>>,
    session: Box<dyn SchemaSession>,
    watch: Option<Box<dyn Watch>>,
    lock: Box<dyn Lock>,
}

impl<'r, 'a> Runner<'r, 'a> {
    fn open(
        job: &'r Job<'a>,
        declared: Declared,
        log: &'r mut Option<Box<dyn AttemptLog>>,
    ) -> Result<Runner<'r, 'a>, RunError> {
        // A target that is not there yet is made by the connection, before a lock beside it is.
        let session = job.target.schema_session()?;
        let holder = Holder { name: job.by.to_owned(), since: Instant::now() };
        let lock = job.target.schema_lock(&holder, job.wait).map_err(|error| match error {
            LockError::Held { .. } => RunError::Held { source: error, waited: job.wait },
            LockError::Target(error) => RunError::Target(error),
        })?;
        // Without it nobody is named, and all else goes on.
        let watch = job.target.watch().unwrap_or_else(|error| {
            tracing::warn!(%error, "there is no second connection to see who is in the way");
            None
        });
        Ok(Runner { job, declared, log, session, watch, lock })
    }

    fn apply(&mut self) -> Result<Outcome, RunError> {
        let (job, set) = (self.job, self.job.set);
        let mut outcome = Outcome::default();
        self.begin()?;
        loop {
            let history = self.history()?;
            let plan = self.plan(&history)?;
            outcome.version = history.of(job.name).last().map(|recorded| recorded.number);
            outcome.left_out = plan.left_out.iter().map(|file| file.file.clone()).collect();
            let Some(step) = plan.steps.first() else {
                self.reword(&plan, &history, &mut outcome)?;
                return Ok(outcome);
            };
            if job.stop.requested().is_some() {
                outcome.stopped_before = Some(step.file.clone());
                return Ok(outcome);
            }
            self.lock.check()?;
            let file = set.by_number(step.number).expect("the plan names files of the set");
            outcome.done.extend(self.file(file)?);
        }
    }

    /// Looks at history and schema in one state of the database, because another run may be at work
    /// where the lock is each file's transaction; then makes the bookkeeping.
    fn begin(&mut self) -> Result<(), RunError> {
        let mut reader = self.job.target.schema_reader()?;
        let history = History::read(&mut *reader, self.job.set.dialect)?;
        let first = self.plan(&history)?;
        if first.steps.is_empty() && first.reworded.is_empty() {
            return Ok(());
        }
        lint_steps(self.job, &first)?;
        if !self.declared.snapshots.is_empty() {
            let found = reader.catalogue(self.job.owner)?;
            self.check_before(&history, &found, first.steps.first().copied())?;
        }
        drop(reader);
        self.prepare()
    }

    fn history(&mut self) -> Result<History, RunError> {
        Ok(History::read(&mut *self.session, self.job.set.dialect)?)
    }

    /// Makes the bookkeeping where there is none.
    fn prepare(&mut self) -> Result<(), RunError> {
        let job = self.job;
        history::prepare(&mut *self.session, job.set.dialect, job.wait, job.lock_timeout, job.by)
            .map_err(|error| self.held_or(error.into()))?;
        if let Some(log) = self.log {
            log.prepare()?;
        }
        Ok(())
    }

    fn plan(&self, history: &History) -> Result<Plan<'a>, RunError> {
        let job = self.job;
        let recorded = history.of(job.name);
        if recorded.is_empty() {
            let elsewhere = job.set.files.first().and_then(|file| history.other_name(job.name, file));
            if let Some(other) = elsewhere.filter(|other| *other != history::OWN) {
                let (name, other) = (job.name.to_owned(), other.to_owned());
                return Err(Refusal::OtherName { name, other }.into());
            }
        }
        Ok(plan(job.set, &recorded, &job.allowed)?)
    }

    /// Whether the database is what its history says, before it is changed. What a file that says NO
    /// TRANSACTION left behind when it failed, or before it could be recorded, is not held against it.
    fn check_before(&self, history: &History, found: &Catalogue, next: Option<&MigrationFile>) -> Result<(), RunError> {
        let alone = next.filter(|file| file.header.no_transaction.is_some());
        if alone.is_some_and(|file| self.compare(file.number, found).agrees()) {
            return Ok(());
        }
        match history.of(self.job.name).last() {
            Some(last) => {
                let mut comparison = self.compare(last.number, found);
                if let Some(index) = alone.and_then(concurrent_index) {
                    let of_it = |object: &str| object.starts_with("index ") && object.ends_with(&format!(".{index}`"));
                    comparison.differences.retain(|difference| !of_it(&difference.object));
                }
                match comparison.agrees() {
                    true => Ok(()),
                    false => Err(RunError::Drifted { version: last.number, comparison }),
                }
            }
            None => {
                let comparison = compare(&Catalogue::default(), found, &self.declared.scope);
                match comparison.agrees() {
                    true => Ok(()),
                    false => Err(RunError::Occupied { comparison }),
                }
            }
        }
    }

    fn compare(&self, version: u32, found: &Catalogue) -> Comparison {
        let empty = Catalogue::default();
        let declared = self.declared.at(version).map_or(&empty, |snapshot: &Snapshot| &snapshot.schema);
        compare(declared, found, &self.declared.scope)
    }

    /// Brings the record of files with new comments up to date.
    fn reword(&mut self, plan: &Plan, history: &History, outcome: &mut Outcome) -> Result<(), RunError> {
        for file in &plan.reworded {
            let Some(recorded) = history.of(self.job.name).into_iter().find(|recorded| recorded.number == file.number)
            else {
                continue;
            };
            let recorded = history::Recorded { raw: file.raw_checksum(), ..recorded };
            history::replace(&mut *self.session, self.job.name, &recorded)?;
            self.note(&Entry::new(Event::Reworded, self.job.name, Some(&file.file), self.job.by));
            outcome.reworded.push(file.file.clone());
        }
        Ok(())
    }

    /// How far the log has come; what cannot be read is not recorded.
    fn anchor(&mut self) -> Option<log::Anchor> {
        let read = self.log.as_mut().map(|log| log::read(&mut **log));
        read.and_then(Result::ok).map(|read| read.anchor())
    }

    fn note(&mut self, entry: &Entry) {
        if let Some(log) = self.log {
            note(&mut **log, entry);
        }
    }

    fn entry(&self, event: Event, file: &MigrationFile) -> Entry {
        Entry::new(event, self.job.name, Some(&file.file), self.job.by)
    }
}
