//! Repairing one document: one transaction that makes the database equal to the file, or leaves it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use crate::exec::PAUSES;
use crate::ledger::extent::{self, Extent, Guard, Wants, Why};
use crate::ledger::{unpack_ids, LedgerReject};
use crate::model::digest::{self, Seal};
use crate::model::document::{Anchor, Phase};
use crate::model::ledger::{documents as d, rejects as rj, residue as r, REJECTS, RESIDUE};
use crate::model::{ids, Decoded, Document, DocumentOutcome, Flaw, Row, Table, Value};
use crate::pipeline::examine::Undecoded;
use crate::pipeline::item::{Item, Rejected, Source};
use crate::pipeline::repair::keeping::{not_saved, Keeping, Kept};
use crate::pipeline::repair::saved::SavedRows;
use crate::pipeline::repair::{Repair, RepairOutcome, Repaired, RowCount};
use crate::source::ReadProblem;
use crate::target::{Connection, Durability, Filter, TargetError, TargetErrorKind};

use super::keys::{is_derived, natural_texts};
use super::live;
use super::parts::{each_part, Stopped};
use super::references::{rows_in, settle_waiting, References};
use super::replace::{ReplaceError, Replacement};
use super::{batch_error, locked, refused, save_rejects, turn_into_reject, wait, Done, Env, Shared, WriteError};

/// What all repairs of a run share.
pub struct Repairs<'a> {
    repair: &'a Repair,
    pub saved: SavedRows,
    /// The last eight bytes of every row that a residue names, sorted; read when it is first asked.
    named: Mutex<Option<Vec<u64>>>,
    /// The documents that are still to come.
    pending: Mutex<HashSet<Uuid>>,
}

