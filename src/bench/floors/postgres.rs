//! Ready-made rows into PostgreSQL by psql's binary COPY, with and without what is built upon the
//! tables; and out again, in order.
//!
//! A floor counts only when afterwards the rows, indexes and foreign keys are those of the database
//! that transload filled: a load that failed looks fast.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::bench::error::BenchError;
use crate::bench::psql::{is_foreign_key, Access, Psql};
use crate::exec::crew::{self, CrewError};

/// The application's tables, parents first, and what they are ordered by.
const TABLES: [(&str, &str); 4] = [
    ("users", "id"),
    ("chat_sessions", "id"),
    ("messages", "chat_session_id, sequence_number"),
    ("user_memory", "user_id, memory_type, key"),
];

/// The bookkeeping's tables with as many rows as documents.
const LEDGER: [(&str, &str); 2] = [("transload.documents", "id"), ("transload.residue", "document_id, part")];

/// A table of so many rows a piece is cut into pieces, one for each connection at most. What belongs
/// to one chat stays together.
const PIECE_ROWS: u64 = 20_000;

/// What the builds of indexes may sort in memory, each.
const BUILD_MEMORY: &str = "256MB";

/// Which rows a floor loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    Application,
    /// The ledger's and the residue's, too.
    All,
}

/// When a table's keys, indexes and foreign keys are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Built {
    /// They stand before the first row comes.
    Before,
    After,
    Never,
}

struct Piece {
    table: &'static str,
    file: PathBuf,
}

/// The rows of a database that transload filled, as files.
pub struct Ready {
    access: Access,
    admin: String,
    pieces: Vec<Piece>,
    tables: String,
    built: Vec<String>,
    /// Rows by table, application's and ledger's.
    counts: Vec<(&'static str, u64)>,
    connections: usize,
}

impl Ready {
    /// Takes them out of `source`, into files below `directory`.
    pub fn make(
        access: &Access,
        admin: &str,
        source: &str,
        directory: &Path,
        connections: usize,
    ) -> Result<Ready, BenchError> {
        let mut psql = access.session(source)?;
        let (tables, built) = access.schema(source)?;
        let mut ready = Ready {
            access: access.clone(),
            admin: admin.to_owned(),
            pieces: Vec::new(),
            tables,
            built,
            counts: Vec::new(),
            connections,
        };
        for (table, order) in TABLES.into_iter().chain(LEDGER) {
            let rows = psql.number(&format!("SELECT count(*) FROM {table};"))?;
            ready.counts.push((table, rows));
            let pieces = (rows / PIECE_ROWS).clamp(1, connections as u64);
            for piece in 0..pieces {
                let file = directory.join(format!("{table}-{piece}.copy"));
                let first = order.split(',').next().unwrap_or(order);
                let query = format!(
                    "SELECT * FROM {table} WHERE mod(abs(hashtext({first}::text)::bigint), {pieces}) = {piece} \
                     ORDER BY {order}"
                );
                psql.copy_out(&query, &file)?;
                ready.pieces.push(Piece { table, file });
            }
        }
        Ok(ready)
    }

    /// How many rows a floor loads.
    pub fn rows(&self, rows: Rows) -> u64 {
        self.counts.iter().filter(|(table, _)| is_of(rows, table)).map(|(_, count)| count).sum()
    }

    /// Loads the rows into a new database; returns seconds.
    pub fn load(&self, floor: &'static str, rows: Rows, built: Built) -> Result<f64, BenchError> {
        let database = Scratch::make(&self.access, &self.admin)?;
        let mut psql = self.access.session(&database.url)?;
        psql.run(&self.tables)?;
        if built == Built::Before {
            self.built.iter().try_for_each(|statement| psql.run(&format!("{statement};")).map(drop))?;
        }
        let mut sessions = Vec::new();
        for _ in 0..self.connections {
            sessions.push(self.access.session(&database.url)?);
        }
        // What another case left to be written is not this one's. Not everybody may ask for it.
        let _ = self.access.session(&self.admin)?.run("CHECKPOINT;");
        let begin = Instant::now();
        let copies = |wanted: &dyn Fn(&str) -> bool| -> Vec<Job> {
            let pieces = self.pieces.iter().filter(|piece| wanted(piece.table) && is_of(rows, piece.table));
            pieces.map(|piece| Job::Copy(piece.table, piece.file.clone())).collect()
        };
        match built {
            // With foreign keys in place, whom a row refers to comes first.
            Built::Before => {
                for (table, _) in TABLES {
                    spread(&mut sessions, copies(&|it| it == table))?;
                }
                spread(&mut sessions, copies(&|it| LEDGER.iter().any(|(table, _)| *table == it)))?;
            }
            Built::After | Built::Never => {
                let mut all = copies(&|_| true);
                // The largest first, so that they end together.
                all.sort_by_key(|job| match job {
                    Job::Copy(_, file) => std::cmp::Reverse(std::fs::metadata(file).map_or(0, |it| it.len())),
                    Job::Run(_) => std::cmp::Reverse(0),
                });
                spread(&mut sessions, all)?;
            }
        }
        if built == Built::After {
            let prepare = format!("SET maintenance_work_mem = '{BUILD_MEMORY}';");
            sessions.iter_mut().try_for_each(|session| session.run(&prepare).map(drop))?;
            let (keys, others): (Vec<&String>, Vec<&String>) = self.built.iter().partition(|it| is_foreign_key(it));
            let run = |statements: Vec<&String>| statements.into_iter().map(|it| Job::Run(format!("{it};"))).collect();
            spread(&mut sessions, run(others))?;
            spread(&mut sessions, run(keys))?;
        }
        let seconds = begin.elapsed().as_secs_f64();
        self.check(floor, rows, built, &mut psql)?;
        Ok(seconds)
    }

