//! What a legacy reference means: the row of the document that it names.

use std::collections::{BTreeSet, HashMap};

use uuid::Uuid;

use crate::format::Format;
use crate::model::ledger::documents;
use crate::model::{ids, DocumentKind, Row, Table, Value};
use crate::target::{select_all, Connection, Filter, TargetError};

use super::uuids;

/// The rows that references mean; a reference that is not here finds nothing.
pub type Resolved = HashMap<String, Uuid>;

/// Finds the rows for references to one kind: by legacy id first, by natural key after that. A
/// placeholder under the id gives way to a row with the natural key: nobody knew of that row when
/// the placeholder was made.
///
/// `adopted`: whether a document may stand in a row with another id than the derived one.
pub fn resolve(
    connection: &mut dyn Connection,
    format: &dyn Format,
    kind: &'static str,
    references: &BTreeSet<String>,
    adopted: bool,
) -> Result<Resolved, TargetError> {
    let mut resolved = Resolved::new();
    if references.is_empty() {
        return Ok(resolved);
    }
    let table = kind_of(format, kind).main;
    if adopted {
        let by_document: HashMap<Uuid, &String> = references
            .iter()
            .map(|reference| (ids::document(kind, &format.reference_key(kind, reference)), reference))
            .collect();
        let wanted: Vec<Uuid> = by_document.keys().copied().collect();
        for document in super::readable_documents_by(connection, documents::ID, &uuids(&wanted))? {
            if let (Some(reference), Some(row)) = (by_document.get(&document.id), document.row_id) {
                resolved.insert((*reference).clone(), row);
            }
        }
    }
    let missing = |resolved: &Resolved| -> Vec<String> {
        references.iter().filter(|reference| !resolved.contains_key(*reference)).cloned().collect()
    };
    let mut by_id: HashMap<Uuid, Vec<String>> = HashMap::new();
    for reference in missing(&resolved) {
        by_id.entry(format.referenced_id(kind, &reference)).or_default().push(reference);
    }
    let wanted: Vec<Uuid> = by_id.keys().copied().collect();
    let mut placeholders = Resolved::new();
    for row in rows_in(connection, table, 0, &uuids(&wanted))? {
        let found = if format.is_placeholder(table, &row) { &mut placeholders } else { &mut resolved };
        found.extend(by_id.get(&row.id()).into_iter().flatten().map(|reference| (reference.clone(), row.id())));
    }
    for &column in table.natural_key {
        let wanted: Vec<Value> = missing(&resolved).into_iter().map(Value::Text).collect();
        for row in rows_in(connection, table, column, &wanted)? {
            if let Some(text) = row.0[column].as_text() {
                resolved.insert(text.to_owned(), row.id());
            }
        }
    }
    for (reference, row) in placeholders {
        resolved.entry(reference).or_insert(row);
    }
    Ok(resolved)
}

/// Rows whose column equals one of the values.
pub fn rows_in(
    connection: &mut dyn Connection,
    table: &Table,
    column: usize,
    values: &[Value],
) -> Result<Vec<Row>, TargetError> {
    match values.is_empty() {
        true => Ok(Vec::new()),
        false => select_all(connection, table, &Filter::In { column, values }),
    }
}

/// The kind with this name.
///
/// # Panics
/// If the format has no such kind: then its tables refer to nothing.
pub fn kind_of(format: &dyn Format, kind: &str) -> &'static DocumentKind {
    format.kinds().iter().find(|known| known.name == kind).expect("a reference names a kind of its own format")
}
