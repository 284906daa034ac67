//! What is written is what is read.

use transload::format::donna::tables::{CHAT_SESSIONS, MESSAGES, USERS};
use transload::model::{digest, Column, Instant, Kind, Owner, Row, Table, Value};
use transload::target::{Connection, Filter, Target, TargetErrorKind};

use super::fixtures::*;

/// A table with a column of every kind, all of which may be NULL.
static EVERY_KIND: Table = Table {
    name: "every kind",
    owner: Owner::Application,
    columns: &[
        Column::new("id", Kind::Uuid),
        Column::new("Uuid", Kind::Uuid),
        Column::new("text", Kind::Text),
        Column::new("json", Kind::Json),
        Column::new("int", Kind::Int),
        Column::new("big\"int", Kind::BigInt),
        Column::new("bool", Kind::Bool),
        Column::new("time", Kind::Time),
        Column::new("inet", Kind::Inet),
        Column::new("bytes", Kind::Bytes),
    ],
    key: &[0],
    natural_key: &[],
    parent: None,
    twin_key: &[],
};

/// A connection to a database with [`EVERY_KIND`] in it. Its names need quoting, too.
fn with_every_kind(target: &dyn Target) -> Box<dyn Connection> {
    let sql = match target.capabilities().dialect {
        "sqlite" => {
            r#"CREATE TABLE "every kind" ("id" TEXT NOT NULL PRIMARY KEY, "Uuid" TEXT, "text" TEXT, "json" TEXT,
               "int" INTEGER, "big""int" INTEGER, "bool" INTEGER, "time" TEXT, "inet" TEXT, "bytes" BLOB) STRICT"#
        }
        "postgres" => {
            r#"CREATE TABLE "every kind" ("id" UUID PRIMARY KEY, "Uuid" UUID, "text" TEXT, "json" JSONB,
               "int" INTEGER, "big""int" BIGINT, "bool" BOOLEAN, "time" TIMESTAMPTZ, "inet" INET, "bytes" BYTEA)"#
        }
        other => panic!("say how {other} makes a table with every kind"),
    };
    let mut connection = connect(target);
    connection.run_script(Owner::Application, sql).unwrap();
    connection
}

/// A row of [`EVERY_KIND`] with one column filled.
fn with(number: u128, column: usize, value: Value) -> Row {
    let mut row = Row(vec![Value::Null; EVERY_KIND.columns.len()]);
    row.0[0] = id(number);
    row.0[column] = value;
    row
}

/// Values of every kind but JSON, with the positions of their columns.
fn samples() -> Vec<(usize, Value)> {
    vec![
        (1, id(u128::MAX)),
        (1, id(0)),
        (2, text("")),
        (2, text("plain")),
        (4, Value::Int(i64::from(i32::MIN))),
        (4, Value::Int(i64::from(i32::MAX))),
        (5, Value::Int(i64::MIN)),
        (5, Value::Int(i64::MAX)),
        (6, Value::Bool(true)),
        (6, Value::Bool(false)),
        (7, Value::Time(NOON)),
        (8, Value::Inet("192.0.2.1".parse().unwrap())),
        (8, Value::Inet("2001:db8::ff00:42:8329".parse().unwrap())),
        (8, Value::Inet("::ffff:192.0.2.1".parse().unwrap())),
        (9, Value::Bytes(Vec::new())),
        (9, Value::Bytes((0..=255).collect())),
    ]
}

const HOSTILE: [&str; 22] = [
    "'",
    "\"",
    "'); DROP TABLE users; --",
    "\\",
    "\\\\",
    "\\N",
    "\\.",
    "\\t\\n\\x41\\101",
    "tab\there",
    "line\nbreak\r\nand return\r",
    "\u{1}\u{7f}\u{80}\u{1b}[31m",
    "null",
    "NULL",
    "$1 ?1 :name @name %s {} ${x}",
    "/* comment */ -- comment",
    "emoji 🚩👩‍👩‍👧‍👦 and 4 bytes \u{10FFFF}\u{1F600}",
    "\u{FEFF}byte order mark",
    "\u{FFFD} replacement, \u{FFFF} no character",
    "e\u{301} is not \u{e9}",
    "âœ… encoded twice",
    " spaces around ",
    "\u{2028}\u{2029}\u{202E}",
];

pub fn every_kind_comes_back(target: &dyn Target) {
    let mut connection = with_every_kind(target);
    let rows: Vec<Row> = (1..).zip(samples()).map(|(number, (column, value))| with(number, column, value)).collect();
    assert_eq!(rows.len(), 16);
    connection.insert(&EVERY_KIND, &rows).unwrap();
    assert_eq!(all(&mut *connection, &EVERY_KIND), rows);
    assert_eq!(connection.update(&EVERY_KIND, &rows).unwrap(), 16);
    assert_eq!(all(&mut *connection, &EVERY_KIND), rows);
}

pub fn nulls_come_back(target: &dyn Target) {
    let mut connection = with_every_kind(target);
    let empty = with(1, 1, Value::Null);
    connection.insert(&EVERY_KIND, std::slice::from_ref(&empty)).unwrap();
    assert_eq!(all(&mut *connection, &EVERY_KIND), std::slice::from_ref(&empty));
    // From NULL to a value and back again.
    for (column, value) in samples() {
        let filled = with(1, column, value);
        assert_eq!(connection.update(&EVERY_KIND, std::slice::from_ref(&filled)).unwrap(), 1);
        assert_eq!(all(&mut *connection, &EVERY_KIND), [filled]);
        assert_eq!(connection.update(&EVERY_KIND, std::slice::from_ref(&empty)).unwrap(), 1);
        assert_eq!(all(&mut *connection, &EVERY_KIND), std::slice::from_ref(&empty));
    }
}

