//! Comparing one document: what its files want against what its rows and residue are.
//!
//! Every column of every row is compared with what the files want there; then the row's object as
//! it was written again from columns and residue is compared with the file's. A place that was told
//! for its column is not told twice.

use std::collections::{BTreeMap, HashMap, HashSet};

use uuid::Uuid;

use crate::format::proof::{Cell, Expected};
use crate::format::Format;
use crate::model::digest::{self, ROW_DIGEST};
use crate::model::{Document, Kind, Row, Table, Value};
use crate::node::{self, equal, Node, NodeDifference};

use super::explain;
use super::outcome::{Cause, Difference, Moved, TableCount};
use super::resolve::Resolved;
use super::shown::{cut, node_of, row_text, text_of, value_text};

/// What the comparison can rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The file is the one that was loaded: columns and residue together must say all of it.
    Loaded,
    /// The file has changed since. What the application wrote on both sides has no residue yet, so
    /// a member whose column says all of it need not be in the residue.
    Changed,
    /// The ledger does not know the document: the application wrote both sides.
    Unrecorded,
}

/// A row that the database has for the document.
#[derive(Clone, Copy)]
pub struct Here<'a> {
    pub id: Uuid,
    pub row: &'a Row,
    /// Whether the row is not what was written; `None` if the ledger does not know it.
    pub state: Option<RowState>,
    /// The row's object, written again from columns and residue.
    pub rebuilt: Option<&'a Node>,
}

impl Here<'_> {
    fn is_known(&self) -> bool {
        self.state.is_some()
    }

    fn moved(&self) -> Option<bool> {
        self.state.map(|state| state.has_moved(self.row))
    }
}

/// Whether a row is not what was written when its document was loaded.
#[derive(Clone, Copy, Debug)]
pub enum RowState {
    Moved(bool),
    /// This is its digest from then. To compare it takes reading the row once more, so that it is
    /// done when somebody wants to know.
    Digest([u8; ROW_DIGEST]),
}

impl RowState {
    pub fn has_moved(self, row: &Row) -> bool {
        match self {
            RowState::Moved(moved) => moved,
            RowState::Digest(written) => digest::row(row) != written,
        }
    }
}

/// The comparison of one document.
pub struct Comparison<'a> {
    pub format: &'static dyn Format,
    pub document: &'a Document,
    pub mode: Mode,
    pub resolved: &'a Resolved,
    /// The differences, at most `most` of them.
    pub differences: Vec<Difference>,
    pub total: u64,
    /// Those beyond `most`, counted.
    pub unseen: BTreeMap<Cause, u64>,
    pub most: usize,
    pub tables: BTreeMap<&'static str, TableCount>,
    /// Whether a row is not what was written when the document was loaded.
    pub database_moved: bool,
    /// The document's own row, under which its other rows stand.
    pub parent: Option<Uuid>,
    /// Whether the ledger's rows with the digests are what transload wrote.
    pub sealed: bool,
    columns: HashMap<(&'static str, usize), Exchange>,
    /// Rows and columns that were told.
    told: HashSet<(Uuid, usize)>,
}

/// Whether a column's differing values are the same values in other rows.
#[derive(Default)]
struct Exchange {
    rows: u64,
    wanted: u64,
    found: u64,
}

