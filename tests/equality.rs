//! When two values are equal: the rules that everything which `verify` proves rests on.
//!
//! `golden/equality.json` holds them as pairs of values with a verdict; what follows from them for
//! any value is in the modules below.

mod support;

#[path = "properties/maker.rs"]
mod maker;
#[path = "equality/numbers.rs"]
mod numbers;
#[path = "equality/trees.rs"]
mod trees;

use std::ops::ControlFlow;
use std::path::Path;

use jiff::tz::TimeZone;
use proptest::prelude::ProptestConfig;
use transload::format::donna::tables::USER;
use transload::format::donna::Donna;
use transload::format::proof::Facts;
use transload::format::Format;
use transload::model::{Content, FileRole, Instant, RelPath, Value};
use transload::node::{self, canonical, differences, equal, Node};

/// So many cases, or the long form's.
fn cases(number: u32) -> ProptestConfig {
    let cases = if support::chance::is_long() { number * 20 } else { number };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn parsed(text: &str) -> Node {
    node::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error} in {text:?}")).0
}

/// The pairs of a group, each with whether it is to be equal.
fn pairs(group: &str) -> Vec<(String, String, bool)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/equality.json");
    let golden = parsed(&std::fs::read_to_string(path).expect("the golden file can be read"));
    let rules = golden.get(group).expect("a group of rules").items();
    let mut pairs = Vec::new();
    for pair in rules.iter().flat_map(|rule| rule.get("pairs").expect("a rule has pairs").items()) {
        let texts: Vec<&str> = pair.items().iter().filter_map(Node::as_text).collect();
        let [left, right, verdict] = texts[..] else { panic!("{pair:?} is no pair with a verdict") };
        assert!(matches!(verdict, "equal" | "different"), "{verdict}");
        pairs.push((left.to_owned(), right.to_owned(), verdict == "equal"));
    }
    pairs
}

#[test]
fn values_are_equal_as_the_golden_file_says() {
    let pairs = pairs("values");
    assert!(pairs.len() >= 60, "only {} pairs", pairs.len());
    for (left, right, expected) in pairs {
        let (a, b) = (parsed(&left), parsed(&right));
        assert!(equal(&a, &a) && equal(&b, &b), "{left} {right}");
        assert_eq!(equal(&a, &b), expected, "{left} {right}");
        assert_eq!(equal(&b, &a), expected, "{right} {left}");
        assert_eq!(canonical(&a) == canonical(&b), expected, "{left} {right}");
        assert_eq!(differences(&a, &b, 9).is_empty(), expected, "{left} {right}");
        // The same within something else.
        let (a, b) = (parsed(&format!("[{{\"x\":{left}}}]")), parsed(&format!("[{{\"x\":{right}}}]")));
        assert_eq!(equal(&a, &b), expected, "{left} {right}");
    }
}

/// What a column of a user must hold.
fn column(name: &str, member: &str) -> Value {
    let files = [(RelPath::new("users/u.json"), FileRole("whole"))];
    let facts = Facts { kind: &USER, key: "u", files: &files, base_time: Instant(0), zone: TimeZone::UTC };
    let file = format!("{{\"{name}\":{member}}}");
    let mut value = None;
    let read = Donna.expect(&facts, &|_| Ok(Content::Whole(file.as_bytes())), &mut |row| {
        value = Some(row.cells[row.table.column(name).expect("a column")].value.clone());
        ControlFlow::Continue(())
    });
    read.unwrap_or_else(|why| panic!("{file}: {why}"));
    value.expect("a user has a row")
}

#[test]
fn instants_are_equal_as_the_golden_file_says() {
    let pairs = pairs("times");
    assert!(pairs.len() >= 10, "only {} pairs", pairs.len());
    for (left, right, expected) in pairs {
        assert_eq!(column("last_active_at", &left) == column("last_active_at", &right), expected, "{left} {right}");
    }
}

#[test]
fn maps_are_equal_as_the_golden_file_says() {
    let pairs = pairs("maps");
    assert!(pairs.len() >= 5, "only {} pairs", pairs.len());
    for (left, right, expected) in pairs {
        let same = match (column("profile", &left), column("profile", &right)) {
            (Value::Json(left), Value::Json(right)) => equal(&parsed(&left), &parsed(&right)),
            (left, right) => left == right,
        };
        assert_eq!(same, expected, "{left} {right}");
    }
}
