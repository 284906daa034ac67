//! Statements before what they need in the same file.

use crate::schema::lint::finding::Findings;
use crate::schema::lint::rule::OUT_OF_ORDER;
use crate::schema::lint::shape::{sources, Action, Cursor, Name, Shape, Shaped};
use crate::schema::lint::View;
use crate::schema::sql::TokenKind;

pub fn check(view: &View<'_>, found: &mut Findings<'_>) {
    let mut world = view.world.clone();
    for (at, statement) in view.statements.iter().enumerate() {
        let later = &view.statements[at + 1..];
        let made = |name: &Name| {
            later.iter().find(|later| matches!(&later.shape, Shape::Create(create) if create.name.as_ref().is_some_and(|made| made.is(name))))
        };
        let own = match &statement.shape {
            Shape::Create(create) => create.name.as_ref(),
            _ => None,
        };
        for name in needs(view, statement) {
            if world.knows(&name) || own.is_some_and(|own| own.is(&name)) {
                continue;
            }
            if let Some(later) = made(&name) {
                let line = later.place().line;
                let message = format!("it needs `{}`, which line {line} makes", name.shown());
                found.at(&OUT_OF_ORDER, statement.place(), message);
                break;
            }
        }
        column_comes_later(view, statement, later, &world, found);
        world.apply_one(statement);
    }
}

/// The objects without which a statement fails.
fn needs(view: &View<'_>, statement: &Shaped<'_>) -> Vec<Name> {
    let (text, dialect, tokens) = (view.text(), view.file.dialect, statement.tokens());
    let behind = |at: usize| Cursor::new(text, dialect, &tokens[at..]);
    let mut names = Vec::new();
    match &statement.shape {
        Shape::Create(create) => {
            names.extend(create.on.clone());
            for column in &create.columns {
                // A type of one's own.
                names.push(Name { name: column.type_name.clone(), ..column.name.clone() });
            }
            if create.kind.ends_with("VIEW") || create.kind == "TABLE" {
                names.extend(sources(&behind(0), tokens));
            }
        }
        Shape::AlterTable(alter) if !alter.if_exists => names.push(alter.table.clone()),
        Shape::Insert(insert) => {
            names.push(insert.table.clone());
            names.extend(sources(&behind(0), tokens));
        }
        Shape::Update(table) | Shape::Delete { table, .. } | Shape::CopyFrom(table) => names.push(table.clone()),
        Shape::Truncate(tables) => names.extend(tables.iter().cloned()),
        Shape::Query => names.extend(sources(&behind(0), tokens)),
        _ => {}
    }
    if matches!(statement.shape, Shape::Create(_) | Shape::AlterTable(_)) {
        for (at, token) in tokens.iter().enumerate() {
            // SQLite looks a foreign key's table up when a row is written.
            let refers = token.is_word(text, "REFERENCES") && dialect == crate::schema::sql::Dialect::Postgres;
            let runs = at > 0
                && tokens[at - 1].is_word(text, "EXECUTE")
                && ["FUNCTION", "PROCEDURE"].iter().any(|word| token.is_word(text, word));
            if refers || runs {
                names.extend(behind(at + 1).name());
            }
        }
    }
    names
}

/// A statement about a table that names a column before a later statement adds it.
fn column_comes_later(
    view: &View<'_>,
    statement: &Shaped<'_>,
    later: &[Shaped<'_>],
    world: &crate::schema::lint::world::World,
    found: &mut Findings<'_>,
) {
    let table = match &statement.shape {
        Shape::Create(create) => create.on.as_ref(),
        Shape::Insert(insert) => Some(&insert.table),
        Shape::Update(table) | Shape::Delete { table, .. } => Some(table),
        _ => None,
    };
    let Some(table) = table else { return };
    let mentions = |column: &Name| {
        statement.tokens().iter().any(|token| {
            matches!(token.kind, TokenKind::Word | TokenKind::QuotedName)
                && token.name(view.text(), view.file.dialect).is_some_and(|name| name == column.name)
        })
    };
    let known = |column: &Name| world.table(table).is_some_and(|table| table.column_type(&column.name).is_some());
    for after in later {
        let Shape::AlterTable(alter) = &after.shape else { continue };
        for (action, place) in &alter.actions {
            let Action::AddColumn { column, .. } = action else { continue };
            if alter.table.is(table) && mentions(&column.name) && !known(&column.name) {
                let name = &column.name.name;
                let message = format!("it needs the column `{name}`, which line {} adds", place.line);
                found.at(&OUT_OF_ORDER, statement.place(), message);
                return;
            }
        }
    }
}
