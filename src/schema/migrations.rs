//! The migrations, built into the program. Their SQL is in `schema/`; a test compares the list
//! here with the folder.

use super::files::{MigrationFile, MigrationSet};
use super::lint::tables_made;
use super::sql::Dialect;

/// Earlier wordings of files, which differ from what they are now in their comments alone: BLAKE3 of
/// their bytes. A database that has had one of them has had the file.
static FORMER: [(&str, &str); 9] = [
    // donna, PostgreSQL
    ("0001_core_tables.sql", "cae728704269b1823ce2c1786dd1e24fdab67031b9d5853222d9f32f672cb49f"),
    ("0002_indexes.sql", "dbeedf48bbc0f2c39238cf6ec91508b6314ce8d3ecd3a32fb399f33d648c0b57"),
    ("0003_system_logs.sql", "db6daf9769033682cc818902a9afe6ffb7cfe24757bf352d079e3af9cb3982ed"),
    // donna, SQLite
    ("0001_core_tables.sql", "d5ab7014ba5e0ab27fdf1743a34ef58d66d99b6c803da4f5bf0fe351dad60379"),
    ("0002_indexes.sql", "7996bf844559f8a93e42287dd7585ee8305ac1434fd7387d7478e09b1c62f058"),
    ("0003_system_logs.sql", "33f7e661aba0d10e3f1ba6a126aa946a4390082f757a482cdc86fbc2362bca67"),
    // the ledger's, PostgreSQL
    ("0001_ledger.sql", "7cffbe52fa8cbc51f2c7e17a78f5df76a47cba45668b07534c2023dffb4ebee6"),
    ("0002_seals.sql", "a5c321ccc9f01a6bd426e8bc136cca851ccf56fdcfc713bea219730c97f336e6"),
    // the ledger's, SQLite
    ("0001_ledger.sql", "db916fb7e25fc7acd8b5958d4a741e790c35015263a7282e55a8290efdb1a4ae"),
];

/// One .sql file, never edited once it was released.
#[derive(Debug)]
pub struct Migration {
    /// `NNNN_name.sql`.
    pub file: &'static str,
    pub sql: &'static str,
    /// The schema that it declares, `NNNN.json`.
    pub snapshot: &'static str,
    pub dialect: Dialect,
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

    /// Whether a database that recorded this checksum has had it, in this wording or an earlier one.
    pub fn is_of(&self, checksum: &[u8]) -> bool {
        let former = |(file, hex): &(&str, &str)| *file == self.file && *hex == super::snapshot::hex(checksum);
        self.checksum() == *checksum || FORMER.iter().any(former)
    }

    /// With its header and statements read.
    pub fn parsed(&self) -> MigrationFile {
        MigrationFile::parse(self.file, self.sql.to_owned(), self.dialect)
            .expect("a test checks that every file is called as a migration is")
    }

    /// The tables that it makes, without the prefix that SQLite's ledger has.
    pub fn tables(&self) -> Vec<String> {
        let plain = |name: String| name.strip_prefix("transload_").map(str::to_owned).unwrap_or(name);
        tables_made(&self.parsed()).into_iter().map(plain).collect()
    }
}

macro_rules! folder {
    ($folder:literal, $dialect:ident: $($number:literal $name:literal),+) => {
        &[$(Migration {
            dialect: Dialect::$dialect,
            file: concat!($number, "_", $name, ".sql"),
            sql: include_str!(concat!("../../schema/", $folder, "/", $number, "_", $name, ".sql")),
            snapshot: include_str!(concat!("../../schema/", $folder, "/", $number, ".json")),
        }),+]
    };
}

static DONNA_POSTGRES: &[Migration] =
    folder!("donna/postgres", Postgres: "0001" "core_tables", "0002" "indexes", "0003" "system_logs", "0004" "search");
static DONNA_SQLITE: &[Migration] = folder!("donna/sqlite", Sqlite:
    "0001" "core_tables", "0002" "indexes", "0003" "system_logs", "0004" "search", "0005" "any_sqlite",
    "0006" "any_sqlite_logs");
static LEDGER_POSTGRES: &[Migration] =
    folder!("transload/postgres", Postgres: "0001" "ledger", "0002" "seals", "0003" "set_aside");
