//! Running migrations over a connection.
//!
//! A table is rebuilt by making it anew, copying and dropping the old one. With foreign keys on, the
//! drop would delete what refers to the table; so they are off while a migration drops one, and what
//! they would have kept is checked before the commit.
//!
//! A check is changed in the schema's own text, which `PRAGMA writable_schema` allows. It outlives a
//! transaction, so it is switched off behind every migration, whatever became of it.

use std::collections::BTreeMap;

use rusqlite::Connection as Db;

use super::connection::SqliteConnection;
use super::sql::quote;
use crate::model::Owner;
use crate::target::{Begin, Connection, SchemaSession, StatementError, TargetError, TargetErrorKind};

/// Marks the transaction: it is gone when the statements end that and begin another.
const MARK: &str = "transload_migration";

/// What is found out before a migration's statements.
#[derive(Debug, Default)]
pub struct Migration {
    /// Whether foreign keys were switched off for it.
    unkeyed: bool,
    /// Violations that were there already, by table, row and parent.
    violations: Vec<String>,
    /// Rows of the tables that are dropped and of those that refer to them.
    counts: BTreeMap<String, i64>,
}

fn violations(db: &Db) -> rusqlite::Result<Vec<String>> {
    let mut statement = db.prepare("SELECT \"table\", rowid, parent FROM pragma_foreign_key_check")?;
    let rows = statement.query_map([], |row| {
        let row_id = row.get::<_, Option<i64>>(1)?.map_or("?".to_owned(), |id| id.to_string());
        Ok(format!("row {row_id} of `{}` refers to no row of `{}`", row.get::<_, String>(0)?, row.get::<_, String>(2)?))
    })?;
    rows.collect()
}

