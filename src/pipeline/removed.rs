//! Documents that the ledger knows and the source no longer has.
//!
//! They are reported and their rows stay; only `--prune` takes them out, and never rows that were
//! edited since. A user that others refer to leaves a placeholder.

use std::cmp::Reverse;
use std::io::ErrorKind;

use uuid::Uuid;

use crate::exec::{with_pauses, PAUSES};
use crate::model::document::{Anchor, Phase};
use crate::model::ledger::{documents as d, rejects as r, residue, DOCUMENTS, REJECTS, RESIDUE};
use crate::model::{ids, Membership, RelPath, Row, Value};
use crate::source::{shape_of, Names, Shape};
use crate::target::{
    in_guarded_transaction, in_transaction, select_all, Connection, Filter, TargetError, TargetErrorKind,
};

use super::account::{Account, What};
use super::options::{Prefer, Removed};
use super::present::Present;
use super::run::Job;
use super::write::{drop_if_unused_placeholder, is_referred_to, kind_of, live, seal};
use crate::ledger::{self, uuids, LedgerDocument, LedgerReject};

/// Documents looked at in one go.
const CHUNK: usize = 500;

/// Finds removed documents of the run's kinds, reports them, and prunes them if asked to.
pub fn settle_removed(job: &Job, connection: &mut dyn Connection, account: &mut Account) -> Result<(), TargetError> {
    let options = job.options;
    forget_rejects(job, connection)?;
    if Present::in_ledger(connection, &options.kinds)? == account.present {
        return Ok(());
    }
    for gone in gone(job, connection)?.chunks(CHUNK) {
        let unsealed: Vec<Uuid> = gone.iter().filter(|(_, _, unsealed)| *unsealed).map(|(_, id, _)| *id).collect();
        if !unsealed.is_empty() {
            in_transaction(connection, |connection| seal(connection, &unsealed))?;
        }
        account.summary.removed += gone.len() as u64;
        if options.removed == Removed::Keep && !account.lists_more() {
            continue; // Nobody will ask which.
        }
        let ids: Vec<Uuid> = gone.iter().map(|(_, id, _)| *id).collect();
        let mut documents = ledger::documents(connection, &ids)?;
        documents.sort_by_key(|document| ids.iter().position(|id| *id == document.id));
        for document in documents {
            let file = document.paths().first().map_or(String::new(), |path| RelPath::from_text(path).to_string());
            match options.removed {
                Removed::Keep => account.finding(What::Removed, file, "its file is gone; its rows stay".into()),
                Removed::Prune => prune(job, connection, account, &document, file)?,
            }
        }
    }
    Ok(())
}

/// A document of the ledger whose files are all gone: its id, and whether its row has no seal. What refers
/// comes before what it refers to.
type Gone = (Reverse<Phase>, Uuid, bool);

/// The documents of the run's kinds that are gone.
fn gone(job: &Job, connection: &mut dyn Connection) -> Result<Vec<Gone>, TargetError> {
    let mut names = Names::new(job.source);
    let mut gone = Vec::new();
    ledger::each_placed(connection, &mut |held| {
        let kind = job.options.kinds.iter().find(|kind| kind.name == held.kind);
        let mut is_there = || {
            let paths = held.paths().into_iter().map(|path| RelPath::from_text(&path));
            is_there(job, held.id, paths.filter(|path| names.may_have(path)))
        };
        if let Some(kind) = kind.filter(|_| !is_there()) {
            gone.push((Reverse(kind.phase), held.id, held.is_unsealed));
        }
    })?;
    gone.sort_unstable();
    Ok(gone)
}

fn prune(
    job: &Job,
    connection: &mut dyn Connection,
    account: &mut Account,
    document: &LedgerDocument,
    file: String,
) -> Result<(), TargetError> {
    // Somebody may edit the rows between looking and deleting: the next look finds that.
    let may_help = |error: &TargetError| error.kind == TargetErrorKind::Transient;
    let pruned = with_pauses(&PAUSES, may_help, job.stop, || {
        in_guarded_transaction(&mut *connection, |connection| take_out(job, connection, document))
    })?;
    match pruned {
        Ok(rows) => {
            account.summary.pruned += 1;
            for (table, count) in rows {
                account.summary.table_mut(table).rows += count;
                account.summary.rows += count;
            }
            account.finding(What::Removed, file, "its file is gone; its rows were pruned".into());
        }
        Err(edits) => {
            account.summary.kept_edited += 1;
            account.finding(What::KeptThoughRemoved, file, edits);
        }
    }
    Ok(())
}

