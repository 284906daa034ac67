//! The rows that repairs overwrite or delete, as JSON lines in one file a run, outside the source.
//!
//! `<directory>/<run>.jsonl`, 0700 and 0600, made when the first row comes. A document's lines are on
//! disk before its transaction commits; those of a transaction that was undone are taken back.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::model::{Row, Table, Value};

use super::Action;

/// Lines held before they are written.
const BUFFER: usize = 1024 * 1024;

#[derive(Debug, thiserror::Error)]
#[error("cannot save replaced rows in `{}`", path.display())]
pub struct SavedError {
    pub path: PathBuf,
    pub source: io::Error,
}

/// The file of one run.
pub struct SavedRows {
    path: PathBuf,
    /// `None` for a run that changes nothing.
    file: Option<Mutex<Option<File>>>,
}

impl SavedRows {
    /// Writes nothing yet.
    pub fn new(directory: &Path, run: Uuid, dry_run: bool) -> SavedRows {
        SavedRows { path: directory.join(format!("{run}.jsonl")), file: (!dry_run).then(|| Mutex::new(None)) }
    }

    /// The file, if there is one.
    pub fn path(&self) -> Option<&Path> {
        let there = self.file.as_ref().is_some_and(|file| locked(file).is_some());
        there.then_some(&self.path)
    }

    /// The lines of one document's transaction.
    pub fn begin(&self, document: Uuid) -> Saving<'_> {
        Saving { rows: self, document, lines: Vec::new(), begin: None }
    }

    fn error(&self, source: io::Error) -> SavedError {
        SavedError { path: self.path.clone(), source }
    }

    fn create(&self) -> io::Result<File> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&self.path)?;
        // A file without a name would be lost with all its lines.
        File::open(directory)?.sync_all()?;
        Ok(file)
    }
}

fn locked(file: &Mutex<Option<File>>) -> MutexGuard<'_, Option<File>> {
    file.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lines on their way to the file.
pub struct Saving<'a> {
    rows: &'a SavedRows,
    document: Uuid,
    lines: Vec<u8>,
    /// Where this document's lines begin, once some are in the file.
    begin: Option<u64>,
}

#[derive(Serialize)]
struct Line<'a> {
    document: Uuid,
    table: &'a str,
    id: Uuid,
    action: Action,
    row: Columns<'a>,
}

impl Saving<'_> {
    pub fn row(&mut self, table: &Table, action: Action, row: &Row) -> Result<(), SavedError> {
        if self.rows.file.is_none() {
            return Ok(());
        }
        let row = Line { document: self.document, table: table.name, id: row.id(), action, row: Columns(table, row) };
        serde_json::to_writer(&mut self.lines, &row).map_err(|error| self.rows.error(error.into()))?;
        self.lines.push(b'\n');
        if self.lines.len() > BUFFER {
            self.write()?;
        }
        Ok(())
    }

    /// Makes sure that the lines stay, whatever happens.
    pub fn sync(&mut self) -> Result<(), SavedError> {
        self.write()?;
        match (&self.rows.file, self.begin) {
            (Some(file), Some(_)) => {
                let file = locked(file);
                let file = file.as_ref().expect("lines were written to it");
                file.sync_data().map_err(|error| self.rows.error(error))
            }
            _ => Ok(()),
        }
    }

    /// Takes the lines back: the rows stay what they are.
    pub fn undo(self) -> Result<(), SavedError> {
        match (&self.rows.file, self.begin) {
            (Some(file), Some(begin)) => {
                let file = locked(file);
                let file = file.as_ref().expect("lines were written to it");
                file.set_len(begin).map_err(|error| self.rows.error(error))
            }
            _ => Ok(()),
        }
    }

    fn write(&mut self) -> Result<(), SavedError> {
        let Some(file) = self.rows.file.as_ref().filter(|_| !self.lines.is_empty()) else { return Ok(()) };
        let mut file = locked(file);
        let mut append = || -> io::Result<()> {
            if file.is_none() {
                *file = Some(self.rows.create()?);
            }
            let file = file.as_mut().expect("it was created above");
            if self.begin.is_none() {
                self.begin = Some(file.seek(io::SeekFrom::End(0))?);
            }
            file.write_all(&self.lines)?;
            self.lines.clear();
            Ok(())
        };
        append().map_err(|error| self.rows.error(error))
    }
}

