//! The rows of another SQLite file into a new one, by SQLite's own shell: `INSERT ... SELECT` from the
//! attached file into tables without indexes, which are made afterwards. Nothing is parsed, so an
//! `.import` of text (which cannot write NULL) can only be slower.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::bench::error::BenchError;
use crate::bench::measure;

const TABLES: [&str; 4] = ["users", "chat_sessions", "messages", "user_memory"];

/// A file that transload filled.
pub struct Ready {
    shell: PathBuf,
    source: PathBuf,
    tables: String,
    indexes: String,
    index_count: u64,
    counts: Vec<(&'static str, u64)>,
}

impl Ready {
    pub fn make(shell: &Path, source: &Path) -> Result<Ready, BenchError> {
        let ask = |sql: &str| -> Result<String, BenchError> {
            Ok(measure::run(Command::new(shell).arg("-readonly").arg(source).arg(sql))?.stdout)
        };
        let names = TABLES.map(|table| format!("'{table}'")).join(", ");
        let of = |kind: &str| {
            ask(&format!(
                "SELECT sql || ';' FROM sqlite_schema WHERE type = '{kind}' AND sql IS NOT NULL AND tbl_name IN ({names});"
            ))
        };
        let mut counts = Vec::new();
        for table in TABLES {
            counts.push((table, number(&ask(&format!("SELECT count(*) FROM {table};"))?)?));
        }
        let index_count = number(&ask(&format!(
            "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ({names});"
        ))?)?;
        let (tables, indexes) = (of("table")?, of("index")?);
        Ok(Ready { shell: shell.to_owned(), source: source.to_owned(), tables, indexes, index_count, counts })
    }

    pub fn rows(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }

    /// Fills a new file below `directory`; returns seconds.
    pub fn load(&self, directory: &Path) -> Result<f64, BenchError> {
        let file = directory.join("floor.db");
        for end in ["", "-wal", "-shm"] {
            // It is not there the first time.
            let _ = std::fs::remove_file(format!("{}{end}", file.display()));
        }
        let copies: String =
            TABLES.iter().map(|table| format!("INSERT INTO main.{table} SELECT * FROM ready.{table};\n")).collect();
        let script = format!(
            ".bail on\nPRAGMA journal_mode = WAL;\nPRAGMA foreign_keys = ON;\n{}ATTACH '{}' AS ready;\nBEGIN;\n{copies}{}COMMIT;\n\
             PRAGMA wal_checkpoint(TRUNCATE);\n",
            self.tables,
            self.source.display().to_string().replace('\'', "''"),
            self.indexes,
        );
        let path = directory.join("floor.sql");
        std::fs::write(&path, script).map_err(BenchError::file(&path))?;
        let read = format!(".read {}", path.display());
        let begin = Instant::now();
        measure::run(Command::new(&self.shell).arg(&file).arg(read))?;
        let seconds = begin.elapsed().as_secs_f64();
        let mut ask = Command::new(&self.shell);
        let counts = self.counts.iter().map(|(table, _)| format!("SELECT count(*) FROM {table};")).collect::<String>();
        let indexes = "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL;";
        let found = measure::run(ask.arg(&file).arg(format!("{counts}{indexes}")))?.stdout;
        let expected = self.counts.iter().map(|(_, count)| *count).chain([self.index_count]);
        let expected: Vec<String> = expected.map(|count| count.to_string()).collect();
        if found.split_whitespace().ne(expected.iter().map(String::as_str)) || self.index_count == 0 {
            let what = format!("rows and indexes are {found:?}, expected {expected:?}");
            return Err(BenchError::Floor { floor: "insert_select", what });
        }
        Ok(seconds)
    }
}

fn number(said: &str) -> Result<u64, BenchError> {
    let parsed = said.trim().parse();
    parsed.map_err(|_| BenchError::Unexpected { program: "sqlite3".into(), said: said.trim().to_owned() })
}
