//! The runs that the ledger remembers.

use crate::model::ledger::RUNS;
use crate::model::{Row, Value};
use crate::node::{self, Node};
use crate::target::{select_all, Connection, Filter, TargetError};

use super::outcome::PastRun;

/// As many of the last runs as a picture can show.
const MOST: usize = 60;

/// The last runs, the oldest first. A row that is not what transload writes is left out: nothing
/// is proved by it.
pub fn read(connection: &mut dyn Connection) -> Result<Vec<PastRun>, TargetError> {
    let mut runs: Vec<PastRun> = select_all(connection, &RUNS, &Filter::All)?.iter().filter_map(past_run).collect();
    runs.sort_by_key(|run| (run.started, run.id));
    let first = runs.len().saturating_sub(MOST);
    Ok(runs.split_off(first))
}

fn past_run(row: &Row) -> Option<PastRun> {
    let value = |name: &str| RUNS.column(name).map(|at| &row.0[at]);
    let text = |name: &str| value(name).and_then(Value::as_text).map(str::to_owned);
    let started = value("started_at").and_then(Value::as_time)?;
    let finished = value("finished_at").and_then(Value::as_time);
    let summary = text("summary").and_then(|text| node::parse(text.as_bytes()).ok()).map(|(node, _)| node);
    let number = |path: &[&str]| {
        let mut node = summary.as_ref()?;
        for step in path {
            node = node.get(step)?;
        }
        node.as_number().and_then(|number| number.parse::<u64>().ok())
    };
    let documents = number(&["documents", "found"]);
    let tables = summary.as_ref().and_then(|summary| summary.get("tables"));
    let of_tables = |tables: &Node| {
        tables
            .members()
            .iter()
            .filter_map(|(_, table)| table.get("rows"))
            .filter_map(Node::as_number)
            .filter_map(|number| number.parse::<u64>().ok())
            .sum()
    };
    Some(PastRun {
        id: value("id").and_then(Value::as_uuid)?,
        command: text("command")?,
        state: text("state")?,
        started,
        seconds: finished.map(|finished| u64::try_from((finished.0 - started.0) / 1_000_000).unwrap_or(0)),
        documents,
        rows: number(&["rows"]).or_else(|| tables.map(of_tables)),
        differences: number(&["differences"]),
    })
}
