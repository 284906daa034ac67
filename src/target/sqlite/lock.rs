//! The lock that keeps a second run away: an advisory lock on a file beside the database.
//!
//! The kernel holds the lock, so it ends with the process; the file's content only says who holds
//! it. A file that a crash left behind is not locked and does no harm.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::path::escape_controls;
use crate::target::{Holder, Lock, LockError, TargetError, TargetErrorKind};

use super::file::cannot_open;

/// Stands for the lock on schemas: a migration's transaction keeps every other writer out.
pub struct NoLock;

impl Lock for NoLock {
    fn check(&mut self) -> Result<(), TargetError> {
        Ok(())
    }
}

/// How often a file is opened again because its holder removed it in between.
const ATTEMPTS: usize = 100;

/// A holder writes its name just after it has locked: one that reads nothing looks again.
const NAME_ATTEMPTS: usize = 20;
const NAME_PAUSE: Duration = Duration::from_millis(5);

/// More than any holder writes; the rest of a stranger's file is not read.
const MAX_CONTENT: u64 = 4096;

/// What the file says, as one line of JSON.
#[derive(Serialize, Deserialize)]
struct Content {
    holder: String,
    since: String,
}

/// A lock that is held; dropping it removes the file.
#[derive(Debug)]
pub struct FileLock {
    file: File,
    path: PathBuf,
}

impl FileLock {
    /// Takes the lock of the database at `database`, without waiting.
    pub fn take(database: &Path, holder: &Holder) -> Result<FileLock, LockError> {
        let mut path = database.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        for _ in 0..ATTEMPTS {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&path)
                .map_err(|error| cannot_open(&path, error))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let Content { holder, since } = read_holder(file);
                    return Err(LockError::Held { holder, since });
                }
                Err(TryLockError::Error(error)) => return Err(cannot_open(&path, error).into()),
            }
            let mut lock = FileLock { file, path: path.clone() };
            // The holder before removes the file and then lets go; who was waiting at the removed
            // file holds a lock that nobody else will look at.
            if lock.is_in_place() {
                lock.write(holder).map_err(|error| cannot_open(&path, error))?;
                return Ok(lock);
            }
        }
        Err(TargetError::new(TargetErrorKind::Other, format!("`{}` is removed again and again", path.display())).into())
    }

    fn write(&mut self, holder: &Holder) -> io::Result<()> {
        let content = Content { holder: holder.name.clone(), since: holder.since.to_fixed() };
        let line = serde_json::to_string(&content)? + "\n";
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(line.as_bytes())
    }

    /// Whether the path still names the file that is locked.
    fn is_in_place(&self) -> bool {
        let same = |found: fs::Metadata, held: fs::Metadata| (found.dev(), found.ino()) == (held.dev(), held.ino());
        match (fs::metadata(&self.path), self.file.metadata()) {
            (Ok(found), Ok(held)) => same(found, held),
            _ => false,
        }
    }
}

impl Lock for FileLock {
    fn check(&mut self) -> Result<(), TargetError> {
        match self.is_in_place() {
            true => Ok(()),
            false => Err(TargetError::new(
                TargetErrorKind::Other,
                format!("the lock file `{}` was removed or replaced", self.path.display()),
            )
            .with_hint("somebody else may work on this database; run again when nobody does")),
        }
    }
}

impl Drop for FileLock {
    /// Removes the file while it is still locked, so that it is never somebody else's.
    fn drop(&mut self) {
        if self.is_in_place() {
            // A file that stays is not locked any more and does no harm.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn read_holder(mut file: File) -> Content {
    for _ in 0..NAME_ATTEMPTS {
        let mut text = String::new();
        let read = file.rewind().and_then(|()| (&mut file).take(MAX_CONTENT).read_to_string(&mut text));
        if read.is_ok() && text.ends_with('\n') {
            if let Ok(Content { holder, since }) = serde_json::from_str(&text) {
                return Content { holder: escape_controls(&holder), since: escape_controls(&since) };
            }
        }
        thread::sleep(NAME_PAUSE);
    }
    Content { holder: "another process".into(), since: "an unknown time".into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Instant;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn holder() -> Holder {
        Holder { name: "migrate, process 4711\u{1b}[31m".into(), since: Instant(0) }
    }

    #[test]
    fn the_second_one_is_told_who_and_since_when() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("t.db");
        let mut lock = FileLock::take(&database, &holder()).unwrap();
        lock.check().unwrap();
        match FileLock::take(&database, &holder()) {
            Err(LockError::Held { holder, since }) => {
                assert_eq!(holder, "migrate, process 4711\\u{1b}[31m");
                assert_eq!(since, "1970-01-01T00:00:00.000000Z");
            }
            other => panic!("{other:?}"),
        }
        drop(lock);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_a_crash_left_behind_does_no_harm() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("t.db");
        let file = directory.path().join("t.db.lock");
        fs::write(&file, format!("{{\"holder\":\"dead\",\"since\":\"{}\"}}\n", "x".repeat(100))).unwrap();
        let _lock = FileLock::take(&database, &holder()).unwrap();
        let content = fs::read_to_string(&file).unwrap();
        assert!(content.contains("4711") && !content.contains("dead") && content.ends_with("}\n"), "{content}");
    }

    #[test]
    fn a_lock_whose_file_was_taken_away_says_so_and_removes_nobody_elses() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("t.db");
        let mut lock = FileLock::take(&database, &holder()).unwrap();
        fs::remove_file(&lock.path).unwrap();
        lock.check().unwrap_err();
        let mut other = FileLock::take(&database, &holder()).unwrap();
        drop(lock);
        other.check().unwrap();
    }

    #[test]
    fn no_two_hold_it_at_once_however_they_come_and_go() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("t.db");
        let (inside, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while taken.load(Ordering::SeqCst) < 500 {
                        match FileLock::take(&database, &holder()) {
                            Ok(lock) => {
                                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                                taken.fetch_add(1, Ordering::SeqCst);
                                inside.fetch_sub(1, Ordering::SeqCst);
                                drop(lock);
                            }
                            Err(LockError::Held { .. }) => thread::yield_now(),
                            Err(error) => panic!("{error}"),
                        }
                    }
                });
            }
        });
        assert!(taken.into_inner() >= 500);
    }
}
