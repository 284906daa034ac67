//! Statements about rows.

use super::{has, Cursor, Name, Shape};
use crate::schema::sql::{Token, TokenKind};

/// `INSERT INTO table ...`
pub struct Insert {
    pub table: Name,
    pub source: Source,
}

/// Where the new rows come from.
pub enum Source {
    /// They are written in the file.
    Constants,
    /// They are another table's; `all` of them where there is no WHERE, LIMIT or DISTINCT.
    Tables { from: Vec<Name>, all: bool },
}

pub fn insert(cursor: &mut Cursor<'_>) -> Option<Insert> {
    if cursor.eat("OR") {
        cursor.bump();
    }
    cursor.eat("INTO");
    let table = cursor.name()?;
    let rest = cursor.rest();
    let from = sources(cursor, rest);
    let sieve = ["WHERE", "LIMIT", "DISTINCT", "GROUP", "JOIN", "EXCEPT", "INTERSECT", "OFFSET", "FETCH"];
    let all = from.len() == 1 && !sieve.iter().any(|word| has(cursor.text, rest, &[word]));
    Some(Insert { table, source: if from.is_empty() { Source::Constants } else { Source::Tables { from, all } } })
}

pub fn update(cursor: &mut Cursor<'_>) -> Option<Shape> {
    if cursor.eat("OR") {
        cursor.bump();
    }
    cursor.eat("ONLY");
    cursor.name().map(Shape::Update)
}

pub fn delete(cursor: &mut Cursor<'_>) -> Option<Shape> {
    cursor.eat("FROM");
    cursor.eat("ONLY");
    let table = cursor.name()?;
    Some(Shape::Delete { table, all: !has(cursor.text, cursor.rest(), &["WHERE"]) })
}

pub fn copy(cursor: &mut Cursor<'_>) -> Option<Shape> {
    let table = cursor.name()?;
    cursor.parenthesised();
    cursor.eat("FROM").then_some(Shape::CopyFrom(table))
}

/// `WITH a AS (...), b AS (...) INSERT ...`: the verb is the first one outside of parentheses.
pub fn behind_with(cursor: &mut Cursor<'_>) -> Shape {
    let changes = ["INSERT", "UPDATE", "DELETE", "MERGE"].iter().any(|verb| has(cursor.text, cursor.rest(), &[verb]));
    while !cursor.is_at_end() {
        if cursor.sees_kind(TokenKind::Open) {
            cursor.parenthesised();
            continue;
        }
        let shape = match cursor.eat_any(&["INSERT", "UPDATE", "DELETE", "SELECT", "VALUES", "MERGE"]) {
            Some("INSERT") => insert(cursor).map(Shape::Insert),
            Some("UPDATE") => update(cursor),
            Some("DELETE") => delete(cursor),
            // A part that changes rows may stand in the parentheses.
            Some("SELECT" | "VALUES") if !changes => Some(Shape::Query),
            Some(_) => Some(Shape::Other),
            None => {
                cursor.bump();
                continue;
            }
        };
        return shape.unwrap_or(Shape::Other);
    }
    Shape::Other
}

/// The tables behind FROM and JOIN.
pub fn sources(cursor: &Cursor<'_>, tokens: &[Token]) -> Vec<Name> {
    let mut names = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if token.is_word(cursor.text, "FROM") || token.is_word(cursor.text, "JOIN") {
            let mut behind = Cursor::new(cursor.text, cursor.dialect, &tokens[at + 1..]);
            behind.eat("ONLY");
            let name = behind.name();
            // A function's rows are no table's.
            names.extend(name.filter(|_| !behind.sees_kind(TokenKind::Open)));
        }
    }
    names
}
