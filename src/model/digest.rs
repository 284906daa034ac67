//! Digests of rows: the same for a row as it was written and as a database gives it back.

use crate::json;

use super::table::{Row, Value};

/// The length of a row's digest in bytes. It tells whether a row was edited, against accident and
/// not against forgery: `verify` compares values, not digests.
pub const ROW_DIGEST: usize = 8;

/// The digest of a row's values in their order. JSON counts by value, so that `jsonb`'s order of
/// members and spelling of numbers do not matter.
///
/// # Panics
/// If a reference has not been resolved: such a row is in no database.
pub fn row(row: &Row) -> [u8; ROW_DIGEST] {
    let mut hasher = blake3::Hasher::new();
    for value in &row.0 {
        match value {
            Value::Null => feed(&mut hasher, 0, &[]),
            Value::Uuid(id) => feed(&mut hasher, 1, id.as_bytes()),
            Value::Text(text) => feed(&mut hasher, 2, text.as_bytes()),
            Value::Json(text) => feed_json(&mut hasher, text),
            Value::Int(number) => feed(&mut hasher, 4, &number.to_be_bytes()),
            Value::Bool(flag) => feed(&mut hasher, 5, &[u8::from(*flag)]),
            Value::Time(instant) => feed(&mut hasher, 6, &instant.0.to_be_bytes()),
            Value::Inet(address) => feed(&mut hasher, 7, address.to_string().as_bytes()),
            Value::Bytes(bytes) => feed(&mut hasher, 8, bytes),
            Value::Reference(text) => unreachable!("reference {text:?} was not resolved before its row was digested"),
        }
    }
    let mut digest = [0; ROW_DIGEST];
    hasher.finalize_xof().fill(&mut digest);
    digest
}

fn feed(hasher: &mut blake3::Hasher, tag: u8, bytes: &[u8]) {
    hasher.update(&[tag]);
    hasher.update(&(bytes.len() as u64).to_be_bytes());
    hasher.update(bytes);
}

fn feed_json(hasher: &mut blake3::Hasher, text: &str) {
    // Most rows hold an empty map or list, spelled alike everywhere.
    if text.len() <= 2 {
        // jsonb takes the sign from a zero.
        let text = if text == "-0" { "0" } else { text };
        return feed(hasher, 3, text.as_bytes());
    }
    match json::parse(text.as_bytes()) {
        Ok(value) => feed(hasher, 3, json::to_canonical(&value).as_bytes()),
        // Only somebody else's text gets here (SQLite holds what json_valid lets pass).
        Err(_) => feed(hasher, 9, text.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_counts_by_value_and_text_by_character() {
        let json = |text: &str| row(&Row(vec![Value::Json(text.into())]));
        assert_eq!(json("{\"b\":1.10,\"a\":1e2}"), json("{\"a\": 100, \"b\": 1.1}"));
        assert_ne!(json("{\"a\":[]}"), json("{\"a\":{}}"));
        assert_eq!(json("-0"), json("0"));
        let text = |text: &str| row(&Row(vec![Value::Text(text.into())]));
        assert_ne!(text("a"), text("a "));
        assert_ne!(text(""), row(&Row(vec![Value::Null])));
    }
}