impl<'a> Comparison<'a> {
    pub fn new(
        format: &'static dyn Format,
        document: &'a Document,
        mode: Mode,
        resolved: &'a Resolved,
        most: usize,
    ) -> Comparison<'a> {
        Comparison {
            format,
            document,
            mode,
            resolved,
            differences: Vec::new(),
            total: 0,
            unseen: BTreeMap::new(),
            most,
            tables: BTreeMap::new(),
            database_moved: false,
            parent: None,
            sealed: false,
            columns: HashMap::new(),
            told: HashSet::new(),
        }
    }

    fn file_moved(&self) -> bool {
        self.mode == Mode::Changed
    }

    /// Which side moved, given whether the row did.
    pub fn moved(&self, row_moved: Option<bool>) -> Moved {
        match (self.mode, self.file_moved(), row_moved) {
            (Mode::Unrecorded, ..) | (.., None) => Moved::Unknown,
            (_, true, Some(true)) => Moved::Both,
            (_, true, Some(false)) => Moved::File,
            (_, false, Some(true)) => Moved::Database,
            (_, false, Some(false)) => Moved::Neither,
        }
    }

    /// Notes a difference; the place's first words are the document's.
    pub fn tell(&mut self, mut difference: Difference) {
        self.total += 1;
        [&mut difference.in_file, &mut difference.in_database].into_iter().flatten().for_each(cut);
        if let Some(table) = &difference.table {
            let known = self.format.tables().iter().find(|known| known.name == table);
            if let Some(table) = known {
                self.tables.entry(table.name).or_default().differences += 1;
            }
        }
        match self.differences.len() < self.most {
            true => self.differences.push(difference),
            false => *self.unseen.entry(difference.cause).or_default() += 1,
        }
    }

    /// A difference of this document, still without a place.
    pub fn blank(&self, cause: Cause, moved: Moved) -> Difference {
        Difference {
            document: self.document.id,
            kind: self.document.kind.name,
            secret: !self.format.shows_keys(self.document),
            cause,
            moved,
            file: self.path(0),
            pointer: String::new(),
            table: None,
            row: None,
            column: None,
            in_file: None,
            in_database: None,
            detail: None,
            waived: None,
        }
    }

    pub fn path(&self, file: usize) -> String {
        self.document.files.get(file).map_or_else(String::new, |file| file.path.to_text())
    }

    /// Something that the ledger says and that cannot be.
    pub fn ledger(&mut self, cause: Cause, table: &str, detail: impl Into<String>) {
        let table = Some(format!("ledger.{table}"));
        let difference = Difference { table, detail: Some(detail.into()), ..self.blank(cause, Moved::Database) };
        self.database_moved = true;
        self.tell(difference);
    }

    /// A row that the files want and the database lacks.
    pub fn missing_row(&mut self, wanted: &Expected, id: Uuid) {
        let difference = Difference {
            file: self.path(wanted.file),
            pointer: wanted.pointer.clone(),
            table: Some(wanted.table.name.into()),
            row: Some(id),
            in_file: Some(text_of(&wanted.source)),
            ..self.blank(Cause::MissingRow, self.moved(Some(self.mode == Mode::Loaded)))
        };
        self.database_moved |= self.mode == Mode::Loaded;
        self.tell(difference);
    }

    /// A row of the document that its files do not have. `known`: the ledger does.
    pub fn extra_row(&mut self, table: &'static Table, row: &Row, known: bool) {
        let moved = if known { self.moved(Some(false)) } else { Moved::Database };
        self.database_moved |= !known;
        let difference = Difference {
            table: Some(table.name.into()),
            row: Some(row.id()),
            in_database: Some(row_text(table, row)),
            ..self.blank(Cause::ExtraRow, moved)
        };
        self.tell(difference);
    }

    /// Whether the row has another natural key than the files want.
    pub fn is_renamed(&self, table: &Table, row: Uuid) -> bool {
        table.natural_key.iter().any(|at| self.told.contains(&(row, *at)))
    }

    /// A row under an id that is neither derived nor adopted, in the place of one that is.
    pub fn foreign_id(&mut self, wanted: &Expected, id: Uuid, found: Uuid) {
        let difference = Difference {
            file: self.path(wanted.file),
            pointer: wanted.pointer.clone(),
            table: Some(wanted.table.name.into()),
            row: Some(found),
            column: Some(wanted.table.columns[0].name.into()),
            in_file: Some(format!("\"{id}\"")),
            in_database: Some(format!("\"{found}\"")),
            ..self.blank(Cause::ForeignId, Moved::Database)
        };
        self.database_moved = true;
        self.tell(difference);
    }

    /// Whether a row is not what was written. Where the file is the one that was loaded and every
    /// column was found as it wants it, the row is what was written, whatever its digest says.
    pub fn row_moved(&self, row: &Row, moved: Option<bool>) -> Option<bool> {
        let is_told = (0..row.0.len()).any(|at| self.told.contains(&(row.id(), at)));
        match self.mode == Mode::Loaded && !is_told {
            true => Some(false),
            false => moved,
        }
    }

    /// Compares one row, column by column and then as a whole.
    pub fn row(&mut self, wanted: &Expected, here: Here) {
        let count = self.tables.entry(wanted.table.name).or_default();
        count.rows += 1;
        count.values += wanted.cells.len() as u64;
        let before = self.total;
        for (at, cell) in wanted.cells.iter().enumerate().skip(1) {
            self.column(wanted, here, at, &cell.value, cell.member);
        }
        let as_loaded = self.mode == Mode::Loaded && self.total == before;
        let moved = match here.state {
            // Every column is what the file that was loaded wants: so it was written, and the seal
            // over the digest says that nobody touched that.
            Some(_) if as_loaded && self.sealed => Some(false),
            _ => here.moved(),
        };
        self.database_moved |= moved != Some(false);
        // Whom a reference means may be another row today than it was then.
        let refers = wanted.cells.iter().any(|cell| is_reference(&cell.value));
        if as_loaded && moved == Some(true) && !refers {
            let difference = Difference {
                file: self.path(wanted.file),
                pointer: wanted.pointer.clone(),
                table: Some("ledger.residue".into()),
                row: Some(here.id),
                column: Some("row_digests".into()),
                detail: Some("the digest written at the load is not this row's".into()),
                ..self.blank(Cause::LedgerForged, Moved::Database)
            };
            self.tell(difference);
        }
        match here.rebuilt {
            // What the columns told is all that there is to be told of a row that was edited.
            _ if self.mode == Mode::Loaded && !as_loaded => {}
            Some(rebuilt) => self.object(wanted, here, rebuilt, self.row_moved(here.row, moved)),
            None if !here.is_known() && self.mode != Mode::Loaded => self.unrecorded(wanted, here),
            None => {}
        }
    }

    fn column(&mut self, wanted: &Expected, here: Here, at: usize, value: &Value, member: Option<&'static str>) {
        let table = wanted.table;
        let column = &table.columns[at];
        let found = &here.row.0[at];
        let mut cause = None;
        let same = match (value, column.reference) {
            _ if table.parent == Some(at) => {
                let same = self.parent.map_or_else(|| found == value, |parent| found.as_uuid() == Some(parent));
                cause = (!same).then_some(Cause::ForeignId);
                same
            }
            (Value::Reference(text), Some(reference)) => {
                let meaning = self.resolved.meaning(reference, text);
                let same = meaning.is_some_and(|meaning| meaning.row == found.as_uuid());
                let dangling = found.as_uuid().is_some_and(|id| !self.resolved.is_there(reference, id));
                cause = match (same, dangling) {
                    (true, _) => None,
                    (false, true) => Some(Cause::Dangling),
                    (false, false) => Some(Cause::ForeignId),
                };
                same
            }
            // The file does not say when, and the application knows better.
            _ if column.kind == Kind::Time && member.is_none() && self.knows_better(here) => true,
            _ => same_value(value, found),
        };
        if same {
            return;
        }
        self.told.insert((here.id, at));
        let shown = match value {
            Value::Reference(text) => Some(text_of(&Node::text(text.as_str()))),
            _ => value_text(value),
        };
        let (file_node, database_node) = (node_of(value), node_of(found));
        if cause.is_none() && column.reference.is_some() {
            cause = Some(Cause::ForeignId);
        }
        let explained = cause.or_else(|| {
            let (is_time, is_json) = (column.kind == Kind::Time, column.kind == Kind::Json);
            explain::cause(file_node.as_ref(), database_node.as_ref(), is_time, is_json)
        });
        let exchange = self.columns.entry((table.name, at)).or_default();
        exchange.rows += 1;
        exchange.wanted = exchange.wanted.wrapping_add(hash_of(value));
        exchange.found = exchange.found.wrapping_add(hash_of(found));
        let moved = self.moved(here.moved());
        let mut pointer = wanted.pointer.clone();
        if let Some(member) = member.filter(|member| *member != Cell::SOURCE) {
            node::push_pointer(&mut pointer, member);
        }
        let difference = Difference {
            file: self.path(wanted.file),
            pointer,
            table: Some(table.name.into()),
            row: Some(here.id),
            column: Some(column.name.into()),
            in_file: shown,
            in_database: value_text(found),
            ..self.blank(explained.unwrap_or_else(|| of_moved(moved)), moved)
        };
        self.tell(difference);
    }

    /// Whether the application wrote the row after it was loaded, and the file has changed as well.
    fn knows_better(&self, here: Here) -> bool {
        self.mode != Mode::Loaded && here.moved() != Some(false)
    }

    /// The row's object as the file has it against the one from columns and residue.
    fn object(&mut self, wanted: &Expected, here: Here, rebuilt: &Node, row_moved: Option<bool>) {
        if equal(&wanted.source, rebuilt) {
            return;
        }
        for place in node::differences(&wanted.source, rebuilt, self.most.max(1)) {
            self.place(wanted, here.id, &wanted.pointer, place, row_moved);
        }
    }

    /// One place where the file's value and the rebuilt one differ, within the row's object.
    pub fn place(&mut self, wanted: &Expected, row: Uuid, base: &str, place: NodeDifference, row_moved: Option<bool>) {
        let member = first_step(&place.pointer);
        let from = |name: &str| wanted.cells.iter().position(|cell| cell.member == Some(name));
        let cell = from(Cell::SOURCE).or_else(|| from(member.as_deref()?));
        // A member that the file does not have may be there because its column was changed.
        let added = member.as_deref().filter(|_| place.left.is_none()).and_then(|name| wanted.table.column(name));
        let is_told = [cell, added].into_iter().flatten().any(|at| self.told.contains(&(row, at)))
            || (added.is_some() && self.told.iter().any(|(of, _)| *of == row));
        // A row's id says nothing of how the legacy one is spelled.
        let says_all = cell.is_some_and(|at| at > 0 && wanted.cells[at].whole);
        if is_told || (self.mode == Mode::Changed && says_all) {
            return;
        }
        let column = cell.map(|at| &wanted.table.columns[at]);
        let is_json = column.is_none_or(|column| column.kind == Kind::Json);
        let is_time = column.is_some_and(|column| column.kind == Kind::Time);
        let moved = self.moved(row_moved);
        let cause = match moved {
            // Neither the file nor the row: so it is what stands between them.
            Moved::Neither => Cause::LedgerForged,
            moved => explain::cause(place.left.as_ref(), place.right.as_ref(), is_time, is_json)
                .unwrap_or_else(|| of_moved(moved)),
        };
        let difference = Difference {
            file: self.path(wanted.file),
            pointer: format!("{base}{}", place.pointer),
            table: Some(wanted.table.name.into()),
            row: Some(row),
            column: column.map(|column| column.name.into()),
            in_file: place.left.as_ref().map(text_of),
            in_database: place.right.as_ref().map(text_of),
            detail: column.is_none().then(|| "no column holds this: it stands in the residue".into()),
            ..self.blank(cause, moved)
        };
        self.tell(difference);
    }

    /// A row that the application wrote, and the file's object for it: what no column says must
    /// not be there. The legacy id is the file's alone.
    fn unrecorded(&mut self, wanted: &Expected, here: Here) {
        // A flat value has no members of its own: its column says all of it.
        if wanted.cells.iter().any(|cell| cell.member == Some(Cell::SOURCE)) {
            return;
        }
        for (name, value) in wanted.source.members() {
            let cell = wanted.cells.iter().find(|cell| cell.member == Some(name));
            let said = name == "id" || cell.is_some_and(|cell| cell.whole || is_reference(&cell.value));
            if said || value.is_null() {
                continue;
            }
            let mut pointer = wanted.pointer.clone();
            node::push_pointer(&mut pointer, name);
            let difference = Difference {
                file: self.path(wanted.file),
                pointer,
                table: Some(wanted.table.name.into()),
                row: Some(here.id),
                in_file: Some(text_of(value)),
                detail: Some("no column says this, and the row was not loaded by transload".into()),
                ..self.blank(Cause::EditedInFile, Moved::Unknown)
            };
            self.tell(difference);
        }
    }

    /// Names what can be seen only once all rows were compared.
    pub fn finish(&mut self) {
        for difference in &mut self.differences {
            let Some(table) = difference.table.as_deref() else { continue };
            let Some(table) = self.format.tables().iter().find(|known| known.name == table) else { continue };
            let at = difference.column.as_deref().and_then(|name| table.column(name));
            let exchange = at.and_then(|at| self.columns.get(&(table.name, at)));
            if exchange.is_some_and(|it| it.rows > 1 && it.wanted == it.found) {
                difference.cause = Cause::Reordered;
            }
        }
    }
}

