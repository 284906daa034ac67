//! Reject files: one JSON line a reject beside the original bytes, outside the source.
//!
//! `<directory>/<run>/rejects.jsonl` and `<directory>/<run>/files/`, 0700 and 0600, made when the
//! first reject comes. Nothing here knows why a document is rejected.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::Serialize;
use uuid::Uuid;

use crate::model::{Document, Reject};

/// The version of a line of `rejects.jsonl`, as `docs/rejects.md` describes it.
const VERSION: u32 = 1;

#[derive(Debug, thiserror::Error)]
#[error("cannot write the reject file `{}`", path.display())]
pub struct RejectFileError {
    pub path: PathBuf,
    pub source: io::Error,
}

/// The reject files of one run.
pub struct RejectFiles {
    root: PathBuf,
    directory: PathBuf,
    run: Uuid,
    /// `None` for a dry run, which writes nothing.
    open: Option<Mutex<Option<Open>>>,
}

struct Open {
    lines: File,
    count: u64,
}

#[derive(Serialize)]
struct Line<'a> {
    version: u32,
    run: Uuid,
    document: Uuid,
    kind: &'a str,
    key: &'a str,
    file: String,
    line: Option<u64>,
    column: Option<u64>,
    pointer: Option<&'a str>,
    reason: &'a str,
    detail: &'a str,
    bytes: u64,
    digest: String,
    files: Vec<Copy>,
}

#[derive(Serialize)]
struct Copy {
    path: String,
    /// Below the run's directory; absent if the file could not be copied any more.
    copy: Option<String>,
}

impl RejectFiles {
    /// `root`: the source. Writes nothing yet.
    pub fn new(root: &Path, directory: &Path, run: Uuid, dry_run: bool) -> RejectFiles {
        RejectFiles {
            root: root.to_owned(),
            directory: directory.join(run.to_string()),
            run,
            open: (!dry_run).then(|| Mutex::new(None)),
        }
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Copies the document's files and appends its line.
    pub fn save(&self, reject: &Reject, document: &Document) -> Result<(), RejectFileError> {
        let Some(open) = &self.open else { return Ok(()) };
        let mut open = open.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if open.is_none() {
            *open = Some(self.create()?);
        }
        let open = open.as_mut().expect("it was created above");
        let mut files = Vec::new();
        for file in &document.files {
            open.count += 1;
            let name = format!("{:06}-{}", open.count, safe_name(&file.path.file_name().to_string_lossy()));
            let from = file.path.below(&self.root);
            let copied = self.copy(&from, &self.directory.join("files").join(&name))?;
            files.push(Copy { path: file.path.to_text(), copy: copied.then(|| format!("files/{name}")) });
        }
        let place = &reject.flaw.place;
        let line = Line {
            version: VERSION,
            run: self.run,
            document: reject.document,
            kind: reject.kind,
            key: &reject.key,
            file: reject.file().to_text(),
            line: place.line,
            column: place.column,
            pointer: place.pointer.as_deref(),
            reason: reject.flaw.reason.code(),
            detail: &reject.flaw.detail,
            bytes: reject.bytes,
            digest: blake3::Hash::from(reject.digest).to_hex().to_string(),
            files,
        };
        let mut text = serde_json::to_string(&line).expect("a plain struct is JSON");
        text.push('\n');
        open.lines
            .write_all(text.as_bytes())
            .map_err(|source| self.error(&self.directory.join("rejects.jsonl"), source))
    }

    fn create(&self) -> Result<Open, RejectFileError> {
        let files = self.directory.join("files");
        DirBuilder::new().recursive(true).mode(0o700).create(&files).map_err(|source| self.error(&files, source))?;
        let path = self.directory.join("rejects.jsonl");
        let lines = private().append(true).create(true).open(&path).map_err(|source| self.error(&path, source))?;
        Ok(Open { lines, count: 0 })
    }

    /// `false` if the source file cannot be read any more; its reject stands all the same.
    fn copy(&self, from: &Path, to: &Path) -> Result<bool, RejectFileError> {
        let Ok(mut source) = File::open(from) else { return Ok(false) };
        let mut target = private().write(true).create_new(true).open(to).map_err(|source| self.error(to, source))?;
        match io::copy(&mut source, &mut target) {
            Ok(_) => Ok(true),
            Err(error) => {
                let _ = fs::remove_file(to);
                Err(self.error(to, error))
            }
        }
    }

    fn error(&self, path: &Path, source: io::Error) -> RejectFileError {
        RejectFileError { path: path.to_owned(), source }
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// A file name without anything that a shell or a terminal could take amiss.
fn safe_name(name: &str) -> String {
    let safe: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@') { c } else { '_' })
        .collect();
    safe[safe.len().saturating_sub(100)..].to_owned()
}
