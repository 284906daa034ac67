//! The command line: arguments, one file a command, and what a person reads.
//!
//! Results go to stdout, all else to stderr. No thread is started here and no database is named.

pub mod args;
pub mod bench;
mod config_table;
mod console;
mod engine;
pub mod exit;
pub mod export;
pub mod failure;
pub mod generate;
mod human;
mod json;
pub mod logging;
pub mod migrate;
mod output_file;
mod parts;
pub mod progress;
pub mod rejects;
pub mod resume;
pub mod scan;
pub mod schema;
pub mod status;
pub mod summary;
pub mod verify;

pub use crate::config::Environment;
pub use args::{parse, Cli, Command};
pub use exit::Exit;
pub use failure::Failure;

use std::io::{self, Write};

use crate::config::Config;

/// Runs what the command line asks for.
pub fn run(cli: &Cli, environment: &Environment) -> Result<Exit, Failure> {
    logging::start(cli.global.log_format, cli.global.verbose, cli.global.quiet);
    let source = cli.command.as_ref().and_then(Command::source);
    let config = load(cli, source, environment)?;
    if cli.global.print_config {
        print_config(&config)?;
        return Ok(Exit::Done);
    }
    let quiet = cli.global.quiet;
    match &cli.command {
        Some(Command::Scan(args)) => scan::run(args, &config, quiet),
        Some(Command::Migrate(args)) => migrate::run(args, &config, quiet),
        Some(Command::Verify(args)) => verify::run(args, &config, quiet),
        Some(Command::Rejects(args)) => rejects::run(args, &config, quiet),
        Some(Command::Export(args)) => export::run(args, &config, quiet),
        Some(Command::Status(args)) => status::run(args, &config),
        Some(Command::Schema(args)) => schema::run(args, &config, quiet),
        Some(Command::Generate(args)) => generate::run(args),
        Some(Command::Bench(args)) => bench::run(args, &config, cli.settings.db.as_deref(), quiet),
        None => unreachable!("the parser asks for a command"),
    }
}

/// The settings of a command; `source` is its argument where it has one.
pub fn load(cli: &Cli, source: Option<&std::path::Path>, environment: &Environment) -> Result<Config, Failure> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let flags = cli.settings.flags(source);
    let config = Config::load(&flags, environment, cli.global.config.as_deref(), cores)?;
    for name in config.unknown_variables() {
        tracing::warn!(variable = name, "this variable is no setting and is ignored");
    }
    Ok(config)
}

/// `--print-config`.
pub fn print_config(config: &Config) -> Result<(), Failure> {
    print(|out| config_table::write(out, config))?;
    // After the table, so that what is there can be seen when a part is missing.
    config.database()?;
    Ok(())
}

/// Writes a result to stdout in one go. A reader that has seen enough (`head`) is no failure.
pub fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(anyhow::Error::new(error).context("cannot write to stdout")))
        }
        _ => Ok(()),
    }
}
