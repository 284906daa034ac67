//! Layout 12: `logs/<level>.log` and rotated `.gz`: one JSON object a line.

use core::net::IpAddr;
use std::io::{BufRead, BufReader, Read};

use flate2::read::MultiGzDecoder;

use crate::format::{DecodeContext, Emit, Open};
use crate::json;
use crate::model::{
    ids, Content, DecodeError, Decoded, Document, FileLayout, Flaw, Instant, Note, Part, Place, Reason, Row, Value,
};

use super::super::tables::SYSTEM_LOGS;
use super::content::{flaw, send};
use super::members::{Members, Origin, Step};
use super::residue::{PartResidue, RowResidue};
use super::time;
use super::user::map_column;

const LINE: &[&str] = &["timestamp", "level", "message", "trace_id", "context", "ip", "user_agent"];

/// The longest line in bytes: a line is held whole.
const LONGEST_LINE: usize = 32 * 1024 * 1024;

pub fn decode(
    document: &Document,
    open: &Open,
    context: &DecodeContext,
    emit: &mut Emit,
) -> Result<Decoded, DecodeError> {
    let path = document.path();
    let name = path.file_name().to_string_lossy();
    let compressed = name.ends_with(".gz");
    let raw: Box<dyn Read> = match open(0).map_err(|source| DecodeError::Read { file: 0, source })? {
        Content::Whole(bytes) => Box::new(bytes),
        Content::Stream(reader) => reader,
    };
    let mut lines = Lines {
        reader: if compressed {
            Box::new(BufReader::new(MultiGzDecoder::new(raw)))
        } else {
            Box::new(BufReader::new(raw))
        },
        compressed,
        number: 0,
        buffer: Vec::new(),
    };
    let level = level_of(&name);
    let path = path.to_text();
    let mut decoded = Decoded { files: vec![FileLayout { layout: "12 log", records: 0 }], notes: Vec::new() };
    let mut part = Vec::new();
    let mut part_residue = PartResidue::new(LINE);
    let mut weight = 0;
    let mut before = (0, context.base_time);
    let mut first = true;
    let mut arena = json::Arena::new();
    while let Some((number, line)) = lines.next()? {
        arena.reset();
        let (line, bom) = if number == 1 { json::strip_bom(line) } else { (line, false) };
        if bom {
            decoded.notes.push(Note { code: "bom", pointer: String::new() });
            part_residue.about_marks(&[document.files[0].role]);
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let value = json::parse(line, &arena).map_err(|error| flaw(&error, line, 0, (number, 1), None))?;
        let steps = [Step::Index(number as usize - 1)];
        let origin = Origin { file: 0, steps: &steps };
        let (mut row, mut residue, notes, created) =
            entry(&value, origin, level, before.1, context).map_err(|mut flaw| {
                flaw.place.line = Some(number);
                flaw.place.column = Some(1);
                flaw
            })?;
        row.0[0] = Value::Uuid(ids::derive(&["system_logs", &path, &number.to_string()]));
        residue.line = (number != before.0 + 1).then_some(number);
        before = (number, created);
        decoded.notes.extend(notes);
        decoded.files[0].records += 1;
        weight += row.weight();
        part.push(row);
        part_residue.push(residue);
        if part.len() >= context.part_rows || weight >= context.part_bytes {
            let residue = std::mem::replace(&mut part_residue, PartResidue::new(LINE)).finish();
            send(emit, Part { table: &SYSTEM_LOGS, rows: std::mem::take(&mut part), residue })?;
            weight = 0;
            first = false;
        }
    }
    if lines.number > before.0 {
        // The blank lines at the end have no row after them that would show their number.
        part_residue.about_document("lines", lines.number.to_string());
    }
    if first || !part.is_empty() || lines.number > before.0 {
        send(emit, Part { table: &SYSTEM_LOGS, rows: part, residue: part_residue.finish() })?;
    }
    Ok(decoded)
}

/// A line's row (its id still to be set), residue, notes and time.
fn entry<'a>(
    value: &'a json::Value<'a>,
    origin: Origin,
    level: &str,
    before: Instant,
    context: &DecodeContext,
) -> Result<(Row, RowResidue<'a>, Vec<Note>, Instant), Flaw> {
    if !matches!(value, json::Value::Object(_)) {
        return Err(origin.wrong_type(None, "an object", value));
    }
    let mut members = Members::of(value, origin, context)?;
    let created = members.time("timestamp", time::php)?;
    if created.is_none() {
        members.keep("timestamp");
    }
    let given_level = members.text("level", 20)?;
    if given_level.is_none() {
        members.keep("level");
    }
    let Some(message) = members.string("message")? else {
        return Err(origin.flaw(Reason::MissingMember, None, "a log line without `message`"));
    };
    let trace_id = members.text("trace_id", 255)?;
    let fields = members.map("context")?;
    let given_address = members.string("ip")?;
    let address = given_address.and_then(|text| text.parse::<IpAddr>().ok());
    if address.map(|address| address.to_string()).as_deref() != given_address {
        // "unknown" is how the writer says that there is none.
        members.keep("ip");
    }
    let user_agent = members.string("user_agent")?;
    let request_uri = members.string("request_uri")?;
    let created = created.unwrap_or(before);
    let row = Row(vec![
        Value::Null,
        Value::Text(given_level.unwrap_or_else(|| level.to_owned())),
        Value::Text(message.to_owned()),
        map_column(fields),
        Value::text_or_null(trace_id),
        address.map_or(Value::Null, Value::Inet),
        Value::text_or_null(user_agent),
        Value::text_or_null(request_uri),
        Value::Time(created),
    ]);
    let (residue, notes) = members.finish();
    Ok((row, residue, notes, created))
}

/// The level that the file's name gives, for lines that do not.
fn level_of(name: &str) -> &str {
    let end = name.find(['.', '-']).unwrap_or(name.len());
    name[..end].char_indices().nth(20).map_or(&name[..end], |(cut, _)| &name[..cut])
}

struct Lines<'a> {
    reader: Box<dyn BufRead + 'a>,
    compressed: bool,
    number: u64,
    buffer: Vec<u8>,
}

impl Lines<'_> {
    /// The next line with its number from 1, without the line's end.
    fn next(&mut self) -> Result<Option<(u64, &[u8])>, DecodeError> {
        self.buffer.clear();
        let mut limited = (&mut self.reader).take(LONGEST_LINE as u64 + 1);
        let count = limited.read_until(b'\n', &mut self.buffer).map_err(|source| {
            let damaged = matches!(source.kind(), std::io::ErrorKind::InvalidInput | std::io::ErrorKind::UnexpectedEof)
                || (source.kind() == std::io::ErrorKind::InvalidData && source.get_ref().is_none());
            match damaged && self.compressed {
                true => Flaw::new(
                    Reason::BadCompression,
                    0,
                    at_line(self.number + 1),
                    "the gzip data is damaged or ends too early",
                )
                .into(),
                false => DecodeError::Read { file: 0, source },
            }
        })?;
        if count == 0 {
            return Ok(None);
        }
        self.number += 1;
        if count > LONGEST_LINE {
            return Err(Flaw::new(Reason::TooLarge, 0, at_line(self.number), "a line of more than 32 MiB").into());
        }
        let line = self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer);
        Ok(Some((self.number, line.strip_suffix(b"\r").unwrap_or(line))))
    }
}

fn at_line(line: u64) -> Place {
    Place { line: Some(line), column: Some(1), pointer: None }
}
