//! JSON as the proof sees it: trees that keep everything, read by serde_json.
//!
//! The decoder has a reader of its own (`json`); nothing here uses it and nothing there uses this,
//! so that a mistake in one of them cannot hide itself. Members stand in their order, numbers in
//! their spelling, and equality is by value (`equal`).

mod canonical;
mod equal;
mod number;
mod quick;
mod read;
mod write;

pub use canonical::canonical;
pub use equal::{differences, equal, NodeDifference};
pub use number::Decimal;
pub use read::{each_element, each_line, parse, ReadError};
pub use write::{write, Style};

/// A string of a tree. Most are short (names, numbers, times, ids), and up to 24 bytes need no memory
/// of their own.
pub type Text = compact_str::CompactString;

/// One JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    Null,
    Bool(bool),
    /// In its own spelling.
    Number(Text),
    Text(Text),
    List(Vec<Node>),
    /// Members in their order. Names may repeat in what somebody else wrote.
    Map(Vec<(Text, Node)>),
}

impl Node {
    pub fn text(text: impl Into<Text>) -> Node {
        Node::Text(text.into())
    }

    /// The member of a map; the last one where a name repeats, as readers of JSON have it.
    pub fn get(&self, name: &str) -> Option<&Node> {
        match self {
            Node::Map(members) => members.iter().rev().find(|(member, _)| member == name).map(|(_, value)| value),
            _ => None,
        }
    }

    pub fn as_text(&self) -> Option<&str> {
        match self {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The spelling of a number.
    pub fn as_number(&self) -> Option<&str> {
        match self {
            Node::Number(spelling) => Some(spelling),
            _ => None,
        }
    }

    /// The items of a list; none of anything else.
    pub fn items(&self) -> &[Node] {
        match self {
            Node::List(items) => items,
            _ => &[],
        }
    }

    /// The members of a map; none of anything else.
    pub fn members(&self) -> &[(Text, Node)] {
        match self {
            Node::Map(members) => members,
            _ => &[],
        }
    }

    pub fn is_null(&self) -> bool {
        *self == Node::Null
    }

    /// As error messages call it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Node::Null => "null",
            Node::Bool(_) => "a boolean",
            Node::Number(_) => "a number",
            Node::Text(_) => "a string",
            Node::List(_) => "a list",
            Node::Map(_) => "a map",
        }
    }
}

/// A value as JSON text on one line.
pub fn line(node: &Node) -> String {
    let mut text = Vec::new();
    write(&mut text, node, Style::Line, 0).expect("memory takes all");
    String::from_utf8(text).expect("JSON is UTF-8")
}

/// Appends a step to a JSON pointer (RFC 6901).
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
