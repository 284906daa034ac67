//! Any values: equality, the canonical text, and two readers of the same bytes.

use proptest::prelude::*;
use transload::format::donna::tables::KINDS;
use transload::json::{self, ErrorKind};
use transload::model::DocumentKind;
use transload::node::{self, canonical, differences, equal, Node, Style, Text};

use crate::cases;
use crate::maker::Maker;

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-3]",
        "-?(0|[1-9][0-9]{0,2})(\\.[0-9]{1,2})?",
        "[1-9]0?(e-?[0-2])?",
        "-?0(\\.0)?",
        "[1-9][0-9]{20,25}"
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[ab]{0,2}", "[aA é\u{301}/\\\\\"\u{0}-\u{1f}]{0,3}", "\\PC{0,4}"]
}

/// Values with few names, so that names repeat now and then.
fn tree() -> impl Strategy<Value = Node> {
    let leaf = prop_oneof![
        Just(Node::Null),
        any::<bool>().prop_map(Node::Bool),
        number().prop_map(|spelling| Node::Number(spelling.into())),
        text().prop_map(Node::text),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Node::List),
            prop::collection::vec((text().prop_map(Text::from), inner), 0..5).prop_map(Node::Map),
        ]
    })
}

/// The same value: members in another order, numbers spelled otherwise.
fn respelled(node: &Node, by: u64) -> Node {
    let again = |(at, node): (usize, &Node)| respelled(node, by.rotate_left(at as u32 + 1) ^ 0x9e37_79b9);
    match node {
        Node::Number(spelling) if !spelling.contains('e') => match by % 3 {
            0 if spelling.contains('.') => Node::Number(format!("{spelling}0").into()),
            0 => Node::Number(format!("{spelling}.0").into()),
            1 => Node::Number(format!("{spelling}E0").into()),
            _ => node.clone(),
        },
        Node::List(items) => Node::List(items.iter().enumerate().map(again).collect()),
        Node::Map(members) => {
            let mut members: Vec<(Text, Node)> =
                (members.iter().enumerate()).map(|(at, (name, value))| (name.clone(), again((at, value)))).collect();
            // Members of one name must keep their order.
            if members.iter().enumerate().all(|(at, (name, _))| members[..at].iter().all(|(other, _)| other != name)) {
                let length = members.len().max(1);
                members.rotate_left(by as usize % length);
            }
            Node::Map(members)
        }
        other => other.clone(),
    }
}

/// Another value, changed at one place.
fn changed(node: &Node, at: u64) -> Node {
    let step = |length: usize| (at % length as u64) as usize;
    match node {
        Node::List(items) if !items.is_empty() => {
            let mut items = items.clone();
            let at_item = step(items.len());
            items[at_item] = changed(&items[at_item], at / 7);
            Node::List(items)
        }
        Node::Map(members) if !members.is_empty() => {
            let mut members = members.clone();
            let at_member = step(members.len());
            members[at_member].1 = changed(&members[at_member].1, at / 7);
            Node::Map(members)
        }
        Node::Null => Node::text("null"),
        Node::Bool(flag) => Node::Bool(!flag),
        Node::Number(spelling) if spelling.contains(['.', 'e']) => {
            Node::Number(format!("1{}", spelling.replace('-', "")).into())
        }
        Node::Number(spelling) => Node::Number(format!("{spelling}.0001").into()),
        Node::Text(text) => Node::text(format!("{text} ")),
        Node::List(_) => Node::Map(Vec::new()),
        Node::Map(_) => Node::List(Vec::new()),
    }
}

fn written(node: &Node, style: Style) -> Vec<u8> {
    let mut bytes = Vec::new();
    node::write(&mut bytes, node, style, 0).expect("memory takes all");
    bytes
}

