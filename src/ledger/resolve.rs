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

/// Finds the rows for references to one kind: the row that the ledger names for the document, else the row
/// under the derived id, else the one with this natural key. A placeholder under the derived id gives way to
/// a row with the natural key: nobody knew of that row when the placeholder was made.
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
    let stands_in = if adopted { named_by_ledger(connection, format, kind, references)? } else { Resolved::new() };
    let derived = |reference: &String| format.referenced_id(kind, reference);
    let wanted: BTreeSet<Uuid> = stands_in.values().copied().chain(references.iter().map(derived)).collect();
    let wanted: Vec<Uuid> = wanted.into_iter().collect();
    // What the ledger names may have been deleted since.
    let rows = rows_in(connection, table, 0, &uuids(&wanted))?;
    let there: HashMap<Uuid, bool> = rows.iter().map(|row| (row.id(), format.is_placeholder(table, row))).collect();
    let mut placeholders = Resolved::new();
    for reference in references {
        let derived = derived(reference);
        match (stands_in.get(reference).filter(|row| there.contains_key(row)), there.get(&derived)) {
            (Some(row), _) => drop(resolved.insert(reference.clone(), *row)),
            (None, Some(false)) => drop(resolved.insert(reference.clone(), derived)),
            (None, Some(true)) => drop(placeholders.insert(reference.clone(), derived)),
            (None, None) => {}
        }
    }
    for &column in table.natural_key {
        let missing = references.iter().filter(|reference| !resolved.contains_key(*reference));
        let wanted: Vec<Value> = missing.cloned().map(Value::Text).collect();
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

/// The rows that the ledger names for the documents that are meant.
fn named_by_ledger(
    connection: &mut dyn Connection,
    format: &dyn Format,
    kind: &'static str,
    references: &BTreeSet<String>,
) -> Result<Resolved, TargetError> {
    let document = |reference: &String| ids::document(kind, &format.reference_key(kind, reference));
    let documents: Vec<Uuid> = references.iter().map(document).collect();
    let held = super::readable_documents_by(connection, documents::ID, &uuids(&documents))?;
    let rows: HashMap<Uuid, Uuid> = held.iter().filter_map(|held| Some((held.id, held.row_id?))).collect();
    let named =
        documents.iter().zip(references).filter_map(|(id, reference)| Some((reference.clone(), *rows.get(id)?)));
    Ok(named.collect())
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
