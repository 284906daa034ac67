//! Tables as data, and the rows that go into them.
//!
//! A format describes its target tables once with these types; every database writes, reads and
//! compares them from that description, so no table is named in code outside `format` and `ledger`.

use std::net::IpAddr;

use uuid::Uuid;

use super::time::Instant;

/// What a column holds. Each database maps a kind to one of its own types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// PostgreSQL `uuid`; SQLite lower-case text.
    Uuid,
    /// Text, its longest length in characters given by [`Column::max_chars`].
    Text,
    /// PostgreSQL `jsonb`; SQLite checked text.
    Json,
    /// A signed 32-bit integer.
    Int,
    /// A signed 64-bit integer.
    BigInt,
    Bool,
    /// An instant with microseconds: PostgreSQL `timestamptz`; SQLite UTC text of fixed width.
    Time,
    /// PostgreSQL `inet` (host addresses only); SQLite text.
    Inet,
    /// PostgreSQL `bytea`; SQLite blob.
    Bytes,
}

/// One column of a [`Table`].
#[derive(Debug)]
pub struct Column {
    pub name: &'static str,
    pub kind: Kind,
    /// The longest text in characters (Unicode scalar values), as `varchar(n)` counts them.
    pub max_chars: Option<usize>,
    /// Set when the column refers to a row of another document.
    pub reference: Option<Reference>,
}

impl Column {
    pub const fn new(name: &'static str, kind: Kind) -> Column {
        Column { name, kind, max_chars: None, reference: None }
    }

    pub const fn text(name: &'static str, max_chars: usize) -> Column {
        Column { name, kind: Kind::Text, max_chars: Some(max_chars), reference: None }
    }

    pub const fn refers(name: &'static str, reference: Reference) -> Column {
        Column { name, kind: Kind::Uuid, max_chars: None, reference: Some(reference) }
    }
}

/// How a legacy reference (a user's id, say) finds the row that it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The kind of document referred to, e.g. `users`.
    pub kind: &'static str,
    /// What becomes of a reference that finds nothing.
    pub missing: Missing,
}

/// What becomes of a reference that finds no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The column stays NULL until the row appears.
    Null,
    /// A placeholder row is made, because the column must not be NULL.
    Placeholder,
}

/// Who keeps a table: the application, or transload's own ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A target table, in the schema that the application uses.
    Application,
    /// A ledger table: PostgreSQL schema `transload`, SQLite prefix `transload_`.
    Ledger,
}

/// A table as every part of the program sees it.
#[derive(Debug)]
pub struct Table {
    pub name: &'static str,
    pub owner: Owner,
    pub columns: &'static [Column],
    /// Positions of the primary key's columns. Target tables: the single column 0, a UUID.
    pub key: &'static [usize],
    /// Positions of the columns that identify a row in the application's eyes (a unique
    /// constraint), empty if there are none. A row that the database already holds under
    /// another id is found, and adopted, by these.
    pub natural_key: &'static [usize],
    /// The column that names the row's parent within the same document
    /// (`messages.chat_session_id`).
    pub parent: Option<usize>,
    /// Columns by which a row that the application wrote itself is recognised as one of the
    /// document's, below the same parent. Not unique, so only ever used together with it.
    pub twin_key: &'static [usize],
}

impl Table {
    /// The position of a column; `None` if the table has no such column.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

impl PartialEq for Table {
    fn eq(&self, other: &Table) -> bool {
        self.name == other.name && self.owner == other.owner
    }
}

impl Eq for Table {}

/// One value of a row. `Null` fits every kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Uuid(Uuid),
    /// Never contains U+0000.
    Text(String),
    /// One JSON value as compact text, members in the order of the source, numbers in their
    /// own spelling.
    Json(String),
    /// For [`Kind::Int`] and [`Kind::BigInt`].
    Int(i64),
    Bool(bool),
    Time(Instant),
    Inet(IpAddr),
    Bytes(Vec<u8>),
    /// A legacy reference that has not been resolved to a row yet; never reaches a database.
    Reference(String),
}

impl Value {
    /// An estimate of the value's size in bytes, for bounding batches.
    pub fn weight(&self) -> usize {
        match self {
            Value::Text(text) | Value::Json(text) | Value::Reference(text) => text.len() + 4,
            Value::Bytes(bytes) => bytes.len() + 4,
            Value::Uuid(_) | Value::Inet(_) => 20,
            _ => 12,
        }
    }

    pub fn as_uuid(&self) -> Option<Uuid> {
        match self {
            Value::Uuid(id) => Some(*id),
            _ => None,
        }
    }

    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) | Value::Json(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    pub fn as_time(&self) -> Option<Instant> {
        match self {
            Value::Time(instant) => Some(*instant),
            _ => None,
        }
    }

    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// `Text`, or `Null` for `None`.
    pub fn text_or_null(text: Option<impl Into<String>>) -> Value {
        text.map_or(Value::Null, |text| Value::Text(text.into()))
    }

    /// `Time`, or `Null` for `None`.
    pub fn time_or_null(instant: Option<Instant>) -> Value {
        instant.map_or(Value::Null, Value::Time)
    }
}

/// One row: as many values as the table has columns, in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Row(pub Vec<Value>);

impl Row {
    /// The id of a target table's row.
    ///
    /// # Panics
    /// If column 0 is not a UUID: every target table's is.
    pub fn id(&self) -> Uuid {
        self.0[0].as_uuid().expect("column 0 of a target table is its UUID")
    }

    pub fn weight(&self) -> usize {
        self.0.iter().map(Value::weight).sum()
    }
}
