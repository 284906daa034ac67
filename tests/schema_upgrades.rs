//! Databases at every older version, with rows: all come to the same schema, and their rows stay.
//!
//! `TRANSLOAD_TEST_LONG=1` also holds the times that a migration of 10,000 rows may take, for itself and
//! for a reader and a writer beside it; they are printed in any case.

mod support;

use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use support::chance;
use support::postgres as server;
use support::schema::{Site, APP, POSTS, USERS};

/// Rows of each table.
const ROWS: u32 = 10_000;

/// Statements that leave the rows as they are and the table of a new shape, as each database does it.
fn reshaped(dialect: &str) -> &'static str {
    match dialect {
        "postgres" => {
            "-- WHY: addresses may be longer.\nALTER TABLE users ALTER COLUMN email TYPE VARCHAR(320);\n\
             ALTER TABLE users ALTER COLUMN status SET DEFAULT 'new';\n"
        }
        _ => {
            "-- WHY: addresses may be longer.\n-- DESTRUCTIVE: the table is copied first.\n\
             CREATE TABLE users_new (id INTEGER PRIMARY KEY, email VARCHAR(320) NOT NULL,\n    \
             status VARCHAR(20) DEFAULT 'new', phone VARCHAR(30));\n\
             INSERT INTO users_new (id, email, status, phone) SELECT id, email, status, phone FROM users;\n\
             DROP TABLE users;\nALTER TABLE users_new RENAME TO users;\nCREATE INDEX users_by_email ON users (email);\n"
        }
    }
}

fn write_files(site: &Site) {
    site.files("app", &APP);
    site.files("app", &[("0004_longer.sql", reshaped(site.dialect))]);
    site.run(&["snapshot", "app"]).expect(0);
}

fn fill(site: &Site, posts: bool) {
    let numbers = match site.dialect {
        "postgres" => format!("generate_series(1, {ROWS}) AS n(i)"),
        _ => format!(
            "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS}) SELECT i FROM n) AS n"
        ),
    };
    site.execute(&format!("INSERT INTO users (id, email) SELECT i, 'user' || i || '@example.org' FROM {numbers}"));
    if posts {
        site.execute(&format!("INSERT INTO posts (id, owner, body) SELECT i, i, 'post ' || i FROM {numbers}"));
    }
}

/// A hash over all rows, but for columns that come later.
fn rows(site: &Site, posts: bool) -> String {
    let all = |columns: &str, table: &str| match site.dialect {
        "postgres" => format!("SELECT string_agg({columns}, ';' ORDER BY id) FROM {table}"),
        _ => format!("SELECT group_concat(line, ';') FROM (SELECT {columns} AS line FROM {table} ORDER BY id)"),
    };
    let mut text = site.value(&all("id || ',' || email || ',' || coalesce(status, '-')", "users"));
    if posts {
        text += &site.value(&all("id || ',' || owner || ',' || body", "posts"));
    }
    assert!(text.len() > 100_000, "there are rows to be lost");
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

/// Another database with the same files.
fn again(site: &Site) -> Site {
    let other = if site.dialect == "sqlite" { Site::sqlite() } else { Site::postgres() };
    write_files(&other);
    other
}

fn every_older_version_comes_to_the_same_schema_with_its_rows(site: &Site) {
    write_files(site);
    site.run(&["apply", "app", "--allow-destructive"]).expect(0);
    site.run(&["validate", "app"]).expect(0);
    for version in 1..=3 {
        let site = again(site);
        site.run(&["apply", "app", "--to", &version.to_string()]).expect(0);
        fill(&site, version >= 2);
        let before = rows(&site, version >= 2);
        site.run(&["apply", "app", "--allow-destructive"]).expect(0);
        // The declared schema is compared in full.
        assert_eq!(site.run(&["validate", "app"]).expect(0).stdout, "`app` is what version 0004 declares\n");
        assert_eq!(rows(&site, version >= 2), before, "from version {version}");
        assert_eq!(site.recorded("app"), "1,2,3,4");
    }
}

fn a_database_that_never_got_a_column_comes_to_it_too(site: &Site) {
    write_files(site);
    // What ran the whole file at every start made the tables, and skipped the one that was there.
    site.execute(USERS);
    site.execute(POSTS);
    fill(site, true);
    let before = rows(site, true);
    let said = site.run(&["baseline", "app", "--at", "3"]).expect(2).stderr;
    assert!(said.contains("difference: column `users.phone` is missing"), "{said}");
    site.run(&["baseline", "app", "--at", "2"]).expect(0);
    site.run(&["apply", "app", "--allow-destructive"]).expect(0);
    assert_eq!(site.run(&["validate", "app"]).expect(0).stdout, "`app` is what version 0004 declares\n");
    assert_eq!(rows(site, true), before);
}

on_both!(
    every_older_version_comes_to_the_same_schema_with_its_rows,
    a_database_that_never_got_a_column_comes_to_it_too,
);

/// The longest of many waits, until told to stop.
fn longest(stop: &AtomicBool, mut once: impl FnMut()) -> Duration {
    let mut longest = Duration::ZERO;
    while !stop.load(Ordering::SeqCst) {
        let begin = Instant::now();
        once();
        longest = longest.max(begin.elapsed());
    }
    longest
}

#[test]
fn a_reader_and_a_writer_go_on_beside_a_migration() {
    let site = Site::postgres();
    write_files(&site);
    site.run(&["apply", "app", "--to", "2"]).expect(0);
    fill(&site, true);
    let index = "-- WHY: look-ups\n-- NO TRANSACTION\nCREATE INDEX CONCURRENTLY posts_owner ON posts (owner);\n";
    site.files("app", &[("0005_owner.sql", index)]);
    site.run(&["snapshot", "app"]).expect(0);
    let stop = AtomicBool::new(false);
    let (took, read, written) = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut client = server::connect(&site.url);
            longest(&stop, || {
                drop(client.query("SELECT count(email) FROM users WHERE id < 100", &[]).expect("it reads"))
            })
        });
        let writer = scope.spawn(|| {
            let mut client = server::connect(&site.url);
            let mut next = ROWS;
            longest(&stop, || {
                next += 1;
                let insert = format!("INSERT INTO users (id, email) VALUES ({next}, 'x'); INSERT INTO posts VALUES ({next}, {next}, 'x')");
                client.batch_execute(&insert).expect("it writes");
            })
        });
        let begin = Instant::now();
        let mut command = site.command(&["apply", "app"]);
        let status = command.stdout(Stdio::null()).stderr(Stdio::inherit()).status().expect("the program starts");
        let took = begin.elapsed();
        stop.store(true, Ordering::SeqCst);
        assert!(status.success());
        (took, reader.join().expect("it reads on"), writer.join().expect("it writes on"))
    });
    println!("three migrations of {ROWS} rows took {took:?}; the longest wait of a reader was {read:?}, of a writer {written:?}");
    if chance::is_long() {
        assert!(took < Duration::from_secs(5) && read < Duration::from_secs(1) && written < Duration::from_secs(1));
    }
    assert_eq!(site.recorded("app"), "1,2,3,4,5");
    site.run(&["validate", "app"]).expect(0);
}
