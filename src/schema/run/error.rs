//! Why a run ended, with what that left behind.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::schema::catalogue::Comparison;
use crate::schema::history::HistoryError;
use crate::schema::plan::Refusal;
use crate::target::{LockError, StatementError, TargetError, TargetErrorKind};

/// What became of a transaction that a migration's own statements ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Committed,
    RolledBack,
    /// The database does not tell.
    Unknown,
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fate::Committed => "what the statements up to it did is committed and stays",
            Fate::RolledBack => "what the statements up to it did was undone",
            Fate::Unknown => "what the statements up to it did may have been committed",
        })
    }
}

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("another run changes a schema of this database; waited {} s", waited.as_secs())]
    Held { waited: Duration, source: LockError },
    #[error("the database is not what version {version:04} declares")]
    Drifted { version: u32, comparison: Comparison },
    #[error("nothing is recorded for this database, and what the migrations make is there already")]
    Occupied { comparison: Comparison },
    #[error("there is no declared schema of version {version:04} to compare with")]
    Undeclared { version: u32 },
    #[error("version {version:04} is not one of the files'")]
    NoSuchVersion { version: u32 },
    #[error("the database has a history already, up to version {version:04}")]
    HasHistory { version: u32 },
    #[error("nothing undoes {}", last.as_ref().map_or("anything: no file was applied".to_owned(), |last| format!("`{last}`")))]
    NothingUndoes { last: Option<String> },
    #[error("`{undoing}` undoes the newest migration, but `{first}` stands before it and was not applied")]
    Between { undoing: String, first: String },
    #[error("`{file}` breaks the rule {rule}{}: {message}", line.map(|line| format!(" in line {line}")).unwrap_or_default())]
    Rule { file: String, line: Option<u32>, rule: &'static str, message: String, help: String },
    /// One statement was refused.
    #[error("`{file}` failed at statement {statement}, line {line}, column {column}")]
    Statement {
        file: String,
        statement: usize,
        line: u32,
        column: u32,
        source: Box<StatementError>,
        /// Who was in the way.
        blockers: Vec<String>,
        /// Whether it ran outside of a transaction.
        alone: bool,
    },
    #[error("statement {statement} of `{file}` (line {line}) ended the migration's transaction: {fate}; nothing was recorded")]
    Ended { file: String, statement: usize, line: u32, fate: Fate },
    #[error("the post-condition of `{file}` in line {line} cannot be checked: {}", left(*alone))]
    EnsureFailed { file: String, line: u32, alone: bool, source: Box<StatementError> },
    #[error("the post-condition of `{file}` in line {line} does not hold: {}", left(*alone))]
    EnsureFalse { file: String, line: u32, query: String, alone: bool },
    #[error("`{file}` does not make the schema that is declared for it: {}", left(*alone))]
    Differs { file: String, comparison: Comparison, alone: bool },
    #[error("`{file}` would lose rows: {}; it was undone", lost.join("; "))]
    LostRows { file: String, lost: Vec<String> },
    #[error("`{file}` {}", uncommitted(source))]
    Commit { file: String, source: TargetError },
    #[error("cannot begin `{file}`")]
    Begin { file: String, source: TargetError },
    #[error(transparent)]
    History(#[from] HistoryError),
    #[error(transparent)]
    Target(#[from] TargetError),
}

/// What a file that failed leaves behind.
fn left(alone: bool) -> &'static str {
    match alone {
        true => "it ran outside of a transaction, so what it did stays; it was not recorded",
        false => "it was undone",
    }
}

/// A connection that is lost at the wrong moment takes the answer along.
fn uncommitted(error: &TargetError) -> &'static str {
    match error.kind {
        TargetErrorKind::Lost => "may have been committed or not: the connection was lost meanwhile",
        _ => "cannot be committed: it was undone",
    }
}

