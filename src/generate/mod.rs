//! Deterministic legacy trees in the donna layout, with the proportions of real use and, when
//! asked for, a share of every kind of bad input.
//!
//! The same options give the same bytes, names and modification times on every machine and with
//! any number of threads: nothing depends on the clock, on hash order or on floating point.
//! Memory is bounded by the threads (each has one document), save for the list of what was damaged.
//! Nothing is printed here, and the tree itself says nothing about its damage.

mod chats;
mod damage;
mod extras;
mod map;
mod php;
mod plan;
mod rng;
mod text;
mod tree;
mod users;
#[rustfmt::skip]
mod words;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::model::path::escape_controls;

use damage::Share;
use tree::Tree;

pub use damage::{kinds as damage_kinds, Damaged, Expected};

/// 2025-11-28T10:15:30Z, seconds since 1970: no file is younger. Fixed, because a tree made
/// tomorrow must be the tree made today.
pub const BASE_TIME: i64 = 1_764_324_930;

/// What tree to make.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// The number of messages, exactly, in chats and conversations together.
    pub records: u64,
    pub seed: u64,
    /// The share of the users, memory files and chats that is damaged, 0.0 to 1.0, rounded to
    /// millionths.
    pub damage: f64,
}

/// What a tree is made by.
struct Making<'a> {
    options: &'a Options,
    share: Share,
    /// Stands before every key.
    prefix: &'a str,
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Generated {
    /// Regular files; links are not counted.
    pub files: u64,
    pub bytes: u64,
    /// Documents as they were meant; damage may keep some from loading or add a twin.
    pub users: u64,
    pub memory_files: u64,
    /// Chats and conversations.
    pub chats: u64,
    pub messages: u64,
    pub memory_entries: u64,
    pub log_lines: u64,
    /// Files of layouts that have no home in a table.
    pub not_migrated: u64,
    /// In the order of the documents.
    pub damaged: Vec<Damaged>,
}

impl Generated {
    /// How many files were damaged in which way.
    pub fn damaged_by_kind(&self) -> BTreeMap<&'static str, u64> {
        let mut counts = BTreeMap::new();
        for damaged in &self.damaged {
            *counts.entry(damaged.kind).or_default() += 1;
        }
        counts
    }

    fn and(mut self, other: Generated) -> Generated {
        self.users += other.users;
        self.memory_files += other.memory_files;
        self.chats += other.chats;
        self.messages += other.messages;
        self.memory_entries += other.memory_entries;
        self.damaged.extend(other.damaged);
        self
    }
}

#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    #[error("`{}` is not empty", shown(.path))]
    NotEmpty { path: PathBuf },
    #[error("the damaged share is {damage}, expected a number from 0 to 1")]
    Damage { damage: f64 },
    #[error("cannot prepare the directory `{}`", shown(.path))]
    Directory { path: PathBuf, source: io::Error },
    #[error("cannot write `{}`", shown(.path))]
    Write { path: PathBuf, source: io::Error },
}

impl GenerateError {
    /// What to try.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            GenerateError::NotEmpty { .. } => Some("name a directory that is empty or does not exist yet"),
            GenerateError::Damage { .. } => Some("for one document in a hundred, say 1%"),
            GenerateError::Directory { .. } | GenerateError::Write { .. } => None,
        }
    }
}

fn shown(path: &Path) -> String {
    escape_controls(&path.to_string_lossy())
}

/// Tells the random numbers of one kind of document from those of another.
mod stream {
    pub const PLAN: u64 = 1;
    pub const USER_ID: u64 = 2;
    pub const USER: u64 = 3;
    pub const MEMORY: u64 = 4;
    pub const CHAT: u64 = 5;
    pub const LOGS: u64 = 6;
    pub const EXTRAS: u64 = 7;
}

/// Writes a tree into `directory`, which is made if it does not exist.
///
/// # Errors
/// When the directory holds anything already, the share is none, or a file cannot be written;
/// what was written by then stays.
pub fn generate(directory: &Path, options: &Options) -> Result<Generated, GenerateError> {
    generate_beside(directory, options, "")
}

/// Writes a tree whose users, chats, conversations and memory files are others than those of a tree with
/// another `prefix`, so that one database can hold both. Logs and what damage puts under a name that the
/// layouts know stay what they are.
///
/// # Errors
/// As [`generate`].
pub fn generate_beside(directory: &Path, options: &Options, prefix: &str) -> Result<Generated, GenerateError> {
    let share = Share::new(options.damage).ok_or(GenerateError::Damage { damage: options.damage })?;
    let make = Making { options, share, prefix };
    let tree = Tree::create(directory)?;

    let log_lines = extras::write_logs(&tree, options.seed, options.records)?;
    let not_migrated = extras::write_not_migrated(&tree, options.seed)?;
    users::write_guest_memory(&tree, prefix, BASE_TIME)?;
    let start = Generated { memory_files: 1, memory_entries: 1, log_lines, not_migrated, ..Generated::default() };

    let documents = (0..plan::blocks(options.records))
        .into_par_iter()
        .map(|number| write_block(&tree, &make, number))
        .try_reduce(Generated::default, |before, after| Ok(before.and(after)))?;
    let (files, bytes) = tree.finish(BASE_TIME)?;
    Ok(Generated { files, bytes, ..start.and(documents) })
}

fn write_block(tree: &Tree, make: &Making, number: u64) -> Result<Generated, GenerateError> {
    let Making { options, share, .. } = *make;
    let plan::Block { users, chats } = plan::block(make, number);
    let mut written = Generated::default();
    for user in &users {
        written.damaged.extend(users::write_user(tree, options.seed, share, user)?);
        written.damaged.extend(users::write_memory(tree, options.seed, share, user)?);
        written.users += 1;
        written.memory_files += 1;
        written.memory_entries += user.entries;
    }
    for chat in &chats {
        written.damaged.extend(chats::write(tree, make, chat, &users[chat.user])?);
        written.chats += 1;
        written.messages += chat.messages;
    }
    Ok(written)
}
