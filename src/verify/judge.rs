//! Judging one document whose files and rows are held: pairing rows, comparing them, and saying
//! what became of it.

use std::collections::{BTreeMap, HashMap, HashSet};

use uuid::Uuid;

use crate::format::proof::{Expected, Held, HeldPart, HeldRow, Piece, RebuildError, Unexpected};
use crate::format::Format;
use crate::model::digest;
use crate::model::ledger::{DOCUMENTS, REJECTS, RESIDUE};
use crate::model::{ids, Anchor, Document, Reference, Row, Table, Value};
use crate::node::{self, Node, ReadError};
use crate::source::{FileContent, Reading};

use super::compare::{text_of, Comparison, Here, Mode};
use super::ids::{IdMap, IdSet};
use super::outcome::{Cause, Difference, Moved, TableCount, Verdict};
use super::resolve::Resolved;
use super::stored::{Rows, Stored};

/// Both sides of one document.
pub struct Sides<'a> {
    pub format: &'static dyn Format,
    pub document: &'a Document,
    pub reading: &'a Reading,
    pub stored: &'a Stored,
    /// What the ledger holds under the id of a file whose key another file has.
    pub twin: Option<&'a Stored>,
    /// Whether another file has the key, and the rows that go with it.
    pub claimed: bool,
    pub wanted: &'a Result<Vec<Expected>, Unexpected>,
    pub rows: &'a Rows,
    pub resolved: &'a Resolved,
    /// How many differences are kept.
    pub most: usize,
}

impl Sides<'_> {
    /// The rows that are looked at on behalf of the document.
    pub fn accounted(&self) -> Vec<(&'static str, Uuid)> {
        let known = known_rows(self);
        let none = Vec::new();
        let added = added_rows(self, self.wanted.as_ref().unwrap_or(&none), &known);
        rows_there(&known, &added)
    }
}

fn rows_there(known: &[Known], added: &[Added]) -> Vec<(&'static str, Uuid)> {
    let there = known.iter().filter(|known| known.row.is_some()).map(|known| (known.table.name, known.id));
    there.chain(added.iter().map(|added| (added.table.name, added.row.id()))).collect()
}

/// What a comparison came to.
#[derive(Debug)]
pub struct Judged {
    pub verdict: Verdict,
    pub differences: Vec<Difference>,
    /// Differences beyond those that are kept, counted.
    pub unseen: BTreeMap<Cause, u64>,
    pub total: u64,
    pub tables: BTreeMap<&'static str, TableCount>,
    /// What is to be said of a document that is not simply different.
    pub text: String,
    /// For a reject that somebody accepted.
    pub accepted: bool,
    /// Agreed, but the residue is not about this version of the file.
    pub by_columns: bool,
    /// Whether the database's side may not be what was loaded.
    pub database_moved: bool,
}

impl Judged {
    pub fn listed(verdict: Verdict, text: impl Into<String>) -> Judged {
        Judged {
            verdict,
            differences: Vec::new(),
            unseen: BTreeMap::new(),
            total: 0,
            tables: BTreeMap::new(),
            text: text.into(),
            accepted: false,
            by_columns: false,
            database_moved: true,
        }
    }
}

