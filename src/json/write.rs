//! JSON text from values: compact as it stood, or canonical for digests.

use super::number::canonical;
use super::plain::plain_length;
use super::Value;

/// Compact text: members in their order, numbers in their spelling, only what must be escaped is.
pub fn to_compact(value: &Value) -> String {
    let mut out = String::new();
    write_compact(value, &mut out);
    out
}

pub fn write_compact(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(spelling) => out.push_str(spelling),
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_compact(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (at, (key, member)) in members.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_string(key, out);
                out.push(':');
                write_compact(member, out);
            }
            out.push('}');
        }
    }
}

/// One text for all texts of one value: members sorted by their keys' bytes, numbers canonical.
pub fn to_canonical(value: &Value) -> String {
    let mut out = String::new();
    write_canonical(value, &mut out);
    out
}

fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Number(spelling) => out.push_str(&canonical(spelling)),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
            out.push('{');
            for (at, (key, member)) in sorted.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_string(key, out);
                out.push(':');
                write_canonical(member, out);
            }
            out.push('}');
        }
        other => write_compact(other, out),
    }
}

/// The order in which `jsonb` keeps an object's keys: by length in bytes, then by bytes.
pub fn jsonb_order(a: &str, b: &str) -> std::cmp::Ordering {
    a.len().cmp(&b.len()).then_with(|| a.as_bytes().cmp(b.as_bytes()))
}

pub fn write_string(text: &str, out: &mut String) {
    out.reserve(text.len() + 2);
    out.push('"');
    let mut rest = text;
    loop {
        let (plain, special) = rest.split_at(plain_length(rest.as_bytes()));
        out.push_str(plain);
        let Some(byte) = special.bytes().next() else { break };
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x08 => out.push_str("\\b"),
            0x0C => out.push_str("\\f"),
            _ => out.push_str(&format!("\\u{byte:04x}")),
        }
        // What is special is one byte long.
        rest = &special[1..];
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::super::{parse, Arena};
    use super::*;

    #[test]
    fn compact_text_keeps_order_and_spelling() {
        let text = "{\"b\":[1.10,1e5,{}],\"a\":\"x\\\"\\\\\\u0001\\n/é\",\"c\":null}";
        assert_eq!(to_compact(&parse(text.as_bytes(), &Arena::new()).unwrap()), text);
    }

    #[test]
    fn canonical_text_is_one_for_equal_values() {
        let arena = Arena::new();
        let one = parse(b"{\"b\":1.10,\"a\":[true,{\"y\":1e1,\"x\":0}]}", &arena).unwrap();
        let other = parse(b"{ \"a\" : [ true , { \"x\" : -0.0 , \"y\" : 10 } ] , \"b\" : 11e-1 }", &arena).unwrap();
        assert_eq!(to_canonical(&one), to_canonical(&other));
    }
}
