//! Walking the tree and reading every file on all cores, and hashing or parsing what is in it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rayon::prelude::*;
use serde::de::IgnoredAny;

use crate::bench::error::BenchError;

/// What is done with a file's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// BLAKE3.
    Hash,
    /// JSON that is looked at from end to end and not kept: no parser of the same kind can do less.
    Parse,
}

/// Has everything below a path in the system's memory, as far as there is room: what was not read for
/// minutes, because other cases ran, may have left it, and the disk is not what is measured.
pub fn bring_in(path: &Path) -> Result<(), BenchError> {
    files(path)?.par_iter().try_for_each(|path| {
        let copied = File::open(path).and_then(|mut file| io::copy(&mut file, &mut io::sink()));
        copied.map(drop).map_err(BenchError::file(path))
    })
}

fn files(tree: &Path) -> Result<Vec<PathBuf>, BenchError> {
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in walkdir::WalkDir::new(tree) {
        let entry = entry.map_err(|error| BenchError::File { path: tree.to_owned(), source: error.into() })?;
        if entry.file_type().is_file() {
            files.push(entry.into_path());
        }
    }
    Ok(files)
}

/// Returns seconds, and how many bytes there were.
pub fn read(tree: &Path, work: Work) -> Result<(f64, u64), BenchError> {
    let begin = Instant::now();
    let files = files(tree)?;
    let each = |path: &PathBuf| -> Result<(u64, u64), BenchError> {
        let bytes = std::fs::read(path).map_err(BenchError::file(path))?;
        let done = match work {
            // Looked at, so that nobody finds out that it need not be computed.
            Work::Hash => u64::from(std::hint::black_box(blake3::hash(&bytes)).as_bytes().len() == 32),
            Work::Parse => u64::from(serde_json::from_slice::<IgnoredAny>(&bytes).is_ok()),
        };
        Ok((bytes.len() as u64, done))
    };
    let sum = |a: (u64, u64), b: (u64, u64)| Ok((a.0 + b.0, a.1 + b.1));
    let (bytes, done) = files.par_iter().map(each).try_reduce(|| (0, 0), sum)?;
    let seconds = begin.elapsed().as_secs_f64();
    match done {
        0 => Err(BenchError::DoesNotCount { case: "read", what: "no file could be read".into() }),
        _ => Ok((seconds, bytes)),
    }
}
