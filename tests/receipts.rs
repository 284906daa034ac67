//! Holds `docs/receipts.md` against the rule as it is built in. Its vectors were computed by
//! `docs/examples/receipt.py`, which has nothing of transload's.

#[path = "expect/tree.rs"]
mod tree;

use std::io::Read as _;
use std::ops::ControlFlow;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use transload::model::ids;
use transload::node::{self, canonical, ReadError};
use transload::verify::receipt::{DocumentHash, Leaf, Leaves, Root, Roots, Side};

use tree::{Read, Tree};

const DOCUMENT: &str = include_str!("../docs/receipts.md");

/// The cells of the tables' lines of which one cell begins so, without backticks.
fn lines(start: &str) -> Vec<Vec<&'static str>> {
    let rows = DOCUMENT.lines().filter(|line| line.starts_with("| "));
    let cells = |line: &'static str| -> Vec<&'static str> {
        line.trim_matches('|').split(" | ").map(|cell| cell.trim().trim_matches('`')).collect()
    };
    rows.map(cells).filter(|cells| cells[0].starts_with(start)).collect()
}

/// The hash that the document gives for something.
fn listed(what: &str) -> &'static str {
    let found: Vec<&str> = lines(what).into_iter().map(|cells| cells[cells.len() - 1]).collect();
    let [hash] = found[..] else { panic!("{what} stands {} times in the document", found.len()) };
    assert_eq!(hash.len(), 64, "{what}");
    hash
}

fn hex(hash: [u8; 32]) -> String {
    blake3::Hash::from_bytes(hash).to_string()
}

fn hashed(kind: &'static str, key: &str, path: &str, role: &str, json: &str) -> Leaf {
    let mut document = DocumentHash::new(ids::document(kind, key), kind, key);
    let file = document.file(path, role);
    document.whole(file, &node::parse(json.as_bytes()).expect("JSON").0);
    document.finish()
}

fn roots(leaves: impl IntoIterator<Item = Leaf>) -> Roots {
    let gathered = Leaves::new();
    for leaf in leaves {
        gathered.add(Side::File, leaf).expect("all is in memory");
    }
    gathered.finish().expect("all is in memory").0
}

#[test]
fn every_canonical_text_of_the_document_is_written() {
    let mut seen = 0;
    for start in ["`{", "`[", "`\""] {
        let rows = DOCUMENT.lines().filter(|line| line.starts_with(&format!("| {start}")));
        for line in rows {
            let cells: Vec<&str> =
                line.trim_matches('|').split(" | ").map(|cell| cell.trim().trim_matches('`')).collect();
            let [json, text] = cells[..] else { panic!("two cells were expected in {line}") };
            assert_eq!(canonical(&node::parse(json.as_bytes()).expect("JSON").0), text);
            seen += 1;
        }
    }
    assert_eq!(seen, 4);
}

#[test]
fn the_hashes_of_the_document_are_computed() {
    let user = hashed("users", "u_42", "users/u_42.json", "whole", r#"{"name": "Ä", "n": 1.0}"#);
    let chat = hashed("chats", "c", "chat_sessions/c.json", "history", "[]");
    assert_eq!(hex(user.hash), listed("document `users`"));
    assert_eq!(hex(chat.hash), listed("document `chats`"));
    assert_eq!(hex(roots([]).all.hash), listed("root of no document"));
    assert_eq!(hex(roots([user]).all.hash), listed("root of the user"));
    assert_eq!(hex(roots([user, chat]).all.hash), listed("root of both"));
    let content = |text: &str| blake3::hash(format!("transload/1/content\0{text}").as_bytes()).to_string();
    assert_eq!(content(r#"{"n":1,"name":"Ä"}"#), listed("content of `{"));
    assert_eq!(content("[]"), listed("content of `[]"));
}

/// A document of a tree, what is a list or a file of lines item by item.
fn hashed_document(read: &Read) -> Leaf {
    let document = &read.document;
    let mut hash = DocumentHash::new(document.id, document.kind.name, document.key.clone());
    for (file, bytes) in document.files.iter().zip(&read.contents) {
        let at = hash.file(file.path.to_text(), file.role.0);
        if document.kind.name == "logs" {
            let mut text = Vec::new();
            match file.path.to_text().ends_with(".gz") {
                true => MultiGzDecoder::new(&bytes[..]).read_to_end(&mut text).expect("it is compressed"),
                false => (&bytes[..]).read_to_end(&mut text).expect("memory is read"),
            };
            let each = &mut |_, line| {
                hash.item(at, &line);
                Ok::<_, ReadError>(ControlFlow::Continue(()))
            };
            node::each_line(&text[..], each).expect("every line is JSON");
        } else if file.role.0 == "history" {
            let each = &mut |_, item| {
                hash.item(at, &item);
                Ok::<_, ReadError>(ControlFlow::Continue(()))
            };
            node::each_element(&bytes[..], each).expect("a history is a list");
        } else {
            hash.whole(at, &node::parse(bytes).expect("JSON").0);
        }
    }
    hash.finish()
}

#[test]
fn the_roots_of_the_fixture_are_those_of_the_document() {
    let tree = Tree::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/donna/legacy"));
    let roots = roots(tree.documents.iter().map(hashed_document));
    assert_eq!(roots.kinds.len(), 5);
    for (kind, root) in roots.kinds.iter().map(|(kind, root)| (*kind, *root)).chain([("all", roots.all)]) {
        let Root { documents, hash } = root;
        let line = format!("| {kind} | {documents} | `{}` |", hex(hash));
        assert!(DOCUMENT.lines().any(|known| known == line), "{line}");
    }
}
