//! One file: its transaction, or its one statement outside of any.

use std::time::Instant;

use crate::exec::with_pauses;
use crate::schema::files::MigrationFile;
use crate::schema::history::{self, Kind, Recorded};
use crate::schema::log::{self, Event};
use crate::schema::sql::place_of;
use crate::target::{Begin, TargetErrorKind};

use super::error::{Fate, RunError};
use super::reading::dropped_tables;
use super::watched::watched;
use super::{Done, Runner, Told};

impl Runner<'_, '_> {
    /// Applies and records a file; `None` if another run has done so meanwhile.
    pub(super) fn file(&mut self, file: &MigrationFile) -> Result<Option<Done>, RunError> {
        let job = self.job;
        let mut pauses = job.pauses.iter();
        with_pauses(job.pauses, RunError::is_transient, job.stop, || {
            (job.tell)(&Told::Begins { file: &file.file });
            let result = self.try_file(file);
            match &result {
                Ok(Some(done)) => (job.tell)(&Told::Applied { done }),
                Err(error) if error.is_transient() => {
                    if let Some(pause) = pauses.next() {
                        (job.tell)(&Told::Retries { file: &file.file, pause: *pause, blockers: error.blockers() });
                    }
                }
                _ => {}
            }
            result
        })
    }

    /// One try, with its entries in the log.
    fn try_file(&mut self, file: &MigrationFile) -> Result<Option<Done>, RunError> {
        let begin = Instant::now();
        let cut_off = self.was_cut_off(file);
        let mut begun = self.entry(Event::Begun, file);
        begun.line = file.statements.first().map(|statement| statement.place().line);
        self.note(&begun);
        let process = self.session.process()?;
        let mut watch = self.watch.take();
        let (tell, alone) = (self.job.tell, file.header.no_transaction.is_some());
        // What waits in a transaction gives up soon, and that is told then.
        let waits = |blockers: &[String]| {
            if alone {
                tell(&Told::Waits { file: &file.file, blockers });
            }
        };
        let (result, blockers) = watched(watch.as_mut(), process, &waits, || match file.header.no_transaction {
            Some(_) => self.alone(file, cut_off),
            None => self.in_transaction(file),
        });
        self.watch = watch;
        let result = result.map_err(|mut error| {
            if let RunError::Statement { blockers: seen, source, .. } = &mut error {
                if source.error.kind == TargetErrorKind::Transient {
                    *seen = blockers;
                }
            }
            error
        });
        let mut entry = match &result {
            Ok(Some(done)) if done.found => self.entry(Event::Recorded, file),
            Ok(Some(_)) => self.entry(Event::Applied, file),
            Ok(None) => return Ok(None),
            Err(error) => {
                let event = if error.is_transient() { Event::Retried } else { Event::Failed };
                let mut entry = self.entry(event, file);
                if let RunError::Statement { statement, line, .. } | RunError::Ended { statement, line, .. } = error {
                    (entry.statement, entry.line) = (Some(*statement), Some(*line));
                }
                entry.code = error.code().map(str::to_owned);
                entry.message = Some(error.to_lines());
                entry.blockers = error.blockers().to_vec();
                entry
            }
        };
        entry.milliseconds = u64::try_from(begin.elapsed().as_millis()).ok();
        self.note(&entry);
        result
    }

    fn in_transaction(&mut self, file: &MigrationFile) -> Result<Option<Done>, RunError> {
        let job = self.job;
        let begin =
            Begin { owner: job.owner, wait: job.wait, lock_timeout: job.lock_timeout, drops: dropped_tables(file) };
        let started = Instant::now();
        let begun = self.session.begin_migration(&begin);
        begun.map_err(|source| self.held_or(RunError::Begin { file: file.file.clone(), source }))?;
        let done = match self.within(file, started) {
            Ok(Some(done)) => done,
            other => {
                // The first error is the one to report; a lost connection undoes by itself.
                let _ = self.session.abort_migration();
                return other;
            }
        };
        let committed = self.session.commit_migration();
        committed.map_err(|source| RunError::Commit { file: file.file.clone(), source })?;
        Ok(Some(done))
    }

