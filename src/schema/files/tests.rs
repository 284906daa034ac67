//! Names, sets, directives and checksums.

use std::fs;

use super::*;
use crate::schema::header::{Directive, HeaderFlaw};
use Dialect::{Postgres, Sqlite};

fn file(text: &str) -> MigrationFile {
    MigrationFile::parse("0002_x.sql", text.to_owned(), Postgres).expect("a good name")
}

fn header(text: &str) -> Header {
    file(text).header
}

#[test]
fn a_name_has_four_digits_and_small_letters() {
    let kind = |name: &str| FileKind::of(name);
    assert_eq!(kind("0001_a_2.sql"), FileKind::Migration { number: 1, name: "a_2".to_owned() });
    assert_eq!(kind("9999_x.sql"), FileKind::Migration { number: 9999, name: "x".to_owned() });
    for (name, flaw) in [
        ("0032-add-column.sql", NameFlaw::Hyphen),
        ("0032_add-column.sql", NameFlaw::Hyphen),
        ("0033_AddColumn.sql", NameFlaw::Capital),
        ("0033_x.SQL", NameFlaw::Capital),
        ("33_x.sql", NameFlaw::Number),
        ("00033_x.sql", NameFlaw::Number),
        ("0033x.sql", NameFlaw::Number),
        ("x.sql", NameFlaw::Number),
        (".sql", NameFlaw::Number),
        ("0033.sql", NameFlaw::Empty),
        ("0033_.sql", NameFlaw::Empty),
        ("0033_a b.sql", NameFlaw::Character(' ')),
        ("0033_é.sql", NameFlaw::Character('é')),
    ] {
        assert_eq!(kind(name), FileKind::BadName(flaw), "{name}");
    }
    assert_eq!(kind("0003_x.sql.retired"), FileKind::Retired { number: Some(3) });
    assert_eq!(kind("x.sql.retired"), FileKind::Retired { number: None });
    assert_eq!(kind("0003.json"), FileKind::Snapshot { number: 3 });
    for (name, ending) in [
        ("0003_x.sql.disabled", ".disabled"),
        ("0003_x.skip", ".skip"),
        ("0003_x.sql~", "~"),
        ("0003_x", ""),
        ("0003_é.txt", ".txt"),
    ] {
        assert_eq!(kind(name), FileKind::OtherEnding(ending.to_owned()), "{name}");
    }
    for name in ["README.md", ".gitkeep", ".0003_x.sql.swp", "package.json", "notes"] {
        assert_eq!(kind(name), FileKind::Other, "{name}");
    }
}

#[test]
fn a_directory_is_read_in_the_order_of_numbers() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let write = |name: &str, bytes: &[u8]| fs::write(directory.path().join(name), bytes).expect("written");
    write("0010_b.sql", b"SELECT 2;");
    write("0002_a.sql", b"SELECT 1;");
    write("0003_x.sql.retired", b"-- It was wrong.\n-- Very.\nSELECT 3;");
    write("0004_y.sql", b"\xff");
    write("0002.json", b"{}");
    fs::create_dir(directory.path().join("snapshots")).expect("made");
    write("snapshots/0010.json", b"[]");
    fs::create_dir(directory.path().join("old")).expect("made");
    write("old/0001_z.sql", b"");
    let set = MigrationSet::read(directory.path(), Sqlite).expect("readable");
    assert_eq!(set.files.iter().map(|file| file.number).collect::<Vec<_>>(), [2, 10]);
    assert_eq!(set.by_number(10).map(|file| file.sql(&file.statements[0])), Some("SELECT 2"));
    assert_eq!(set.retired[0].reason.as_deref(), Some("It was wrong.\nVery."));
    assert_eq!(set.retired[0].former(), "0003_x.sql");
    let snapshots: Vec<_> = set.snapshots.iter().map(|snapshot| snapshot.file.as_str()).collect();
    assert_eq!(snapshots, ["0002.json", "snapshots/0010.json"]);
    let strays: Vec<_> = set.strays.iter().map(|stray| (stray.file.as_str(), &stray.reason)).collect();
    assert_eq!(strays, [("0004_y.sql", &StrayReason::NotText { at: 0 }), ("old", &StrayReason::Folder)]);

    let files: Vec<(&str, &[u8])> = vec![("snapshots/0010.json", b"[]"), ("0010_b.sql", b"SELECT 2;")];
    let embedded = MigrationSet::embedded("app", Sqlite, files);
    assert_eq!(embedded.files, set.files[1..]);
    assert_eq!(embedded.snapshots, set.snapshots[1..]);
}

#[test]
fn a_directory_that_is_not_there_is_an_error() {
    let error = MigrationSet::read(std::path::Path::new("/no/such/place"), Sqlite).expect_err("it is not there");
    assert_eq!(error.to_string(), "cannot read the directory `/no/such/place`");
}

