//! One value of one row of the application's tables becomes another.

use transload::format::donna::tables::{CHAT_SESSIONS, MESSAGES, TABLES, USERS, USER_MEMORY};
use transload::model::{Row, Table, Value};
use transload::verify::outcome::Cause;
use uuid::Uuid;

use crate::edits::{self, Edit, EDITED};
use crate::mutation::Mutation;
use crate::support::chance::Chance;
use crate::world::World;

/// Columns that the tables want filled.
const FILLED: [(&str, &str); 11] = [
    ("chat_sessions", "chat_id"),
    ("messages", "role"),
    ("messages", "content"),
    ("messages", "sequence_number"),
    ("messages", "chat_session_id"),
    ("user_memory", "memory_type"),
    ("user_memory", "key"),
    ("user_memory", "value"),
    ("user_memory", "user_id"),
    ("system_logs", "level"),
    ("system_logs", "message"),
];

/// An edit of a column.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    pub table: &'static Table,
    pub column: usize,
    pub edit: Edit,
}

/// Every edit of every column that is neither id nor reference.
pub fn all() -> Vec<Cell> {
    let mut cells = Vec::new();
    for table in TABLES {
        for (column, about) in table.columns.iter().enumerate().skip(1) {
            if about.reference.is_none() && table.parent != Some(column) {
                let filled = FILLED.contains(&(table.name, about.name));
                let fits = |edit: &Edit| edit.fits(about.kind) && !(filled && *edit == Edit::Null);
                let fitting = edits::ALL.into_iter().filter(fits);
                cells.extend(fitting.map(|edit| Cell { table, column, edit }));
            }
        }
    }
    cells
}

impl Cell {
    /// Does it to some row; `None` if no row was found that it fits.
    pub fn mutation(&self, world: &World, chance: &mut Chance) -> Option<Mutation> {
        let rows = world.owned(self.table);
        let column = &self.table.columns[self.column];
        let filled = FILLED.contains(&(self.table.name, column.name));
        let start = chance.below(rows.len() as u64) as usize;
        for row in rows[start..].iter().chain(&rows[..start]) {
            let value = &row.0[self.column];
            let edited = match value {
                Value::Null => edits::instead_of_null(column, self.edit),
                value => edits::edited(value, self.edit, chance),
            };
            let Some((edited, causes)) = edited else { continue };
            let long = |text: &str| column.max_chars.is_some_and(|most| text.chars().count() > most);
            if (edited == Value::Null && filled) || edited.as_text().is_some_and(long) {
                continue;
            }
            let mut after = (*row).clone();
            after.0[self.column] = edited.clone();
            if self.table.natural_key.contains(&self.column) && is_taken(world, self.table, &after) {
                continue;
            }
            let mut mutation = self.of(world, row, &edited);
            let edited = |cause: &Cause| if *cause == EDITED { Cause::EditedInDatabase } else { *cause };
            mutation.causes = causes.iter().map(edited).collect();
            return Some(mutation);
        }
        None
    }

    fn of(&self, world: &World, row: &Row, edited: &Value) -> Mutation {
        let column = self.table.columns[self.column].name;
        let doc = world.doc_of(row.id()).expect("the row is a document's");
        let short = |value: &Value| format!("{value:?}").chars().take(60).collect::<String>();
        let what = format!(
            "{:?} in {}.{column}, {} to {}",
            self.edit,
            self.table.name,
            short(&row.0[self.column]),
            short(edited)
        );
        // Others find the user by this key, or did.
        let lost = match *self.table == USERS && column == "clerk_id" {
            true => world.meaning_another(row, edited),
            false => Default::default(),
        };
        let claims = self.table.natural_key.contains(&self.column).then(|| edited.as_text()).flatten();
        Mutation {
            what,
            sql: vec![world.dialect.set(self.table, row, self.column, edited)],
            documents: vec![doc.id],
            row: Some(row.id()),
            column: Some(column),
            alone: true,
            lost,
            claims: claims.map(|text| (self.table.name, text.to_owned())),
            ..Mutation::default()
        }
    }
}

/// Whether another row has this one's natural key.
fn is_taken(world: &World, table: &Table, row: &Row) -> bool {
    if table.natural_key.iter().any(|at| row.0[*at] == Value::Null) || table.natural_key.is_empty() {
        return false;
    }
    let same = |other: &Row| table.natural_key.iter().all(|at| other.0[*at] == row.0[*at]);
    world.rows.iter().any(|((name, id), other)| *name == table.name && *id != row.id() && same(other))
}

/// References that point elsewhere.
pub const REFERENCES: [fn(&World, &mut Chance) -> Option<Mutation>; 8] = [
    |world, chance| refer(world, chance, &CHAT_SESSIONS, "user_id", &USERS, To::Another),
    |world, chance| refer(world, chance, &CHAT_SESSIONS, "user_id", &USERS, To::Nothing),
    |world, chance| refer(world, chance, &CHAT_SESSIONS, "user_id", &USERS, To::Null),
    |world, chance| refer(world, chance, &USER_MEMORY, "user_id", &USERS, To::Another),
    |world, chance| refer(world, chance, &USER_MEMORY, "user_id", &USERS, To::Nothing),
    |world, chance| refer(world, chance, &MESSAGES, "chat_session_id", &CHAT_SESSIONS, To::Another),
    |world, chance| refer(world, chance, &MESSAGES, "chat_session_id", &CHAT_SESSIONS, To::Nothing),
    |world, chance| refer(world, chance, &CHAT_SESSIONS, "user_id", &USERS, To::SomebodyForNobody),
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum To {
    Another,
    Nothing,
    Null,
    SomebodyForNobody,
}

fn refer(
    world: &World,
    chance: &mut Chance,
    table: &'static Table,
    column: &'static str,
    target: &'static Table,
    to: To,
) -> Option<Mutation> {
    let at = table.column(column).expect("a known column");
    let is_null = to == To::SomebodyForNobody;
    let rows: Vec<&Row> = world.owned(table).into_iter().filter(|row| (row.0[at] == Value::Null) == is_null).collect();
    let row = rows.get(chance.below(rows.len() as u64) as usize)?;
    let doc = world.doc_of(row.id())?;
    let others = world.owned(target);
    let other = others[chance.below(others.len() as u64) as usize];
    let (value, causes) = match to {
        To::Another | To::SomebodyForNobody => (Value::Uuid(other.id()), vec![Cause::ForeignId]),
        To::Nothing => (Value::Uuid(nobody(chance)), vec![Cause::Dangling, Cause::ForeignId]),
        To::Null => (Value::Null, vec![Cause::ForeignId, Cause::EditedInDatabase, Cause::Null]),
    };
    let mut after = Row::clone(row);
    after.0[at] = value.clone();
    if value == row.0[at] || is_taken(world, table, &after) {
        return None;
    }
    let mut also = match to {
        // It has a row more.
        To::Another => world.referring(other.id()),
        _ => Default::default(),
    };
    also.extend(world.doc_of(other.id()).filter(|_| to == To::Another).map(|doc| doc.id));
    also.remove(&doc.id);
    Some(Mutation {
        what: format!("{}.{column} refers to {to:?}", table.name),
        sql: vec![world.dialect.set(table, row, at, &value)],
        documents: vec![doc.id],
        causes,
        row: Some(row.id()),
        column: Some(column),
        also,
        ..Mutation::default()
    })
}

/// An id that no row has.
pub fn nobody(chance: &mut Chance) -> Uuid {
    uuid::Builder::from_random_bytes(((u128::from(chance.next()) << 64) | u128::from(chance.next())).to_be_bytes())
        .into_uuid()
}
