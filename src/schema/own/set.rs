//! One schema's migrations, what a database has had of them, and what it is to get.

use std::collections::BTreeMap;

use crate::model::catalogue::TableShape;
use crate::model::ledger::VERSIONS;
use crate::model::{Owner, Row, Table, Value};
use crate::schema::files::MigrationFile;
use crate::schema::snapshot::Snapshot;
use crate::schema::{migrations, Migration, SchemaError, LEDGER};
use crate::target::{select_all, Connection, Filter};

/// A migration, and what it says about itself.
pub struct File {
    pub migration: &'static Migration,
    pub parsed: MigrationFile,
    /// The tables that it makes.
    tables: Vec<String>,
}

impl File {
    fn of(migration: &'static Migration) -> File {
        File { migration, parsed: migration.parsed(), tables: migration.tables() }
    }

    pub fn number(&self) -> i64 {
        self.migration.number()
    }

    /// The optional part that it belongs to.
    pub fn part(&self) -> Option<&str> {
        self.parsed.header.optional.as_ref().map(|said| said.text.as_str())
    }

    /// It cannot run in a transaction.
    pub fn is_alone(&self) -> bool {
        self.parsed.header.no_transaction.is_some()
    }

    pub fn makes(&self, table: &Table) -> bool {
        self.tables.iter().any(|name| name == table.name)
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot::parse(self.migration.file, self.migration.snapshot.as_bytes())
            .expect("a test reads every declared schema that is built in")
    }
}

/// The checksums of the migrations that the ledger says were applied, by number.
pub type Recorded = BTreeMap<i64, Vec<u8>>;

/// One schema's migrations and the tables that are needed of it.
pub struct Set<'a> {
    pub name: &'a str,
    pub dialect: &'a str,
    pub files: Vec<File>,
    pub tables: &'a [&'a Table],
    /// The optional parts that are asked for.
    with: &'a [String],
}

impl<'a> Set<'a> {
    pub fn find(
        name: &'a str,
        dialect: &'a str,
        tables: &'a [&'a Table],
        with: &'a [String],
    ) -> Result<Set<'a>, SchemaError> {
        match migrations(name, dialect) {
            Some(migrations) => {
                Ok(Set { name, dialect, files: migrations.iter().map(File::of).collect(), tables, with })
            }
            None => Err(SchemaError::NoMigrations { schema: name.to_owned(), dialect: dialect.to_owned() }),
        }
    }

    pub fn owner(&self) -> Owner {
        if self.name == LEDGER {
            Owner::Ledger
        } else {
            Owner::Application
        }
    }

    /// The rows of the ledger about this schema.
    pub fn versions(&self, connection: &mut dyn Connection) -> Result<Vec<Row>, SchemaError> {
        if connection.live_columns(&VERSIONS)?.is_none() {
            return Ok(Vec::new());
        }
        let mine = [Value::Text(self.name.to_owned())];
        Ok(select_all(connection, &VERSIONS, &Filter::In { column: 0, values: &mine })?)
    }

    /// # Errors
    /// When the database was written by a newer transload, or an applied migration was edited since.
    pub fn recorded(&self, connection: &mut dyn Connection) -> Result<Recorded, SchemaError> {
        let number_and_checksum =
            |row: &Row| Some((row.0[1].as_int()?, row.0[3].as_bytes().map(<[u8]>::to_vec).unwrap_or_default()));
        let recorded: Recorded = self.versions(connection)?.iter().filter_map(number_and_checksum).collect();
        let schema = || self.name.to_owned();
        for (&number, checksum) in &recorded {
            match self.files.iter().find(|file| file.number() == number) {
                None => return Err(SchemaError::Ahead { schema: schema(), number }),
                Some(file) if !file.migration.is_of(checksum) => {
                    return Err(SchemaError::Edited { schema: schema(), file: file.migration.file.to_owned() })
                }
                Some(_) => {}
            }
        }
        Ok(recorded)
    }

    /// The migrations that this database needs and has not had, in order: those that every database
    /// needs, and those of the optional parts that it has.
    pub fn behind(&self, recorded: &Recorded) -> Result<Vec<&File>, SchemaError> {
        let is_there = |file: &&File| recorded.contains_key(&file.number());
        let parts: Vec<&str> = self.files.iter().filter(is_there).filter_map(File::part).collect();
        let behind: Vec<_> = self
            .files
            .iter()
            .filter(|file| !is_there(file) && file.part().is_none_or(|part| parts.contains(&part)))
            .collect();
        // A part that was added late says nothing about the order.
        let last = self.files.iter().filter(is_there).rfind(|file| file.part().is_none()).map_or(0, File::number);
        match behind.iter().find(|file| file.part().is_none()) {
            Some(file) if file.number() < last => {
                Err(SchemaError::Gap { schema: self.name.to_owned(), file: file.migration.file.to_owned() })
            }
            _ => Ok(behind),
        }
    }

    /// What is to be applied, in order: what the database is behind, and the optional parts that are
    /// asked for or whose tables are needed. They may come late.
    pub fn pending(&self, recorded: &Recorded) -> Result<Vec<&File>, SchemaError> {
        let behind = self.behind(recorded)?;
        let needed: Vec<&File> =
            self.files.iter().filter(|file| self.tables.iter().any(|table| file.makes(table))).collect();
        let is_wanted = |file: &File| match file.part() {
            // All files of a part, whatever they do.
            Some(part) => {
                self.with.iter().any(|wanted| wanted == part) || needed.iter().any(|file| file.part() == Some(part))
            }
            None => needed.iter().any(|other| other.number() == file.number()),
        };
        let is_behind = |file: &File| behind.iter().any(|other| other.number() == file.number());
        let pending = self.files.iter().filter(|file| is_behind(file) || is_wanted(file));
        Ok(pending.filter(|file| !recorded.contains_key(&file.number())).collect())
    }

    /// The optional parts, each once, in the order of their first files.
    pub fn parts(&self) -> Vec<String> {
        distinct(self.files.iter())
    }

    /// The optional parts that the database has.
    pub fn parts_of(&self, connection: &mut dyn Connection) -> Result<Vec<String>, SchemaError> {
        let recorded = self.recorded(connection)?;
        Ok(distinct(self.files.iter().filter(|file| recorded.contains_key(&file.number()))))
    }

    /// The tables whose constraints a file changes, if it changes nothing else.
    pub fn constrained(&self, file: &File) -> Vec<String> {
        let (mut before, mut after) = (self.before(file).schema, file.snapshot().schema);
        let differs = |(name, shape): &(&String, &TableShape)| {
            before.tables.get(*name).is_some_and(|before| before.constraints != shape.constraints)
        };
        let changed = after.tables.iter().filter(differs).map(|(name, _)| name.clone()).collect();
        for schema in [&mut before, &mut after] {
            schema.tables.values_mut().for_each(|table| table.constraints.clear());
        }
        if before == after {
            changed
        } else {
            Vec::new()
        }
    }

    /// The declared schema of the version before a file's.
    pub fn before(&self, file: &File) -> Snapshot {
        let before = self.files.iter().rfind(|other| other.number() < file.number());
        before.map_or_else(Snapshot::empty, File::snapshot)
    }
}

fn distinct<'f>(files: impl Iterator<Item = &'f File>) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for part in files.filter_map(File::part) {
        if !parts.iter().any(|known| known == part) {
            parts.push(part.to_owned());
        }
    }
    parts
}
