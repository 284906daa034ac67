//! What a run counted, and the two equations that account for every file and document.

use std::collections::BTreeMap;

use serde::Serialize;

/// What became of one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DocumentOutcome {
    /// Its rows are new in the database.
    Loaded,
    /// It was loaded before and has changed since.
    Updated,
    Unchanged,
    Rejected,
    /// Changed, but its rows were edited in the database meanwhile.
    Conflict,
    /// It could not be read, or kept changing.
    Failed,
}

/// Every file is in exactly one of these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FileTally {
    pub found: u64,
    pub in_documents: u64,
    pub not_migrated: u64,
    pub unreadable: u64,
    pub vanished: u64,
}

/// Every document is in exactly one of these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DocumentTally {
    pub found: u64,
    pub loaded: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub rejected: u64,
    pub conflicts: u64,
    pub failed: u64,
}

impl DocumentTally {
    pub fn count(&mut self, outcome: DocumentOutcome) {
        *match outcome {
            DocumentOutcome::Loaded => &mut self.loaded,
            DocumentOutcome::Updated => &mut self.updated,
            DocumentOutcome::Unchanged => &mut self.unchanged,
            DocumentOutcome::Rejected => &mut self.rejected,
            DocumentOutcome::Conflict => &mut self.conflicts,
            DocumentOutcome::Failed => &mut self.failed,
        } += 1;
    }

    /// Undoes the count of a document that was found and loaded.
    pub fn take_back_loaded(&mut self) {
        self.found -= 1;
        self.loaded -= 1;
    }
}

/// One line of the summary table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TableTally {
    /// Documents loaded or updated whose main table this is.
    pub documents: u64,
    /// Rows inserted, updated or deleted.
    pub rows: u64,
    /// Documents found unchanged.
    pub unchanged: u64,
    pub rejected: u64,
    /// Bytes of the source files of all documents counted in this line.
    pub bytes: u64,
}

/// Files that were counted and not loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NotMigrated {
    pub files: u64,
    pub bytes: u64,
}

/// The counts of one run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    pub files: FileTally,
    pub documents: DocumentTally,
    /// Of the rejected documents, those that somebody accepted with a reason.
    pub accepted: u64,
    /// By target table, in the format's order.
    pub tables: Vec<(&'static str, TableTally)>,
    /// By layout and directory.
    pub not_migrated: BTreeMap<(String, String), NotMigrated>,
    /// Rejects by reason code.
    pub reasons: BTreeMap<&'static str, u64>,
    /// Notes on accepted documents by code.
    pub notes: BTreeMap<&'static str, u64>,
    /// Documents in the ledger whose files are gone.
    pub removed: u64,
    /// Of these, the ones whose rows were taken out (`--prune`).
    pub pruned: u64,
    /// Removed documents that `--prune` left, because their rows were edited in the database.
    pub kept_edited: u64,
    /// Source bytes of all documents.
    pub bytes: u64,
    /// Rows inserted, updated or deleted.
    pub rows: u64,
}

/// An equation that does not hold: a mistake of transload's own, never of the data.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unbalanced {
    #[error("{found} files were found but {accounted} are accounted for")]
    Files { found: u64, accounted: u64 },
    #[error("{found} documents were found but {accounted} are accounted for")]
    Documents { found: u64, accounted: u64 },
}

impl Summary {
    /// Files found = in documents + not migrated + unreadable + vanished; documents = loaded +
    /// updated + unchanged + rejected + conflicts + failed.
    pub fn check(&self) -> Result<(), Unbalanced> {
        let f = &self.files;
        let accounted = f.in_documents + f.not_migrated + f.unreadable + f.vanished;
        if f.found != accounted {
            return Err(Unbalanced::Files { found: f.found, accounted });
        }
        let d = &self.documents;
        let accounted = d.loaded + d.updated + d.unchanged + d.rejected + d.conflicts + d.failed;
        if d.found != accounted {
            return Err(Unbalanced::Documents { found: d.found, accounted });
        }
        Ok(())
    }

    /// Whether anything is left that somebody should look at (exit code 1).
    pub fn has_leftovers(&self) -> bool {
        let d = &self.documents;
        d.rejected > self.accepted
            || d.conflicts > 0
            || d.failed > 0
            || self.kept_edited > 0
            || self.files.unreadable > 0
            || self.files.vanished > 0
    }

    pub fn table_mut(&mut self, name: &'static str) -> &mut TableTally {
        let at = match self.tables.iter().position(|(table, _)| *table == name) {
            Some(at) => at,
            None => {
                self.tables.push((name, TableTally::default()));
                self.tables.len() - 1
            }
        };
        &mut self.tables[at].1
    }
}
