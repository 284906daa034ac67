//! What nobody has changed comes back as it was.

use std::fs;

use crate::node::Node;
use crate::random;
use crate::said::said;
use crate::world::{assert_attributes, files, World};

/// Layouts that the present writer does not write: their values come back, not their bytes.
fn is_older(path: &str, bytes: &[u8]) -> bool {
    if path.ends_with(".gz") || path.contains("conversations/") {
        return true;
    }
    let (_, lines) = said(path, bytes);
    let Some(Some(whole)) = lines.first() else { return false };
    if path.contains("chat_sessions/") {
        let is_new = |message: &Node| message.get("sequence_number").is_some() || message.get("metadata").is_some();
        return matches!(whole, Node::List(items) if items.first().is_some_and(|first| !is_new(first)));
    }
    let is_map = |value: &Node| matches!(value, Node::Map(_)) || *value == Node::List(Vec::new());
    path.contains("memory/") && matches!(whole, Node::Map(members) if !members.iter().all(|(_, value)| is_map(value)))
}

/// Every document comes back, and nothing else; returns how many files do byte for byte.
fn assert_same(world: &World, out: &str, exact: bool) -> usize {
    let (source, exported) = (files(&world.path("data")), files(&world.path(out)));
    let documents = world.documents();
    assert_eq!(exported.keys().cloned().collect::<Vec<_>>(), documents);
    assert!(!documents.is_empty());
    let mut identical = 0;
    for (path, bytes) in &exported {
        let original = &source[path];
        if bytes == original {
            identical += 1;
            continue;
        }
        assert!(!exact || is_older(path, original), "{path} is not the same to the byte");
        let (before, after) = (said(path, original), said(path, bytes));
        assert!(before == after, "{path}\nbefore {before:?}\nafter  {after:?}");
    }
    assert_attributes(&world.path(out), &world.path("data"));
    identical
}

pub fn the_fixture(world: &World) {
    world.place.copy_fixture("donna");
    world.migrate().expect(0);
    let summary = world.export(&[]).expect(0).json();
    // All but two old chats, two old memory files and what is compressed.
    assert_eq!(assert_same(world, "out", true), 26);
    assert_eq!((&summary["documents"]["documents"], &summary["documents"]["exported"]), (&26.into(), &26.into()));
    assert_eq!((&summary["files"], &summary["finished"]), (&31.into(), &true.into()));
    assert_eq!(summary["tables"]["users"]["placeholders"], 2);
    assert_eq!(summary["tables"]["messages"]["rows"], summary["tables"]["messages"]["exported"]);
}

pub fn a_generated_tree(world: &World) {
    world.place.run(&["generate", "data", "--records", "1000", "--seed", "4"]).expect(0);
    world.migrate().expect(0);
    world.export(&[]).expect(0);
    let identical = assert_same(world, "out", true);
    assert!(identical * 10 > world.documents().len() * 9, "{identical}");
}

pub fn twice(world: &World) {
    world.place.copy_fixture("donna");
    world.migrate().expect(0);
    world.export(&[]).expect(0);
    let other = world.another_database().url();
    world.place.run(&["migrate", "out", "--with", "logs", "--db", &other]).expect(0);
    world.place.run(&["export", "again", "--db", &other]).expect(0);
    let (out, again) = (files(&world.path("out")), files(&world.path("again")));
    assert_eq!(out.len(), 31);
    assert!(out == again);
    assert_attributes(&world.path("again"), &world.path("out"));
}

pub fn large_documents(world: &World) {
    world.place.run(&["generate", "data", "--records", "500", "--seed", "5"]).expect(0);
    let url = world.database.url();
    let arguments = ["migrate", "data", "--with", "logs", "--batch-rows", "3", "--db", &url];
    world.place.run(&arguments).expect(0);
    let summary = world.export(&["--whole-bytes", "300"]).expect(0).json();
    assert_same(world, "out", true);
    assert_eq!(summary["tables"]["messages"]["exported"], 500);
    assert_eq!(summary["tables"]["messages"]["added"], 0);
}

pub fn any_members(world: &World) {
    for seed in 10..13 {
        let world = match world.database.dialect() {
            "sqlite" => World::sqlite(),
            _ => World::postgres(),
        };
        random::write_tree(&world.path("data"), seed);
        let summary = world.migrate().json();
        assert!(summary["documents"]["loaded"].as_u64() > Some(100), "{summary}");
        let exported = world.export(&[]).json();
        assert_eq!(exported["documents"]["exported"], summary["documents"]["loaded"]);
        assert_eq!(exported["rejected"], summary["documents"]["rejected"]);
        assert_same(&world, "out", false);
    }
}

pub fn damaged(world: &World) {
    world.place.copy_fixture("donna-damaged");
    let summary = world.migrate().expect(1).json();
    let exported = world.export(&[]).expect(1).json();
    assert_eq!(exported["rejected"], summary["documents"]["rejected"]);
    assert_same(world, "out", false);
    // Nobody needs to look at what was accepted.
    world.sql("UPDATE transload.rejects SET state = 'accepted', accepted_because = 'x', accepted_at = '2025-11-28T10:15:30.000000Z'");
    let exported = world.export_into("again", &[]).expect(0).json();
    assert_eq!(exported["rejects_accepted"], summary["documents"]["rejected"]);
    let text = world.place.run(&["export", "text", "--db", &world.database.url()]).expect(0).stdout;
    assert!(text.contains("documents were never loaded"), "{text}");
    assert!(fs::read_dir(world.path("text")).expect("it is there").count() > 0);
}
