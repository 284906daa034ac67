//! What keeps readers and writers of a table waiting. Tables that the same file makes are empty.

use crate::schema::lint::finding::Findings;
use crate::schema::lint::rule::{INDEX_LOCKS, REWRITES_OR_SCANS};
use crate::schema::lint::shape::{has, Action, AlterTable, Column, Shape};
use crate::schema::lint::world::Fresh;
use crate::schema::lint::View;
use crate::schema::sql::{Dialect, Place, TokenKind};

use super::types;

pub fn check(view: &View<'_>, found: &mut Findings<'_>) {
    let mut fresh = Fresh::default();
    let postgres = view.file.dialect == Dialect::Postgres;
    for statement in view.statements {
        let place = statement.place();
        match &statement.shape {
            Shape::Create(create) if create.kind == "INDEX" && !create.concurrently && postgres => {
                // On a partitioned table alone nothing is built yet.
                let alone = has(view.text(), statement.tokens(), &["ON", "ONLY"]);
                if let Some(table) = create.on.as_ref().filter(|table| !alone && !fresh.has(table)) {
                    let message = format!("writers to `{}` wait while the index is built", table.shown());
                    found.at(&INDEX_LOCKS, place, message);
                }
            }
            Shape::AlterTable(alter) if !fresh.has(&alter.table) => altered(view, alter, found),
            Shape::Other if postgres && statement.begins_with(view.text(), "CLUSTER") => {
                found.at(&REWRITES_OR_SCANS, place, "`CLUSTER` rewrites the table");
            }
            Shape::Other
                if postgres
                    && statement.begins_with(view.text(), "VACUUM")
                    && has(view.text(), statement.tokens(), &["FULL"]) =>
            {
                found.at(&REWRITES_OR_SCANS, place, "`VACUUM FULL` rewrites the table");
            }
            _ => {}
        }
        fresh.apply(statement, view.world);
    }
}

fn altered(view: &View<'_>, alter: &AlterTable, found: &mut Findings<'_>) {
    let known = view.world.table(&alter.table);
    let table = alter.table.shown();
    for (action, place) in &alter.actions {
        if let Action::AddColumn { column, .. } = action {
            added(view, &table, column, *place, found);
        }
        if view.file.dialect == Dialect::Sqlite {
            continue;
        }
        let (message, help) = match action {
            Action::SetNotNull(column) if !known.is_some_and(|table| table.is_known_not_null(&column.name)) => (
                format!("`SET NOT NULL` reads all of `{table}`"),
                format!(
                    "add `CHECK ({} IS NOT NULL) NOT VALID` in one file, `VALIDATE CONSTRAINT` in the next, then this",
                    column.name
                ),
            ),
            Action::SetType { column, type_name, using } => {
                let old = known.and_then(|table| table.column_type(&column.name));
                if !using && types::stays_in_place(old, type_name) {
                    continue;
                }
                let change = format!("changing `{}` to `{type_name}` rewrites `{table}`", column.name);
                (change, "add a new column, fill it in batches, and let the application change over".to_owned())
            }
            Action::AddConstraint { constraint, .. } if !constraint.not_valid && !constraint.using_index => {
                match constraint.kind {
                    "CHECK" | "FOREIGN KEY" | "NOT NULL" => (
                        format!("`ADD {}` reads all of `{table}`", constraint.kind),
                        "add it NOT VALID, and `VALIDATE CONSTRAINT` in a later file".to_owned(),
                    ),
                    kind => (
                        format!("`ADD {kind}` builds an index on `{table}` under a lock"),
                        "build the index CONCURRENTLY in an earlier file, then add the constraint USING INDEX"
                            .to_owned(),
                    ),
                }
            }
            Action::Rewrite(what) => (format!("`{what}` rewrites `{table}`"), REWRITES_OR_SCANS.help.to_owned()),
            Action::AttachPartition => (
                format!("`ATTACH PARTITION` reads all of what becomes a part of `{table}`"),
                "give it a validated CHECK with the partition's bounds first".to_owned(),
            ),
            _ => continue,
        };
        found.at(&REWRITES_OR_SCANS, *place, message).set_help(help);
    }
}

/// Functions that give every row another value.
const VOLATILE: [&str; 9] = [
    "gen_random_uuid",
    "uuid_generate_v1",
    "uuid_generate_v4",
    "uuidv4",
    "uuidv7",
    "random",
    "clock_timestamp",
    "timeofday",
    "nextval",
];

fn added(view: &View<'_>, table: &str, column: &Column, place: Place, found: &mut Findings<'_>) {
    let text = view.text();
    let name = &column.name.name;
    let has_default = column.has(text, &["DEFAULT"]);
    let generated = column.has(text, &["GENERATED"]) || column.type_name.contains("serial");
    if column.has(text, &["NOT", "NULL"]) && !has_default && !generated {
        let message =
            format!("the new column `{name}` is NOT NULL without a default, which fails where `{table}` has rows");
        let help = "give it a default, or add it without NOT NULL and fill it first";
        found.at(&REWRITES_OR_SCANS, place, message).set_help(help);
    }
    if view.file.dialect == Dialect::Sqlite {
        return;
    }
    let volatile = column
        .rest
        .iter()
        .find(|token| token.kind == TokenKind::Word && VOLATILE.iter().any(|function| token.is_word(text, function)));
    let stored = generated && !column.has(text, &["VIRTUAL"]);
    if stored || has_default && volatile.is_some() {
        let message = format!("the new column `{name}` has another value in each row, so `{table}` is rewritten");
        let help = "add it without a default, set the default in a second statement, and fill the rows in batches";
        found.at(&REWRITES_OR_SCANS, place, message).set_help(help);
    }
    if column.has(text, &["CHECK"]) {
        let help = "add the column without it, then `ADD CONSTRAINT ... CHECK (...) NOT VALID`";
        let message = format!("the check of the new column `{name}` reads all of `{table}`");
        found.at(&REWRITES_OR_SCANS, place, message).set_help(help);
    }
    for key in ["UNIQUE", "PRIMARY"] {
        if column.has(text, &[key]) {
            let message = format!("the new column `{name}` gets an index, built under a lock on `{table}`");
            let help = "add the column without it, build the index CONCURRENTLY, then add the constraint USING INDEX";
            found.at(&REWRITES_OR_SCANS, place, message).set_help(help);
        }
    }
}
