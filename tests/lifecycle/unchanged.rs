//! A second run over the same tree.

use crate::world::{assert_same, World};

fn a_second_run_over_the_same_tree_writes_nothing(world: &World) {
    world.seed();
    assert_eq!(world.migrate(&["--with", "logs"]).said(), "0: 8 loaded; 17 rows");
    let before = world.dump();
    world.watch();
    let second = world.migrate(&["--with", "logs"]);
    assert_eq!(second.said(), "0: 8 unchanged; 0 rows");
    assert_eq!(second.findings(), [""; 0]);
    assert_same(&world.dump(), &before);
    assert_eq!(world.values("SELECT what FROM touched"), [""; 0]);
}

fn a_second_run_over_rejects_writes_nothing(world: &World) {
    world.seed();
    world.write("users/broken.json", "{\"id\":\"broken\"");
    world.json("users/zoe.json", &crate::world::user("zoe", serde_json::json!({"clerk_id": "clerk_ada"})));
    world.json("data/chat_sessions/c2.json", &crate::world::history(&["another"]));
    let first = world.migrate(&[]);
    assert_eq!(first.code, 1);
    let before = world.dump();
    let second = world.migrate(&[]);
    assert_eq!(second.said(), "1: 7 unchanged, 3 rejected; 0 rows");
    assert_eq!(second.findings(), first.findings());
    assert_same(&world.dump(), &before);
    assert_eq!(world.value("SELECT count(*) FROM ledger.runs WHERE state = 'done'"), "2");
}

/// What the application goes by when it deletes old files, so an export gives it back.
fn the_ledger_follows_the_times_of_files_that_were_only_touched(world: &World) {
    world.seed();
    world.migrate(&["--with", "logs"]);
    let times = "SELECT files FROM ledger.documents ORDER BY id";
    let before = world.values(times);
    let base = world.values("SELECT base_time FROM ledger.documents ORDER BY id");
    let dump = world.dump();
    world.touch("users/ada.json");
    world.touch("chat_sessions/c1.json");
    world.touch("logs/info.log");
    world.watch();
    let dry = world.migrate(&["--with", "logs", "--dry-run"]);
    assert_eq!(dry.said(), "0: 8 unchanged; 0 rows");
    assert_eq!(world.values(times), before);
    let second = world.migrate(&["--with", "logs"]);
    assert_eq!(second.said(), "0: 8 unchanged; 0 rows");
    assert_eq!(world.values("SELECT what FROM touched"), ["update documents"; 3]);
    let after = world.values(times);
    let moved: Vec<&String> = after.iter().filter(|files| !before.contains(files)).collect();
    assert_eq!(moved.len(), 3);
    assert!(moved.iter().all(|files| files.contains("2025-06-02T00:00:00.000000Z")), "{moved:?}");
    // A time that documents were given stays what it is.
    assert_eq!(world.values("SELECT base_time FROM ledger.documents ORDER BY id"), base);
    let rows = |dump: &crate::world::Dump| dump.iter().filter(|(name, _)| **name != "ledger.documents").count();
    assert_eq!(rows(&world.dump()), rows(&dump));
    world.execute("DELETE FROM touched");
    assert_eq!(world.migrate(&["--with", "logs"]).said(), "0: 8 unchanged; 0 rows");
    assert_eq!(world.values("SELECT what FROM touched"), [""; 0]);
}

on_every_target!(
    a_second_run_over_the_same_tree_writes_nothing,
    a_second_run_over_rejects_writes_nothing,
    the_ledger_follows_the_times_of_files_that_were_only_touched,
);
