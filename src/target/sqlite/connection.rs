//! One connection: rows in and out, and transactions that nest.
//!
//! A transaction in which a statement failed takes no more statements until it is rolled back, as
//! in PostgreSQL: half of a batch can then never be committed.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{OpenFlags, Statement, Transaction, TransactionBehavior};

use crate::model::{Catalogue, Owner, Row, Table, Value};
use crate::target::{
    no_reader, reads_only, Connection, Durability, Filter, LiveColumn, Piece, SchemaSession, TargetError,
    TargetErrorKind,
};

use super::cache::Cache;
use super::catalogue;
use super::errors::describe;
use super::reader::{self, Way};
use super::schema::Migration;
use super::sql;
use super::values::{json_list, read, read_key, Param};

/// How many pages a load's log may hold before they go into the file, 256 MiB. Ids come in no order, so
/// the pages of the keys' indexes are written again and again: into the file once for many commits.
const LOG_PAGES: i64 = 64 * 1024;

/// One statement a table and verb, with room for the ledger's.
pub const CACHED_STATEMENTS: usize = 64;

pub struct SqliteConnection {
    db: rusqlite::Connection,
    /// The open transaction and its savepoints, outermost first.
    levels: Vec<Level>,
    /// Of a connection that only reads; the outermost transaction is its own.
    reads: Option<Reads>,
    /// The migration that is under way.
    pub(super) migration: Option<Migration>,
    /// How long it waits for another writer.
    patience: Duration,
}

/// What a reader takes to begin anew.
struct Reads {
    path: PathBuf,
    way: Way,
    patience: Duration,
}

#[derive(Clone, Copy, PartialEq)]
enum Level {
    Sound,
    /// A statement failed: only a rollback helps.
    Failed,
}

