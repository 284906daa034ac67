//! Opening a database only to read it, so that it is found again as it was left.
//!
//! A file with a write-ahead log cannot be read without its `-wal` and `-shm`: SQLite makes them
//! where they are missing, and only a connection that may write takes them away again. So such a
//! file is opened for writing, and then barred from it, unless another connection has made them
//! already. Where even that cannot be, because the directory may not be written, nobody else can
//! have a log there, and the file is read as one that does not change.
//!
//! Without a log, a writer waits until those who read are done.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{ffi, ErrorCode, OpenFlags};

use crate::target::{TargetError, TargetErrorKind};

use super::cache::READER_KIB;
use super::connection::CACHED_STATEMENTS;
use super::errors::describe;

/// How a file is opened for reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Read-only: there is a log already, or the file has none.
    Plain,
    /// As a writer that never writes: the last one to close takes the log away.
    Tidy,
    /// As a file that does not change.
    Frozen,
}

impl Way {
    /// The way for the first of several connections; the others go the same.
    pub fn to(path: &Path, patience: Duration) -> Result<Way, TargetError> {
        if has_log(path) {
            return Ok(Way::Plain);
        }
        match wants(path)? {
            Wants::Nothing => return Ok(Way::Plain),
            // Only a writer can, and to look past it would be to read half of a change.
            Wants::Rollback => return Ok(Way::Tidy),
            Wants::Log => {}
        }
        match open(path, Way::Tidy, patience).and_then(|db| look(&db).map_err(|error| cannot_read(path, error))) {
            Ok(()) => Ok(Way::Tidy),
            Err(error) if error.kind == TargetErrorKind::Denied && !has_log(path) => Ok(Way::Frozen),
            Err(error) => Err(error),
        }
    }
}

/// Opens a file that exists; nothing is read yet.
pub fn open(path: &Path, way: Way, patience: Duration) -> Result<rusqlite::Connection, TargetError> {
    let failed = |error| cannot_read(path, error);
    let db = match way {
        Way::Plain => open_with(path, OpenFlags::SQLITE_OPEN_READ_ONLY),
        Way::Tidy => open_with(path, OpenFlags::SQLITE_OPEN_READ_WRITE),
        Way::Frozen => open_with(&uri(path, "immutable=1"), FOR_URI),
    };
    let db = db.map_err(failed)?;
    if way == Way::Tidy && db.is_readonly(rusqlite::MAIN_DB).map_err(failed)? {
        return Err(TargetError::new(TargetErrorKind::Denied, format!("`{}` may not be written", path.display())));
    }
    configure(&db, patience).map_err(failed)?;
    Ok(db)
}

const FOR_URI: OpenFlags = OpenFlags::SQLITE_OPEN_READ_ONLY.union(OpenFlags::SQLITE_OPEN_URI);

fn open_with(path: &Path, flags: OpenFlags) -> rusqlite::Result<rusqlite::Connection> {
    rusqlite::Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
}

fn configure(db: &rusqlite::Connection, patience: Duration) -> rusqlite::Result<()> {
    db.busy_timeout(patience)?;
    db.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    db.pragma_update(None, "query_only", true)?;
    db.pragma_update(None, "trusted_schema", false)?;
    db.pragma_update(None, "cache_size", -READER_KIB)
}

/// Begins to read: what the connection sees stays from here on.
pub fn begin(db: &rusqlite::Connection) -> rusqlite::Result<()> {
    db.execute_batch("BEGIN DEFERRED")?;
    look(db)
}

fn look(db: &rusqlite::Connection) -> rusqlite::Result<()> {
    db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0)).map(drop)
}

/// Changes with every commit of another connection.
pub fn data_version(db: &rusqlite::Connection) -> rusqlite::Result<i64> {
    db.pragma_query_value(None, "data_version", |row| row.get(0))
}

fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    Path::new(&log).exists()
}

/// What a file needs before it can be read.
enum Wants {
    Nothing,
    /// Its write-ahead log.
    Log,
    /// What a writer was killed in the middle of must be undone. So it is while a new file gets its log.
    Rollback,
}

