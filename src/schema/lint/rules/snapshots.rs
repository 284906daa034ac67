//! A directory declares the schema of every version or of none, each from the file as it is now.

use crate::schema::files::{MigrationFile, MigrationSet, SnapshotFile};
use crate::schema::lint::rule::{NO_SNAPSHOTS, SNAPSHOT_ALONE, SNAPSHOT_MISSING, SNAPSHOT_STALE};
use crate::schema::lint::Finding;
use crate::schema::snapshot::{hex, Snapshot, SnapshotError};

pub fn check(set: &MigrationSet, findings: &mut Vec<Finding>) {
    let command = format!("`transload schema snapshot {}`", set.origin);
    if !set.declares_snapshots() {
        let help = format!("{command} writes them from a scratch database; review and commit them");
        let finding = Finding::new(&NO_SNAPSHOTS, "", None, "the schema of no version is declared");
        findings.push(finding.with_help(help));
        return;
    }
    for file in set.files.iter().filter(|file| set.snapshot(file.number).is_none()) {
        let number = file.number;
        let message = format!("`{number:04}.json` is missing, and other versions have theirs");
        let help = format!("{command} writes it from a scratch database; review and commit it");
        findings.push(Finding::new(&SNAPSHOT_MISSING, &file.file, None, message).with_help(help));
    }
    for (at, snapshot) in set.snapshots.iter().enumerate() {
        let Some(file) = set.by_number(snapshot.number) else {
            let message = format!("there is no migration {:04}", snapshot.number);
            findings.push(Finding::new(&SNAPSHOT_ALONE, &snapshot.file, None, message));
            continue;
        };
        let twin = set.snapshots[..at].iter().find(|other| other.number == snapshot.number);
        if let Some(twin) = twin {
            let message = format!("`{}` declares the same version", twin.file);
            let finding = Finding::new(&SNAPSHOT_STALE, &snapshot.file, None, message);
            findings.push(finding.with_help("remove one of them"));
        } else if let Some(message) = stale(set, file, snapshot) {
            let help = format!("{command} writes it anew from a scratch database; review and commit it");
            findings.push(Finding::new(&SNAPSHOT_STALE, &snapshot.file, None, message).with_help(help));
        }
    }
}

/// Why a snapshot is none of this file.
fn stale(set: &MigrationSet, file: &MigrationFile, snapshot: &SnapshotFile) -> Option<String> {
    let origin = match Snapshot::parse(&snapshot.file, &snapshot.bytes) {
        Ok(origin) => origin,
        Err(SnapshotError::Unreadable { problem, .. }) => return Some(format!("it is no declared schema: {problem}")),
        Err(error) => return Some(error.to_string()),
    };
    let tokens = hex(&file.token_checksum());
    if origin.number != file.number {
        Some(format!("it declares version {:04}", origin.number))
    } else if origin.dialect != set.dialect.name() {
        Some(format!("it was made from SQL for {}", origin.dialect))
    } else {
        (origin.tokens != tokens).then(|| format!("it was made from other statements than `{}` has", file.file))
    }
}
