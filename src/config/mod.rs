//! Settings: where each may come from, and one validated [`Config`].
//!
//! Flag over environment over `pipeline.toml` over default, for every setting alike, and each
//! value remembers which it was. Nothing below this layer reads settings files or the environment.

mod database;
mod environment;
mod error;
mod file;
mod key;
mod outputs;
mod value;

pub use database::{without_password, Database, PostgresSettings};
pub use environment::Environment;
pub use error::ConfigError;
pub use file::SettingsFile;
pub use key::{nearest, Key, Origin, KEYS};

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::pipeline::memory::{self, Sizes};
use crate::pipeline::{Way, ROUND_BYTES};
use crate::target::sqlite::Cache;
use database::Address;

/// Threads that read even where there are fewer cores. Each holds a document, so more take more memory.
const WAITING: usize = 4;

/// The file that is looked for in the working directory.
pub const FILE_NAME: &str = "pipeline.toml";

/// What the command line set, by the setting's name.
pub type Flags = Vec<(&'static str, OsString)>;

/// One setting, for `--print-config`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub key: &'static str,
    /// Without its password.
    pub value: String,
    pub origin: Origin,
}

/// Every setting, validated. Relative paths are relative to the working directory.
pub struct Config {
    source: Option<PathBuf>,
    pub format: String,
    /// For times that name no zone.
    pub timezone: TimeZone,
    pub rejects: PathBuf,
    pub ledger_schema: String,
    pub follow_links: bool,
    /// Optional parts of the schema, and kinds of documents that are left out otherwise.
    pub with: Vec<String>,
    pub max_connections: u32,
    pub idle_timeout: Duration,
    /// Bytes of files that are read and decoded together.
    pub round_bytes: u64,
    pub batch_rows: usize,
    pub batch_bytes: usize,
    /// Bytes of its pages that a database within the program keeps in memory.
    pub cache_bytes: u64,
    /// Connections that write at once.
    pub connections: usize,
    /// How rows go into tables that may be empty.
    pub mode: Way,
    /// The largest file that is held whole, in bytes.
    pub whole_bytes: u64,
    /// Threads that read and decode.
    pub threads: usize,
    /// Threads that verify and export, each over a connection of its own.
    pub readers: usize,
    db: (String, Origin),
    environment: Environment,
    shown: Vec<Shown>,
}

impl Config {
    /// Reads `file`, or `pipeline.toml` of the working directory where there is one.
    ///
    /// `cores` is how many threads the machine runs at once.
    pub fn load(
        flags: &Flags,
        environment: &Environment,
        file: Option<&Path>,
        cores: usize,
    ) -> Result<Config, ConfigError> {
        let file = match file {
            Some(path) => Some(SettingsFile::read(path)?),
            None if Path::new(FILE_NAME).exists() => Some(SettingsFile::read(Path::new(FILE_NAME))?),
            None => None,
        };
        Config::resolve(flags, environment, file.as_ref(), cores)
    }

