//! One document's pieces as files, in the spelling of the application's present writer.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flate2::write::GzEncoder;
use flate2::Compression;

use crate::format::proof::{HeldFile, Piece};
use crate::model::{Instant, RelPath};
use crate::node::{self, Node, Style};

use super::tree::{NoFile, Tree};

const MARK: &[u8] = b"\xEF\xBB\xBF";

/// Why a document was not written to its end.
#[derive(Debug)]
pub enum WriteProblem {
    /// The document is at fault, the others are not.
    Refused {
        path: RelPath,
        why: String,
    },
    Io {
        path: RelPath,
        source: io::Error,
    },
}

/// Writes the files of one document. What is dropped unfinished is to be taken away with
/// [`Writer::discard`].
pub struct Writer<'a> {
    tree: &'a Tree,
    files: &'a [HeldFile],
    /// No fewer than there are.
    sheets: Vec<Sheet>,
    /// Files that the ledger does not know: path and content.
    made: Vec<PathBuf>,
    /// The longest run of blank lines that is believed.
    most_blank: u64,
    /// The last change of any row that is newer than the document.
    newer: Option<Instant>,
    pub bytes: u64,
}

/// One file on its way.
struct Sheet {
    marked: bool,
    state: State,
}

enum State {
    /// Nothing came yet.
    Blank,
    List(Output),
    /// How many lines there are.
    Lines(Output, u64),
    Done,
}

impl<'a> Writer<'a> {
    /// `bytes`: how large the document's files were, as far as anybody knows.
    pub fn new(tree: &'a Tree, files: &'a [HeldFile], bytes: u64) -> Writer<'a> {
        let sheets = files.iter().map(|_| Sheet { marked: false, state: State::Blank }).collect();
        // A compressed file holds at most a thousand times its size.
        let most_blank = bytes.saturating_mul(1_100).saturating_add(1_000);
        Writer { tree, files, sheets, made: Vec::new(), most_blank, newer: None, bytes: 0 }
    }

    /// A row of the document was changed at this time.
    pub fn note_change(&mut self, time: Instant) {
        self.newer = self.newer.max(Some(time));
    }

    /// Takes the next piece. `gone`: how many lines before this one nobody has any more.
    pub fn take(&mut self, piece: Piece, gone: u64) -> Result<(), WriteProblem> {
        match piece {
            Piece::Mark { file } => {
                self.sheets[file].marked = true;
                Ok(())
            }
            Piece::Whole { file, value } => {
                let mut out = self.open(file)?;
                self.said(file, node::write(&mut out, &value, Style::Indented, 0))?;
                self.close(file, out)
            }
            Piece::Item { file, value, .. } => {
                let (mut out, start) = match self.state(file) {
                    State::List(out) => (out, &b",\n    "[..]),
                    _ => (self.open(file)?, &b"[\n    "[..]),
                };
                self.said(file, out.write_all(start))?;
                self.said(file, node::write(&mut out, &value, Style::Indented, 1))?;
                self.sheets[file].state = State::List(out);
                Ok(())
            }
            Piece::Line { file, number, value, .. } => self.line(file, number.saturating_sub(gone), Some(&value)),
            Piece::Lines { file, count } => self.line(file, count.saturating_sub(gone), None),
            Piece::New { path, value } => self.new_file(path, &value),
        }
    }

    /// Ends all files and gives them their times. Returns how many there are.
    pub fn finish(&mut self) -> Result<u64, WriteProblem> {
        for file in 0..self.files.len() {
            match self.state(file) {
                State::List(mut out) => {
                    self.said(file, out.write_all(b"\n]"))?;
                    self.close(file, out)?;
                }
                State::Lines(out, _) => self.close(file, out)?,
                State::Blank | State::Done => {}
            }
        }
        Ok(self.made.len() as u64)
    }

    /// Takes away what was written.
    pub fn discard(self) -> Result<(), WriteProblem> {
        for path in &self.made {
            let failed = |source| WriteProblem::Io { path: RelPath::new(path.as_path()), source };
            self.tree.remove(path).map_err(failed)?;
        }
        Ok(())
    }

    fn state(&mut self, file: usize) -> State {
        std::mem::replace(&mut self.sheets[file].state, State::Done)
    }

    /// Writes a line with this number, or blank ones up to it.
    fn line(&mut self, file: usize, number: u64, value: Option<&Node>) -> Result<(), WriteProblem> {
        let (mut out, mut at) = match self.state(file) {
            State::Lines(out, at) => (out, at),
            _ => (self.open(file)?, 0),
        };
        let before = if value.is_some() { number.saturating_sub(1) } else { number };
        if before.saturating_sub(at) > self.most_blank {
            let why = "the ledger speaks of more blank lines than the file can have had".into();
            return Err(WriteProblem::Refused { path: self.files[file].path.clone(), why });
        }
        while at < before {
            self.said(file, out.write_all(b"\n"))?;
            at += 1;
        }
        if let Some(value) = value {
            self.said(file, node::write(&mut out, value, Style::Line, 0).and_then(|()| out.write_all(b"\n")))?;
            at += 1;
        }
        self.sheets[file].state = State::Lines(out, at);
        Ok(())
    }

    fn open(&mut self, file: usize) -> Result<Output, WriteProblem> {
        let path = &self.files[file].path;
        let mut out = Output::new(make(self.tree, path)?, path);
        self.made.push(path.as_path().to_owned());
        if self.sheets[file].marked {
            self.said(file, out.write_all(MARK))?;
        }
        Ok(out)
    }

    fn close(&mut self, file: usize, out: Output) -> Result<(), WriteProblem> {
        let modified = self.newer.max(Some(self.files[file].modified));
        self.bytes += self.said(file, out.finish(modified))?;
        Ok(())
    }

    fn new_file(&mut self, path: RelPath, value: &Node) -> Result<(), WriteProblem> {
        let mut out = Output::new(make(self.tree, &path)?, &path);
        self.made.push(path.as_path().to_owned());
        let modified = self.files.iter().map(|file| file.modified).chain(self.newer).max();
        let written = node::write(&mut out, value, Style::Indented, 0).and_then(|()| out.finish(modified));
        self.bytes += written.map_err(|source| WriteProblem::Io { path, source })?;
        Ok(())
    }

    fn said<T>(&self, file: usize, result: io::Result<T>) -> Result<T, WriteProblem> {
        result.map_err(|source| WriteProblem::Io { path: self.files[file].path.clone(), source })
    }
}

