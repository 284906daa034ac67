//! What lint says of the databases' SQL, asked of the databases themselves.

use std::fs;
use std::path::Path;

use postgres::error::SqlState;
use postgres::Client;
use transload::schema::files::MigrationSet;
use transload::schema::lint::lint;
use transload::schema::sql::{Dialect, Place};

use super::support::postgres::{connect, fresh_database};
use super::{fixtures, folders, name};

/// A statement of a fixture, and whether its own rule finds something in it.
struct Said {
    file: String,
    sql: String,
    is_found: bool,
}

/// The statements of all fixtures of these rules, good or bad, in one dialect.
fn statements(rules: &[&str], kind: &str, dialect: Dialect) -> Vec<Said> {
    let mut said = Vec::new();
    for fixture in fixtures() {
        let number = name(&fixture).split('-').next().expect("a number").to_owned();
        let directory = fixture.join(kind).join(dialect.name());
        if !rules.iter().any(|rule| number.starts_with(rule)) || !directory.is_dir() {
            continue;
        }
        let set = MigrationSet::read(&directory, dialect).expect("readable");
        let findings = lint(&set);
        for file in &set.files {
            let places: Vec<Place> = findings
                .iter()
                .filter(|finding| finding.file == file.file && finding.rule.number == number)
                .filter_map(|finding| finding.place)
                .collect();
            for (at, statement) in file.statements.iter().enumerate() {
                let end = file.statements.get(at + 1).map_or(Place { line: u32::MAX, column: 1 }, |next| next.place());
                said.push(Said {
                    file: format!("{}/{}", name(&fixture), file.file),
                    sql: file.sql(statement).to_owned(),
                    is_found: places.iter().any(|place| (statement.place()..end).contains(place)),
                });
            }
        }
    }
    assert!(!said.is_empty());
    said
}

/// Whole files, for what is wrong between statements.
fn files(rule: &str, dialect: Dialect) -> Vec<(String, String)> {
    let fixture = fixtures().into_iter().find(|path| name(path).starts_with(rule)).expect("there is one");
    let read = |path: &Path| (name(path), fs::read_to_string(path).expect("text"));
    let directory = folders(&fixture.join("bad")).into_iter().find(|path| name(path) == dialect.name());
    let entries = fs::read_dir(directory.expect("there is one")).expect("readable");
    entries.map(|entry| read(&entry.expect("readable").path())).collect()
}

/// How PostgreSQL answers to a statement within a transaction, which leaves no trace.
fn answer(client: &mut Client, sql: &str) -> Option<SqlState> {
    client.batch_execute("BEGIN").expect("a transaction");
    let error = client.batch_execute(sql).err();
    client.batch_execute("ROLLBACK").expect("its end");
    error.map(|error| error.code().unwrap_or_else(|| panic!("{sql}: {error}")).clone())
}

#[test]
fn what_is_no_sql_to_lint_is_none_to_postgres_and_all_else_is() {
    let mut client = connect(&fresh_database());
    for said in statements(&["7.3"], "bad", Dialect::Postgres).iter().filter(|said| said.is_found) {
        assert_eq!(answer(&mut client, &said.sql), Some(SqlState::SYNTAX_ERROR), "{}: {}", said.file, said.sql);
    }
    for rule in ["7.2", "7.4"] {
        for (file, text) in files(rule, Dialect::Postgres) {
            assert_eq!(answer(&mut client, &text), Some(SqlState::SYNTAX_ERROR), "{file}: {text}");
        }
    }
    let good = ["1", "2", "3", "4", "5", "6", "7", "8"];
    let bad = ["1", "2", "3", "4", "5", "6", "8"];
    for said in statements(&good, "good", Dialect::Postgres).iter().chain(&statements(&bad, "bad", Dialect::Postgres)) {
        assert_ne!(answer(&mut client, &said.sql), Some(SqlState::SYNTAX_ERROR), "{}: {}", said.file, said.sql);
    }
}

#[test]
fn what_needs_no_transaction_to_lint_fails_within_one_and_all_else_does_not() {
    let mut client = connect(&fresh_database());
    let mut refused = 0;
    for said in statements(&["2.2"], "bad", Dialect::Postgres) {
        assert!(said.is_found, "{}", said.sql);
        match answer(&mut client, &said.sql) {
            Some(SqlState::ACTIVE_SQL_TRANSACTION) => refused += 1,
            // It is looked for first.
            Some(SqlState::UNDEFINED_TABLE | SqlState::UNDEFINED_OBJECT) => {}
            other => panic!("{}: {other:?}", said.sql),
        }
    }
    assert!(refused >= 12, "{refused}");
    for said in statements(&["3", "5", "7", "8"], "good", Dialect::Postgres) {
        let alone = said.sql.contains("CONCURRENTLY") || said.sql.starts_with("VACUUM");
        assert_eq!(
            answer(&mut client, &said.sql) == Some(SqlState::ACTIVE_SQL_TRANSACTION),
            alone,
            "{}: {}",
            said.file,
            said.sql
        );
    }
}

