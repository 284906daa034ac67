//! One document: read, recognised or decoded. The part of the way that `scan` and `migrate` share.

use std::ops::ControlFlow;
use std::path::Path;

use jiff::tz::TimeZone;

use crate::format::{DecodeContext, Format};
use crate::model::document::Anchor;
use crate::model::ledger::RESIDUE;
use crate::model::{Content, DecodeError, Decoded, Document, Flaw, Instant, Limits, Part, Reject, RelPath, SourceFile};
use crate::source::{
    self, FileContent, FileProblem, ReadFile, ReadOptions, ReadProblem, Reading, Warning, WarningKind,
};
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
        let is_known = |file: &SourceFile, read: &ReadFile| {
            self.files.iter().any(|(path, modified)| *modified == Some(read.modified) && file.path.is_text(path))
        };
        !document.files.iter().zip(&reading.files).all(|(file, read)| is_known(file, read))
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

impl Seen {
    pub fn document(&self) -> &Document {
        match self {
            Seen::Loaded(loaded) => &loaded.source.document,
            Seen::Large(streamed) => &streamed.source.document,
            Seen::Touched(source) => &source.document,
            Seen::Rejected { document, .. } | Seen::Unchanged { document, .. } | Seen::Failed { document, .. } => {
                document
            }
        }
    }

    /// Of its files, as read.
    pub fn bytes(&self) -> u64 {
        match self {
            Seen::Loaded(loaded) => loaded.source.bytes,
            Seen::Large(streamed) => streamed.source.bytes,
            Seen::Touched(source) => source.bytes,
            Seen::Rejected { reject, .. } => reject.bytes,
            Seen::Unchanged { bytes, .. } => *bytes,
            Seen::Failed { .. } => 0,
        }
    }
}

/// A document and what else was met on the way to it.
pub struct Examined {
    pub seen: Seen,
    /// Files of it that were gone when they were to be opened.
    pub gone: Vec<FileProblem>,
    pub warnings: Vec<Warning>,
    /// Its rows in the ledger stay as they are and have no seal yet.
    pub is_unsealed: bool,
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
    /// Takes a document from a walk that has not looked at it.
    pub fn examine(&self, mut document: Document, known: Option<&Known>) -> Examined {
        let mut gone = Vec::new();
        let mut warnings = Vec::new();
        let seen = match self.read(&mut document, &mut gone) {
            // Somebody is about to delete it, and what is in the database is not to shrink with it.
            Ok(_) if known.is_some() && !gone.is_empty() => {
                let problem = ReadProblem::Changed { file: 0, path: document.path().clone() };
                Seen::Failed { document, problem }
            }
            Ok(reading) => {
                let warned = document.files.iter().zip(&reading.files).filter(|(_, read)| read.is_world_writable);
                let warning = |path: &RelPath| Warning { path: path.clone(), kind: WarningKind::WorldWritable };
                warnings.extend(warned.map(|(file, _)| warning(&file.path)));
                self.recognise(document, reading, known)
            }
            Err(problem) => Seen::Failed { document, problem },
        };
        let is_as_it_was = matches!(seen, Seen::Unchanged { .. } | Seen::Touched(_));
        let is_unsealed = is_as_it_was && known.is_some_and(|known| known.unsealed);
        Examined { seen, gone, warnings, is_unsealed }
    }

    /// Reads the files that are there. One that is gone was deleted since its name was listed, and what is
    /// left is the document.
    fn read(&self, document: &mut Document, gone: &mut Vec<FileProblem>) -> Result<Reading, ReadProblem> {
        let reading = loop {
            match source::read(self.root, document, &self.read) {
                Ok(reading) => break reading,
                Err(ReadProblem::Vanished { file, path }) if document.files.len() > 1 => {
                    document.files.remove(file);
                    gone.push(FileProblem::vanished(path));
                }
                Err(problem) => return Err(problem),
            }
        };
        for (file, read) in document.files.iter_mut().zip(&reading.files) {
            (file.size, file.modified) = (read.size, read.modified);
        }
        Ok(reading)
    }

