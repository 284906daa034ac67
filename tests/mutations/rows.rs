//! Rows of the application's tables are deleted, added, doubled, moved, swapped, or get other ids.

use std::collections::BTreeSet;

use transload::format::donna::tables::{CHAT_SESSIONS, MESSAGES, SYSTEM_LOGS, USERS, USER_MEMORY};
use transload::model::{ids, Row, Table, Value};
use transload::verify::outcome::Cause;
use uuid::Uuid;

use crate::cells::nobody;
use crate::mutation::Mutation;
use crate::support::chance::Chance;
use crate::world::{Doc, World};

pub const ALL: [fn(&World, &mut Chance) -> Option<Mutation>; 31] = [
    |world, chance| deleted(world, chance, &MESSAGES),
    |world, chance| deleted(world, chance, &CHAT_SESSIONS),
    |world, chance| deleted(world, chance, &USERS),
    |world, chance| deleted(world, chance, &USER_MEMORY),
    |world, chance| deleted(world, chance, &SYSTEM_LOGS),
    deleted_with_all_below,
    |world, chance| doubled(world, chance, &MESSAGES),
    |world, chance| doubled(world, chance, &SYSTEM_LOGS),
    |world, chance| doubled(world, chance, &USER_MEMORY),
    |world, chance| doubled(world, chance, &CHAT_SESSIONS),
    |world, chance| doubled(world, chance, &USERS),
    message_more,
    memory_of_a_user_without_any,
    |world, chance| other_id(world, chance, &MESSAGES),
    |world, chance| other_id(world, chance, &CHAT_SESSIONS),
    |world, chance| other_id(world, chance, &USERS),
    |world, chance| other_id(world, chance, &USER_MEMORY),
    |world, chance| other_id(world, chance, &SYSTEM_LOGS),
    chat_with_all_below_under_another_id,
    |world, chance| swapped(world, chance, "content"),
    |world, chance| swapped(world, chance, "sequence_number"),
    |world, chance| swapped(world, chance, "created_at"),
    |world, chance| swapped(world, chance, "role"),
    |world, chance| swapped(world, chance, "id"),
    moved_and_renumbered,
    rotated,
    |world, chance| placeholder(world, chance, Some(("name", Value::Text("x".into())))),
    |world, chance| placeholder(world, chance, Some(("profile", Value::Json("{\"a\":1}".into())))),
    |world, chance| placeholder(world, chance, Some(("clerk_id", Value::Text("x".into())))),
    |world, chance| placeholder(world, chance, Some(("status", Value::Text("active".into())))),
    |world, chance| placeholder(world, chance, None),
];

fn pick<'w>(world: &'w World, chance: &mut Chance, table: &'static Table) -> Option<(&'w Row, &'w Doc)> {
    let rows = world.owned(table);
    let row = rows.get(chance.below(rows.len() as u64) as usize)?;
    Some((row, world.doc_of(row.id())?))
}

fn without(mut documents: BTreeSet<Uuid>, own: &Doc) -> BTreeSet<Uuid> {
    documents.remove(&own.id);
    documents
}

fn deleted(world: &World, chance: &mut Chance, table: &'static Table) -> Option<Mutation> {
    let (row, doc) = pick(world, chance, table)?;
    Some(Mutation {
        what: format!("a row of {} is deleted", table.name),
        sql: vec![world.dialect.delete(table, row)],
        documents: vec![doc.id],
        causes: vec![Cause::MissingRow],
        row: Some(row.id()),
        also: without(world.referring(row.id()), doc),
        ..Mutation::default()
    })
}

fn deleted_with_all_below(world: &World, chance: &mut Chance) -> Option<Mutation> {
    let (row, doc) = pick(world, chance, &CHAT_SESSIONS)?;
    let below = format!("DELETE FROM messages WHERE chat_session_id = '{}'", row.id());
    Some(Mutation {
        what: "a chat is deleted with its messages".into(),
        sql: vec![below, world.dialect.delete(&CHAT_SESSIONS, row)],
        documents: vec![doc.id],
        causes: vec![Cause::MissingRow, Cause::MissingDocument],
        ..Mutation::default()
    })
}

/// The same values under another id; what has to be unique gets something behind it.
fn doubled(world: &World, chance: &mut Chance, table: &'static Table) -> Option<Mutation> {
    let (row, doc) = pick(world, chance, table)?;
    let mut double = row.clone();
    double.0[0] = Value::Uuid(nobody(chance));
    for &at in table.natural_key {
        if let Value::Text(text) = &mut double.0[at] {
            *text = format!("{text}+");
            if text.chars().count() > table.columns[at].max_chars.unwrap_or(usize::MAX) {
                return None;
            }
        }
    }
    // A chat or user of its own belongs to no document; what stands below one does.
    let key = table.natural_key.first().and_then(|at| double.0[*at].as_text());
    let of_its_own = match table.name {
        "users" => Some(ids::document("users", key.unwrap_or(&double.id().to_string()))),
        "chat_sessions" => Some(ids::document("chats", key.unwrap_or(&double.id().to_string()))),
        "system_logs" => Some(ids::document("logs", &double.id().to_string())),
        _ => None,
    };
    Some(Mutation {
        what: format!("a row of {} is doubled", table.name),
        sql: vec![world.dialect.insert(table, &double)],
        documents: vec![of_its_own.unwrap_or(doc.id)],
        causes: vec![Cause::ExtraRow],
        row: Some(double.id()),
        alone: true,
        ..Mutation::default()
    })
}

