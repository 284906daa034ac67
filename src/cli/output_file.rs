//! Files that a command writes: outside the source, whole or not at all, looked at before the work
//! begins and not after hours of it.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::Failure;
use crate::config::Config;

/// For whoever runs this.
pub const PRIVATE: u32 = 0o600;
/// For whoever collects metrics: they hold nobody's data.
pub const PUBLIC: u32 = 0o644;

/// A file to be written at the end.
#[derive(Debug)]
pub struct OutputFile {
    path: PathBuf,
    what: &'static str,
    mode: u32,
}

impl OutputFile {
    /// # Errors
    /// If it would be below the source, or cannot be written.
    pub fn plan(path: &Path, what: &'static str, mode: u32, config: &Config) -> Result<OutputFile, Failure> {
        config.check_output(path, what)?;
        OutputFile::beside_no_source(path, what, mode)
    }

    /// As [`OutputFile::plan`], for a command that has no source.
    pub fn beside_no_source(path: &Path, what: &'static str, mode: u32) -> Result<OutputFile, Failure> {
        let file = OutputFile { path: path.to_owned(), what, mode };
        if path.is_dir() {
            return Err(file.failure(io::Error::from(io::ErrorKind::IsADirectory)));
        }
        file.temporary().map_err(|error| file.failure(error))?;
        Ok(file)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the place of what was there: a reader finds the old content or the new.
    pub fn write(&self, content: &str) -> Result<(), Failure> {
        let write = || {
            let mut file = self.temporary()?;
            file.write_all(content.as_bytes())?;
            file.as_file().set_permissions(Permissions::from_mode(self.mode))?;
            // Renamed before its bytes are on disk it might be empty after a crash.
            file.as_file().sync_all()?;
            file.persist(&self.path)?;
            // So that the new name is, too. Some file systems do not let a directory be synced.
            let _ = File::open(self.directory()).and_then(|directory| directory.sync_all());
            Ok(())
        };
        write().map_err(|error| self.failure(error))
    }

    /// In the same directory, because a rename does not leave its file system. Hidden, and without
    /// the name's own ending, which collectors go by.
    fn temporary(&self) -> io::Result<tempfile::NamedTempFile> {
        tempfile::Builder::new().prefix(".transload-").suffix(".part").tempfile_in(self.directory())
    }

    fn directory(&self) -> &Path {
        match self.path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        }
    }

    fn failure(&self, error: io::Error) -> Failure {
        let message = format!("cannot write {} `{}`", self.what, self.path.display());
        Failure::new(anyhow::Error::new(error).context(message))
    }
}

/// Refuses two outputs in one place.
pub fn check_distinct(files: &[&OutputFile]) -> Result<(), Failure> {
    for (at, file) in files.iter().enumerate() {
        if let Some(other) = files[..at].iter().find(|other| same(&other.path, &file.path)) {
            let message =
                format!("{} and {} would both be written to `{}`", other.what, file.what, file.path.display());
            return Err(Failure::usage(message, None));
        }
    }
    Ok(())
}

fn same(one: &Path, other: &Path) -> bool {
    let whole = |path: &Path| {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let parent = absolute.parent().and_then(|parent| parent.canonicalize().ok());
        parent.map(|parent| parent.join(absolute.file_name().unwrap_or_default())).unwrap_or(absolute)
    };
    whole(one) == whole(other)
}
