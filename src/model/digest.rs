//! Digests of rows: the same for a row as it was written and as a database gives it back.
//!
//! They tell of accidents and of hands that did not know the rule, never of somebody who does:
//! whoever may write the row may write its digest, too.

use std::cell::RefCell;

use crate::json;

use super::table::{Row, Value};

/// The length of a row's digest in bytes. It tells whether a row was edited; `verify` compares
/// values, not digests.
pub const ROW_DIGEST: usize = 8;

/// Bytes of a row that a thread keeps room for.
const MOST_KEPT: usize = 1024 * 1024;

/// What a seal's bytes begin with, so that no row's digest is one.
const SEAL_TAG: &[u8] = b"transload ledger row 1";

/// The digest of a row's values in their order. JSON counts by value, so that `jsonb`'s order of
/// members and spelling of numbers do not matter.
///
/// # Panics
/// If a reference has not been resolved: such a row is in no database.
pub fn row(row: &Row) -> [u8; ROW_DIGEST] {
    short(hashed(|bytes| feed_values(bytes, &row.0)))
}

/// The seal of a ledger's row, from the columns before it.
pub fn seal(values: &[Value]) -> [u8; ROW_DIGEST] {
    short(hashed(|bytes| {
        feed(bytes, 10, SEAL_TAG);
        feed_values(bytes, values);
    }))
}

/// A ledger's row with its seal as the last column.
pub fn sealed(mut values: Vec<Value>) -> Row {
    let seal = seal(&values);
    values.push(Value::Bytes(seal.to_vec()));
    Row(values)
}

/// What a ledger's row says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seal {
    /// It is what transload wrote.
    Right,
    /// It is from before there were seals.
    Missing,
    /// It was changed since.
    Broken,
}

impl Seal {
    pub fn of(row: &Row) -> Seal {
        match row.0.split_last() {
            Some((Value::Bytes(held), values)) if held[..] == seal(values) => Seal::Right,
            Some((Value::Null, _)) => Seal::Missing,
            _ => Seal::Broken,
        }
    }
}

/// Whether a ledger's row is what transload wrote; one from before there were seals may be.
pub fn is_sealed(row: &Row) -> bool {
    Seal::of(row) == Seal::Right
}

/// Rows of any tables, by their content: two sets are equal if they hold the same rows, whatever the
/// order in which they were added. Made to notice a change, not to withstand who plans one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowSet {
    /// The sum of the rows' digests, 256 bits in two halves.
    sum: [u128; 2],
    count: u64,
}

impl RowSet {
    /// # Panics
    /// If a reference has not been resolved: such a row is in no database.
    pub fn add(&mut self, table: &str, row: &Row) {
        let digest = hashed(|bytes| {
            feed(bytes, 11, table.as_bytes());
            feed_values(bytes, &row.0);
        });
        let (halves, _) = digest.as_bytes().as_chunks::<16>();
        for (sum, half) in self.sum.iter_mut().zip(halves) {
            *sum = sum.wrapping_add(u128::from_le_bytes(*half));
        }
        self.count += 1;
    }

    /// How many rows were added.
    pub fn count(&self) -> u64 {
        self.count
    }
}

fn short(hash: blake3::Hash) -> [u8; ROW_DIGEST] {
    hash.as_bytes()[..ROW_DIGEST].try_into().expect("a hash is longer")
}

/// The hash of what `feed` appends. A row is many short pieces, and the hash of one long piece takes
/// half the time of theirs; the memory is kept for the thread's next row.
fn hashed(feed: impl FnOnce(&mut Vec<u8>)) -> blake3::Hash {
    thread_local!(static BYTES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) });
    BYTES.with_borrow_mut(|bytes| {
        bytes.clear();
        feed(bytes);
        let hash = blake3::hash(bytes);
        if bytes.capacity() > MOST_KEPT {
            *bytes = Vec::new();
        }
        hash
    })
}

fn feed_values(to: &mut Vec<u8>, values: &[Value]) {
    for value in values {
        match value {
            Value::Null => feed(to, 0, &[]),
            Value::Uuid(id) => feed(to, 1, id.as_bytes()),
            Value::Text(text) => feed(to, 2, text.as_bytes()),
            Value::Json(text) => feed_json(to, text),
            Value::Int(number) => feed(to, 4, &number.to_be_bytes()),
            Value::Bool(flag) => feed(to, 5, &[u8::from(*flag)]),
            Value::Time(instant) => feed(to, 6, &instant.0.to_be_bytes()),
            Value::Inet(address) => feed(to, 7, address.to_string().as_bytes()),
            Value::Bytes(bytes) => feed(to, 8, bytes),
            Value::Reference(text) => unreachable!("reference {text:?} was not resolved before its row was digested"),
        }
    }
}

fn feed(to: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    to.push(tag);
    to.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
    to.extend_from_slice(bytes);
}

fn feed_json(to: &mut Vec<u8>, text: &str) {
    // Most rows hold an empty map or list, spelled alike everywhere.
    if text.len() <= 2 {
        // jsonb takes the sign from a zero.
        let text = if text == "-0" { "0" } else { text };
        return feed(to, 3, text.as_bytes());
    }
    match json::parse(text.as_bytes(), &json::Arena::new()) {
        Ok(value) => feed(to, 3, json::to_canonical(&value).as_bytes()),
        // Only somebody else's text gets here (SQLite holds what json_valid lets pass).
        Err(_) => feed(to, 9, text.as_bytes()),
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

    #[test]
    fn a_seal_breaks_when_a_value_changes_and_not_when_json_is_respelled() {
        let values = vec![Value::Text("a".into()), Value::Json("{\"b\": 1.10,\"a\":2}".into()), Value::Null];
        let mut row = sealed(values);
        // The rule is a promise to ledgers that were written by it.
        assert_eq!(row.0[3], Value::Bytes(vec![53, 196, 178, 201, 45, 60, 184, 13]));
        assert!(is_sealed(&row));
        row.0[1] = Value::Json("{\"a\":2,\"b\":1.1}".into());
        assert!(is_sealed(&row));
        row.0[0] = Value::Text("a ".into());
        assert_eq!(Seal::of(&row), Seal::Broken);
        row.0[3] = Value::Null;
        assert_eq!((Seal::of(&row), is_sealed(&row)), (Seal::Missing, false));
        let of_row = super::row(&Row(row.0[..3].to_vec()));
        assert_ne!(of_row, seal(&row.0[..3]));
    }

    #[test]
    fn a_set_of_rows_has_no_order_and_counts_each_row() {
        let set = |rows: &[(&str, i64)]| {
            let mut set = RowSet::default();
            rows.iter().for_each(|(table, number)| set.add(table, &Row(vec![Value::Int(*number), Value::Null])));
            set
        };
        assert_eq!(set(&[("a", 1), ("b", 2)]), set(&[("b", 2), ("a", 1)]));
        for other in [&[("a", 1)][..], &[("a", 2), ("b", 1)], &[("a", 1), ("b", 2), ("b", 2)], &[("a", 1), ("a", 2)]] {
            assert_ne!(set(&[("a", 1), ("b", 2)]), set(other), "{other:?}");
        }
        assert_eq!(set(&[("a", 1), ("a", 1)]).count(), 2);
    }
}
