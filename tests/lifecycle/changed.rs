//! A file that was edited, grown, cut, removed or added: exactly its document's rows change, and
//! parents stay where they are.

use serde_json::json;

use crate::world::{assert_same, history, memory, message, session, user, World};

/// The seed, loaded and watched.
fn loaded(world: &World) {
    world.seed();
    assert_eq!(world.migrate(&[]).said(), "0: 7 loaded; 16 rows");
    world.watch();
}

fn contents(world: &World, chat: &str) -> Vec<String> {
    world.values(&format!(
        "SELECT m.content FROM messages m JOIN chat_sessions s ON s.id = m.chat_session_id
         WHERE s.chat_id = '{chat}' ORDER BY m.sequence_number"
    ))
}

fn an_edited_message_changes_its_own_row(world: &World) {
    loaded(world);
    world.json("chat_sessions/c1.json", &history(&["one", "two, edited", "three"]));
    assert_eq!(world.migrate(&[]).said(), "0: 1 updated, 6 unchanged; 1 rows");
    assert_eq!(world.touched(), ["1 update messages"]);
    assert_eq!(contents(world, "c1"), ["one", "two, edited", "three"]);
    assert_eq!(world.migrate(&[]).said(), "0: 7 unchanged; 0 rows");
}

fn a_history_that_has_grown_gains_rows(world: &World) {
    loaded(world);
    world.json("chat_sessions/c1.json", &history(&["one", "two", "three", "four"]));
    assert_eq!(world.migrate(&[]).said(), "0: 1 updated, 6 unchanged; 2 rows");
    // The session counts its messages.
    assert_eq!(world.touched(), ["1 insert messages", "1 update chat_sessions"]);
    assert_eq!(world.value("SELECT message_count FROM chat_sessions WHERE chat_id = 'c1'"), "4");
    assert_eq!(contents(world, "c1"), ["one", "two", "three", "four"]);
}

fn a_history_that_was_cut_loses_rows(world: &World) {
    loaded(world);
    world.json("chat_sessions/c1.json", &history(&["one"]));
    assert_eq!(world.migrate(&[]).said(), "0: 1 updated, 6 unchanged; 3 rows");
    assert_eq!(world.touched(), ["2 delete messages", "1 update chat_sessions"]);
    assert_eq!(contents(world, "c1"), ["one"]);
}

fn messages_that_change_their_order_keep_their_rows(world: &World) {
    loaded(world);
    let turned = json!([message(3, "three"), message(2, "two"), message(1, "one")]);
    world.json("chat_sessions/c1.json", &turned);
    assert_eq!(world.migrate(&[]).code, 0);
    assert_eq!(world.touched(), ["1 update chat_sessions", "2 update messages"]);
    assert_eq!(contents(world, "c1"), ["three", "two", "one"]);
}

fn a_history_that_is_removed_leaves_its_session(world: &World) {
    loaded(world);
    world.remove("chat_sessions/c1.json");
    assert_eq!(world.migrate(&[]).said(), "0: 1 updated, 6 unchanged; 4 rows");
    assert_eq!(world.touched(), ["3 delete messages", "1 update chat_sessions"]);
}

fn a_session_file_comes_and_goes_in_place(world: &World) {
    loaded(world);
    let id = world.value("SELECT id FROM chat_sessions WHERE chat_id = 'c2'");
    world.json("chat_sessions/c2_session.json", &session("c2", json!("bob")));
    assert_eq!(world.migrate(&[]).said(), "0: 1 updated, 6 unchanged; 1 rows");
    assert_eq!(world.touched(), ["1 update chat_sessions"]);
    let of_c2 = "SELECT s.id, s.title, u.name FROM chat_sessions s LEFT JOIN users u ON u.id = s.user_id
                 WHERE s.chat_id = 'c2'";
    assert_eq!(world.query(of_c2), [[id.as_str(), "Chat c2", "Bob"]]);
    world.remove("chat_sessions/c2_session.json");
    assert_eq!(world.migrate(&[]).said(), "0: 1 updated, 6 unchanged; 1 rows");
    assert_eq!(world.touched(), ["1 update chat_sessions"]);
    assert_eq!(world.query(of_c2), [[id.as_str(), "NULL", "NULL"]]);
    assert_eq!(contents(world, "c2"), ["alone", "still alone"]);
}