impl SqliteConnection {
    /// Opens a file that exists.
    pub fn open(
        path: &Path,
        cache: Cache,
        durability: Durability,
        patience: Duration,
    ) -> Result<SqliteConnection, TargetError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let context = || format!("cannot open `{}`", path.display());
        let db = rusqlite::Connection::open_with_flags(path, flags).map_err(|error| describe(&context(), error))?;
        configure(&db, cache, durability, patience).map_err(|error| match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => {
                describe(&format!("`{}` is no SQLite database", path.display()), error)
            }
            _ => describe(&context(), error),
        })?;
        if !pragma_is(&db, "foreign_keys", "1") {
            return Err(TargetError::new(TargetErrorKind::Other, "this SQLite does not enforce foreign keys"));
        }
        Ok(SqliteConnection { db, levels: Vec::new(), reads: None, migration: None, patience })
    }

    /// Opens a file that exists, to read what it holds now.
    pub fn open_reader(path: &Path, way: Way, patience: Duration) -> Result<SqliteConnection, TargetError> {
        let db = reader::open(path, way, patience)?;
        reader::begin(&db).map_err(|error| reader::cannot_read(path, error))?;
        let reads = Some(Reads { path: path.to_owned(), way, patience });
        Ok(SqliteConnection { db, levels: vec![Level::Sound], reads, migration: None, patience })
    }

    /// Gives the builds of indexes room to sort.
    pub(super) fn sort(&mut self, cache: Cache) -> Result<(), TargetError> {
        self.execute("cannot set up the connection", &format!("PRAGMA cache_size = -{}", cache.for_sorting()))
    }

    /// Lets them sort in a thread of their own.
    pub(super) fn sort_beside(&mut self) -> Result<(), TargetError> {
        self.execute("cannot set up the connection", "PRAGMA threads = 1")
    }

    pub(super) fn may_write(&self, context: &str) -> Result<(), TargetError> {
        if self.reads.is_some() {
            Err(reads_only(context))
        } else {
            Ok(())
        }
    }

    /// Runs statements within the transaction that is open, if any, and notes their failure.
    pub(super) fn run<T>(
        &mut self,
        context: &str,
        work: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T>,
    ) -> Result<T, TargetError> {
        if self.levels.last() == Some(&Level::Failed) {
            return Err(TargetError::new(TargetErrorKind::Other, context)
                .because("an earlier statement of this transaction failed, so it can only be rolled back"));
        }
        work(&self.db).map_err(|error| {
            if let Some(level) = self.levels.last_mut() {
                *level = Level::Failed;
            }
            self.notice_lost_transaction();
            describe(context, error)
        })
    }

    /// As [`Self::run`]; outside of a transaction the statements make one of their own.
    fn run_whole<T>(
        &mut self,
        context: &str,
        work: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T>,
    ) -> Result<T, TargetError> {
        let alone = self.levels.is_empty();
        self.run(context, |db| {
            if !alone {
                return work(db);
            }
            // Rolls back when it is dropped before the commit.
            let transaction = Transaction::new_unchecked(db, TransactionBehavior::Immediate)?;
            let value = work(db)?;
            transaction.commit()?;
            Ok(value)
        })
    }

    pub(super) fn execute(&mut self, context: &str, sql: &str) -> Result<(), TargetError> {
        self.run(context, |db| db.execute_batch(sql))
    }

    /// Ends what a script may have begun and not ended, because it failed: `PRAGMA writable_schema` outlives
    /// a transaction, and with it a slip of whoever writes next would destroy the schema.
    pub(super) fn protect_schema(&mut self) -> Result<(), TargetError> {
        if !pragma_is(&self.db, "writable_schema", "1") {
            return Ok(());
        }
        let reset = self.db.execute_batch("PRAGMA writable_schema = RESET");
        reset.map_err(|error| describe("cannot protect the schema again", error))
    }

    /// Whether no transaction is open.
    pub(super) fn is_idle(&self) -> bool {
        self.levels.is_empty()
    }

    /// Does `work` with another patience for other writers.
    pub(super) fn with_patience<T>(
        &mut self,
        patience: Duration,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T, TargetError>,
    ) -> Result<T, TargetError> {
        let set = |connection: &mut SqliteConnection, patience| {
            connection.db.busy_timeout(patience).map_err(|error| describe("cannot set up the connection", error))
        };
        set(self, patience)?;
        let result = work(self);
        set(self, self.patience)?;
        result
    }

    /// A full disk and the like make SQLite roll back the whole transaction by itself.
    fn notice_lost_transaction(&mut self) {
        if self.db.is_autocommit() {
            self.levels.fill(Level::Failed);
        }
    }

    /// Takes off what the last `begin` put on.
    fn end_level(&mut self, context: &str) -> Result<Level, TargetError> {
        let own = usize::from(self.reads.is_some());
        match self.levels.len() > own {
            true => Ok(self.levels.pop().expect("the last was just counted")),
            false => Err(TargetError::new(TargetErrorKind::Other, context).because("no transaction is open")),
        }
    }

    /// Undoes the level that was just taken off `levels`.
    fn undo_level(&mut self) -> rusqlite::Result<()> {
        if self.db.is_autocommit() {
            self.notice_lost_transaction();
            return Ok(());
        }
        match self.levels.len() {
            0 => self.db.execute_batch("ROLLBACK"),
            depth => self.db.execute_batch(&format!("ROLLBACK TO level_{depth}; RELEASE level_{depth}")),
        }
    }
}

/// The settings that every connection has.
fn configure(
    db: &rusqlite::Connection,
    cache: Cache,
    durability: Durability,
    patience: Duration,
) -> rusqlite::Result<()> {
    db.busy_timeout(patience)?;
    db.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    // A column that does not exist is an error, not a string.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    db.pragma_update(None, "trusted_schema", false)?;
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "cache_size", -cache.of(durability))?;
    let journal: String = db.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    // Without shared memory (some network file systems) SQLite keeps its rollback journal, and
    // that one is safe only when it is synced.
    let synchronous = match durability {
        Durability::Relaxed if journal == "wal" => "normal",
        Durability::Relaxed | Durability::Full => "full",
    };
    db.pragma_update(None, "synchronous", synchronous)?;
    if durability == Durability::Relaxed {
        db.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    }
    Ok(())
}

fn pragma_is(db: &rusqlite::Connection, pragma: &str, expected: &str) -> bool {
    db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).is_ok_and(|value| value.to_string() == expected)
}

impl Connection for SqliteConnection {
    /// The outermost transaction takes the write lock at once, so that another writer is met here
    /// and not in the middle.
    fn begin(&mut self) -> Result<(), TargetError> {
        let sql = match self.levels.len() {
            0 => "BEGIN IMMEDIATE".to_owned(),
            depth => format!("SAVEPOINT level_{depth}"),
        };
        self.run("cannot begin a transaction", |db| db.execute_batch(&sql))?;
        self.levels.push(Level::Sound);
        Ok(())
    }

