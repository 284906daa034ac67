//! `transload bench` as a user runs it: small, because its figures are not what is tested.

mod support;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::process::Command;

use serde_json::Value;
use support::chromium::Browser;
use support::cli::{Finished, Workplace};
use support::postgres::{fresh_database, query};
use transload::generate::{generate_beside, Options};

/// The program with the variables that it finds other programs and temporary directories by.
fn bench(place: &Workplace, arguments: &[&str]) -> Finished {
    fs::create_dir_all(place.path("tmp")).expect("a directory can be made");
    let programs = std::env::var_os("TRANSLOAD_TEST_PG_BIN").unwrap_or_default();
    let mut path = programs;
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/bin:/bin")));
    let mut command: Command = place.command(&[&["bench"], arguments].concat());
    let output = command.env("PATH", path).env("TMPDIR", place.path("tmp")).output().expect("the program starts");
    let left = fs::read_dir(place.path("tmp")).expect("the directory is there").count();
    assert_eq!(left, 0, "it leaves temporary files");
    let text = |bytes| String::from_utf8(bytes).expect("what it prints is UTF-8");
    Finished { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn names(list: &Value, member: &str) -> Vec<String> {
    let list = list.as_array().expect("a list");
    list.iter().map(|it| it[member].as_str().expect("a text").to_owned()).collect()
}

#[test]
fn postgres_is_measured_beside_its_floors_and_the_page_shows_it() {
    let place = Workplace::new();
    let arguments = ["--records", "150,300", "--rounds", "1", "--json", "--html", "bench.html", "--quiet"];
    let found = bench(&place, &arguments).expect(0).json();
    assert_eq!(found["bench"], 1);
    assert!(found["database"].as_str().is_some_and(|it| it.starts_with("PostgreSQL 1")), "{found}");
    let sizes = found["sizes"].as_array().expect("a list");
    assert_eq!(sizes.len(), 2);
    for size in sizes {
        let expected = [
            "read",
            "parse",
            "copy_bare",
            "copy_indexed",
            "floor2",
            "floor2_ledger",
            "copy_filled",
            "copy_filled_ledger",
            "copy_out",
            "scan",
            "migrate",
            "damaged",
            "filled",
            "unchanged",
            "changed",
            "verify",
        ];
        assert_eq!(names(&size["cases"], "name"), expected);
        // Each of them can be named, and nothing else.
        let unknown = bench(&place, &["--cases", "all"]).expect(64);
        assert!(unknown.stderr.contains(&format!(": {}\n", expected.join(", "))), "{}", unknown.stderr);
        for case in size["cases"].as_array().expect("a list") {
            assert!(case["seconds"].as_f64().is_some_and(|it| it > 0.0), "{case}");
            assert_eq!(case["all_seconds"].as_array().map(Vec::len), Some(1), "{case}");
        }
        let case = |name: &str| {
            let case = size["cases"].as_array().and_then(|all| all.iter().find(|case| case["name"] == name));
            case.expect("it was measured")
        };
        let rows = |name: &str| case(name)["rows"].as_u64();
        // What was loaded is what was made, and the ledger has rows of its own.
        assert!(rows("migrate") >= size["records"].as_u64(), "{size}");
        assert_eq!(rows("migrate"), rows("floor2"), "{size}");
        assert!(rows("floor2_ledger") > rows("floor2"), "{size}");
        assert_eq!(rows("unchanged"), Some(0), "{size}");
        assert!(rows("changed") > Some(0) && rows("changed") < rows("migrate"), "{size}");
        assert!(rows("damaged") > Some(0), "{size}");
        // A tenth as many new messages, onto tables that somebody uses.
        let tenth = size["records"].as_u64().map(|records| records / 10);
        for name in ["filled", "copy_filled", "copy_filled_ledger"] {
            assert_eq!(case(name)["records"].as_u64(), tenth, "{size}");
        }
        assert_eq!(case("migrate")["records"], size["records"]);
        assert_eq!(case("filled")["mode"], "online", "{size}");
        assert!(rows("filled") >= tenth && rows("filled") < rows("migrate"), "{size}");
        assert_eq!(rows("filled"), rows("copy_filled"), "{size}");
        assert!(rows("copy_filled_ledger") > rows("copy_filled"), "{size}");
        // Of cases that a server takes part in, and large where much was written.
        let wal = |name: &str| case(name)["wal_bytes"].as_u64();
        for name in ["read", "parse", "scan"] {
            assert_eq!(wal(name), None, "{size}");
        }
        for name in ["copy_bare", "copy_indexed", "floor2", "copy_filled", "migrate", "filled"] {
            assert!(wal(name) > Some(10_000), "{name} in {size}");
        }
        assert!(wal("unchanged") > Some(0) && wal("unchanged") < Some(1_000_000), "{size}");
        for case in size["cases"].as_array().expect("a list") {
            let writes = ["migrate", "damaged", "filled", "changed"].contains(&case["name"].as_str().expect("a name"));
            assert_eq!(case["commits"]["count"].as_u64().is_some_and(|count| count > 0), writes, "{case}");
            let [p50, p99] = ["p50", "p99"].map(|name| case["commits"][name].as_f64().unwrap_or_default());
            assert_eq!(p50 > 0.0, writes, "{case}");
            assert!(p50 <= p99, "{case}");
        }
        let expected =
            ["migrate", "migrate", "migrate", "filled", "filled", "unchanged", "changed", "damaged", "verify"];
        assert_eq!(names(&size["ratios"], "case"), expected);
    }
    let browser = Browser::new();
    browser.write("bench.html", &fs::read_to_string(place.path("bench.html")).expect("a page"));
    let looked = browser.open("bench.html", &["--dump-dom"]);
    assert!(looked.console.is_empty(), "{:#?}", looked.console);
    for shown in [
        "2 sizes, PostgreSQL",
        "Microseconds a message",
        "<polyline",
        "<th>growth",
        "300 messages in",
        "floor2_ledger",
        "copy_filled_ledger",
        "<th>WAL",
        "commits/s",
        "Ratios of times",
    ] {
        assert!(looked.stdout.contains(shown), "{shown} is not in the page");
    }
}

/// What the floors of a filled database rest on: their files are made of a database that holds nothing else.
#[test]
fn rows_are_the_same_in_an_empty_database_and_beside_those_of_another_tree() {
    let place = Workplace::new();
    for (name, seed, prefix) in [("tree", 1, ""), ("more", 2, "more_")] {
        let options = Options { records: 600, seed, damage: 0.0 };
        generate_beside(&place.path(name), &options, prefix).expect("a tree can be made");
    }
    let (alone, both) = (fresh_database(), fresh_database());
    for (name, url) in [("more", &alone), ("tree", &both), ("more", &both)] {
        place.run(&["migrate", name, "--db", url, "--quiet"]).expect(0);
    }
    for table in ["users", "chat_sessions", "messages", "user_memory", "transload.documents", "transload.residue"] {
        // A run's number differs, and with it the seal over the row.
        let rows = |url: &str| -> BTreeSet<String> {
            let rows = query(url, &format!("SELECT to_jsonb(t) - 'run_id' - 'seal' FROM {table} t"));
            rows.into_iter().flatten().map(|row| row.expect("a row is not NULL")).collect()
        };
        let (alone, both) = (rows(&alone), rows(&both));
        assert!(!alone.is_empty() && both.len() > alone.len(), "{table}: {} and {}", alone.len(), both.len());
        let missing: Vec<&String> = alone.difference(&both).collect();
        assert!(missing.is_empty(), "{table}: {missing:#?}");
    }
}

#[test]
fn sqlite_is_measured_and_a_person_can_read_it() {
    let place = Workplace::new();
    let ended = bench(&place, &["--target", "sqlite", "--records", "200", "--rounds", "2"]).expect(0);
    let own = ["\nmigrate ", "\ndamaged ", "\nfilled ", "\nunchanged ", "\nchanged ", "\nverify "];
    for said in own.into_iter().chain(["\n200 messages in ", "\nunchanged is "]) {
        assert!(ended.stdout.contains(said), "{said:?} is not in\n{}", ended.stdout);
    }
    for floor in ["insert_select", "import", "insert_filled"] {
        assert!(ended.stdout.contains(floor), "measured, or said to be left out: {floor} in\n{}", ended.stdout);
    }
    assert!(!ended.stdout.contains("WAL"), "a column that no case has:\n{}", ended.stdout);
    assert!(ended.stderr.contains("200 messages: round 2 of 2: verify"), "{}", ended.stderr);
}

#[test]
fn only_the_cases_that_are_named_are_measured() {
    let place = Workplace::new();
    let measured = |arguments: &[&str]| {
        let found = bench(&place, &[&["--records", "200", "--rounds", "1", "--json"], arguments].concat()).expect(0);
        let found = found.json();
        (names(&found["sizes"][0]["cases"], "name"), names(&found["sizes"][0]["ratios"], "case"))
    };
    let (cases, ratios) = measured(&["--cases", "migrate,floor2,unchanged"]);
    // In the order in which cases are run, and a ratio only where its floor was measured.
    assert_eq!((cases.join(" ").as_str(), ratios.join(" ").as_str()), ("floor2 migrate unchanged", "migrate"));
    let (cases, ratios) = measured(&["--cases", "copy_filled", "--cases", "filled,damaged"]);
    assert_eq!((cases.join(" ").as_str(), ratios.join(" ").as_str()), ("copy_filled damaged filled", "filled"));
    let (cases, ratios) = measured(&["--target", "sqlite", "--cases", "read,unchanged,damaged"]);
    assert_eq!((cases.join(" ").as_str(), ratios.join(" ").as_str()), ("read damaged unchanged", "unchanged"));
}

#[test]
fn what_cannot_be_measured_is_told_before_anything_is_done() {
    let place = Workplace::new();
    let unknown = bench(&place, &["--target", "sqlite", "--cases", "scan,floor2"]).expect(64);
    assert!(unknown.stderr.contains("no case `floor2`"), "{}", unknown.stderr);
    assert!(unknown.stderr.contains("insert_select, import"), "{}", unknown.stderr);
    let wrong = bench(&place, &["--db", "sqlite:app.db"]).expect(64);
    assert!(wrong.stderr.contains("--target sqlite"), "{}", wrong.stderr);
    bench(&place, &["--target", "sqlite", "--db", "postgres://localhost/x"]).expect(64);
    bench(&place, &["--records", "0"]).expect(64);
    let nowhere = bench(&place, &["--html", "not/there.html", "--target", "sqlite"]).expect(2);
    assert!(nowhere.stderr.contains("not/there.html"), "{}", nowhere.stderr);
}
