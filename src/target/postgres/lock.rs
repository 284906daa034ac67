//! The locks on a database: session-level advisory locks, each on a connection of its own.
//!
//! One lives exactly as long as that connection, so no crash of either side can leave it behind.
//! It is asked for again and again rather than waited for: a statement that waits holds a snapshot,
//! which an index that is built concurrently would wait for in turn.

use std::thread;
use std::time::{Duration, Instant as Moment};

use super::errors::of_statement;
use super::session::Session;
use crate::model::Instant;
use crate::target::{Holder, Lock, LockError, TargetError, TargetErrorKind};

/// PostgreSQL cuts `application_name` here, in bytes.
const NAME_BYTES: usize = 63;

/// How often to try when the holder is gone by the time we ask who it is.
const ATTEMPTS: usize = 3;

const PING_LIMIT: Duration = Duration::from_secs(30);

/// Another role's address and time are hidden from a role without rights on statistics; the name
/// and the process are not.
const HOLDER: &str = "
    SELECT l.pid, nullif(a.application_name, ''), host(a.client_addr),
           (extract(epoch FROM a.backend_start) * 1000000)::int8
    FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND ((l.classid::int8 << 32) | l.objid::int8) = $1";

/// The pause between two tries while waiting.
const PAUSE: Duration = Duration::from_millis(100);

/// What a lock keeps others from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Run,
    Schema,
}

pub struct PgLock {
    session: Session,
}

/// The lock's number for a ledger: one ledger, one run, and one that changes schemas.
fn key(ledger_schema: &str, purpose: Purpose) -> i64 {
    let name = match purpose {
        Purpose::Run => format!("transload\0{ledger_schema}"),
        Purpose::Schema => format!("transload\0{ledger_schema}\0schema"),
    };
    let hash = blake3::hash(name.as_bytes());
    let bytes = hash.as_bytes().first_chunk().expect("a hash has 32 bytes");
    i64::from_be_bytes(*bytes)
}

pub fn take(
    mut session: Session,
    ledger_schema: &str,
    purpose: Purpose,
    holder: &Holder,
    wait: Duration,
) -> Result<PgLock, LockError> {
    let failed = |error: postgres::Error| of_statement("cannot take the lock on the database".into(), error.into());
    let key = key(ledger_schema, purpose);
    let name = application_name(&holder.name);
    session.client.execute("SELECT set_config('application_name', $1::text, false)", &[&name]).map_err(failed)?;
    let begin = Moment::now();
    let mut unseen = 0;
    while unseen < ATTEMPTS {
        let taken: bool = session.client.query_one("SELECT pg_try_advisory_lock($1)", &[&key]).map_err(failed)?.get(0);
        if taken {
            return Ok(PgLock { session });
        }
        let waited = begin.elapsed();
        if waited < wait {
            thread::sleep(PAUSE.min(wait - waited));
            continue;
        }
        match session.client.query_opt(HOLDER, &[&key]).map_err(failed)? {
            Some(row) => return Err(held(row.get(0), row.get(1), row.get(2), row.get(3))),
            None => unseen += 1,
        }
    }
    Err(LockError::Held { holder: "a session that comes and goes".into(), since: "just now".into() })
}

fn held(pid: i32, name: Option<String>, address: Option<String>, since: Option<i64>) -> LockError {
    let name = name.unwrap_or_else(|| "a session without a name".into());
    let address = address.map(|address| format!("from {address}, ")).unwrap_or_default();
    let since = match since.and_then(Instant::checked) {
        Some(instant) => {
            let c = instant.civil();
            format!("{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC", c.year, c.month, c.day, c.hour, c.minute, c.second)
        }
        None => "an unknown time".into(),
    };
    LockError::Held { holder: format!("{} ({address}server process {pid})", name.escape_debug()), since }
}

/// The holder's name as the server keeps it: printable ASCII, cut.
fn application_name(holder: &str) -> String {
    let printable = |c: char| if c == ' ' || c.is_ascii_graphic() { c } else { '?' };
    holder.chars().map(printable).take(NAME_BYTES).collect()
}

impl Drop for PgLock {
    fn drop(&mut self) {
        // Closing the connection does the same, but a moment after we have gone on. An error means
        // that it is closed already.
        let _ = self.session.client.batch_execute("SELECT pg_advisory_unlock_all()");
    }
}

impl Lock for PgLock {
    fn check(&mut self) -> Result<(), TargetError> {
        // As long as the session lives, so does its lock.
        self.session.client.is_valid(PING_LIMIT).map_err(|error| {
            TargetError::new(TargetErrorKind::Lost, "the lock on the database was lost with its connection")
                .because(error)
                .with_hint("another run may have begun; run the same command again")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ledger_has_its_own_lock() {
        assert_ne!(key("transload", Purpose::Run), key("transload_2", Purpose::Run));
        assert_ne!(key("transload", Purpose::Run), key("transload", Purpose::Schema));
    }

    #[test]
    fn a_holder_is_cut_to_what_the_server_keeps() {
        assert_eq!(application_name("migrate, process 1 on hôst"), "migrate, process 1 on h?st");
        assert_eq!(application_name(&"x".repeat(100)).len(), 63);
    }
}
