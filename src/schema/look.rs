//! Looking at a database: which migrations it has had, and whether it is what they declare. Nothing
//! is changed or created.

use crate::model::{Catalogue, Owner};
use crate::target::Target;

use super::catalogue::{compare, Comparison};
use super::files::MigrationSet;
use super::history::{History, Kind, Recorded};
use super::log;
use super::plan::{check_files, plan, Allowed};
use super::run::{declared, RunError};

/// What a database says of a set.
#[derive(Clone, Debug, Default)]
pub struct Look {
    pub history: Vec<Recorded>,
    /// Of all sets.
    pub log: log::Read,
    /// How the log was tampered with.
    pub flaw: Option<log::Flaw>,
}

/// How a file stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Applied,
    Baseline,
    Pending,
    /// Optional, and nobody asked for it.
    LeftOut,
    /// Edited in its comments since it was applied.
    Reworded,
    /// Edited since it was applied.
    Edited,
    /// Recorded, and the file is not there.
    Missing,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::Applied => "applied",
            State::Baseline => "baseline",
            State::Pending => "pending",
            State::LeftOut => "optional",
            State::Reworded => "comments edited",
            State::Edited => "edited",
            State::Missing => "missing",
        }
    }
}

/// One file, or one that history knows.
#[derive(Clone, Debug)]
pub struct Line {
    pub number: u32,
    pub file: String,
    pub state: State,
    pub recorded: Option<Recorded>,
}

impl Look {
    pub fn at(target: &dyn Target, set: &MigrationSet, name: &str) -> Result<Look, RunError> {
        if !target.exists() {
            return Ok(Look::default());
        }
        let history = History::read(&mut *target.schema_reader()?, set.dialect)?;
        let log = log::read(&mut *target.attempt_log()?)?;
        Ok(Look { history: history.of(name), flaw: log.flaw(history.anchors()), log })
    }

    /// The newest recorded version.
    pub fn version(&self) -> Option<u32> {
        self.history.last().map(|recorded| recorded.number)
    }

    pub fn lines(&self, set: &MigrationSet) -> Vec<Line> {
        let mut lines = Vec::new();
        for file in &set.files {
            let recorded = self.history.iter().find(|recorded| recorded.number == file.number);
            let state = match recorded {
                None if file.header.optional.is_some() => State::LeftOut,
                None => State::Pending,
                Some(recorded) if recorded.file != file.file => State::Edited,
                Some(recorded) if recorded.tokens != file.token_checksum() => State::Edited,
                Some(recorded) if recorded.raw != file.raw_checksum() => State::Reworded,
                Some(recorded) if recorded.kind == Kind::Baseline => State::Baseline,
                Some(_) => State::Applied,
            };
            lines.push(Line { number: file.number, file: file.file.clone(), state, recorded: recorded.cloned() });
        }
        for recorded in self.history.iter().filter(|recorded| set.by_number(recorded.number).is_none()) {
            let (number, file) = (recorded.number, recorded.file.clone());
            lines.push(Line { number, file, state: State::Missing, recorded: Some(recorded.clone()) });
        }
        lines.sort_by_key(|line| line.number);
        lines
    }
}

/// Whether a database is what it should be.
#[derive(Clone, Debug)]
pub struct Validated {
    pub version: Option<u32>,
    pub comparison: Comparison,
    /// Files that were not applied yet.
    pub pending: Vec<String>,
    /// How the log of attempts was tampered with.
    pub flaw: Option<log::Flaw>,
}

/// Compares a database with the declared schema of its version.
///
/// # Errors
/// If nothing is declared, or the files are not those that were applied.
pub fn validate(target: &dyn Target, set: &MigrationSet, name: &str, owner: Owner) -> Result<Validated, RunError> {
    check_files(set)?;
    let declared = declared(set)?;
    let empty = Catalogue::default();
    let (history, found, flaw) = match target.exists() {
        true => {
            let mut reader = target.schema_reader()?;
            let history = History::read(&mut *reader, set.dialect)?;
            let flaw = log::read(&mut *target.attempt_log()?)?.flaw(history.anchors());
            (history.of(name), reader.catalogue(owner)?, flaw)
        }
        false => (Vec::new(), Catalogue::default(), None),
    };
    // What is not allowed to be run is pending all the same.
    let allowed = Allowed { destructive: true, comment_changes: true, ..Allowed::default() };
    let pending = plan(set, &history, &allowed)?.steps.iter().map(|step| step.file.clone()).collect();
    let version = history.last().map(|recorded| recorded.number);
    let wanted = match version {
        None => &empty,
        Some(version) => match declared.at(version) {
            Some(snapshot) => &snapshot.schema,
            None => return Err(RunError::Undeclared { version }),
        },
    };
    Ok(Validated { version, comparison: compare(wanted, &found, &declared.scope), pending, flaw })
}