    /// Nobody else writes while a transaction is open.
    fn begin_guarded(&mut self) -> Result<(), TargetError> {
        self.begin()
    }

    fn commit(&mut self) -> Result<(), TargetError> {
        const CONTEXT: &str = "cannot commit";
        let level = self.end_level(CONTEXT)?;
        let error = match level {
            Level::Failed => TargetError::new(TargetErrorKind::Other, CONTEXT)
                .because("an earlier statement of this transaction failed, so it was rolled back"),
            Level::Sound => {
                let committed = match self.levels.len() {
                    0 => self.db.execute_batch("COMMIT"),
                    depth => self.db.execute_batch(&format!("RELEASE level_{depth}")),
                };
                match committed {
                    Ok(()) => return Ok(()),
                    Err(error) => describe(CONTEXT, error),
                }
            }
        };
        // The reason why it did not commit is the one to report.
        let _ = self.undo_level();
        Err(error)
    }

    fn rollback(&mut self) -> Result<(), TargetError> {
        const CONTEXT: &str = "cannot roll back";
        self.end_level(CONTEXT)?;
        self.undo_level().map_err(|error| describe(CONTEXT, error))
    }

    fn insert_pieces(&mut self, table: &Table, pieces: &[Piece]) -> Result<(), TargetError> {
        let context = format!("cannot insert rows into `{}`", table.name);
        self.may_write(&context)?;
        self.run_whole(&context, |db| {
            let mut statement = db.prepare_cached(&sql::insert(table))?;
            for piece in pieces {
                let Piece::Rows(rows) = piece else { unreachable!("SQLite has no encoder") };
                for row in *rows {
                    bind(&mut statement, row)?;
                    statement.raw_execute()?;
                }
            }
            Ok(())
        })
    }

    fn update(&mut self, table: &Table, rows: &[Row]) -> Result<u64, TargetError> {
        let context = format!("cannot update rows of `{}`", table.name);
        self.may_write(&context)?;
        self.run_whole(&context, |db| {
            let mut statement = db.prepare_cached(&sql::update(table))?;
            let mut updated = 0;
            for row in rows {
                bind(&mut statement, row)?;
                updated += statement.raw_execute()? as u64;
            }
            Ok(updated)
        })
    }

    fn delete(&mut self, table: &Table, filter: &Filter) -> Result<u64, TargetError> {
        let context = format!("cannot delete rows of `{}`", table.name);
        self.may_write(&context)?;
        self.run(&context, |db| {
            let mut statement = db.prepare_cached(&sql::delete(table, filter))?;
            bind_filter(&mut statement, filter)?;
            Ok(statement.raw_execute()? as u64)
        })
    }

    fn select(
        &mut self,
        table: &Table,
        filter: &Filter,
        each: &mut dyn FnMut(Row) -> ControlFlow<()>,
    ) -> Result<(), TargetError> {
        self.select_ordered(table, filter, table.key, each)
    }

