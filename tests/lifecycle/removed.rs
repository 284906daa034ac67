//! Files that are gone: their rows stay until somebody asks for `--prune`.

use std::fs;

use serde_json::json;

use crate::world::{assert_same, history, memory, user, World, NULL};

fn loaded(world: &World) {
    world.seed();
    assert_eq!(world.migrate(&[]).code, 0);
    world.watch();
}

const USERS: &str = "SELECT id, clerk_id, name, status FROM users ORDER BY status, name";

fn a_removed_file_is_reported_and_its_rows_stay(world: &World) {
    loaded(world);
    world.remove("chat_sessions/c2.json");
    let before = world.dump();
    let run = world.migrate(&[]);
    assert_eq!(run.said(), "0: 6 unchanged, 1 removed; 0 rows");
    assert_eq!(run.findings(), ["removed chat_sessions/c2.json: its file is gone; its rows stay"]);
    assert_same(&world.dump(), &before);
    let text = world.run(&["migrate", "source", "--quiet"]).stdout;
    let line = "removed    1 documents whose files are gone: 0 taken out, 1 kept (--prune takes them out)\n";
    assert!(text.contains(line), "{text}");
}

fn a_file_that_is_removed_while_another_comes_is_noticed(world: &World) {
    loaded(world);
    world.remove("chat_sessions/c2.json");
    world.json("chat_sessions/c9.json", &history(&["new"]));
    let run = world.migrate(&[]);
    assert_eq!(run.said(), "0: 1 loaded, 6 unchanged, 1 removed; 2 rows");
    assert_eq!(run.findings(), ["removed chat_sessions/c2.json: its file is gone; its rows stay"]);
    // Renamed, it is found where it went, and nothing is missing.
    world.remove("chat_sessions/c9.json");
    world.json("data/chat_sessions/c9.json", &history(&["new"]));
    world.json("chat_sessions/c2.json", &history(&["back"]));
    assert_eq!(world.migrate(&[]).findings(), [""; 0]);
}

fn prune_takes_out_what_is_removed(world: &World) {
    loaded(world);
    world.remove("chat_sessions/c2.json");
    world.remove("conversations/lead@example.org.json");
    assert_eq!(world.migrate(&["--prune"]).said(), "0: 5 unchanged, 2 removed, 2 pruned; 6 rows");
    assert_eq!(world.touched(), ["2 delete chat_sessions", "4 delete messages"]);
    assert_eq!(world.migrate(&["--prune"]).said(), "0: 5 unchanged; 0 rows");
    let fresh = world.with_another_database("fresh");
    assert_eq!(fresh.migrate(&[]).code, 0);
    assert_same(&world.content(), &fresh.content());
}

fn a_pruned_user_that_others_refer_to_leaves_a_placeholder(world: &World) {
    loaded(world);
    let ada = world.value("SELECT id FROM users WHERE name = 'Ada'");
    world.remove("users/ada.json");
    world.remove("users/bob.json");
    assert_eq!(world.migrate(&["--prune"]).said(), "0: 5 unchanged, 2 removed, 2 pruned; 2 rows");
    assert_eq!(world.touched(), ["1 delete users", "1 update users"]);
    assert_eq!(world.query(USERS), [[ada.as_str(), "clerk_ada", NULL, "placeholder"]]);
    assert_eq!(world.migrate(&["--prune"]).said(), "0: 5 unchanged; 0 rows");
    // It comes back in place.
    world.json("users/ada.json", &user("ada", json!({"clerk_id": "clerk_ada", "name": "Ada again"})));
    assert_eq!(world.migrate(&[]).said(), "0: 1 loaded, 5 unchanged; 1 rows");
    assert_eq!(world.touched(), ["1 update users"]);
    assert_eq!(world.query(USERS), [[ada.as_str(), "clerk_ada", "Ada again", "active"]]);
    let fresh = world.with_another_database("fresh");
    assert_eq!(fresh.migrate(&[]).code, 0);
    assert_same(&world.content(), &fresh.content());
}

fn a_pruned_memory_file_takes_its_unused_placeholder_along(world: &World) {
    loaded(world);
    world.json("memory/ghost.json", &memory(&[("color", "white")]));
    assert_eq!(world.migrate(&[]).said(), "0: 1 loaded, 7 unchanged; 2 rows");
    assert_eq!(world.touched(), ["1 insert user_memory", "1 insert users"]);
    world.remove("memory/ghost.json");
    assert_eq!(world.migrate(&["--prune"]).said(), "0: 7 unchanged, 1 removed, 1 pruned; 2 rows");
    assert_eq!(world.touched(), ["1 delete user_memory", "1 delete users"]);
    // A real user stays.
    world.remove("memory/ada.json");
    assert_eq!(world.migrate(&["--prune"]).said(), "0: 6 unchanged, 1 removed, 1 pruned; 2 rows");
    assert_eq!(world.touched(), ["2 delete user_memory"]);
}

