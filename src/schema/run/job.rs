//! What is asked of a run, what it tells meanwhile, and what it came to.

use std::time::Duration;

use crate::exec::Stop;
use crate::model::Owner;
use crate::schema::files::MigrationSet;
use crate::schema::plan::Allowed;
use crate::target::Target;

/// The pauses before a migration that waited too long for a lock is tried again.
pub const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// What is to be done, and how.
pub struct Job<'a> {
    pub target: &'a dyn Target,
    pub set: &'a MigrationSet,
    /// What the set is called in the history.
    pub name: &'a str,
    /// Whose schema the files make.
    pub owner: Owner,
    pub allowed: Allowed,
    /// How long to wait for another run.
    pub wait: Duration,
    /// How long a statement waits for a lock on a table.
    pub lock_timeout: Duration,
    pub pauses: &'a [Duration],
    /// Whether files that break a rule are refused before anything is done.
    pub lint: bool,
    /// Who runs this: program, process, host.
    pub by: &'a str,
    pub stop: &'a Stop,
    pub tell: &'a (dyn Fn(&Told) + Sync),
}

/// What is worth telling while it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told<'a> {
    Begins {
        file: &'a str,
    },
    /// A file has to wait; it is tried again after the pause.
    Retries {
        file: &'a str,
        pause: Duration,
        blockers: &'a [String],
    },
    /// A statement that no transaction holds back waits for others, for as long as they like.
    Waits {
        file: &'a str,
        blockers: &'a [String],
    },
    /// An index that a failed build left behind was dropped.
    Dropped {
        index: &'a str,
    },
    Applied {
        done: &'a Done,
    },
}

/// A file that was run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    pub number: u32,
    pub file: String,
    pub time: Duration,
    /// Against what it was checked before it was recorded.
    pub validated: String,
    /// What is optional and missing.
    pub warnings: Vec<String>,
    /// It was found in place, left by a run that was cut off, and only recorded.
    pub found: bool,
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub done: Vec<Done>,
    /// Files whose new comments were accepted.
    pub reworded: Vec<String>,
    /// Optional files that nobody asked for.
    pub left_out: Vec<String>,
    /// The newest recorded version, if there is one.
    pub version: Option<u32>,
    /// Files that a request to stop left undone.
    pub stopped_before: Option<String>,
}
