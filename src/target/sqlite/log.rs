//! The log of attempts to change a schema: a file beside the database, one line an attempt.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::file::cannot_open;
use crate::target::{AttemptLog, TargetError};

pub struct FileLog {
    path: PathBuf,
}

impl FileLog {
    /// Of the database in this file.
    pub fn beside(database: &Path) -> FileLog {
        let mut path = database.as_os_str().to_owned();
        path.push(".schema-log");
        FileLog { path: path.into() }
    }

    fn open(&self) -> io::Result<File> {
        OpenOptions::new().read(true).append(true).open(&self.path)
    }

    fn try_append(&self, next: &mut dyn FnMut(Option<&str>) -> String) -> io::Result<()> {
        let mut file = match self.open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened?,
        };
        // Let go of when the file is closed.
        file.lock()?;
        let text = read(&mut file)?;
        let torn = !text.is_empty() && !text.ends_with('\n');
        let last = text.lines().next_back();
        // What a crash cut off stays, on a line of its own.
        let line = format!("{}{}\n", if torn { "\n" } else { "" }, next(last));
        file.write_all(line.as_bytes())?;
        file.sync_data()
    }
}

fn read(file: &mut File) -> io::Result<String> {
    let mut text = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

impl AttemptLog for FileLog {
    fn prepare(&mut self) -> Result<(), TargetError> {
        let made = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path);
        made.map(drop).map_err(|error| cannot_open(&self.path, error))
    }

    fn append(&mut self, next: &mut dyn FnMut(Option<&str>) -> String) -> Result<(), TargetError> {
        self.try_append(next).map_err(|error| cannot_open(&self.path, error))
    }

    fn lines(&mut self) -> Result<Vec<String>, TargetError> {
        let text = match self.open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            opened => opened.and_then(|mut file| read(&mut file)).map_err(|error| cannot_open(&self.path, error))?,
        };
        Ok(text.lines().map(str::to_owned).collect())
    }
}