impl RunError {
    /// The file that failed, if one did.
    pub fn file(&self) -> Option<&str> {
        match self {
            RunError::Statement { file, .. }
            | RunError::Ended { file, .. }
            | RunError::EnsureFailed { file, .. }
            | RunError::EnsureFalse { file, .. }
            | RunError::Differs { file, .. }
            | RunError::LostRows { file, .. }
            | RunError::Commit { file, .. }
            | RunError::Begin { file, .. } => Some(file),
            _ => None,
        }
    }

    /// Whether it may pass by itself.
    pub fn is_transient(&self) -> bool {
        match self {
            RunError::Statement { source, alone: false, .. } => source.error.kind == TargetErrorKind::Transient,
            RunError::Commit { source, .. } => source.kind == TargetErrorKind::Transient,
            _ => false,
        }
    }

    /// The database's code, e.g. `42P07`.
    pub fn code(&self) -> Option<&str> {
        match self {
            RunError::Statement { source, .. } | RunError::EnsureFailed { source, .. } => source.error.code.as_deref(),
            RunError::Commit { source, .. } | RunError::Begin { source, .. } | RunError::Target(source) => {
                source.code.as_deref()
            }
            _ => None,
        }
    }

    pub fn comparison(&self) -> Option<&Comparison> {
        match self {
            RunError::Drifted { comparison, .. }
            | RunError::Occupied { comparison }
            | RunError::Differs { comparison, .. } => Some(comparison),
            _ => None,
        }
    }

    pub fn blockers(&self) -> &[String] {
        match self {
            RunError::Statement { blockers, .. } => blockers,
            _ => &[],
        }
    }

    /// What to try, beyond what the causes say themselves.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            RunError::Refused(refusal) => refusal.hint(),
            RunError::Target(error) => return error.hint.clone(),
            RunError::Rule { help, .. } => help.clone(),
            RunError::Held { .. } => "wait for it, or give --wait SECONDS".into(),
            RunError::Drifted { .. } => {
                "somebody changed the schema by hand: undo that, or make it a migration; `transload schema validate` \
                 shows the differences"
                    .into()
            }
            RunError::Occupied { .. } => {
                "`transload schema baseline DIR --at NNNN` adopts a database that is at a version already".into()
            }
            RunError::Undeclared { .. } => {
                "`transload schema snapshot DIR --db URL` writes the declared schemas, from a scratch database".into()
            }
            RunError::NoSuchVersion { .. } => "give the number of a migration that is there".into(),
            RunError::HasHistory { .. } => "`transload schema apply` goes on from there".into(),
            RunError::NothingUndoes { .. } => {
                "write a migration that does, with `-- ROLLBACK OF: NNNN_name.sql` in its header".into()
            }
            RunError::Between { .. } => "give the undoing file the next free number".into(),
            RunError::Statement { alone: true, .. } => {
                "an index that it left half-built is dropped at the next try".into()
            }
            RunError::Statement { source, .. } if source.error.kind == TargetErrorKind::Transient => {
                "end what is in the way, or run the same command again when less is going on".into()
            }
            RunError::Statement { source, .. } | RunError::EnsureFailed { source, .. } => {
                let usual = || "correct the file, and run the same command again".to_owned();
                source.error.hint.clone().unwrap_or_else(usual)
            }
            RunError::Commit { source, .. } if source.kind == TargetErrorKind::Lost => {
                "run the same command again: it sees which, and goes on from there".into()
            }
            RunError::Ended { .. } => {
                "take BEGIN, COMMIT and ROLLBACK out of the file: each file is one transaction anyway; \
                 then undo by hand what stayed"
                    .into()
            }
            RunError::EnsureFalse { query, .. } => format!("this must give one row with a true value: {query}"),
            RunError::Differs { .. } => {
                "correct the file, or, if it is right, write its declared schema anew with `transload schema snapshot`"
                    .into()
            }
            RunError::LostRows { .. } => "copy every row into the new table before the old one is dropped".into(),
            _ => return None,
        })
    }

    /// The error and its causes in one line, for the log.
    pub fn to_lines(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let said = error.to_string();
            if !text.ends_with(&said) {
                text += &format!(": {said}");
            }
            cause = error.source();
        }
        text
    }
}
