//! How fast transload is, beside what nobody can do without: floors and transload's own verbs, in turn
//! and in one run on one machine.
//!
//! ```text
//! tree -> one migration (not counted) -> its rows as files -> rounds: each floor, each verb -> medians, ratios
//! ```
//!
//! The verbs run as the program that a user runs, so that a figure holds its start and its end; the
//! floors go through each database's own client, and count only after they were checked.

mod changes;
mod error;
mod floors;
mod measure;
pub mod page;
mod psql;
mod report;
mod server;

pub use error::BenchError;
pub use report::{Case, Kind, Machine, Ratio, Report, Size, VERSION};
pub use server::Programs;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::exec::{Quantiles, Stop};
use crate::generate::{generate, Generated, Options as TreeOptions};
use crate::model::Instant;

use floors::postgres::{copy_out, Built, Ready, Rows, Scratch};
use floors::reading::{read, Work};
use floors::sqlite;
use psql::Access;
use report::{Measured, Rounds};
use server::Server;

/// What to measure.
pub struct Options {
    /// Messages in each tree.
    pub records: Vec<u64>,
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
    let mut left_out = Vec::new();
    let bench = match &options.database {
        Database::Sqlite { shell } => {
            if shell.is_none() {
                left_out.push("insert_select: SQLite's own shell, sqlite3, was not found".to_owned());
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
        sizes.push(bench.size(*records, directory.path())?);
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

/// The members of a run's summary that are looked at.
#[derive(Deserialize)]
struct RunSummary {
    rows: u64,
    bytes: u64,
    mode: Option<String>,
    commits: Option<Quantiles>,
}

/// The share of documents of the second tree that cannot be loaded.
const DAMAGE: f64 = 0.01;

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

    /// Makes a tree and measures everything with it.
    fn size(&self, records: u64, directory: &Path) -> Result<Size, BenchError> {
        (self.tell)(Told::Tree { records });
        let directory = directory.join(records.to_string());
        fs::create_dir(&directory).map_err(BenchError::file(&directory))?;
        let tree = directory.join("tree");
        let made = generate(&tree, &TreeOptions { records, seed: 1, damage: 0.0 })?;
        (self.tell)(Told::Prepares { records });
        let damaged = directory.join("damaged");
        generate(&damaged, &TreeOptions { records, seed: 1, damage: DAMAGE })?;
        let cases = match &self.access {
            Some(access) => self.postgres(access, records, &tree, &made, &directory)?,
            None => self.sqlite(records, &tree, &made, &directory)?,
        };
        let mut size = Size { records, files: made.files, bytes: made.bytes, cases, ratios: Vec::new() };
        for (case, floors) in [
            ("migrate", &["floor2"][..]),
            ("migrate", &["floor2_ledger"]),
            ("migrate", &["copy_indexed"]),
            ("migrate", &["insert_select"]),
            ("unchanged", &["read"]),
            ("changed", &["read"]),
            ("damaged", &["migrate"]),
            ("verify", &["copy_out", "parse"]),
        ] {
            size.add_ratio(case, floors);
        }
        // A million files are not kept for the next size.
        fs::remove_dir_all(&directory).map_err(BenchError::file(&directory))?;
        Ok(size)
    }

    fn postgres(
        &self,
        access: &Access,
        records: u64,
        tree: &Path,
        made: &Generated,
        directory: &Path,
    ) -> Result<Vec<Case>, BenchError> {
        let filled = Scratch::make(access, &self.admin)?;
        self.transload("migrate", tree, &filled.url)?;
        access.session(&filled.url)?.run("VACUUM ANALYZE;")?;
        let ready = Ready::make(access, &self.admin, &filled.url, directory, self.options.connections)?;
        let load = |floor, rows, built| -> Result<Measured, BenchError> {
            let seconds = ready.load(floor, rows, built)?;
            Ok(Measured { seconds, rows: Some(ready.rows(rows)), ..Measured::default() })
        };
        let copied_out = || -> Result<Measured, BenchError> {
            let seconds = copy_out(access, &filled.url)?;
            Ok(Measured { seconds, rows: Some(ready.rows(Rows::Application)), ..Measured::default() })
        };
        let fresh = || -> Result<Measured, BenchError> {
            let database = Scratch::make(access, &self.admin)?;
            // What another case left to be written is not this one's. Not everybody may ask for it.
            let _ = access.session(&self.admin)?.run("CHECKPOINT;");
            self.transload("migrate", tree, &database.url)
        };
        let damaged = || -> Result<Measured, BenchError> {
            let database = Scratch::make(access, &self.admin)?;
            let _ = access.session(&self.admin)?.run("CHECKPOINT;");
            self.damaged(directory, &database.url)
        };
        let (floor, own) = (Kind::Floor, Kind::Transload);
        self.rounds(
            records,
            made,
            &[
                ("read", "every file read and hashed", floor, &|| reading(tree, Work::Hash)),
                ("parse", "every file read and parsed", floor, &|| reading(tree, Work::Parse)),
                ("copy_bare", "ready-made rows by binary COPY into bare tables", floor, &|| {
                    load("copy_bare", Rows::Application, Built::Never)
                }),
                ("copy_indexed", "the same with every key, index and foreign key in place", floor, &|| {
                    load("copy_indexed", Rows::Application, Built::Before)
                }),
                ("floor2", "bare COPY, then every key, index and foreign key built", floor, &|| {
                    load("floor2", Rows::Application, Built::After)
                }),
                ("floor2_ledger", "the same with the rows of the ledger and the residue", floor, &|| {
                    load("floor2_ledger", Rows::All, Built::After)
                }),
                ("copy_out", "the four tables out again in order, by binary COPY", floor, &copied_out),
                ("scan", "transload scan", own, &|| self.scan(tree)),
                ("migrate", "transload migrate into an empty database", own, &fresh),
                ("damaged", "the same with 1% of the documents damaged", own, &damaged),
                ("unchanged", "transload migrate once more", own, &|| self.transload("migrate", tree, &filled.url)),
                ("changed", "the same after a tenth of the chats was edited", own, &|| self.changed(tree, &filled.url)),
                ("verify", "transload verify", own, &|| self.transload("verify", tree, &filled.url)),
            ],
        )
    }

    fn sqlite(&self, records: u64, tree: &Path, made: &Generated, directory: &Path) -> Result<Vec<Case>, BenchError> {
        let filled = directory.join("filled.db");
        let url = |file: &Path| format!("sqlite:{}", file.display());
        self.transload("migrate", tree, &url(&filled))?;
        let ready = match &self.options.database {
            Database::Sqlite { shell: Some(shell) } => Some(sqlite::Ready::make(shell, &filled)?),
            _ => None,
        };
        let load = || -> Result<Measured, BenchError> {
            let ready = ready.as_ref().expect("the case is only there with it");
            let seconds = ready.load(directory)?;
            Ok(Measured { seconds, rows: Some(ready.rows()), ..Measured::default() })
        };
        let fresh = || -> Result<Measured, BenchError> {
            let file = directory.join("fresh.db");
            let measured = self.transload("migrate", tree, &url(&file))?;
            remove_database(&file);
            Ok(measured)
        };
        let damaged = || -> Result<Measured, BenchError> {
            let file = directory.join("damaged.db");
            let measured = self.damaged(directory, &url(&file))?;
            remove_database(&file);
            Ok(measured)
        };
        let (floor, own) = (Kind::Floor, Kind::Transload);
        let filled = url(&filled);
        let (hash, parse) = (|| reading(tree, Work::Hash), || reading(tree, Work::Parse));
        let mut cases: Vec<Way> = vec![
            ("read", "every file read and hashed", floor, &hash),
            ("parse", "every file read and parsed", floor, &parse),
        ];
        if ready.is_some() {
            let what = "ready-made rows by SQLite's shell, then every index built";
            cases.push(("insert_select", what, floor, &load));
        }
        let (scan, unchanged, changed, verify) = (
            || self.scan(tree),
            || self.transload("migrate", tree, &filled),
            || self.changed(tree, &filled),
            || self.transload("verify", tree, &filled),
        );
        cases.push(("scan", "transload scan", own, &scan));
        cases.push(("migrate", "transload migrate into a new file", own, &fresh));
        cases.push(("damaged", "the same with 1% of the documents damaged", own, &damaged));
        cases.push(("unchanged", "transload migrate once more", own, &unchanged));
        cases.push(("changed", "the same after a tenth of the chats was edited", own, &changed));
        cases.push(("verify", "transload verify", own, &verify));
        self.rounds(records, made, &cases)
    }

    /// Runs the cases in turn, as often as there are rounds.
    fn rounds(&self, records: u64, made: &Generated, ways: &[Way]) -> Result<Vec<Case>, BenchError> {
        let mut cases: Vec<Rounds> = ways.iter().map(|(name, what, kind, _)| Rounds::new(name, what, *kind)).collect();
        let rounds = self.options.rounds;
        for round in 1..=rounds {
            for ((name, _, _, way), case) in ways.iter().zip(&mut cases) {
                if let Some(signal) = self.stop.requested() {
                    return Err(BenchError::Stopped(signal));
                }
                (self.tell)(Told::Case { records, name, round, rounds });
                let mut measured = way()?;
                measured.bytes = measured.bytes.or(Some(made.bytes));
                case.add(measured);
            }
        }
        Ok(cases.into_iter().filter_map(Rounds::median).collect())
    }

    fn scan(&self, tree: &Path) -> Result<Measured, BenchError> {
        let mut command = Command::new(&self.options.program);
        command.arg("scan").arg(tree).args(["--quiet", "--json"]);
        let sample = measure::run(&mut command)?;
        Ok(Measured {
            seconds: sample.seconds,
            cpu_seconds: sample.cpu_seconds,
            peak_bytes: sample.peak_bytes,
            ..Measured::default()
        })
    }

    /// Migrates once more after a tenth of the chats was edited. Tree and database agree again then.
    fn changed(&self, tree: &Path, url: &str) -> Result<Measured, BenchError> {
        let edited = changes::change_a_tenth(tree)?;
        let measured = self.transload("migrate", tree, url)?;
        match measured.rows {
            Some(rows) if rows >= edited => Ok(measured),
            rows => Err(BenchError::Unexpected {
                program: "transload migrate".into(),
                said: format!("{edited} chats were edited, and it wrote {} rows", rows.unwrap_or_default()),
            }),
        }
    }

    /// Migrates the tree of which some documents are damaged: of a small one perhaps none that is rejected.
    fn damaged(&self, directory: &Path, url: &str) -> Result<Measured, BenchError> {
        self.ending("migrate", &directory.join("damaged"), url, &[0, 1])
    }

    fn transload(&self, verb: &str, tree: &Path, url: &str) -> Result<Measured, BenchError> {
        self.ending(verb, tree, url, &[0])
    }

    /// Runs a verb over a tree and a database, away from any settings of this directory, to one of these
    /// exit codes.
    fn ending(&self, verb: &str, tree: &Path, url: &str, codes: &[i32]) -> Result<Measured, BenchError> {
        let mut command = Command::new(&self.options.program);
        let rejects = tree.with_file_name("rejects");
        command.current_dir(tree.parent().expect("the tree is below a directory"));
        command.arg(verb).arg(tree).arg("--db").arg(url).arg("--rejects").arg(rejects).args(["--quiet", "--json"]);
        let sample = measure::run_to(&mut command, codes)?;
        let mut measured = Measured {
            seconds: sample.seconds,
            cpu_seconds: sample.cpu_seconds,
            peak_bytes: sample.peak_bytes,
            ..Measured::default()
        };
        if verb == "migrate" {
            let summary: RunSummary = serde_json::from_str(&sample.stdout).map_err(|_| BenchError::Unexpected {
                program: "transload migrate --json".into(),
                said: sample.stdout.chars().take(200).collect(),
            })?;
            (measured.rows, measured.bytes, measured.mode) = (Some(summary.rows), Some(summary.bytes), summary.mode);
            measured.commits = summary.commits.filter(|commits| commits.count > 0);
        }
        Ok(measured)
    }
}

/// Removes a SQLite database with the files beside it.
fn remove_database(file: &Path) {
    for end in ["", "-wal", "-shm", ".lock"] {
        // Not all of them are there.
        let _ = fs::remove_file(format!("{}{end}", file.display()));
    }
}

/// A case: its name, what it is, and how it is run once.
type Way<'a> = (&'static str, &'static str, Kind, &'a dyn Fn() -> Result<Measured, BenchError>);

fn reading(tree: &Path, work: Work) -> Result<Measured, BenchError> {
    let (seconds, bytes) = read(tree, work)?;
    Ok(Measured { seconds, bytes: Some(bytes), ..Measured::default() })
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
