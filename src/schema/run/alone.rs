//! A file that cannot run in a transaction: one statement, recorded after it was checked.

use std::time::Instant;

use crate::schema::files::MigrationFile;
use crate::schema::history::{self, Kind, Recorded};
use crate::schema::log;

use super::error::RunError;
use super::reading::concurrent_index;
use super::{Done, Runner, Told};

impl Runner<'_, '_> {
    /// Whether the last try was begun and never ended.
    pub(super) fn was_cut_off(&mut self, file: &MigrationFile) -> bool {
        if file.header.no_transaction.is_none() {
            return false;
        }
        let read = self.log.as_mut().map(|log| log::read(&mut **log));
        matches!(read, Some(Ok(read)) if log::was_cut_off(&read.entries, self.job.name, &file.file))
    }

    /// A file that says NO TRANSACTION: run, checked, then recorded.
    ///
    /// A kill after the statement and before the record leaves what it did: if that is found in place
    /// and holds, it is recorded. A kill or failure within the statement leaves an invalid index at
    /// most, which is dropped first.
    pub(super) fn alone(&mut self, file: &MigrationFile, cut_off: bool) -> Result<Option<Done>, RunError> {
        let started = Instant::now();
        if let Some(name) = concurrent_index(file) {
            self.drop_invalid(&name)?;
        }
        let is_checked = !file.header.ensures.is_empty() || !self.declared.snapshots.is_empty();
        let found = cut_off && is_checked && self.validate(file, true).is_ok();
        if !found {
            self.statement(file, 0, true)?;
        }
        self.session.begin().map_err(|source| RunError::Begin { file: file.file.clone(), source })?;
        match self.record_alone(file, started, found) {
            Ok(done) => {
                let committed = self.session.commit();
                committed.map_err(|source| RunError::Commit { file: file.file.clone(), source })?;
                Ok(done)
            }
            Err(error) => {
                // The first error is the one to report.
                let _ = self.session.rollback();
                Err(error)
            }
        }
    }

    /// Checked and recorded over one state of the database.
    fn record_alone(&mut self, file: &MigrationFile, started: Instant, found: bool) -> Result<Option<Done>, RunError> {
        let history = self.history()?;
        if history.of(self.job.name).iter().any(|recorded| recorded.number == file.number) {
            return Ok(None);
        }
        let (validated, warnings) = self.validate(file, true)?;
        let time = started.elapsed();
        let recorded = Recorded::of(file, Kind::Applied, &validated, time, self.job.by).anchored(self.anchor());
        history::record(&mut *self.session, self.job.name, &recorded)?;
        Ok(Some(Done { number: file.number, file: file.file.clone(), time, validated, warnings, found }))
    }

    fn drop_invalid(&mut self, name: &str) -> Result<(), RunError> {
        let found = self.session.catalogue(self.job.owner)?;
        let mut indexes = found.tables.values().flat_map(|table| &table.indexes);
        if indexes.any(|(index, shape)| index == name && shape.invalid) {
            self.session.drop_index(self.job.owner, name).map_err(|error| RunError::Target(error.error))?;
            (self.job.tell)(&Told::Dropped { index: name });
        }
        Ok(())
    }
}
