//! Reading by serde_json, so that numbers keep their spelling: quickly where all are integers, else
//! from raw values down.

use std::cell::Cell;
use std::fmt;
use std::io::{self, BufRead, Read};
use std::ops::ControlFlow;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{quick, Node, Text};

/// Values nested deeper are refused: whoever rebuilds them recurses.
const DEEPEST: usize = 1024;
/// How deep the quick way is tried: each level that it fails in is read once more.
const QUICK_DEPTH: usize = 4;

/// The longest element of a list, and the longest line, in bytes: one is held at a time.
const LONGEST: usize = 32 * 1024 * 1024;

/// Read at a time.
const BUFFER: usize = 128 * 1024;

/// Why a text could not be read as JSON.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The text ends in the middle of a value, or is empty.
    #[error("the JSON ends too early")]
    Truncated,
    #[error("the text is not UTF-8")]
    Utf8,
    /// One element of a list, or one line.
    #[error("a single value of more than 32 MiB")]
    TooLong,
    #[error("no JSON: {0}")]
    Syntax(String),
}

impl From<serde_json::Error> for ReadError {
    fn from(error: serde_json::Error) -> ReadError {
        match error.classify() {
            serde_json::error::Category::Eof => ReadError::Truncated,
            serde_json::error::Category::Io => ReadError::Io(error.into()),
            _ if error.to_string().starts_with("invalid unicode code point") => ReadError::Utf8,
            _ => ReadError::Syntax(error.to_string()),
        }
    }
}

const MARK: &[u8] = b"\xEF\xBB\xBF";

/// Reads one value; says whether a byte order mark came before it.
pub fn parse(bytes: &[u8]) -> Result<(Node, bool), ReadError> {
    let (bytes, marked) = match bytes.strip_prefix(MARK) {
        Some(rest) => (rest, true),
        None => (bytes, false),
    };
    Ok((value(bytes)?, marked))
}

fn value(bytes: &[u8]) -> Result<Node, ReadError> {
    let text = simdutf8::basic::from_utf8(bytes).map_err(|_| not_utf8(bytes))?;
    if let Some(node) = quick::read(text) {
        return Ok(node);
    }
    let raw: &RawValue = serde_json::from_str(text)?;
    node(raw.get(), 0)
}

/// A value within one that takes a closer look: most of its parts do not.
fn within(text: &str, depth: usize) -> Result<Node, ReadError> {
    let quick = match text.as_bytes().first() {
        Some(b'[' | b'{') if depth <= QUICK_DEPTH => quick::read(text),
        _ => None,
    };
    quick.map_or_else(|| node(text, depth), Ok)
}

/// What is wrong with bytes that are no text: they may end in the middle of a character.
fn not_utf8(bytes: &[u8]) -> ReadError {
    let cut = std::str::from_utf8(bytes).err().filter(|error| error.error_len().is_none());
    let text = cut.and_then(|error| std::str::from_utf8(&bytes[..error.valid_up_to()]).ok());
    match text.map(serde_json::from_str::<&RawValue>) {
        Some(Err(error)) if error.is_eof() => ReadError::Truncated,
        _ => ReadError::Utf8,
    }
}

fn node(text: &str, depth: usize) -> Result<Node, ReadError> {
    if depth > DEEPEST {
        return Err(ReadError::Syntax("values nested too deep".into()));
    }
    Ok(match text.as_bytes().first() {
        Some(b'"') => Node::Text(string(text)?),
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text)?;
            Node::List(items.into_iter().map(|item| within(item.get(), depth + 1)).collect::<Result<_, _>>()?)
        }
        Some(b'{') => Node::Map(
            (serde_json::Deserializer::from_str(text).deserialize_map(Members)?)
                .into_iter()
                .map(|(name, value)| Ok((name, within(value.get(), depth + 1)?)))
                .collect::<Result<_, ReadError>>()?,
        ),
        Some(b't') => Node::Bool(true),
        Some(b'f') => Node::Bool(false),
        Some(b'n') => Node::Null,
        Some(_) => Node::Number(text.into()),
        None => return Err(ReadError::Truncated),
    })
}

fn string(text: &str) -> Result<Text, ReadError> {
    // Without an escape there is nothing to decode.
    match text.contains('\\') {
        true => Ok(serde_json::from_str(text)?),
        false => Ok(text[1..text.len() - 1].into()),
    }
}