/// Compares a document; also gives the rows that were looked at on its behalf.
pub fn judge(sides: &Sides) -> (Judged, Vec<(&'static str, Uuid)>) {
    if let Some(rejected) = rejected_as_is(sides.stored, sides.twin, sides.reading) {
        let accounted = match sides.stored.is_known() {
            true => sides.accounted(),
            // Its rows, if there are any, are those of who claimed the same.
            false => Vec::new(),
        };
        return (rejected, accounted);
    }
    if sides.claimed {
        let comparison = Comparison::new(sides.format, sides.document, Mode::Unrecorded, sides.resolved, sides.most);
        return (claimed_document(comparison, sides.stored), Vec::new());
    }
    let known = sides.stored.document.as_ref();
    let found = wanted_rows_found(sides);
    let mode = match known {
        Some(ledger) if ledger.digest == sides.reading.digest => Mode::Loaded,
        Some(_) => Mode::Changed,
        None if sides.stored.is_known() => Mode::Changed,
        None => Mode::Unrecorded,
    };
    let mut comparison = Comparison::new(sides.format, sides.document, mode, sides.resolved, sides.most);
    for (table, detail) in &sides.stored.forged {
        comparison.ledger(Cause::LedgerForged, table, detail.clone());
    }
    both(&mut comparison, sides.stored, sides.reading);
    if known.is_none() {
        if !sides.stored.is_known() && !found.any {
            let judged = missing_document(sides.stored, sides.wanted.as_ref().err(), comparison);
            return (judged, sides.accounted());
        }
        if sides.stored.is_known() || found.derived {
            let detail = "the document's rows are there, and the ledger does not know it";
            comparison.ledger(Cause::LedgerMissing, DOCUMENTS.name, detail);
        }
    }
    let accounted = match sides.wanted {
        Ok(wanted) => compare(sides, &mut comparison, wanted),
        Err(problem) => {
            unreadable(&mut comparison, problem);
            sides.accounted()
        }
    };
    comparison.finish();
    (conclude(comparison), accounted)
}

/// Sums a comparison up.
pub fn conclude(comparison: Comparison) -> Judged {
    let verdict = match (comparison.total, comparison.mode) {
        (0, _) => Verdict::Agreed,
        (_, Mode::Changed) if !comparison.database_moved => Verdict::Stale,
        _ => Verdict::Different,
    };
    let text = match verdict {
        Verdict::Stale => "the database holds the version that was loaded, and the file has changed since".into(),
        _ => String::new(),
    };
    Judged {
        verdict,
        by_columns: verdict == Verdict::Agreed && comparison.mode != Mode::Loaded,
        differences: comparison.differences,
        unseen: comparison.unseen,
        total: comparison.total,
        tables: comparison.tables,
        text,
        accepted: false,
        database_moved: comparison.database_moved,
    }
}

/// A document that was refused as it is now. What was loaded as it is now was not: then the reject is
/// none, and [`both`] says so.
pub fn rejected_as_is(stored: &Stored, twin: Option<&Stored>, reading: &Reading) -> Option<Judged> {
    let same = |stored: &&Stored| stored.reject.as_ref().is_some_and(|reject| reject.digest == reading.digest);
    let loaded = stored.document.as_ref().is_some_and(|document| document.digest == reading.digest);
    let found = [twin, Some(stored)].into_iter().flatten().find(same).filter(|_| !loaded)?;
    let reject = found.reject.as_ref()?;
    if found.forged.iter().any(|(table, _)| *table == REJECTS.name) {
        return None;
    }
    let mut judged = Judged::listed(Verdict::Rejected, format!("{}: {}", reject.reason, reject.detail));
    judged.accepted = reject.accepted.is_some();
    Some(judged)
}

/// Tells a reject of what is loaded.
pub fn both(comparison: &mut Comparison, stored: &Stored, reading: &Reading) {
    let (Some(document), Some(reject)) = (&stored.document, &stored.reject) else { return };
    if document.digest == reading.digest && reject.digest == reading.digest {
        comparison.ledger(Cause::LedgerForged, REJECTS.name, "the document is loaded, and rejected as it is");
    }
}

/// A document of which the database has nothing.
pub fn missing_document(stored: &Stored, problem: Option<&Unexpected>, mut comparison: Comparison) -> Judged {
    let cause = problem.map_or(Cause::MissingDocument, cause_of);
    let text = match (stored.reject.is_some(), problem) {
        (true, _) => "another version of it was rejected, and this one was never loaded".to_owned(),
        (false, Some(problem)) => format!("it was never loaded: {problem}"),
        (false, None) => "the database has nothing of it".to_owned(),
    };
    let difference = Difference { detail: Some(text.clone()), ..comparison.blank(cause, Moved::Unknown) };
    comparison.tell(difference);
    Judged { verdict: Verdict::Missing, text, ..conclude(comparison) }
}

/// A document whose key another file has.
pub fn claimed_document(mut comparison: Comparison, stored: &Stored) -> Judged {
    for (table, detail) in &stored.forged {
        comparison.ledger(Cause::LedgerForged, table, detail.clone());
    }
    let text = "it was never loaded: another file has the same key".to_owned();
    let blank = comparison.blank(Cause::MissingDocument, Moved::Unknown);
    comparison.tell(Difference { detail: Some(text.clone()), ..blank });
    Judged { verdict: Verdict::Missing, text, ..conclude(comparison) }
}

fn cause_of(problem: &Unexpected) -> Cause {
    match problem {
        Unexpected::NotJson { error: ReadError::Truncated, .. } => Cause::Truncated,
        _ => Cause::Unreadable,
    }
}

/// A file that says no rows.
pub fn unreadable(comparison: &mut Comparison, problem: &Unexpected) {
    let (file, pointer) = match problem {
        Unexpected::Read { file, .. } | Unexpected::NotJson { file, .. } => (*file, String::new()),
        Unexpected::Shape { file, pointer, .. } => (*file, pointer.clone()),
    };
    let difference = Difference {
        file: comparison.path(file),
        pointer,
        detail: Some(problem.to_string()),
        ..comparison.blank(cause_of(problem), comparison.moved(Some(false)))
    };
    comparison.tell(difference);
}

struct FoundRows {
    any: bool,
    /// Under an id that only transload gives.
    derived: bool,
}

/// Whether the tables have anything of what the files want.
fn wanted_rows_found(sides: &Sides) -> FoundRows {
    let Ok(wanted) = sides.wanted else { return FoundRows { any: false, derived: false } };
    let mut found = FoundRows { any: false, derived: false };
    for row in wanted {
        if sides.rows.get(row.table, row.id).is_some() {
            found.any = true;
            found.derived |= !is_legacy_id(sides.document, row.id);
        }
    }
    found.any |= wanted.iter().any(|row| !by_natural_key(sides, row).is_empty());
    found
}

/// Whether a row's id is the legacy one, which the application may have given to its row, too.
pub fn is_legacy_id(document: &Document, id: Uuid) -> bool {
    ids::as_uuid(&document.key) == Some(id)
}

/// The rows that have the natural key of the one that is wanted.
fn by_natural_key<'a>(sides: &Sides<'a>, wanted: &Expected) -> Vec<&'a Row> {
    let table = wanted.table;
    let mut parts = table.natural_key.iter().map(|at| &wanted.cells[*at].value);
    match (table.natural_key, parts.next()) {
        ([column], Some(value @ Value::Text(_))) => sides.rows.by_value(table, *column, value),
        ([column, rest @ ..], Some(Value::Reference(text))) => {
            let meaning = table.columns[*column].reference.and_then(|it| sides.resolved.meaning(it, text));
            let Some(owner) = meaning.and_then(|meaning| meaning.row) else { return Vec::new() };
            let rows = sides.rows.by_value(table, *column, &Value::Uuid(owner));
            rows.into_iter().filter(|row| rest.iter().all(|at| row.0[*at] == wanted.cells[*at].value)).collect()
        }
        _ => Vec::new(),
    }
}

