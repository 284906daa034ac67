//! The rules for migration files: each with files that break it and files that keep it, the text of
//! every message, the documents, and the commands.
//!
//! `TRANSLOAD_TEST_REWRITE=1 cargo test --test schema_lint` writes the messages and the table of
//! rules anew; every line that changes is to be read.

#[path = "schema_lint/reading.rs"]
mod reading;
mod support;
#[path = "schema_lint/truth.rs"]
mod truth;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use transload::schema::files::{MigrationFile, MigrationSet};
use transload::schema::lint::{lint, table, Finding, RULES};
use transload::schema::migration_set;
use transload::schema::sql::Dialect;

use support::cli::Workplace;

fn root(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(below)
}

/// The folders within a folder, sorted.
fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let paths = entries.map(|entry| entry.expect("readable").path());
    let mut folders: Vec<PathBuf> = paths.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn name(path: &Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
}

/// Compares with a file, or writes it.
fn assert_is(path: &Path, text: &str) {
    if std::env::var_os("TRANSLOAD_TEST_REWRITE").is_some_and(|value| value == "1") {
        fs::write(path, text).expect("written");
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    assert_eq!(text, expected, "{} is another", path.display());
}

/// What lint finds in each of a fixture's directories of one kind that concerns its rule.
fn found(fixture: &Path, kind: &str) -> Vec<(String, Vec<Finding>)> {
    let number = name(fixture).split('-').next().expect("a number").to_owned();
    let directories = folders(&fixture.join(kind));
    assert!(!directories.is_empty(), "{}", fixture.display());
    directories
        .into_iter()
        .map(|directory| {
            let dialect = Dialect::by_name(&name(&directory)).expect("named after a database");
            let mut set = MigrationSet::read(&directory, dialect).expect("readable");
            assert!(!set.files.is_empty() || !set.strays.is_empty());
            set.origin = format!("app/{dialect}");
            let mut findings = lint(&set);
            findings.retain(|finding| finding.rule.number == number);
            (name(&directory), findings)
        })
        .collect()
}

fn fixtures() -> Vec<PathBuf> {
    folders(&root("fixtures/schema-lint"))
}

#[test]
fn every_rule_has_files_that_break_it_and_files_that_keep_it() {
    let rules: BTreeSet<String> = RULES.iter().map(|rule| format!("{}-{}", rule.number, rule.name)).collect();
    assert_eq!(fixtures().iter().map(|path| name(path)).collect::<BTreeSet<_>>(), rules);
    for fixture in fixtures() {
        for (dialect, findings) in found(&fixture, "bad") {
            assert!(!findings.is_empty(), "{} {dialect}: nothing was found", fixture.display());
        }
        for (dialect, findings) in found(&fixture, "good") {
            assert_eq!(findings, [], "{} {dialect}", fixture.display());
        }
    }
}

#[test]
fn every_message_is_as_it_was_read() {
    for fixture in fixtures() {
        let mut messages = String::new();
        for (dialect, findings) in found(&fixture, "bad") {
            for finding in findings {
                let place = finding.place.map(|place| format!(":{}:{}", place.line, place.column)).unwrap_or_default();
                let rule = finding.rule;
                writeln!(
                    messages,
                    "{dialect}/{}{place}: {} {} {}: {}\n    {}",
                    finding.file,
                    rule.severity.name(),
                    rule.number,
                    rule.name,
                    finding.message,
                    finding.help
                )
                .expect("a string takes all");
            }
        }
        assert_is(&fixture.join("messages.txt"), &messages);
    }
}

#[test]
fn the_document_lists_the_rules() {
    let path = root("docs/schema-rules.md");
    let text = fs::read_to_string(&path).expect("readable");
    let start = text.find("| number |").expect("there is a table");
    let rows: usize = text[start..].lines().take_while(|line| line.starts_with('|')).map(|line| line.len() + 1).sum();
    assert_is(&path, &format!("{}{}{}", &text[..start], table(), &text[start + rows..]));
}

#[test]
fn our_own_migrations_keep_the_rules_or_say_why_not() {
    for dialect in Dialect::ALL {
        for schema in ["donna", "transload", "history"] {
            let set = migration_set(schema, dialect).expect("there is one");
            assert!(set.files.len() >= 2);
            let findings: Vec<_> = lint(&set).into_iter().filter(|finding| finding.silenced.is_none()).collect();
            assert_eq!(findings, [], "{schema}/{dialect}");
        }
    }
}

/// A directory of migrations in a working directory.
fn place(files: &[(&str, &str)]) -> Workplace {
    let place = Workplace::new();
    for (path, text) in files {
        let path = place.path(path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        fs::write(path, text).expect("written");
    }
    place
}

/// The declared schema of that file.
fn declared(number: u32, file: &str) -> String {
    let name = format!("{number:04}_x.sql");
    let file = MigrationFile::parse(&name, file.to_owned(), Dialect::Sqlite).expect("a good name");
    let tokens: String = file.token_checksum().iter().map(|byte| format!("{byte:02x}")).collect();
    format!(r#"{{"format":1,"number":{number},"dialect":"sqlite","tokens":"{tokens}","schema":{{}}}}"#)
}

const GOOD: &str =
    "-- WHY: a table.\n-- ENSURE: SELECT count(*) = 1 FROM pragma_table_info('a') WHERE name = 'b' AND type = 'TEXT'\n\
                    CREATE TABLE IF NOT EXISTS a (b TEXT) STRICT;\n";

#[test]
fn warnings_alone_are_no_failure_and_errors_are() {
    let place = place(&[("app/sqlite/0001_a.sql", GOOD), ("app/sqlite/0001.json", &declared(1, GOOD))]);
    let clean = place.run(&["schema", "lint", "app/sqlite"]).expect(0);
    assert_eq!((clean.stdout.as_str(), clean.stderr.as_str()), ("1 migration file for SQLite: no findings\n", ""));

    fs::write(
        place.path("app/sqlite/0003_b.sql"),
        "-- WHY: another.\nCREATE TABLE b (c TEXT);\nCOMMIT;\nDROP TABLE a;\n",
    )
    .expect("written");
    let found = place.run(&["schema", "lint", "app/sqlite"]).expect(1);
    assert_eq!(
        found.stdout,
        "app/sqlite/0003_b.sql:3:1: error 2.1 transaction-control: `COMMIT` ends or divides the transaction\n\
         \x20   help: leave it out: the runner begins and commits; what cannot run in a transaction says `-- NO TRANSACTION`\n\
         app/sqlite/0003_b.sql: error 4.4 snapshot-missing: `0003.json` is missing, and other versions have theirs\n\
         \x20   help: `transload schema snapshot app/sqlite` writes it from a scratch database; review and commit it\n\
         app/sqlite/0003_b.sql:4:1: error 8.1 destroys: `DROP TABLE a` takes the data along\n\
         \x20   help: if that is meant, add the header comment `-- DESTRUCTIVE`; it then needs `--allow-destructive`\n\
         app/sqlite/0003_b.sql:2:1: warning 3.1 not-idempotent: `CREATE TABLE b` fails where it is there already\n\
         \x20   help: say IF NOT EXISTS, and check the outcome with an ENSURE or a snapshot\n\
         app/sqlite/0003_b.sql:4:1: warning 3.1 not-idempotent: `DROP TABLE a` fails where it is not there\n\
         \x20   help: say IF EXISTS, and check the outcome with an ENSURE or a snapshot\n\
         app/sqlite/0003_b.sql: warning 4.1 no-post-condition: nothing checks what it has done\n\
         \x20   help: add `-- ENSURE: ` and a query that must return true, or declare the schema with a snapshot\n\
         app/sqlite/0003_b.sql: warning 6.3 gap: there is no file 0002\n\
         \x20   help: bring the missing file, or close the gap before anything is applied\n\
         \n\
         2 migration files for SQLite: 3 errors, 4 warnings\n"
    );
    assert_eq!(found.stderr, "");

    fs::remove_file(place.path("app/sqlite/0003_b.sql")).expect("removed");
    fs::remove_file(place.path("app/sqlite/0001.json")).expect("removed");
    let warned = place.run(&["schema", "lint", "app/sqlite"]).expect(0);
    assert!(warned.stdout.ends_with("1 migration file for SQLite: 0 errors, 1 warning\n"), "{}", warned.stdout);
}

#[test]
fn the_json_says_the_same() {
    let text = "-- WHY: a table.\nCREATE TABLE a (b TEXT);\nCOMMIT;\n";
    let place = place(&[("m/0001_a.sql", text), ("m/0001.json", &declared(1, text))]);
    let json = place.run(&["schema", "lint", "m", "--dialect", "sqlite", "--json"]).expect(1).json();
    assert_eq!(json["version"], 1);
    assert_eq!((&json["directory"], &json["dialect"]), (&"m".into(), &"sqlite".into()));
    assert_eq!((&json["files"], &json["errors"], &json["warnings"]), (&1.into(), &1.into(), &1.into()));
    assert_eq!(
        json["findings"],
        serde_json::json!([
            {
                "file": "0001_a.sql", "line": 2, "column": 1, "rule": "3.1", "name": "not-idempotent",
                "severity": "warning", "message": "`CREATE TABLE a` fails where it is there already",
                "help": "say IF NOT EXISTS, and check the outcome with an ENSURE or a snapshot",
                "silenced": null,
            },
            {
                "file": "0001_a.sql", "line": 3, "column": 1, "rule": "2.1", "name": "transaction-control",
                "severity": "error", "message": "`COMMIT` ends or divides the transaction",
                "help": "leave it out: the runner begins and commits; what cannot run in a transaction says \
                         `-- NO TRANSACTION`",
                "silenced": null,
            },
        ])
    );
}

#[test]
fn the_dialect_is_said_or_seen() {
    let place =
        place(&[("m/0001_a.sql", "CREATE TABLE [a] (b TEXT);"), ("postgres/0001_a.sql", "CREATE TABLE a (b text);")]);
    let dialect = |arguments: &[&str]| {
        let found = place.run(&[&["schema", "lint", "--json"], arguments].concat());
        found.json()["dialect"].as_str().expect("a name").to_owned()
    };
    assert_eq!(dialect(&["m", "--dialect", "sqlite"]), "sqlite");
    assert_eq!(dialect(&["postgres"]), "postgres");
    assert_eq!(dialect(&["postgres", "--db", "sqlite:a.db"]), "postgres");
    assert_eq!(dialect(&["m", "--db", "sqlite:a.db"]), "sqlite");
    assert_eq!(dialect(&["m", "--db", "postgres://h/d"]), "postgres");

    let unsaid = place.run(&["schema", "lint", "m"]).expect(64);
    assert_eq!(
        unsaid.stderr,
        "error: whose SQL `m` holds is not said\n\
         hint: give --dialect postgres or --dialect sqlite, or call the directory so\n"
    );
    place.run(&["schema", "lint", "m", "--dialect", "oracle"]).expect(64);
    place.run(&["schema", "lint"]).expect(64);
    place.run(&["schema"]).expect(64);
}

#[test]
fn what_cannot_be_read_is_not_in_order() {
    let place = place(&[("app/sqlite/0001_a.sql", GOOD), ("app/postgres/0001_a.sql", GOOD), ("empty/README.md", "")]);
    let missing = place.run(&["schema", "lint", "nowhere", "--dialect", "sqlite"]).expect(2);
    assert!(
        missing.stderr.starts_with("error: cannot read the directory `nowhere`\ncaused by: "),
        "{}",
        missing.stderr
    );
    let above = place.run(&["schema", "lint", "app", "--dialect", "sqlite"]).expect(2);
    assert_eq!(
        above.stderr,
        "error: there are no migration files in `app`\nhint: was `app/postgres` or `app/sqlite` meant?\n"
    );
    let empty = place.run(&["schema", "lint", "empty", "--dialect", "sqlite"]).expect(2);
    assert_eq!(
        empty.stderr,
        "error: there are no migration files in `empty`\nhint: `transload schema new NAME DIR` writes the first one\n"
    );
    assert_eq!(missing.stdout + &above.stdout + &empty.stdout, "");
}

#[test]
fn a_new_file_has_the_next_number_and_waits_for_its_reason() {
    let place = place(&[("sqlite/README.md", "")]);
    assert_eq!(
        place.run(&["schema", "new", "core_tables", "sqlite"]).expect(0).stdout,
        "sqlite/0001_core_tables.sql\n"
    );
    let text = fs::read_to_string(place.path("sqlite/0001_core_tables.sql")).expect("readable");
    assert!(text.starts_with("-- WHY:\n"), "{text}");
    let unsaid = place.run(&["schema", "lint", "sqlite"]).expect(1);
    assert!(unsaid.stdout.contains("sqlite/0001_core_tables.sql:1:1: error 5.6 directive-unclear: WHY says nothing\n"));
    // Nothing else in it is taken for said.
    assert_eq!(unsaid.stdout.matches("error").count(), 2, "{}", unsaid.stdout);

    fs::write(place.path("sqlite/0007_x.sql.retired"), "-- It was wrong.\n").expect("written");
    assert_eq!(place.run(&["schema", "new", "phones", "sqlite"]).expect(0).stdout, "sqlite/0008_phones.sql\n");
    assert!(fs::read_to_string(place.path("sqlite/0008_phones.sql"))
        .expect("readable")
        .contains("0001_core_tables.sql"));
    fs::write(place.path("sqlite/9999_last.sql"), GOOD).expect("written");
    let full = place.run(&["schema", "new", "more", "sqlite"]).expect(2);
    assert!(full.stderr.starts_with("error: the number 9999 is taken"), "{}", full.stderr);
    place.run(&["schema", "new", "more", "nowhere"]).expect(2);
}

#[test]
fn a_bad_name_for_a_new_file_is_refused_with_its_rule() {
    let place = place(&[("sqlite/README.md", "")]);
    for (name, said) in [
        ("add-phone.sql", "there is a hyphen in its name\nhint: the number is added; try `add_phone`\n"),
        ("0002_addPhone", "there is a capital letter in its name\nhint: the number is added; try `add_phone`\n"),
        ("add phone", "there is a ' ' in its name\nhint: the number is added; try `add_phone`\n"),
        ("../x", "there is a '.' in its name\nhint: the number is added; try `x`\n"),
        ("", "its name says nothing behind the number\nhint: small letters, digits and underscores say what it does, e.g. add_phone_to_users\n"),
    ] {
        let refused = place.run(&["schema", "new", name, "sqlite"]).expect(64);
        assert_eq!(refused.stderr, format!("error: `{name}` is no name for a migration (rule 6.1): {said}"));
    }
    assert_eq!(fs::read_dir(place.path("sqlite")).expect("readable").count(), 1);
}

/// The guide's commands, with what they print, one after the other in one directory.
#[test]
fn the_commands_of_the_guide_do_what_it_says() {
    let guide = fs::read_to_string(root("docs/schema-authoring.md")).expect("readable");
    let place = Workplace::new();
    let (mut commands, mut expected, mut heredoc) = (Vec::<String>::new(), Vec::<String>::new(), false);
    // Blank lines belong to what is printed only if more of it follows.
    let mut blank = 0;
    for line in guide.lines() {
        let within = line.strip_prefix("    ").or((heredoc && line.is_empty()).then_some(""));
        let Some(line) = within else {
            blank = if line.is_empty() { blank + 1 } else { 0 };
            if blank == 0 {
                expected.push(String::new());
                commands.push(String::new());
            }
            continue;
        };
        let passed = "\n".repeat(std::mem::take(&mut blank));
        if heredoc {
            let command = commands.last_mut().expect("it began");
            *command += &format!("\n{line}");
            heredoc = line != "END";
        } else if let Some(command) = line.strip_prefix("$ ") {
            commands.push(command.to_owned());
            expected.push(String::new());
            heredoc = command.ends_with("<<'END'");
        } else if let Some(printed) = expected.last_mut() {
            let gap = if printed.is_empty() { String::new() } else { passed };
            *printed += &format!("{gap}{line}\n");
        }
    }
    assert!(commands.iter().filter(|command| !command.is_empty()).count() >= 8, "{commands:?}");
    let program = Path::new(env!("CARGO_BIN_EXE_transload")).parent().expect("a directory").display().to_string();
    for (command, expected) in commands.iter().zip(&expected).filter(|(command, _)| !command.is_empty()) {
        let mut shell = std::process::Command::new("sh");
        shell.current_dir(place.path("")).env_clear().env("PATH", format!("{program}:/usr/bin:/bin"));
        let output = shell.arg("-c").arg(command).output().expect("there is a shell");
        let printed =
            String::from_utf8(output.stdout).expect("text") + &String::from_utf8(output.stderr).expect("text");
        assert_eq!(&printed, expected, "{command}");
    }
}

#[test]
fn a_warning_that_is_meant_is_told_apart_with_its_reason() {
    let why = "-- WHY: x\n-- ALLOW: 3.1 because the table\n-- is ours alone\n";
    let place =
        place(&[("app/0001_a.sql", &format!("{why}CREATE TABLE a (b INTEGER);\nCREATE TABLE c (d INTEGER);\n"))]);
    let run = |more: &[&str]| place.run(&[&["schema", "lint", "app", "--dialect", "sqlite"], more].concat()).expect(0);
    let said = run(&[]).stdout;
    assert!(
        said.contains("app/0001_a.sql: silenced 3.1 not-idempotent, 2 warnings: the table is ours alone\n"),
        "{said}"
    );
    assert!(said.ends_with("1 migration file for SQLite: 0 errors, 2 warnings, 2 silenced\n"), "{said}");
    let json = run(&["--json"]).json();
    assert_eq!((&json["warnings"], &json["silenced"]), (&2.into(), &2.into()));
    let reasons = json["findings"].as_array().expect("a list").iter().map(|finding| &finding["silenced"]);
    assert_eq!(reasons.filter(|reason| *reason == "the table is ours alone").count(), 2);
}
