//! The proof that no accepted document loses anything: each is written again from its columns and its
//! residue alone and compared with its file, every member, every number's spelling.
//!
//! Nothing of `src/json`, of the decoder or of `src/target` takes part in reading files, databases
//! or residue here, so a decoder that forgets a member, or a target that changes a value, fails.
//! What the library itself writes again from the same database must then be the same.

mod support;

#[path = "nothing_lost/library.rs"]
mod library;
#[path = "nothing_lost/node.rs"]
mod node;
#[path = "nothing_lost/random.rs"]
mod random;
#[path = "nothing_lost/rebuild.rs"]
mod rebuild;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Read;
use std::path::Path;

use node::Node;
use rebuild::{Content, File, Held, Part};
use support::cli::Workplace;
use support::dump::{Database, Row};
use support::postgres;
use transload::format::donna::tables::TABLES;
use transload::model::ledger::{DOCUMENTS, RESIDUE};
use transload::model::RelPath;

fn sqlite(place: &Workplace) -> Database {
    Database::sqlite(&place.path("app.db"))
}

fn postgres(_: &Workplace) -> Database {
    Database::Postgres(postgres::fresh_database())
}

/// The documents that the database holds.
fn held(database: &Database) -> Vec<Held> {
    let mut rows: HashMap<String, Row> = HashMap::new();
    for table in TABLES {
        rows.extend(database.raw_rows(table).into_iter().map(|row| (row.text("id").unwrap().replace('-', ""), row)));
    }
    let mut parts: HashMap<String, BTreeMap<u64, Part>> = HashMap::new();
    for part in database.raw_rows(&RESIDUE) {
        let ids = part.text("row_ids").unwrap();
        let ids = ids.as_bytes().chunks(32).map(|id| std::str::from_utf8(id).unwrap());
        let rows = ids.map(|id| rows.get(id).unwrap_or_else(|| panic!("no row {id}")).clone()).collect();
        let data = part.text("data").map(|data| Node::parse(&data));
        let number = part.json("part").parse().unwrap();
        let part_of = parts.entry(part.text("document_id").unwrap()).or_default();
        part_of.insert(number, Part { table: part.text("table_name").unwrap(), rows, data });
    }
    let document = |row: Row| {
        let parts = parts.remove(&row.text("id").unwrap()).expect("a document has a part");
        assert_eq!(parts.keys().copied().collect::<Vec<_>>(), (0..parts.len() as u64).collect::<Vec<_>>());
        let files = Node::parse(row.json("files"));
        let text = |file: &Node, member| file.get(member).unwrap().as_text().unwrap().to_owned();
        Held {
            kind: row.text("kind").unwrap(),
            key: row.text("doc_key").unwrap(),
            files: files.items().iter().map(|file| (text(file, "path"), text(file, "role"))).collect(),
            parts: parts.into_values().collect(),
        }
    };
    database.raw_rows(&DOCUMENTS).into_iter().map(document).collect()
}

/// What a file says.
fn read(root: &Path, path: &str, lines: bool) -> File {
    let mut bytes = fs::read(root.join(RelPath::from_text(path).as_path())).unwrap();
    if path.ends_with(".gz") {
        let mut plain = Vec::new();
        flate2::read::MultiGzDecoder::new(&*bytes).read_to_end(&mut plain).unwrap();
        bytes = plain;
    }
    let text = String::from_utf8(bytes).unwrap();
    let (text, bom) = text.strip_prefix('\u{feff}').map_or((&*text, false), |text| (text, true));
    let content = match lines {
        false => Content::Json(Node::parse(text)),
        true => {
            let line = |line: &str| (!line.trim().is_empty()).then(|| Node::parse(line));
            // A mark alone is a line with nothing in it.
            let lines = if bom && text.is_empty() { "\n" } else { text };
            Content::Lines(lines.lines().map(line).collect())
        }
    };
    File { bom, content }
}

