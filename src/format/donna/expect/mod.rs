//! What the columns of donna's tables must hold, read from its files a second time.
//!
//! Written from LAYOUTS.md, `docs/ids.md` and `docs/residue.md` over `crate::node`, and from nothing
//! that decoding uses: where both are of one opinion, two readings of the rules agree. Limits of a
//! database (digits of a number inside JSON, bytes of a text) are none of the files' business and
//! are not known here.

mod chat;
mod log;
mod memory;
mod message;
mod object;
mod session;
mod sound;
mod user;
mod when;

use std::ops::ControlFlow;

use crate::format::proof::{Expected, Facts, TakeExpected, Unexpected};
use crate::format::Open;
use crate::model::Content;
use crate::node::{self, Node, ReadError};

use super::tables;

#[cfg(test)]
mod tests;

/// See [`crate::format::Format::expect`].
pub fn expect(facts: &Facts, open: &Open, take: &mut TakeExpected) -> Result<(), Unexpected> {
    if let Some(file) = facts.files.iter().position(|(path, _)| path.as_path().to_str().is_none()) {
        return Err(Trouble::shape("", "the file's name is a key, and it is no UTF-8").of(file));
    }
    let outcome = if *facts.kind == tables::USER {
        user::expect(facts, open, take)
    } else if *facts.kind == tables::MEMORY {
        memory::expect(facts, open, take)
    } else if *facts.kind == tables::LOG {
        log::expect(facts, open, take)
    } else {
        chat::expect(facts, open, take)
    };
    match outcome {
        Err(Halt::Unexpected(unexpected)) => Err(unexpected),
        Ok(()) | Err(Halt::Enough) => Ok(()),
    }
}

/// Why the reading of a document ends early.
enum Halt {
    Unexpected(Unexpected),
    /// Whoever takes the rows wants no more.
    Enough,
}

/// What is wrong with a file; which one is said by [`Trouble::of`].
enum Trouble {
    Json(ReadError),
    Shape { pointer: String, detail: String },
}

impl Trouble {
    fn shape(pointer: impl Into<String>, detail: impl Into<String>) -> Trouble {
        Trouble::Shape { pointer: pointer.into(), detail: detail.into() }
    }

    fn of(self, file: usize) -> Unexpected {
        match self {
            Trouble::Json(ReadError::Io(source)) => Unexpected::Read { file, source },
            Trouble::Json(error) => Unexpected::NotJson { file, error },
            Trouble::Shape { pointer, detail } => Unexpected::Shape { file, pointer, detail },
        }
    }

    fn halt(self, file: usize) -> Halt {
        Halt::Unexpected(self.of(file))
    }
}

impl From<ReadError> for Trouble {
    fn from(error: ReadError) -> Trouble {
        Trouble::Json(error)
    }
}

/// Hands a row on.
fn give(take: &mut TakeExpected, row: Expected) -> Result<(), Halt> {
    match take(row) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Halt::Enough),
    }
}

/// Opens a file; that this does not work is no fault of the document.
fn opened<'a>(open: &Open<'a>, file: usize) -> Result<Content<'a>, Halt> {
    open(file).map_err(|source| Halt::Unexpected(Unexpected::Read { file, source }))
}

/// The value of a file of a layout that is never larger than can be held.
fn whole_value(open: &Open, file: usize) -> Result<Node, Halt> {
    match opened(open, file)? {
        Content::Whole(bytes) => value(bytes).map_err(|trouble| trouble.halt(file)),
        Content::Stream(_) => Err(Trouble::shape("", "too large for a file of this layout").halt(file)),
    }
}

/// A value all of which a table could hold.
fn value(bytes: &[u8]) -> Result<Node, Trouble> {
    let (node, _) = node::parse(bytes)?;
    sound::check(&node, "", 0)?;
    Ok(node)
}
