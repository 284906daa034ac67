//! SQLite, the embedded default: one file, one writer, no server.
//!
//! Opening and locating the file stands here; what a connection does is in `connection`, how
//! values are stored in `values`. Which rows are written, and when, is decided above.

mod bulk;
mod cache;
mod catalogue;
mod connection;
mod ddl;
mod errors;
mod file;
mod lock;
mod log;
mod reader;
mod schema;
mod sql;
mod values;

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use uuid::Uuid;

use crate::model::path::escape_controls;
use crate::model::Limits;

use super::{
    AttemptLog, BulkSession, Capabilities, Connection, Durability, Encoder, Holder, Lock, LockError, SchemaSession,
    Target, TargetError, TargetErrorKind, Watch,
};
pub use cache::Cache;
use connection::SqliteConnection;
use reader::Way;

/// How long a statement waits for another writer before it gives up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Before each further attempt to connect. SQLite does not wait for the switch to a write-ahead
/// log when two connections meet at it, so these pauses do.
const PAUSES: [Duration; 3] = [Duration::from_millis(50), Duration::from_millis(200), Duration::from_millis(800)];

/// How often several connections try to begin between two commits of others, which takes about a
/// millisecond.
const ATTEMPTS_TO_SEE_THE_SAME: usize = 10;

/// Each takes two or three of the process's file descriptors.
const MOST_READERS: usize = 64;

/// The longest value. SQLite's own limit is a thousand million bytes for a value and for a whole
/// row; the rest is for the row's other columns.
const MAX_BYTES: usize = 900_000_000;

/// A SQLite database in a file.
#[derive(Debug)]
pub struct SqliteTarget {
    path: PathBuf,
    /// What people see: for a rehearsal the file that it rehearses for.
    shown: PathBuf,
    cache: Cache,
    /// Where a rehearsal's file lives; removed with the target.
    _directory: Option<TempDir>,
}

impl SqliteTarget {
    /// Names the file; nothing is opened or created before [`Target::connect`].
    pub fn new(path: PathBuf) -> SqliteTarget {
        SqliteTarget { shown: path.clone(), path, cache: Cache::default(), _directory: None }
    }

    /// The same with another bound to what its connections keep in memory.
    pub fn with_cache(self, cache: Cache) -> SqliteTarget {
        SqliteTarget { cache, ..self }
    }
}