/// A row that the ledger says belongs to the document.
struct Known<'a> {
    table: &'static Table,
    id: Uuid,
    row: Option<&'a Row>,
    /// Whether it is there and not what was written.
    moved: bool,
    rebuilt: Option<Node>,
    paired: bool,
}

/// A row of the document that the ledger does not know.
struct Added<'a> {
    table: &'static Table,
    row: &'a Row,
    paired: bool,
}

fn compare(sides: &Sides, comparison: &mut Comparison, wanted: &[Expected]) -> Vec<(&'static str, Uuid)> {
    let mut known = known_rows(sides);
    let whole = rebuild(sides, comparison, &mut known);
    let mut added = added_rows(sides, wanted, &known);
    comparison.parent = own_row(sides, wanted, &known, &added);
    if sides.stored.document.is_some() && sides.stored.parts.is_empty() {
        comparison.ledger(Cause::LedgerMissing, RESIDUE.name, "the document has no part");
    }
    let refers = wanted.first().and_then(|wanted| refers(sides.resolved, wanted));
    ledger_row(comparison, sides.document, sides.reading, sides.stored, refers);
    let pairs = pair(sides, wanted, &mut known, &mut added, comparison.mode);
    let mut rows: Vec<Option<Uuid>> = vec![None; wanted.len()];
    let mut foreign: Vec<(Uuid, Uuid)> = Vec::new();
    let mut unnamed = 0;
    for (at, (wanted, partner)) in wanted.iter().zip(&pairs).enumerate() {
        match partner {
            Partner::Known(partner) => {
                let known = &known[*partner];
                rows[at] = Some(known.id);
                match known.row {
                    Some(row) => comparison.row(
                        wanted,
                        Here { id: known.id, row, moved: Some(known.moved), rebuilt: known.rebuilt.as_ref() },
                    ),
                    None => comparison.missing_row(wanted, known.id),
                }
            }
            Partner::Added(partner, instead) => {
                let added = &added[*partner];
                rows[at] = Some(added.row.id());
                if comparison.mode == Mode::Loaded && added.row.id() != wanted.id {
                    comparison.foreign_id(wanted, instead.unwrap_or(wanted.id), added.row.id());
                    foreign.push((instead.unwrap_or(wanted.id), added.row.id()));
                } else {
                    unnamed += u64::from(comparison.mode == Mode::Loaded);
                    comparison.row(wanted, Here { id: added.row.id(), row: added.row, moved: None, rebuilt: None });
                }
            }
            Partner::None => comparison.missing_row(wanted, wanted.id),
        }
    }
    for known in known.iter().filter(|known| !known.paired) {
        match known.row {
            Some(row) => comparison.extra_row(known.table, row, true),
            None if comparison.mode == Mode::Loaded && !foreign.iter().any(|(id, _)| *id == known.id) => {
                let detail = format!("it names the row {} of {}, which nothing wants", known.id, known.table.name);
                comparison.ledger(Cause::LedgerForged, RESIDUE.name, detail);
            }
            None => {}
        }
    }
    for added in added.iter().filter(|added| !added.paired) {
        comparison.extra_row(added.table, added.row, false);
    }
    if unnamed > 0 {
        let detail = format!("it does not name {unnamed} rows of the document");
        comparison.ledger(Cause::LedgerMissing, RESIDUE.name, detail);
    }
    compare_whole(sides, comparison, wanted, &rows, &whole);
    rows_there(&known, &added)
}

