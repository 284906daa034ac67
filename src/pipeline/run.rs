//! A migration from the lock to the closing row.
//!
//! Whatever ends a run early leaves a state from which the same command goes on: every batch holds
//! rows and ledger together, and what the ledger does not know is simply new.

use std::error::Error;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use crate::exec::crew;
use crate::exec::{CrewError, Latencies, Progress, Quantiles, Signal, Snapshot, Stop};
use crate::format::Format;
use crate::model::ledger::{documents, rejects, DOCUMENTS, REJECTS, RUNS};
use crate::model::summary::Unbalanced;
use crate::model::{Instant, Phase, Row, Value};
use crate::source::{ReadOptions, WalkError, WalkOptions, Walker};
use crate::target::bulk::pieces;
use crate::target::{
    select_all, Connection, Durability, Filter, Holder, Lock, LockError, Target, TargetError, TargetErrorKind,
};

use super::account::Account;
use super::bulk::{self, Choice, ChooseError, Chosen, Holds, PutBack, PutBackError, Taken};
use super::claims::{Claims, Keys};
use super::examine::Examiner;
use super::first_look::has_documents;
use super::options::{Mode, Options};
use super::phase::{self, PhaseError, PhaseJob};
use super::reject_files::RejectFiles;
use super::removed::settle_removed;
use super::repair::saved::SavedRows;
use super::write::repair::Repairs;
use super::write::{locked, retried, Env, Shared, WriteError};

/// How long a legacy writer may hold its lock before its file counts as unreadable.
pub(super) const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// Makes the schema ready, or says why it cannot be.
pub type Prepare<'a> = dyn Fn(&mut dyn Connection) -> Result<(), Box<dyn Error + Send + Sync>> + Sync + 'a;

/// Everything that a migration needs.
pub struct Job<'a> {
    pub format: &'static dyn Format,
    pub source: &'a Path,
    pub target: &'a dyn Target,
    pub prepare: &'a Prepare<'a>,
    pub options: &'a Options,
    /// For the ledger, e.g. `migrate data`; holds no secret.
    pub command: &'a str,
    /// Who runs it, for whoever finds the target locked.
    pub holder: &'a str,
    pub stop: &'a Stop,
    pub progress: &'a Progress,
    /// Called on this thread several times a second.
    pub tick: &'a (dyn Fn(&Snapshot) + Sync),
}

