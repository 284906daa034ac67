//! What a database holds, read without a line of `src/target`, and the same for every database.

use std::path::{Path, PathBuf};

use rusqlite::types::ValueRef;
use transload::json;
use transload::model::{Kind, Owner, Table};

/// A database that tests look into.
pub enum Database {
    Sqlite(PathBuf),
    /// Its URL.
    Postgres(String),
}

/// One row: each column's name and its value as JSON text. Times have six digits and a `Z`; bytes are
/// hexadecimal. JSON columns are canonical unless they were asked for raw, because jsonb keeps
/// neither the order of members nor the spelling of numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row(pub Vec<(&'static str, String)>);

impl Row {
    /// A column's value as JSON text.
    pub fn json(&self, column: &str) -> &str {
        let found = self.0.iter().find(|(name, _)| *name == column);
        &found.unwrap_or_else(|| panic!("no column {column}")).1
    }

    /// A column's text; `None` for NULL.
    pub fn text(&self, column: &str) -> Option<String> {
        serde_json::from_str(self.json(column)).unwrap_or_else(|error| panic!("{column} is no text: {error}"))
    }

    /// The row as one JSON object, without these columns' values.
    pub fn to_json(&self, masked: &[&str]) -> String {
        let member = |(name, value): &(&str, String)| match masked.contains(name) {
            true => format!("\"{name}\":\"***\""),
            false => format!("\"{name}\":{value}"),
        };
        format!("{{{}}}", self.0.iter().map(member).collect::<Vec<_>>().join(","))
    }
}

impl Database {
    pub fn sqlite(file: &Path) -> Database {
        Database::Sqlite(file.to_owned())
    }

    /// For `--db`.
    pub fn url(&self) -> String {
        match self {
            Database::Sqlite(file) => format!("sqlite:{}", file.display()),
            Database::Postgres(url) => url.clone(),
        }
    }

    /// `sqlite` or `postgres`.
    pub fn dialect(&self) -> &'static str {
        match self {
            Database::Sqlite(_) => "sqlite",
            Database::Postgres(_) => "postgres",
        }
    }

    /// All rows of a table, JSON columns as the database gives them; none of an optional table that
    /// nobody asked for.
    pub fn raw_rows(&self, table: &'static Table) -> Vec<Row> {
        if table.name == "system_logs" && !self.has(table.name) {
            return Vec::new();
        }
        match self {
            Database::Sqlite(file) => sqlite_rows(file, table),
            Database::Postgres(url) => postgres_rows(url, table),
        }
    }

    /// Whether there is a table of this name.
    pub fn has(&self, table: &str) -> bool {
        match self {
            Database::Sqlite(file) => {
                let connection = rusqlite::Connection::open(file).expect("the database opens");
                connection.table_exists(None, table).expect("the schema can be read")
            }
            Database::Postgres(url) => {
                let sql = format!("SELECT count(*)::text FROM pg_class WHERE relname = '{table}'");
                super::postgres::query(url, &sql)[0][0].as_deref() == Some("1")
            }
        }
    }

    /// All rows of a table, in the order of these columns' JSON texts.
    pub fn rows(&self, table: &'static Table, order: &[&str]) -> Vec<Row> {
        let mut rows = self.raw_rows(table);
        for row in &mut rows {
            for (column, (_, value)) in table.columns.iter().zip(&mut row.0) {
                if column.kind == Kind::Json && value != "null" {
                    *value = canonical(value);
                }
            }
        }
        rows.sort_by_cached_key(|row| order.iter().map(|column| sortable(row.json(column))).collect::<Vec<_>>());
        rows
    }
}

/// Numbers by their value, all else by its text.
fn sortable(json: &str) -> (i64, String) {
    json.parse().map_or_else(|_| (0, json.to_owned()), |number| (number, String::new()))
}

fn sqlite_rows(file: &Path, table: &'static Table) -> Vec<Row> {
    let connection = rusqlite::Connection::open(file).expect("the database opens");
    let prefix = if table.owner == Owner::Ledger { "transload_" } else { "" };
    let names: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
    let sql = format!("SELECT \"{}\" FROM \"{prefix}{}\"", names.join("\", \""), table.name);
    let mut statement = connection.prepare(&sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let rows = statement.query_map([], |row| {
        let mut values = Vec::new();
        for (at, column) in table.columns.iter().enumerate() {
            let text = match row.get_ref(at)? {
                ValueRef::Null => None,
                ValueRef::Integer(number) => Some(number.to_string()),
                ValueRef::Text(text) => Some(String::from_utf8(text.to_vec()).expect("text is UTF-8")),
                ValueRef::Blob(bytes) => Some(hex(bytes)),
                ValueRef::Real(_) => panic!("{}.{} holds a floating-point number", table.name, column.name),
            };
            let text = match (column.kind, text) {
                (Kind::Bool, Some(text)) => Some(if text == "0" { "false" } else { "true" }.to_owned()),
                (_, text) => text,
            };
            values.push((column.name, as_json(column.kind, text)));
        }
        Ok(Row(values))
    });
    rows.expect("the query runs").map(|row| row.expect("a row can be read")).collect()
}

fn postgres_rows(url: &str, table: &'static Table) -> Vec<Row> {
    let schema = if table.owner == Owner::Ledger { "transload" } else { "public" };
    let expression = |column: &transload::model::Column| {
        let name = format!("\"{}\"", column.name);
        match column.kind {
            Kind::Time => format!("to_char({name} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"),
            Kind::Bytes => format!("encode({name}, 'hex')"),
            Kind::Inet => format!("host({name})"),
            _ => format!("{name}::text"),
        }
    };
    let columns: Vec<String> = table.columns.iter().map(expression).collect();
    let sql = format!("SELECT {} FROM \"{schema}\".\"{}\"", columns.join(", "), table.name);
    let rows = super::postgres::query(url, &sql).into_iter();
    let values = |row: Vec<Option<String>>| {
        table.columns.iter().zip(row).map(|(column, text)| (column.name, as_json(column.kind, text))).collect()
    };
    rows.map(|row| Row(values(row))).collect()
}

fn as_json(kind: Kind, text: Option<String>) -> String {
    let Some(text) = text else { return "null".into() };
    match kind {
        Kind::Int | Kind::BigInt | Kind::Bool => text,
        Kind::Json => text,
        _ => serde_json::to_string(&text).expect("text is JSON"),
    }
}

fn canonical(text: &str) -> String {
    let arena = json::Arena::new();
    let value = json::parse(text.as_bytes(), &arena).unwrap_or_else(|error| panic!("{text:?} is no JSON: {error:?}"));
    json::to_canonical(&value)
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
