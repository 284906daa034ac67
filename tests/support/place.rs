//! Databases to be had, and the real program to be started, watched and killed.

use std::cell::Cell;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use postgres::NoTls;
use rusqlite::OpenFlags;
use tempfile::TempDir;
use transload::target::Target;

use super::content::{self, Content};
use super::postgres::{self as server, PrivatePostgres};

/// How long a run may take at most; a loaded machine may take its time.
const LIMIT: Duration = Duration::from_secs(300);

/// How often progress is looked at.
const GLANCE: Duration = Duration::from_micros(500);

/// A directory, and a server if the databases are to be PostgreSQL's.
pub struct Place {
    directory: TempDir,
    pub server: Option<PrivatePostgres>,
    databases: Cell<u32>,
    runs: Cell<u32>,
}

/// A database that is gone when it is dropped.
pub struct Database<'a> {
    place: &'a Place,
    pub url: String,
}

/// When to kill.
#[derive(Clone, Copy, Debug)]
pub enum Moment {
    /// So long after the start.
    After(Duration),
    /// So long after the ledger has had so many documents.
    Documents(u64, Duration),
}

/// The program while it runs.
pub struct Running {
    child: Child,
    started: Instant,
    log: PathBuf,
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub time: Duration,
    /// The most memory that it held at once, in bytes, as far as that was seen.
    pub peak: u64,
    /// stdout and stderr.
    pub log: String,
}

impl Place {
    pub fn sqlite() -> Place {
        let directory = tempfile::tempdir().expect("a temporary directory");
        Place { directory, server: None, databases: Cell::new(0), runs: Cell::new(0) }
    }

    pub fn postgres(server: PrivatePostgres) -> Place {
        Place { server: Some(server), ..Place::sqlite() }
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.directory.path().join(below)
    }

    /// A database that does not exist yet, or is empty.
    pub fn fresh(&self) -> Database<'_> {
        let name = self.next_name();
        let url = match &self.server {
            None => format!("sqlite:{}", self.path(&name).display()),
            Some(server) => server.create_database(&name),
        };
        Database { place: self, url }
    }

    /// A database with the content of another, in which nobody works.
    pub fn copy_of(&self, original: &Database) -> Database<'_> {
        let name = self.next_name();
        let url = match &self.server {
            None => {
                let (from, to) = (original.file(), self.path(&name));
                fs::copy(&from, &to).expect("the database can be copied");
                format!("sqlite:{}", to.display())
            }
            Some(server) => {
                server::execute(&server.url(), &format!("CREATE DATABASE {name} TEMPLATE {}", original.name()));
                server.url_for(&name)
            }
        };
        Database { place: self, url }
    }

    fn next_name(&self) -> String {
        self.databases.set(self.databases.get() + 1);
        format!("campaign_{}", self.databases.get())
    }

    /// Starts `migrate` as somebody would who has a few settings of his own.
    pub fn start(&self, source: &Path, database: &Database, settings: &[&str]) -> Running {
        self.start_verb("migrate", source, database, settings)
    }

    /// As [`Place::start`], another of the program's verbs. Temporary files go to `temporary`.
    pub fn start_verb(&self, verb: &str, source: &Path, database: &Database, settings: &[&str]) -> Running {
        self.runs.set(self.runs.get() + 1);
        let log = self.path(&format!("log_{}", self.runs.get()));
        let out = File::create(&log).expect("a file can be made");
        let mut command = Command::new(env!("CARGO_BIN_EXE_transload"));
        let temporary = self.path("temporary");
        fs::create_dir_all(&temporary).expect("a directory can be made");
        command.current_dir(self.directory.path()).env_clear().env("TMPDIR", temporary);
        command.arg(verb).arg(source).arg("--db").arg(&database.url).arg("--quiet").args(settings);
        command.stdin(Stdio::null()).stdout(out.try_clone().expect("one more descriptor")).stderr(out);
        let child = command.spawn().expect("the program starts");
        Running { child, started: Instant::now(), log }
    }

    /// Runs `migrate` to its end.
    pub fn run(&self, source: &Path, database: &Database, settings: &[&str]) -> Ended {
        self.start(source, database, settings).wait()
    }

    /// As [`Place::run`]; also how long it took until the first document was loaded.
    pub fn run_watched(&self, source: &Path, database: &Database, settings: &[&str]) -> (Ended, Duration) {
        let mut running = self.start(source, database, settings);
        running.wait_for(database, Moment::Documents(1, Duration::ZERO));
        let first = running.started.elapsed();
        (running.wait(), first)
    }
}

