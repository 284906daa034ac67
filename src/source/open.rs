//! Opening a file of the source without doing anything to it, and the lock that its writer honours.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// The first and the longest pause between two tries to get a lock.
const PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Opens what stands at the path, for reading, without waiting and without becoming its owner: a pipe
/// must not hang the run, and a terminal must not become ours. Ask [`metadata`] before reading on.
pub(super) fn open(path: &Path, follow_links: bool) -> io::Result<File> {
    let links = if follow_links { 0 } else { libc::O_NOFOLLOW };
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | links).open(path)
}

/// What the system says of an open file.
///
/// # Errors
/// Also when the path has become anything but a regular file since it was found.
pub(super) fn metadata(file: &File) -> io::Result<Metadata> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no longer a regular file"));
    }
    Ok(metadata)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Locking {
    /// The lock is held until the file is closed, or there are no locks to be had here.
    Done,
    /// Another program kept an exclusive lock all the time.
    Busy,
}

/// Takes a shared flock, as the legacy writer takes an exclusive one while it writes.
pub(super) fn lock_shared(file: &File, path: &Path, patience: Duration) -> Locking {
    let begin = Instant::now();
    let mut pause = PAUSE;
    loop {
        match file.try_lock_shared() {
            Ok(()) => return Locking::Done,
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => {
                // Some network file systems have no locks; what changes is noticed all the same.
                tracing::debug!(?path, %error, "reading without a lock");
                return Locking::Done;
            }
        }
        let Some(left) = patience.checked_sub(begin.elapsed()).filter(|left| !left.is_zero()) else {
            return Locking::Busy;
        };
        thread::sleep(pause.min(left));
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
