//! The legacy names of rows that others refer to: only rows that were edited or added since ask for
//! them, because all others have theirs in the residue.

use std::collections::HashMap;
use std::ops::ControlFlow;

use uuid::Uuid;

use crate::format::Format;
use crate::ledger::{self, LedgerDocument};
use crate::model::ledger::documents as d;
use crate::model::{ids, Anchor, DocumentKind, Row, Table, Value};
use crate::target::{Connection, Filter, TargetError};

/// Names that are remembered at most.
const MOST_KNOWN: usize = 10_000;

/// Looks names up, and remembers them.
#[derive(Default)]
pub struct Names {
    known: HashMap<Uuid, String>,
}

impl Names {
    /// Puts the names of what a row refers to in place of the row's ids, where the document does
    /// not say them. `said` is the reference in the document.
    pub fn apply(
        &mut self,
        connection: &mut dyn Connection,
        format: &'static dyn Format,
        table: &Table,
        row: &mut Row,
        said: Option<&str>,
    ) -> Result<(), TargetError> {
        for (at, column) in table.columns.iter().enumerate() {
            let Some(reference) = column.reference else { continue };
            let Some(kind) = format.kinds().iter().copied().find(|kind| kind.name == reference.kind) else { continue };
            let name = match (row.0[at].as_uuid(), said) {
                (Some(id), Some(said)) if means(connection, format, kind, said, id)? => continue,
                (Some(id), _) => self.of(connection, kind, id)?,
                // It names somebody whom the ledger knows: somebody else took the reference away.
                (None, Some(said)) if is_known(connection, format, kind, said)? => String::new(),
                (None, _) => continue,
            };
            row.0[at] = Value::Reference(name);
        }
        Ok(())
    }

    /// How the legacy application calls the row: by the file that is its own, else by what another
    /// document calls it, else by its id.
    pub fn of(
        &mut self,
        connection: &mut dyn Connection,
        kind: &'static DocumentKind,
        id: Uuid,
    ) -> Result<String, TargetError> {
        if let Some(name) = self.known.get(&id) {
            return Ok(name.clone());
        }
        let documents = ledger::readable_documents_by(connection, d::ROW_ID, &[Value::Uuid(id)])?;
        let own = documents.iter().find(|document| document.kind == kind.name).and_then(stem);
        let name = own.or_else(|| documents.iter().find_map(|document| document.reference.clone()));
        let name = name.unwrap_or_else(|| id.to_string());
        if self.known.len() >= MOST_KNOWN {
            self.known.clear();
        }
        self.known.insert(id, name.clone());
        Ok(name)
    }
}

fn stem(document: &LedgerDocument) -> Option<String> {
    let path = crate::model::RelPath::from_text(document.paths().first()?);
    path.as_path().file_stem()?.to_str().map(str::to_owned)
}

/// Whether a reference in a document means this row.
fn means(
    connection: &mut dyn Connection,
    format: &dyn Format,
    kind: &'static DocumentKind,
    said: &str,
    id: Uuid,
) -> Result<bool, TargetError> {
    if format.referenced_id(kind.name, said) == id {
        return Ok(true);
    }
    let mut found = false;
    let values = [Value::Uuid(id)];
    connection.select(kind.main, &Filter::In { column: kind.main.key[0], values: &values }, &mut |row| {
        found = kind.main.natural_key.iter().any(|at| row.0[*at].as_text() == Some(said));
        ControlFlow::Break(())
    })?;
    Ok(found || document_of(connection, format, kind, said)?.is_some_and(|document| document.row_id == Some(id)))
}

/// Whether a reference names a document of the ledger, so that it was resolved when it was loaded.
fn is_known(
    connection: &mut dyn Connection,
    format: &dyn Format,
    kind: &'static DocumentKind,
    said: &str,
) -> Result<bool, TargetError> {
    if document_of(connection, format, kind, said)?.is_some() {
        return Ok(true);
    }
    let mut rows = Vec::new();
    for &column in kind.main.natural_key {
        let values = [Value::Text(said.to_owned())];
        connection.select(kind.main, &Filter::In { column, values: &values }, &mut |row| {
            rows.push(Value::Uuid(row.id()));
            ControlFlow::Continue(())
        })?;
    }
    let documents = ledger::readable_documents_by(connection, d::ROW_ID, &rows)?;
    Ok(documents.iter().any(|document| document.kind == kind.name && kind.anchor == Anchor::FirstRow))
}

fn document_of(
    connection: &mut dyn Connection,
    format: &dyn Format,
    kind: &'static DocumentKind,
    said: &str,
) -> Result<Option<LedgerDocument>, TargetError> {
    let id = ids::document(kind.name, &format.reference_key(kind.name, said));
    Ok(ledger::readable_documents_by(connection, d::ID, &[Value::Uuid(id)])?.pop())
}
