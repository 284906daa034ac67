//! `transload schema apply` by many at once, and killed at random moments: the database is always
//! exactly a recorded version, and no lock survives.
//!
//! `TRANSLOAD_TEST_LONG=1` makes long campaigns of it; `TRANSLOAD_TEST_SEED` repeats a failing case.

mod support;

use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use support::chance::{self, Chance};
use support::content;
use support::postgres as server;
use support::schema::{Site, APP};
use transload::exec::Stop;
use transload::model::Owner;
use transload::schema::files::MigrationSet;
use transload::schema::plan::Allowed;
use transload::schema::run::{self, Fate, Job, RunError};
use transload::schema::sql::Dialect;

/// A build of an index beside the application, in PostgreSQL only.
const ALONE: &str = "-- WHY: look-ups\n-- NO TRANSACTION\nCREATE INDEX CONCURRENTLY posts_owner ON posts (owner);\n\
                     -- ENSURE: SELECT count(*) = 1 FROM pg_class WHERE relname = 'posts_owner'\n";

/// As the first three versions, and more, with rows to move.
fn many(site: &Site) -> usize {
    let mut files: Vec<(String, String)> =
        APP.iter().map(|(name, sql)| ((*name).to_owned(), (*sql).to_owned())).collect();
    if site.dialect == "postgres" {
        files.push(("0004_posts_owner.sql".into(), ALONE.into()));
    }
    while files.len() < 9 {
        let number = files.len() + 1;
        let sql = format!(
            "-- WHY: one more\nCREATE TABLE t{number} (id INTEGER PRIMARY KEY, a TEXT);\n\
             CREATE INDEX t{number}_a ON t{number} (a);\nALTER TABLE users ADD COLUMN c{number} INTEGER;\n"
        );
        files.push((format!("{number:04}_t{number}.sql"), sql));
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(name, sql)| (name.as_str(), sql.as_str())).collect();
    site.files("app", &files);
    site.run(&["snapshot", "app"]).expect(0);
    files.len()
}

