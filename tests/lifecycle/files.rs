//! What a run does to files, its own and the source's: modes, links, locks.

use std::fs::{self, Permissions};
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::Path;

use serde_json::{json, Value};

use crate::world::{history, user, World};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap_or_else(|error| panic!("{path:?}: {error}")).permissions().mode() & 0o7777
}

fn what_is_written_is_for_its_owner_alone(world: &World) {
    world.seed();
    world.write("users/broken.json", "{");
    assert_eq!(world.migrate(&[]).code, 1);
    if world.is_sqlite() {
        assert_eq!(mode(&world.file()), 0o600);
    }
    let rejects = world.directory().join("transload-rejects");
    assert_eq!(mode(&rejects), 0o700);
    let mut seen = 0;
    let mut directories = vec![rejects];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("listed") {
            let path = entry.expect("read").path();
            let expected = if path.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(mode(&path), expected, "{path:?}");
            seen += 1;
            if path.is_dir() {
                directories.push(path);
            }
        }
    }
    // The run's directory, its list, its files' directory and one file in it.
    assert_eq!(seen, 4);
    fs::write(world.directory().join("pipeline.toml"), "source = \"source\"\n").expect("written");
    assert_eq!(world.run(&["rejects", "export", "out"]).code, 0);
    let out = world.directory().join("out");
    assert_eq!([mode(&out), mode(&out.join("files")), mode(&out.join("files/users"))], [0o700; 3]);
    assert_eq!([mode(&out.join("rejects.jsonl")), mode(&out.join("files/users/broken.json"))], [0o600; 2]);
}

fn the_source_stays_as_it_is(world: &World) {
    world.seed();
    world.write("users/broken.json", "{");
    symlink("ada.json", world.source().join("users/link.json")).expect("linked");
    fs::set_permissions(world.source().join("users/bob.json"), Permissions::from_mode(0o444)).expect("set");
    let before = world.listing("source");
    let arguments: [&[&str]; 8] = [
        &["scan", "source"],
        &["migrate", "source", "--dry-run"],
        &["migrate", "source", "--with-logs"],
        &["migrate", "source", "--prune", "--prefer", "file"],
        &["migrate", "source", "--follow-links"],
        &["rejects", "list"],
        &["rejects", "retry"],
        &["status"],
    ];
    for arguments in arguments {
        let run = world.run(&[arguments, &["--whole-bytes", "100"]].concat());
        assert!(run.code < 2 || arguments[1] == "retry", "{arguments:?}: {}", run.stderr);
        assert_eq!(world.listing("source"), before, "{arguments:?}");
    }
}

fn a_scan_warns_of_what_is_open_to_all_and_of_links(world: &World) {
    world.seed();
    let open = world.source().join("users/bob.json");
    fs::set_permissions(&open, Permissions::from_mode(0o666)).expect("set");
    symlink("../users/ada.json", world.source().join("memory/link.json")).expect("linked");
    let scan = world.run(&["scan", "source", "--json", "--quiet"]);
    assert_eq!(scan.code, 0, "warnings alone are no leftovers: {}", scan.stdout);
    let report: Value = serde_json::from_str(&scan.stdout).expect("one object");
    let text = report["warnings"].to_string();
    assert!(text.contains("users/bob.json") && text.contains("memory/link.json"), "{report}");
    let text = world.run(&["scan", "source", "--quiet"]).stdout;
    assert!(text.contains("users/bob.json") && text.contains("memory/link.json"), "{text}");
}

fn links_are_followed_when_that_is_asked_for(world: &World) {
    world.seed();
    let elsewhere = world.directory().join("elsewhere");
    fs::create_dir(&elsewhere).expect("made");
    fs::write(elsewhere.join("linked.json"), user("linked", json!({"name": "Linked"})).to_string()).expect("written");
    fs::write(elsewhere.join("far.json"), history(&["far"]).to_string()).expect("written");
    symlink(elsewhere.join("linked.json"), world.source().join("users/linked.json")).expect("linked");
    fs::create_dir(world.source().join("data")).expect("made");
    symlink(&elsewhere, world.source().join("data/chat_sessions")).expect("linked");
    symlink("nothing", world.source().join("users/dangling.json")).expect("linked");
    assert_eq!(world.migrate(&[]).said(), "0: 7 loaded; 16 rows");
    let followed = world.migrate(&["--follow-links"]);
    // elsewhere/linked.json is a history, too, as far as its directory says: an object is none.
    assert_eq!(followed.summary()["documents"]["loaded"], 2, "{:?}", followed.findings());
    assert_eq!(world.values("SELECT name FROM users WHERE name = 'Linked'"), ["Linked"]);
    // Without following, they are neither there nor gone.
    assert_eq!(world.migrate(&["--prune"]).summary()["pruned"], 0);
}