fn is_reference(value: &Value) -> bool {
    matches!(value, Value::Reference(_))
}

/// The cause where the values themselves show none.
fn of_moved(moved: Moved) -> Cause {
    match moved {
        Moved::File => Cause::EditedInFile,
        Moved::Database => Cause::EditedInDatabase,
        Moved::Both => Cause::EditedInBoth,
        Moved::Neither | Moved::Unknown => Cause::Unknown,
    }
}

/// The first step of a JSON pointer.
fn first_step(pointer: &str) -> Option<String> {
    let step = pointer.strip_prefix('/')?.split('/').next()?;
    Some(step.replace("~1", "/").replace("~0", "~"))
}

/// Whether a column holds what it must: JSON by value, all else exactly.
pub fn same_value(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::Json(a), Value::Json(b)) => {
            a == b
                || match (node::parse(a.as_bytes()), node::parse(b.as_bytes())) {
                    (Ok((a, _)), Ok((b, _))) => equal(&a, &b),
                    _ => false,
                }
        }
        (wanted, found) => wanted == found,
    }
}

fn hash_of(value: &Value) -> u64 {
    // By value, so that jsonb's spelling does not count.
    u64::from_le_bytes(digest::row(&Row(vec![match value {
        Value::Reference(text) => Value::Text(text.clone()),
        value => value.clone(),
    }])))
}
