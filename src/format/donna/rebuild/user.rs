//! Layout 4: `users/<id>.json`.

use crate::format::proof::{Held, Piece, RebuildError, TakePiece};
use crate::model::{Instant, Row, Value};
use crate::node::Node;

use super::layout::USER;
use super::parts::{Part, Parts};
use super::spelling::uniqid;
use super::{column, edited, object, roles};

/// Columns of `users`.
const CREATED: usize = 6;
const UPDATED: usize = 7;
const ACTIVE: usize = 8;

pub fn rebuild(held: &Held, parts: &mut Parts, take: &mut TakePiece) -> Result<(), RebuildError> {
    let Part { place, mut about, added, shapes, rows, .. } = parts.first(&USER)?;
    parts.end()?;
    let [file] = &held.files[..] else { return Err(place.bad("a user has one file")) };
    let source = about.take_source(&["updated_at", "last_active_at", "uniqid", "mtime"])?;
    let is_list = match about.take("list") {
        None => false,
        Some(Node::Bool(true)) => true,
        Some(_) => return Err(place.bad("`list` is not true")),
    };
    for file in about.take_marks(&roles(held))? {
        take(Piece::Mark { file })?;
    }
    about.finish()?;
    let mut rows = rows.into_iter();
    let (Some((row, said)), None) = (rows.next(), rows.next()) else {
        return Err(place.bad("a user has one row"));
    };
    let place = place.of(row.id);
    let shape = &shapes[said.shape];
    if is_list && !shape.members.is_empty() {
        return Err(place.bad("a list with members"));
    }
    let name = file.path.file_name().to_str().and_then(|name| name.strip_suffix(".json"));
    let stem = name.ok_or_else(|| place.bad("the file's name is no user's"))?;
    let Some(data) = row.row else { return Ok(()) };
    let value = if row.edited || added {
        let absent = |name: &str| absent(name, &data, source, stem, held.base_time);
        edited::object(&USER, shape, said, &data, Some(stem), &absent, place)?
    } else {
        object::object(shape, said, &data, Some(stem), place)?
    };
    let value = match value {
        Node::Map(members) if is_list && members.is_empty() => Node::List(Vec::new()),
        value => value,
    };
    Ok(take(Piece::Whole { file: 0, value })?)
}

/// What a column holds when the file does not say it.
fn absent(name: &str, row: &Row, source: Option<&str>, stem: &str, base_time: Instant) -> Value {
    match name {
        "profile" | "preferences" => Value::Json("{}".into()),
        "status" => Value::Text("active".into()),
        "updated_at" => column(row, CREATED),
        "created_at" => match source {
            Some("updated_at") => column(row, UPDATED),
            Some("last_active_at") => column(row, ACTIVE),
            Some("uniqid") => Value::time_or_null(uniqid(stem)),
            Some(_) => Value::Time(base_time),
            None => Value::Null,
        },
        _ => Value::Null,
    }
}
