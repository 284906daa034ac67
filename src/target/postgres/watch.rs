//! Who is in the way of a statement, asked over a second connection while the statement waits.

use super::errors::of_statement;
use super::session::Session;
use crate::target::{TargetError, Watch};

/// What others do is hidden from a role without rights on statistics; their process is not.
const BLOCKERS: &str = "
    SELECT b.pid, nullif(a.application_name, ''), a.usename::text, a.state,
           extract(epoch FROM clock_timestamp() - a.xact_start)::int8,
           (SELECT string_agg(DISTINCT w.relation::regclass::text, ', ')
            FROM pg_locks w WHERE w.pid = $1 AND NOT w.granted AND w.relation IS NOT NULL)
    FROM (SELECT DISTINCT unnest(pg_blocking_pids($1)) AS pid) b
    LEFT JOIN pg_stat_activity a ON a.pid = b.pid
    ORDER BY b.pid";

pub struct PgWatch {
    session: Session,
}

impl PgWatch {
    pub fn new(session: Session) -> PgWatch {
        PgWatch { session }
    }
}

impl Watch for PgWatch {
    fn blockers(&mut self, process: i64) -> Result<Vec<String>, TargetError> {
        let process = i32::try_from(process).unwrap_or_default();
        let failed = |error: postgres::Error| of_statement("cannot see who is in the way".into(), error.into());
        let rows = self.session.client.query(BLOCKERS, &[&process]).map_err(failed)?;
        let blocker = |row: &postgres::Row| {
            let (pid, name, user): (i32, Option<String>, Option<String>) = (row.get(0), row.get(1), row.get(2));
            let (state, seconds, waits): (Option<String>, Option<i64>, Option<String>) =
                (row.get(3), row.get(4), row.get(5));
            let who: Vec<String> = [name, user.map(|user| format!("user {user}"))].into_iter().flatten().collect();
            let mut text = format!("server process {pid}");
            if !who.is_empty() {
                text += &format!(" ({})", who.join(", "));
            }
            if let (Some(state), Some(seconds)) = (state, seconds) {
                text += &format!(", {state}, in a transaction for {seconds} s");
            }
            if let Some(relation) = waits {
                text += &format!(", holds a lock on {relation}");
            }
            text.escape_debug().to_string()
        };
        Ok(rows.iter().map(blocker).collect())
    }
}
