//! The database's file: where it really is, and how it comes into being. Its content is SQLite's.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::target::{TargetError, TargetErrorKind};

/// The absolute path behind all symbolic links, so that one database has one name (its `-wal`
/// and its lock stand beside it) and no name is taken for a URI by SQLite. The file itself need
/// not exist.
pub fn locate(path: &Path) -> Result<PathBuf, TargetError> {
    if path.is_dir() {
        return Err(refuse(path, "is a directory").with_hint("name a file in it, e.g. `transload.db`"));
    }
    match fs::canonicalize(path) {
        Ok(real) => return Ok(real),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(cannot_open(path, error)),
    }
    let Some(name) = path.file_name() else {
        return Err(refuse(path, "names no file").with_hint("give a path such as `sqlite:transload.db`"));
    };
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match fs::canonicalize(parent) {
        Ok(parent) => Ok(parent.join(name)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(TargetError::new(
            TargetErrorKind::Other,
            format!("cannot create `{}`: its directory does not exist", path.display()),
        )
        .with_hint("create the directory first, or check the path")),
        Err(error) => Err(cannot_open(path, error)),
    }
}

/// Creates the file, empty and for its owner alone, unless it is there already. SQLite takes an
/// empty file for an empty database and gives `-wal` and `-shm` the rights of the main file.
///
/// The file is never opened here when it exists: closing any descriptor of it would drop the
/// locks that SQLite holds on it in this process.
pub fn create_private(path: &Path) -> Result<(), TargetError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => sync_directory(path).map_err(|error| cannot_open(path, error)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(cannot_open(path, error)),
    }
}

/// A commit is on disk only if the file's name is, too.
fn sync_directory(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

fn refuse(path: &Path, why: &str) -> TargetError {
    TargetError::new(TargetErrorKind::Other, format!("`{}` {why}", path.display()))
}

pub fn cannot_open(path: &Path, error: io::Error) -> TargetError {
    let (kind, hint) = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            (TargetErrorKind::Denied, "this user needs the right to write the file and its directory")
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            (TargetErrorKind::Resources, "make room on the disk")
        }
        io::ErrorKind::ReadOnlyFilesystem => (TargetErrorKind::Denied, "the file system is mounted read-only"),
        _ => (TargetErrorKind::Other, "check the path"),
    };
    TargetError::new(kind, format!("cannot open `{}`", path.display())).with_hint(hint).because(error)
}
