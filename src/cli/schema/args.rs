//! The arguments of the commands below `schema` that work on a database.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use crate::cli::failure::Failure;

/// Which migrations.
#[derive(Args, Clone, Debug)]
pub struct Set {
    /// The directory with the .sql files [default for apply and validate: transload's own tables]
    pub dir: Option<PathBuf>,
    /// What the migrations are called in the database [default: the directory's name]
    #[arg(long, value_name = "NAME")]
    pub set: Option<String>,
    /// One JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

impl Set {
    /// The directory, for a command that needs one.
    pub fn dir(&self) -> Result<&Path, Failure> {
        let hint = || Some("give the directory with the NNNN_name.sql files".to_owned());
        self.dir.as_deref().ok_or_else(|| Failure::usage("which migrations is not said", hint()))
    }
}

/// What may be done beyond the usual.
#[derive(Args, Clone, Debug)]
pub struct Allow {
    /// Run migrations that say DESTRUCTIVE
    #[arg(long)]
    pub allow_destructive: bool,
    /// Accept applied migrations that were edited in their comments only
    #[arg(long)]
    pub accept_comment_changes: bool,
}

/// How long to wait.
#[derive(Args, Clone, Debug)]
pub struct Waits {
    /// How long to wait for another run, in seconds
    #[arg(long, default_value = "60", value_parser = seconds, value_name = "SECONDS")]
    pub wait: Duration,
    /// How long a statement waits for a lock on a table, in seconds; tried four times in all
    #[arg(long, default_value = "2", value_parser = seconds, value_name = "SECONDS")]
    pub lock_timeout: Duration,
}

#[derive(Args, Clone, Debug)]
pub struct ApplyArgs {
    #[command(flatten)]
    pub set: Set,
    #[command(flatten)]
    pub allow: Allow,
    #[command(flatten)]
    pub waits: Waits,
    /// Stop after this version
    #[arg(long, value_parser = version, value_name = "NNNN")]
    pub to: Option<u32>,
}

#[derive(Args, Clone, Debug)]
pub struct PlanArgs {
    #[command(flatten)]
    pub set: Set,
    #[command(flatten)]
    pub allow: Allow,
    /// Also print the statements
    #[arg(long)]
    pub sql: bool,
}

#[derive(Args, Clone, Debug)]
pub struct LookArgs {
    #[command(flatten)]
    pub set: Set,
}

#[derive(Args, Clone, Debug)]
pub struct SnapshotArgs {
    #[command(flatten)]
    pub set: Set,
    /// Write nothing, and say whether the files are what the migrations make
    #[arg(long)]
    pub check: bool,
}

#[derive(Args, Clone, Debug)]
pub struct BaselineArgs {
    #[command(flatten)]
    pub set: Set,
    #[command(flatten)]
    pub waits: Waits,
    /// The version that the database is at
    #[arg(long, value_parser = version, value_name = "NNNN")]
    pub at: u32,
}

/// Seconds, with a fraction perhaps.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if duration <= Duration::from_secs(7 * 86_400) => Ok(duration),
        _ => Err("expected a number of seconds, up to a week".to_owned()),
    }
}

fn version(text: &str) -> Result<u32, String> {
    let digits = text.len() <= 4 && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) if digits => Ok(number),
        _ => Err("expected a version, e.g. 0007".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_and_versions_have_four_digits() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!((version("0007"), version("7")), (Ok(7), Ok(7)));
        for wrong in ["-1", "x", "", "1e99", "NaN"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "00001", "x", "+1"] {
            assert!(version(wrong).is_err(), "{wrong}");
        }
    }
}