/// Migrates a tree and compares every loaded document with its files; returns how many were loaded
/// and how many rejected.
fn nothing_is_lost(place: &Workplace, database: &Database, more: &[&str]) -> (u64, u64) {
    let url = database.url();
    let mut arguments = vec!["migrate", "data", "--with", "logs", "--json", "--db", &url];
    arguments.extend(more);
    let finished = place.run(&arguments);
    assert!(matches!(finished.code, Some(0 | 1)), "{}", finished.stderr);
    let summary = finished.json();
    let count = |outcome: &str| summary["documents"][outcome].as_u64().unwrap();
    let root = place.path("data");
    let documents = held(database);
    assert_eq!(documents.len() as u64, count("loaded"));
    for document in &documents {
        for (path, rebuilt) in document.rebuild() {
            let file = read(&root, &path, document.kind == "logs");
            assert_eq!(rebuilt.bom, file.bom, "{path}");
            if rebuilt != file {
                panic!("{path} does not come back\nsaid  {:?}\nholds {:?}", file.content, rebuilt.content);
            }
        }
    }
    let own: HashMap<(String, String), _> = documents.iter().map(|held| (held.name(), held)).collect();
    let library = library::documents(database);
    assert_eq!(library.len(), own.len());
    for document in library {
        let name = (document.held.kind.name.to_owned(), document.held.key.clone());
        assert!(document.rebuild() == own[&name].rebuild(), "{name:?} comes back in two ways");
    }
    (count("loaded"), count("rejected"))
}

fn generated(records: &str, seed: &str, damage: &str) -> Workplace {
    let place = Workplace::new();
    place.run(&["generate", "data", "--records", records, "--seed", seed, "--damage", damage]).expect(0);
    place
}

#[test]
fn the_fixtures_come_back_from_sqlite() {
    for (case, least) in [("donna", 26), ("donna-damaged", 18)] {
        let place = Workplace::new();
        place.copy_fixture(case);
        assert!(nothing_is_lost(&place, &sqlite(&place), &[]).0 >= least);
    }
}

#[test]
fn the_fixtures_come_back_from_postgresql() {
    for (case, least) in [("donna", 26), ("donna-damaged", 18)] {
        let place = Workplace::new();
        place.copy_fixture(case);
        assert!(nothing_is_lost(&place, &postgres(&place), &[]).0 >= least);
    }
}

#[test]
fn generated_trees_come_back_however_much_is_damaged() {
    for (seed, damage) in [("1", "0%"), ("2", "5%"), ("3", "50%"), ("4", "100%")] {
        let place = generated("500", seed, damage);
        assert!(nothing_is_lost(&place, &sqlite(&place), &[]).0 > 10, "seed {seed}");
    }
    let place = generated("500", "5", "30%");
    assert!(nothing_is_lost(&place, &postgres(&place), &[]).0 > 10);
}

#[test]
fn documents_of_many_parts_come_back_whole_or_streamed() {
    for more in [&["--batch-rows", "3"][..], &["--batch-rows", "3", "--whole-bytes", "600"]] {
        let place = generated("500", "6", "10%");
        assert!(nothing_is_lost(&place, &sqlite(&place), more).0 > 10, "{more:?}");
    }
}

#[test]
fn documents_with_any_members_come_back() {
    for seed in 0..4 {
        let place = Workplace::new();
        random::write_tree(&place.path("data"), seed);
        let database = if seed % 2 == 0 { sqlite(&place) } else { postgres(&place) };
        let (loaded, rejected) = nothing_is_lost(&place, &database, &["--batch-rows", "5"]);
        assert!(loaded > 100, "seed {seed}: {loaded} loaded, {rejected} rejected");
    }
}

#[test]
fn times_without_a_zone_come_back_in_any_zone() {
    let place = generated("500", "7", "10%");
    assert!(nothing_is_lost(&place, &sqlite(&place), &["--timezone", "America/Toronto"]).0 > 10);
}
