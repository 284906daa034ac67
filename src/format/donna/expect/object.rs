//! A row's object: its members as the cells that must hold them.

use jiff::tz::TimeZone;

use crate::format::proof::Cell;
use crate::model::{Instant, Value};
use crate::node::{self, push_pointer, Decimal, Node};

use super::{when, Trouble};

/// A member's name.
pub type Name = &'static str;

/// A map, where it stands, and in which zone its times are if they do not say.
#[derive(Clone, Copy)]
pub struct Object<'a> {
    pub node: &'a Node,
    pub pointer: &'a str,
    pub zone: &'a TimeZone,
}

impl<'a> Object<'a> {
    /// The member if it says anything: not if it is absent or null.
    pub fn said(&self, name: &str) -> Option<&'a Node> {
        self.node.get(name).filter(|member| !member.is_null())
    }

    pub fn wrong(&self, name: &str, expected: &str) -> Trouble {
        let mut pointer = self.pointer.to_owned();
        push_pointer(&mut pointer, name);
        Trouble::shape(pointer, format!("expected {expected}"))
    }

    pub fn text(&self, name: &str) -> Result<Option<&'a str>, Trouble> {
        match self.said(name) {
            None => Ok(None),
            Some(Node::Text(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(name, "a string")),
        }
    }

    pub fn time(&self, name: &str) -> Result<Option<Instant>, Trouble> {
        match self.said(name) {
            None => Ok(None),
            Some(member) => match when::instant(member, self.zone) {
                Some(instant) => Ok(Some(instant)),
                None => Err(self.wrong(name, "a time")),
            },
        }
    }

    /// NULL where the member says nothing: a null says so, too.
    pub fn null(&self, name: Name) -> Cell {
        match self.node.get(name) {
            Some(Node::Null) => Cell::from(name, Value::Null),
            _ => Cell::derived(Value::Null),
        }
    }

    /// Text of any length, or NULL.
    pub fn text_cell(&self, name: Name) -> Result<Cell, Trouble> {
        Ok(match self.text(name)? {
            Some(text) => Cell::from(name, Value::Text(text.to_owned())),
            None => self.null(name),
        })
    }

    /// Text that is cut to the column's length in characters, or `None`.
    pub fn cut_text(&self, name: Name, longest: usize) -> Result<Option<Cell>, Trouble> {
        Ok(self.text(name)?.map(|text| {
            let short = cut(text, longest);
            Cell { value: Value::Text(short.to_owned()), member: Some(name), whole: short.len() == text.len() }
        }))
    }

    pub fn cut_text_cell(&self, name: Name, longest: usize) -> Result<Cell, Trouble> {
        Ok(self.cut_text(name, longest)?.unwrap_or_else(|| self.null(name)))
    }

    pub fn time_cell(&self, name: Name) -> Result<Cell, Trouble> {
        Ok(match self.time(name)? {
            Some(instant) => Cell::from(name, Value::Time(instant)),
            None => self.null(name),
        })
    }

    /// The member's time, or what stands in for it.
    pub fn time_or(&self, name: Name, other: Instant) -> Result<Cell, Trouble> {
        Ok(self.time(name)?.map_or(Cell::derived(Value::Time(other)), |time| Cell::from(name, Value::Time(time))))
    }

    /// A map, which PHP may have written as a list. NULL for null; an absent one is empty.
    pub fn map_cell(&self, name: Name) -> Result<Cell, Trouble> {
        let empty = || Value::Json("{}".into());
        Ok(match self.node.get(name) {
            None => Cell::derived(empty()),
            Some(Node::Null) => Cell::from(name, Value::Null),
            Some(Node::List(items)) if items.is_empty() => Cell::from(name, empty()),
            Some(map @ (Node::Map(_) | Node::List(_))) => Cell::from(name, json(map)),
            Some(_) => return Err(self.wrong(name, "a map")),
        })
    }

    /// A count or position that is known, and that the member claims to know.
    pub fn claimed(&self, name: Name, true_number: i64) -> Cell {
        let value = Value::Int(true_number);
        match self.said(name) {
            None => Cell::derived(value),
            Some(Node::Number(claim))
                if Decimal::parse(claim).and_then(|claim| claim.as_i64()) == Some(true_number) =>
            {
                Cell::from(name, value)
            }
            Some(_) => Cell::part_of(name, value),
        }
    }

    /// What the file's name says, and the member should say, too.
    pub fn named(&self, name: Name, by_file: &str, value: Value) -> Cell {
        match self.said(name) {
            None => Cell::derived(value),
            Some(member) if member.as_text() == Some(by_file) => Cell::from(name, value),
            Some(_) => Cell::part_of(name, value),
        }
    }
}