    /// Whether the rows and what is built upon them are all there.
    fn check(&self, floor: &'static str, rows: Rows, built: Built, psql: &mut Psql) -> Result<(), BenchError> {
        let wrong = |what: String| BenchError::Floor { floor, what };
        for (table, count) in self.counts.iter().filter(|(table, _)| is_of(rows, table)) {
            let found = psql.number(&format!("SELECT count(*) FROM {table};"))?;
            if found != *count {
                return Err(wrong(format!("{table} has {found} of {count} rows")));
            }
        }
        if built == Built::Never {
            return Ok(());
        }
        let is_unique = |it: &&String| it.contains(" PRIMARY KEY ") || it.contains(" UNIQUE ") || it.contains("INDEX ");
        let indexes = self.built.iter().filter(is_unique).filter(|it| !is_foreign_key(it)).count() as u64;
        let keys = self.built.iter().filter(|it| is_foreign_key(it)).count() as u64;
        let ours = "n.nspname IN ('public', 'transload')";
        let found = psql.number(&format!(
            "SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
             JOIN pg_namespace n ON n.oid = c.relnamespace WHERE i.indisvalid AND {ours};"
        ))?;
        if found != indexes || indexes == 0 {
            return Err(wrong(format!("{found} of {indexes} indexes are valid")));
        }
        let found = psql.number(&format!(
            "SELECT count(*) FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace \
             WHERE k.contype = 'f' AND k.convalidated AND {ours};"
        ))?;
        match found == keys && keys > 0 {
            true => Ok(()),
            false => Err(wrong(format!("{found} of {keys} foreign keys are valid"))),
        }
    }
}

fn is_of(rows: Rows, table: &str) -> bool {
    rows == Rows::All || TABLES.iter().any(|(known, _)| *known == table)
}

enum Job {
    Copy(&'static str, PathBuf),
    Run(String),
}

/// Does the jobs, each session one after the other until none is left.
fn spread(sessions: &mut [Psql], jobs: Vec<Job>) -> Result<(), BenchError> {
    let queue = Mutex::new(VecDeque::from(jobs));
    let result = crew::run(|crew| {
        for (number, session) in sessions.iter_mut().enumerate() {
            let queue = &queue;
            let halt = crew.halt();
            crew.spawn(format!("floor-{}", number + 1), move || {
                while !halt.is_set() {
                    let job = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    match job {
                        Some(Job::Copy(table, file)) => session.copy_in(table, &file)?,
                        Some(Job::Run(statement)) => drop(session.run(&statement)?),
                        None => break,
                    }
                }
                Ok(())
            });
        }
        Ok(())
    });
    result.map_err(|error| match error {
        CrewError::Failed(error) => error,
        error => BenchError::Broken(Box::new(error)),
    })
}

/// Reads the application's tables in order, as binary COPY gives them; returns seconds.
pub fn copy_out(access: &Access, url: &str) -> Result<f64, BenchError> {
    let mut psql = access.session(url)?;
    let begin = Instant::now();
    for (table, order) in TABLES {
        psql.copy_out(&format!("SELECT * FROM {table} ORDER BY {order}"), Path::new("/dev/null"))?;
    }
    Ok(begin.elapsed().as_secs_f64())
}

/// A database that is dropped at the end.
pub struct Scratch {
    access: Access,
    admin: String,
    name: String,
    pub url: String,
}

impl Scratch {
    pub fn make(access: &Access, admin: &str) -> Result<Scratch, BenchError> {
        let name = format!("transload_bench_{}", uuid::Uuid::new_v4().simple());
        access.session(admin)?.run(&format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8';"))?;
        let url = with_database(admin, &name);
        Ok(Scratch { access: access.clone(), admin: admin.to_owned(), name, url })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // One that stays is told by its name; the benchmark's own end is what matters.
        let dropped =
            self.access.session(&self.admin).and_then(|mut psql| psql.run(&format!("DROP DATABASE {};", self.name)));
        if let Err(error) = dropped {
            tracing::warn!(%error, database = %self.name, "a database of the benchmark is left");
        }
    }
}

/// The URL of another database of the same server.
fn with_database(url: &str, name: &str) -> String {
    let (base, parameters) = url.split_once('?').map_or((url, None), |(base, it)| (base, Some(it)));
    let authority = base.find("://").map_or(0, |at| at + 3);
    let path = base[authority..].find('/').map_or(base.len(), |at| authority + at);
    let parameters = parameters.map(|it| format!("?{it}")).unwrap_or_default();
    format!("{}/{name}{parameters}", &base[..path])
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn the_database_of_a_url_is_another_one() {
        for (url, other) in [
            ("postgres://ada@db1:5432/a?sslmode=require", "postgres://ada@db1:5432/b?sslmode=require"),
            ("postgres://postgres@/postgres?host=/tmp/x&port=1", "postgres://postgres@/b?host=/tmp/x&port=1"),
            ("postgresql://db1", "postgresql://db1/b"),
        ] {
            assert_eq!(with_database(url, "b"), other);
        }
    }
}
