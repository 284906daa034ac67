//! What every database can do. The pipeline knows no more of a database than these traits.
//!
//! A connection moves typed rows of the tables that it is given; which rows, and why, is decided
//! above. One behaviour suite (`tests/target_suite.rs`) passes on every target.

pub mod bulk;
pub mod postgres;
mod schema;
pub mod sqlite;

use std::error::Error;
use std::fmt;
use std::ops::ControlFlow;
use std::time::Duration;

use uuid::Uuid;

use crate::model::{Catalogue, Instant, Limits, Owner, Row, Table, Value};

pub use bulk::BulkSession;
pub use schema::{AttemptLog, Begin, SchemaSession, StatementError, Watch};

/// A database that documents are moved into.
pub trait Target: Send + Sync {
    /// The URL without its password, for people.
    fn name(&self) -> String;

    fn capabilities(&self) -> Capabilities;

    /// Whether the database can be looked at without creating it. `false` only for a SQLite file
    /// that does not exist yet.
    fn exists(&self) -> bool;

    /// A new connection. Connection failures are tried again three times with growing pauses; a
    /// refused password or an unknown database is not.
    fn connect(&self, durability: Durability) -> Result<Box<dyn Connection>, TargetError>;

    /// Up to so many connections, at least one, that only read, each with a transaction open over
    /// one and the same state of the database. Fewer than asked for where a limit says so.
    ///
    /// Nothing is written or created for them: they work on a PostgreSQL replica, and on a SQLite
    /// file that may only be read. Their transaction ends when they are dropped, or by
    /// [`Connection::refresh`]; within it transactions nest as always.
    fn readers(&self, count: usize) -> Result<Vec<Box<dyn Connection>>, TargetError>;

    /// Takes the lock that keeps a second run off this target, without waiting.
    fn lock(&self, holder: &Holder) -> Result<Box<dyn Lock>, LockError>;

    /// The target for a dry run: itself, or a temporary one where the database does not exist yet.
    fn rehearsal(&self) -> Result<Option<Box<dyn Target>>, TargetError>;

    /// A connection that changes the schema.
    fn schema_session(&self) -> Result<Box<dyn SchemaSession>, TargetError>;

    /// A connection that looks at the schema, over one state of the database. Nothing is created.
    fn schema_reader(&self) -> Result<Box<dyn SchemaSession>, TargetError>;

    /// Takes the lock that keeps others from changing schemas, waiting so long for it. Where a
    /// transaction that writes keeps everybody else out, as in SQLite, there is nothing to take.
    fn schema_lock(&self, holder: &Holder, wait: Duration) -> Result<Box<dyn Lock>, LockError>;

    /// A connection that sets aside what is built upon tables, and puts it back.
    fn bulk_session(&self) -> Result<Box<dyn BulkSession>, TargetError>;

    /// Lets connections that are made from now on write to the tables that this run has set
    /// something aside of; with `None`, connections are like anybody's again.
    fn admit(&self, run: Option<Uuid>);

    /// The log of attempts to change a schema, apart from the connection that makes them.
    fn attempt_log(&self) -> Result<Box<dyn AttemptLog>, TargetError>;

    /// A second connection that tells who blocks a statement; `None` where nobody can tell.
    fn watch(&self) -> Result<Option<Box<dyn Watch>>, TargetError>;

    /// An empty database of the same kind, gone when it is dropped.
    fn scratch(&self) -> Result<Box<dyn Target>, TargetError>;

    /// What makes rows ready on threads that hold no connection; `None` where that saves nothing.
    fn encoder(&self) -> Option<&'static dyn Encoder>;
}

/// Makes rows what [`Connection::insert_pieces`] only has to pass on.
pub trait Encoder: Send + Sync {
    /// Appends the rows, which have no unresolved reference. `false`, and nothing appended, if the
    /// database would not take one of them: given as rows, they get the error that says why.
    fn encode(&self, table: &Table, rows: &[Row], out: &mut Vec<u8>) -> bool;
}

/// Rows of one table on their way into a database.
#[derive(Clone, Copy, Debug)]
pub enum Piece<'a> {
    Rows(&'a [Row]),
    /// By the target's own [`Encoder`].
    Encoded(&'a [u8]),
}

/// What a target can hold and stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// `postgres` or `sqlite`: also the name of the folder with its schema files.
    pub dialect: &'static str,
    pub limits: Limits,
    /// How many connections may write at once.
    pub max_writers: usize,
    /// How many times as many rows a transaction of a bulk load has, as far as the bytes of a batch
    /// allow.
    pub bulk_unit: usize,
}

