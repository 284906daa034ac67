//! Setting aside what is built upon empty tables, and putting it back.
//!
//! ```text
//! obstacles (may it be done?) -> definitions (what there is) -> guard (others stay out) -> ledger
//! ```
//!
//! All names are qualified, because the search path is empty while definitions are read and run.

mod definitions;
mod guard;
mod obstacles;
mod shape;

use std::error::Error as _;
use std::time::Duration;

use postgres::types::Oid;
use uuid::Uuid;

use super::connection::PgConnection;
use super::errors::Failure;
use super::sql::Schemas;
use crate::model::ledger::SET_ASIDE;
use crate::model::{Owner, Row, Value};
use crate::target::bulk::{BulkSession, Extent, Outcome, Piece, SetAside, Step};
use crate::target::{Connection, TargetError, TargetErrorKind};

/// The setting by which the run's own sessions are known.
pub const PASS: &str = "transload.bulk_load";

/// For steps that take a moment, but a lock for which others would have to wait.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// What a build may sort in memory: more than the server's usual setting, and never more than a
/// sixteenth of what the server takes to be there for caching.
const BUILD_MEMORY: &str = "
    SELECT set_config('maintenance_work_mem', greatest(m.setting::int8, least(262144, c.setting::int8 * 8 / 16))
                      || 'kB', true)
    FROM pg_settings m, pg_settings c WHERE m.name = 'maintenance_work_mem' AND c.name = 'effective_cache_size'";

/// Workers for one build are no help where builds go side by side: they want the same cores, and what
/// they sort has to be put together. Where somebody has chosen their number, it stands.
const NO_WORKERS: &str = "
    SELECT set_config(name, '0', true) FROM pg_settings
    WHERE name = 'max_parallel_maintenance_workers' AND source = 'default'";

/// A table that something is set aside of.
struct Wanted {
    oid: Oid,
    /// Qualified and quoted.
    name: String,
    /// The first column of its key, quoted.
    key: String,
    owner: Owner,
    extent: Extent,
}

/// A step before it has a position.
struct Noted {
    step: Step,
    table: String,
    name: String,
    definition: String,
    search: Option<String>,
}

/// Why nothing was set aside.
enum Stop {
    Refused(String),
    Error(TargetError),
}

impl From<TargetError> for Stop {
    fn from(error: TargetError) -> Stop {
        Stop::Error(error)
    }
}

impl PgConnection {
    /// Makes the session known as this run's, or as nobody's.
    pub(super) fn take_pass(&mut self, pass: Option<Uuid>) -> Result<(), TargetError> {
        if self.lent.session().pass == pass {
            return Ok(());
        }
        let run = pass.map(|run| run.to_string()).unwrap_or_default();
        self.execute(&format!("SET {PASS} = '{run}'"), "cannot set up the session")?;
        self.lent.session().pass = pass;
        Ok(())
    }

    fn set_all_aside(&mut self, wanted: &SetAside) -> Result<(), Stop> {
        const CONTEXT: &str = "cannot set keys and indexes aside";
        let context = || CONTEXT.to_owned();
        let tables = self.run(context, |session, schemas| {
            let mut tables = Vec::new();
            for (table, extent) in wanted.tables {
                let name = schemas.table(table);
                let oid = session.client.query_one("SELECT to_regclass($1)::oid", &[&name])?.get::<_, Option<Oid>>(0);
                let key = super::sql::quote(table.columns[table.key[0]].name);
                // One that belongs to an optional part may be missing.
                let (owner, extent) = (table.owner, *extent);
                tables.extend(oid.map(|oid| Wanted { oid, name, key, owner, extent }));
            }
            Ok(tables)
        })?;
        let timeout = format!("{}ms", wanted.lock_timeout.as_millis());
        let names = tables.iter().map(|table| table.name.clone()).collect::<Vec<_>>().join(", ");
        self.run(
            || "cannot get the tables for itself".into(),
            |session, _| {
                session.client.batch_execute(&format!(
                    "SET LOCAL search_path = ''; SET LOCAL lock_timeout = '{timeout}'; \
                     LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE"
                ))?;
                Ok(())
            },
        )?;
        let oids: Vec<Oid> = tables.iter().map(|table| table.oid).collect();
        let obstacles = self.run(context, |session, _| obstacles::find(&mut session.client, &tables, &oids))?;
        if let Some(first) = obstacles.into_iter().next() {
            return Err(Stop::Refused(first));
        }
        let (run, version) = (wanted.run, Value::Uuid(wanted.run));
        let noted = self.run(context, |session, schemas| {
            let client = &mut session.client;
            let before = shape::read(client, &oids)?;
            let found = definitions::read(client, &tables)?;
            for statement in &found.drops {
                client.batch_execute(statement)?;
            }
            let mut noted = found.noted;
            noted.extend(guard::put_up(client, schemas, &tables, run)?);
            noted.push(Noted {
                step: Step::Catalogue,
                table: String::new(),
                name: "before".into(),
                definition: before,
                search: None,
            });
            Ok(noted)
        })?;
        let rows: Vec<Row> = (1..)
            .zip(noted)
            .map(|(position, noted)| {
                Row(vec![
                    Value::Int(position),
                    version.clone(),
                    Value::Text(noted.step.name().into()),
                    Value::Text(noted.table),
                    Value::Text(noted.name),
                    Value::Text(noted.definition),
                    Value::text_or_null(noted.search),
                ])
            })
            .collect();
        Ok(self.insert(&SET_ASIDE, &rows)?)
    }

