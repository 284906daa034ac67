//! Reading by serde_json, from raw values down, so that numbers keep their spelling.

use std::fmt;
use std::io::{self, BufRead, Read};
use std::ops::ControlFlow;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::Node;

/// Values nested deeper are refused: whoever rebuilds them recurses.
const DEEPEST: usize = 1024;

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
    let text = std::str::from_utf8(bytes).map_err(|_| ReadError::Utf8)?;
    let raw: &RawValue = serde_json::from_str(text)?;
    node(raw.get(), 0)
}

fn node(text: &str, depth: usize) -> Result<Node, ReadError> {
    if depth > DEEPEST {
        return Err(ReadError::Syntax("values nested too deep".into()));
    }
    Ok(match text.as_bytes().first() {
        Some(b'"') => Node::Text(string(text)?),
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text)?;
            Node::List(items.into_iter().map(|item| node(item.get(), depth + 1)).collect::<Result<_, _>>()?)
        }
        Some(b'{') => Node::Map(
            (serde_json::Deserializer::from_str(text).deserialize_map(Members)?)
                .into_iter()
                .map(|(name, value)| Ok((name, node(value.get(), depth + 1)?)))
                .collect::<Result<_, ReadError>>()?,
        ),
        Some(b't') => Node::Bool(true),
        Some(b'f') => Node::Bool(false),
        Some(b'n') => Node::Null,
        Some(_) => Node::Number(text.to_owned()),
        None => return Err(ReadError::Truncated),
    })
}

fn string(text: &str) -> Result<String, ReadError> {
    // Without an escape there is nothing to decode.
    match text.contains('\\') {
        true => Ok(serde_json::from_str(text)?),
        false => Ok(text[1..text.len() - 1].to_owned()),
    }
}

/// A map's members, repeated names included.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(String, &'de RawValue)>;

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
    let buffered = io::BufReader::with_capacity(128 * 1024, rest.chain(reader));
    let mut outcome = Ok(());
    let mut stopped = false;
    let mut deserializer = serde_json::Deserializer::from_reader(buffered);
    let read = deserializer.deserialize_seq(Elements { each, outcome: &mut outcome, stopped: &mut stopped });
    outcome?;
    if stopped {
        return Ok(marked);
    }
    read.map_err(ReadError::from)?;
    deserializer.end().map_err(ReadError::from)?;
    Ok(marked)
}

struct Elements<'a, E> {
    each: &'a mut dyn FnMut(usize, Node) -> Result<ControlFlow<()>, E>,
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
            let flow = match node(raw.get(), 1) {
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
    let mut reader = io::BufReader::with_capacity(128 * 1024, reader);
    let mut line = Vec::new();
    let (mut number, mut marked) = (0, false);
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(ReadError::from)? == 0 {
            return Ok((number, marked));
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
