//! The fixtures from end to end, on every database: the trees are migrated by the real program, and
//! what comes of them is compared with the lists beside them.
//!
//! `expected-rows.json` and `expected-rejects.json` are written by hand from the layouts. The files in
//! `expected/` hold everything, ids and residue included. They are written anew by
//! `TRANSLOAD_TEST_REWRITE=1 cargo test --test fixtures`; every changed line is then to be read.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::{Path, PathBuf};

use support::cli::{write, Finished, Workplace};
use support::dump::{hex, Database, Row};
use support::postgres;
use transload::format::donna::tables::TABLES;
use transload::json::{self, Value};
use transload::model::ledger::{DOCUMENTS, REJECTS, RESIDUE, RUNS};
use transload::model::{RelPath, Table};
use uuid::Uuid;

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(path)
}

fn sqlite(place: &Workplace) -> Database {
    Database::sqlite(&place.path("app.db"))
}

fn postgres(_: &Workplace) -> Database {
    // By TCP: a user other than the server's and root does not reach its socket.
    let server = postgres::shared();
    let name = Uuid::new_v4().to_string();
    server.create_database(&name);
    Database::Postgres(server.tcp_url_for(&name))
}

// ---------------------------------------------------------------- lists

fn items<'a, 'b>(value: &'a Value<'b>, member: &str) -> &'a [Value<'b>] {
    match value.get(member) {
        Some(Value::Array(items)) => items,
        other => panic!("{member} is {other:?}"),
    }
}

fn text<'a>(value: &'a Value, member: &str) -> Option<&'a str> {
    value.get(member).and_then(Value::as_str)
}

fn canonical(text: &str) -> String {
    json::to_canonical(&json::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error:?}")))
}

fn members<'a, 'b>(value: &'a Value<'b>) -> Vec<(&'a str, &'a Value<'b>)> {
    match value {
        Value::Object(members) => members.iter().map(|(name, value)| (&**name, value)).collect(),
        other => panic!("{other:?} is no object"),
    }
}

/// One line an item, so that a difference is a line.
fn list(items: impl IntoIterator<Item = String>) -> String {
    format!("[\n{}\n]", items.into_iter().collect::<Vec<_>>().join(",\n"))
}

/// Compares with a file of the fixture, or writes it when that is asked for.
fn compare(file: &str, actual: &str) {
    let path = fixture(file);
    if std::env::var_os("TRANSLOAD_TEST_REWRITE").is_some_and(|value| value == "1") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, actual).unwrap();
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    let mut lines = expected.lines().zip(actual.lines()).enumerate();
    if let Some((at, (expected, actual))) = lines.find(|(_, (expected, actual))| expected != actual) {
        panic!("{file} line {}:\nexpected {expected}\nfound    {actual}", at + 1);
    }
    assert_eq!(expected, actual, "{file}");
}

// ---------------------------------------------------------------- what a database holds

/// The order in which a table's rows are listed.
fn order(table: &Table) -> &'static [&'static str] {
    match table.name {
        "chat_sessions" => &["chat_id"],
        "messages" => &["chat_session_id", "sequence_number"],
        "user_memory" => &["user_id", "memory_type", "key"],
        "system_logs" => &["created_at", "message", "id"],
        _ => &["id"],
    }
}

struct Content {
    tables: BTreeMap<&'static str, Vec<Row>>,
    documents: Vec<Row>,
    residue: Vec<Row>,
}

impl Content {
    fn of(database: &Database) -> Content {
        Content {
            tables: TABLES.into_iter().map(|table| (table.name, database.rows(table, order(table)))).collect(),
            documents: database.rows(&DOCUMENTS, &["kind", "doc_key"]),
            residue: database.rows(&RESIDUE, &["document_id", "part"]),
        }
    }

