//! What happens where the object is there, or gone, already.

use crate::schema::lint::finding::Findings;
use crate::schema::lint::rule::{KEEPS_ANOTHER_TYPE, NOT_IDEMPOTENT};
use crate::schema::lint::shape::{Action, Create, Name, Shape};
use crate::schema::lint::View;
use crate::schema::sql::{Dialect, Place};

use super::{dialect, proof, rebuild};

pub fn check(view: &View<'_>, found: &mut Findings<'_>) {
    for (at, statement) in view.statements.iter().enumerate() {
        match &statement.shape {
            Shape::Create(create) => created(view, at, create, statement.place(), found),
            Shape::Drop(drop) if !drop.if_exists => {
                let rebuilt = drop.names.iter().any(|name| rebuild::is_rebuilt(view.statements, at, name));
                if let Some(name) = drop.names.first().filter(|_| !rebuilt) {
                    let what = format!("DROP {} {}", drop.kind, name.shown());
                    fails(found, statement.place(), &what, "is not there", "IF EXISTS");
                }
            }
            Shape::AlterTable(alter) => {
                for (action, place) in &alter.actions {
                    altered(view, &alter.table, action, *place, found);
                }
            }
            _ => {}
        }
    }
}

fn fails(found: &mut Findings<'_>, place: Place, what: &str, state: &str, remedy: &str) {
    let finding = found.at(&NOT_IDEMPOTENT, place, format!("`{what}` fails where it {state}"));
    finding.set_help(format!("say {remedy}, and check the outcome with an ENSURE or a snapshot"));
}

fn created(view: &View<'_>, at: usize, create: &Create, place: Place, found: &mut Findings<'_>) {
    let Some(name) = &create.name else { return };
    let dropped = view.statements[..at].iter().any(|before| match &before.shape {
        Shape::Drop(drop) => drop.kind == create.kind && drop.names.iter().any(|dropped| dropped.is(name)),
        _ => false,
    });
    // What is left of an index that could not be built is found by the runner.
    if dropped || create.temporary || create.concurrently {
        return;
    }
    let what = format!("CREATE {} {}", create.kind, name.shown());
    if !create.if_not_exists && dialect::takes_if_not_exists(view.file.dialect, &create.kind) {
        fails(found, place, &what, "is there already", "IF NOT EXISTS");
    } else if !create.or_replace && dialect::takes_or_replace(view.file.dialect, &create.kind) {
        fails(found, place, &what, "is there already", "OR REPLACE");
    } else if create.if_not_exists && create.kind == "TABLE" && !is_checked(view, name, None) {
        let message = format!("where a table `{}` is there, its columns may be others", name.shown());
        found.at(&KEEPS_ANOTHER_TYPE, place, message);
    }
}

fn altered(view: &View<'_>, table: &Name, action: &Action, place: Place, found: &mut Findings<'_>) {
    let postgres = view.file.dialect == Dialect::Postgres;
    match action {
        Action::AddColumn { column, if_not_exists: true } if !is_checked(view, table, Some(&column.name)) => {
            let (table, column) = (table.shown(), &column.name.name);
            let message = format!("where a column `{table}.{column}` is there, its type may be another");
            found.at(&KEEPS_ANOTHER_TYPE, place, message);
        }
        Action::AddColumn { column, if_not_exists: false } if postgres => {
            let what = format!("ADD COLUMN {}", column.name.name);
            fails(found, place, &what, "is there already", "IF NOT EXISTS");
        }
        Action::DropColumn { name, if_exists: false, .. } if postgres => {
            fails(found, place, &format!("DROP COLUMN {}", name.name), "is not there", "IF EXISTS");
        }
        Action::DropConstraint { name, if_exists: false } if postgres => {
            fails(found, place, &format!("DROP CONSTRAINT {}", name.name), "is not there", "IF EXISTS");
        }
        _ => {}
    }
}

fn is_checked(view: &View<'_>, table: &Name, column: Option<&Name>) -> bool {
    view.has_snapshot() || proof::checks_type(view, table, column)
}
