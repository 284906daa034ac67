//! Rows that no document has, and placeholders that are not what a placeholder is.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;
use std::time::Instant as Clock;

use uuid::Uuid;

use crate::format::proof::HeldFile;
use crate::format::Format;
use crate::ledger::{unpack_ids, uuids, LedgerDocument};
use crate::model::ledger::{documents as d, residue as r, DOCUMENTS, RESIDUE};
use crate::model::{ids, Anchor, Document, DocumentKind, Instant, Kind, RelPath, Row, SourceFile, Table, Value};
use crate::target::{select_all, Connection, Filter, TargetError};

use super::account::{Account, Order};
use super::batch::Judge;
use super::census::Census;
use super::compare::same_value;
use super::fresh;
use super::outcome::{Cause, Difference, Moved, Verdict};
use super::run::{Job, VerifyError};
use super::shown::{cut, row_text, value_text};
use super::stored;

/// Rows that are looked at together.
const CHUNK: usize = 1_000;
/// Documents that are judged together.
const JUDGED: usize = 64;

/// Something that the tables hold and no document accounts for.
#[derive(Clone, Debug, PartialEq)]
pub struct Orphan {
    table: &'static Table,
    id: Uuid,
    /// Its natural key's first value, where that is a text.
    key: Option<String>,
    /// The row, for the list; of so many orphans only as will be listed.
    shown: Option<String>,
    /// The document that it would belong to, by the row that this would stand in.
    group: Uuid,
    /// Of a placeholder: how it is not what it should be.
    differences: Vec<Difference>,
}

impl Orphan {
    fn new(table: &'static Table, row: &Row, group: Uuid) -> Orphan {
        let key = table.natural_key.first().and_then(|at| row.0[*at].as_text()).map(str::to_owned);
        let mut shown = row_text(table, row);
        cut(&mut shown);
        Orphan { table, id: row.id(), key, shown: Some(shown), group, differences: Vec::new() }
    }
}

/// Orphans, and when they were found.
pub struct Orphans {
    found: Vec<Orphan>,
    since: Clock,
}

/// Finds what stands in the tables beside what documents have.
pub fn find(
    job: &Job,
    judge: &Judge,
    connection: &mut dyn Connection,
    census: &mut Census,
    tables: &[&'static Table],
) -> Result<Orphans, TargetError> {
    let mut found = placeholders(job, connection, Some(census), tables)?;
    for &table in tables {
        let candidates = census.candidates(connection, table)?;
        found.extend(without_owner(job, judge, connection, table, &candidates)?);
    }
    Ok(Orphans { found, since: Clock::now() })
}

/// Looks at the orphans once more when whatever was on its way must have come, and counts those that
/// are left. `started`: when the walk began.
pub fn settle(
    job: &Job,
    judge: &Judge,
    connection: &mut dyn Connection,
    orphans: Orphans,
    started: Instant,
    account: &mut Account,
) -> Result<(), VerifyError> {
    let Orphans { found, since } = orphans;
    if found.is_empty() {
        return Ok(());
    }
    super::suspects::wait(job, job.options.max_lag.saturating_sub(since.elapsed()));
    connection.refresh()?;
    let mut left: Vec<Orphan> = Vec::new();
    let mut of_table: BTreeMap<&'static str, (&'static Table, Vec<Uuid>)> = BTreeMap::new();
    for orphan in found.iter().filter(|orphan| orphan.differences.is_empty()) {
        of_table.entry(orphan.table.name).or_insert((orphan.table, Vec::new())).1.push(orphan.id);
    }
    let stand_ins: HashSet<Uuid> =
        found.iter().filter(|orphan| !orphan.differences.is_empty()).map(|orphan| orphan.id).collect();
    if !stand_ins.is_empty() {
        let still = placeholders(job, connection, None, job.format.tables())?;
        left.extend(still.into_iter().filter(|orphan| stand_ins.contains(&orphan.id)));
    }
    for (table, ids) in of_table.into_values() {
        left.extend(without_owner(job, judge, connection, table, &ids)?);
    }
    if left.iter().any(|orphan| orphan.differences.is_empty()) {
        let lag = i64::try_from(job.options.max_lag.as_micros()).unwrap_or(i64::MAX);
        let since = Instant(started.0.saturating_sub(lag));
        let lacking = left.iter().filter(|orphan| orphan.differences.is_empty());
        let rows = lacking.map(|orphan| (orphan.table.name, orphan.id)).collect();
        let owned = fresh::owned(job, judge, connection, since, &rows)?;
        left.retain(|orphan| !owned.contains(&(orphan.table.name, orphan.id)));
    }
    tell(job, left, account);
    Ok(())
}