fn a_placeholder_goes_with_the_last_that_refers_to_it(world: &World) {
    loaded(world);
    // In this order what refers goes before what it refers to.
    for path in ["users/ada.json", "memory/ada.json", "chat_sessions/c1.json", "chat_sessions/c1_session.json"] {
        world.remove(path);
    }
    for path in ["chat_sessions/c3.json", "chat_sessions/c3_session.json"] {
        world.remove(path);
    }
    assert_eq!(world.migrate(&["--prune"]).said(), "0: 3 unchanged, 4 removed, 4 pruned; 9 rows");
    assert_eq!(world.values("SELECT name FROM users"), ["Bob"]);
}

fn prune_keeps_what_was_edited(world: &World) {
    loaded(world);
    world.execute("UPDATE messages SET content = 'edited' WHERE content = 'alone'");
    world.remove("chat_sessions/c2.json");
    let before = world.dump();
    let run = world.migrate(&["--prune"]);
    assert_eq!(run.said(), "1: 6 unchanged, 1 removed, 1 kept_edited; 0 rows");
    let text = "kept_though_removed chat_sessions/c2.json: rows in the database since they were written: 1 edited";
    assert_eq!(run.findings(), [text]);
    assert_same(&world.dump(), &before);
    assert_eq!(world.migrate(&["--prune", "--prefer", "file"]).said(), "0: 6 unchanged, 1 removed, 1 pruned; 3 rows");
    assert_eq!(world.value("SELECT count(*) FROM chat_sessions WHERE chat_id = 'c2'"), "0");
}

fn prune_keeps_a_chat_to_which_the_application_added(world: &World) {
    loaded(world);
    world.execute(
        "INSERT INTO messages (id, chat_session_id, role, content, sequence_number)
         SELECT '00000000-0000-4000-8000-000000000001', id, 'user', 'added', 3
         FROM chat_sessions WHERE chat_id = 'c2'",
    );
    world.remove("chat_sessions/c2.json");
    assert_eq!(world.migrate(&["--prune"]).said(), "1: 6 unchanged, 1 removed, 1 kept_edited; 0 rows");
    assert_eq!(world.value("SELECT count(*) FROM messages WHERE content = 'added'"), "1");
}

fn a_pruned_user_keeps_memory_that_the_application_added(world: &World) {
    loaded(world);
    world.execute(
        "INSERT INTO user_memory (id, user_id, memory_type, key, value)
         SELECT '00000000-0000-4000-8000-000000000001', id, 'profile', 'added', '1' FROM users WHERE name = 'Bob'",
    );
    world.remove("users/bob.json");
    assert_eq!(world.migrate(&["--prune"]).said(), "0: 6 unchanged, 1 removed, 1 pruned; 1 rows");
    assert_eq!(world.values("SELECT key FROM user_memory ORDER BY key"), ["added", "city", "color"]);
    assert_eq!(world.values("SELECT status FROM users ORDER BY status"), ["active", "placeholder"]);
}

fn a_file_that_comes_back_is_unchanged_if_it_was_not_pruned(world: &World) {
    loaded(world);
    world.remove("chat_sessions/c2.json");
    assert_eq!(world.migrate(&[]).said(), "0: 6 unchanged, 1 removed; 0 rows");
    world.json("chat_sessions/c2.json", &history(&["alone", "still alone"]));
    assert_eq!(world.migrate(&[]).said(), "0: 7 unchanged; 0 rows");
}

fn a_pilot_prunes_only_its_own_kinds(world: &World) {
    loaded(world);
    world.remove("chat_sessions/c2.json");
    world.remove("users/bob.json");
    assert_eq!(world.migrate(&["--prune", "--only", "chats"]).said(), "0: 2 unchanged, 1 removed, 1 pruned; 3 rows");
    assert_eq!(world.values("SELECT name FROM users ORDER BY name"), ["Ada", "Bob"]);
}

fn a_source_that_is_gone_altogether_prunes_nothing(world: &World) {
    loaded(world);
    let before = world.dump();
    fs::remove_dir_all(world.source()).expect("removed");
    fs::create_dir(world.source()).expect("made");
    assert_eq!(world.migrate(&["--prune"]).code, 2);
    assert_same(&world.dump(), &before);
}

on_every_target!(
    a_removed_file_is_reported_and_its_rows_stay,
    a_file_that_is_removed_while_another_comes_is_noticed,
    prune_takes_out_what_is_removed,
    a_pruned_user_that_others_refer_to_leaves_a_placeholder,
    a_pruned_memory_file_takes_its_unused_placeholder_along,
    a_placeholder_goes_with_the_last_that_refers_to_it,
    prune_keeps_what_was_edited,
    prune_keeps_a_chat_to_which_the_application_added,
    a_pruned_user_keeps_memory_that_the_application_added,
    a_file_that_comes_back_is_unchanged_if_it_was_not_pruned,
    a_pilot_prunes_only_its_own_kinds,
    a_source_that_is_gone_altogether_prunes_nothing,
);