    fn rows_text(&self) -> String {
        let table = |table: &&'static Table| {
            let rows = self.tables[table.name].iter().map(|row| row.to_json(&[]));
            format!("\"{}\": {}", table.name, list(rows))
        };
        format!("{{\n{}\n}}\n", TABLES.iter().map(table).collect::<Vec<_>>().join(",\n"))
    }

    /// The parts in the order of their documents; the data is JSON, as it stands.
    fn residue_text(&self) -> String {
        let mut lines = Vec::new();
        for document in &self.documents {
            for part in self.parts(document) {
                let data = part.text("data").unwrap_or_else(|| "null".into());
                json::parse(data.as_bytes()).unwrap();
                lines.push(format!(
                    "{{\"kind\":{},\"doc_key\":{},\"part\":{},\"table\":{},\"row_ids\":{},\"row_digests\":{},\"data\":{data}}}",
                    document.json("kind"),
                    document.json("doc_key"),
                    part.json("part"),
                    part.json("table_name"),
                    part.json("row_ids"),
                    part.json("row_digests"),
                ));
            }
        }
        assert_eq!(lines.len(), self.residue.len(), "residue of no document");
        list(lines) + "\n"
    }

    fn parts<'a>(&'a self, document: &Row) -> impl Iterator<Item = &'a Row> {
        let id = document.json("id").to_owned();
        self.residue.iter().filter(move |part| part.json("document_id") == id)
    }

    /// A document's rows of one table, in the document's order.
    fn rows_of(&self, document: &Row, table: &str) -> Vec<&Row> {
        let mut rows = Vec::new();
        for part in self.parts(document).filter(|part| part.text("table_name").as_deref() == Some(table)) {
            let packed = part.text("row_ids").unwrap();
            for id in packed.as_bytes().chunks(32) {
                let id = Uuid::parse_str(std::str::from_utf8(id).unwrap()).unwrap().to_string();
                let row = self.tables[table].iter().find(|row| row.text("id").as_deref() == Some(&id));
                rows.push(row.unwrap_or_else(|| panic!("{table} lacks {id}")));
            }
        }
        rows
    }

    fn document_with(&self, path: &str) -> &Row {
        let found = self.documents.iter().find(|document| paths(document).contains(&path.to_owned()));
        found.unwrap_or_else(|| panic!("no document has {path}"))
    }
}

/// The paths of a document of the ledger.
fn paths(document: &Row) -> Vec<String> {
    let files = document.json("files").to_owned();
    let files = json::parse(files.as_bytes()).unwrap();
    let Value::Array(files) = &files else { panic!("files are a list") };
    files.iter().map(|file| text(file, "path").unwrap().to_owned()).collect()
}

/// The id of a user without a file, as `docs/ids.md` says.
fn user_id(legacy: &str) -> String {
    let namespace = Uuid::new_v5(&Uuid::NAMESPACE_OID, b"transload");
    Uuid::new_v5(&namespace, format!("users\0{legacy}").as_bytes()).to_string()
}

// ---------------------------------------------------------------- the clean fixture

fn migrate(place: &Workplace, database: &Database, more: &[&str]) -> Finished {
    let mut arguments = vec!["migrate", "data", "--json", "--db"];
    let url = database.url();
    arguments.push(&url);
    arguments.extend(more);
    place.run(&arguments)
}

fn the_clean_fixture_on(make: fn(&Workplace) -> Database) {
    let place = Workplace::new();
    place.copy_fixture("donna");
    let database = make(&place);
    let finished = migrate(&place, &database, &["--with", "logs"]).expect(0);
    let content = Content::of(&database);

    let bytes = fs::read(fixture("donna/expected-rows.json")).unwrap();
    let expected = json::parse(&bytes).unwrap();
    let placeholders = has_the_expected_rows(&content, &expected);
    has_the_expected_summary(&finished.json(), &expected, placeholders.len());

    compare("donna/expected/rows.json", &content.rows_text());
    compare("donna/expected/residue.json", &content.residue_text());
    compare("donna/expected/ledger.json", &ledger_text(&content, &database));
    assert!(!place.path("transload-rejects").exists());
}

#[test]
fn the_clean_fixture_loads_as_expected_into_sqlite() {
    the_clean_fixture_on(sqlite);
}

#[test]
fn the_clean_fixture_loads_as_expected_into_postgresql() {
    the_clean_fixture_on(postgres);
}

/// Compares with the list that was written by hand; returns the placeholders' legacy ids.
fn has_the_expected_rows(content: &Content, expected: &Value) -> BTreeSet<String> {
    let mut accounted: BTreeMap<&str, usize> = BTreeMap::new();
    let mut placeholders = BTreeSet::new();
    let mut stated = 0;
    for document in items(expected, "documents") {
        let listed: Vec<&str> = items(document, "paths").iter().filter_map(Value::as_str).collect();
        let held = content.document_with(listed[0]);
        assert_eq!(paths(held), listed);
        for (table, rows) in members(document.get("rows").unwrap()) {
            let Value::Array(rows) = rows else { panic!("rows are a list") };
            let actual = content.rows_of(held, table);
            assert_eq!(actual.len(), rows.len(), "{listed:?} {table}");
            *accounted.entry(table).or_default() += rows.len();
            for (at, (row, actual)) in rows.iter().zip(&actual).enumerate() {
                for (column, value) in members(row) {
                    let value = match column {
                        "user_id" => user(content, value, &mut placeholders),
                        _ => json::to_canonical(value),
                    };
                    let found = canonical(actual.json(column));
                    assert_eq!(found, value, "{} {table} {at} {column}", listed[0]);
                    stated += 1;
                }
            }
        }
    }
    assert!(stated > 300, "{stated} values were compared");
    *accounted.entry("users").or_default() += placeholders.len();
    for (table, count) in &mut accounted {
        // The list leaves out the session rows of one document, which it says nothing about.
        let unstated = usize::from(*table == "chat_sessions");
        assert_eq!(content.tables[table].len(), *count + unstated, "{table}");
    }
    placeholders
}

