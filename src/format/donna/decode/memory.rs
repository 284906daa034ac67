//! Layouts 5, 6 and 7: `memory/<user>.json`.
//!
//! The new layout is type, key, entry. The old one is flat, and the new writer adds typed maps to
//! an old file without converting it, so one file can hold both. Layout 7 is refused.

use std::collections::HashSet;

use crate::format::{DecodeContext, Emit, Open};
use crate::json::{Arena, Value as Json};
use crate::model::{
    ids, DecodeError, Decoded, Document, FileLayout, FileRole, Flaw, Instant, Note, Part, Place, Reason, Row, Value,
};

use super::super::layout::is_swapped;
use super::super::tables::USER_MEMORY;
use super::content::{parse, send, whole};
use super::members::{check_key, json_column, Members, Origin, Step};
use super::residue::{self, respelling, PartResidue, RowResidue, Shape};
use super::time;

const ENTRY: &[&str] = &["value", "created_at", "expires_at"];

pub fn decode(
    document: &Document,
    open: &Open,
    context: &DecodeContext,
    emit: &mut Emit,
) -> Result<Decoded, DecodeError> {
    let stem = document.key.as_str();
    let role = document.files[0].role;
    let result = whole(open, 0).and_then(|bytes| decode_file(stem, role, bytes, context, emit));
    match result {
        Err(DecodeError::Flaw(flaw)) if is_swapped(stem) => Err(masked(flaw).into()),
        other => other,
    }
}

fn decode_file(
    stem: &str,
    role: FileRole,
    bytes: &[u8],
    context: &DecodeContext,
    emit: &mut Emit,
) -> Result<Decoded, DecodeError> {
    let arena = Arena::new();
    let (value, bom) = parse(bytes, 0, &arena)?;
    let top = Origin { file: 0, steps: &[] };
    let members = match &value {
        Json::Object(members) => *members,
        Json::Array([]) => &[],
        other => return Err(top.wrong_type(None, "an object", other).into()),
    };
    if is_swapped(stem) && !members.is_empty() {
        return Err(swapped().into());
    }
    let strict = members.iter().all(|(_, member)| is_map(member));
    let mut entries =
        Entries { stem, context, seen: HashSet::new(), rows: Vec::new(), residue: Vec::new(), notes: Vec::new() };
    let flat_time = flat_time(&value, context)?;
    let mut outline = Vec::new();
    let mut plain = true;
    for (name, member) in members {
        match member {
            Json::Object(keys) if strict || (!keys.is_empty() && keys.iter().all(|(_, entry)| is_entry(entry))) => {
                for (key, entry) in *keys {
                    entries.typed(name, key, entry)?;
                }
                plain &= !keys.is_empty();
                outline.push(if keys.is_empty() {
                    residue::object(&[(name, "{}".into())])
                } else {
                    residue::string(name)
                });
            }
            // PHP writes a map as a list when it is empty or its keys are "0", "1", ...
            Json::Array(items) if (strict && items.is_empty()) || is_list_of_entries(items) => {
                for (at, entry) in items.iter().enumerate() {
                    entries.typed(name, &at.to_string(), entry)?;
                }
                plain = false;
                outline.push(residue::object(&[(name, "[]".into())]));
            }
            flat => {
                plain = false;
                entries.flat(name, flat, flat_time)?;
                outline.push(residue::strings(&[name.to_string()]));
            }
        }
    }
    let Entries { rows, residue: row_residue, mut notes, .. } = entries;
    let records = rows.len() as u64;
    let mut rows = rows.into_iter().zip(row_residue).peekable();
    let mut first = true;
    // Even a file without entries has a part: the ledger says what the file was.
    while first || rows.peek().is_some() {
        let mut part = PartResidue::new(ENTRY);
        if first {
            if !plain || (matches!(value, Json::Object(_)) && members.is_empty()) {
                part.about_document("members", residue::array(&outline));
            }
            if bom {
                part.about_marks(&[role]);
            }
        }
        first = false;
        let mut cut = Vec::new();
        let mut weight = 0;
        while cut.len() < context.part_rows && weight < context.part_bytes {
            let Some((row, residue)) = rows.next() else { break };
            weight += row.weight();
            cut.push(row);
            part.push(residue);
        }
        send(emit, Part { table: &USER_MEMORY, rows: cut, residue: part.finish() })?;
    }
    if bom {
        notes.insert(0, Note { code: "bom", pointer: String::new() });
    }
    let layout = if strict { "6 memory" } else { "5 memory, old" };
    Ok(Decoded { files: vec![FileLayout { layout, records }], notes })
}