/// What an action on a table `a` means to lint: whether it warns of a rewrite or a scan.
fn is_warned_of(table: &str, action: &str) -> bool {
    let (first, second) = (format!("{table};"), format!("ALTER TABLE a {action};"));
    let files = [("0001_a.sql", first.as_bytes()), ("0002_b.sql", second.as_bytes())];
    let set = MigrationSet::embedded("made", Dialect::Postgres, files);
    lint(&set).iter().any(|finding| finding.rule.number == "8.4")
}

/// The number of the file in which the table stands: another one once it was rewritten.
fn file_of_a(client: &mut Client) -> u32 {
    client.query_one("SELECT pg_relation_filenode('a')", &[]).expect("there is a table").get(0)
}

#[test]
fn what_rewrites_a_table_of_postgres_is_warned_of_and_what_does_not_is_not() {
    const TABLE: &str = "CREATE TABLE a (i int, v varchar(20), n numeric(10,2), t text, c char(3), w cidr, d date)";
    const ACTIONS: [(&str, bool); 24] = [
        ("ALTER i TYPE bigint", true),
        ("ALTER i TYPE int4", false),
        ("ALTER i TYPE text", true),
        ("ALTER v TYPE varchar(40)", false),
        ("ALTER v TYPE character varying", false),
        ("ALTER v TYPE text", false),
        ("ALTER v SET DATA TYPE varchar(10)", true),
        ("ALTER v TYPE char(20)", true),
        ("ALTER n TYPE numeric(12,2)", false),
        ("ALTER n TYPE numeric", false),
        ("ALTER n TYPE numeric(12,4)", true),
        ("ALTER t TYPE varchar", false),
        ("ALTER t TYPE varchar(40)", true),
        ("ALTER c TYPE text", true),
        ("ALTER w TYPE inet", false),
        ("ALTER d TYPE timestamp", true),
        ("ADD x text", false),
        ("ADD x int NOT NULL DEFAULT 7", false),
        ("ADD x timestamptz DEFAULT now()", false),
        ("ADD x uuid DEFAULT gen_random_uuid()", true),
        ("ADD x serial", true),
        ("ADD x int GENERATED ALWAYS AS IDENTITY", true),
        ("ADD x int GENERATED ALWAYS AS (i + 1) STORED", true),
        ("SET UNLOGGED", true),
    ];
    let mut client = connect(&fresh_database());
    for (action, rewrites) in ACTIONS {
        client.batch_execute(&format!("DROP TABLE IF EXISTS a; {TABLE}; INSERT INTO a (i) VALUES (1)")).expect("made");
        let before = file_of_a(&mut client);
        client.batch_execute(&format!("ALTER TABLE a {action}")).expect(action);
        assert_eq!(before != file_of_a(&mut client), rewrites, "{action}: PostgreSQL");
        assert_eq!(is_warned_of(TABLE, action), rewrites, "{action}: lint");
    }
}

/// Whether SQLite cannot make out a text.
fn is_unreadable(connection: &rusqlite::Connection, sql: &str) -> bool {
    let said = connection.prepare(sql).err().map(|error| error.to_string()).unwrap_or_default();
    ["syntax error", "unrecognized token", "incomplete input"].iter().any(|part| said.contains(part))
}

#[test]
fn what_is_no_sql_to_lint_is_none_to_sqlite_and_all_else_is() {
    let connection = rusqlite::Connection::open_in_memory().expect("a database");
    // SQLite looks for the table before it reads on.
    connection.execute_batch("CREATE TABLE a (z)").expect("made");
    for said in statements(&["7.3", "7.4"], "bad", Dialect::Sqlite).iter().filter(|said| said.is_found) {
        assert!(is_unreadable(&connection, &said.sql), "{}: {}", said.file, said.sql);
    }
    for (file, text) in files("7.2", Dialect::Sqlite) {
        assert!(is_unreadable(&connection, &text), "{file}: {text}");
    }
    let good = ["1", "2", "3", "4", "5", "6", "7", "8"];
    let bad = ["1", "2", "3", "4", "5", "6", "8"];
    for said in statements(&good, "good", Dialect::Sqlite).iter().chain(&statements(&bad, "bad", Dialect::Sqlite)) {
        assert!(!is_unreadable(&connection, &said.sql), "{}: {}", said.file, said.sql);
    }
}
