//! `schema ...`: migrations of any application's database, and the files that they are.

mod apply;
mod args;
mod baseline;
mod directory;
mod job;
mod lint;
mod new;
mod own;
mod plan;
mod rollback;
mod shown;
mod snapshot;
mod status;
mod validate;

use clap::{Args, Subcommand};

use crate::config::Config;

use super::exit::Exit;
use super::failure::Failure;

use args::{ApplyArgs, BaselineArgs, LookArgs, PlanArgs, SnapshotArgs};

#[derive(Args, Debug)]
pub struct SchemaArgs {
    #[command(subcommand)]
    pub action: SchemaAction,
}

#[derive(Debug, Subcommand)]
pub enum SchemaAction {
    /// Check migration files against the rules; needs no database
    Lint(lint::LintArgs),
    /// Write the next migration file, with its header
    New(new::NewArgs),
    /// Write the declared schema of every version, from a scratch database
    Snapshot(SnapshotArgs),
    /// Print what `apply` would run, and change nothing
    Plan(PlanArgs),
    /// Run the migrations that the database has not had
    Apply(ApplyArgs),
    /// Show which migrations the database has had
    Status(LookArgs),
    /// Compare the database with the declared schema of its version
    Validate(LookArgs),
    /// Adopt a database that has its tables already
    Baseline(BaselineArgs),
    /// Run the migration that undoes the newest one
    Rollback(ApplyArgs),
}

/// Runs `schema`.
pub fn run(args: &SchemaArgs, config: &Config, quiet: bool) -> Result<Exit, Failure> {
    match &args.action {
        SchemaAction::Lint(args) => lint::run(args, config),
        SchemaAction::New(args) => new::run(args),
        SchemaAction::Snapshot(args) => snapshot::run(args, config),
        SchemaAction::Plan(args) => plan::run(args, config),
        SchemaAction::Apply(args) if args.set.dir.is_none() => own::apply(args, config),
        SchemaAction::Validate(args) if args.set.dir.is_none() => own::validate(&args.set, config),
        SchemaAction::Apply(args) => apply::run(args, config, quiet),
        SchemaAction::Status(args) => status::run(args, config),
        SchemaAction::Validate(args) => validate::run(args, config),
        SchemaAction::Baseline(args) => baseline::run(args, config),
        SchemaAction::Rollback(args) => rollback::run(args, config, quiet),
    }
}
