//! The elements of a top-level array, one at a time, from a file too large to be held.
//!
//! Only brackets and quotes are followed here; whether an element is JSON is for `parse` to say.
//! Memory: one element and one read buffer.

use std::io::{self, Read};

/// Bytes asked for at a time.
const CHUNK: usize = 128 * 1024;

/// The bytes of one element and where they stand.
#[derive(Debug)]
pub struct Element<'a> {
    pub bytes: &'a [u8],
    /// Line and column of the first byte, from 1.
    pub line: u64,
    pub column: u64,
}

#[derive(Debug)]
pub enum StreamError {
    Read(io::Error),
    /// The first value is no array.
    NotAnArray,
    Empty,
    /// Not a well-formed list of elements; line, column and a few words.
    Syntax {
        line: u64,
        column: u64,
        detail: &'static str,
    },
    Truncated {
        line: u64,
        column: u64,
    },
    /// One element is larger than the limit.
    TooLarge {
        line: u64,
        column: u64,
    },
}

/// Reads a top-level array element by element.
pub struct Elements<R> {
    reader: R,
    buffer: Vec<u8>,
    /// Bytes before this are consumed.
    at: usize,
    ended: bool,
    line: u64,
    column: u64,
    limit: usize,
    state: State,
    /// Whether a byte order mark was skipped.
    pub bom: bool,
}

#[derive(PartialEq)]
enum State {
    Start,
    AfterElement,
    Done,
}

impl<R: Read> Elements<R> {
    /// `limit`: the largest element in bytes.
    pub fn new(reader: R, limit: usize) -> Elements<R> {
        Elements {
            reader,
            buffer: Vec::new(),
            at: 0,
            ended: false,
            line: 1,
            column: 1,
            limit,
            state: State::Start,
            bom: false,
        }
    }

