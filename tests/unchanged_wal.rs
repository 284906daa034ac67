//! A run that finds nothing changed leaves PostgreSQL's tables alone: no row of the application's or of
//! the bookkeeping's is written again, and next to nothing goes to its log.

mod support;

use support::cli::Workplace;
use support::postgres::{execute, query, value, Options, PrivatePostgres};
use transload::generate::{generate, Options as TreeOptions};

const TABLES: [&str; 6] =
    ["users", "chat_sessions", "messages", "user_memory", "transload.documents", "transload.residue"];

/// Each row by its place and by the transaction that wrote it: written again, it has others.
fn versions(url: &str) -> Vec<Vec<Vec<Option<String>>>> {
    TABLES.map(|table| query(url, &format!("SELECT ctid, xmin FROM {table} ORDER BY ctid"))).to_vec()
}

#[test]
fn a_second_run_over_an_unchanged_tree_writes_no_row_and_almost_no_wal() {
    let place = Workplace::new();
    let tree = TreeOptions { records: 4_000, seed: 1, damage: 0.0 };
    generate(&place.path("tree"), &tree).expect("a tree can be made");
    // A server of its own, because WAL is the whole server's; with whole pages in it, as in production;
    // without a vacuum that comes when it likes.
    let server =
        PrivatePostgres::start_with(&Options { fsync: true, conf: &["autovacuum = off"], ..Options::default() });
    let url = server.create_database("app");
    let migrate = || place.run(&["migrate", "tree", "--db", &url, "--json", "--quiet"]).expect(0).json();
    let first = migrate();
    assert!(first["documents"]["loaded"].as_u64() > Some(250), "{first}");
    let before = versions(&url);
    assert!(before.iter().all(|rows| !rows.is_empty()), "a table has no rows");
    assert!(before[2].len() >= 4_000, "{} messages", before[2].len());

    // Behind a checkpoint each page goes to the log in full when it is first touched.
    execute(&url, "CHECKPOINT");
    let begin = value(&url, "SELECT pg_current_wal_insert_lsn()");
    let second = migrate();
    let wal: u64 = value(&url, &format!("SELECT pg_current_wal_insert_lsn() - '{begin}'")).parse().expect("a number");
    assert_eq!(second["documents"]["unchanged"], first["documents"]["loaded"], "{second}");
    assert_eq!(second["rows"], 0, "{second}");
    assert!(versions(&url) == before, "rows were written again");
    assert_eq!(value(&url, "SELECT count(*) FROM transload.runs"), "2");
    assert!(wal > 0 && wal < 1_000_000, "{wal} bytes of WAL");
}