fn message_more(world: &World, chance: &mut Chance) -> Option<Mutation> {
    let (row, doc) = pick(world, chance, &CHAT_SESSIONS)?;
    let count = row.0[CHAT_SESSIONS.column("message_count")?].as_int()?;
    let id = nobody(chance);
    let message = Row(vec![
        Value::Uuid(id),
        Value::Uuid(row.id()),
        Value::Text("user".into()),
        Value::Text("one more".into()),
        Value::Json("{}".into()),
        Value::Time(row.0[6].as_time()?),
        Value::Int(count + 1),
        Value::Null,
        Value::Bool(false),
    ]);
    Some(Mutation {
        what: "a message more in the database".into(),
        sql: vec![world.dialect.insert(&MESSAGES, &message)],
        documents: vec![doc.id],
        causes: vec![Cause::ExtraRow],
        row: Some(id),
        alone: true,
        ..Mutation::default()
    })
}

fn memory_of_a_user_without_any(world: &World, chance: &mut Chance) -> Option<Mutation> {
    let has_memory = |id: Uuid| world.docs.iter().any(|doc| doc.kind == "memory" && doc.row == Some(id));
    let (user, _) = pick(world, chance, &USERS)?;
    let (entry, _) = pick(world, chance, &USER_MEMORY)?;
    if has_memory(user.id()) {
        return None;
    }
    let mut entry = entry.clone();
    entry.0[0] = Value::Uuid(nobody(chance));
    entry.0[1] = Value::Uuid(user.id());
    Some(Mutation {
        what: "a memory entry of a user without a memory file".into(),
        sql: vec![world.dialect.insert(&USER_MEMORY, &entry)],
        documents: vec![
            ids::document("memory", &user.id().to_string()),
            world.doc_of(user.id()).map_or(Uuid::nil(), |doc| ids::document("memory", &doc.key)),
        ],
        causes: vec![Cause::ExtraRow],
        row: Some(entry.id()),
        alone: true,
        ..Mutation::default()
    })
}

/// The row's id alone: what refers to it does not find it any more.
fn other_id(world: &World, chance: &mut Chance, table: &'static Table) -> Option<Mutation> {
    let (row, doc) = pick(world, chance, table)?;
    let id = nobody(chance);
    // Without a natural key nothing tells that it is the same row.
    let key = table.natural_key.first().map(|at| &row.0[*at]);
    let causes = match (table.name, key) {
        ("users", Some(Value::Null)) | ("system_logs", _) => vec![Cause::ForeignId, Cause::MissingRow],
        _ => vec![Cause::ForeignId],
    };
    let mut also = without(world.referring(row.id()), doc);
    // Under its new id the row may be nobody's.
    also.insert(ids::document("users", &id.to_string()));
    also.insert(ids::document("logs", &id.to_string()));
    Some(Mutation {
        what: format!("a row of {} gets another id", table.name),
        sql: vec![world.dialect.set(table, row, 0, &Value::Uuid(id))],
        documents: vec![doc.id],
        causes,
        also,
        ..Mutation::default()
    })
}

fn chat_with_all_below_under_another_id(world: &World, chance: &mut Chance) -> Option<Mutation> {
    let (row, doc) = pick(world, chance, &CHAT_SESSIONS)?;
    let id = nobody(chance);
    let below = format!("UPDATE messages SET chat_session_id = '{id}' WHERE chat_session_id = '{}'", row.id());
    Some(Mutation {
        what: "a chat and all below it get another id".into(),
        sql: vec![below, world.dialect.set(&CHAT_SESSIONS, row, 0, &Value::Uuid(id))],
        documents: vec![doc.id],
        causes: vec![Cause::ForeignId],
        row: Some(id),
        ..Mutation::default()
    })
}

/// The messages of a chat, in their order.
fn messages<'w>(world: &'w World, doc: &Doc) -> Vec<&'w Row> {
    let of_table = doc.rows.iter().filter(|(table, _)| **table == MESSAGES);
    of_table.map(|(table, id)| world.row(table, *id)).collect()
}

