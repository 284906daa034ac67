//! A line in the ledger for each verification, so that the next report has a history.
//!
//! It is written after the comparison, by a connection of its own. Where nothing can be written (a
//! replica, a role that may only read) the verification is as good without it.

use serde_json::json;
use uuid::Uuid;

use crate::model::ledger::RUNS;
use crate::model::{Instant, Row, Value};
use crate::target::{Durability, Target, TargetError};
use crate::verify::outcome::{Conclusion, Outcome};

pub fn note(target: &dyn Target, outcome: &Outcome, holder: &str) {
    if let Err(error) = insert(target, outcome, holder) {
        tracing::info!(%error, "the run is not noted in the database, which can only be read");
    }
}

fn insert(target: &dyn Target, outcome: &Outcome, holder: &str) -> Result<(), TargetError> {
    target.connect(Durability::Full)?.insert(&RUNS, &[row(outcome, holder)])
}

fn row(outcome: &Outcome, holder: &str) -> Row {
    let (state, verdict) = match outcome.conclusion {
        Conclusion::Agree => ("done", "agree"),
        Conclusion::Differ => ("done", "differ"),
        Conclusion::NotChecked(_) => ("failed", "not_checked"),
    };
    let rows: u64 = outcome.tables.values().map(|table| table.rows).sum();
    let summary = json!({
        "verdict": verdict,
        "narrowed": outcome.narrowed,
        "files": outcome.files,
        "documents": outcome.documents,
        "rows": rows,
        "differences": outcome.differences,
        "waived": outcome.waived,
        "causes": outcome.causes,
    });
    let value = |name: &str| match name {
        "id" => Value::Uuid(Uuid::now_v7()),
        "command" => Value::Text("verify".to_owned()),
        "version" => Value::Text(outcome.version.to_owned()),
        "source" => Value::Text(outcome.source.clone()),
        "holder" => Value::Text(holder.to_owned()),
        "state" => Value::Text(state.to_owned()),
        "started_at" => Value::Time(outcome.started),
        "finished_at" => Value::Time(finished(outcome)),
        "summary" => Value::Json(summary.to_string()),
        _ => Value::Null,
    };
    Row(RUNS.columns.iter().map(|column| value(column.name)).collect())
}

fn finished(outcome: &Outcome) -> Instant {
    let micros = outcome.started.0.saturating_add((outcome.seconds * 1e6) as i64);
    Instant::checked(micros).unwrap_or(outcome.started)
}