fn loops_of_links_do_no_harm(world: &World) {
    world.seed();
    symlink(".", world.source().join("self")).expect("linked");
    symlink("..", world.source().join("users/up")).expect("linked");
    symlink(world.source(), world.source().join("data")).expect("linked");
    fs::create_dir_all(world.source().join("a/b")).expect("made");
    symlink("../..", world.source().join("a/b/top")).expect("linked");
    symlink("round.json", world.source().join("users/round.json")).expect("linked");
    assert_eq!(world.migrate(&["--follow-links"]).summary()["documents"]["loaded"], 7);
    assert_eq!(world.migrate(&["--follow-links"]).summary()["documents"]["unchanged"], 7);
}

/// A path longer than a path may be: not even root lists what is there.
fn a_directory_that_cannot_be_listed_is_told_wherever_it_stands(world: &World) {
    world.seed();
    for top in ["api", "zzz"] {
        let piece = |top: &str| [vec![top.to_owned()], vec!["d".repeat(200); 12]].concat().join("/");
        let (upper, lower) = (world.source().join(piece(top)), world.source().join(piece("lower")));
        fs::create_dir_all(&upper).expect("made");
        fs::create_dir_all(lower).expect("made");
        fs::rename(world.source().join("lower"), upper.join("lower")).expect("moved");
    }
    let run = world.migrate(&[]);
    assert_eq!((run.code, &run.summary()["files"]["unreadable"]), (1, &json!(2)));
    let findings = run.findings();
    assert!(
        findings[0].starts_with("unreadable api/ddd") && findings[1].starts_with("unreadable zzz/ddd"),
        "{findings:?}"
    );
}

fn a_file_that_stays_locked_is_unreadable(world: &World) {
    world.seed();
    let held = world.hold("chat_sessions/c1.json");
    let run = world.migrate(&[]);
    assert_eq!(run.code, 1);
    let summary = run.summary();
    // Its session file is there to be read, so the document is known and failed.
    assert_eq!((&summary["files"]["unreadable"], &summary["documents"]["failed"]), (&json!(1), &json!(1)));
    let text =
        "unreadable chat_sessions/c1.json: `chat_sessions/c1.json` is locked by another program, for longer than 5s";
    assert_eq!(run.findings(), [text]);
    assert!(summary["resume"].is_string(), "{summary}");
    held.release();
    assert_eq!(world.migrate(&[]).said(), "0: 1 loaded, 6 unchanged; 4 rows");
}

fn a_file_that_is_written_meanwhile_is_read_when_it_is_whole(world: &World) {
    world.seed();
    let held = world.hold("chat_sessions/c1.json");
    world.write("chat_sessions/c1.json", "[");
    let running = world.start_migrate(&[]);
    std::thread::sleep(std::time::Duration::from_millis(300));
    world.json("chat_sessions/c1.json", &history(&["one", "two", "three", "four"]));
    held.release();
    let ran = running.wait();
    assert_eq!(ran.said(), "0: 7 loaded; 17 rows", "{:?}", ran.findings());
}

on_every_target!(
    what_is_written_is_for_its_owner_alone,
    the_source_stays_as_it_is,
    a_scan_warns_of_what_is_open_to_all_and_of_links,
    links_are_followed_when_that_is_asked_for,
    loops_of_links_do_no_harm,
    a_directory_that_cannot_be_listed_is_told_wherever_it_stands,
    a_file_that_stays_locked_is_unreadable,
    a_file_that_is_written_meanwhile_is_read_when_it_is_whole,
);
