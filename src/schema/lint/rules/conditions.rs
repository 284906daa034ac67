//! What depends on what is there: conditions, swallowed errors, and rows.

use crate::schema::lint::finding::Findings;
use crate::schema::lint::rule::{CONDITIONAL, INSERTS_DATA, SWALLOWS_ERROR};
use crate::schema::lint::shape::{Shape, Source};
use crate::schema::lint::View;
use crate::schema::sql::TokenKind;

/// Where a database says what is there.
const CATALOGUE: [&str; 8] = [
    "sqlite_master",
    "sqlite_schema",
    "sqlite_temp_master",
    "sqlite_temp_schema",
    "information_schema",
    "pg_catalog",
    "pg_class",
    "to_regclass",
];

pub fn check(view: &View<'_>, found: &mut Findings<'_>) {
    for statement in view.statements {
        let place = statement.place();
        match &statement.shape {
            Shape::Do(block) => {
                if let Some(place) = block.condition.filter(|_| !block.changes.is_empty()) {
                    found.at(&CONDITIONAL, place, "what this block changes depends on what is there");
                }
                if let Some(place) = block.swallows {
                    found.at(&SWALLOWS_ERROR, place, "this handler goes on as if nothing had failed");
                }
            }
            Shape::Insert(insert) if matches!(insert.source, Source::Constants) => {
                found.at(&INSERTS_DATA, place, format!("it writes rows into `{}`", insert.table.shown()));
            }
            Shape::CopyFrom(table) => {
                found.at(&INSERTS_DATA, place, format!("it writes rows into `{}`", table.shown()));
            }
            Shape::Insert(_) | Shape::Update(_) | Shape::Delete { .. } => {
                let asks = statement.tokens().iter().find(|token| {
                    token.kind == TokenKind::Word && CATALOGUE.iter().any(|name| token.is_word(view.text(), name))
                });
                if let Some(token) = asks {
                    found.at(
                        &CONDITIONAL,
                        token.place(),
                        "which rows this changes depends on the schema that is there",
                    );
                }
            }
            _ => {}
        }
    }
}
