//! What both sides of a document come to in a receipt, computed where the document is compared.

use std::borrow::Cow;
use std::ops::ControlFlow;

use crate::format::proof::{HeldPart, HeldRow, Piece};
use crate::format::Format;
use crate::model::{Anchor, Document};
use crate::node::{self, ReadError};
use crate::source::{FileContent, Reading};

use super::batch::Judge;
use super::receipt::{DocumentHash, Leaf, Side};
use super::stored::{Rows, Stored};

/// The leaves of one document.
#[derive(Clone, Copy, Debug, Default)]
pub struct Both {
    pub file: Option<Leaf>,
    pub database: Option<Leaf>,
}

impl Both {
    pub fn each(self) -> impl Iterator<Item = (Side, Leaf)> {
        let of = |side, leaf: Option<Leaf>| leaf.map(|leaf| (side, leaf));
        [of(Side::File, self.file), of(Side::Database, self.database)].into_iter().flatten()
    }
}

/// The files' side; `None` for what says nothing that could be hashed: no JSON.
pub fn of_files(judge: &Judge, document: &Document, reading: &Reading) -> Option<Leaf> {
    let mut hash = DocumentHash::new(document.id, document.kind.name, document.key.clone());
    for (at, (file, read)) in document.files.iter().zip(&reading.files).enumerate() {
        let number = hash.file(file.path.to_text(), file.role.0);
        let mut item = |value: &node::Node| hash.item(number, value);
        let result: Result<(), ReadError> = match &read.content {
            FileContent::Whole(bytes) if document.kind.anchor == Anchor::None => lines(file, &bytes[..], &mut item),
            FileContent::Whole(bytes) => node::parse(bytes).map(|(value, _)| hash.whole(number, &value)),
            FileContent::Large => match crate::source::open_stream(judge.root, document, reading, at, &judge.read) {
                Ok(stream) if document.kind.anchor == Anchor::None => lines(file, stream, &mut item),
                Ok(stream) => node::each_element::<ReadError>(stream, &mut |_, value| {
                    item(&value);
                    Ok(ControlFlow::Continue(()))
                })
                .map(|_| ()),
                Err(error) => Err(error.into()),
            },
        };
        result.ok()?;
    }
    Some(hash.finish())
}

/// A file of lines, compressed or not.
fn lines(
    file: &crate::model::SourceFile,
    reader: impl std::io::Read,
    item: &mut dyn FnMut(&node::Node),
) -> Result<(), ReadError> {
    let mut each = |_, value: node::Node| {
        item(&value);
        Ok(ControlFlow::Continue(()))
    };
    let compressed = file.path.as_path().extension().is_some_and(|extension| extension == "gz");
    match compressed {
        true => node::each_line::<ReadError>(flate2::read::MultiGzDecoder::new(reader), &mut each),
        false => node::each_line::<ReadError>(reader, &mut each),
    }
    .map(|_| ())
}

/// The database's side, written again from columns and residue; `None` if the ledger does not know
/// the document, or knows it wrongly.
pub fn of_rows(format: &dyn Format, document: &Document, stored: &Stored, rows: &Rows) -> Option<Leaf> {
    let held = stored.document.as_ref()?.held(format)?;
    let mut hash = DocumentHash::new(document.id, held.kind.name, held.key.clone());
    let numbers: Vec<usize> = held.files.iter().map(|file| hash.file(file.path.to_text(), file.role.0)).collect();
    let mut parts = stored.parts.iter();
    let mut next = || {
        Ok(parts.next().map(|part| {
            let row =
                |id: &uuid::Uuid| HeldRow { id: *id, row: rows.get(part.table, *id).map(Cow::Borrowed), edited: false };
            let rows = part.ids.iter().map(row).collect();
            HeldPart { table: part.table, rows, residue: part.data.as_deref().map(Cow::Borrowed), added: false }
        }))
    };
    let result = format.rebuild(&held, &mut next, &mut |piece| {
        add(&mut hash, &numbers, &piece);
        Ok(())
    });
    result.ok()?;
    Some(hash.finish())
}

/// Adds what was written again.
pub fn add(hash: &mut DocumentHash, numbers: &[usize], piece: &Piece) {
    match piece {
        Piece::Whole { file, value } => hash.whole(numbers[*file], value),
        Piece::Item { file, value, .. } | Piece::Line { file, value, .. } => hash.item(numbers[*file], value),
        Piece::Lines { .. } | Piece::Mark { .. } | Piece::New { .. } => {}
    }
}
