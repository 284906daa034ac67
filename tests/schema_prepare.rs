//! What `schema::prepare` and `schema::check` make of a database, whatever they find in it.

mod support;

use std::any::Any;
use std::error::Error;
use std::fs;
use std::path::Path;

use transload::format::donna::tables::{TABLES, WITHOUT_LOGS};
use transload::model::ledger::VERSIONS;
use transload::model::{Owner, Value};
use transload::schema::{self, migrations, Prepared, SchemaError};
use transload::target::postgres::{Parameters, PostgresOptions, PostgresTarget};
use transload::target::sqlite::SqliteTarget;
use transload::target::{select_all, Connection, Durability, Filter, Target};

/// An empty database, and what must live as long as it does.
struct Fresh {
    connection: Box<dyn Connection>,
    dialect: &'static str,
    _keep: Box<dyn Any>,
}

fn sqlite() -> Fresh {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let target = SqliteTarget::new(directory.path().join("schema.db"));
    let connection = target.connect(Durability::Relaxed).expect("the target can be connected to");
    Fresh { connection, dialect: target.capabilities().dialect, _keep: Box::new(directory) }
}

fn postgres() -> Fresh {
    let parameters = Parameters::from_url(&support::postgres::fresh_database()).expect("a URL");
    let target = PostgresTarget::new(PostgresOptions::new(parameters));
    let connection = target.connect(Durability::Relaxed).expect("the target can be connected to");
    Fresh { connection, dialect: target.capabilities().dialect, _keep: Box::new(target) }
}

impl Fresh {
    fn prepare(&mut self) -> Result<Prepared, SchemaError> {
        schema::prepare(&mut *self.connection, self.dialect, "donna", &TABLES)
    }

    fn check(&mut self) -> Result<bool, SchemaError> {
        schema::check(&mut *self.connection, self.dialect, "donna", &TABLES)
    }

    /// Files in the order of their sets; those with a star are SQLite's alone.
    fn files(&self, list: &[&str]) -> Vec<String> {
        let all = list.iter().filter(|name| self.dialect == "sqlite" || !name.ends_with('*'));
        all.map(|name| name.trim_end_matches('*').to_owned()).collect()
    }

    /// What the preparation says is wrong; nothing may have changed then.
    fn refusal(&mut self) -> String {
        let before = self.tables();
        let error = self.prepare().expect_err("the preparation must refuse");
        assert!(error.hint().is_some(), "{error}");
        assert_eq!(self.tables(), before);
        error.to_string()
    }

    fn sql(&mut self, owner: Owner, sql: &str) {
        self.connection.run_script(owner, sql).unwrap();
    }

    /// Runs a migration's file as the application would: without a ledger.
    fn run_file(&mut self, file: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/donna").join(self.dialect).join(file);
        self.sql(Owner::Application, &fs::read_to_string(path).unwrap());
    }

    /// The target tables that exist.
    fn tables(&mut self) -> Vec<&'static str> {
        let exists = |table: &&&transload::model::Table| self.connection.live_columns(table).unwrap().is_some();
        TABLES.iter().filter(exists).map(|table| table.name).collect()
    }

    /// Schema and name of the recorded versions.
    fn versions(&mut self) -> Vec<String> {
        let rows = select_all(&mut *self.connection, &VERSIONS, &Filter::All).unwrap();
        let text = |value: &Value| value.as_text().map(str::to_owned).unwrap();
        rows.iter().map(|row| format!("{} {}", text(&row.0[0]), text(&row.0[2]))).collect()
    }

    /// Replaces one recorded version's number or checksum.
    fn tamper(&mut self, number: i64, change: impl FnOnce(&mut Vec<Value>)) {
        let mut rows = select_all(&mut *self.connection, &VERSIONS, &Filter::All).unwrap();
        let row = rows.iter_mut().find(|row| row.0[0].as_text() == Some("donna") && row.0[1] == Value::Int(number));
        change(&mut row.expect("the version is recorded").0);
        assert!(self.connection.delete(&VERSIONS, &Filter::All).unwrap() > 0);
        self.connection.insert(&VERSIONS, &rows).unwrap();
    }
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

fn an_empty_database_gets_every_table(mut fresh: Fresh) {
    assert!(!fresh.check().unwrap());
    let prepared = fresh.prepare().unwrap();
    let applied = fresh.files(&[
        "transload/0001_ledger.sql",
        "transload/0002_seals.sql",
        "transload/0003_set_aside.sql",
        "transload/0004_any_sqlite.sql*",
        "donna/0001_core_tables.sql",
        "donna/0002_indexes.sql",
        "donna/0003_system_logs.sql",
        "donna/0005_any_sqlite.sql*",
        "donna/0006_any_sqlite_logs.sql*",
    ]);
    assert_eq!(prepared, Prepared { applied, adopted: vec![] });
    assert_eq!(fresh.tables().len(), 5);
    let versions = fresh.files(&[
        "donna core_tables",
        "donna indexes",
        "donna system_logs",
        "donna any_sqlite*",
        "donna any_sqlite_logs*",
        "transload ledger",
        "transload seals",
        "transload set_aside",
        "transload any_sqlite*",
    ]);
    assert_eq!(fresh.versions(), versions);
    assert!(fresh.check().unwrap());
    assert_eq!(fresh.prepare().unwrap(), Prepared::default());
}

