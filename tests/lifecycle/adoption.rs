//! Rows that the application wrote before, under ids of its own: they are adopted.

use serde_json::json;

use crate::world::{assert_same, history, memory, session, user, World, NULL};

const ADA: &str = "aaaaaaaa-0000-4000-8000-000000000001";
const C1: &str = "cccccccc-0000-4000-8000-000000000001";
const COLOR: &str = "eeeeeeee-0000-4000-8000-000000000001";

/// A database with the tables, in which the application has written Ada, her favourite colour and
/// chat c1; and the seed.
fn in_use(world: &World) {
    world.json("users/eve.json", &user("eve", json!({})));
    assert_eq!(world.migrate(&["--only", "users"]).code, 0);
    world.remove("users/eve.json");
    assert_eq!(world.migrate(&["--prune", "--only", "users"]).code, 2);
    world.execute(
        "DELETE FROM users; DELETE FROM ledger.documents; DELETE FROM ledger.residue; DELETE FROM ledger.runs",
    );
    world.execute(&format!(
        "INSERT INTO users (id, clerk_id, name) VALUES ('{ADA}', 'clerk_ada', 'as the application has it');
         INSERT INTO user_memory (id, user_id, memory_type, key, value)
         VALUES ('{COLOR}', '{ADA}', 'profile', 'color', '\"green\"');
         INSERT INTO chat_sessions (id, chat_id, title) VALUES ('{C1}', 'c1', 'as the application has it')"
    ));
    world.seed();
    world.watch();
}

fn rows_that_the_application_wrote_are_adopted(world: &World) {
    in_use(world);
    assert_eq!(world.migrate(&[]).said(), "0: 7 loaded; 16 rows");
    let touched = world.touched();
    let inserts = ["1 insert user_memory", "1 insert users", "3 insert chat_sessions", "8 insert messages"];
    let updates = ["1 update chat_sessions", "1 update user_memory", "1 update users"];
    for what in inserts.iter().chain(&updates) {
        assert!(touched.contains(&(*what).to_owned()), "{what}: {touched:?}");
    }
    assert_eq!(touched.len(), inserts.len() + updates.len(), "{touched:?}");
    // Ids stay, values are the files', and what refers to them uses these ids.
    assert_eq!(world.query("SELECT id, name FROM users WHERE clerk_id = 'clerk_ada'"), [[ADA, "Ada"]]);
    assert_eq!(world.query("SELECT id, user_id FROM user_memory WHERE key = 'color'"), [[COLOR, ADA]]);
    assert_eq!(world.values("SELECT user_id FROM user_memory WHERE key = 'city'"), [ADA]);
    assert_eq!(
        world.query("SELECT id, title, user_id FROM chat_sessions WHERE chat_id = 'c1'"),
        [[C1, "Chat c1", ADA]]
    );
    assert_eq!(world.value(&format!("SELECT count(*) FROM messages WHERE chat_session_id = '{C1}'")), "3");
    assert_eq!(world.values("SELECT user_id FROM chat_sessions WHERE chat_id = 'c3'"), [ADA]);
    // And the ledger says so.
    let adopted =
        "SELECT doc_key FROM ledger.documents WHERE CAST(notes AS TEXT) LIKE '%adopted%' ORDER BY kind, doc_key";
    assert_eq!(world.values(adopted), ["c1", "ada", "ada"]);
    let row_ids = "SELECT row_id FROM ledger.documents WHERE doc_key IN ('ada', 'c1') ORDER BY kind";
    assert_eq!(world.values(row_ids), [C1, ADA, ADA]);
}

fn adopted_documents_stay_unchanged_and_are_updated_in_place(world: &World) {
    in_use(world);
    assert_eq!(world.migrate(&[]).code, 0);
    world.touched();
    let before = world.dump();
    assert_eq!(world.migrate(&[]).said(), "0: 7 unchanged; 0 rows");
    assert_same(&world.dump(), &before);
    world.json("users/ada.json", &user("ada", json!({"clerk_id": "clerk_ada", "name": "Ada L."})));
    world.json("memory/ada.json", &memory(&[("color", "red"), ("city", "London")]));
    world.json("chat_sessions/c1.json", &history(&["one", "two", "three", "four"]));
    assert_eq!(world.migrate(&[]).said(), "0: 3 updated, 4 unchanged; 4 rows");
    let touched = ["1 insert messages", "1 update chat_sessions", "1 update user_memory", "1 update users"];
    assert_eq!(world.touched(), touched);
    assert_eq!(world.values("SELECT id FROM users WHERE name = 'Ada L.'"), [ADA]);
    let adopted = "SELECT count(*) FROM ledger.documents WHERE CAST(notes AS TEXT) LIKE '%adopted%'";
    assert_eq!(world.value(adopted), "3");
}

