//! The trees of one size.

use std::path::{Path, PathBuf};

use crate::generate::{generate_beside, Options};

use super::cases::Wanted;
use super::error::BenchError;

/// The share of documents of the damaged tree that cannot be loaded.
const DAMAGE: f64 = 0.01;

/// The part of the records that comes onto a database that is already filled.
const MORE: u64 = 10;

/// Before the keys of what comes onto a database that is already filled: no document is in both trees.
const MORE_PREFIX: &str = "more_";

pub struct Tree {
    pub path: PathBuf,
    /// Messages.
    pub records: u64,
    pub files: u64,
    pub bytes: u64,
}

pub struct Trees {
    pub whole: Tree,
    /// The same with damage, for a case that asks for it.
    pub damaged: Option<Tree>,
    /// A tenth as many new documents, for cases that ask for them.
    pub more: Option<Tree>,
}

impl Trees {
    pub fn make(records: u64, directory: &Path, wanted: &Wanted) -> Result<Trees, BenchError> {
        let make = |name: &str, options: Options, prefix: &str| -> Result<Tree, BenchError> {
            let path = directory.join(name);
            let made = generate_beside(&path, &options, prefix)?;
            Ok(Tree { path, records: options.records, files: made.files, bytes: made.bytes })
        };
        let whole = make("tree", Options { records, seed: 1, damage: 0.0 }, "")?;
        let damaged = || make("damaged", Options { records, seed: 1, damage: DAMAGE }, "");
        let more = || make("more", Options { records: records.div_ceil(MORE), seed: 2, damage: 0.0 }, MORE_PREFIX);
        Ok(Trees {
            whole,
            damaged: wanted.damaged().then(damaged).transpose()?,
            more: wanted.filled().then(more).transpose()?,
        })
    }
}
