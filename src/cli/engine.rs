//! What the commands that touch files or the database have in common: target, options, signals.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Mutex;

use crate::config::{Config, Database};
use crate::exec::{watch_signals, Progress, Snapshot, Stop};
use crate::format::{self, Format};
use crate::model::DocumentKind;
use crate::pipeline::{Mode, Options, Prefer, Removed};
use crate::schema::{self, SchemaError};
use crate::target::postgres::{password_from_pgpass, Parameters, PostgresOptions, PostgresTarget};
use crate::target::sqlite::{Cache, SqliteTarget};
use crate::target::{Connection, Durability, Target};

use super::failure::Failure;
use super::parts;
use super::progress::Display;

/// The format that the settings name.
pub fn format(config: &Config) -> Result<&'static dyn Format, Failure> {
    format::by_name(&config.format).ok_or_else(|| {
        let known: Vec<&str> = format::FORMATS.iter().map(|format| format.name()).collect();
        let hint = format!("known are {}", known.join(", "));
        Failure::usage(format!("there is no format {:?}", config.format), Some(hint))
    })
}

/// The database that the settings name; does not connect.
pub fn target(config: &Config) -> Result<Box<dyn Target>, Failure> {
    match config.database()? {
        Database::Sqlite(path) => Ok(Box::new(SqliteTarget::new(path).with_cache(Cache::of_bytes(config.cache_bytes)))),
        Database::Postgres(settings) => {
            let mut parameters = Parameters::from_url(&settings.url).map_err(Failure::new)?;
            parameters.fill_gaps(&|name| settings.variables.get(name).cloned()).map_err(Failure::new)?;
            parameters.complete(&settings.os_user);
            if parameters.password.is_none() {
                let found = settings.pgpass.as_deref().and_then(|text| password_from_pgpass(text, &parameters));
                parameters.password = found.map(crate::target::postgres::Secret::new);
            }
            Ok(Box::new(PostgresTarget::new(PostgresOptions {
                parameters,
                ledger_schema: settings.ledger_schema,
                max_connections: settings.max_connections,
                idle_timeout: settings.idle_timeout,
            })))
        }
    }
}

/// The kinds by their names, in the format's order.
pub fn kinds(format: &'static dyn Format, names: &[&str]) -> Vec<&'static DocumentKind> {
    format.kinds().iter().copied().filter(|kind| names.contains(&kind.name)).collect()
}

/// The options that settings decide; what a command decides is set on the result.
pub fn options(config: &Config, kinds: Vec<&'static DocumentKind>) -> Options {
    Options {
        kinds,
        documents: None,
        zone: config.timezone.clone(),
        follow_links: config.follow_links,
        whole_bytes: config.whole_bytes,
        round_bytes: config.round_bytes,
        batch_rows: config.batch_rows,
        batch_bytes: config.batch_bytes,
        writers: config.connections,
        prefer: Prefer::Neither,
        removed: Removed::Keep,
        mode: Mode::Real,
        way: config.mode,
        count_first: false,
        rejects_directory: config.rejects.clone(),
        repair: None,
    }
}

/// Sets up rayon's workers and the watch for signals. Once in a process.
pub fn begin(config: &Config) -> Result<Stop, Failure> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(config.threads);
    pool.thread_name(|number| format!("work-{}", number + 1)).build_global().map_err(Failure::new)?;
    let stop = Stop::new();
    watch_signals(&stop).map_err(Failure::new)?;
    Ok(stop)
}

/// Progress on stderr while something runs.
pub struct Watch {
    pub progress: Progress,
    display: Mutex<Display>,
}

impl Watch {
    pub fn start(quiet: bool) -> Watch {
        Watch { progress: Progress::new(), display: Mutex::new(Display::start(quiet)) }
    }

    pub fn tick(&self, now: &Snapshot) {
        self.display.lock().unwrap_or_else(std::sync::PoisonError::into_inner).update(now);
    }
}

/// Who runs this, for whoever finds the database locked.
pub fn holder(command: &str) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() { "this machine" } else { host.trim() };
    format!("transload {command}, process {} on {host}", std::process::id())
}

/// Makes the schema ready, with these optional parts; see `schema`.
pub fn prepare(
    dialect: &str,
    format: &'static dyn Format,
    parts: &[String],
    connection: &mut dyn Connection,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let prepared = schema::prepare_with(connection, dialect, format.name(), format.tables(), parts)?;
    for migration in &prepared.applied {
        tracing::info!(%migration, "applied");
    }
    for migration in &prepared.adopted {
        tracing::info!(%migration, "found in place");
    }
    Ok(())
}

/// A connection for a command that only looks at the ledger or decides about rejects.
///
/// # Errors
/// If nothing was ever migrated there.
pub fn ledger(target: &dyn Target, format: &'static dyn Format) -> Result<Box<dyn Connection>, Failure> {
    if !target.exists() {
        return Err(never_migrated(target));
    }
    let mut connection = target.connect(Durability::Full).map_err(Failure::new)?;
    let dialect = target.capabilities().dialect;
    match schema::check(&mut *connection, dialect, format.name(), format.tables()) {
        Ok(true) => Ok(connection),
        Ok(false) => Err(never_migrated(target)),
        Err(error) => Err(Failure::new(error)),
    }
}

/// As [`ledger`], also while a bulk load has set keys and indexes aside.
pub fn any_ledger(target: &dyn Target, format: &'static dyn Format) -> Result<Box<dyn Connection>, Failure> {
    match ledger(target, format) {
        Err(failure) if is_interrupted(&failure) => target.connect(Durability::Full).map_err(Failure::new),
        result => result,
    }
}

fn is_interrupted(failure: &Failure) -> bool {
    matches!(failure.error.downcast_ref(), Some(SchemaError::Interrupted { .. }))
}

/// What a command that changes nothing works with.
pub struct Readers {
    /// They read one state of the database.
    pub connections: Vec<Box<dyn Connection>>,
    /// With the tables that the database has.
    pub format: &'static dyn Format,
}

/// Opens up to so many connections to a database.
///
/// # Errors
/// If nothing was ever migrated there.
pub fn readers(target: &dyn Target, format: &'static dyn Format, count: usize) -> Result<Readers, Failure> {
    if !target.exists() {
        return Err(never_migrated(target));
    }
    let mut readers = target.readers(count).map_err(Failure::new)?;
    let dialect = target.capabilities().dialect;
    let reader = &mut *readers[0];
    match schema::check(reader, dialect, format.name(), format.tables()).map_err(Failure::new)? {
        true => {
            let parts = schema::parts_of(reader, dialect, format.name()).map_err(Failure::new)?;
            Ok(Readers { connections: readers, format: parts::with(format, dialect, &parts) })
        }
        false => Err(never_migrated(target)),
    }
}

/// There is no ledger in the database.
pub fn never_migrated(target: &dyn Target) -> Failure {
    Failure::new(anyhow::Error::msg(format!("nothing was ever migrated into {}", target.name())))
        .with_hint("run `transload migrate` first, or name another database with --db URL")
}

/// The source as given, once it is known that outputs stay out of it.
pub fn source(config: &Config) -> Result<PathBuf, Failure> {
    config.check_outputs(&config.database()?)?;
    Ok(config.source()?.to_owned())
}