/// A map's members, repeated names included.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(Text, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}

/// Reads a list of any length, one element at a time; `each` gets position and element. Says
/// whether a byte order mark came before it.
///
/// # Errors
/// As reading gives them; also when the text is no list.
pub fn each_element<E: From<ReadError>>(
    mut reader: impl Read,
    each: &mut dyn FnMut(usize, Node) -> Result<ControlFlow<()>, E>,
) -> Result<bool, E> {
    let mut start = Vec::with_capacity(MARK.len());
    (&mut reader).take(MARK.len() as u64).read_to_end(&mut start).map_err(ReadError::from)?;
    let marked = start == MARK;
    let rest = if marked { &[][..] } else { &start[..] };
    let since = Cell::new(0);
    let bounded = Bounded { reader: rest.chain(reader), since: &since };
    let buffered = io::BufReader::with_capacity(BUFFER, bounded);
    let mut outcome = Ok(());
    let mut stopped = false;
    let mut deserializer = serde_json::Deserializer::from_reader(buffered);
    let elements = Elements { each, since: &since, outcome: &mut outcome, stopped: &mut stopped };
    let read = deserializer.deserialize_seq(elements);
    outcome?;
    if stopped {
        return Ok(marked);
    }
    match read.and_then(|()| deserializer.end()) {
        Ok(()) => Ok(marked),
        Err(_) if since.get() > LONGEST + BUFFER => Err(ReadError::TooLong.into()),
        Err(error) => Err(ReadError::from(error).into()),
    }
}

/// Fails when much more was read than the longest element needs, so that a longer one is not held.
struct Bounded<'a, R> {
    reader: R,
    /// Bytes read since the last element ended, or up to a buffer before; blanks count, too.
    since: &'a Cell<usize>,
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.since.get() > LONGEST + BUFFER {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let count = self.reader.read(buffer)?;
        self.since.set(self.since.get() + count);
        Ok(count)
    }
}

struct Elements<'a, E> {
    each: &'a mut dyn FnMut(usize, Node) -> Result<ControlFlow<()>, E>,
    since: &'a Cell<usize>,
    outcome: &'a mut Result<(), E>,
    stopped: &'a mut bool,
}

impl<'de, E: From<ReadError>> Visitor<'de> for Elements<'_, E> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut at = 0;
        while let Some(raw) = list.next_element_seed(Raw)? {
            self.since.set(0);
            let element = match raw.get() {
                text if text.len() > LONGEST => Err(ReadError::TooLong),
                text => quick::read(text).map_or_else(|| node(text, 1), Ok),
            };
            let flow = match element {
                Ok(node) => (self.each)(at, node),
                Err(error) => Err(error.into()),
            };
            match flow {
                Ok(ControlFlow::Continue(())) => at += 1,
                Ok(ControlFlow::Break(())) => {
                    *self.stopped = true;
                    return Err(serde::de::Error::custom("stopped"));
                }
                Err(error) => {
                    *self.outcome = Err(error);
                    return Err(serde::de::Error::custom("stopped"));
                }
            }
        }
        Ok(())
    }
}

struct Raw;

impl<'de> DeserializeSeed<'de> for Raw {
    type Value = Box<RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        serde::Deserialize::deserialize(deserializer)
    }
}

