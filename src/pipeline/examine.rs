//! One document: read, recognised or decoded. The part of the way that `scan` and `migrate` share.

use std::ops::ControlFlow;
use std::path::Path;

use jiff::tz::TimeZone;

use crate::format::{DecodeContext, Format};
use crate::model::document::Anchor;
use crate::model::ledger::RESIDUE;
use crate::model::{Content, DecodeError, Decoded, Document, Flaw, Instant, Limits, Part, Reject, RelPath};
use crate::source::{self, FileContent, ReadOptions, ReadProblem, Reading};
use crate::target::Encoder;

use super::item::{has_references, Encoded, Loaded, Ready, Source, Standing, Streamed};
use super::write::{residue_row, Packed};

/// What the ledger knows of a document before it is read.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// Of what was loaded; `None` if the document is to be written whatever that was.
    pub digest: Option<[u8; 32]>,
    pub base_time: Instant,
    /// Its files, as [`RelPath::to_text`] spells them, and when each was changed last.
    pub files: Vec<(String, Option<Instant>)>,
    /// Whether its content was refused since it was loaded.
    pub rejected: bool,
    /// Whether an earlier version wrote its rows in the ledger, without a seal.
    pub unsealed: bool,
}

impl Known {
    /// Whether the ledger has other times of the document's files.
    fn is_touched(&self, document: &Document, reading: &Reading) -> bool {
        let now =
            document.files.iter().zip(&reading.files).map(|(file, read)| (file.path.to_text(), Some(read.modified)));
        !now.into_iter().all(|file| self.files.contains(&file))
    }
}

/// What reading and decoding made of a document.
pub enum Seen {
    Loaded(Box<Loaded>),
    Large(Box<Streamed>),
    Rejected {
        document: Document,
        reject: Box<Reject>,
        standing: Standing,
    },
    Unchanged {
        document: Document,
        bytes: u64,
    },
    /// Unchanged but for the times of its files.
    Touched(Box<Source>),
    Failed {
        document: Document,
        problem: ReadProblem,
    },
}

/// Reads and decodes documents; shared by rayon's workers.
pub struct Examiner<'a> {
    pub format: &'static dyn Format,
    pub root: &'a Path,
    pub read: ReadOptions,
    pub zone: TimeZone,
    pub limits: Limits,
    pub part_rows: usize,
    pub part_bytes: usize,
    /// The target's, where new documents' rows are to be made ready here.
    pub encoder: Option<&'static dyn Encoder>,
}

