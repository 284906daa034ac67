//! Running migrations over a connection.

use postgres::error::ErrorPosition;
use postgres::types::Type;

use super::connection::PgConnection;
use super::errors::Failure;
use super::session::Session;
use super::sql::{quote, Schemas};
use crate::model::Owner;
use crate::target::{Begin, Connection, SchemaSession, StatementError, TargetError, TargetErrorKind};

pub const SET_PATH: &str = "SELECT set_config('search_path', $1::text, true)";

/// Where a migration's unqualified names are looked for: the schema itself, then what the session
/// has beside it (extensions, say), never the ledger's before the application's.
fn path(session: &mut Session, schemas: &Schemas, owner: Owner) -> Result<String, Failure> {
    let first = schemas.of(owner);
    let rows = session.client.query("SELECT unnest(current_schemas(false))::text", &[])?;
    let others = rows.iter().map(|row| row.get::<_, String>(0)).filter(|name| name != first && name != schemas.ledger);
    let names: Vec<String> = std::iter::once(first.to_owned()).chain(others).map(|name| quote(&name)).collect();
    Ok(names.join(", "))
}

impl PgConnection {
    /// Runs `work` with names of this owner's schema alone unqualified, in a savepoint that is undone.
    pub(super) fn aside<T>(
        &mut self,
        context: &str,
        work: impl FnOnce(&mut Session, &Schemas) -> Result<T, Failure>,
    ) -> Result<T, TargetError> {
        self.begin()?;
        let result = self.run(|| context.to_owned(), work);
        // Of two errors the first is the one to report.
        let undone = self.rollback();
        result.and_then(|value| undone.map(|()| value))
    }

    fn run_statement(&mut self, sql: &str) -> Result<(), StatementError> {
        let mut offset = None;
        let result = self.run(
            || "the statement failed".into(),
            |session, _| {
                session.client.batch_execute(sql).map_err(|error| {
                    offset = offset_of(&error, sql);
                    error.into()
                })
            },
        );
        result.map_err(|error| StatementError { error, offset })
    }
}

/// The server counts characters from one.
fn offset_of(error: &postgres::Error, sql: &str) -> Option<usize> {
    match error.as_db_error()?.position()? {
        ErrorPosition::Original(at) => {
            let at = usize::try_from(*at).ok()?.checked_sub(1)?;
            sql.char_indices().nth(at).map(|(offset, _)| offset)
        }
        ErrorPosition::Internal { .. } => None,
    }
}

impl SchemaSession for PgConnection {
    fn begin_migration(&mut self, begin: &Begin) -> Result<(), TargetError> {
        self.may_write(|| "cannot begin a migration".into())?;
        self.begin()?;
        if begin.owner == Owner::Ledger {
            self.make_ledger_schema()?;
        }
        let owner = begin.owner;
        let timeout = format!("{}ms", begin.lock_timeout.as_millis());
        let transaction = self.run(
            || "cannot begin a migration".into(),
            |session, schemas| {
                let path = path(session, schemas, owner)?;
                session.client.execute(SET_PATH, &[&path])?;
                session.client.execute("SELECT set_config('lock_timeout', $1::text, true)", &[&timeout])?;
                Ok(session.client.query_one("SELECT pg_current_xact_id()::text", &[])?.get(0))
            },
        );
        match transaction {
            Ok(transaction) => self.migration = Some(transaction),
            Err(error) => {
                let _ = self.rollback();
                return Err(error);
            }
        }
        Ok(())
    }

    fn statement(&mut self, sql: &str) -> Result<(), StatementError> {
        self.run_statement(sql)
    }

    fn is_in_migration(&mut self) -> Result<bool, TargetError> {
        let now: Option<String> = self.run(
            || "cannot see which transaction is open".into(),
            |session, _| Ok(session.client.query_one("SELECT pg_current_xact_id_if_assigned()::text", &[])?.get(0)),
        )?;
        Ok(now.is_some() && now == self.migration)
    }

    /// Foreign keys hold whatever a migration does.
    fn lost_rows(&mut self, _may_lose: bool) -> Result<Vec<String>, TargetError> {
        Ok(Vec::new())
    }

    fn commit_migration(&mut self) -> Result<(), TargetError> {
        self.migration = None;
        self.commit()
    }

    fn abort_migration(&mut self) -> Result<(), TargetError> {
        self.migration = None;
        self.rollback()
    }

    fn statement_alone(&mut self, owner: Owner, sql: &str) -> Result<(), StatementError> {
        self.may_write(|| "cannot run the statement".into())?;
        if self.depth > 0 {
            let context = "a statement that must stand outside of a transaction cannot be run in one";
            return Err(TargetError::new(TargetErrorKind::Other, context).into());
        }
        self.run(
            || "cannot set the search path".into(),
            |session, schemas| {
                let path = path(session, schemas, owner)?;
                Ok(session.client.batch_execute(&format!("SET search_path = {path}"))?)
            },
        )?;
        let result = self.run_statement(sql);
        let reset = self.execute("RESET search_path", "cannot reset the search path");
        result.and_then(|()| Ok(reset?))
    }

    fn holds(&mut self, owner: Owner, query: &str) -> Result<bool, StatementError> {
        let mut offset = None;
        let result = self.aside("the query failed", |session, schemas| {
            let path = path(session, schemas, owner)?;
            session.client.execute(SET_PATH, &[&path])?;
            let rows = session.client.query(query, &[]).inspect_err(|error| {
                offset = offset_of(error, query);
            })?;
            Ok(match rows.as_slice() {
                [row] if row.len() == 1 && *row.columns()[0].type_() == Type::BOOL => {
                    row.get::<_, Option<bool>>(0) == Some(true)
                }
                _ => false,
            })
        });
        result.map_err(|error| StatementError { error, offset })
    }

    fn drop_index(&mut self, owner: Owner, name: &str) -> Result<(), StatementError> {
        self.statement_alone(owner, &format!("DROP INDEX CONCURRENTLY IF EXISTS {}", quote(name)))
    }

    fn process(&mut self) -> Result<i64, TargetError> {
        self.run(
            || "cannot ask for the server process".into(),
            |session, _| Ok(i64::from(session.client.query_one("SELECT pg_backend_pid()", &[])?.get::<_, i32>(0))),
        )
    }
}
