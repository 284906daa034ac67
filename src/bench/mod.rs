//! How fast transload is, beside what nobody can do without: floors and transload's own verbs, in turn
//! and in one run on one machine.
//!
//! ```text
//! tree -> one migration (not counted) -> its rows as files -> rounds: each floor, each verb -> medians, ratios
//! ```
//!
//! The verbs run as the program that a user runs, so that a figure holds its start and its end; the
//! floors go through each database's own client, and count only after they were checked.

mod cases;
mod changes;
mod curves;
mod error;
mod floors;
mod measure;
pub mod page;
mod psql;
mod report;
mod scratch;
mod server;
mod trees;
mod verbs;

pub use cases::Wanted;
pub use error::BenchError;
pub use report::{time, Case, Kind, Machine, Ratio, Report, Size, VERSION};
pub use server::Programs;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::exec::Stop;
use crate::model::Instant;

use cases::{OnPostgres, OnSqlite, Way};
use floors::reading::bring_in;
use psql::Access;
use report::Rounds;
use server::Server;
use trees::{Tree, Trees};
use verbs::Verbs;

/// The ratios that are told, each if its floors were measured.
const RATIOS: [(&str, &[&str]); 12] = [
    ("migrate", &["floor2"]),
    ("migrate", &["floor2_ledger"]),
    ("migrate", &["copy_indexed"]),
    ("migrate", &["import"]),
    ("migrate", &["insert_select"]),
    ("filled", &["copy_filled"]),
    ("filled", &["copy_filled_ledger"]),
    ("filled", &["insert_filled"]),
    ("unchanged", &["read"]),
    ("changed", &["read"]),
    ("damaged", &["migrate"]),
    ("verify", &["copy_out", "parse"]),
];

/// What to measure.
pub struct Options {
    /// Messages in each tree.
    pub records: Vec<u64>,
    pub cases: Wanted,
    pub database: Database,
    /// How often each case is run.
    pub rounds: usize,
    /// Connections that load in the floors; transload decides for itself.
    pub connections: usize,
    /// The program to measure: transload itself.
    pub program: PathBuf,
    /// Trees, files and SQLite's databases are made below it, and removed.
    pub temporary: PathBuf,
}

/// Where the rows go.
pub enum Database {
    /// A new file. `shell`: SQLite's own, for the floor.
    Sqlite { shell: Option<PathBuf> },
    /// A private server with PostgreSQL's defaults.
    Private { programs: Programs },
    /// Databases that are made, and dropped, beside the one of this URL.
    Server { programs: Programs, url: OsString },
}

/// What is being done, for whoever waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told<'a> {
    Tree { records: u64 },
    Prepares { records: u64 },
    Case { records: u64, name: &'a str, round: usize, rounds: usize },
}

/// Measures everything.
///
/// # Errors
/// When a program is missing or fails, and when a floor is not what it is taken for.
pub fn run(options: &Options, stop: &Stop, tell: &dyn Fn(Told)) -> Result<Report, BenchError> {
    let started = Instant::now();
    let directory = tempfile::Builder::new().prefix("transload-bench-").tempdir_in(&options.temporary);
    let directory = directory.map_err(BenchError::file(&options.temporary))?;
    // Programs are run in other directories.
    let path = std::path::absolute(directory.path()).map_err(BenchError::file(directory.path()))?;
    let mut left_out = Vec::new();
    let bench = match &options.database {
        Database::Sqlite { shell } => {
            let floors: Vec<&str> = cases::OF_SHELL.into_iter().filter(|name| options.cases.has(name)).collect();
            if shell.is_none() && !floors.is_empty() {
                left_out.push(format!("{}: SQLite's own shell, sqlite3, was not found", floors.join(", ")));
            }
            Bench { options, stop, tell, _server: None, access: None, admin: String::new() }
        }
        Database::Private { programs } => {
            let server = Server::start(programs, &options.temporary)?;
            let admin = server.url("postgres");
            let access = Some(Access { programs: programs.clone(), variables: false });
            Bench { options, stop, tell, _server: Some(server), access, admin }
        }
        Database::Server { programs, url } => {
            let admin = url.to_string_lossy().into_owned();
            let access = Some(Access { programs: programs.clone(), variables: true });
            Bench { options, stop, tell, _server: None, access, admin }
        }
    };
    let mut sizes = Vec::new();
    for records in &options.records {
        sizes.push(bench.size(*records, &path)?);
    }
    Ok(Report {
        bench: VERSION,
        program: format!("transload {}", env!("CARGO_PKG_VERSION")),
        started: started.to_fixed(),
        machine: machine(),
        database: bench.version()?,
        rounds: options.rounds,
        connections: options.connections,
        sizes,
        left_out,
    })
}

