//! What goes from reading to writing: one item a document.

use serde::Serialize;
use uuid::Uuid;

use crate::model::{Decoded, Document, Flaw, Instant, Part, Reject, Value};
use crate::source::Reading;

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
    pub parts: Vec<Part>,
    pub decoded: Decoded,
    pub slots: Vec<Slot>,
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
    pub fn new(source: Source, parts: Vec<Part>, decoded: Decoded) -> Loaded {
        let mut slots = Vec::new();
        for (part, content) in parts.iter().enumerate() {
            if content.table.columns.iter().all(|column| column.reference.is_none()) {
                continue;
            }
            for (row, values) in content.rows.iter().enumerate() {
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
        self.parts.iter().map(|part| part.rows.len()).sum()
    }

    pub fn weight(&self) -> usize {
        self.parts.iter().map(Part::weight).sum()
    }
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
