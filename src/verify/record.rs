//! Noting in the ledger that a verification was made, for the history. The only thing that is ever
//! written, and only when it is asked for.

use uuid::Uuid;

use crate::model::ledger::RUNS;
use crate::model::{Instant, Row, Value};
use crate::target::{Durability, Target, TargetError};

use super::outcome::{Conclusion, Outcome};

/// Adds a row to the ledger's runs. `holder` says who ran it.
///
/// # Errors
/// Also where the database takes no writes, as a replica does not.
pub fn record(target: &dyn Target, outcome: &Outcome, holder: &str) -> Result<(), TargetError> {
    let finished = Instant(outcome.started.0.saturating_add((outcome.seconds * 1e6) as i64));
    let verdict = match outcome.conclusion {
        Conclusion::Agree => "agree",
        Conclusion::Differ => "differ",
        Conclusion::NotChecked(_) => "not_checked",
    };
    let summary = serde_json::json!({
        "verdict": verdict,
        "narrowed": outcome.narrowed,
        "files": outcome.files,
        "documents": outcome.documents,
        "rows": outcome.tables.values().map(|table| table.rows).sum::<u64>(),
        "differences": outcome.differences,
        "waived": outcome.waived,
        "causes": outcome.causes,
    });
    let state = match outcome.conclusion {
        Conclusion::Agree | Conclusion::Differ => "done",
        Conclusion::NotChecked(_) => "failed",
    };
    let value = |name: &str| match name {
        "id" => Value::Uuid(Uuid::now_v7()),
        "command" => Value::Text("verify".into()),
        "version" => Value::Text(outcome.version.into()),
        "source" => Value::Text(outcome.source.clone()),
        "holder" => Value::Text(holder.to_owned()),
        "state" => Value::Text(state.into()),
        "started_at" => Value::Time(outcome.started),
        "finished_at" => Value::Time(finished),
        "summary" => Value::Json(summary.to_string()),
        _ => Value::Null,
    };
    let row = Row(RUNS.columns.iter().map(|column| value(column.name)).collect());
    target.connect(Durability::Full)?.insert(&RUNS, &[row])
}
