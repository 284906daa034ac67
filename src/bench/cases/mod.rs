//! What is measured, by database: each case with its name, its tree and how it is run once.

mod postgres;
mod sqlite;

pub use self::postgres::{cases as on_postgres, Prepared as OnPostgres};
pub use self::sqlite::{cases as on_sqlite, Prepared as OnSqlite};

use super::error::BenchError;
use super::floors::reading::{read, Work};
use super::report::{Kind, Measured};
use super::trees::Tree;

/// A case that can be run.
pub struct Way<'a> {
    pub name: &'static str,
    pub what: &'static str,
    pub kind: Kind,
    pub tree: &'a Tree,
    pub run: Box<dyn Fn() -> Result<Measured, BenchError> + 'a>,
}

/// Cases of one tree, in the order in which they are run.
struct Ways<'a>(Vec<Way<'a>>);

impl<'a> Ways<'a> {
    fn floor(
        &mut self,
        name: &'static str,
        what: &'static str,
        tree: &'a Tree,
        run: impl Fn() -> Result<Measured, BenchError> + 'a,
    ) {
        self.0.push(Way { name, what, kind: Kind::Floor, tree, run: Box::new(run) });
    }

    fn own(
        &mut self,
        name: &'static str,
        what: &'static str,
        tree: &'a Tree,
        run: impl Fn() -> Result<Measured, BenchError> + 'a,
    ) {
        self.0.push(Way { name, what, kind: Kind::Transload, tree, run: Box::new(run) });
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