fn make(tree: &Tree, path: &RelPath) -> Result<File, WriteProblem> {
    tree.new_file(path.as_path()).map_err(|problem| match problem {
        NoFile::Refused(why) => WriteProblem::Refused { path: path.clone(), why: why.into() },
        NoFile::Io(source) => WriteProblem::Io { path: path.clone(), source },
    })
}

/// A file's content, compressed where its name says so.
enum Output {
    Plain(BufWriter<Counted>),
    Compressed(Box<GzEncoder<BufWriter<Counted>>>),
}

impl Output {
    fn new(file: File, path: &RelPath) -> Output {
        let buffered = BufWriter::with_capacity(32 * 1024, Counted { file, bytes: 0 });
        match path.as_path().extension().is_some_and(|extension| extension == Path::new("gz").as_os_str()) {
            true => Output::Compressed(Box::new(GzEncoder::new(buffered, Compression::default()))),
            false => Output::Plain(buffered),
        }
    }

    /// Returns how many bytes the file has.
    fn finish(self, modified: Option<Instant>) -> io::Result<u64> {
        let buffered = match self {
            Output::Plain(buffered) => buffered,
            Output::Compressed(encoder) => encoder.finish()?,
        };
        let Counted { file, bytes } = buffered.into_inner().map_err(io::IntoInnerError::into_error)?;
        // Last, because writing moves it.
        modified.map_or(Ok(()), |modified| file.set_modified(system_time(modified)))?;
        Ok(bytes)
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Output::Plain(out) => out.write(bytes),
            Output::Compressed(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Output::Plain(out) => out.flush(),
            Output::Compressed(out) => out.flush(),
        }
    }
}

struct Counted {
    file: File,
    bytes: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn system_time(instant: Instant) -> SystemTime {
    let distance = Duration::from_micros(instant.0.unsigned_abs());
    if instant.0 < 0 {
        UNIX_EPOCH - distance
    } else {
        UNIX_EPOCH + distance
    }
}
