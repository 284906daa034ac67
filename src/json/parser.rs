//! A recursive-descent reader over a slice that says where and why it stops.

use std::collections::HashSet;

use super::plain::plain_length;
use super::{push_pointer, Arena, Member, Value};

/// Levels of nesting that are read; PHP writes no more than 512 (`json_encode`'s default depth).
pub const MAX_DEPTH: usize = 512;

/// Objects up to this size look for duplicate keys by comparing; larger ones by hashing.
const LINEAR_KEYS: usize = 12;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    Empty,
    Truncated,
    Syntax,
    InvalidUtf8,
    LoneSurrogate,
    NulCharacter,
    DuplicateKey,
    TooDeep,
}

/// Where reading stopped and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    pub kind: ErrorKind,
    /// Byte offset in the input.
    pub offset: usize,
    /// JSON pointer of the value that was being read.
    pub pointer: String,
    /// A few words, such as "expected `,` or `]`".
    pub detail: &'static str,
}

/// What remains after a byte order mark, and whether there was one.
pub fn strip_bom(bytes: &[u8]) -> (&[u8], bool) {
    match bytes.strip_prefix(b"\xEF\xBB\xBF") {
        Some(rest) => (rest, true),
        None => (bytes, false),
    }
}

/// Reads one JSON value that fills the input, white space around it allowed.
///
/// # Errors
/// The first thing wrong in the order of the bytes.
pub fn parse<'a>(bytes: &'a [u8], arena: &'a Arena) -> Result<Value<'a>, Error> {
    parse_within(bytes, 0, arena)
}

/// Reads one value that stands `depth` levels deep in its file, as [`parse`] does.
///
/// # Errors
/// As [`parse`].
pub fn parse_within<'a>(bytes: &'a [u8], depth: usize, arena: &'a Arena) -> Result<Value<'a>, Error> {
    let valid = match simdutf8::compat::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    };
    let (items, members, unescaped) = (Vec::new(), Vec::new(), String::new());
    let mut parser = Parser { bytes, at: 0, valid, depth, arena, items, members, unescaped };
    let result = parser.document();
    result.map_err(|mut failure| {
        let mut pointer = String::new();
        for step in failure.path.drain(..).rev() {
            push_pointer(&mut pointer, &step);
        }
        Error { kind: failure.kind, offset: failure.offset, pointer, detail: failure.detail }
    })
}

/// Line and column (in characters, both from 1) of a byte offset.
pub fn position(bytes: &[u8], offset: usize) -> (u64, u64) {
    let before = &bytes[..offset.min(bytes.len())];
    let line = before.iter().filter(|&&byte| byte == b'\n').count() as u64 + 1;
    let start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    // A character begins at every byte that does not continue one.
    let column = before[start..].iter().filter(|&&byte| byte & 0xC0 != 0x80).count() as u64 + 1;
    (line, column)
}

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The bytes up to the first that is not UTF-8.
    valid: &'a str,
    depth: usize,
    arena: &'a Arena,
    /// Items of the lists that are being read, the innermost list's last.
    items: Vec<Value<'a>>,
    /// Members of the objects that are being read, likewise.
    members: Vec<Member<'a>>,
    /// The string with escapes that is being read.
    unescaped: String,
}

/// An error on its way up; every level adds its own step of the pointer.
struct Failure {
    kind: ErrorKind,
    offset: usize,
    detail: &'static str,
    /// Innermost step first.
    path: Vec<String>,
}

type Parsed<T> = Result<T, Box<Failure>>;

