//! Copies the files of rejects, and their reasons, for whoever mends them elsewhere.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use crate::model::RelPath;

use crate::ledger::LedgerReject;

#[derive(Debug, thiserror::Error)]
pub enum ExportRejectsError {
    #[error("the directory {} is not empty", path.display())]
    NotEmpty { path: PathBuf },
    #[error("cannot write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// What was copied.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ExportedRejects {
    pub files: u64,
    /// Files that neither the source nor the reject files hold any more.
    pub missing: Vec<String>,
}

/// Writes `<directory>/rejects.jsonl` and below `<directory>/files/` each file under its own path:
/// the bytes that the run kept, else those of the source.
pub fn export_rejects(
    directory: &Path,
    source: &Path,
    rejects_directory: &Path,
    rejects: &[&LedgerReject],
) -> Result<ExportedRejects, ExportRejectsError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| ExportRejectsError::Write { path, source }
    };
    make(directory).map_err(failed(directory))?;
    if fs::read_dir(directory).map_err(failed(directory))?.next().is_some() {
        return Err(ExportRejectsError::NotEmpty { path: directory.to_owned() });
    }
    let list = directory.join("rejects.jsonl");
    let mut lines = private(&list).map_err(failed(&list))?;
    let mut exported = ExportedRejects::default();
    for reject in rejects {
        let kept = kept_copies(rejects_directory, reject);
        for path in reject.paths() {
            let relative = RelPath::from_text(&path);
            let inside = relative.as_path().components().all(|part| matches!(part, Component::Normal(_)));
            let copy = kept.iter().find(|(name, _)| *name == path).map(|(_, copy)| copy.clone());
            let from = copy.filter(|copy| copy.exists()).unwrap_or_else(|| source.join(relative.as_path()));
            let to = directory.join("files").join(relative.as_path());
            match inside.then(|| fs::File::open(&from)) {
                Some(Ok(mut bytes)) => {
                    let parent = to.parent().expect("it is below the directory");
                    make(parent).map_err(failed(parent))?;
                    let mut target = private(&to).map_err(failed(&to))?;
                    io::copy(&mut bytes, &mut target).map_err(failed(&to))?;
                    exported.files += 1;
                }
                _ => exported.missing.push(path),
            }
        }
        let place = &reject.place;
        let line = serde_json::json!({
            "version": 1,
            "document": reject.document,
            "kind": reject.kind,
            "key": reject.key,
            "file": reject.file,
            "files": reject.paths(),
            "line": place.line,
            "column": place.column,
            "pointer": place.pointer,
            "reason": reject.reason,
            "detail": reject.detail,
            "run": reject.run,
        });
        writeln!(lines, "{line}").map_err(failed(&list))?;
    }
    Ok(exported)
}

/// Where the run that found the reject kept its files: path and copy.
fn kept_copies(rejects_directory: &Path, reject: &LedgerReject) -> Vec<(String, PathBuf)> {
    let run = rejects_directory.join(reject.run.to_string());
    let text = fs::read_to_string(run.join("rejects.jsonl")).unwrap_or_default();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let document = reject.document.to_string();
    let of_this = lines.filter(|line| line["document"].as_str() == Some(&document));
    of_this
        .flat_map(|line| line["files"].as_array().cloned().unwrap_or_default())
        .filter_map(|file| Some((file["path"].as_str()?.to_owned(), run.join(file["copy"].as_str()?))))
        .collect()
}

fn make(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

fn private(path: &Path) -> io::Result<fs::File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}
