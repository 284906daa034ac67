//! What looks like the database's SQL and is not.

use crate::schema::lint::finding::Findings;
use crate::schema::lint::rule::NOT_IN_DIALECT;
use crate::schema::lint::shape::{Action, Create, Shape};
use crate::schema::lint::View;
use crate::schema::sql::Dialect;

/// What PostgreSQL makes only where there is none yet.
const IF_NOT_EXISTS: [&str; 11] = [
    "TABLE",
    "INDEX",
    "SEQUENCE",
    "SCHEMA",
    "EXTENSION",
    "MATERIALIZED VIEW",
    "FOREIGN TABLE",
    "SERVER",
    "USER MAPPING",
    "COLLATION",
    "STATISTICS",
];
/// What PostgreSQL makes in place of what is there.
const OR_REPLACE: [&str; 8] =
    ["VIEW", "FUNCTION", "PROCEDURE", "TRIGGER", "RULE", "AGGREGATE", "LANGUAGE", "TRANSFORM"];
/// What SQLite makes at all, always with IF NOT EXISTS where that is asked for.
const SQLITE: [&str; 4] = ["TABLE", "INDEX", "VIEW", "TRIGGER"];

/// Whether `CREATE kind IF NOT EXISTS` can be said.
pub fn takes_if_not_exists(dialect: Dialect, kind: &str) -> bool {
    match dialect {
        Dialect::Postgres => IF_NOT_EXISTS.contains(&kind),
        Dialect::Sqlite => SQLITE.contains(&kind),
    }
}

/// Whether `CREATE OR REPLACE kind` can be said.
pub fn takes_or_replace(dialect: Dialect, kind: &str) -> bool {
    dialect == Dialect::Postgres && OR_REPLACE.contains(&kind)
}

pub fn check(view: &View<'_>, found: &mut Findings<'_>) {
    let dialect = view.file.dialect;
    for statement in view.statements {
        match &statement.shape {
            Shape::Create(create) => {
                if let Some(message) = create_is_known(dialect, create) {
                    found.at(&NOT_IN_DIALECT, statement.place(), message);
                }
            }
            Shape::AlterTable(alter) => {
                if dialect == Dialect::Sqlite && alter.if_exists {
                    found.at(&NOT_IN_DIALECT, statement.place(), "SQLite has no `ALTER TABLE IF EXISTS`");
                }
                for (action, place) in &alter.actions {
                    let Some((what, help)) = action_is_known(dialect, action) else { continue };
                    found.at(&NOT_IN_DIALECT, *place, format!("{} has no `{what}`", dialect.title())).set_help(help);
                }
            }
            Shape::Drop(drop)
                if dialect == Dialect::Sqlite && (drop.cascade || drop.concurrently || drop.names.len() > 1) =>
            {
                let message = "SQLite drops one object at a time, without CASCADE and CONCURRENTLY";
                found.at(&NOT_IN_DIALECT, statement.place(), message);
            }
            Shape::Insert(_) if dialect == Dialect::Postgres => {
                let text = view.text();
                let replaces = statement.begins_with(text, "INSERT")
                    && statement.tokens().get(1).is_some_and(|token| token.is_word(text, "OR"));
                if replaces {
                    let help = "write `INSERT ... ON CONFLICT`";
                    found.at(&NOT_IN_DIALECT, statement.place(), "PostgreSQL has no `INSERT OR`").set_help(help);
                }
            }
            _ => {}
        }
        if dialect == Dialect::Postgres {
            let autoincrement = statement.tokens().iter().find(|token| token.is_word(view.text(), "AUTOINCREMENT"));
            if let Some(token) = autoincrement.filter(|_| matches!(statement.shape, Shape::Create(_))) {
                let help = "write `GENERATED ALWAYS AS IDENTITY`";
                found.at(&NOT_IN_DIALECT, token.place(), "PostgreSQL has no `AUTOINCREMENT`").set_help(help);
            }
        }
    }
}

fn create_is_known(dialect: Dialect, create: &Create) -> Option<String> {
    let (kind, title) = (&create.kind, dialect.title());
    if dialect == Dialect::Sqlite && !SQLITE.contains(&kind.as_str()) {
        return Some(format!("SQLite has no `CREATE {kind}`"));
    }
    if create.if_not_exists && !takes_if_not_exists(dialect, kind) {
        return Some(format!("{title} has no `CREATE {kind} IF NOT EXISTS`"));
    }
    if create.or_replace && !takes_or_replace(dialect, kind) {
        return Some(format!("{title} has no `CREATE OR REPLACE {kind}`"));
    }
    (create.concurrently && (dialect == Dialect::Sqlite || kind != "INDEX"))
        .then(|| format!("{title} has no `CREATE {kind} CONCURRENTLY`"))
}

fn action_is_known(dialect: Dialect, action: &Action) -> Option<(&'static str, &'static str)> {
    const REBUILD: &str = "make a new table, move the rows, drop the old one and rename the new one";
    match (dialect, action) {
        (_, Action::AddConstraint { if_not_exists: true, .. }) => Some((
            "ADD CONSTRAINT IF NOT EXISTS",
            "write `DROP CONSTRAINT IF EXISTS` above it, or only `ADD CONSTRAINT`: a file is applied once",
        )),
        (Dialect::Sqlite, Action::AddColumn { if_not_exists: true, .. }) => {
            Some(("ADD COLUMN IF NOT EXISTS", "write `ADD COLUMN`: a file is applied once"))
        }
        (Dialect::Sqlite, Action::DropColumn { if_exists: true, .. }) => {
            Some(("DROP COLUMN IF EXISTS", "write `DROP COLUMN`: a file is applied once"))
        }
        (Dialect::Sqlite, Action::SetType { .. }) => Some(("ALTER COLUMN TYPE", REBUILD)),
        (Dialect::Sqlite, Action::Validate(_)) => Some(("VALIDATE CONSTRAINT", REBUILD)),
        _ => None,
    }
}
