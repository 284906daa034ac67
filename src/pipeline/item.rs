//! What goes from reading to writing: one item a document.

use serde::Serialize;
use uuid::Uuid;

use crate::model::{Decoded, Document, Flaw, Instant, Part, Reject, Row, Table, Value};
use crate::source::Reading;
use crate::target::Piece;

/// A document on its way to the database.
pub enum Item {
    Load(Box<Loaded>),
    /// Too large to be held: the writer decodes it in parts within its own transaction.
    Stream(Box<Streamed>),
    Reject(Box<Rejected>),
    /// Its content is what was loaded; only the ledger's times of its files are not.
    Touch(Box<Source>),
}

/// What is known of a document's content, whichever way it is written.
pub struct Source {
    pub document: Document,
    pub digest: [u8; 32],
    /// Bytes as read, which is what counts where the walk saw something else.
    pub bytes: u64,
    pub base_time: Instant,
    /// Whether the ledger held the document before this run.
    pub known: bool,
    pub standing: Standing,
    /// For the ledger: JSON.
    pub files: String,
}

/// What earlier runs say about a document's claim to its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing; or its file is gone, and this may be where it went.
    Open,
    /// It is loaded from these files.
    Holds,
    /// It is loaded from another file, which is still there: the file's path.
    Taken(String),
}

/// A document that is decoded in full.
pub struct Loaded {
    pub source: Source,
    pub parts: Vec<Ready>,
    pub decoded: Decoded,
    pub slots: Vec<Slot>,
}

/// A part on its way into the database.
pub enum Ready {
    Plain(Part),
    Encoded(Encoded),
}

/// A part that goes into the database as it is: what it refers to is resolved, and nobody asks for
/// its keys.
pub struct Encoded {
    pub table: &'static Table,
    pub rows: usize,
    /// By the target's encoder.
    pub bytes: Vec<u8>,
    /// The ledger's row about the part, too.
    pub residue: Vec<u8>,
}

/// A document that is decoded while it is written.
pub struct Streamed {
    pub source: Source,
    pub reading: Reading,
}

pub struct Rejected {
    pub reject: Reject,
    pub document: Document,
    /// Whether the bytes and the line are in the reject files already.
    pub saved: bool,
}

/// Where a row refers to another document. Resolved anew at every attempt to write.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    pub part: usize,
    pub row: usize,
    pub column: usize,
    /// As the file spells it.
    pub reference: String,
}

impl Loaded {
    pub fn new(source: Source, parts: Vec<Ready>, decoded: Decoded) -> Loaded {
        let mut slots = Vec::new();
        for (part, content) in parts.iter().enumerate() {
            if !has_references(content.table()) {
                continue;
            }
            for (row, values) in content.rows().iter().enumerate() {
                for (column, value) in values.0.iter().enumerate() {
                    if let Value::Reference(reference) = value {
                        slots.push(Slot { part, row, column, reference: reference.clone() });
                    }
                }
            }
        }
        Loaded { source, parts, decoded, slots }
    }

    pub fn rows(&self) -> usize {
        self.parts.iter().map(Ready::count).sum()
    }

    /// Whether all rows are here; otherwise the files say them once more.
    pub fn holds_rows(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Ready::Plain(_)))
    }

    /// Bytes that are held for it.
    pub fn weight(&self) -> usize {
        self.parts.iter().map(Ready::weight).sum()
    }
}

impl Ready {
    pub fn table(&self) -> &'static Table {
        match self {
            Ready::Plain(part) => part.table,
            Ready::Encoded(encoded) => encoded.table,
        }
    }

    /// The rows that can be looked at: none of an encoded part.
    pub fn rows(&self) -> &[Row] {
        match self {
            Ready::Plain(part) => &part.rows,
            Ready::Encoded(_) => &[],
        }
    }

    pub fn rows_mut(&mut self) -> &mut [Row] {
        match self {
            Ready::Plain(part) => &mut part.rows,
            Ready::Encoded(_) => &mut [],
        }
    }

    pub fn count(&self) -> usize {
        match self {
            Ready::Plain(part) => part.rows.len(),
            Ready::Encoded(encoded) => encoded.rows,
        }
    }

    fn weight(&self) -> usize {
        match self {
            Ready::Plain(part) => part.weight(),
            Ready::Encoded(encoded) => encoded.bytes.len() + encoded.residue.len(),
        }
    }

    pub fn piece(&self) -> Piece<'_> {
        match self {
            Ready::Plain(part) => Piece::Rows(&part.rows),
            Ready::Encoded(encoded) => Piece::Encoded(&encoded.bytes),
        }
    }
}

pub fn has_references(table: &Table) -> bool {
    table.columns.iter().any(|column| column.reference.is_some())
}

impl Source {
    pub fn new(document: Document, reading: &Reading, base_time: Instant, known: Option<Standing>) -> Source {
        #[derive(Serialize)]
        struct File<'a> {
            path: String,
            role: &'a str,
            size: u64,
            modified: String,
        }
        let files: Vec<File> = document
            .files
            .iter()
            .zip(&reading.files)
            .map(|(file, read)| File {
                path: file.path.to_text(),
                role: file.role.0,
                size: read.size,
                modified: read.modified.to_fixed(),
            })
            .collect();
        Source {
            digest: reading.digest,
            bytes: reading.files.iter().map(|file| file.size).sum(),
            base_time,
            known: known.is_some(),
            standing: known.unwrap_or(Standing::Open),
            files: serde_json::to_string(&files).expect("a list of plain structs is JSON"),
            document,
        }
    }

    pub fn reject(&self, flaw: Flaw) -> Reject {
        reject(&self.document, self.digest, self.bytes, flaw)
    }
}

pub fn reject(document: &Document, digest: [u8; 32], bytes: u64, flaw: Flaw) -> Reject {
    Reject {
        document: document.id,
        kind: document.kind.name,
        key: document.key.clone(),
        files: document.files.iter().map(|file| file.path.clone()).collect(),
        bytes,
        digest,
        flaw,
    }
}

impl Item {
    pub fn document(&self) -> &Document {
        match self {
            Item::Load(loaded) => &loaded.source.document,
            Item::Stream(streamed) => &streamed.source.document,
            Item::Reject(rejected) => &rejected.document,
            Item::Touch(source) => &source.document,
        }
    }

    pub fn id(&self) -> Uuid {
        self.document().id
    }

    /// Rows and bytes, for cutting batches.
    pub fn size(&self) -> (usize, usize) {
        match self {
            // A document without rows still has its ledger rows.
            Item::Load(loaded) => (loaded.rows().max(1), loaded.weight() + loaded.source.files.len() + 200),
            Item::Stream(_) => (usize::MAX, usize::MAX),
            Item::Reject(rejected) => (1, rejected.reject.key.len() + 200),
            Item::Touch(source) => (1, source.files.len() + 200),
        }
    }
}
