//! All migrations of one schema for one database, and what else stands beside them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::schema::header::first_comment;
use crate::schema::sql::{self, Dialect};

use super::{FileKind, MigrationFile, NameFlaw};

/// The folder beside the files that may hold the snapshots.
const SNAPSHOTS: &str = "snapshots";

/// What a directory of migrations holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationSet {
    /// The directory as it was given, or the name of what is built in.
    pub origin: String,
    pub dialect: Dialect,
    /// By number, then by name. Numbers may be there twice: a run refuses that, and lint reports it.
    pub files: Vec<MigrationFile>,
    pub retired: Vec<Retired>,
    /// By number.
    pub snapshots: Vec<SnapshotFile>,
    pub strays: Vec<Stray>,
}

/// A file that is never run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retired {
    pub file: String,
    pub number: Option<u32>,
    /// Its first comment.
    pub reason: Option<String>,
}

impl Retired {
    /// The name that it had: `0003_x.sql`.
    pub fn former(&self) -> &str {
        self.file.strip_suffix(".retired").unwrap_or(&self.file)
    }
}

/// The declared schema of a version, as bytes: what they mean is not known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotFile {
    pub number: u32,
    /// Relative to the directory: `0001.json` or `snapshots/0001.json`.
    pub file: String,
    pub bytes: Vec<u8>,
}

/// A file that is no migration and looks as if it was to be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    pub file: String,
    pub reason: StrayReason,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StrayReason {
    BadName(NameFlaw),
    /// Never run; the ending with its dot, empty where there is none.
    OtherEnding(String),
    /// Not UTF-8 from this byte on.
    NotText {
        at: usize,
    },
    /// A directory in which there are .sql files.
    Folder,
}

/// Why a directory could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    #[error("cannot read the directory `{}`", path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error("cannot read `{}`", path.display())]
    File { path: PathBuf, source: io::Error },
}

impl MigrationSet {
    /// Reads a directory.
    ///
    /// # Errors
    /// If it or a file in it cannot be read.
    pub fn read(directory: &Path, dialect: Dialect) -> Result<MigrationSet, FilesError> {
        let mut set = MigrationSet::empty(directory.display().to_string(), dialect);
        for path in list(directory)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !path.is_dir() {
                if FileKind::of(&name) != FileKind::Other {
                    set.add(&name, read(&path)?);
                }
                continue;
            }
            for inner in list(&path)? {
                let below = inner.file_name().unwrap_or_default().to_string_lossy();
                match FileKind::of(&below) {
                    FileKind::Snapshot { .. } if name == SNAPSHOTS => {
                        set.add(&format!("{SNAPSHOTS}/{below}"), read(&inner)?);
                    }
                    FileKind::Migration { .. } | FileKind::BadName(_) => {
                        set.strays.push(Stray { file: name.clone(), reason: StrayReason::Folder });
                        break;
                    }
                    _ => {}
                }
            }
        }
        set.sort();
        Ok(set)
    }

    /// The same from names (`snapshots/0001.json` among them) and bytes.
    pub fn embedded<'f>(
        origin: &str,
        dialect: Dialect,
        files: impl IntoIterator<Item = (&'f str, &'f [u8])>,
    ) -> MigrationSet {
        let mut set = MigrationSet::empty(origin.to_owned(), dialect);
        for (file, bytes) in files {
            set.add(file, bytes.to_vec());
        }
        set.sort();
        set
    }

    pub fn by_number(&self, number: u32) -> Option<&MigrationFile> {
        self.files.iter().find(|file| file.number == number)
    }

    pub fn by_file(&self, name: &str) -> Option<&MigrationFile> {
        self.files.iter().find(|file| file.file == name)
    }

    pub fn snapshot(&self, number: u32) -> Option<&SnapshotFile> {
        self.snapshots.iter().find(|snapshot| snapshot.number == number)
    }

    /// Whether the schema of any version is declared; then that of every version must be.
    pub fn declares_snapshots(&self) -> bool {
        !self.snapshots.is_empty()
    }

    fn empty(origin: String, dialect: Dialect) -> MigrationSet {
        MigrationSet {
            origin,
            dialect,
            files: Vec::new(),
            retired: Vec::new(),
            snapshots: Vec::new(),
            strays: Vec::new(),
        }
    }

    fn add(&mut self, path: &str, bytes: Vec<u8>) {
        let stray = |reason| Stray { file: path.to_owned(), reason };
        match FileKind::of(path.rsplit('/').next().unwrap_or(path)) {
            FileKind::Migration { .. } => match String::from_utf8(bytes) {
                Ok(text) => self.files.extend(MigrationFile::parse(path, text, self.dialect)),
                Err(error) => {
                    self.strays.push(stray(StrayReason::NotText { at: error.utf8_error().valid_up_to() }));
                }
            },
            FileKind::Retired { number } => {
                let text = String::from_utf8_lossy(&bytes);
                let reason = first_comment(&text, &sql::lex(&text, self.dialect)).filter(|reason| !reason.is_empty());
                self.retired.push(Retired { file: path.to_owned(), number, reason });
            }
            FileKind::Snapshot { number } => {
                self.snapshots.push(SnapshotFile { number, file: path.to_owned(), bytes });
            }
            FileKind::BadName(flaw) => self.strays.push(stray(StrayReason::BadName(flaw))),
            FileKind::OtherEnding(ending) => self.strays.push(stray(StrayReason::OtherEnding(ending))),
            FileKind::Other => {}
        }
    }

    fn sort(&mut self) {
        self.files.sort_by(|a, b| (a.number, &a.file).cmp(&(b.number, &b.file)));
        self.retired.sort_by(|a, b| a.file.cmp(&b.file));
        self.snapshots.sort_by(|a, b| (a.number, &a.file).cmp(&(b.number, &b.file)));
        self.strays.sort_by(|a, b| a.file.cmp(&b.file));
    }
}

fn list(directory: &Path) -> Result<Vec<PathBuf>, FilesError> {
    let failed = |source| FilesError::Directory { path: directory.to_owned(), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        paths.push(entry.map_err(failed)?.path());
    }
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> Result<Vec<u8>, FilesError> {
    fs::read(path).map_err(|source| FilesError::File { path: path.to_owned(), source })
}