/// Reads lines of JSON; `each` gets the line's number from 1 and its value. Blank lines are passed
/// over. Returns how many lines there are and whether a byte order mark came before the first.
pub fn each_line<E: From<ReadError>>(
    reader: impl Read,
    each: &mut dyn FnMut(u64, Node) -> Result<ControlFlow<()>, E>,
) -> Result<(u64, bool), E> {
    let mut reader = io::BufReader::with_capacity(BUFFER, reader);
    let mut line = Vec::new();
    let (mut number, mut marked) = (0, false);
    loop {
        line.clear();
        let mut bounded = (&mut reader).take(LONGEST as u64 + 1);
        match bounded.read_until(b'\n', &mut line).map_err(ReadError::from)? {
            0 => return Ok((number, marked)),
            length if length > LONGEST => return Err(ReadError::TooLong.into()),
            _ => {}
        }
        number += 1;
        let mut text = &line[..];
        if number == 1 && text.starts_with(MARK) {
            marked = true;
            text = &text[MARK.len()..];
        }
        if text.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if each(number, value(text)?)?.is_break() {
            return Ok((number, marked));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_kept() {
        let (node, marked) =
            parse(b"\xEF\xBB\xBF{\"b\":1.10,\"a\":[null,true,\"\\u00e9\\/\"],\"b\":{}}").expect("JSON");
        assert!(marked);
        let expected = Node::Map(vec![
            ("b".into(), Node::Number("1.10".into())),
            ("a".into(), Node::List(vec![Node::Null, Node::Bool(true), Node::text("é/")])),
            ("b".into(), Node::Map(Vec::new())),
        ]);
        assert_eq!(node, expected);
    }

    #[test]
    fn what_ends_too_early_is_told_from_what_is_wrong() {
        assert!(matches!(parse(b"[1,"), Err(ReadError::Truncated)));
        assert!(matches!(parse(b""), Err(ReadError::Truncated)));
        assert!(matches!(parse(b"[1}"), Err(ReadError::Syntax(_))));
        assert!(matches!(parse(b"\"\xFF\""), Err(ReadError::Utf8)));
        assert!(matches!(parse(b"[\"\xC3"), Err(ReadError::Truncated)), "cut in the middle of a character");
        assert!(matches!(parse(b"}\"\xC3"), Err(ReadError::Utf8)));
        assert!(matches!(parse(b"[1] x"), Err(ReadError::Syntax(_))));
        assert!(matches!(parse("[".repeat(5000).as_bytes()), Err(ReadError::Truncated | ReadError::Syntax(_))));
    }

    #[test]
    fn only_the_first_line_may_begin_with_a_mark() {
        let lines = |text: &[u8]| {
            let mut seen = Vec::new();
            let read = each_line::<ReadError>(text, &mut |number, _| {
                seen.push(number);
                Ok(ControlFlow::Continue(()))
            });
            read.ok().map(|read| (read, seen))
        };
        assert_eq!(lines(b"\xEF\xBB\xBF{}\r\n\n{} \n \n"), Some(((4, true), vec![1, 3])));
        assert_eq!(lines(b"{}\n\xEF\xBB\xBF{}\n"), None);
        assert_eq!(lines(b"\xEF\xBB\xBF\xEF\xBB\xBF{}\n"), None);
    }

    /// What is read of it is counted.
    struct Endless(u64);

    impl Read for &mut Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            buffer.fill(b'1');
            self.0 += buffer.len() as u64;
            Ok(buffer.len())
        }
    }

    #[test]
    fn what_never_ends_is_not_held() {
        let mut endless = Endless(0);
        let list =
            each_element::<ReadError>((&b"[\""[..]).chain(&mut endless), &mut |_, _| Ok(ControlFlow::Continue(())));
        assert!(matches!(list, Err(ReadError::TooLong)), "{list:?}");
        let line = each_line::<ReadError>(&mut endless, &mut |_, _| Ok(ControlFlow::Continue(())));
        assert!(matches!(line, Err(ReadError::TooLong)), "{line:?}");
        assert!(endless.0 < 3 * LONGEST as u64);
        let long = format!("[1, \"{}\"]", "x".repeat(LONGEST - 2));
        let mut seen = 0;
        let count = &mut |_, _| {
            seen += 1;
            Ok(ControlFlow::Continue(()))
        };
        assert!(each_element::<ReadError>(long.as_bytes(), count).is_ok());
        assert_eq!(seen, 2);
    }

    #[test]
    fn elements_come_one_by_one() {
        let mut seen = Vec::new();
        let marked = each_element::<ReadError>(&b"\xEF\xBB\xBF [1, {\"a\":2}]\n"[..], &mut |at, node| {
            seen.push((at, node));
            Ok(ControlFlow::Continue(()))
        });
        assert!(marked.expect("JSON"));
        assert_eq!(seen.len(), 2);
        let none = &mut |_, _| Ok(ControlFlow::Continue(()));
        assert!(matches!(each_element::<ReadError>(&b"[1"[..], none), Err(ReadError::Truncated)));
        assert!(matches!(each_element::<ReadError>(&b"{}"[..], none), Err(ReadError::Syntax(_))));
        assert!(matches!(each_element::<ReadError>(&b"[1] 2"[..], none), Err(ReadError::Syntax(_))));
        assert!(matches!(each_element::<ReadError>(&b""[..], none), Err(ReadError::Truncated)));
    }
}