impl Target for SqliteTarget {
    fn name(&self) -> String {
        format!("sqlite:{}", escape_controls(&self.shown.to_string_lossy()))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            dialect: "sqlite",
            limits: Limits {
                json_number_digits: None,
                json_string_bytes: MAX_BYTES,
                json_bytes: MAX_BYTES,
                text_bytes: MAX_BYTES,
            },
            max_writers: 1,
            // Ids come in no order, so each commit writes nearly every page of the keys' indexes that it
            // touches anew, to the log and later to the file.
            bulk_unit: 6,
        }
    }

    fn exists(&self) -> bool {
        self.path.exists()
    }

    fn connect(&self, durability: Durability) -> Result<Box<dyn Connection>, TargetError> {
        let path = file::locate(&self.path)?;
        file::create_private(&path)?;
        Ok(Box::new(patiently(|| SqliteConnection::open(&path, self.cache, durability, BUSY_TIMEOUT))?))
    }

    fn readers(&self, count: usize) -> Result<Vec<Box<dyn Connection>>, TargetError> {
        let path = file::locate(&self.path)?;
        let readers = patiently(|| readers_of_one_state(&path, count.clamp(1, MOST_READERS)))?;
        Ok(readers.into_iter().map(|reader| Box::new(reader) as Box<dyn Connection>).collect())
    }

    fn lock(&self, holder: &Holder) -> Result<Box<dyn Lock>, LockError> {
        let path = file::locate(&self.path)?;
        Ok(Box::new(lock::FileLock::take(&path, holder)?))
    }

    fn rehearsal(&self) -> Result<Option<Box<dyn Target>>, TargetError> {
        if self.exists() {
            return Ok(None);
        }
        // What would stop the real run stops the rehearsal, too: a missing directory, say.
        file::locate(&self.path)?;
        let directory = tempfile::Builder::new().prefix("transload-rehearsal-").tempdir().map_err(|error| {
            TargetError::new(TargetErrorKind::Resources, "cannot make a temporary directory for the dry run")
                .with_hint("point TMPDIR at a directory with room")
                .because(error)
        })?;
        let path = directory.path().join("rehearsal.db");
        Ok(Some(Box::new(SqliteTarget {
            path,
            shown: self.shown.clone(),
            cache: self.cache,
            _directory: Some(directory),
        })))
    }

    fn schema_session(&self) -> Result<Box<dyn SchemaSession>, TargetError> {
        let path = file::locate(&self.path)?;
        file::create_private(&path)?;
        let mut session = patiently(|| SqliteConnection::open(&path, self.cache, Durability::Full, BUSY_TIMEOUT))?;
        session.sort(self.cache)?;
        Ok(Box::new(session))
    }

    fn schema_reader(&self) -> Result<Box<dyn SchemaSession>, TargetError> {
        let path = file::locate(&self.path)?;
        let way = Way::to(&path, BUSY_TIMEOUT)?;
        Ok(Box::new(patiently(|| SqliteConnection::open_reader(&path, way, BUSY_TIMEOUT))?))
    }

    fn schema_lock(&self, _: &Holder, _: Duration) -> Result<Box<dyn Lock>, LockError> {
        Ok(Box::new(lock::NoLock))
    }

    fn bulk_session(&self) -> Result<Box<dyn BulkSession>, TargetError> {
        let path = file::locate(&self.path)?;
        file::create_private(&path)?;
        let mut session = patiently(|| SqliteConnection::open(&path, self.cache, Durability::Full, BUSY_TIMEOUT))?;
        session.sort(self.cache)?;
        session.sort_beside()?;
        Ok(Box::new(session))
    }

    /// Nobody is kept out of a file.
    fn admit(&self, _: Option<Uuid>) {}

    fn attempt_log(&self) -> Result<Box<dyn AttemptLog>, TargetError> {
        Ok(Box::new(log::FileLog::beside(&file::locate(&self.path)?)))
    }

    fn watch(&self) -> Result<Option<Box<dyn Watch>>, TargetError> {
        Ok(None)
    }

    /// A row's values are bound one by one, whoever prepares them.
    fn encoder(&self) -> Option<&'static dyn Encoder> {
        None
    }

    fn scratch(&self) -> Result<Box<dyn Target>, TargetError> {
        let directory = tempfile::Builder::new().prefix("transload-scratch-").tempdir().map_err(|error| {
            TargetError::new(TargetErrorKind::Resources, "cannot make a temporary directory for a scratch database")
                .with_hint("point TMPDIR at a directory with room")
                .because(error)
        })?;
        let path = directory.path().join("scratch.db");
        Ok(Box::new(SqliteTarget { shown: path.clone(), path, cache: self.cache, _directory: Some(directory) }))
    }
}

/// Tries again while the file is in use.
fn patiently<T>(mut attempt: impl FnMut() -> Result<T, TargetError>) -> Result<T, TargetError> {
    for pause in PAUSES {
        match attempt() {
            Err(error) if error.kind == TargetErrorKind::Transient => thread::sleep(pause),
            result => return result,
        }
    }
    attempt()
}