fn known_rows<'a>(sides: &Sides<'a>) -> Vec<Known<'a>> {
    let parts = &sides.stored.parts;
    let mut known = Vec::with_capacity(parts.iter().map(|part| part.ids.len()).sum());
    for part in parts {
        known.extend(part.ids.iter().zip(&part.digests).map(|(id, written)| {
            let row = sides.rows.get(part.table, *id);
            let moved = row.is_some_and(|row| digest::row(row) != *written);
            Known { table: part.table, id: *id, row, moved, rebuilt: None, paired: false }
        }));
    }
    known
}

/// Writes the document again; the rows' objects go to the rows, whole files are returned.
///
/// The residue is about the rows as they were written. Where it does not fit to them, those that
/// somebody edited since are taken as they are: that they were is told by their columns, and is no
/// fault of the residue.
fn rebuild(sides: &Sides, comparison: &mut Comparison, known: &mut [Known]) -> HashMap<usize, Node> {
    let Some(document) = sides.stored.document.as_ref().filter(|_| !sides.stored.parts.is_empty()) else {
        return HashMap::new();
    };
    let Some(held) = document.held(sides.format) else {
        comparison.ledger(Cause::LedgerForged, DOCUMENTS.name, "its files are not what transload writes");
        return HashMap::new();
    };
    let mut again = write_again(sides, &held, known, false);
    if again.bad.is_some() && known.iter().any(|known| known.moved) {
        again = write_again(sides, &held, known, true);
    }
    if let Some(bad) = again.bad {
        comparison.ledger(Cause::LedgerForged, RESIDUE.name, bad);
    }
    for (at, value) in again.rows {
        known[at].rebuilt = Some(value);
    }
    again.whole
}

