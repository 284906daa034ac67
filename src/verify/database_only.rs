//! Documents that only the database has: the ledger names their files, and they are not there.

use std::collections::HashSet;
use std::ops::ControlFlow;

use uuid::Uuid;

use crate::ledger::{uuids, LedgerDocument};
use crate::model::ledger::{documents as d, DOCUMENTS, RESIDUE};
use crate::model::{Document, RelPath, SourceFile};
use crate::target::{Connection, Filter, TargetError};

use super::account::Order;
use super::batch::{Checked, State};
use super::census::{self, Census};
use super::compare::{Comparison, Mode};
use super::judge::Judged;
use super::leaves::{of_rows, Both};
use super::outcome::{Cause, Difference, Moved, Verdict};
use super::resolve::Resolved;
use super::row_ids::RowIds;
use super::run::Job;
use super::stored::{self, is_sealed, Rows};
use super::suspects::{Suspect, Suspects};

/// Documents whose residue is read at once.
const CHUNK: usize = 64;
/// Documents that the ledger is asked for at once.
const LOOK_UP: usize = 1_000;

/// Finds the ledger's documents of which no file exists. Returns what the ledger says of documents
/// that neither side has, and that transload did not write.
pub fn documents(
    job: &Job,
    connection: &mut dyn Connection,
    suspects: &mut Suspects,
    census: &mut Census,
) -> Result<Vec<Difference>, TargetError> {
    let mut gone: Vec<(Document, bool)> = Vec::new();
    for ids in census.unseen_documents(connection)?.chunks(LOOK_UP) {
        let values = uuids(ids);
        connection.select(&DOCUMENTS, &Filter::In { column: d::ID, values: &values }, &mut |row| {
            // One that cannot be read is told where its file is compared.
            if let Ok(held) = LedgerDocument::from_row(&row) {
                gone.extend(document_without_files(job, &held).map(|document| (document, is_sealed(&row))));
            }
            ControlFlow::Continue(())
        })?;
    }
    // A document of which the walk saw a file is looked at again anyway.
    let seen: HashSet<Uuid> = suspects.documents().collect();
    gone.retain(|(document, _)| !seen.contains(&document.id));
    gone.sort_by(|(a, _), (b, _)| (a.kind.name, a.path().as_path()).cmp(&(b.kind.name, b.path().as_path())));
    let mut forged = Vec::new();
    for (number, chunk) in (0..).zip(gone.chunks(CHUNK)) {
        let ids: Vec<Uuid> = chunk.iter().map(|(document, _)| document.id).collect();
        let stored = stored::of_documents(connection, job.format, &ids, true)?;
        let mut rows = Rows::default();
        for table in job.format.tables() {
            let named = stored.values().flat_map(|stored| stored.row_ids()).filter(|(of, _)| of == table);
            rows.read(connection, table, named.map(|(_, id)| id))?;
        }
        for (at, (document, sealed)) in (0..).zip(chunk) {
            let named = stored.get(&document.id).into_iter().flat_map(|stored| stored.row_ids());
            let there: RowIds = named
                .filter(|(table, id)| rows.get(table, *id).is_some())
                .map(|(table, id)| (table.name, id))
                .collect();
            there.iter().for_each(|(table, id)| census.note(table, id));
            if there.is_empty() {
                // Gone on both sides: only the ledger remembers it.
                forged.extend((!sealed).then(|| never_was(job, document)));
                continue;
            }
            let judged = only_in_database(job, document, there.len());
            let state = State { rows: there.len() as u128, ..State::default() };
            let database = match job.options.receipt {
                true => stored.get(&document.id).and_then(|stored| of_rows(job.format, document, stored, &rows)),
                false => None,
            };
            let leaves = Both { file: None, database };
            let checked = Checked { document: document.clone(), judged, accounted: there, state, bytes: 0, leaves };
            suspects.push(Suspect::unwalked(Order(Order::LAST - 1, number * CHUNK as u64 + at), checked));
        }
    }
    forged.extend(lost_parts(job, connection, suspects)?);
    Ok(forged)
}

fn document_without_files(job: &Job, held: &LedgerDocument) -> Option<Document> {
    let kind = job.options.kinds.iter().copied().find(|kind| kind.name == held.kind)?;
    let files = held.held(job.format)?.files;
    let is_there = |path: &RelPath| path.below(job.source).symlink_metadata().is_ok();
    if files.is_empty() || files.iter().any(|file| is_there(&file.path)) {
        return None;
    }
    let file = |file: &crate::format::proof::HeldFile| SourceFile {
        path: file.path.clone(),
        role: file.role,
        size: 0,
        modified: file.modified,
    };
    Some(Document { kind, key: held.key.clone(), id: held.id, files: files.iter().map(file).collect() })
}

/// The judgement of a document without files.
pub fn only_in_database(job: &Job, document: &Document, rows: usize) -> Judged {
    let text = format!("no file of it is there; the database has {rows} rows of it");
    let difference = Difference {
        table: Some(document.kind.main.name.into()),
        detail: Some(text.clone()),
        ..blank(job, document, Cause::OnlyInDatabase, Moved::File)
    };
    let mut judged = Judged::listed(Verdict::OnlyInDatabase, text);
    judged.total = 1;
    judged.differences = vec![difference];
    judged
}

fn blank(job: &Job, document: &Document, cause: Cause, moved: Moved) -> Difference {
    let resolved = Resolved::default();
    Comparison::new(job.format, document, Mode::Changed, &resolved, 1).blank(cause, moved)
}

/// A document of which neither side has anything, in a row that transload did not write.
fn never_was(job: &Job, document: &Document) -> Difference {
    Difference {
        table: Some(format!("ledger.{}", DOCUMENTS.name)),
        detail: Some("it names a document of which there is neither a file nor a row, and its seal is broken".into()),
        ..blank(job, document, Cause::LedgerForged, Moved::Database)
    }
}

/// Parts whose document the ledger does not have (any more), and of which no file told.
fn lost_parts(job: &Job, connection: &mut dyn Connection, suspects: &Suspects) -> Result<Vec<Difference>, TargetError> {
    let lost = census::parts_without_document(connection)?;
    let told: HashSet<Uuid> = suspects.documents().collect();
    let lost: Vec<Uuid> = lost.into_iter().filter(|id| !told.contains(id)).collect();
    let mut differences = Vec::new();
    for chunk in lost.chunks(CHUNK) {
        let stored = stored::of_documents(connection, job.format, chunk, true)?;
        for id in chunk {
            let part = stored.get(id).and_then(|stored| stored.parts.first());
            let kind = job.options.kinds.iter().find(|kind| part.is_none_or(|part| *kind.main == *part.table));
            differences.extend(kind.map(|kind| Difference {
                document: *id,
                kind: kind.name,
                cause: Cause::LedgerForged,
                moved: Moved::Database,
                file: String::new(),
                pointer: String::new(),
                table: Some(format!("ledger.{}", RESIDUE.name)),
                row: None,
                column: None,
                in_file: None,
                in_database: None,
                detail: Some("parts of a document that the ledger does not know".into()),
                secret: false,
                waived: None,
            }));
        }
    }
    Ok(differences)
}
