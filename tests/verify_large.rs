//! `verify` over histories that are not held: more rows than may wait for a partner.

mod support;

use rusqlite::Connection;
use serde_json::Value;

use support::cli::{write, Workplace};

const DB: &str = "sqlite:app.db";
/// More than wait at once, on either side.
const MESSAGES: usize = 23_000;
const CHAT: &str = "chat_sessions/c.json";

fn verified(place: &Workplace, code: i32) -> Value {
    let arguments = ["verify", "data", "--db", DB, "-q", "--json", "--whole-bytes", "1MiB", "--max-lag", "50ms"];
    place.run(&arguments).expect(code).json()
}

fn database(place: &Workplace) -> Connection {
    Connection::open(place.path("app.db")).expect("the database opens")
}

fn message(at: usize) -> String {
    format!("{{\"id\":\"m{at}\",\"role\":\"user\",\"content\":\"message {at}\",\"created_at\":\"2025-11-28T10:15:30+00:00\"}}")
}

fn history(messages: impl Iterator<Item = usize>) -> Vec<u8> {
    format!("[{}]", messages.map(message).collect::<Vec<_>>().join(",")).into_bytes()
}

fn planted() -> Workplace {
    planted_with(MESSAGES)
}

fn planted_with(messages: usize) -> Workplace {
    let place = Workplace::new();
    std::fs::create_dir_all(place.path("data/chat_sessions")).expect("a directory can be made");
    write(&place.path("data").join(CHAT), &history(0..messages));
    place
}

fn migrated(place: &Workplace) {
    place.run(&["migrate", "data", "--db", DB, "-q", "--whole-bytes", "1MiB"]).expect(0);
}

/// How often each cause was told.
fn causes(found: &Value) -> Vec<(&str, u64)> {
    let causes = found["causes"].as_object().unwrap_or_else(|| panic!("causes: {found}"));
    let count = |count: &Value| count.as_u64().unwrap_or_else(|| panic!("a number: {found}"));
    causes.iter().map(|(cause, told)| (cause.as_str(), count(told))).filter(|(_, told)| *told > 0).collect()
}

/// As though the application had written every row itself.
fn written_by_the_application(place: &Workplace) {
    let statements = "
        UPDATE chat_sessions SET id = '00000000-0000-4000-8000-00000000cafe';
        UPDATE messages SET id = printf('00000000-0000-4000-8001-%012x', rowid),
                            chat_session_id = '00000000-0000-4000-8000-00000000cafe';
        DELETE FROM transload_residue;
        DELETE FROM transload_documents;";
    database(place).execute_batch(&format!("PRAGMA foreign_keys = OFF; {statements}")).expect("rows can be changed");
}

#[test]
fn rows_that_the_application_wrote_on_both_sides_agree_under_ids_that_nothing_derives() {
    let place = planted();
    migrated(&place);
    written_by_the_application(&place);
    let found = verified(&place, 0);
    assert_eq!(found["documents"]["agreed"], 1, "{found}");
}

#[test]
fn rows_that_were_adopted_agree_and_two_faults_among_them_are_two_differences() {
    let place = planted();
    migrated(&place);
    written_by_the_application(&place);
    migrated(&place);
    let found = verified(&place, 0);
    assert_eq!(found["documents"]["agreed"], 1, "{found}");
    let statements = "UPDATE messages SET content = 'x' WHERE content = 'message 20000';
                      DELETE FROM messages WHERE content = 'message 100';";
    database(&place).execute_batch(statements).expect("rows can be changed");
    assert_eq!(causes(&verified(&place, 1)), [("edited_in_database", 1), ("missing_row", 1)]);
}

#[test]
fn more_rows_than_can_wait_are_missing_or_extra_one_by_one_and_nothing_else_is_told() {
    let place = planted();
    migrated(&place);
    let gone = "DELETE FROM messages WHERE sequence_number <= 11000";
    assert_eq!(database(&place).execute(gone, []).expect("rows can be deleted"), 11_000);
    assert_eq!(causes(&verified(&place, 1)), [("missing_row", 11_000)]);
}

#[test]
fn a_history_that_lost_more_messages_than_can_wait_leaves_as_many_rows_over() {
    let place = planted();
    migrated(&place);
    write(&place.path("data").join(CHAT), &history(11_000..MESSAGES));
    let found = verified(&place, 1);
    // Every message that is left has another number now, and the chat another count.
    let left = (MESSAGES - 11_000) as u64;
    assert_eq!(causes(&found), [("edited_in_file", left + 1), ("extra_row", 11_000)]);
}

#[test]
fn a_lost_part_of_adopted_rows_is_told_once_whether_they_are_held_or_not() {
    for messages in [3, 15_000] {
        let place = planted_with(messages);
        migrated(&place);
        written_by_the_application(&place);
        migrated(&place);
        let lost = "DELETE FROM transload_residue WHERE part = 0";
        assert_eq!(database(&place).execute(lost, []).expect("a row can be deleted"), 1);
        let found = verified(&place, 1);
        assert_eq!(causes(&found), [("ledger_missing", 1)], "{messages} messages");
        let detail = &found["listed_differences"][0]["detail"];
        assert_eq!(*detail, "a part of the document is missing", "{messages} messages");
    }
}
