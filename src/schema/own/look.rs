//! Whether what is there is what it should be; nothing is changed.

use crate::model::{Catalogue, Row};
use crate::schema::catalogue::{compare, require_all, take_out_new, Comparison, Difference, Scope};
use crate::schema::{types, SchemaError};
use crate::target::Connection;

use super::set::{File, Recorded, Set};
use super::{Standing, LEDGER};

/// Behind the name of a version that was found in place.
pub const ADOPTED: &str = " (adopted)";

impl Set<'_> {
    /// For verbs that only read.
    pub fn check(&self, connection: &mut dyn Connection) -> Result<(), SchemaError> {
        let recorded = self.recorded(connection)?;
        match self.behind(&recorded)?.first() {
            // Another format's database, or one in which nothing was migrated yet.
            Some(_) if recorded.is_empty() && self.name != LEDGER => Ok(()),
            Some(file) => {
                let file = file.migration.file.to_owned();
                Err(SchemaError::Behind { schema: self.name.to_owned(), file })
            }
            None => self.check_columns(connection),
        }
    }

    pub fn standing(&self, connection: &mut dyn Connection) -> Result<Standing, SchemaError> {
        let recorded = self.recorded(connection)?;
        let names = |files: Vec<&File>| files.iter().map(|file| file.migration.file.to_owned()).collect();
        let version = recorded.keys().next_back().copied();
        let comparison = match version {
            Some(version) => {
                let found = connection.catalogue(self.owner())?;
                compare(&self.declared(version, &recorded), &found, &Scope::default())
            }
            None => Comparison::default(),
        };
        Ok(Standing {
            schema: self.name.to_owned(),
            version,
            pending: names(self.behind(&recorded)?),
            left_out: names(self.left_out(&recorded).collect()),
            adopted: self.adopted(connection)?,
            comparison,
        })
    }

    fn left_out<'s>(&'s self, recorded: &'s Recorded) -> impl Iterator<Item = &'s File> {
        self.files.iter().filter(|file| file.part().is_some() && !recorded.contains_key(&file.number()))
    }

    /// What a version declares, with the optional parts that the database has and no others.
    fn declared(&self, version: i64, recorded: &Recorded) -> Catalogue {
        let file = self.files.iter().find(|file| file.number() == version);
        let mut schema = file.map(|file| file.snapshot().schema).unwrap_or_default();
        for file in self.left_out(recorded).filter(|file| file.number() <= version) {
            take_out_new(&mut schema, &file.snapshot().schema, &self.before(file).schema);
        }
        require_all(&mut schema);
        schema
    }

    /// Whether any of its versions was found in place instead of made.
    fn adopted(&self, connection: &mut dyn Connection) -> Result<bool, SchemaError> {
        Ok(!self.adopted_numbers(connection)?.is_empty())
    }

    /// The versions that were found in place instead of made.
    pub fn adopted_numbers(&self, connection: &mut dyn Connection) -> Result<Vec<i64>, SchemaError> {
        let rows = self.versions(connection)?;
        let is_adopted = |row: &&Row| row.0[2].as_text().is_some_and(|name| name.ends_with(ADOPTED));
        Ok(rows.iter().filter(is_adopted).filter_map(|row| row.0[1].as_int()).collect())
    }

    /// Nothing that is declared is missing or other than declared; what is there beyond it is the
    /// application's business.
    pub fn check_declared(&self, connection: &mut dyn Connection) -> Result<(), SchemaError> {
        let standing = self.standing(connection)?;
        let is_ours = |difference: &&Difference| difference.declared.is_some();
        let differences: Vec<String> = standing.comparison.errors().filter(is_ours).map(ToString::to_string).collect();
        match (standing.version, standing.adopted || differences.is_empty()) {
            (Some(number), false) => Err(SchemaError::Drifted { schema: self.name.to_owned(), number, differences }),
            _ => Ok(()),
        }
    }

    /// Every expected column is there and holds what it should. Further columns are the
    /// application's business.
    pub fn check_columns(&self, connection: &mut dyn Connection) -> Result<(), SchemaError> {
        let recorded = self.recorded(connection)?;
        for table in self.tables {
            if self.left_out(&recorded).any(|file| file.makes(table)) {
                continue;
            }
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
