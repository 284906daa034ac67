//! The rows of a SQLite file that transload filled into another file, by SQLite's own shell:
//!
//! - `INSERT ... SELECT` from the attached file into tables without indexes, which are made afterwards;
//!   nothing is parsed, so that nothing can be faster;
//! - `.import` of ready-made text in the place of it, which is what the shell has for files;
//! - the same `INSERT ... SELECT` onto the rows of another tree, with every index in place.
//!
//! `.import` cannot write NULL. What is NULL is another value of its column in the files, because checks
//! and unique indexes refuse the empty text that `.import` would make of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::bench::error::BenchError;
use crate::bench::measure;
use crate::bench::report::Measured;

use super::reading::bring_in;

const TABLES: [&str; 4] = ["users", "chat_sessions", "messages", "user_memory"];

/// The file that is loaded into, and the script.
const FLOOR: &str = "floor.db";
const SCRIPT: &str = "floor.sql";

/// A file that transload filled.
pub struct Ready {
    shell: PathBuf,
    source: PathBuf,
    tables: String,
    indexes: String,
    index_count: u64,
    counts: Vec<(&'static str, u64)>,
    /// Files are made here, and found here by their names alone.
    directory: PathBuf,
}

impl Ready {
    pub fn make(shell: &Path, source: &Path, directory: &Path) -> Result<Ready, BenchError> {
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
        let (shell, source, directory) = (shell.to_owned(), source.to_owned(), directory.to_owned());
        Ok(Ready { shell, source, tables, indexes, index_count, counts, directory })
    }

    /// Writes the rows into text files, for [`Ready::import`].
    pub fn write_text(&self) -> Result<(), BenchError> {
        let mut script = ".bail on\n.mode csv\n".to_owned();
        for table in TABLES {
            // The shell spells the columns: what to say for NULL depends on each.
            let columns = format!(
                "SELECT name || '|' || type || '|' || (\"notnull\" OR pk) FROM pragma_table_info('{table}') ORDER BY cid;"
            );
            let said = measure::run(Command::new(&self.shell).arg("-readonly").arg(&self.source).arg(columns))?.stdout;
            let columns: Vec<String> = said.lines().map(spelled).collect();
            script += &format!(".once {}\nSELECT {} FROM {table};\n", text_file(table), columns.join(", "));
        }
        self.run(&self.source, &script).map(drop)
    }

    /// From the attached file into a new one.
    pub fn insert_select(&self) -> Result<Measured, BenchError> {
        self.load("insert_select", &format!("{}BEGIN;\n{}", self.attach(), copies()))
    }

    /// From the text files into a new one.
    pub fn import(&self) -> Result<Measured, BenchError> {
        let imports: String = TABLES.iter().map(|table| format!(".import {} {table}\n", text_file(table))).collect();
        self.load("import", &format!(".mode csv\nBEGIN;\n{imports}"))
    }

    /// From the attached file onto the rows of another one that transload filled.
    pub fn insert_onto(&self, base: &Ready, file: &Path) -> Result<Measured, BenchError> {
        let floor = self.directory.join(FLOOR);
        copy_database(file, &floor)?;
        let script = format!("PRAGMA foreign_keys = ON;\n{}BEGIN;\n{}COMMIT;\n", self.attach(), copies());
        let measured = self.timed(&script)?;
        self.check_onto("insert_filled", base, &floor)?;
        Ok(measured)
    }

    /// Whether a file has these rows and those of `base`, with every index.
    pub fn check_onto(&self, case: &'static str, base: &Ready, file: &Path) -> Result<(), BenchError> {
        let counts = self.counts.iter().zip(&base.counts).map(|((_, own), (_, before))| own + before);
        self.check(case, file, counts.collect())
    }

    fn load(&self, floor: &'static str, rows: &str) -> Result<Measured, BenchError> {
        let file = self.directory.join(FLOOR);
        remove_database(&file);
        let tables = &self.tables;
        let script = format!(
            "PRAGMA journal_mode = WAL;\nPRAGMA foreign_keys = ON;\n{tables}{rows}{}COMMIT;\n\
             PRAGMA wal_checkpoint(TRUNCATE);\n",
            self.indexes
        );
        let measured = self.timed(&script)?;
        self.check(floor, &file, self.counts.iter().map(|(_, count)| *count).collect())?;
        Ok(measured)
    }

