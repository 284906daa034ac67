//! The directory that is written to: files with their modification times, links, modes.
//!
//! It counts what it writes and knows nothing of what the files mean.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{symlink, DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::GenerateError;

pub struct Tree {
    root: PathBuf,
    files: AtomicU64,
    bytes: AtomicU64,
    /// Those made so far, for their modification times at the end.
    directories: Mutex<BTreeSet<PathBuf>>,
}

impl Tree {
    /// # Errors
    /// When the directory holds anything, or cannot be made.
    pub fn create(root: &Path) -> Result<Tree, GenerateError> {
        let tree = Tree {
            root: root.to_owned(),
            files: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            directories: Mutex::new(BTreeSet::new()),
        };
        let wrap = |source| GenerateError::Directory { path: root.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o755).create(root).map_err(wrap)?;
        if fs::read_dir(root).map_err(wrap)?.next().is_some() {
            return Err(GenerateError::NotEmpty { path: root.to_owned() });
        }
        Ok(tree)
    }

    /// Writes a whole file, last modified at `seconds` since 1970.
    pub fn put(&self, path: impl AsRef<Path>, bytes: &[u8], seconds: i64) -> Result<(), GenerateError> {
        self.stream(path, seconds, |file| file.write_all(bytes))
    }

    /// Writes a file piece by piece.
    pub fn stream(
        &self,
        path: impl AsRef<Path>,
        seconds: i64,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), GenerateError> {
        let path = self.root.join(path);
        let wrap = |source| GenerateError::Write { path: path.clone(), source };
        let file = self.open(&path).map_err(wrap)?;
        let mut counted = Counted { file: BufWriter::new(file), bytes: 0 };
        write(&mut counted).map_err(wrap)?;
        let file = counted.file.into_inner().map_err(|error| wrap(error.into_error()))?;
        // Last, because writing moves it.
        file.set_modified(time(seconds)).map_err(wrap)?;
        self.files.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(counted.bytes, Ordering::Relaxed);
        Ok(())
    }

    pub fn forbid_reading(&self, path: impl AsRef<Path>) -> Result<(), GenerateError> {
        let path = self.root.join(path);
        fs::set_permissions(&path, Permissions::from_mode(0o000))
            .map_err(|source| GenerateError::Write { path: path.clone(), source })
    }

    /// A link's own modification time is left to the clock: no reader looks at it.
    pub fn link(&self, path: impl AsRef<Path>, to: &str) -> Result<(), GenerateError> {
        let path = self.root.join(path);
        symlink(to, &path).map_err(|source| GenerateError::Write { path: path.clone(), source })
    }

    /// Sets the directories' times and returns the number of files and of their bytes.
    pub fn finish(self, seconds: i64) -> Result<(u64, u64), GenerateError> {
        let made = self.directories.into_inner().expect("no thread panics while it holds the set");
        for path in made.iter().chain([&self.root]) {
            File::open(path)
                .and_then(|directory| directory.set_modified(time(seconds)))
                .map_err(|source| GenerateError::Directory { path: path.clone(), source })?;
        }
        Ok((self.files.into_inner(), self.bytes.into_inner()))
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        let open = || OpenOptions::new().write(true).create_new(true).mode(0o644).open(path);
        match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let parent = path.parent().unwrap_or(&self.root);
                DirBuilder::new().recursive(true).mode(0o755).create(parent)?;
                let made = parent.ancestors().take_while(|&directory| directory != self.root).map(Path::to_owned);
                self.directories.lock().expect("no thread panics while it holds the set").extend(made);
                open()
            }
            result => result,
        }
    }
}

fn time(seconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds.unsigned_abs())
}

struct Counted {
    file: BufWriter<File>,
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
