//! What could not be loaded: kept, listed, exported, tried again, accepted. And what `status` says.

use std::fs;
use std::path::PathBuf;

use serde_json::{json, Value};

use crate::world::{assert_same, history, memory, user, World};

const TOKEN: &str = "ya29.a-very-secret-token";
const BROKEN: &str = "{\"id\":\"eve\",\"name\":\"Eve";
const NUMBER: &str = "{\"id\":\"mallory\",\"name\":17}";

/// The seed, three rejects in it, loaded.
fn damaged(world: &World) {
    world.seed();
    world.write("users/eve.json", BROKEN);
    world.write("users/mallory.json", NUMBER);
    world.write("memory/system_oauth.json", format!("{{\"{TOKEN}\":{{\"google\":{{\"value\":\"token\"}}}}}}"));
    assert_eq!(world.migrate(&[]).said(), "1: 7 loaded, 3 rejected; 16 rows");
}

fn id(world: &World, file: &str) -> String {
    world.value(&format!("SELECT document_id FROM ledger.rejects WHERE file = '{file}'"))
}

fn listed(world: &World, more: &[&str]) -> Vec<Value> {
    let run = world.run(&[&["rejects", "list", "--json"], more].concat());
    assert_eq!(run.code, 0, "{}", run.stderr);
    run.stdout.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
}

fn the_only_run_directory(world: &World) -> PathBuf {
    let directory = world.directory().join("transload-rejects");
    let mut entries: Vec<PathBuf> =
        fs::read_dir(directory).expect("there are rejects").map(|entry| entry.expect("listed").path()).collect();
    assert_eq!(entries.len(), 1);
    entries.remove(0)
}

fn rejects_are_kept_byte_for_byte_beside_a_line_each(world: &World) {
    damaged(world);
    let directory = the_only_run_directory(world);
    let text = fs::read_to_string(directory.join("rejects.jsonl")).expect("a file");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 3);
    for line in &lines {
        let copy = &line["files"][0];
        let kept = fs::read(directory.join(copy["copy"].as_str().expect("a copy"))).expect("the copy is there");
        let path = copy["path"].as_str().expect("a path");
        assert_eq!(kept, fs::read(world.source().join(path)).expect("the file is there"), "{path}");
    }
    let eve = lines.iter().find(|line| line["file"] == "users/eve.json").expect("eve is there");
    assert_eq!((&eve["reason"], &eve["line"], &eve["column"]), (&json!("truncated"), &json!(1), &json!(24)));
    let mallory = lines.iter().find(|line| line["file"] == "users/mallory.json").expect("mallory is there");
    assert_eq!((&mallory["reason"], &mallory["pointer"]), (&json!("wrong_type"), &json!("/name")));
}

