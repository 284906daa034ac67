//! Reading a document's files, and their hashes, such that what was read is what was there.
//!
//! A file is read under a shared lock, and what the system says of it must be the same before and
//! after. A file too large to be held is hashed now and read again later as a [`stream`].
//!
//! [`stream`]: super::stream

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::model::{Document, Instant, RelPath};

use super::digest::{document_digest, Share};
use super::look::is_world_writable;
use super::open::{lock_shared, metadata, open, Locking};

/// What is read from a large file at a time.
const BUFFER: usize = 256 * 1024;
/// What a writer that does not lock gets to finish in, before the second try.
const PAUSE: Duration = Duration::from_millis(20);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// Files up to this size are held whole.
    pub whole_bytes: u64,
    /// How long to wait for a writer to give up its lock.
    pub lock_patience: Duration,
    pub follow_links: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub enum FileContent {
    Whole(Vec<u8>),
    /// Not held: [`super::open_stream`] reads it again.
    Large,
}

/// What was found out about one file; more recent than what the walk saw.
#[derive(Debug, PartialEq, Eq)]
pub struct ReadFile {
    pub content: FileContent,
    pub size: u64,
    pub modified: Instant,
    pub blake3: [u8; 32],
    /// Every user of the machine may write it.
    pub is_world_writable: bool,
}

/// A document's files as they were read, in the document's order.
#[derive(Debug, PartialEq, Eq)]
pub struct Reading {
    pub files: Vec<ReadFile>,
    /// See [`document_digest`].
    pub digest: [u8; 32],
}

impl Reading {
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }
}

/// Why a document could not be read. `file` is its position in `Document::files`.
#[derive(Debug, thiserror::Error)]
pub enum ReadProblem {
    #[error("cannot read {path:?}")]
    Unreadable { file: usize, path: RelPath, source: io::Error },
    #[error("{path:?} vanished after it was found")]
    Vanished { file: usize, path: RelPath },
    #[error("{path:?} changed each time that it was read")]
    Changed { file: usize, path: RelPath },
    #[error("{path:?} is locked by another program, for longer than {patience:?}")]
    Locked { file: usize, path: RelPath, patience: Duration },
}

impl ReadProblem {
    pub fn file(&self) -> usize {
        match self {
            ReadProblem::Unreadable { file, .. }
            | ReadProblem::Vanished { file, .. }
            | ReadProblem::Changed { file, .. }
            | ReadProblem::Locked { file, .. } => *file,
        }
    }

    /// What to try.
    pub fn hint(&self) -> &'static str {
        match self {
            ReadProblem::Unreadable { .. } => "run as a user who may read the file, then run the same command again",
            ReadProblem::Vanished { .. } => "nothing is left to be done if the file was meant to go",
            ReadProblem::Changed { .. } => "run the same command again when the application is quiet",
            ReadProblem::Locked { .. } => "run the same command again when the application has let go of the file",
        }
    }
}

/// What goes wrong with one file.
#[derive(Debug)]
pub(super) enum Trouble {
    Io(io::Error),
    Changed,
    Locked,
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Trouble {
        Trouble::Io(error)
    }
}

impl Trouble {
    pub(super) fn with(self, document: &Document, file: usize, options: &ReadOptions) -> ReadProblem {
        let path = document.files[file].path.clone();
        match self {
            Trouble::Io(error) if error.kind() == io::ErrorKind::NotFound => ReadProblem::Vanished { file, path },
            Trouble::Io(source) => ReadProblem::Unreadable { file, path, source },
            Trouble::Changed => ReadProblem::Changed { file, path },
            Trouble::Locked => ReadProblem::Locked { file, path, patience: options.lock_patience },
        }
    }
}

/// Reads and hashes all files of a document. What does not work is tried once more from the
/// start, except where the time for waiting is used up.
pub fn read(root: &Path, document: &Document, options: &ReadOptions) -> Result<Reading, ReadProblem> {
    twice(|| read_once(root, document, options))
}

fn twice<T>(mut attempt: impl FnMut() -> Result<T, ReadProblem>) -> Result<T, ReadProblem> {
    match attempt() {
        Err(problem) if !matches!(problem, ReadProblem::Locked { .. }) => {
            tracing::debug!(%problem, "reading once more");
            if matches!(problem, ReadProblem::Changed { .. }) {
                thread::sleep(PAUSE);
            }
            attempt()
        }
        result => result,
    }
}

fn read_once(root: &Path, document: &Document, options: &ReadOptions) -> Result<Reading, ReadProblem> {
    let mut files = Vec::with_capacity(document.files.len());
    for (at, file) in document.files.iter().enumerate() {
        let path = file.path.below(root);
        files.push(read_file(&path, options).map_err(|trouble| trouble.with(document, at, options))?);
    }
    let shares = document.files.iter().zip(&files);
    let digest =
        document_digest(shares.map(|(file, read)| Share { role: file.role.0, size: read.size, blake3: &read.blake3 }));
    Ok(Reading { files, digest })
}

