//! donna's documents from columns and residue, by `docs/residue.md`: the inverse of decoding, of
//! which nothing here knows.
//!
//! ```text
//! parts   a part's residue, read strictly: anything that does not fit is `BadResidue`
//! layout  which member is from which column (data)
//! object  one row and its residue -> one object;  edited: the same for a row that has changed since
//! user, chat, memory, log  a document of one kind -> its files' pieces
//! ```

mod adopt;
mod chat;
mod edited;
mod layout;
mod log;
mod memory;
mod memory_file;
mod object;
mod parts;
mod respell;
mod spelling;
mod user;

#[cfg(test)]
mod tests;

use crate::format::proof::{Held, NextPart, RebuildError, TakePiece};
use crate::model::{FileRole, Row, Value};

use super::tables;

pub use adopt::adopt_row;

/// See [`crate::format::Format::rebuild`].
pub fn rebuild(held: &Held, parts: &mut NextPart, take: &mut TakePiece) -> Result<(), RebuildError> {
    let mut parts = parts::Parts::new(parts);
    if *held.kind == tables::USER {
        user::rebuild(held, &mut parts, take)
    } else if *held.kind == tables::MEMORY {
        memory::rebuild(held, &mut parts, take)
    } else if *held.kind == tables::LOG {
        log::rebuild(held, &mut parts, take)
    } else {
        chat::rebuild(held, &mut parts, take)
    }
}

fn roles(held: &Held) -> Vec<FileRole> {
    held.files.iter().map(|file| file.role).collect()
}

fn column(row: &Row, at: usize) -> Value {
    row.0.get(at).cloned().unwrap_or(Value::Null)
}