/// Connections that see the same: nobody committed between the first one's beginning and the
/// last one's. One alone where somebody always does.
fn readers_of_one_state(path: &Path, count: usize) -> Result<Vec<SqliteConnection>, TargetError> {
    let way = Way::to(path, BUSY_TIMEOUT)?;
    let watch = reader::open(path, way, BUSY_TIMEOUT)?;
    let version = || reader::data_version(&watch).map_err(|error| reader::cannot_read(path, error));
    let mut readers = Vec::new();
    for _ in 0..ATTEMPTS_TO_SEE_THE_SAME {
        readers.clear();
        let before = version()?;
        for _ in 0..count {
            readers.push(SqliteConnection::open_reader(path, way, BUSY_TIMEOUT)?);
        }
        if version()? == before {
            return Ok(readers);
        }
    }
    readers.truncate(1);
    Ok(readers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Barrier;

    fn failure(path: PathBuf) -> TargetError {
        SqliteTarget::new(path).connect(Durability::Relaxed).err().expect("connecting must fail")
    }

    #[test]
    fn naming_a_file_creates_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new.db");
        let target = SqliteTarget::new(path.clone());
        assert_eq!(target.name(), format!("sqlite:{}", path.display()));
        assert!(!target.exists());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_new_database_is_readable_by_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let target = SqliteTarget::new(directory.path().join("new.db"));
        let mut connection = target.connect(Durability::Full).unwrap();
        connection.run_script(crate::model::Owner::Application, "CREATE TABLE t (x TEXT) STRICT").unwrap();
        let _lock = target.lock(&Holder { name: "a test".into(), since: crate::model::Instant::now() }).unwrap();
        let mut modes: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| {
                (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().permissions().mode() & 0o777)
            })
            .collect();
        modes.sort();
        assert_eq!(modes, ["new.db", "new.db-shm", "new.db-wal", "new.db.lock"].map(|name| (name.to_owned(), 0o600)),);
    }

    #[test]
    fn what_is_no_database_is_refused_with_a_hint() {
        let directory = tempfile::tempdir().unwrap();
        let text = directory.path().join("notes.txt");
        fs::write(&text, "no database, but longer than the header of one, so that it is looked at".repeat(20)).unwrap();
        let before = fs::read(&text).unwrap();
        let cases = [
            (failure(text.clone()), "is no SQLite database"),
            (failure(directory.path().to_owned()), "is a directory"),
            (failure(directory.path().join("no/such/dir.db")), "does not exist"),
            (failure(text.join("below.db")), "cannot open"),
            (failure(PathBuf::new()), "names no file"),
        ];
        for (error, expected) in cases {
            assert!(error.to_string().contains(expected), "{error}");
            assert!(error.hint.is_some(), "{error}");
            assert!(matches!(error.kind, TargetErrorKind::Other | TargetErrorKind::Denied), "{error:?}");
        }
        assert_eq!(fs::read(&text).unwrap(), before);
    }

    #[test]
    fn many_may_connect_to_a_new_file_at_once() {
        for _ in 0..10 {
            let directory = tempfile::tempdir().unwrap();
            let target = SqliteTarget::new(directory.path().join("new.db"));
            let barrier = Barrier::new(6);
            thread::scope(|scope| {
                for _ in 0..6 {
                    scope.spawn(|| {
                        barrier.wait();
                        target.connect(Durability::Relaxed).unwrap().ping().unwrap();
                    });
                }
            });
        }
    }

    #[test]
    fn a_rehearsal_leaves_no_file_behind() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new.db");
        let target = SqliteTarget::new(path.clone());
        let rehearsal = target.rehearsal().unwrap().expect("the file does not exist");
        assert_eq!(rehearsal.name(), target.name());
        rehearsal.connect(Durability::Relaxed).unwrap().ping().unwrap();
        assert!(!path.exists());
        assert!(target.rehearsal().unwrap().is_some());
        target.connect(Durability::Relaxed).unwrap();
        assert!(target.rehearsal().unwrap().is_none());
    }

    #[test]
    fn a_rehearsals_directory_goes_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let temporary = directory.path().join("temporary");
        fs::create_dir(&temporary).unwrap();
        let inner = tempfile::tempdir_in(&temporary).unwrap();
        let path = inner.path().join("rehearsal.db");
        let target = SqliteTarget { shown: path.clone(), path, cache: Cache::default(), _directory: Some(inner) };
        target.connect(Durability::Relaxed).unwrap().ping().unwrap();
        assert_eq!(fs::read_dir(&temporary).unwrap().count(), 1);
        drop(target);
        assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
    }
}
