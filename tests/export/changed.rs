//! What somebody changed in the database comes as it is now.

use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::hostile::small_tree;
use crate::world::{files, World};

const TIME: &str = "2025-11-28T10:15:30+00:00";

/// The small tree, migrated.
fn migrated(world: &World) {
    small_tree(world);
    world.migrate().expect(0);
}

pub fn users(world: &World) {
    migrated(world);
    world.sql(
        "UPDATE users SET email = 'ada@example.org', status = 'blocked', preferences = '{\"b\":1,\"a\":2.50}', \
         updated_at = '2025-11-29T00:00:00.500000Z'",
    );
    let summary = world.export(&[]).expect(0).json();
    assert_eq!(summary["tables"]["users"]["edited"], 1);
    let start = format!(r#"{{"id":"u1","created_at":"{TIME}","updated_at":"2025-11-29T00:00:00.500000+00:00","#);
    let end = r#""email":"ada@example.org","preferences":{"a":2.50,"b":1},"status":"blocked"}"#;
    assert_eq!(world.line("users/u1.json"), start + end);
    // The application deletes what is old by the time of its files.
    let changed = fs::metadata(world.path("out/users/u1.json")).expect("it is there");
    assert_eq!(changed.mtime(), 1_764_547_200, "the file is younger than the change");
    world.sql("UPDATE users SET updated_at = '2025-12-02T00:00:00.000000Z'");
    world.export_into("later", &[]).expect(0);
    let changed = fs::metadata(world.path("later/users/u1.json")).expect("it is there");
    assert_eq!(changed.mtime(), 1_764_633_600);
    let other = fs::metadata(world.path("later/memory/u1.json")).expect("it is there");
    assert_eq!(other.mtime(), 1_764_547_200);
}

pub fn chats(world: &World) {
    migrated(world);
    world.file("chat_sessions/old.json", r#"[{"role":"user","content":"Hi"}]"#);
    world.migrate().expect(0);
    let untouched = fs::read(world.path("data/chat_sessions/c1_session.json")).expect("it is there");
    world.sql("UPDATE chat_sessions SET title = 'New'");
    world.sql("UPDATE messages SET content = 'edited', token_count = 3 WHERE content = 'b!'");
    let summary = world.export(&[]).expect(0).json();
    assert_eq!(summary["tables"]["chat_sessions"]["edited"], 2);
    assert_eq!(summary["tables"]["messages"]["edited"], 1);
    let untouched = String::from_utf8(untouched).expect("UTF-8");
    assert_eq!(world.line("chat_sessions/c1_session.json"), untouched.replace("}}", r#"},"title":"New"}"#));
    let second = &world.exported("chat_sessions/c1.json").items()[1].to_string();
    assert!(second.contains(r#""content":"edited""#) && second.ends_with(r#""token_count":3}"#), "{second}");
    // A session that had no file has one now, for there is something to say.
    let made = world.line("chat_sessions/old_session.json");
    assert!(made.contains(r#""chat_id":"old","user_id":null,"#) && made.ends_with(r#""title":"New"}"#), "{made}");
    // All of it is loaded again as it is.
    let other = world.another_database();
    world.place.run(&["migrate", "out", "--db", &other.url()]).expect(0);
    let again = World { place: crate::support::cli::Workplace::new(), database: other };
    assert_eq!(again.value("SELECT count(*) FROM chat_sessions WHERE title = 'New'"), "2");
}

pub fn owners(world: &World) {
    migrated(world);
    world.file("users/u2.json", &format!(r#"{{"id":"u2","created_at":"{TIME}","updated_at":"{TIME}"}}"#));
    world.file("chat_sessions/c2_session.json", r#"{"id":"t","chat_id":"c2","user_id":"u1"}"#);
    world.file("chat_sessions/c3_session.json", r#"{"id":"t","chat_id":"c3","user_id":"nobody"}"#);
    world.file("chat_sessions/c4_session.json", r#"{"id":"t","chat_id":"c4"}"#);
    world.migrate().expect(0);
    let other = world.value(&format!("SELECT id FROM users WHERE id = '{}'", id_of("u2")));
    world.sql(&format!("UPDATE chat_sessions SET user_id = '{other}' WHERE chat_id IN ('c1', 'c4')"));
    world.sql("UPDATE chat_sessions SET user_id = NULL WHERE chat_id = 'c2'");
    world.sql("UPDATE chat_sessions SET title = 'T' WHERE chat_id = 'c3'");
    world.export(&[]).expect(0);
    let owner = |chat: &str| {
        let session = world.exported(&format!("chat_sessions/{chat}_session.json"));
        session.get("user_id").map(ToString::to_string)
    };
    assert_eq!(owner("c1").as_deref(), Some("\"u2\""));
    assert_eq!(owner("c2").as_deref(), Some("null"));
    assert_eq!(owner("c3").as_deref(), Some("\"nobody\""));
    assert_eq!(owner("c4").as_deref(), Some("\"u2\""));
}

fn id_of(user: &str) -> String {
    transload::model::ids::derive(&["users", user]).to_string()
}

fn chat_row(chat: &str) -> String {
    transload::model::ids::derive(&["chat_sessions", chat]).to_string()
}

/// Adds a message as the application would.
fn add_message(world: &World, chat: &str, number: u32, content: &str) {
    world.sql(&format!(
        "INSERT INTO messages (chat_session_id, role, content, sequence_number, created_at) \
         VALUES ('{}', 'user', '{content}', {number}, '2025-11-29T00:00:00.000000Z')",
        chat_row(chat)
    ));
}

pub fn messages(world: &World) {
    migrated(world);
    world.file("chat_sessions/bare_session.json", r#"{"id":"t","chat_id":"bare"}"#);
    world.migrate().expect(0);
    add_message(world, "c1", 4, "fourth");
    add_message(world, "c1", 3, "third");
    add_message(world, "bare", 1, "first");
    world.sql("DELETE FROM messages WHERE content = 'a!'");
    let summary = world.export(&[]).expect(0).json();
    assert_eq!(summary["tables"]["messages"]["added"], 3);
    assert_eq!(summary["tables"]["messages"]["deleted"], 1);
    let contents = |path: &str| {
        let history = world.exported(path);
        let content = |message: &crate::node::Node| message.get("content").expect("a content").to_string();
        history.items().iter().map(content).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(contents("chat_sessions/c1.json"), r#""b!" "third" "fourth""#);
    // The history that there was none of.
    assert_eq!(contents("chat_sessions/bare.json"), r#""first""#);
    let added = world.exported("chat_sessions/c1.json").items()[1].to_string();
    let id = world.value("SELECT id FROM messages WHERE content = 'third'");
    let rest =
        r#""role":"user","content":"third","metadata":[],"created_at":"2025-11-29T00:00:00+00:00","sequence_number":3"#;
    assert_eq!(added, format!(r#"{{"id":"{id}",{rest}}}"#));
    world.sql("DELETE FROM messages");
    world.export_into("none", &[]).expect(0);
    assert_eq!(fs::read(world.path("none/chat_sessions/c1.json")).expect("the chat is there"), b"[]");
}

pub fn many_messages(world: &World) {
    migrated(world);
    for number in 3..40 {
        add_message(world, "c1", number, &format!("m{number}"));
    }
    let whole = world.export(&[]).expect(0).json();
    let parts = world.export_into("parts", &["--whole-bytes", "10"]).expect(0).json();
    assert_eq!(whole["tables"], parts["tables"]);
    assert_eq!(whole["tables"]["messages"]["added"], 37);
    assert!(files(&world.path("out")) == files(&world.path("parts")));
    let history = world.exported("chat_sessions/c1.json");
    assert_eq!(history.items().len(), 39);
    for (at, message) in history.items().iter().enumerate() {
        assert_eq!(message.get("sequence_number").expect("a number").as_number(), Some(at as u64 + 1));
    }
}

pub fn moved(world: &World) {
    migrated(world);
    world.file("chat_sessions/c2.json", r#"[{"id":"x","role":"user","content":"x!"}]"#);
    world.migrate().expect(0);
    world.sql(&format!("UPDATE messages SET chat_session_id = '{}' WHERE content = 'a!'", chat_row("c2")));
    for (out, more) in [("out", &[][..]), ("parts", &["--whole-bytes", "10"][..])] {
        let summary = world.export_into(out, more).expect(0).json();
        let tally = &summary["tables"]["messages"];
        assert_eq!((&tally["rows"], &tally["exported"]), (&3.into(), &3.into()));
        assert_eq!((&tally["added"], &tally["deleted"]), (&1.into(), &1.into()));
    }
    assert!(files(&world.path("out")) == files(&world.path("parts")));
    assert_eq!(world.exported("chat_sessions/c1.json").items().len(), 1);
    assert!(world.line("chat_sessions/c2.json").contains("\"a!\""));
}

pub fn memory(world: &World) {
    migrated(world);
    let entry = |kind: &str, key: &str, value: &str| {
        let time = "'2025-11-29T00:00:00.000000Z'";
        format!(
            "INSERT INTO user_memory (user_id, memory_type, key, value, created_at, updated_at) \
             VALUES ('{}', '{kind}', '{key}', '{value}', {time}, {time})",
            id_of("u1")
        )
    };
    world.sql("UPDATE user_memory SET value = '\"red\"'");
    world.sql(&entry("profile", "size", "42"));
    world.sql(&entry("context", "k", "{}"));
    let summary = world.export(&[]).expect(0).json();
    let tally = &summary["tables"]["user_memory"];
    assert_eq!((&tally["edited"], &tally["added"], &tally["exported"]), (&1.into(), &2.into(), &3.into()));
    let held = |value: &str, time: &str| format!(r#"{{"value":{value},"created_at":"{time}","expires_at":null}}"#);
    let (red, size, k) =
        (held("\"red\"", TIME), held("42", "2025-11-29T00:00:00+00:00"), held("{}", "2025-11-29T00:00:00+00:00"));
    let expected = format!(r#"{{"profile":{{"color":{red},"size":{size}}},"context":{{"k":{k}}}}}"#);
    assert_eq!(world.line("memory/u1.json"), expected);
}

/// Two files of one user: each has its own rows, and the first takes what is new.
pub fn two_memories(world: &World) {
    let entry = |value: &str| format!(r#"{{"value":"{value}","created_at":"{TIME}","expires_at":null}}"#);
    world.file("users/u1.json", r#"{"id":"u1","clerk_id":"clerk_1"}"#);
    world.file("memory/u1.json", &format!(r#"{{"profile":{{"color":{}}}}}"#, entry("blue")));
    world.file("memory/clerk_1.json", &format!(r#"{{"profile":{{"size":{}}}}}"#, entry("42")));
    world.migrate().expect(0);
    let summary = world.export(&[]).expect(0).json();
    assert_eq!(summary["documents"]["exported"], 3);
    for path in ["memory/u1.json", "memory/clerk_1.json"] {
        assert_eq!(world.line(path), fs::read_to_string(world.path("data").join(path)).expect("it is there"));
    }
    world.sql(&format!(
        "INSERT INTO user_memory (user_id, memory_type, key, value) VALUES ('{}', 'profile', 'new', '1')",
        id_of("u1")
    ));
    let summary = world.export_into("later", &[]).expect(0).json();
    let tally = &summary["tables"]["user_memory"];
    assert_eq!((&tally["exported"], &tally["added"], &tally["deleted"]), (&3.into(), &1.into(), &0.into()));
    let text = |path: &str| fs::read_to_string(world.path("later").join(path)).expect("it is there");
    assert_eq!(["memory/u1.json", "memory/clerk_1.json"].map(text).concat().matches("\"new\"").count(), 1);
}

pub fn new_documents(world: &World) {
    // Below `data`, as the application's own root has it: what is new comes there, too.
    small_tree(world);
    fs::create_dir(world.path("data/data")).expect("there is room");
    for name in ["users", "chat_sessions", "memory"] {
        fs::rename(world.path(&format!("data/{name}")), world.path(&format!("data/data/{name}"))).expect("it is ours");
    }
    world.migrate().expect(0);
    let user = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    let time = "'2025-11-29T00:00:00.000000Z'";
    world.sql(&format!(
        "INSERT INTO users (id, clerk_id, created_at, updated_at) VALUES ('{user}', 'clerk_9', {time}, {time});
         INSERT INTO user_memory (user_id, memory_type, key, value) VALUES ('{user}', 'profile', 'a', '1');
         INSERT INTO chat_sessions (id, chat_id, user_id, title) \
         VALUES ('11111111-1111-4111-8111-111111111111', 'new', '{user}', 'N'), \
                ('22222222-2222-4222-8222-222222222222', 'hers', '{}', NULL);
         INSERT INTO messages (chat_session_id, role, content, sequence_number) \
         VALUES ('11111111-1111-4111-8111-111111111111', 'user', 'Hi', 1)",
        id_of("u1")
    ));
    let summary = world.export(&[]).expect(0).json();
    assert_eq!(summary["documents"]["added"], 4);
    assert_eq!(summary["documents"]["exported"], 3);
    let new: Vec<String> =
        files(&world.path("out")).into_keys().filter(|path| !path.contains("u1") && !path.contains("c1")).collect();
    assert_eq!(
        new,
        [
            "data/chat_sessions/hers.json",
            "data/chat_sessions/hers_session.json",
            "data/chat_sessions/new.json",
            "data/chat_sessions/new_session.json",
            &format!("data/memory/{user}.json"),
            &format!("data/users/{user}.json"),
        ]
    );
    let expected = format!(
        r#"{{"id":"{user}","created_at":"2025-11-29T00:00:00+00:00","updated_at":"2025-11-29T00:00:00+00:00","clerk_id":"clerk_9"}}"#
    );
    assert_eq!(world.line(&format!("data/users/{user}.json")), expected);
    assert!(world.line("data/chat_sessions/new_session.json").contains(&format!(r#""user_id":"{user}""#)));
    assert!(world.line("data/chat_sessions/hers_session.json").contains(r#""user_id":"u1""#));
    assert!(world.line("data/chat_sessions/new.json").contains(r#""content":"Hi""#));
    // And all of it is one tree that can be migrated.
    let other = world.another_database().url();
    let again = world.place.run(&["migrate", "out", "--json", "--db", &other]).expect(0).json();
    assert_eq!(again["documents"]["loaded"], 7);
}

pub fn gone(world: &World) {
    migrated(world);
    world.sql("DELETE FROM chat_sessions; DELETE FROM users");
    let summary = world.export(&[]).expect(0).json();
    assert_eq!((&summary["documents"]["gone"], &summary["documents"]["exported"]), (&3.into(), &0.into()));
    assert_eq!(summary["tables"]["messages"]["deleted"], 2);
    assert!(files(&world.path("out")).is_empty());
}

pub fn logs(world: &World) {
    let line = |message: &str| format!(r#"{{"timestamp":"{TIME}","level":"info","message":"{message}"}}"#);
    world.file("logs/info.log", &format!("{}\n\n{}\n{}\n\n", line("a"), line("b"), line("c")));
    world.file("logs/old.log", &format!("{}\n", line("old")));
    world.file("logs/empty.log", "");
    world.migrate().expect(0);
    world.export(&[]).expect(0);
    let (source, out) = (files(&world.path("data")), files(&world.path("out")));
    assert_eq!(out.len(), 3);
    assert!(source == out);
    world.sql("DELETE FROM system_logs WHERE message IN ('a', 'old')");
    world.sql("INSERT INTO system_logs (level, message) VALUES ('info', 'by the application')");
    // Nobody knows into which file the new line would have gone.
    let summary = world.export_into("later", &[]).expect(1).json();
    assert_eq!((&summary["documents"]["exported"], &summary["documents"]["gone"]), (&2.into(), &1.into()));
    let left = &summary["not_exported"][0];
    assert_eq!((&left["table"], &left["rows"]), (&"system_logs".into(), &1.into()));
    let id = world.value("SELECT id FROM system_logs WHERE message = 'by the application'");
    assert_eq!(left["first"][0], id.as_str());
    let text = fs::read_to_string(world.path("later/logs/info.log")).expect("it is there");
    assert_eq!(text, format!("\n{}\n{}\n\n", line("b"), line("c")));
}
