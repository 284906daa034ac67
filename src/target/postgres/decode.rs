//! Values from PostgreSQL's binary formats, by the column's kind and the type that it really has.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use postgres::types::{FromSql, Type};
use uuid::Uuid;

use super::encode::{EPOCH_MICROS, INET_4, INET_6, INFINITIES};
use crate::model::{Column, Instant, Kind, Row, Table, Value};

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DecodeError {
    #[error("column `{column}` has the type {actual}, which does not hold {kind:?} values")]
    Type { column: &'static str, actual: String, kind: Kind },
    #[error("the server sent a malformed value for column `{column}`")]
    Malformed { column: &'static str },
    #[error("the server did not send whole rows")]
    Cut,
}

/// A value's bytes as they came.
struct Raw<'a>(Option<&'a [u8]>);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Raw<'a>, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Raw(Some(raw)))
    }

    fn from_sql_null(_: &Type) -> Result<Raw<'a>, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Raw(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// A row of the table, its columns selected in their order.
pub fn row(table: &Table, found: &postgres::Row) -> Result<Row, DecodeError> {
    let mut values = Vec::with_capacity(table.columns.len());
    columns(table.columns, found, &mut values)?;
    Ok(Row(values))
}

/// Adds the values of these columns, selected in this order.
pub fn columns<'a>(
    columns: impl IntoIterator<Item = &'a Column>,
    found: &postgres::Row,
    values: &mut Vec<Value>,
) -> Result<(), DecodeError> {
    for (at, column) in columns.into_iter().enumerate() {
        let Raw(raw) = found.get(at);
        let actual = found.columns()[at].type_();
        values.push(match raw {
            None => Value::Null,
            Some(raw) => {
                check(column, actual)?;
                value(actual, raw).ok_or(DecodeError::Malformed { column: column.name })?
            }
        });
    }
    Ok(())
}

/// Fails unless values of this type are values of the column's kind.
pub fn check(column: &Column, actual: &Type) -> Result<(), DecodeError> {
    if holds(actual, column.kind) {
        return Ok(());
    }
    Err(DecodeError::Type { column: column.name, actual: actual.name().to_owned(), kind: column.kind })
}

fn holds(actual: &Type, kind: Kind) -> bool {
    match kind {
        Kind::Uuid => *actual == Type::UUID,
        Kind::Text => is_text(actual),
        Kind::Json => [Type::JSONB, Type::JSON].contains(actual),
        Kind::Int | Kind::BigInt => [Type::INT2, Type::INT4, Type::INT8].contains(actual),
        Kind::Bool => *actual == Type::BOOL,
        Kind::Time => *actual == Type::TIMESTAMPTZ,
        Kind::Inet => [Type::INET, Type::CIDR].contains(actual),
        Kind::Bytes => *actual == Type::BYTEA,
    }
}

fn is_text(actual: &Type) -> bool {
    [Type::TEXT, Type::VARCHAR, Type::BPCHAR].contains(actual)
}

/// The value, or `None` for bytes that the type does not have.
pub fn value(actual: &Type, raw: &[u8]) -> Option<Value> {
    Some(match *actual {
        Type::UUID => Value::Uuid(Uuid::from_slice(raw).ok()?),
        Type::JSONB => Value::Json(text(raw.strip_prefix(&[1])?)?),
        Type::JSON => Value::Json(text(raw)?),
        Type::INT2 => Value::Int(i16::from_be_bytes(raw.try_into().ok()?).into()),
        Type::INT4 => Value::Int(i32::from_be_bytes(raw.try_into().ok()?).into()),
        Type::INT8 => Value::Int(i64::from_be_bytes(raw.try_into().ok()?)),
        Type::BOOL => Value::Bool(*raw.first()? != 0),
        Type::TIMESTAMPTZ => time(i64::from_be_bytes(raw.try_into().ok()?))?,
        Type::INET | Type::CIDR => inet(raw)?,
        Type::BYTEA => Value::Bytes(raw.to_vec()),
        _ if is_text(actual) => Value::Text(text(raw)?),
        _ => return None,
    })
}

fn text(raw: &[u8]) -> Option<String> {
    simdutf8::basic::from_utf8(raw).ok().map(str::to_owned)
}

/// The infinities of other programs' rows have no instant and come as text.
fn time(micros: i64) -> Option<Value> {
    if let Some((name, _)) = INFINITIES.iter().find(|(_, infinite)| *infinite == micros) {
        return Some(Value::Text((*name).to_owned()));
    }
    Some(Value::Time(Instant(micros.checked_add(EPOCH_MICROS)?)))
}

/// A host's address; a network of other programs' rows comes as text, `10.0.0.0/8`.
fn inet(raw: &[u8]) -> Option<Value> {
    let [family, bits, _is_cidr, _length, octets @ ..] = raw else { return None };
    let (address, all) = match *family {
        INET_4 => (IpAddr::from(Ipv4Addr::from(<[u8; 4]>::try_from(octets).ok()?)), 32),
        INET_6 => (IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?)), 128),
        _ => return None,
    };
    Some(if *bits == all { Value::Inet(address) } else { Value::Text(format!("{address}/{bits}")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_beyond_time_are_text() {
        assert_eq!(time(i64::MAX), Some(Value::Text("infinity".into())));
        assert_eq!(time(i64::MIN), Some(Value::Text("-infinity".into())));
        assert_eq!(time(0), Some(Value::Time(Instant(EPOCH_MICROS))));
    }

    #[test]
    fn only_host_addresses_are_addresses() {
        assert_eq!(inet(&[INET_4, 32, 0, 4, 10, 0, 0, 1]), Some(Value::Inet([10, 0, 0, 1].into())));
        assert_eq!(inet(&[INET_4, 8, 0, 4, 10, 0, 0, 0]), Some(Value::Text("10.0.0.0/8".into())));
        assert_eq!(inet(&[INET_6, 128, 0, 16, 1]), None);
    }
}
