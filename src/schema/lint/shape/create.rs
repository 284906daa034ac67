//! `CREATE ...`

use super::{has, kind, Cursor, Name};
use crate::schema::sql::{Dialect, Token, TokenKind};

/// What is made.
#[derive(Default)]
pub struct Create {
    /// In capitals, e.g. `MATERIALIZED VIEW`.
    pub kind: String,
    /// PostgreSQL names an index itself if need be.
    pub name: Option<Name>,
    pub if_not_exists: bool,
    pub or_replace: bool,
    pub temporary: bool,
    pub concurrently: bool,
    /// The table that an index, trigger, policy or rule belongs to.
    pub on: Option<Name>,
    /// Of a table.
    pub columns: Vec<Column>,
    /// What follows its name, or the kind where it has none.
    pub definition: Vec<Token>,
}

/// A column's definition.
pub struct Column {
    pub name: Name,
    /// In small letters, one blank between words: `character varying(20)`; empty where there is none.
    pub type_name: String,
    /// The constraints that follow the type.
    pub rest: Vec<Token>,
}

impl Column {
    pub fn has(&self, text: &str, keywords: &[&str]) -> bool {
        has(text, &self.rest, keywords)
    }
}

pub fn create(cursor: &mut Cursor<'_>) -> Option<Create> {
    let mut create = Create { or_replace: cursor.eat_all(&["OR", "REPLACE"]), ..Create::default() };
    loop {
        match cursor.eat_any(&["TEMP", "TEMPORARY", "GLOBAL", "LOCAL", "UNLOGGED", "UNIQUE", "RECURSIVE"]) {
            Some("TEMP" | "TEMPORARY") => create.temporary = true,
            Some(_) => {}
            None => break,
        }
    }
    // Words that say no more than which kind of the kind it is.
    cursor.eat_any(&["VIRTUAL", "CONSTRAINT", "TRUSTED", "PROCEDURAL", "DEFAULT"]);
    create.kind = kind(cursor);
    create.concurrently = cursor.eat("CONCURRENTLY");
    create.if_not_exists = cursor.eat_all(&["IF", "NOT", "EXISTS"]);
    if !(create.kind == "INDEX" && cursor.sees("ON")) {
        create.name = cursor.name();
    }
    create.definition = cursor.rest().to_vec();
    match create.kind.as_str() {
        "INDEX" => create.on = on(cursor),
        "TRIGGER" | "POLICY" | "RULE" => {
            // `AFTER UPDATE OF a OR DELETE ON b`, `AS ON INSERT TO b`
            while !cursor.is_at_end() && create.on.is_none() {
                match cursor.bump().filter(|token| token.kind == TokenKind::Word).map(|token| token.text(cursor.text)) {
                    Some(word) if word.eq_ignore_ascii_case("ON") && create.kind != "RULE" => create.on = cursor.name(),
                    Some(word) if word.eq_ignore_ascii_case("TO") && create.kind == "RULE" => create.on = cursor.name(),
                    _ => {}
                }
            }
        }
        "TABLE" | "FOREIGN TABLE" => create.columns = columns(cursor),
        _ => {}
    }
    Some(create)
}

fn on(cursor: &mut Cursor<'_>) -> Option<Name> {
    cursor.eat("ON").then(|| cursor.eat("ONLY"))?;
    cursor.name()
}

fn columns(cursor: &mut Cursor<'_>) -> Vec<Column> {
    let Some(inside) = cursor.parenthesised() else { return Vec::new() };
    let mut inside = cursor.within(inside);
    let mut columns = Vec::new();
    while !inside.is_at_end() {
        let mut item = cursor.within(inside.item());
        if !begins_constraint(&item) {
            columns.extend(column(&mut item));
        }
    }
    columns
}

/// Whether a table's constraint, or `LIKE other`, stands here. Names in quotes are columns.
pub fn begins_constraint(cursor: &Cursor<'_>) -> bool {
    let mut ahead = cursor.clone();
    let word = ahead.eat_any(&["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "EXCLUDE", "LIKE"]);
    match word {
        None => false,
        Some("PRIMARY" | "FOREIGN") => ahead.sees("KEY"),
        // In SQLite these are names, too.
        Some("EXCLUDE" | "LIKE") => cursor.dialect == Dialect::Postgres,
        Some(_) => true,
    }
}

/// `name type constraints`
pub fn column(cursor: &mut Cursor<'_>) -> Option<Column> {
    const ENDS: [&str; 15] = [
        "CONSTRAINT",
        "NOT",
        "NULL",
        "DEFAULT",
        "PRIMARY",
        "UNIQUE",
        "REFERENCES",
        "CHECK",
        "GENERATED",
        "COLLATE",
        "AS",
        "STORAGE",
        "COMPRESSION",
        "USING",
        "OPTIONS",
    ];
    let name = cursor.identifier()?;
    let type_name = type_name(cursor, &ENDS);
    Some(Column { name, type_name, rest: cursor.rest().to_vec() })
}

/// A type up to one of these words.
pub fn type_name(cursor: &mut Cursor<'_>, ends: &[&str]) -> String {
    let mut said = String::new();
    while let Some(token) = cursor.peek() {
        if ends.iter().any(|end| token.is_word(cursor.text, end)) {
            break;
        }
        let word = token.text(cursor.text).to_lowercase();
        let glued = matches!(
            token.kind,
            TokenKind::Open | TokenKind::Close | TokenKind::Comma | TokenKind::Dot | TokenKind::Operator
        );
        if !said.is_empty() && !glued && !said.ends_with(['(', ',', '.', '[']) {
            said.push(' ');
        }
        said += &word;
        cursor.bump();
    }
    said
}
