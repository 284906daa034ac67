//! The stages of a migration between the files and the server, each alone: walk, read and hash, encode,
//! batch, write.
//!
//! What a stage gets is made before it is measured; what it made is counted afterwards. `decode.rs` has
//! the stages within a document.

use std::hint::black_box;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant as Clock};

use criterion::measurement::WallTime;
use criterion::{criterion_group, criterion_main, BatchSize, BenchmarkGroup, Criterion, Throughput};
use jiff::tz::TimeZone;
use transload::format::donna::tables::{CHAT_SESSIONS, MESSAGES, TABLES};
use transload::format::donna::Donna;
use transload::format::{DecodeContext, Format};
use transload::generate::{generate, Options};
use transload::model::{Content, Document, Instant, Part, Phase, Value};
use transload::pipeline::Batcher;
use transload::schema;
use transload::source::{read, FileContent, Found, Meaning, ReadOptions, Reading, WalkOptions, Walker};
use transload::target::postgres::{Parameters, PostgresOptions, PostgresTarget};
use transload::target::sqlite::SqliteTarget;
use transload::target::{Durability, Filter, Target};

const RECORDS: u64 = 10_000;

const READ: ReadOptions =
    ReadOptions { whole_bytes: 4 << 20, lock_patience: Duration::from_secs(5), follow_links: false };

/// Every document of the tree.
fn walk(root: &Path) -> Vec<Document> {
    let mut found = Vec::new();
    let mut walker = Walker::new(WalkOptions::new(root, false)).expect("the tree is there");
    let meaning = Meaning {
        classify: &|path: &_| Donna.classify(path),
        phase_of_directory: &|path: &_| Donna.phase_of_directory(path),
    };
    for phase in Phase::ALL {
        let each = &mut |one| {
            if let Found::Document(document) = one {
                found.push(document);
            }
            ControlFlow::Continue(())
        };
        walker.walk(&meaning, phase, each).expect("the tree can be walked");
    }
    found
}

fn decode(document: &Document, reading: &Reading, target: &dyn Target) -> Vec<Part> {
    let context = DecodeContext {
        zone: TimeZone::UTC,
        limits: target.capabilities().limits,
        base_time: Instant(0),
        part_rows: 1_000,
        part_bytes: 8 << 20,
    };
    let open = |file: usize| match &reading.files[file].content {
        FileContent::Whole(bytes) => Ok(Content::Whole(bytes)),
        FileContent::Large => unreachable!("the tree has no large file"),
    };
    let mut parts = Vec::new();
    let decoded = Donna.decode(document, &open, &context, &mut |part| {
        parts.push(part);
        ControlFlow::Continue(())
    });
    decoded.expect("the tree has no damage");
    parts
}

/// Chats with their messages, whose references are nobody's.
fn chats(documents: &[Document], readings: &[Reading], target: &dyn Target) -> Vec<Part> {
    let mut parts: Vec<Part> =
        documents.iter().zip(readings).flat_map(|(document, reading)| decode(document, reading, target)).collect();
    parts.retain(|part| [&CHAT_SESSIONS, &MESSAGES].contains(&part.table));
    for value in parts.iter_mut().flat_map(|part| &mut part.rows).flat_map(|row| &mut row.0) {
        if matches!(value, Value::Reference(_)) {
            *value = Value::Null;
        }
    }
    parts
}

fn stages(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let root = directory.path().join("tree");
    generate(&root, &Options { records: RECORDS, seed: 1, damage: 0.0 }).expect("a tree can be made");
    let documents = walk(&root);
    let bytes: u64 = documents.iter().map(Document::bytes).sum();
    let mut group = criterion.benchmark_group("stages");

    group.throughput(Throughput::ElementsAndBytes { elements: documents.len() as u64, bytes });
    group.bench_function("walk", |bencher| bencher.iter(|| assert_eq!(walk(&root).len(), documents.len())));
    group.bench_function("read and hash", |bencher| {
        bencher.iter(|| {
            let read = documents.iter().map(|document| read(&root, document, &READ).expect("it can be read").bytes());
            assert_eq!(read.sum::<u64>(), bytes);
        });
    });

    let readings: Vec<Reading> =
        documents.iter().map(|document| read(&root, document, &READ).expect("it can be read")).collect();
    let parameters = Parameters::from_url("postgres://nobody@nowhere/none").expect("a URL");
    // It encodes and never connects.
    let postgres = PostgresTarget::new(PostgresOptions::new(parameters));
    let parts = chats(&documents, &readings, &postgres);
    let elements = parts.iter().map(|part| part.rows.len() as u64).sum();
    assert!(elements > RECORDS, "{elements} rows");
    let bytes = parts.iter().map(|part| part.weight() as u64).sum();
    group.throughput(Throughput::ElementsAndBytes { elements, bytes });
    group.bench_function("encode for PostgreSQL", |bencher| {
        let encoder = postgres.encoder().expect("PostgreSQL has one");
        bencher.iter_batched_ref(
            Vec::new,
            |out| {
                assert!(parts.iter().all(|part| encoder.encode(part.table, &part.rows, out)));
                assert!(out.len() as u64 > elements * 50);
            },
            BatchSize::LargeInput,
        );
    });
    group.bench_function("batch", |bencher| {
        bencher.iter(|| {
            let mut batcher = Batcher::new(1_000, 8 << 20);
            let mut batches = 0;
            for part in &parts {
                batches += batcher.push(black_box(part), part.rows.len(), part.weight()).len();
            }
            batches += usize::from(batcher.take().is_some());
            assert!(batches as u64 >= elements / 1_000, "{batches} batches");
        });
    });
    write(&mut group, &parts);
    group.finish();
}

/// Into a SQLite file, a thousand rows a transaction. `migrate.rs` has PostgreSQL, whose work is the server's.
fn write(group: &mut BenchmarkGroup<WallTime>, parts: &[Part]) {
    group.sample_size(10);
    group.bench_function("write into SQLite", |bencher| {
        bencher.iter_custom(|rounds| {
            let mut took = Duration::ZERO;
            for _ in 0..rounds {
                let directory = tempfile::tempdir().expect("a temporary directory");
                let target = SqliteTarget::new(directory.path().join("bench.db"));
                let mut connection = target.connect(Durability::Relaxed).expect("a file can be made");
                schema::prepare(&mut *connection, "sqlite", "donna", &TABLES).expect("the schema is prepared");
                let begun = Clock::now();
                let mut batcher = Batcher::new(1_000, 8 << 20);
                let mut batches: Vec<Vec<&Part>> =
                    parts.iter().flat_map(|part| batcher.push(part, part.rows.len(), part.weight())).collect();
                batches.extend(batcher.take());
                for batch in batches {
                    connection.begin().expect("it can be written");
                    for part in batch {
                        connection.insert(part.table, &part.rows).expect("it can be written");
                    }
                    connection.commit().expect("it can be written");
                }
                took += begun.elapsed();
                let mut count = 0;
                let each = &mut |_: &[Value]| {
                    count += 1;
                    ControlFlow::Continue(())
                };
                connection.scan(&MESSAGES, &[0], &Filter::All, each).expect("it can be read");
                assert!(count >= RECORDS, "{count} messages");
            }
            took
        });
    });
}

criterion_group!(benches, stages);
criterion_main!(benches);
