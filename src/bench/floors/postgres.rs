//! Ready-made rows into PostgreSQL by psql's binary COPY, with and without what is built upon the
//! tables, and onto the rows of another tree; and out again, in order.
//!
//! A floor counts only when afterwards the rows, indexes and foreign keys are those of the database
//! that transload filled: a load that failed looks fast.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::bench::error::BenchError;
use crate::bench::psql::{is_foreign_key, Access, Psql};
use crate::bench::report::Measured;
use crate::bench::scratch::Scratch;

use super::reading::bring_in;
use super::spread::{spread, Job};

/// A table whose rows are loaded.
struct Table {
    name: &'static str,
    order: &'static str,
    /// With foreign keys in place, the tables of one stage are loaded at once, and after those that they
    /// refer to.
    stage: usize,
    rows: Rows,
}

const fn application(name: &'static str, order: &'static str, stage: usize) -> Table {
    Table { name, order, stage, rows: Rows::Application }
}

/// The application's tables, and the bookkeeping's with as many rows as documents.
static TABLES: [Table; 6] = [
    application("users", "id", 0),
    application("chat_sessions", "id", 1),
    application("messages", "chat_session_id, sequence_number", 2),
    application("user_memory", "user_id, memory_type, key", 1),
    Table { name: "transload.documents", order: "id", stage: 3, rows: Rows::All },
    Table { name: "transload.residue", order: "document_id, part", stage: 3, rows: Rows::All },
];
const STAGES: usize = 4;

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
    table: &'static Table,
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
    counts: Vec<(&'static Table, u64)>,
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
        for table in &TABLES {
            let Table { name, order, .. } = table;
            let rows = psql.number(&format!("SELECT count(*) FROM {name};"))?;
            ready.counts.push((table, rows));
            let pieces = (rows / PIECE_ROWS).clamp(1, connections as u64);
            for piece in 0..pieces {
                let file = directory.join(format!("{name}-{piece}.copy"));
                let first = order.split(',').next().unwrap_or(order);
                let query = format!(
                    "SELECT * FROM {name} WHERE mod(abs(hashtext({first}::text)::bigint), {pieces}) = {piece} \
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
        self.counts.iter().filter(|(table, _)| table.is_of(rows)).map(|(_, count)| count).sum()
    }

    /// Loads the rows into a new database.
    pub fn load(&self, floor: &'static str, rows: Rows, built: Built) -> Result<Measured, BenchError> {
        let database = Scratch::make(&self.access, &self.admin)?;
        let mut psql = self.access.session(&database.url)?;
        psql.run(&self.tables)?;
        // pg_dump's text leaves the session without a search path, among other things.
        psql.run("RESET ALL;")?;
        if built == Built::Before {
            self.built.iter().try_for_each(|statement| psql.run(&format!("{statement};")).map(drop))?;
        }
        let measured = self.timed(&database.url, rows, |sessions| match built {
            Built::Before => self.copy_by_stages(rows, sessions),
            Built::Never => self.copy_at_once(rows, sessions),
            Built::After => {
                self.copy_at_once(rows, sessions)?;
                self.build(sessions)
            }
        })?;
        self.check_rows(floor, rows, &mut psql, None)?;
        match built {
            Built::Never => {}
            Built::Before | Built::After => self.check_built(floor, &mut psql)?,
        }
        Ok(measured)
    }

    /// Loads the rows onto those that `filled` has.
    pub fn load_onto(&self, floor: &'static str, rows: Rows, filled: &Filled) -> Result<Measured, BenchError> {
        let database = filled.template.copy()?;
        let measured = self.timed(&database.url, rows, |sessions| self.copy_by_stages(rows, sessions))?;
        self.check_onto(floor, rows, filled, &database.url)?;
        Ok(measured)
    }

    /// Whether a database has these rows and those of `filled`, with everything in place.
    pub fn check_onto(&self, case: &'static str, rows: Rows, filled: &Filled, url: &str) -> Result<(), BenchError> {
        let mut psql = self.access.session(url)?;
        self.check_rows(case, rows, &mut psql, Some(filled.rows))?;
        self.check_built(case, &mut psql)
    }

    /// Runs what is to be timed, with sessions that are already open.
    fn timed(
        &self,
        url: &str,
        rows: Rows,
        load: impl FnOnce(&mut [Psql]) -> Result<(), BenchError>,
    ) -> Result<Measured, BenchError> {
        let mut sessions = Vec::new();
        for _ in 0..self.connections {
            sessions.push(self.access.session(url)?);
        }
        // What another case left to be written is not this one's. Not everybody may ask for it.
        let _ = self.access.session(&self.admin)?.run("CHECKPOINT;");
        for piece in self.pieces.iter().filter(|piece| piece.table.is_of(rows)) {
            bring_in(&piece.file)?;
        }
        let wal = self.access.wal_bytes(&self.admin);
        let begin = Instant::now();
        load(&mut sessions)?;
        let seconds = begin.elapsed().as_secs_f64();
        let wal_bytes = grown(wal, self.access.wal_bytes(&self.admin));
        Ok(Measured { seconds, rows: Some(self.rows(rows)), wal_bytes, ..Measured::default() })
    }

    fn copies(&self, rows: Rows, wanted: impl Fn(&Table) -> bool) -> Vec<Job> {
        let pieces = self.pieces.iter().filter(|piece| piece.table.is_of(rows) && wanted(piece.table));
        pieces.map(|piece| Job::Copy(piece.table.name, piece.file.clone())).collect()
    }

    fn copy_by_stages(&self, rows: Rows, sessions: &mut [Psql]) -> Result<(), BenchError> {
        (0..STAGES).try_for_each(|stage| spread(sessions, self.copies(rows, |table| table.stage == stage)))
    }

    fn copy_at_once(&self, rows: Rows, sessions: &mut [Psql]) -> Result<(), BenchError> {
        let mut all = self.copies(rows, |_| true);
        // The largest first, so that they end together.
        all.sort_by_key(|job| match job {
            Job::Copy(_, file) => std::cmp::Reverse(std::fs::metadata(file).map_or(0, |it| it.len())),
            Job::Run(_) => std::cmp::Reverse(0),
        });
        spread(sessions, all)
    }

    fn build(&self, sessions: &mut [Psql]) -> Result<(), BenchError> {
        // As `migrate` does: with builds side by side, workers for each only cost (decision 11).
        let prepare = format!("SET maintenance_work_mem = '{BUILD_MEMORY}'; SET max_parallel_maintenance_workers = 0;");
        sessions.iter_mut().try_for_each(|session| session.run(&prepare).map(drop))?;
        let (keys, others): (Vec<&String>, Vec<&String>) = self.built.iter().partition(|it| is_foreign_key(it));
        let run = |statements: Vec<&String>| statements.into_iter().map(|it| Job::Run(format!("{it};"))).collect();
        spread(sessions, run(others))?;
        spread(sessions, run(keys))
    }

    /// Whether the rows are all there, with those that were there `before`.
    fn check_rows(
        &self,
        case: &'static str,
        rows: Rows,
        psql: &mut Psql,
        before: Option<&Ready>,
    ) -> Result<(), BenchError> {
        for (Table { name: table, .. }, count) in self.counts.iter().filter(|(table, _)| table.is_of(rows)) {
            let before = before.and_then(|it| it.counts.iter().find(|(known, _)| known.name == *table));
            let expected = count + before.map_or(0, |(_, count)| *count);
            let found = psql.number(&format!("SELECT count(*) FROM {table};"))?;
            if found != expected {
                return Err(BenchError::DoesNotCount { case, what: format!("{table} has {found} of {expected} rows") });
            }
        }
        Ok(())
    }

    /// Whether what is built upon the tables is all there.
    fn check_built(&self, case: &'static str, psql: &mut Psql) -> Result<(), BenchError> {
        let wrong = |what: String| BenchError::DoesNotCount { case, what };
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

/// A database with everything in place, which each round gets a copy of, and the rows in it.
#[derive(Clone, Copy)]
pub struct Filled<'a> {
    pub template: &'a Scratch,
    pub rows: &'a Ready,
}

/// What a counter that perhaps cannot be read has grown by.
pub fn grown(before: Option<u64>, after: Option<u64>) -> Option<u64> {
    after?.checked_sub(before?)
}

impl Table {
    fn is_of(&self, rows: Rows) -> bool {
        rows == Rows::All || self.rows == Rows::Application
    }
}

/// Reads the application's tables in order, as binary COPY gives them.
pub fn copy_out(access: &Access, url: &str) -> Result<Measured, BenchError> {
    let mut psql = access.session(url)?;
    let wal = access.wal_bytes(url);
    let begin = Instant::now();
    for Table { name: table, order, .. } in TABLES.iter().filter(|table| table.is_of(Rows::Application)) {
        psql.copy_out(&format!("SELECT * FROM {table} ORDER BY {order}"), Path::new("/dev/null"))?;
    }
    let seconds = begin.elapsed().as_secs_f64();
    Ok(Measured { seconds, wal_bytes: grown(wal, access.wal_bytes(url)), ..Measured::default() })
}
