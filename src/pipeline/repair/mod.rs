//! Repairing documents: the database is made equal to the file, one document a transaction.
//!
//! What to repair is decided by whoever compared: a document comes with the guard of what was
//! compared, and what has changed since is left alone. Rows that are about to be overwritten or
//! deleted are saved first (`saved`, `keeping`); how a document goes into the database is the
//! migration's own way (`write::replace`), with `write::repair` around it.

pub mod keeping;
pub mod saved;

use std::collections::HashMap;
use std::path::PathBuf;

use serde::Serialize;
use uuid::Uuid;

use crate::ledger::extent::Guard;

/// Which documents a run repairs. It does nothing else.
///
/// Whoever compares a document makes its guard by [`crate::ledger::extent::guard`], over the same
/// state of the database that was compared, with the digest of the files that were compared and
/// what these files say ([`crate::ledger::extent::Wants`]). The rows that count are those of
/// [`crate::ledger::extent::visit`]: the document's own row and all rows below it, what the
/// residue names, what stands under the ids that the files' rows derive to or under the natural
/// key of the first, and the ledger's rows of the document. Within the repair's transaction the
/// guard is made anew; a document whose guard is another one by then is skipped and told.
///
/// With [`super::Mode::DryRun`] all of it is done and undone, and told as what would be done.
#[derive(Clone, Debug)]
pub struct Repair {
    /// The documents' ids in the ledger.
    pub documents: HashMap<Uuid, Guard>,
    /// Where replaced rows are saved, in one file a run; never below the source.
    pub directory: PathBuf,
}

/// What became of one document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Repaired {
    pub document: Uuid,
    /// Empty for a document that the source does not have any more.
    pub kind: &'static str,
    /// Text of the path of its first file; empty as well.
    pub file: String,
    pub outcome: RepairOutcome,
    /// Why it was not repaired, or not wholly.
    pub detail: Option<String>,
    /// Rows of the application's tables, counted.
    pub rows: Vec<RowCount>,
    /// The first of these rows.
    pub changes: Vec<Change>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RepairOutcome {
    /// The database is equal to the file now.
    Repaired,
    /// There was nothing to do.
    Equal,
    /// File or rows are not what was compared, perhaps because another repair of the run changed
    /// them: nothing was done. It is to be compared again.
    Changed,
    /// The file's content cannot be in the database; `rejects` says why.
    Rejected,
    /// The database does not take it: nothing was done.
    Refused,
    /// Its file could not be read, or is gone: nothing was done.
    Unread,
}

/// What is done with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Insert,
    Update,
    Delete,
}

/// How many rows of a table something was done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RowCount {
    pub table: &'static str,
    pub action: Action,
    pub rows: u64,
}

/// A row that a repair touched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    pub table: &'static str,
    pub id: Uuid,
    pub action: Action,
}
