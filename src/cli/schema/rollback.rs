//! `schema rollback DIR`: runs the file that undoes the newest migration.

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::config::Config;
use crate::schema::run;

use super::apply::run_with;
use super::args::ApplyArgs;

pub fn run(args: &ApplyArgs, config: &Config, quiet: bool) -> Result<Exit, Failure> {
    run_with(args, config, quiet, "schema rollback", run::rollback)
}