    /// The next element, or `None` after the closing bracket and nothing but white space.
    ///
    /// # Errors
    /// What is wrong with the list, or with reading it.
    #[allow(clippy::should_implement_trait)] // An element borrows the buffer, so no Iterator.
    pub fn next(&mut self) -> Result<Option<Element<'_>>, StreamError> {
        match self.state {
            State::Done => return Ok(None),
            State::Start => {
                self.skip_bom()?;
                match self.skip_white()? {
                    None => return Err(StreamError::Empty),
                    Some(b'[') => self.advance(1),
                    Some(_) => return Err(StreamError::NotAnArray),
                }
                if self.skip_white()? == Some(b']') {
                    return self.finish();
                }
            }
            State::AfterElement => match self.skip_white()? {
                Some(b',') => {
                    self.advance(1);
                    self.skip_white()?;
                }
                Some(b']') => return self.finish(),
                None => return Err(self.truncated()),
                Some(_) => return Err(self.syntax("expected `,` or `]`")),
            },
        }
        let (line, column) = (self.line, self.column);
        let length = self.element_length(line, column)?;
        if length == 0 {
            return Err(match self.peek()? {
                None => self.truncated(),
                Some(_) => self.syntax("expected a value"),
            });
        }
        if length > self.limit {
            return Err(StreamError::TooLarge { line, column });
        }
        let start = self.at;
        self.advance(length);
        self.state = State::AfterElement;
        Ok(Some(Element { bytes: &self.buffer[start..start + length], line, column }))
    }

    fn finish(&mut self) -> Result<Option<Element<'_>>, StreamError> {
        self.advance(1);
        match self.skip_white()? {
            None => {
                self.state = State::Done;
                Ok(None)
            }
            Some(_) => Err(self.syntax("expected nothing after the value")),
        }
    }

    /// Bytes from here to the end of the element: balanced brackets, or up to `,`, `]` or white
    /// space. At the end of the file, what there is: `parse` then says what is missing.
    fn element_length(&mut self, line: u64, column: u64) -> Result<usize, StreamError> {
        let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
        let mut length = 0;
        loop {
            if self.at + length == self.buffer.len() {
                if length > self.limit {
                    return Err(StreamError::TooLarge { line, column });
                }
                if !self.fill()? {
                    return Ok(length);
                }
                continue;
            }
            let byte = self.buffer[self.at + length];
            if in_string {
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' => escaped = true,
                    b'"' => {
                        in_string = false;
                        if depth == 0 {
                            return Ok(length + 1);
                        }
                    }
                    _ => {}
                }
            } else {
                match byte {
                    b'"' if depth == 0 && length > 0 => return Ok(length),
                    b'"' => in_string = true,
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' if depth == 0 => return Ok(length),
                    b'}' | b']' => {
                        depth -= 1;
                        if depth == 0 {
                            return Ok(length + 1);
                        }
                    }
                    b',' | b' ' | b'\t' | b'\n' | b'\r' if depth == 0 => return Ok(length),
                    _ => {}
                }
            }
            length += 1;
        }
    }

    fn skip_bom(&mut self) -> Result<(), StreamError> {
        while self.buffer.len() < 3 && self.fill()? {}
        if self.buffer.starts_with(b"\xEF\xBB\xBF") {
            self.at = 3;
            self.bom = true;
        }
        Ok(())
    }

    fn skip_white(&mut self) -> Result<Option<u8>, StreamError> {
        loop {
            match self.peek()? {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.advance(1),
                other => return Ok(other),
            }
        }
    }

    fn peek(&mut self) -> Result<Option<u8>, StreamError> {
        while self.at == self.buffer.len() {
            if !self.fill()? {
                return Ok(None);
            }
        }
        Ok(Some(self.buffer[self.at]))
    }

    fn advance(&mut self, count: usize) {
        for &byte in &self.buffer[self.at..self.at + count] {
            if byte == b'\n' {
                self.line += 1;
                self.column = 1;
            } else if byte & 0xC0 != 0x80 {
                self.column += 1;
            }
        }
        self.at += count;
    }

    /// Reads on; `false` at the end of the file. Drops what is consumed.
    fn fill(&mut self) -> Result<bool, StreamError> {
        if self.ended {
            return Ok(false);
        }
        if self.at > 0 {
            self.buffer.drain(..self.at);
            self.at = 0;
        }
        let before = self.buffer.len();
        self.buffer.resize(before + CHUNK, 0);
        let count = loop {
            match self.reader.read(&mut self.buffer[before..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => break result,
            }
        };
        self.buffer.truncate(before + *count.as_ref().unwrap_or(&0));
        let count = count.map_err(StreamError::Read)?;
        self.ended = count == 0;
        Ok(count > 0)
    }

    fn truncated(&self) -> StreamError {
        StreamError::Truncated { line: self.line, column: self.column }
    }

    fn syntax(&self, detail: &'static str) -> StreamError {
        StreamError::Syntax { line: self.line, column: self.column, detail }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{parse, to_compact, Arena, Value};
    use super::*;

    /// Gives one byte at a time, so that every boundary falls everywhere.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
            buffer[0] = *first;
            self.0 = rest;
            Ok(1)
        }
    }

    fn collect(text: &[u8]) -> Result<Vec<String>, StreamError> {
        let mut elements = Elements::new(Drip(text), 1 << 20);
        let mut found = Vec::new();
        while let Some(element) = elements.next()? {
            found.push(String::from_utf8_lossy(element.bytes).into_owned());
        }
        Ok(found)
    }

    #[test]
    fn finds_the_same_elements_as_a_whole_parse() {
        let text = "\u{feff} [ {\"a\":\"]},\\\"\"} , [1,[2]],\"x,y\" ,-1.5e3,true,\n null ] ";
        let found = collect(text.as_bytes()).unwrap();
        let arena = Arena::new();
        let Value::Array(items) = parse(text.trim_start_matches('\u{feff}').as_bytes(), &arena).unwrap() else {
            panic!("an array")
        };
        assert_eq!(found.len(), 6);
        for (found, item) in found.iter().zip(items) {
            assert_eq!(to_compact(&parse(found.as_bytes(), &arena).unwrap()), to_compact(item));
        }
    }

    #[test]
    fn says_what_is_wrong_with_the_list() {
        assert!(matches!(collect(b""), Err(StreamError::Empty)));
        assert!(matches!(collect(b"{}"), Err(StreamError::NotAnArray)));
        assert!(matches!(collect(b"[1,2"), Err(StreamError::Truncated { .. })));
        assert!(matches!(collect(b"[1,]"), Err(StreamError::Syntax { .. })));
        assert!(matches!(collect(b"[1 2]"), Err(StreamError::Syntax { line: 1, column: 4, .. })));
        assert!(matches!(collect(b"[1]\n2"), Err(StreamError::Syntax { line: 2, column: 1, .. })));
        assert_eq!(collect(b"[]").unwrap().len(), 0);
    }

    #[test]
    fn the_limit_is_exact() {
        let text = format!("[\"{}\",1]", "x".repeat(98));
        let first = |limit| Elements::new(text.as_bytes(), limit).next().map(|element| element.map(|_| ()));
        assert!(matches!(first(100), Ok(Some(()))));
        assert!(matches!(first(99), Err(StreamError::TooLarge { line: 1, column: 2 })));
    }

    #[test]
    fn an_element_over_the_limit_is_refused_and_not_held() {
        let text = format!("[\"{}\"]", "x".repeat(1 << 20));
        let mut elements = Elements::new(text.as_bytes(), 1000);
        assert!(matches!(elements.next(), Err(StreamError::TooLarge { line: 1, column: 2 })));
        assert!(elements.buffer.len() < 3 * CHUNK);
    }
}
