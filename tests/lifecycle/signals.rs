//! A run that is stopped, killed or met by another one on the same database.

use serde_json::{json, Value};

use crate::world::{assert_same, history, until, Held, Running, World};

/// More than twice of what is read at a time.
const CHATS: usize = 1_100;

/// Half of the chats come before it, more than are read at a time.
const HELD: &str = "chat_sessions/n00600.json";

/// A tree of many chats.
fn many(world: &World) {
    world.seed();
    for number in 0..CHATS {
        world.json(&format!("chat_sessions/n{number:05}.json"), &history(&["one", "two"]));
    }
}

/// A run that is in the middle: some chats are loaded, and it waits for one that is locked.
fn in_the_middle(world: &World) -> (Held, Running) {
    many(world);
    let held = world.hold(HELD);
    let running = world.start_migrate(&["--batch-rows", "100"]);
    until("the first chats are loaded", || loaded(world) > 300);
    let file = world.source().join(HELD).canonicalize().expect("it is there");
    until("the run waits for the locked file", || running.has_open(&file));
    (held, running)
}

/// How many documents are loaded; none while there are no tables yet.
fn loaded(world: &World) -> u64 {
    if !has_tables(world) {
        return 0;
    }
    world.value("SELECT count(*) FROM ledger.documents").parse().expect("a count")
}

fn has_tables(world: &World) -> bool {
    match world.is_sqlite() {
        true => {
            let made = "SELECT count(*) FROM sqlite_master WHERE name = 'messages'";
            world.file().exists() && world.value(made) == "1"
        }
        false => {
            world.value("SELECT to_regclass('messages') IS NOT NULL AND to_regclass('transload.documents') IS NOT NULL")
                == "t"
        }
    }
}

fn states(world: &World) -> Vec<String> {
    world.values("SELECT state FROM ledger.runs ORDER BY started_at")
}

/// Goes on to the end and compares with an uninterrupted run.
fn goes_on_to_the_same_end(world: &World) {
    let rest = world.migrate(&["--batch-rows", "100"]);
    assert_eq!(rest.code, 0, "{}", rest.stderr);
    let documents = &rest.summary()["documents"];
    assert_eq!(documents["updated"], 0, "{documents}");
    assert_eq!(world.migrate(&[]).said(), format!("0: {} unchanged; 0 rows", CHATS + 7));
    let whole = world.with_another_database("whole");
    assert_eq!(whole.migrate(&["--batch-rows", "100"]).code, 0);
    assert_same(&world.content(), &whole.content());
}

fn stops_after_the_batches_under_way(world: &World, signal: &str, code: i32) {
    let (held, running) = in_the_middle(world);
    running.signal(signal);
    held.release();
    let ran = running.wait();
    assert_eq!(ran.code, code, "{}", ran.stderr);
    let summary = ran.summary();
    assert_eq!(summary["stopped_by"], format!("SIG{signal}"));
    let resume = summary["resume"].as_str().expect("the command that goes on");
    assert!(resume.starts_with("transload migrate source --json --quiet --batch-rows 100 --db "), "{resume}");
    // What was read is written, and what was written is told.
    let written = summary["documents"]["loaded"].as_u64().expect("a count");
    assert_eq!(written, loaded(world));
    assert!(written < (CHATS + 7) as u64, "{written}");
    assert_eq!(states(world), ["stopped"]);
    goes_on_to_the_same_end(world);
    assert_eq!(states(world), ["stopped", "done", "done"]);
}

fn sigint_stops_after_the_batches_under_way(world: &World) {
    stops_after_the_batches_under_way(world, "INT", 130);
}

fn sigterm_stops_after_the_batches_under_way(world: &World) {
    stops_after_the_batches_under_way(world, "TERM", 143);
}