/// A document that was written again, as far as that was possible.
#[derive(Default)]
struct Again {
    /// By position among the known rows.
    rows: Vec<(usize, Node)>,
    whole: HashMap<usize, Node>,
    bad: Option<String>,
}

/// `loose`: rows that were edited are taken as they are.
fn write_again(sides: &Sides, held: &Held, known: &[Known], loose: bool) -> Again {
    let by_id: IdMap<usize> = known.iter().enumerate().map(|(at, known)| (known.id, at)).collect();
    let mut again = Again::default();
    let mut parts = sides.stored.parts.iter();
    let mut at = 0;
    let result = sides.format.rebuild(
        held,
        &mut || {
            let Some(part) = parts.next() else { return Ok(None) };
            // The known rows are those of the parts, in their order.
            let of_part = &known[at..at + part.ids.len()];
            at += part.ids.len();
            let row = |known: &Known| HeldRow { id: known.id, row: known.row.cloned(), edited: loose && known.moved };
            let rows = of_part.iter().map(row).collect();
            Ok(Some(HeldPart { table: part.table, rows, residue: part.data.clone(), added: false }))
        },
        &mut |piece| {
            match piece {
                Piece::Item { row, value, .. } | Piece::Line { row, value, .. } => {
                    again.rows.extend(by_id.get(&row).map(|at| (*at, value)));
                }
                Piece::Whole { file, value } => {
                    again.whole.extend(file_of(sides, held, file).map(|file| (file, value)));
                }
                Piece::Lines { .. } | Piece::Mark { .. } | Piece::New { .. } => {}
            }
            Ok(())
        },
    );
    if let Err(RebuildError::Bad(bad)) = result {
        again.bad = Some(bad.to_string());
    }
    again
}

/// Where a file of the ledger's document stands in the one that was read; told when it is gone.
fn file_of(sides: &Sides, held: &Held, file: usize) -> Option<usize> {
    let role = held.files.get(file)?.role;
    sides.document.files.iter().position(|file| file.role == role)
}

/// The document's own row: what stands below it refers to this one.
fn own_row(sides: &Sides, wanted: &[Expected], known: &[Known], added: &[Added]) -> Option<Uuid> {
    if sides.document.kind.anchor != Anchor::FirstRow {
        return None;
    }
    let first = known.first().filter(|known| known.row.is_some()).map(|known| known.id);
    let main = sides.document.kind.main;
    let derived = wanted.first().map(|wanted| wanted.id).filter(|id| sides.rows.get(main, *id).is_some());
    first.or(derived).or_else(|| added.iter().find(|added| added.table == main).map(|added| added.row.id()))
}

/// Rows of the document that its residue does not name.
fn added_rows<'a>(sides: &Sides<'a>, wanted: &[Expected], known: &[Known]) -> Vec<Added<'a>> {
    // A row that is not where the ledger has it may be in another table.
    let mut seen: IdSet = known.iter().filter(|known| known.row.is_some()).map(|known| known.id).collect();
    let mut added = Vec::new();
    let mut add = |table: &'static Table, row: &'a Row| {
        if !sides.rows.is_anothers(sides.document.id, row.id()) && seen.insert(row.id()) {
            added.push(Added { table, row, paired: false });
        }
    };
    for wanted in wanted {
        let under_id = sides.rows.get(wanted.table, wanted.id);
        under_id.into_iter().for_each(|row| add(wanted.table, row));
        if under_id.is_none() {
            by_natural_key(sides, wanted).into_iter().for_each(|row| add(wanted.table, row));
        }
    }
    for parent in own_rows(sides, wanted) {
        for table in sides.format.tables().iter().filter(|table| table.parent.is_some()) {
            for id in sides.rows.below(table, parent) {
                sides.rows.get(table, *id).into_iter().for_each(|row| add(table, row));
            }
        }
    }
    if sides.document.kind.anchor == Anchor::Referenced {
        for (table, column, owner) in owners(sides, wanted) {
            sides.rows.by_value(table, column, &Value::Uuid(owner)).into_iter().for_each(|row| add(table, row));
        }
    }
    added
}

