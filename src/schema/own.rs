//! Getting the tables of transload itself ready: made from the migrations that are built in, or accepted
//! as the application made them.
//!
//! They are recorded in the ledger's table `versions`, because a ledger without it was never one, and
//! because a dry run prepares within its own transaction.

use std::collections::BTreeMap;

use crate::model::ledger::{self, VERSIONS};
use crate::model::{Instant, Row, Table, Value};
use crate::target::bulk;
use crate::target::{in_transaction, select_all, Connection, Filter};

use super::catalogue::{compare, Comparison, Difference, Scope};
use super::snapshot::Snapshot;
use super::{migrations, types, Migration, SchemaError};

/// The ledger's schema among [`VERSIONS`] and below `schema/`.
pub const LEDGER: &str = "transload";

/// Behind the name of a version that was found in place.
const ADOPTED: &str = " (adopted)";

/// What had to be done, as `schema/file` in order; nothing when the database was ready.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prepared {
    /// Migrations that were run.
    pub applied: Vec<String>,
    /// Migrations whose tables the application had made itself.
    pub adopted: Vec<String>,
}

/// Makes sure that the ledger and the format's tables are there and what they should be. What has no
/// tables yet gets them; what has older ones is refused.
///
/// Each of the two is one transaction, versions included, so a crash leaves all of it or nothing.
/// Within an open transaction (a dry run) both are savepoints of it.
///
/// # Errors
/// When a table or column is not what the format needs, when the database was written by a newer
/// transload, when an applied migration was edited since, or when a bulk load was interrupted.
pub fn prepare(
    connection: &mut dyn Connection,
    dialect: &str,
    format: &str,
    tables: &[&Table],
) -> Result<Prepared, SchemaError> {
    prepare_all(connection, dialect, format, tables, Older::Refuse)
}

/// As [`prepare`], and brings older tables up to date.
///
/// # Errors
/// As [`prepare`].
pub fn upgrade(
    connection: &mut dyn Connection,
    dialect: &str,
    format: &str,
    tables: &[&Table],
) -> Result<Prepared, SchemaError> {
    prepare_all(connection, dialect, format, tables, Older::Upgrade)
}

/// What becomes of tables that an older transload made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Older {
    Refuse,
    Upgrade,
}

fn prepare_all(
    connection: &mut dyn Connection,
    dialect: &str,
    format: &str,
    tables: &[&Table],
    older: Older,
) -> Result<Prepared, SchemaError> {
    is_whole(connection)?;
    let mut prepared = Prepared::default();
    for (name, tables) in [(LEDGER, &ledger::TABLES[..]), (format, tables)] {
        let set = Set::find(name, dialect, tables)?;
        in_transaction(connection, |connection| set.prepare(connection, older, &mut prepared))?;
    }
    Ok(prepared)
}

/// What a bulk load has set aside and not put back yet is no drift.
fn is_whole(connection: &mut dyn Connection) -> Result<(), SchemaError> {
    match bulk::pieces(connection)?.len() {
        0 => Ok(()),
        left => Err(SchemaError::Interrupted { left }),
    }
}

/// How one of transload's own schemas stands in a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub schema: String,
    pub version: Option<i64>,
    /// Migrations that were not applied yet.
    pub pending: Vec<String>,
    /// The application made the tables, so that they need not be ours to the last index.
    pub adopted: bool,
    pub comparison: Comparison,
}

/// Compares the ledger's and the format's tables with what their versions declare.
///
/// # Errors
/// When the database was written by a newer transload, or an applied migration was edited since.
pub fn standing(
    connection: &mut dyn Connection,
    dialect: &str,
    format: &str,
    tables: &[&Table],
) -> Result<Vec<Standing>, SchemaError> {
    is_whole(connection)?;
    let mut standings = Vec::new();
    for (name, tables) in [(LEDGER, &ledger::TABLES[..]), (format, tables)] {
        standings.push(Set::find(name, dialect, tables)?.standing(connection)?);
    }
    Ok(standings)
}