impl Database<'_> {
    pub fn target(&self) -> Box<dyn Target> {
        content::target(&self.url)
    }

    pub fn content(&self) -> Content {
        Content::of(&*self.target())
    }

    /// What is built in the database, as lines of text.
    pub fn shape(&self) -> String {
        if self.place.server.is_none() {
            let reader = rusqlite::Connection::open(self.file()).expect("the database can be opened");
            let sql = "SELECT coalesce(group_concat(line, char(10)), '') FROM (SELECT type || ' ' || name || ': ' || sql AS line \
                       FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY 1)";
            return reader.query_row(sql, [], |row| row.get(0)).expect("the schema can be read");
        }
        let sql = "SELECT string_agg(line, chr(10) ORDER BY line COLLATE \"C\") FROM (
                SELECT pg_get_indexdef(i.indexrelid) || ' ' || i.indisvalid || i.indisready || i.indisprimary
                FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
                WHERE c.relnamespace IN ('public'::regnamespace, 'transload'::regnamespace)
                UNION ALL
                SELECT k.conrelid::regclass || ' ' || k.conname || ' ' || pg_get_constraintdef(k.oid) || k.convalidated
                FROM pg_constraint k WHERE k.connamespace IN ('public'::regnamespace, 'transload'::regnamespace)
                UNION ALL
                SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
                UNION ALL
                SELECT 'function ' || p.oid::regprocedure FROM pg_proc p
                WHERE p.pronamespace IN ('public'::regnamespace, 'transload'::regnamespace)
                UNION ALL
                SELECT 'left: ' || name FROM transload.set_aside
            ) AS lines (line)";
        server::value(&self.url, sql)
    }

    /// The states of all runs, oldest first.
    pub fn run_states(&self) -> Vec<String> {
        content::run_states(&*self.target())
    }

    /// A second opinion on how many documents are loaded; 0 as long as that cannot be told.
    fn glance(&self) -> Box<dyn FnMut() -> u64 + '_> {
        if self.place.server.is_some() {
            let mut client: Option<postgres::Client> = None;
            return Box::new(move || {
                if client.as_ref().is_none_or(postgres::Client::is_closed) {
                    client = postgres::Client::connect(&self.url, NoTls).ok();
                }
                let found = client
                    .as_mut()
                    .and_then(|client| client.query_one("SELECT count(*) FROM transload.documents", &[]).ok());
                found.map_or(0, |row| row.get::<_, i64>(0).unsigned_abs())
            });
        }
        let mut reader = None;
        Box::new(move || {
            if reader.is_none() {
                // Read only: it must not be the one that recovers the database or cleans up after it.
                reader = rusqlite::Connection::open_with_flags(self.file(), OpenFlags::SQLITE_OPEN_READ_ONLY).ok();
            }
            let count = "SELECT count(*) FROM transload_documents";
            let found = reader.as_ref().and_then(|reader| reader.query_row(count, [], |row| row.get::<_, i64>(0)).ok());
            found.map_or(0, i64::unsigned_abs)
        })
    }

    fn name(&self) -> &str {
        self.url.split("@/").nth(1).and_then(|rest| rest.split('?').next()).expect("a URL of this test's making")
    }

    fn file(&self) -> PathBuf {
        self.url.strip_prefix("sqlite:").expect("a SQLite database").into()
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        // What cannot be removed goes with the directory or the server.
        match &self.place.server {
            None => ["", "-wal", "-shm", ".lock"].iter().for_each(|end| {
                let _ = fs::remove_file(format!("{}{end}", self.file().display()));
            }),
            Some(server) => {
                if let Ok(mut client) = postgres::Client::connect(&server.url(), NoTls) {
                    let _ = client.batch_execute(&format!("DROP DATABASE {} WITH (FORCE)", self.name()));
                }
            }
        }
    }
}

impl Running {
    /// Waits for the moment, or for the program's end if that comes first.
    pub fn wait_for(&mut self, database: &Database, moment: Moment) {
        let mut glance = database.glance();
        let (mut reached, pause) = match moment {
            Moment::After(pause) => (Some(self.started), pause),
            Moment::Documents(_, pause) => (None, pause),
        };
        loop {
            if reached.is_some_and(|since| since.elapsed() >= pause) || self.has_ended() {
                return;
            }
            if let (None, Moment::Documents(count, _)) = (reached, moment) {
                reached = (glance() >= count).then(Instant::now);
                if reached.is_some() {
                    continue;
                }
            }
            sleep(GLANCE);
            assert!(self.started.elapsed() < LIMIT, "the program hangs; it said:\n{}", self.said());
        }
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_some()
    }

    /// What it has mapped into its memory, as Linux tells it; `None` where nobody tells.
    pub fn maps(&self) -> Option<String> {
        fs::read_to_string(format!("/proc/{}/maps", self.child.id())).ok()
    }

    /// Kills it without a warning; `true` if it was still running.
    pub fn kill(mut self) -> bool {
        self.child.kill().expect("it is our child");
        let status = self.child.wait().expect("it is our child");
        status.signal() == Some(9)
    }

    pub fn wait(mut self) -> Ended {
        let mut peak = 0;
        while !self.has_ended() {
            peak = peak.max(resident(self.child.id()));
            sleep(GLANCE);
            if self.started.elapsed() > LIMIT {
                let _ = self.child.kill();
                panic!("the program hangs; it said:\n{}", self.said());
            }
        }
        let status = self.child.wait().expect("it is our child");
        Ended { code: status.code(), time: self.started.elapsed(), peak, log: self.said() }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

/// The memory of a process in bytes: on Linux the most that it ever held, elsewhere what it holds
/// now; 0 if it is gone.
fn resident(process: u32) -> u64 {
    let of_status = fs::read_to_string(format!("/proc/{process}/status")).ok().and_then(|status| {
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    });
    let of_ps = || {
        let asked = Command::new("ps").args(["-o", "rss=", "-p", &process.to_string()]).output().ok()?;
        String::from_utf8_lossy(&asked.stdout).trim().parse::<u64>().ok()
    };
    let kib = if Path::new("/proc/self/status").exists() { of_status } else { of_ps() };
    kib.unwrap_or(0) * 1024
}

/// One module a target, one test a case, each in a place of its own.
#[macro_export]
macro_rules! in_every_place {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $case() {
                super::$case(&super::support::place::Place::sqlite());
            })+
        }
        mod postgres {
            $(#[test]
            fn $case() {
                let server = super::support::postgres::PrivatePostgres::start();
                super::$case(&super::support::place::Place::postgres(server));
            })+
        }
    };
}
