//! Making the declared schemas: every migration is run in a scratch database, and what each leaves
//! is read.

use std::time::Duration;

use crate::exec::Stop;
use crate::model::{Catalogue, Owner};
use crate::target::Target;

use super::catalogue::{keep_optional, mark_new_as_optional};
use super::files::MigrationSet;
use super::plan::{check_files, Allowed};
use super::run::{apply, Job, RunError};
use super::snapshot::Snapshot;

/// What the bookkeeping adds to the ledger's schema.
const BOOKKEEPING: [&str; 4] =
    ["schema_history", "schema_attempts", "schema_attempts_only_grow()", "transload_schema_history"];

/// The declared schema of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    pub number: u32,
    /// Where it belongs, relative to the directory.
    pub file: String,
    pub text: String,
    /// Whether the file says exactly that already.
    pub is_there: bool,
}

/// Builds the declared schema of every version. Scopes and marks of what is optional are taken over
/// from the files that are there.
pub fn build(beside: &dyn Target, set: &MigrationSet, owner: Owner, by: &str) -> Result<Vec<Built>, RunError> {
    check_files(set)?;
    let scratch = beside.scratch()?;
    // What is declared so far may be wrong, and is what this is to correct.
    let bare = MigrationSet { snapshots: Vec::new(), ..set.clone() };
    let with = bare.files.iter().filter_map(|file| file.header.optional.as_ref()).map(|part| part.text.clone());
    let allowed = Allowed { destructive: true, comment_changes: false, with: with.collect(), until: None };
    let job = Job {
        target: &*scratch,
        set: &bare,
        name: "scratch",
        owner,
        allowed,
        wait: Duration::from_secs(60),
        lock_timeout: Duration::from_secs(60),
        pauses: &[],
        lint: true,
        by,
        stop: &Stop::new(),
        tell: &|_| {},
    };
    let folder = if set.snapshots.iter().any(|file| file.file.contains('/')) { "snapshots/" } else { "" };
    let mut built: Vec<Built> = Vec::new();
    let mut before = Snapshot::empty();
    for file in &bare.files {
        apply(&Job { allowed: Allowed { until: Some(file.number), ..job.allowed.clone() }, ..job })?;
        let mut schema = scratch.schema_reader()?.catalogue(owner)?;
        leave_out_bookkeeping(&mut schema, owner);
        if file.header.optional.is_some() {
            mark_new_as_optional(&mut schema, &before.schema);
        }
        keep_optional(&mut schema, &before.schema);
        let there = set.snapshot(file.number);
        let old = there.and_then(|there| Snapshot::parse(&there.file, &there.bytes).ok());
        if let Some(old) = &old {
            keep_optional(&mut schema, &old.schema);
        }
        let scope = old.map_or_else(|| before.scope.clone(), |old| old.scope);
        let snapshot = Snapshot::of(file, schema, scope);
        let text = snapshot.to_text();
        built.push(Built {
            number: file.number,
            file: there.map_or_else(|| format!("{folder}{:04}.json", file.number), |there| there.file.clone()),
            is_there: there.is_some_and(|there| there.bytes == text.as_bytes()),
            text,
        });
        before = snapshot;
    }
    Ok(built)
}

fn leave_out_bookkeeping(schema: &mut Catalogue, owner: Owner) {
    if owner == Owner::Ledger {
        schema.tables.retain(|name, _| !BOOKKEEPING.contains(&name.as_str()));
        schema.functions.retain(|name, _| !BOOKKEEPING.contains(&name.as_str()));
    }
}
