//! An error that the data caused is narrowed down to its document, which becomes a reject; the
//! rest of its batch loads.

mod support;

use std::path::Path;
use std::process::{Command, Output};

use support::postgres;

const TRANSLOAD: &str = env!("CARGO_BIN_EXE_transload");

/// Forty chats of three messages, of which the fourth, 14th, 24th and 34th hold a role that the
/// database's own rule refuses.
fn tree(root: &Path) {
    let chats = root.join("data/chat_sessions");
    std::fs::create_dir_all(&chats).expect("a directory");
    for chat in 0..40 {
        let role = if chat % 10 == 4 { "robot" } else { "assistant" };
        let messages: Vec<String> = ["user", role, "user"]
            .iter()
            .map(|role| format!(r#"{{"role":"{role}","content":"hello","timestamp":"2024-01-01T12:00:00Z"}}"#))
            .collect();
        let text = format!("[{}]", messages.join(","));
        std::fs::write(chats.join(format!("chat{chat:02}.json")), text).expect("a file");
    }
}

fn migrate(root: &Path, db: &str) -> Output {
    Command::new(TRANSLOAD)
        .current_dir(root)
        .args(["migrate", "data", "--json", "--db", db])
        .output()
        .expect("the binary runs")
}

/// The tables, by way of a tree of one user.
fn make_tables(root: &Path, db: &str) {
    std::fs::create_dir_all(root.join("one/users")).expect("a directory");
    std::fs::write(root.join("one/users/1.json"), "{}").expect("a file");
    let arguments = ["migrate", "one", "--quiet", "--db", db];
    let output = Command::new(TRANSLOAD).current_dir(root).args(arguments).output().expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn check(root: &Path, output: &Output) {
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{stdout} {}", String::from_utf8_lossy(&output.stderr));
    let summary: serde_json::Value = serde_json::from_str(&stdout).expect("one JSON object");
    assert_eq!(summary["documents"]["loaded"], 36, "{summary}");
    assert_eq!(summary["documents"]["rejected"], 4);
    assert_eq!(summary["reasons"]["refused_by_database"], 4);
    let directory = summary["rejects"].as_str().expect("a directory of rejects");
    let lines = std::fs::read_to_string(root.join(directory).join("rejects.jsonl")).expect("reject lines");
    let mut files: Vec<String> = lines
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["file"].to_string())
        .collect();
    files.sort();
    let expected: Vec<String> = [4, 14, 24, 34].iter().map(|n| format!("\"chat_sessions/chat{n:02}.json\"")).collect();
    assert_eq!(files, expected, "each refused document has one line");
}

#[test]
fn postgres_refuses_single_documents_and_takes_the_rest() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    tree(folder.path());
    let db = postgres::fresh_database();
    make_tables(folder.path(), &db);
    postgres::execute(&db, "ALTER TABLE messages ADD CHECK (role IN ('user', 'assistant', 'system'))");
    let output = migrate(folder.path(), &db);
    check(folder.path(), &output);
    assert_eq!(postgres::value(&db, "SELECT count(*)::text FROM messages"), "108");
    assert_eq!(postgres::value(&db, "SELECT count(*)::text FROM transload.rejects"), "4");
}

#[test]
fn sqlite_refuses_single_documents_and_takes_the_rest() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    tree(folder.path());
    make_tables(folder.path(), "sqlite:app.db");
    let database = rusqlite::Connection::open(folder.path().join("app.db")).expect("the database");
    database
        .execute_batch(
            "CREATE TRIGGER known_roles BEFORE INSERT ON messages WHEN NEW.role NOT IN ('user', 'assistant', 'system') \
             BEGIN SELECT RAISE(ABORT, 'unknown role'); END;",
        )
        .expect("a trigger");
    let output = migrate(folder.path(), "sqlite:app.db");
    check(folder.path(), &output);
    let count = |sql: &str| database.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a count");
    assert_eq!(count("SELECT count(*) FROM messages"), 108);
    assert_eq!(count("SELECT count(*) FROM transload_rejects"), 4);
}
