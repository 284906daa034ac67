//! One document, read twice, and what both readings say of it.

use std::ops::ControlFlow;

use jiff::tz::TimeZone;
use transload::format::donna::Donna;
use transload::format::proof::{Expected, Facts, Unexpected};
use transload::format::{DecodeContext, Format};
use transload::model::{Content, DecodeError, FileRole, Limits, RelPath, Row, Table, Value};
use transload::node::{self, Node};

use crate::tree::{Read, BASE};

/// How the files are held.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Held {
    Whole,
    /// Histories and logs are streamed.
    Streamed,
}

/// What was compared.
#[derive(Debug, Default)]
pub struct Tally {
    pub accepted: u64,
    pub rejected: u64,
    pub rows: u64,
    pub values: u64,
}

impl Tally {
    pub fn add(&mut self, other: Tally) {
        self.accepted += other.accepted;
        self.rejected += other.rejected;
        self.rows += other.rows;
        self.values += other.values;
    }
}

fn open<'a>(read: &'a Read, held: Held) -> impl Fn(usize) -> std::io::Result<Content<'a>> + 'a {
    move |file| {
        let bytes = read.contents[file].as_slice();
        let may_stream = !matches!(read.document.kind.name, "users" | "memory");
        Ok(match held {
            Held::Streamed if may_stream && read.document.files[file].role.0 != "session" => {
                Content::Stream(Box::new(bytes))
            }
            _ => Content::Whole(bytes),
        })
    }
}

fn zone() -> TimeZone {
    TimeZone::get("America/Toronto").expect("a zone")
}

/// The rows as they are decoded; why not, in words, if they are not.
fn decoded(read: &Read, held: Held) -> Result<Vec<(&'static Table, Row)>, String> {
    let context = DecodeContext {
        zone: zone(),
        limits: Limits {
            json_number_digits: None,
            json_string_bytes: usize::MAX,
            json_bytes: usize::MAX,
            text_bytes: usize::MAX,
        },
        base_time: BASE,
        part_rows: 3,
        part_bytes: 4_000,
    };
    let mut rows = Vec::new();
    let result = Donna.decode(&read.document, &open(read, held), &context, &mut |part| {
        rows.extend(part.rows.into_iter().map(|row| (part.table, row)));
        ControlFlow::Continue(())
    });
    match result {
        Ok(_) => Ok(rows),
        Err(DecodeError::Flaw(flaw)) => Err(format!("{flaw:?}")),
        Err(other) => panic!("nothing keeps it from being read: {other:?}"),
    }
}

/// The rows as the proof expects them; why not, in words, if it expects none.
pub fn expected(read: &Read, held: Held, zone: TimeZone) -> Result<Vec<Expected>, String> {
    let files: Vec<(RelPath, FileRole)> =
        read.document.files.iter().map(|file| (file.path.clone(), file.role)).collect();
    let document = &read.document;
    let facts = Facts { kind: document.kind, key: &document.key, files: &files, base_time: BASE, zone };
    let mut rows = Vec::new();
    let result = Donna.expect(&facts, &open(read, held), &mut |row| {
        rows.push(row);
        ControlFlow::Continue(())
    });
    match result {
        Ok(()) => Ok(rows),
        Err(Unexpected::Read { source, .. }) => panic!("nothing keeps it from being read: {source}"),
        Err(unexpected) => Err(format!("{unexpected:?}")),
    }
}

/// # Panics
/// With the document and the first thing of which the readings are of two opinions.
pub fn compare(read: &Read, held: Held) -> Tally {
    let (decoded, expected) = (decoded(read, held), expected(read, held, zone()));
    let say = |what: String| -> ! {
        let texts: Vec<_> = read.contents.iter().map(|bytes| String::from_utf8_lossy(bytes)).collect();
        let texts: String = texts.join("\n").chars().take(6_000).collect();
        panic!("{:?} {held:?}: {what}\n{texts}", read.document.files[0].path)
    };
    let (decoded, expected) = match (decoded, expected) {
        (Ok(decoded), Ok(expected)) => (decoded, expected),
        (Err(_), Err(_)) => return Tally { rejected: 1, ..Tally::default() },
        (Ok(_), Err(why)) => say(format!("decoded, and not expected: {why}")),
        (Err(why), Ok(_)) => say(format!("expected, and not decoded: {why}")),
    };
    let mut tally = Tally { accepted: 1, rows: decoded.len() as u64, ..Tally::default() };
    if decoded.len() != expected.len() {
        say(format!("{} rows decoded, {} expected", decoded.len(), expected.len()));
    }
    for (at, ((table, row), expected)) in decoded.iter().zip(&expected).enumerate() {
        if *table != expected.table || row.id() != expected.id || row.0.len() != expected.cells.len() {
            say(format!("row {at} is {table:?} {row:?}, expected {expected:?}"));
        }
        for ((column, value), cell) in table.columns.iter().zip(&row.0).zip(&expected.cells) {
            tally.values += 1;
            if !same(value, &cell.value) {
                say(format!("row {at} {} {}: {value:?}, expected {cell:?}", table.name, column.name));
            }
        }
        if let Err(why) = is_in_place(read, expected) {
            say(format!("row {at}: {why}"));
        }
    }
    tally
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Json(a), Value::Json(b)) => node::equal(&parsed(a), &parsed(b)),
        (a, b) => a == b,
    }
}

pub fn parsed(text: &str) -> Node {
    node::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error} in {text:?}")).0
}

/// Whether the row's source is what stands at its place, and its cells are about members of it.
fn is_in_place(read: &Read, expected: &Expected) -> Result<(), String> {
    let name = read.document.files[expected.file].path.file_name().to_string_lossy().into_owned();
    let derived = expected.table.name == "chat_sessions" && read.document.files[expected.file].role.0 != "session";
    if derived && (expected.source != Node::Map(Vec::new()) || !expected.pointer.is_empty()) {
        return Err("a derived session has a source".to_owned());
    }
    if !derived && !name.ends_with(".gz") {
        let found = at_place(&read.contents[expected.file], &name, &expected.pointer);
        if found.as_ref() != Some(&expected.source) {
            return Err(format!("at {} stands {found:?}, not {:?}", expected.pointer, expected.source));
        }
    }
    for cell in &expected.cells {
        match cell.member {
            Some("") | None => {}
            Some(member) if expected.source.get(member).is_some() => {}
            Some(member) => return Err(format!("{cell:?} is of no member `{member}`")),
        }
    }
    Ok(())
}

fn at_place(bytes: &[u8], name: &str, pointer: &str) -> Option<Node> {
    if name.contains(".log") {
        let line = bytes.split(|byte| *byte == b'\n').nth(pointer[1..].parse().ok()?)?;
        return Some(node::parse(line).ok()?.0);
    }
    let mut node = node::parse(bytes).ok()?.0;
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        node = match node {
            Node::List(items) => items.into_iter().nth(step.parse().ok()?)?,
            map => map.get(&step)?.clone(),
        };
    }
    Some(node)
}
