//! What holds for any document and any tree, damaged or not.
//!
//! `TRANSLOAD_TEST_LONG=1` tries twenty times as many.

mod support;

#[path = "properties/documents.rs"]
mod documents;
#[path = "properties/exports.rs"]
mod exports;
#[path = "properties/maker.rs"]
mod maker;
// Other tests use all of it.
#[allow(dead_code)]
#[path = "nothing_lost/node.rs"]
mod node;
#[path = "export/said.rs"]
mod said;
#[path = "properties/trees.rs"]
mod trees;

use proptest::prelude::ProptestConfig;

/// So many cases, or the long form's. A failing case says its input; nothing is written beside
/// the sources.
fn cases(number: u32) -> ProptestConfig {
    let cases = if support::chance::is_long() { number * 20 } else { number };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}
