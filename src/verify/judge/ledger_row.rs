//! What the ledger says of a document itself, against what the document is.

use uuid::Uuid;

use crate::format::proof::Expected;
use crate::model::ledger::{DOCUMENTS, REJECTS, RESIDUE};
use crate::model::{Anchor, Document, Reference, Value};
use crate::source::Reading;
use crate::verify::compare::{Comparison, Mode};
use crate::verify::outcome::{Cause, Difference, Moved};
use crate::verify::resolve::Resolved;
use crate::verify::stored::Stored;

/// What the ledger says that cannot be, before anything is compared.
pub fn of_ledger(comparison: &mut Comparison, stored: &Stored, reading: &Reading) {
    for (table, detail) in &stored.forged {
        comparison.ledger(Cause::LedgerForged, table, detail.clone());
    }
    if stored.document.is_some() && stored.parts.is_empty() && !stored.is_forged(RESIDUE.name) {
        comparison.ledger(Cause::LedgerMissing, RESIDUE.name, "the document has no part");
    } else if stored.gap && !stored.is_forged(RESIDUE.name) {
        comparison.ledger(Cause::LedgerMissing, RESIDUE.name, "a part of the document is missing");
    }
    let (Some(document), Some(reject)) = (&stored.document, &stored.reject) else { return };
    if document.digest == reading.digest && reject.digest == reading.digest {
        comparison.ledger(Cause::LedgerForged, REJECTS.name, "the document is loaded, and rejected as it is");
    }
}

/// A document whose rows are there, and that the ledger does not know.
pub fn forgotten(comparison: &mut Comparison) {
    let detail = "the document's rows are there, and the ledger does not know it";
    comparison.ledger(Cause::LedgerMissing, DOCUMENTS.name, detail);
}

/// The legacy reference in a document, with what it means in the database.
#[derive(Clone, Copy)]
pub struct Refers<'a> {
    reference: Reference,
    text: &'a str,
    row: Option<Uuid>,
}

/// The reference in a document's first row.
pub fn refers<'a>(resolved: &Resolved, first: &'a Expected) -> Option<Refers<'a>> {
    first.table.columns.iter().zip(&first.cells).find_map(|(column, cell)| match (column.reference, &cell.value) {
        (Some(reference), Value::Reference(text)) => {
            let row = resolved.meaning(reference, text).and_then(|meaning| meaning.row);
            Some(Refers { reference, text, row })
        }
        _ => None,
    })
}

/// What the ledger says of the document itself.
pub fn ledger_row(
    comparison: &mut Comparison,
    document: &Document,
    reading: &Reading,
    stored: &Stored,
    refers: Option<Refers>,
) {
    let Some(ledger) = &stored.document else { return };
    let mut wrong = Vec::new();
    if ledger.kind != document.kind.name || ledger.key != document.key {
        wrong.push("kind or key is another document's".to_owned());
    }
    // What the ledger's row must name; `None` where the row is gone, which is told by row.
    let anchor = match (document.kind.anchor, refers) {
        (Anchor::FirstRow, _) => comparison.parent.map(Some),
        (Anchor::Referenced, Some(refers)) => refers.row.map(Some),
        (Anchor::Referenced, None) | (Anchor::None, _) => Some(None),
    };
    let names_another = anchor.is_some_and(|anchor| ledger.row_id != anchor);
    let format = comparison.format;
    let reference = refers.map(|refers| format.reference_key(refers.reference.kind, refers.text));
    if comparison.mode == Mode::Loaded {
        let paths: Vec<String> = document.files.iter().map(|file| file.path.to_text()).collect();
        let mut held = ledger.paths();
        held.sort();
        let mut sorted = paths;
        sorted.sort();
        if held != sorted {
            let detail = format!("the ledger knows it as {}", held.join(", "));
            let difference = Difference { detail: Some(detail), ..comparison.blank(Cause::EditedInFile, Moved::File) };
            comparison.tell(difference);
        }
        if ledger.bytes != reading.bytes() {
            wrong.push("its size is not the files'".into());
        }
        if ledger.reference != reference {
            wrong.push("it knows another reference than the document's".into());
        }
        if names_another {
            wrong.push("it names another row as the document's own".into());
        }
    } else {
        for path in ledger.paths() {
            if !document.files.iter().any(|file| file.path.is_text(&path)) {
                let difference = Difference {
                    file: path,
                    detail: Some("a file of the document is gone".into()),
                    ..comparison.blank(Cause::EditedInFile, Moved::File)
                };
                comparison.tell(difference);
            }
        }
        if document.kind.anchor == Anchor::FirstRow && names_another {
            wrong.push("it names another row as the document's own".into());
        }
    }
    for detail in wrong {
        comparison.ledger(Cause::LedgerForged, DOCUMENTS.name, detail);
    }
}
