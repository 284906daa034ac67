//! One connection: transactions that nest, rows in and out.

use std::ops::ControlFlow;
use std::time::Duration;

use fallible_iterator::FallibleIterator;
use postgres::types::{ToSql, Type};
use postgres::RowIter;

use super::encode::Parameter;
use super::errors::{of_statement, Failure};
use super::pool::Lent;
use super::schema::SET_PATH;
use super::session::Session;
use super::sql::{self, quote, Schemas};
use super::{catalogue, copy, decode, encode};
use crate::model::{Catalogue, Owner, Row, Table, Value};
use crate::target::{
    no_reader, reads_only, Connection, Durability, Filter, LiveColumn, Piece, SchemaSession, TargetError,
    TargetErrorKind,
};

/// Longer silence of a server that has nothing to do but answer means that it is gone.
const PING_LIMIT: Duration = Duration::from_secs(30);

/// Begins to read one state of the database. Which one, the first query decides, or a snapshot.
const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

pub struct PgConnection {
    pub(super) lent: Lent,
    pub(super) ledger_schema: String,
    access: Access,
    /// How many transactions and savepoints are open.
    pub(super) depth: usize,
    /// The transaction of the migration that is under way.
    pub(super) migration: Option<String>,
    /// A statement failed in the transaction that is open: PostgreSQL answers COMMIT with a silent
    /// rollback then, which must not pass for success.
    failed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Write,
    /// The outermost transaction is the reader's own and only reads.
    Read,
}

/// Up to so many rows are overwritten one by one: the server plans anew for arrays.
const FEW: usize = 4;

/// Bytes that are overwritten by one statement, beside its first row.
const MOST_UPDATED: usize = 4 << 20;

/// Cuts rows to be overwritten into what goes at once.
fn cut(rows: &[Row]) -> Vec<&[Row]> {
    let mut bytes = 0;
    let fits = |_: &Row, next: &Row| {
        bytes += next.weight();
        let fits = bytes <= MOST_UPDATED;
        if !fits {
            bytes = 0;
        }
        fits
    };
    rows.chunk_by(fits).collect()
}

impl PgConnection {
    fn update_each(&mut self, table: &Table, rows: &[Row]) -> Result<u64, TargetError> {
        let context = || format!("cannot update rows of `{}`", table.name);
        self.run(context, |session, schemas| {
            // The server says of which types the columns are.
            let statement = session.prepared(sql::update_one(&schemas.table(table), table), &[])?;
            let mut updated = 0;
            for row in rows {
                let values = encode::values(table, row)?;
                let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
                updated += session.client.execute(&statement, &values)?;
            }
            Ok(updated)
        })
    }

    fn update_many(&mut self, table: &Table, rows: &[Row]) -> Result<u64, TargetError> {
        let context = || format!("cannot update rows of `{}`", table.name);
        self.run(context, |session, schemas| {
            let types: Vec<Type> = table.columns.iter().map(|column| encode::array_type(column.kind).1).collect();
            let statement = session.prepared(sql::update_many(&schemas.table(table), table), &types)?;
            let arrays = table
                .columns
                .iter()
                .enumerate()
                .map(|(at, column)| encode::array(column.kind, column.name, rows.iter().map(|row| &row.0[at])));
            let arrays = arrays.collect::<Result<Vec<_>, _>>()?;
            let arrays: Vec<&(dyn ToSql + Sync)> = arrays.iter().map(|array| array as _).collect();
            Ok(session.client.execute(&statement, &arrays)?)
        })
    }

    pub fn new(mut lent: Lent, durability: Durability, ledger_schema: &str) -> Result<PgConnection, TargetError> {
        let session = lent.session();
        if session.durability != Some(durability) {
            // Off is safe for batches: the ledger says that a document is loaded in the commit that
            // loads it, so a crash of the server loses both and the next run loads it again. A
            // synchronous commit flushes the log up to itself, earlier commits of all included.
            let setting = match durability {
                Durability::Relaxed => "SET synchronous_commit = off",
                Durability::Full => "SET synchronous_commit = on",
            };
            session
                .client
                .batch_execute(setting)
                .map_err(|error| of_statement("cannot set up the session".into(), error.into()))?;
            session.durability = Some(durability);
        }
        Ok(PgConnection::over(lent, ledger_schema, Access::Write))
    }

