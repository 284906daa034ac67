//! Holds the worked examples of `docs/ids.md` against the rule as it is built in.

use transload::model::ids::{as_uuid, derive, NAMESPACE};

const DOCUMENT: &str = include_str!("../docs/ids.md");

/// The cells of a table's line, without backticks.
fn cells(line: &str) -> Vec<String> {
    line.trim_matches('|').split(" | ").map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
}

#[test]
fn every_worked_example_of_the_document_is_derived() {
    let examples: Vec<Vec<String>> =
        DOCUMENT.lines().filter(|line| line.starts_with('|') && line.contains('␀')).map(cells).collect();
    assert_eq!(examples.len(), 9);
    for example in &examples {
        let [_, name, id] = example.as_slice() else { panic!("three cells were expected in {example:?}") };
        let parts: Vec<&str> = name.split('␀').collect();
        assert_eq!(derive(&parts).to_string(), *id, "{name}");
    }
}

#[test]
fn the_document_names_the_namespace_and_every_rule_has_an_example() {
    assert!(DOCUMENT.contains(&format!("The namespace is `{NAMESPACE}`")));
    for first in ["users", "chat_sessions", "messages", "user_memory", "system_logs", "document"] {
        assert!(DOCUMENT.contains(&format!("| `{first}`, ")), "{first} has no rule");
        assert!(DOCUMENT.contains(&format!("| `{first}␀")), "{first} has no example");
    }
}

#[test]
fn a_legacy_id_that_is_a_uuid_stays_one() {
    let line = DOCUMENT.lines().find(|line| line.starts_with("User `")).expect("the example of a UUID");
    let mut quoted = line.split('`').skip(1).step_by(2);
    let (legacy, id) = (quoted.next().expect("a legacy id"), quoted.next().expect("its id"));
    assert_eq!(as_uuid(legacy).expect("a UUID").to_string(), id);
    assert_ne!(legacy, id);
}
