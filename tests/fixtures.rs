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
    json::to_canonical(
        &json::parse(text.as_bytes(), &json::Arena::new()).unwrap_or_else(|error| panic!("{text}: {error:?}")),
    )
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
                json::parse(data.as_bytes(), &json::Arena::new()).unwrap();
                lines.push(format!(
                    "{{\"kind\":{},\"doc_key\":{},\"part\":{},\"table\":{},\"row_ids\":{},\"row_digests\":{},\"seal\":{},\"data\":{data}}}",
                    document.json("kind"),
                    document.json("doc_key"),
                    part.json("part"),
                    part.json("table_name"),
                    part.json("row_ids"),
                    part.json("row_digests"),
                    part.json("seal"),
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
    let arena = json::Arena::new();
    let files = json::parse(files.as_bytes(), &arena).unwrap();
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
    let arena = json::Arena::new();
    let expected = json::parse(&bytes, &arena).unwrap();
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
    let documents = content.documents.iter().map(|row| row.to_json(&["run_id", "seal"]));
    let runs = database.rows(&RUNS, &["id"]);
    let runs = runs.iter().map(|row| row.to_json(&["id", "holder", "started_at", "finished_at", "version"]));
    let rejects = database.rows(&REJECTS, &["document_id"]);
    let rejects = rejects.iter().map(|row| row.to_json(&["run_id", "seal"]));
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
    assert!(!database.has("system_logs"));
}

// ---------------------------------------------------------------- the damaged fixture

/// What stands in layout 7's files where a key is due, and must be seen nowhere.
const SECRETS: [&str; 6] =
    ["not-a-real-token", "access_token", "mail.read", "not-a-real-password", "mail.example.com", "example.com/mcp"];

/// The copy of the fixture with the files that git does not keep.
fn damaged_tree(place: &Workplace) -> PathBuf {
    let data = place.copy_fixture("donna-damaged");
    let bytes = fs::read(fixture("donna-damaged/extra.json")).unwrap();
    let arena = json::Arena::new();
    let list = json::parse(&bytes, &arena).unwrap();
    for entry in items(&list, "entries") {
        let path = data.join(RelPath::from_text(text(entry, "path").unwrap()).as_path());
        match text(entry, "make") {
            Some("link") => symlink(text(entry, "target").unwrap(), path).unwrap(),
            _ => {
                write(&path, text(entry, "content").unwrap().as_bytes());
                if let Some(mode) = text(entry, "mode") {
                    let mode = u32::from_str_radix(mode, 8).unwrap();
                    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
                }
            }
        }
    }
    place.give_away();
    data
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The lines of the only run's `rejects.jsonl`, by the file that the flaw is in.
struct RejectLines {
    directory: PathBuf,
    lines: BTreeMap<String, serde_json::Value>,
}

impl RejectLines {
    fn of(place: &Workplace, run: &str) -> RejectLines {
        let directory = place.path("transload-rejects").join(run);
        let text = fs::read_to_string(directory.join("rejects.jsonl")).unwrap();
        let mut lines = BTreeMap::new();
        for line in text.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!((line["version"].as_u64(), line["run"].as_str()), (Some(1), Some(run)));
            let file = line["file"].as_str().unwrap().to_owned();
            assert!(lines.insert(file, line).is_none(), "a file has two lines");
        }
        RejectLines { directory, lines }
    }

    /// The line of the document that this file is a part of.
    fn with(&self, path: &str) -> Option<&serde_json::Value> {
        let has = |line: &&serde_json::Value| line["files"].as_array().unwrap().iter().any(|file| file["path"] == path);
        self.lines.values().find(has)
    }

    /// The original bytes stand beside the lines, and nobody else may read either.
    fn keep_the_original_bytes(&self, data: &Path) {
        for directory in [self.directory.parent().unwrap(), &self.directory, &self.directory.join("files")] {
            assert_eq!(mode(directory), 0o700, "{directory:?}");
        }
        assert_eq!(mode(&self.directory.join("rejects.jsonl")), 0o600);
        let mut kept = BTreeSet::new();
        for line in self.lines.values() {
            let mut size = 0;
            for file in line["files"].as_array().unwrap() {
                let path = RelPath::from_text(file["path"].as_str().unwrap());
                let copy = file["copy"].as_str().unwrap_or_else(|| panic!("{path} is not kept"));
                assert!(kept.insert(copy.to_owned()), "{copy} is kept twice");
                let copy = self.directory.join(copy);
                let original = fs::read(data.join(path.as_path())).unwrap();
                assert!(fs::read(&copy).unwrap() == original, "{path} is not kept byte for byte");
                assert_eq!(mode(&copy), 0o600, "{copy:?}");
                size += original.len() as u64;
            }
            assert_eq!(line["bytes"].as_u64(), Some(size));
        }
        assert_eq!(fs::read_dir(self.directory.join("files")).unwrap().count(), kept.len());
    }

    fn text(&self) -> String {
        let lines = self.lines.values().map(|line| {
            let mut line = line.clone();
            line["run"] = "***".into();
            for file in line["files"].as_array_mut().unwrap() {
                // Copies are numbered in the order of writing, which may differ.
                file.as_object_mut().unwrap().remove("copy");
            }
            line.to_string()
        });
        list(lines) + "\n"
    }
}

fn the_damaged_fixture_on(make: fn(&Workplace) -> Database) {
    let place = Workplace::unprivileged();
    let data = damaged_tree(&place);
    let before = snapshot(&data);
    let database = make(&place);
    let finished = migrate(&place, &database, &["--with", "logs", "-vv"]).expect(1);
    assert_eq!(snapshot(&data), before, "the source was written to");
    let summary = finished.json();
    let mut content = Content::of(&database);
    let mut rejects = RejectLines::of(&place, summary["run"].as_str().unwrap());

    let bytes = fs::read(fixture("donna-damaged/expected-rejects.json")).unwrap();
    let arena = json::Arena::new();
    let expected = json::parse(&bytes, &arena).unwrap();
    has_the_expected_outcomes(&expected, &summary, &content, &rejects, database.dialect());
    rejects.keep_the_original_bytes(&data);
    the_ledger_has_the_lines(&database, &rejects);
    no_secret_is_seen(&place, &finished, &database);

    // What one database refuses, the other holds; the lists are of what both agree on, and of the rejects.
    let only: Vec<(&str, &str)> =
        items(&expected, "files").iter().filter_map(|file| Some((text(file, "only")?, text(file, "path")?))).collect();
    assert_eq!(only, [("postgres", "chat_sessions/number_beyond_numeric.json")]);
    assert_eq!(rejects.lines.remove(only[0].1).is_some(), database.dialect() == "postgres");
    content.forget_chat("number_beyond_numeric");
    compare("donna-damaged/expected/rejects.json", &rejects.text());
    compare("donna-damaged/expected/rows.json", &content.rows_text());
    compare("donna-damaged/expected/residue.json", &content.residue_text());
}

#[test]
fn the_damaged_fixture_ends_as_expected_in_sqlite() {
    the_damaged_fixture_on(sqlite);
}

#[test]
fn the_damaged_fixture_ends_as_expected_in_postgresql() {
    the_damaged_fixture_on(postgres);
}

/// Every entry below a directory: mode, size and modification time, and the bytes of what can be read.
fn snapshot(root: &Path) -> BTreeMap<PathBuf, String> {
    let entries = walkdir::WalkDir::new(root).into_iter().map(Result::unwrap);
    let describe = |path: &Path| {
        let metadata = fs::symlink_metadata(path).unwrap();
        let hash = fs::read(path).ok().filter(|_| metadata.is_file()).map(|bytes| hex(blake3::hash(&bytes).as_bytes()));
        format!("{:o} {:?} {:?} {hash:?}", metadata.permissions().mode(), metadata.len(), metadata.modified().unwrap())
    };
    entries.map(|entry| (entry.path().to_owned(), describe(entry.path()))).collect()
}

impl Content {
    fn forget_chat(&mut self, chat: &str) {
        let Some(at) = self.documents.iter().position(|document| document.text("doc_key").as_deref() == Some(chat))
        else {
            return;
        };
        let document = self.documents.remove(at);
        let (id, row) = (document.json("id").to_owned(), document.json("row_id").to_owned());
        self.residue.retain(|part| part.json("document_id") != id);
        self.tables.get_mut("chat_sessions").unwrap().retain(|held| held.json("id") != row);
        self.tables.get_mut("messages").unwrap().retain(|held| held.json("chat_session_id") != row);
    }
}

/// Compares with the list that was written by hand.
fn has_the_expected_outcomes(
    expected: &Value,
    summary: &serde_json::Value,
    content: &Content,
    rejects: &RejectLines,
    dialect: &str,
) {
    let loaded: BTreeMap<String, &Row> = content
        .documents
        .iter()
        .flat_map(|document| paths(document).into_iter().map(move |path| (path, document)))
        .collect();
    let findings = summary["findings"].as_array().unwrap();
    let mut files: BTreeMap<&str, u64> = BTreeMap::new();
    let mut rejected = BTreeSet::new();
    for file in items(expected, "files") {
        let path = text(file, "path").unwrap();
        let refused = text(file, "only").is_none_or(|only| only == dialect);
        let outcome = match text(file, "outcome").unwrap() {
            "reject" if !refused => "loaded",
            outcome => outcome,
        };
        *files.entry(outcome).or_default() += 1;
        let line = rejects.with(path);
        let unreadable = findings.iter().any(|finding| {
            finding["what"] == "unreadable" && finding["file"] == RelPath::from_text(path).to_string().as_str()
        });
        let actual = match (loaded.get(path), line, unreadable) {
            (Some(_), None, false) => "loaded",
            (None, Some(_), false) => "reject",
            (None, None, true) => "unreadable",
            (None, None, false) => "passed over",
            other => panic!("{path} is in several places: {other:?}"),
        };
        let expected = if matches!(outcome, "not_migrated" | "not_followed") { "passed over" } else { outcome };
        assert_eq!(actual, expected, "{path}");
        if let Some(line) = line {
            rejected.insert(line["document"].as_str().unwrap().to_owned() + line["file"].as_str().unwrap());
            is_the_expected_reject(path, file, line);
        }
        if let (Some(code), Some(document)) = (text(file, "note"), loaded.get(path)) {
            let notes = document.json("notes");
            assert!(notes.contains(&format!("\"code\":\"{code}\"")), "{path}: {notes}");
        }
    }
    assert!(files["reject"] > 50, "{files:?}");
    assert_eq!(rejected.len(), rejects.lines.len());
    // Unreadable files are in no document, links are counted with what is not migrated.
    let count = |outcome: &str| files.get(outcome).copied().unwrap_or_default();
    let told = &summary["files"];
    assert_eq!(told["found"].as_u64(), Some(files.values().sum()));
    assert_eq!(told["in_documents"].as_u64(), Some(count("loaded") + count("reject")));
    assert_eq!(told["not_migrated"].as_u64(), Some(count("not_migrated") + count("not_followed")));
    assert_eq!(told["unreadable"].as_u64(), Some(count("unreadable")));
    assert_eq!(summary["documents"]["rejected"].as_u64(), Some(rejected.len() as u64));
    assert_eq!(summary["documents"]["loaded"].as_u64(), Some(content.documents.len() as u64));
    let reasons = summary["reasons"].as_object().unwrap();
    assert_eq!(reasons.values().map(|count| count.as_u64().unwrap()).sum::<u64>(), rejected.len() as u64);
    for (reason, count) in reasons {
        let lines = rejects.lines.values().filter(|line| line["reason"] == reason.as_str()).count();
        assert_eq!(count.as_u64(), Some(lines as u64), "{reason}");
    }
}

fn is_the_expected_reject(path: &str, expected: &Value, line: &serde_json::Value) {
    let part_of = text(expected, "part_of");
    assert_eq!(line["file"], part_of.unwrap_or(path), "{path}");
    if part_of.is_some() {
        return;
    }
    assert_eq!(line["reason"].as_str(), text(expected, "reason"), "{path}: {line}");
    for member in ["pointer", "line", "column"] {
        if let Some(value) = expected.get(member) {
            assert_eq!(canonical(&line[member].to_string()), json::to_canonical(value), "{path} {member}: {line}");
        }
    }
    if let Some(first) = text(expected, "first") {
        assert!(line["detail"].as_str().unwrap().contains(&format!("`{first}`")), "{path}: {line}");
    }
}

/// The ledger says of each reject what its line says.
fn the_ledger_has_the_lines(database: &Database, rejects: &RejectLines) {
    let rows = database.rows(&REJECTS, &["file"]);
    assert_eq!(rows.len(), rejects.lines.len());
    for row in rows {
        let file = row.text("file").unwrap();
        let line = &rejects.lines[&file];
        let members = [
            ("document_id", "document"),
            ("kind", "kind"),
            ("doc_key", "key"),
            ("bytes", "bytes"),
            ("digest", "digest"),
            ("reason", "reason"),
            ("line", "line"),
            ("col", "column"),
            ("pointer", "pointer"),
            ("detail", "detail"),
            ("run_id", "run"),
        ];
        for (column, member) in members {
            let held: serde_json::Value = serde_json::from_str(row.json(column)).unwrap();
            assert_eq!(held, line[member], "{file} {column}");
        }
        let paths: Vec<&serde_json::Value> =
            line["files"].as_array().unwrap().iter().map(|file| &file["path"]).collect();
        assert_eq!(serde_json::from_str::<serde_json::Value>(row.json("files")).unwrap(), serde_json::json!(paths));
        assert_eq!(row.text("state").as_deref(), Some("open"));
    }
}

/// Searches everything that a run leaves behind, the kept original bytes alone left out.
fn no_secret_is_seen(place: &Workplace, finished: &Finished, database: &Database) {
    let mut seen = vec![("stdout".to_owned(), finished.stdout.clone()), ("stderr".to_owned(), finished.stderr.clone())];
    let root = place.path("");
    for entry in
        walkdir::WalkDir::new(&root).into_iter().map(Result::unwrap).filter(|entry| entry.file_type().is_file())
    {
        let below = entry.path().strip_prefix(&root).unwrap();
        let mut parts = below.components().map(|part| part.as_os_str());
        let top = parts.next();
        let original = top == Some(OsStr::new("data"))
            || (top == Some(OsStr::new("transload-rejects")) && parts.nth(1) == Some(OsStr::new("files")));
        if !original && below != Path::new("transload") {
            let bytes = fs::read(entry.path()).unwrap();
            seen.push((below.display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    for table in TABLES.iter().chain([&&DOCUMENTS, &&RESIDUE, &&REJECTS, &&RUNS]) {
        let rows = database.rows(table, &[]);
        seen.push((table.name.to_owned(), rows.iter().map(|row| row.to_json(&[])).collect()));
    }
    assert!(seen.len() > 10);
    for (place, text) in &seen {
        let text = text.replace("\\/", "/");
        for secret in SECRETS {
            assert!(!text.contains(secret), "{place} holds {secret}");
        }
    }
}

#[test]
fn what_layout_7_holds_is_masked_however_it_is_damaged() {
    let place = Workplace::new();
    let oauth = fs::read_to_string(fixture("donna-damaged/legacy/memory/system_oauth.json")).unwrap();
    let at = oauth.find("mail.read").unwrap();
    let entry = oauth[oauth.find("\"{").unwrap()..oauth.rfind('}').unwrap()].trim_end_matches(['}', '\n', ' ']);
    let variants = [
        ("cut", oauth[..at + 4].to_owned()),
        ("twice", oauth.replacen("\n        \"{", &format!("\n        {entry}}},\n        \"{{"), 1)),
        ("nul", oauth.replacen("mail.read", "\\u0000mail.read", 1)),
        ("half", oauth.replacen("mail.read", "\\ud800mail.read", 1)),
        ("wrong", oauth.replacen("\"oauth2\"", "\"oauth2\" mail.read", 1)),
        ("list", format!("[{oauth}]")),
        ("flat", "{\"oauth_token\": \"not-a-real-token\"}".to_owned()),
        ("deep", oauth.replacen("\"oauth2\"", &"[".repeat(10_000), 1)),
        ("swapped", oauth.clone()),
    ];
    let mut reasons = BTreeSet::new();
    fs::write(place.path("pipeline.toml"), "source = \"data\"\n").unwrap();
    for (name, content) in &variants {
        let data = place.path("data");
        let _ = fs::remove_dir_all(place.path("transload-rejects"));
        fs::create_dir_all(data.join("memory")).unwrap();
        write(&data.join("memory/system_oauth.json"), content.as_bytes());
        write(&data.join("memory/good.json"), b"{}");
        let database = Database::sqlite(&place.path(format!("{name}.db")));
        let url = database.url();
        let mut finished = migrate(&place, &database, &["-vv"]).expect(1);
        let reject = finished.json()["findings"][0]["text"].as_str().unwrap().to_owned();
        reasons.insert(reject[reject.rfind('(').unwrap()..].to_owned());
        let id =
            place.run(&["rejects", "list", "--json", "--db", &url]).expect(0).json()["id"].as_str().unwrap().to_owned();
        for arguments in [
            &["migrate", "data", "-vv", "--db", &url][..],
            &["migrate", "data", "-vv", "--log-format", "json", "--dry-run", "--db", &url],
            &["scan", "data", "-vv"],
            &["scan", "data", "--json"],
            &["rejects", "list", "--db", &url],
            &["rejects", "show", &id, "--db", &url],
            &["rejects", "show", &id, "--json", "--db", &url],
            &["rejects", "retry", "--db", &url],
            &["status", "--json", "--db", &url],
        ] {
            let more = place.run(arguments);
            assert!(matches!(more.code, Some(0 | 1)), "{arguments:?}: {}", more.stderr);
            finished.stdout += &more.stdout;
            finished.stderr += &more.stderr;
        }
        no_secret_is_seen(&place, &finished, &database);
    }
    let expected = [
        "duplicate_key",
        "invalid_json",
        "lone_surrogate",
        "nul_character",
        "swapped_arguments",
        "too_deep",
        "truncated",
        "wrong_type",
    ];
    assert_eq!(reasons, expected.map(|reason| format!("({reason})")).into());
}

// ---------------------------------------------------------------- beside the fixtures

#[test]
fn links_are_followed_when_that_is_asked_for_and_loops_do_no_harm() {
    let place = Workplace::unprivileged();
    damaged_tree(&place);
    let database = sqlite(&place);
    let summary = migrate(&place, &database, &["--follow-links"]).expect(1).json();
    assert_eq!(summary["balanced"], true);
    let content = Content::of(&database);
    // The link is a memory file of its own name, with its own placeholder user.
    let linked = content.document_with("memory/link_to_good.json");
    assert_eq!(content.rows_of(linked, "user_memory").len(), 1);
    assert!(content.documents.iter().all(|document| !paths(document).iter().any(|path| path.contains("loop"))));
    let findings = summary["findings"].as_array().unwrap();
    for name in ["dangling", "link_to_itself"] {
        let file = format!("chat_sessions/{name}.json");
        let found = findings.iter().find(|finding| finding["file"] == file.as_str());
        let what = found.map(|finding| finding["what"].as_str().unwrap());
        let told = summary["not_migrated"].as_array().unwrap().iter().any(|line| line["layout"] == "symbolic link");
        assert!(matches!(what, Some("vanished" | "unreadable")) || told, "{name}: {found:?}");
    }
}

#[test]
fn rejects_are_never_kept_below_the_source() {
    let place = Workplace::new();
    let data = place.copy_fixture("donna-damaged");
    let before = snapshot(&data);
    let inside = data.join("rejects");
    let finished = place.run(&["migrate", "data", "--db", "sqlite:app.db", "--rejects", inside.to_str().unwrap()]);
    assert!(matches!(finished.code, Some(2 | 64)), "{finished:?}");
    assert!(finished.stderr.contains("rejects"), "{}", finished.stderr);
    // The working directory is the default place.
    let url = place.path("app.db").display().to_string();
    let mut command = place.command(&["migrate", ".", "--db", &format!("sqlite:{url}")]);
    let status = command.current_dir(&data).output().unwrap().status;
    assert!(matches!(status.code(), Some(2 | 64)), "{status:?}");
    assert_eq!(snapshot(&data), before);
}

#[test]
fn an_empty_result_is_not_success() {
    let place = Workplace::new();
    fs::create_dir_all(place.path("empty")).unwrap();
    fs::create_dir_all(place.path("unknown/photos")).unwrap();
    write(&place.path("unknown/photos/a.txt"), b"no layout");
    for source in ["nowhere", "empty", "unknown"] {
        let finished = place.run(&["migrate", source, "--db", "sqlite:app.db"]).expect(2);
        assert!(finished.stderr.contains("hint: "), "{source}: {}", finished.stderr);
        assert!(finished.stderr.contains(source), "{}", finished.stderr);
        place.run(&["scan", source]).expect(2);
    }
    assert!(!place.path("app.db").exists());
}