/// Every row that may be the document's own: what stands below any of them is the document's.
pub fn own_rows(sides: &Sides, wanted: &[Expected]) -> Vec<Uuid> {
    if sides.document.kind.anchor != Anchor::FirstRow {
        return Vec::new();
    }
    let main = sides.document.kind.main;
    let mut ids: Vec<Uuid> = Vec::new();
    ids.extend(sides.stored.parts.first().and_then(|part| part.ids.first()));
    if let Some(first) = wanted.first() {
        ids.push(first.id);
        ids.extend(by_natural_key(sides, first).iter().map(|row| row.id()));
    }
    ids.retain(|id| sides.rows.get(main, *id).is_some());
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// The rows that a memory file's rows refer to, with table and column.
fn owners(sides: &Sides, wanted: &[Expected]) -> Vec<(&'static Table, usize, Uuid)> {
    let table = sides.document.kind.main;
    let column = table.columns.iter().position(|column| column.reference.is_some());
    let Some(column) = column else { return Vec::new() };
    let reference = table.columns[column].reference.expect("it has one");
    let texts: HashSet<&str> = wanted
        .iter()
        .filter_map(|row| match &row.cells[column].value {
            Value::Reference(text) => Some(text.as_str()),
            _ => None,
        })
        .collect();
    let mut ids: Vec<Uuid> =
        texts.iter().filter_map(|text| sides.resolved.meaning(reference, text)).filter_map(|it| it.row).collect();
    ids.extend(sides.stored.document.as_ref().and_then(|document| document.row_id));
    ids.sort_unstable();
    ids.dedup();
    ids.into_iter().map(|id| (table, column, id)).collect()
}

/// The legacy reference in a document, with what it means in the database.
#[derive(Clone, Copy)]
pub struct Refers<'a> {
    reference: Reference,
    text: &'a str,
    row: Option<Uuid>,
}

/// The reference in a document's first row.
pub fn refers<'a>(resolved: &Resolved, first: &'a Expected) -> Option<Refers<'a>> {
    first.table.columns.iter().zip(&first.cells).find_map(|(column, cell)| match (column.reference, &cell.value) {
        (Some(reference), Value::Reference(text)) => {
            let row = resolved.meaning(reference, text).and_then(|meaning| meaning.row);
            Some(Refers { reference, text, row })
        }
        _ => None,
    })
}

/// What the ledger says of the document itself.
pub fn ledger_row(
    comparison: &mut Comparison,
    document: &Document,
    reading: &Reading,
    stored: &Stored,
    refers: Option<Refers>,
) {
    let Some(ledger) = &stored.document else { return };
    let mut wrong = Vec::new();
    if ledger.kind != document.kind.name || ledger.key != document.key {
        wrong.push("kind or key is another document's".to_owned());
    }
    // What the ledger's row must name; `None` where the row is gone, which is told by row.
    let anchor = match (document.kind.anchor, refers) {
        (Anchor::FirstRow, _) => comparison.parent.map(Some),
        (Anchor::Referenced, Some(refers)) => refers.row.map(Some),
        (Anchor::Referenced, None) | (Anchor::None, _) => Some(None),
    };
    let names_another = anchor.is_some_and(|anchor| ledger.row_id != anchor);
    let format = comparison.format;
    let reference = refers.map(|refers| format.reference_key(refers.reference.kind, refers.text));
    if comparison.mode == Mode::Loaded {
        let paths: Vec<String> = document.files.iter().map(|file| file.path.to_text()).collect();
        let mut held = ledger.paths();
        held.sort();
        let mut sorted = paths;
        sorted.sort();
        if held != sorted {
            let detail = format!("the ledger knows it as {}", held.join(", "));
            let difference = Difference { detail: Some(detail), ..comparison.blank(Cause::EditedInFile, Moved::File) };
            comparison.tell(difference);
        }
        if ledger.bytes != reading.bytes() {
            wrong.push("its size is not the files'".into());
        }
        if ledger.reference != reference {
            wrong.push("it knows another reference than the document's".into());
        }
        if names_another {
            wrong.push("it names another row as the document's own".into());
        }
    } else {
        for path in ledger.paths() {
            if !document.files.iter().any(|file| file.path.to_text() == path) {
                let difference = Difference {
                    file: path,
                    detail: Some("a file of the document is gone".into()),
                    ..comparison.blank(Cause::EditedInFile, Moved::File)
                };
                comparison.tell(difference);
            }
        }
        if document.kind.anchor == Anchor::FirstRow && names_another {
            wrong.push("it names another row as the document's own".into());
        }
    }
    for detail in wrong {
        comparison.ledger(Cause::LedgerForged, DOCUMENTS.name, detail);
    }
}

