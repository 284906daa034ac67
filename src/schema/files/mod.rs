//! Migration files: `NNNN_lower_case_name.sql`, read from a directory or built into the program.
//!
//! Reading never fails over what a file says: what cannot be a migration is kept as a stray, with
//! the reason, for lint to report and for a run to refuse.

mod name;
mod set;
#[cfg(test)]
mod tests;

pub use name::{check_name, leading_number, FileKind, NameFlaw};
pub use set::{FilesError, MigrationSet, Retired, SnapshotFile, Stray, StrayReason};

use super::checksum;
use super::header::Header;
use super::sql::{self, Dialect, Statement, Token};

/// One migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationFile {
    /// `NNNN_name.sql`.
    pub file: String,
    pub number: u32,
    /// The file's name without number and ending.
    pub name: String,
    pub dialect: Dialect,
    /// As it is in the file, a byte order mark included.
    pub text: String,
    /// All tokens: put together they are the text.
    pub tokens: Vec<Token>,
    pub statements: Vec<Statement>,
    pub header: Header,
}

impl MigrationFile {
    /// `None` if the file's name is not a migration's.
    pub fn parse(file: &str, text: String, dialect: Dialect) -> Option<MigrationFile> {
        let FileKind::Migration { number, name } = FileKind::of(file) else { return None };
        let tokens = sql::lex(&text, dialect);
        let statements = sql::split(&text, &tokens, dialect);
        let header = Header::of(&text, &tokens, &statements);
        Some(MigrationFile { file: file.to_owned(), number, name, dialect, text, tokens, statements, header })
    }

    /// A statement's text, without the semicolon.
    pub fn sql(&self, statement: &Statement) -> &str {
        &self.text[statement.range()]
    }

    /// See [`checksum::raw_checksum`].
    pub fn raw_checksum(&self) -> [u8; 32] {
        checksum::raw_checksum(&self.text)
    }

    /// See [`checksum::token_checksum`].
    pub fn token_checksum(&self) -> [u8; 32] {
        checksum::token_checksum(&self.text, &self.tokens)
    }
}
