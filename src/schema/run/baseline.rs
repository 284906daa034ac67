//! Adopting a database that has its tables already: recorded, never changed.

use std::time::Duration;

use crate::schema::catalogue::Comparison;
use crate::schema::history::{self, Kind, Recorded};
use crate::schema::log::{Entry, Event};
use crate::target::Begin;

use super::{declared, with_log, Job, RunError, Runner};

/// What was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Baselined {
    pub recorded: Vec<String>,
    /// Files of optional parts that the database does not have.
    pub left_out: Vec<String>,
    /// Warnings, and what does not belong to the schema.
    pub comparison: Comparison,
}

/// Records the version `at` and all before it, if the database's schema is what `at` declares.
///
/// # Errors
/// If it is not, or if the database has a history.
pub fn baseline(job: &Job, at: u32) -> Result<Baselined, RunError> {
    if job.set.by_number(at).is_none() {
        return Err(RunError::NoSuchVersion { version: at });
    }
    with_log(job, |log| {
        let declared = declared(job.set)?;
        if declared.at(at).is_none() {
            return Err(RunError::Undeclared { version: at });
        }
        let mut runner = Runner::open(job, declared, log)?;
        runner.check_fresh()?;
        runner.compare_all(at)?;
        runner.prepare()?;
        let begin = Begin { owner: job.owner, wait: job.wait, lock_timeout: job.lock_timeout, drops: Vec::new() };
        runner.session.begin_migration(&begin)?;
        let result = runner.record_all(at);
        match &result {
            Ok(_) => runner.session.commit_migration()?,
            // The first error is the one to report.
            Err(_) => drop(runner.session.abort_migration()),
        }
        if let Ok(done) = &result {
            for file in &done.recorded {
                runner.note(&Entry::new(Event::Recorded, job.name, Some(file), job.by));
            }
        }
        result
    })
}

impl Runner<'_, '_> {
    fn check_fresh(&mut self) -> Result<(), RunError> {
        match self.history()?.of(self.job.name).last() {
            Some(last) => Err(RunError::HasHistory { version: last.number }),
            None => Ok(()),
        }
    }

    fn compare_all(&mut self, at: u32) -> Result<Comparison, RunError> {
        let found = self.session.catalogue(self.job.owner)?;
        let comparison = self.compare(at, &found);
        match comparison.agrees() {
            true => Ok(comparison),
            false => Err(RunError::Drifted { version: at, comparison }),
        }
    }

    /// Looks again within the transaction that records.
    fn record_all(&mut self, at: u32) -> Result<Baselined, RunError> {
        self.check_fresh()?;
        let comparison = self.compare_all(at)?;
        let has_all = comparison.warnings().all(|warning| warning.property.is_some());
        let mut done = Baselined { recorded: Vec::new(), left_out: Vec::new(), comparison };
        let anchor = self.anchor();
        for file in self.job.set.files.iter().filter(|file| file.number <= at) {
            if file.header.optional.is_some() && !has_all {
                done.left_out.push(file.file.clone());
                continue;
            }
            let recorded = Recorded::of(file, Kind::Baseline, "declared schema", Duration::ZERO, self.job.by);
            history::record(&mut *self.session, self.job.name, &recorded.anchored(anchor.clone()))?;
            done.recorded.push(file.file.clone());
        }
        Ok(done)
    }
}
