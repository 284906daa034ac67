//! Statements: where one ends and the next begins.
//!
//! A semicolon ends a statement, but not in parentheses or in a `BEGIN ATOMIC ... END` (PostgreSQL,
//! as psql cuts it), and not in a trigger's body (SQLite, as its `sqlite3_complete` does).

use std::ops::Range;

use super::token::{Place, Token, TokenKind};
use super::Dialect;

/// One statement: its tokens without whitespace, comments, client commands and the semicolon.
/// There is always one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    pub tokens: Vec<Token>,
    /// Whether a semicolon follows.
    pub terminated: bool,
}

impl Statement {
    /// From its first to its last token: comments inside are part of it, those before and the
    /// semicolon are not.
    pub fn range(&self) -> Range<usize> {
        let (first, last) = (self.tokens.first(), self.tokens.last());
        first.map_or(0, |token| token.start)..last.map_or(0, |token| token.end)
    }

    pub fn place(&self) -> Place {
        self.tokens.first().map_or(Place::START, Token::place)
    }

    pub fn text<'t>(&self, text: &'t str) -> &'t str {
        &text[self.range()]
    }
}

/// Cuts tokens into statements. Empty ones (`;;`) are none.
pub fn split(text: &str, tokens: &[Token], dialect: Dialect) -> Vec<Statement> {
    let mut statements = Vec::new();
    let mut statement = Vec::new();
    let mut nest = Nest::default();
    for token in tokens {
        match token.kind {
            _ if token.is_trivia() => {}
            // psql sends what came before a command only at the semicolon, so it goes on.
            TokenKind::ClientCommand | TokenKind::CopyData => {}
            TokenKind::Semicolon if nest.ends(dialect, text, &statement) => {
                nest = Nest::default();
                if !statement.is_empty() {
                    statements.push(Statement { tokens: std::mem::take(&mut statement), terminated: true });
                }
            }
            _ => {
                statement.push(*token);
                nest.enter(text, &statement);
            }
        }
    }
    if !statement.is_empty() {
        statements.push(Statement { tokens: statement, terminated: false });
    }
    statements
}

/// How deep in parentheses and blocks the last token stands.
#[derive(Default)]
struct Nest {
    parentheses: usize,
    /// `BEGIN ATOMIC` and the `CASE`s within it.
    blocks: usize,
    /// A trigger's `BEGIN` was seen.
    body: bool,
}

impl Nest {
    fn enter(&mut self, text: &str, statement: &[Token]) {
        let Some((token, before)) = statement.split_last() else { return };
        let last = before.last();
        match token.kind {
            TokenKind::Open => self.parentheses += 1,
            TokenKind::Close => self.parentheses = self.parentheses.saturating_sub(1),
            // Behind a dot or an AS every word is a name.
            TokenKind::Word if last.is_some_and(|l| l.kind == TokenKind::Dot || l.is_word(text, "AS")) => {}
            TokenKind::Word => {
                let is = |keyword| token.is_word(text, keyword);
                self.body |= is("BEGIN");
                let begins =
                    is("ATOMIC") && last.is_some_and(|last| last.is_word(text, "BEGIN")) && makes_routine(text, before);
                if begins || self.blocks > 0 && is("CASE") {
                    self.blocks += 1;
                } else if self.blocks > 0 && is("END") {
                    self.blocks -= 1;
                }
            }
            _ => {}
        }
    }

    fn ends(&self, dialect: Dialect, text: &str, statement: &[Token]) -> bool {
        match dialect {
            Dialect::Postgres => self.parentheses == 0 && self.blocks == 0,
            Dialect::Sqlite if self.body && makes_trigger(text, statement) => {
                let mut back = statement.iter().rev();
                let ended = back.next().is_some_and(|token| token.is_word(text, "END"));
                ended && back.next().is_some_and(|token| token.kind == TokenKind::Semicolon)
            }
            Dialect::Sqlite => true,
        }
    }
}

/// `CREATE [OR REPLACE] FUNCTION` or `PROCEDURE`.
fn makes_routine(text: &str, statement: &[Token]) -> bool {
    let mut words = statement.iter().map(|token| token.text(text).to_ascii_uppercase());
    if words.next().as_deref() != Some("CREATE") {
        return false;
    }
    let kind = words.find(|word| word != "OR" && word != "REPLACE");
    matches!(kind.as_deref(), Some("FUNCTION" | "PROCEDURE"))
}

/// `[EXPLAIN [QUERY PLAN]] CREATE [TEMP] TRIGGER`.
fn makes_trigger(text: &str, statement: &[Token]) -> bool {
    let words = statement.iter().take(6).map(|token| token.text(text).to_ascii_uppercase());
    let mut words = words.skip_while(|word| matches!(word.as_str(), "EXPLAIN" | "QUERY" | "PLAN"));
    words.next().as_deref() == Some("CREATE")
        && words.find(|word| word != "TEMP" && word != "TEMPORARY").as_deref() == Some("TRIGGER")
}
