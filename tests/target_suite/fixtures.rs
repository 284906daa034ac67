//! Rows to write, and short ways to ask for them.

use std::ops::ControlFlow;

use transload::json;
use transload::model::{Instant, Row, Table, Value};
use transload::target::{Connection, Durability, Filter, Target};
use uuid::Uuid;

pub const NOON: Instant = Instant(1_764_324_930_123_456);

pub fn connect(target: &dyn Target) -> Box<dyn Connection> {
    target.connect(Durability::Relaxed).expect("the target can be connected to")
}

pub fn id(number: u128) -> Value {
    Value::Uuid(Uuid::from_u128(number))
}

pub fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub fn json(text: &str) -> Value {
    Value::Json(text.to_owned())
}

pub fn user(number: u128) -> Row {
    named_user(number, &format!("user {number}"))
}

pub fn named_user(number: u128, name: &str) -> Row {
    Row(vec![
        id(number),
        text(&format!("clerk_{number}")),
        Value::Null,
        text(name),
        json("{}"),
        json("{}"),
        Value::Time(NOON),
        Value::Time(NOON),
        Value::Null,
        text("active"),
    ])
}

pub fn chat(number: u128, user: Value) -> Row {
    Row(vec![
        id(number),
        text(&format!("chat_{number}")),
        user,
        text("title"),
        text("general"),
        json("{}"),
        Value::Time(NOON),
        Value::Time(NOON),
        Value::Null,
        Value::Int(0),
        text("active"),
    ])
}

pub fn message(number: u128, chat: u128) -> Row {
    Row(vec![
        id(number),
        id(chat),
        text("user"),
        text(&format!("message {number}")),
        json("{}"),
        Value::Time(NOON),
        Value::Int(1),
        Value::Null,
        Value::Bool(false),
    ])
}

pub fn memory(number: u128, user: u128) -> Row {
    Row(vec![
        id(number),
        id(user),
        text("profile"),
        text(&format!("key {number}")),
        json("1"),
        Value::Time(NOON),
        Value::Time(NOON),
        Value::Null,
    ])
}

pub fn version(schema: &str, number: i64) -> Row {
    Row(vec![text(schema), Value::Int(number), text("name"), Value::Bytes(vec![0; 32]), Value::Time(NOON)])
}

pub fn find(connection: &mut dyn Connection, table: &Table, filter: &Filter) -> Vec<Row> {
    let mut rows = Vec::new();
    let each = &mut |row| {
        rows.push(row);
        ControlFlow::Continue(())
    };
    connection.select(table, filter, each).expect("the table can be read");
    rows
}

pub fn all(connection: &mut dyn Connection, table: &Table) -> Vec<Row> {
    find(connection, table, &Filter::All)
}

/// The ids of all rows as numbers.
pub fn ids(connection: &mut dyn Connection, table: &Table) -> Vec<u128> {
    all(connection, table).iter().map(|row| row.id().as_u128()).collect()
}

/// JSON in one spelling, all else as it is.
pub fn canonical(rows: &[Row]) -> Vec<Row> {
    let value = |value: &Value| match value {
        Value::Json(text) => Value::Json(json::to_canonical(
            &json::parse(text.as_bytes(), &json::Arena::new()).expect("a database gives JSON back"),
        )),
        other => other.clone(),
    };
    rows.iter().map(|row| Row(row.0.iter().map(value).collect())).collect()
}