/// The text's first characters.
pub fn cut(text: &str, longest: usize) -> &str {
    if text.len() <= longest {
        return text;
    }
    let bytes: usize = text.chars().take(longest).map(char::len_utf8).sum();
    &text[..bytes]
}

/// Keys are never cut.
pub fn check_key(key: &str, longest: usize, pointer: &str) -> Result<(), Trouble> {
    match cut(key, longest).len() == key.len() {
        true => Ok(()),
        false => Err(Trouble::shape(pointer, format!("a key of more than {longest} characters"))),
    }
}

pub fn json(node: &Node) -> Value {
    Value::Json(node::line(node))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<T>(json: &str, look: impl FnOnce(Object) -> T) -> T {
        let node = node::parse(json.as_bytes()).expect("JSON").0;
        look(Object { node: &node, pointer: "/3", zone: &TimeZone::UTC })
    }

    fn place<T>(result: Result<T, Trouble>) -> String {
        match result {
            Err(Trouble::Shape { pointer, .. }) => pointer,
            _ => panic!("it is taken"),
        }
    }

    #[test]
    fn a_text_is_whole_or_cut_by_characters_or_null() {
        let cell = |json: &str| with(json, |object| object.cut_text_cell("a", 3)).ok();
        assert_eq!(cell(r#"{"a":"äöü"}"#), Some(Cell::from("a", Value::Text("äöü".into()))));
        assert_eq!(cell(r#"{"a":"äöüs"}"#), Some(Cell::part_of("a", Value::Text("äöü".into()))));
        assert_eq!(cell(r#"{"a":null}"#), Some(Cell::from("a", Value::Null)));
        assert_eq!(cell("{}"), Some(Cell::derived(Value::Null)));
        assert_eq!(place(with(r#"{"a":1}"#, |object| object.cut_text_cell("a", 3))), "/3/a");
    }

    #[test]
    fn an_empty_map_may_be_written_as_a_list() {
        let cell = |json: &str| with(json, |object| object.map_cell("a")).ok();
        let map = |text: &str| Some(Cell::from("a", Value::Json(text.into())));
        assert_eq!(cell(r#"{"a":[]}"#), map("{}"));
        assert_eq!(cell(r#"{"a":{}}"#), map("{}"));
        assert_eq!(cell(r#"{"a":[1.10]}"#), map("[1.10]"));
        assert_eq!(cell(r#"{"a":null}"#), Some(Cell::from("a", Value::Null)));
        assert_eq!(cell("{}"), Some(Cell::derived(Value::Json("{}".into()))));
        assert_eq!(cell(r#"{"a":"x"}"#), None);
    }

    #[test]
    fn a_claim_counts_by_value() {
        let cell = |json: &str| with(json, |object| object.claimed("n", 20));
        assert_eq!(cell("{}"), Cell::derived(Value::Int(20)));
        assert_eq!(cell(r#"{"n":null}"#), Cell::derived(Value::Int(20)));
        assert_eq!(cell(r#"{"n":2.0e1}"#), Cell::from("n", Value::Int(20)));
        for wrong in ["19", "20.5", "\"20\"", "1e40", "[]"] {
            assert_eq!(cell(&format!("{{\"n\":{wrong}}}")), Cell::part_of("n", Value::Int(20)), "{wrong}");
        }
    }

    #[test]
    fn a_key_is_refused_beyond_its_length() {
        assert!(check_key("äöü", 3, "").is_ok());
        assert_eq!(place(check_key("äöüs", 3, "/x")), "/x");
    }
}
