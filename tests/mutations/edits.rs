//! Small changes of single values, each with the causes that are right for it.

use std::net::IpAddr;

use transload::model::{Column, Instant, Kind, Value};
use transload::node::{self, Node};
use transload::verify::outcome::Cause;

use crate::support::chance::Chance;

/// Stands for "somebody edited this side", which is right where the values show no cause.
pub const EDITED: Cause = Cause::Unknown;

/// What is done to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edit {
    /// NULL.
    Null,
    // Text.
    Letter,
    Case,
    TrailingBlank,
    LeadingBlank,
    Nothing,
    TheWordNull,
    CutShort,
    EncodedTwice,
    Decomposed,
    // JSON.
    DeepLetter,
    LastDigit,
    BeyondDouble,
    NumberAsText,
    NestedEmpty,
    OwnEmpty,
    JsonNull,
    MemberMore,
    MemberLess,
    MemberRenamed,
    ItemsSwapped,
    // Times.
    Microsecond,
    Second,
    Hour,
    // Numbers, flags, addresses.
    OneMore,
    Flipped,
    Address,
}

pub const ALL: [Edit; 27] = [
    Edit::Null,
    Edit::Letter,
    Edit::Case,
    Edit::TrailingBlank,
    Edit::LeadingBlank,
    Edit::Nothing,
    Edit::TheWordNull,
    Edit::CutShort,
    Edit::EncodedTwice,
    Edit::Decomposed,
    Edit::DeepLetter,
    Edit::LastDigit,
    Edit::BeyondDouble,
    Edit::NumberAsText,
    Edit::NestedEmpty,
    Edit::OwnEmpty,
    Edit::JsonNull,
    Edit::MemberMore,
    Edit::MemberLess,
    Edit::MemberRenamed,
    Edit::ItemsSwapped,
    Edit::Microsecond,
    Edit::Second,
    Edit::Hour,
    Edit::OneMore,
    Edit::Flipped,
    Edit::Address,
];

impl Edit {
    /// Whether it is one of such a column's values.
    pub fn fits(self, kind: Kind) -> bool {
        match kind {
            Kind::Text => (Edit::Null..=Edit::Decomposed).contains(&self),
            Kind::Json => self == Edit::Null || (Edit::DeepLetter..=Edit::ItemsSwapped).contains(&self),
            Kind::Time => self == Edit::Null || (Edit::Microsecond..=Edit::Hour).contains(&self),
            Kind::Int | Kind::BigInt => matches!(self, Edit::Null | Edit::OneMore),
            Kind::Bool => matches!(self, Edit::Null | Edit::Flipped),
            Kind::Inet => matches!(self, Edit::Null | Edit::Address),
            Kind::Uuid | Kind::Bytes => false,
        }
    }
}

/// The value after the edit, and the causes that are right; `None` where it cannot be done.
pub fn edited(value: &Value, edit: Edit, chance: &mut Chance) -> Option<(Value, &'static [Cause])> {
    let edited = match (value, edit) {
        (Value::Null, _) => return None,
        (Value::Text(text), Edit::Null) if text.is_empty() || text == "null" => (Value::Null, &[Cause::Null][..]),
        (Value::Json(text), Edit::Null) if text == "null" || text == "\"\"" => (Value::Null, &[Cause::Null][..]),
        (_, Edit::Null) => (Value::Null, &[EDITED][..]),
        (Value::Text(text), edit) => {
            let (text, causes) = of_text(text, edit, chance)?;
            (Value::Text(text), causes)
        }
        (Value::Json(text), edit) => {
            let node = node::parse(text.as_bytes()).ok()?.0;
            let (node, causes) = of_json(&node, edit, chance)?;
            (Value::Json(node::line(&node)), causes)
        }
        (Value::Time(instant), edit) => {
            let (micros, causes): (i64, &[Cause]) = match edit {
                Edit::Microsecond => (1, &[EDITED]),
                Edit::Second => (1_000_000, &[EDITED]),
                Edit::Hour => (3_600_000_000, &[Cause::Timezone]),
                _ => return None,
            };
            let to = Instant::checked(instant.0 + micros).or_else(|| Instant::checked(instant.0 - micros))?;
            (Value::Time(to), causes)
        }
        (Value::Int(number), Edit::OneMore) => (Value::Int(number + 1), &[EDITED][..]),
        (Value::Bool(flag), Edit::Flipped) => (Value::Bool(!flag), &[EDITED][..]),
        (Value::Inet(address), Edit::Address) => {
            let to = match address {
                IpAddr::V4(address) => IpAddr::V4((u32::from(*address) ^ 1).into()),
                IpAddr::V6(address) => IpAddr::V6((u128::from(*address) ^ 1).into()),
            };
            // Of `::1` and `::` one is the beginning of the other.
            (Value::Inet(to), &[EDITED, Cause::Truncated][..])
        }
        _ => return None,
    };
    (edited.0 != *value).then_some(edited)
}