/// Told by SQLite, which refuses to read a file with a log without locks: to look into the file
/// ourselves would drop the locks that SQLite holds on it in this process.
fn wants(path: &Path) -> Result<Wants, TargetError> {
    let db = open_with(&uri(path, "nolock=1"), FOR_URI).map_err(|error| cannot_read(path, error))?;
    Ok(match look(&db) {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::CannotOpen) => Wants::Log,
        Err(rusqlite::Error::SqliteFailure(error, _)) if error.extended_code == ffi::SQLITE_READONLY_ROLLBACK => {
            Wants::Rollback
        }
        _ => Wants::Nothing,
    })
}

fn uri(path: &Path, parameter: &str) -> PathBuf {
    let mut uri = String::from("file:");
    for &byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' => uri.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => uri.push(char::from(byte)),
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    PathBuf::from(format!("{uri}?{parameter}"))
}

pub fn cannot_read(path: &Path, error: rusqlite::Error) -> TargetError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => describe(&format!("`{}` is no SQLite database", path.display()), error),
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
            describe(&format!("cannot read `{}`", path.display()), error)
                .with_hint("check the path, and that this user may read the file and its directory")
        }
        _ => describe(&format!("cannot read `{}`", path.display()), error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use crate::model::ledger::VERSIONS;
    use crate::model::Owner;
    use crate::target::sqlite::SqliteTarget;
    use crate::target::{Connection, Durability, Target};

    const SOON: Duration = Duration::from_millis(50);

    /// A database with one table of `rows` rows, and nobody who has it open.
    fn made(path: &Path, journal: &str, rows: usize) {
        let db = rusqlite::Connection::open(path).unwrap();
        db.pragma_update_and_check(None, "journal_mode", journal, |row| row.get::<_, String>(0)).unwrap();
        db.execute_batch("CREATE TABLE t (x INTEGER)").unwrap();
        for _ in 0..rows {
            db.execute_batch("INSERT INTO t VALUES (1)").unwrap();
        }
    }

    /// Every file of the directory: name, rights, when it was written, content.
    fn state(directory: &Path) -> Vec<(String, u32, std::time::SystemTime, Vec<u8>)> {
        let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
        let mut state: Vec<_> = entries
            .map(|entry| {
                let (name, meta) = (entry.file_name().into_string().unwrap(), entry.metadata().unwrap());
                (name, meta.permissions().mode(), meta.modified().unwrap(), fs::read(entry.path()).unwrap())
            })
            .collect();
        state.sort();
        state
    }

    fn count(db: &rusqlite::Connection) -> i64 {
        db.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap()
    }

    /// As a user who may read what all may read; tests may run as root, which may do anything.
    fn as_nobody<T: Send>(work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                // Of this thread alone, and only root can: others are themselves.
                #[cfg(target_os = "linux")]
                // SAFETY: changes which files this thread may use, and no memory.
                unsafe {
                    libc::setfsuid(65_534);
                }
                work()
            });
            thread.join().unwrap()
        })
    }

    /// May be read and searched by all, and written by nobody.
    fn protect(directory: &Path, file_mode: u32, directory_mode: u32) {
        for entry in fs::read_dir(directory).unwrap() {
            fs::set_permissions(entry.unwrap().path(), fs::Permissions::from_mode(file_mode)).unwrap();
        }
        fs::set_permissions(directory, fs::Permissions::from_mode(directory_mode)).unwrap();
    }

    #[test]
    fn a_database_is_left_as_it_was() {
        for journal in ["wal", "delete", "truncate"] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("it's 100% ä?#.db");
            made(&path, journal, 3);
            let before = state(directory.path());
            let mut readers = SqliteTarget::new(path).readers(4).unwrap();
            assert_eq!(readers.len(), 4);
            readers[1].refresh().unwrap();
            readers.swap_remove(0).ping().unwrap();
            drop(readers);
            assert_eq!(state(directory.path()), before, "{journal}");
        }
    }

    #[test]
    fn a_database_in_use_is_left_as_it_is_used() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.db");
        made(&path, "wal", 1);
        let application = rusqlite::Connection::open(&path).unwrap();
        application.execute_batch("INSERT INTO t VALUES (2)").unwrap();
        assert_eq!(Way::to(&path, SOON).unwrap(), Way::Plain);
        let reader = open(&path, Way::Plain, SOON).unwrap();
        begin(&reader).unwrap();
        application.execute_batch("INSERT INTO t VALUES (3)").unwrap();
        assert_eq!((count(&reader), count(&application)), (2, 3));
        reader.execute_batch("DELETE FROM t").unwrap_err();
    }

    #[test]
    fn nobody_writes_as_one_who_tidies_up() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.db");
        made(&path, "wal", 1);
        assert_eq!(Way::to(&path, SOON).unwrap(), Way::Tidy);
        let reader = open(&path, Way::Tidy, SOON).unwrap();
        for sql in ["DELETE FROM t", "CREATE TABLE u (x)", "DROP TABLE t"] {
            reader.execute_batch(sql).unwrap_err();
        }
        assert_eq!(count(&reader), 1);
    }

    #[test]
    fn a_file_that_may_only_be_read_is_read() {
        for (journal, file_mode, directory_mode, way) in [
            ("wal", 0o444, 0o555, Way::Frozen),
            ("wal", 0o666, 0o555, Way::Frozen),
            ("wal", 0o444, 0o777, Way::Frozen),
            ("wal", 0o666, 0o777, Way::Tidy),
            ("delete", 0o444, 0o555, Way::Plain),
            ("delete", 0o444, 0o777, Way::Plain),
        ] {
            let outer = tempfile::tempdir().unwrap();
            fs::set_permissions(outer.path(), fs::Permissions::from_mode(0o755)).unwrap();
            let directory = outer.path().join("d");
            fs::create_dir(&directory).unwrap();
            let path = directory.join("x.db");
            made(&path, journal, 2);
            protect(&directory, file_mode, directory_mode);
            let before = state(&directory);
            as_nobody(|| {
                assert_eq!(Way::to(&path, SOON).unwrap(), way, "{journal} {file_mode:o} {directory_mode:o}");
                let target = SqliteTarget::new(path.clone());
                let mut readers = target.readers(2).unwrap();
                assert_eq!(readers.len(), 2);
                readers[1].refresh().unwrap();
                readers[1].ping().unwrap();
                assert_eq!(count(&open(&path, way, SOON).unwrap()), 2);
            });
            assert_eq!(state(&directory), before, "{journal} {file_mode:o} {directory_mode:o}");
            // So that it can be removed by others than root.
            protect(&directory, 0o644, 0o755);
        }
    }

    #[test]
    fn what_a_killed_writer_left_half_done_is_undone_before_it_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let (path, left) = (directory.path().join("x.db"), directory.path().join("left.db"));
        made(&path, "delete", 2_000);
        let db = rusqlite::Connection::open(&path).unwrap();
        // So small that changed pages go to the file before the end.
        db.execute_batch("PRAGMA cache_size = 1; BEGIN; INSERT INTO t SELECT x FROM t; DELETE FROM t WHERE rowid < 9")
            .unwrap();
        fs::copy(&path, &left).unwrap();
        fs::copy(directory.path().join("x.db-journal"), directory.path().join("left.db-journal")).unwrap();
        open_with(&left, OpenFlags::SQLITE_OPEN_READ_ONLY).and_then(|db| look(&db)).unwrap_err();
        let way = Way::to(&left, SOON).unwrap();
        assert_eq!(way, Way::Tidy);
        assert_eq!(count(&open(&left, way, SOON).unwrap()), 2_000);
        assert_eq!(SqliteTarget::new(left.clone()).readers(2).unwrap().len(), 2);
        assert!(!directory.path().join("left.db-journal").exists());
    }

    #[test]
    fn a_frozen_file_that_changed_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.db");
        SqliteTarget::new(path.clone()).connect(Durability::Full).unwrap();
        let run = |sql: &str| {
            let mut connection = SqliteTarget::new(path.clone()).connect(Durability::Full).unwrap();
            connection.run_script(Owner::Application, sql).unwrap();
        };
        run("CREATE TABLE transload_versions (number INTEGER)");
        let mut reader = super::super::SqliteConnection::open_reader(&path, Way::Frozen, SOON).unwrap();
        assert!(reader.is_empty(&VERSIONS).unwrap());
        run("INSERT INTO transload_versions VALUES (1)");
        reader.refresh().unwrap();
        assert!(!reader.is_empty(&VERSIONS).unwrap());
    }

    #[test]
    fn what_is_no_database_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let failure = |name: &str| SqliteTarget::new(directory.path().join(name)).readers(2).err().unwrap();
        let missing = failure("missing.db");
        assert_eq!(missing.kind, TargetErrorKind::Denied);
        assert!(missing.hint.is_some());
        fs::write(directory.path().join("text"), "no database, but as long as a header".repeat(50)).unwrap();
        assert!(failure("text").to_string().contains("is no SQLite database"));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