    fn select_ordered(
        &mut self,
        table: &Table,
        filter: &Filter,
        order: &[usize],
        each: &mut dyn FnMut(Row) -> ControlFlow<()>,
    ) -> Result<(), TargetError> {
        let all: Vec<usize> = (0..table.columns.len()).collect();
        let sql = sql::select(table, &all, filter, order);
        self.run(&format!("cannot read `{}`", table.name), |db| {
            let mut statement = db.prepare_cached(&sql)?;
            bind_filter(&mut statement, filter)?;
            let mut rows = statement.raw_query();
            while let Some(row) = rows.next()? {
                let mut values = Vec::with_capacity(all.len());
                read_columns(table, &all, row, &mut values)?;
                if each(Row(values)).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }

    fn scan(
        &mut self,
        table: &Table,
        columns: &[usize],
        filter: &Filter,
        each: &mut dyn FnMut(&[Value]) -> ControlFlow<()>,
    ) -> Result<(), TargetError> {
        let sql = sql::select(table, columns, filter, &[]);
        self.run(&format!("cannot read `{}`", table.name), |db| {
            let mut statement = db.prepare_cached(&sql)?;
            bind_filter(&mut statement, filter)?;
            let mut rows = statement.raw_query();
            let mut values = Vec::with_capacity(columns.len());
            while let Some(row) = rows.next()? {
                values.clear();
                read_columns(table, columns, row, &mut values)?;
                if each(&values).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }

    fn is_empty(&mut self, table: &Table) -> Result<bool, TargetError> {
        let sql = sql::is_empty(table);
        self.run(&format!("cannot read `{}`", table.name), |db| db.query_row(&sql, [], |row| row.get(0)))
    }

    fn live_columns(&mut self, table: &Table) -> Result<Option<Vec<LiveColumn>>, TargetError> {
        let name = sql::stored_name(table);
        let columns = self.run(&format!("cannot read the columns of `{}`", table.name), |db| {
            let mut statement = db.prepare_cached(sql::LIVE_COLUMNS)?;
            let columns = statement.query_map([name], |row| {
                Ok(LiveColumn { name: row.get(0)?, type_name: row.get(1)?, nullable: !row.get::<_, bool>(2)? })
            })?;
            columns.collect::<rusqlite::Result<Vec<_>>>()
        })?;
        Ok((!columns.is_empty()).then_some(columns))
    }

    fn catalogue(&mut self, owner: Owner) -> Result<Catalogue, TargetError> {
        self.run("cannot read the schema", |db| catalogue::read(db, owner))
    }

    /// The scripts spell the ledger's prefix out, so the owner makes no difference here.
    fn run_script(&mut self, _owner: Owner, sql: &str) -> Result<(), TargetError> {
        const CONTEXT: &str = "cannot run the script";
        self.may_write(CONTEXT)?;
        let result = self.run_whole(CONTEXT, |db| db.execute_batch(sql));
        let protected = self.protect_schema();
        result.and(protected)
    }

    fn run_alone(&mut self, owner: Owner, sql: &str) -> Result<bool, TargetError> {
        if !self.is_idle() {
            return Ok(false);
        }
        self.statement_alone(owner, sql).map(|()| true).map_err(|error| error.error)
    }

    fn refresh(&mut self) -> Result<(), TargetError> {
        let Some(Reads { path, way, patience }) = &self.reads else { return Err(no_reader()) };
        if *way == Way::Frozen {
            // What such a connection has read it takes to be true for ever.
            let way = Way::to(path, *patience)?;
            *self = SqliteConnection::open_reader(path, way, *patience)?;
            return Ok(());
        }
        let ended = if self.db.is_autocommit() { Ok(()) } else { self.db.execute_batch("ROLLBACK") };
        let begun = ended.and_then(|()| reader::begin(&self.db));
        self.levels = vec![if begun.is_ok() { Level::Sound } else { Level::Failed }];
        begun.map_err(|error| describe("cannot begin to read anew", error))
    }

    fn ping(&mut self) -> Result<(), TargetError> {
        self.run("cannot reach the database", |db| {
            db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0)).map(drop)
        })
    }
}

/// Appends the values of a row that was selected with these columns.
fn read_columns(
    table: &Table,
    columns: &[usize],
    row: &rusqlite::Row,
    values: &mut Vec<Value>,
) -> rusqlite::Result<()> {
    for (at, column) in columns.iter().enumerate() {
        let stored = row.get_ref(at)?;
        let is_key = table.key.contains(column);
        let column = &table.columns[*column];
        values.push(if is_key { read_key(column, at, stored)? } else { read(column.kind, stored) });
    }
    Ok(())
}

fn bind(statement: &mut Statement, row: &Row) -> rusqlite::Result<()> {
    let expected = statement.parameter_count();
    if row.0.len() != expected {
        return Err(rusqlite::Error::InvalidParameterCount(row.0.len(), expected));
    }
    row.0.iter().enumerate().try_for_each(|(at, value)| statement.raw_bind_parameter(at + 1, Param(value)))
}

fn bind_filter(statement: &mut Statement, filter: &Filter) -> rusqlite::Result<()> {
    (1..).zip(filter.lists()).try_for_each(|(at, (_, values))| statement.raw_bind_parameter(at, json_list(values)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ledger::VERSIONS;
    use crate::model::{Instant, Value};
    use crate::target::sqlite::file;
    use std::time::Instant as Clock;

    fn open(path: &Path, durability: Durability) -> SqliteConnection {
        file::create_private(path).unwrap();
        SqliteConnection::open(path, Cache::default(), durability, Duration::from_millis(50)).unwrap()
    }

    fn version(number: i64) -> Row {
        Row(vec![
            Value::Text("x".into()),
            Value::Int(number),
            Value::Text("y".into()),
            Value::Bytes(vec![1]),
            Value::Time(Instant(0)),
        ])
    }

    fn with_versions(path: &Path) -> SqliteConnection {
        let mut connection = open(path, Durability::Relaxed);
        connection.run_script(Owner::Ledger, include_str!("../../../schema/transload/sqlite/0001_ledger.sql")).unwrap();
        connection
    }

    #[test]
    fn settings_are_what_was_asked_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t.db");
        for (durability, synchronous, cache) in [(Durability::Relaxed, "1", "-32768"), (Durability::Full, "2", "-4096")]
        {
            let db = open(&path, durability).db;
            let journal: String = db.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
            assert_eq!(journal, "wal");
            for (pragma, expected) in [
                ("synchronous", synchronous),
                ("foreign_keys", "1"),
                ("trusted_schema", "0"),
                ("cache_size", cache),
                ("busy_timeout", "50"),
            ] {
                assert!(pragma_is(&db, pragma, expected), "{pragma}");
            }
        }
    }

    #[test]
    fn without_shared_memory_every_commit_is_synced() {
        let directory = tempfile::tempdir().unwrap();
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let path = directory.path().join("t.db");
        let db = rusqlite::Connection::open_with_flags_and_vfs(path, flags, c"unix-dotfile").unwrap();
        configure(&db, Cache::default(), Durability::Relaxed, Duration::ZERO).unwrap();
        let journal: String = db.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        assert_eq!(journal, "delete");
        assert!(pragma_is(&db, "synchronous", "2"));
    }

    #[test]
    fn a_busy_writer_is_found_when_a_transaction_begins() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t.db");
        let mut first = with_versions(&path);
        let mut second = open(&path, Durability::Relaxed);
        first.begin().unwrap();
        let started = Clock::now();
        let error = second.begin().unwrap_err();
        assert_eq!(error.kind, TargetErrorKind::Transient);
        assert!(error.hint.is_some());
        assert!(started.elapsed() >= Duration::from_millis(50));
        // Readers are not in the way, and the refused one may try again.
        assert!(second.is_empty(&VERSIONS).unwrap());
        first.commit().unwrap();
        second.begin().unwrap();
        second.commit().unwrap();
    }

    #[test]
    fn a_column_that_does_not_exist_is_no_string() {
        let directory = tempfile::tempdir().unwrap();
        let mut connection = open(&directory.path().join("t.db"), Durability::Relaxed);
        connection.run_script(Owner::Ledger, "CREATE TABLE transload_versions (number INTEGER)").unwrap();
        let error = connection.select(&VERSIONS, &Filter::All, &mut |_| ControlFlow::Continue(())).unwrap_err();
        assert_eq!(error.kind, TargetErrorKind::Other);
    }

    #[test]
    fn a_transaction_that_the_database_gave_up_is_not_taken_for_open() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t.db");
        let mut connection = with_versions(&path);
        // What a full disk does: SQLite rolls back everything while we believe to be two deep.
        let rolls_back = "CREATE TRIGGER full BEFORE INSERT ON transload_versions WHEN NEW.number = 9
                          BEGIN SELECT RAISE(ROLLBACK, 'given up'); END";
        connection.run_script(Owner::Ledger, rolls_back).unwrap();
        connection.begin().unwrap();
        connection.insert(&VERSIONS, &[version(1)]).unwrap();
        connection.begin().unwrap();
        connection.insert(&VERSIONS, &[version(9)]).unwrap_err();
        connection.rollback().unwrap();
        // The outer work is gone, so it must not go on as if it were there.
        connection.insert(&VERSIONS, &[version(2)]).unwrap_err();
        connection.commit().unwrap_err();
        assert!(connection.is_empty(&VERSIONS).unwrap());
        connection.insert(&VERSIONS, &[version(3)]).unwrap();
        assert!(!connection.is_empty(&VERSIONS).unwrap());
    }
}