fn start(site: &Site, url: &str) -> Child {
    let mut command = site.place.command(&["schema", "apply", "app", "--json", "--quiet", "--db", url]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program starts")
}

/// A database of its own for every round.
fn round(site: &Site, number: usize) -> Site {
    let url = match site.dialect {
        "sqlite" => format!("sqlite:{}", site.place.path(format!("round_{number}.db")).display()),
        _ => server::fresh_database(),
    };
    let place = support::cli::Workplace::new();
    std::fs::rename(site.place.path("app"), place.path("app")).expect("the files can be moved");
    Site { place, url, dialect: site.dialect }
}

/// Gives the files back.
fn give_back(round: &Site, site: &Site) {
    std::fs::rename(round.place.path("app"), site.place.path("app")).expect("the files can be moved");
}

fn wait_for_no_lock(site: &Site) {
    if site.dialect == "sqlite" {
        let writer = site.sqlite_connection();
        writer.busy_timeout(Duration::ZERO).expect("it can be set");
        writer.execute_batch("BEGIN IMMEDIATE; ROLLBACK").expect("nobody holds the file");
        return;
    }
    // The server notices that a client is gone when its statement is done.
    let begin = Instant::now();
    while site.locks() != "0" {
        assert!(begin.elapsed() < Duration::from_secs(30), "a lock survives");
        sleep(Duration::from_millis(20));
    }
}

/// The database is a recorded version: all of it and nothing else.
fn assert_is_a_version(site: &Site, after: &str) -> usize {
    let validated = site.run(&["validate", "app", "--json"]);
    assert!(matches!(validated.code, Some(0 | 1)), "{after}: {}", validated.stderr);
    let validated = validated.json();
    let differences: Vec<&Value> = validated["differences"].as_array().expect("a list").iter().collect();
    // What is built outside of a transaction is made before it is recorded.
    let is_of_index = |difference: &&Value| difference["object"] == "index `posts.posts_owner`";
    let wrong: Vec<_> = differences.iter().filter(|difference| !is_of_index(difference)).collect();
    assert!(wrong.is_empty(), "{after}: {wrong:?}");
    let at = validated["at"].as_u64().unwrap_or(0) as usize;
    if at > 0 {
        let expected: Vec<String> = (1..=at).map(|number| number.to_string()).collect();
        assert_eq!(site.recorded("app"), expected.join(","), "{after}");
    }
    at
}

fn kills_leave_a_recorded_version(site: &Site) {
    let rounds = if chance::is_long() { 200 } else { 4 };
    let mut chance = Chance::new("kills_leave_a_recorded_version");
    let versions = many(site);
    let begin = Instant::now();
    let undisturbed = start(site, &site.url).wait_with_output().expect("it is our child");
    assert!(undisturbed.status.success(), "{}", String::from_utf8_lossy(&undisturbed.stderr));
    let whole = begin.elapsed();
    let mut partial = 0;
    for (number, place) in chance.spread(rounds).into_iter().enumerate() {
        let round = round(site, number);
        let mut child = start(&round, &round.url);
        sleep(whole.mul_f64(place));
        child.kill().expect("it is our child");
        child.wait().expect("it is our child");
        let after = format!("after a kill at {place:.3} of {whole:?}");
        wait_for_no_lock(&round);
        let at = assert_is_a_version(&round, &after);
        partial += usize::from(at > 0 && at < versions);
        let again = round.run(&["apply", "app"]);
        assert_eq!(again.code, Some(0), "{after}: {}", again.stderr);
        assert_eq!(assert_is_a_version(&round, &after), versions, "{after}");
        round.run(&["validate", "app"]).expect(0);
        give_back(&round, site);
    }
    println!("{partial} of {rounds} kills left some versions and not all");
    assert!(partial > 0 || rounds < 20, "no kill met a run in its middle");
}

fn eight_at_once_apply_each_migration_once(site: &Site) {
    let rounds = if chance::is_long() { 50 } else { 1 };
    let versions = many(site);
    for number in 0..rounds {
        let round = round(site, number);
        let children: Vec<Child> = (0..8).map(|_| start(&round, &round.url)).collect();
        let mut applied = 0;
        for child in children {
            let output = child.wait_with_output().expect("it is our child");
            assert!(output.status.success(), "round {number}: {}", String::from_utf8_lossy(&output.stderr));
            let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
            assert_eq!(said["at"].as_u64(), Some(versions as u64), "round {number}: {said}");
            applied += said["applied"].as_array().expect("a list").len();
        }
        assert_eq!(applied, versions, "round {number}");
        assert_eq!(assert_is_a_version(&round, "after eight at once"), versions);
        wait_for_no_lock(&round);
        let status = round.run(&["status", "app", "--json"]).expect(0).json();
        assert!(status["log_broken_at"].is_null(), "{status}");
        give_back(&round, site);
    }
}

/// Runs files that no rule was asked about.
fn apply_unchecked(site: &Site, sql: &str) -> RunError {
    let dialect = Dialect::by_name(site.dialect).expect("a dialect");
    let set = MigrationSet::embedded("test", dialect, [("0001_a.sql", sql.as_bytes())]);
    let target = content::target(&site.url);
    let job = Job {
        target: &*target,
        set: &set,
        name: "app",
        owner: Owner::Application,
        allowed: Allowed::default(),
        wait: Duration::from_secs(10),
        lock_timeout: Duration::from_secs(2),
        pauses: &[],
        lint: false,
        by: "a test",
        stop: &Stop::new(),
        tell: &|_| {},
    };
    run::apply(&job).expect_err("it ends its own transaction")
}

fn a_file_that_ends_its_transaction_is_caught_and_told_truly(site: &Site) {
    let cases = [
        ("CREATE TABLE a (id INTEGER);\nCOMMIT;\nCREATE TABLE b (id INTEGER);", Fate::Committed, true),
        ("CREATE TABLE c (id INTEGER);\nROLLBACK;\nCREATE TABLE d (id INTEGER);", Fate::RolledBack, false),
    ];
    for (sql, expected, first_stays) in cases {
        let error = apply_unchecked(site, sql);
        let RunError::Ended { statement, line, fate, .. } = &error else { panic!("{error}") };
        assert_eq!((*statement, *line, *fate), (2, 2, expected));
        assert!(error.to_string().contains("nothing was recorded") && error.hint().is_some(), "{error}");
        let (first, second) = if expected == Fate::Committed { ("a", "b") } else { ("c", "d") };
        assert_eq!((site.has_table(first), site.has_table(second)), (first_stays, false));
        assert_eq!(site.recorded("app"), "");
        wait_for_no_lock(site);
    }
}

on_both!(
    kills_leave_a_recorded_version,
    eight_at_once_apply_each_migration_once,
    a_file_that_ends_its_transaction_is_caught_and_told_truly,
);

#[test]
fn a_server_that_is_stopped_at_once_leaves_a_recorded_version() {
    let rounds = if chance::is_long() { 20 } else { 1 };
    let mut chance = Chance::new("a_server_that_is_stopped_at_once");
    let private = server::PrivatePostgres::start_with(&server::Options { fsync: true, ..server::Options::default() });
    let site = Site { url: private.fresh_database(), dialect: "postgres", ..Site::sqlite() };
    let versions = many(&site);
    let begin = Instant::now();
    assert!(start(&site, &site.url).wait().expect("it is our child").success());
    let whole = begin.elapsed();
    for place in chance.spread(rounds) {
        let site = Site { url: private.fresh_database(), place: support::cli::Workplace::new(), dialect: "postgres" };
        many(&site);
        let mut child = start(&site, &site.url);
        sleep(whole.mul_f64(place));
        private.stop_immediate();
        child.wait().expect("it is our child");
        private.restart();
        let after = format!("after the server was stopped at {place:.3}");
        assert_is_a_version(&site, &after);
        let again = site.run(&["apply", "app"]);
        assert_eq!(again.code, Some(0), "{after}: {}", again.stderr);
        assert_eq!(assert_is_a_version(&site, &after), versions, "{after}");
    }
}
