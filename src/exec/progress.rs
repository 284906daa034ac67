//! How far a run is: counters that every stage adds to and a bar or log line reads.
//!
//! For people to look at, not for accounts: the summary counts on its own. Nothing is printed here.

use std::sync::atomic::{AtomicU64, AtomicU8, Ordering::Relaxed};
use std::sync::OnceLock;

use crate::model::Phase;

/// The counters of one run, shared by its threads.
#[derive(Debug, Default)]
pub struct Progress {
    files_found: AtomicU64,
    /// 0 while unknown.
    files_total: AtomicU64,
    bytes_total: AtomicU64,
    files_done: AtomicU64,
    bytes_done: AtomicU64,
    rows: AtomicU64,
    rejects: AtomicU64,
    /// Position in [`Phase::ALL`] from 1; 0 before the first.
    phase: AtomicU8,
    work: OnceLock<&'static str>,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    pub files_found: u64,
    /// `None` until the source has been counted.
    pub files_total: Option<u64>,
    pub files_done: u64,
    pub bytes_done: u64,
    pub bytes_total: Option<u64>,
    pub rows: u64,
    pub rejects: u64,
    /// The phase's name, or what else is done; `starting` before the first phase.
    pub phase: &'static str,
}

impl Progress {
    pub fn new() -> Progress {
        Progress::default()
    }

    pub fn add_found(&self, files: u64) {
        self.files_found.fetch_add(files, Relaxed);
    }

    /// Files that need no more work, whatever became of them, and their bytes.
    pub fn add_done(&self, files: u64, bytes: u64) {
        self.files_done.fetch_add(files, Relaxed);
        self.bytes_done.fetch_add(bytes, Relaxed);
    }

    pub fn add_rows(&self, rows: u64) {
        self.rows.fetch_add(rows, Relaxed);
    }

    pub fn add_rejects(&self, rejects: u64) {
        self.rejects.fetch_add(rejects, Relaxed);
    }

    pub fn set_total(&self, files: u64, bytes: u64) {
        self.bytes_total.store(bytes, Relaxed);
        self.files_total.store(files, Relaxed);
    }

    /// What is done by a run without phases.
    pub fn set_work(&self, name: &'static str) {
        // Said once.
        let _ = self.work.set(name);
        self.phase.store(0, Relaxed);
    }

    pub fn set_phase(&self, phase: Phase) {
        let at = Phase::ALL.iter().position(|each| *each == phase).map_or(0, |at| at + 1);
        self.phase.store(at as u8, Relaxed);
    }

    pub fn snapshot(&self) -> Snapshot {
        let files_total = Some(self.files_total.load(Relaxed)).filter(|total| *total > 0);
        let phase = usize::from(self.phase.load(Relaxed)).checked_sub(1).map(|at| Phase::ALL[at].name());
        Snapshot {
            files_found: self.files_found.load(Relaxed),
            files_total,
            files_done: self.files_done.load(Relaxed),
            bytes_done: self.bytes_done.load(Relaxed),
            bytes_total: files_total.map(|_| self.bytes_total.load(Relaxed)),
            rows: self.rows.load(Relaxed),
            rejects: self.rejects.load(Relaxed),
            phase: phase.or(self.work.get().copied()).unwrap_or("starting"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_unknown_until_they_are_set() {
        let progress = Progress::new();
        let before = progress.snapshot();
        assert_eq!((before.files_total, before.bytes_total, before.phase), (None, None, "starting"));
        progress.set_total(3, 0);
        progress.set_phase(Phase::Memory);
        progress.add_found(2);
        progress.add_done(1, 10);
        let after = progress.snapshot();
        assert_eq!((after.files_total, after.bytes_total, after.phase), (Some(3), Some(0), "memory"));
        assert_eq!((after.files_found, after.files_done, after.bytes_done), (2, 1, 10));
    }
}