#[test]
fn directives_say_what_a_file_needs_and_why() {
    let header = header(
        "\u{feff}-- DEPENDS: 0001_a.sql (makes the table, and more), 0000_b.sql\n\
         -- WHY: a reason\n--   that goes on\n--\n-- and no longer does.\n\
         --DESTRUCTIVE: the column was never read\n-- NO TRANSACTION\r\n-- ROLLBACK OF: 0001_a.sql (too early)\n\
         -- OPTIONAL: logs\nSELECT 1;",
    );
    let texts: Vec<_> = header.depends.iter().map(|said| said.text.as_str()).collect();
    assert_eq!(texts, ["0001_a.sql", "0000_b.sql"]);
    let text = |said: &Option<crate::schema::header::Said>| said.as_ref().map(|said| said.text.clone());
    assert_eq!(text(&header.why).as_deref(), Some("a reason\nthat goes on"));
    assert_eq!(text(&header.destructive).as_deref(), Some("the column was never read"));
    assert_eq!(text(&header.no_transaction).as_deref(), Some(""));
    assert_eq!(text(&header.rollback_of).as_deref(), Some("0001_a.sql"));
    assert_eq!(text(&header.optional).as_deref(), Some("logs"));
    assert_eq!(header.flaws, []);
}

#[test]
fn a_post_condition_may_have_many_lines_and_stand_below_the_statements() {
    let header = header(
        "-- ENSURE: SELECT a\n--   FROM b -- c\n-- ENSURE: SELECT 2;\n-- a remark\nCREATE TABLE a (b int); -- ENSURE: SELECT 3\n\
         \n-- ENSURE:\n--   SELECT 4\n\n-- another remark\n",
    );
    let found: Vec<_> = header.ensures.iter().map(|ensure| (ensure.sql.as_str(), ensure.line)).collect();
    assert_eq!(found, [("SELECT a\nFROM b -- c", 1), ("SELECT 2", 3), ("SELECT 3", 5), ("\nSELECT 4", 7)]);
    assert_eq!(header.flaws, []);
}

#[test]
fn what_is_nearly_a_directive_is_not_overlooked() {
    let flaw = |text: &str| header(text).flaws.first().map(|(flaw, _)| *flaw);
    for (text, expected) in [
        ("-- DEPENDS 0001_a.sql", HeaderFlaw::Misspelled(Directive::Depends)),
        ("-- Depends on: 0001_a.sql", HeaderFlaw::Misspelled(Directive::Depends)),
        ("-- NO-TRANSACTION", HeaderFlaw::Misspelled(Directive::NoTransaction)),
        ("-- no transaction: busy", HeaderFlaw::Misspelled(Directive::NoTransaction)),
        ("-- ROLLBACK: 0001_a.sql", HeaderFlaw::Misspelled(Directive::RollbackOf)),
        ("-- WHY:", HeaderFlaw::Empty(Directive::Why)),
        ("-- WHY: a\n-- WHY: b", HeaderFlaw::Again(Directive::Why)),
        ("SELECT 1; -- DESTRUCTIVE", HeaderFlaw::Misplaced(Directive::Destructive)),
        ("SELECT -- ENSURE: SELECT true\n 1;", HeaderFlaw::Misplaced(Directive::Ensure)),
    ] {
        assert_eq!(flaw(text), Some(expected), "{text}");
    }
    for text in ["-- why not", "-- Destructive tests are fine.", "-- WHYEVER: x", "/* DEPENDS x */", "-- DESTRUCTIVE"] {
        assert_eq!(flaw(text), None, "{text}");
    }
}

#[test]
fn an_edit_of_comments_and_layout_changes_one_checksum_only() {
    let before = file("-- WHY: x\nCREATE TABLE a (b text DEFAULT 'c\nd');\n");
    let after = file("\u{feff}-- ENSURE: SELECT 1\r\nCREATE   TABLE a(b text /* ! */ DEFAULT 'c\r\nd') ;");
    assert_ne!(before.raw_checksum(), after.raw_checksum());
    assert_eq!(before.token_checksum(), after.token_checksum());
    for other in
        ["CREATE TABLE a (b TEXT DEFAULT 'c\nd');", "CREATE TABLE a (b text DEFAULT 'c d');", "CREATE TABLEa (b text);"]
    {
        assert_ne!(before.token_checksum(), file(other).token_checksum(), "{other}");
    }
    assert_ne!(file("SELECT a b").token_checksum(), file("SELECT ab").token_checksum());
}

#[test]
fn what_is_built_in_is_read_as_a_directory_is() {
    for dialect in Dialect::ALL {
        for schema in ["donna", crate::schema::LEDGER] {
            let built_in = crate::schema::migration_set(schema, dialect).expect("there is one");
            let root =
                std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schema").join(schema).join(dialect.name());
            let read = MigrationSet::read(&root, dialect).expect("readable");
            assert_eq!(built_in.files, read.files);
            assert!(!built_in.files.is_empty());
            let migrations = crate::schema::migrations(schema, dialect.name()).expect("there are some");
            for (file, migration) in built_in.files.iter().zip(migrations) {
                assert_eq!(file.raw_checksum(), migration.checksum());
                assert!(file.header.why.is_some());
            }
        }
    }
}

#[test]
fn remarks_that_only_begin_like_a_directive_are_remarks() {
    for text in [
        "-- Rollback: DROP TABLE a;",
        "-- Requires: PostgreSQL 15",
        "-- Optional: an index would do",
        "-- Ensure: nobody writes meanwhile",
        "-- DESTRUCTIVE TESTS are elsewhere",
        "CREATE TABLE a ( -- WHY: the first one\n b int); -- WHY: the end",
    ] {
        assert_eq!(header(text).flaws, [], "{text}");
    }
    for text in ["-- Rollback: 0001_a.sql", "-- ensure: select true", "-- OPTIONAL logs"] {
        assert_eq!(header(text).flaws.len(), 1, "{text}");
    }
}