    /// Forgets a step in the transaction that took it.
    fn forget(&mut self, piece: &Piece) -> Result<(), TargetError> {
        let context = || "cannot note what was put back".to_owned();
        let gone = self.run(context, |session, schemas: &Schemas| {
            let statement = format!("DELETE FROM {} WHERE position = $1", schemas.table(&SET_ASIDE));
            let position = i32::try_from(piece.position).unwrap_or(i32::MAX);
            Ok(session.client.execute(&statement, &[&position])?)
        })?;
        match gone {
            1 => Ok(()),
            _ => Err(TargetError::new(TargetErrorKind::Other, context())
                .because(format!("somebody else has put `{}` back", piece.name))),
        }
    }

    /// Runs `work` in a transaction without a search path.
    fn apart<T>(&mut self, work: impl FnOnce(&mut PgConnection) -> Result<T, TargetError>) -> Result<T, TargetError> {
        self.within(|connection| {
            connection.execute("SET LOCAL search_path = ''", "cannot set up the transaction")?;
            work(connection)
        })
    }
}

impl BulkSession for PgConnection {
    fn set_aside(&mut self, wanted: &SetAside) -> Result<Outcome, TargetError> {
        self.begin()?;
        let error = match self.set_all_aside(wanted) {
            Ok(()) => return self.commit().map(|()| Outcome::Done),
            Err(Stop::Refused(why)) => {
                self.rollback()?;
                return Ok(Outcome::Refused(why));
            }
            Err(Stop::Error(error)) => error,
        };
        match error.kind {
            TargetErrorKind::Lost | TargetErrorKind::Unreachable | TargetErrorKind::Resources => {
                // The first error is the one to report.
                let _ = self.rollback();
                return Err(error);
            }
            _ => self.rollback()?,
        }
        Ok(Outcome::Refused(match error.kind {
            TargetErrorKind::Transient => "somebody else uses the tables".into(),
            _ => match error.source() {
                Some(cause) => format!("{error}: {cause}"),
                None => error.to_string(),
            },
        }))
    }

    fn put_back(&mut self, piece: &Piece, side_by_side: usize) -> Result<(), TargetError> {
        let context = || match piece.step {
            Step::Statistics => format!("cannot analyze {}", piece.table),
            _ => format!("cannot put `{}` of {} back", piece.name, piece.table),
        };
        self.apart(|connection| {
            connection.run(context, |session, _| {
                let client = &mut session.client;
                if piece.step.is_parallel() {
                    client.query(BUILD_MEMORY, &[])?;
                    if side_by_side > 1 {
                        client.query(NO_WORKERS, &[])?;
                    }
                } else {
                    client.batch_execute(&format!("SET LOCAL lock_timeout = '{}ms'", LOCK_TIMEOUT.as_millis()))?;
                }
                Ok(client.batch_execute(&piece.definition)?)
            })?;
            connection.forget(piece)
        })
    }

    fn sizes(&mut self, tables: &[&str]) -> Result<Vec<u64>, TargetError> {
        let size = "SELECT coalesce(pg_table_size(to_regclass($1)), 0)";
        self.run(
            || "cannot see how large the tables are".into(),
            |session, _| {
                let mut sizes = Vec::with_capacity(tables.len());
                for table in tables {
                    let bytes: i64 = session.client.query_one(size, &[table])?.get(0);
                    sizes.push(u64::try_from(bytes).unwrap_or(0));
                }
                Ok(sizes)
            },
        )
    }

    fn in_the_way(&mut self, piece: &Piece) -> Result<Vec<Vec<Uuid>>, TargetError> {
        let Some(search) = &piece.search else { return Ok(Vec::new()) };
        self.apart(|connection| {
            connection.run(
                || format!("cannot find what stands in the way of `{}`", piece.name),
                |session, _| {
                    let rows = session.client.query(search, &[])?;
                    Ok(rows.iter().map(|row| row.get::<_, Vec<Uuid>>(0)).collect())
                },
            )
        })
    }

    fn finish(&mut self, rest: &[Piece]) -> Result<(), TargetError> {
        self.apart(|connection| {
            connection.execute(
                &format!(
                    "SET LOCAL lock_timeout = '{}ms'; SET LOCAL synchronous_commit = on",
                    LOCK_TIMEOUT.as_millis()
                ),
                "cannot set up the transaction",
            )?;
            for piece in rest.iter().filter(|piece| piece.step == Step::Guard) {
                connection.execute(&piece.definition, "cannot let others back to the tables")?;
            }
            for piece in rest.iter().filter(|piece| piece.step == Step::Catalogue) {
                let differences = connection.run(
                    || "cannot read the catalogue".into(),
                    |session, _| -> Result<_, Failure> {
                        let client = &mut session.client;
                        let oids = shape::tables_of(client, &piece.definition)?;
                        Ok(shape::differences(&piece.definition, &shape::read(client, &oids)?))
                    },
                )?;
                if !differences.is_empty() {
                    return Err(TargetError::new(
                        TargetErrorKind::Other,
                        "the tables are not what they were before the bulk load",
                    )
                    .because(differences.join("; "))
                    .with_hint(
                        "undo what was changed during the load and run the same command again; or, if it is meant, \
                         delete the row of the step `catalogue` from the ledger's table `set_aside`",
                    ));
                }
            }
            rest.iter().try_for_each(|piece| connection.forget(piece))
        })
    }
}
