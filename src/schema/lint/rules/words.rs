//! Statements that are none: their first word, and their parentheses.

use crate::schema::lint::finding::Findings;
use crate::schema::lint::rule::NO_SUCH_STATEMENT;
use crate::schema::lint::shape::Shaped;
use crate::schema::lint::View;
use crate::schema::sql::{Dialect, TokenKind};

pub fn check(view: &View<'_>, found: &mut Findings<'_>) {
    for statement in view.statements {
        begins_well(view, statement, found);
        parentheses(statement, found);
    }
}

const POSTGRES: [&str; 53] = [
    "ABORT",
    "ALTER",
    "ANALYZE",
    "ANALYSE",
    "BEGIN",
    "CALL",
    "CHECKPOINT",
    "CLOSE",
    "CLUSTER",
    "COMMENT",
    "COMMIT",
    "COPY",
    "CREATE",
    "DEALLOCATE",
    "DECLARE",
    "DELETE",
    "DISCARD",
    "DO",
    "DROP",
    "END",
    "EXECUTE",
    "EXPLAIN",
    "FETCH",
    "GRANT",
    "IMPORT",
    "INSERT",
    "LISTEN",
    "LOAD",
    "LOCK",
    "MERGE",
    "MOVE",
    "NOTIFY",
    "PREPARE",
    "REASSIGN",
    "REFRESH",
    "REINDEX",
    "RELEASE",
    "RESET",
    "REVOKE",
    "ROLLBACK",
    "SAVEPOINT",
    "SECURITY",
    "SELECT",
    "SET",
    "SHOW",
    "START",
    "TABLE",
    "TRUNCATE",
    "UNLISTEN",
    "UPDATE",
    "VACUUM",
    "VALUES",
    "WITH",
];
const SQLITE: [&str; 23] = [
    "ALTER",
    "ANALYZE",
    "ATTACH",
    "BEGIN",
    "COMMIT",
    "CREATE",
    "DELETE",
    "DETACH",
    "DROP",
    "END",
    "EXPLAIN",
    "INSERT",
    "PRAGMA",
    "REINDEX",
    "RELEASE",
    "REPLACE",
    "ROLLBACK",
    "SAVEPOINT",
    "SELECT",
    "UPDATE",
    "VACUUM",
    "VALUES",
    "WITH",
];

fn begins_well(view: &View<'_>, statement: &Shaped<'_>, found: &mut Findings<'_>) {
    let verbs: &[&str] = match view.file.dialect {
        Dialect::Postgres => &POSTGRES,
        Dialect::Sqlite => &SQLITE,
    };
    let first = &statement.tokens()[0];
    let opens = view.file.dialect == Dialect::Postgres && first.kind == TokenKind::Open;
    let text = view.text();
    // What has no end is reported as such.
    if opens || !first.closed || verbs.iter().any(|verb| first.is_word(text, verb)) {
        return;
    }
    let said = first.text(text).lines().next().unwrap_or_default();
    let message = format!("no statement of {} begins with `{said}`", view.file.dialect.title());
    let finding = found.at(&NO_SUCH_STATEMENT, first.place(), message);
    let small = said.to_ascii_uppercase();
    if let Some(verb) = verbs.iter().find(|verb| is_near(verb, &small)) {
        finding.set_help(format!("was `{verb}` meant?"));
    }
}

/// Whether one letter is wrong, missing or too many, or two are exchanged.
fn is_near(verb: &str, said: &str) -> bool {
    let (a, b) = (verb.as_bytes(), said.as_bytes());
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let tail = a[same..].iter().rev().zip(b[same..].iter().rev()).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[same..a.len() - tail], &b[same..b.len() - tail]);
    verb.len() > 3 && (a.len() <= 1 && b.len() <= 1 || a.len() == 2 && b.len() == 2 && a[0] == b[1] && a[1] == b[0])
}

fn parentheses(statement: &Shaped<'_>, found: &mut Findings<'_>) {
    let mut open = Vec::new();
    for token in statement.tokens() {
        match token.kind {
            TokenKind::Open => open.push(token),
            TokenKind::Close if open.pop().is_none() => {
                found.at(&NO_SUCH_STATEMENT, token.place(), "nothing opens the parenthesis that closes here");
                return;
            }
            _ => {}
        }
    }
    // With an open quote the rest of the file is missing.
    if let Some(token) = open.first().filter(|_| statement.tokens().iter().all(|token| token.closed)) {
        found.at(&NO_SUCH_STATEMENT, token.place(), "the parenthesis that opens here is never closed");
    }
}
