//! One text for all spellings of a value: what receipts hash (`docs/receipts.md`).

use super::{Decimal, Node, Text};

/// The canonical text: no blanks, members sorted by the bytes of their names, numbers as
/// [`Decimal`] writes them, strings with only `"`, `\` and control characters escaped.
pub fn canonical(node: &Node) -> String {
    let mut text = String::new();
    append(node, &mut text);
    text
}

fn append(node: &Node, text: &mut String) {
    match node {
        Node::Null => text.push_str("null"),
        Node::Bool(flag) => text.push_str(if *flag { "true" } else { "false" }),
        Node::Number(spelling) => match Decimal::parse(spelling) {
            Some(decimal) => text.push_str(&decimal.to_string()),
            None => text.push_str(spelling),
        },
        Node::Text(string) => append_string(string, text),
        Node::List(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                append(item, text);
            }
            text.push(']');
        }
        Node::Map(members) => {
            let mut sorted: Vec<&(Text, Node)> = members.iter().collect();
            sorted.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
            text.push('{');
            for (at, (name, value)) in sorted.into_iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                append_string(name, text);
                text.push(':');
                append(value, text);
            }
            text.push('}');
        }
    }
}

/// `\u00XX` in lower case for every control character, without short forms.
fn append_string(string: &str, text: &mut String) {
    text.push('"');
    for c in string.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            c if c < ' ' => text.push_str(&format!("\\u{:04x}", c as u32)),
            c => text.push(c),
        }
    }
    text.push('"');
}
