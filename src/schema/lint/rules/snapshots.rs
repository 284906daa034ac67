//! A directory declares the schema of every version or of none.

use crate::schema::files::MigrationSet;
use crate::schema::lint::rule::{NO_SNAPSHOTS, SNAPSHOT_ALONE, SNAPSHOT_MISSING};
use crate::schema::lint::Finding;

pub fn check(set: &MigrationSet, findings: &mut Vec<Finding>) {
    if !set.declares_snapshots() {
        findings.push(Finding::new(&NO_SNAPSHOTS, "", None, "the schema of no version is declared"));
        return;
    }
    for file in set.files.iter().filter(|file| set.snapshot(file.number).is_none()) {
        let number = file.number;
        let message = format!("`{number:04}.json` is missing, and other versions have theirs");
        findings.push(Finding::new(&SNAPSHOT_MISSING, &file.file, None, message).with_help(format!(
            "`transload schema snapshot {}` writes it from a scratch database; review and commit it",
            set.origin
        )));
    }
    for snapshot in set.snapshots.iter().filter(|snapshot| set.by_number(snapshot.number).is_none()) {
        let message = format!("there is no migration {:04}", snapshot.number);
        findings.push(Finding::new(&SNAPSHOT_ALONE, &snapshot.file, None, message));
    }
}
