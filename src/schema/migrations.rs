//! The migrations, built into the program. Their SQL is in `schema/`; a test compares the list
//! here with the folder.

use super::files::MigrationSet;
use super::sql::Dialect;

/// One .sql file, never edited once it was released.
#[derive(Debug)]
pub struct Migration {
    /// `NNNN_name.sql`.
    pub file: &'static str,
    pub sql: &'static str,
    /// The schema that it declares, `NNNN.json`.
    pub snapshot: &'static str,
}

impl Migration {
    pub fn number(&self) -> i64 {
        self.file[..4].parse().expect("a test checks that every file begins with four digits")
    }

    /// The file's name without number and ending.
    pub fn name(&self) -> &'static str {
        self.file[5..].trim_end_matches(".sql")
    }

    /// BLAKE3 of the file's bytes.
    pub fn checksum(&self) -> [u8; 32] {
        *blake3::hash(self.sql.as_bytes()).as_bytes()
    }

    /// The tables that it makes, without the prefix that SQLite's ledger has. Each begins on a line
    /// of its own.
    pub fn tables(&self) -> Vec<&'static str> {
        let named = |line: &'static str| line.strip_prefix("CREATE TABLE ")?.split([' ', '(']).next();
        self.sql.lines().filter_map(named).map(|name| name.strip_prefix("transload_").unwrap_or(name)).collect()
    }
}

macro_rules! folder {
    ($folder:literal: $($number:literal $name:literal),+) => {
        &[$(Migration {
            file: concat!($number, "_", $name, ".sql"),
            sql: include_str!(concat!("../../schema/", $folder, "/", $number, "_", $name, ".sql")),
            snapshot: include_str!(concat!("../../schema/", $folder, "/", $number, ".json")),
        }),+]
    };
}

static DONNA_POSTGRES: &[Migration] =
    folder!("donna/postgres": "0001" "core_tables", "0002" "indexes", "0003" "system_logs");
static DONNA_SQLITE: &[Migration] =
    folder!("donna/sqlite": "0001" "core_tables", "0002" "indexes", "0003" "system_logs");
static LEDGER_POSTGRES: &[Migration] =
    folder!("transload/postgres": "0001" "ledger", "0002" "seals", "0003" "set_aside");
static LEDGER_SQLITE: &[Migration] = folder!("transload/sqlite": "0001" "ledger", "0002" "seals", "0003" "set_aside");
static HISTORY_POSTGRES: &[Migration] = folder!("history/postgres": "0001" "schema_history");
static HISTORY_SQLITE: &[Migration] = folder!("history/sqlite": "0001" "schema_history");

static ALL: [(&str, &str, &[Migration]); 6] = [
    ("donna", "postgres", DONNA_POSTGRES),
    ("donna", "sqlite", DONNA_SQLITE),
    (super::LEDGER, "postgres", LEDGER_POSTGRES),
    (super::LEDGER, "sqlite", LEDGER_SQLITE),
    (super::history::OWN, "postgres", HISTORY_POSTGRES),
    (super::history::OWN, "sqlite", HISTORY_SQLITE),
];

/// A schema's migrations for one database, in order; never empty.
pub fn migrations(schema: &str, dialect: &str) -> Option<&'static [Migration]> {
    ALL.iter().find(|(name, of, _)| *name == schema && *of == dialect).map(|(_, _, migrations)| *migrations)
}

/// The same as a directory of such files would be read.
pub fn migration_set(schema: &str, dialect: Dialect) -> Option<MigrationSet> {
    let migrations = migrations(schema, dialect.name())?;
    let names: Vec<String> = migrations.iter().map(|migration| format!("{:04}.json", migration.number())).collect();
    let files = migrations.iter().map(|migration| (migration.file, migration.sql.as_bytes()));
    let snapshots =
        names.iter().zip(migrations).map(|(name, migration)| (name.as_str(), migration.snapshot.as_bytes()));
    Some(MigrationSet::embedded(&format!("{schema}/{dialect}"), dialect, files.chain(snapshots)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::donna::tables;
    use crate::model::{ledger, Table};
    use std::fs;
    use std::path::Path;

    /// The names of what is in a folder, sorted.
    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_list_is_what_the_folder_holds() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema");
        let mut listed = 0;
        for schema in names(&root) {
            for dialect in names(&root.join(&schema)) {
                let folder = root.join(&schema).join(&dialect);
                let migrations = migrations(&schema, &dialect).unwrap_or_else(|| panic!("{schema}/{dialect}"));
                let files: Vec<_> = migrations.iter().map(|migration| migration.file).collect();
                let on_disk: Vec<_> = names(&folder).into_iter().filter(|name| name.ends_with(".sql")).collect();
                assert_eq!(files, on_disk, "{schema}/{dialect}");
                for migration in migrations {
                    assert_eq!(migration.sql, fs::read_to_string(folder.join(migration.file)).unwrap());
                    let snapshot = folder.join(format!("{:04}.json", migration.number()));
                    assert_eq!(migration.snapshot, fs::read_to_string(snapshot).unwrap());
                }
                listed += 1;
            }
        }
        assert_eq!(listed, ALL.len());
    }

    #[test]
    fn numbers_count_from_one_without_gaps() {
        for (schema, dialect, migrations) in &ALL {
            let numbers: Vec<i64> = migrations.iter().map(Migration::number).collect();
            assert_eq!(numbers, (1..=migrations.len() as i64).collect::<Vec<_>>(), "{schema}/{dialect}");
            assert!(migrations.iter().all(|migration| migration.file.as_bytes()[4] == b'_'));
        }
    }

    #[test]
    fn both_databases_get_the_same_migrations() {
        for schema in ["donna", super::super::LEDGER] {
            let files = |dialect| migrations(schema, dialect).unwrap().iter().map(|m| m.file).collect::<Vec<_>>();
            assert_eq!(files("postgres"), files("sqlite"));
        }
    }

    #[test]
    fn together_they_make_the_tables_of_the_model() {
        let check = |schema: &str, tables: &[&Table]| {
            for dialect in ["postgres", "sqlite"] {
                let made: Vec<_> = migrations(schema, dialect).unwrap().iter().flat_map(Migration::tables).collect();
                let expected: Vec<_> = tables.iter().map(|table| table.name).collect();
                assert_eq!(made, expected);
            }
        };
        check("donna", &tables::TABLES);
        check(super::super::LEDGER, &ledger::TABLES);
    }
}
