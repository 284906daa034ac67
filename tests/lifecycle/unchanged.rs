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

on_every_target!(a_second_run_over_the_same_tree_writes_nothing, a_second_run_over_rejects_writes_nothing);
