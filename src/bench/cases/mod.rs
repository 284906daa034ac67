//! What is measured, by database: each case with its name, its tree and how it is run once.

mod postgres;
mod sqlite;

pub use self::postgres::{cases as on_postgres, Prepared as OnPostgres};
pub use self::sqlite::{cases as on_sqlite, Prepared as OnSqlite};

use super::error::BenchError;
use super::floors::reading::{read, Work};
use super::report::{Kind, Measured};
use super::trees::Tree;

/// The cases on PostgreSQL, in the order in which they are run.
pub const ON_POSTGRES: [&str; 16] = [
    "read",
    "parse",
    "copy_bare",
    "copy_indexed",
    "floor2",
    "floor2_ledger",
    "copy_filled",
    "copy_filled_ledger",
    "copy_out",
    "scan",
    "migrate",
    "damaged",
    "filled",
    "unchanged",
    "changed",
    "verify",
];

/// The cases on SQLite, in the order in which they are run.
pub const ON_SQLITE: [&str; 12] = [
    "read",
    "parse",
    "insert_select",
    "import",
    "insert_filled",
    "scan",
    "migrate",
    "damaged",
    "filled",
    "unchanged",
    "changed",
    "verify",
];

/// Those of them that take SQLite's own shell.
pub const OF_SHELL: [&str; 3] = ["insert_select", "import", "insert_filled"];

/// Which cases are to be measured.
#[derive(Clone, Debug, Default)]
pub struct Wanted(Vec<String>);

impl Wanted {
    /// These, or all if there are none.
    pub fn new(names: Vec<String>) -> Wanted {
        Wanted(names)
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|wanted| wanted == name)
    }

    /// Whether the tree with damage is needed.
    pub fn damaged(&self) -> bool {
        self.has("damaged")
    }

    /// Whether new documents for a filled database are needed.
    pub fn filled(&self) -> bool {
        ["filled", "copy_filled", "copy_filled_ledger", "insert_filled"].into_iter().any(|name| self.has(name))
    }
}

/// A case that can be run.
pub struct Way<'a> {
    pub name: &'static str,
    pub what: &'static str,
    pub kind: Kind,
    pub tree: &'a Tree,
    pub run: Box<dyn Fn() -> Result<Measured, BenchError> + 'a>,
}

/// The wanted cases of one tree, in the order in which they are run.
struct Ways<'a> {
    wanted: &'a Wanted,
    ways: Vec<Way<'a>>,
}

impl<'a> Ways<'a> {
    fn new(wanted: &'a Wanted) -> Ways<'a> {
        Ways { wanted, ways: Vec::new() }
    }

    fn floor(
        &mut self,
        name: &'static str,
        what: &'static str,
        tree: &'a Tree,
        run: impl Fn() -> Result<Measured, BenchError> + 'a,
    ) {
        self.push(Way { name, what, kind: Kind::Floor, tree, run: Box::new(run) });
    }

    fn own(
        &mut self,
        name: &'static str,
        what: &'static str,
        tree: &'a Tree,
        run: impl Fn() -> Result<Measured, BenchError> + 'a,
    ) {
        self.push(Way { name, what, kind: Kind::Transload, tree, run: Box::new(run) });
    }

    fn push(&mut self, way: Way<'a>) {
        if self.wanted.has(way.name) {
            self.ways.push(way);
        }
    }

    /// What is the same whatever the database: the least that reading can take.
    fn reading(&mut self, tree: &'a Tree) {
        self.floor("read", "every file read and hashed", tree, || reading(tree, Work::Hash));
        self.floor("parse", "every file read and parsed", tree, || reading(tree, Work::Parse));
    }
}

fn reading(tree: &Tree, work: Work) -> Result<Measured, BenchError> {
    let (seconds, bytes) = read(&tree.path, work)?;
    Ok(Measured { seconds, bytes: Some(bytes), ..Measured::default() })
}
