//! The examples of `docs/examples/` and `docs/verifying.md`: that each can be read by what it is for,
//! and names options, metrics and causes that there are.

mod support;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::CommandFactory;
use saphyr::{LoadableYamlNode, Yaml};
use serde_json::{json, Map, Value};

use transload::cli::{self, Cli};
use transload::verify::outcome::{Cause, Verdict};
use transload::verify::report::words;
use transload::verify::waivers::Waivers;

use support::cli::Workplace;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

fn example(name: &str) -> String {
    let path = root().join("examples").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

fn verifying() -> String {
    fs::read_to_string(root().join("verifying.md")).expect("the document is there")
}

/// That these words are a command line of ours.
fn assert_command(words: &[&str]) {
    assert!(words[0].rsplit('/').next() == Some("transload"), "{words:?}");
    cli::parse(words.iter().map(OsString::from)).unwrap_or_else(|error| panic!("{words:?}: {error}"));
}

#[test]
fn every_example_is_told_of_and_checked_here() {
    let mut names: Vec<String> = fs::read_dir(root().join("examples"))
        .expect("a directory")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a plain name"))
        .collect();
    names.sort();
    let checked = [
        "alerts.yaml",
        "cronjob.yaml",
        "crontab",
        // `tests/receipts.rs` runs it.
        "receipt.py",
        "transload-verify-failed.service",
        "transload-verify.service",
        "transload-verify.timer",
        "waivers.toml",
    ];
    assert_eq!(names, checked);
    let document = verifying();
    for name in names {
        assert!(document.contains(&format!("`{name}`")), "{name}");
    }
}

// systemd

/// What units of ours may hold. systemd itself ignores what it does not know, and only says so.
const UNIT_KEYS: [(&str, &str); 4] = [
    ("Unit", "Description Wants After OnFailure"),
    (
        "Service",
        "Type User Group WorkingDirectory Environment ExecStart TimeoutStartSec Nice IOSchedulingClass ReadOnlyPaths \
         ReadWritePaths ProtectSystem ProtectHome PrivateTmp NoNewPrivileges UMask",
    ),
    ("Timer", "OnCalendar Persistent RandomizedDelaySec"),
    ("Install", "WantedBy"),
];

/// Section, key and value of every setting.
fn unit(text: &str) -> Vec<(String, String, String)> {
    let mut section = String::new();
    let mut found = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.to_owned();
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("no setting: {line:?}"));
        let known = UNIT_KEYS.iter().find(|(name, _)| *name == section);
        let (_, keys) = known.unwrap_or_else(|| panic!("no section of a unit: [{section}]"));
        assert!(keys.split(' ').any(|known| known == key), "[{section}] {key}");
        assert!(!value.trim().is_empty(), "[{section}] {key}");
        found.push((section.clone(), key.to_owned(), value.to_owned()));
    }
    found
}

fn setting<'a>(unit: &'a [(String, String, String)], section: &str, key: &str) -> &'a str {
    let found = unit.iter().find(|(a, b, _)| (a.as_str(), b.as_str()) == (section, key));
    &found.unwrap_or_else(|| panic!("[{section}] {key} is missing")).2
}

#[test]
fn the_units_of_systemd_are_sound() {
    let service = unit(&example("transload-verify.service"));
    assert_eq!(setting(&service, "Service", "Type"), "oneshot");
    assert_command(&setting(&service, "Service", "ExecStart").split(' ').collect::<Vec<_>>());
    // Where it writes it may write, and the source it may only read.
    let writable = setting(&service, "Service", "ReadWritePaths");
    for flag in ["--report ", "--metrics "] {
        let path = setting(&service, "Service", "ExecStart").split(flag).nth(1).and_then(|rest| rest.split(' ').next());
        let directory = Path::new(path.expect("the flag is given")).parent().and_then(Path::to_str);
        assert!(writable.split(' ').any(|one| Some(one) == directory), "{directory:?}");
    }
    let failed = unit(&example(setting(&service, "Unit", "OnFailure")));
    assert!(setting(&failed, "Service", "ExecStart").contains("--unit transload-verify "));
    let timer = unit(&example("transload-verify.timer"));
    let calendar = setting(&timer, "Timer", "OnCalendar");
    let clock = calendar.strip_prefix("*-*-* ").expect("every day");
    let parts: Vec<u32> = clock.split(':').map(|part| part.parse().expect("a number")).collect();
    assert!(matches!(parts[..], [0..24, 0..60, 0..60]), "{calendar}");
    assert_eq!(setting(&timer, "Install", "WantedBy"), "timers.target");
}

