//! Raw access to a database of either kind: statements that no constraint stands in the way of, and
//! values spelled for them.

use postgres::NoTls;
use transload::model::{Owner, Row, Table, Value};
use transload::target::{select_all, Durability, Filter};

use crate::support::place::Database;

/// One of the two dialects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    pub fn of(database: &Database) -> Dialect {
        match database.url.starts_with("sqlite:") {
            true => Dialect::Sqlite,
            false => Dialect::Postgres,
        }
    }

    /// The table as a statement names it.
    pub fn table(self, table: &Table) -> String {
        match (table.owner, self) {
            (Owner::Application, _) => table.name.to_owned(),
            (Owner::Ledger, Dialect::Sqlite) => format!("transload_{}", table.name),
            (Owner::Ledger, Dialect::Postgres) => format!("transload.{}", table.name),
        }
    }

    /// A value as a statement spells it.
    pub fn literal(self, value: &Value) -> String {
        let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
        match value {
            Value::Null => "NULL".into(),
            Value::Uuid(id) => quoted(&id.to_string()),
            Value::Text(text) | Value::Json(text) => quoted(text),
            Value::Int(number) => number.to_string(),
            Value::Bool(flag) => if *flag { "TRUE" } else { "FALSE" }.into(),
            Value::Time(instant) => quoted(&instant.to_fixed()),
            Value::Inet(address) => quoted(&address.to_string()),
            Value::Bytes(bytes) => {
                let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                match self {
                    Dialect::Sqlite => format!("x'{hex}'"),
                    Dialect::Postgres => format!("'\\x{hex}'"),
                }
            }
            Value::Reference(text) => panic!("{text:?} is no value of a database"),
        }
    }

    /// Gives a row's column another value. The row is named by the values of its primary key.
    pub fn set(self, table: &Table, row: &Row, column: usize, value: &Value) -> String {
        let (name, value) = (table.columns[column].name, self.literal(value));
        format!("UPDATE {} SET {name} = {value} WHERE {}", self.table(table), self.condition(table, row))
    }

    pub fn insert(self, table: &Table, row: &Row) -> String {
        let names: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
        let values: Vec<String> = row.0.iter().map(|value| self.literal(value)).collect();
        format!("INSERT INTO {} ({}) VALUES ({})", self.table(table), names.join(", "), values.join(", "))
    }

    pub fn delete(self, table: &Table, row: &Row) -> String {
        format!("DELETE FROM {} WHERE {}", self.table(table), self.condition(table, row))
    }

    fn condition(self, table: &Table, row: &Row) -> String {
        let equal = |at: &usize| format!("{} = {}", table.columns[*at].name, self.literal(&row.0[*at]));
        table.key.iter().map(equal).collect::<Vec<_>>().join(" AND ")
    }
}

/// Runs statements in one transaction, without foreign keys and triggers.
pub fn execute(database: &Database, statements: &[String]) {
    if statements.is_empty() {
        return;
    }
    let failed = |statement: &str, error: &dyn std::fmt::Debug| panic!("cannot run {statement:?}: {error:?}");
    match Dialect::of(database) {
        Dialect::Sqlite => {
            let path = database.url.trim_start_matches("sqlite:");
            let mut connection = rusqlite::Connection::open(path).expect("the database opens");
            connection.pragma_update(None, "foreign_keys", false).expect("SQLite knows foreign keys");
            let transaction = connection.transaction().expect("a transaction begins");
            for statement in statements {
                transaction.execute_batch(statement).unwrap_or_else(|error| failed(statement, &error));
            }
            transaction.commit().expect("a transaction ends");
        }
        Dialect::Postgres => {
            let mut client = postgres::Client::connect(&database.url, NoTls).expect("the server answers");
            client.batch_execute("SET session_replication_role = replica").expect("this is the superuser");
            let mut transaction = client.transaction().expect("a transaction begins");
            for statement in statements {
                transaction.batch_execute(statement).unwrap_or_else(|error| failed(statement, &error));
            }
            transaction.commit().expect("a transaction ends");
        }
    }
}

/// All rows of a table.
pub fn rows(database: &Database, table: &'static Table) -> Vec<Row> {
    let target = database.target();
    let mut connection = target.connect(Durability::Relaxed).expect("the database answers");
    select_all(&mut *connection, table, &Filter::All).expect("the table can be read")
}