/// What `user_id` must be, as JSON.
fn user(content: &Content, expected: &Value, placeholders: &mut BTreeSet<String>) -> String {
    if let Some(path) = text(expected, "document") {
        return content.document_with(path).json("row_id").to_owned();
    }
    let Some(legacy) = text(expected, "placeholder") else { return json::to_canonical(expected) };
    let id = user_id(legacy);
    let row = content.tables["users"].iter().find(|row| row.text("id").as_deref() == Some(&id));
    assert_eq!(row.unwrap_or_else(|| panic!("no placeholder for {legacy}")).text("status").unwrap(), "placeholder");
    placeholders.insert(legacy.to_owned());
    format!("\"{id}\"")
}

fn has_the_expected_summary(summary: &serde_json::Value, expected: &Value, placeholders: usize) {
    let documents = items(expected, "documents");
    let in_documents: usize = documents.iter().map(|document| items(document, "paths").len()).sum();
    let not_migrated = items(expected, "not_migrated").len();
    assert_eq!(
        summary["files"],
        serde_json::json!({
            "found": in_documents + not_migrated,
            "in_documents": in_documents,
            "not_migrated": not_migrated,
            "unreadable": 0,
            "vanished": 0,
        })
    );
    let count = documents.len();
    assert_eq!(
        summary["documents"],
        serde_json::json!({
            "found": count, "loaded": count, "updated": 0, "unchanged": 0, "rejected": 0, "conflicts": 0, "failed": 0,
        })
    );
    let mut rows: BTreeMap<String, usize> = BTreeMap::new();
    for (table, listed) in documents.iter().flat_map(|document| members(document.get("rows").unwrap())) {
        let Value::Array(listed) = listed else { panic!("rows are a list") };
        *rows.entry(table.to_owned()).or_default() += listed.len();
    }
    *rows.get_mut("users").unwrap() += placeholders;
    *rows.get_mut("chat_sessions").unwrap() += 1;
    let told = summary["tables"].as_array().unwrap();
    assert_eq!(told.len(), TABLES.len());
    for table in told {
        let name = table["table"].as_str().unwrap();
        assert_eq!(table["rows"].as_u64(), Some(rows[name] as u64), "{name}");
    }
    assert_eq!(summary["rows"].as_u64(), Some(rows.values().sum::<usize>() as u64));
    for (member, value) in [("balanced", true), ("dry_run", false)] {
        assert_eq!(summary[member], value, "{member}");
    }
    for member in ["rejects", "resume", "stopped_by"] {
        assert!(summary[member].is_null(), "{member}");
    }
    assert_eq!(summary["findings"].as_array().unwrap().len(), 0);
    assert_eq!(
        summary["not_migrated"].as_array().unwrap().iter().map(|line| line["files"].as_u64().unwrap()).sum::<u64>(),
        not_migrated as u64
    );
}

fn ledger_text(content: &Content, database: &Database) -> String {
    let documents = content.documents.iter().map(|row| row.to_json(&["run_id"]));
    let runs = database.rows(&RUNS, &["id"]);
    let runs = runs.iter().map(|row| row.to_json(&["id", "holder", "started_at", "finished_at", "version"]));
    let rejects = database.rows(&REJECTS, &["document_id"]);
    let rejects = rejects.iter().map(|row| row.to_json(&["run_id"]));
    format!("{{\n\"runs\": {},\n\"documents\": {},\n\"rejects\": {}\n}}\n", list(runs), list(documents), list(rejects))
}

#[test]
fn logs_are_left_out_unless_they_are_asked_for() {
    let place = Workplace::new();
    place.copy_fixture("donna");
    let database = sqlite(&place);
    let summary = migrate(&place, &database, &[]).expect(0).json();
    assert_eq!(summary["files"]["not_migrated"], 13);
    assert_eq!(summary["documents"]["loaded"], 24);
    let logs = summary["not_migrated"].as_array().unwrap().iter();
    let logs: Vec<_> = logs.filter(|line| line["layout"] == "12 log (see --with logs)").collect();
    assert_eq!((logs.len(), logs[0]["files"].as_u64()), (1, Some(2)));
    assert!(Content::of(&database).tables["system_logs"].is_empty());
}
