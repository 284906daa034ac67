//! Layout 12: a log, one object a line, plain or compressed.

use core::net::IpAddr;
use std::cell::Cell as Flag;
use std::io::{self, Read};

use std::ops::ControlFlow;

use flate2::read::MultiGzDecoder;

use crate::format::proof::{Cell, Expected, Facts, TakeExpected};
use crate::format::Open;
use crate::model::{ids, Content, Instant, Value};
use crate::node::{self, Node, ReadError};

use super::super::tables::SYSTEM_LOGS;
use super::object::{cut, Object};
use super::{give, opened, sound, Halt, Trouble};

pub fn expect(facts: &Facts, open: &Open, take: &mut TakeExpected) -> Result<(), Halt> {
    let path = &facts.files[0].0;
    let name = path.file_name().to_string_lossy();
    let failed = Flag::new(false);
    let content: Box<dyn Read> = match opened(open, 0)? {
        Content::Whole(bytes) => Box::new(bytes),
        Content::Stream(reader) => reader,
    };
    let watched = Watched { reader: content, failed: &failed };
    let compressed = name.ends_with(".gz");
    let reader: Box<dyn Read> = match compressed {
        true => Box::new(MultiGzDecoder::new(watched)),
        false => Box::new(watched),
    };
    let path = path.to_text();
    let mut lines = Lines { facts, path: &path, level: level(&name), time: facts.base_time };
    let passed = node::each_line(reader, &mut |number, source| {
        let row = lines.line(number, source).map_err(End::Trouble)?;
        give(take, row).map_err(End::Halt)?;
        Ok(ControlFlow::Continue(()))
    });
    match passed {
        Ok(_) => Ok(()),
        Err(End::Halt(halt)) => Err(halt),
        Err(End::Trouble(Trouble::Json(ReadError::Io(_)))) if compressed && !failed.get() => {
            Err(Trouble::shape("", "the compressed data is damaged or ends too early").halt(0))
        }
        Err(End::Trouble(trouble)) => Err(trouble.halt(0)),
    }
}

/// What ends the pass over the lines.
enum End {
    Trouble(Trouble),
    Halt(Halt),
}

impl From<ReadError> for End {
    fn from(error: ReadError) -> End {
        End::Trouble(Trouble::Json(error))
    }
}

/// Remembers whether reading failed, to tell that from data that cannot be decompressed.
struct Watched<'a> {
    reader: Box<dyn Read + 'a>,
    failed: &'a Flag<bool>,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = self.reader.read(buffer);
        if result.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::Interrupted) {
            self.failed.set(true);
        }
        result
    }
}

/// The level that the file's name says: `error` in `error.log.2.gz` and `error-2025-11-28.log`.
fn level(name: &str) -> &str {
    cut(name.split(['.', '-']).next().unwrap_or_default(), 20)
}

struct Lines<'a> {
    facts: &'a Facts<'a>,
    path: &'a str,
    level: &'a str,
    /// Of the line before.
    time: Instant,
}

impl Lines<'_> {
    fn line(&mut self, number: u64, source: Node) -> Result<Expected, Trouble> {
        let pointer = format!("/{}", number - 1);
        sound::check(&source, &pointer, 0)?;
        if !matches!(source, Node::Map(_)) {
            return Err(Trouble::shape(pointer, "expected a map"));
        }
        let object = Object { node: &source, pointer: &pointer, zone: &self.facts.zone };
        let Some(message) = object.text("message")? else {
            return Err(object.wrong("message", "a string"));
        };
        let created = object.time_or("timestamp", self.time)?;
        self.time = created.value.as_time().unwrap_or(self.time);
        let level = object.cut_text("level", 20)?;
        let id = ids::derive(&["system_logs", self.path, &number.to_string()]);
        let cells = vec![
            Cell::derived(Value::Uuid(id)),
            level.unwrap_or_else(|| Cell::derived(Value::Text(self.level.to_owned()))),
            Cell::from("message", Value::Text(message.to_owned())),
            object.map_cell("context")?,
            object.cut_text_cell("trace_id", 255)?,
            address(object)?,
            object.text_cell("user_agent")?,
            object.text_cell("request_uri")?,
            created,
        ];
        Ok(Expected { table: &SYSTEM_LOGS, id, cells, file: 0, pointer, source })
    }
}

/// The writer says `"unknown"` where it knows no address. An address that is not spelled as the
/// column gives it back is less than the member.
fn address(object: Object) -> Result<Cell, Trouble> {
    let Some(text) = object.text("ip")? else { return Ok(object.null("ip")) };
    Ok(match text.parse::<IpAddr>() {
        Ok(address) if address.to_string() == text => Cell::from("ip", Value::Inet(address)),
        Ok(address) => Cell::part_of("ip", Value::Inet(address)),
        Err(_) => Cell::part_of("ip", Value::Null),
    })
}