/// What a commit promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// A crash of the server may lose the last commits, rows and ledger together and in order.
    Relaxed,
    /// A commit, and every commit before it, is on disk when it returns.
    Full,
}

/// Who holds a lock, for the message that the next one gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// E.g. `migrate, process 4711 on host db1`.
    pub name: String,
    pub since: Instant,
}

/// A held lock; dropping it, or dying, releases it.
pub trait Lock: Send {
    /// # Errors
    /// When the lock was lost, e.g. because its connection was ended: the run must stop.
    fn check(&mut self) -> Result<(), TargetError>;
}

#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("{holder} works on this database since {since}")]
    Held { holder: String, since: String },
    #[error("cannot take the lock")]
    Target(#[from] TargetError),
}

/// Which rows of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter<'a> {
    All,
    /// Rows whose column equals one of the values (never NULL). Any number of values.
    In {
        column: usize,
        values: &'a [Value],
    },
    /// Rows of which each of the two columns, by position, equals one of its values.
    Both {
        first: (usize, &'a [Value]),
        second: (usize, &'a [Value]),
    },
}

impl Filter<'_> {
    /// The columns that are asked about, each with its values.
    pub fn lists(&self) -> Vec<(usize, &[Value])> {
        match self {
            Filter::All => Vec::new(),
            Filter::In { column, values } => vec![(*column, values)],
            Filter::Both { first, second } => vec![*first, *second],
        }
    }
}

/// What a table has in the database, for the check before the first row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveColumn {
    pub name: String,
    /// The database's own name of the type, e.g. `timestamp with time zone`.
    pub type_name: String,
    pub nullable: bool,
}

/// One connection. Not to be shared between threads without a mutex.
///
/// Rows are given and returned with one value for each of the table's columns, in their order.
pub trait Connection: Send {
    /// Begins a transaction, or a savepoint within the one that is open: transactions nest.
    fn begin(&mut self) -> Result<(), TargetError>;

    /// As [`Self::begin`], such that an outermost transaction reads one state of the database, and
    /// fails ([`TargetErrorKind::Transient`]) rather than write a row that somebody else has
    /// changed since.
    fn begin_guarded(&mut self) -> Result<(), TargetError>;

    /// Ends what the last `begin` began, keeping its work.
    ///
    /// # Errors
    /// Its work is undone then, and it is ended all the same. So it is after a statement failed in
    /// it: such a transaction takes no more statements and never commits.
    fn commit(&mut self) -> Result<(), TargetError>;

    /// Ends what the last `begin` began, undoing its work. Works after a failed statement, too.
    fn rollback(&mut self) -> Result<(), TargetError>;

    /// Adds rows, in one statement. PostgreSQL: binary COPY straight into the table.
    ///
    /// # Errors
    /// [`TargetErrorKind::Data`] if the database refuses a value or a key.
    fn insert_pieces(&mut self, table: &Table, pieces: &[Piece]) -> Result<(), TargetError>;

    /// As [`Self::insert_pieces`], of rows that lie side by side.
    fn insert(&mut self, table: &Table, rows: &[Row]) -> Result<(), TargetError> {
        self.insert_pieces(table, &[Piece::Rows(rows)])
    }

    /// Overwrites the rows with these primary keys, in place; returns how many were there.
    /// PostgreSQL: one UPDATE from arrays.
    fn update(&mut self, table: &Table, rows: &[Row]) -> Result<u64, TargetError>;

    /// Deletes rows; returns how many.
    fn delete(&mut self, table: &Table, filter: &Filter) -> Result<u64, TargetError>;

    /// Calls `each` for the rows in the order of the primary key, without holding them all.
    /// A value equals what was written: JSON by value, all else exactly.
    fn select(
        &mut self,
        table: &Table,
        filter: &Filter,
        each: &mut dyn FnMut(Row) -> ControlFlow<()>,
    ) -> Result<(), TargetError>;

    /// As [`Self::select`], in the order of these columns: text by its bytes, all else by value,
    /// NULL at either end, one place a target. Rows that are equal in all of them come in any order;
    /// so do all rows if no column is named, which spares the database the sorting.
    fn select_ordered(
        &mut self,
        table: &Table,
        filter: &Filter,
        order: &[usize],
        each: &mut dyn FnMut(Row) -> ControlFlow<()>,
    ) -> Result<(), TargetError>;

    /// Calls `each` with these columns of the rows, in the order in which they are named here.
    /// The rows come in no particular order, as fast as the database gives them.
    fn scan(
        &mut self,
        table: &Table,
        columns: &[usize],
        filter: &Filter,
        each: &mut dyn FnMut(&[Value]) -> ControlFlow<()>,
    ) -> Result<(), TargetError>;