impl<'a> Repairs<'a> {
    pub fn new(repair: &'a Repair, saved: SavedRows) -> Repairs<'a> {
        let pending = Mutex::new(repair.documents.keys().copied().collect());
        Repairs { repair, saved, named: Mutex::new(None), pending }
    }

    /// A document's turn is over; it may come again.
    fn take_turn(&self, document: &Document) {
        let id = ids::document(document.kind.name, &document.key);
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    fn is_pending(&self, document: Uuid) -> bool {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).contains(&document)
    }

    /// Whether a row with a derived id, which is not the document's by its files nor by its
    /// residue, may be another document's: one that names it, or one that is still to come and may
    /// have lost its residue.
    fn may_be_anothers(&self, connection: &mut dyn Connection, row: Uuid) -> Result<bool, TargetError> {
        let others_come = !self.pending.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        Ok(others_come || self.is_named(connection, row)?)
    }

    /// The guard of a document, whatever id it has as one of several that claim the same key.
    fn guard(&self, item: &Item) -> Option<&Guard> {
        let document = item.document();
        self.repair.documents.get(&ids::document(document.kind.name, &document.key))
    }

    /// Whether some document's residue names the row.
    fn is_named(&self, connection: &mut dyn Connection, row: Uuid) -> Result<bool, TargetError> {
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if named.is_none() {
            let mut all = Vec::new();
            connection.scan(&RESIDUE, &[r::ROW_IDS], &Filter::All, &mut |values| {
                all.extend(unpack_ids(values[0].as_bytes().unwrap_or_default()).map(last_bytes));
                ControlFlow::Continue(())
            })?;
            all.sort_unstable();
            *named = Some(all);
        }
        Ok(named.as_ref().is_some_and(|named| named.binary_search(&last_bytes(row)).is_ok()))
    }
}

/// Why a document is not all that its file says.
const LEFT: &str = "rows that may be another document's were left alone: compare again when that one is repaired";

fn last_bytes(id: Uuid) -> u64 {
    id.as_u64_pair().1
}

/// Repairs one document to its end.
///
/// # Errors
/// What no retry helps and is not about the document.
pub fn repair(env: &Env, repairs: &Repairs, connection: &Shared, item: &mut Item) -> Result<Done, WriteError> {
    let mut pauses = PAUSES.iter();
    repairs.take_turn(item.document());
    loop {
        let item = std::slice::from_mut(item);
        save_rejects(env, item)?;
        let error = match attempt(env, repairs, &mut **locked(connection), &item[0]) {
            Ok(Attempt::Done(done)) => return Ok(*done),
            Ok(Attempt::Flaw(flaw)) => {
                turn_into_reject(item, 0, flaw);
                continue;
            }
            Err(error) => error,
        };
        match error.kind {
            TargetErrorKind::Lost | TargetErrorKind::Transient if !env.dry_run => {
                let Some(pause) = pauses.next() else { return Err(batch_error(item, error)) };
                tracing::warn!(error = %error, "a repair is tried again in {pause:?}");
                wait(env.stop, *pause);
                if error.kind == TargetErrorKind::Lost {
                    env.lost.store(true, Ordering::SeqCst);
                    *locked(connection) = env.target.connect(Durability::Relaxed)?;
                }
            }
            _ => return Err(batch_error(item, error)),
        }
    }
}

enum Attempt {
    Done(Box<Done>),
    /// A huge document turned out to be a reject.
    Flaw(Flaw),
}

/// What a look at both sides, and the work on them, came to.
enum Work {
    /// To be committed. All others but the next are rolled back. With how many rows were left that
    /// may be another document's.
    Repaired(DocumentOutcome, Box<Decoded>, usize),
    /// To be committed: a reject of which the ledger did not know, or not rightly.
    Rejected,
    StillRejected {
        accepted: bool,
    },
    Equal,
    /// A commit that was answered by silence.
    RepairedBefore(Box<Decoded>),
    Changed(&'static str),
    Refused(String),
    Unreadable(ReadProblem),
    Flaw(Flaw),
}

fn attempt(env: &Env, repairs: &Repairs, connection: &mut dyn Connection, item: &Item) -> Result<Attempt, TargetError> {
    let Some(guard) = repairs.guard(item) else {
        return Ok(described(item, Work::Changed("its key is not the one that was compared"), Kept::default()));
    };
    connection.begin_guarded()?;
    let mut keeping = Keeping::new(connection, repairs.saved.begin(item.id()));
    let work = match work(env, repairs, &mut keeping, item, guard) {
        // The values of this document, or a key that somebody else has.
        Err(error) if error.kind == TargetErrorKind::Data => Ok(Work::Refused(refused(&error).detail)),
        work => work,
    };
    let (work, lasts) = match work {
        Ok(work @ (Work::Repaired(..) | Work::Rejected)) => match keeping.sync() {
            Ok(()) => (Ok(work), true),
            Err(error) => (Err(error), false),
        },
        work => (work, false),
    };
    let (kept, saving) = keeping.finish();
    if !lasts {
        // A lost connection rolls back by itself, and the first error is the one to report.
        let rolled_back = connection.rollback();
        let undone = saving.undo().map_err(not_saved);
        let work = work?;
        return rolled_back.and(undone).map(|()| described(item, work, Kept::default()));
    }
    match connection.commit() {
        Ok(()) => work.map(|work| described(item, work, kept)),
        Err(error) => {
            // After silence it may have been committed, and then the lines are all that is left.
            if error.kind != TargetErrorKind::Lost {
                saving.undo().map_err(not_saved)?;
            }
            Err(error)
        }
    }
}

fn work(env: &Env, repairs: &Repairs, keeping: &mut Keeping, item: &Item, guard: &Guard) -> Result<Work, TargetError> {
    const FILE: &str = "its file changed since it was compared";
    let source = match item {
        Item::Reject(rejected) if rejected.reject.digest != guard.files => return Ok(Work::Changed(FILE)),
        Item::Reject(rejected) => return reject(env, keeping, rejected),
        Item::Load(loaded) => &loaded.source,
        Item::Stream(streamed) => &streamed.source,
        Item::Touch(_) => unreachable!("a repair takes no document for unchanged"),
    };
    if source.digest != guard.files {
        return Ok(Work::Changed(FILE));
    }
    let mut wants = Wants::default();
    let decoded = each_part(env, item, &mut |part| {
        part.rows.iter().for_each(|row| wants.add(part.table, row.id(), row.0.iter()));
        Ok(())
    });
    let decoded = match decoded {
        Ok(decoded) => decoded,
        Err(stopped) => return into_work(stopped),
    };
    let Found { extent, rows, texts, left } = find(env, repairs, keeping, &source.document, &wants)?;
    if extent.rows != guard.rows {
        let by_this_run = extent.held().is_some_and(|held| held.run == env.run && held.digest == source.digest);
        return Ok(match by_this_run {
            true => Work::RepairedBefore(Box::new(decoded)),
            false => Work::Changed("its rows changed since it was compared"),
        });
    }
    let (document, parts_before) = (extent.document.clone(), extent.parts);
    let adopted = adopted(&extent, &wants, source);
    let mut replacement = Replacement::of_extent(env, keeping, source, extent, rows, adopted)?;
    let written = each_part(env, item, &mut |part| replacement.find(part))
        .and_then(|_| Ok(replacement.clear().map_err(ReplaceError::from)?))
        .and_then(|()| each_part(env, item, &mut |part| replacement.part(part)))
        .and_then(|mut decoded| {
            let replaced = replacement.finish(&mut decoded.notes)?;
            Ok((decoded, replaced.settle))
        });
    let (decoded, references) = match written {
        Ok(written) => written,
        Err(stopped) => return into_work(stopped),
    };
    let was_rejected = drop_rejects(keeping, item)?;
    settle(env, repairs, keeping, item, references, texts)?;
    let done = keeping.done();
    if done.rows.is_empty() && !was_rejected && done.parts == parts_before && is_same(&document, &done.document) {
        return Ok(if left == 0 { Work::Equal } else { Work::Changed(LEFT) });
    }
    let outcome = if document.is_some() { DocumentOutcome::Updated } else { DocumentOutcome::Loaded };
    Ok(Work::Repaired(outcome, Box::new(decoded), left))
}

/// The document's rows, and the texts by which others refer to them.
struct Found {
    extent: Extent,
    rows: live::Rows,
    texts: Vec<String>,
    /// How many rows are left alone, because they may be another document's.
    left: usize,
}

fn find(
    env: &Env,
    repairs: &Repairs,
    connection: &mut dyn Connection,
    document: &Document,
    wants: &Wants,
) -> Result<Found, TargetError> {
    let mut rows = live::Rows::default();
    let mut texts = Vec::new();
    let has_own = document.kind.anchor == Anchor::FirstRow;
    let mut unclear = Vec::new();
    let extent = extent::visit(connection, env.format, document, wants, &mut |table, row, why| match why {
        Why::Doubtful => {}
        // Not its own, whatever the residue says.
        Why::Named if has_own && *table == *document.kind.main => {}
        Why::Own | Why::Below | Why::Owned | Why::Named | Why::Derived => {
            if why == Why::Own {
                texts.extend(natural_texts(table, &row));
            }
            if matches!(why, Why::Below | Why::Owned) && is_derived(row.id()) {
                unclear.push(row.id());
            }
            rows.add(table, &row, false);
        }
    })?;
    // A row that was moved here from another document's is that one's to take back.
    let ids = |ids: &[(&'static Table, Vec<Uuid>)]| -> HashSet<Uuid> {
        ids.iter().flat_map(|(_, ids)| ids.iter().copied()).collect()
    };
    let (named, wanted) = (ids(&extent.named), ids(wants.ids()));
    let mut left = 0;
    for id in unclear.into_iter().filter(|id| !named.contains(id) && !wanted.contains(id)) {
        if repairs.may_be_anothers(connection, id)? {
            rows.live.remove(&id);
            left += 1;
        }
    }
    Ok(Found { extent, rows, texts, left })
}

/// The ids that rows have by the ledger, by those that they derive to: where it speaks of the same
/// content, its rows are the file's, one by one.
fn adopted(extent: &Extent, wants: &Wants, source: &Source) -> HashMap<Uuid, Uuid> {
    let is_about_this = extent.held().is_some_and(|held| held.digest == source.digest);
    let mut adopted = HashMap::new();
    for (table, wanted) in wants.ids() {
        let named = extent.named.iter().find(|(named, _)| named == table).map_or(&[][..], |(_, ids)| ids);
        if is_about_this && named.len() == wanted.len() {
            adopted.extend(wanted.iter().zip(named).filter(|(wanted, named)| wanted != named));
        }
    }
    adopted
}

/// What a repair that stopped came to.
fn into_work(stopped: Stopped) -> Result<Work, TargetError> {
    match stopped {
        Stopped::Replace(ReplaceError::Target(error)) => Err(error),
        Stopped::Replace(ReplaceError::Conflict(found)) => Ok(Work::Refused(found)),
        // Two rows, or two files, with one key: somebody has to decide.
        Stopped::Replace(ReplaceError::Flaw(flaw)) => Ok(Work::Refused(flaw.detail)),
        Stopped::Undecoded(Undecoded::Flaw(flaw)) => Ok(Work::Flaw(flaw)),
        Stopped::Undecoded(Undecoded::Read(problem)) => Ok(Work::Unreadable(problem)),
        Stopped::Undecoded(Undecoded::Stopped) => unreachable!("it stops only for a failure"),
    }
}

/// The ledger's row of a document that is refused.
fn reject(env: &Env, connection: &mut dyn Connection, rejected: &Rejected) -> Result<Work, TargetError> {
    let reject = LedgerReject::new(&rejected.reject, env.run);
    let held = rows_in(connection, &REJECTS, rj::DOCUMENT_ID, &[Value::Uuid(reject.document)])?;
    let as_it_is = |row: &Row| {
        let held = LedgerReject::from_row(row).ok()?;
        (held.seal == Seal::Right && held.is_same(&reject)).then(|| held.accepted.is_some())
    };
    match held.first() {
        Some(row) => match as_it_is(row) {
            Some(accepted) => return Ok(Work::StillRejected { accepted }),
            None => drop(connection.update(&REJECTS, &[reject.to_row()])?),
        },
        None => connection.insert(&REJECTS, &[reject.to_row()])?,
    }
    Ok(Work::Rejected)
}

/// What is loaded is no reject any more. Returns whether it was one.
fn drop_rejects(connection: &mut dyn Connection, item: &Item) -> Result<bool, TargetError> {
    let ids = [item.id(), item.document().twin_id()].map(Value::Uuid);
    Ok(connection.delete(&REJECTS, &Filter::In { column: rj::DOCUMENT_ID, values: &ids })? > 0)
}

/// Points documents at this one that wait for it, or refer to it by a key that it had or has, and that
/// are not to be repaired themselves.
fn settle(
    env: &Env,
    repairs: &Repairs,
    connection: &mut dyn Connection,
    item: &Item,
    mut references: References,
    texts: Vec<String>,
) -> Result<(), TargetError> {
    let document = item.document();
    if document.kind.phase == Phase::Users {
        let kind = document.kind.name;
        references.insert((kind, document.key.clone()));
        references.extend(texts.into_iter().map(|text| (kind, text)));
        if let Item::Load(loaded) = item {
            for part in &loaded.parts {
                let texts = part.rows().iter().flat_map(|row| natural_texts(part.table(), row));
                references.extend(texts.map(|text| (kind, text)));
            }
        }
    }
    let mut by_kind: BTreeMap<&'static str, BTreeSet<String>> = BTreeMap::new();
    for (kind, text) in references {
        by_kind.entry(kind).or_default().insert(text);
    }
    for (kind, texts) in by_kind {
        settle_waiting(connection, env.format, kind, &texts, &|document| repairs.is_pending(document))?;
    }
    Ok(())
}

/// Whether the ledger's row was written as it stood, but for the run.
fn is_same(before: &Option<Row>, after: &Option<Row>) -> bool {
    match (before, after) {
        (Some(before), Some(after)) => {
            let content = |row: &Row| digest::seal(&row.0[..d::RUN_ID]);
            digest::is_sealed(before) && content(before) == content(after)
        }
        _ => false,
    }
}

fn described(item: &Item, work: Work, kept: Kept) -> Attempt {
    let (outcome, told, detail) = match &work {
        Work::Repaired(outcome, _, left) => (*outcome, RepairOutcome::Repaired, (*left > 0).then(|| LEFT.to_owned())),
        Work::RepairedBefore(_) => (DocumentOutcome::Updated, RepairOutcome::Repaired, None),
        Work::Rejected | Work::StillRejected { .. } => (DocumentOutcome::Rejected, RepairOutcome::Rejected, None),
        Work::Equal => (DocumentOutcome::Unchanged, RepairOutcome::Equal, None),
        Work::Changed(why) => (DocumentOutcome::Conflict, RepairOutcome::Changed, Some((*why).to_owned())),
        Work::Refused(why) => (DocumentOutcome::Failed, RepairOutcome::Refused, Some(why.clone())),
        Work::Unreadable(problem) => (DocumentOutcome::Failed, RepairOutcome::Unread, Some(problem.to_string())),
        Work::Flaw(flaw) => return Attempt::Flaw(flaw.clone()),
    };
    let mut done = Done::new(outcome);
    kept.rows.iter().for_each(|((table, _), count)| done.add_rows(table, *count));
    match work {
        Work::Repaired(_, decoded, _) | Work::RepairedBefore(decoded) => {
            (done.notes, done.files) = (decoded.notes, decoded.files);
        }
        Work::Rejected => done.noted = true,
        Work::StillRejected { accepted } => done.accepted = accepted,
        Work::Changed(why) => done.conflict = Some(why.to_owned()),
        Work::Refused(why) => done.refused = Some(why),
        Work::Unreadable(problem) => done.problem = Some(problem),
        Work::Equal | Work::Flaw(_) => {}
    }
    if let Item::Reject(rejected) = item {
        done.reject = Some(rejected.reject.clone()).filter(|_| outcome == DocumentOutcome::Rejected);
    }
    let document = item.document();
    done.repaired = Some(Box::new(Repaired {
        document: ids::document(document.kind.name, &document.key),
        kind: document.kind.name,
        file: document.path().to_text(),
        outcome: told,
        detail,
        rows: kept.rows.into_iter().map(|((table, action), rows)| RowCount { table, action, rows }).collect(),
        changes: kept.changes,
    }));
    Attempt::Done(Box::new(done))
}
