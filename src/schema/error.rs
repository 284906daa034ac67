//! Why a database's schema cannot be used, and what to try.

use crate::target::TargetError;

#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    #[error("there are no migrations of the schema `{schema}` for {dialect}")]
    NoMigrations { schema: String, dialect: String },
    #[error("the table `{there}` is there, but `{missing}` is not")]
    Partial { there: String, missing: String },
    #[error("the table `{table}` is gone, although its migration was applied")]
    TableMissing { table: String },
    #[error("the table `{table}` has no column `{column}`: expected {expected}")]
    ColumnMissing { table: String, column: String, expected: String },
    #[error("the column `{column}` of table `{table}` has the type {found}: expected {expected}")]
    ColumnType { table: String, column: String, expected: String, found: String },
    #[error("the schema `{schema}` is at version {number}, which this transload does not know")]
    Ahead { schema: String, number: i64 },
    #[error("the migration `{schema}/{file}` was not applied yet")]
    Behind { schema: String, file: String },
    #[error("the migration `{schema}/{file}` was applied in another wording than it has now")]
    Edited { schema: String, file: String },
    #[error("the migration `{schema}/{file}` was left out, although later ones were applied")]
    Gap { schema: String, file: String },
    #[error("the schema `{schema}` is not what its version {number} declares: {}", few(differences))]
    Drifted { schema: String, number: i64, differences: Vec<String> },
    #[error("the migration `{schema}/{file}` failed")]
    Migration { schema: String, file: String, source: Box<TargetError> },
    #[error(
        "a bulk load was interrupted, or is still going on: {left} steps of putting keys and indexes back are left"
    )]
    Interrupted { left: usize },
    #[error("cannot look at the schema")]
    Target(#[from] TargetError),
}

/// The first of many.
fn few(differences: &[String]) -> String {
    match differences {
        [first, rest @ ..] if !rest.is_empty() => format!("{first}; and {} more", rest.len()),
        _ => differences.join(""),
    }
}

impl SchemaError {
    /// What to try.
    pub fn hint(&self) -> Option<&str> {
        Some(match self {
            SchemaError::NoMigrations { .. } => "this database is not supported for this format",
            SchemaError::Partial { .. } => {
                "let the application finish making its tables, or give a database (or schema) without them"
            }
            SchemaError::TableMissing { .. } => "restore the table from a backup, or start over in a new database",
            SchemaError::ColumnMissing { .. } | SchemaError::ColumnType { .. } => {
                "change the column, or give a database (or schema) in which transload may make the tables itself"
            }
            SchemaError::Ahead { .. } => "use the transload that wrote this database, or a newer one",
            SchemaError::Behind { .. } => "make a backup; then `transload schema apply`, without a directory, applies it",
            SchemaError::Drifted { .. } => {
                "undo what was changed by hand; `transload schema validate`, without a directory, lists every difference"
            }
            SchemaError::Edited { .. } => {
                "migrations are never edited once they were applied: use the transload that wrote this database"
            }
            SchemaError::Gap { .. } => "look at the ledger's table `versions`: somebody changed it",
            SchemaError::Interrupted { .. } => {
                "if no `transload migrate` is at work, run the same `transload migrate` again: it puts them back"
            }
            SchemaError::Migration { source, .. } => return source.hint.as_deref(),
            SchemaError::Target(source) => return source.hint.as_deref(),
        })
    }
}
