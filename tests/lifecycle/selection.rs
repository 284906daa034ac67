//! Which kinds of documents a run loads.

use serde_json::json;

use crate::world::World;

fn a_pilot_loads_only_what_it_is_asked_for(world: &World) {
    world.seed();
    let pilot = world.migrate(&["--only", "users,memory"]);
    assert_eq!(pilot.said(), "0: 3 loaded; 4 rows");
    let left = &pilot.summary()["not_migrated"];
    let chats = json!({"layout": "chats (not in --only)", "directory": "chat_sessions", "files": 5, "bytes": 1177});
    assert!(
        left.as_array().expect("a list").iter().any(|line| line["layout"] == chats["layout"] && line["files"] == 5),
        "{left}"
    );
    assert_eq!(world.values("SELECT DISTINCT kind FROM ledger.documents ORDER BY kind"), ["memory", "users"]);
    assert_eq!(world.migrate(&[]).said(), "0: 4 loaded, 3 unchanged; 12 rows");
}

fn logs_are_loaded_when_they_are_asked_for_and_from_then_on(world: &World) {
    world.seed();
    assert_eq!(world.migrate(&[]).said(), "0: 7 loaded; 16 rows");
    assert!(!world.has_logs());
    assert_eq!(world.migrate(&["--with-logs"]).said(), "0: 1 loaded, 7 unchanged; 1 rows");
    assert_eq!(world.values("SELECT message FROM system_logs"), ["started"]);
    for arguments in [&["--with", "logs"][..], &[]] {
        assert_eq!(world.migrate(arguments).said(), "0: 8 unchanged; 0 rows");
    }
    // A run without them neither reports nor prunes them.
    world.remove("logs/info.log");
    let others = ["--prune", "--only", "users,memory,chats,conversations"];
    assert_eq!(world.migrate(&others).said(), "0: 7 unchanged; 0 rows");
    assert_eq!(world.migrate(&["--prune"]).said(), "0: 7 unchanged, 1 removed, 1 pruned; 1 rows");
}

fn a_log_that_grows_gains_rows(world: &World) {
    world.seed();
    assert_eq!(world.migrate(&["--only", "logs"]).said(), "0: 1 loaded; 1 rows");
    world.watch();
    let line = |message: &str| {
        format!("{{\"timestamp\":\"2025-11-28T10:15:30+00:00\",\"level\":\"info\",\"message\":\"{message}\"}}\n")
    };
    world.write("logs/info.log", line("started") + &line("stopped"));
    assert_eq!(world.migrate(&["--only", "logs"]).said(), "0: 1 updated; 1 rows");
    assert_eq!(world.touched(), ["1 insert system_logs"]);
}

fn an_unknown_kind_is_wrong_usage(world: &World) {
    world.seed();
    for flag in ["--only", "--with"] {
        let run = world.migrate(&[flag, "user"]);
        assert_eq!((run.code, run.stdout.as_str()), (64, ""));
        assert!(run.stderr.contains("was `users` meant?"), "{}", run.stderr);
    }
    let run = world.migrate(&["--nonsense"]);
    assert_eq!((run.code, run.stdout.as_str()), (64, ""));
}

fn a_selection_without_documents_is_no_success(world: &World) {
    world.seed();
    world.remove("memory/ada.json");
    let run = world.migrate(&["--only", "memory"]);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("hint: "), "{}", run.stderr);
}

on_every_target!(
    a_pilot_loads_only_what_it_is_asked_for,
    logs_are_loaded_when_they_are_asked_for_and_from_then_on,
    a_log_that_grows_gains_rows,
    an_unknown_kind_is_wrong_usage,
    a_selection_without_documents_is_no_success,
);
