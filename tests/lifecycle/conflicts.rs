//! Rows that were edited in the database since they were written, and whose file has changed, too.

use serde_json::json;

use crate::support::postgres::connect;
use crate::world::{assert_same, history, memory, session, until, user, World};

const NOW: &str = "'2026-01-01T00:00:00.000000Z'";

/// The seed, loaded; then `sql` was done to it, and c1's file has a fourth message.
fn edited(world: &World, sql: &str) {
    world.seed();
    assert_eq!(world.migrate(&[]).code, 0);
    world.execute(sql);
    world.json("chat_sessions/c1.json", &history(&["one", "two", "three", "four"]));
}

fn is_a_conflict(world: &World, sql: &str, found: &str) {
    edited(world, sql);
    let before = world.dump();
    let run = world.migrate(&[]);
    assert_eq!(run.said(), "1: 6 unchanged, 1 conflicts; 0 rows");
    let text = format!("conflict chat_sessions/c1.json: rows in the database since they were written: {found}");
    assert_eq!(run.findings(), [text]);
    assert_same(&world.dump(), &before);
    // It stays one until somebody decides.
    assert_eq!(world.migrate(&[]).said(), "1: 6 unchanged, 1 conflicts; 0 rows");
    assert_eq!(world.migrate(&["--prefer", "file"]).code, 0);
    let of_c1 = "SELECT m.content FROM messages m JOIN chat_sessions s ON s.id = m.chat_session_id
                 WHERE s.chat_id = 'c1' ORDER BY m.sequence_number";
    assert_eq!(world.values(of_c1), ["one", "two", "three", "four"]);
    assert_eq!(world.migrate(&[]).said(), "0: 7 unchanged; 0 rows");
    agrees_with_a_fresh_load(world);
}

fn agrees_with_a_fresh_load(world: &World) {
    let fresh = world.with_another_database("fresh");
    assert_eq!(fresh.migrate(&[]).code, 0);
    assert_same(&world.content(), &fresh.content());
}

fn an_edited_row_is_not_overwritten(world: &World) {
    is_a_conflict(world, "UPDATE messages SET content = 'edited' WHERE content = 'two'", "1 edited");
}

fn a_deleted_row_does_not_come_back(world: &World) {
    is_a_conflict(world, "DELETE FROM messages WHERE content = 'two'", "1 deleted");
}

/// The application adds a message to c1.
fn add() -> String {
    format!(
        "INSERT INTO messages (id, chat_session_id, role, content, created_at, sequence_number)
         SELECT '00000000-0000-4000-8000-000000000001', id, 'user', 'added', {NOW}, 4
         FROM chat_sessions WHERE chat_id = 'c1'"
    )
}

fn an_added_row_is_not_taken_out(world: &World) {
    is_a_conflict(world, &add(), "1 added");
}

fn a_document_whose_rows_are_all_gone_is_a_conflict(world: &World) {
    is_a_conflict(world, "DELETE FROM chat_sessions WHERE chat_id = 'c1'", "4 deleted");
}

fn an_edited_session_keeps_its_messages_back(world: &World) {
    is_a_conflict(world, "UPDATE chat_sessions SET title = 'edited' WHERE chat_id = 'c1'", "1 edited");
}

fn a_conflict_is_shown_to_people(world: &World) {
    edited(world, "UPDATE messages SET content = 'edited' WHERE content = 'two'");
    let run = world.run(&["migrate", "source", "--quiet"]);
    assert_eq!(run.code, 1);
    assert!(run.stdout.contains("conflict: `chat_sessions/c1.json`: rows in the database"), "{}", run.stdout);
    assert!(run.stdout.contains("+ 1 conflicts +"), "{}", run.stdout);
}

fn an_edited_row_whose_file_did_not_change_is_left_alone(world: &World) {
    world.seed();
    assert_eq!(world.migrate(&[]).code, 0);
    world.execute("UPDATE users SET name = 'edited' WHERE name = 'Bob'");
    world.execute("DELETE FROM messages WHERE content = 'two'");
    let before = world.dump();
    assert_eq!(world.migrate(&[]).said(), "0: 7 unchanged; 0 rows");
    assert_eq!(world.migrate(&["--prefer", "file"]).said(), "0: 7 unchanged; 0 rows");
    assert_same(&world.dump(), &before);
}

fn users_and_memory_conflict_like_chats(world: &World) {
    world.seed();
    assert_eq!(world.migrate(&[]).code, 0);
    world.execute("UPDATE users SET name = 'edited' WHERE name = 'Ada'");
    world.execute("DELETE FROM user_memory WHERE key = 'city'");
    world.json("users/ada.json", &user("ada", json!({"clerk_id": "clerk_ada", "name": "Ada L."})));
    world.json("memory/ada.json", &memory(&[("color", "red"), ("city", "London")]));
    let before = world.dump();
    let run = world.migrate(&[]);
    assert_eq!(run.said(), "1: 5 unchanged, 2 conflicts; 0 rows");
    assert_eq!(run.findings().len(), 2);
    assert_same(&world.dump(), &before);
    assert_eq!(world.migrate(&["--prefer", "file"]).said(), "0: 2 updated, 5 unchanged; 3 rows");
    agrees_with_a_fresh_load(world);
}

