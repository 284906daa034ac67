//! `verify` as somebody runs it: exit codes, what is printed, and the files that are written.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use support::chromium::Browser;
use support::cli::{Finished, Workplace};

const DB: &str = "sqlite:app.db";
const PLANTED: &str = "the planted word is quince";

/// A place where the sample tree was migrated.
fn migrated() -> Workplace {
    let place = Workplace::new();
    place.copy_fixture("donna");
    place.run(&["migrate", "data", "--db", DB, "-q"]).expect(0);
    place
}

fn sql(place: &Workplace, statement: &str) {
    let connection = rusqlite::Connection::open(place.path("app.db")).expect("the database opens");
    let changed = connection.execute(statement, []).unwrap_or_else(|error| panic!("{statement}: {error}"));
    assert_eq!(changed, 1, "{statement}");
}

/// Somebody edits the first message of a chat.
fn plant(place: &Workplace) {
    sql(
        place,
        &format!(
            "UPDATE messages SET content = '{PLANTED}' WHERE id = (SELECT id FROM messages WHERE length(content) > 3 \
             ORDER BY id LIMIT 1)"
        ),
    );
}

fn verify(place: &Workplace, more: &[&str]) -> Finished {
    place.run(&[&["verify", "data", "--db", DB, "-q", "--max-lag", "200ms"], more].concat())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("the file is there").permissions().mode() & 0o777
}

fn first(found: &Value) -> &Value {
    match found["listed_differences"].as_array().map(Vec::as_slice) {
        Some([one]) => one,
        _ => panic!("one difference was planted: {found}"),
    }
}

