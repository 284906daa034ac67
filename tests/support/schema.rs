//! A database and directories of migrations for it, worked on by the real program.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::cli::{Finished, Workplace};
use super::postgres;

/// One database.
pub struct Site {
    pub place: Workplace,
    pub url: String,
    pub dialect: &'static str,
}

/// Statements that mean the same in both databases.
pub const USERS: &str = "\
-- WHY: whoever uses it.
CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    email VARCHAR(100) NOT NULL,
    status VARCHAR(20) DEFAULT 'active'
);
CREATE INDEX users_by_email ON users (email);
-- ENSURE: SELECT count(*) = 0 FROM users
";

pub const POSTS: &str = "\
-- DEPENDS: 0001_users.sql
-- WHY: what they write.
CREATE TABLE posts (
    id INTEGER PRIMARY KEY,
    owner INTEGER REFERENCES users (id) ON DELETE CASCADE,
    body TEXT NOT NULL
);
-- ENSURE: SELECT count(*) = 0 FROM posts
";

pub const PHONE: &str = "\
-- DEPENDS: 0001_users.sql
-- WHY: to call them.
ALTER TABLE users ADD COLUMN phone VARCHAR(30);
-- ENSURE: SELECT count(phone) = 0 FROM users
";

/// Three versions.
pub const APP: [(&str, &str); 3] = [("0001_users.sql", USERS), ("0002_posts.sql", POSTS), ("0003_phone.sql", PHONE)];

impl Site {
    pub fn sqlite() -> Site {
        let place = Workplace::new();
        let url = format!("sqlite:{}", place.path("app.db").display());
        Site { place, url, dialect: "sqlite" }
    }

    pub fn postgres() -> Site {
        Site { place: Workplace::new(), url: postgres::fresh_database(), dialect: "postgres" }
    }

    /// Another database of the same kind.
    pub fn another(&self) -> String {
        match self.dialect {
            "sqlite" => format!("sqlite:{}", self.place.path("another.db").display()),
            _ => postgres::fresh_database(),
        }
    }

    /// A directory with these files.
    pub fn files(&self, directory: &str, files: &[(&str, &str)]) -> PathBuf {
        let path = self.place.path(directory);
        fs::create_dir_all(&path).expect("a directory can be made");
        for (name, text) in files {
            fs::write(path.join(name), text).expect("a file can be written");
        }
        path
    }

    /// A directory with [`APP`] and what it declares.
    pub fn declared_app(&self) -> PathBuf {
        let path = self.files("app", &APP);
        self.run(&["snapshot", "app"]).expect(0);
        path
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let all = [&["schema"], arguments, &["--db", &self.url]].concat();
        self.place.command(&all)
    }

    /// Runs `transload schema ...`.
    pub fn run(&self, arguments: &[&str]) -> Finished {
        self.run_at(&self.url, arguments)
    }

    pub fn run_at(&self, url: &str, arguments: &[&str]) -> Finished {
        let all = [&["schema"], arguments, &["--db", url]].concat();
        self.place.run(&all)
    }

    /// Does something to the database behind the program's back.
    pub fn execute(&self, sql: &str) {
        match self.dialect {
            "sqlite" => self.sqlite_connection().execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}")),
            _ => postgres::execute(&self.url, sql),
        }
    }

    /// The one value of a query, as text.
    pub fn value(&self, sql: &str) -> String {
        match self.dialect {
            "sqlite" => {
                let query = format!("SELECT CAST(({sql}) AS TEXT)");
                let value: Option<String> = self
                    .sqlite_connection()
                    .query_row(&query, [], |row| row.get(0))
                    .unwrap_or_else(|error| panic!("{sql}: {error}"));
                value.unwrap_or_default()
            }
            _ => postgres::value(&self.url, sql),
        }
    }

    pub fn sqlite_connection(&self) -> rusqlite::Connection {
        let path = self.url.strip_prefix("sqlite:").expect("a SQLite database");
        rusqlite::Connection::open(path).expect("the database opens")
    }

    /// How the history's table is called.
    pub fn history(&self) -> &'static str {
        match self.dialect {
            "sqlite" => "transload_schema_history",
            _ => "transload.schema_history",
        }
    }

    /// The numbers that are recorded for a set, with commas.
    pub fn recorded(&self, set: &str) -> String {
        let list = match self.dialect {
            "sqlite" => "group_concat(number, ',')",
            _ => "string_agg(number::text, ',')",
        };
        let history = self.history();
        self.value(&format!(
            "SELECT {list} FROM (SELECT number FROM {history} WHERE set_name = '{set}' ORDER BY number) t"
        ))
    }

    /// How many locks of runs there are on a PostgreSQL database.
    pub fn locks(&self) -> String {
        self.value(
            "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database AND d.datname = current_database() \
             WHERE l.locktype = 'advisory'",
        )
    }

    /// Whether a table is there.
    pub fn has_table(&self, name: &str) -> bool {
        let query = match self.dialect {
            "sqlite" => format!("SELECT count(*) FROM sqlite_schema WHERE name = '{name}'"),
            _ => format!("SELECT count(*) FROM pg_class WHERE relname = '{name}'"),
        };
        self.value(&query) != "0"
    }
}

/// One module a database, one test a case.
#[macro_export]
macro_rules! on_both {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $case() {
                super::$case(&super::support::schema::Site::sqlite());
            })+
        }
        mod postgres {
            $(#[test]
            fn $case() {
                super::$case(&super::support::schema::Site::postgres());
            })+
        }
    };
}
