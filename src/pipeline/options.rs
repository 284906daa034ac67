//! What a run is asked to do, validated.

use std::collections::HashSet;
use std::path::PathBuf;

use jiff::tz::TimeZone;
use uuid::Uuid;

use crate::model::{Document, DocumentKind};

use super::repair::Repair;

/// Which side wins where rows were edited in the database and their file has changed as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prefer {
    /// Neither: the document is a conflict.
    #[default]
    Neither,
    File,
}

/// What becomes of documents whose files are gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Removed {
    /// They are reported and their rows stay.
    #[default]
    Keep,
    /// Their rows are taken out.
    Prune,
}

/// Whether anything is to last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    #[default]
    Real,
    /// The whole way on one connection in one transaction, which is rolled back.
    DryRun,
}

/// Bytes of files that are read and decoded together, unless memory is short: enough to keep all cores
/// busy between two hand-overs.
pub const ROUND_BYTES: u64 = 4 * 1024 * 1024;

/// How rows go into tables that may be empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// In bulk where that can be and pays.
    #[default]
    Auto,
    /// In bulk, or not at all.
    Bulk,
    /// With keys and indexes in place.
    Online,
}

#[derive(Clone, Debug)]
pub struct Options {
    /// Kinds of documents that are loaded; others are counted as not migrated.
    pub kinds: Vec<&'static DocumentKind>,
    /// If given, only these documents exist for the run (`rejects retry`).
    pub documents: Option<HashSet<Uuid>>,
    /// For times without a zone.
    pub zone: TimeZone,
    pub follow_links: bool,
    /// Largest file that is held whole, in bytes.
    pub whole_bytes: u64,
    /// Bytes of files that are read in one round and held at once, decoded; one file may be larger.
    pub round_bytes: u64,
    /// A batch is cut before it has more rows than this.
    pub batch_rows: usize,
    /// A batch is cut before it weighs more than this, in bytes.
    pub batch_bytes: usize,
    /// Connections that write; the target may allow fewer.
    pub writers: usize,
    pub prefer: Prefer,
    pub removed: Removed,
    pub mode: Mode,
    pub way: Way,
    /// Whether to count the source's files beside the run, so that progress knows its end.
    pub count_first: bool,
    /// Where reject files go; never below the source.
    pub rejects_directory: PathBuf,
    /// If given, the run is a repair of these documents and nothing else.
    pub repair: Option<Repair>,
}

impl Options {
    /// Whether the run is about some documents only.
    pub fn is_narrowed(&self) -> bool {
        self.documents.is_some() || self.repair.is_some()
    }

    /// Whether the run is about this document, as far as its id says.
    pub fn wants(&self, document: &Document) -> bool {
        let has = |is_there: &dyn Fn(&Uuid) -> bool| is_there(&document.id) || is_there(&document.twin_id());
        self.documents.as_ref().is_none_or(|documents| has(&|id| documents.contains(id)))
            && self.repair.as_ref().is_none_or(|repair| has(&|id| repair.documents.contains_key(id)))
    }
}