#[test]
fn systemd_itself_takes_the_units_where_there_is_one() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        // Then the check above is the one.
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary directory");
    let names = ["transload-verify.service", "transload-verify-failed.service", "transload-verify.timer"];
    for name in names {
        // It looks for the program, too.
        let text = example(name).replace("/usr/local/bin/transload", env!("CARGO_BIN_EXE_transload"));
        fs::write(folder.path().join(name), text).expect("written");
    }
    let paths = names.map(|name| folder.path().join(name));
    let output = Command::new("systemd-analyze")
        .arg("verify")
        .args(&paths)
        .env("SYSTEMD_UNIT_PATH", format!("{}:", folder.path().display()))
        .output()
        .expect("it ran above");
    let said = String::from_utf8_lossy(&output.stderr);
    // It may complain of other units of this machine.
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("transload")).collect();
    assert!(ours.is_empty(), "{said}");
    let calendar = unit(&example("transload-verify.timer"));
    let calendar = setting(&calendar, "Timer", "OnCalendar");
    let output = Command::new("systemd-analyze").args(["calendar", calendar]).output().expect("it ran above");
    assert!(output.status.success(), "{calendar}");
}

// cron

/// That these are the five fields of a crontab's line.
fn assert_schedule(fields: &str) {
    let ranges = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)];
    let fields: Vec<&str> = fields.split_whitespace().collect();
    assert_eq!(fields.len(), ranges.len(), "{fields:?}");
    for (field, (least, most)) in fields.into_iter().zip(ranges) {
        let number = field.parse::<u32>();
        assert!(field == "*" || number.is_ok_and(|number| (least..=most).contains(&number)), "{field}");
    }
}

#[test]
fn the_crontab_is_one() {
    let text = example("crontab");
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let is_variable =
        |line: &&&str| line.split_once('=').is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase()));
    assert_eq!(lines.iter().filter(is_variable).count(), 2);
    let [line] = lines.iter().filter(|line| !is_variable(line)).collect::<Vec<_>>()[..] else { panic!("{lines:?}") };
    let (schedule, command) = line.split_once("  ").expect("two blanks set the command apart");
    assert_schedule(schedule);
    // Cron makes a line end of a bare one.
    assert!(!command.contains('%'), "{command}");
    let ours = command.trim().split(" > ").next().expect("a command");
    assert_command(&ours.split(' ').collect::<Vec<_>>());
    let shell = Command::new("sh").args(["-n", "-c", command]).status().expect("there is a shell");
    assert!(shell.success(), "{command}");
}

// YAML

/// A file's documents.
fn yaml(name: &str) -> Vec<Value> {
    let text = example(name);
    let documents = Yaml::load_from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    documents.iter().map(plain).collect()
}

fn plain(yaml: &Yaml) -> Value {
    if let Some(text) = yaml.as_str() {
        return json!(text);
    }
    if let Some(items) = yaml.as_sequence() {
        return items.iter().map(plain).collect();
    }
    if let Some(members) = yaml.as_mapping() {
        let member = |(key, value): (&Yaml, &Yaml)| (key.as_str().expect("a key is text").to_owned(), plain(value));
        return Value::Object(members.iter().map(member).collect::<Map<_, _>>());
    }
    match (yaml.as_integer(), yaml.as_bool()) {
        (Some(number), _) => json!(number),
        (_, Some(on)) => json!(on),
        _ => panic!("neither text, number, switch, list nor map: {yaml:?}"),
    }
}

fn names(list: &Value) -> BTreeSet<&str> {
    list.as_array().expect("a list").iter().map(|item| item["name"].as_str().expect("a name")).collect()
}

#[test]
fn the_cronjob_is_one() {
    let documents = yaml("cronjob.yaml");
    let [settings, job] = &documents[..] else { panic!("{} documents", documents.len()) };
    assert_eq!((&settings["kind"], &settings["apiVersion"]), (&json!("ConfigMap"), &json!("v1")));
    assert_eq!((&job["kind"], &job["apiVersion"]), (&json!("CronJob"), &json!("batch/v1")));
    assert_schedule(job["spec"]["schedule"].as_str().expect("a text"));
    let pod = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    assert_eq!(pod["restartPolicy"], "Never");
    let container = &pod["containers"][0];
    let arguments = container["args"].as_array().expect("a list").iter().map(|word| word.as_str().expect("text"));
    assert_command(&std::iter::once("transload").chain(arguments).collect::<Vec<_>>());
    assert_eq!(names(&container["volumeMounts"]), names(&pod["volumes"]), "each volume is mounted");
    let mounted = container["volumeMounts"].as_array().expect("a list").iter().find(|one| one["name"] == "files");
    assert_eq!(mounted.map(|files| (&files["mountPath"], &files["readOnly"])), Some((&json!("/data"), &json!(true))));
    // The settings are some that the program takes.
    let place = Workplace::new();
    fs::write(place.path("pipeline.toml"), settings["data"]["pipeline.toml"].as_str().expect("a text"))
        .expect("written");
    let shown = place.run(&["--print-config"]).expect(0).stdout;
    assert!(shown.contains("postgres://donna@db.example:5432/donna?sslmode=verify-full"), "{shown}");
    assert_eq!(settings["metadata"]["name"], pod["volumes"][0]["configMap"]["name"]);
}

