//! What becomes of bytes before a database sees them, stage by stage: hash, parse, decode; and what
//! the proof makes of the same bytes.
//!
//! The documents are those of a generated tree, held in memory, so no disk is measured.

use std::fs;
use std::hint::black_box;
use std::ops::ControlFlow;
use std::path::Path;

use criterion::{criterion_group, criterion_main, Criterion, Throughput};
use jiff::tz::TimeZone;
use transload::format::donna::tables::KINDS;
use transload::format::donna::Donna;
use transload::format::proof::{Expected, Facts};
use transload::format::{DecodeContext, Format};
use transload::generate::{generate, Options};
use transload::json;
use transload::model::{digest, Content, Document, Instant, Phase, Row};
use transload::node;
use transload::source::{document_digest, Found, Meaning, Share, WalkOptions, Walker};
use transload::target::sqlite::SqliteTarget;
use transload::target::Target;

const RECORDS: u64 = 10_000;

/// A document and the bytes of its files.
struct Held {
    document: Document,
    contents: Vec<Vec<u8>>,
}

fn documents() -> Vec<Held> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let root = directory.path().join("tree");
    generate(&root, &Options { records: RECORDS, seed: 1, damage: 0.0 }).expect("a tree can be made");
    let mut found = Vec::new();
    let mut walker = Walker::new(WalkOptions::new(&root, false)).expect("the tree is there");
    let meaning = Meaning {
        classify: &|path: &_| Donna.classify(path),
        phase_of_directory: &|path: &_| Donna.phase_of_directory(path),
    };
    for phase in Phase::ALL {
        let each = &mut |one| {
            if let Found::Document(document) = one {
                found.push(hold(&root, document));
            }
            ControlFlow::Continue(())
        };
        walker.walk(&meaning, phase, each).expect("the tree can be walked");
    }
    assert!(KINDS.iter().all(|kind| found.iter().any(|held| held.document.kind == *kind)), "every kind is there");
    found
}

fn hold(root: &Path, document: Document) -> Held {
    let read = |path: &Path| fs::read(root.join(path)).expect("the file can be read");
    let contents = document.files.iter().map(|file| read(file.path.as_path())).collect();
    Held { document, contents }
}

fn decode(held: &Held, each: &mut dyn FnMut(&Row)) {
    let context = DecodeContext {
        zone: TimeZone::UTC,
        limits: SqliteTarget::new("none.db".into()).capabilities().limits,
        base_time: Instant(0),
        part_rows: 1_000,
        part_bytes: 8 << 20,
    };
    let open = |file: usize| Ok(Content::Whole(&held.contents[file]));
    let decoded = Donna.decode(&held.document, &open, &context, &mut |part| {
        part.rows.iter().for_each(&mut *each);
        ControlFlow::Continue(())
    });
    decoded.expect("the tree has no damage");
}

fn expect(held: &Held, each: &mut dyn FnMut(Expected)) {
    let document = &held.document;
    let files: Vec<_> = document.files.iter().map(|file| (file.path.clone(), file.role)).collect();
    let facts =
        Facts { kind: document.kind, key: &document.key, files: &files, base_time: Instant(0), zone: TimeZone::UTC };
    let open = |file: usize| Ok(Content::Whole(&held.contents[file]));
    let read = Donna.expect(&facts, &open, &mut |row| {
        each(row);
        ControlFlow::Continue(())
    });
    read.expect("the tree has no damage");
}

fn stages(criterion: &mut Criterion) {
    let documents = documents();
    let bytes = documents.iter().map(|held| held.document.bytes()).sum();
    let mut rows = 0;
    documents.iter().for_each(|held| decode(held, &mut |_| rows += 1));
    assert!(rows > RECORDS, "{rows} rows");

    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::ElementsAndBytes { elements: rows, bytes });
    group.bench_function("hash", |bencher| {
        bencher.iter(|| {
            let mut last = [0; 32];
            for held in &documents {
                let hashes: Vec<blake3::Hash> = held.contents.iter().map(|bytes| blake3::hash(bytes)).collect();
                let shares = held.document.files.iter().zip(&hashes);
                last = document_digest(shares.map(|(file, hash)| Share {
                    role: file.role.0,
                    size: file.size,
                    blake3: hash.as_bytes(),
                }));
            }
            assert_ne!(black_box(last), [0; 32]);
        });
    });
    group.bench_function("parse", |bencher| {
        bencher.iter(|| {
            let mut parsed = 0;
            for bytes in
                documents.iter().filter(|held| held.document.kind.name != "logs").flat_map(|held| &held.contents)
            {
                black_box(json::parse(bytes, &json::Arena::new()).expect("the tree has no damage"));
                parsed += 1;
            }
            assert!(parsed > documents.len() / 2);
        });
    });
    group.bench_function("decode", |bencher| {
        bencher.iter(|| {
            let mut seen = 0;
            documents.iter().for_each(|held| decode(held, &mut |row| seen += u64::from(!black_box(row).0.is_empty())));
            assert_eq!(seen, rows);
        });
    });
    group.bench_function("decode and digest rows", |bencher| {
        bencher.iter(|| {
            let mut seen = 0;
            let digested =
                |row: &Row| row.0.iter().all(|value| !matches!(value, transload::model::Value::Reference(_)));
            documents.iter().for_each(|held| {
                decode(held, &mut |row| {
                    // A row that refers is digested once its reference is resolved.
                    if digested(row) {
                        black_box(digest::row(row));
                    }
                    seen += 1;
                });
            });
            assert_eq!(seen, rows);
        });
    });
    group.bench_function("parse for the proof", |bencher| {
        bencher.iter(|| {
            let mut parsed = 0;
            for bytes in
                documents.iter().filter(|held| held.document.kind.name != "logs").flat_map(|held| &held.contents)
            {
                black_box(node::parse(bytes).expect("the tree has no damage"));
                parsed += 1;
            }
            assert!(parsed > documents.len() / 2);
        });
    });
    group.bench_function("expect", |bencher| {
        bencher.iter(|| {
            let mut seen = 0;
            documents
                .iter()
                .for_each(|held| expect(held, &mut |row| seen += u64::from(!black_box(row).cells.is_empty())));
            assert_eq!(seen, rows);
        });
    });
    group.finish();
}

criterion_group!(benches, stages);
criterion_main!(benches);
