//! Rows back into files: the legacy tree as the application would have it now.
//!
//! ```text
//! ledger, tables -> plan -> fetch (rows, residue) -> rebuild -> write -> account
//! ```
//!
//! Everything is read in one state of the database (`Target::readers`). Nothing that the ledger says
//! is believed further than it fits: what does not is refused, document by document, and counted.

mod account;
mod document;
mod fetch;
mod names;
mod plan;
mod rows;
mod run;
mod stored;
mod tree;
mod worker;
mod write;

use std::io;
use std::path::{Path, PathBuf};

use crate::exec::{Progress, Snapshot, Stop};
use crate::format::Format;
use crate::model::path::escape_controls;
use crate::model::{DocumentKind, RelPath};
use crate::target::TargetError;

pub use account::{KindTally, NotExported, Refused, Report, TableTally, Unbalanced};
pub use run::export;
pub use tree::UNFINISHED;

/// How many readers an export takes at least: two that look for documents, one that writes them.
pub const FEWEST_READERS: usize = 3;

/// What to export, and how.
pub struct Job<'a> {
    /// Made if it does not exist; must be empty.
    pub directory: &'a Path,
    pub settings: Settings<'a>,
    /// Called a few times a second while it runs.
    pub tick: &'a dyn Fn(&Snapshot),
}

/// What every thread of an export knows.
#[derive(Clone, Copy)]
pub struct Settings<'a> {
    pub format: &'static dyn Format,
    /// The kinds of documents to export.
    pub kinds: &'a [&'static DocumentKind],
    /// Documents of larger files are not held whole.
    pub whole_bytes: u64,
    pub stop: &'a Stop,
    pub progress: &'a Progress,
}

#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("`{}` is not empty", shown(.path))]
    NotEmpty {
        path: PathBuf,
        /// An export began there and did not end.
        unfinished: bool,
    },
    #[error("cannot prepare the directory `{}`", shown(.path))]
    Directory { path: PathBuf, source: io::Error },
    #[error("cannot write `{path}`")]
    Write { path: RelPath, source: io::Error },
    #[error("cannot read what is to be exported")]
    Read(#[from] TargetError),
    #[error("the database gives {found} connections to read one state of it, and an export takes {FEWEST_READERS}")]
    TooFewReaders { found: usize },
    #[error("{0}")]
    Crew(String),
    #[error(transparent)]
    Unbalanced(#[from] Unbalanced),
}

impl ExportError {
    /// What to try.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            ExportError::NotEmpty { unfinished: true, .. } => {
                Some("an earlier export did not end there; remove the directory, or name another one")
            }
            ExportError::NotEmpty { .. } => Some("name a directory that is empty or does not exist yet"),
            ExportError::TooFewReaders { .. } => {
                Some("allow more with --max-connections; a SQLite file that is written all the time, copy first")
            }
            ExportError::Write { .. } => Some("what was written stays, marked as unfinished; remove it and try again"),
            _ => None,
        }
    }
}

fn shown(path: &Path) -> String {
    escape_controls(&path.to_string_lossy())
}
