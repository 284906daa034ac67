//! One file, one transaction.

use crate::schema::lint::finding::Findings;
use crate::schema::lint::rule::{
    NEEDS_NO_TRANSACTION, NO_TRANSACTION_ALONE, NO_TRANSACTION_NEEDLESS, TRANSACTION_CONTROL,
};
use crate::schema::lint::shape::{has, Action, Shape, Shaped};
use crate::schema::lint::View;
use crate::schema::sql::Dialect;

pub fn check(view: &View<'_>, found: &mut Findings<'_>) {
    let text = view.text();
    for statement in view.statements {
        if let Some(verb) = control(view, statement) {
            found.at(&TRANSACTION_CONTROL, statement.place(), format!("`{verb}` ends or divides the transaction"));
        }
        if let Shape::Do(block) = &statement.shape {
            if let Some(token) = &block.controls {
                let message = format!("`{}` ends or divides the transaction", token.text(text).to_ascii_uppercase());
                found.at(&TRANSACTION_CONTROL, token.place(), message);
            }
        }
        if view.file.header.no_transaction.is_none() {
            if let Some(what) = stands_alone(view, statement) {
                let message = format!("`{what}` cannot run in a transaction");
                found.at(&NEEDS_NO_TRANSACTION, statement.place(), message);
            }
        }
    }
    let Some(said) = &view.file.header.no_transaction else { return };
    if let Some(second) = view.statements.get(1) {
        let message = format!("{} statements stand in a file without a transaction", view.statements.len());
        found.at(&NO_TRANSACTION_ALONE, second.place(), message);
    }
    if !view.statements.is_empty() && !view.statements.iter().any(|statement| stands_alone(view, statement).is_some()) {
        found.at(&NO_TRANSACTION_NEEDLESS, said.place, "all of it can run in a transaction");
    }
}

/// The words that begin or end a transaction, or divide one.
fn control(view: &View<'_>, statement: &Shaped<'_>) -> Option<String> {
    const SHARED: [&str; 6] = ["BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE"];
    const POSTGRES: [&[&str]; 5] = [
        &["ABORT"],
        &["START", "TRANSACTION"],
        &["PREPARE", "TRANSACTION"],
        &["SET", "TRANSACTION"],
        &["SET", "SESSION", "CHARACTERISTICS"],
    ];
    let (text, tokens) = (view.text(), statement.tokens());
    let begins = |words: &[&str]| {
        tokens.len() >= words.len() && words.iter().zip(tokens).all(|(word, token)| token.is_word(text, word))
    };
    if let Some(word) = SHARED.iter().find(|word| begins(&[word])) {
        return Some((*word).to_owned());
    }
    let postgres = view.file.dialect == Dialect::Postgres;
    POSTGRES.iter().find(|words| postgres && begins(words)).map(|words| words.join(" "))
}

/// A statement that fails within a transaction, as it is called.
fn stands_alone(view: &View<'_>, statement: &Shaped<'_>) -> Option<&'static str> {
    let (text, tokens) = (view.text(), statement.tokens());
    let begins = |word| statement.begins_with(text, word);
    if begins("VACUUM") {
        return Some("VACUUM");
    }
    if view.file.dialect == Dialect::Sqlite {
        return None;
    }
    match &statement.shape {
        Shape::Create(create) => match create.kind.as_str() {
            "INDEX" if create.concurrently => Some("CREATE INDEX CONCURRENTLY"),
            "DATABASE" => Some("CREATE DATABASE"),
            "TABLESPACE" => Some("CREATE TABLESPACE"),
            "SUBSCRIPTION" => Some("CREATE SUBSCRIPTION"),
            _ => None,
        },
        Shape::Drop(drop) => match drop.kind.as_str() {
            "INDEX" if drop.concurrently => Some("DROP INDEX CONCURRENTLY"),
            "DATABASE" => Some("DROP DATABASE"),
            "TABLESPACE" => Some("DROP TABLESPACE"),
            "SUBSCRIPTION" => Some("DROP SUBSCRIPTION"),
            _ => None,
        },
        Shape::AlterTable(alter) => {
            let detaches = alter.actions.iter().any(|(action, _)| matches!(action, Action::DetachConcurrently));
            detaches.then_some("DETACH PARTITION CONCURRENTLY")
        }
        _ if begins("REINDEX") => {
            if has(text, tokens, &["CONCURRENTLY"]) {
                return Some("REINDEX CONCURRENTLY");
            }
            ["SCHEMA", "DATABASE", "SYSTEM"].iter().any(|of| has(text, tokens, &[of])).then_some("REINDEX")
        }
        _ if begins("ALTER") && has(text, &tokens[..tokens.len().min(2)], &["SYSTEM"]) => Some("ALTER SYSTEM"),
        _ if begins("CLUSTER") && tokens.len() == 1 => Some("CLUSTER"),
        _ => None,
    }
}
