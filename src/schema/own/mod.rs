//! Getting the tables of transload itself ready: made from the migrations that are built in, or accepted
//! as the application made them.
//!
//! They are recorded in the ledger's table `versions`, because a ledger without it was never one, and
//! because a dry run prepares within its own transaction.

mod look;
mod make;
mod set;

use crate::model::ledger::{self, VERSIONS};
use crate::model::Table;
use crate::target::{bulk, Connection};

use super::catalogue::Comparison;
use super::SchemaError;
use set::Set;

/// The ledger's schema among [`VERSIONS`] and below `schema/`.
pub const LEDGER: &str = "transload";

/// What had to be done, as `schema/file` in order; nothing when the database was ready.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prepared {
    /// Migrations that were run.
    pub applied: Vec<String>,
    /// Migrations whose tables the application had made itself.
    pub adopted: Vec<String>,
}

/// What becomes of tables that an older transload made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Older {
    Refuse,
    Upgrade,
}

/// Makes sure that the ledger and the format's tables are there and what they should be. What has no
/// tables yet gets them; what has older ones is refused. An optional part whose tables are among
/// `tables` is made, too.
///
/// Each of the two is one transaction, versions included, so a crash leaves all of it or nothing.
/// Within an open transaction (a dry run) both are savepoints of it.
///
/// # Errors
/// When a table or column is not what the format needs, when the database was written by a newer
/// transload, when an applied migration was edited since, or when a bulk load was interrupted.
pub fn prepare(
    connection: &mut dyn Connection,
    dialect: &str,
    format: &str,
    tables: &[&Table],
) -> Result<Prepared, SchemaError> {
    prepare_with(connection, dialect, format, tables, &[])
}

/// As [`prepare`], with these optional parts. What cannot be made in a transaction comes behind it, and
/// is left out where one is open.
///
/// # Errors
/// As [`prepare`].
pub fn prepare_with(
    connection: &mut dyn Connection,
    dialect: &str,
    format: &str,
    tables: &[&Table],
    with: &[String],
) -> Result<Prepared, SchemaError> {
    prepare_all(connection, dialect, format, tables, with, Older::Refuse)
}

/// As [`prepare`], and brings older tables up to date.
///
/// # Errors
/// As [`prepare`].
pub fn upgrade(
    connection: &mut dyn Connection,
    dialect: &str,
    format: &str,
    tables: &[&Table],
) -> Result<Prepared, SchemaError> {
    upgrade_with(connection, dialect, format, tables, &[])
}

/// As [`prepare_with`], and brings older tables up to date.
///
/// # Errors
/// As [`prepare`].
pub fn upgrade_with(
    connection: &mut dyn Connection,
    dialect: &str,
    format: &str,
    tables: &[&Table],
    with: &[String],
) -> Result<Prepared, SchemaError> {
    prepare_all(connection, dialect, format, tables, with, Older::Upgrade)
}

fn prepare_all(
    connection: &mut dyn Connection,
    dialect: &str,
    format: &str,
    tables: &[&Table],
    with: &[String],
    older: Older,
) -> Result<Prepared, SchemaError> {
    nothing_is_aside(connection)?;
    let mut prepared = Prepared::default();
    Set::find(LEDGER, dialect, &ledger::TABLES, &[])?.prepare(connection, older, &mut prepared)?;
    Set::find(format, dialect, tables, with)?.prepare(connection, older, &mut prepared)?;
    Ok(prepared)
}

/// What a bulk load has set aside and not put back yet is no drift.
fn nothing_is_aside(connection: &mut dyn Connection) -> Result<(), SchemaError> {
    match bulk::pieces(connection)?.len() {
        0 => Ok(()),
        left => Err(SchemaError::Interrupted { left }),
    }
}

/// How one of transload's own schemas stands in a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub schema: String,
    pub version: Option<i64>,
    /// Migrations that were not applied yet.
    pub pending: Vec<String>,
    /// Optional parts that the database does not have.
    pub left_out: Vec<String>,
    /// The application made the tables, so that they need not be ours to the last index.
    pub adopted: bool,
    pub comparison: Comparison,
}

/// Compares the ledger's and the format's tables with what their versions declare. An optional part is
/// compared where it was made.
///
/// # Errors
/// When the database was written by a newer transload, or an applied migration was edited since.
pub fn standing(connection: &mut dyn Connection, dialect: &str, format: &str) -> Result<Vec<Standing>, SchemaError> {
    nothing_is_aside(connection)?;
    let standing = |name| Set::find(name, dialect, &[], &[])?.standing(connection);
    [LEDGER, format].into_iter().map(standing).collect()
}

/// Whether there is a ledger, for verbs that only read it. Changes nothing. Tables of optional parts
/// that the database does not have are not missed; see [`parts_of`].
///
/// # Errors
/// As [`prepare`], and when a migration is still to be applied.
pub fn check(
    connection: &mut dyn Connection,
    dialect: &str,
    format: &str,
    tables: &[&Table],
) -> Result<bool, SchemaError> {
    if connection.live_columns(&VERSIONS)?.is_none() {
        return Ok(false);
    }
    nothing_is_aside(connection)?;
    Set::find(LEDGER, dialect, &ledger::TABLES, &[])?.check(connection)?;
    Set::find(format, dialect, tables, &[])?.check(connection)?;
    Ok(true)
}

/// The optional parts of a format's schema, in the order of their files.
pub fn parts(format: &str, dialect: &str) -> Vec<String> {
    Set::find(format, dialect, &[], &[]).map_or_else(|_| Vec::new(), |set| set.parts())
}

/// The optional part that a table belongs to.
pub fn part_of(format: &str, dialect: &str, table: &Table) -> Option<String> {
    let set = Set::find(format, dialect, &[], &[]).ok()?;
    let made = set.files.iter().find(|file| file.makes(table))?;
    made.part().map(str::to_owned)
}

/// The optional parts that a database has. Changes nothing.
///
/// # Errors
/// When the database was written by a newer transload, or an applied migration was edited since.
pub fn parts_of(connection: &mut dyn Connection, dialect: &str, format: &str) -> Result<Vec<String>, SchemaError> {
    Set::find(format, dialect, &[], &[])?.parts_of(connection)
}