    /// Whether the table has no row at all.
    fn is_empty(&mut self, table: &Table) -> Result<bool, TargetError>;

    /// The table's columns in their order; `None` if there is no such table.
    fn live_columns(&mut self, table: &Table) -> Result<Option<Vec<LiveColumn>>, TargetError>;

    /// What the owner's schema holds, whoever made it; what belongs to an extension is left out.
    fn catalogue(&mut self, owner: Owner) -> Result<Catalogue, TargetError>;

    /// Runs a migration's SQL with unqualified names meaning the owner's schema; for the ledger,
    /// the schema is made first where there is none.
    fn run_script(&mut self, owner: Owner, sql: &str) -> Result<(), TargetError>;

    /// Runs one statement outside of any transaction, names as in [`Self::run_script`]. `false`, and
    /// nothing is run, where a transaction is open.
    fn run_alone(&mut self, owner: Owner, sql: &str) -> Result<bool, TargetError>;

    /// Of a reader: ends its transaction, even a failed one, and begins another over what the
    /// database holds now. Other readers keep what they see.
    fn refresh(&mut self) -> Result<(), TargetError>;

    /// Fails if the connection no longer works.
    fn ping(&mut self) -> Result<(), TargetError>;
}

/// How the program should go on after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetErrorKind {
    /// The values are at fault (SQLSTATE class 22 or 23; SQLite's constraints, too big).
    Data,
    /// The connection is gone: connect again and repeat.
    Lost,
    /// Deadlock, serialization failure, a lock that was not granted in time: repeat.
    Transient,
    /// Nobody answers there.
    Unreachable,
    /// Wrong password, missing rights, unknown database.
    Denied,
    /// Disk full, out of memory and the like.
    Resources,
    Other,
}

/// An error of the database, with what was being done.
#[derive(Debug)]
pub struct TargetError {
    pub kind: TargetErrorKind,
    /// What was being done, e.g. ``cannot copy rows into `messages` ``. Never a secret or a value.
    pub context: String,
    /// The database's code where it gave one, e.g. `23505`.
    pub code: Option<String>,
    /// What to try.
    pub hint: Option<String>,
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl TargetError {
    pub fn new(kind: TargetErrorKind, context: impl Into<String>) -> TargetError {
        TargetError { kind, context: context.into(), code: None, hint: None, source: None }
    }

    pub fn with_hint(mut self, hint: impl Into<String>) -> TargetError {
        self.hint = Some(hint.into());
        self
    }

    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> TargetError {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.context)
    }
}

impl Error for TargetError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn Error + 'static))
    }
}

/// The error of whoever would write by a connection that [`Target::readers`] gave.
fn reads_only(context: impl Into<String>) -> TargetError {
    TargetError::new(TargetErrorKind::Other, context).because("this connection only reads")
}

/// The error of whoever would refresh another connection.
fn no_reader() -> TargetError {
    TargetError::new(TargetErrorKind::Other, "cannot begin to read anew").because("this connection does not only read")
}

/// Runs `work` in a transaction (or a savepoint): committed if it succeeds, rolled back if not.
pub fn in_transaction<T, E: From<TargetError>>(
    connection: &mut dyn Connection,
    work: impl FnOnce(&mut dyn Connection) -> Result<T, E>,
) -> Result<T, E> {
    connection.begin()?;
    ended(connection, work)
}

/// As [`in_transaction`], by [`Connection::begin_guarded`].
pub fn in_guarded_transaction<T, E: From<TargetError>>(
    connection: &mut dyn Connection,
    work: impl FnOnce(&mut dyn Connection) -> Result<T, E>,
) -> Result<T, E> {
    connection.begin_guarded()?;
    ended(connection, work)
}

/// Runs `work` in the transaction that was begun last, and ends it.
fn ended<T, E: From<TargetError>>(
    connection: &mut dyn Connection,
    work: impl FnOnce(&mut dyn Connection) -> Result<T, E>,
) -> Result<T, E> {
    match work(connection) {
        Ok(value) => {
            connection.commit()?;
            Ok(value)
        }
        Err(error) => {
            // The first error is the one to report; a connection that cannot roll back is lost
            // anyway, and the database rolls back for it.
            let _ = connection.rollback();
            Err(error)
        }
    }
}

/// All rows that `select` finds. Only for tables and filters whose result is known to be small.
pub fn select_all(connection: &mut dyn Connection, table: &Table, filter: &Filter) -> Result<Vec<Row>, TargetError> {
    let mut rows = Vec::new();
    connection.select(table, filter, &mut |row| {
        rows.push(row);
        ControlFlow::Continue(())
    })?;
    Ok(rows)
}