    /// As [`Config::load`], from what was read already.
    pub fn resolve(
        flags: &Flags,
        environment: &Environment,
        file: Option<&SettingsFile>,
        cores: usize,
    ) -> Result<Config, ConfigError> {
        refuse_what_comes_later(environment)?;
        let mut layers = Layers { flags, environment, file, shown: Vec::new() };

        let source = layers.optional(&key::SOURCE, value::path)?;
        let format = layers.take(&key::FORMAT, "donna", value::text)?;
        let (db, db_origin) = layers.raw(&key::DB).unwrap_or_else(|| ("sqlite:transload.db".into(), Origin::Default));
        let db = value::text(&db).map_err(|problem| invalid(&key::DB, &db_origin, problem))?;
        layers.show(&key::DB, without_password(&db), db_origin.clone());
        let (_, timezone) = layers.take(&key::TIMEZONE, "UTC", value::zone)?;
        let rejects = layers.take(&key::REJECTS, "transload-rejects", value::path)?;
        let ledger_schema = layers.take(&key::LEDGER_SCHEMA, "transload", value::schema)?;
        let follow_links = layers.take(&key::FOLLOW_LINKS, "false", value::switch)?;
        let with = layers.take(&key::WITH, "", value::list)?;
        let max_connections = layers.take(&key::MAX_CONNECTIONS, "20", |text| value::number(text, 1, 10_000))?;
        let idle_timeout = layers.take(&key::IDLE_TIMEOUT, "300", |text| value::number(text, 1, 86_400))?;
        let batch_rows = layers.take(&key::BATCH_ROWS, "1000", |text| value::number(text, 1, 1_000_000))?;
        let batch_bytes = layers.take(&key::BATCH_BYTES, "8 MiB", |text| value::size(text, 1 << 10, 1 << 30))?;
        // Two writers keep a server busier than one even where we have one core ourselves; more
        // than eight wait for each other.
        let writers = (cores.clamp(2, 8) as u64).min(max_connections).to_string();
        let connections = layers.take(&key::CONNECTIONS, &writers, |text| {
            value::number(text, 1, max_connections)
                .map_err(|problem| format!("{problem} (`max_connections` is {max_connections})"))
        })?;
        let mode = layers.take(&key::MODE, "auto", value::way)?;
        let whole_bytes = layers.take(&key::WHOLE_BYTES, "4 MiB", |text| value::size(text, 1, 1 << 30))?;
        // A file that is not in memory keeps its thread waiting, not its core.
        let decoding = if layers.raw(&key::MAX_MEMORY).is_some() { cores.max(1) } else { cores.max(WAITING) };
        let chosen = layers.raw(&key::THREADS).is_some();
        let threads = layers.take(&key::THREADS, &decoding.to_string(), |text| value::number(text, 1, 1024))?;
        let readers = if chosen { threads } else { cores.max(1) as u64 };
        let cache_bytes = Cache::USUAL.bytes();
        let usual = Sizes { round_bytes: ROUND_BYTES, whole_bytes, batch_bytes, cache_bytes, writers: connections };
        // Taken last, because it cuts what the others say.
        let sizes = layers.optional(&key::MAX_MEMORY, |text| {
            let most = value::size(text, 1, 1 << 44)?;
            memory::within(most, threads, usual).map_err(|too_little| too_little.to_string())
        })?;
        let Sizes { round_bytes, whole_bytes, batch_bytes, cache_bytes, writers: connections } = sizes.unwrap_or(usual);

        let narrow = |number: u64| usize::try_from(number).expect("its range ends at 2^30");
        Ok(Config {
            source,
            format,
            timezone,
            rejects,
            ledger_schema,
            follow_links,
            with,
            max_connections: u32::try_from(max_connections).expect("at most 10,000"),
            idle_timeout: Duration::from_secs(idle_timeout),
            round_bytes,
            batch_rows: narrow(batch_rows),
            batch_bytes: narrow(batch_bytes),
            cache_bytes,
            connections: narrow(connections),
            mode,
            whole_bytes,
            threads: narrow(threads),
            readers: narrow(readers),
            db: (db, db_origin),
            environment: environment.clone(),
            shown: layers.shown,
        })
    }

    /// The root of the tree of files.
    pub fn source(&self) -> Result<&Path, ConfigError> {
        self.source.as_deref().ok_or(ConfigError::NoSource)
    }

    /// The database. Worked out when it is asked for, so that what needs none runs without one.
    pub fn database(&self) -> Result<Database, ConfigError> {
        let (value, origin) = &self.db;
        Ok(match database::address(value, origin, &self.environment)? {
            Address::Sqlite(path) => Database::Sqlite(path),
            Address::Postgres(url) => Database::Postgres(PostgresSettings {
                url,
                variables: database::pg_variables(&self.environment),
                pgpass: database::password_file(&self.environment),
                os_user: database::os_user(&self.environment),
                ledger_schema: self.ledger_schema.clone(),
                max_connections: self.max_connections,
                idle_timeout: self.idle_timeout,
            }),
        })
    }

    /// Refuses outputs that would lie below the source, which is never written to.
    pub fn check_outputs(&self, database: &Database) -> Result<(), ConfigError> {
        let source = self.source()?;
        outputs::check(source, "the rejects directory", &self.rejects, "name another with --rejects DIR")?;
        match database {
            Database::Sqlite(path) => outputs::check(source, "the database", path, "name another with --db URL"),
            Database::Postgres(_) => Ok(()),
        }
    }

