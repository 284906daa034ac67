//! What makes a run impossible: exit code 2, what and where, what to try, and never a secret.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::world::{assert_same, history, Ran, World};

/// It failed: nothing on stdout, and on stderr one error that says `what`, and a hint.
fn failed(run: &Ran, what: &str) {
    assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{}", run.stderr);
    let error = run.stderr.lines().find(|line| line.starts_with("error: "));
    let error = error.unwrap_or_else(|| panic!("no error is told: {}", run.stderr));
    assert!(run.stderr.contains(what), "{what:?} is not in: {}", run.stderr);
    assert!(!error.contains("panicked"), "{error}");
    assert!(run.stderr.contains("\nhint: "), "no hint: {}", run.stderr);
}

fn made_no_database(world: &World) {
    match world.is_sqlite() {
        true => assert!(!world.file().exists()),
        false => assert_eq!(world.value("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "0"),
    }
}

fn a_source_with_nothing_to_load_is_no_success(world: &World) {
    failed(&world.migrate(&[]), "nothing in source is a document that this run would load");
    world.write("chatbot_settings.json", "{}");
    world.write("notes.txt", "hello");
    failed(&world.migrate(&[]), "nothing in source is a document that this run would load");
    fs::remove_dir_all(world.source()).expect("removed");
    failed(&world.migrate(&[]), "the source `source` does not exist");
    failed(&world.run(&["scan", "source"]), "the source `source` does not exist");
    fs::write(world.source(), "a file").expect("written");
    failed(&world.migrate(&[]), "the source `source` is not a directory");
    made_no_database(world);
}

fn no_source_at_all_is_wrong_usage(world: &World) {
    let run = world.run(&["migrate"]);
    assert_eq!((run.code, run.stdout.as_str()), (64, ""), "{}", run.stderr);
}

fn a_database_of_a_newer_program_is_refused(world: &World) {
    world.seed();
    assert_eq!(world.migrate(&[]).code, 0);
    let checksum = if world.is_sqlite() { "x'00'" } else { "'\\x00'" };
    world.execute(&format!(
        "INSERT INTO ledger.versions (schema_name, number, name, checksum, applied_at)
         VALUES ('donna', 99, 'of tomorrow', {checksum}, '2030-01-01T00:00:00.000000Z')"
    ));
    world.json("chat_sessions/new.json", &history(&["new"]));
    let before = world.dump();
    failed(&world.migrate(&[]), "99");
    failed(&world.migrate(&["--dry-run"]), "99");
    failed(&world.run(&["status"]), "99");
    assert_same(&world.dump(), &before);
}

fn tables_of_another_shape_are_refused(world: &World) {
    world.seed();
    world.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)");
    failed(&world.migrate(&[]), "users");
    let tables = if world.is_sqlite() {
        "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name <> 'users' AND name NOT LIKE 'transload%'"
    } else {
        "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'users'"
    };
    assert_eq!(world.value(tables), "0");
}

fn nothing_is_written_below_the_source(world: &World) {
    world.seed();
    let before = world.listing("source");
    failed(&world.migrate(&["--rejects", "source/rejects"]), "below the source");
    symlink("source", world.directory().join("link")).expect("linked");
    failed(&world.migrate(&["--rejects", "link/rejects"]), "below the source");
    let run = world.bare_command(&["migrate", "source", "--db", "sqlite:source/target.db"]).output();
    failed(&Ran::of(run.expect("the program starts")), "below the source");
    assert_eq!(world.listing("source"), before);
    made_no_database(world);
}

fn a_rejects_directory_that_cannot_be_made_stops_the_run_and_loses_nothing(world: &World) {
    world.seed();
    world.write("users/broken.json", "{");
    fs::write(world.directory().join("blocked"), "a file").expect("written");
    failed(&world.migrate(&["--rejects", "blocked/rejects"]), "cannot write the reject file");
    assert_eq!(world.values("SELECT state FROM ledger.runs"), ["failed"]);
    let run = world.migrate(&[]);
    assert_eq!((run.code, run.summary()["documents"]["rejected"].as_u64()), (1, Some(1)));
    let fresh = world.with_another_database("fresh");
    assert_eq!(fresh.migrate(&[]).code, 1);
    assert_same(&world.content(), &fresh.content());
}

on_every_target!(
    a_source_with_nothing_to_load_is_no_success,
    no_source_at_all_is_wrong_usage,
    a_database_of_a_newer_program_is_refused,
    tables_of_another_shape_are_refused,
    nothing_is_written_below_the_source,
    a_rejects_directory_that_cannot_be_made_stops_the_run_and_loses_nothing,
);

mod sqlite_alone {
    use super::*;

    #[test]
    fn what_is_no_database_is_refused_and_left_as_it_is() {
        let world = World::sqlite();
        world.seed();
        let stranger = "not a database, but long enough to be taken for one at a first glance. ".repeat(20);
        fs::write(world.file(), &stranger).expect("written");
        failed(&world.migrate(&[]), "target.db");
        assert_eq!(fs::read_to_string(world.file()).expect("read"), stranger);
        fs::remove_file(world.file()).expect("removed");
        fs::create_dir(world.file()).expect("made");
        failed(&world.migrate(&[]), "target.db");
        failed(&world.migrate(&["--dry-run"]), "target.db");
        let run = world.bare_command(&["migrate", "source", "--db", "sqlite:nowhere/target.db"]).output();
        failed(&Ran::of(run.expect("the program starts")), "nowhere");
    }

    #[test]
    fn a_disk_that_is_full_stops_the_run_and_room_lets_it_go_on() {
        let world = World::sqlite();
        fs::remove_dir(world.source()).expect("it is empty");
        let made = world.bare_command(&["generate", "source", "--records", "2000", "--quiet"]).output();
        assert!(made.expect("the program starts").status.success());
        // A limit on the size of files stands in for the end of the disk. Blocks have 512 bytes;
        // without the trap, the limit's signal would end the program.
        let line = "trap '' XFSZ; ulimit -f 1200; exec \"$@\"";
        let program = env!("CARGO_BIN_EXE_transload");
        let output = Command::new("sh")
            .args([
                "-c",
                line,
                "sh",
                program,
                "migrate",
                "source",
                "--quiet",
                "--db",
                "sqlite:target.db",
                "--batch-rows",
                "50",
            ])
            .current_dir(world.directory())
            .env_clear()
            .output();
        let run = Ran::of(output.expect("there is a shell"));
        failed(&run, "cannot write ");
        let resume = "this goes on: transload migrate source --quiet --db sqlite:target.db --batch-rows 50";
        assert!(run.stderr.contains(resume), "{}", run.stderr);
        assert_ne!(world.value("SELECT count(*) FROM ledger.documents"), "0");
        let rest = world.migrate(&["--batch-rows", "50"]);
        assert_eq!(rest.code, 0, "{}", rest.stderr);
        assert!(rest.summary()["documents"]["unchanged"].as_u64() > Some(0));
        let whole = world.with_another_database("whole");
        assert_eq!(whole.migrate(&["--batch-rows", "50"]).code, 0);
        assert_same(&world.content(), &whole.content());
    }

    #[test]
    fn another_writer_that_does_not_let_go_is_told() {
        let world = World::sqlite();
        world.seed();
        assert_eq!(world.migrate(&["--only", "users"]).code, 0);
        let other = rusqlite::Connection::open(world.file()).expect("opened");
        other.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
        let mut running = world.start_migrate(&[]);
        // It waits for the other, and goes on once that is done.
        std::thread::sleep(std::time::Duration::from_millis(500));
        assert!(!running.has_ended());
        other.execute_batch("ROLLBACK").expect("it was begun");
        assert_eq!(running.wait().said(), "0: 5 loaded, 2 unchanged; 14 rows");
    }
}