/// What a column that is NULL may become.
pub fn instead_of_null(column: &Column, edit: Edit) -> Option<(Value, &'static [Cause])> {
    Some(match (column.kind, edit) {
        (Kind::Text, Edit::Nothing) => (Value::Text(String::new()), &[Cause::Null]),
        (Kind::Text, Edit::TheWordNull) => (Value::Text("null".into()), &[Cause::Null]),
        (Kind::Text, Edit::Letter) => (Value::Text("x".into()), &[EDITED]),
        (Kind::Json, Edit::JsonNull) => (Value::Json("null".into()), &[Cause::Null]),
        (Kind::Json, Edit::MemberMore) => (Value::Json("{\"a\":1}".into()), &[EDITED]),
        (Kind::Time, Edit::Second) => (Value::Time(Instant(1_764_324_930_000_000)), &[EDITED]),
        (Kind::Int, Edit::OneMore) => (Value::Int(1), &[EDITED]),
        (Kind::Inet, Edit::Address) => (Value::Inet("192.0.2.9".parse().expect("an address")), &[EDITED]),
        _ => return None,
    })
}

fn of_text(text: &str, edit: Edit, chance: &mut Chance) -> Option<(String, &'static [Cause])> {
    let mut letters: Vec<char> = text.chars().collect();
    let at = chance.below(letters.len() as u64) as usize;
    Some(match edit {
        Edit::Letter => {
            let letter = letters.get_mut(at)?;
            *letter = if *letter == 'x' { 'y' } else { 'x' };
            // By chance it may be the other case.
            (letters.into_iter().collect(), &[EDITED, Cause::Case, Cause::Blanks])
        }
        Edit::Case => {
            let at = letters.iter().position(char::is_ascii_alphabetic)?;
            let c = letters[at];
            letters[at] = if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
            (letters.into_iter().collect(), &[Cause::Case])
        }
        Edit::TrailingBlank => (format!("{text} "), &[Cause::Blanks]),
        Edit::LeadingBlank => (format!(" {text}"), &[Cause::Blanks]),
        Edit::Nothing if !text.is_empty() => (String::new(), &[EDITED, Cause::Null, Cause::Blanks]),
        Edit::TheWordNull => ("null".into(), if text.is_empty() { &[Cause::Null] } else { &[EDITED] }),
        Edit::CutShort => {
            let last = letters.pop()?;
            let causes: &[Cause] = match (letters.is_empty(), last.is_whitespace()) {
                (_, true) => &[Cause::Blanks],
                (true, _) => &[EDITED],
                _ => &[Cause::Truncated],
            };
            (letters.into_iter().collect(), causes)
        }
        Edit::EncodedTwice if !text.is_ascii() => {
            // UTF-8 read as Latin-1.
            (text.bytes().map(char::from).collect(), &[Cause::Encoding])
        }
        Edit::Decomposed if text.contains('é') => (text.replacen('é', "e\u{301}", 1), &[EDITED]),
        _ => return None,
    })
}

/// Changes one place of a JSON value, as deep as chance has it.
pub fn of_json(node: &Node, edit: Edit, chance: &mut Chance) -> Option<(Node, &'static [Cause])> {
    match edit {
        Edit::JsonNull => return (!node.is_null()).then_some((Node::Null, &[EDITED, Cause::Null][..])),
        Edit::OwnEmpty => {
            return match node {
                Node::Map(members) if members.is_empty() => Some((Node::List(Vec::new()), &[Cause::PhpEmpty])),
                Node::List(items) if items.is_empty() => Some((Node::Map(Vec::new()), &[Cause::PhpEmpty])),
                _ => None,
            }
        }
        _ => {}
    }
    let mut places = Vec::new();
    collect(node, edit, &mut Vec::new(), &mut places);
    let place = places.get(chance.below(places.len() as u64) as usize)?;
    let mut changed = node.clone();
    let causes = change(at(&mut changed, place), edit)?;
    Some((changed, causes))
}

