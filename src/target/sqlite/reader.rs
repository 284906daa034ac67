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
use rusqlite::{ErrorCode, OpenFlags};

use crate::target::{TargetError, TargetErrorKind};

use super::connection::{CACHED_STATEMENTS, CACHE_KIB};
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
        if has_log(path) || !wants_log(path)? {
            return Ok(Way::Plain);
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
    db.pragma_update(None, "cache_size", -CACHE_KIB)
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

/// Whether the file is one with a write-ahead log. Told by SQLite, which refuses to read such a
/// file without locks: to look into the file ourselves would drop the locks that SQLite holds on it
/// in this process.
fn wants_log(path: &Path) -> Result<bool, TargetError> {
    let db = open_with(&uri(path, "nolock=1"), FOR_URI).map_err(|error| cannot_read(path, error))?;
    Ok(look(&db).is_err_and(|error| error.sqlite_error_code() == Some(ErrorCode::CannotOpen)))
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
