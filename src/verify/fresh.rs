//! What was written a moment ago, which neither the walk nor the ledger can know of.

use std::collections::HashSet;
use std::ops::ControlFlow;

use uuid::Uuid;

use crate::model::{ids, Class, Document, Instant, Membership, Phase, RelPath, Row, SourceFile, Value};
use crate::source::{shape_of, Found, Meaning, Shape, WalkOptions, Walker};
use crate::target::{Connection, TargetError};

use super::batch::Judge;
use super::run::{Job, VerifyError};
use super::stored::{self, Rows, Stored};

/// Documents that are judged together.
const JUDGED: usize = 64;
/// Documents that the ledger is asked about together.
const ASKED: usize = 1_000;

impl Judge<'_> {
    /// The document with the files that it has now.
    pub fn files_now(&self, document: &Document) -> Document {
        let mut files: Vec<SourceFile> = Vec::new();
        for path in self.format.siblings(document) {
            let full = path.below(self.root);
            let metadata = match self.read.follow_links {
                true => full.metadata(),
                false => full.symlink_metadata(),
            };
            let Ok(metadata) = metadata else { continue };
            if !metadata.is_file() {
                continue;
            }
            let is_own = |member: &Membership| *member.kind == *document.kind && member.key == document.key;
            let class = self.format.classify(&path);
            let begins_object = || shape_of(&full, self.read.follow_links) == Shape::Object;
            let Some(member) = class.member(begins_object).filter(|member| is_own(member)) else { continue };
            let role = member.role;
            if files.iter().any(|file| file.role == role) {
                continue; // Another file's document claims the same.
            }
            let modified = metadata.modified().map_or(Instant(0), Instant::from_system_time);
            files.push(SourceFile { path, role, size: metadata.len(), modified });
        }
        Document { files, ..document.clone() }
    }

    /// The document of which a path is a file, if it is there.
    pub fn found_at(&self, path: &RelPath) -> Option<Document> {
        path.below(self.root).symlink_metadata().ok()?;
        let documents = |member: Membership| {
            let file = SourceFile { path: path.clone(), role: member.role, size: 0, modified: Instant(0) };
            let id = ids::document(member.kind.name, &member.key);
            Document { kind: member.kind, key: member.key, id, files: vec![file] }
        };
        match self.format.classify(path) {
            Class::Document(member) => Some(documents(member)),
            Class::ByShape { object, .. } => Some(documents(object)),
            Class::NotMigrated { .. } => None,
        }
    }

    /// The row of somebody whom the ledger does not know, and whose id is his own: the one with the
    /// natural key that his file gives him, unless another document has it.
    pub fn row_by_file(
        &self,
        connection: &mut dyn Connection,
        rows: &mut Rows,
        kind: &str,
        key: &str,
    ) -> Result<Option<Uuid>, TargetError> {
        let Some(kind) = self.format.kinds().iter().copied().find(|known| known.name == kind) else { return Ok(None) };
        let mut named = Row(vec![Value::Null; kind.main.columns.len()]);
        named.0[0] = Value::Reference(key.to_owned());
        let found = self.format.homes(kind.main, &named).iter().find_map(|path| self.found_at(path));
        let Some(document) = found.map(|document| self.files_now(&document)) else { return Ok(None) };
        if document.files.is_empty() || document.kind != kind || document.key != key {
            return Ok(None);
        }
        let Ok(reading) = self.read(&document) else { return Ok(None) };
        let Ok(wanted) = self.expect(&document, &reading, &Stored::default()) else { return Ok(None) };
        let Some(first) = wanted.first() else { return Ok(None) };
        for &column in first.table.natural_key {
            let value = first.cells[column].value.clone();
            if value == Value::Null {
                continue;
            }
            let found = rows.read_by(connection, first.table, column, &[value])?;
            stored::note_holders(connection, self.format, first.table, &found, rows)?;
            if let Some(id) = found.into_iter().find(|id| !rows.is_anothers(document.id, *id)) {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }
}

/// Those of the rows, by table and id, that belong to documents of which a file was written at `since`
/// or later, or that the ledger does not know: an application may have made them after the walk had
/// passed by, and under ids that say nothing of where their files are.
pub fn owned(
    job: &Job,
    judge: &Judge,
    connection: &mut dyn Connection,
    since: Instant,
    rows: &HashSet<(&'static str, Uuid)>,
) -> Result<HashSet<(&'static str, Uuid)>, VerifyError> {
    let mut walker = Walker::new(WalkOptions::new(job.source, job.options.follow_links))?;
    let classify = |path: &_| job.format.classify(path);
    let phase_of_directory = |path: &_| job.format.phase_of_directory(path);
    let meaning = Meaning { classify: &classify, phase_of_directory: &phase_of_directory };
    let mut owned = HashSet::new();
    let mut batch: Vec<Document> = Vec::new();
    let mut judged = |batch: Vec<Document>| -> Result<(), TargetError> {
        let ids: Vec<Uuid> = batch.iter().map(|document| document.id).collect();
        let stored = stored::of_documents(connection, job.format, &ids, false)?;
        let is_known = |document: &Document| stored.get(&document.id).is_some_and(|stored| stored.document.is_some());
        let is_fresh = |document: &Document| document.files.iter().any(|file| file.modified >= since);
        let wanted: Vec<Document> = batch.into_iter().filter(|it| is_fresh(it) || !is_known(it)).collect();
        for documents in wanted.chunks(JUDGED) {
            for checked in judge.batch(connection, documents.to_vec())? {
                owned.extend(checked.accounted.iter().filter(|row| rows.contains(row)));
            }
        }
        Ok(())
    };
    for phase in Phase::ALL {
        let mut failed = None;
        walker.walk(&meaning, phase, &mut |found| {
            if let Found::Document(document) = found {
                if job.options.kinds.contains(&document.kind) {
                    batch.push(document);
                }
            }
            if batch.len() >= ASKED {
                failed = judged(std::mem::take(&mut batch)).err();
            }
            match failed.is_some() || job.stop.requested().is_some() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        if let Some(error) = failed {
            return Err(error.into());
        }
    }
    judged(batch)?;
    Ok(owned)
}