    fn attach(&self) -> String {
        format!("ATTACH '{}' AS ready;\n", self.source.display().to_string().replace('\'', "''"))
    }

    fn timed(&self, script: &str) -> Result<Measured, BenchError> {
        let seconds = self.run(&self.directory.join(FLOOR), &format!(".bail on\n{script}"))?;
        let rows = self.counts.iter().map(|(_, count)| count).sum();
        Ok(Measured { seconds, rows: Some(rows), ..Measured::default() })
    }

    /// Runs a script on a file; returns seconds. What the rows come from is in memory.
    fn run(&self, file: &Path, script: &str) -> Result<f64, BenchError> {
        let path = self.directory.join(SCRIPT);
        fs::write(&path, script).map_err(BenchError::file(&path))?;
        let texts = TABLES.map(|table| self.directory.join(text_file(table)));
        for input in texts.iter().chain([&self.source]).filter(|file| file.exists()) {
            bring_in(input)?;
        }
        let mut command = Command::new(&self.shell);
        command.current_dir(&self.directory).arg(file).arg(format!(".read {SCRIPT}"));
        let begin = Instant::now();
        measure::run(&mut command)?;
        Ok(begin.elapsed().as_secs_f64())
    }

    fn check(&self, case: &'static str, file: &Path, counts: Vec<u64>) -> Result<(), BenchError> {
        let mut ask = Command::new(&self.shell);
        let names = TABLES.map(|table| format!("'{table}'")).join(", ");
        let queries = TABLES.iter().map(|table| format!("SELECT count(*) FROM {table};")).collect::<String>();
        let indexes = format!(
            "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ({names});"
        );
        let found = measure::run(ask.arg(file).arg(format!("{queries}{indexes}")))?.stdout;
        let expected: Vec<String> = counts.iter().chain([&self.index_count]).map(u64::to_string).collect();
        if found.split_whitespace().ne(expected.iter().map(String::as_str)) || self.index_count == 0 {
            let what = format!("rows and indexes are {found:?}, expected {expected:?}");
            return Err(BenchError::DoesNotCount { case, what });
        }
        Ok(())
    }
}

fn copies() -> String {
    TABLES.iter().map(|table| format!("INSERT INTO main.{table} SELECT * FROM ready.{table};\n")).collect()
}

fn text_file(table: &str) -> String {
    format!("{table}.csv")
}

/// A column, as `name|type|1` where it holds no NULL, as it stands in the text files.
fn spelled(column: &str) -> String {
    let (name, rest) = column.split_once('|').unwrap_or((column, ""));
    let instead = match (name, rest) {
        (_, rest) if rest.ends_with("|1") => return name.to_owned(),
        (_, "INTEGER|0") => "0",
        ("clerk_id", _) => "id",
        ("user_id", _) => "(SELECT min(id) FROM users)",
        (name, _) if name.ends_with("_at") => "created_at",
        _ => "''",
    };
    format!("coalesce({name}, {instead})")
}

/// Copies a database that nobody uses, down to the disk: writing it there is not the next one's time.
pub fn copy_database(from: &Path, to: &Path) -> Result<(), BenchError> {
    remove_database(to);
    fs::copy(from, to).map_err(BenchError::file(to))?;
    fs::File::open(to).and_then(|file| file.sync_all()).map_err(BenchError::file(to))
}

/// Removes a SQLite database with the files beside it.
pub fn remove_database(file: &Path) {
    for end in ["", "-wal", "-shm", ".lock"] {
        // Not all of them are there.
        let _ = fs::remove_file(format!("{}{end}", file.display()));
    }
}

fn number(said: &str) -> Result<u64, BenchError> {
    let parsed = said.trim().parse();
    parsed.map_err(|_| BenchError::Unexpected { program: "sqlite3".into(), said: said.trim().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::spelled;

    #[test]
    fn what_may_be_null_is_another_value_that_its_column_takes() {
        assert_eq!(spelled("id|TEXT|1"), "id");
        assert_eq!(spelled("token_count|INTEGER|0"), "coalesce(token_count, 0)");
        assert_eq!(spelled("last_active_at|TEXT|0"), "coalesce(last_active_at, created_at)");
        assert_eq!(spelled("clerk_id|TEXT|0"), "coalesce(clerk_id, id)");
        assert_eq!(spelled("title|TEXT|0"), "coalesce(title, '')");
    }
}
