//! Loading in bulk: what is built upon empty tables is set aside, and put back over all rows at once.
//!
//! What it takes to put each thing back is a row of the ledger's table `set_aside`, written in the
//! transaction that drops it and deleted in the one that builds it again. So whatever ends a run,
//! these rows say what is still missing. When to do so, and who waits for whom, is decided above.

use std::time::Duration;

use uuid::Uuid;

use crate::model::ledger::{set_aside as s, SET_ASIDE};
use crate::model::{Row, Table};

use super::{select_all, Connection, Filter, TargetError, TargetErrorKind};

/// A connection that sets things aside and puts them back.
pub trait BulkSession: Connection {
    /// Drops what is built upon the tables, notes how to make it again, and keeps others from
    /// writing to them, all in one transaction; or does nothing and says why not.
    ///
    /// # Errors
    /// What is wrong with the connection rather than with the tables.
    fn set_aside(&mut self, wanted: &SetAside) -> Result<Outcome, TargetError>;

    /// Takes one step and forgets it, in one transaction. `side_by_side`: how many connections do so
    /// at the same time.
    ///
    /// # Errors
    /// [`TargetErrorKind::Data`] if rows stand in the way; [`Self::in_the_way`] finds them.
    fn put_back(&mut self, piece: &Piece, side_by_side: usize) -> Result<(), TargetError>;

    /// How much space each of these tables takes, in bytes.
    fn sizes(&mut self, tables: &[&str]) -> Result<Vec<u64>, TargetError>;

    /// The keys of the rows that stand in the way of a step, a list for each clash. Rows that
    /// refer to nothing make lists of one.
    fn in_the_way(&mut self, piece: &Piece) -> Result<Vec<Vec<Uuid>>, TargetError>;

    /// Lets others write again and forgets the rest, after a last look: everything is what it was.
    ///
    /// # Errors
    /// If anything is not.
    fn finish(&mut self, rest: &[Piece]) -> Result<(), TargetError>;
}

/// What is to be set aside.
#[derive(Clone, Copy, Debug)]
pub struct SetAside<'a> {
    /// The run that alone may write to the tables meanwhile.
    pub run: Uuid,
    /// Parents before children. All must be empty.
    pub tables: &'a [(&'a Table, Extent)],
    /// How long to wait for others to leave a table alone.
    pub lock_timeout: Duration,
}

/// How much of what is built upon a table is set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Rows are looked up by its keys during the load, or their clashes have to be found at once:
    /// what is unique stays.
    Plain,
    All,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// Nothing was touched, for this reason.
    Refused(String),
}

/// One step of putting back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub position: i64,
    pub run: Uuid,
    pub step: Step,
    /// As the database's own statements name it.
    pub table: String,
    pub name: String,
    pub definition: String,
    pub search: Option<String>,
}

/// The steps, in the order in which they are taken. Those of one kind can be taken side by side, if
/// [`Step::is_parallel`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// An index is built.
    Index,
    /// A primary key or unique constraint takes its index over.
    Key,
    /// A foreign key is noted, for the rows to come.
    Reference,
    /// The rows that are there are looked at, too.
    Check,
    /// The planner learns what the rows are like.
    Statistics,
    /// Others may come back: whoever writes, and autovacuum.
    Guard,
    /// The catalogue is compared.
    Catalogue,
}

impl Step {
    const ALL: [(Step, &'static str); 7] = [
        (Step::Index, "index"),
        (Step::Key, "key"),
        (Step::Reference, "reference"),
        (Step::Check, "check"),
        (Step::Statistics, "statistics"),
        (Step::Guard, "guard"),
        (Step::Catalogue, "catalogue"),
    ];

    /// As the ledger spells it.
    pub fn name(self) -> &'static str {
        Step::ALL.iter().find(|(step, _)| *step == self).expect("every step has a name").1
    }

    pub fn from_name(name: &str) -> Option<Step> {
        Step::ALL.iter().find(|(_, known)| *known == name).map(|(step, _)| *step)
    }

    /// Whether it takes long and stands in nobody's way. The others take a moment, and a lock that
    /// others would wait for.
    pub fn is_parallel(self) -> bool {
        matches!(self, Step::Index | Step::Check | Step::Statistics)
    }
}

impl Piece {
    fn from_row(row: &Row) -> Option<Piece> {
        let text = |at: usize| row.0[at].as_text().map(str::to_owned);
        Some(Piece {
            position: row.0[s::POSITION].as_int()?,
            run: row.0[s::RUN_ID].as_uuid()?,
            step: Step::from_name(row.0[s::STEP].as_text()?)?,
            table: text(s::TABLE_NAME)?,
            name: text(s::NAME)?,
            definition: text(s::DEFINITION)?,
            search: text(s::SEARCH),
        })
    }
}

/// What is still set aside, in the order in which it was noted; nothing if there is no ledger.
///
/// # Errors
/// If the ledger's rows say something that transload did not write.
pub fn pieces(connection: &mut dyn Connection) -> Result<Vec<Piece>, TargetError> {
    if connection.live_columns(&SET_ASIDE)?.is_none() {
        return Ok(Vec::new());
    }
    let foreign = || {
        let context = "the ledger's table `set_aside` holds a row that transload did not write";
        TargetError::new(TargetErrorKind::Other, context)
    };
    let rows = select_all(connection, &SET_ASIDE, &Filter::All)?;
    rows.iter().map(|row| Piece::from_row(row).ok_or_else(foreign)).collect()
}
