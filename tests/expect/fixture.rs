//! The clean fixture's rows as they were written down by hand, against what the proof expects.

use std::path::Path;

use jiff::tz::TimeZone;
use transload::format::proof::Expected;
use transload::model::{ids, Value};
use transload::node::{self, Node};

use crate::readings::{expected, parsed, Held};
use crate::tree::{Read, Tree};

/// Times without a zone are listed as if they were UTC.
fn rows_of(read: &Read) -> Vec<Expected> {
    let path = &read.document.files[0].path;
    expected(read, Held::Whole, TimeZone::UTC).unwrap_or_else(|why| panic!("{path:?}: {why}"))
}

/// # Panics
/// With the first value that is not as the list has it.
pub fn is_as_listed(tree: &Tree, list: &Path) {
    let list = parsed(&std::fs::read_to_string(list).expect("the list can be read"));
    let documents = list.get("documents").expect("documents").items();
    assert!(documents.len() > 20, "only {} documents are listed", documents.len());
    let mut stated = 0;
    for document in documents {
        let paths: Vec<&str> = document.get("paths").expect("paths").items().iter().filter_map(Node::as_text).collect();
        let rows = rows_of(of_path(tree, paths[0]));
        for (table, listed) in document.get("rows").expect("rows").members() {
            let rows: Vec<&Expected> = rows.iter().filter(|row| row.table.name == *table).collect();
            assert_eq!(rows.len(), listed.items().len(), "{paths:?} {table}");
            for (listed, row) in listed.items().iter().zip(rows) {
                for (column, value) in listed.members() {
                    let at = row.table.column(column).unwrap_or_else(|| panic!("{table} has no {column}"));
                    let found = &row.cells[at].value;
                    assert!(is(tree, value, found), "{paths:?} {table} {column}: {found:?}, listed {value:?}");
                    stated += 1;
                }
            }
        }
    }
    assert!(stated > 300, "{stated} values were compared");
}

fn of_path<'a>(tree: &'a Tree, path: &str) -> &'a Read {
    let of = |read: &&Read| read.document.files.iter().any(|file| file.path.to_text() == path);
    tree.documents.iter().find(of).unwrap_or_else(|| panic!("no document has {path}"))
}

fn is(tree: &Tree, listed: &Node, found: &Value) -> bool {
    match found {
        Value::Json(text) => node::equal(listed, &parsed(text)),
        Value::Null => listed.is_null(),
        Value::Text(text) => listed.as_text() == Some(text),
        Value::Int(number) => listed.as_number() == Some(&number.to_string()),
        Value::Bool(flag) => *listed == Node::Bool(*flag),
        Value::Time(instant) => listed.as_text() == Some(&instant.to_fixed()),
        Value::Inet(address) => listed.as_text() == Some(&address.to_string()),
        Value::Uuid(id) => listed.as_text() == Some(&id.to_string()),
        Value::Reference(reference) => refers(tree, listed, reference),
        Value::Bytes(_) => false,
    }
}

/// By the user's id or clerk id; a placeholder or nobody if there is no such user.
fn refers(tree: &Tree, listed: &Node, reference: &str) -> bool {
    let user = |read: &&Read| {
        read.document.kind.name == "users"
            && (ids::as_uuid(reference).unwrap_or_else(|| ids::derive(&["users", reference])) == rows_of(read)[0].id
                || rows_of(read)[0].cells[1].value.as_text() == Some(reference))
    };
    let found = tree.documents.iter().find(user).map(|read| read.document.files[0].path.to_text());
    match listed.get("document") {
        Some(path) => path.as_text() == found.as_deref(),
        None => found.is_none() && listed.get("placeholder").is_none_or(|name| name.as_text() == Some(reference)),
    }
}
