//! Rows of the application's tables that are not what the files say.

use serde_json::{json, Value};
use transload::verify::outcome::Conclusion;

use crate::bench::{counted, told, Bench};

/// Damages the database, repairs it, and sees that it is what it was. Each damage: its SQL, the
/// documents that are repaired, and the rows that are saved.
fn each(bench: &Bench, damages: &[(&[&str], &[&str], &[&str])]) {
    let before = bench.migrated();
    for (sql, documents, rows) in damages {
        sql.iter().for_each(|sql| bench.world.execute(sql));
        let reports = bench.repair_all();
        bench.content().assert_is(&before, &format!("{sql:?}"));
        let repaired: Vec<String> = reports.iter().flat_map(told).filter(|told| told.ends_with("repaired")).collect();
        let documents: Vec<String> = documents.iter().map(|document| format!("{document}: repaired")).collect();
        assert_eq!(repaired, documents, "{sql:?}");
        let saved: Vec<Value> = reports.iter().flat_map(|report| bench.saved(report)).collect();
        assert_eq!(counted(&saved), *rows, "{sql:?}");
        for repaired in reports.iter().flat_map(|report| &report.account.repairs) {
            let counted: u64 = repaired.rows.iter().map(|it| it.rows).sum();
            assert_eq!(counted, repaired.changes.len() as u64, "{sql:?}");
        }
    }
    assert!(!damages.is_empty());
    // The reject is not accepted.
    let outcome = bench.verify();
    assert_eq!(outcome.differences, 0, "{:?}", outcome.listed_differences);
    assert_eq!((outcome.documents.rejected, outcome.conclusion), (1, Conclusion::Differ));
}

pub fn edited_values_are_put_back(bench: &Bench) {
    let c1: &[&str] = &["chat_sessions/c1.json"];
    each(
        bench,
        &[
            (&["UPDATE users SET name = 'ada ' WHERE name = 'Ada'"], &["users/ada.json"], &["1 update users"]),
            (&["UPDATE users SET status = NULL WHERE name = 'Bob'"], &["users/bob.json"], &["1 update users"]),
            (
                &["UPDATE users SET profile = '{\"a\": [1, {}]}', last_active_at = created_at WHERE name = 'Bob'"],
                &["users/bob.json"],
                &["1 update users"],
            ),
            (&["UPDATE messages SET content = 'One' WHERE content = 'one'"], c1, &["1 update messages"]),
            (
                &["UPDATE messages SET token_count = 7, abuse_flagged = TRUE WHERE content = 'two'"],
                c1,
                &["1 update messages"],
            ),
            (
                &["UPDATE messages SET metadata = '{\"x\":null}', role = 'assistant' WHERE content LIKE 'message %'"],
                &["chat_sessions/long.json"],
                &["40 update messages"],
            ),
            (
                &["UPDATE chat_sessions SET message_count = 99, title = '' WHERE chat_id = 'c1'"],
                c1,
                &["1 update chat_sessions"],
            ),
            (
                &[
                    "UPDATE user_memory SET value = '\"red\"' WHERE key = 'color'",
                    "UPDATE user_memory SET expires_at = created_at WHERE key = 'city'",
                ],
                &["memory/ada.json"],
                &["2 update user_memory"],
            ),
            (&["UPDATE system_logs SET message = 'Started'"], &["logs/info.log"], &["1 update system_logs"]),
            (
                &["UPDATE chat_sessions SET status = 'x'"],
                &[
                    "chat_sessions/c1.json",
                    "chat_sessions/c2.json",
                    "chat_sessions/c3.json",
                    "chat_sessions/long.json",
                    "conversations/lead@example.org.json",
                ],
                &["5 update chat_sessions"],
            ),
        ],
    );
}

pub fn lost_rows_are_put_back(bench: &Bench) {
    each(
        bench,
        &[
            (&["DELETE FROM messages WHERE content = 'two'"], &["chat_sessions/c1.json"], &[]),
            (&["DELETE FROM messages WHERE content LIKE 'message %'"], &["chat_sessions/long.json"], &[]),
            // Its messages go with it.
            (&["DELETE FROM chat_sessions WHERE chat_id = 'long'"], &["chat_sessions/long.json"], &[]),
            (
                &["DELETE FROM user_memory WHERE key IN ('color', 'shape')"],
                &["memory/ada.json", "memory/clerk_ada.json"],
                &[],
            ),
            (&["DELETE FROM system_logs"], &["logs/info.log"], &[]),
            // The memory goes with her, and her chats lose her; they have her again with her.
            (
                &["DELETE FROM users WHERE name = 'Ada'"],
                &["memory/ada.json", "memory/clerk_ada.json", "users/ada.json"],
                &["2 update chat_sessions"],
            ),
        ],
    );
}

