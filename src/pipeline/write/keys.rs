//! What identifies a row beside its id.

use crate::model::{digest, Row, Table, Value};

/// Text values of a natural key, by which others may refer to the row.
pub fn natural_texts<'a>(table: &'a Table, row: &'a Row) -> impl Iterator<Item = String> + 'a {
    table.natural_key.iter().filter_map(|at| row.0[*at].as_text()).map(str::to_owned)
}

/// What identifies a row: its id, and its natural key if that has no NULL.
pub type Key = (&'static str, String);

pub fn keys(table: &'static Table, row: &Row) -> Vec<Key> {
    let mut keys = vec![(table.name, row.id().to_string())];
    keys.extend(natural_key(table, row).map(|key| (table.name, key)));
    keys
}

/// The natural key as one text; `None` if the table has none or a value is NULL.
pub fn natural_key(table: &Table, row: &Row) -> Option<String> {
    if table.natural_key.is_empty() {
        return None;
    }
    let mut key = String::new();
    for &at in table.natural_key {
        match &row.0[at] {
            Value::Text(text) => key.push_str(text),
            Value::Uuid(id) => key.push_str(&id.to_string()),
            _ => return None,
        }
        key.push('\0');
    }
    Some(key)
}

/// What a row that the application wrote itself has in common with the document's own row; `None`
/// if the table knows no such thing.
pub fn twin_key(table: &Table, row: &Row) -> Option<[u8; digest::ROW_DIGEST]> {
    let values: Vec<Value> = table.twin_key.iter().map(|at| row.0[*at].clone()).collect();
    (!values.is_empty()).then(|| digest::row(&Row(values)))
}

/// Whether an id was derived: only the application draws ids of another version.
pub fn is_derived(id: uuid::Uuid) -> bool {
    id.get_version_num() == 5
}