/// The tables of these names that exist, and those that refer to them.
fn touched(db: &Db, drops: &[String]) -> rusqlite::Result<Vec<String>> {
    let mut statement = db.prepare(
        "SELECT DISTINCT lower(t.name), lower(k.\"table\") FROM sqlite_schema t
         LEFT JOIN pragma_foreign_key_list(t.name) k WHERE t.type = 'table'",
    )?;
    let pairs = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?)))?;
    let is_dropped = |name: &String| drops.iter().any(|dropped| dropped.eq_ignore_ascii_case(name));
    let mut found = Vec::new();
    for pair in pairs {
        let (table, parent) = pair?;
        if is_dropped(&table) || parent.as_ref().is_some_and(is_dropped) {
            found.push(table);
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn count(db: &Db, table: &str) -> rusqlite::Result<i64> {
    db.query_row(&format!("SELECT count(*) FROM {}", quote(table)), [], |row| row.get(0))
}

fn is_there(db: &Db, table: &str) -> rusqlite::Result<bool> {
    let query = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND lower(name) = ?1)";
    db.query_row(query, [table], |row| row.get(0))
}

impl SqliteConnection {
    fn set_foreign_keys(&mut self, on: bool) -> Result<(), TargetError> {
        self.run("cannot switch foreign keys", |db| db.pragma_update(None, "foreign_keys", on))
    }

    fn survey(&mut self, drops: &[String]) -> Result<Migration, TargetError> {
        self.run("cannot count the rows that a migration may touch", |db| {
            let mut migration = Migration { unkeyed: true, violations: violations(db)?, counts: BTreeMap::new() };
            for table in touched(db, drops)? {
                let rows = count(db, &table)?;
                migration.counts.insert(table, rows);
            }
            Ok(migration)
        })
    }

    fn end_migration(&mut self) -> Result<(), TargetError> {
        let protected = self.protect_schema();
        let keyed = match self.migration.take() {
            Some(migration) if migration.unkeyed => self.set_foreign_keys(true),
            _ => Ok(()),
        };
        protected.and(keyed)
    }
}

impl SqliteConnection {
    /// As [`Self::run`], with the place of an error.
    fn run_statement<T>(
        &mut self,
        context: &str,
        work: impl FnOnce(&Db) -> rusqlite::Result<T>,
    ) -> Result<T, StatementError> {
        let mut offset = None;
        let result = self.run(context, |db| {
            work(db).inspect_err(|error| {
                if let rusqlite::Error::SqlInputError { offset: at, .. } = error {
                    offset = usize::try_from(*at).ok();
                }
            })
        });
        result.map_err(|error| StatementError { error, offset })
    }
}

impl SchemaSession for SqliteConnection {
    fn begin_migration(&mut self, begin: &Begin) -> Result<(), TargetError> {
        self.may_write("cannot begin a migration")?;
        let outermost = self.is_idle();
        let unkeyed = outermost && !begin.drops.is_empty();
        if unkeyed {
            self.set_foreign_keys(false)?;
        }
        self.migration = Some(Migration { unkeyed, ..Migration::default() });
        let begun = self.with_patience(begin.wait, |connection| connection.begin());
        let marked = begun.and_then(|()| self.execute("cannot begin a migration", &format!("SAVEPOINT {MARK}")));
        let surveyed = marked.and_then(|()| if unkeyed { self.survey(&begin.drops).map(Some) } else { Ok(None) });
        match surveyed {
            Ok(Some(migration)) => self.migration = Some(migration),
            Ok(None) => {}
            Err(error) => {
                // Of several errors the first is the one to report.
                if outermost && !self.is_idle() {
                    let _ = self.rollback();
                }
                let _ = self.end_migration();
                return Err(error);
            }
        }
        Ok(())
    }

    fn statement(&mut self, sql: &str) -> Result<(), StatementError> {
        self.run_statement("the statement failed", |db| db.execute_batch(sql))
    }

    fn is_in_migration(&mut self) -> Result<bool, TargetError> {
        let again = format!("RELEASE {MARK}; SAVEPOINT {MARK}");
        self.run("cannot see which transaction is open", |db| {
            Ok(!db.is_autocommit() && db.execute_batch(&again).is_ok())
        })
    }

    fn lost_rows(&mut self, may_lose: bool) -> Result<Vec<String>, TargetError> {
        let Some(Migration { unkeyed: true, violations: before, counts }) = &self.migration else {
            return Ok(Vec::new());
        };
        let (before, counts) = (before.clone(), counts.clone());
        self.run("cannot check what refers to a table that was made anew", |db| {
            let mut lost: Vec<String> = violations(db)?.into_iter().filter(|found| !before.contains(found)).collect();
            for (table, rows) in counts.iter().filter(|_| !may_lose) {
                if is_there(db, table)? {
                    let now = count(db, table)?;
                    if now < *rows {
                        lost.push(format!("`{table}` had {rows} rows and has {now}"));
                    }
                }
            }
            Ok(lost)
        })
    }

    fn commit_migration(&mut self) -> Result<(), TargetError> {
        let committed = self.commit();
        let ended = self.end_migration();
        committed.and(ended)
    }

    fn abort_migration(&mut self) -> Result<(), TargetError> {
        let undone = self.rollback();
        let ended = self.end_migration();
        undone.and(ended)
    }

    fn statement_alone(&mut self, _owner: Owner, sql: &str) -> Result<(), StatementError> {
        self.may_write("cannot run the statement")?;
        if !self.is_idle() {
            let context = "a statement that must stand outside of a transaction cannot be run in one";
            return Err(TargetError::new(TargetErrorKind::Other, context).into());
        }
        let result = self.run_statement("the statement failed", |db| db.execute_batch(sql));
        let protected = self.protect_schema();
        result.and(protected.map_err(Into::into))
    }

    /// Whatever the query does besides is undone.
    fn holds(&mut self, _owner: Owner, query: &str) -> Result<bool, StatementError> {
        self.execute("cannot begin to look", "SAVEPOINT transload_look")?;
        let result = self.run_statement("the query failed", |db| {
            let mut statement = db.prepare(query)?;
            let columns = statement.column_count();
            let mut rows = statement.query([])?;
            let first = match rows.next()? {
                Some(row) if columns == 1 => row.get_ref(0)?.as_i64().ok() == Some(1),
                _ => false,
            };
            Ok(first && rows.next()?.is_none())
        });
        if result.is_ok() || self.is_idle() {
            self.execute("cannot end to look", "ROLLBACK TO transload_look; RELEASE transload_look")?;
        }
        result
    }

    fn drop_index(&mut self, _owner: Owner, name: &str) -> Result<(), StatementError> {
        self.run_statement("the statement failed", |db| {
            db.execute_batch(&format!("DROP INDEX IF EXISTS {}", quote(name)))
        })
    }

    fn process(&mut self) -> Result<i64, TargetError> {
        Ok(i64::from(std::process::id()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::target::sqlite::file;
    use crate::target::Durability;

    const CHANGE: &str = "UPDATE sqlite_schema SET sql = replace(sql, 'b < 10', 'b < 20') WHERE name = 'a'";

    fn open(directory: &tempfile::TempDir) -> SqliteConnection {
        let path = directory.path().join("t.db");
        file::create_private(&path).unwrap();
        let mut connection =
            SqliteConnection::open(&path, Default::default(), Durability::Relaxed, Duration::ZERO).unwrap();
        connection.run_script(Owner::Application, "CREATE TABLE a (b INTEGER CHECK (b < 10))").unwrap();
        connection
    }

    /// The schema's text is not to be written, and the check is what it was.
    fn assert_protected(connection: &mut SqliteConnection, after: &str) {
        let refused = connection.statement(CHANGE).unwrap_err().error;
        assert!(refused.source.is_some_and(|said| said.to_string().contains("may not be modified")), "{after}");
        connection.statement("INSERT INTO a VALUES (15)").expect_err(after);
        connection.statement("INSERT INTO a VALUES (5)").expect(after);
    }

    #[test]
    fn whatever_becomes_of_a_migration_the_schema_is_protected_afterwards() {
        let directory = tempfile::tempdir().unwrap();
        let mut connection = open(&directory);
        let begin =
            Begin { owner: Owner::Application, wait: Duration::ZERO, lock_timeout: Duration::ZERO, drops: Vec::new() };
        let (on, version) = ("PRAGMA writable_schema = ON", "CREATE VIEW v AS SELECT 1; DROP VIEW v");
        let failing: [&[&str]; 4] = [
            &[on, "nonsense"],
            &[on, CHANGE, "nonsense"],
            &[on, CHANGE, version, "PRAGMA writable_schema = RESET", "INSERT INTO a VALUES (15)", "nonsense"],
            &[on, CHANGE, version, "PRAGMA writable_schema = OFF", "nonsense"],
        ];
        for statements in failing {
            connection.begin_migration(&begin).unwrap();
            let (last, rest) = statements.split_last().unwrap();
            rest.iter().for_each(|sql| connection.statement(sql).unwrap());
            connection.statement(last).unwrap_err();
            connection.abort_migration().unwrap();
            assert_protected(&mut connection, &format!("{statements:?}"));
        }
        for script in [format!("{on}; nonsense"), format!("{on}; {CHANGE}; {version}; nonsense")] {
            connection.run_script(Owner::Application, &script).unwrap_err();
            assert_protected(&mut connection, &script);
        }
        connection.statement_alone(Owner::Application, on).unwrap();
        assert_protected(&mut connection, on);
        // One that forgets to.
        connection.begin_migration(&begin).unwrap();
        [on, CHANGE, version].iter().for_each(|sql| connection.statement(sql).unwrap());
        connection.commit_migration().unwrap();
        connection.statement(CHANGE).unwrap_err();
        connection.statement("INSERT INTO a VALUES (15)").unwrap();
    }
}
