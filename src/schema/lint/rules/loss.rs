//! What loses data.

use crate::schema::lint::finding::Findings;
use crate::schema::lint::rule::{DESTROYS, DESTRUCTIVE_NEEDLESS};
use crate::schema::lint::shape::{Action, DropObjects, Shape};
use crate::schema::lint::world::Fresh;
use crate::schema::lint::View;
use crate::schema::sql::Place;

use super::{rebuild, types};

/// What holds rows, or stands for them. Views, indexes, functions and constraints can be made again.
const HOLD_DATA: [&str; 6] = ["TABLE", "FOREIGN TABLE", "SCHEMA", "DATABASE", "SEQUENCE", "OWNED"];

pub fn check(view: &View<'_>, found: &mut Findings<'_>) {
    let losses = losses(view);
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

fn losses(view: &View<'_>) -> Vec<(Place, String)> {
    let mut losses = Vec::new();
    let mut fresh = Fresh::default();
    for (at, statement) in view.statements.iter().enumerate() {
        let place = statement.place();
        match &statement.shape {
            Shape::Drop(drop) => losses.extend(dropped(view, at, drop, &fresh).map(|message| (place, message))),
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
                    let message = match action {
                        Action::DropColumn { name, .. } => {
                            format!("the values of the column `{}.{}` are lost", alter.table.shown(), name.name)
                        }
                        Action::SetType { column, type_name, .. } => {
                            let table = view.world.table(&alter.table);
                            let old = table.and_then(|table| table.column_type(&column.name));
                            if types::keeps_values(old, type_name) {
                                continue;
                            }
                            let (table, column) = (alter.table.shown(), &column.name);
                            let from = old.map(|old| format!(" from `{old}`")).unwrap_or_default();
                            format!("values of `{table}.{column}` may not survive the change{from} to `{type_name}`")
                        }
                        _ => continue,
                    };
                    losses.push((*place, message));
                }
            }
            _ => {}
        }
        fresh.apply(statement, view.world);
    }
    losses
}

fn dropped(view: &View<'_>, at: usize, drop: &DropObjects, fresh: &Fresh) -> Option<String> {
    let lost = drop.names.iter().find(|name| {
        let is_table = drop.kind == "TABLE";
        !(is_table && (fresh.has(name) || rebuild::is_rebuilt(view.statements, at, name)))
    })?;
    let what = format!("{} {}", drop.kind, lost.shown());
    if HOLD_DATA.contains(&drop.kind.as_str()) {
        return Some(format!("`DROP {what}` takes the data along"));
    }
    // A type takes the columns that have it along, an extension its types.
    let takes_columns =
        drop.cascade && matches!(drop.kind.as_str(), "TYPE" | "DOMAIN" | "EXTENSION" | "FUNCTION" | "SERVER");
    takes_columns.then(|| format!("`DROP {what} CASCADE` may take columns along"))
}
