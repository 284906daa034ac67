//! Statements before what they need in the same file.

use std::collections::HashMap;

use crate::schema::lint::finding::Findings;
use crate::schema::lint::rule::OUT_OF_ORDER;
use crate::schema::lint::shape::{sources, Action, Cursor, Name, Shape, Shaped};
use crate::schema::lint::world::World;
use crate::schema::lint::View;
use crate::schema::sql::{Dialect, TokenKind};

pub fn check(view: &View<'_>, found: &mut Findings<'_>) {
    let later = Later::of(view.statements);
    let mut world = view.world.clone();
    for (at, statement) in view.statements.iter().enumerate() {
        let own = match &statement.shape {
            Shape::Create(create) => create.name.as_ref(),
            _ => None,
        };
        let is_missing = |name: &&Name| !world.knows(name) && !own.is_some_and(|own| own.is(name));
        let needs = needs(view, statement);
        let found_later = needs.iter().filter(is_missing).find_map(|name| Some((name, later.made(at, name)?)));
        if let Some((name, line)) = found_later {
            let message = format!("it needs `{}`, which line {line} makes", name.shown());
            found.at(&OUT_OF_ORDER, statement.place(), message);
        }
        column_comes_later(view, at, &later, &world, found);
        world.apply_one(statement);
    }
}

/// What a file makes, and at which of its statements and lines.
#[derive(Default)]
struct Later<'s> {
    objects: HashMap<&'s str, Vec<(usize, u32, &'s Name)>>,
    /// By table.
    columns: HashMap<&'s str, Vec<(usize, u32, &'s Name, &'s Name)>>,
}

impl<'s> Later<'s> {
    fn of(statements: &'s [Shaped<'s>]) -> Later<'s> {
        let mut later = Later::default();
        for (at, statement) in statements.iter().enumerate() {
            match &statement.shape {
                Shape::Create(create) => {
                    if let Some(name) = &create.name {
                        later.objects.entry(&name.name).or_default().push((at, statement.place().line, name));
                    }
                }
                Shape::AlterTable(alter) => {
                    for (action, place) in &alter.actions {
                        let Action::AddColumn { column, .. } = action else { continue };
                        let of_table = later.columns.entry(&alter.table.name).or_default();
                        of_table.push((at, place.line, &alter.table, &column.name));
                    }
                }
                _ => {}
            }
        }
        later
    }

    /// The line that makes an object after the statement at `at`.
    fn made(&self, at: usize, name: &Name) -> Option<u32> {
        let made = self.objects.get(name.name.as_str())?;
        made.iter().find(|(made_at, _, made)| *made_at > at && made.is(name)).map(|(_, line, _)| *line)
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
            let refers = token.is_word(text, "REFERENCES") && dialect == Dialect::Postgres;
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
fn column_comes_later(view: &View<'_>, at: usize, later: &Later<'_>, world: &World, found: &mut Findings<'_>) {
    let statement = &view.statements[at];
    let table = match &statement.shape {
        Shape::Create(create) => create.on.as_ref(),
        Shape::Insert(insert) => Some(&insert.table),
        Shape::Update(table) | Shape::Delete { table, .. } => Some(table),
        _ => None,
    };
    let Some(table) = table else { return };
    let Some(added) = later.columns.get(table.name.as_str()) else { return };
    let mentions = |column: &Name| {
        statement.tokens().iter().any(|token| {
            matches!(token.kind, TokenKind::Word | TokenKind::QuotedName)
                && token.name(view.text(), view.file.dialect).is_some_and(|name| name == column.name)
        })
    };
    let known = |column: &Name| world.table(table).is_some_and(|table| table.column_type(&column.name).is_some());
    let found_later = added
        .iter()
        .find(|(added_at, _, of, column)| *added_at > at && of.is(table) && mentions(column) && !known(column));
    if let Some((_, line, _, column)) = found_later {
        let message = format!("it needs the column `{}`, which line {line} adds", column.name);
        found.at(&OUT_OF_ORDER, statement.place(), message);
    }
}