/// The places where the edit can be done.
fn collect(node: &Node, edit: Edit, path: &mut Vec<usize>, places: &mut Vec<Vec<usize>>) {
    let is_below = !path.is_empty();
    let fits = match (node, edit) {
        (Node::Text(text), Edit::DeepLetter) => !text.is_empty(),
        (Node::Number(spelling), Edit::LastDigit) => spelling.contains('.') && !spelling.contains(['e', 'E']),
        (Node::Number(spelling), Edit::BeyondDouble) => spelling.len() > 19 && spelling.bytes().all(is_digit),
        (Node::Number(_), Edit::NumberAsText) => true,
        (Node::List(items), Edit::NestedEmpty) => is_below && items.is_empty(),
        (Node::Map(members), Edit::NestedEmpty) => is_below && members.is_empty(),
        (Node::Map(_), Edit::MemberMore) => true,
        (Node::Map(members), Edit::MemberLess | Edit::MemberRenamed) => !members.is_empty(),
        (Node::List(items), Edit::ItemsSwapped) => items.len() > 1 && !node::equal(&items[0], &items[1]),
        _ => false,
    };
    if fits {
        places.push(path.clone());
    }
    let below: Vec<&Node> = match node {
        Node::List(items) => items.iter().collect(),
        Node::Map(members) => members.iter().map(|(_, value)| value).collect(),
        _ => Vec::new(),
    };
    for (at, node) in below.into_iter().enumerate() {
        path.push(at);
        collect(node, edit, path, places);
        path.pop();
    }
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit()
}

fn at<'a>(mut node: &'a mut Node, path: &[usize]) -> &'a mut Node {
    for &step in path {
        node = match node {
            Node::List(items) => &mut items[step],
            Node::Map(members) => &mut members[step].1,
            _ => unreachable!("a step leads into something"),
        };
    }
    node
}

fn change(node: &mut Node, edit: Edit) -> Option<&'static [Cause]> {
    let flip_last = |digits: &str| {
        let last = if digits.ends_with('3') { '4' } else { '3' };
        format!("{}{last}", &digits[..digits.len() - 1])
    };
    match (&mut *node, edit) {
        (Node::Text(text), Edit::DeepLetter) => {
            let mut letters: Vec<char> = text.chars().collect();
            let last = letters.last_mut()?;
            *last = if *last == 'x' { 'y' } else { 'x' };
            *text = letters.into_iter().collect();
            Some(&[EDITED, Cause::Case, Cause::Blanks])
        }
        // Beyond what double precision tells apart.
        (Node::Number(spelling), Edit::LastDigit) => {
            *spelling = format!("{spelling}00000000000000000001").into();
            Some(&[Cause::Precision])
        }
        (Node::Number(spelling), Edit::BeyondDouble) => {
            *spelling = flip_last(spelling).into();
            Some(&[Cause::Precision])
        }
        (Node::Number(spelling), Edit::NumberAsText) => {
            *node = Node::Text(spelling.clone());
            Some(&[EDITED])
        }
        (Node::List(_), Edit::NestedEmpty) => {
            *node = Node::Map(Vec::new());
            Some(&[Cause::PhpEmpty])
        }
        (Node::Map(_), Edit::NestedEmpty) => {
            *node = Node::List(Vec::new());
            Some(&[Cause::PhpEmpty])
        }
        (Node::Map(members), Edit::MemberMore) => {
            members.push(("transload test".into(), Node::Number("1".into())));
            Some(&[EDITED])
        }
        (Node::Map(members), Edit::MemberLess) => {
            members.remove(0);
            Some(&[EDITED, Cause::Null])
        }
        (Node::Map(members), Edit::MemberRenamed) => {
            members[0].0.push('_');
            Some(&[EDITED, Cause::Null])
        }
        (Node::List(items), Edit::ItemsSwapped) => {
            items.swap(0, 1);
            Some(&[EDITED, Cause::Case, Cause::Null, Cause::PhpEmpty, Cause::Precision, Cause::Truncated])
        }
        _ => None,
    }
}
