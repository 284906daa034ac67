//! The main job from end to end: the real program moves a generated tree of 10,000 records into
//! each target, and finds it unchanged the second time.

#[path = "../tests/support/mod.rs"]
mod support;

use std::cell::LazyCell;
use std::path::Path;
use std::time::Duration;

use criterion::{criterion_group, criterion_main, Criterion, Throughput};
use support::place::{Database, Place};
use support::postgres::{Options as ServerOptions, PrivatePostgres};
use transload::generate::{generate, Options};

const RECORDS: u64 = 10_000;

/// One run, which must have loaded everything, or found everything unchanged.
fn run(place: &Place, source: &Path, database: &Database, expected: &str) -> Duration {
    let ended = place.run(source, database, &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    assert!(ended.log.contains(expected), "{expected:?} in {}", ended.log);
    ended.time
}

fn into(criterion: &mut Criterion, name: &str, make: fn() -> Place) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let source = directory.path().join("tree");
    let made = generate(&source, &Options { records: RECORDS, seed: 1, damage: 0.0 }).expect("a tree can be made");
    let documents = made.users + made.memory_files + made.chats;
    let elements = made.users + made.memory_entries + made.chats + made.messages;
    // Who only wants to know the benches' names starts no server.
    let place = LazyCell::new(make);
    let mut group = criterion.benchmark_group("migrate");
    group.sample_size(10).throughput(Throughput::ElementsAndBytes { elements, bytes: made.bytes });
    group.bench_function(format!("into an empty {name}"), |bencher| {
        bencher.iter_custom(|rounds| {
            let expected = format!("{documents} loaded");
            (0..rounds).map(|_| run(&place, &source, &place.fresh(), &expected)).sum()
        });
    });
    group.bench_function(format!("unchanged in {name}"), |bencher| {
        let database = place.fresh();
        run(&place, &source, &database, &format!("{documents} loaded"));
        assert_eq!(database.content().rows("messages").len() as u64, RECORDS);
        bencher.iter_custom(|rounds| {
            let expected = format!("{documents} unchanged");
            (0..rounds).map(|_| run(&place, &source, &database, &expected)).sum()
        });
    });
    group.finish();
}

fn sqlite(criterion: &mut Criterion) {
    into(criterion, "SQLite", Place::sqlite);
}

fn postgres(criterion: &mut Criterion) {
    into(criterion, "PostgreSQL", || {
        // As a server that is meant to keep what it is given.
        Place::postgres(PrivatePostgres::start_with(&ServerOptions { fsync: true, ..ServerOptions::default() }))
    });
}

criterion_group!(benches, sqlite, postgres);
criterion_main!(benches);
