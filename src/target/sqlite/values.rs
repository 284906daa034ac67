//! How values stand in SQLite: UUIDs, times, addresses and JSON as text, booleans as 0 and 1.
//!
//! Text never holds U+0000, as in PostgreSQL. Rows that somebody else wrote may hold anything; what does not
//! look like its column's kind is given as it is stored.

use std::net::IpAddr;

use rusqlite::types::{ToSql, ToSqlOutput, Type, ValueRef};
use uuid::fmt::Hyphenated;
use uuid::Uuid;

use crate::json;
use crate::model::{Column, Instant, Kind, Value};

#[derive(Debug, thiserror::Error)]
pub enum ValueError {
    #[error("a text contains U+0000")]
    Nul,
    #[error("a reference was not resolved")]
    Unresolved,
    #[error("the primary key column `{0}` holds something else than a lower-case UUID")]
    OddKey(&'static str),
}

/// A value as a statement's parameter.
pub struct Param<'a>(pub &'a Value);

impl ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let refuse = |error: ValueError| Err(rusqlite::Error::ToSqlConversionFailure(Box::new(error)));
        Ok(match self.0 {
            Value::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Value::Text(text) | Value::Json(text) => match memchr::memchr(0, text.as_bytes()).is_some() {
                true => return refuse(ValueError::Nul),
                false => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            },
            Value::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
            Value::Int(number) => ToSqlOutput::from(*number),
            Value::Bool(flag) => ToSqlOutput::from(*flag),
            Value::Uuid(id) => {
                let mut text = [0; Hyphenated::LENGTH];
                ToSqlOutput::from(String::from(id.hyphenated().encode_lower(&mut text)))
            }
            Value::Time(instant) => ToSqlOutput::from(instant.to_fixed()),
            Value::Inet(address) => ToSqlOutput::from(address.to_string()),
            Value::Reference(_) => return refuse(ValueError::Unresolved),
        })
    }
}

/// What a column of this kind holds. Never fails: an odd text stays text, an odd number a number.
pub fn read(kind: Kind, stored: ValueRef) -> Value {
    match (kind, stored) {
        (_, ValueRef::Null) => Value::Null,
        (Kind::Bool, ValueRef::Integer(number @ (0 | 1))) => Value::Bool(number == 1),
        (_, ValueRef::Integer(number)) => Value::Int(number),
        (_, ValueRef::Real(number)) => Value::Text(number.to_string()),
        (_, ValueRef::Blob(bytes)) => Value::Bytes(bytes.to_vec()),
        (kind, ValueRef::Text(bytes)) => match std::str::from_utf8(bytes) {
            Ok(text) => read_text(kind, text),
            Err(_) => Value::Bytes(bytes.to_vec()),
        },
    }
}

fn read_text(kind: Kind, text: &str) -> Value {
    let typed = match kind {
        // Other spellings of an id are other keys to SQLite.
        Kind::Uuid => text.parse().ok().filter(|id: &Uuid| id.hyphenated().to_string() == text).map(Value::Uuid),
        Kind::Json => return Value::Json(text.to_owned()),
        Kind::Time => Instant::from_fixed(text).map(Value::Time),
        Kind::Inet => text.parse::<IpAddr>().ok().map(Value::Inet),
        Kind::Text | Kind::Int | Kind::BigInt | Kind::Bool | Kind::Bytes => None,
    };
    typed.unwrap_or_else(|| Value::Text(text.to_owned()))
}

/// As [`read`], for a column of the primary key: a row that cannot be named cannot be worked on.
pub fn read_key(column: &Column, at: usize, stored: ValueRef) -> rusqlite::Result<Value> {
    match (column.kind, read(column.kind, stored)) {
        (Kind::Uuid, value) if value.as_uuid().is_none() => {
            Err(rusqlite::Error::FromSqlConversionFailure(at, Type::Text, Box::new(ValueError::OddKey(column.name))))
        }
        (_, value) => Ok(value),
    }
}

/// The values of a filter as one JSON array, which `json_each` takes apart again: any number of
/// values in one parameter. Blobs are spelled in hexadecimal. NULL equals nothing and is left out.
pub fn json_list(values: &[Value]) -> rusqlite::Result<String> {
    let mut list = String::from("[");
    for value in values {
        let parameter = Param(value);
        let output = parameter.to_sql()?;
        let stored = match &output {
            ToSqlOutput::Borrowed(stored) => *stored,
            ToSqlOutput::Owned(owned) => owned.into(),
            _ => unreachable!("a parameter is a plain value"),
        };
        let before = list.len();
        match stored {
            ValueRef::Null | ValueRef::Real(_) => {}
            ValueRef::Integer(number) => list.push_str(&number.to_string()),
            ValueRef::Text(text) => json::write_string(&String::from_utf8_lossy(text), &mut list),
            ValueRef::Blob(bytes) => {
                list.push('"');
                bytes.iter().for_each(|byte| list.push_str(&format!("{byte:02x}")));
                list.push('"');
            }
        }
        if list.len() > before {
            list.push(',');
        }
    }
    if list.ends_with(',') {
        list.pop();
    }
    list.push(']');
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_values_of_other_writers_stay_what_they_are() {
        let text = |text: &'static str| ValueRef::Text(text.as_bytes());
        let kept = |text: &str| Value::Text(text.to_owned());
        assert_eq!(read(Kind::Time, text("2025-01-02 03:04:05")), kept("2025-01-02 03:04:05"));
        assert_eq!(read(Kind::Inet, text("unknown")), kept("unknown"));
        assert_eq!(read(Kind::Inet, text("::1")), Value::Inet("::1".parse().unwrap()));
        let upper = "67E55044-10B1-426F-9247-BB680E5FE0C8";
        assert_eq!(read(Kind::Uuid, text(upper)), kept(upper));
        assert!(read_key(&Column::new("id", Kind::Uuid), 0, text(upper)).is_err());
        assert_eq!(read(Kind::Bool, ValueRef::Integer(7)), Value::Int(7));
        assert_eq!(read(Kind::Text, ValueRef::Text(b"\xFF")), Value::Bytes(vec![0xFF]));
        assert_eq!(read(Kind::Int, ValueRef::Real(1.5)), kept("1.5"));
    }

    #[test]
    fn a_filters_values_are_one_json_array() {
        let values =
            [Value::Text("a\"b".into()), Value::Null, Value::Int(-1), Value::Bool(true), Value::Bytes(vec![0, 255])];
        assert_eq!(json_list(&values).unwrap(), r#"["a\"b",-1,1,"00ff"]"#);
        assert_eq!(json_list(&[Value::Null]).unwrap(), "[]");
    }
}
