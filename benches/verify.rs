//! How fast the proof is, beside what it cannot do without: reading the same tables in order by
//! binary COPY, and parsing the same files. Medians of three, one after the other on one machine.
//!
//! `TRANSLOAD_BENCH_RECORDS=1000000 cargo bench --bench verify` is the size that counts; the default
//! is small enough to try it.

#[path = "../tests/support/mod.rs"]
mod support;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use postgres::{Client, NoTls};
use rayon::prelude::*;
use support::place::Place;
use support::postgres::{Options as ServerOptions, PrivatePostgres};
use transload::generate::{generate, Options};

const ROUNDS: usize = 3;

/// The tables, each in the order of what it is compared by.
const TABLES: [(&str, &str); 4] = [
    ("users", "id"),
    ("chat_sessions", "id"),
    ("messages", "chat_session_id, sequence_number"),
    ("user_memory", "user_id, memory_type, key"),
];

/// What else it reads: the ledger's documents, and what columns do not say.
const LEDGER: [(&str, &str); 2] = [("transload.documents", "id"), ("transload.residue", "document_id, part")];

fn main() {
    // Test runners start bench programs, too, to ask for their tests: there are none.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let records = std::env::var("TRANSLOAD_BENCH_RECORDS").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let source = directory.path().join("tree");
    let made = generate(&source, &Options { records, seed: 1, damage: 0.0 }).expect("a tree can be made");
    println!("{} messages in {} files, {} MiB", made.messages, made.files, made.bytes >> 20);
    let server = PrivatePostgres::start_with(&ServerOptions { fsync: true, ..ServerOptions::default() });
    let place = Place::postgres(server);
    let database = place.fresh();
    assert_eq!(place.run(&source, &database, &[]).code, Some(0), "the tree can be loaded");
    let mut client = Client::connect(&database.url, NoTls).expect("the server answers");
    client.batch_execute("VACUUM ANALYZE").expect("it can be tidied up");
    let read = median(|| read_tables(&mut client, &TABLES));
    let ledger = median(|| read_tables(&mut client, &LEDGER));
    let parse = median(|| parse_files(&source));
    let floor = read + parse;
    println!("tables by ordered binary COPY  {:>8.2} s", read.as_secs_f64());
    println!("the ledger's in the same way   {:>8.2} s", ledger.as_secs_f64());
    println!("files parsed                   {:>8.2} s", parse.as_secs_f64());
    println!("floor, tables and files        {:>8.2} s", floor.as_secs_f64());
    let mut peak = 0;
    let verify = median(|| verify(&source, &database.url, &mut peak));
    println!("verify                         {:>8.2} s", verify.as_secs_f64());
    println!("ratio to the floor             {:>8.2}", verify.as_secs_f64() / floor.as_secs_f64());
    let all = floor + ledger;
    println!("ratio with the ledger's tables {:>8.2}", verify.as_secs_f64() / all.as_secs_f64());
    println!("peak memory                    {:>8} MiB", peak >> 20);
}

fn median(mut run: impl FnMut() -> Duration) -> Duration {
    let mut times: Vec<Duration> = (0..ROUNDS).map(|_| run()).collect();
    times.sort();
    times[ROUNDS / 2]
}

fn read_tables(client: &mut Client, tables: &[(&str, &str)]) -> Duration {
    let begin = Instant::now();
    let mut bytes = 0;
    for (table, order) in tables {
        let query = format!("COPY (SELECT * FROM {table} ORDER BY {order}) TO STDOUT (FORMAT binary)");
        let mut reader = client.copy_out(&query).expect("the table can be read");
        let mut buffer = [0; 64 * 1024];
        loop {
            match reader.read(&mut buffer).expect("the rows come") {
                0 => break,
                read => bytes += read,
            }
        }
    }
    assert!(bytes > 0);
    begin.elapsed()
}

fn parse_files(source: &Path) -> Duration {
    let begin = Instant::now();
    let files: Vec<PathBuf> = walkdir::WalkDir::new(source)
        .into_iter()
        .map(|entry| entry.expect("the tree can be walked"))
        .filter(|entry| entry.file_type().is_file() && entry.path().extension().is_some_and(|it| it == "json"))
        .map(|entry| entry.into_path())
        .collect();
    let parsed: usize = files
        .par_iter()
        .map(|path| {
            let bytes = fs::read(path).expect("a file can be read");
            usize::from(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok())
        })
        .sum();
    assert!(parsed > 0);
    begin.elapsed()
}

/// The real program, from its start to its end; `peak` is the most memory that it held at once.
fn verify(source: &Path, url: &str, peak: &mut u64) -> Duration {
    let begin = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_transload"));
    command.arg("verify").arg(source).args(["--db", url, "--quiet"]).stdout(std::process::Stdio::null());
    let mut child = command.spawn().expect("the program starts");
    let status = loop {
        let text = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).and_then(|number| number.trim().parse().ok());
        *peak = (*peak).max(kib.unwrap_or(0u64) * 1024);
        if let Some(status) = child.try_wait().expect("the program can be waited for") {
            break status;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(status.success(), "verify agrees");
    begin.elapsed()
}
