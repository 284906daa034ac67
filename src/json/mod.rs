//! Exact JSON: nothing is chosen, rounded or replaced on the way from bytes to values.
//!
//! serde_json keeps the last of two equal keys, turns numbers into doubles and reports no JSON
//! pointer, so the side that must lose nothing reads with this reader instead
//! (`docs/decisions/0002-own-json-reader.md`). Text that is not exactly Unicode without U+0000 is
//! an error here, because no PostgreSQL text can hold it.

mod number;
mod parser;
mod plain;
mod stream;
mod write;

pub use number::{canonical as canonical_number, fits_digits, jsonb_keeps};
pub use parser::{parse, parse_within, position, strip_bom, Error, ErrorKind, MAX_DEPTH};
pub use stream::{Element, Elements, StreamError};
pub use write::{jsonb_order, to_canonical, to_compact, write_compact, write_string};

/// Where values keep what the bytes do not have as it is needed: lists, objects, strings with escapes. All
/// of it is given back at once, with the arena.
pub use bumpalo::Bump as Arena;

/// One JSON value, borrowing from the bytes that it was read from and from an [`Arena`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    Null,
    Bool(bool),
    /// The number's own spelling.
    Number(&'a str),
    String(&'a str),
    Array(&'a [Value<'a>]),
    /// Members in the order of the source; keys are distinct.
    Object(&'a [Member<'a>]),
}

/// One member of an object: its key and its value.
pub type Member<'a> = (&'a str, Value<'a>);

impl<'a> Value<'a> {
    /// The member of an object.
    pub fn get(&self, key: &str) -> Option<&'a Value<'a>> {
        match self {
            Value::Object(members) => members.iter().find(|(name, _)| *name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    pub fn as_str(&self) -> Option<&'a str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// "an object", "a string", ...: for messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        }
    }
}

/// Appends one step to a JSON pointer (RFC 6901).
pub fn push_pointer(pointer: &mut String, step: &str) {
    pointer.push('/');
    for c in step.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
}
