//! What the walk gives: documents, files that stay where they are, problems, warnings.

use std::fmt;
use std::io;

use crate::model::{Document, FileRole, RelPath, SourceFile};

/// The layout under which links that are not followed are counted.
pub const SYMBOLIC_LINK: &str = "symbolic link";
/// The layout under which sockets, pipes and devices are counted. They are never opened.
pub const SPECIAL_FILE: &str = "special file";

/// The role of a file that is in no document.
pub(super) const NO_ROLE: FileRole = FileRole("");

/// One thing that the walk found. Every file is in exactly one `Document`, `NotMigrated` or
/// `Problem`; a `Warning` comes in addition.
#[derive(Debug)]
pub enum Found {
    Document(Document),
    NotMigrated { layout: &'static str, file: SourceFile },
    Problem(FileProblem),
    Warning(Warning),
}

/// A file or directory that was found and could not be looked at. A directory counts as one file:
/// nobody knows how many are in it.
#[derive(Debug)]
pub struct FileProblem {
    pub path: RelPath,
    pub subject: Subject,
    pub kind: ProblemKind,
    pub error: io::Error,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    File,
    Directory,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    Unreadable,
    /// It was gone, or had become something else, when its turn came.
    Vanished,
}

impl FileProblem {
    pub(super) fn new(path: RelPath, subject: Subject, error: io::Error) -> FileProblem {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => ProblemKind::Vanished,
            _ => ProblemKind::Unreadable,
        };
        FileProblem { path, subject, kind, error }
    }

    /// Of a file that was gone when it was to be opened.
    pub fn vanished(path: RelPath) -> FileProblem {
        FileProblem::new(path, Subject::File, io::ErrorKind::NotFound.into())
    }
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind, self.subject) {
            (ProblemKind::Unreadable, Subject::File) => write!(f, "cannot look at {:?}", self.path),
            (ProblemKind::Unreadable, Subject::Directory) => write!(f, "cannot list the directory {:?}", self.path),
            (ProblemKind::Vanished, Subject::File) => write!(f, "{:?} vanished after it was found", self.path),
            (ProblemKind::Vanished, Subject::Directory) => {
                write!(f, "the directory {:?} vanished after it was found", self.path)
            }
        }
    }
}

impl std::error::Error for FileProblem {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// Something about a path that somebody should know, though nothing is lost by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub path: RelPath,
    pub kind: WarningKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WarningKind {
    /// Every user of the machine may write the file.
    WorldWritable,
    /// A symbolic link, not followed.
    SymbolicLink,
    /// A symbolic link that leads back to where it came from, not followed.
    LinkLoop,
    /// A symbolic link to something outside of the source, followed.
    LinkOutside,
}

impl WarningKind {
    /// For scripts.
    pub fn code(self) -> &'static str {
        match self {
            WarningKind::WorldWritable => "world_writable",
            WarningKind::SymbolicLink => "symbolic_link",
            WarningKind::LinkLoop => "link_loop",
            WarningKind::LinkOutside => "link_outside",
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.kind {
            WarningKind::WorldWritable => "can be written by every user of this machine",
            WarningKind::SymbolicLink => "is a symbolic link and was not followed",
            WarningKind::LinkLoop => "is a symbolic link that leads back to itself and was not followed",
            WarningKind::LinkOutside => "is a symbolic link to something outside of the source",
        };
        write!(f, "{:?} {text}", self.path)
    }
}