fn an_adopted_user_keeps_its_row_when_its_clerk_id_changes(world: &World) {
    in_use(world);
    assert_eq!(world.migrate(&[]).code, 0);
    world.touched();
    world.json("users/ada.json", &user("ada", json!({"clerk_id": "clerk_new", "name": "Ada"})));
    assert_eq!(world.migrate(&[]).said(), "0: 1 updated, 6 unchanged; 2 rows");
    // Chat c3 refers to the old clerk id.
    assert_eq!(world.touched(), ["1 update chat_sessions", "1 update users"]);
    assert_eq!(world.query("SELECT id, clerk_id FROM users WHERE name = 'Ada'"), [[ADA, "clerk_new"]]);
    world.json("users/ada.json", &user("ada", json!({"name": "Ada"})));
    assert_eq!(world.migrate(&[]).said(), "0: 1 updated, 6 unchanged; 1 rows");
    assert_eq!(world.query("SELECT id, clerk_id FROM users WHERE name = 'Ada'"), [[ADA, NULL]]);
    assert_eq!(world.value("SELECT count(*) FROM user_memory"), "2");
}

fn a_chat_with_messages_of_the_application_is_a_conflict(world: &World) {
    in_use(world);
    world.execute(&format!(
        "INSERT INTO messages (id, chat_session_id, role, content, sequence_number)
         VALUES ('00000000-0000-4000-8000-000000000001', '{C1}', 'user', 'written by the application', 1)"
    ));
    world.touched();
    let run = world.migrate(&["--only", "chats"]);
    assert_eq!(run.said(), "1: 2 loaded, 1 conflicts; 5 rows");
    let text = "conflict chat_sessions/c1.json: 1 rows below it that transload did not write";
    assert_eq!(run.findings(), [text]);
    assert_eq!(world.touched(), ["2 insert chat_sessions", "3 insert messages"]);
    let of_c1 = "SELECT s.title, m.content FROM chat_sessions s JOIN messages m ON m.chat_session_id = s.id
                 WHERE s.chat_id = 'c1' ORDER BY m.sequence_number";
    assert_eq!(world.query(of_c1), [["as the application has it", "written by the application"]]);
    assert_eq!(world.migrate(&["--only", "chats"]).said(), "1: 2 unchanged, 1 conflicts; 0 rows");
    assert_eq!(world.migrate(&["--only", "chats", "--prefer", "file"]).said(), "0: 1 loaded, 2 unchanged; 5 rows");
    assert_eq!(world.values("SELECT content FROM messages WHERE content LIKE 'writ%'"), [""; 0]);
    assert_eq!(world.values("SELECT id FROM chat_sessions WHERE chat_id = 'c1'"), [C1]);
}

fn a_chat_too_large_to_be_held_adopts_its_session(world: &World) {
    in_use(world);
    assert_eq!(world.migrate(&["--whole-bytes", "400", "--batch-rows", "2"]).said(), "0: 7 loaded; 16 rows");
    assert_eq!(world.value(&format!("SELECT count(*) FROM messages WHERE chat_session_id = '{C1}'")), "3");
    assert_eq!(world.migrate(&[]).said(), "0: 7 unchanged; 0 rows");
}

fn a_row_of_the_application_under_the_derived_id_is_adopted(world: &World) {
    in_use(world);
    let id = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    world.execute(&format!("INSERT INTO users (id, name) VALUES ('{id}', 'as the application has it')"));
    world.json(&format!("users/{id}.json"), &user(id, json!({"name": "Grace"})));
    world.json("chat_sessions/c2_session.json", &session("c2", json!(id)));
    assert_eq!(world.migrate(&[]).said(), "0: 8 loaded; 17 rows");
    assert_eq!(world.values(&format!("SELECT name FROM users WHERE id = '{id}'")), ["Grace"]);
    assert_eq!(world.values("SELECT user_id FROM chat_sessions WHERE chat_id = 'c2'"), [id]);
}

fn a_user_with_a_row_of_its_own_cannot_take_over_a_second_one(world: &World) {
    in_use(world);
    world.execute("INSERT INTO users (id, clerk_id) VALUES ('bbbbbbbb-0000-4000-8000-000000000001', 'clerk_bob')");
    assert_eq!(world.migrate(&[]).code, 0);
    world.json("users/bob.json", &user("bob", json!({"name": "Bob", "clerk_id": "clerk_bob"})));
    let run = world.migrate(&[]);
    assert_eq!(run.said(), "1: 6 unchanged, 1 rejected; 0 rows");
    let text = "the row bbbbbbbb-0000-4000-8000-000000000001, which no file made, has the same clerk_id";
    assert!(run.findings()[0].contains(text), "{:?}", run.findings());
}

on_every_target!(
    rows_that_the_application_wrote_are_adopted,
    adopted_documents_stay_unchanged_and_are_updated_in_place,
    an_adopted_user_keeps_its_row_when_its_clerk_id_changes,
    a_chat_with_messages_of_the_application_is_a_conflict,
    a_chat_too_large_to_be_held_adopts_its_session,
    a_row_of_the_application_under_the_derived_id_is_adopted,
    a_user_with_a_row_of_its_own_cannot_take_over_a_second_one,
);
