//! Files, the documents that they make up, and what decoding a document gives.

use std::io::Read;

use uuid::Uuid;

use super::ids;
use super::path::RelPath;
use super::reject::Flaw;
use super::table::{Row, Table};
use super::time::Instant;

/// A kind of document: what `--only` selects and what the summary counts.
#[derive(Debug)]
pub struct DocumentKind {
    /// `users`, `memory`, `chats`, ...
    pub name: &'static str,
    /// The table of the document's first part.
    pub main: &'static Table,
    /// What the ledger takes for the document's own row.
    pub anchor: Anchor,
    /// Kinds load in the order of their phases; what refers comes after what it refers to.
    pub phase: Phase,
}

impl PartialEq for DocumentKind {
    fn eq(&self, other: &DocumentKind) -> bool {
        self.name == other.name
    }
}

/// The row that stands for a document in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The first row of the first part: a user, a chat session.
    FirstRow,
    /// The row that the document's rows refer to: a memory file's user.
    Referenced,
    /// None: a log file.
    None,
}

/// When a kind is loaded. One phase is committed in full before the next begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// What others refer to.
    Users,
    /// What may make placeholders; written in path order by one writer, because two files may
    /// turn out to speak of one user.
    Memory,
    Rest,
}

impl Phase {
    pub const ALL: [Phase; 3] = [Phase::Users, Phase::Memory, Phase::Rest];

    /// The one after it.
    pub fn next(self) -> Option<Phase> {
        Phase::ALL.into_iter().skip_while(|phase| *phase != self).nth(1)
    }

    pub fn name(self) -> &'static str {
        match self {
            Phase::Users => "users",
            Phase::Memory => "memory",
            Phase::Rest => "chats",
        }
    }
}

/// The part that a file plays in its document, e.g. `session` or `history`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileRole(pub &'static str);

/// A file found by the walk. Size and time are those of the last look at it: of the walk's, or of the
/// reading's where the walk left it to that.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceFile {
    pub path: RelPath,
    pub role: FileRole,
    /// Bytes.
    pub size: u64,
    pub modified: Instant,
}

/// To which document a file belongs.
#[derive(Clone, Debug, PartialEq)]
pub struct Membership {
    pub kind: &'static DocumentKind,
    /// The document's key within its kind, e.g. the chat id. Two documents with one key claim the
    /// same thing.
    pub key: String,
    pub role: FileRole,
}

/// What a format makes of a path.
#[derive(Clone, Debug, PartialEq)]
pub enum Class {
    Document(Membership),
    /// The file's first character decides: `{` or anything else.
    ByShape {
        object: Membership,
        otherwise: Membership,
    },
    /// Counted and listed under this layout name, never loaded.
    NotMigrated {
        layout: &'static str,
    },
}

impl Class {
    /// What the file is a part of, if of anything. Whether its first character begins an object is asked only
    /// where that decides.
    pub fn member(&self, begins_object: impl FnOnce() -> bool) -> Option<&Membership> {
        match self {
            Class::Document(member) => Some(member),
            Class::ByShape { object, otherwise } => Some(if begins_object() { object } else { otherwise }),
            Class::NotMigrated { .. } => None,
        }
    }
}

/// The unit that loads whole or not at all.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    pub kind: &'static DocumentKind,
    pub key: String,
    /// Derived from kind and key; the ledger's primary key. Once it is known that another file
    /// holds the key: [`Document::twin_id`].
    pub id: Uuid,
    /// At least one, in path order.
    pub files: Vec<SourceFile>,
}

impl Document {
    /// The first file's path, by which people know the document.
    pub fn path(&self) -> &RelPath {
        &self.files[0].path
    }

    /// The id of a document whose key another file holds: by its own path.
    pub fn twin_id(&self) -> Uuid {
        ids::twin(self.kind.name, &self.key, &self.path().to_text())
    }

    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }
}

/// A file's content, as the decoder gets it.
pub enum Content<'a> {
    /// A file of ordinary size.
    Whole(&'a [u8]),
    /// A file too large to be held; may be opened again for a second pass.
    Stream(Box<dyn Read + 'a>),
}

/// A bounded number of rows of one table, with what their columns do not say.
#[derive(Debug, PartialEq)]
pub struct Part {
    pub table: &'static Table,
    pub rows: Vec<Row>,
    /// Compact JSON as `docs/residue.md` describes it; `None` when the columns say everything.
    pub residue: Option<String>,
}

impl Part {
    pub fn weight(&self) -> usize {
        self.rows.iter().map(Row::weight).sum::<usize>() + self.residue.as_ref().map_or(0, String::len)
    }
}

/// Something worth knowing about an accepted document: a byte order mark, a text that was cut.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Note {
    /// A short code: `bom`, `cut`, `list_for_map`, ...
    pub code: &'static str,
    /// JSON pointer within the file, empty for the whole.
    pub pointer: String,
}

/// What is known of a document once all its parts were emitted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decoded {
    /// What each file turned out to be, in the order of [`Document::files`].
    pub files: Vec<FileLayout>,
    pub notes: Vec<Note>,
}

/// What a file turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileLayout {
    /// E.g. `2 chat history`.
    pub layout: &'static str,
    /// Messages, memory entries, log lines; 1 for a user or a session.
    pub records: u64,
}

/// Why a document did not decode.
#[derive(Debug)]
pub enum DecodeError {
    /// The data is at fault: the document becomes a reject.
    Flaw(Flaw),
    /// A file could not be read.
    Read { file: usize, source: std::io::Error },
    /// The receiver of the parts wants no more; it knows why.
    Stopped,
}

impl From<Flaw> for DecodeError {
    fn from(flaw: Flaw) -> DecodeError {
        DecodeError::Flaw(flaw)
    }
}
