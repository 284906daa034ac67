//! Every row of the ledger has a seal over its columns, also where an earlier version wrote it.

use serde_json::json;
use transload::model::digest::{is_sealed, Seal};
use transload::model::ledger::{DOCUMENTS, REJECTS, RESIDUE};
use transload::model::Table;
use transload::target::{select_all, Durability, Filter};

use crate::support::content::target;
use crate::world::{assert_same, history, session, user, World};

const SEALED: [(&str, &Table); 3] =
    [("ledger.documents", &DOCUMENTS), ("ledger.residue", &RESIDUE), ("ledger.rejects", &REJECTS)];

/// The seals of all rows of the ledger, of which there are some in each table.
fn seals(world: &World) -> Vec<Seal> {
    let url = if world.is_sqlite() { format!("sqlite:{}", world.file().display()) } else { world.url() };
    let mut connection = target(&url).connect(Durability::Full).unwrap();
    let mut seals = Vec::new();
    for (name, table) in SEALED {
        let rows = select_all(&mut *connection, table, &Filter::All).unwrap();
        assert!(!rows.is_empty(), "{name}");
        for row in &rows {
            assert_eq!(is_sealed(row), Seal::of(row) == Seal::Right);
            seals.push(Seal::of(row));
        }
    }
    seals
}

fn all_are(world: &World, expected: Seal) {
    let seals = seals(world);
    assert!(seals.iter().all(|seal| *seal == expected), "{seals:?}");
}

/// A tree with a document whose file is gone and one that is refused, migrated.
fn migrated(world: &World) {
    world.seed();
    world.write("users/broken.json", "{\"id\":\"broken\"");
    world.json("users/gone.json", &user("gone", json!({})));
    assert_eq!(world.migrate(&[]).code, 1);
    world.remove("users/gone.json");
    assert_eq!(world.migrate(&[]).code, 1);
}

fn every_row_of_the_ledger_is_sealed(world: &World) {
    migrated(world);
    all_are(world, Seal::Right);
    // Those that are written again, too: a user that a chat waits for, a change, an acceptance.
    world.json("chat_sessions/c4_session.json", &session("c4", json!("zoe")));
    world.migrate(&[]);
    world.json("users/zoe.json", &user("zoe", json!({})));
    world.json("chat_sessions/c2.json", &history(&["alone", "no longer"]));
    assert_eq!(world.migrate(&[]).code, 1);
    assert_eq!(world.value("SELECT count(*) FROM chat_sessions WHERE user_id IS NULL"), "2");
    let reject = world.value("SELECT document_id FROM ledger.rejects");
    let accepted = world.run(&["rejects", "accept", "--reason", "known", &reject]);
    assert_eq!(accepted.code, 0, "{accepted:?}");
    all_are(world, Seal::Right);
}

fn what_has_no_seal_gets_one(world: &World) {
    migrated(world);
    let before = world.content();
    for (table, _) in SEALED {
        world.execute(&format!("UPDATE {table} SET seal = NULL"));
    }
    all_are(world, Seal::Missing);
    world.migrate(&["--dry-run"]);
    all_are(world, Seal::Missing);
    let run = world.migrate(&[]);
    assert_eq!(run.said(), "1: 7 unchanged, 1 rejected, 1 removed; 0 rows");
    all_are(world, Seal::Right);
    assert_same(&world.content(), &before);
    let sealed = world.dump();
    world.migrate(&[]);
    assert_same(&world.dump(), &sealed);
}

fn a_ledger_from_before_there_were_seals_is_sealed(world: &World) {
    migrated(world);
    let before = world.content();
    for (table, _) in SEALED {
        world.execute(&format!("ALTER TABLE {table} DROP COLUMN seal"));
    }
    world.execute("DROP TABLE ledger.set_aside");
    world.execute("DELETE FROM ledger.versions WHERE schema_name = 'transload' AND number >= 2");
    assert_eq!(world.migrate(&[]).code, 2);
    assert_eq!(world.run(&["schema", "apply"]).code, 0);
    assert_eq!(world.migrate(&[]).code, 1);
    all_are(world, Seal::Right);
    assert_same(&world.content(), &before);
}

fn what_was_edited_in_the_ledger_is_not_sealed_again(world: &World) {
    world.seed();
    world.json("chat_sessions/c4_session.json", &session("c4", json!("zoe")));
    assert_eq!(world.migrate(&[]).code, 0);
    let broken = "SELECT count(*) FROM chat_sessions WHERE chat_id = 'c4' AND user_id IS NULL";
    for edit in [
        "UPDATE ledger.documents SET bytes = bytes + 1 WHERE doc_key = 'c4'",
        "UPDATE ledger.residue SET data = NULL
         WHERE document_id = (SELECT id FROM ledger.documents WHERE doc_key = 'c4')",
    ] {
        world.execute(edit);
        world.json("users/zoe.json", &user("zoe", json!({"name": edit})));
        assert_eq!(world.migrate(&[]).code, 0);
        assert_eq!(world.value(broken), "1");
    }
}

on_every_target!(
    every_row_of_the_ledger_is_sealed,
    what_has_no_seal_gets_one,
    a_ledger_from_before_there_were_seals_is_sealed,
    what_was_edited_in_the_ledger_is_not_sealed_again,
);
