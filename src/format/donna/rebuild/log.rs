//! Layout 12: `logs/<level>.log`, one object a line.

use crate::format::proof::{Held, Piece, RebuildError, TakePiece};
use crate::model::Value;

use super::layout::LINE;
use super::parts::{Part, Parts};
use super::{column, edited, object, roles};

/// The column `created_at`.
const CREATED: usize = 8;

pub fn rebuild(held: &Held, parts: &mut Parts, take: &mut TakePiece) -> Result<(), RebuildError> {
    let mut part = parts.first(&LINE)?;
    let [file] = &held.files[..] else { return Err(part.place.bad("a log has one file")) };
    let level = level_of(&file.path.file_name().to_string_lossy());
    for file in part.about.take_marks(&roles(held))? {
        take(Piece::Mark { file })?;
    }
    let mut line: u64 = 0;
    let mut before = Value::Time(held.base_time);
    loop {
        let Part { place, mut about, added, shapes, rows, .. } = part;
        if added {
            return Err(place.bad("lines that no file has"));
        }
        let is_bare = rows.is_empty() && place.part > 0;
        for (row, said) in rows {
            let place = place.of(row.id);
            let next = u64::saturating_add(line, 1);
            line = said.line.unwrap_or(next);
            if line < next {
                return Err(place.bad("lines in the wrong order"));
            }
            let Some(data) = row.row else { continue };
            let created = column(&data, CREATED);
            let shape = &shapes[said.shape];
            let value = if row.edited {
                let absent = |name: &str| match name {
                    "context" => Value::Json("{}".into()),
                    "level" => Value::Text(level.clone()),
                    "timestamp" => before.clone(),
                    _ => Value::Null,
                };
                edited::object(&LINE, shape, said, &data, None, &absent, place)?
            } else {
                object::object(shape, said, &data, None, place)?
            };
            before = created;
            take(Piece::Line { file: 0, row: row.id, number: line, value })?;
        }
        let count = match about.take("lines") {
            None => None,
            Some(count) => {
                let count = count.as_number().and_then(|count| count.parse().ok()).filter(|count| *count > line);
                Some(count.ok_or_else(|| place.bad("`lines` is no number of lines"))?)
            }
        };
        about.finish()?;
        if is_bare && count.is_none() {
            return Err(place.bad("a part without rows"));
        }
        match (parts.next(&LINE)?, count) {
            (None, count) => {
                take(Piece::Lines { file: 0, count: count.unwrap_or(line) })?;
                return Ok(());
            }
            (Some(next), None) => part = next,
            (Some(_), Some(_)) => return Err(place.bad("`lines` before the last part")),
        }
    }
}

/// The level that the file's name gives to lines that give none.
fn level_of(name: &str) -> String {
    name.split(['.', '-']).next().unwrap_or_default().chars().take(20).collect()
}
