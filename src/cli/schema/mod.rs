//! `schema`: migrations of any database, from a directory of numbered .sql files.

mod apply;
pub mod args;
mod baseline;
mod job;
mod plan;
mod rollback;
mod shown;
mod snapshot;
mod status;
mod validate;

use crate::config::Config;

use super::exit::Exit;
use super::failure::Failure;

use args::{SchemaAction, SchemaArgs};

/// Runs `schema`.
pub fn run(args: &SchemaArgs, config: &Config, quiet: bool) -> Result<Exit, Failure> {
    match &args.action {
        SchemaAction::Apply(args) => apply::run(args, config, quiet),
        SchemaAction::Plan(args) => plan::run(args, config),
        SchemaAction::Status(args) => status::run(args, config),
        SchemaAction::Validate(args) => validate::run(args, config),
        SchemaAction::Snapshot(args) => snapshot::run(args, config),
        SchemaAction::Baseline(args) => baseline::run(args, config),
        SchemaAction::Rollback(args) => rollback::run(args, config, quiet),
    }
}