    /// Refuses another output that would lie below the source.
    pub fn check_output(&self, path: &Path, what: &'static str) -> Result<(), ConfigError> {
        outputs::check(self.source()?, what, path, "name another directory")
    }

    /// What `--with` says, and no other origin: a directory's own parts are no setting of ours.
    pub fn with_of_directory(&self) -> &[String] {
        let is_flag = |shown: &Shown| shown.key == key::WITH.name && matches!(shown.origin, Origin::Flag(_));
        match self.shown.iter().any(is_flag) {
            true => &self.with,
            false => &[],
        }
    }

    /// Every setting with its value and where it came from.
    pub fn shown(&self) -> &[Shown] {
        &self.shown
    }

    /// Variables that look like settings and are none: a slip that would otherwise go unseen.
    pub fn unknown_variables(&self) -> Vec<String> {
        let known: Vec<String> = KEYS.iter().flat_map(|key| key.variables()).collect();
        let ours = |name: &&str| name.starts_with("TRANSLOAD_") && !name.starts_with("TRANSLOAD_TEST_");
        let names = self.environment.texts().map(|(name, _)| name).filter(ours);
        names.filter(|name| !known.iter().any(|one| one == name)).map(str::to_owned).collect()
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.shown).finish()
    }
}

/// The origins of settings in their order, and what was taken from them.
struct Layers<'a> {
    flags: &'a Flags,
    environment: &'a Environment,
    file: Option<&'a SettingsFile>,
    shown: Vec<Shown>,
}

impl Layers<'_> {
    fn raw(&self, key: &Key) -> Option<(OsString, Origin)> {
        if let Some((_, text)) = self.flags.iter().find(|(name, _)| *name == key.name) {
            return Some((text.clone(), Origin::Flag(key.flag())));
        }
        for variable in key.variables() {
            if let Some(text) = self.environment.get_os(&variable) {
                return Some((text.to_owned(), Origin::Variable(variable)));
            }
        }
        let (text, origin) = self.file?.get(key.name)?;
        Some((text.into(), origin))
    }

    fn optional<T>(
        &mut self,
        key: &'static Key,
        parse: impl Fn(&OsStr) -> Result<T, String>,
    ) -> Result<Option<T>, ConfigError> {
        let Some((text, origin)) = self.raw(key) else {
            self.show(key, String::new(), Origin::Default);
            return Ok(None);
        };
        let value = parse(&text).map_err(|problem| invalid(key, &origin, problem))?;
        self.show(key, text.to_string_lossy().into_owned(), origin);
        Ok(Some(value))
    }

    fn take<T>(
        &mut self,
        key: &'static Key,
        default: &str,
        parse: impl Fn(&OsStr) -> Result<T, String>,
    ) -> Result<T, ConfigError> {
        let (text, origin) = self.raw(key).unwrap_or_else(|| (default.into(), Origin::Default));
        let value = parse(&text).map_err(|problem| invalid(key, &origin, problem))?;
        self.show(key, text.to_string_lossy().into_owned(), origin);
        Ok(value)
    }

    fn show(&mut self, key: &'static Key, value: String, origin: Origin) {
        self.shown.push(Shown { key: key.name, value, origin });
    }
}

fn invalid(key: &'static Key, origin: &Origin, problem: String) -> ConfigError {
    ConfigError::Invalid { key: key.name, origin: origin.clone(), problem }
}

/// The database plan names two switches of the data access layer. To accept them and do nothing
/// would let somebody believe that both stores are being written.
fn refuse_what_comes_later(environment: &Environment) -> Result<(), ConfigError> {
    let reason = "it belongs to the data access layer, which is not built yet: transload moves files into a database \
                  and does not serve an application";
    for (variable, only) in [("DATA_STORAGE_TYPE", "file"), ("MIGRATION_ENABLE_DUAL_WRITE", "false")] {
        if environment.get(variable)?.is_some_and(|value| value != only) {
            return Err(ConfigError::Refused { variable, only, reason });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
