//! Files that say the same, and files that say nothing.

use std::collections::BTreeMap;

use crate::schema::files::{MigrationFile, MigrationSet};
use crate::schema::lint::rule::{DOES_NOTHING, SAME_BODY};
use crate::schema::lint::shape::{self, Shape};
use crate::schema::lint::Finding;

pub fn check(set: &MigrationSet, findings: &mut Vec<Finding>) {
    let mut seen: BTreeMap<[u8; 32], &str> = BTreeMap::new();
    for file in &set.files {
        if let Some(message) = idle(file) {
            findings.push(Finding::new(&DOES_NOTHING, &file.file, None, message));
        } else if let Some(first) = seen.get(&file.token_checksum()) {
            findings.push(Finding::new(&SAME_BODY, &file.file, None, format!("`{first}` has the same statements")));
        } else {
            seen.insert(file.token_checksum(), &file.file);
        }
    }
}

/// Why a file does nothing. A post-condition is something.
fn idle(file: &MigrationFile) -> Option<&'static str> {
    if !file.header.ensures.is_empty() {
        return None;
    }
    if file.statements.is_empty() {
        return Some("there is no statement in it");
    }
    let looks = |statement: &shape::Shaped<'_>| match &statement.shape {
        // A function that is called may do anything.
        Shape::Query => !shape::calls(&file.text, statement.tokens()),
        _ => false,
    };
    shape::of(file).iter().all(looks).then_some("its statements change nothing")
}