pub fn rows_of_others_go_and_are_saved(bench: &Bench) {
    let insert = "INSERT INTO messages (id, chat_session_id, role, content, sequence_number) SELECT";
    let chat = "FROM chat_sessions WHERE chat_id = 'c1'";
    let message = format!("{insert} '00000000-0000-4000-8000-000000000001', id, 'user', 'who?', 4 {chat}");
    // What another program derived looks as if it was ours.
    let derived = format!("{insert} '00000000-0000-5000-8000-000000000001', id, 'user', 'who?', 4 {chat}");
    // A row that was there twice, under another id.
    let twice = format!(
        "{insert} '00000000-0000-4000-8000-000000000002', chat_session_id, role, content, sequence_number \
         FROM messages WHERE content = 'two'"
    );
    let entry = "INSERT INTO user_memory (id, user_id, memory_type, key, value) \
                 SELECT '00000000-0000-4000-8000-000000000003', id, 'profile', 'smell', '1' FROM users WHERE name = 'Ada'";
    let (c1, deleted): (&[&str], &[&str]) = (&["chat_sessions/c1.json"], &["1 delete messages"]);
    each(
        bench,
        &[
            (&[&message], c1, deleted),
            (&[&derived], c1, deleted),
            (&[&twice], c1, deleted),
            // Whose of her files it is nobody knows; it is in none.
            (&[entry], &["memory/ada.json"], &["1 delete user_memory"]),
        ],
    );
}

pub fn rows_that_were_moved_or_swapped_find_back(bench: &Bench) {
    let chat = |id: &str| format!("(SELECT id FROM chat_sessions WHERE chat_id = '{id}')");
    let to_c2 = format!("UPDATE messages SET chat_session_id = {} WHERE content = 'two'", chat("c2"));
    let to_c1 = format!("UPDATE messages SET chat_session_id = {} WHERE content = 'alone'", chat("c1"));
    let all_to_c2 = format!("UPDATE messages SET chat_session_id = {} WHERE content LIKE 'message %'", chat("c2"));
    let bob = "(SELECT id FROM users WHERE name = 'Bob')";
    let given_away = format!("UPDATE user_memory SET user_id = {bob} WHERE key = 'color'");
    let chat_given_away = format!("UPDATE chat_sessions SET user_id = {bob} WHERE chat_id = 'c1'");
    each(
        bench,
        &[
            (
                &["UPDATE messages SET sequence_number = 4 - sequence_number WHERE content IN ('one', 'three')"],
                &["chat_sessions/c1.json"],
                &["2 update messages"],
            ),
            // The chat that they were moved to has nothing to do with it, first or last.
            (&[&to_c2], &["chat_sessions/c1.json"], &["1 update messages"]),
            (&[&to_c1], &["chat_sessions/c2.json"], &["1 update messages"]),
            (&[&all_to_c2], &["chat_sessions/long.json"], &["40 update messages"]),
            (
                &["UPDATE messages SET id = '00000000-0000-4000-8000-000000000009' WHERE content = 'two'"],
                &["chat_sessions/c1.json"],
                &["1 delete messages"],
            ),
            (
                &["UPDATE chat_sessions SET chat_id = 'x' WHERE chat_id = 'c1'"],
                &["chat_sessions/c1.json"],
                &["1 update chat_sessions"],
            ),
            (
                &[
                    "UPDATE user_memory SET key = 'aside' WHERE key = 'color'",
                    "UPDATE user_memory SET key = 'color' WHERE key = 'city'",
                    "UPDATE user_memory SET key = 'city' WHERE key = 'aside'",
                ],
                &["memory/ada.json"],
                &["2 update user_memory"],
            ),
            (
                &["UPDATE user_memory SET id = '00000000-0000-4000-8000-000000000008' WHERE key = 'color'"],
                &["memory/ada.json"],
                &["1 delete user_memory"],
            ),
            (&[&given_away], &["memory/ada.json"], &["1 update user_memory"]),
            (&[&chat_given_away], &["chat_sessions/c1.json"], &["1 update chat_sessions"]),
            (&["UPDATE users SET clerk_id = 'x' WHERE name = 'Ada'"], &["users/ada.json"], &["1 update users"]),
        ],
    );
}

