//! JSON with nothing left out: members in their order, numbers in their spelling. Read by serde_json's
//! raw values, which the program's own reader has no part in.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// `null`, `true`, `false`, or a number's own spelling.
    Bare(String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    pub fn null() -> Node {
        Node::Bare("null".into())
    }

    pub fn text(text: impl Into<String>) -> Node {
        Node::Text(text.into())
    }

    pub fn parse(text: &str) -> Node {
        Node::of(serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text:?}")))
    }

    fn of(raw: &RawValue) -> Node {
        let text = raw.get();
        match text.as_bytes()[0] {
            b'"' => Node::Text(serde_json::from_str(text).expect("a string")),
            b'[' => {
                let items: Vec<&RawValue> = serde_json::from_str(text).expect("a list");
                Node::List(items.into_iter().map(Node::of).collect())
            }
            b'{' => {
                let members: Members = serde_json::from_str(text).expect("a map");
                Node::Map(members.0.into_iter().map(|(name, value)| (name, Node::of(value))).collect())
            }
            _ => Node::Bare(text.to_owned()),
        }
    }

    pub fn get(&self, name: &str) -> Option<&Node> {
        match self {
            Node::Map(members) => members.iter().find(|(member, _)| member == name).map(|(_, value)| value),
            _ => None,
        }
    }

    pub fn members(&self) -> &[(String, Node)] {
        match self {
            Node::Map(members) => members,
            other => panic!("{other:?} is no map"),
        }
    }

    pub fn items(&self) -> &[Node] {
        match self {
            Node::List(items) => items,
            other => panic!("{other:?} is no list"),
        }
    }

    pub fn as_text(&self) -> Option<&str> {
        match self {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_number(&self) -> Option<u64> {
        match self {
            Node::Bare(text) => text.parse().ok(),
            _ => None,
        }
    }
}

/// On one line, without blanks.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let quoted = |text: &str| serde_json::to_string(text).expect("text is JSON");
        match self {
            Node::Bare(spelling) => f.write_str(spelling),
            Node::Text(text) => f.write_str(&quoted(text)),
            Node::List(items) => {
                let items: Vec<String> = items.iter().map(Node::to_string).collect();
                write!(f, "[{}]", items.join(","))
            }
            Node::Map(members) => {
                let members: Vec<String> =
                    members.iter().map(|(name, value)| format!("{}:{value}", quoted(name))).collect();
                write!(f, "{{{}}}", members.join(","))
            }
        }
    }
}

/// An object's members as they stand; two of one name are both kept.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members<'de>, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = access.next_entry::<String, &RawValue>()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Reader)
    }
}
