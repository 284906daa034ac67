//! Transload's own verbs, as the program that a user runs.

use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::exec::Quantiles;

use super::changes;
use super::error::BenchError;
use super::floors::postgres::grown;
use super::measure;
use super::psql::Access;
use super::report::Measured;

/// The program, and the server of the databases that it is run on.
pub struct Verbs<'a> {
    pub program: &'a Path,
    /// With the URL by which the server is asked for its WAL.
    pub server: Option<(&'a Access, &'a str)>,
}

/// The members of a run's summary that are looked at.
#[derive(Deserialize)]
struct RunSummary {
    rows: u64,
    bytes: u64,
    mode: Option<String>,
    commits: Option<Quantiles>,
}

impl Verbs<'_> {
    pub fn scan(&self, tree: &Path) -> Result<Measured, BenchError> {
        let mut command = Command::new(self.program);
        command.arg("scan").arg(tree).args(["--quiet", "--json"]);
        let sample = measure::run(&mut command)?;
        Ok(Measured {
            seconds: sample.seconds,
            cpu_seconds: sample.cpu_seconds,
            peak_bytes: sample.peak_bytes,
            ..Measured::default()
        })
    }

    /// Migrates once more after a tenth of the chats was edited. Tree and database agree again then.
    pub fn changed(&self, tree: &Path, url: &str) -> Result<Measured, BenchError> {
        let edited = changes::change_a_tenth(tree)?;
        let measured = self.transload("migrate", tree, url)?;
        match measured.rows {
            Some(rows) if rows >= edited => Ok(measured),
            rows => Err(BenchError::Unexpected {
                program: "transload migrate".into(),
                said: format!("{edited} chats were edited, and it wrote {} rows", rows.unwrap_or_default()),
            }),
        }
    }

    /// Migrates the tree of which some documents are damaged: of a small one perhaps none that is rejected.
    pub fn damaged(&self, tree: &Path, url: &str) -> Result<Measured, BenchError> {
        self.ending("migrate", tree, url, &[0, 1])
    }

    pub fn transload(&self, verb: &str, tree: &Path, url: &str) -> Result<Measured, BenchError> {
        self.ending(verb, tree, url, &[0])
    }

    /// Runs a verb over a tree and a database, away from any settings of this directory, to one of these
    /// exit codes.
    fn ending(&self, verb: &str, tree: &Path, url: &str, codes: &[i32]) -> Result<Measured, BenchError> {
        let mut command = Command::new(self.program);
        let rejects = tree.with_file_name("rejects");
        command.current_dir(tree.parent().expect("the tree is below a directory"));
        command.arg(verb).arg(tree).arg("--db").arg(url).arg("--rejects").arg(rejects).args(["--quiet", "--json"]);
        let wal = self.wal_bytes();
        let sample = measure::run_to(&mut command, codes)?;
        let mut measured = Measured {
            seconds: sample.seconds,
            cpu_seconds: sample.cpu_seconds,
            peak_bytes: sample.peak_bytes,
            wal_bytes: grown(wal, self.wal_bytes()),
            ..Measured::default()
        };
        if verb == "migrate" {
            let summary: RunSummary = serde_json::from_str(&sample.stdout).map_err(|_| BenchError::Unexpected {
                program: "transload migrate --json".into(),
                said: sample.stdout.chars().take(200).collect(),
            })?;
            (measured.rows, measured.bytes, measured.mode) = (Some(summary.rows), Some(summary.bytes), summary.mode);
            measured.commits = summary.commits.filter(|commits| commits.count > 0);
        }
        Ok(measured)
    }

    fn wal_bytes(&self) -> Option<u64> {
        self.server.and_then(|(access, admin)| access.wal_bytes(admin))
    }
}
