//! A dry run foretells what the real run does, and leaves nothing behind.

use serde_json::{json, Value};

use crate::world::{assert_same, history, user, Ran, World};

/// What a dry run and the real run that follows must agree about.
fn essence(run: &Ran) -> Value {
    let mut summary = run.summary();
    for name in ["run", "seconds", "commits", "dry_run", "rejects", "mode_reason"] {
        summary[name] = Value::Null;
    }
    summary["code"] = json!(run.code);
    summary
}

/// Runs dry, checks that nothing is left of it, then runs for good and compares.
fn foretells(world: &World, arguments: &[&str]) -> Ran {
    let files = world.listing("");
    let (rows, runs) = (world.dump(), world.query("SELECT * FROM ledger.runs ORDER BY id"));
    let dry = world.migrate(&[&["--dry-run"], arguments].concat());
    assert_eq!(dry.summary()["dry_run"], true);
    assert_same(&world.dump(), &rows);
    assert_eq!(world.query("SELECT * FROM ledger.runs ORDER BY id"), runs);
    assert_eq!(names(&world.listing("")), names(&files));
    let real = world.migrate(arguments);
    assert_eq!(essence(&dry), essence(&real));
    real
}

/// Without a database's own helpers, which come and go with its connections.
fn names(listing: &[String]) -> Vec<&str> {
    let path =
        |line: &'_ str| line.rsplit(' ').next().is_some_and(|name| !name.ends_with("-wal") && !name.ends_with("-shm"));
    listing.iter().map(|line| line.as_str()).filter(|line| path(line) && !line.contains("target.db")).collect()
}

fn in_an_empty_database_it_leaves_nothing_at_all(world: &World) {
    world.seed();
    world.write("users/broken.json", "{");
    let before = world.listing("");
    let dry = world.migrate(&["--dry-run"]);
    assert_eq!(dry.said(), "1: 7 loaded, 1 rejected; 16 rows");
    assert_eq!(world.listing(""), before);
    if !world.is_sqlite() {
        let made = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                    WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'";
        assert_eq!(world.value(made), "0");
        assert_eq!(world.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'transload'"), "0");
    }
    let real = world.migrate(&[]);
    assert_eq!(essence(&dry), essence(&real));
}

fn it_says_that_it_was_one(world: &World) {
    world.seed();
    let run = world.run(&["migrate", "source", "--dry-run", "--quiet"]);
    assert_eq!(run.code, 0);
    assert!(run.stdout.contains("\ndry run    all of it was rolled back; nothing was written\n"), "{}", run.stdout);
}

fn it_foretells_every_kind_of_change(world: &World) {
    world.seed();
    world.write("users/broken.json", "{");
    assert_eq!(world.migrate(&[]).code, 1);
    assert_eq!(foretells(world, &[]).said(), "1: 7 unchanged, 1 rejected; 0 rows");
    world.json("users/broken.json", &user("broken", json!({"clerk_id": "clerk_new"})));
    world.json("users/ada.json", &user("ada", json!({"clerk_id": "clerk_ada_2", "name": "Ada"})));
    world.json("users/zoe.json", &user("zoe", json!({"clerk_id": "clerk_new"})));
    world.json("chat_sessions/c1.json", &history(&["one", "two, edited", "three", "four"]));
    world.remove("chat_sessions/c2.json");
    world.write("memory/ada.json", "[1]");
    world.write("memory/system_oauth.json", "{\"token\":{\"oauth\":{\"value\":1}}}");
    world.execute("UPDATE chat_sessions SET title = 'edited' WHERE chat_id = 'c3'");
    world.json("chat_sessions/c3.json", &history(&["edited, too"]));
    let run = foretells(world, &["--with-logs"]);
    assert_eq!(run.said(), "1: 2 loaded, 2 updated, 2 unchanged, 3 rejected, 1 conflicts, 1 removed; 6 rows");
    let run = foretells(world, &["--prune", "--prefer", "file"]);
    // The log among them: once asked for, it belongs to the database.
    assert_eq!(run.said(), "1: 1 updated, 6 unchanged, 3 rejected, 1 removed, 1 pruned; 5 rows");
}

fn it_foretells_the_load_of_a_damaged_tree(world: &World) {
    let generate = ["generate", "source", "--records", "600", "--seed", "7", "--damage", "20%", "--quiet"];
    std::fs::remove_dir(world.source()).expect("it is empty");
    let made = world.bare_command(&generate).output().expect("the program starts");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let arguments = ["--with-logs", "--batch-rows", "20", "--whole-bytes", "20000"];
    let dry = world.migrate(&[&["--dry-run"], &arguments[..]].concat());
    let real = world.migrate(&arguments);
    assert_eq!(real.code, 1);
    assert!(real.summary()["documents"]["rejected"].as_u64() > Some(5), "{}", real.summary());
    assert_eq!(essence(&dry), essence(&real));
    assert_eq!(foretells(world, &arguments).summary()["rows"], 0);
}

on_every_target!(
    in_an_empty_database_it_leaves_nothing_at_all,
    it_says_that_it_was_one,
    it_foretells_every_kind_of_change,
    it_foretells_the_load_of_a_damaged_tree,
);
