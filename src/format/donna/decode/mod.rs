//! Decoding donna's documents: content in, rows and residue out, nothing chosen or dropped.

mod chat;
mod content;
mod log;
mod members;
mod memory;
mod residue;
mod time;
mod user;

use crate::format::{DecodeContext, Emit, Open};
use crate::model::{DecodeError, Decoded, Document, Flaw, Place, Reason};

use super::tables;

pub use user::id as user_id;

/// See [`crate::format::Format::decode`].
pub fn decode(
    document: &Document,
    open: &Open,
    context: &DecodeContext,
    emit: &mut Emit,
) -> Result<Decoded, DecodeError> {
    if let Some(file) = document.files.iter().position(|file| file.path.as_path().to_str().is_none()) {
        let detail = "the file's name is a key, and it is no UTF-8";
        return Err(Flaw::new(Reason::NameNotUtf8, file, Place::default(), detail).into());
    }
    if *document.kind == tables::USER {
        user::decode(document, open, context, emit)
    } else if *document.kind == tables::MEMORY {
        memory::decode(document, open, context, emit)
    } else if *document.kind == tables::LOG {
        log::decode(document, open, context, emit)
    } else {
        chat::decode(document, open, context, emit)
    }
}
