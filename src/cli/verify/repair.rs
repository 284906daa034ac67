//! `verify --repair`: hands what differs to the pipeline, and tells what became of it.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use crate::config::Config;
use crate::exec::Stop;
use crate::format::Format;
use crate::model::path::escape_controls;
use crate::model::DocumentKind;
use crate::pipeline::{self, Action, Job, Mode, Prefer, RepairOutcome, Repaired, Report};
use crate::target::Target;
use crate::verify::outcome::{Outcome, Verdict};

use super::args::{Repair, VerifyArgs};
use crate::cli::engine::{self, Watch};
use crate::cli::failure::Failure;

/// Documents that are told one by one.
const MOST_TOLD: usize = 50;

/// Repairs what the outcome has guards for.
#[allow(clippy::too_many_arguments)] // one call, each of another kind
pub fn run(
    args: &VerifyArgs,
    config: &Config,
    format: &'static dyn Format,
    target: &dyn Target,
    source: &Path,
    outcome: &Outcome,
    how: Repair,
    stop: &Stop,
    quiet: bool,
) -> Result<Report, Failure> {
    // Of a document that is missing or stale, nothing was edited in the database.
    let wanted = |verdict: Verdict| args.prefer.is_none() || verdict != Verdict::Different;
    let documents = outcome.guards.iter().filter(|guarded| wanted(guarded.verdict));
    let documents = documents.map(|guarded| (guarded.document, guarded.guard)).collect();
    // The tables that the format has here say which parts the database has.
    let has_table = |kind: &&'static DocumentKind| format.tables().contains(&kind.main);
    let mut options = engine::options(config, format.kinds().iter().copied().filter(has_table).collect());
    options.prefer = Prefer::File;
    options.mode = if how == Repair::Plan { Mode::DryRun } else { Mode::Real };
    options.repair = Some(pipeline::Repair { documents, directory: config.rejects.clone() });
    let dialect = target.capabilities().dialect;
    let watch = Watch::start(quiet);
    let result = pipeline::migrate(&Job {
        format,
        source,
        target,
        prepare: &|connection| engine::prepare(dialect, format, &[], connection),
        options: &options,
        command: "verify --repair",
        holder: &engine::holder("verify --repair"),
        stop,
        progress: &watch.progress,
        tick: &|now| watch.tick(now),
    });
    result.map_err(|error| Failure::new(error).with_hint("what was repaired stays; the same command goes on"))
}

/// What became of the documents.
#[derive(Serialize)]
pub struct Told<'a> {
    /// Nothing was done: this is what would be.
    plan: bool,
    counts: BTreeMap<&'static str, u64>,
    documents: &'a [Repaired],
    /// Where the rows are that were replaced or deleted.
    saved: Option<String>,
}

impl<'a> Told<'a> {
    pub fn new(report: &'a Report, plan: bool) -> Told<'a> {
        let documents = &report.account.repairs[..];
        let mut counts = BTreeMap::new();
        for repaired in documents {
            *counts.entry(name(repaired.outcome)).or_default() += 1;
        }
        let saved = report.saved.as_deref().map(crate::cli::summary::shown);
        Told { plan, counts, documents, saved }
    }

    /// For people, before the comparison that follows.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", if self.plan { "WHAT A REPAIR WOULD DO" } else { "REPAIRED" })?;
        let counts: Vec<String> = self.counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
        writeln!(out, "  documents: {}", if counts.is_empty() { "none".to_owned() } else { counts.join(", ") })?;
        for repaired in self.documents.iter().take(MOST_TOLD) {
            let rows: Vec<String> = repaired
                .rows
                .iter()
                .map(|count| format!("{} {} {}", count.rows, count.table, verb(count.action)))
                .collect();
            let file = escape_controls(&repaired.file);
            let what = name(repaired.outcome);
            write!(out, "  {what}: `{file}`")?;
            if !rows.is_empty() {
                write!(out, " ({})", rows.join(", "))?;
            }
            match &repaired.detail {
                Some(detail) => writeln!(out, ": {}", escape_controls(detail))?,
                None => writeln!(out)?,
            }
        }
        if self.documents.len() > MOST_TOLD {
            writeln!(out, "  ... and {} more (--json has all)", self.documents.len() - MOST_TOLD)?;
        }
        if let Some(saved) = &self.saved {
            writeln!(out, "  the rows as they were before: {saved}")?;
        }
        writeln!(out)
    }
}

fn name(outcome: RepairOutcome) -> &'static str {
    match outcome {
        RepairOutcome::Repaired => "repaired",
        RepairOutcome::Equal => "equal already",
        RepairOutcome::Changed => "changed meanwhile",
        RepairOutcome::Rejected => "rejected",
        RepairOutcome::Refused => "refused by the database",
        RepairOutcome::Unread => "not read",
    }
}

fn verb(action: Action) -> &'static str {
    match action {
        Action::Insert => "inserted",
        Action::Update => "updated",
        Action::Delete => "deleted",
    }
}
