//! SQL as its tokens and statements, exactly as PostgreSQL and SQLite cut it.
//!
//! Nothing here knows what a statement means. Every text has tokens, whatever it is: put together
//! they are the text again, and what is broken is a token that says so.

mod lex;
mod scan;
mod split;
#[cfg(test)]
mod tests;
mod token;

pub use lex::{lex, lex_within};
pub use split::{split, Statement};
pub use token::{place_of, Place, TextForm, Token, TokenKind};

use std::fmt;

/// Whose SQL it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    Postgres,
    Sqlite,
}

impl Dialect {
    pub const ALL: [Dialect; 2] = [Dialect::Postgres, Dialect::Sqlite];

    /// As the folders below `schema/` and the targets are named.
    pub fn name(self) -> &'static str {
        match self {
            Dialect::Postgres => "postgres",
            Dialect::Sqlite => "sqlite",
        }
    }

    pub fn by_name(name: &str) -> Option<Dialect> {
        Dialect::ALL.into_iter().find(|dialect| dialect.name() == name)
    }

    /// As people write it.
    pub fn title(self) -> &'static str {
        match self {
            Dialect::Postgres => "PostgreSQL",
            Dialect::Sqlite => "SQLite",
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
