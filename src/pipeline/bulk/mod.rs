//! Whether a load goes in bulk, what is set aside for it, and how it is put back.
//!
//! The load itself is the same whichever way: this stands before it and after it.

mod clashes;
mod put_back;

use std::time::Duration;

use uuid::Uuid;

use crate::format::Format;
use crate::model::ledger::{DOCUMENTS, RESIDUE};
use crate::model::Table;
use crate::source::{self, WalkError, WalkOptions};
use crate::target::bulk::{Extent, Outcome, SetAside};
use crate::target::{Target, TargetError};

use super::options::{Mode, Options, Way};

pub use clashes::Taken;
pub use put_back::{put_back, PutBack, PutBackError};

/// How long others may keep a table before the load goes another way.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// A source with fewer files and fewer bytes (about 60,000 messages) loads sooner with everything in
/// place: to set something aside and put it back takes a few milliseconds, however few rows come.
const ENOUGH_FILES: u64 = 6_000;
const ENOUGH_BYTES: u64 = 40 * 1024 * 1024;

/// How rows are written, and why so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    pub is_bulk: bool,
    pub reason: String,
}

impl Chosen {
    pub fn mode(&self) -> &'static str {
        if self.is_bulk {
            "bulk"
        } else {
            "online"
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ChooseError {
    #[error(transparent)]
    Walk(#[from] WalkError),
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error("the load cannot go in bulk: {0}")]
    Refused(String),
}

/// What the choice depends on.
pub struct Choice<'a> {
    pub format: &'static dyn Format,
    pub options: &'a Options,
    pub source: &'a WalkOptions,
    pub target: &'a dyn Target,
    pub run: Uuid,
    pub holds: Holds,
}

/// What is in the database before the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    Nothing,
    /// Rows of the application's own.
    Rows,
    /// Documents of earlier runs.
    Documents,
}

/// Chooses, and sets aside what a bulk load does without.
///
/// # Errors
/// [`ChooseError::Refused`] if bulk was asked for and cannot be.
pub fn choose(choice: &Choice) -> Result<Chosen, ChooseError> {
    let online = |reason: String| match choice.options.way {
        Way::Bulk => Err(ChooseError::Refused(reason)),
        Way::Auto | Way::Online => Ok(Chosen { is_bulk: false, reason }),
    };
    match stays_online(choice)? {
        // The same command goes on where it was stopped, and changes nothing at last.
        Some(reason) if choice.holds == Holds::Documents => {
            return Ok(Chosen { is_bulk: false, reason: reason.to_owned() });
        }
        Some(reason) => return online(reason.to_owned()),
        None => {}
    }
    let mut tables: Vec<(&Table, Extent)> = Vec::new();
    for table in choice.format.tables() {
        // By its natural key a row is found while others are written, and who claims a key that
        // another one has is told from the first by path order, one at a time.
        let extent = if table.natural_key.is_empty() { Extent::All } else { Extent::Plain };
        tables.push((table, extent));
    }
    // A batch that is tried again asks which of its documents are there. Nobody asks for residue.
    tables.extend([(&DOCUMENTS, Extent::Plain), (&RESIDUE, Extent::All)]);
    let mut session = choice.target.bulk_session()?;
    let wanted = SetAside { run: choice.run, tables: &tables, lock_timeout: LOCK_TIMEOUT };
    match session.set_aside(&wanted)? {
        Outcome::Refused(why) => online(why),
        Outcome::Done => {
            choice.target.admit(Some(choice.run));
            let reason = match choice.options.way {
                Way::Bulk => "asked for; keys and indexes were put back after the rows",
                Way::Auto | Way::Online => "the tables were empty; keys and indexes were put back after the rows",
            };
            Ok(Chosen { is_bulk: true, reason: reason.to_owned() })
        }
    }
}

/// Why nothing is to be set aside, before anybody looks at the tables.
fn stays_online(choice: &Choice) -> Result<Option<&'static str>, WalkError> {
    let options = choice.options;
    let reason = match () {
        () if options.way == Way::Online => "asked for; keys and indexes stay in place",
        () if options.mode == Mode::DryRun => "a dry run changes no table; keys and indexes stay in place",
        () if options.repair.is_some() => "a repair changes few rows; keys and indexes stay in place",
        () if options.documents.is_some() => "only some documents are asked for; keys and indexes stay in place",
        () if choice.holds == Holds::Documents => "documents were loaded before; keys and indexes stay in place",
        () if choice.holds == Holds::Rows => "the tables hold rows; keys and indexes stay in place",
        () if options.way == Way::Auto && !source::has_at_least(choice.source, ENOUGH_FILES, ENOUGH_BYTES)? => {
            "the source is small; keys and indexes stay in place"
        }
        () => return Ok(None),
    };
    Ok(Some(reason))
}