fn looking_changes_nothing(mut fresh: Fresh) {
    assert!(!fresh.check().unwrap());
    assert_eq!(fresh.tables(), [""; 0]);
    assert!(fresh.connection.live_columns(&VERSIONS).unwrap().is_none());
}

fn checksums_are_of_the_files_as_they_are(mut fresh: Fresh) {
    fresh.prepare().unwrap();
    let rows = select_all(&mut *fresh.connection, &VERSIONS, &Filter::All).unwrap();
    let recorded: Vec<_> = rows.iter().map(|row| row.0[3].clone()).collect();
    let expected: Vec<_> = ["donna", "transload"]
        .into_iter()
        .flat_map(|schema| migrations(schema, fresh.dialect).unwrap())
        .filter(|migration| migration.name() != "search")
        .map(|migration| Value::Bytes(migration.checksum().to_vec()))
        .collect();
    assert_eq!(recorded, expected);
}

fn tables_that_the_application_made_are_adopted(mut fresh: Fresh) {
    fresh.run_file("0001_core_tables.sql");
    fresh.run_file("0003_system_logs.sql");
    fresh.sql(Owner::Application, "ALTER TABLE users ADD COLUMN nickname TEXT");
    let prepared = fresh.prepare().unwrap();
    let applied = [
        "transload/0001_ledger.sql",
        "transload/0002_seals.sql",
        "transload/0003_set_aside.sql",
        "transload/0004_any_sqlite.sql*",
    ];
    assert_eq!(prepared.applied, fresh.files(&applied));
    let adopted = fresh.files(&[
        "donna/0001_core_tables.sql",
        "donna/0002_indexes.sql",
        "donna/0003_system_logs.sql",
        "donna/0005_any_sqlite.sql*",
        "donna/0006_any_sqlite_logs.sql*",
    ]);
    assert_eq!(prepared.adopted, adopted);
    assert_eq!(fresh.versions()[..2], ["donna core_tables (adopted)", "donna indexes (adopted)"]);
    assert_eq!(fresh.prepare().unwrap(), Prepared::default());
    assert!(fresh.check().unwrap());
}

fn the_optional_log_table_is_made_where_the_application_has_none(mut fresh: Fresh) {
    fresh.run_file("0001_core_tables.sql");
    fresh.run_file("0002_indexes.sql");
    let prepared = fresh.prepare().unwrap();
    let applied = [
        "transload/0001_ledger.sql",
        "transload/0002_seals.sql",
        "transload/0003_set_aside.sql",
        "transload/0004_any_sqlite.sql*",
        "donna/0003_system_logs.sql",
        "donna/0006_any_sqlite_logs.sql*",
    ];
    assert_eq!(prepared.applied, fresh.files(&applied));
    let adopted = ["donna/0001_core_tables.sql", "donna/0002_indexes.sql", "donna/0005_any_sqlite.sql*"];
    assert_eq!(prepared.adopted, fresh.files(&adopted));
    assert_eq!(fresh.tables().len(), 5);
}

fn half_of_the_tables_is_refused(mut fresh: Fresh) {
    fresh.run_file("0001_core_tables.sql");
    fresh.sql(Owner::Application, "DROP TABLE messages");
    assert_eq!(fresh.refusal(), "the table `users` is there, but `messages` is not");
}

fn log_tables_alone_are_refused_where_they_are_wanted(mut fresh: Fresh) {
    fresh.run_file("0003_system_logs.sql");
    assert_eq!(fresh.refusal(), "the table `system_logs` is there, but `users` is not");
    // Whose they are is nothing to us otherwise.
    let prepared = schema::prepare(&mut *fresh.connection, fresh.dialect, "donna", &WITHOUT_LOGS).unwrap();
    // The ledger was a transaction of its own.
    let applied = fresh.files(&["donna/0001_core_tables.sql", "donna/0002_indexes.sql", "donna/0005_any_sqlite.sql*"]);
    assert_eq!((prepared.applied, prepared.adopted), (applied, vec![]));
    assert!(fresh.check().unwrap());
}

