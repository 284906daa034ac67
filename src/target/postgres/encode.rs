//! Values in PostgreSQL's binary formats: for COPY, and as parameters, also in arrays.
//!
//! No text formatting, hence no escaping that could go wrong.

use std::net::IpAddr;

use bytes::BytesMut;
use postgres::types::{to_sql_checked, IsNull, ToSql, Type};

use crate::model::{Column, Instant, Kind, Row, Table, Value};
use crate::target::Encoder;

/// PostgreSQL counts microseconds from 2000-01-01.
pub const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// `infinity` and `-infinity`, as other programs may have written them.
pub const INFINITIES: [(&str, i64); 2] = [("infinity", i64::MAX), ("-infinity", i64::MIN)];

/// Address families in `inet`.
pub const INET_4: u8 = 2;
pub const INET_6: u8 = 3;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EncodeError {
    #[error("column `{column}` takes no {value} value")]
    Mismatch { column: &'static str, value: &'static str },
    #[error("the number in column `{column}` does not fit 32 bits")]
    Range { column: &'static str },
    #[error("the value in column `{column}` is longer than PostgreSQL's protocol allows")]
    TooLong { column: &'static str },
    #[error("a reference reached the database unresolved")]
    Unresolved,
}

/// What COPY's binary format begins with: the signature, no flags, no extension.
pub const COPY_HEADER: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What it ends with: a row of -1 columns.
pub const COPY_TRAILER: &[u8] = &[0xff, 0xff];

/// Appends a row as COPY wants it.
pub fn row(out: &mut Vec<u8>, table: &Table, row: &Row) -> Result<(), EncodeError> {
    assert_eq!(row.0.len(), table.columns.len(), "a row of `{}` has one value for each column", table.name);
    let count = i16::try_from(row.0.len()).expect("tables have at most 1,600 columns");
    out.extend_from_slice(&count.to_be_bytes());
    for (column, value) in table.columns.iter().zip(&row.0) {
        field(out, column.kind, column.name, value)?;
    }
    Ok(())
}

/// Encodes rows for COPY away from any connection.
pub struct CopyEncoder;

impl Encoder for CopyEncoder {
    fn encode(&self, table: &Table, rows: &[Row], out: &mut Vec<u8>) -> bool {
        let begin = out.len();
        // Beside its content, a row has its number of columns and each value's length.
        let content: usize = rows.iter().map(Row::weight).sum();
        out.reserve(content + rows.len() * (2 + 4 * table.columns.len()));
        let encoded = rows.iter().all(|one| row(out, table, one).is_ok());
        if !encoded {
            out.truncate(begin);
        }
        encoded
    }
}

/// A statement's parameter, in the format that COPY has, too.
#[derive(Debug)]
pub struct Parameter(Option<Vec<u8>>);

impl ToSql for Parameter {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        let Some(bytes) = &self.0 else { return Ok(IsNull::Yes) };
        out.extend_from_slice(bytes);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A row's values as parameters.
pub fn values(table: &Table, row: &Row) -> Result<Vec<Parameter>, EncodeError> {
    table.columns.iter().zip(&row.0).map(|(column, one)| value(column, one)).collect()
}

pub fn value(column: &Column, value: &Value) -> Result<Parameter, EncodeError> {
    if *value == Value::Null {
        return Ok(Parameter(None));
    }
    let mut bytes = Vec::new();
    content(&mut bytes, column.kind, column.name, value)?;
    Ok(Parameter(Some(bytes)))
}

/// Appends a value with its length before it; NULL is the length -1.
fn field(out: &mut Vec<u8>, kind: Kind, column: &'static str, value: &Value) -> Result<(), EncodeError> {
    let at = out.len();
    out.extend_from_slice(&(-1i32).to_be_bytes());
    if *value == Value::Null {
        return Ok(());
    }
    content(out, kind, column, value)?;
    let length = i32::try_from(out.len() - at - 4).map_err(|_| EncodeError::TooLong { column })?;
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

fn content(out: &mut Vec<u8>, kind: Kind, column: &'static str, value: &Value) -> Result<(), EncodeError> {
    match (kind, value) {
        (Kind::Uuid, Value::Uuid(id)) => out.extend_from_slice(id.as_bytes()),
        (Kind::Text, Value::Text(text)) => out.extend_from_slice(text.as_bytes()),
        (Kind::Json, Value::Json(text)) => {
            // The version of jsonb's format.
            out.push(1);
            out.extend_from_slice(text.as_bytes());
        }
        (Kind::Int, Value::Int(number)) => {
            let number = i32::try_from(*number).map_err(|_| EncodeError::Range { column })?;
            out.extend_from_slice(&number.to_be_bytes());
        }
        (Kind::BigInt, Value::Int(number)) => out.extend_from_slice(&number.to_be_bytes()),
        (Kind::Bool, Value::Bool(flag)) => out.push(u8::from(*flag)),
        (Kind::Time, Value::Time(Instant(micros))) => {
            out.extend_from_slice(&micros.saturating_sub(EPOCH_MICROS).to_be_bytes());
        }
        (Kind::Inet, Value::Inet(address)) => inet(out, *address, None),
        (Kind::Bytes, Value::Bytes(bytes)) => out.extend_from_slice(bytes),
        (_, Value::Reference(_)) => return Err(EncodeError::Unresolved),
        // What decoding gives for values that only other programs write goes back as it came.
        (Kind::Time | Kind::Inet, Value::Text(text)) => {
            foreign(out, kind, text).ok_or(EncodeError::Mismatch { column, value: "text" })?;
        }
        (_, value) => return Err(EncodeError::Mismatch { column, value: name_of(value) }),
    }
    Ok(())
}

fn foreign(out: &mut Vec<u8>, kind: Kind, text: &str) -> Option<()> {
    if kind == Kind::Time {
        let (_, micros) = INFINITIES.iter().find(|(name, _)| *name == text)?;
        out.extend_from_slice(&micros.to_be_bytes());
        return Some(());
    }
    let (address, bits) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let bits = bits.parse().ok().filter(|bits| *bits <= if address.is_ipv4() { 32 } else { 128 })?;
    inet(out, address, Some(bits));
    Some(())
}

fn inet(out: &mut Vec<u8>, address: IpAddr, bits: Option<u8>) {
    match address {
        IpAddr::V4(address) => {
            out.extend_from_slice(&[INET_4, bits.unwrap_or(32), 0, 4]);
            out.extend_from_slice(&address.octets());
        }
        IpAddr::V6(address) => {
            out.extend_from_slice(&[INET_6, bits.unwrap_or(128), 0, 16]);
            out.extend_from_slice(&address.octets());
        }
    }
}

/// The element's and the array's type for a column of this kind.
pub fn array_type(kind: Kind) -> (Type, Type) {
    match kind {
        Kind::Uuid => (Type::UUID, Type::UUID_ARRAY),
        Kind::Text => (Type::TEXT, Type::TEXT_ARRAY),
        Kind::Json => (Type::JSONB, Type::JSONB_ARRAY),
        Kind::Int => (Type::INT4, Type::INT4_ARRAY),
        Kind::BigInt => (Type::INT8, Type::INT8_ARRAY),
        Kind::Bool => (Type::BOOL, Type::BOOL_ARRAY),
        Kind::Time => (Type::TIMESTAMPTZ, Type::TIMESTAMPTZ_ARRAY),
        Kind::Inet => (Type::INET, Type::INET_ARRAY),
        Kind::Bytes => (Type::BYTEA, Type::BYTEA_ARRAY),
    }
}

/// An array of one dimension.
pub fn array<'a>(
    kind: Kind,
    column: &'static str,
    values: impl Iterator<Item = &'a Value>,
) -> Result<Parameter, EncodeError> {
    let mut elements = Vec::new();
    let mut count = 0i32;
    let mut has_nulls = false;
    for value in values {
        has_nulls |= *value == Value::Null;
        field(&mut elements, kind, column, value)?;
        count = count.checked_add(1).ok_or(EncodeError::TooLong { column })?;
    }
    let dimensions = i32::from(count > 0);
    let mut out = Vec::with_capacity(elements.len() + 20);
    out.extend_from_slice(&dimensions.to_be_bytes());
    out.extend_from_slice(&i32::from(has_nulls).to_be_bytes());
    out.extend_from_slice(&array_type(kind).0.oid().to_be_bytes());
    if count > 0 {
        out.extend_from_slice(&count.to_be_bytes());
        out.extend_from_slice(&1i32.to_be_bytes());
    }
    out.extend_from_slice(&elements);
    Ok(Parameter(Some(out)))
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Uuid(_) => "uuid",
        Value::Text(_) => "text",
        Value::Json(_) => "json",
        Value::Int(_) => "integer",
        Value::Bool(_) => "boolean",
        Value::Time(_) => "time",
        Value::Inet(_) => "address",
        Value::Bytes(_) => "bytes",
        Value::Reference(_) => "reference",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(kind: Kind, value: Value) -> Result<Vec<u8>, EncodeError> {
        let mut out = Vec::new();
        field(&mut out, kind, "c", &value).map(|()| out)
    }

    #[test]
    fn a_length_stands_before_each_value() {
        assert_eq!(bytes(Kind::Text, Value::Text("ab".into())).unwrap(), b"\0\0\0\x02ab");
        assert_eq!(bytes(Kind::Text, Value::Text(String::new())).unwrap(), [0; 4]);
        assert_eq!(bytes(Kind::Text, Value::Null).unwrap(), [0xff; 4]);
        assert_eq!(bytes(Kind::Json, Value::Json("{}".into())).unwrap(), b"\0\0\0\x03\x01{}");
    }

    #[test]
    fn what_does_not_fit_its_column_is_an_error() {
        let column = "c";
        assert_eq!(bytes(Kind::Int, Value::Int(1 << 31)), Err(EncodeError::Range { column }));
        assert_eq!(bytes(Kind::Uuid, Value::Int(1)), Err(EncodeError::Mismatch { column, value: "integer" }));
        assert_eq!(
            bytes(Kind::Inet, Value::Text("10.0.0.0/33".into())),
            Err(EncodeError::Mismatch { column, value: "text" })
        );
        assert_eq!(bytes(Kind::Uuid, Value::Reference("u1".into())), Err(EncodeError::Unresolved));
    }

    #[test]
    fn an_array_of_nothing_has_no_dimension() {
        let bytes = |values: &[Value]| array(Kind::Uuid, "c", values.iter()).unwrap().0.expect("an array is not NULL");
        assert_eq!(bytes(&[])[..8], [0; 8]);
        assert_eq!(bytes(&[]).len(), 12);
        // One dimension, and a NULL in it.
        let with_null = bytes(&[Value::Null]);
        assert_eq!(with_null[..8], [0, 0, 0, 1, 0, 0, 0, 1]);
        assert_eq!(with_null[12..], [0, 0, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]);
    }

    #[test]
    fn rows_made_ready_early_are_those_made_late() {
        use crate::model::ledger::VERSIONS;
        let one = |number| {
            let (name, sum) = (Value::Text("größer".repeat(number as usize)), Value::Bytes(vec![7; number as usize]));
            let at = if number % 2 == 0 { Value::Null } else { Value::Time(Instant(number)) };
            Row(vec![Value::Text("s".into()), Value::Int(number), name, sum, at])
        };
        let rows: Vec<Row> = (0..50).map(one).collect();
        let (mut early, mut late) = (b"before".to_vec(), b"before".to_vec());
        assert!(CopyEncoder.encode(&VERSIONS, &rows, &mut early));
        rows.iter().for_each(|one| row(&mut late, &VERSIONS, one).unwrap());
        assert_eq!(early, late);
        let unresolved = [rows[0].clone(), Row(vec![Value::Reference("u".into()); 5])];
        assert!(!CopyEncoder.encode(&VERSIONS, &unresolved, &mut early));
        assert_eq!(early, late);
    }
}
