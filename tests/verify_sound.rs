//! What holds of every verification: it leaves nothing behind, says the same again, and does not
//! take nothing for agreement.

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use support::chance::{self, Chance};
use support::cli::Workplace;
use support::place::{Database, Moment, Place};
use support::postgres::{execute, value};
use support::proof;
use transload::generate::{generate, Options};
use transload::verify::outcome::{Conclusion, Outcome};

fn tree(place: &Place, name: &str, seed: u64, records: u64) -> PathBuf {
    let path = place.path(name);
    generate(&path, &Options { records, seed, damage: 0.0 }).expect("a tree can be made");
    path
}

fn migrated<'a>(place: &'a Place, source: &Path) -> Database<'a> {
    let database = place.fresh();
    assert_eq!(place.run(source, &database, &["--with-logs"]).code, Some(0));
    database
}

/// Every file below a directory, with what would show that somebody wrote it.
fn listing(root: &Path) -> Vec<String> {
    let about = |entry: walkdir::DirEntry| {
        let data = entry.metadata().expect("it is there");
        format!("{} {} {} {}", entry.path().display(), data.len(), data.mtime(), data.mtime_nsec())
    };
    let entries = walkdir::WalkDir::new(root).sort_by_file_name().into_iter();
    entries.map(|entry| about(entry.expect("the directory can be read"))).collect()
}

/// What a connection leaves beside a SQLite file while it works.
fn beside(database: &Database) -> Vec<String> {
    let Some(file) = database.url.strip_prefix("sqlite:") else { return Vec::new() };
    let all = ["-wal", "-shm", "-journal", ".lock"].map(|end| format!("{file}{end}"));
    all.into_iter().filter(|path| Path::new(path).exists()).collect()
}

fn a_verification_that_is_killed_leaves_nothing_behind(place: &Place) {
    let rounds = if chance::is_long() { 100 } else { 6 };
    let mut chance = Chance::new("a_verification_that_is_killed_leaves_nothing_behind");
    let source = tree(place, "tree", 1, 3_000);
    let database = migrated(place, &source);
    let (files, content, runs) = (listing(&source), database.content(), database.run_states());
    let whole = place.start_verb("verify", &source, &database, &[]).wait();
    assert_eq!(whole.code, Some(0), "{}", whole.log);
    let around = beside(&database);
    for at in chance.spread(rounds) {
        // On a busy machine one run takes longer than another: a kill that came too late comes sooner.
        let mut moment = whole.time.mul_f64(at);
        loop {
            let mut running = place.start_verb("verify", &source, &database, &[]);
            running.wait_for(&database, Moment::After(moment));
            if running.kill() {
                break;
            }
            moment /= 2;
        }
        let after = format!("after a kill at {at:.2} of {:?}", whole.time);
        database.content().assert_is(&content, &after);
        assert_eq!(database.run_states(), runs, "{after}");
        assert_eq!(listing(&source), files, "{after}");
        assert_eq!(listing(&place.path("temporary")).len(), 1, "{after}: temporary files");
        if place.server.is_some() {
            // The server notices within a moment that nobody is there any more.
            let count = "SELECT count(*)::text FROM pg_stat_activity \
                         WHERE datname = current_database() AND pid <> pg_backend_pid()";
            let gone = (0..200).any(|_| {
                std::thread::sleep(Duration::from_millis(25));
                value(&database.url, count) == "0"
            });
            assert!(gone, "{after}: a session is left");
        }
        // Nobody is kept out.
        assert_eq!(place.run(&source, &database, &["--dry-run"]).code, Some(0), "{after}");
    }
    let again = place.start_verb("verify", &source, &database, &[]).wait();
    assert_eq!(again.code, Some(0), "{}", again.log);
    assert_eq!(beside(&database), around, "what a kill left beside the file is gone after the next run");
}

/// All that a verification says, but for times.
fn said(outcome: &Outcome) -> Value {
    let mut said = serde_json::to_value(outcome).expect("it is JSON");
    for name in ["started", "seconds", "history"] {
        assert!(said[name] != Value::Null, "{name}");
        said[name] = Value::Null;
    }
    said
}

