//! A tree, a database, and the program.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use transload::model::ledger::DOCUMENTS;
use transload::model::RelPath;

use crate::node::Node;
use crate::support::cli::{Finished, Workplace};
use crate::support::dump::Database;
use crate::support::postgres;

pub struct World {
    pub place: Workplace,
    pub database: Database,
}

impl World {
    pub fn sqlite() -> World {
        let place = Workplace::new();
        let database = Database::sqlite(&place.path("app.db"));
        World { place, database }
    }

    pub fn postgres() -> World {
        World { place: Workplace::new(), database: Database::Postgres(postgres::fresh_database()) }
    }

    /// Another empty database of the same kind.
    pub fn another_database(&self) -> Database {
        match &self.database {
            Database::Sqlite(_) => Database::sqlite(&self.place.path("other.db")),
            Database::Postgres(_) => Database::Postgres(postgres::fresh_database()),
        }
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.place.path(below)
    }

    /// Writes a file of the tree.
    pub fn file(&self, path: &str, text: &str) {
        let path = self.path("data").join(path);
        fs::create_dir_all(path.parent().expect("it is below the tree")).expect("there is room");
        crate::support::cli::write(&path, text.as_bytes());
    }

    /// Migrates `data`, logs included.
    pub fn migrate(&self) -> Finished {
        self.place.run(&["migrate", "data", "--with", "logs", "--json", "--db", &self.database.url()])
    }

    /// Exports into `out`.
    pub fn export(&self, more: &[&str]) -> Finished {
        self.export_into("out", more)
    }

    pub fn export_into(&self, directory: &str, more: &[&str]) -> Finished {
        let url = self.database.url();
        self.place.run(&[&["export", directory, "--json", "--db", &url], more].concat())
    }

    /// Runs statements in the database; `transload.` stands for the ledger.
    pub fn sql(&self, statements: &str) {
        match &self.database {
            Database::Postgres(url) => postgres::execute(url, statements),
            Database::Sqlite(file) => {
                let db = rusqlite::Connection::open(file).expect("the database is there");
                db.pragma_update(None, "foreign_keys", true).expect("it enforces them");
                let statements = statements.replace("transload.", "transload_");
                db.execute_batch(&statements).unwrap_or_else(|error| panic!("{statements}: {error}"));
            }
        }
    }

    /// The one value of a query, as text.
    pub fn value(&self, query: &str) -> String {
        match &self.database {
            Database::Postgres(url) => postgres::value(url, query),
            Database::Sqlite(file) => {
                let db = rusqlite::Connection::open(file).expect("the database is there");
                let value = db.query_row(query, [], |row| row.get::<_, rusqlite::types::Value>(0)).expect("one row");
                match value {
                    rusqlite::types::Value::Text(text) => text,
                    rusqlite::types::Value::Integer(number) => number.to_string(),
                    other => panic!("{query}: {other:?}"),
                }
            }
        }
    }

    /// The files of all documents that the ledger has, by path.
    pub fn documents(&self) -> Vec<String> {
        let rows = self.database.raw_rows(&DOCUMENTS);
        let files = rows.iter().flat_map(|row| Node::parse(row.json("files")).items().to_vec());
        let mut paths: Vec<String> =
            files.map(|file| file.get("path").and_then(Node::as_text).expect("a path").to_owned()).collect();
        paths.sort();
        paths
    }

    /// A file of the export, as JSON.
    pub fn exported(&self, path: &str) -> Node {
        let path = self.path("out").join(path);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Node::parse(&text)
    }

    /// As [`World::exported`], on one line.
    pub fn line(&self, path: &str) -> String {
        self.exported(path).to_string()
    }
}

/// All files below a directory, by path, with their bytes.
pub fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in walkdir::WalkDir::new(root) {
        let entry = entry.expect("the tree can be read");
        if entry.file_type().is_file() {
            let path = RelPath::new(entry.path().strip_prefix(root).expect("it is below the root"));
            files.insert(path.to_text(), fs::read(entry.path()).expect("the file can be read"));
        }
    }
    files
}

/// That files and directories are nobody else's, and that files have the times of the others.
pub fn assert_attributes(out: &Path, original: &Path) {
    let mut seen = 0;
    for entry in walkdir::WalkDir::new(out) {
        let entry = entry.expect("the tree can be read");
        let metadata = entry.metadata().expect("it is there");
        let mode = if metadata.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(metadata.permissions().mode() & 0o7777, mode, "{}", entry.path().display());
        if metadata.is_file() {
            let other = original.join(entry.path().strip_prefix(out).expect("it is below the root"));
            let expected = fs::metadata(&other).expect("the original is there");
            let time = |metadata: &fs::Metadata| (metadata.mtime(), metadata.mtime_nsec() / 1000);
            assert_eq!(time(&metadata), time(&expected), "{}", other.display());
            seen += 1;
        }
    }
    assert!(seen > 0, "nothing was exported");
}