/// Two messages of one chat exchange what a column holds.
fn swapped(world: &World, chance: &mut Chance, column: &'static str) -> Option<Mutation> {
    let (_, doc) = pick(world, chance, &CHAT_SESSIONS)?;
    let messages = messages(world, doc);
    let at = MESSAGES.column(column)?;
    let first = *messages.get(chance.below(messages.len() as u64) as usize)?;
    let second = *messages.iter().find(|other| other.0[at] != first.0[at])?;
    let dialect = world.dialect;
    let (sql, causes) = match column {
        "id" => {
            let between = nobody(chance);
            let mut moved = first.clone();
            moved.0[0] = Value::Uuid(between);
            let sql = vec![
                dialect.set(&MESSAGES, first, 0, &Value::Uuid(between)),
                dialect.set(&MESSAGES, second, 0, &first.0[0]),
                dialect.set(&MESSAGES, &moved, 0, &second.0[0]),
            ];
            (sql, vec![Cause::Reordered])
        }
        _ => {
            let sql = vec![
                dialect.set(&MESSAGES, first, at, &second.0[at]),
                dialect.set(&MESSAGES, second, at, &first.0[at]),
            ];
            (sql, vec![Cause::Reordered])
        }
    };
    Some(Mutation {
        what: format!("two messages exchange {column}"),
        sql,
        documents: vec![doc.id],
        causes,
        row: Some(second.id()),
        column: (column != "id").then_some(column),
        ..Mutation::default()
    })
}

/// A message goes to another chat and stands there at the end.
fn moved_and_renumbered(world: &World, chance: &mut Chance) -> Option<Mutation> {
    let (row, doc) = pick(world, chance, &MESSAGES)?;
    let (other, other_doc) = pick(world, chance, &CHAT_SESSIONS)?;
    if other_doc.id == doc.id {
        return None;
    }
    let count = other.0[CHAT_SESSIONS.column("message_count")?].as_int()?;
    let sequence = MESSAGES.column("sequence_number")?;
    let sql = vec![
        world.dialect.set(&MESSAGES, row, 1, &Value::Uuid(other.id())),
        world.dialect.set(&MESSAGES, row, sequence, &Value::Int(count + 1)),
    ];
    Some(Mutation {
        what: "a message moves to another chat".into(),
        sql,
        documents: vec![doc.id],
        causes: vec![Cause::ForeignId, Cause::MissingRow],
        row: Some(row.id()),
        also: [other_doc.id].into(),
        ..Mutation::default()
    })
}

/// All messages of a chat move on by one place.
fn rotated(world: &World, chance: &mut Chance) -> Option<Mutation> {
    let (_, doc) = pick(world, chance, &CHAT_SESSIONS)?;
    let messages = messages(world, doc);
    let sequence = MESSAGES.column("sequence_number")?;
    if messages.len() < 3 {
        return None;
    }
    let next = |at: usize| &messages[(at + 1) % messages.len()].0[sequence];
    let set = |(at, message): (usize, &&Row)| world.dialect.set(&MESSAGES, message, sequence, next(at));
    Some(Mutation {
        what: "all messages of a chat move on by one".into(),
        sql: messages.iter().enumerate().map(set).collect(),
        documents: vec![doc.id],
        causes: vec![Cause::Reordered],
        column: Some("sequence_number"),
        ..Mutation::default()
    })
}

/// The row of a user that no file describes is edited, or deleted.
fn placeholder(world: &World, chance: &mut Chance, edit: Option<(&'static str, Value)>) -> Option<Mutation> {
    let is_placeholder = |row: &&Row| row.0.last().and_then(Value::as_text) == Some("placeholder");
    let mut rows: Vec<&Row> = world
        .rows
        .iter()
        .filter(|((table, _), _)| *table == "users")
        .map(|(_, row)| row)
        .filter(is_placeholder)
        .collect();
    rows.retain(|row| !world.owners.contains_key(&row.id()));
    rows.sort_by_key(|row| row.id());
    let row = *rows.get(chance.below(rows.len() as u64) as usize)?;
    let referring = world.referring(row.id());
    let mut documents: Vec<Uuid> = referring.iter().copied().collect();
    documents.push(ids::document("users", &row.id().to_string()));
    documents.push(Uuid::nil());
    let mut lost = BTreeSet::new();
    let mut claims = None;
    let (what, sql, causes) = match edit {
        Some((column, value)) => {
            if column == "clerk_id" {
                lost = world.meaning_another(row, &value);
                claims = value.as_text().map(|text| (USERS.name, text.to_owned()));
            }
            let at = USERS.column(column)?;
            let sql = world.dialect.set(&USERS, row, at, &value);
            (format!("{column} of a placeholder"), sql, vec![Cause::EditedInDatabase, Cause::ExtraRow])
        }
        None => {
            let sql = world.dialect.delete(&USERS, row);
            ("a placeholder is deleted".into(), sql, vec![Cause::Dangling])
        }
    };
    let also = world.of_user(row.id()).into_iter().collect();
    Some(Mutation { what, sql: vec![sql], documents, causes, also, lost, claims, ..Mutation::default() })
}