enum Partner {
    Known(usize),
    /// A row that the ledger does not know, in place of one under this id that it names.
    Added(usize, Option<Uuid>),
    None,
}

/// Finds for each row that the files want the one that the database has for it: by id, then by
/// what identifies a row in the application's eyes, then by its place.
fn pair(sides: &Sides, wanted: &[Expected], known: &mut [Known], added: &mut [Added], mode: Mode) -> Vec<Partner> {
    let by_id: IdMap<usize> = known.iter().enumerate().map(|(at, known)| (known.id, at)).collect();
    let added_by_id: IdMap<usize> = added.iter().enumerate().map(|(at, added)| (added.row.id(), at)).collect();
    let mut pairs: Vec<Partner> = Vec::with_capacity(wanted.len());
    let mut open = Vec::new();
    for (at, wanted) in wanted.iter().enumerate() {
        pairs.push(match by_id.get(&wanted.id) {
            Some(&found) if !known[found].paired && known[found].table == wanted.table => {
                known[found].paired = true;
                Partner::Known(found)
            }
            _ => {
                open.push(at);
                Partner::None
            }
        });
    }
    // Rows that the ledger names under other ids were adopted: they say the same, or stand in the
    // same place, or did before they were deleted.
    let mut free: Vec<usize> = (0..known.len()).filter(|at| !known[*at].paired).collect();
    let says_the_same = |known: &Known, wanted: &Expected| known.row.is_some_and(|row| same_key(sides, wanted, row));
    let stands_there = |_: &Known, _: &Expected| true;
    for same in [&says_the_same as &dyn Fn(&Known, &Expected) -> bool, &stands_there] {
        open.retain(|&at| {
            let partner = free.iter().position(|&free| {
                let known = &known[free];
                known.table == wanted[at].table && same(known, &wanted[at])
            });
            if let Some(partner) = partner {
                let partner = free.remove(partner);
                known[partner].paired = true;
                pairs[at] = Partner::Known(partner);
            }
            partner.is_none()
        });
        if mode != Mode::Loaded {
            // In a file that has changed, a row in the same place may be any other.
            break;
        }
    }
    open.retain(|&at| {
        let Some(&partner) = added_by_id.get(&wanted[at].id) else { return true };
        added[partner].paired = true;
        pairs[at] = Partner::Added(partner, None);
        false
    });
    open.retain(|&at| {
        let partner = added.iter().position(|added| {
            !added.paired && added.table == wanted[at].table && same_key(sides, &wanted[at], added.row)
        });
        if let Some(partner) = partner {
            added[partner].paired = true;
            pairs[at] = Partner::Added(partner, None);
        }
        partner.is_none()
    });
    // The ledger names a row that is gone, and a row that says the same stands in its place.
    for at in 0..wanted.len() {
        let Partner::Known(found) = pairs[at] else { continue };
        if known[found].row.is_some() {
            continue;
        }
        let twin = added.iter().position(|added| {
            !added.paired && added.table == wanted[at].table && same_key(sides, &wanted[at], added.row)
        });
        if let Some(twin) = twin {
            added[twin].paired = true;
            pairs[at] = Partner::Added(twin, Some(known[found].id));
        }
    }
    pairs
}

