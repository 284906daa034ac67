//! One object from its row and its residue (`docs/residue.md`, Writing an object again).

use compact_str::ToCompactString;

use crate::model::{Row, Value};
use crate::node::{self, Node};

use super::layout::{Gives, Shape, Source};
use super::parts::{used_up, Place, Said};
use super::respell::{respell, Fit};
use super::spelling::spell;

/// The object that a row and its residue say together. `stem` is a user's `id`.
pub fn object(
    shape: &Shape,
    mut said: Said,
    row: &Row,
    stem: Option<&str>,
    place: Place,
) -> Result<Node, super::RebuildError> {
    let mut members = Vec::with_capacity(shape.members.len());
    for (name, source) in &shape.members {
        let value = match (said.kept.take(name), source) {
            (Some(kept), _) => kept,
            (None, Source::Id) => match (stem, said.id.take()) {
                (Some(stem), None) => Node::text(stem),
                (None, Some(id)) => id,
                _ => return Err(place.bad("the `id` of an object that has none, or two")),
            },
            (None, Source::Column(at, gives)) => {
                let value = row.0.get(*at).unwrap_or(&Value::Null);
                let how = said.respelled.take(name);
                from_column(value, *gives, how, Fit::Exact).map_err(|why| place.bad(format!("{name}: {why}")))?
            }
            (None, Source::Kept) => return Err(place.bad("a member that nothing gives")),
        };
        members.push((name.clone(), value));
    }
    used_up(&said, place)?;
    Ok(Node::Map(members))
}

/// The member that a column gives.
pub fn from_column(value: &Value, gives: Gives, how: Option<Node>, fit: Fit) -> Result<Node, &'static str> {
    if how.is_some() && !matches!(gives, Gives::Map | Gives::Any) && fit == Fit::Exact {
        return Err("a respelling where no JSON is");
    }
    Ok(match (gives, value) {
        (_, Value::Null) if how.is_none() || fit == Fit::Loose => Node::Null,
        (Gives::Text, Value::Text(text)) => Node::text(text),
        (Gives::From, Value::Text(role)) => Node::text(match role.as_str() {
            "user" => "lead",
            "assistant" => "bot",
            role => role,
        }),
        // Most maps are empty.
        (Gives::Map, Value::Json(text)) if text == "{}" && how.is_none() => Node::List(Vec::new()),
        (Gives::Map, Value::Json(text)) => match json(text)? {
            Node::Map(members) if members.is_empty() && (how.is_none() || fit == Fit::Loose) => Node::List(Vec::new()),
            value => respell(value, how.as_ref(), fit)?,
        },
        (Gives::Any, Value::Json(text)) => respell(json(text)?, how.as_ref(), fit)?,
        (Gives::Number, Value::Int(number)) => Node::Number(number.to_compact_string()),
        (Gives::Time(spelling), Value::Time(instant)) => Node::Text(spell(*instant, spelling).into()),
        (Gives::Address, Value::Inet(address)) => Node::Text(address.to_compact_string()),
        // Whom it means is kept, unless somebody edited it and it is said anew.
        (Gives::Reference, Value::Uuid(id)) if fit == Fit::Loose => Node::Text(id.to_compact_string()),
        (Gives::Reference, Value::Reference(name)) if fit == Fit::Loose && !name.is_empty() => Node::text(name),
        (Gives::Reference, Value::Uuid(_) | Value::Reference(_)) => Node::Null,
        _ => return Err("the column holds something of another type"),
    })
}

fn json(text: &str) -> Result<Node, &'static str> {
    match node::parse(text.as_bytes()) {
        Ok((value, false)) => Ok(value),
        _ => Err("the column holds no JSON"),
    }
}