type Rows = Vec<(&'static str, u64)>;

/// Deletes a document's rows, or says why not: they were edited.
fn take_out(
    job: &Job,
    connection: &mut dyn Connection,
    document: &LedgerDocument,
) -> Result<Result<Rows, String>, TargetError> {
    let format = job.format;
    let look = live::look(format, connection, document)?;
    let added = look.rows.foreign();
    let edits = look.edits.or((added > 0).then(|| live::edits(&format!("{added} added"))));
    if let (Some(edits), Prefer::Neither) = (edits, job.options.prefer) {
        return Ok(Err(edits));
    }
    let kind = kind_of(format, &document.kind);
    let mut rows = Vec::new();
    let referred = match (kind.phase, document.row_id) {
        (Phase::Users, Some(row)) => is_referred_to(connection, format, kind.name, row)?,
        _ => false,
    };
    for table in format.tables().iter().rev() {
        let ids: Vec<Uuid> =
            look.rows.live.iter().filter(|(_, live)| live.table == *table).map(|(id, _)| *id).collect();
        if ids.is_empty() {
            continue;
        }
        let values = uuids(&ids);
        let filter = Filter::In { column: 0, values: &values };
        if referred && *table == kind.main {
            let held = select_all(connection, table, &filter)?;
            let retired: Vec<Row> = held.iter().map(|row| format.retire(kind.name, row)).collect();
            connection.update(table, &retired)?;
        } else {
            connection.delete(table, &filter)?;
        }
        rows.push((table.name, ids.len() as u64));
    }
    let id = [Value::Uuid(document.id)];
    connection.delete(&RESIDUE, &Filter::In { column: residue::DOCUMENT_ID, values: &id })?;
    connection.delete(&DOCUMENTS, &Filter::In { column: d::ID, values: &id })?;
    if let (Anchor::Referenced, Some(row)) = (kind.anchor, document.row_id) {
        let column = kind.main.columns.iter().find_map(|column| column.reference);
        if let Some(reference) = column {
            if drop_if_unused_placeholder(connection, format, reference.kind, row)? {
                rows.push((kind_of(format, reference.kind).main.name, 1));
            }
        }
    }
    Ok(Ok(rows))
}

/// A reject whose files are gone is nobody's concern any more.
fn forget_rejects(job: &Job, connection: &mut dyn Connection) -> Result<(), TargetError> {
    let mut gone = Vec::new();
    for reject in select_all(connection, &REJECTS, &Filter::All)? {
        let reject = LedgerReject::from_row(&reject)?;
        let asked_for = job.options.kinds.iter().any(|kind| kind.name == reject.kind);
        let paths = reject.paths().into_iter().map(|path| RelPath::from_text(&path));
        if asked_for && !is_there(job, reject.document, paths) {
            gone.push(Value::Uuid(reject.document));
        }
    }
    if !gone.is_empty() {
        tracing::info!(format = job.format.name(), count = gone.len(), "rejects whose files are gone are forgotten");
        connection.delete(&REJECTS, &Filter::In { column: r::DOCUMENT_ID, values: &gone })?;
    }
    Ok(())
}

/// Whether a document still has one of these files.
fn is_there(job: &Job, document: Uuid, mut paths: impl Iterator<Item = RelPath>) -> bool {
    paths.any(|path| {
        let absolute = path.below(job.source);
        match absolute.symlink_metadata() {
            Ok(_) => {}
            // A file that cannot be looked at is not known to be gone.
            Err(error) => return !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
        }
        let is_its = |member: &Membership| {
            let (kind, key) = (member.kind.name, member.key.as_str());
            document == ids::document(kind, key) || document == ids::twin(kind, key, &path.to_text())
        };
        // A session file that became a list is the history of another chat now.
        let begins_object = || shape_of(&absolute, job.options.follow_links) == Shape::Object;
        job.format.classify(&path).member(begins_object).is_some_and(is_its)
    })
}
