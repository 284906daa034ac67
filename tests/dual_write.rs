//! An application that writes to both stores: its own rows are taken for the file's where they say
//! the same, and nothing of it is doubled or lost.

use std::path::Path;
use std::process::Command;

use rusqlite::Connection;

const OWN_CHAT: &str = "11111111-1111-4111-8111-111111111111";
const OWN_MESSAGE: &str = "22222222-2222-4222-8222-222222222222";

/// A chat of so many messages, as the file has it.
fn write_chat(root: &Path, messages: usize) {
    let chats = root.join("data/chat_sessions");
    std::fs::create_dir_all(&chats).expect("a directory");
    let messages: Vec<String> = (1..=messages)
        .map(|n| {
            format!(
                r#"{{"id":"m{n}","role":"user","content":"message {n}","created_at":"2025-11-28T10:15:{n:02}+00:00"}}"#
            )
        })
        .collect();
    std::fs::write(chats.join("c.json"), format!("[{}]", messages.join(","))).expect("a file");
}

fn migrate(root: &Path, more: &[&str]) -> (Option<i32>, serde_json::Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_transload"))
        .current_dir(root)
        .args(["migrate", "data", "--json", "--db", "sqlite:app.db"])
        .args(more)
        .output()
        .expect("the binary runs");
    let summary = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("no summary: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), summary)
}

fn database(root: &Path) -> Connection {
    let connection = Connection::open(root.join("app.db")).expect("the database");
    connection.execute_batch("PRAGMA foreign_keys = ON").expect("foreign keys");
    connection
}

fn texts(root: &Path, sql: &str) -> Vec<String> {
    let connection = database(root);
    let mut statement = connection.prepare(sql).expect("a query");
    let rows = statement.query_map([], |row| row.get(0)).expect("rows");
    rows.collect::<Result<_, _>>().expect("text")
}

fn own_message(root: &Path, chat: &str, id: &str, content: &str, position: usize) {
    database(root)
        .execute(
            "INSERT INTO messages (id, chat_session_id, role, content, sequence_number) VALUES (?1, ?2, 'user', ?3, ?4)",
            (id, chat, content, position as i64),
        )
        .expect("the application writes");
}

#[test]
fn a_message_that_the_application_wrote_to_both_stores_is_adopted() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let root = folder.path();
    write_chat(root, 2);
    assert_eq!(migrate(root, &[]).0, Some(0));
    let chat = texts(root, "SELECT id FROM chat_sessions").remove(0);
    own_message(root, &chat, OWN_MESSAGE, "message 3", 3);
    write_chat(root, 3);
    let (code, summary) = migrate(root, &[]);
    assert_eq!((code, &summary["documents"]["updated"]), (Some(0), &1.into()), "{summary}");
    assert_eq!(summary["notes"]["adopted"], 1);
    let ids = texts(root, "SELECT id FROM messages ORDER BY sequence_number");
    assert_eq!((ids.len(), ids[2].as_str()), (3, OWN_MESSAGE));
    assert_eq!(
        texts(root, "SELECT created_at FROM messages WHERE sequence_number = 3"),
        ["2025-11-28T10:15:03.000000Z"],
        "the adopted row has the file's values"
    );
    // It stays adopted when the chat goes on.
    assert_eq!(migrate(root, &[]).1["documents"]["unchanged"], 1);
    write_chat(root, 4);
    assert_eq!(migrate(root, &[]).0, Some(0));
    let ids = texts(root, "SELECT id FROM messages ORDER BY sequence_number");
    assert_eq!((ids.len(), ids[2].as_str()), (4, OWN_MESSAGE));
}

#[test]
fn a_message_that_only_the_database_has_is_a_conflict() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let root = folder.path();
    write_chat(root, 2);
    assert_eq!(migrate(root, &[]).0, Some(0));
    let chat = texts(root, "SELECT id FROM chat_sessions").remove(0);
    own_message(root, &chat, OWN_MESSAGE, "only here", 3);
    write_chat(root, 3);
    let before = texts(root, "SELECT id || content || created_at FROM messages ORDER BY id");
    let (code, summary) = migrate(root, &[]);
    assert_eq!((code, &summary["documents"]["conflicts"]), (Some(1), &1.into()), "{summary}");
    assert_eq!(texts(root, "SELECT id || content || created_at FROM messages ORDER BY id"), before);
    // Whoever wants the file's side says so.
    assert_eq!(migrate(root, &["--prefer", "file"]).0, Some(0));
    assert_eq!(
        texts(root, "SELECT content FROM messages ORDER BY sequence_number"),
        ["message 1", "message 2", "message 3"]
    );
}

#[test]
fn a_chat_that_the_application_wrote_whole_is_adopted_with_its_messages() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let root = folder.path();
    std::fs::create_dir_all(root.join("data/users")).expect("a directory");
    std::fs::write(root.join("data/users/u.json"), "{}").expect("a file");
    assert_eq!(migrate(root, &[]).0, Some(0));
    database(root)
        .execute("INSERT INTO chat_sessions (id, chat_id) VALUES (?1, 'c')", [OWN_CHAT])
        .expect("the application writes");
    own_message(root, OWN_CHAT, OWN_MESSAGE, "message 1", 1);
    write_chat(root, 2);
    let (code, summary) = migrate(root, &[]);
    assert_eq!((code, &summary["documents"]["loaded"]), (Some(0), &1.into()), "{summary}");
    assert_eq!(texts(root, "SELECT id FROM chat_sessions"), [OWN_CHAT]);
    let ids = texts(root, "SELECT id FROM messages ORDER BY sequence_number");
    assert_eq!((ids.len(), ids[0].as_str()), (2, OWN_MESSAGE));
    assert_eq!(texts(root, "SELECT DISTINCT chat_session_id FROM messages"), [OWN_CHAT]);
    assert_eq!(migrate(root, &[]).1["documents"]["unchanged"], 2);
}

#[test]
fn an_adopted_user_keeps_its_row_when_its_key_changes() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let root = folder.path();
    std::fs::create_dir_all(root.join("data/users")).expect("a directory");
    std::fs::write(root.join("data/users/u.json"), "{}").expect("a file");
    assert_eq!(migrate(root, &[]).0, Some(0));
    database(root).execute("INSERT INTO users (id, clerk_id) VALUES (?1, 'k')", [OWN_CHAT]).expect("a user");
    std::fs::write(root.join("data/users/v.json"), "{\"clerk_id\":\"k\"}").expect("a file");
    std::fs::create_dir_all(root.join("data/memory")).expect("a directory");
    std::fs::write(root.join("data/memory/v.json"), "{\"profile\":{\"color\":{\"value\":\"blue\"}}}").expect("a file");
    assert_eq!(migrate(root, &[]).0, Some(0));
    assert_eq!(texts(root, "SELECT user_id FROM user_memory"), [OWN_CHAT], "memory refers to the adopted row");
    std::fs::write(root.join("data/users/v.json"), "{\"name\":\"V\"}").expect("a file");
    let (code, summary) = migrate(root, &[]);
    assert_eq!((code, &summary["documents"]["updated"]), (Some(0), &1.into()), "{summary}");
    assert_eq!(texts(root, "SELECT id FROM users WHERE name = 'V'"), [OWN_CHAT]);
    assert_eq!(texts(root, "SELECT user_id FROM user_memory"), [OWN_CHAT], "and still does");
}
