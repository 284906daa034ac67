//! Layouts 5 and 6: a user's memory, by type and key, flat, or both in one file; and layout 7,
//! which says no rows.

use std::collections::HashSet;

use crate::format::proof::{Cell, Expected, Facts, TakeExpected};
use crate::format::Open;
use crate::model::{ids, Instant, Value};
use crate::node::{push_pointer, Node};

use super::super::layout::is_swapped;
use super::super::tables::USER_MEMORY;
use super::object::{check_key, json, Object};
use super::{give, when, whole_value, Halt, Trouble};

pub fn expect(facts: &Facts, open: &Open, take: &mut TakeExpected) -> Result<(), Halt> {
    let file = whole_value(open, 0)?;
    let flat_time = flat_time(&file, facts);
    let members = match file {
        Node::Map(members) => members,
        Node::List(items) if items.is_empty() => Vec::new(),
        _ => return Err(Trouble::shape("", "expected a map").halt(0)),
    };
    if is_swapped(facts.key) && !members.is_empty() {
        return Err(Trouble::shape("", "key and value stand in each other's place").halt(0));
    }
    // The new writer leaves an old file's members where they are, so one by one they are either.
    let only_types = members.iter().all(|(_, member)| match member {
        Node::Map(_) => true,
        Node::List(items) => items.iter().all(is_entry),
        _ => false,
    });
    let mut rows = Rows { facts, seen: HashSet::new() };
    let mut row = |row: Result<Expected, Trouble>| give(take, row.map_err(|trouble| trouble.halt(0))?);
    for (name, member) in members {
        match member {
            Node::Map(entries) if only_types || holds_entries(entries.iter().map(|(_, entry)| entry)) => {
                entries.into_iter().try_for_each(|(key, entry)| row(rows.typed(&name, &key, entry)))?;
            }
            // PHP's list of a map without keys, or with the keys "0", "1", ...
            Node::List(items) if only_types || holds_entries(items.iter()) => {
                let mut numbered = items.into_iter().enumerate();
                numbered.try_for_each(|(at, entry)| row(rows.typed(&name, &at.to_string(), entry)))?;
            }
            value => row(rows.flat(&name, value, flat_time))?,
        }
    }
    Ok(())
}

fn is_entry(node: &Node) -> bool {
    node.get("value").is_some()
}

fn holds_entries<'a>(mut nodes: impl ExactSizeIterator<Item = &'a Node>) -> bool {
    nodes.len() > 0 && nodes.all(is_entry)
}

/// When a flat file's members were written: it may say so in one of them. What is no time there is
/// a value like any other.
fn flat_time(file: &Node, facts: &Facts) -> Instant {
    let said = |name| file.get(name).and_then(|member| when::instant(member, &facts.zone));
    said("last_interaction").or_else(|| said("anonymized_at")).unwrap_or(facts.base_time)
}

struct Rows<'a> {
    facts: &'a Facts<'a>,
    /// Type and key of the rows so far: a flat member may be one that a type holds, too.
    seen: HashSet<(String, String)>,
}

impl Rows<'_> {
    fn typed(&mut self, kind: &str, key: &str, source: Node) -> Result<Expected, Trouble> {
        let mut pointer = String::new();
        push_pointer(&mut pointer, kind);
        push_pointer(&mut pointer, key);
        if !matches!(source, Node::Map(_)) {
            return Err(Trouble::shape(pointer, "expected a map"));
        }
        let object = Object { node: &source, pointer: &pointer, zone: &self.facts.zone };
        let Some(value) = source.get("value") else {
            return Err(Trouble::shape(pointer, "an entry without `value`"));
        };
        let value = Cell::from("value", json(value));
        let created = object.time_or("created_at", self.facts.base_time)?;
        let expires = object.time_cell("expires_at")?;
        self.row((kind, key), value, created, expires, pointer, source)
    }

    fn flat(&mut self, name: &str, source: Node, time: Instant) -> Result<Expected, Trouble> {
        let mut pointer = String::new();
        push_pointer(&mut pointer, name);
        let kind = if name == "preferences" { "preferences" } else { "profile" };
        let value = Cell::from(Cell::SOURCE, json(&source));
        let none = Cell::derived(Value::Null);
        self.row((kind, name), value, Cell::derived(Value::Time(time)), none, pointer, source)
    }

    fn row(
        &mut self,
        (kind, key): (&str, &str),
        value: Cell,
        created: Cell,
        expires: Cell,
        pointer: String,
        source: Node,
    ) -> Result<Expected, Trouble> {
        check_key(kind, 100, &pointer)?;
        check_key(key, 255, &pointer)?;
        if !self.seen.insert((kind.to_owned(), key.to_owned())) {
            return Err(Trouble::shape(pointer, "the file holds this type and key twice"));
        }
        let user = self.facts.key;
        let id = ids::derive(&["user_memory", user, kind, key]);
        let cells = vec![
            Cell::derived(Value::Uuid(id)),
            Cell::derived(Value::Reference(user.to_owned())),
            Cell::derived(Value::Text(kind.to_owned())),
            Cell::derived(Value::Text(key.to_owned())),
            value,
            created.clone(),
            Cell::derived(created.value),
            expires,
        ];
        Ok(Expected { table: &USER_MEMORY, id, cells, file: 0, pointer, source })
    }
}
