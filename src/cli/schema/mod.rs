//! `schema ...`: migrations of any application's database, and the files that they are.

mod directory;
mod lint;
mod new;

use clap::{Args, Subcommand};

use crate::config::Config;

use super::exit::Exit;
use super::failure::Failure;

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
}

/// Runs `schema`.
pub fn run(args: &SchemaArgs, config: &Config) -> Result<Exit, Failure> {
    match &args.action {
        SchemaAction::Lint(args) => lint::run(args, config),
        SchemaAction::New(args) => new::run(args),
    }
}