pub fn hostile_texts_come_back_unchanged(target: &dyn Target) {
    let mut connection = with_every_kind(target);
    let mut rows = Vec::new();
    for (number, hostile) in (1..).zip(HOSTILE) {
        let mut in_json = String::new();
        transload::json::write_string(hostile, &mut in_json);
        let mut row = with(number, 2, text(hostile));
        row.0[3] = Value::Json(format!("{{{in_json}:[{in_json}]}}"));
        rows.push(row);
    }
    connection.insert(&EVERY_KIND, &rows).unwrap();
    assert_eq!(canonical(&all(&mut *connection, &EVERY_KIND)), canonical(&rows));
    for (row, hostile) in rows.iter().zip(HOSTILE) {
        let found = find(&mut *connection, &EVERY_KIND, &Filter::In { column: 2, values: &[text(hostile)] });
        assert_eq!(canonical(&found), canonical(std::slice::from_ref(row)), "{hostile:?}");
    }
    assert_eq!(connection.update(&EVERY_KIND, &rows).unwrap(), HOSTILE.len() as u64);
    assert_eq!(canonical(&all(&mut *connection, &EVERY_KIND)), canonical(&rows));
    assert!(connection.is_empty(&USERS).unwrap());
}

pub fn times_come_back_to_the_microsecond(target: &dyn Target) {
    let mut connection = with_every_kind(target);
    let instants = [
        Instant::MIN,
        Instant(Instant::MIN.0 + 1),
        Instant(-62_135_596_800_000_000 / 2 - 1),
        Instant(-1),
        Instant(0),
        Instant(1),
        Instant(946_684_799_999_999),
        Instant(946_684_800_000_000),
        Instant(1_709_164_800_000_001),
        Instant(Instant::MAX.0 - 1),
        Instant::MAX,
    ];
    let rows: Vec<Row> = (1..).zip(instants).map(|(number, instant)| with(number, 7, Value::Time(instant))).collect();
    connection.insert(&EVERY_KIND, &rows).unwrap();
    assert_eq!(all(&mut *connection, &EVERY_KIND), rows);
}

pub fn json_comes_back_by_value(target: &dyn Target) {
    let mut connection = with_every_kind(target);
    let deep = format!("{}1{}", "[".repeat(500), "]".repeat(500));
    let values = [
        "{}",
        "[]",
        "null",
        "true",
        "0",
        "\"\"",
        "\"\\\"\\\\\\n\\u0001\"",
        "{\"b\":1,\"a\":{\"z\":[],\"\":null},\"é🚩\":\"/\"}",
        "[123456789012345678901234567890.1234567890123456789012345678901234567890]",
        "[18446744073709551616,-9223372036854775809,0.1,1.10,-0,1e25,1.0e+25,1e-300,1e400,1E5]",
        &deep,
    ];
    let rows: Vec<Row> = (1..).zip(values).map(|(number, value)| with(number, 3, json(value))).collect();
    connection.insert(&EVERY_KIND, &rows).unwrap();
    assert_eq!(canonical(&all(&mut *connection, &EVERY_KIND)), canonical(&rows));
}

pub fn a_filter_finds_every_kind_of_value(target: &dyn Target) {
    let mut connection = with_every_kind(target);
    let rows: Vec<Row> = (1..).zip(samples()).map(|(number, (column, value))| with(number, column, value)).collect();
    connection.insert(&EVERY_KIND, &rows).unwrap();
    for ((column, value), row) in samples().into_iter().zip(&rows) {
        let values = [value.clone()];
        let filter = Filter::In { column, values: &values };
        assert_eq!(find(&mut *connection, &EVERY_KIND, &filter), std::slice::from_ref(row), "{value:?}");
        assert_eq!(connection.delete(&EVERY_KIND, &filter).unwrap(), 1, "{value:?}");
    }
    assert!(connection.is_empty(&EVERY_KIND).unwrap());
}

pub fn a_text_with_nul_is_refused_as_data(target: &dyn Target) {
    let mut connection = connect(target);
    let error = connection.insert(&USERS, &[user(1), named_user(2, "a\0b")]).unwrap_err();
    assert_eq!(error.kind, TargetErrorKind::Data, "{error:?}");
    assert!(connection.is_empty(&USERS).unwrap());
}

pub fn digests_of_rows_survive_the_database(target: &dyn Target) {
    let mut connection = connect(target);
    connection.insert(&USERS, &[user(1)]).unwrap();
    connection.insert(&CHAT_SESSIONS, &[chat(2, id(1))]).unwrap();
    let mut row = message(3, 2);
    row.0[4] = json("{\"b\":1.10,\"a\":[1e2,{\"y\":null,\"x\":\"é\"}]}");
    connection.insert(&MESSAGES, std::slice::from_ref(&row)).unwrap();
    let back = all(&mut *connection, &MESSAGES);
    assert_eq!(back.len(), 1);
    assert_eq!(digest::row(&back[0]), digest::row(&row));
}
