//! Rows by COPY in its binary format, in and out.

use std::io::{BufRead, Write};
use std::ops::ControlFlow;

use postgres::types::Type;

use super::decode::{self, DecodeError};
use super::encode;
use super::errors::Failure;
use super::session::Session;
use super::sql;
use crate::model::{Column, Row, Table, Value};

/// One message of COPY: large enough to make few, small enough to hold beside a batch.
const CHUNK: usize = 128 * 1024;

/// Sends rows into a table.
pub fn send(session: &mut Session, relation: &str, table: &Table, rows: &[Row]) -> Result<(), Failure> {
    if rows.is_empty() {
        return Ok(());
    }
    let prepared = session.prepared(sql::copy_in(relation, table), &[])?;
    let mut writer = session.client.copy_in(&prepared)?;
    let mut buffer = Vec::with_capacity(CHUNK * 2);
    buffer.extend_from_slice(encode::COPY_HEADER);
    for row in rows {
        // A row that cannot be encoded ends the COPY: dropping the writer aborts it.
        encode::row(&mut buffer, table, row)?;
        if buffer.len() >= CHUNK {
            writer.write_all(&buffer)?;
            buffer.clear();
        }
    }
    buffer.extend_from_slice(encode::COPY_TRAILER);
    writer.write_all(&buffer)?;
    writer.finish()?;
    Ok(())
}

/// Calls `each` for the rows of a query that has no parameters and gives these columns.
pub fn receive(
    session: &mut Session,
    query: &str,
    columns: &[&Column],
    each: &mut dyn FnMut(&[Value]) -> ControlFlow<()>,
) -> Result<(), Failure> {
    // COPY does not say of which types its values are.
    let described = session.client.prepare(query)?;
    let mut types = Vec::with_capacity(columns.len());
    for (column, found) in columns.iter().zip(described.columns()) {
        decode::check(column, found.type_())?;
        types.push((column.name, found.type_().clone()));
    }
    let mut rows = Rows { types, values: Vec::with_capacity(columns.len()), state: State::Header, rest: Vec::new() };
    let mut reader = session.client.copy_out(sql::copy_out(query).as_str())?;
    loop {
        let chunk = reader.fill_buf()?;
        if chunk.is_empty() {
            return if rows.state == State::Ended { Ok(()) } else { Err(DecodeError::Cut.into()) };
        }
        if rows.feed(chunk, each)?.is_break() {
            return Ok(());
        }
        let length = chunk.len();
        reader.consume(length);
    }
}

/// Takes what COPY sends apart.
struct Rows {
    /// Of each column the name and the type that it really has.
    types: Vec<(&'static str, Type)>,
    /// Of the row at hand.
    values: Vec<Value>,
    state: State,
    /// The beginning of what a chunk does not hold whole. The servers of today send whole rows.
    rest: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Header,
    Rows,
    Ended,
}

/// How far a step came.
enum Step {
    /// The bytes do not hold all of it.
    More,
    /// So many bytes are done with.
    Done(usize),
}

impl Rows {
    fn feed(
        &mut self,
        chunk: &[u8],
        each: &mut dyn FnMut(&[Value]) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, DecodeError> {
        let joined = match self.rest.is_empty() {
            true => None,
            false => {
                self.rest.extend_from_slice(chunk);
                Some(std::mem::take(&mut self.rest))
            }
        };
        let mut bytes = joined.as_deref().unwrap_or(chunk);
        while !bytes.is_empty() && self.state != State::Ended {
            let before = self.state;
            let Step::Done(used) = self.step(bytes)? else { break };
            bytes = &bytes[used..];
            if before == State::Rows && self.state == State::Rows && each(&self.values).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        self.rest.extend_from_slice(bytes);
        Ok(ControlFlow::Continue(()))
    }

    /// Reads the header, the next row or the trailer.
    fn step(&mut self, bytes: &[u8]) -> Result<Step, DecodeError> {
        if self.state == State::Header {
            // No flags are known that would change the rows, and no extension.
            let Some(header) = bytes.first_chunk::<{ encode::COPY_HEADER.len() }>() else { return Ok(Step::More) };
            if header != encode::COPY_HEADER {
                return Err(DecodeError::Cut);
            }
            self.state = State::Rows;
            return Ok(Step::Done(header.len()));
        }
        let Some((count, _)) = bytes.split_first_chunk() else { return Ok(Step::More) };
        let count = i16::from_be_bytes(*count);
        if count == -1 {
            self.state = State::Ended;
            return Ok(Step::Done(bytes.len()));
        }
        if usize::try_from(count) != Ok(self.types.len()) {
            return Err(DecodeError::Cut);
        }
        self.values.clear();
        let mut at = 2;
        for (name, actual) in &self.types {
            let Some(length) = bytes.get(at..).and_then(<[u8]>::first_chunk) else { return Ok(Step::More) };
            at += 4;
            // NULL is the length -1.
            let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
                self.values.push(Value::Null);
                continue;
            };
            let Some(raw) = bytes.get(at..at + length) else { return Ok(Step::More) };
            self.values.push(decode::value(actual, raw).ok_or(DecodeError::Malformed { column: name })?);
            at += length;
        }
        Ok(Step::Done(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header, two rows of a text and a number, a trailer.
    fn sent() -> Vec<u8> {
        let mut bytes = encode::COPY_HEADER.to_vec();
        bytes.extend_from_slice(b"\0\x02\0\0\0\x02ab\0\0\0\x04\0\0\0\x07");
        bytes.extend_from_slice(b"\0\x02\xff\xff\xff\xff\0\0\0\x04\xff\xff\xff\xff");
        bytes.extend_from_slice(encode::COPY_TRAILER);
        bytes
    }

    fn rows() -> Rows {
        Rows {
            types: vec![("t", Type::TEXT), ("n", Type::INT4)],
            values: Vec::new(),
            state: State::Header,
            rest: Vec::new(),
        }
    }

    fn expected() -> Vec<Vec<Value>> {
        vec![vec![Value::Text("ab".into()), Value::Int(7)], vec![Value::Null, Value::Int(-1)]]
    }

    #[test]
    fn rows_may_be_cut_anywhere_on_their_way() {
        let sent = sent();
        for size in 1..=sent.len() {
            let (mut rows, mut found) = (rows(), Vec::new());
            for chunk in sent.chunks(size) {
                let each = &mut |values: &[Value]| {
                    found.push(values.to_vec());
                    ControlFlow::Continue(())
                };
                assert!(rows.feed(chunk, each).unwrap().is_continue());
            }
            assert_eq!(found, expected(), "in chunks of {size}");
            assert!(rows.state == State::Ended);
        }
    }

    #[test]
    fn what_is_no_copy_is_refused() {
        let mut sent = sent();
        sent[3] = b'x';
        assert_eq!(rows().feed(&sent, &mut |_| ControlFlow::Continue(())), Err(DecodeError::Cut));
    }
}