fn rejects_are_listed_and_shown(world: &World) {
    damaged(world);
    let list = world.run(&["rejects", "list"]);
    assert_eq!(list.code, 0);
    let lines: Vec<&str> = list.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{}", list.stdout);
    let line =
        format!("{}  wrong_type: `users/mallory.json` at /name: expected a string", id(world, "users/mallory.json"));
    assert!(lines[2].starts_with(&line), "{}", lines[2]);
    let reasons: Vec<Value> = listed(world, &[]).into_iter().map(|reject| reject["reason"].clone()).collect();
    assert_eq!(reasons, ["swapped_arguments", "truncated", "wrong_type"]);
    let show = world.run(&["rejects", "show", &id(world, "users/eve.json")]);
    assert!(show.stdout.contains("`users/eve.json` line 1 column 24"), "{}", show.stdout);
    let unknown = world.run(&["rejects", "show", "00000000-0000-0000-0000-000000000000"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (2, ""));
    assert!(unknown.stderr.contains("hint: `transload rejects list` shows their ids"), "{}", unknown.stderr);
}

fn a_redacted_list_names_nobody(world: &World) {
    damaged(world);
    for arguments in [&["rejects", "list", "--redact"][..], &["rejects", "list", "--json", "--redact"]] {
        let run = world.run(arguments);
        assert_eq!(run.code, 0);
        for secret in ["eve", "mallory", "name", TOKEN] {
            assert!(!run.stdout.contains(secret), "{secret}: {}", run.stdout);
        }
        assert!(run.stdout.contains("users/***.json"), "{}", run.stdout);
    }
}

fn the_keys_of_swapped_memory_are_shown_nowhere(world: &World) {
    damaged(world);
    let id = id(world, "memory/system_oauth.json");
    let shown = [
        world.migrate(&["-vv"]),
        world.run(&["migrate", "source"]),
        world.run(&["scan", "source"]),
        world.run(&["rejects", "list", "--json"]),
        world.run(&["rejects", "show", &id]),
        world.run(&["status", "--json"]),
    ];
    for run in &shown {
        assert!(!(run.stdout.clone() + &run.stderr).contains(TOKEN), "{run:?}");
    }
    assert!(!format!("{:?}", world.content()).contains(TOKEN));
    let lines = fs::read_to_string(the_only_run_directory_of(world).join("rejects.jsonl")).expect("a file");
    assert!(!lines.contains(TOKEN));
}

/// The directory of the first run.
fn the_only_run_directory_of(world: &World) -> PathBuf {
    let run = world.value("SELECT id FROM ledger.runs ORDER BY started_at LIMIT 1");
    world.directory().join("transload-rejects").join(run)
}

fn rejects_are_exported_with_their_bytes(world: &World) {
    damaged(world);
    let run = world.run(&["rejects", "export", "out", "--config", "pipeline.toml"]);
    assert_eq!(run.code, 2, "the settings file does not exist");
    fs::write(world.directory().join("pipeline.toml"), "source = \"source\"\n").expect("written");
    // What the run kept counts, not what has become of it.
    world.write("users/eve.json", "changed since");
    let run = world.run(&["rejects", "export", "out"]);
    assert_eq!((run.code, run.stdout.as_str()), (0, "3 rejects, 3 files in out\n"));
    assert_eq!(fs::read_to_string(world.directory().join("out/files/users/eve.json")).expect("copied"), BROKEN);
    let lines = fs::read_to_string(world.directory().join("out/rejects.jsonl")).expect("listed");
    assert_eq!(lines.lines().count(), 3);
    let again = world.run(&["rejects", "export", "out"]);
    assert_eq!(again.code, 2);
    assert!(again.stderr.contains("is not empty"), "{}", again.stderr);
    let below = world.run(&["rejects", "export", "source/out"]);
    assert_eq!(below.code, 2, "{}", below.stderr);
    assert!(!world.source().join("out").exists());
}

fn accepted_rejects_no_longer_count_until_their_file_changes(world: &World) {
    damaged(world);
    let (eve, mallory, oauth) =
        (id(world, "users/eve.json"), id(world, "users/mallory.json"), id(world, "memory/system_oauth.json"));
    let accept = world.run(&["rejects", "accept", &eve, &mallory, "--reason", "test data"]);
    assert_eq!((accept.code, accept.stdout.as_str()), (0, "2 accepted: test data\n"));
    assert_eq!(world.migrate(&[]).said(), "1: 7 unchanged, 3 rejected, 2 accepted; 0 rows");
    assert_eq!(world.run(&["rejects", "accept", &oauth, "--reason", "a secret"]).code, 0);
    assert_eq!(world.migrate(&[]).said(), "0: 7 unchanged, 3 rejected, 3 accepted; 0 rows");
    assert_eq!(listed(world, &[]), [Value::Null; 0]);
    let reasons: Vec<Value> = listed(world, &["--all"]).iter().map(|it| it["accepted_because"].clone()).collect();
    assert_eq!(reasons, ["a secret", "test data", "test data"]);
    assert_eq!(world.run(&["rejects", "list"]).stdout, "no rejects\n");
    // Other content is another matter, even if the flaw is the same.
    world.write("users/mallory.json", NUMBER.replace("17", "18"));
    assert_eq!(world.migrate(&[]).said(), "1: 7 unchanged, 3 rejected, 2 accepted; 0 rows");
    assert_eq!(listed(world, &[]).len(), 1);
}

fn accepting_needs_a_reason_and_ids_that_are_there(world: &World) {
    damaged(world);
    let before = world.content();
    let eve = id(world, "users/eve.json");
    assert_eq!(world.run(&["rejects", "accept", &eve]).code, 64);
    assert_eq!(world.run(&["rejects", "accept", &eve, "--reason", " "]).code, 64);
    let unknown = "00000000-0000-0000-0000-000000000000";
    assert_eq!(world.run(&["rejects", "accept", &eve, unknown, "--reason", "why not"]).code, 2);
    assert_same(&world.content(), &before);
}

fn a_mended_file_leaves_the_list(world: &World) {
    damaged(world);
    world.json("users/eve.json", &user("eve", json!({"name": "Eve"})));
    assert_eq!(world.migrate(&[]).said(), "1: 1 loaded, 7 unchanged, 2 rejected; 1 rows");
    assert_eq!(listed(world, &[]).len(), 2);
    // A file that is gone does, too.
    world.remove("users/mallory.json");
    assert_eq!(world.migrate(&[]).said(), "1: 8 unchanged, 1 rejected; 0 rows");
    assert_eq!(listed(world, &[]).len(), 1);
}

fn a_loaded_document_that_breaks_keeps_its_rows_until_it_is_mended(world: &World) {
    world.seed();
    assert_eq!(world.migrate(&[]).code, 0);
    let before = world.content();
    world.write("memory/ada.json", "[");
    world.write("chat_sessions/c1.json", "[");
    assert_eq!(world.migrate(&[]).said(), "1: 5 unchanged, 2 rejected; 0 rows");
    assert_eq!(listed(world, &[]).len(), 2);
    // Mended as it was, and in another way.
    world.json("memory/ada.json", &memory(&[("color", "blue"), ("city", "London")]));
    world.json("chat_sessions/c1.json", &history(&["one", "two", "three"]));
    assert_eq!(world.migrate(&[]).said(), "0: 2 updated, 5 unchanged; 0 rows");
    assert_eq!(world.run(&["rejects", "list"]).stdout, "no rejects\n");
    assert_same(&world.content(), &before);
    assert_eq!(world.migrate(&[]).said(), "0: 7 unchanged; 0 rows");
}

fn retry_touches_only_what_was_rejected(world: &World) {
    damaged(world);
    fs::write(world.directory().join("pipeline.toml"), "source = \"source\"\n").expect("written");
    world.json("users/eve.json", &user("eve", json!({"name": "Eve"})));
    world.json("users/ada.json", &user("ada", json!({"name": "not to be seen by this run"})));
    world.json("users/new.json", &user("new", json!({"name": "new"})));
    world.remove("chat_sessions/c2.json");
    let oauth = id(world, "memory/system_oauth.json");
    assert_eq!(world.run(&["rejects", "accept", &oauth, "--reason", "a secret"]).code, 0);
    let retry = world.run(&["rejects", "retry", "--json", "--quiet"]);
    assert_eq!(retry.said(), "1: 1 loaded, 1 rejected; 1 rows");
    assert_eq!(world.values("SELECT name FROM users ORDER BY name"), ["Ada", "Bob", "Eve"]);
    assert_eq!(listed(world, &[]).len(), 1);
    world.json("users/mallory.json", &user("mallory", json!({})));
    assert_eq!(world.run(&["rejects", "retry", "--json", "--quiet"]).said(), "0: 1 loaded; 1 rows");
    let none = world.run(&["rejects", "retry"]);
    assert_eq!((none.code, none.stdout.as_str()), (0, "no rejects\n"));
}

fn retry_settles_a_claim_once_the_first_file_is_gone(world: &World) {
    world.seed();
    world.json("data/chat_sessions/c2.json", &history(&["another"]));
    assert_eq!(world.migrate(&[]).said(), "1: 7 loaded, 1 rejected; 16 rows");
    fs::write(world.directory().join("pipeline.toml"), "source = \"source\"\n").expect("written");
    assert_eq!(world.run(&["rejects", "retry", "--json", "--quiet"]).said(), "1: 1 rejected; 0 rows");
    world.remove("chat_sessions/c2.json");
    let retry = world.run(&["rejects", "retry", "--json", "--quiet"]);
    assert_eq!((retry.code, &retry.summary()["documents"]["updated"]), (0, &json!(1)));
    assert_eq!(world.run(&["rejects", "list"]).stdout, "no rejects\n");
}

fn status_tells_of_runs_documents_and_rejects(world: &World) {
    let nothing = world.run(&["status"]);
    assert_eq!((nothing.code, nothing.stdout.as_str()), (2, ""));
    assert!(nothing.stderr.contains("nothing was ever migrated into"), "{}", nothing.stderr);
    damaged(world);
    world.migrate(&["--only", "users"]);
    let status: Value = serde_json::from_str(&world.run(&["status", "--json"]).stdout).expect("one object");
    assert_eq!(status["documents"], json!({"chats": 3, "conversations": 1, "memory": 1, "users": 2}));
    assert_eq!((&status["rejects_open"], &status["rejects_accepted"]), (&json!(3), &json!(0)));
    let runs = status["runs"].as_array().expect("a list");
    let told: Vec<[&Value; 4]> =
        runs.iter().map(|run| [&run["command"], &run["state"], &run["phase"], &run["source"]]).collect();
    assert_eq!(told, [["migrate", "done", "chats", "source"], ["migrate", "done", "chats", "source"]]);
    assert_eq!(runs[0]["summary"]["documents"]["unchanged"], 2);
    assert_eq!(runs[1]["summary"]["documents"]["loaded"], 7);
    let text = world.run(&["status", "--runs", "1"]).stdout;
    assert!(
        text.contains("\ndocuments  3 chats, 1 conversations, 1 memory, 2 users\nrejects    3 open, 0 accepted\n"),
        "{text}"
    );
    assert_eq!(text.matches("migrate").count(), 1, "{text}");
}

on_every_target!(
    rejects_are_kept_byte_for_byte_beside_a_line_each,
    rejects_are_listed_and_shown,
    a_redacted_list_names_nobody,
    the_keys_of_swapped_memory_are_shown_nowhere,
    rejects_are_exported_with_their_bytes,
    accepted_rejects_no_longer_count_until_their_file_changes,
    accepting_needs_a_reason_and_ids_that_are_there,
    a_mended_file_leaves_the_list,
    a_loaded_document_that_breaks_keeps_its_rows_until_it_is_mended,
    retry_touches_only_what_was_rejected,
    retry_settles_a_claim_once_the_first_file_is_gone,
    status_tells_of_runs_documents_and_rejects,
);
