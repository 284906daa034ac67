//! Keeps what a run writes out of the source, also through links and `..`.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::error::ConfigError;

pub(super) fn check(source: &Path, what: &'static str, path: &Path, hint: &'static str) -> Result<(), ConfigError> {
    // A source that is not there is the walk's to report.
    let Ok(root) = source.canonicalize() else { return Ok(()) };
    let whole = resolved(path).map_err(|error| ConfigError::Unreadable { path: path.to_owned(), source: error })?;
    if whole.starts_with(&root) {
        return Err(ConfigError::BelowSource { what, path: path.to_owned(), source_root: source.to_owned(), hint });
    }
    Ok(())
}

/// The path with links resolved as far as it exists; the rest is what is still to be made.
fn resolved(path: &Path) -> io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    let mut missing: Vec<OsString> = Vec::new();
    let mut existing = absolute.as_path();
    loop {
        match existing.canonicalize() {
            Ok(found) => return Ok(missing.iter().rev().fold(found, |path, name| path.join(name))),
            Err(error) => match (existing.parent(), existing.file_name()) {
                (Some(parent), Some(name)) => {
                    missing.push(name.to_owned());
                    existing = parent;
                }
                _ => return Err(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn below(source: &Path, path: &Path) -> bool {
        check(source, "the database", path, "").is_err()
    }

    #[test]
    fn nothing_is_written_below_the_source() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let source = folder.path().join("data");
        std::fs::create_dir(&source).expect("made");
        std::os::unix::fs::symlink(&source, folder.path().join("link")).expect("linked");
        assert!(below(&source, &source.join("a.db")));
        assert!(below(&source, &source.join("new/deep/a.db")));
        assert!(below(&source, &folder.path().join("link/a.db")));
        assert!(below(&folder.path().join("link"), &source));
        assert!(!below(&source, &folder.path().join("a.db")));
        assert!(!below(&source, &folder.path().join("database/a.db")));
        assert!(!below(&folder.path().join("nowhere"), &source));
    }
}