/// A row as an object: JSON as it is, what JSON has no type for as text.
struct Columns<'a>(&'a Table, &'a Row);

impl Serialize for Columns<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Columns(table, row) = self;
        serializer.collect_map(table.columns.iter().zip(&row.0).map(|(column, value)| (column.name, Shown(value))))
    }
}

struct Shown<'a>(&'a Value);

impl Serialize for Shown<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Uuid(id) => serializer.collect_str(id),
            Value::Text(text) | Value::Reference(text) => serializer.serialize_str(text),
            Value::Json(text) => match serde_json::from_str::<&RawValue>(text) {
                Ok(raw) => raw.serialize(serializer),
                // Somebody else's text.
                Err(_) => serializer.serialize_str(text),
            },
            Value::Int(number) => serializer.serialize_i64(*number),
            Value::Bool(flag) => serializer.serialize_bool(*flag),
            Value::Time(instant) => serializer.serialize_str(&instant.to_fixed()),
            Value::Inet(address) => serializer.collect_str(address),
            Value::Bytes(bytes) => {
                serializer.serialize_str(&bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use crate::model::{Column, Instant, Kind, Owner};

    static TABLE: Table = Table {
        name: "things",
        owner: Owner::Application,
        columns: &[
            Column::new("id", Kind::Uuid),
            Column::new("json", Kind::Json),
            Column::new("at", Kind::Time),
            Column::new("note", Kind::Text),
        ],
        key: &[0],
        natural_key: &[],
        parent: None,
        twin_key: &[],
    };

    fn row(number: u128) -> Row {
        Row(vec![
            Value::Uuid(Uuid::from_u128(number)),
            Value::Json("{\"b\": 1.10, \"a\": [\"\u{e9}\"]}".into()),
            Value::Time(Instant(0)),
            Value::Null,
        ])
    }

    #[test]
    fn a_row_is_one_line_with_its_values_as_they_were() {
        let directory = tempfile::tempdir().unwrap();
        let saved = SavedRows::new(&directory.path().join("a/b"), Uuid::nil(), false);
        assert_eq!(saved.path(), None);
        let mut saving = saved.begin(Uuid::from_u128(9));
        saving.row(&TABLE, Action::Delete, &row(1)).unwrap();
        saving.sync().unwrap();
        let path = saved.path().unwrap();
        assert_eq!(path, directory.path().join("a/b/00000000-0000-0000-0000-000000000000.jsonl"));
        assert_eq!(
            fs::read_to_string(path).unwrap(),
            "{\"document\":\"00000000-0000-0000-0000-000000000009\",\"table\":\"things\",\
             \"id\":\"00000000-0000-0000-0000-000000000001\",\"action\":\"delete\",\
             \"row\":{\"id\":\"00000000-0000-0000-0000-000000000001\",\"json\":{\"b\": 1.10, \"a\": [\"\u{e9}\"]},\
             \"at\":\"1970-01-01T00:00:00.000000Z\",\"note\":null}}\n"
        );
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(path), mode(path.parent().unwrap())), (0o600, 0o700));
    }

    #[test]
    fn what_was_undone_is_taken_back() {
        let directory = tempfile::tempdir().unwrap();
        let saved = SavedRows::new(directory.path(), Uuid::nil(), false);
        let mut kept = saved.begin(Uuid::nil());
        kept.row(&TABLE, Action::Update, &row(1)).unwrap();
        kept.sync().unwrap();
        let before = fs::read(saved.path().unwrap()).unwrap();
        let mut undone = saved.begin(Uuid::nil());
        // More than is held.
        for number in 0..10_000 {
            undone.row(&TABLE, Action::Update, &row(number)).unwrap();
        }
        assert!(fs::read(saved.path().unwrap()).unwrap().len() > before.len());
        undone.undo().unwrap();
        assert_eq!(fs::read(saved.path().unwrap()).unwrap(), before);
        let mut last = saved.begin(Uuid::nil());
        last.row(&TABLE, Action::Update, &row(1)).unwrap();
        last.sync().unwrap();
        assert_eq!(fs::read(saved.path().unwrap()).unwrap(), [&before[..], &before[..]].concat());
    }

    #[test]
    fn a_run_that_changes_nothing_saves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let saved = SavedRows::new(&directory.path().join("x"), Uuid::nil(), true);
        let mut saving = saved.begin(Uuid::nil());
        saving.row(&TABLE, Action::Update, &row(1)).unwrap();
        saving.sync().unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