/// One document a group, its own row first.
fn tell(job: &Job, orphans: Vec<Orphan>, account: &mut Account) {
    let mut groups: BTreeMap<(&'static str, Uuid), Vec<Orphan>> = BTreeMap::new();
    let mut number = 0;
    for orphan in orphans {
        if orphan.differences.is_empty() {
            let kind = kind_of(job.format, orphan.table).name;
            groups.entry((kind, orphan.group)).or_default().push(orphan);
        } else {
            account.differences(Order(Order::LAST, number), orphan.differences);
            number += 1;
        }
    }
    for ((kind, group), rows) in groups {
        let own = rows.iter().find(|orphan| orphan.id == group);
        let name = own.and_then(|orphan| orphan.key.clone()).unwrap_or_else(|| group.to_string());
        let document = ids::document(kind, &name);
        let differences = rows
            .into_iter()
            .map(|orphan| Difference {
                document,
                row: Some(orphan.id),
                in_database: orphan.shown,
                detail: Some("no document has this row".into()),
                ..blank(job.format, orphan.table, Cause::ExtraRow)
            })
            .collect();
        account.only_in_database(Order(Order::LAST, number), kind, document, name, differences);
        number += 1;
    }
}

fn blank(format: &dyn Format, table: &'static Table, cause: Cause) -> Difference {
    Difference {
        document: Uuid::nil(),
        kind: kind_of(format, table).name,
        secret: false,
        cause,
        moved: Moved::Database,
        file: String::new(),
        pointer: String::new(),
        table: Some(table.name.into()),
        row: None,
        column: None,
        in_file: None,
        in_database: None,
        detail: None,
        waived: None,
    }
}

/// The kind whose documents have rows in this table; the first where there are several.
fn kind_of(format: &dyn Format, table: &'static Table) -> &'static DocumentKind {
    let own = format.kinds().iter().find(|kind| *kind.main == *table);
    // A child table's rows belong to documents of what they stand below.
    let parents = || {
        let referred: Vec<&str> =
            format.tables().iter().flat_map(|it| it.columns).filter_map(|it| it.reference).map(|it| it.kind).collect();
        format.kinds().iter().find(|kind| kind.anchor == Anchor::FirstRow && !referred.contains(&kind.name)).copied()
    };
    own.copied().or_else(parents).expect("every table is some kind's")
}

/// The table in which the rows stand that this child table's rows stand below.
fn parent_table(format: &dyn Format, table: &'static Table) -> &'static Table {
    kind_of(format, table).main
}

/// Those of the rows that no document has: whoever ought to have one is judged, and says which rows
/// were looked at on its behalf.
fn without_owner(
    job: &Job,
    judge: &Judge,
    connection: &mut dyn Connection,
    table: &'static Table,
    ids: &[Uuid],
) -> Result<Vec<Orphan>, TargetError> {
    let mut orphans = Vec::new();
    for chunk in ids.chunks(CHUNK) {
        let mut rows = select_all(connection, table, &Filter::In { column: 0, values: &uuids(chunk) })?;
        // Those are looked at by themselves.
        rows.retain(|row| !job.format.is_placeholder(table, row));
        let anchors: Vec<Uuid> = rows.iter().filter_map(|row| anchor(table, row)).collect();
        let owned = rows_of_owners(job, judge, connection, table, &anchors)?;
        for row in rows {
            let anchor = anchor(table, &row);
            let unreadable = anchor.is_some_and(|anchor| owned.unreadable.contains(&anchor));
            if !unreadable && !owned.rows.contains(&row.id()) {
                let group = anchor.unwrap_or(row.id());
                let mut orphan = Orphan::new(table, &row, group);
                orphan.shown = orphan.shown.filter(|_| orphans.len() < job.options.max_differences);
                orphans.push(orphan);
            }
        }
    }
    // A row that stands elsewhere than its document, or below nothing, is told with its document.
    let named = named_by_residue(connection, &orphans)?;
    orphans.retain(|orphan| !named.contains(&orphan.id));
    Ok(orphans)
}

/// Those of the rows that the residue of some document names.
fn named_by_residue(connection: &mut dyn Connection, orphans: &[Orphan]) -> Result<HashSet<Uuid>, TargetError> {
    let mut named = HashSet::new();
    if orphans.is_empty() {
        return Ok(named);
    }
    let wanted: HashSet<Uuid> = orphans.iter().map(|orphan| orphan.id).collect();
    connection.scan(&RESIDUE, &[r::ROW_IDS], &Filter::All, &mut |values| {
        let ids = unpack_ids(values[0].as_bytes().unwrap_or_default());
        named.extend(ids.filter(|id| wanted.contains(id)));
        ControlFlow::Continue(())
    })?;
    Ok(named)
}

/// What documents have.
#[derive(Default)]
struct Owned {
    rows: HashSet<Uuid>,
    /// Anchors of documents that cannot be read: nobody knows what they have.
    unreadable: HashSet<Uuid>,
}

/// The rows of the documents that stand in these anchors, as far as there are any.
fn rows_of_owners(
    job: &Job,
    judge: &Judge,
    connection: &mut dyn Connection,
    table: &'static Table,
    anchors: &[Uuid],
) -> Result<Owned, TargetError> {
    let (anchor_table, kinds) = owners(job.format, table);
    let mut documents: BTreeMap<Uuid, (Uuid, Document)> = BTreeMap::new();
    let mut keys: HashMap<Uuid, Vec<String>> = HashMap::new();
    for row in select_all(connection, &DOCUMENTS, &Filter::In { column: d::ROW_ID, values: &uuids(anchors) })? {
        let Ok(ledger) = LedgerDocument::from_row(&row) else { continue };
        let Some(anchor) = ledger.row_id else { continue };
        match kinds.iter().find(|kind| kind.name == ledger.kind) {
            Some(kind) => {
                let Some(held) = ledger.held(job.format) else { continue };
                let file =
                    |file: HeldFile| SourceFile { path: file.path, role: file.role, size: 0, modified: file.modified };
                let files = held.files.into_iter().map(file).collect();
                documents.insert(ledger.id, (anchor, Document { kind, key: ledger.key, id: ledger.id, files }));
            }
            None => keys.entry(anchor).or_default().push(ledger.key),
        }
    }
    // A file that was made since the walk passed by.
    for row in select_all(connection, anchor_table, &Filter::In { column: 0, values: &uuids(anchors) })? {
        let known = keys.remove(&row.id()).unwrap_or_default();
        for path in homes(job.format, anchor_table, &kinds, &row, known) {
            for document in judge.found_at(&path).into_iter().filter(|document| kinds.contains(&document.kind)) {
                documents.entry(document.id).or_insert((row.id(), document));
            }
        }
    }
    let mut owned = Owned::default();
    let documents: Vec<(Uuid, Document)> = documents.into_values().collect();
    for chunk in documents.chunks(JUDGED) {
        let now = |(anchor, document): &(Uuid, Document)| (*anchor, judge.files_now(document));
        let (there, gone): (Vec<_>, Vec<_>) = chunk.iter().map(now).partition(|(_, it)| !it.files.is_empty());
        // Of a document without files, all that the ledger names is told.
        let ids: Vec<Uuid> = gone.iter().map(|(_, document)| document.id).collect();
        let stored = stored::of_documents(connection, job.format, &ids, true)?;
        owned.rows.extend(stored.values().flat_map(|stored| stored.row_ids()).map(|(_, id)| id));
        let (anchors, there): (Vec<Uuid>, Vec<Document>) = there.into_iter().unzip();
        for (anchor, checked) in anchors.into_iter().zip(judge.batch(connection, there)?) {
            owned.rows.extend(checked.accounted.iter().map(|(_, id)| id));
            if checked.judged.verdict == Verdict::Unreadable {
                owned.unreadable.insert(anchor);
            }
        }
    }
    Ok(owned)
}

/// Where files might stand of the documents that stand in a row. `keys` are those of documents that
/// have this row as their own.
fn homes(
    format: &dyn Format,
    table: &'static Table,
    kinds: &[&'static DocumentKind],
    row: &Row,
    keys: Vec<String>,
) -> Vec<RelPath> {
    let mut paths = Vec::new();
    for kind in kinds {
        let column = kind.main.columns.iter().position(|column| column.reference.is_some());
        let (Anchor::Referenced, Some(column)) = (kind.anchor, column) else {
            paths.extend(format.homes(table, row));
            continue;
        };
        // Its file is named after what it refers to.
        let natural = table.natural_key.iter().filter_map(|at| row.0[*at].as_text()).map(str::to_owned);
        for key in keys.iter().cloned().chain([row.id().to_string()]).chain(natural) {
            let mut entry = Row(vec![Value::Null; kind.main.columns.len()]);
            entry.0[column] = Value::Reference(key);
            paths.extend(format.homes(kind.main, &entry));
        }
    }
    paths
}

/// The row that stands for the document that has this row.
fn anchor(table: &'static Table, row: &Row) -> Option<Uuid> {
    let refers = || table.columns.iter().position(|column| column.reference.is_some());
    match table.parent {
        Some(column) => row.0[column].as_uuid(),
        None if table.natural_key.first().is_some_and(|at| table.columns[*at].reference.is_some()) => {
            refers().and_then(|column| row.0[column].as_uuid())
        }
        None if table.natural_key.is_empty() => None,
        None => Some(row.id()),
    }
}

/// The table in which anchors stand, and the kinds of documents that have rows of `table`.
fn owners(format: &dyn Format, table: &'static Table) -> (&'static Table, Vec<&'static DocumentKind>) {
    let main = if table.parent.is_some() { parent_table(format, table) } else { table };
    let kinds: Vec<&'static DocumentKind> = format.kinds().iter().copied().filter(|kind| *kind.main == *main).collect();
    let referenced = kinds.iter().find(|kind| kind.anchor == Anchor::Referenced);
    let anchors = match referenced {
        Some(kind) => {
            let reference = kind.main.columns.iter().find_map(|column| column.reference);
            reference.map_or(main, |reference| super::resolve::table_of(format, reference))
        }
        None => main,
    };
    (anchors, kinds)
}

/// Placeholders: each is what its documents made it, and counts as theirs.
fn placeholders(
    job: &Job,
    connection: &mut dyn Connection,
    mut census: Option<&mut Census>,
    tables: &[&'static Table],
) -> Result<Vec<Orphan>, TargetError> {
    let format = job.format;
    let mut wrong = Vec::new();
    for &table in tables {
        let Some((column, mark)) = format.placeholder_mark(table) else { continue };
        let kind = kind_of(format, table).name;
        let marked = select_all(connection, table, &Filter::In { column, values: &[mark] })?;
        for rows in marked.chunks(CHUNK) {
            let ids: Vec<Uuid> = rows.iter().map(Row::id).collect();
            let mut referring: HashMap<Uuid, Vec<LedgerDocument>> = HashMap::new();
            for row in select_all(connection, &DOCUMENTS, &Filter::In { column: d::ROW_ID, values: &uuids(&ids) })? {
                let Ok(document) = LedgerDocument::from_row(&row) else { continue };
                let Some(id) = document.row_id else { continue };
                referring.entry(id).or_default().push(document);
            }
            for row in rows {
                let documents = referring.remove(&row.id()).unwrap_or_default();
                // A document of its own says that it is one; that a document is one its id says.
                let own = ids::document;
                if documents.iter().any(|it| it.kind == kind && it.id == own(kind, &it.key)) {
                    continue;
                }
                if let Some(census) = &mut census {
                    census.note(table.name, row.id());
                }
                if let Some(differences) = not_a_placeholder(format, table, kind, row, &documents) {
                    wrong.push(Orphan { differences, ..Orphan::new(table, row, row.id()) });
                }
            }
        }
    }
    Ok(wrong)
}

/// How a placeholder differs from what those who refer to it made; `None` if it does not.
fn not_a_placeholder(
    format: &dyn Format,
    table: &'static Table,
    kind: &'static str,
    row: &Row,
    documents: &[LedgerDocument],
) -> Option<Vec<Difference>> {
    // What is left of a user whose file is gone keeps its time and natural key.
    let retired = format.retire(kind, row);
    let expected: Vec<(&LedgerDocument, Row)> = documents
        .iter()
        .filter_map(|document| {
            let reference = document.reference.as_deref()?;
            Some((document, format.placeholder(kind, reference, document.base_time)))
        })
        .collect();
    let same = |wanted: &Row| wanted.0.iter().zip(&row.0).skip(1).all(|(wanted, found)| same_value(wanted, found));
    // It was a user if it is not what a reference made: by its id, or by when that was.
    let times = || table.columns.iter().enumerate().filter(|(_, column)| column.kind == Kind::Time);
    let is_of_then = |wanted: &Row| times().all(|(at, _)| wanted.0[at] == row.0[at]);
    let was_a_user = || expected.iter().all(|(_, wanted)| wanted.0[0] != row.0[0] || !is_of_then(wanted));
    if expected.iter().any(|(_, wanted)| same(wanted)) || (same(&retired) && (expected.is_empty() || was_a_user())) {
        return None;
    }
    let (document, wanted) = match expected.into_iter().next() {
        Some((document, wanted)) => (Some(document), wanted),
        None => (None, retired),
    };
    let values = table.columns.iter().zip(wanted.0.iter().zip(&row.0)).skip(1);
    let differences = values
        .filter(|(_, (wanted, found))| !same_value(wanted, found))
        .map(|(column, (wanted, found))| Difference {
            document: document.map_or(Uuid::nil(), |document| document.id),
            file: document.and_then(|document| document.paths().into_iter().next()).unwrap_or_default(),
            row: Some(row.id()),
            column: Some(column.name.into()),
            in_file: value_text(wanted),
            in_database: value_text(found),
            detail: Some("the row stands in for a user without a file".into()),
            ..blank(format, table, Cause::EditedInDatabase)
        })
        .collect();
    Some(differences)
}