fn read_file(path: &Path, options: &ReadOptions) -> Result<ReadFile, Trouble> {
    let (file, before) = open_locked(path, options)?;
    read_open(&file, &before, options)
}

fn read_open(file: &File, before: &Metadata, options: &ReadOptions) -> Result<ReadFile, Trouble> {
    let (content, blake3) = if before.len() <= options.whole_bytes {
        let bytes = read_whole(file, before.len())?;
        let hash = blake3::hash(&bytes);
        (FileContent::Whole(bytes), hash)
    } else {
        (FileContent::Large, hash_through(file, before.len())?)
    };
    if traits_of(&file.metadata()?) != traits_of(before) {
        return Err(Trouble::Changed);
    }
    let modified = Instant::from_system_time(before.modified()?);
    let is_world_writable = is_world_writable(before);
    Ok(ReadFile { content, size: before.len(), modified, blake3: *blake3.as_bytes(), is_world_writable })
}

/// The file under its lock, and what the system says of it from then on.
pub(super) fn open_locked(path: &Path, options: &ReadOptions) -> Result<(File, Metadata), Trouble> {
    let file = open(path, options.follow_links)?;
    match lock_shared(&file, path, options.lock_patience) {
        Locking::Busy => Err(Trouble::Locked),
        Locking::Done => {
            let metadata = metadata(&file)?;
            Ok((file, metadata))
        }
    }
}

/// What must not change while a file is read: size, modification time to the nanosecond, inode.
fn traits_of(metadata: &Metadata) -> (u64, i64, i64, u64) {
    (metadata.size(), metadata.mtime(), metadata.mtime_nsec(), metadata.ino())
}

/// All `size` bytes and no more: that a file grows is seen by its size afterwards.
fn read_whole(file: &File, size: u64) -> Result<Vec<u8>, Trouble> {
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    file.take(size).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != size {
        return Err(Trouble::Changed);
    }
    Ok(bytes)
}

fn hash_through(file: &File, size: u64) -> Result<blake3::Hash, Trouble> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; BUFFER];
    let mut reader = file.take(size.saturating_add(1));
    let mut seen = 0;
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                hasher.update(&buffer[..read]);
                seen += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    if seen != size {
        return Err(Trouble::Changed);
    }
    Ok(hasher.finalize())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write;
    use std::time::SystemTime;

    use super::*;

    const OPTIONS: ReadOptions = ReadOptions { whole_bytes: 100, lock_patience: Duration::ZERO, follow_links: false };

    /// Opens a file of `size` bytes, lets `change` happen, and reads what was opened.
    fn read_after(size: usize, change: impl FnOnce(File)) -> Result<ReadFile, Trouble> {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let path = directory.path().join("a.json");
        fs::write(&path, vec![b' '; size]).expect("a file can be written");
        let (file, before) = open_locked(&path, &OPTIONS)?;
        change(OpenOptions::new().append(true).open(&path)?);
        read_open(&file, &before, &OPTIONS)
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_noticed_whatever_its_size() {
        for size in [50, 100, 101, BUFFER, BUFFER * 3 + 1] {
            assert_eq!(read_after(size, drop).expect("nothing has changed").size, size as u64);
            type Change = fn(File);
            let changes: [(&str, Change); 4] = [
                ("grown", |mut file| file.write_all(b"]").expect("it can be written")),
                ("cut", |file| file.set_len(49).expect("it can be cut")),
                ("emptied", |file| file.set_len(0).expect("it can be cut")),
                ("edited", |file| file.set_modified(SystemTime::UNIX_EPOCH).expect("it can be dated")),
            ];
            for (what, change) in changes {
                let result = read_after(size, change);
                assert!(matches!(result, Err(Trouble::Changed)), "{what}, {size} bytes: {result:?}");
            }
        }
    }

    #[test]
    fn reading_is_tried_twice_and_a_lock_once() {
        let path = || RelPath::new("a.json");
        let tries_of = |problem: fn(RelPath) -> ReadProblem| {
            let mut tries = 0;
            let result: Result<(), ReadProblem> = twice(|| {
                tries += 1;
                Err(problem(path()))
            });
            (result.is_err(), tries)
        };
        assert_eq!(tries_of(|path| ReadProblem::Changed { file: 0, path }), (true, 2));
        assert_eq!(tries_of(|path| ReadProblem::Vanished { file: 0, path }), (true, 2));
        assert_eq!(tries_of(|path| ReadProblem::Locked { file: 0, path, patience: Duration::ZERO }), (true, 1));
        let mut first = Some(ReadProblem::Changed { file: 0, path: path() });
        assert_eq!(twice(|| first.take().map_or(Ok("good"), Err)).expect("the second try is good"), "good");
    }
}
