//! Formats: what one legacy application's files mean.
//!
//! A format is a folder here, a line in [`FORMATS`], a schema folder and a fixture. Decoding is
//! pure: it gets a document's content and gives rows and residue, and does no I/O of its own.

pub mod donna;
pub mod proof;

use std::io;
use std::ops::ControlFlow;

use jiff::tz::TimeZone;

use crate::model::{
    Class, Content, DecodeError, Decoded, Document, DocumentKind, FileRole, Instant, Limits, Part, Phase, RelPath, Row,
    Table, Value,
};

use proof::{Facts, Held, NextPart, RebuildError, TakeExpected, TakePiece, Unexpected};

/// Every format that is built in.
pub static FORMATS: [&dyn Format; 1] = [&donna::Donna];

/// The format of this name.
pub fn by_name(name: &str) -> Option<&'static dyn Format> {
    FORMATS.into_iter().find(|format| format.name() == name)
}

/// What decoding needs to know beside the document.
pub struct DecodeContext {
    /// For times without a zone.
    pub zone: TimeZone,
    pub limits: Limits,
    /// What a time that the document does not give is derived from in the end.
    pub base_time: Instant,
    /// A part is cut at this many rows or bytes, whichever comes first.
    pub part_rows: usize,
    pub part_bytes: usize,
}

/// Opens a document's file by its position in `Document::files`; a stream may be opened again.
pub type Open<'a> = dyn Fn(usize) -> io::Result<Content<'a>> + 'a;

/// Receives the parts in order; `Break` when it wants no more.
pub type Emit<'a> = dyn FnMut(Part) -> ControlFlow<()> + 'a;

/// One legacy application's files.
pub trait Format: Send + Sync {
    fn name(&self) -> &'static str;

    /// The target tables, parents before children.
    fn tables(&self) -> &'static [&'static Table];

    /// The same format for a database without these tables: an optional part that nobody asked for.
    fn lacking(&self, tables: &[&'static Table]) -> &'static dyn Format;

    /// The kinds of documents, as `--only` names them.
    fn kinds(&self) -> &'static [&'static DocumentKind];

    /// The parts that files play in documents.
    fn roles(&self) -> &'static [FileRole];

    /// What a path means. Pure: nothing is opened.
    fn classify(&self, path: &RelPath) -> Class;

    /// The phase in which a directory's own files are walked; a directory's documents are all of
    /// one phase, or of later ones.
    fn phase_of_directory(&self, directory: &RelPath) -> Phase;

    /// Decodes a document into parts. Parts come in an order in which a database can take them:
    /// parents first. Every value is in a column or in the residue.
    ///
    /// # Errors
    /// [`DecodeError::Flaw`] when the document is to be rejected. A stream's parts may have been
    /// emitted by then, so the receiver must be able to undo.
    fn decode(
        &self,
        document: &Document,
        open: &Open,
        context: &DecodeContext,
        emit: &mut Emit,
    ) -> Result<Decoded, DecodeError>;

    /// Writes a document again from its rows and residue, by `docs/residue.md`: the inverse of
    /// decoding, of which it knows nothing.
    ///
    /// Pieces of one file come in its order; histories and logs piece by piece, so that memory does
    /// not grow with them. A row that is missing is left out.
    fn rebuild(&self, held: &Held, parts: &mut NextPart, take: &mut TakePiece) -> Result<(), RebuildError>;

    /// The document that a row would be the first of, if the application had written it to files:
    /// for rows that are in the database alone. `None` where there is no such file: for
    /// placeholders, for rows that stand below others, and for keys that are no file's name. The
    /// reference that a memory entry's file is named after may be a [`crate::model::Value::Reference`].
    fn adopt_row(&self, table: &Table, row: &Row) -> Option<Held>;

    /// Reads a document's files by a second, independent reading of the layouts and says what every
    /// column of every row must hold, in the document's order. References are
    /// [`crate::model::Value::Reference`].
    fn expect(&self, facts: &Facts, open: &Open, take: &mut TakeExpected) -> Result<(), Unexpected>;

    /// The id that a legacy reference to a document of this kind derives to.
    fn referenced_id(&self, kind: &str, reference: &str) -> uuid::Uuid;

    /// One spelling for all spellings of a reference that mean the same; equal to the key of the
    /// document that it names, if it names one by its key.
    fn reference_key(&self, kind: &str, reference: &str) -> String;

    /// The row that stands in for a document that is referred to and unknown.
    fn placeholder(&self, kind: &str, reference: &str, time: Instant) -> Row;

    /// What is left of a row that others refer to when its document is pruned: a placeholder
    /// with the same id, by which references still find it.
    fn retire(&self, kind: &str, row: &Row) -> Row;

    /// By which column and value a table's placeholders are found; `None` if it has none.
    fn placeholder_mark(&self, table: &Table) -> Option<(usize, Value)>;

    /// Where the files of a document may stand, given one of them: its own and those beside it.
    fn siblings(&self, document: &Document) -> Vec<RelPath>;

    /// Where files might stand of which this row would be: for a row that no document has. What such
    /// a file is named after may be a [`crate::model::Value::Reference`] in the row.
    fn homes(&self, table: &Table, row: &Row) -> Vec<RelPath>;

    /// Whether a row is a placeholder.
    fn is_placeholder(&self, table: &Table, row: &Row) -> bool;

    /// `false` if the document's keys and values may be secrets that no listing may show.
    fn shows_keys(&self, document: &Document) -> bool;
}