#[test]
fn what_was_migrated_agrees_and_every_output_says_so() {
    let place = migrated();
    let finished = verify(&place, &["--report", "report.html", "--metrics", "verify.prom"]).expect(0);
    assert!(finished.stdout.starts_with("FILES AND DATABASE AGREE\n"), "{}", finished.stdout);
    assert_eq!(finished.stderr, "target sqlite:app.db\nreport report.html\n");
    let report = fs::read_to_string(place.path("report.html")).expect("a report");
    assert!(report.contains("<h1>Files and database agree</h1>"));
    let metrics = fs::read_to_string(place.path("verify.prom")).expect("metrics");
    assert!(metrics.contains("\ntransload_verify_success 1\n"), "{metrics}");
    assert_eq!((mode(&place.path("report.html")), mode(&place.path("verify.prom"))), (0o600, 0o644));
    let left = fs::read_dir(place.path(".")).expect("a directory").filter_map(Result::ok);
    let left: Vec<_> =
        left.map(|entry| entry.file_name()).filter(|name| name.to_string_lossy().contains("part")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_planted_difference_is_named_with_its_place_and_both_values_everywhere() {
    let place = migrated();
    plant(&place);
    let finished = verify(&place, &["--report", "report.html", "--metrics", "verify.prom"]).expect(1);
    assert!(finished.stdout.starts_with("FILES AND DATABASE DIFFER\n"), "{}", finished.stdout);
    assert!(finished.stdout.contains(&format!("    database  \"{PLANTED}\"\n")), "{}", finished.stdout);
    let found = verify(&place, &["--json"]).expect(1).json();
    let one = first(&found);
    assert_eq!((&found["verdict"], &found["differences"]), (&"differ".into(), &1.into()));
    assert_eq!(
        (&one["cause"], &one["moved"], &one["table"], &one["column"]),
        (&"edited_in_database".into(), &"database".into(), &"messages".into(), &"content".into())
    );
    assert_eq!(one["in_database"], format!("\"{PLANTED}\""));
    let (file, pointer) = (one["file"].as_str().expect("a path"), one["pointer"].as_str().expect("a pointer"));
    let legacy: Value =
        serde_json::from_slice(&fs::read(place.path("data").join(file)).expect("it is there")).expect("JSON");
    let in_file: Value = serde_json::from_str(one["in_file"].as_str().expect("a value")).expect("JSON");
    assert_eq!(legacy.pointer(pointer), Some(&in_file), "the pointer leads to the value");
    let metrics = fs::read_to_string(place.path("verify.prom")).expect("metrics");
    for line in ["transload_verify_success 0", "transload_verify_differences{cause=\"edited_in_database\"} 1"] {
        assert!(metrics.lines().any(|have| have == line), "{metrics}");
    }
    let browser = Browser::new();
    browser.write("report.html", &fs::read_to_string(place.path("report.html")).expect("a report"));
    let looked = browser.open("report.html", &["--dump-dom"]);
    assert!(looked.console.is_empty(), "{:#?}", looked.console);
    assert!(looked.stdout.contains("<h1>Files and database differ</h1>") && looked.stdout.contains(PLANTED));
}

#[test]
fn a_redacted_result_holds_neither_value() {
    let place = migrated();
    plant(&place);
    let open = first(&verify(&place, &["--json"]).expect(1).json())["in_file"].clone();
    let in_file = open.as_str().expect("a value").trim_matches('"');
    assert!(in_file.len() > 3);
    let text = verify(&place, &["--redact", "--report", "report.html"]).expect(1).stdout;
    let json = verify(&place, &["--redact", "--json"]).expect(1).stdout;
    let report = fs::read_to_string(place.path("report.html")).expect("a report");
    for output in [text, json, report] {
        assert!(output.contains("text of 26 characters"), "{output}");
        assert!(!output.contains("quince") && !output.contains(in_file), "{output}");
    }
}

#[test]
fn a_waiver_covers_its_difference_until_its_last_day() {
    let place = migrated();
    plant(&place);
    let file = first(&verify(&place, &["--json"]).expect(1).json())["file"].clone();
    let waiver = |until: &str| {
        format!(
            "[[waiver]]\ncause = \"edited_in_database\"\ndocument = {file}\nuntil = {until}\nreason = \"a test of ours\"\n"
        )
    };
    fs::write(place.path("waivers.toml"), waiver("9999-12-31")).expect("written");
    let finished = verify(&place, &["--waivers", "waivers.toml"]).expect(0);
    assert!(finished.stdout.starts_with("FILES AND DATABASE AGREE, BUT FOR WHAT IS WAIVED\n"), "{}", finished.stdout);
    assert!(finished.stdout.contains("covers 1, until 9999-12-31: a test of ours"), "{}", finished.stdout);
    let found = verify(&place, &["--waivers", "waivers.toml", "--json"]).expect(0).json();
    assert_eq!(
        (&found["differences"], &found["waived"], &found["waived_documents"]),
        (&0.into(), &1.into(), &1.into())
    );
    assert_eq!(first(&found)["waived"], "a test of ours");
    fs::write(place.path("waivers.toml"), waiver("2020-01-01")).expect("written");
    let finished = verify(&place, &["--waivers", "waivers.toml"]).expect(1);
    assert!(finished.stdout.contains("EXPIRED after 2020-01-01"), "{}", finished.stdout);
    fs::write(place.path("waivers.toml"), waiver("9999-12-31").replace("cause", "course")).expect("written");
    let finished = verify(&place, &["--waivers", "waivers.toml"]).expect(2);
    assert!(
        finished.stderr.contains("error: bad waivers in `waivers.toml`\ncaused by: line 2: unknown field `course`"),
        "{}",
        finished.stderr
    );
}

#[test]
fn what_could_not_be_checked_is_told_to_the_page_the_metrics_and_programs() {
    let place = Workplace::new();
    place.copy_fixture("donna");
    let finished = verify(&place, &["--json", "--report", "report.html", "--metrics", "verify.prom"]).expect(2);
    assert!(finished.stderr.contains("error: nothing was ever migrated into sqlite:app.db"), "{}", finished.stderr);
    let found = finished.json();
    assert_eq!((&found["verdict"], &found["documents"]["found"]), (&"not_checked".into(), &0.into()));
    let report = fs::read_to_string(place.path("report.html")).expect("a report");
    assert!(report.contains("Nothing was ever migrated into sqlite:app.db."), "{report}");
    let metrics = fs::read_to_string(place.path("verify.prom")).expect("metrics");
    assert!(metrics.contains("\ntransload_verify_result{result=\"not_checked\"} 1\n"), "{metrics}");
    assert!(!place.path("app.db").exists(), "nothing is made by looking");
}

#[test]
fn outputs_stay_out_of_the_source_and_are_looked_at_before_the_work() {
    let place = migrated();
    for (arguments, code, message) in [
        (vec!["--report", "data/report.html"], 2, "the report `data/report.html` would be below the source `data`"),
        (vec!["--metrics", "data/x.prom"], 2, "the metrics `data/x.prom` would be below the source `data`"),
        (vec!["--report", "nowhere/report.html"], 2, "cannot write the report `nowhere/report.html`"),
        (vec!["--report", "."], 2, "cannot write the report `.`"),
        (vec!["--report", "x", "--metrics", "./x"], 64, "the report and the metrics would both be written to `./x`"),
        (vec!["--only", "user"], 64, "--only knows no kind \"user\""),
        (vec!["--waivers", "nowhere.toml"], 2, "cannot read the waivers `nowhere.toml`"),
    ] {
        let finished = verify(&place, &arguments).expect(code);
        assert!(finished.stderr.contains(message), "{arguments:?}: {}", finished.stderr);
        assert_eq!(finished.stdout, "", "{arguments:?}");
    }
    for wrong in ["--sample=0%", "--sample=x", "--max-lag=soon", "--changed-since=yesterday", "--tries=0", "--seed=1"] {
        let finished = verify(&place, &[wrong]).expect(64);
        assert!(finished.stderr.contains("error: "), "{wrong}");
    }
}

#[test]
fn a_part_that_agrees_is_not_called_the_whole() {
    let place = migrated();
    for part in
        [&["--only", "users,memory"][..], &["--sample", "50%", "--seed", "7"], &["--changed-since", "2020-01-01"]]
    {
        let finished = verify(&place, part).expect(0);
        assert!(finished.stdout.starts_with("WHAT WAS COMPARED AGREES\n"), "{part:?}: {}", finished.stdout);
        assert!(finished.stdout.contains("\n  Not looked at: "), "{part:?}: {}", finished.stdout);
    }
    verify(&place, &["--changed-since", "1h"]).expect(2);
}

#[test]
fn a_verification_is_noted_when_that_is_asked_for_and_the_next_report_shows_it() {
    let place = migrated();
    let before = fs::read(place.path("app.db")).expect("the database");
    verify(&place, &[]).expect(0);
    assert!(before == fs::read(place.path("app.db")).expect("the database"), "nothing is written unasked");
    verify(&place, &["--record"]).expect(0);
    let runs = place.run(&["status", "--db", DB, "--json"]).expect(0).json()["runs"].clone();
    let commands: Vec<&Value> = runs.as_array().expect("runs").iter().map(|run| &run["command"]).collect();
    assert_eq!(commands, ["verify", "migrate"]);
    assert_eq!((&runs[0]["state"], &runs[0]["summary"]["differences"]), (&"done".into(), &0.into()));
    verify(&place, &["--report", "report.html"]).expect(0);
    let report = fs::read_to_string(place.path("report.html")).expect("a report");
    assert!(report.contains("<th scope=row>") && report.contains("<td>verify</td><td>done</td>"), "{report}");
}

#[test]
fn two_runs_say_the_same_but_for_times() {
    let place = migrated();
    plant(&place);
    let said = || {
        let mut found = verify(&place, &["--json"]).expect(1).json();
        let members = found.as_object_mut().expect("an object");
        members.remove("started").and(members.remove("seconds")).expect("the times");
        found
    };
    assert_eq!(said(), said());
}

/// The lines of a file, each of them JSON.
fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("the file can be read");
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

#[test]
fn a_repair_is_planned_made_saved_and_then_there_is_nothing_to_do() {
    let place = migrated();
    plant(&place);
    let before = place.run(&["verify", "data", "--db", DB, "--max-lag", "0s", "--json"]).expect(1);
    let verify = |more: &[&str]| place.run(&[&["verify", "data", "--db", DB, "--max-lag", "0s", "-q"], more].concat());
    let planned = verify(&["--repair=plan"]).expect(1);
    assert!(planned.stdout.starts_with("WHAT A REPAIR WOULD DO\n  documents: 1 repaired\n"), "{}", planned.stdout);
    assert!(planned.stdout.contains("(1 messages updated)"), "{}", planned.stdout);
    let after = place.run(&["verify", "data", "--db", DB, "--max-lag", "0s", "--json"]).expect(1);
    let differences = |finished: &Finished| {
        let result: Value = serde_json::from_str(&finished.stdout).expect("JSON");
        result["listed_differences"].clone()
    };
    assert_eq!(differences(&before), differences(&after), "a plan changes nothing");

    let kept = verify(&["--repair", "--prefer", "database"]).expect(1);
    assert!(kept.stdout.contains("documents: none"), "{}", kept.stdout);

    let repaired = verify(&["--repair", "--json"]).expect(0);
    let result: Value = serde_json::from_str(&repaired.stdout).expect("JSON");
    assert_eq!(result["verdict"], "agree");
    assert_eq!(result["repair"]["counts"]["repaired"], 1);
    let saved = place.path(result["repair"]["saved"].as_str().expect("a file"));
    assert_eq!(fs::metadata(&saved).expect("it is there").permissions().mode() & 0o777, 0o600);
    let rows = lines(&saved);
    assert_eq!(rows.len(), 1);
    assert_eq!((&rows[0]["table"], &rows[0]["row"]["content"]), (&"messages".into(), &PLANTED.into()));

    let again = verify(&["--repair", "--json"]).expect(0);
    let result: Value = serde_json::from_str(&again.stdout).expect("JSON");
    assert_eq!((&result["verdict"], result.get("repair")), (&"agree".into(), None));
}

#[test]
fn a_receipt_has_equal_roots_exactly_if_both_sides_say_the_same() {
    let place = migrated();
    let receipt = |code: i32| {
        place.run(&["verify", "data", "--db", DB, "--max-lag", "0s", "-q", "--receipt", "receipt.txt"]).expect(code);
        fs::read_to_string(place.path("receipt.txt")).expect("a receipt")
    };
    let roots = |text: &str| -> Vec<String> {
        text.lines().filter(|line| line.starts_with("files ") || line.starts_with("rows ")).map(str::to_owned).collect()
    };
    let first = receipt(0);
    assert!(first.contains("\nroots       equal\n"), "{first}");
    assert_eq!(roots(&first), roots(&receipt(0)));
    plant(&place);
    let planted = receipt(1);
    assert!(planted.contains("\nroots       different\n"), "{planted}");
    let files =
        |text: &str| -> Vec<String> { roots(text).into_iter().filter(|line| line.starts_with("files ")).collect() };
    assert_eq!(files(&first), files(&planted), "the files are what they were");
}

/// The rule of `docs/receipts.md` in another language and with nothing of transload's.
#[test]
fn a_receipt_can_be_computed_by_somebody_else() {
    let place = migrated();
    place.run(&["verify", "data", "--db", DB, "-q", "--receipt", "receipt.txt"]).expect(0);
    let receipt = fs::read_to_string(place.path("receipt.txt")).expect("a receipt");
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let ours: Vec<Vec<String>> = receipt.lines().filter(|line| line.starts_with("files ")).map(words).collect();
    let kinds = ours.iter().map(|words| &words[1]).filter(|kind| *kind != "all");
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples/receipt.py");
    let ended = Command::new("python3").arg(program).arg(place.path("data")).args(kinds).output();
    let ended = ended.expect("python3 is there: scripts/test installs it");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let theirs: Vec<Vec<String>> = String::from_utf8(ended.stdout).expect("text").lines().map(words).collect();
    assert!(ours.len() > 3);
    assert_eq!(theirs, ours);
}
