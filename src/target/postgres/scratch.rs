//! A database for a moment, beside the one that was given, to build a schema in.
//!
//! Whoever makes one holds an advisory lock of its name as long as it is there. So what a run that was
//! killed has left behind is known by its name that nobody holds the lock of, and the next run that
//! makes one removes it.

use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use super::errors::of_statement;
use super::session::{Opener, Session};
use super::sql::quote;
use crate::target::{TargetError, TargetErrorKind};

const PREFIX: &str = "transload_scratch_";

/// Databases that are called as ours are. Whose lock somebody holds is seen from every database.
const LEFT: &str = "
    SELECT d.datname::text FROM pg_database d
    WHERE d.datname ~ '^transload_scratch_[0-9a-f]{32}$'
      AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datid = d.oid)";

const HELD: &str = "
    SELECT EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
                   AND ((l.classid::int8 << 32) | l.objid::int8) = $1)";

pub struct ScratchDatabase {
    /// Holds the lock, and drops the database in the end.
    session: Mutex<Session>,
    name: String,
}

/// The number of the lock that says that a scratch database is in use.
fn key(name: &str) -> i64 {
    let hash = blake3::hash(name.as_bytes());
    let bytes = hash.as_bytes().first_chunk().expect("a hash has 32 bytes");
    i64::from_be_bytes(*bytes)
}

impl ScratchDatabase {
    /// From `template0`, so that what somebody put into `template1` is not in it.
    pub fn create(opener: &Opener) -> Result<ScratchDatabase, TargetError> {
        let name = format!("{PREFIX}{}", Uuid::now_v7().simple());
        let mut session = opener.open()?;
        remove_left(&mut session);
        let failed = |error: postgres::Error| of_statement("cannot make a scratch database".into(), error.into());
        session.client.execute("SELECT pg_advisory_lock($1)", &[&key(&name)]).map_err(failed)?;
        let create = format!("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'", quote(&name));
        session.client.batch_execute(&create).map_err(|error| {
            let error = failed(error);
            match error.kind {
                TargetErrorKind::Denied => error
                    .with_hint("let the role make databases (ALTER ROLE ... CREATEDB), or name a server where it may"),
                _ => error,
            }
        })?;
        Ok(ScratchDatabase { session: Mutex::new(session), name })
    }

    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Removes what runs that are dead left behind. What cannot be removed, because it is another role's or
/// because the last statement of a dead run is still under way, stays for the next time.
fn remove_left(session: &mut Session) {
    let names = session.client.query(LEFT, &[]).unwrap_or_default();
    for name in names.iter().map(|row| row.get::<_, String>(0)) {
        let held = session.client.query_one(HELD, &[&key(&name)]).is_ok_and(|row| row.get(0));
        // Without FORCE: who has connected meanwhile is not disturbed.
        let drop = format!("DROP DATABASE IF EXISTS {}", quote(&name));
        if !held && session.client.batch_execute(&drop).is_ok() {
            tracing::info!(database = name, "removed what a run that was killed had left behind");
        }
    }
}

impl Drop for ScratchDatabase {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quote(&self.name));
        let session = self.session.get_mut().unwrap_or_else(PoisonError::into_inner);
        if session.client.batch_execute(&drop).is_err() {
            tracing::warn!(database = self.name, "the scratch database could not be dropped");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_that_are_removed_are_those_that_are_made() {
        assert!(LEFT.contains(&format!("'^{PREFIX}[0-9a-f]{{32}}$'")));
        assert_eq!(Uuid::now_v7().simple().to_string().len(), 32);
    }
}
