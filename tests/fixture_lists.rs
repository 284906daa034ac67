//! The fixture trees are what the lists beside them say: no file is forgotten, and what one file
//! alone shows (its JSON, the columns named) is right. What a migration makes of them is tested
//! elsewhere.

use std::collections::BTreeSet;
use std::path::Path;

use transload::format::donna::tables::TABLES;
use transload::json::{self, ErrorKind, Value};
use transload::model::{Reason, RelPath};

fn fixture(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(path)
}

fn read(path: &str) -> Vec<u8> {
    std::fs::read(fixture(path)).unwrap()
}

fn files(legacy: &str) -> Vec<String> {
    let root = fixture(legacy);
    let found = walkdir::WalkDir::new(&root).into_iter().map(Result::unwrap);
    let files = found.filter(|entry| entry.file_type().is_file());
    let mut paths: Vec<String> =
        files.map(|entry| RelPath::new(entry.path().strip_prefix(&root).unwrap()).to_text()).collect();
    paths.sort();
    paths
}

fn items<'a, 'b>(value: &'a Value<'b>, member: &str) -> &'a [Value<'b>] {
    match value.get(member) {
        Some(Value::Array(items)) => items,
        other => panic!("{member} is {other:?}"),
    }
}

fn text<'a>(value: &'a Value, member: &str) -> Option<&'a str> {
    value.get(member).and_then(Value::as_str)
}

fn number(value: &Value, member: &str) -> Option<u64> {
    match value.get(member) {
        Some(Value::Number(spelling)) => Some(spelling.parse().unwrap()),
        _ => None,
    }
}

#[test]
fn every_clean_file_is_in_one_document_or_not_migrated() {
    let bytes = read("donna/expected-rows.json");
    let arena = json::Arena::new();
    let list = json::parse(&bytes, &arena).unwrap();
    let mut listed: Vec<String> =
        items(&list, "not_migrated").iter().map(|path| path.as_str().unwrap().to_owned()).collect();
    for document in items(&list, "documents") {
        listed.extend(items(document, "paths").iter().map(|path| path.as_str().unwrap().to_owned()));
    }
    listed.sort();
    assert!(listed.len() > 30);
    assert_eq!(listed, files("donna/legacy"));
}

#[test]
fn every_clean_json_file_is_json() {
    let mut read_files = 0;
    for path in files("donna/legacy").iter().filter(|path| path.ends_with(".json")) {
        json::parse(&read(&format!("donna/legacy/{path}")), &json::Arena::new())
            .unwrap_or_else(|error| panic!("{path}: {error:?}"));
        read_files += 1;
    }
    assert!(read_files > 30);
}

#[test]
fn expected_rows_name_columns_that_exist() {
    let bytes = read("donna/expected-rows.json");
    let arena = json::Arena::new();
    let list = json::parse(&bytes, &arena).unwrap();
    let mut rows_seen = 0;
    for document in items(&list, "documents") {
        let Some(Value::Object(tables)) = document.get("rows") else { panic!("rows of {document:?}") };
        for (name, rows) in *tables {
            let table = TABLES.into_iter().find(|table| table.name == *name).unwrap_or_else(|| panic!("{name}"));
            let Value::Array(rows) = rows else { panic!("{name} is no list of rows") };
            for row in *rows {
                let Value::Object(columns) = row else { panic!("{row:?} is no row") };
                for (column, value) in *columns {
                    let at = table.column(column).unwrap_or_else(|| panic!("{name}.{column}"));
                    let longest = table.columns[at].max_chars.unwrap_or(usize::MAX);
                    assert!(value.as_str().is_none_or(|text| text.chars().count() <= longest), "{name}.{column}");
                }
                rows_seen += 1;
            }
        }
    }
    assert!(rows_seen > 60, "{rows_seen} rows");
}

