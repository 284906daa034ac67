//! A large file, read a second time: what the decoder gets is what was hashed, or an error.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::model::Document;

use super::read::{open_locked, ReadOptions, ReadProblem, Reading, Trouble};

/// What [`VerifiedStream::finish`] reads at a time.
const BUFFER: usize = 64 * 1024;

/// Inside an [`io::Error`] of kind `InvalidData`: the file is no longer what was hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the file changed between two passes over it")]
pub struct ChangedWhileRead;

/// Inside an [`io::Error`] of kind `WouldBlock`: a writer did not give up its lock in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the file is locked by another program")]
struct StillLocked;

fn changed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, ChangedWhileRead)
}

/// Opens the file at position `file` again, under a shared lock that is held until the stream is
/// dropped. The size is compared at once, the content at the end.
pub fn open_stream(
    root: &Path,
    document: &Document,
    reading: &Reading,
    file: usize,
    options: &ReadOptions,
) -> io::Result<VerifiedStream> {
    let path = document.files[file].path.below(root);
    let (opened, metadata) = open_locked(&path, options).map_err(|trouble| match trouble {
        Trouble::Io(error) => error,
        Trouble::Changed => changed(),
        Trouble::Locked => io::Error::new(io::ErrorKind::WouldBlock, StillLocked),
    })?;
    let known = &reading.files[file];
    if metadata.len() != known.size {
        return Err(changed());
    }
    let hasher = Box::new(blake3::Hasher::new());
    Ok(VerifiedStream { file: opened, hasher, seen: 0, size: known.size, expected: known.blake3, state: State::Open })
}

impl ReadProblem {
    /// What an error of a stream of the document's file means.
    pub fn of_stream(document: &Document, file: usize, options: &ReadOptions, error: io::Error) -> ReadProblem {
        let cause = error.get_ref();
        let trouble = if cause.is_some_and(|cause| cause.is::<ChangedWhileRead>()) {
            Trouble::Changed
        } else if cause.is_some_and(|cause| cause.is::<StillLocked>()) {
            Trouble::Locked
        } else {
            Trouble::Io(error)
        };
        trouble.with(document, file, options)
    }
}

/// Reads a file and hashes it on the way. The last bytes are given only when the whole file has
/// proved to be the one that was hashed before; else the read that would give them, and every
/// later one, fails with [`ChangedWhileRead`].
///
/// Whoever stops before the end has to call [`VerifiedStream::finish`], or knows nothing.
#[derive(Debug)]
#[must_use]
pub struct VerifiedStream {
    file: File,
    hasher: Box<blake3::Hasher>,
    seen: u64,
    size: u64,
    expected: [u8; 32],
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Verified,
    Changed,
}

impl VerifiedStream {
    /// Reads what is left, and fails if the file has changed.
    pub fn finish(mut self) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER];
        loop {
            match self.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Called when `read` bytes have come, 0 at the end of the file.
    fn check(&mut self, read: usize) -> io::Result<State> {
        Ok(match self.seen {
            seen if seen > self.size => State::Changed,
            seen if seen < self.size && read == 0 => State::Changed,
            seen if seen < self.size => State::Open,
            _ if self.hasher.finalize() != blake3::Hash::from_bytes(self.expected) => State::Changed,
            _ if self.has_more()? => State::Changed,
            _ => State::Verified,
        })
    }

    fn has_more(&mut self) -> io::Result<bool> {
        loop {
            match self.file.read(&mut [0]) {
                Ok(read) => return Ok(read > 0),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Read for VerifiedStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.state == State::Verified || (buffer.is_empty() && self.state == State::Open) {
            return Ok(0);
        }
        if self.state == State::Changed {
            return Err(changed());
        }
        let read = self.file.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        self.seen += read as u64;
        // An error here takes bytes along, so there is no going on after it.
        self.state = self.check(read).inspect_err(|_| self.state = State::Changed)?;
        if self.state == State::Changed {
            return Err(changed());
        }
        Ok(read)
    }
}