impl Examiner<'_> {
    pub fn examine(&self, document: Document, known: Option<&Known>) -> Seen {
        let reading = match source::read(self.root, &document, &self.read) {
            Ok(reading) => reading,
            Err(problem) => return Seen::Failed { document, problem },
        };
        let standing = known.map(|known| self.standing(&document, known));
        let is_same = |known: &Known| known.digest == Some(reading.digest) && !known.rejected;
        if known.is_some_and(is_same) && standing == Some(Standing::Holds) {
            let base_time = known.map_or(Instant(0), |known| known.base_time);
            if known.is_some_and(|known| known.is_touched(&document, &reading)) {
                return Seen::Touched(Box::new(Source::new(document, &reading, base_time, standing)));
            }
            let bytes = reading.files.iter().map(|file| file.size).sum();
            return Seen::Unchanged { document, bytes };
        }
        // The earliest of the files' times is the closest to when the document came to be.
        let modified = reading.files.iter().map(|file| file.modified).min();
        let base_time = known.map(|known| known.base_time).or(modified).expect("a document has a file");
        let source = Source::new(document, &reading, base_time, standing);
        if reading.files.iter().any(|file| matches!(file.content, FileContent::Large)) {
            return Seen::Large(Box::new(Streamed { source, reading }));
        }
        // What the ledger knows will be compared with what the database holds, row by row.
        let encoder = if known.is_none() { self.encoder } else { None };
        let mut parts = Vec::new();
        let result = self.decode(&source, &reading, &mut |part| {
            parts.push(match encoder {
                Some(encoder) => ready(encoder, &source.document, parts.len(), part),
                None => Ready::Plain(part),
            });
            ControlFlow::Continue(())
        });
        match result {
            Ok(decoded) => Seen::Loaded(Box::new(Loaded::new(source, parts, decoded))),
            Err(Undecoded::Flaw(flaw)) => {
                let reject = Box::new(source.reject(flaw));
                Seen::Rejected { document: source.document, reject, standing: source.standing }
            }
            Err(Undecoded::Read(problem)) => Seen::Failed { document: source.document, problem },
            Err(Undecoded::Stopped) => unreachable!("the receiver above never stops"),
        }
    }

    /// Whether this document is the one that the ledger has.
    fn standing(&self, document: &Document, known: &Known) -> Standing {
        let mut held = document.files.iter().map(|file| file.path.to_text());
        if held.any(|held| known.files.iter().any(|(path, _)| *path == held)) {
            return Standing::Holds;
        }
        let paths = known.files.iter().map(|(path, _)| RelPath::from_text(path));
        let there = |path: &RelPath| self.root.join(path.as_path()).symlink_metadata().is_ok();
        paths.into_iter().find(there).map_or(Standing::Open, |path| Standing::Taken(path.to_string()))
    }

    /// Decodes a document that was read; parts of a large one flow from the file.
    pub fn decode(
        &self,
        source: &Source,
        reading: &Reading,
        emit: &mut dyn FnMut(Part) -> ControlFlow<()>,
    ) -> Result<Decoded, Undecoded> {
        let document = &source.document;
        let context = DecodeContext {
            zone: self.zone.clone(),
            limits: self.limits,
            base_time: source.base_time,
            part_rows: self.part_rows,
            part_bytes: self.part_bytes,
        };
        let open = |file: usize| match &reading.files[file].content {
            FileContent::Whole(bytes) => Ok(Content::Whole(bytes)),
            FileContent::Large => {
                let stream = source::open_stream(self.root, document, reading, file, &self.read)?;
                Ok(Content::Stream(Box::new(stream)))
            }
        };
        match self.format.decode(document, &open, &context, emit) {
            Ok(decoded) => Ok(decoded),
            Err(DecodeError::Flaw(flaw)) => Err(Undecoded::Flaw(flaw)),
            Err(DecodeError::Stopped) => Err(Undecoded::Stopped),
            Err(DecodeError::Read { file, source }) => {
                Err(Undecoded::Read(ReadProblem::of_stream(document, file, &self.read, source)))
            }
        }
    }
}

/// Encodes a part of a new document while its rows are at hand, if nobody is to look at them again: a
/// natural key may be another row's, a reference is resolved when it is written, and the row that
/// stands for the document is noted.
fn ready(encoder: &dyn Encoder, document: &Document, number: usize, part: Part) -> Ready {
    let table = part.table;
    let stands_for_it = number == 0 && document.kind.anchor != Anchor::None;
    if stands_for_it || !table.natural_key.is_empty() || has_references(table) {
        return Ready::Plain(part);
    }
    let (mut bytes, mut residue) = (Vec::new(), Vec::new());
    if !encoder.encode(table, &part.rows, &mut bytes) {
        return Ready::Plain(part);
    }
    let Part { rows, residue: said, .. } = part;
    let row = residue_row(document.id, number, table.name, Packed::of(&rows), said);
    let encoded = encoder.encode(&RESIDUE, &[row], &mut residue);
    assert!(encoded, "the ledger's own row fits its table");
    Ready::Encoded(Encoded { table, rows: rows.len(), bytes, residue })
}

/// Why a document that was read did not decode.
#[derive(Debug)]
pub enum Undecoded {
    Flaw(Flaw),
    Read(ReadProblem),
    Stopped,
}
