//! `status`: the runs and what is loaded.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::time::Duration;

use serde::Serialize;

use crate::model::ledger::RUNS;
use crate::model::path::escape_controls;
use crate::model::{Instant, Row, Value};

use crate::config::Config;
use crate::ledger;
use crate::model::ledger::{documents, DOCUMENTS};
use crate::target::bulk::pieces;
use crate::target::{select_all, Connection, Filter, Holder, LockError, TargetError};

use super::args::StatusArgs;
use super::exit::Exit;
use super::failure::Failure;
use super::{engine, print};

use super::human::{columns, duration, thousands, Side};
use super::json;

/// Runs `status`.
pub fn run(args: &StatusArgs, config: &Config) -> Result<Exit, Failure> {
    let format = engine::format(config)?;
    let target = engine::target(config)?;
    let mut connection = engine::any_ledger(&*target, format)?;
    let mut report = report(&mut *connection, target.name(), args.runs).map_err(Failure::new)?;
    let left = pieces(&mut *connection).map_err(Failure::new)?.len();
    if left > 0 {
        // Whoever loads holds the lock.
        let holder = Holder { name: engine::holder("status"), since: Instant::now() };
        let interrupted = match target.lock(&holder) {
            Ok(_) => true,
            Err(LockError::Held { .. }) => false,
            Err(error) => return Err(Failure::new(error)),
        };
        report.bulk = Some(BulkView { left, interrupted });
    }
    print(|out| if args.json { write_json(out, &report) } else { write_text(out, &report) })?;
    Ok(match report.bulk {
        Some(BulkView { interrupted: true, .. }) => Exit::Failed,
        _ => Exit::Done,
    })
}

fn report(connection: &mut dyn Connection, target: String, runs: usize) -> Result<StatusReport, TargetError> {
    let mut loaded = BTreeMap::new();
    connection.select(&DOCUMENTS, &Filter::All, &mut |row| {
        if let Some(kind) = row.0[documents::KIND].as_text() {
            *loaded.entry(kind.to_owned()).or_default() += 1;
        }
        ControlFlow::Continue(())
    })?;
    let rejects = ledger::all_rejects(connection)?;
    let accepted = rejects.iter().filter(|reject| reject.accepted.is_some()).count() as u64;
    let mut rows: Vec<RunView> =
        select_all(connection, &RUNS, &Filter::All)?.iter().filter_map(RunView::from_row).collect();
    rows.sort_by(|a, b| (&b.started_at, &b.id).cmp(&(&a.started_at, &a.id)));
    rows.truncate(runs);
    Ok(StatusReport {
        version: VERSION,
        target,
        documents: loaded,
        rejects_open: rejects.len() as u64 - accepted,
        rejects_accepted: accepted,
        bulk: None,
        runs: rows,
    })
}

/// The version of the JSON object.
pub const VERSION: u32 = 1;

/// What the ledger says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StatusReport {
    pub version: u32,
    /// The database without its password.
    pub target: String,
    /// Loaded documents by kind.
    pub documents: BTreeMap<String, u64>,
    pub rejects_open: u64,
    pub rejects_accepted: u64,
    /// While keys and indexes are set aside.
    pub bulk: Option<BulkView>,
    /// The newest first.
    pub runs: Vec<RunView>,
}

/// A bulk load that has not put everything back yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BulkView {
    /// Steps that are left.
    pub left: usize,
    /// Whether nobody is at work on it.
    pub interrupted: bool,
}

/// One run as the ledger has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunView {
    /// A UUID.
    pub id: String,
    pub command: String,
    pub source: String,
    /// Who ran it: process and host.
    pub holder: String,
    /// `running`, `done`, `stopped`, `failed`, `interrupted`.
    pub state: String,
    pub phase: Option<String>,
    pub mode: Option<String>,
    pub started_at: String,
    pub finished_at: Option<String>,
    pub seconds: Option<f64>,
    /// As the run wrote it when it closed.
    pub summary: Option<serde_json::Value>,
}