/// Rows that the application wrote under ids of its own before the migration.
pub fn adopted_rows_stay_where_they_are(bench: &Bench) {
    bench.migrated();
    let world = bench.world.with_another_database("another");
    let bench = Bench::with(world, bench);
    bench.prepare();
    let (user, chat) = ("00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000c");
    let message = "00000000-0000-4000-8000-00000000000d";
    let entry = "00000000-0000-4000-8000-00000000000e";
    for sql in [
        format!("INSERT INTO users (id, clerk_id) VALUES ('{user}', 'clerk_ada')"),
        format!("INSERT INTO chat_sessions (id, chat_id) VALUES ('{chat}', 'c1')"),
        format!(
            "INSERT INTO messages (id, chat_session_id, role, content, sequence_number) \
             VALUES ('{message}', '{chat}', 'user', 'two', 2)"
        ),
        format!(
            "INSERT INTO user_memory (id, user_id, memory_type, key, value) \
             VALUES ('{entry}', '{user}', 'profile', 'color', '1')"
        ),
    ] {
        bench.world.execute(&sql);
    }
    bench.migrate();
    let before = bench.content();
    for (sql, documents) in [
        ("UPDATE messages SET content = 'zwei' WHERE content = 'two'", &["chat_sessions/c1.json"][..]),
        ("DELETE FROM messages WHERE content = 'two'", &["chat_sessions/c1.json"]),
        ("UPDATE chat_sessions SET chat_id = 'x' WHERE chat_id = 'c1'", &["chat_sessions/c1.json"]),
        ("DELETE FROM chat_sessions WHERE chat_id = 'c1'", &["chat_sessions/c1.json"]),
        ("UPDATE user_memory SET key = 'colour' WHERE key = 'color'", &["memory/ada.json"]),
        ("DELETE FROM user_memory WHERE key = 'color'", &["memory/ada.json"]),
        ("UPDATE users SET clerk_id = NULL WHERE clerk_id = 'clerk_ada'", &["users/ada.json"]),
    ] {
        bench.world.execute(sql);
        let documents: Vec<String> = documents.iter().map(|document| format!("{document}: repaired")).collect();
        assert_eq!(told(&bench.repair()), documents, "{sql}");
        bench.content().assert_is(&before, sql);
    }
    assert_eq!(bench.verify().differences, 0);
}

pub fn what_the_database_does_not_take_is_refused(bench: &Bench) {
    bench.migrated();
    // A user of the application's own has her key, and only one of the two can be her. Those who name
    // her by it mean the other one now.
    bench.world.execute("UPDATE users SET clerk_id = 'x' WHERE name = 'Ada'");
    bench.world.execute("INSERT INTO users (clerk_id, name) VALUES ('clerk_ada', 'Ada II')");
    bench.world.execute("UPDATE users SET name = 'bob' WHERE name = 'Bob'");
    let before = bench.world.content();
    let report = bench.repair();
    assert_eq!(
        told(&report),
        [
            "chat_sessions/c3.json: repaired",
            "memory/clerk_ada.json: repaired",
            "users/ada.json: refused",
            "users/bob.json: repaired"
        ]
    );
    let detail = report.account.repairs.iter().find(|it| it.file == "users/ada.json").unwrap().detail.clone().unwrap();
    assert!(detail.contains("which no file made, has the same clerk_id"), "{detail}");
    assert_eq!(report.account.summary.documents.failed, 1);
    let after = bench.world.content();
    assert_eq!(bench.world.value("SELECT count(*) FROM users WHERE name = 'Bob'"), "1");
    assert_eq!(before["messages"], after["messages"]);
    assert_eq!(before["users"].len(), after["users"].len());
    let saved = bench.saved(&report);
    assert_eq!(counted(&saved), ["1 update chat_sessions", "2 update user_memory", "1 update users"]);
    assert!(saved.iter().any(|line| line["row"]["name"] == json!("bob")));
}
