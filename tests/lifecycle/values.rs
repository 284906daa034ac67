//! Values that mean something to a database, to COPY or to a terminal, come back unchanged and do
//! no harm.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use serde_json::{json, Value};

use crate::world::{history, memory, user, Ran, World};

const HOSTILE: [&str; 14] = [
    "'); DROP TABLE users; --",
    "\"; DROP TABLE messages; --",
    "$1 $$ $tag$ ? :name @name %s {} {0}",
    "back\\slash \\\\ \\' \\\" \\x41 \\u0041 \\101",
    "\\N",
    "\\.",
    "tab\there\tand\tthere",
    "line\nbreak\r\nand\rreturn",
    "\\t\\n\\b\\f\\v",
    "\u{1}\u{2}\u{7}\u{8}\u{b}\u{c}\u{1b}[31mred\u{1b}[0m\u{7f}\u{85}",
    "\u{feff}bom \u{2028} \u{202e}right to left\u{202c} \u{10ffff} \u{fffd} e\u{301} 👩‍👩‍👧‍👦 âœ…",
    "",
    " ",
    "NULL",
];

fn hostile_values_come_back_unchanged(world: &World) {
    world.seed();
    world.json("chat_sessions/hostile.json", &history(&HOSTILE));
    let entries: Vec<(String, &str)> =
        HOSTILE.iter().enumerate().map(|(at, value)| (format!("{at} {value}"), *value)).collect();
    let entries: Vec<(&str, &str)> = entries.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    world.json("memory/bob.json", &memory(&entries));
    for (at, value) in HOSTILE.iter().enumerate() {
        let more = json!({"name": value, "clerk_id": format!("{at}{value}"), "profile": {*value: [value]}});
        world.json(&format!("users/h{at:02}.json"), &user(&format!("h{at:02}"), more));
    }
    let run = world.migrate(&["--batch-rows", "7"]);
    assert_eq!(run.code, 0, "{:?}", run.findings());
    let contents = "SELECT content FROM messages m JOIN chat_sessions s ON s.id = m.chat_session_id
                    WHERE s.chat_id = 'hostile' ORDER BY sequence_number";
    assert_eq!(world.values(contents), HOSTILE);
    let mut keys =
        world.values("SELECT m.key FROM user_memory m JOIN users u ON u.id = m.user_id WHERE u.name = 'Bob'");
    keys.sort();
    let mut expected: Vec<&str> = entries.iter().map(|(key, _)| *key).collect();
    expected.sort_unstable();
    assert_eq!(keys, expected);
    let users =
        world.query("SELECT name, clerk_id, profile FROM users WHERE email IS NULL AND clerk_id <> 'clerk_ada'");
    assert_eq!(users.len(), HOSTILE.len());
    for row in &users {
        let at =
            HOSTILE.iter().enumerate().find(|(at, value)| row[1] == format!("{at}{value}")).expect("one of them").1;
        assert_eq!(row[0], *at);
        let profile: Value = serde_json::from_str(&row[2]).expect("JSON");
        assert_eq!(profile, json!({*at: [at]}));
    }
    assert_eq!(world.migrate(&["--batch-rows", "7"]).summary()["rows"], 0);
    // Changed ones go another way into the database.
    let turned: Vec<&str> = HOSTILE.iter().rev().copied().collect();
    world.json("chat_sessions/hostile.json", &history(&turned));
    assert_eq!(world.migrate(&[]).code, 0);
    assert_eq!(world.values(contents), turned);
}

/// No control character but line breaks reaches a terminal.
fn shows_no_escape_codes(run: &Ran) {
    for (name, text) in [("stdout", &run.stdout), ("stderr", &run.stderr)] {
        let hostile = text.chars().find(|c| (c.is_control() && *c != '\n') || ('\u{202a}'..='\u{202e}').contains(c));
        assert!(hostile.is_none(), "{hostile:?} on {name}: {text:?}");
    }
}

fn hostile_names_do_not_reach_a_terminal(world: &World) {
    world.seed();
    let names: [&[u8]; 5] = [
        b"\x1b]0;owned\x07.json",
        b"new\nline.json",
        b"quote'\"`$(x).json",
        b"not utf-8 \xff\xfe.json",
        "right\u{202e}nosj.json".as_bytes(),
    ];
    for directory in ["users", "chat_sessions", "rate\x1b[2J"] {
        fs::create_dir_all(world.source().join(directory)).expect("made");
        for name in names {
            fs::write(world.source().join(directory).join(OsStr::from_bytes(name)), "{\x1b[31m").expect("written");
        }
    }
    let id = world.migrate(&[]);
    assert_eq!(id.summary()["documents"]["rejected"], 10);
    shows_no_escape_codes(&id);
    let reject = world.values("SELECT document_id FROM ledger.rejects ORDER BY file");
    let runs = [
        world.run(&["migrate", "source"]),
        world.run(&["migrate", "source", "-vv"]),
        world.run(&["migrate", "source", "-vv", "--log-format", "json"]),
        world.run(&["scan", "source"]),
        world.run(&["scan", "source", "--json"]),
        world.run(&["rejects", "list"]),
        world.run(&["rejects", "list", "--json"]),
        world.run(&["status"]),
        world.run(&["migrate", "no\x1b[31msuch\u{7}source"]),
        world.run(&["migrate", "source", "--only", "us\x1b[31mers"]),
        world.run(&["migr\x1b[31mate"]),
        world.run(&["migrate", "source", "--timezone", "\x1b[31m"]),
    ];
    runs.iter().for_each(shows_no_escape_codes);
    for id in &reject {
        shows_no_escape_codes(&world.run(&["rejects", "show", id]));
    }
    let list = &runs[5].stdout;
    assert!(list.contains("`users/new\\nline.json`") && list.contains("`users/not utf-8 \\xFF\\xFE.json`"), "{list}");
    // What is a name on disk stays one: the files are found again and stay rejected.
    assert_eq!(world.migrate(&[]).said(), "1: 7 unchanged, 10 rejected; 0 rows");
}

on_every_target!(hostile_values_come_back_unchanged, hostile_names_do_not_reach_a_terminal);
