//! A load that ends before everything is put back.

use serde_json::Value;

use crate::shape::{assert_shape, shape};
use crate::world::{assert_same, until, Ran, World};
use crate::BULK;

/// Starts a load, and waits until it has set everything aside and cannot get further. It has
/// loaded the users and the memory by then.
fn held(world: &World, work: impl FnOnce(crate::world::Running)) {
    world.seed();
    assert_eq!(world.run(&["schema", "apply"]).code, 0);
    let held = world.hold("chat_sessions/c1.json");
    let running = world.start_migrate(&BULK);
    until("the load", || world.value("SELECT count(*) FROM ledger.documents") == "3");
    assert!(world.value("SELECT count(*) FROM ledger.set_aside").parse::<u32>().expect("a number") > 10);
    work(running);
    held.release();
}

/// What an uninterrupted run comes to.
fn reference(world: &World) -> World {
    let other = world.with_another_database("reference");
    assert_eq!(other.migrate(&["--mode", "online"]).said(), "0: 7 loaded; 16 rows");
    other
}

pub fn a_load_that_is_killed_goes_on(world: World) {
    held(&world, |running| {
        running.signal("KILL");
        assert_eq!(running.wait().code, 137);
    });
    let again = world.migrate(&BULK);
    assert_eq!(again.said(), "0: 4 loaded, 3 unchanged; 12 rows", "{}", again.stderr);
    let reference = reference(&world);
    assert_same(&world.content(), &reference.content());
    assert_shape(&world, &shape(&reference), "after a load was killed and went on");
    assert_eq!(world.values("SELECT state FROM ledger.runs ORDER BY started_at"), ["interrupted", "done"]);
}

pub fn a_load_that_is_asked_to_stop_puts_everything_back(world: World) {
    let mut stopped = None;
    held(&world, |running| {
        running.signal("TERM");
        stopped = Some(running);
    });
    let stopped = stopped.expect("it was started").wait();
    assert_eq!(stopped.code, 143, "{}", stopped.stderr);
    assert_eq!(stopped.summary()["mode"], "bulk");
    assert_eq!(world.value("SELECT count(*) FROM ledger.set_aside"), "0");
    assert_eq!(world.run(&["schema", "validate"]).code, 0);
    assert_eq!(world.migrate(&BULK).code, 0);
    let reference = reference(&world);
    assert_same(&world.content(), &reference.content());
    assert_shape(&world, &shape(&reference), "after a load was stopped and went on");
}

pub fn what_cannot_be_done_while_a_load_is_interrupted_says_so(world: World) {
    held(&world, |running| {
        let status = world.run(&["status"]);
        assert_eq!(status.code, 0, "{}", status.stderr);
        assert!(status.stdout.contains("bulk load  under way, "), "{}", status.stdout);
        running.signal("KILL");
        running.wait();
    });
    let status = world.run(&["status"]);
    assert_eq!(status.code, 2, "{}", status.stdout);
    assert!(status.stdout.contains("bulk load  interrupted, "), "{}", status.stdout);
    assert!(status.stdout.contains("run the same `transload migrate` again"), "{}", status.stdout);
    let status: Value = serde_json::from_str(&world.run(&["status", "--json"]).stdout).expect("one object");
    assert_eq!(status["bulk"]["interrupted"], true);
    let refused: [&[&str]; 6] = [
        &["verify", "source"],
        &["export", "out"],
        &["rejects", "list"],
        &["schema", "validate"],
        &["schema", "apply"],
        &["migrate", "source", "--dry-run"],
    ];
    for arguments in refused {
        let Ran { code, stdout, stderr } = world.run(arguments);
        assert_eq!(code, 2, "{arguments:?}: {stdout}{stderr}");
        assert!(stderr.contains("a bulk load was interrupted"), "{arguments:?}: {stderr}");
        assert!(stderr.contains("run the same `transload migrate` again"), "{arguments:?}: {stderr}");
    }
    assert_eq!(world.migrate(&[]).code, 0);
    assert_eq!(world.run(&["verify", "source"]).code, 0);
}

#[test]
fn nobody_else_writes_while_rows_are_loaded() {
    let world = World::postgres();
    held(&world, |running| {
        let mut client = crate::support::postgres::connect(&world.url());
        let tables = ["users", "chat_sessions", "messages", "user_memory", "transload.documents", "transload.residue"];
        for table in tables {
            let statements = [
                format!("INSERT INTO {table} SELECT * FROM {table} WHERE false"),
                format!("DELETE FROM {table}"),
                format!("TRUNCATE {table} CASCADE"),
                format!("COPY {table} FROM PROGRAM 'true'"),
            ];
            for statement in statements {
                let error = client.batch_execute(&statement).expect_err(&statement);
                let refusal = error.as_db_error().expect("the server refuses it");
                assert_eq!(refusal.code().code(), "55006", "{statement}: {refusal}");
                assert!(refusal.message().starts_with("transload is loading \""), "{refusal}");
                assert!(refusal.hint().is_some_and(|hint| hint.contains("run it again")));
            }
            // Everybody may look.
            client.batch_execute(&format!("SELECT count(*) FROM {table}")).expect("a look is allowed");
        }
        assert!(client.batch_execute("UPDATE users SET name = 'x'").is_err());
        drop(running);
    });
    assert_eq!(world.migrate(&[]).code, 0);
    world.execute("UPDATE users SET name = 'x'; DELETE FROM messages; TRUNCATE messages");
}

#[test]
fn autovacuum_stays_away_until_everything_is_back() {
    let world = World::postgres();
    world.seed();
    assert_eq!(world.run(&["schema", "apply"]).code, 0);
    // What somebody said of a table is neither changed nor forgotten.
    world.execute(
        "ALTER TABLE messages SET (fillfactor = 90); \
         ALTER TABLE chat_sessions SET (autovacuum_enabled = true, autovacuum_vacuum_cost_limit = 100); \
         ALTER TABLE users SET (toast.autovacuum_enabled = false)",
    );
    let options = |world: &World| {
        world.values(
            "SELECT relname || ' ' || coalesce(array_to_string(reloptions, ','), '-') FROM pg_class \
             WHERE relkind = 'r' AND relname IN ('users', 'messages', 'chat_sessions', 'documents', 'residue') ORDER BY 1",
        )
    };
    let own = "autovacuum_enabled=true,autovacuum_vacuum_cost_limit=100";
    let before = [&format!("chat_sessions {own}"), "documents -", "messages fillfactor=90", "residue -", "users -"]
        .map(str::to_owned);
    assert_eq!(options(&world), before);
    let whole = shape(&world);
    let held_back = world.hold("chat_sessions/c1.json");
    let running = world.start_migrate(&BULK);
    until("the load", || world.value("SELECT count(*) FROM ledger.documents") == "3");
    assert_eq!(
        options(&world),
        [
            &format!("chat_sessions {own}"),
            "documents autovacuum_enabled=off",
            "messages fillfactor=90,autovacuum_enabled=off",
            "residue autovacuum_enabled=off",
            "users autovacuum_enabled=off",
        ]
    );
    running.signal("KILL");
    assert_eq!(running.wait().code, 137);
    held_back.release();
    assert_eq!(world.migrate(&BULK).code, 0);
    assert_eq!(options(&world), before);
    assert_shape(&world, &whole, "after a load was killed and went on");
}
