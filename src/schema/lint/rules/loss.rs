//! What loses data.

use crate::schema::lint::finding::Findings;
use crate::schema::lint::rule::{DESTROYS, DESTRUCTIVE_NEEDLESS};
use crate::schema::lint::shape::{shape, Action, AlterTable, DropObjects, Shape};
use crate::schema::lint::world::Fresh;
use crate::schema::lint::View;
use crate::schema::sql::Place;

use super::{rebuild, types};

/// What holds rows, or stands for them. Views, indexes, functions and constraints can be made again.
const HOLD_DATA: [&str; 6] = ["TABLE", "FOREIGN TABLE", "SCHEMA", "DATABASE", "SEQUENCE", "OWNED"];

pub fn check(view: &View<'_>, found: &mut Findings<'_>) {
    let mut losses = Vec::new();
    let mut fresh = Fresh::default();
    for (at, statement) in view.statements.iter().enumerate() {
        if let Shape::Do(block) = &statement.shape {
            for tokens in &block.changes {
                let place = tokens[0].place();
                lost(view, at, &shape(view.text(), view.file.dialect, tokens), place, &fresh, &mut losses);
            }
        }
        lost(view, at, &statement.shape, statement.place(), &fresh, &mut losses);
        fresh.apply(statement, view.world);
    }
    match &view.file.header.destructive {
        None => losses.into_iter().for_each(|(place, message)| {
            found.at(&DESTROYS, place, message);
        }),
        Some(said) if losses.is_empty() => {
            found.at(&DESTRUCTIVE_NEEDLESS, said.place, "nothing in it loses data");
        }
        Some(_) => {}
    }
}

/// What the statement at `at`, or one within it, loses.
fn lost(view: &View<'_>, at: usize, shape: &Shape, place: Place, fresh: &Fresh, losses: &mut Vec<(Place, String)>) {
    match shape {
        Shape::Drop(drop) => losses.extend(dropped(view, at, drop, fresh).map(|message| (place, message))),
        Shape::Truncate(tables) => {
            if let Some(table) = tables.iter().find(|table| !fresh.has(table)) {
                losses.push((place, format!("`TRUNCATE` empties `{}`", table.shown())));
            }
        }
        Shape::Delete { table, all: true } if !fresh.has(table) => {
            losses.push((place, format!("`DELETE` without WHERE empties `{}`", table.shown())));
        }
        Shape::AlterTable(alter) if !fresh.has(&alter.table) => {
            for (action, place) in &alter.actions {
                losses.extend(altered(view, alter, action).map(|message| (*place, message)));
            }
        }
        _ => {}
    }
}

fn altered(view: &View<'_>, alter: &AlterTable, action: &Action) -> Option<String> {
    let table = alter.table.shown();
    match action {
        Action::DropColumn { name, .. } => Some(format!("the values of the column `{table}.{}` are lost", name.name)),
        Action::SetType { column, type_name, .. } => {
            let old = view.world.table(&alter.table).and_then(|table| table.column_type(&column.name));
            let from = old.map(|old| format!(" from `{old}`")).unwrap_or_default();
            (!types::keeps_values(old, type_name)).then(|| {
                format!("values of `{table}.{}` may not survive the change{from} to `{type_name}`", column.name)
            })
        }
        _ => None,
    }
}

fn dropped(view: &View<'_>, at: usize, drop: &DropObjects, fresh: &Fresh) -> Option<String> {
    let lost = drop.names.iter().find(|name| {
        let is_table = drop.kind == "TABLE";
        !(is_table && (fresh.has(name) || rebuild::is_rebuilt(view.statements, at, name)))
    })?;
    let by = if drop.kind == "OWNED" { "BY " } else { "" };
    let what = format!("{} {by}{}", drop.kind, lost.shown());
    if HOLD_DATA.contains(&drop.kind.as_str()) {
        return Some(format!("`DROP {what}` takes the data along"));
    }
    // A type takes the columns that have it along, an extension its types.
    let takes_columns =
        drop.cascade && matches!(drop.kind.as_str(), "TYPE" | "DOMAIN" | "EXTENSION" | "FUNCTION" | "SERVER");
    takes_columns.then(|| format!("`DROP {what} CASCADE` may take columns along"))
}