    fn recognise(&self, document: Document, reading: Reading, known: Option<&Known>) -> Seen {
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
        let is_known = |file: &SourceFile| known.files.iter().any(|(path, _)| file.path.is_text(path));
        if document.files.iter().any(is_known) {
            return Standing::Holds;
        }
        let paths = known.files.iter().map(|(path, _)| RelPath::from_text(path));
        let there = |path: &RelPath| path.below(self.root).symlink_metadata().is_ok();
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use super::*;
    use crate::format::donna::{tables, Donna};
    use crate::model::{ids, FileRole};

    fn examined(root: &Path, files: &[(&str, &'static str)], known: Option<&Known>) -> Examined {
        let examiner = Examiner {
            format: &Donna,
            root,
            read: ReadOptions { whole_bytes: 1 << 20, lock_patience: Duration::ZERO, follow_links: false },
            zone: TimeZone::UTC,
            limits: Limits { json_number_digits: None, json_string_bytes: 1000, json_bytes: 1000, text_bytes: 1000 },
            part_rows: 100,
            part_bytes: 1 << 20,
            encoder: None,
        };
        let file = |(path, role): &(&str, &'static str)| SourceFile {
            path: RelPath::new(*path),
            role: FileRole(role),
            size: 0,
            modified: Instant(0),
        };
        let files = files.iter().map(file).collect();
        let document = Document { kind: &tables::CHAT, key: "a".into(), id: ids::document("chats", "a"), files };
        examiner.examine(document, known)
    }

    const BOTH: [(&str, &str); 2] = [("a.json", "history"), ("a_session.json", "session")];

    #[test]
    fn what_is_left_of_a_document_is_read_and_what_is_gone_is_told() {
        let root = tempfile::tempdir().expect("a temporary directory can be made");
        let text = r#"[{"role":"user","content":"Hi"}]"#;
        fs::write(root.path().join("a.json"), text).expect("a file can be written");
        fs::set_permissions(root.path().join("a.json"), fs::Permissions::from_mode(0o666)).expect("it is ours");
        let Examined { seen, gone, warnings, .. } = examined(root.path(), &BOTH, None);
        let Seen::Loaded(loaded) = &seen else { panic!("it is a chat without a session") };
        assert_eq!(loaded.rows(), 2);
        let [file] = &seen.document().files[..] else { panic!("{:?}", seen.document()) };
        assert_eq!((file.size, seen.bytes()), (text.len() as u64, text.len() as u64));
        assert!(file.modified > Instant(0));
        assert_eq!(
            gone.iter().map(|problem| problem.to_string()).collect::<Vec<_>>(),
            ["`a_session.json` vanished after it was found"]
        );
        assert_eq!(warnings, [Warning { path: RelPath::new("a.json"), kind: WarningKind::WorldWritable }]);

        // Of one that is gone as a whole, the account tells by its last file.
        fs::remove_file(root.path().join("a.json")).expect("it is there");
        let Examined { seen, gone, .. } = examined(root.path(), &BOTH, None);
        assert!(matches!(seen, Seen::Failed { problem: ReadProblem::Vanished { .. }, .. }));
        assert_eq!((gone.len(), seen.document().files.len(), seen.bytes()), (1, 1, 0));
    }

    #[test]
    fn a_document_that_is_being_deleted_stays_as_the_database_has_it() {
        let root = tempfile::tempdir().expect("a temporary directory can be made");
        fs::write(root.path().join("a_session.json"), r#"{"id":"1","chat_id":"a"}"#).expect("a file can be written");
        let files = BOTH.map(|(path, _)| (path.to_owned(), Some(Instant(0)))).to_vec();
        let known = Known { digest: Some([0; 32]), base_time: Instant(0), files, rejected: false, unsealed: false };
        let Examined { seen, gone, .. } = examined(root.path(), &BOTH, Some(&known));
        assert!(matches!(seen, Seen::Failed { problem: ReadProblem::Changed { .. }, .. }));
        assert_eq!((gone.len(), seen.document().files.len()), (1, 1));
        // One of which nothing is in the database loses nothing.
        assert!(matches!(examined(root.path(), &BOTH, None).seen, Seen::Loaded(_)));
    }
}