proptest! {
    #![proptest_config(cases(3_000))]

    #[test]
    fn values_are_equal_exactly_if_their_canonical_texts_are(a in tree(), b in tree(), by in any::<u64>()) {
        prop_assert_eq!(equal(&a, &b), canonical(&a) == canonical(&b));
        let other = respelled(&a, by);
        prop_assert!(equal(&a, &other) && equal(&other, &a), "{:?} {:?}", a, other);
        prop_assert_eq!(canonical(&a), canonical(&other));
        prop_assert!(differences(&a, &other, 9).is_empty());
    }

    #[test]
    fn one_change_anywhere_makes_another_value(a in tree(), at in any::<u64>(), by in any::<u64>()) {
        let other = respelled(&changed(&a, at), by);
        prop_assert!(!equal(&a, &other), "{:?} {:?}", a, other);
        prop_assert!(!equal(&other, &a));
        prop_assert_ne!(canonical(&a), canonical(&other));
        prop_assert!(!differences(&a, &other, 9).is_empty());
    }

    #[test]
    fn what_is_written_is_read_again(a in tree()) {
        for style in [Style::Line, Style::Indented] {
            prop_assert_eq!(&node::parse(&written(&a, style)).expect("JSON").0, &a);
        }
        let again = node::parse(canonical(&a).as_bytes()).expect("JSON").0;
        prop_assert!(equal(&again, &a));
        prop_assert_eq!(canonical(&again), canonical(&a));
    }

    #[test]
    fn both_readers_read_the_same_of_any_document(
        kind in prop::sample::select(&KINDS[..]),
        seed in any::<u64>(),
        size in 0u64..8,
        noise in prop_oneof![Just(0u64), Just(50), Just(400)],
    ) {
        agree(&document(kind, seed, size, noise))?;
    }

    #[test]
    fn both_readers_read_the_same_of_any_characters(text in "[\\[\\]{}:, \"a\\\\u0d8-9eE+.tfnrl-]{0,24}") {
        agree(text.as_bytes())?;
    }

    #[test]
    fn both_readers_read_the_same_of_any_bytes_in_a_string(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
        agree(&[&b"[\""[..], &bytes, b"\"]"].concat())?;
    }
}

/// A document's bytes; of a log, one line.
fn document(kind: &DocumentKind, seed: u64, size: u64, noise: u64) -> Vec<u8> {
    let bytes = Maker::new(seed, noise).content(kind, "", size);
    match kind.name {
        "logs" => bytes.split(|byte| *byte == b'\n').next().unwrap_or_default().to_vec(),
        _ => bytes,
    }
}

fn agree(bytes: &[u8]) -> Result<(), TestCaseError> {
    let (rest, mark) = json::strip_bom(bytes);
    match (json::parse(rest, &json::Arena::new()), node::parse(bytes)) {
        (Ok(value), Ok((node, marked))) => {
            prop_assert_eq!(of(&value), node);
            prop_assert_eq!(mark, marked);
        }
        (Err(_), Err(_)) => {}
        // What no database holds is JSON all the same.
        (Err(error), Ok(_)) => prop_assert!(
            matches!(error.kind, ErrorKind::DuplicateKey | ErrorKind::NulCharacter | ErrorKind::TooDeep),
            "{:?} in {:?}",
            error,
            String::from_utf8_lossy(bytes)
        ),
        (Ok(_), Err(error)) => prop_assert!(false, "{:?} in {:?}", error, String::from_utf8_lossy(bytes)),
    }
    Ok(())
}

fn of(value: &json::Value) -> Node {
    match value {
        json::Value::Null => Node::Null,
        json::Value::Bool(flag) => Node::Bool(*flag),
        json::Value::Number(spelling) => Node::Number((*spelling).into()),
        json::Value::String(text) => Node::text(&**text),
        json::Value::Array(items) => Node::List(items.iter().map(of).collect()),
        json::Value::Object(members) => {
            Node::Map(members.iter().map(|(name, value)| (name.to_string().into(), of(value))).collect())
        }
    }
}