/// Every series that `--metrics` writes.
fn series() -> BTreeSet<String> {
    let place = Workplace::new();
    place.copy_fixture("donna");
    place.run(&["migrate", "data", "--db", "sqlite:a.db", "-q"]).expect(0);
    place.run(&["verify", "data", "--db", "sqlite:a.db", "-q", "--metrics", "m.prom"]).expect(0);
    let text = fs::read_to_string(place.path("m.prom")).expect("metrics");
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples.map(|line| line.rsplit_once(' ').expect("a value").0.to_owned()).collect()
}

/// The metrics that a text names, with their labels where it gives them a value.
fn named(text: &str) -> Vec<&str> {
    text.match_indices("transload_verify_")
        .map(|(at, _)| {
            let rest = &text[at..];
            let name = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(rest.len());
            match rest[name..].starts_with('{')
                && rest[name..].split('}').next().is_some_and(|labels| labels.contains('"'))
            {
                true => &rest[..=rest.find('}').expect("what was opened is closed")],
                false => &rest[..name],
            }
        })
        .collect()
}

#[test]
fn the_alerts_ask_for_metrics_that_there_are() {
    let series = series();
    let exists = |name: &str| series.iter().any(|have| have == name || have.split('{').next() == Some(name));
    let [rules] = &yaml("alerts.yaml")[..] else { panic!("one document was expected") };
    let rules = rules["groups"][0]["rules"].as_array().expect("rules");
    assert_eq!(rules.len(), 4);
    let expressions = rules.iter().map(|rule| rule["expr"].as_str().expect("an expression").to_owned());
    for text in expressions.chain([verifying()]) {
        let found = named(&text);
        assert!(!found.is_empty(), "{text}");
        // The file's own name is none.
        for name in found.into_iter().filter(|name| *name != "transload_verify_") {
            assert!(exists(name), "{name}");
        }
    }
    let document = verifying();
    for name in series.iter().map(|have| have.split('{').next().expect("a name")) {
        assert!(document.contains(&format!("| `{name}")), "{name}");
    }
}

#[test]
fn the_waivers_are_some() {
    let today = jiff::civil::Date::constant(2026, 6, 30);
    let waivers = Waivers::load(&example("waivers.toml"), today).expect("valid");
    assert_eq!(waivers.uses().iter().filter(|waiver| !waiver.expired).count(), 2);
    let document = verifying();
    let block = document.split("    [[waiver]]\n").nth(1).and_then(|rest| rest.split("\n\n").next());
    let text: String = block.expect("an example").lines().map(|line| format!("{}\n", line.trim())).collect();
    assert!(!Waivers::load(&format!("[[waiver]]\n{text}"), today).expect("valid").is_empty());
}

#[test]
fn the_document_explains_every_cause_verdict_and_option() {
    let document = verifying();
    for cause in Cause::ALL {
        assert!(document.contains(&format!("| `{}` |", cause.code())), "{}", cause.code());
        let explained = words::cause(cause);
        for said in [explained.title, explained.means, explained.to_do] {
            assert!(!said.is_empty(), "{}", cause.code());
        }
    }
    for verdict in Verdict::ALL {
        assert!(document.contains(&format!("| {} |", words::verdict(verdict).0)), "{}", words::verdict(verdict).0);
    }
    let command = Cli::command();
    let verify = command.find_subcommand("verify").expect("there is such a command");
    for option in verify.get_arguments().filter_map(|argument| argument.get_long()).filter(|long| *long != "help") {
        assert!(document.contains(&format!("| `--{option}")), "--{option}");
    }
    // And the other way round, for what the table begins its lines with.
    for line in document.lines().filter(|line| line.starts_with("| `--")) {
        let option = line["| `--".len()..].split(['`', ' ', '=']).next().expect("a name");
        assert!(verify.get_arguments().any(|argument| argument.get_long() == Some(option)), "--{option}");
    }
    for line in document.lines().filter_map(|line| line.strip_prefix("    transload ")) {
        let words = line.split(" |").next().expect("a command").split(' ');
        assert_command(&std::iter::once("transload").chain(words).collect::<Vec<_>>());
    }
}