fn two_verifications_say_the_same(place: &Place) {
    let source = tree(place, "tree", 2, 2_000);
    let database = migrated(place, &source);
    // Something of everything.
    fs::remove_file(source.join("chat_sessions/default.json")).expect("the file is there");
    fs::write(source.join("users/new.json"), "{\"name\":\"Eve\"}").expect("a file can be written");
    fs::write(source.join("users/broken.json"), "{\"name\":").expect("a file can be written");
    let statements = "DELETE FROM user_memory WHERE key < 'd'; UPDATE messages SET content = content || ' ' \
                      WHERE sequence_number = 3; UPDATE users SET status = 'x' WHERE name < 'M'";
    match &place.server {
        Some(_) => execute(&database.url, statements),
        None => rusqlite::Connection::open(database.url.trim_start_matches("sqlite:"))
            .and_then(|connection| connection.execute_batch(statements))
            .expect("the statements run"),
    }
    let target = database.target();
    let first = proof::verify(&source, &*target, &proof::options());
    assert!(first.differences > 50 && first.conclusion == Conclusion::Differ, "{:?}", first.documents);
    for threads in [1, 2, 5] {
        let options = transload::verify::Options { threads, ..proof::options() };
        let again = proof::verify(&source, &*target, &options);
        assert_eq!(said(&again), said(&first), "{threads} threads");
    }
}

fn nothing_compared_is_not_agreement(place: &Place) {
    let source = tree(place, "tree", 3, 200);
    let database = migrated(place, &source);
    let target = database.target();
    let not_checked = |source: &Path, target: &dyn transload::target::Target, when: &str| {
        let outcome = proof::verify(source, target, &proof::options());
        assert!(matches!(outcome.conclusion, Conclusion::NotChecked(_)), "{when}: {:?}", outcome.conclusion);
    };
    let empty = place.path("empty");
    fs::create_dir_all(&empty).expect("a directory can be made");
    not_checked(&empty, &*target, "no file");
    let strange = place.path("strange");
    fs::create_dir_all(&strange).expect("a directory can be made");
    fs::write(strange.join("notes.txt"), "nothing").expect("a file can be written");
    not_checked(&strange, &*target, "no file of a known kind");
    // A database in which everything was migrated once, and out of which everything is gone.
    let own = [("users", true), ("chat_sessions", true), ("system_logs", true)];
    for (table, rows) in own.into_iter().chain([("documents", false), ("residue", false)]) {
        let prefix = match (rows, place.server.is_some()) {
            (true, _) => "",
            (false, true) => "transload.",
            (false, false) => "transload_",
        };
        let statement = format!("DELETE FROM {prefix}{table}");
        match &place.server {
            Some(_) => execute(&database.url, &statement),
            None => rusqlite::Connection::open(database.url.trim_start_matches("sqlite:"))
                .and_then(|connection| connection.execute_batch(&format!("PRAGMA foreign_keys = ON; {statement}")))
                .expect("the statement runs"),
        }
    }
    // What only the files have is a difference.
    let outcome = proof::verify(&source, &*target, &proof::options());
    assert_eq!(outcome.conclusion, Conclusion::Differ);
    assert_eq!(outcome.documents.missing, outcome.documents.found);
    not_checked(&empty, &*target, "nothing at all");
}

#[test]
fn a_file_that_cannot_be_read_is_no_difference_and_no_agreement() {
    let place = Workplace::unprivileged();
    let data = place.copy_fixture("donna");
    place.run(&["migrate", "data", "--db", "sqlite:app.db", "-q"]).expect(0);
    let path = data.join("chat_sessions/chat_titles.json");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).expect("the tests may do that");
    let arguments = ["verify", "data", "--db", "sqlite:app.db", "-q", "--json", "--max-lag", "50ms"];
    let found = place.run(&arguments).expect(2).json();
    assert_eq!((&found["verdict"], &found["differences"]), (&"not_checked".into(), &0.into()), "{found}");
    assert_eq!(found["documents"]["unreadable"], 1, "{found}");
}

in_every_place!(
    a_verification_that_is_killed_leaves_nothing_behind,
    two_verifications_say_the_same,
    nothing_compared_is_not_agreement,
);