/// Whether there is a ledger, for verbs that only read it. Changes nothing.
///
/// # Errors
/// As [`prepare`], and when a migration is still to be applied.
pub fn check(
    connection: &mut dyn Connection,
    dialect: &str,
    format: &str,
    tables: &[&Table],
) -> Result<bool, SchemaError> {
    if connection.live_columns(&VERSIONS)?.is_none() {
        return Ok(false);
    }
    is_whole(connection)?;
    for (name, tables) in [(LEDGER, &ledger::TABLES[..]), (format, tables)] {
        let set = Set::find(name, dialect, tables)?;
        let recorded = set.recorded(connection)?;
        let pending = set.pending(&recorded)?;
        match pending.first() {
            // Another format's database, or one in which nothing was migrated yet.
            Some(_) if recorded.is_empty() && name != LEDGER => {}
            Some(migration) => {
                return Err(SchemaError::Behind { schema: name.to_owned(), file: migration.file.to_owned() })
            }
            None => set.check_columns(connection)?,
        }
    }
    Ok(true)
}

/// One schema's migrations and the tables that they make.
struct Set<'a> {
    name: &'a str,
    dialect: &'a str,
    migrations: &'static [Migration],
    tables: &'a [&'a Table],
}

impl<'a> Set<'a> {
    fn find(name: &'a str, dialect: &'a str, tables: &'a [&'a Table]) -> Result<Set<'a>, SchemaError> {
        match migrations(name, dialect) {
            Some(migrations) => Ok(Set { name, dialect, migrations, tables }),
            None => Err(SchemaError::NoMigrations { schema: name.to_owned(), dialect: dialect.to_owned() }),
        }
    }

    fn prepare(
        &self,
        connection: &mut dyn Connection,
        older: Older,
        prepared: &mut Prepared,
    ) -> Result<(), SchemaError> {
        let recorded = self.recorded(connection)?;
        let pending = self.pending(&recorded)?;
        if let Some(migration) = pending.first().filter(|_| !recorded.is_empty() && older == Older::Refuse) {
            return Err(SchemaError::Behind { schema: self.name.to_owned(), file: migration.file.to_owned() });
        }
        let adopts = recorded.is_empty() && self.is_whole(connection)?;
        for migration in pending {
            let full_name = format!("{}/{}", self.name, migration.file);
            // An application that made its tables has chosen its indexes, too.
            let is_there = match migration.tables().is_empty() {
                true => adopts,
                false => self.is_there(connection, migration)?,
            };
            let note = if is_there {
                prepared.adopted.push(full_name);
                ADOPTED
            } else {
                self.apply(connection, migration)?;
                prepared.applied.push(full_name);
                ""
            };
            connection.insert(&VERSIONS, &[self.version(migration, note)])?;
        }
        self.check_columns(connection)?;
        self.check_declared(connection)
    }

    /// Nothing that is declared is missing or other than declared; what is there beyond it is the
    /// application's business.
    fn check_declared(&self, connection: &mut dyn Connection) -> Result<(), SchemaError> {
        let standing = self.standing(connection)?;
        let is_ours = |difference: &&Difference| difference.declared.is_some();
        let differences: Vec<String> = standing.comparison.errors().filter(is_ours).map(ToString::to_string).collect();
        match (standing.version, standing.adopted || differences.is_empty()) {
            (Some(number), false) => Err(SchemaError::Drifted { schema: self.name.to_owned(), number, differences }),
            _ => Ok(()),
        }
    }

    fn standing(&self, connection: &mut dyn Connection) -> Result<Standing, SchemaError> {
        let recorded = self.recorded(connection)?;
        let pending = self.pending(&recorded)?.iter().map(|migration| migration.file.to_owned()).collect();
        let version = recorded.keys().next_back().copied();
        let declared = self.migrations.iter().find(|migration| Some(migration.number()) == version);
        let comparison = match declared {
            Some(migration) => {
                let snapshot = Snapshot::parse(migration.file, migration.snapshot.as_bytes())
                    .expect("a test reads every declared schema that is built in");
                compare(&snapshot.schema, &connection.catalogue(self.tables[0].owner)?, &Scope::default())
            }
            None => Comparison::default(),
        };
        let adopted = self.adopted(connection)?;
        Ok(Standing { schema: self.name.to_owned(), version, pending, adopted, comparison })
    }

    /// Whether any of its versions was found in place instead of made.
    fn adopted(&self, connection: &mut dyn Connection) -> Result<bool, SchemaError> {
        if connection.live_columns(&VERSIONS)?.is_none() {
            return Ok(false);
        }
        let mine = [Value::Text(self.name.to_owned())];
        let rows = select_all(connection, &VERSIONS, &Filter::In { column: 0, values: &mine })?;
        Ok(rows.iter().any(|row| row.0[2].as_text().is_some_and(|name| name.ends_with(ADOPTED))))
    }

    /// The checksums of the migrations that the ledger says were applied, by number.
    fn recorded(&self, connection: &mut dyn Connection) -> Result<BTreeMap<i64, Vec<u8>>, SchemaError> {
        if connection.live_columns(&VERSIONS)?.is_none() {
            return Ok(BTreeMap::new());
        }
        let mine = [Value::Text(self.name.to_owned())];
        let rows = select_all(connection, &VERSIONS, &Filter::In { column: 0, values: &mine })?;
        let number_and_checksum =
            |row: &Row| Some((row.0[1].as_int()?, row.0[3].as_bytes().map(<[u8]>::to_vec).unwrap_or_default()));
        Ok(rows.iter().filter_map(number_and_checksum).collect())
    }

    /// The migrations that were not applied yet, in order.
    fn pending(&self, recorded: &BTreeMap<i64, Vec<u8>>) -> Result<Vec<&'static Migration>, SchemaError> {
        let schema = || self.name.to_owned();
        let known = |number: i64| self.migrations.iter().find(|migration| migration.number() == number);
        for (&number, checksum) in recorded {
            match known(number) {
                None => return Err(SchemaError::Ahead { schema: schema(), number }),
                Some(migration) if migration.checksum() != checksum[..] => {
                    return Err(SchemaError::Edited { schema: schema(), file: migration.file.to_owned() })
                }
                Some(_) => {}
            }
        }
        let last = recorded.keys().next_back().copied().unwrap_or(0);
        let pending: Vec<_> =
            self.migrations.iter().filter(|migration| !recorded.contains_key(&migration.number())).collect();
        match pending.first() {
            Some(migration) if migration.number() < last => {
                Err(SchemaError::Gap { schema: schema(), file: migration.file.to_owned() })
            }
            _ => Ok(pending),
        }
    }

    /// Whether somebody else made the tables: all of the first migration's. None of the schema's
    /// tables is the other good answer.
    fn is_whole(&self, connection: &mut dyn Connection) -> Result<bool, SchemaError> {
        let (mut there, mut missing) = (None, None);
        let first = self.migrations[0].tables();
        for table in self.tables {
            match connection.live_columns(table)? {
                Some(_) => there = there.or(Some(table.name)),
                None if first.contains(&table.name) => {
                    missing = missing.or(Some(table.name));
                }
                None => {}
            }
        }
        match (there, missing) {
            (Some(there), Some(missing)) => {
                Err(SchemaError::Partial { there: there.to_owned(), missing: missing.to_owned() })
            }
            (Some(_), None) => Ok(true),
            (None, _) => Ok(false),
        }
    }

    /// Whether all tables that a migration makes exist already.
    fn is_there(&self, connection: &mut dyn Connection, migration: &Migration) -> Result<bool, SchemaError> {
        let made = migration.tables();
        for table in self.tables {
            if made.contains(&table.name) && connection.live_columns(table)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn apply(&self, connection: &mut dyn Connection, migration: &Migration) -> Result<(), SchemaError> {
        let owner = self.tables[0].owner;
        connection.run_script(owner, migration.sql).map_err(|source| SchemaError::Migration {
            schema: self.name.to_owned(),
            file: migration.file.to_owned(),
            source: Box::new(source),
        })
    }

    fn version(&self, migration: &Migration, note: &str) -> Row {
        Row(vec![
            Value::Text(self.name.to_owned()),
            Value::Int(migration.number()),
            Value::Text(format!("{}{note}", migration.name())),
            Value::Bytes(migration.checksum().to_vec()),
            Value::Time(Instant::now()),
        ])
    }

    /// Every expected column is there and holds what it should. Further columns are the
    /// application's business.
    fn check_columns(&self, connection: &mut dyn Connection) -> Result<(), SchemaError> {
        for table in self.tables {
            let Some(live) = connection.live_columns(table)? else {
                return Err(SchemaError::TableMissing { table: table.name.to_owned() });
            };
            for column in table.columns {
                let expected = || types::expected(self.dialect, column.kind).to_owned();
                let (table, name) = (table.name.to_owned(), column.name.to_owned());
                match live.iter().find(|live| live.name == column.name) {
                    None => return Err(SchemaError::ColumnMissing { table, column: name, expected: expected() }),
                    Some(live) if !types::accepts(self.dialect, column.kind, &live.type_name) => {
                        let found = live.type_name.clone();
                        return Err(SchemaError::ColumnType { table, column: name, expected: expected(), found });
                    }
                    Some(_) => {}
                }
            }
        }
        Ok(())
    }
}