fn white_space_changes_the_ledger_and_no_row(world: &World) {
    loaded(world);
    let before = world.content();
    let spaced = serde_json::to_string_pretty(&history(&["one", "two", "three"])).expect("JSON");
    world.write("chat_sessions/c1.json", spaced);
    assert_eq!(world.migrate(&[]).said(), "0: 1 updated, 6 unchanged; 0 rows");
    assert_eq!(world.touched(), [""; 0]);
    let after = world.content();
    for table in ["users", "chat_sessions", "messages", "user_memory"] {
        assert_eq!(after[table], before[table], "{table}");
    }
    assert_eq!(world.migrate(&[]).said(), "0: 7 unchanged; 0 rows");
}

fn an_edited_user_is_updated_in_place_and_keeps_what_refers_to_it(world: &World) {
    loaded(world);
    let before = world.dump();
    world.json("users/ada.json", &user("ada", json!({"clerk_id": "clerk_ada", "name": "Ada Lovelace"})));
    assert_eq!(world.migrate(&[]).said(), "0: 1 updated, 6 unchanged; 1 rows");
    assert_eq!(world.touched(), ["1 update users"]);
    let after = world.dump();
    for table in ["chat_sessions", "messages", "user_memory"] {
        assert_eq!(after[table], before[table], "{table}");
    }
}

fn memory_entries_come_change_and_go_one_by_one(world: &World) {
    loaded(world);
    world.json("memory/ada.json", &memory(&[("color", "red"), ("pet", "cat")]));
    assert_eq!(world.migrate(&[]).said(), "0: 1 updated, 6 unchanged; 3 rows");
    assert_eq!(world.touched(), ["1 delete user_memory", "1 insert user_memory", "1 update user_memory"]);
    assert_eq!(world.values("SELECT key FROM user_memory ORDER BY key"), ["color", "pet"]);
}

fn a_memory_file_that_is_emptied_and_filled_again_keeps_its_user(world: &World) {
    loaded(world);
    world.write("memory/ada.json", "[]");
    assert_eq!(world.migrate(&[]).said(), "0: 1 updated, 6 unchanged; 2 rows");
    assert_eq!(world.touched(), ["2 delete user_memory"]);
    world.json("memory/ada.json", &memory(&[("color", "blue")]));
    assert_eq!(world.migrate(&[]).said(), "0: 1 updated, 6 unchanged; 1 rows");
    let of = "SELECT u.name FROM user_memory m JOIN users u ON u.id = m.user_id";
    assert_eq!(world.values(of), ["Ada"]);
}

fn a_changed_chat_too_large_to_be_held_changes_exactly_its_rows(world: &World) {
    world.seed();
    let args = ["--whole-bytes", "600", "--batch-rows", "7"];
    let contents_of = |edit: bool| -> Vec<String> {
        (1..=40).map(|at| if edit && at == 30 { "edited".into() } else { format!("message {at}") }).collect()
    };
    let write = |edit| {
        let texts = contents_of(edit);
        world.json("chat_sessions/big.json", &history(&texts.iter().map(String::as_str).collect::<Vec<_>>()));
    };
    write(false);
    assert_eq!(world.migrate(&args).said(), "0: 8 loaded; 57 rows");
    world.watch();
    write(true);
    assert_eq!(world.migrate(&args).said(), "0: 1 updated, 7 unchanged; 1 rows");
    assert_eq!(world.touched(), ["1 update messages"]);
    assert_eq!(contents(world, "big"), contents_of(true));
    // The same way when it is held whole.
    write(false);
    assert_eq!(world.migrate(&[]).said(), "0: 1 updated, 7 unchanged; 1 rows");
    assert_eq!(contents(world, "big"), contents_of(false));
}

