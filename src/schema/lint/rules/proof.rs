//! Post-conditions.

use std::collections::BTreeSet;

use crate::schema::lint::finding::Findings;
use crate::schema::lint::rule::{ENSURE_NO_QUERY, NO_POST_CONDITION};
use crate::schema::lint::shape::{is_query, Name, Shape};
use crate::schema::lint::View;
use crate::schema::sql::{lex, Dialect, Place, Token, TokenKind};

pub fn check(view: &View<'_>, found: &mut Findings<'_>) {
    for ensure in &view.file.header.ensures {
        if !is_query(&ensure.sql, view.file.dialect) {
            let place = Place { line: ensure.line, column: ensure.column };
            found.at(&ENSURE_NO_QUERY, place, "this post-condition is not one query");
        }
    }
    let raises = |shape: &Shape| matches!(shape, Shape::Do(block) if block.raises);
    let checked = view.has_snapshot()
        || !view.file.header.ensures.is_empty()
        || view.statements.iter().any(|statement| raises(&statement.shape));
    if !checked && !view.statements.is_empty() {
        found.whole(&NO_POST_CONDITION, "nothing checks what it has done");
    }
}

/// Words by which a query asks for a column's type.
const POSTGRES: [&str; 9] = [
    "data_type",
    "udt_name",
    "character_maximum_length",
    "numeric_precision",
    "atttypid",
    "atttypmod",
    "format_type",
    "pg_typeof",
    "domain_name",
];

/// Whether a post-condition names this table (and column), and asks for a type.
pub fn checks_type(view: &View<'_>, table: &Name, column: Option<&Name>) -> bool {
    let dialect = view.file.dialect;
    let asks = |words: &BTreeSet<String>| {
        let typed = match dialect {
            Dialect::Postgres => POSTGRES.iter().any(|word| words.contains(*word)),
            Dialect::Sqlite => {
                let listed = ["pragma_table_info", "pragma_table_xinfo"].iter().any(|word| words.contains(*word));
                let text = ["sqlite_master", "sqlite_schema"].iter().any(|word| words.contains(*word));
                listed && words.contains("type") || text && words.contains("sql") || words.contains("typeof")
            }
        };
        typed && words.contains(&table.name) && column.is_none_or(|column| words.contains(&column.name))
    };
    let ensured = view.file.header.ensures.iter().any(|ensure| {
        let tokens = lex(&ensure.sql, dialect);
        asks(&words(&ensure.sql, dialect, &tokens))
    });
    ensured
        || view.statements.iter().any(|statement| match &statement.shape {
            Shape::Do(block) => block.raises && asks(&words(view.text(), dialect, &block.tokens)),
            _ => false,
        })
}

/// Names, and the words within text constants: `'public.users'::regclass` names a table, too.
fn words(text: &str, dialect: Dialect, tokens: &[Token]) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for token in tokens {
        words.extend(token.name(text, dialect));
        if let (TokenKind::Text(_), Some(said)) = (token.kind, token.constant(text)) {
            let parts = said.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|part| !part.is_empty());
            words.extend(parts.map(str::to_lowercase));
        }
    }
    words
}