    /// With a transaction open that reads what this snapshot shows, or what the database holds now.
    pub fn reader(lent: Lent, ledger_schema: &str, snapshot: Option<&str>) -> Result<PgConnection, TargetError> {
        let mut reader = PgConnection::over(lent, ledger_schema, Access::Read);
        // Also if what follows fails half-way: such a session is not used again.
        reader.depth = 1;
        let statements = match snapshot {
            Some(snapshot) => format!("{READ}; SET TRANSACTION SNAPSHOT '{}'", snapshot.replace('\'', "''")),
            None => format!("{READ}; SELECT"),
        };
        reader.execute(&statements, "cannot begin to read")?;
        Ok(reader)
    }

    /// A name by which other connections read what this reader does, as long as it does.
    pub fn export_snapshot(&mut self) -> Result<String, TargetError> {
        self.run(
            || "cannot share what is read among connections".into(),
            |session, _| Ok(session.client.query_typed_one("SELECT pg_export_snapshot()", &[])?.get(0)),
        )
    }

    fn over(lent: Lent, ledger_schema: &str, access: Access) -> PgConnection {
        PgConnection { lent, ledger_schema: ledger_schema.to_owned(), access, depth: 0, migration: None, failed: false }
    }

    /// The server refuses as well, but a reader's error is the same on every target.
    pub(super) fn may_write(&self, context: impl FnOnce() -> String) -> Result<(), TargetError> {
        match self.access {
            Access::Write => Ok(()),
            Access::Read => Err(reads_only(context())),
        }
    }

    /// Whether `begin` opened something that is open.
    fn has_begun(&self) -> bool {
        let own = usize::from(self.access == Access::Read);
        self.depth > own
    }

    /// Runs `work` and keeps book of its failure.
    pub(super) fn run<T>(
        &mut self,
        context: impl FnOnce() -> String,
        work: impl FnOnce(&mut Session, &Schemas) -> Result<T, Failure>,
    ) -> Result<T, TargetError> {
        if self.failed {
            // The server would refuse it as well, but only after a COPY's rows were sent, whose
            // answers the driver would then take for those to later statements.
            let context = format!("{}: a statement failed before in the same transaction", context());
            return Err(TargetError::new(TargetErrorKind::Other, context).with_hint("roll the transaction back"));
        }
        let session = self.lent.session();
        let application = session.schema.clone();
        let schemas = Schemas { application: &application, ledger: &self.ledger_schema };
        work(session, &schemas).map_err(|failure| {
            let error = of_statement(context(), failure);
            self.failed = self.depth > 0;
            if error.kind == TargetErrorKind::Lost {
                self.lent.session().broken = true;
            }
            error
        })
    }

    pub(super) fn execute(&mut self, statement: &str, context: &str) -> Result<(), TargetError> {
        self.run(|| context.to_owned(), |session, _| Ok(session.client.batch_execute(statement)?))
    }

    /// Runs `work` in the open transaction, or in one of its own.
    pub(super) fn within<T>(
        &mut self,
        work: impl FnOnce(&mut PgConnection) -> Result<T, TargetError>,
    ) -> Result<T, TargetError> {
        if self.depth > 0 {
            return work(self);
        }
        self.begin()?;
        match work(self) {
            Ok(value) => self.commit().map(|()| value),
            Err(error) => {
                // The first error is the one to report; a lost connection rolls back by itself.
                let _ = self.rollback();
                Err(error)
            }
        }
    }
}

impl Drop for PgConnection {
    fn drop(&mut self) {
        // An open transaction must not meet the session's next user; the server rolls it back
        // when the connection closes.
        if self.depth > 0 {
            self.lent.session().broken = true;
        }
    }
}

impl Connection for PgConnection {
    fn begin(&mut self) -> Result<(), TargetError> {
        let statement = match self.depth {
            0 => "BEGIN".to_owned(),
            depth => format!("SAVEPOINT transload_{depth}"),
        };
        self.execute(&statement, "cannot begin a transaction")?;
        self.depth += 1;
        Ok(())
    }

    fn begin_guarded(&mut self) -> Result<(), TargetError> {
        if self.depth > 0 {
            return self.begin();
        }
        self.execute("BEGIN ISOLATION LEVEL REPEATABLE READ", "cannot begin a transaction")?;
        self.depth = 1;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), TargetError> {
        if self.failed && self.has_begun() {
            self.rollback()?;
            return Err(TargetError::new(
                TargetErrorKind::Other,
                "cannot commit a transaction in which a statement failed: it was rolled back",
            ));
        }
        let statement = match self.depth {
            _ if !self.has_begun() => return Err(none_open()),
            1 => "COMMIT".to_owned(),
            depth => format!("RELEASE SAVEPOINT transload_{}", depth - 1),
        };
        let result = self.execute(&statement, "cannot commit");
        self.depth -= 1;
        if self.depth == 0 {
            // A COMMIT that was refused (a constraint checked at its time) has ended the transaction.
            self.failed = false;
        }
        result
    }

