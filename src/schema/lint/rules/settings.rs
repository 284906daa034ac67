//! Settings that outlive the file.

use crate::schema::lint::finding::Findings;
use crate::schema::lint::rule::SETTING_LEAKS;
use crate::schema::lint::shape::{Cursor, Shape, Shaped};
use crate::schema::lint::View;
use crate::schema::sql::{Dialect, Place, Token, TokenKind};

pub fn check(view: &View<'_>, found: &mut Findings<'_>) {
    for (at, statement) in view.statements.iter().enumerate() {
        match view.file.dialect {
            Dialect::Postgres => postgres(view, statement, found),
            Dialect::Sqlite => sqlite(view, at, statement, found),
        }
    }
}

fn postgres(view: &View<'_>, statement: &Shaped<'_>, found: &mut Findings<'_>) {
    let text = view.text();
    let leak = |found: &mut Findings<'_>, place: Place, what: &str| {
        found.at(&SETTING_LEAKS, place, format!("`{what}` outlives the file"));
    };
    let tokens = statement.tokens();
    let second = |word| tokens.get(1).is_some_and(|token: &Token| token.is_word(text, word));
    if statement.begins_with(text, "SET") {
        // SET CONSTRAINTS ends with the transaction, and SET TRANSACTION has a rule of its own.
        let ends = ["LOCAL", "CONSTRAINTS", "TRANSACTION"].iter().any(|word| second(word));
        let characteristics =
            second("SESSION") && tokens.get(2).is_some_and(|token| token.is_word(text, "CHARACTERISTICS"));
        if !ends && !characteristics {
            let what = tokens[1..].iter().take(2).take_while(|token| token.kind == TokenKind::Word);
            let what: Vec<&str> =
                what.map(|token| token.text(text)).filter(|word| !word.eq_ignore_ascii_case("to")).collect();
            leak(found, statement.place(), format!("SET {}", what.join(" ")).trim_end());
        }
    } else if statement.begins_with(text, "RESET") {
        leak(found, statement.place(), "RESET");
    } else if statement.begins_with(text, "DISCARD") {
        leak(found, statement.place(), "DISCARD");
    }
    let tokens = match &statement.shape {
        Shape::Do(block) => {
            if let Some(token) = &block.sets {
                leak(found, token.place(), "SET");
            }
            &block.tokens
        }
        _ => tokens,
    };
    for place in lasting_set_config(text, tokens) {
        leak(found, place, "set_config");
    }
}

/// Calls of `set_config` whose third argument does not say that it is for the transaction only.
fn lasting_set_config(text: &str, tokens: &[Token]) -> Vec<Place> {
    let mut places = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if !token.is_word(text, "set_config") {
            continue;
        }
        let mut cursor = Cursor::new(text, Dialect::Postgres, &tokens[at + 1..]);
        let Some(arguments) = cursor.parenthesised() else { continue };
        let mut arguments = cursor.within(arguments);
        arguments.item();
        arguments.item();
        let local = arguments.item();
        let said = local.first().map(|token| token.constant(text).unwrap_or_else(|| token.text(text).to_owned()));
        let is_local = local.len() == 1
            && said.is_some_and(|said| ["true", "t", "on", "yes", "1"].contains(&said.to_ascii_lowercase().as_str()));
        if !is_local {
            places.push(token.place());
        }
    }
    places
}

/// PRAGMAs that only look, or that are kept in the file, or end with the transaction.
const HARMLESS: [&str; 20] = [
    "application_id",
    "collation_list",
    "compile_options",
    "database_list",
    "defer_foreign_keys",
    "foreign_key_check",
    "foreign_key_list",
    "freelist_count",
    "function_list",
    "incremental_vacuum",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "optimize",
    "quick_check",
    "table_info",
    "table_list",
    "table_xinfo",
    "user_version",
];

/// What changes the schema's own text. A check has no other way that leaves the rows where they are.
const WRITABLE_SCHEMA: &str = "writable_schema";

fn sqlite(view: &View<'_>, at: usize, statement: &Shaped<'_>, found: &mut Findings<'_>) {
    let text = view.text();
    for verb in ["ATTACH", "DETACH"] {
        if statement.begins_with(text, verb) {
            let message = format!("`{verb}` outlives the file");
            found.at(&SETTING_LEAKS, statement.place(), message).set_help("leave it out: a schema is one database's");
        }
    }
    if !statement.begins_with(text, "PRAGMA") {
        return;
    }
    let mut cursor = Cursor::new(text, Dialect::Sqlite, &statement.tokens()[1..]);
    let Some(name) = cursor.name() else { return };
    if HARMLESS.contains(&name.name.as_str()) || cursor.is_at_end() {
        return;
    }
    if name.name == WRITABLE_SCHEMA && view.statements[at..].iter().any(|later| resets_schema(text, later)) {
        return;
    }
    let message = format!("`PRAGMA {}` outlives the file", name.name);
    let finding = found.at(&SETTING_LEAKS, statement.place(), message);
    finding.set_help("leave it out: the program that opens the database decides such settings");
    if name.name == "foreign_keys" {
        finding.message = "`PRAGMA foreign_keys` does nothing within a transaction".to_owned();
        finding.set_help(
            "leave it out: for a file that rebuilds a table the runner switches foreign keys off before the transaction, \
             and checks them before the commit",
        );
    }
    if name.name == WRITABLE_SCHEMA {
        finding.set_help(
            "say `PRAGMA writable_schema = RESET` behind the change: it protects the schema again, and reads it anew \
             (OFF does only the one)",
        );
    }
}

/// Whether a statement is `PRAGMA writable_schema = RESET`.
fn resets_schema(text: &str, statement: &Shaped<'_>) -> bool {
    let mut cursor = Cursor::new(text, Dialect::Sqlite, &statement.tokens()[1..]);
    let is_it = statement.begins_with(text, "PRAGMA") && cursor.name().is_some_and(|name| name.name == WRITABLE_SCHEMA);
    is_it && cursor.rest().iter().any(|token| token.is_word(text, "RESET"))
}
