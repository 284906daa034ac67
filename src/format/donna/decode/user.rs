//! Layout 4: `users/<id>.json`, a free map.

use crate::format::{DecodeContext, Emit, Open};
use crate::json::{Arena, Value as Json};
use crate::model::{ids, DecodeError, Decoded, Document, FileLayout, Note, Part, Row, Value};

use super::super::tables::USERS;
use super::content::{parse, send, whole};
use super::members::{Members, Origin};
use super::residue::PartResidue;
use super::time;

const SHAPE: &[&str] = &["id", "created_at", "updated_at"];

pub fn decode(
    document: &Document,
    open: &Open,
    context: &DecodeContext,
    emit: &mut Emit,
) -> Result<Decoded, DecodeError> {
    let arena = Arena::new();
    let (value, bom) = parse(whole(open, 0)?, 0, &arena)?;
    let mut residue = PartResidue::new(SHAPE);
    let mut members = Members::of(&value, Origin { file: 0, steps: &[] }, context)?;

    // The stem wins over the member; only a difference is worth keeping.
    let stem = document.path().as_path().file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let claimed = members.take("id");
    if claimed.is_some_and(|id| id.as_str() != Some(stem)) {
        members.keep("id");
    }
    let clerk_id = members.key_text("clerk_id", 255)?;
    let email = members.text("email", 255)?;
    let name = members.text("name", 255)?;
    let profile = members.map("profile")?;
    let preferences = members.map("preferences")?;
    let last_active = members.time("last_active_at", time::php)?;
    let claimed_update = members.time("updated_at", time::php)?;
    let (created, created_from) = match members.time("created_at", time::php)? {
        Some(created) => (created, None),
        None => match (claimed_update, last_active, time::from_uniqid(stem)) {
            (Some(updated), _, _) => (updated, Some("updated_at")),
            (None, Some(active), _) => (active, Some("last_active_at")),
            (None, None, Some(uniqid)) => (uniqid, Some("uniqid")),
            (None, None, None) => (context.base_time, Some("mtime")),
        },
    };
    for member in ["created_at", "updated_at", "status"] {
        // A null that the column does not show, because something stands there instead.
        if members.peek(member) == Some(&Json::Null) {
            members.keep(member);
        }
    }
    let status = members.text("status", 50)?;
    let (row_residue, mut notes) = members.finish();
    residue.push(row_residue);
    if let Some(source) = created_from {
        residue.about_document("created_at", format!("\"{source}\""));
    }
    if matches!(value, Json::Array(_)) {
        residue.about_document("list", "true");
    }
    let row = Row(vec![
        Value::Uuid(id(stem)),
        Value::text_or_null(clerk_id),
        Value::text_or_null(email),
        Value::text_or_null(name),
        map_column(profile),
        map_column(preferences),
        Value::Time(created),
        Value::Time(claimed_update.unwrap_or(created)),
        Value::time_or_null(last_active),
        Value::Text(status.unwrap_or_else(|| "active".into())),
    ]);
    if bom {
        notes.insert(0, Note { code: "bom", pointer: String::new() });
        residue.about_marks(&[document.files[0].role]);
    }
    send(emit, Part { table: &USERS, rows: vec![row], residue: residue.finish() })?;
    Ok(Decoded { files: vec![FileLayout { layout: "4 user", records: 1 }], notes })
}

/// The id of the user with this legacy id.
pub fn id(legacy: &str) -> uuid::Uuid {
    ids::as_uuid(legacy).unwrap_or_else(|| ids::derive(&["users", legacy]))
}

/// Absent: the column's default. Null: NULL.
pub fn map_column(map: Option<Option<String>>) -> Value {
    match map {
        None => Value::Json("{}".into()),
        Some(None) => Value::Null,
        Some(Some(text)) => Value::Json(text),
    }
}