static LEDGER_SQLITE: &[Migration] =
    folder!("transload/sqlite", Sqlite: "0001" "ledger", "0002" "seals", "0003" "set_aside", "0004" "any_sqlite");
static HISTORY_POSTGRES: &[Migration] =
    folder!("history/postgres", Postgres: "0001" "schema_history", "0002" "log_anchors");
static HISTORY_SQLITE: &[Migration] = folder!("history/sqlite", Sqlite: "0001" "schema_history", "0002" "log_anchors");

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

    /// Migrations that mend what is wrong in one database only; their numbers are not the other's.
    const OF_SQLITE: [&str; 2] = ["any_sqlite", "any_sqlite_logs"];

    #[test]
    fn both_databases_get_the_same_migrations_but_for_what_only_one_needs() {
        for schema in ["donna", super::super::LEDGER] {
            let names = |dialect| migrations(schema, dialect).unwrap().iter().map(Migration::name).collect::<Vec<_>>();
            let (mut sqlite, all) = (names("sqlite"), names("sqlite").len());
            sqlite.retain(|name| !OF_SQLITE.contains(name));
            assert!(sqlite.len() < all);
            assert_eq!(names("postgres"), sqlite);
        }
    }

    #[test]
    fn together_they_make_the_tables_of_the_model() {
        let check = |schema: &str, tables: &[&Table]| {
            for dialect in ["postgres", "sqlite"] {
                // What searching needs is not for rows of ours.
                let of_rows = |migration: &&Migration| migration.name() != "search";
                let migrations = migrations(schema, dialect).unwrap().iter().filter(of_rows);
                let made: Vec<_> = migrations.flat_map(Migration::tables).collect();
                let expected: Vec<_> = tables.iter().map(|table| table.name).collect();
                assert_eq!(made, expected);
            }
        };
        check("donna", &tables::TABLES);
        check(super::super::LEDGER, &ledger::TABLES);
    }

    #[test]
    fn the_earlier_wordings_differ_in_comments_alone() {
        // The checksums over the tokens, as they were when the earlier wordings were in use.
        let tokens = [
            ("0001_core_tables.sql", "19d68dd0fb1332ecff77e7b9ba7f02ef02d43ca69a96a09d8cfbdb7f975695ac"),
            ("0002_indexes.sql", "c96b4df2d1dddb650e7abc167e494b45e04c534a69561070861457bda78cefcf"),
            ("0003_system_logs.sql", "c5910df4fce1680054382f6ce9d2f4a63773e71f350accfe0540e8639c8fd263"),
            ("0001_core_tables.sql", "12eec513b957b854531ffd340170bcec07273bacccb847c9cddc143725e3ef74"),
            ("0002_indexes.sql", "c96b4df2d1dddb650e7abc167e494b45e04c534a69561070861457bda78cefcf"),
            ("0003_system_logs.sql", "8da9805df22a5c8b80aa593ba6e9ced556ca500ec4e4732f47663d57cba6782c"),
            ("0001_ledger.sql", "1db365fdd13b2d1c7c8e0c3c59677105653ecb50414d5c937663c03b3568ef09"),
            ("0002_seals.sql", "62c51e2d036de5328113bb79a21a905ada713849f14e1702cb5c44340d1ce75e"),
            ("0001_ledger.sql", "afbfea8fa3f6ab6381591f5e6092e4fe102327cdd34acd8ab79f005759849d35"),
        ];
        let all = || ALL.iter().flat_map(|(_, _, migrations)| *migrations);
        for (file, expected) in tokens {
            let of_tokens = |migration: &Migration| super::super::snapshot::hex(&migration.parsed().token_checksum());
            assert!(all().any(|migration| migration.file == file && of_tokens(migration) == expected), "{file}");
        }
        assert_eq!(tokens.len(), FORMER.len());
    }

    #[test]
    fn what_runs_outside_of_a_transaction_comes_last() {
        for (schema, dialect, migrations) in &ALL {
            let is_alone = |migration: &Migration| migration.parsed().header.no_transaction.is_some();
            let from = migrations.iter().position(is_alone).unwrap_or(migrations.len());
            assert!(migrations[from..].iter().all(is_alone), "{schema}/{dialect}");
        }
    }
}
