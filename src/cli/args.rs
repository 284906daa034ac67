//! The arguments of every command. Checks here are about shape; what values mean is `config`'s and
//! the command's.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use uuid::Uuid;

use crate::config::Flags;

use super::bench::BenchArgs;
use super::logging::LogFormat;
use super::schema::SchemaArgs;
use super::verify::args::VerifyArgs;

/// Moves an application's JSON files into a database and proves that nothing was lost.
#[derive(Debug, Parser)]
#[command(name = "transload", version, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 done and all agrees; 1 done, with rejects, conflicts or differences; \
                        2 could not be done or checked; 64 wrong usage; 130/143 stopped by a signal.")]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(flatten)]
    pub settings: Settings,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Parses a command line; the error knows how to print itself (`--help` is one, too).
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let cli = Cli::try_parse_from(arguments)?;
    if !cli.global.print_config && cli.command.is_none() {
        use clap::CommandFactory;
        return Err(Cli::command().error(clap::error::ErrorKind::MissingSubcommand, "a command is needed"));
    }
    Ok(cli)
}

/// What every command takes beside settings.
#[derive(Args, Debug)]
pub struct Global {
    /// Read settings from FILE instead of ./pipeline.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print every setting with its value and origin, and do nothing else
    #[arg(long, global = true)]
    pub print_config: bool,
    /// How log lines on stderr look
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub log_format: LogFormat,
    /// Log more (-v what is done, -vv how)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// No progress, and only errors in the log
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

/// Settings: each can also stand in the environment (`TRANSLOAD_<NAME>`) and in pipeline.toml.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Settings")]
pub struct Settings {
    /// The database: sqlite:app.db, postgres://user@host:5432/name, or env (made of DB_HOST, ...)
    #[arg(long, global = true, value_name = "URL")]
    pub db: Option<OsString>,
    /// The legacy application whose files these are
    #[arg(long, global = true, value_name = "NAME")]
    pub format: Option<OsString>,
    /// The zone of times that name none (an IANA name)
    #[arg(long, global = true, value_name = "ZONE")]
    pub timezone: Option<OsString>,
    /// Where rejects are kept; never below the source
    #[arg(long, global = true, value_name = "DIR")]
    pub rejects: Option<OsString>,
    /// The PostgreSQL schema of the bookkeeping
    #[arg(long, global = true, value_name = "NAME")]
    pub ledger_schema: Option<OsString>,
    /// Follow symbolic links in the source
    #[arg(long, global = true)]
    pub follow_links: bool,
    /// Optional parts and kinds that are left out otherwise, e.g. logs,search
    #[arg(long, global = true, value_name = "PARTS")]
    pub with: Vec<OsString>,
    /// The most connections to the server
    #[arg(long, global = true, value_name = "N")]
    pub max_connections: Option<OsString>,
    /// Seconds after which an idle connection is closed
    #[arg(long, global = true, value_name = "SECONDS")]
    pub idle_timeout: Option<OsString>,
    /// Rows a transaction
    #[arg(long, global = true, value_name = "N")]
    pub batch_rows: Option<OsString>,
    /// Bytes a transaction, e.g. 8MiB
    #[arg(long, global = true, value_name = "SIZE")]
    pub batch_bytes: Option<OsString>,
    /// Connections that write at once
    #[arg(long, global = true, value_name = "N")]
    pub connections: Option<OsString>,
    /// How rows go into empty tables: auto, bulk (keys and indexes after the rows) or online
    #[arg(long, global = true, value_name = "MODE")]
    pub mode: Option<OsString>,
    /// The largest file that is held whole, e.g. 4MiB
    #[arg(long, global = true, value_name = "SIZE")]
    pub whole_bytes: Option<OsString>,
    /// Threads that read and decode
    #[arg(long, global = true, value_name = "N")]
    pub threads: Option<OsString>,
}

impl Settings {
    /// What was set on the command line, by the names that `config` knows.
    pub fn flags(&self, source: Option<&Path>) -> Flags {
        let source = source.map(|source| source.as_os_str().to_owned());
        let follow_links = self.follow_links.then(|| OsString::from("true"));
        let with = (!self.with.is_empty()).then(|| self.with.join(OsStr::new(",")));
        [
            ("source", &source),
            ("format", &self.format),
            ("db", &self.db),
            ("timezone", &self.timezone),
            ("rejects", &self.rejects),
            ("ledger_schema", &self.ledger_schema),
            ("follow_links", &follow_links),
            ("with", &with),
            ("max_connections", &self.max_connections),
            ("idle_timeout", &self.idle_timeout),
            ("write.batch_rows", &self.batch_rows),
            ("write.batch_bytes", &self.batch_bytes),
            ("write.connections", &self.connections),
            ("write.mode", &self.mode),
            ("read.whole_bytes", &self.whole_bytes),
            ("read.threads", &self.threads),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((key, value.clone()?)))
        .collect()
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say what is in the source, before anything is written
    Scan(ScanArgs),
    /// Move the source into the database; running again goes on, or changes nothing
    Migrate(MigrateArgs),
    /// Prove that files and database say the same
    Verify(VerifyArgs),
    /// Write the legacy files again from the database, as it is now
    Export(ExportArgs),
    /// Look at what could not be loaded, and decide about it
    Rejects(RejectsArgs),
    /// Show the runs and what is loaded
    Status(StatusArgs),
    /// Work on a database's migration files
    Schema(SchemaArgs),
    /// Write a deterministic tree of legacy files
    Generate(GenerateArgs),
    /// Measure how fast this is here, beside what nobody can do without
    Bench(BenchArgs),
}

impl Command {
    /// The command's source, where it was given one.
    pub fn source(&self) -> Option<&Path> {
        match self {
            Command::Scan(args) => args.source.as_deref(),
            Command::Migrate(args) => args.source.as_deref(),
            Command::Verify(args) => args.source.as_deref(),
            Command::Rejects(args) => match &args.action {
                RejectsAction::Export { source, .. } | RejectsAction::Retry { source, .. } => source.as_deref(),
                RejectsAction::List { .. } | RejectsAction::Show { .. } | RejectsAction::Accept { .. } => None,
            },
            Command::Export(_) | Command::Status(_) | Command::Schema(_) | Command::Generate(_) | Command::Bench(_) => {
                None
            }
        }
    }
}

#[derive(Args, Debug)]
pub struct ScanArgs {
    /// The root of the legacy files [default: the setting `source`]
    pub source: Option<PathBuf>,
    /// One JSON object on stdout
    #[arg(long)]
    pub json: bool,
    /// Hide names and keys
    #[arg(long)]
    pub redact: bool,
}

#[derive(Args, Debug)]
pub struct MigrateArgs {
    /// The root of the legacy files [default: the setting `source`]
    pub source: Option<PathBuf>,
    /// Take the whole path in one transaction that is rolled back
    #[arg(long)]
    pub dry_run: bool,
    /// Only these kinds of documents, e.g. users,memory
    #[arg(long, value_delimiter = ',', value_name = "KINDS")]
    pub only: Vec<String>,
    /// The same as --with logs
    #[arg(long)]
    pub with_logs: bool,
    /// Take out the rows of documents whose files are gone
    #[arg(long)]
    pub prune: bool,
    /// Which side wins where the file and its rows were both changed [default: neither, a conflict]
    #[arg(long, value_enum, value_name = "SIDE")]
    pub prefer: Option<Prefer>,
    /// The summary as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// The side that wins a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Prefer {
    /// The file's values overwrite what was edited in the database.
    File,
}

#[derive(Args, Debug)]
pub struct ExportArgs {
    /// The directory to make; it must not exist or be empty
    pub dir: PathBuf,
    /// Only these kinds of documents, e.g. users,memory
    #[arg(long, value_delimiter = ',', value_name = "KINDS")]
    pub only: Vec<String>,
    /// The summary as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
pub struct RejectsArgs {
    #[command(subcommand)]
    pub action: RejectsAction,
}

#[derive(Debug, Subcommand)]
pub enum RejectsAction {
    /// List the rejects
    List {
        /// Accepted ones, too
        #[arg(long)]
        all: bool,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
        /// Hide names and keys
        #[arg(long)]
        redact: bool,
    },
    /// Show one reject
    Show {
        id: Uuid,
        /// One JSON object
        #[arg(long)]
        json: bool,
        /// Hide names and keys
        #[arg(long)]
        redact: bool,
    },
    /// Copy the rejects' files and reasons into a directory
    Export {
        dir: PathBuf,
        /// The root of the legacy files [default: the setting `source`]
        #[arg(long, value_name = "DIR")]
        source: Option<PathBuf>,
    },
    /// Try the rejected documents again
    Retry {
        /// The root of the legacy files [default: the setting `source`]
        source: Option<PathBuf>,
        /// The summary as one JSON object on stdout
        #[arg(long)]
        json: bool,
    },
    /// Accept that documents are not loaded; they no longer count as left over
    Accept {
        #[arg(required = true)]
        ids: Vec<Uuid>,
        /// Why, for whoever asks later
        #[arg(long, value_parser = reason)]
        reason: String,
    },
}

#[derive(Args, Debug)]
pub struct StatusArgs {
    /// One JSON object on stdout
    #[arg(long)]
    pub json: bool,
    /// How many runs to show, the newest first
    #[arg(long, default_value_t = 5, value_name = "N")]
    pub runs: usize,
}

#[derive(Args, Debug)]
pub struct GenerateArgs {
    /// The directory to make; it must not exist or be empty
    pub dir: PathBuf,
    /// How many records (users, chats, messages, memory entries)
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    pub records: u64,
    /// The same seed makes the same tree
    #[arg(long, default_value_t = 1, value_name = "S")]
    pub seed: u64,
    /// The share of documents that are damaged, e.g. 1%
    #[arg(long, default_value = "0%", value_parser = super::generate::share, value_name = "SHARE")]
    pub damage: f64,
}

/// A reason that says something.
fn reason(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("expected a reason".to_owned()),
        text => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KEYS;
    use clap::CommandFactory;

    fn whole(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_definitions_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_setting_has_its_flag() {
        let command = Cli::command();
        let flags: Vec<String> =
            command.get_arguments().filter_map(|arg| arg.get_long()).map(|long| format!("--{long}")).collect();
        for key in KEYS.iter().filter(|key| key.name != "source") {
            assert!(flags.contains(&key.flag()), "{}", key.name);
        }
        let mut line = vec!["transload".to_owned()];
        for key in KEYS.iter().filter(|key| key.name != "source") {
            line.push(key.flag());
            if key.name != "follow_links" {
                line.push(key.name.to_owned());
            }
        }
        let given = Cli::try_parse_from(line).expect("every flag").settings.flags(Some(Path::new("data")));
        assert_eq!(given.len(), KEYS.len());
        for (name, value) in given {
            assert!(KEYS.iter().any(|key| key.name == name), "{name}");
            let expected = match name {
                "source" => "data",
                "follow_links" => "true",
                name => name,
            };
            assert_eq!(value, expected);
        }
    }

    #[test]
    fn commands_take_their_arguments_and_settings_on_either_side() {
        let line =
            "transload --db sqlite:a.db migrate data --only users,memory --with logs --dry-run --batch-rows 5 -q";
        let whole = whole(line).expect("valid");
        assert!(whole.global.quiet);
        assert_eq!(whole.settings.batch_rows.as_deref(), Some("5".as_ref()));
        assert_eq!(whole.settings.db.as_deref(), Some("sqlite:a.db".as_ref()));
        let Some(Command::Migrate(args)) = &whole.command else { panic!("migrate was asked for") };
        assert_eq!(args.only, ["users", "memory"]);
        assert_eq!(whole.settings.with, ["logs"]);
        assert!(args.dry_run && !args.prune && args.prefer.is_none());
        assert_eq!(whole.command.as_ref().and_then(Command::source), Some(Path::new("data")));
    }

    #[test]
    fn what_needs_a_reason_or_an_id_is_told_so() {
        let id = "67e55044-10b1-426f-9247-bb680e5fe0c8";
        assert!(whole(&format!("transload rejects accept {id} {id} --reason spam")).is_ok());
        for wrong in [
            format!("transload rejects accept {id}"),
            "transload rejects accept --reason spam".to_owned(),
            format!("transload rejects accept {id} --reason \t"),
            "transload rejects show 7".to_owned(),
            "transload rejects".to_owned(),
            "transload migrate --prefer database".to_owned(),
            "transload generate".to_owned(),
            "transload generate d --damage 101%".to_owned(),
        ] {
            assert!(whole(&wrong).expect_err(&wrong).use_stderr(), "{wrong}");
        }
        let Some(Command::Generate(args)) = whole("transload generate d --damage 1%").expect("valid").command else {
            panic!("generate was asked for")
        };
        assert_eq!((args.records, args.seed, args.damage), (10_000, 1, 0.01));
    }
}
