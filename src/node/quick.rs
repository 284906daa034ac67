//! The way by which nearly every value is read: one pass, as long as all numbers are integers.
//!
//! serde_json gives an integer of 64 bits exactly and every other number as a double, whose
//! spelling is lost. So whatever is not read here (a fraction, an exponent, `-0`, a long integer,
//! deep nesting, no JSON at all) is read once more from its raw text, by `read`.

use std::fmt;

use compact_str::ToCompactString;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::Node;

/// The value, unless it takes a closer look.
pub fn read(text: &str) -> Option<Node> {
    serde_json::from_str(text).ok().map(|Quick(node)| node)
}

/// A message has so many members, or fewer.
const USUAL_MEMBERS: usize = 8;

struct Quick(Node);

impl<'de> Deserialize<'de> for Quick {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Quick, D::Error> {
        deserializer.deserialize_any(Values)
    }
}

struct Values;

impl<'de> Visitor<'de> for Values {
    type Value = Quick;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a value without fractions")
    }

    fn visit_unit<E: Error>(self) -> Result<Quick, E> {
        Ok(Quick(Node::Null))
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Quick, E> {
        Ok(Quick(Node::Bool(flag)))
    }

    // No two spellings of an integer are one of these: JSON has no zeros in front and no plus.
    fn visit_u64<E: Error>(self, number: u64) -> Result<Quick, E> {
        Ok(Quick(Node::Number(number.to_compact_string())))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Quick, E> {
        Ok(Quick(Node::Number(number.to_compact_string())))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Quick, E> {
        Ok(Quick(Node::text(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Quick, A::Error> {
        let mut items = Vec::new();
        while let Some(Quick(item)) = list.next_element()? {
            items.push(item);
        }
        Ok(Quick(Node::List(items)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Quick, A::Error> {
        let mut members = Vec::new();
        while let Some((name, Quick(value))) = map.next_entry()? {
            if members.is_empty() {
                members.reserve(USUAL_MEMBERS);
            }
            members.push((name, value));
        }
        Ok(Quick(Node::Map(members)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_exact_is_read_quickly() {
        let text =
            r#"{"b":[0,-1,18446744073709551615,-9223372036854775808],"a":"\u00e9","b":{"":null},"c":[true,false]}"#;
        let node = read(text).expect("it holds integers alone");
        assert_eq!(super::super::line(&node), text.replace("\\u00e9", "é"));
        for other in ["1.0", "-0", "1e2", "18446744073709551616", "[1e400]", "[1", "", "01", "\"\\ud800\"", "[] x"] {
            assert!(read(other).is_none(), "{other}");
        }
        assert!(read(&format!("{}{}", "[".repeat(500), "]".repeat(500))).is_none());
    }
}
