//! Rows that no document has, and placeholders that are not what a placeholder is.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;
use std::time::Duration;

use uuid::Uuid;

use crate::format::Format;
use crate::ledger::{uuids, LedgerDocument};
use crate::model::ledger::{documents as d, DOCUMENTS};
use crate::model::{ids, Anchor, DocumentKind, Row, Table};
use crate::target::{select_all, Connection, Filter, TargetError};

use super::account::{Account, Order};
use super::census::Census;
use super::compare::{row_text, same_value, value_text};
use super::outcome::{Cause, Difference, Moved};
use super::run::Job;
use super::stored;

/// Rows that are looked at together.
const CHUNK: usize = 1_000;

/// Something that the tables hold and no document accounts for.
#[derive(Clone, Debug, PartialEq)]
pub struct Orphan {
    table: &'static Table,
    /// `None`: the table has more rows than documents have, and each of them has an owner.
    row: Option<Row>,
    /// The documents that it would stand for, by the row that they would stand in.
    group: Option<Uuid>,
    differences: Vec<Difference>,
}

/// Finds what stands in the tables beside what documents have.
pub fn find(
    job: &Job,
    connection: &mut dyn Connection,
    census: &mut Census,
    tables: &[&'static Table],
) -> Result<Vec<Orphan>, TargetError> {
    let mut orphans = placeholders(job, connection, Some(census), tables)?;
    for &table in tables {
        let candidates = census.candidates(connection, table)?;
        let found = without_owner(job, connection, table, &candidates)?;
        if !candidates.is_empty() && found.is_empty() && census.surplus(connection, table)? != 0 {
            let surplus = census.surplus(connection, table)?;
            let detail = match surplus > 0 {
                true => format!("the table has {surplus} rows that no document has, and cannot be told apart"),
                false => format!("documents share {} rows: the ledger names them twice", -surplus),
            };
            let difference = Difference { detail: Some(detail), ..blank(job.format, table, Cause::LedgerForged) };
            orphans.push(Orphan { table, row: None, group: None, differences: vec![difference] });
        }
        orphans.extend(found);
    }
    Ok(orphans)
}

/// Looks at the orphans again until they stand still, and counts those that are left.
pub fn settle(
    job: &Job,
    connection: &mut dyn Connection,
    orphans: Vec<Orphan>,
    account: &mut Account,
) -> Result<(), TargetError> {
    if orphans.is_empty() {
        return Ok(());
    }
    let tables: Vec<&'static Table> = job.format.tables().to_vec();
    let pause = job.options.max_lag.min(Duration::from_secs(1));
    super::suspects::wait(job, pause);
    connection.refresh()?;
    let mut left: Vec<Orphan> = Vec::new();
    let mut of_table: BTreeMap<usize, Vec<Uuid>> = BTreeMap::new();
    for orphan in orphans {
        let at = tables.iter().position(|table| *table == orphan.table).unwrap_or_default();
        match &orphan.row {
            Some(row) if orphan.differences.is_empty() => of_table.entry(at).or_default().push(row.id()),
            Some(_) => {}
            None => left.push(orphan),
        }
    }
    left.extend(placeholders(job, connection, None, &tables)?);
    for (at, ids) in of_table {
        left.extend(without_owner(job, connection, tables[at], &ids)?);
    }
    tell(job, left, account);
    Ok(())
}

/// One document a group, its own row first.
fn tell(job: &Job, orphans: Vec<Orphan>, account: &mut Account) {
    let mut groups: BTreeMap<(&'static str, Uuid), Vec<(&'static Table, Row)>> = BTreeMap::new();
    let mut number = 0;
    for orphan in orphans {
        match (orphan.row, orphan.group) {
            (Some(row), Some(group)) if orphan.differences.is_empty() => {
                let kind = kind_of(job.format, orphan.table).name;
                groups.entry((kind, group)).or_default().push((orphan.table, row));
            }
            // Something of the table is told already: a row that stands below another document, say.
            (None, _) if account.tables.get(orphan.table.name).is_some_and(|count| count.differences > 0) => {}
            _ => {
                account.differences(Order(Order::LAST, number), orphan.differences);
                number += 1;
            }
        }
    }
    for ((kind, group), rows) in groups {
        let own = rows.iter().find(|(_, row)| row.id() == group);
        let key = own.and_then(|(table, row)| table.natural_key.first().and_then(|at| row.0[*at].as_text()));
        let document = ids::document(kind, key.unwrap_or(&group.to_string()));
        let name = key.map_or_else(|| group.to_string(), str::to_owned);
        let differences = rows
            .iter()
            .map(|(table, row)| Difference {
                document,
                row: Some(row.id()),
                in_database: Some(row_text(table, row)),
                detail: Some("no document has this row".into()),
                ..blank(job.format, table, Cause::ExtraRow)
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

/// Those of the rows that no document has.
fn without_owner(
    job: &Job,
    connection: &mut dyn Connection,
    table: &'static Table,
    ids: &[Uuid],
) -> Result<Vec<Orphan>, TargetError> {
    let mut orphans = Vec::new();
    let logs = log_rows(job, connection, table, ids)?;
    for chunk in ids.chunks(CHUNK) {
        let rows = select_all(connection, table, &Filter::In { column: 0, values: &uuids(chunk) })?;
        let anchors: Vec<Option<Uuid>> = rows.iter().map(|row| anchor(table, row)).collect();
        let all: Vec<Uuid> = anchors.iter().copied().flatten().collect();
        let mut owned: HashSet<Uuid> = HashSet::new();
        let (main, kinds) = owners(job.format, table);
        for row in select_all(connection, &DOCUMENTS, &Filter::In { column: d::ROW_ID, values: &uuids(&all) })? {
            let Ok(document) = LedgerDocument::from_row(&row) else { continue };
            if kinds.contains(&document.kind.as_str()) {
                owned.extend(document.row_id);
            }
        }
        let open: Vec<Uuid> = all.iter().copied().filter(|id| !owned.contains(id)).collect();
        for row in select_all(connection, main, &Filter::In { column: 0, values: &uuids(&open) })? {
            if has_home(job, main, &row) {
                owned.insert(row.id());
            }
        }
        for (row, anchor) in rows.into_iter().zip(anchors) {
            let is_owned = match anchor {
                Some(anchor) => owned.contains(&anchor),
                None => logs.contains(&row.id()),
            };
            if !is_owned {
                let group = anchor.or(Some(row.id()));
                orphans.push(Orphan { table, row: Some(row), group, differences: Vec::new() });
            }
        }
    }
    Ok(orphans)
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
fn owners(format: &dyn Format, table: &'static Table) -> (&'static Table, Vec<&'static str>) {
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
    (anchors, kinds.iter().map(|kind| kind.name).collect())
}

/// Whether a file is there of which the row would be: it was made since the walk passed by.
fn has_home(job: &Job, table: &Table, row: &Row) -> bool {
    let homes = job.format.homes(table, row);
    homes.iter().any(|path| job.source.join(path.as_path()).symlink_metadata().is_ok())
}

/// Of tables whose documents stand in no row: all rows that documents name.
fn log_rows(
    job: &Job,
    connection: &mut dyn Connection,
    table: &'static Table,
    ids: &[Uuid],
) -> Result<HashSet<Uuid>, TargetError> {
    let mut named = HashSet::new();
    let without_anchor = job.format.kinds().iter().any(|kind| *kind.main == *table && kind.anchor == Anchor::None);
    if !without_anchor || ids.is_empty() {
        return Ok(named);
    }
    let mut documents = Vec::new();
    connection.scan(&DOCUMENTS, &[d::ID, d::KIND], &mut |values| {
        let kind = job.format.kinds().iter().find(|kind| Some(kind.name) == values[1].as_text());
        if kind.is_some_and(|kind| *kind.main == *table) {
            documents.extend(values[0].as_uuid());
        }
        ControlFlow::Continue(())
    })?;
    let wanted: HashSet<Uuid> = ids.iter().copied().collect();
    for document in documents {
        let stored = stored::of_documents(connection, job.format, &[document], true)?;
        let ids = stored.values().flat_map(|stored| stored.row_ids()).map(|(_, id)| id);
        named.extend(ids.filter(|id| wanted.contains(id)));
    }
    Ok(named)
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
                if documents.iter().any(|document| document.kind == kind) {
                    continue; // A document of its own says that it is one.
                }
                if let Some(census) = &mut census {
                    census.note(table.name, row.id());
                }
                if let Some(differences) = not_a_placeholder(format, table, kind, row, &documents) {
                    wrong.push(Orphan { table, row: Some(row.clone()), group: None, differences });
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
    let was_a_user = || expected.iter().all(|(_, wanted)| wanted.0[0] != row.0[0] || wanted.0[1] != row.0[1]);
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
