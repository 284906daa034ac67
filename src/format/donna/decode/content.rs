//! From a file's content to JSON values, with the flaw's place when that fails.

use std::ops::ControlFlow;

use crate::format::{Emit, Open};
use crate::json::{self, Arena, Elements, ErrorKind, StreamError, Value};
use crate::model::{Content, DecodeError, Flaw, Part, Place, Reason};

/// The largest single element of a streamed list, in bytes. One element is held whole, and its
/// rows and their copies beside it, so this bounds memory.
const LARGEST_ELEMENT: usize = 32 * 1024 * 1024;

/// A file that is held whole; its layout cannot be read in parts.
pub fn whole<'a>(open: &Open<'a>, file: usize) -> Result<&'a [u8], DecodeError> {
    match open(file).map_err(|source| DecodeError::Read { file, source })? {
        Content::Whole(bytes) => Ok(bytes),
        Content::Stream(_) => {
            let detail = "too large for a file of this layout, which is read whole (see `whole_bytes`)";
            Err(Flaw::new(Reason::TooLarge, file, Place::default(), detail).into())
        }
    }
}

/// Parses a whole file. The flag says whether it began with a byte order mark.
pub fn parse<'a>(bytes: &'a [u8], file: usize, arena: &'a Arena) -> Result<(Value<'a>, bool), Flaw> {
    let (rest, bom) = json::strip_bom(bytes);
    match json::parse(rest, arena) {
        Ok(value) => Ok((value, bom)),
        Err(error) => Err(flaw(&error, rest, file, (1, 1), None)),
    }
}

/// What the elements of a list come from.
pub enum List<'v> {
    Whole(&'v [Value<'v>]),
    /// Too large to be held: opened again for every pass.
    Stream,
}

/// Calls `each` for the elements of a file's top-level list, in their order; `list` is what
/// [`list`] gave for this file.
pub fn each_element<E: From<DecodeError> + From<Flaw>>(
    list: &List,
    open: &Open,
    file: usize,
    each: &mut dyn FnMut(usize, &Value) -> Result<(), E>,
) -> Result<(), E> {
    if let List::Whole(items) = list {
        return items.iter().enumerate().try_for_each(|(at, item)| each(at, item));
    }
    let content = open(file).map_err(|source| DecodeError::Read { file, source })?;
    let Content::Stream(reader) = content else {
        unreachable!("a file that was streamed once is streamed again");
    };
    let mut elements = Elements::new(reader, LARGEST_ELEMENT);
    let mut arena = Arena::new();
    let mut at = 0;
    loop {
        match elements.next() {
            Ok(None) => return Ok(()),
            Ok(Some(element)) => {
                let value = json::parse_within(element.bytes, 1, &arena)
                    .map_err(|error| flaw(&error, element.bytes, file, (element.line, element.column), Some(at)))?;
                each(at, &value)?;
                arena.reset();
                at += 1;
            }
            Err(error) => return Err(stream_error(error, file, at).into()),
        }
    }
}

/// The file's top-level list and whether a byte order mark came before it.
pub fn list<'o: 'a, 'a>(open: &Open<'o>, file: usize, arena: &'a Arena) -> Result<(List<'a>, bool), DecodeError> {
    match open(file).map_err(|source| DecodeError::Read { file, source })? {
        Content::Whole(bytes) => match parse(bytes, file, arena)? {
            (Value::Array(items), bom) => Ok((List::Whole(items), bom)),
            (other, _) => {
                let detail = format!("expected an array, found {}", other.type_name());
                Err(Flaw::new(Reason::WrongType, file, Place::at_pointer(""), detail).into())
            }
        },
        Content::Stream(mut reader) => {
            let mut start = [0; 3];
            let bom = reader.read_exact(&mut start).is_ok() && start == *b"\xEF\xBB\xBF";
            Ok((List::Stream, bom))
        }
    }
}

/// The flaw for a JSON error; `from` is where the bytes begin in the file, `element` their
/// position in the file's list.
pub fn flaw(error: &json::Error, bytes: &[u8], file: usize, from: (u64, u64), element: Option<usize>) -> Flaw {
    let reason = match error.kind {
        ErrorKind::Empty => Reason::Empty,
        ErrorKind::Truncated => Reason::Truncated,
        ErrorKind::Syntax => Reason::InvalidJson,
        ErrorKind::InvalidUtf8 => Reason::InvalidUtf8,
        ErrorKind::LoneSurrogate => Reason::LoneSurrogate,
        ErrorKind::NulCharacter => Reason::NulCharacter,
        ErrorKind::DuplicateKey => Reason::DuplicateKey,
        ErrorKind::TooDeep => Reason::TooDeep,
    };
    let (line, column) = json::position(bytes, error.offset);
    let column = if line == 1 { column + from.1 - 1 } else { column };
    let mut pointer = element.map_or(String::new(), |at| format!("/{at}"));
    pointer.push_str(&error.pointer);
    let place = Place { line: Some(line + from.0 - 1), column: Some(column), pointer: Some(pointer) };
    Flaw::new(reason, file, place, error.detail)
}

fn stream_error(error: StreamError, file: usize, at: usize) -> DecodeError {
    let place = |line, column| Place { line: Some(line), column: Some(column), pointer: None };
    let flaw = match error {
        StreamError::Read(source) => return DecodeError::Read { file, source },
        StreamError::NotAnArray => Flaw::new(Reason::WrongType, file, Place::at_pointer(""), "expected an array"),
        StreamError::Empty => Flaw::new(Reason::Empty, file, place(1, 1), "expected a JSON value, found nothing"),
        StreamError::Syntax { line, column, detail } => {
            Flaw::new(Reason::InvalidJson, file, place(line, column), detail)
        }
        StreamError::Truncated { line, column } => {
            Flaw::new(Reason::Truncated, file, place(line, column), "the file ends inside an array")
        }
        StreamError::TooLarge { line, column } => {
            let mut place = place(line, column);
            place.pointer = Some(format!("/{at}"));
            Flaw::new(Reason::TooLarge, file, place, "one element of more than 32 MiB")
        }
    };
    flaw.into()
}

/// Emits a part; `Err` when the receiver wants no more.
pub fn send(emit: &mut Emit, part: Part) -> Result<(), DecodeError> {
    match emit(part) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(DecodeError::Stopped),
    }
}