    fn rollback(&mut self) -> Result<(), TargetError> {
        let statement = match self.depth {
            _ if !self.has_begun() => return Err(none_open()),
            1 => "ROLLBACK".to_owned(),
            depth => format!("ROLLBACK TO SAVEPOINT transload_{0}; RELEASE SAVEPOINT transload_{0}", depth - 1),
        };
        self.depth -= 1;
        self.failed = false;
        let result = self.execute(&statement, "cannot roll back");
        if result.is_err() {
            self.lent.session().broken = true;
        }
        result
    }

    fn insert_pieces(&mut self, table: &Table, pieces: &[Piece]) -> Result<(), TargetError> {
        let context = || format!("cannot copy rows into `{}`", table.name);
        self.may_write(context)?;
        self.run(context, |session, schemas| copy::send(session, &schemas.table(table), table, pieces))
    }

    fn update(&mut self, table: &Table, rows: &[Row]) -> Result<u64, TargetError> {
        let context = || format!("cannot update rows of `{}`", table.name);
        self.may_write(context)?;
        if rows.is_empty() {
            return Ok(0);
        }
        if rows.len() <= FEW {
            return self.within(|connection| connection.update_each(table, rows));
        }
        match &cut(rows)[..] {
            [all] => self.update_many(table, all),
            some => self.within(|connection| {
                some.iter().try_fold(0, |updated, rows| Ok(updated + connection.update_many(table, rows)?))
            }),
        }
    }

    fn delete(&mut self, table: &Table, filter: &Filter) -> Result<u64, TargetError> {
        let context = || format!("cannot delete rows of `{}`", table.name);
        self.may_write(context)?;
        self.run(context, |session, schemas| {
            let (parameters, types): (Vec<Parameter>, Vec<Type>) = parameters(table, filter)?.into_iter().unzip();
            let statement = session.prepared(sql::delete(&schemas.table(table), table, filter), &types)?;
            let parameters: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(|parameter| parameter as _).collect();
            Ok(session.client.execute(&statement, &parameters)?)
        })
    }

    fn select(
        &mut self,
        table: &Table,
        filter: &Filter,
        each: &mut dyn FnMut(Row) -> ControlFlow<()>,
    ) -> Result<(), TargetError> {
        self.select_ordered(table, filter, table.key, each)
    }

    /// What is left of the result when `each` breaks off is passed over by the next statement.
    fn select_ordered(
        &mut self,
        table: &Table,
        filter: &Filter,
        order: &[usize],
        each: &mut dyn FnMut(Row) -> ControlFlow<()>,
    ) -> Result<(), TargetError> {
        self.run(
            || format!("cannot read rows of `{}`", table.name),
            |session, schemas| {
                let statement = sql::select(&schemas.table(table), table, filter, order);
                let mut found = filtered(session, statement, table, filter)?;
                while let Some(row) = found.next()? {
                    if each(decode::row(table, &row)?).is_break() {
                        break;
                    }
                }
                Ok(())
            },
        )
    }

    fn scan(
        &mut self,
        table: &Table,
        columns: &[usize],
        filter: &Filter,
        each: &mut dyn FnMut(&[Value]) -> ControlFlow<()>,
    ) -> Result<(), TargetError> {
        self.run(
            || format!("cannot read rows of `{}`", table.name),
            |session, schemas| {
                let query = sql::scan(&schemas.table(table), table, columns, filter);
                let columns: Vec<_> = columns.iter().map(|at| &table.columns[*at]).collect();
                if let Filter::All = filter {
                    return copy::receive(session, &query, &columns, each);
                }
                // A COPY takes no parameters.
                let mut values = Vec::with_capacity(columns.len());
                let mut found = filtered(session, query, table, filter)?;
                while let Some(row) = found.next()? {
                    values.clear();
                    decode::columns(columns.iter().copied(), &row, &mut values)?;
                    if each(&values).is_break() {
                        break;
                    }
                }
                Ok(())
            },
        )
    }

    fn is_empty(&mut self, table: &Table) -> Result<bool, TargetError> {
        self.run(
            || format!("cannot read rows of `{}`", table.name),
            |session, schemas| Ok(session.client.query_typed_one(&sql::is_empty(&schemas.table(table)), &[])?.get(0)),
        )
    }

