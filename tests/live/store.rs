//! What the application writes to: its files, as the legacy code writes them, and its tables.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use postgres::NoTls;

/// A connection of the application's own.
pub enum Store {
    Sqlite(rusqlite::Connection),
    Postgres(Box<postgres::Client>),
}

impl Store {
    pub fn open(url: &str) -> Store {
        match url.strip_prefix("sqlite:") {
            Some(path) => {
                let connection = rusqlite::Connection::open(path).expect("the database opens");
                connection.busy_timeout(Duration::from_secs(30)).expect("SQLite can wait");
                connection.pragma_update(None, "foreign_keys", true).expect("SQLite knows foreign keys");
                connection.pragma_update(None, "synchronous", "off").expect("SQLite can be hasty");
                Store::Sqlite(connection)
            }
            None => Store::Postgres(Box::new(postgres::Client::connect(url, NoTls).expect("the server answers"))),
        }
    }

    /// Runs statements in one transaction.
    pub fn write(&mut self, statements: &[String]) {
        let text = statements.join("; ");
        let result = match self {
            Store::Sqlite(connection) => {
                connection.execute_batch(&format!("BEGIN IMMEDIATE; {text}; COMMIT")).map_err(|error| error.to_string())
            }
            Store::Postgres(client) => {
                client.batch_execute(&format!("BEGIN; {text}; COMMIT")).map_err(|error| format!("{error:?}"))
            }
        };
        result.unwrap_or_else(|error| panic!("cannot run {text:?}: {error}"));
    }
}

/// Writes a file in place, under a lock, as PHP's `file_put_contents` with `LOCK_EX` does: readers
/// that do not lock see it empty for a moment. `None` removes it.
pub fn put(root: &Path, path: &str, content: Option<&str>) {
    let path = root.join(path);
    let Some(content) = content else {
        fs::remove_file(&path).expect("the file is there");
        return;
    };
    fs::create_dir_all(path.parent().expect("a file is in a directory")).expect("a directory can be made");
    let mut file: File =
        OpenOptions::new().write(true).create(true).truncate(false).open(&path).expect("the file can be written");
    file.lock().expect("the file can be locked");
    file.set_len(0).expect("the file can be cut");
    // In two parts, so that it is half there in between.
    let (head, tail) = content.as_bytes().split_at(content.len() / 2);
    file.write_all(head).and_then(|()| file.write_all(tail)).expect("the file can be written");
    file.unlock().expect("it was locked");
}
