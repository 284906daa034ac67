//! What depends on what is there: conditions, swallowed errors, and rows.

use std::collections::BTreeMap;

use crate::schema::lint::finding::Findings;
use crate::schema::lint::rule::{CONDITIONAL, INSERTS_DATA, SWALLOWS_ERROR};
use crate::schema::lint::shape::{Shape, Source};
use crate::schema::lint::View;
use crate::schema::sql::{Place, TokenKind};

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
    // By table: a dump has a statement a row.
    let mut rows: BTreeMap<String, (Place, usize)> = BTreeMap::new();
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
                rows.entry(insert.table.shown()).or_insert((place, 0)).1 += 1;
            }
            Shape::CopyFrom(table) => rows.entry(table.shown()).or_insert((place, 0)).1 += 1,
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
    for (table, (place, count)) in rows {
        let more = match count {
            1 => String::new(),
            count => format!(" ({count} statements)"),
        };
        found.at(&INSERTS_DATA, place, format!("it writes rows into `{table}`{more}"));
    }
}
