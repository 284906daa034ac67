//! Tables as the database has them, and scripts that change them.

use transload::format::donna::tables::{TABLES, USERS};
use transload::model::{ledger, Column, Kind, Owner, Table};
use transload::schema::{self, Prepared};
use transload::target::{Connection, Target, TargetErrorKind};

use super::fixtures::*;

static NEWCOMER: Table = Table {
    name: "newcomer",
    owner: Owner::Application,
    columns: &[Column::new("id", Kind::Uuid)],
    key: &[0],
    natural_key: &[],
    parent: None,
    twin_key: &[],
};

pub fn live_columns_are_those_of_the_model(target: &dyn Target) {
    let mut connection = connect(target);
    for table in TABLES.into_iter().chain(ledger::TABLES) {
        let live = connection.live_columns(table).unwrap().unwrap_or_else(|| panic!("{} is missing", table.name));
        let names: Vec<_> = live.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, table.columns.iter().map(|column| column.name).collect::<Vec<_>>(), "{}", table.name);
        for &at in table.key {
            assert!(!live[at].nullable, "{}.{}", table.name, live[at].name);
        }
    }
    let users = connection.live_columns(&USERS).unwrap().unwrap();
    assert!(users[1].nullable);
}

pub fn a_missing_table_has_no_columns(target: &dyn Target) {
    assert_eq!(connect(target).live_columns(&NEWCOMER).unwrap(), None);
}

fn prepare(connection: &mut dyn Connection, target: &dyn Target) -> Prepared {
    schema::prepare(connection, target.capabilities().dialect, "donna", &TABLES).unwrap()
}

/// How many files of a schema a database with logs gets.
fn files(schema: &str, target: &dyn Target) -> usize {
    let all = schema::migrations(schema, target.capabilities().dialect).unwrap();
    all.iter().filter(|migration| migration.name() != "search").count()
}

pub fn preparing_again_changes_nothing(target: &dyn Target) {
    let mut connection = connect(target);
    let before = all(&mut *connection, &ledger::VERSIONS);
    assert_eq!(before.len(), files("transload", target) + files("donna", target));
    assert_eq!(prepare(&mut *connection, target), Prepared::default());
    assert_eq!(all(&mut *connection, &ledger::VERSIONS), before);
}

pub fn a_dry_run_of_the_preparation_leaves_nothing(target: &dyn Target) {
    let mut connection = connect(target);
    let drop_all: String = TABLES.iter().rev().map(|table| format!("DROP TABLE {};", table.name)).collect();
    connection.run_script(Owner::Application, &drop_all).unwrap();
    let forget = transload::target::Filter::In { column: 0, values: &[text("donna")] };
    let files = files("donna", target);
    assert_eq!(connection.delete(&ledger::VERSIONS, &forget).unwrap(), files as u64);
    connection.begin().unwrap();
    assert_eq!(prepare(&mut *connection, target).applied.len(), files);
    connection.insert(&USERS, &[user(1)]).unwrap();
    connection.rollback().unwrap();
    assert_eq!(connection.live_columns(&USERS).unwrap(), None);
    assert_eq!(prepare(&mut *connection, target).applied.len(), files);
}

pub fn a_script_in_a_rolled_back_transaction_leaves_nothing(target: &dyn Target) {
    let mut connection = connect(target);
    connection.begin().unwrap();
    connection.run_script(Owner::Application, "CREATE TABLE newcomer (id INTEGER); DROP TABLE system_logs;").unwrap();
    assert_eq!(connection.live_columns(&NEWCOMER).unwrap().map(|columns| columns.len()), Some(1));
    connection.rollback().unwrap();
    assert_eq!(connection.live_columns(&NEWCOMER).unwrap(), None);
    assert!(connection.live_columns(TABLES[4]).unwrap().is_some());
}

pub fn a_script_outside_of_a_transaction_is_whole_or_nothing(target: &dyn Target) {
    let mut connection = connect(target);
    connection
        .run_script(Owner::Application, "CREATE TABLE newcomer (id INTEGER); DROP TABLE no_such_table;")
        .unwrap_err();
    assert_eq!(connection.live_columns(&NEWCOMER).unwrap(), None);
}

pub fn a_wrong_script_says_so(target: &dyn Target) {
    let mut connection = connect(target);
    let error = connection.run_script(Owner::Application, "CREATE TABEL x (id INTEGER)").unwrap_err();
    assert_eq!(error.kind, TargetErrorKind::Other, "{error:?}");
    assert!(error.code.is_some() && error.source.is_some());
    connection.ping().unwrap();
}
