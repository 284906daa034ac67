//! Layout 4: a user.

use crate::format::proof::{Cell, Expected, Facts, TakeExpected};
use crate::format::Open;
use crate::model::{ids, Value};
use crate::node::Node;

use super::super::tables::USERS;
use super::object::{check_key, Object};
use super::{give, when, whole_value, Halt, Trouble};

pub fn expect(facts: &Facts, open: &Open, take: &mut TakeExpected) -> Result<(), Halt> {
    let source = whole_value(open, 0)?;
    let stem = facts.files[0].0.as_path().file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let id = ids::as_uuid(stem).unwrap_or_else(|| ids::derive(&["users", stem]));
    let object = Object { node: &source, pointer: "", zone: &facts.zone };
    let mut cells = vec![object.named("id", stem, Value::Uuid(id))];
    cells.extend(columns(object, stem, facts).map_err(|trouble| trouble.halt(0))?);
    give(take, Expected { table: &USERS, id, cells, file: 0, pointer: String::new(), source })
}

fn columns(object: Object, stem: &str, facts: &Facts) -> Result<[Cell; 9], Trouble> {
    match object.node {
        Node::Map(_) => {}
        // A map without members, as PHP writes it.
        Node::List(items) if items.is_empty() => {}
        _ => return Err(Trouble::shape("", "expected a map")),
    }
    if let Some(clerk_id) = object.text("clerk_id")? {
        check_key(clerk_id, 255, "/clerk_id")?;
    }
    let active = object.time("last_active_at")?;
    let stand_in = object.time("updated_at")?.or(active).or_else(|| when::of_uniqid(stem)).unwrap_or(facts.base_time);
    let created = object.time("created_at")?.unwrap_or(stand_in);
    let status = object.cut_text("status", 50)?;
    Ok([
        object.text_cell("clerk_id")?,
        object.cut_text_cell("email", 255)?,
        object.cut_text_cell("name", 255)?,
        object.map_cell("profile")?,
        object.map_cell("preferences")?,
        object.time_or("created_at", stand_in)?,
        object.time_or("updated_at", created)?,
        object.time_cell("last_active_at")?,
        status.unwrap_or_else(|| Cell::derived(Value::Text("active".into()))),
    ])
}