fn an_optional_part_is_made_on_demand(mut fresh: Fresh) {
    let dialect = fresh.dialect;
    let prepared = schema::prepare(&mut *fresh.connection, dialect, "donna", &WITHOUT_LOGS).unwrap();
    assert_eq!(prepared.applied.len(), if dialect == "sqlite" { 7 } else { 5 });
    assert_eq!(fresh.tables().len(), 4);
    assert!(fresh.check().unwrap());
    assert_eq!(schema::parts("donna", dialect), ["logs", "search"]);
    assert_eq!(schema::part_of("donna", dialect, TABLES[4]).as_deref(), Some("logs"));
    assert_eq!(schema::parts_of(&mut *fresh.connection, dialect, "donna").unwrap(), [""; 0]);
    let with = names(&["search"]);
    let logs = fresh.files(&["donna/0003_system_logs.sql", "donna/0006_any_sqlite_logs.sql*"]);
    let mut prepare = |tables: &[&transload::model::Table], with: &[String]| {
        schema::prepare_with(&mut *fresh.connection, dialect, "donna", tables, with).unwrap().applied
    };
    assert_eq!(prepare(&WITHOUT_LOGS, &with), ["donna/0004_search.sql"]);
    assert_eq!(prepare(&WITHOUT_LOGS, &with), [""; 0]);
    assert_eq!(prepare(&TABLES, &[]), logs);
    assert_eq!(prepare(&WITHOUT_LOGS, &[]), [""; 0]);
    assert_eq!(schema::parts_of(&mut *fresh.connection, dialect, "donna").unwrap(), ["logs", "search"]);
    assert!(fresh.check().unwrap());
}

fn a_part_that_the_database_has_must_be_whole(mut fresh: Fresh) {
    let with = names(&["search"]);
    schema::prepare_with(&mut *fresh.connection, fresh.dialect, "donna", &WITHOUT_LOGS, &with).unwrap();
    let drop = match fresh.dialect {
        "sqlite" => "DROP TRIGGER messages_search_update",
        _ => "DROP INDEX idx_messages_search",
    };
    fresh.sql(Owner::Application, drop);
    let error = schema::prepare(&mut *fresh.connection, fresh.dialect, "donna", &WITHOUT_LOGS).unwrap_err();
    let said = error.to_string();
    let version = if fresh.dialect == "sqlite" { 5 } else { 4 };
    let begins = format!("the schema `donna` is not what its version {version} declares: ");
    assert!(said.starts_with(&begins) && said.contains("search"), "{said}");
    assert!(said.ends_with("is missing"), "{said}");
}

fn an_earlier_wording_of_a_file_is_the_file(mut fresh: Fresh) {
    fresh.prepare().unwrap();
    // As it was before its header said that it is optional.
    let former = match fresh.dialect {
        "sqlite" => "33f7e661aba0d10e3f1ba6a126aa946a4390082f757a482cdc86fbc2362bca67",
        _ => "db6daf9769033682cc818902a9afe6ffb7cfe24757bf352d079e3af9cb3982ed",
    };
    let bytes = (0..32).map(|at| u8::from_str_radix(&former[2 * at..2 * at + 2], 16).unwrap()).collect();
    fresh.tamper(3, |version| version[3] = Value::Bytes(bytes));
    assert_eq!(fresh.prepare().unwrap(), Prepared::default());
    assert!(fresh.check().unwrap());
}

fn a_missing_column_is_named(mut fresh: Fresh) {
    fresh.run_file("0001_core_tables.sql");
    fresh.sql(Owner::Application, "ALTER TABLE messages RENAME COLUMN token_count TO tokens");
    let refusal = fresh.refusal();
    assert!(refusal.starts_with("the table `messages` has no column `token_count`: expected "), "{refusal}");
    assert!(refusal.to_lowercase().ends_with("integer"), "{refusal}");
}

fn a_column_of_another_type_is_named(mut fresh: Fresh) {
    fresh.run_file("0001_core_tables.sql");
    let script = "ALTER TABLE messages RENAME COLUMN token_count TO tokens;
                  ALTER TABLE messages ADD COLUMN token_count TEXT;";
    fresh.sql(Owner::Application, script);
    let refusal = fresh.refusal().to_lowercase();
    assert_eq!(refusal, "the column `token_count` of table `messages` has the type text: expected integer",);
}

fn a_table_dropped_since_is_noticed(mut fresh: Fresh) {
    fresh.prepare().unwrap();
    fresh.sql(Owner::Application, "DROP TABLE messages");
    assert_eq!(fresh.refusal(), "the table `messages` is gone, although its migration was applied");
    fresh.check().unwrap_err();
}

fn a_database_of_a_newer_transload_is_refused(mut fresh: Fresh) {
    fresh.prepare().unwrap();
    fresh.tamper(3, |version| version[1] = Value::Int(9));
    assert_eq!(fresh.refusal(), "the schema `donna` is at version 9, which this transload does not know");
    assert!(matches!(fresh.check(), Err(SchemaError::Ahead { number: 9, .. })));
}

