//! Making what is missing, or recording what the application made.

use crate::model::ledger::VERSIONS;
use crate::model::{Instant, Row, Value};
use crate::schema::catalogue::has_new;
use crate::schema::lint::tables_made;
use crate::schema::run::concurrent_index;
use crate::schema::SchemaError;
use crate::target::{in_transaction, Connection, TargetError};

use super::look::ADOPTED;
use super::set::{File, Set};
use super::{Older, Prepared};

impl Set<'_> {
    pub fn prepare(
        &self,
        connection: &mut dyn Connection,
        older: Older,
        prepared: &mut Prepared,
    ) -> Result<(), SchemaError> {
        in_transaction(connection, |connection| self.prepare_within(connection, older, prepared))?;
        let recorded = self.recorded(connection)?;
        // A test checks that they come last.
        for file in self.pending(&recorded)?.into_iter().filter(|file| file.is_alone()) {
            self.alone(connection, file, prepared)?;
        }
        Ok(())
    }

    fn prepare_within(
        &self,
        connection: &mut dyn Connection,
        older: Older,
        prepared: &mut Prepared,
    ) -> Result<(), SchemaError> {
        let recorded = self.recorded(connection)?;
        if let Some(file) = self.behind(&recorded)?.first().filter(|_| !recorded.is_empty() && older == Older::Refuse) {
            let file = file.migration.file.to_owned();
            return Err(SchemaError::Behind { schema: self.name.to_owned(), file });
        }
        let adopts = recorded.is_empty() && self.is_whole(connection)?;
        for file in self.pending(&recorded)?.into_iter().filter(|file| !file.is_alone()) {
            let note = if self.is_there(connection, file, adopts)? {
                prepared.adopted.push(self.full_name(file));
                ADOPTED
            } else {
                connection.run_script(self.owner(), file.migration.sql).map_err(|source| self.failed(file, source))?;
                prepared.applied.push(self.full_name(file));
                ""
            };
            connection.insert(&VERSIONS, &[self.version(file, note)])?;
        }
        self.check_columns(connection)?;
        self.check_declared(connection)
    }

    /// Run outside of any transaction, checked, then recorded. A kill in between leaves an index that
    /// is not valid and is dropped at the next try, or one that is and is recorded then.
    fn alone(&self, connection: &mut dyn Connection, file: &File, prepared: &mut Prepared) -> Result<(), SchemaError> {
        let found = connection.catalogue(self.owner())?;
        let index = concurrent_index(&file.parsed);
        let invalid = index.filter(|name| {
            let mut indexes = found.tables.values().flat_map(|table| &table.indexes);
            indexes.any(|(index, shape)| index == name && shape.invalid)
        });
        let is_there = invalid.is_none() && has_new(&found, &file.snapshot().schema, &self.before(file).schema);
        if let Some(name) = invalid {
            let drop = format!("DROP INDEX CONCURRENTLY {name}");
            connection.run_alone(self.owner(), &drop).map_err(|source| self.failed(file, source))?;
        }
        if !is_there {
            let sql = file.parsed.sql(&file.parsed.statements[0]);
            if !connection.run_alone(self.owner(), sql).map_err(|source| self.failed(file, source))? {
                return Ok(());
            }
        }
        in_transaction(connection, |connection| {
            connection.insert(&VERSIONS, &[self.version(file, "")])?;
            self.check_declared(connection)
        })?;
        prepared.applied.push(self.full_name(file));
        Ok(())
    }

    /// Whether somebody else made the tables: all of the first migration's. None of the schema's
    /// tables is the other good answer.
    fn is_whole(&self, connection: &mut dyn Connection) -> Result<bool, SchemaError> {
        let (mut there, mut missing) = (None, None);
        for table in self.tables {
            match connection.live_columns(table)? {
                Some(_) => there = there.or(Some(table.name)),
                None if self.files[0].makes(table) => {
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

    /// Whether what a migration makes is there already. An application that made its tables has chosen
    /// its indexes and its checks, too.
    fn is_there(&self, connection: &mut dyn Connection, file: &File, adopts: bool) -> Result<bool, SchemaError> {
        let mut made = self.tables.iter().filter(|table| file.makes(table)).peekable();
        if made.peek().is_some() {
            for table in made {
                if connection.live_columns(table)?.is_none() {
                    return Ok(false);
                }
            }
            return Ok(true);
        }
        if adopts && file.part().is_none() || self.is_about_adopted(connection, file)? {
            return Ok(true);
        }
        if file.part().is_none() {
            return Ok(false);
        }
        let found = connection.catalogue(self.owner())?;
        Ok(has_new(&found, &file.snapshot().schema, &self.before(file).schema))
    }

    /// Whether a file changes only the constraints of tables that the application made.
    fn is_about_adopted(&self, connection: &mut dyn Connection, file: &File) -> Result<bool, SchemaError> {
        let constrained = self.constrained(file);
        if constrained.is_empty() {
            return Ok(false);
        }
        let adopted = self.adopted_numbers(connection)?;
        let is_adopted = |name: &String| {
            let makes = |other: &&File| tables_made(&other.parsed).contains(name);
            self.files.iter().find(makes).is_some_and(|maker| adopted.contains(&maker.number()))
        };
        Ok(constrained.iter().all(is_adopted))
    }

    fn full_name(&self, file: &File) -> String {
        format!("{}/{}", self.name, file.migration.file)
    }

    fn failed(&self, file: &File, source: TargetError) -> SchemaError {
        SchemaError::Migration {
            schema: self.name.to_owned(),
            file: file.migration.file.to_owned(),
            source: Box::new(source),
        }
    }

    fn version(&self, file: &File, note: &str) -> Row {
        Row(vec![
            Value::Text(self.name.to_owned()),
            Value::Int(file.number()),
            Value::Text(format!("{}{note}", file.migration.name())),
            Value::Bytes(file.migration.checksum().to_vec()),
            Value::Time(Instant::now()),
        ])
    }
}
