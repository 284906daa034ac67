//! Values and rows as people are shown them: JSON on one line, and no longer than a list can bear.

use crate::model::{Column, Row, Table, Value};
use crate::node::{self, Node};

/// What stands before the length of a value that was cut.
pub const CUT: &str = "… (";

/// Bytes of a value that are listed: of a thousand differences, a few dozen megabytes.
const MOST_SHOWN: usize = 64 * 1024;

/// A value as JSON; bytes are none.
pub fn node_of(value: &Value) -> Option<Node> {
    match value {
        Value::Null => Some(Node::Null),
        Value::Json(text) => node::parse(text.as_bytes()).ok().map(|(node, _)| node),
        Value::Int(number) => Some(Node::Number(number.to_string().into())),
        Value::Bool(flag) => Some(Node::Bool(*flag)),
        Value::Text(text) | Value::Reference(text) => Some(Node::text(text.as_str())),
        Value::Time(instant) => Some(Node::text(instant.to_fixed())),
        Value::Uuid(id) => Some(Node::text(id.to_string())),
        Value::Inet(address) => Some(Node::text(address.to_string())),
        Value::Bytes(_) => None,
    }
}

/// A column's value as JSON text; `null` is NULL.
pub fn value_text(value: &Value) -> Option<String> {
    match value {
        Value::Json(text) => Some(text.clone()),
        value => node_of(value).map(|node| text_of(&node)),
    }
}

/// Cuts a value that is too long to be listed, and says how long it was.
pub fn cut(text: &mut String) {
    if text.len() <= MOST_SHOWN {
        return;
    }
    let bytes = text.len();
    let end = (0..=MOST_SHOWN).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.truncate(end);
    text.push_str(&format!("{CUT}{bytes} bytes in all)"));
    text.shrink_to_fit();
}

/// A row as one JSON object.
pub fn row_text(table: &Table, row: &Row) -> String {
    let member = |(column, value): (&Column, &Value)| Some((column.name.into(), node_of(value)?));
    text_of(&Node::Map(table.columns.iter().zip(&row.0).filter_map(member).collect()))
}

/// JSON text on one line, for people.
pub fn text_of(node: &Node) -> String {
    node::line(node)
}