struct Bench<'a> {
    options: &'a Options,
    stop: &'a Stop,
    tell: &'a dyn Fn(Told),
    /// Held until the end: its drop is what counts.
    _server: Option<Server>,
    /// To a PostgreSQL server.
    access: Option<Access>,
    admin: String,
}

impl Bench<'_> {
    fn version(&self) -> Result<String, BenchError> {
        match &self.access {
            Some(access) => {
                let version = access.session(&self.admin)?.run("SHOW server_version;")?;
                Ok(format!("PostgreSQL {}", version.split(' ').next().unwrap_or_default()))
            }
            None => Ok("SQLite".to_owned()),
        }
    }

    /// Makes the trees of one size and measures everything with them.
    fn size(&self, records: u64, directory: &Path) -> Result<Size, BenchError> {
        (self.tell)(Told::Tree { records });
        let directory = directory.join(records.to_string());
        fs::create_dir(&directory).map_err(BenchError::file(&directory))?;
        let options = self.options;
        let trees = Trees::make(records, &directory, &options.cases)?;
        (self.tell)(Told::Prepares { records });
        let server = self.access.as_ref().map(|access| (access, self.admin.as_str()));
        let verbs = Verbs { program: &options.program, server };
        let cases = match (server, &options.database) {
            (Some((access, admin)), _) => {
                let made = OnPostgres::make(access, admin, &verbs, &trees, &directory, options.connections)?;
                let ways = cases::on_postgres(&made, &verbs, &trees, &options.cases);
                self.rounds(records, &ways)?
            }
            (None, database) => {
                let made = OnSqlite::make(database.shell(), &verbs, &trees, &directory)?;
                let ways = cases::on_sqlite(&made, &verbs, &trees, &options.cases);
                self.rounds(records, &ways)?
            }
        };
        let Tree { files, bytes, .. } = trees.whole;
        let mut size = Size { records, files, bytes, cases, ratios: Vec::new() };
        for (case, floors) in RATIOS {
            size.add_ratio(case, floors);
        }
        // A million files are not kept for the next size.
        fs::remove_dir_all(&directory).map_err(BenchError::file(&directory))?;
        Ok(size)
    }

    /// Runs the cases in turn, as often as there are rounds.
    fn rounds(&self, records: u64, ways: &[Way]) -> Result<Vec<Case>, BenchError> {
        let rounds_of = |way: &Way| Rounds::new(way.name, way.what, way.kind, way.tree.records);
        let mut cases: Vec<Rounds> = ways.iter().map(rounds_of).collect();
        let rounds = self.options.rounds;
        for round in 1..=rounds {
            for (way, case) in ways.iter().zip(&mut cases) {
                if let Some(signal) = self.stop.requested() {
                    return Err(BenchError::Stopped(signal));
                }
                (self.tell)(Told::Case { records, name: way.name, round, rounds });
                bring_in(&way.tree.path)?;
                let mut measured = (way.run)()?;
                measured.bytes = measured.bytes.or(Some(way.tree.bytes));
                case.add(measured);
            }
        }
        Ok(cases.into_iter().filter_map(Rounds::median).collect())
    }
}

impl Database {
    /// The names of what can be measured.
    pub fn cases(&self) -> &'static [&'static str] {
        match self {
            Database::Sqlite { .. } => &cases::ON_SQLITE,
            Database::Private { .. } | Database::Server { .. } => &cases::ON_POSTGRES,
        }
    }

    /// SQLite's.
    fn shell(&self) -> Option<&Path> {
        match self {
            Database::Sqlite { shell } => shell.as_deref(),
            Database::Private { .. } | Database::Server { .. } => None,
        }
    }
}

fn machine() -> Machine {
    let memory = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"))?.to_owned();
        line.trim().parse::<u64>().ok().map(|kib| kib * 1024)
    });
    let model = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("model name"))?.to_owned();
        Some(line.trim_start_matches([' ', '\t', ':']).trim().to_owned())
    });
    let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    Machine {
        system: model.map_or(system.clone(), |model| format!("{system}, {model}")),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        memory,
    }
}
