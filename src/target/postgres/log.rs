//! The log of attempts to change a schema: a table of the ledger's, written over a connection of its
//! own, so that an attempt that is undone stays in it.

use super::errors::of_statement;
use super::session::Session;
use super::sql::quote;
use crate::target::{AttemptLog, TargetError};

/// Appending takes a moment; whoever holds the table for longer does something else to it.
const SETTINGS: &str = "SET lock_timeout = '10s'";

pub struct PgLog {
    session: Session,
    table: String,
}

impl PgLog {
    pub fn new(session: Session, ledger_schema: &str) -> PgLog {
        PgLog { session, table: format!("{}.schema_attempts", quote(ledger_schema)) }
    }

    fn exists(&mut self) -> Result<bool, postgres::Error> {
        Ok(self.session.client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&self.table])?.get(0))
    }

    fn try_append(&mut self, next: &mut dyn FnMut(Option<&str>) -> String) -> Result<(), postgres::Error> {
        self.session.client.batch_execute(SETTINGS)?;
        let mut transaction = self.session.client.transaction()?;
        transaction.batch_execute(&format!("LOCK TABLE {} IN EXCLUSIVE MODE", self.table))?;
        let last = format!("SELECT number, line FROM {} ORDER BY number DESC LIMIT 1", self.table);
        let last = transaction.query_opt(&last, &[])?;
        let (number, line): (i64, Option<String>) = match &last {
            Some(row) => (row.get(0), Some(row.get(1))),
            None => (0, None),
        };
        let line = next(line.as_deref());
        let insert = format!("INSERT INTO {} (number, line) VALUES ($1, $2)", self.table);
        transaction.execute(&insert, &[&(number + 1), &line])?;
        transaction.commit()
    }
}

fn failed(error: postgres::Error) -> TargetError {
    of_statement("cannot use the log of schema changes".into(), error.into())
}

impl AttemptLog for PgLog {
    /// The table comes with the history's.
    fn prepare(&mut self) -> Result<(), TargetError> {
        Ok(())
    }

    fn append(&mut self, next: &mut dyn FnMut(Option<&str>) -> String) -> Result<(), TargetError> {
        match self.exists().map_err(failed)? {
            true => self.try_append(next).map_err(failed),
            false => Ok(()),
        }
    }

    fn lines(&mut self) -> Result<Vec<String>, TargetError> {
        if !self.exists().map_err(failed)? {
            return Ok(Vec::new());
        }
        let select = format!("SELECT line FROM {} ORDER BY number", self.table);
        let rows = self.session.client.query(&select, &[]).map_err(failed)?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}
