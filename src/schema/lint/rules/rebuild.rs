//! The way to change what ALTER TABLE cannot: a new table is made, the rows are moved, the old table
//! is dropped and the new one takes its name. Nothing is lost by that.

use crate::schema::lint::shape::{Action, Name, Shape, Shaped, Source};

/// Whether the statement at `at` drops a table whose rows were all moved to one that takes its name.
pub fn is_rebuilt(statements: &[Shaped<'_>], at: usize, dropped: &Name) -> bool {
    let moved_to = |statement: &Shaped<'_>| match &statement.shape {
        Shape::Insert(insert) => match &insert.source {
            Source::Tables { from, all: true } if from.iter().any(|table| table.is(dropped)) => {
                Some(insert.table.clone())
            }
            _ => None,
        },
        _ => None,
    };
    let Some(heir) = statements[..at].iter().find_map(moved_to) else { return false };
    statements[at + 1..].iter().any(|statement| match &statement.shape {
        Shape::AlterTable(alter) if alter.table.is(&heir) => {
            alter.actions.iter().any(|(action, _)| matches!(action, Action::RenameTo(to) if to.name == dropped.name))
        }
        _ => false,
    })
}
