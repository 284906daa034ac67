//! Rows of the ledger for a document that is written, whichever way its rows go.

use uuid::Uuid;

use crate::ledger::LedgerDocument;
use crate::model::digest::{self, Seal, ROW_DIGEST};
use crate::model::document::Anchor;
use crate::model::{Note, Row, Table, Value};
use crate::pipeline::item::Source;

/// Ids and digests of a part's rows, packed as the ledger holds them.
#[derive(Default)]
pub struct Packed {
    pub ids: Vec<u8>,
    pub digests: Vec<u8>,
}

impl Packed {
    pub fn with_capacity(rows: usize) -> Packed {
        Packed { ids: Vec::with_capacity(rows * 16), digests: Vec::with_capacity(rows * ROW_DIGEST) }
    }

    pub fn push(&mut self, id: Uuid, digest: [u8; ROW_DIGEST]) {
        self.ids.extend_from_slice(id.as_bytes());
        self.digests.extend_from_slice(&digest);
    }

    pub fn of(rows: &[Row]) -> Packed {
        let mut packed = Packed::with_capacity(rows.len());
        for row in rows {
            packed.push(row.id(), digest::row(row));
        }
        packed
    }
}

pub fn residue_row(document: Uuid, part: usize, table: &str, packed: Packed, data: Option<String>) -> Row {
    digest::sealed(vec![
        Value::Uuid(document),
        Value::Int(i64::try_from(part).expect("fewer parts than 2^63")),
        Value::Text(table.to_owned()),
        Value::Bytes(packed.ids),
        Value::Bytes(packed.digests),
        Value::text_or_null(data),
    ])
}

/// The row that stands for the document, from its first rows with resolved references.
pub fn anchor_of(anchor: Anchor, table: &Table, rows: &[Row]) -> Option<Uuid> {
    let first = rows.first()?;
    match anchor {
        Anchor::FirstRow => Some(first.id()),
        Anchor::Referenced => {
            let column = table.columns.iter().position(|column| column.reference.is_some())?;
            first.0[column].as_uuid()
        }
        Anchor::None => None,
    }
}

pub fn ledger_document(
    source: &Source,
    run: Uuid,
    row_id: Option<Uuid>,
    reference: Option<String>,
    notes: &[Note],
) -> LedgerDocument {
    LedgerDocument {
        id: source.document.id,
        kind: source.document.kind.name.to_owned(),
        key: source.document.key.clone(),
        row_id,
        reference,
        digest: source.digest.to_vec(),
        bytes: source.bytes,
        base_time: source.base_time,
        files: source.files.clone(),
        notes: (!notes.is_empty()).then(|| serde_json::to_string(notes).expect("notes are JSON")),
        run,
        seal: Seal::Right,
    }
}
