//! What the proof asks of a format: documents written again from rows and residue (`rebuild`), and
//! what the columns must hold if the files are right (`expect`). Neither may know the decoder.

use std::borrow::Cow;
use std::io;
use std::ops::ControlFlow;

use jiff::tz::TimeZone;
use uuid::Uuid;

use crate::model::{DocumentKind, FileRole, Instant, RelPath, Row, Table, Value};
use crate::node::{Node, ReadError};

/// A document as the ledger knows it.
#[derive(Clone, Debug)]
pub struct Held {
    pub kind: &'static DocumentKind,
    pub key: String,
    pub files: Vec<HeldFile>,
    /// What stands in where the document gives no time.
    pub base_time: Instant,
}

#[derive(Clone, Debug, PartialEq)]
pub struct HeldFile {
    pub path: RelPath,
    pub role: FileRole,
    /// When the file was changed last, as far as the ledger knows.
    pub modified: Instant,
}

/// One part of a document, with the rows as the tables have them now.
#[derive(Clone, Debug)]
pub struct HeldPart<'a> {
    pub table: &'static Table,
    pub rows: Vec<HeldRow<'a>>,
    /// `docs/residue.md`.
    pub residue: Option<Cow<'a, str>>,
    /// `true`: rows that the ledger does not know, because the application added them; they have
    /// no residue and stand after all others.
    pub added: bool,
}

/// A row of a part.
#[derive(Clone, Debug)]
pub struct HeldRow<'a> {
    pub id: Uuid,
    /// `None`: the ledger says that there is such a row, and its table does not have it. Where an
    /// export finds that a reference is another one than the document's, it puts the legacy name
    /// into the column as [`Value::Reference`], an empty one for nobody.
    pub row: Option<Cow<'a, Row>>,
    /// Whether the row is not what was written when the document was loaded. The residue is about
    /// what was written, so a column that does not follow from it any more is taken as it is.
    /// The proof leaves this `false`: to it, that is a difference.
    pub edited: bool,
}

/// Whoever gives the parts or takes the pieces cannot go on; it knows why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

/// Gives a document's parts in their order, `None` after the last.
pub type NextPart<'a> = dyn FnMut() -> Result<Option<HeldPart<'a>>, Stopped> + 'a;

/// A piece of a document that was written again. `file` is the position in [`Held::files`].
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// All that the file holds.
    Whole { file: usize, value: Node },
    /// The next item of the list that the file is, made from this row.
    Item { file: usize, row: Uuid, value: Node },
    /// A line of the file, its number counted from 1; lines in between are blank.
    Line { file: usize, row: Uuid, number: u64, value: Node },
    /// How many lines the file has, blank ones at its end included. The last piece of every file of
    /// lines.
    Lines { file: usize, count: u64 },
    /// The file begins with a byte order mark. Comes before the file's other pieces.
    Mark { file: usize },
    /// A file that the ledger does not know, because only the database had a reason for it: a
    /// session that was edited and had no file, say. All that it holds.
    New { path: RelPath, value: Node },
}

/// Takes the pieces of a document.
pub type TakePiece<'a> = dyn FnMut(Piece) -> Result<(), Stopped> + 'a;

/// Residue and rows do not fit together: somebody else changed the ledger.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("part {part}: {detail}")]
pub struct BadResidue {
    /// Counted from 0.
    pub part: usize,
    /// The row that it is about, where it is about one: it may be the row that somebody changed.
    pub row: Option<Uuid>,
    /// Shows no value of the document.
    pub detail: String,
}

/// Why a document was not written again to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RebuildError {
    Bad(BadResidue),
    Stopped,
}

impl From<BadResidue> for RebuildError {
    fn from(bad: BadResidue) -> RebuildError {
        RebuildError::Bad(bad)
    }
}

impl From<Stopped> for RebuildError {
    fn from(_: Stopped) -> RebuildError {
        RebuildError::Stopped
    }
}

/// What reading a document's files anew needs to know beside them.
pub struct Facts<'a> {
    pub kind: &'static DocumentKind,
    pub key: &'a str,
    /// Path and role, in the order in which [`super::Open`] counts.
    pub files: &'a [(RelPath, FileRole)],
    pub base_time: Instant,
    /// For times without a zone.
    pub zone: TimeZone,
}

/// A row as the files want it.
#[derive(Clone, Debug)]
pub struct Expected {
    pub table: &'static Table,
    /// As `docs/ids.md` derives it.
    pub id: Uuid,
    /// One cell a column, the id's included.
    pub cells: Vec<Cell>,
    pub file: usize,
    /// Where in the file the row's object (or flat value) stands, as a JSON pointer; in a file of
    /// lines `/n` with n counted from 0. Empty for the whole.
    pub pointer: String,
    /// That object (or value).
    pub source: Node,
}

/// What a column must hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    pub value: Value,
    /// The member of the row's object that the value is from, by name ([`Cell::SOURCE`]: the object
    /// or value as a whole); `None` where it is derived from something else.
    pub member: Option<&'static str>,
    /// Whether the value says all that the member says, by the rules of equality: `false` for a
    /// text that was cut, an address that is none, a reference.
    pub whole: bool,
}

impl Cell {
    /// In [`Cell::member`]: the value is from no member but from [`Expected::source`] itself.
    pub const SOURCE: &'static str = "";

    /// Says all that the member says.
    pub fn from(member: &'static str, value: Value) -> Cell {
        Cell { value, member: Some(member), whole: true }
    }

    /// Is less than what the member says.
    pub fn part_of(member: &'static str, value: Value) -> Cell {
        Cell { value, member: Some(member), whole: false }
    }

    pub fn derived(value: Value) -> Cell {
        Cell { value, member: None, whole: true }
    }
}

/// Takes the rows as they come; `Break` when it wants no more.
pub type TakeExpected<'a> = dyn FnMut(Expected) -> ControlFlow<()> + 'a;

/// Why a document's files say no rows.
#[derive(Debug, thiserror::Error)]
pub enum Unexpected {
    #[error("cannot read file {file}")]
    Read { file: usize, source: io::Error },
    /// No JSON, or cut short.
    #[error("{error}")]
    NotJson { file: usize, error: ReadError },
    /// JSON of which LAYOUTS.md knows no rows: a document that is to be rejected.
    #[error("{pointer}: {detail}")]
    Shape { file: usize, pointer: String, detail: String },
}
