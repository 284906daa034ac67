//! What changing a schema asks of a database, beyond moving rows.
//!
//! Which statements are run, and whether what they did is kept, is decided above.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use super::{Connection, TargetError};
use crate::model::Owner;

/// A connection that runs migrations. Those of its methods that only look also work on
/// [`super::Target::schema_reader`].
pub trait SchemaSession: Connection {
    /// Begins the transaction of one migration.
    fn begin_migration(&mut self, begin: &Begin) -> Result<(), TargetError>;

    /// Runs one statement in it, unqualified names meaning the owner's schema.
    fn statement(&mut self, sql: &str) -> Result<(), StatementError>;

    /// Whether the transaction that [`Self::begin_migration`] began is still open: the statements
    /// may have ended it.
    fn is_in_migration(&mut self) -> Result<bool, TargetError>;

    /// What is wrong with rows that the statements cannot have meant to change, one line each: rows
    /// that refer to nothing and, unless it may lose some, tables with fewer rows.
    fn lost_rows(&mut self, may_lose: bool) -> Result<Vec<String>, TargetError>;

    fn commit_migration(&mut self) -> Result<(), TargetError>;

    /// Undoes the migration, as far as its transaction is still there.
    fn abort_migration(&mut self) -> Result<(), TargetError>;

    /// Runs one statement outside of any transaction.
    fn statement_alone(&mut self, owner: Owner, sql: &str) -> Result<(), StatementError>;

    /// Whether a query gives one row with one value, and that is true.
    fn holds(&mut self, owner: Owner, query: &str) -> Result<bool, StatementError>;

    /// Drops an index that a failed build left behind.
    fn drop_index(&mut self, owner: Owner, name: &str) -> Result<(), StatementError>;

    /// What [`Watch::blockers`] knows this connection by.
    fn process(&mut self) -> Result<i64, TargetError>;
}

/// How the transaction of a migration begins.
#[derive(Clone, Debug)]
pub struct Begin {
    pub owner: Owner,
    /// How long to wait where beginning means to wait for another writer.
    pub wait: Duration,
    /// How long a statement waits for a lock on a table.
    pub lock_timeout: Duration,
    /// The tables that the statements drop, to make them again perhaps. SQLite would delete what
    /// refers to them.
    pub drops: Vec<String>,
}

/// A statement that the database refused.
#[derive(Debug)]
pub struct StatementError {
    pub error: TargetError,
    /// Where in the statement, in bytes, if the database told.
    pub offset: Option<usize>,
}

impl fmt::Display for StatementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for StatementError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

impl From<TargetError> for StatementError {
    fn from(error: TargetError) -> StatementError {
        StatementError { error, offset: None }
    }
}

/// A list of lines that only grows. Each line may depend on the one before.
pub trait AttemptLog: Send {
    /// Makes the log where there is none.
    fn prepare(&mut self) -> Result<(), TargetError>;

    /// Appends what `next` makes of the last line, while nobody else appends. Without a log,
    /// because nothing was ever changed here, nothing happens.
    fn append(&mut self, next: &mut dyn FnMut(Option<&str>) -> String) -> Result<(), TargetError>;

    fn lines(&mut self) -> Result<Vec<String>, TargetError>;
}

/// Tells who is in the way.
pub trait Watch: Send {
    /// Whom the connection waits for at this moment, for people; no query's text.
    fn blockers(&mut self, process: i64) -> Result<Vec<String>, TargetError>;
}
