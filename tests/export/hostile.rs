//! Names and ledgers that somebody forged, and directories that are not empty.

use std::fs;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::support::cli::write;
use crate::world::{files, World};

/// A user, a chat with two messages, and a memory file.
pub fn small_tree(world: &World) {
    let time = "2025-11-28T10:15:30+00:00";
    let user = format!(r#"{{"id":"u1","created_at":"{time}","updated_at":"{time}"}}"#);
    world.file("users/u1.json", &user);
    let message = |id: &str, at: u32| {
        format!(
            r#"{{"id":"{id}","role":"user","content":"{id}!","metadata":[],"created_at":"2025-11-28T10:15:{at}+00:00","sequence_number":{}}}"#,
            at - 30
        )
    };
    world.file("chat_sessions/c1.json", &format!("[{},{}]", message("a", 31), message("b", 32)));
    let times = format!(r#""created_at":"{time}","updated_at":"{time}","last_message_at":"2025-11-28T10:15:32+00:00""#);
    let session = format!(
        r#"{{"id":"s","chat_id":"c1","user_id":"u1",{times},"message_count":2,"metadata":{{"title":"T","profile":"general"}}}}"#
    );
    world.file("chat_sessions/c1_session.json", &session);
    let entry = format!(r#"{{"value":"blue","created_at":"{time}","expires_at":null}}"#);
    world.file("memory/u1.json", &format!(r#"{{"profile":{{"color":{entry}}}}}"#));
}

fn names_of(value: &serde_json::Value) -> Vec<&str> {
    value["refused"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|refused| refused["file"].as_str().expect("a file"))
        .collect()
}

pub fn names(world: &World) {
    small_tree(world);
    world.migrate().expect(0);
    let before = files(&world.path(""));
    let long = format!("users/{}.json", "x".repeat(300));
    let nul = "users/a\\\\x00b.json";
    for (number, hostile) in
        ["../evil.json", "/tmp/transload-evil.json", "users/../../evil.json", "", ".", &long, nul, "memory/u1.json/x"]
            .into_iter()
            .enumerate()
    {
        let files_json =
            format!(r#"[{{"path":"{hostile}","role":"whole","size":1,"modified":"2025-11-28T10:15:30.000000Z"}}]"#);
        world.sql(&format!("UPDATE transload.documents SET files = '{files_json}' WHERE kind = 'users'"));
        let out = format!("out{number}");
        let summary = world.export_into(&out, &[]).expect(1).json();
        assert_eq!(summary["documents"]["refused"], 1, "{hostile}");
        assert_eq!(summary["documents"]["exported"], 2, "{hostile}");
        assert_eq!(summary["documents"]["documents"], 3, "{hostile}");
        assert_eq!(names_of(&summary).len(), 1);
        assert_eq!(files(&world.path(&out)).len(), 3, "{hostile}");
    }
    let after = files(&world.path(""));
    let outside = |path: &&String| !path.starts_with("out") && !path.starts_with("app.db");
    assert!(after.keys().filter(outside).eq(before.keys().filter(outside)));
    assert!(!std::path::Path::new("/tmp/transload-evil.json").exists());
    // Rows that no document has, with keys that can be no names.
    world.sql("INSERT INTO chat_sessions (chat_id) VALUES ('../evil'), ('/etc/evil'), ('a/b')");
    let summary = world.export(&[]).expect(1).json();
    assert_eq!(summary["documents"]["added_refused"], 3);
    assert_eq!(files(&world.path("out")).len(), 3);
    // Two documents of one name: the second is refused, and says so.
    let twin = r#"[{"path":"memory/u1.json","role":"whole","size":1,"modified":"2025-11-28T10:15:30.000000Z"}]"#;
    world.sql(&format!("DELETE FROM chat_sessions WHERE chat_id <> 'c1'; UPDATE transload.documents SET files = '{twin}' WHERE kind = 'users'"));
    let summary = world.export_into("twins", &[]).expect(1).json();
    assert_eq!(names_of(&summary), ["memory/u1.json"]);
    assert!(summary["refused"][0]["why"].as_str().is_some_and(|why| why.contains("already")), "{summary}");
}

pub fn ledger(world: &World) {
    small_tree(world);
    world.migrate().expect(0);
    let refused = |out: &str, because: &str| {
        let summary = world.export_into(out, &[]).expect(1).json();
        assert_eq!(summary["documents"]["refused"], 1, "{out}: {summary}");
        let why = summary["refused"][0]["why"].as_str().expect("a reason").to_owned();
        assert!(why.contains(because), "{out}: {why}");
        assert!(!files(&world.path(out)).keys().any(|path| path.contains("chat_sessions")), "{out}");
    };
    let chat = "(SELECT id FROM transload.documents WHERE kind = 'chats')";
    let set = |part: u32, what: &str| {
        format!("UPDATE transload.residue SET {what} WHERE part = {part} AND document_id = {chat}")
    };
    world.sql(&set(1, r#"data = '{"rows":["a"]}'"#));
    refused("rows", "not as many");
    world.sql(&set(1, r#"data = 'x'"#));
    refused("nonsense", "no JSON object");
    world.sql(&set(1, "part = 7"));
    refused("gap", "lacks a part");
    world.sql(&set(7, "part = 1, table_name = 'elsewhere'"));
    refused("table", "does not exist");
    world.sql(&set(1, "table_name = 'users', data = NULL"));
    refused("other", "where those of");
    world.sql(&format!("DELETE FROM transload.residue WHERE document_id = {chat}"));
    refused("parts", "no part");
    world.sql("UPDATE transload.documents SET files = '[1]' WHERE kind = 'chats'");
    refused("files", "not what transload writes");
}

#[test]
fn only_an_empty_directory_is_written_to() {
    let world = World::sqlite();
    small_tree(&world);
    world.migrate().expect(0);
    fs::create_dir(world.path("full")).expect("there is room");
    write(&world.path("full/x"), b"");
    let finished = world.export_into("full", &[]).expect(2);
    assert!(finished.stderr.contains("is not empty"), "{}", finished.stderr);
    assert_eq!(files(&world.path("full")).len(), 1);
    fs::create_dir(world.path("left")).expect("there is room");
    write(&world.path("left/.transload-export-unfinished"), b"");
    let finished = world.export_into("left", &[]).expect(2);
    assert!(finished.stderr.contains("an earlier export did not end there"), "{}", finished.stderr);
    fs::create_dir(world.path("empty")).expect("there is room");
    world.export_into("empty", &[]).expect(0);
    world.export_into("a/b/new", &[]).expect(0);
    assert!(files(&world.path("empty")) == files(&world.path("a/b/new")));
    let finished = world.export_into("data", &[]).expect(2);
    assert!(finished.stderr.contains("is not empty"), "{}", finished.stderr);
}

#[test]
fn only_the_kinds_that_were_asked_for_are_exported() {
    let world = World::sqlite();
    small_tree(&world);
    world.migrate().expect(0);
    let summary = world.export(&["--only", "users,memory"]).expect(0).json();
    assert_eq!(files(&world.path("out")).into_keys().collect::<Vec<_>>(), ["memory/u1.json", "users/u1.json"]);
    assert_eq!(summary["tables"].as_object().expect("a map").len(), 2);
    world.export_into("wrong", &["--only", "user"]).expect(64);
    assert!(!world.path("wrong").exists());
}

#[test]
fn nothing_is_exported_of_a_database_that_has_nothing() {
    let world = World::sqlite();
    let finished = world.export(&[]).expect(2);
    assert!(finished.stderr.contains("nothing was ever migrated"), "{}", finished.stderr);
    assert!(!world.path("out").exists() && !world.path("app.db").exists());
    world.place.run(&["export", "--db", "sqlite:app.db"]).expect(64);
}

#[test]
fn an_export_that_was_killed_says_so() {
    let world = World::sqlite();
    world.place.run(&["generate", "data", "--records", "10000"]).expect(0);
    world.migrate().expect(0);
    let mark = |out: &str| world.path(out).join(".transload-export-unfinished");
    // It may end before it is killed; not every time.
    for attempt in 0..20 {
        let out = format!("out{attempt}");
        let url = world.database.url();
        let mut running = world.place.command(&["export", &out, "-q", "--db", &url]);
        let mut running = running.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts");
        while !mark(&out).exists() && running.try_wait().expect("it is ours").is_none() {
            sleep(Duration::from_millis(1));
        }
        running.kill().and_then(|()| running.wait()).expect("it is ours");
        if mark(&out).exists() {
            let finished = world.export_into(&out, &[]).expect(2);
            assert!(finished.stderr.contains("an earlier export did not end there"), "{}", finished.stderr);
            return;
        }
    }
    panic!("every export ended before it was killed");
}

#[test]
fn a_signal_ends_an_export_between_two_documents() {
    let world = World::sqlite();
    world.place.run(&["generate", "data", "--records", "10000"]).expect(0);
    world.migrate().expect(0);
    for attempt in 0..20 {
        let out = format!("out{attempt}");
        let url = world.database.url();
        let mut running = world.place.command(&["export", &out, "--json", "--db", &url]);
        let running = running.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        while !world.path(&out).join("users").exists() {
            sleep(Duration::from_millis(1));
        }
        Command::new("kill").args(["-TERM", &running.id().to_string()]).status().expect("there is a kill command");
        let ended = running.wait_with_output().expect("it ends");
        if ended.status.code() == Some(0) {
            continue;
        }
        assert_eq!(ended.status.code(), Some(143));
        let summary: serde_json::Value = serde_json::from_slice(&ended.stdout).expect("JSON");
        assert_eq!((&summary["finished"], &summary["stopped_by"]), (&false.into(), &"SIGTERM".into()));
        assert!(world.path(&out).join(".transload-export-unfinished").exists());
        return;
    }
    panic!("every export ended before it was asked to");
}

#[test]
fn an_export_needs_a_few_connections_to_one_state() {
    let world = World::postgres();
    small_tree(&world);
    world.migrate().expect(0);
    let finished = world.export(&["--max-connections", "3"]).expect(2);
    assert!(finished.stderr.contains("allow more with --max-connections"), "{}", finished.stderr);
    assert!(!world.path("out").exists());
    world.export(&["--max-connections", "5"]).expect(0);
}
