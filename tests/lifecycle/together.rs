//! Changed documents are looked at and written together where nothing about them is in dispute: with the same end
//! as one after the other.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{json, Value};

use crate::support::chance::Chance;
use crate::world::{assert_same, World};

fn changes_come_to_the_same_together_and_one_by_one(world: &World) {
    let mut chance = Chance::new("together");
    let seed = chance.below(1 << 32).to_string();
    let generate = ["generate", "source", "--records", "1500", "--seed", &seed, "--damage", "5%", "--quiet"];
    let made = world.bare_command(&generate).output().expect("the program starts");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let alone = world.with_another_database("alone");
    let edits = edits(world, &mut chance);
    for world in [world, &alone] {
        assert_eq!(world.migrate(&[]).summary()["documents"]["failed"], 0);
        edits.iter().for_each(|edit| world.execute(edit));
    }

    let files = files(&world.source());
    let changed = files.iter().filter(|file| chance.below(2) == 0 && change(file, &mut chance)).count();
    assert!(changed > 20, "{changed} files changed");
    let prefer: &[&str] = if chance.below(2) == 0 { &[] } else { &["--prefer", "file"] };
    let of_together = world.migrate(prefer).summary();
    let of_alone = alone.migrate(&[prefer, &["--batch-rows", "1"]].concat()).summary();

    assert_eq!(of_together["documents"], of_alone["documents"]);
    assert_ne!(of_together["documents"]["updated"], 0, "{}", of_together["documents"]);
    assert_eq!(of_together["findings"], of_alone["findings"]);
    let (mut content, mut expected) = (world.content(), alone.content());
    // Its rows are cut where batches are.
    content.remove("ledger.residue");
    expected.remove("ledger.residue");
    assert_same(&content, &expected);
}

/// What an application does meanwhile, each to the rows whose ids begin with one of some digits: it edits rows,
/// deletes them, puts others beside them, and writes some anew under an id of its own.
fn edits(world: &World, chance: &mut Chance) -> Vec<String> {
    let mut digits: Vec<char> = Vec::new();
    let mut those = |count: usize| {
        if digits.len() < count {
            digits = "0123456789abcdef".chars().collect();
        }
        let mut next = || digits.swap_remove(chance.below(digits.len() as u64) as usize);
        let some: Vec<String> = (0..count).map(|_| format!("'{}'", next())).collect();
        format!("WHERE substr(CAST(id AS text), 1, 1) IN ({})", some.join(", "))
    };
    let uuid = |text: &str| if world.is_sqlite() { text.to_owned() } else { format!("CAST({text} AS uuid)") };
    let new_id = uuid("'ffff' || substr(CAST(id AS text), 5)");
    vec![
        format!("UPDATE messages SET content = 'edited' {}", those(1)),
        format!("DELETE FROM messages {}", those(1)),
        format!("UPDATE chat_sessions SET title = 'edited' {}", those(1)),
        format!("DELETE FROM chat_sessions {}", those(1)),
        format!(
            "INSERT INTO messages (id, chat_session_id, role, content, created_at, sequence_number)
             SELECT {new_id}, id, 'user', 'added', created_at, 9999 FROM chat_sessions {}",
            those(1)
        ),
        format!("UPDATE user_memory SET value = '1' {}", those(3)),
        format!("DELETE FROM user_memory {}", those(3)),
        format!("UPDATE user_memory SET id = {new_id} {}", those(3)),
        format!("UPDATE users SET name = 'edited' {}", those(3)),
        "UPDATE users SET clerk_id = 'clerk_1' WHERE CAST(id AS text) = (SELECT min(CAST(id AS text)) FROM users)"
            .to_owned(),
        format!("DELETE FROM users {}", those(2)),
    ]
}

/// All files of JSON, in an order that is the same each time.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("the directory can be read");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let below = |path: PathBuf| if path.is_dir() { files(&path) } else { vec![path] };
    paths.into_iter().flat_map(below).filter(|path| path.extension().is_some_and(|of| of == "json")).collect()
}

/// Removes the file or writes it anew, if it can be read.
fn change(file: &Path, chance: &mut Chance) -> bool {
    let Ok(mut value) = serde_json::from_slice::<Value>(&fs::read(file).expect("the file is there")) else {
        return false;
    };
    if chance.below(20) == 0 {
        fs::remove_file(file).expect("the file can be removed");
        return true;
    }
    let number = chance.below(1_000);
    match &mut value {
        Value::Array(items) if !items.is_empty() => {
            let at = chance.below(items.len() as u64) as usize;
            match (chance.below(4), &mut items[at]) {
                (0, _) => drop(items.remove(at)),
                (1, _) => items.reverse(),
                (2, Value::Object(message)) => drop(message.insert("content".into(), json!(format!("new {number}")))),
                (_, item) => {
                    let mut more = item.clone();
                    if let Value::Object(message) = &mut more {
                        message.insert("id".into(), json!(format!("new{number}")));
                    }
                    items.push(more);
                }
            }
        }
        Value::Object(members) => {
            let names: Vec<String> = members.keys().cloned().collect();
            match chance.below(4) {
                0 if members.contains_key("user_id") => drop(members.insert("user_id".into(), json!(number % 50))),
                // Few of them, so that keys are claimed twice.
                1 => drop(members.insert("clerk_id".into(), json!(format!("clerk_{}", number % 6)))),
                2 => drop(members.insert("name".into(), json!(format!("Name {number}")))),
                _ if !names.is_empty() => drop(members.remove(&names[number as usize % names.len()])),
                _ => return false,
            }
        }
        _ => return false,
    }
    fs::write(file, value.to_string()).expect("the file can be written");
    true
}

on_every_target!(changes_come_to_the_same_together_and_one_by_one);