impl RunView {
    /// From a row of the ledger's table `runs`; `None` if it is no such row.
    pub fn from_row(row: &Row) -> Option<RunView> {
        let value = |name: &str| RUNS.column(name).and_then(|column| row.0.get(column));
        let text = |name: &str| value(name).and_then(Value::as_text).map(str::to_owned);
        let time = |name: &str| value(name).and_then(Value::as_time);
        let (started, finished) = (time("started_at")?, time("finished_at"));
        Some(RunView {
            id: value("id")?.as_uuid()?.to_string(),
            command: text("command")?,
            source: text("source")?,
            holder: text("holder")?,
            state: text("state")?,
            phase: text("phase"),
            mode: text("mode"),
            started_at: started.to_fixed(),
            finished_at: finished.map(Instant::to_fixed),
            seconds: finished.map(|finished| (finished.0 - started.0).max(0) as f64 / 1e6),
            summary: text("summary").and_then(|summary| serde_json::from_str(&summary).ok()),
        })
    }
}

pub fn write_text(out: &mut dyn Write, report: &StatusReport) -> io::Result<()> {
    writeln!(out, "target     {}", escape_controls(&report.target))?;
    let documents: Vec<String> =
        report.documents.iter().map(|(kind, count)| format!("{} {kind}", thousands(*count))).collect();
    let documents = if documents.is_empty() { "none".to_owned() } else { documents.join(", ") };
    writeln!(out, "documents  {documents}")?;
    writeln!(
        out,
        "rejects    {} open, {} accepted",
        thousands(report.rejects_open),
        thousands(report.rejects_accepted)
    )?;
    match report.bulk {
        Some(BulkView { left, interrupted: true }) => writeln!(
            out,
            "bulk load  interrupted, {left} steps of putting keys and indexes back are left: run the same `transload \
             migrate` again"
        )?,
        Some(BulkView { left, .. }) => {
            writeln!(out, "bulk load  under way, {left} steps of putting keys and indexes back are left")?;
        }
        None => {}
    }
    writeln!(out)?;
    if report.runs.is_empty() {
        return writeln!(out, "no runs yet");
    }
    let heads = ["run", "command", "state", "phase", "mode", "started", "time", "source"];
    let mut lines = vec![heads.map(str::to_owned).to_vec()];
    for run in &report.runs {
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        lines.push(vec![
            run.id.clone(),
            run.command.clone(),
            run.state.clone(),
            or_dash(&run.phase),
            or_dash(&run.mode),
            // Without the fraction.
            run.started_at.get(..19).map_or_else(|| run.started_at.clone(), |start| format!("{start}Z")),
            run.seconds.map_or_else(|| "-".to_owned(), |seconds| duration(Duration::from_secs_f64(seconds))),
            escape_controls(&run.source),
        ]);
    }
    out.write_all(columns(&[Side::Left; 8], &lines).as_bytes())
}

pub fn write_json(out: &mut dyn Write, report: &StatusReport) -> io::Result<()> {
    json::write_line(out, report)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn runs_are_listed_from_the_ledgers_rows() {
        let mut row = Row(vec![Value::Null; RUNS.columns.len()]);
        for (name, value) in [
            ("id", Value::Uuid(Uuid::nil())),
            ("command", Value::Text("migrate".into())),
            ("source", Value::Text("data".into())),
            ("holder", Value::Text("process 7 on host a".into())),
            ("state", Value::Text("done".into())),
            ("started_at", Value::Time(Instant(0))),
            ("finished_at", Value::Time(Instant(2_500_000))),
            ("summary", Value::Json("{\"rows\":7}".into())),
        ] {
            row.0[RUNS.column(name).expect("a column of runs")] = value;
        }
        let run = RunView::from_row(&row).expect("a run");
        assert_eq!(run.summary.as_ref().expect("a summary")["rows"], 7);
        let report = StatusReport {
            version: VERSION,
            target: "sqlite:a.db".into(),
            documents: [("users".to_owned(), 1200)].into(),
            rejects_open: 1,
            rejects_accepted: 0,
            bulk: None,
            runs: vec![run],
        };
        let mut out = Vec::new();
        write_text(&mut out, &report).expect("a vector takes all");
        assert_eq!(
            String::from_utf8(out).expect("text"),
            "\
target     sqlite:a.db
documents  1,200 users
rejects    1 open, 0 accepted

run                                   command  state  phase  mode  started               time    source
00000000-0000-0000-0000-000000000000  migrate  done   -      -     1970-01-01T00:00:00Z  2.50 s  data
"
        );
    }
}
