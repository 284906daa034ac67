//! Two independent readings of the same files come to the same rows: what is decoded, and what the
//! proof expects of the columns. Whoever changes one reading alone fails here.
//!
//! Where they disagree, the description of the layouts decides which one is wrong.

mod support;

#[path = "expect/fixture.rs"]
mod fixture;
#[path = "expect/made.rs"]
mod made;
#[path = "properties/maker.rs"]
mod maker;
#[path = "nothing_lost/random.rs"]
mod random;
#[path = "expect/readings.rs"]
mod readings;
#[path = "expect/tree.rs"]
mod tree;

use std::io::Write;
use std::path::Path;

use readings::{compare, Held, Tally};
use support::chance::{is_long, Chance};
use support::cli::Workplace;
use tree::Tree;

fn fixture(name: &str) -> Tree {
    Tree::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name).join("legacy"))
}

/// Compares every document of a tree, held whole and streamed.
fn compare_tree(tree: &Tree) -> Tally {
    let mut tally = Tally::default();
    for document in &tree.documents {
        for held in [Held::Whole, Held::Streamed] {
            tally.add(compare(document, held));
        }
    }
    tally
}

#[test]
fn both_readings_of_the_clean_fixture_agree_and_accept_all_of_it() {
    let tally = compare_tree(&fixture("donna"));
    assert_eq!(tally.rejected, 0);
    assert!(tally.accepted >= 50 && tally.values > 1_000, "{tally:?}");
}

#[test]
fn both_readings_of_the_damaged_fixture_agree() {
    let tally = compare_tree(&fixture("donna-damaged"));
    assert!(tally.rejected >= 50, "{tally:?}");
}

#[test]
fn the_clean_fixture_is_expected_as_it_was_written_down_by_hand() {
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/donna/expected-rows.json");
    fixture::is_as_listed(&fixture("donna"), &list);
}

#[test]
fn both_readings_of_generated_trees_agree() {
    for (seed, damage) in [(1, 0.0), (2, 0.1), (3, 0.5)] {
        let place = Workplace::new();
        let options = transload::generate::Options { records: 1_500, seed, damage };
        transload::generate::generate(&place.path("tree"), &options).expect("a tree can be made");
        let tally = compare_tree(&Tree::read(&place.path("tree")));
        assert!(tally.rows > 1_500, "{tally:?}");
        assert_eq!(tally.rejected > 0, damage > 0.0, "{tally:?}");
    }
}

#[test]
fn both_readings_of_any_members_agree() {
    let mut chance = Chance::new("both_readings_of_any_members_agree");
    let mut tally = Tally::default();
    for _ in 0..if is_long() { 200 } else { 10 } {
        let place = Workplace::new();
        random::write_tree(&place.path("tree"), chance.next());
        tally.add(compare_tree(&Tree::read(&place.path("tree"))));
    }
    assert!(tally.accepted > 4_000 && tally.rows > 10_000, "{tally:?}");
}

#[test]
fn both_readings_of_any_documents_agree() {
    let mut chance = Chance::new("both_readings_of_any_documents_agree");
    let mut tally = Tally::default();
    for _ in 0..if is_long() { 200_000 } else { 10_000 } {
        let document = made::any(&mut chance);
        for held in [Held::Whole, Held::Streamed] {
            tally.add(compare(&document, held));
        }
    }
    assert!(tally.accepted > 5_000 && tally.rejected > 2_000, "{tally:?}");
}

#[test]
fn both_readings_stop_at_the_same_depth() {
    let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    let mut tally = Tally::default();
    for levels in 505..=515 {
        let message = format!(r#"[{{"role":"user","content":"","metadata":{}}}]"#, nested(levels));
        let line = format!("{{\"message\":\"\",\"context\":{}}}\n", nested(levels));
        let memory = format!(r#"{{"t":{{"k":{{"value":{}}}}}}}"#, nested(levels));
        for (path, content) in [("chat_sessions/a.json", message), ("logs/error.log", line), ("memory/u.json", memory)]
        {
            let document = made::of(&[(path, content.as_bytes())]);
            for held in [Held::Whole, Held::Streamed] {
                tally.add(compare(&document, held));
            }
        }
    }
    assert!(tally.accepted > 20 && tally.rejected > 20, "{tally:?}");
}

#[test]
fn both_readings_of_damaged_compression_agree() {
    let mut chance = Chance::new("both_readings_of_damaged_compression_agree");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    for at in 0..50 {
        writeln!(encoder, "{{\"message\":\"line {at}\",\"trace_id\":\"{:x}\"}}", chance.next())
            .expect("memory takes all");
    }
    let whole = encoder.finish().expect("memory takes all");
    let mut tally = compare(&made::of(&[("logs/old.log.gz", &whole)]), Held::Whole);
    assert_eq!(tally.rows, 50);
    for _ in 0..300 {
        let mut bytes = whole.clone();
        let at = chance.below(bytes.len() as u64) as usize;
        match chance.below(3) {
            0 => bytes.truncate(at),
            1 => bytes[at] ^= 1 << chance.below(8),
            _ => bytes.extend_from_slice(&whole[at..]),
        }
        for held in [Held::Whole, Held::Streamed] {
            tally.add(compare(&made::of(&[("logs/old.log.gz", &bytes)]), held));
        }
    }
    assert!(tally.rejected > 100, "{tally:?}");
}