fn a_conflict_leaves_the_other_documents_of_its_batch_alone(world: &World) {
    edited(world, "UPDATE messages SET content = 'edited' WHERE content = 'two'");
    world.json("chat_sessions/c2.json", &history(&["alone", "not alone"]));
    world.json("chat_sessions/new.json", &history(&["new"]));
    assert_eq!(world.migrate(&[]).said(), "1: 1 loaded, 1 updated, 5 unchanged, 1 conflicts; 3 rows");
}

/// This one shows only when all of the document's rows were compared, and some of them written.
fn a_conflict_at_a_documents_end_undoes_that_document_alone(world: &World) {
    edited(world, &add());
    let of_c1 = "SELECT * FROM messages WHERE chat_session_id IN (SELECT id FROM chat_sessions WHERE chat_id = 'c1')
                 ORDER BY id";
    let before = world.values(of_c1);
    world.json("chat_sessions/c1.json", &history(&["eins", "two", "three", "four"]));
    world.json("chat_sessions/c0.json", &history(&["new"]));
    world.json("chat_sessions/c2.json", &history(&["not alone"]));
    let run = world.migrate(&[]);
    assert_eq!(run.said(), "1: 1 loaded, 1 updated, 5 unchanged, 1 conflicts; 5 rows");
    assert_eq!(world.values(of_c1), before);
    assert_eq!(world.value("SELECT count(*) FROM messages WHERE content = 'not alone'"), "1");
    assert_eq!(world.migrate(&[]).said(), "1: 7 unchanged, 1 conflicts; 0 rows");
}

fn a_conflict_is_told_also_where_the_database_would_refuse_a_row(world: &World) {
    world.seed();
    assert_eq!(world.migrate(&[]).code, 0);
    world.execute(&add());
    world.execute("DELETE FROM users WHERE name = 'Bob'");
    world.json("chat_sessions/c1_session.json", &session("c1", json!("bob")));
    let run = world.migrate(&[]);
    assert_eq!(run.said(), "1: 6 unchanged, 1 conflicts; 0 rows");
    let text = "conflict chat_sessions/c1.json: rows in the database since they were written: 1 added";
    assert_eq!(run.findings(), [text]);
}

/// The application edits a row of c1 and commits only when the run waits for that row.
#[track_caller]
fn edits_meanwhile(arguments: &[&str], expected: &str) {
    let world = World::postgres();
    world.seed();
    assert_eq!(world.migrate(&[]).code, 0);
    let mut application = connect(&world.url());
    let edit = "UPDATE messages SET content = 'edited' WHERE content = 'two'";
    let mut open = application.transaction().expect("a transaction begins");
    open.execute(edit, &[]).expect("nobody else has the row");
    match arguments {
        ["--prune"] => ["c1", "c1_session"].iter().for_each(|name| world.remove(&format!("chat_sessions/{name}.json"))),
        _ => world.json("chat_sessions/c1.json", &history(&["one", "zwei", "three"])),
    }
    world.json("chat_sessions/c2.json", &history(&["not alone"]));
    let run = world.start_migrate(arguments);
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    until("waiting for the row", || world.value(waiting) == "1");
    open.commit().expect("the edit is kept");
    let ran = run.wait();
    assert_eq!(ran.said(), expected, "{}", ran.stderr);
    assert_eq!(world.value("SELECT count(*) FROM messages WHERE content = 'edited'"), "1");
    assert_eq!(world.value("SELECT count(*) FROM messages WHERE content = 'not alone'"), "1");
}

#[test]
fn an_edit_between_looking_and_writing_is_not_overwritten() {
    edits_meanwhile(&[], "1: 1 updated, 5 unchanged, 1 conflicts; 3 rows");
}

#[test]
fn an_edit_between_looking_and_writing_is_not_taken_out() {
    edits_meanwhile(&["--prune"], "1: 1 updated, 5 unchanged, 1 removed, 1 kept_edited; 3 rows");
}

on_every_target!(
    a_conflict_is_told_also_where_the_database_would_refuse_a_row,
    a_conflict_at_a_documents_end_undoes_that_document_alone,
    an_edited_row_is_not_overwritten,
    a_deleted_row_does_not_come_back,
    an_added_row_is_not_taken_out,
    a_document_whose_rows_are_all_gone_is_a_conflict,
    an_edited_session_keeps_its_messages_back,
    a_conflict_is_shown_to_people,
    an_edited_row_whose_file_did_not_change_is_left_alone,
    users_and_memory_conflict_like_chats,
    a_conflict_leaves_the_other_documents_of_its_batch_alone,
);