fn people_are_told_how_to_go_on(world: &World) {
    many(world);
    let held = world.hold(HELD);
    let running = world.start(&["migrate", "source", "--quiet"]);
    until("the first chats are loaded", || loaded(world) > 300);
    running.signal("INT");
    held.release();
    let ran = running.wait();
    assert_eq!(ran.code, 130);
    assert!(ran.stdout.contains("\nstopped    by SIGINT, after the batches under way\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("\ngo on with transload migrate source --quiet --db "), "{}", ran.stdout);
}

fn a_second_signal_stops_at_once(world: &World) {
    let (held, mut running) = in_the_middle(world);
    // Two signals that come too close after each other are one.
    until("it stops", || {
        running.signal("INT");
        running.has_ended()
    });
    let ran = running.wait();
    // The file is still locked, so it cannot have waited for it.
    assert_eq!((ran.code, ran.stdout.as_str()), (130, ""));
    held.release();
    assert_eq!(states(world), ["running"]);
    goes_on_to_the_same_end(world);
    assert_eq!(states(world), ["interrupted", "done", "done"]);
    let status: Value = serde_json::from_str(&world.run(&["status", "--json"]).stdout).expect("one object");
    assert_eq!(status["runs"][2]["state"], "interrupted");
    assert_eq!(status["runs"][2]["finished_at"], Value::Null);
}

fn a_second_run_is_told_who_holds_the_database(world: &World) {
    let (held, running) = in_the_middle(world);
    running.signal("STOP");
    held.release();
    let files = world.listing("source");
    let second = world.migrate(&[]);
    assert_eq!((second.code, second.stdout.as_str()), (2, ""));
    let told = second.stderr.lines().find(|line| line.starts_with("error: ")).expect("an error");
    assert!(told.starts_with("error: transload migrate, process "), "{told}");
    assert!(told.contains(" works on this database since 20"), "{told}");
    assert!(second.stderr.contains("hint: wait for it to end, or stop it"), "{}", second.stderr);
    let dry = world.migrate(&["--dry-run"]);
    assert_eq!(dry.code, 2, "{}", dry.stderr);
    // Looking is allowed meanwhile.
    assert_eq!(world.run(&["status"]).code, 0);
    assert_eq!(world.listing("source"), files);
    running.signal("CONT");
    let first = running.wait();
    assert_eq!(first.said(), format!("0: {} loaded; {} rows", CHATS + 7, CHATS * 3 + 16));
    assert_eq!(states(world), ["done"]);
}

fn a_lock_does_not_outlive_its_holder(world: &World) {
    let (held, running) = in_the_middle(world);
    assert_eq!(world.migrate(&[]).code, 2);
    running.signal("KILL");
    assert_eq!(running.wait().code, 137);
    held.release();
    // A server takes a moment to notice.
    until("the lock is free", || world.migrate(&["--only", "users"]).code == 0);
    goes_on_to_the_same_end(world);
    assert_eq!(states(world)[0], "interrupted");
}

fn a_scan_stops_at_a_signal(world: &World) {
    many(world);
    let held = world.hold(HELD);
    let scan = world.start(&["scan", "source", "--json", "--quiet"]);
    // Nothing outside tells how far it is: it ends this way or, if it is slow, before it begins.
    std::thread::sleep(std::time::Duration::from_millis(300));
    scan.signal("INT");
    held.release();
    let ran = scan.wait();
    assert_eq!(ran.code, 130, "{}", ran.stderr);
}

fn a_run_that_is_stopped_before_it_wrote_anything_says_so(world: &World) {
    world.seed();
    let held = world.hold("users/ada.json");
    let running = world.start_migrate(&[]);
    until("the tables are made", || has_tables(world));
    running.signal("TERM");
    held.release();
    let ran = running.wait();
    assert_eq!((ran.code, &ran.summary()["documents"]["rejected"]), (143, &json!(0)));
    assert_eq!(world.migrate(&[]).code, 0);
}

on_every_target!(
    sigint_stops_after_the_batches_under_way,
    sigterm_stops_after_the_batches_under_way,
    people_are_told_how_to_go_on,
    a_second_signal_stops_at_once,
    a_second_run_is_told_who_holds_the_database,
    a_lock_does_not_outlive_its_holder,
    a_scan_stops_at_a_signal,
    a_run_that_is_stopped_before_it_wrote_anything_says_so,
);