impl<'a> Parser<'a> {
    fn document(&mut self) -> Parsed<Value<'a>> {
        self.skip_white();
        if self.at == self.bytes.len() {
            return self.fail(ErrorKind::Empty, "expected a JSON value, found nothing");
        }
        let value = self.value()?;
        self.skip_white();
        match self.peek() {
            None => Ok(value),
            Some(_) => self.unexpected("expected nothing after the value"),
        }
    }

    fn value(&mut self) -> Parsed<Value<'a>> {
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                Ok(Value::String(self.string()?))
            }
            Some(b'{') => self.nested(Parser::object),
            Some(b'[') => self.nested(Parser::array),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word(b"true", Value::Bool(true)),
            Some(b'f') => self.word(b"false", Value::Bool(false)),
            Some(b'n') => self.word(b"null", Value::Null),
            None => self.fail(ErrorKind::Truncated, "the file ends where a value is due"),
            Some(_) => self.unexpected("expected a value"),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Parsed<Value<'a>>) -> Parsed<Value<'a>> {
        if self.depth == MAX_DEPTH {
            return self.fail(ErrorKind::TooDeep, "nested more than 512 levels deep");
        }
        self.depth += 1;
        self.at += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn array(&mut self) -> Parsed<Value<'a>> {
        self.skip_white();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::Array(&[]));
        }
        let first = self.items.len();
        let mut number = 0usize;
        loop {
            self.skip_white();
            let item = self.value().map_err(|failure| failure.within(|| number.to_string()))?;
            self.items.push(item);
            number += 1;
            self.skip_white();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    let items = self.arena.alloc_slice_copy(&self.items[first..]);
                    self.items.truncate(first);
                    return Ok(Value::Array(items));
                }
                None => return self.fail(ErrorKind::Truncated, "the file ends inside an array"),
                Some(_) => return self.unexpected("expected `,` or `]`"),
            }
        }
    }

    fn object(&mut self) -> Parsed<Value<'a>> {
        self.skip_white();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Object(&[]));
        }
        let first = self.members.len();
        let mut hashed: Option<HashSet<&'a str>> = None;
        loop {
            self.skip_white();
            let start = self.at;
            match self.peek() {
                Some(b'"') => self.at += 1,
                None => return self.fail(ErrorKind::Truncated, "the file ends where a key is due"),
                Some(_) => return self.unexpected("expected a key in double quotes"),
            }
            let key = self.string()?;
            if is_duplicate(&self.members[first..], &mut hashed, key) {
                return Err(Box::new(Failure {
                    kind: ErrorKind::DuplicateKey,
                    offset: start,
                    detail: "the key stands twice in one object",
                    path: vec![key.to_owned()],
                }));
            }
            self.skip_white();
            match self.peek() {
                Some(b':') => self.at += 1,
                None => {
                    return self
                        .fail(ErrorKind::Truncated, "the file ends after a key")
                        .map_err(|failure: Box<Failure>| failure.within(|| key.to_string()))
                }
                Some(_) => return self.unexpected("expected `:`"),
            }
            self.skip_white();
            let value = self.value().map_err(|failure| failure.within(|| key.to_string()))?;
            self.members.push((key, value));
            self.skip_white();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    let members = self.arena.alloc_slice_copy(&self.members[first..]);
                    self.members.truncate(first);
                    return Ok(Value::Object(members));
                }
                None => return self.fail(ErrorKind::Truncated, "the file ends inside an object"),
                Some(_) => return self.unexpected("expected `,` or `}`"),
            }
        }
    }

    /// After the opening quote.
    fn string(&mut self) -> Parsed<&'a str> {
        let start = self.at;
        self.plain_run();
        if self.peek() == Some(b'"') {
            let text = self.text(start, self.at)?;
            self.at += 1;
            return Ok(text);
        }
        self.unescaped.clear();
        let text = self.text(start, self.at)?;
        self.unescaped.push_str(text);
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(self.arena.alloc_str(&self.unescaped));
                }
                Some(b'\\') => {
                    let c = self.escape()?;
                    self.unescaped.push(c);
                }
                Some(_) => return self.unexpected("a control character must be escaped in a string"),
                None => {
                    // Bytes that are no UTF-8 come first if there are any before the end.
                    self.text(start, self.at)?;
                    return self.fail(ErrorKind::Truncated, "the file ends inside a string");
                }
            }
            let run = self.at;
            self.plain_run();
            let text = self.text(run, self.at)?;
            self.unescaped.push_str(text);
        }
    }

    /// Moves to the next quote, backslash, control character or the end.
    fn plain_run(&mut self) {
        self.at += plain_length(&self.bytes[self.at..]);
    }

    fn text(&self, from: usize, to: usize) -> Parsed<&'a str> {
        if let Some(text) = self.valid.get(from..to) {
            return Ok(text);
        }
        match std::str::from_utf8(&self.bytes[from..to]) {
            Ok(text) => Ok(text),
            Err(error) => Err(Box::new(Failure {
                kind: ErrorKind::InvalidUtf8,
                offset: from + error.valid_up_to(),
                detail: "bytes that are not UTF-8",
                path: Vec::new(),
            })),
        }
    }

    /// At a backslash.
    fn escape(&mut self) -> Parsed<char> {
        let start = self.at;
        self.at += 1;
        let Some(byte) = self.peek() else {
            return self.fail(ErrorKind::Truncated, "the file ends inside an escape");
        };
        self.at += 1;
        Ok(match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode_escape(start),
            _ => {
                self.at = start;
                return self.unexpected("unknown escape");
            }
        })
    }

    /// After `\u`; `start` is the backslash.
    fn unicode_escape(&mut self, start: usize) -> Parsed<char> {
        let first = self.hex4()?;
        let code = match first {
            0xD800..=0xDBFF => {
                if !self.bytes[self.at..].starts_with(b"\\u") {
                    if self.bytes[self.at..].len() < 2 && !self.bytes[self.at..].contains(&b'"') {
                        self.at = self.bytes.len();
                        return self.fail(ErrorKind::Truncated, "the file ends inside an escape");
                    }
                    return self.lone_surrogate(start);
                }
                self.at += 2;
                let second = self.hex4()?;
                if !(0xDC00..=0xDFFF).contains(&second) {
                    return self.lone_surrogate(start);
                }
                0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)
            }
            0xDC00..=0xDFFF => return self.lone_surrogate(start),
            code => code,
        };
        if code == 0 {
            self.at = start;
            return self.fail(ErrorKind::NulCharacter, "U+0000, which no database text can hold");
        }
        Ok(char::from_u32(code).expect("surrogates were handled above"))
    }

    fn lone_surrogate<T>(&mut self, start: usize) -> Parsed<T> {
        self.at = start;
        self.fail(ErrorKind::LoneSurrogate, "half of a surrogate pair, which is no Unicode text")
    }

    fn hex4(&mut self) -> Parsed<u32> {
        let mut code = 0;
        for _ in 0..4 {
            let Some(byte) = self.peek() else {
                return self.fail(ErrorKind::Truncated, "the file ends inside an escape");
            };
            let Some(digit) = char::from(byte).to_digit(16) else {
                return self.unexpected("expected four hexadecimal digits");
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }

    fn number(&mut self) -> Parsed<Value<'a>> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => {
                self.at += 1;
                if matches!(self.peek(), Some(b'0'..=b'9')) {
                    return self.unexpected("a number must not begin with 0");
                }
            }
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Value::Number(self.text(start, self.at)?))
    }

    fn digits(&mut self) -> Parsed<()> {
        match self.peek() {
            Some(b'0'..=b'9') => {}
            None => return self.fail(ErrorKind::Truncated, "the file ends inside a number"),
            Some(_) => return self.unexpected("expected a digit"),
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn word(&mut self, word: &'static [u8], value: Value<'a>) -> Parsed<Value<'a>> {
        let rest = &self.bytes[self.at..];
        if rest.starts_with(word) {
            self.at += word.len();
            Ok(value)
        } else if word.starts_with(rest) {
            self.at = self.bytes.len();
            self.fail(ErrorKind::Truncated, "the file ends inside a word")
        } else {
            self.unexpected("expected a value")
        }
    }

    fn skip_white(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// A byte that does not belong here: a syntax error, or bytes that are no UTF-8.
    fn unexpected<T>(&self, detail: &'static str) -> Parsed<T> {
        if self.at >= self.valid.len() {
            return self.fail(ErrorKind::InvalidUtf8, "bytes that are not UTF-8");
        }
        self.fail(ErrorKind::Syntax, detail)
    }

    fn fail<T>(&self, kind: ErrorKind, detail: &'static str) -> Parsed<T> {
        Err(Box::new(Failure { kind, offset: self.at, detail, path: Vec::new() }))
    }
}

impl Failure {
    fn within(mut self: Box<Self>, step: impl FnOnce() -> String) -> Box<Self> {
        self.path.push(step());
        self
    }
}

fn is_duplicate<'a>(members: &[Member<'a>], hashed: &mut Option<HashSet<&'a str>>, key: &'a str) -> bool {
    if members.len() < LINEAR_KEYS {
        return members.iter().any(|(name, _)| *name == key);
    }
    let hashed = hashed.get_or_insert_with(|| members.iter().map(|(name, _)| *name).collect());
    !hashed.insert(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kind(bytes: &[u8]) -> (ErrorKind, String) {
        let error = parse(bytes, &Arena::new()).unwrap_err();
        (error.kind, error.pointer)
    }

    #[test]
    fn every_fault_has_its_kind_and_its_pointer() {
        let cases: [(&[u8], ErrorKind, &str); 19] = [
            (b"", ErrorKind::Empty, ""),
            (b" \n", ErrorKind::Empty, ""),
            (b"[1,", ErrorKind::Truncated, "/1"),
            (b"[1", ErrorKind::Truncated, ""),
            (b"{\"a\":{\"b\":tr", ErrorKind::Truncated, "/a/b"),
            (b"[\"ab", ErrorKind::Truncated, "/0"),
            (b"[\"\\ud83", ErrorKind::Truncated, "/0"),
            (b"[1 2]", ErrorKind::Syntax, ""),
            (b"[01]", ErrorKind::Syntax, "/0"),
            (b"[1]x", ErrorKind::Syntax, ""),
            (b"[\"a\nb\"]", ErrorKind::Syntax, "/0"),
            (b"{\"a\":[\"\xFF\"]}", ErrorKind::InvalidUtf8, "/a/0"),
            (b"[1,\xFF]", ErrorKind::InvalidUtf8, "/1"),
            (b"{\"k\":\"\\ud800\"}", ErrorKind::LoneSurrogate, "/k"),
            (b"{\"k\":\"\\udc00\"}", ErrorKind::LoneSurrogate, "/k"),
            (b"{\"k\":\"\\ud800\\u0041\"}", ErrorKind::LoneSurrogate, "/k"),
            (b"{\"k\":[\"\\u0000\"]}", ErrorKind::NulCharacter, "/k/0"),
            (b"{\"a~/\":1,\"a~/\":2}", ErrorKind::DuplicateKey, "/a~0~1"),
            (b"{\"x\":{\"a\":1,\"\\u0061\":2}}", ErrorKind::DuplicateKey, "/x/a"),
        ];
        for (bytes, expected, pointer) in cases {
            assert_eq!(kind(bytes), (expected, pointer.to_owned()), "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn ten_thousand_levels_are_refused_without_a_stack_overflow() {
        assert_eq!(kind("[".repeat(10_000).as_bytes()).0, ErrorKind::TooDeep);
        let deepest = format!("{}1{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
        assert!(parse(deepest.as_bytes(), &Arena::new()).is_ok());
    }

    #[test]
    fn duplicates_are_found_in_large_objects() {
        let mut members: Vec<String> = (0..1000).map(|n| format!("\"k{n}\":{n}")).collect();
        assert!(parse(format!("{{{}}}", members.join(",")).as_bytes(), &Arena::new()).is_ok());
        members.push("\"k5\":1".into());
        assert_eq!(kind(format!("{{{}}}", members.join(",")).as_bytes()), (ErrorKind::DuplicateKey, "/k5".into()));
    }

    #[test]
    fn positions_count_characters() {
        assert_eq!(position("é\nüx!".as_bytes(), 6), (2, 3));
        assert_eq!(position(b"", 0), (1, 1));
    }

    #[test]
    fn numbers_keep_their_spelling() {
        let text = b"[1.10, -0, 1e131073, 123456789012345678901234567890, 1.0e+25]";
        let arena = Arena::new();
        let Ok(Value::Array(items)) = parse(text, &arena) else { panic!("does not parse") };
        let spelled: Vec<_> =
            items.iter().map(|item| if let Value::Number(text) = item { *text } else { "?" }).collect();
        assert_eq!(spelled, ["1.10", "-0", "1e131073", "123456789012345678901234567890", "1.0e+25"]);
    }

    proptest! {
        /// serde_json is the judge of what is JSON, save for what this reader refuses on purpose.
        #[test]
        fn agrees_with_serde_json_on_what_is_json(text in "[\\[\\]{}:, \"a\\\\u0d8-9eE+.tfnrl-]{0,24}") {
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            match parse(text.as_bytes(), &Arena::new()) {
                Ok(_) => prop_assert!(theirs.is_ok() || theirs.unwrap_err().to_string().contains("number out of range")),
                Err(error) => prop_assert!(
                    theirs.is_err() || matches!(error.kind, ErrorKind::DuplicateKey | ErrorKind::NulCharacter),
                    "{error:?}"
                ),
            }
        }

        #[test]
        fn never_panics_on_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Err(error) = parse(&bytes, &Arena::new()) {
                position(&bytes, error.offset);
            }
        }
    }
}