/// The rows of one file as they come together.
struct Entries<'a> {
    stem: &'a str,
    context: &'a DecodeContext,
    /// (type, key) of the rows so far: a flat member may claim what a typed one holds.
    seen: HashSet<(String, String)>,
    rows: Vec<Row>,
    residue: Vec<RowResidue<'a>>,
    notes: Vec<Note>,
}

impl<'a> Entries<'a> {
    fn typed(&mut self, kind: &str, key: &str, entry: &'a Json<'a>) -> Result<(), Flaw> {
        let steps = [Step::Key(kind), Step::Key(key)];
        let origin = Origin { file: 0, steps: &steps };
        if !matches!(entry, Json::Object(_)) {
            return Err(origin.wrong_type(None, "an object", entry));
        }
        let mut members = Members::of(entry, origin, self.context)?;
        let Some(value) = members.any_json("value")? else {
            return Err(origin.flaw(Reason::MissingMember, None, "an entry without `value`"));
        };
        let created = members.time("created_at", time::php)?;
        let expires = members.time("expires_at", time::php)?;
        if created.is_none() {
            members.keep("created_at");
        }
        let (residue, notes) = members.finish();
        self.notes.extend(notes);
        self.push(kind, key, value, (created.unwrap_or(self.context.base_time), expires), residue, origin)
    }

    fn flat(&mut self, name: &str, value: &Json, time: Instant) -> Result<(), Flaw> {
        let steps = [Step::Key(name)];
        let origin = Origin { file: 0, steps: &steps };
        let kind = if name == "preferences" { "preferences" } else { "profile" };
        let text = json_column(value, origin, None, self.context)?;
        let respelled = respelling(value).map(|difference| ("value", difference));
        let residue = RowResidue {
            // An entry's usual shape, so that it costs nothing: a flat member has no object.
            shape: Shape::Names(ENTRY),
            respelled: respelled.into_iter().collect(),
            ..RowResidue::default()
        };
        self.push(kind, name, text, (time, None), residue, origin)
    }

    fn push(
        &mut self,
        kind: &str,
        key: &str,
        value: String,
        (created, expires): (Instant, Option<Instant>),
        residue: RowResidue<'a>,
        origin: Origin,
    ) -> Result<(), Flaw> {
        check_key(kind, 100, origin, None)?;
        check_key(key, 255, origin, None)?;
        if !self.seen.insert((kind.to_owned(), key.to_owned())) {
            let detail = "the file holds this type and key twice, once flat and once typed";
            return Err(origin.flaw(Reason::DuplicateEntry, None, detail));
        }
        self.rows.push(Row(vec![
            Value::Uuid(ids::derive(&["user_memory", self.stem, kind, key])),
            Value::Reference(self.stem.to_owned()),
            Value::Text(kind.to_owned()),
            Value::Text(key.to_owned()),
            Value::Json(value),
            Value::Time(created),
            Value::Time(created),
            Value::time_or_null(expires),
        ]));
        self.residue.push(residue);
        Ok(())
    }
}

fn is_map(value: &Json) -> bool {
    match value {
        Json::Object(_) => true,
        Json::Array(items) => items.is_empty() || is_list_of_entries(items),
        _ => false,
    }
}

fn is_list_of_entries(items: &[Json]) -> bool {
    !items.is_empty() && items.iter().all(is_entry)
}

fn is_entry(value: &Json) -> bool {
    value.get("value").is_some()
}

/// When a flat file's values were written, as far as it tells: its last interaction, or when it
/// was anonymised; else the file's own time.
fn flat_time(value: &Json, context: &DecodeContext) -> Result<Instant, Flaw> {
    for name in ["last_interaction", "anonymized_at"] {
        if let Some(given @ (Json::String(_) | Json::Number(_))) = value.get(name) {
            // These stay values of their own, so nonsense is no reason to refuse the file.
            if let Some(instant) = time::instant(given, &context.zone) {
                return Ok(instant);
            }
        }
    }
    Ok(context.base_time)
}

fn swapped() -> Flaw {
    let detail = "its writer swapped the arguments: the payload stands where the key is due and the type where the \
                  value is due, so nothing here is what its place says";
    Flaw::new(Reason::SwappedArguments, 0, Place::at_pointer("/***/***"), detail)
}

/// The keys of layout 7 may be secrets, so no pointer shows them.
fn masked(mut flaw: Flaw) -> Flaw {
    if let Some(pointer) = &mut flaw.place.pointer {
        *pointer = "/***".repeat(pointer.matches('/').count());
    }
    flaw
}