    fn live_columns(&mut self, table: &Table) -> Result<Option<Vec<LiveColumn>>, TargetError> {
        self.run(
            || format!("cannot read the columns of `{}`", table.name),
            |session, schemas| {
                let schema = schemas.of(table.owner);
                let rows = session.client.query(sql::LIVE_COLUMNS, &[&schema, &table.name])?;
                let columns = rows.iter().filter_map(|row| {
                    let name: Option<String> = row.get(0);
                    name.map(|name| LiveColumn { name, type_name: row.get(1), nullable: row.get(2) })
                });
                Ok((!rows.is_empty()).then(|| columns.collect()))
            },
        )
    }

    fn catalogue(&mut self, owner: Owner) -> Result<Catalogue, TargetError> {
        self.aside("cannot read the catalogue", |session, schemas| {
            let schema = schemas.of(owner);
            session.client.execute(SET_PATH, &[&quote(schema)])?;
            Ok(catalogue::read(&mut session.client, schema)?)
        })
    }

    fn run_script(&mut self, owner: Owner, sql: &str) -> Result<(), TargetError> {
        self.may_write(|| "cannot run the schema's SQL".into())?;
        self.within(|connection| {
            if owner == Owner::Ledger {
                connection.make_ledger_schema()?;
            }
            connection.run(
                || "cannot run the schema's SQL".into(),
                |session, schemas| {
                    let client = &mut session.client;
                    let before: String = client.query_one("SELECT current_setting('search_path')", &[])?.get(0);
                    let set = "SELECT set_config('search_path', $1::text, true)";
                    client.execute(set, &[&quote(schemas.of(owner))])?;
                    client.batch_execute(sql)?;
                    client.execute(set, &[&before])?;
                    Ok(())
                },
            )
        })
    }

    fn run_alone(&mut self, owner: Owner, sql: &str) -> Result<bool, TargetError> {
        if self.depth > 0 {
            return Ok(false);
        }
        self.statement_alone(owner, sql).map(|()| true).map_err(|error| error.error)
    }

    fn refresh(&mut self) -> Result<(), TargetError> {
        if self.access == Access::Write {
            return Err(no_reader());
        }
        (self.depth, self.failed) = (1, false);
        self.execute(&format!("ROLLBACK; {READ}; SELECT"), "cannot begin to read anew")
    }

    fn ping(&mut self) -> Result<(), TargetError> {
        self.run(|| "the database does not answer".into(), |session, _| Ok(session.client.is_valid(PING_LIMIT)?))
            .map_err(|mut error| {
                // Also when time ran out, for which the driver has no kind of its own.
                error.kind = TargetErrorKind::Lost;
                self.lent.session().broken = true;
                error
            })
    }
}

impl PgConnection {
    /// Only where there is none: a role without rights on the database can work in a schema that
    /// was made for it.
    pub(super) fn make_ledger_schema(&mut self) -> Result<(), TargetError> {
        let ledger = self.ledger_schema.clone();
        let context = || format!("cannot create the ledger's schema `{ledger}`");
        self.run(context, |session, schemas| {
            let known = "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1::text)";
            let exists: bool = session.client.query_one(known, &[&schemas.ledger])?.get(0);
            if !exists {
                session.client.batch_execute(&format!("CREATE SCHEMA {}", quote(schemas.ledger)))?;
            }
            Ok(())
        })
        .map_err(|error| match error.kind {
            TargetErrorKind::Denied => error.with_hint(format!(
                "let somebody who may run CREATE SCHEMA {} AUTHORIZATION with this role's name",
                quote(&ledger)
            )),
            _ => error,
        })
    }
}

/// What a query with this filter's condition finds.
fn filtered<'a>(
    session: &'a mut Session,
    query: String,
    table: &Table,
    filter: &Filter,
) -> Result<RowIter<'a>, Failure> {
    let (parameters, types): (Vec<Parameter>, Vec<Type>) = parameters(table, filter)?.into_iter().unzip();
    let prepared = session.prepared(query, &types)?;
    Ok(session.client.query_raw(&prepared, parameters)?)
}

fn none_open() -> TargetError {
    TargetError::new(TargetErrorKind::Other, "no transaction is open")
}

/// The values for each column of a filter, however many, as one array: the rows then come in one order. One
/// value is itself. With the parameter's type.
fn parameters(table: &Table, filter: &Filter) -> Result<Vec<(Parameter, Type)>, Failure> {
    let list = |(column, values): (usize, &[Value])| {
        let column = &table.columns[column];
        let (single, array) = encode::array_type(column.kind);
        Ok(match sql::only_one(values) {
            Some(value) => (encode::value(column, value)?, single),
            // NULL equals nothing.
            None => {
                let values = values.iter().filter(|value| **value != Value::Null);
                (encode::array(column.kind, column.name, values)?, array)
            }
        })
    };
    filter.lists().into_iter().map(list).collect()
}