fn a_chat_too_large_to_be_held_that_breaks_keeps_its_rows(world: &World) {
    world.seed();
    let args = ["--whole-bytes", "600", "--batch-rows", "7"];
    let texts: Vec<String> = (1..=40).map(|at| format!("message {at}")).collect();
    let whole = history(&texts.iter().map(String::as_str).collect::<Vec<_>>()).to_string();
    world.write("chat_sessions/big.json", &whole);
    world.write("chat_sessions/broken.json", &whole[..whole.len() - 1]);
    assert_eq!(world.migrate(&args).said(), "1: 8 loaded, 1 rejected; 57 rows");
    assert_eq!(world.value("SELECT count(*) FROM chat_sessions WHERE chat_id = 'broken'"), "0");
    world.watch();
    world.write("chat_sessions/big.json", &whole[..whole.len() - 1]);
    let run = world.migrate(&args);
    assert_eq!(run.said(), "1: 7 unchanged, 2 rejected; 0 rows");
    assert_eq!(run.summary()["reasons"], json!({"truncated": 2}));
    assert_eq!(world.touched(), [""; 0]);
    world.write("chat_sessions/big.json", &whole);
    world.write("chat_sessions/broken.json", &whole);
    assert_eq!(world.migrate(&args).said(), "0: 1 loaded, 1 updated, 7 unchanged; 41 rows");
}

fn a_file_that_becomes_another_document_leaves_its_old_one(world: &World) {
    loaded(world);
    // As an object it is the session file of c9, as a list the history of a chat `c9_session`.
    world.json("chat_sessions/c9_session.json", &session("c9", json!("ada")));
    world.write("chat_sessions/c8_session.json", "{");
    assert_eq!(world.migrate(&[]).said(), "1: 1 loaded, 7 unchanged, 1 rejected; 1 rows");
    world.json("chat_sessions/c9_session.json", &history(&["one"]));
    world.json("chat_sessions/c8_session.json", &history(&["one"]));
    assert_eq!(world.migrate(&[]).said(), "0: 2 loaded, 7 unchanged, 1 removed; 4 rows");
    assert_eq!(world.run(&["rejects", "list"]).stdout, "no rejects\n");
    assert_eq!(world.migrate(&["--prune"]).said(), "0: 9 unchanged, 1 removed, 1 pruned; 1 rows");
    let fresh = world.with_another_database("fresh");
    assert_eq!(fresh.migrate(&[]).code, 0);
    assert_same(&world.content(), &fresh.content());
}

fn files_that_move_to_the_data_directory_stay_the_same_documents(world: &World) {
    loaded(world);
    std::fs::create_dir(world.source().join("data")).expect("made");
    for name in ["users", "chat_sessions", "memory"] {
        std::fs::rename(world.source().join(name), world.source().join("data").join(name)).expect("moved");
    }
    let moved = world.migrate(&["--prune"]);
    // The ledger learns where the files are now.
    assert_eq!(moved.said(), "0: 6 updated, 1 unchanged; 0 rows");
    assert_eq!(world.touched(), [""; 0]);
    assert_eq!(world.migrate(&["--prune"]).said(), "0: 7 unchanged; 0 rows");
}

on_every_target!(
    an_edited_message_changes_its_own_row,
    a_history_that_has_grown_gains_rows,
    a_history_that_was_cut_loses_rows,
    messages_that_change_their_order_keep_their_rows,
    a_history_that_is_removed_leaves_its_session,
    a_session_file_comes_and_goes_in_place,
    white_space_changes_the_ledger_and_no_row,
    an_edited_user_is_updated_in_place_and_keeps_what_refers_to_it,
    memory_entries_come_change_and_go_one_by_one,
    a_memory_file_that_is_emptied_and_filled_again_keeps_its_user,
    a_changed_chat_too_large_to_be_held_changes_exactly_its_rows,
    a_chat_too_large_to_be_held_that_breaks_keeps_its_rows,
    a_file_that_becomes_another_document_leaves_its_old_one,
    files_that_move_to_the_data_directory_stay_the_same_documents,
);