#[test]
fn every_damaged_file_has_its_outcome() {
    let bytes = read("donna-damaged/expected-rejects.json");
    let extra_bytes = read("donna-damaged/extra.json");
    let arena = json::Arena::new();
    let (list, extra) = (json::parse(&bytes, &arena).unwrap(), json::parse(&extra_bytes, &arena).unwrap());
    let expected: Vec<&str> = items(&list, "files").iter().map(|file| text(file, "path").unwrap()).collect();
    let listed: BTreeSet<&str> = expected.iter().copied().collect();
    assert_eq!(listed.len(), expected.len(), "a path is listed twice");

    let mut present = files("donna-damaged/legacy");
    for entry in items(&extra, "entries") {
        let path = text(entry, "path").unwrap();
        assert_eq!(RelPath::from_text(path).to_text(), path);
        let content = match text(entry, "make") {
            Some("file") => text(entry, "content"),
            Some("link") => text(entry, "target"),
            other => panic!("{path} is made as {other:?}"),
        };
        assert!(content.is_some(), "{path} has nothing in it");
        present.push(path.to_owned());
    }
    assert_eq!(listed, present.iter().map(String::as_str).collect());

    for file in items(&list, "files") {
        let outcome = text(file, "outcome").unwrap();
        assert!(["loaded", "reject", "not_migrated", "unreadable", "not_followed"].contains(&outcome), "{file:?}");
        let reason = text(file, "reason");
        assert!(reason.is_none_or(|code| Reason::from_code(code).is_some()), "{file:?}");
        assert_eq!(outcome == "reject", reason.is_some() || file.get("part_of").is_some(), "{file:?}");
    }
}

#[test]
fn damaged_files_are_rejected_by_the_reader_where_the_list_says() {
    let bytes = read("donna-damaged/expected-rejects.json");
    let arena = json::Arena::new();
    let list = json::parse(&bytes, &arena).unwrap();
    let (mut good, mut bad) = (0, 0);
    for file in items(&list, "files") {
        let path = text(file, "path").unwrap();
        if !path.ends_with(".json") || text(file, "needs").is_some() || text(file, "outcome") == Some("not_migrated") {
            continue;
        }
        let bytes = read(&format!("donna-damaged/legacy/{path}"));
        let (content, bom) = json::strip_bom(&bytes);
        assert_eq!(bom, path.contains("bom"), "{path}");
        let claimed = text(file, "reason").filter(|code| PARSED.contains(code));
        match json::parse(content, &json::Arena::new()) {
            Ok(_) => {
                assert_eq!(claimed, None, "{path} is JSON");
                good += 1;
            }
            Err(error) => {
                assert_eq!(Some(code(error.kind)), claimed, "{path}");
                let (line, column) = json::position(content, error.offset);
                assert!(number(file, "line").is_none_or(|expected| expected == line), "{path}: line {line}");
                assert!(number(file, "column").is_none_or(|expected| expected == column), "{path}: column {column}");
                let pointer = text(file, "pointer");
                assert!(pointer.is_none_or(|expected| expected == error.pointer), "{path}: {}", error.pointer);
                bad += 1;
            }
        }
    }
    assert!(good > 40 && bad > 20, "{good} good and {bad} bad files");
}

/// The codes of what the reader itself rejects.
const PARSED: [&str; 8] = [
    "empty",
    "truncated",
    "invalid_json",
    "invalid_utf8",
    "lone_surrogate",
    "nul_character",
    "duplicate_key",
    "too_deep",
];

fn code(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Empty => "empty",
        ErrorKind::Truncated => "truncated",
        ErrorKind::Syntax => "invalid_json",
        ErrorKind::InvalidUtf8 => "invalid_utf8",
        ErrorKind::LoneSurrogate => "lone_surrogate",
        ErrorKind::NulCharacter => "nul_character",
        ErrorKind::DuplicateKey => "duplicate_key",
        ErrorKind::TooDeep => "too_deep",
    }
}