fn a_migration_edited_since_is_refused(mut fresh: Fresh) {
    fresh.prepare().unwrap();
    fresh.tamper(2, |version| version[3] = Value::Bytes(vec![7; 32]));
    let expected = "the migration `donna/0002_indexes.sql` was applied in another wording than it has now";
    assert_eq!(fresh.refusal(), expected);
    assert!(matches!(fresh.check(), Err(SchemaError::Edited { .. })));
}

fn a_migration_left_out_is_refused(mut fresh: Fresh) {
    fresh.prepare().unwrap();
    fresh.tamper(1, |version| version[0] = Value::Text("elsewhere".into()));
    let expected = "the migration `donna/0001_core_tables.sql` was left out, although later ones were applied";
    assert_eq!(fresh.refusal(), expected);
}

fn a_database_that_is_behind_gets_what_is_missing_on_demand(mut fresh: Fresh) {
    fresh.prepare().unwrap();
    let later = fresh.files(&["donna/0002_indexes.sql", "donna/0005_any_sqlite.sql*"]);
    for file in &later {
        let number = file["donna/".len()..][..4].parse().expect("a number");
        fresh.tamper(number, |version| version[0] = Value::Text("elsewhere".into()));
    }
    let indexes = migrations("donna", fresh.dialect).unwrap()[1].parsed();
    let index =
        |sql: &str| sql.strip_prefix("CREATE INDEX ").and_then(|rest| rest.split(' ').next()).map(str::to_owned);
    let drops = indexes.statements.iter().filter_map(|statement| index(indexes.sql(statement)));
    let drops: Vec<String> = drops.map(|name| format!("DROP INDEX {name};")).collect();
    assert_eq!(drops.len(), 19);
    fresh.sql(Owner::Application, &drops.concat());
    assert!(matches!(fresh.check(), Err(SchemaError::Behind { .. })));
    assert_eq!(fresh.refusal(), "the migration `donna/0002_indexes.sql` was not applied yet");
    let prepared = schema::upgrade(&mut *fresh.connection, fresh.dialect, "donna", &TABLES).unwrap();
    assert_eq!(prepared, Prepared { applied: later, adopted: vec![] });
    assert!(fresh.check().unwrap());
}

fn a_migration_that_fails_is_named_and_undone(mut fresh: Fresh) {
    // An index of the application's has the name that a migration wants.
    fresh.sql(Owner::Application, "CREATE TABLE other (id INTEGER); CREATE INDEX idx_users_email ON other(id);");
    let error = fresh.prepare().unwrap_err();
    assert_eq!(error.to_string(), "the migration `donna/0002_indexes.sql` failed");
    let cause = error.source().and_then(Error::source).expect("the database's own words");
    assert!(cause.to_string().contains("idx_users_email") || cause.source().is_some(), "{cause}");
    assert_eq!(fresh.tables(), [""; 0]);
    // The ledger is a transaction of its own.
    let ledger = ["transload ledger", "transload seals", "transload set_aside", "transload any_sqlite*"];
    assert_eq!(fresh.versions(), fresh.files(&ledger));
    assert!(fresh.check().unwrap());
}

fn an_unknown_format_is_refused(mut fresh: Fresh) {
    let error = schema::prepare(&mut *fresh.connection, fresh.dialect, "no such format", &TABLES).unwrap_err();
    assert!(matches!(error, SchemaError::NoMigrations { .. }), "{error}");
}

/// One module a target, one test a case.
macro_rules! every_target_passes {
    ($($make:ident),+ $(,)?) => { $(mod $make { cases!($make); })+ };
}

macro_rules! cases {
    ($make:ident) => {
        cases!(@ $make, an_empty_database_gets_every_table, looking_changes_nothing,
            checksums_are_of_the_files_as_they_are, tables_that_the_application_made_are_adopted,
            the_optional_log_table_is_made_where_the_application_has_none, half_of_the_tables_is_refused,
            log_tables_alone_are_refused_where_they_are_wanted, an_optional_part_is_made_on_demand,
            a_part_that_the_database_has_must_be_whole, an_earlier_wording_of_a_file_is_the_file, a_missing_column_is_named, a_column_of_another_type_is_named,
            a_table_dropped_since_is_noticed, a_database_of_a_newer_transload_is_refused,
            a_migration_edited_since_is_refused, a_migration_left_out_is_refused,
            a_database_that_is_behind_gets_what_is_missing_on_demand, a_migration_that_fails_is_named_and_undone,
            an_unknown_format_is_refused);
    };
    (@ $make:ident, $($case:ident),+) => {
        $(#[test]
        fn $case() {
            crate::$case(crate::$make());
        })+
    };
}

// To add a target: a function like `sqlite` above, and its name here.
every_target_passes!(sqlite, postgres);