/// What a run did.
#[derive(Debug)]
pub struct Report {
    pub run: Uuid,
    pub account: Account,
    pub mode: &'static str,
    pub mode_reason: String,
    pub dry_run: bool,
    pub seconds: f64,
    /// How long batches took from their begin to their commit.
    pub commits: Quantiles,
    pub stopped: Option<Signal>,
    /// Where the rejects of this run are, if there are any.
    pub rejects_directory: Option<PathBuf>,
    /// Where the rows are that repairs replaced, if there were any.
    pub saved: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Source(#[from] WalkError),
    #[error("nothing in {} is a document that this run would load", source_path.display())]
    NothingKnown { source_path: PathBuf },
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error("cannot make the database's schema ready")]
    Schema(#[source] Box<dyn Error + Send + Sync>),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("the load cannot go in bulk: {reason}")]
    NoBulk { reason: String },
    #[error("a bulk load was interrupted")]
    Interrupted,
    #[error("cannot put back what was set aside for the bulk load")]
    PutBack(#[from] PutBackError),
    #[error("the server crashed and came back without {documents} documents that this run had written")]
    CommitsLost { documents: u64 },
    #[error("the account of the run does not add up, which is a mistake in transload")]
    Unbalanced(#[from] Unbalanced),
    #[error("a part of the run broke down, which is a mistake in transload")]
    Broken(#[source] Box<dyn Error + Send + Sync>),
}

/// Moves the documents of the source into the target.
///
/// # Errors
/// What made it impossible to go on. What was committed by then stays; the same command resumes.
pub fn migrate(job: &Job) -> Result<Report, RunError> {
    let begun = std::time::Instant::now();
    let walk = WalkOptions::new(job.source, job.options.follow_links);
    let mut walker = Walker::new(WalkOptions { read_next: job.options.kinds.clone(), ..walk })?;
    if !has_documents(job)? {
        return Err(RunError::NothingKnown { source_path: job.source.to_owned() });
    }
    let rehearsal = match job.options.mode {
        Mode::DryRun => job.target.rehearsal()?,
        Mode::Real => None,
    };
    let target = rehearsal.as_deref().unwrap_or(job.target);
    let started = Instant::now();
    let mut lock = target.lock(&Holder { name: job.holder.to_owned(), since: started })?;
    let opened = crew::run(|crew| {
        // The database takes its time to answer, and large directories to be listed.
        crew.spawn("walk", || {
            phase::go_ahead(job.format, &mut walker, Phase::Users);
            Ok(())
        });
        Run::open(job, target, started, &mut lock)
    });
    let mut run = opened.map_err(|error| match error {
        CrewError::Failed(error) => error,
        other => RunError::Broken(other.into()),
    })?;
    let result = run.go(&mut walker, &mut lock);
    let closed = run.close(&result);
    let mut report = match (result, closed) {
        (Ok(report), Ok(())) => report,
        // The first error is the one that matters.
        (Err(error), _) | (Ok(_), Err(error)) => return Err(error),
    };
    report.seconds = begun.elapsed().as_secs_f64();
    Ok(report)
}

/// A run with its connections.
struct Run<'a> {
    job: &'a Job<'a>,
    target: &'a dyn Target,
    id: Uuid,
    started: Instant,
    /// The dry run's only connection; else the one for look-ups and the run's own row.
    main: Shared,
    dry_run: bool,
    phase: &'static str,
    mode: &'static str,
}

impl<'a> Run<'a> {
    /// Connects, makes the schema ready and notes that the run has begun.
    fn open(
        job: &'a Job<'a>,
        target: &'a dyn Target,
        started: Instant,
        lock: &mut Box<dyn Lock>,
    ) -> Result<Run<'a>, RunError> {
        let dry_run = job.options.mode == Mode::DryRun;
        let mut main = target.connect(Durability::Full)?;
        if !pieces(&mut *main)?.is_empty() {
            // The schema is nobody's but the load's until then.
            if dry_run || job.options.repair.is_some() {
                return Err(RunError::Interrupted);
            }
            tracing::warn!("a bulk load was interrupted: what it had set aside is put back first");
            put_back(job, target, lock)?;
        }
        if dry_run {
            // Everything from here on is undone when the connection is dropped or rolled back.
            main.begin()?;
        }
        (job.prepare)(&mut *main).map_err(RunError::Schema)?;
        let run = Run {
            job,
            target,
            id: Uuid::now_v7(),
            started,
            main: Mutex::new(main),
            dry_run,
            phase: "starting",
            mode: "online",
        };
        run.note_interrupted()?;
        locked(&run.main).insert(&RUNS, &[run.row("running", None, None)])?;
        Ok(run)
    }

    /// Under the lock nobody else runs: a row that says so is a run that was killed.
    fn note_interrupted(&self) -> Result<(), TargetError> {
        let mut connection = locked(&self.main);
        let state = RUNS.column("state").expect("the ledger's own column");
        let running = [Value::Text("running".into())];
        let mut rows = select_all(&mut **connection, &RUNS, &Filter::In { column: state, values: &running })?;
        for row in &mut rows {
            row.0[state] = Value::Text("interrupted".into());
        }
        match rows.is_empty() {
            true => Ok(()),
            false => connection.update(&RUNS, &rows).map(|_| ()),
        }
    }

    fn go(&mut self, walker: &mut Walker, lock: &mut Box<dyn Lock>) -> Result<Report, RunError> {
        let job = self.job;
        let options = job.options;
        // A repair looks at everything.
        let (holds, no_rejects) = self.holds()?;
        let no_rejects = no_rejects && options.repair.is_none();
        let fresh = holds == Holds::Nothing && options.repair.is_none();
        let examiner = Examiner {
            format: job.format,
            root: job.source,
            read: ReadOptions {
                whole_bytes: options.whole_bytes,
                lock_patience: LOCK_PATIENCE,
                follow_links: options.follow_links,
            },
            zone: options.zone.clone(),
            limits: self.target.capabilities().limits,
            part_rows: options.batch_rows,
            part_bytes: options.batch_bytes,
            // A repair looks at every row.
            encoder: if options.repair.is_some() { None } else { self.target.encoder() },
        };
        let reject_files = RejectFiles::new(job.source, &options.rejects_directory, self.id, self.dry_run);
        let repairs = options
            .repair
            .as_ref()
            .map(|repair| Repairs::new(repair, SavedRows::new(&repair.directory, self.id, self.dry_run)));
        let lost = AtomicBool::new(false);
        let commits = Latencies::default();
        let env = Env {
            format: job.format,
            target: self.target,
            examiner: &examiner,
            run: self.id,
            prefer: options.prefer,
            fresh,
            no_rejects,
            dry_run: self.dry_run,
            reject_files: &reject_files,
            remembered: Default::default(),
            commits: &commits,
            repairs: repairs.as_ref(),
            stop: job.stop,
            lost: &lost,
        };
        let account = Mutex::new(Account::new(job.format.tables().iter().map(|table| table.name)));
        let chosen = self.choose(holds)?;
        self.mode = chosen.mode();
        let unit = if chosen.is_bulk { self.target.capabilities().bulk_unit } else { 1 };
        let units = Options { batch_rows: options.batch_rows.saturating_mul(unit), ..options.clone() };
        let loaded = self.load(&Load { env: &env, options: &units, account: &account }, walker, lock);
        let taken = match chosen.is_bulk {
            true => self.put_back(&env, &loaded, lock)?,
            false => Taken::default(),
        };
        loaded?;
        if !taken.documents.is_empty() {
            // What stood in the way of a key meets it now like any other document.
            account.lock().unwrap_or_else(PoisonError::into_inner).take_back(job.format, &taken);
            let again = Options { documents: Some(taken.ids()), ..options.clone() };
            let env = Env { fresh: false, no_rejects: false, remembered: Default::default(), ..env };
            self.load(&Load { env: &env, options: &again, account: &account }, walker, lock)?;
        }

        let mut account = account.into_inner().unwrap_or_else(PoisonError::into_inner);
        if lost.load(Ordering::SeqCst) {
            retried(&env, &self.main, Durability::Full, |connection| self.count_noted(connection))
                .map_err(RunError::from)
                .and_then(|noted| is_kept(&account, noted))?;
        }
        let stopped = job.stop.requested();
        if stopped.is_none() && !options.is_narrowed() && !(fresh && no_rejects) {
            retried(&env, &self.main, Durability::Full, |connection| connection.ping())?;
            let mut connection = locked(&self.main);
            settle_removed(job, &mut **connection, &mut account)?;
        }
        if let (Some(repair), None) = (&options.repair, stopped) {
            account.not_met(repair.documents.keys());
        }
        account.summary.check()?;
        account.sort();
        let rejects = account.summary.documents.rejected > 0 && !self.dry_run;
        Ok(Report {
            run: self.id,
            account,
            mode: chosen.mode(),
            mode_reason: chosen.reason,
            dry_run: self.dry_run,
            seconds: 0.0,
            commits: commits.quantiles(),
            stopped,
            rejects_directory: rejects.then(|| reject_files.directory().to_owned()),
            saved: repairs.as_ref().and_then(|repairs| repairs.saved.path()).map(Path::to_owned),
        })
    }

    /// Whether the load goes in bulk; then its tables are bare from here on.
    fn choose(&self, holds: Holds) -> Result<Chosen, RunError> {
        let job = self.job;
        let source = WalkOptions::new(job.source, job.options.follow_links);
        let (format, options, target, run) = (job.format, job.options, self.target, self.id);
        let choice = Choice { format, options, source: &source, target, run, holds };
        bulk::choose(&choice).map_err(|error| match error {
            ChooseError::Walk(error) => error.into(),
            ChooseError::Target(error) => error.into(),
            ChooseError::Refused(reason) => RunError::NoBulk { reason },
        })
    }

    /// All phases, as far as nobody asked to stop.
    fn load(&mut self, load: &Load, walker: &mut Walker, lock: &mut Box<dyn Lock>) -> Result<(), RunError> {
        let job = self.job;
        let own = self.writers()?;
        let mut claims = Claims::new(load.env.examiner, if load.env.fresh { Keys::Here } else { Keys::InDatabase });
        for phase in Phase::ALL {
            if job.stop.requested().is_some() {
                break;
            }
            self.phase = phase.name();
            if !self.dry_run {
                let row = [self.row("running", None, None)];
                retried(load.env, &self.main, Durability::Full, |connection| connection.update(&RUNS, &row))?;
            }
            let phase_job = PhaseJob {
                format: job.format,
                options: load.options,
                examiner: load.env.examiner,
                env: load.env,
                writers: own.as_deref().unwrap_or(std::slice::from_ref(&self.main)),
                look_ups: &self.main,
                account: load.account,
                progress: job.progress,
                stop: job.stop,
                tick: job.tick,
                holder: job.holder,
            };
            phase::run(&phase_job, phase, walker, &mut claims, lock).map_err(run_error)?;
        }
        Ok(())
    }

    /// After a load in bulk: keys and indexes over the rows that came. Also after an error, unless
    /// somebody else may have the database by now.
    fn put_back(
        &mut self,
        env: &Env,
        loaded: &Result<(), RunError>,
        lock: &mut Box<dyn Lock>,
    ) -> Result<Taken, RunError> {
        if matches!(loaded, Err(RunError::Lock(_))) {
            return Ok(Taken::default());
        }
        self.phase = "indexes";
        let row = [self.row("running", None, None)];
        let noted = retried(env, &self.main, Durability::Full, |connection| connection.update(&RUNS, &row));
        let back = noted.map_err(RunError::from).and_then(|_| put_back(self.job, self.target, lock));
        match (loaded, back) {
            // The first error is the one that matters; the next run puts the rest back.
            (Err(_), Err(error)) => {
                tracing::warn!(%error, "what was set aside could not all be put back");
                Ok(Taken::default())
            }
            (_, back) => back,
        }
    }

    /// What ledger and tables hold, and whether there are no rejects.
    fn holds(&self) -> Result<(Holds, bool), TargetError> {
        let mut connection = locked(&self.main);
        let mut holds = if connection.is_empty(&DOCUMENTS)? { Holds::Nothing } else { Holds::Documents };
        for table in self.job.format.tables() {
            if holds == Holds::Nothing && !connection.is_empty(table)? {
                holds = Holds::Rows;
            }
        }
        let no_rejects = connection.is_empty(&REJECTS)?;
        Ok((holds, no_rejects))
    }

    /// Connections for the writers; `None` for a dry run, which has only one.
    fn writers(&self) -> Result<Option<Vec<Shared>>, TargetError> {
        if self.dry_run {
            return Ok(None);
        }
        let count = self.job.options.writers.clamp(1, self.target.capabilities().max_writers.max(1));
        // A crash of the server may lose the last batches, but rows and ledger together, so the
        // next run loads them again. The run's closing row is on disk before success is told, and
        // if a connection was lost, all that was written is looked for before.
        let connect = |_| self.target.connect(Durability::Relaxed).map(Mutex::new);
        (0..count).map(connect).collect::<Result<Vec<_>, _>>().map(Some)
    }

    /// How many rows the ledger has of this run.
    fn count_noted(&self, connection: &mut dyn Connection) -> Result<u64, TargetError> {
        let run = [Value::Uuid(self.id)];
        let mut count = 0;
        for (table, column) in [(&DOCUMENTS, documents::RUN_ID), (&REJECTS, rejects::RUN_ID)] {
            connection.select(table, &Filter::In { column, values: &run }, &mut |_| {
                count += 1;
                ControlFlow::Continue(())
            })?;
        }
        Ok(count)
    }

    /// The run's closing row, after all writers have joined; or everything undone.
    fn close(&self, result: &Result<Report, RunError>) -> Result<(), RunError> {
        let mut connection = locked(&self.main);
        if self.dry_run {
            connection.rollback()?;
            return Ok(());
        }
        let row = |state, account: Option<&Account>| [self.row(state, Some(Instant::now()), account.map(summary_json))];
        let failed = || row("failed", None);
        let closing = match result {
            Ok(report) if report.stopped.is_some() => row("stopped", Some(&report.account)),
            Ok(report) => row("done", Some(&report.account)),
            Err(_) => failed(),
        };
        match connection.update(&RUNS, &closing) {
            Err(error) if error.kind == TargetErrorKind::Lost => {
                *connection = self.target.connect(Durability::Full)?;
                let kept = match result {
                    Ok(report) => is_kept(&report.account, self.count_noted(&mut **connection)?),
                    Err(_) => Ok(()),
                };
                connection.update(&RUNS, &if kept.is_ok() { closing } else { failed() })?;
                kept
            }
            other => other.map(|_| ()).map_err(RunError::from),
        }
    }

    fn row(&self, state: &str, finished: Option<Instant>, summary: Option<String>) -> Row {
        Row(vec![
            Value::Uuid(self.id),
            Value::Text(self.job.command.to_owned()),
            Value::Text(env!("CARGO_PKG_VERSION").to_owned()),
            Value::Text(crate::model::RelPath::new(self.job.source).to_text()),
            Value::Text(self.job.holder.to_owned()),
            Value::Text(state.to_owned()),
            Value::Text(self.phase.to_owned()),
            Value::Text(self.mode.to_owned()),
            Value::Time(self.started),
            Value::time_or_null(finished),
            summary.map_or(Value::Null, Value::Json),
        ])
    }
}

/// What one walk over the source loads.
struct Load<'a> {
    env: &'a Env<'a>,
    options: &'a Options,
    account: &'a Mutex<Account>,
}

/// Puts back what a bulk load set aside, this run's or one's that was interrupted.
fn put_back(job: &Job, target: &dyn Target, lock: &mut Box<dyn Lock>) -> Result<Taken, RunError> {
    let sessions = job.options.writers.clamp(1, target.capabilities().max_writers.max(1));
    let (format, progress, tick, holder) = (job.format, job.progress, job.tick, job.holder);
    Ok(bulk::put_back(&PutBack { format, target, sessions, progress, tick, holder }, lock)?)
}

/// Whether the ledger has what the run wrote into it; `noted` is what it has.
fn is_kept(account: &Account, noted: u64) -> Result<(), RunError> {
    match account.noted.saturating_sub(noted) {
        0 => Ok(()),
        documents => Err(RunError::CommitsLost { documents }),
    }
}

/// The counts for the ledger.
fn summary_json(account: &Account) -> String {
    let summary = &account.summary;
    serde_json::json!({
        "files": summary.files,
        "documents": summary.documents,
        "accepted": summary.accepted,
        "rows": summary.rows,
        "bytes": summary.bytes,
        "removed": summary.removed,
        "pruned": summary.pruned,
        "reasons": summary.reasons,
    })
    .to_string()
}

fn run_error(error: CrewError<PhaseError>) -> RunError {
    match error {
        CrewError::Failed(PhaseError::Walk(error)) => error.into(),
        CrewError::Failed(PhaseError::Target(error)) => error.into(),
        CrewError::Failed(PhaseError::Write(error)) => error.into(),
        CrewError::Failed(PhaseError::Lock(error)) => error.into(),
        other => RunError::Broken(other.into()),
    }
}