    /// Everything between begin and commit.
    fn within(&mut self, file: &MigrationFile, started: Instant) -> Result<Option<Done>, RunError> {
        let history = self.history()?;
        if self.plan(&history)?.steps.first().map(|step| step.number) != Some(file.number) {
            return Ok(None);
        }
        for at in 0..file.statements.len() {
            self.statement(file, at, false)?;
            if !self.session.is_in_migration()? {
                return Err(self.ended(file, at));
            }
        }
        let (validated, warnings) = self.validate(file, false)?;
        let lost = self.session.lost_rows(file.header.destructive.is_some())?;
        if !lost.is_empty() {
            return Err(RunError::LostRows { file: file.file.clone(), lost });
        }
        let time = started.elapsed();
        let recorded = Recorded::of(file, Kind::Applied, &validated, time, self.job.by).anchored(self.anchor());
        history::record(&mut *self.session, self.job.name, &recorded)?;
        Ok(Some(Done { number: file.number, file: file.file.clone(), time, validated, warnings, found: false }))
    }

    pub(super) fn statement(&mut self, file: &MigrationFile, at: usize, alone: bool) -> Result<(), RunError> {
        let statement = &file.statements[at];
        let sql = file.sql(statement);
        let result = match alone {
            true => self.session.statement_alone(self.job.owner, sql),
            false => self.session.statement(sql),
        };
        result.map_err(|source| {
            let place = match source.offset {
                Some(offset) => place_of(&file.text, statement.range().start + offset),
                None => statement.place(),
            };
            RunError::Statement {
                file: file.file.clone(),
                statement: at + 1,
                line: place.line,
                column: place.column,
                source: Box::new(source),
                blockers: Vec::new(),
                alone,
            }
        })
    }

    /// The transaction is not the one that was begun any more.
    fn ended(&mut self, file: &MigrationFile, at: usize) -> RunError {
        let statement = &file.statements[at];
        let first = statement.tokens.first();
        let is = |word: &str| first.is_some_and(|token| token.is_word(&file.text, word));
        let fate = match () {
            () if is("COMMIT") || is("END") => Fate::Committed,
            () if is("ROLLBACK") || is("ABORT") => Fate::RolledBack,
            () => Fate::Unknown,
        };
        RunError::Ended { file: file.file.clone(), statement: at + 1, line: statement.place().line, fate }
    }

    /// Checks what a file made. Returns against what, and what is optional and missing.
    pub(super) fn validate(&mut self, file: &MigrationFile, alone: bool) -> Result<(String, Vec<String>), RunError> {
        for ensure in &file.header.ensures {
            let (name, line) = (file.file.clone(), ensure.line);
            match self.session.holds(self.job.owner, &ensure.sql) {
                Ok(true) => {}
                Ok(false) => {
                    let query = ensure.sql.split_whitespace().collect::<Vec<_>>().join(" ");
                    return Err(RunError::EnsureFalse { file: name, line, query, alone });
                }
                Err(source) => {
                    return Err(RunError::EnsureFailed { file: name, line, alone, source: Box::new(source) })
                }
            }
        }
        let mut against = Vec::new();
        if !file.header.ensures.is_empty() {
            against.push("post-conditions");
        }
        let mut warnings = Vec::new();
        if !self.declared.snapshots.is_empty() {
            // A part that is added late is compared with the version that the database is at.
            let last = self.history()?.of(self.job.name).last().map_or(0, |recorded| recorded.number);
            let found = self.session.catalogue(self.job.owner)?;
            let comparison = self.compare(file.number.max(last), &found);
            if !comparison.agrees() {
                return Err(RunError::Differs { file: file.file.clone(), comparison, alone });
            }
            warnings = comparison.warnings().map(ToString::to_string).collect();
            against.push("declared schema");
        }
        let validated = if against.is_empty() { "nothing".to_owned() } else { against.join(", ") };
        Ok((validated, warnings))
    }

    /// In SQLite the lock is the transaction: waiting in vain for it means that another run holds it,
    /// or another program.
    pub(super) fn held_or(&mut self, error: RunError) -> RunError {
        use crate::schema::history::HistoryError;
        use crate::target::LockError;
        let is_busy = match &error {
            RunError::Begin { source, .. } | RunError::History(HistoryError::Target(source)) => {
                source.kind == TargetErrorKind::Transient
            }
            _ => false,
        };
        if !is_busy || self.job.target.capabilities().max_writers > 1 {
            return error;
        }
        let entries = self.log.as_mut().and_then(|log| log::read(&mut **log).ok()).map(|read| read.entries);
        let mut others = entries.into_iter().flatten().filter(|entry| entry.by != self.job.by);
        let last = others.next_back().filter(|entry| entry.event == Event::Begun);
        let (holder, since) = match last {
            Some(entry) => (entry.by, entry.at),
            None => ("another program".to_owned(), "an unknown time".to_owned()),
        };
        RunError::Held { waited: self.job.wait, source: LockError::Held { holder, since } }
    }
}