/// Whether a row is the wanted one in the application's eyes.
fn same_key(sides: &Sides, wanted: &Expected, row: &Row) -> bool {
    let table = wanted.table;
    let columns = if table.twin_key.is_empty() { table.natural_key } else { table.twin_key };
    !columns.is_empty()
        && columns.iter().all(|at| match (&wanted.cells[*at].value, table.columns[*at].reference) {
            (Value::Reference(text), Some(reference)) => {
                let meaning = sides.resolved.meaning(reference, text);
                meaning.is_some_and(|meaning| meaning.row.is_some() && meaning.row == row.0[*at].as_uuid())
            }
            (Value::Null, _) => false,
            (value, _) => *value == row.0[*at],
        })
}

/// Files that were written again as a whole against what the files say.
fn compare_whole(
    sides: &Sides,
    comparison: &mut Comparison,
    wanted: &[Expected],
    rows: &[Option<Uuid>],
    whole: &HashMap<usize, Node>,
) {
    let mut files: Vec<(&usize, &Node)> = whole.iter().collect();
    files.sort_by_key(|(file, _)| **file);
    for (&file, rebuilt) in files {
        let FileContent::Whole(bytes) = &sides.reading.files[file].content else { continue };
        let of_file: Vec<usize> = (0..wanted.len()).filter(|at| wanted[*at].file == file).collect();
        let parsed;
        let said = match of_file.as_slice() {
            [only] if wanted[*only].pointer.is_empty() => &wanted[*only].source,
            _ => match node::parse(bytes) {
                Ok((node, _)) => {
                    parsed = node;
                    &parsed
                }
                Err(_) => continue,
            },
        };
        if node::equal(said, rebuilt) {
            continue;
        }
        let renamed =
            of_file.iter().any(|at| rows[*at].is_some_and(|row| comparison.is_renamed(wanted[*at].table, row)));
        for place in node::differences(said, rebuilt, sides.most.max(1)) {
            if renamed && (place.left.is_none() || place.right.is_none()) {
                continue; // A row stands under another key, which was told.
            }
            let under = |at: &&usize| {
                let pointer = &wanted[**at].pointer;
                place
                    .pointer
                    .strip_prefix(pointer.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            let longest = of_file.iter().filter(under).max_by_key(|at| wanted[**at].pointer.len());
            match longest {
                Some(&at) => {
                    let Some(row) = rows[at] else { continue };
                    let Some(here) = sides.rows.get(wanted[at].table, row) else { continue };
                    let written = sides.stored.written(wanted[at].table, row);
                    let row_moved = comparison.row_moved(here, written.map(|written| digest::row(here) != written));
                    if comparison.mode == Mode::Loaded && row_moved != Some(false) {
                        continue; // Its columns were told.
                    }
                    if place.pointer.len() == wanted[at].pointer.len() {
                        // The whole object is on one side only: told as a row, or recorded nowhere.
                        if written.is_none() {
                            continue;
                        }
                    }
                    let base = wanted[at].pointer.clone();
                    let rest = place.pointer[base.len()..].to_owned();
                    let place = crate::node::NodeDifference { pointer: rest, ..place };
                    comparison.place(&wanted[at], row, &base, place, row_moved);
                }
                None => {
                    // A place above the rows: types without entries, the order of a list.
                    let holds_rows = of_file.iter().any(|at| {
                        let pointer = &wanted[*at].pointer;
                        pointer.strip_prefix(&place.pointer).is_some_and(|rest| rest.starts_with('/'))
                    });
                    if holds_rows && place.right.is_none() || comparison.mode == Mode::Unrecorded {
                        continue; // Its rows were told.
                    }
                    let moved = comparison.moved(Some(false));
                    let difference = Difference {
                        file: comparison.path(file),
                        pointer: place.pointer.clone(),
                        in_file: place.left.as_ref().map(text_of),
                        in_database: place.right.as_ref().map(text_of),
                        detail: Some("no row holds this: it stands in the residue".into()),
                        ..comparison.blank(
                            match moved {
                                Moved::File => Cause::EditedInFile,
                                _ => Cause::LedgerForged,
                            },
                            moved,
                        )
                    };
                    comparison.tell(difference);
                }
            }
        }
    }
}
