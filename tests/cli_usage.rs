//! What the command line does before any work begins: usage, settings, where they come from.

use std::path::Path;
use std::process::{Command, Output};

/// Runs the program in a directory of its own, with no variables but these.
fn transload(directory: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_transload"));
    command.current_dir(directory).env_clear().envs(variables.iter().copied()).args(arguments);
    command.output().expect("the program starts")
}

/// The same with this text as `pipeline.toml`.
fn transload_with(directory: &Path, file: &str, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    std::fs::write(directory.join("pipeline.toml"), file).expect("written");
    transload(directory, variables, arguments)
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("stdout is UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("stderr is UTF-8")
}

/// The line of `--print-config` for a key, its columns one space apart.
fn line(output: &Output, key: &str) -> String {
    let text = stdout(output);
    let line = text.lines().find(|line| line.split_whitespace().next() == Some(key));
    line.unwrap_or_else(|| panic!("no {key} in {text}")).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn wrong_usage_exits_64_and_prints_nothing_on_stdout() {
    let here = directory();
    for arguments in [&["--no-such-flag"][..], &["no-such-command"], &["-q"], &["--log-format", "xml"], &[]] {
        let output = transload(here.path(), &[], arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_flag_with_a_bad_value_is_wrong_usage_and_says_what_was_expected() {
    let output = transload(directory().path(), &[], &["--print-config", "--batch-rows", "many"]);
    assert_eq!(output.status.code(), Some(64));
    assert_eq!(
        stderr(&output),
        "error: bad value for `write.batch_rows` (flag --batch-rows): expected a whole number from 1 to 1000000, \
         found \"many\"\n"
    );
}

#[test]
fn help_and_version_exit_0_on_stdout() {
    let here = directory();
    for flag in ["--help", "-h", "--version"] {
        let output = transload(here.path(), &[], &[flag]);
        assert_eq!(output.status.code(), Some(0), "{flag}");
        assert!(stdout(&output).contains("transload"), "{flag}");
        assert!(output.stderr.is_empty(), "{flag}");
    }
}

#[test]
fn print_config_shows_where_each_value_came_from() {
    let here = directory();
    std::fs::write(here.path().join("pipeline.toml"), "source = \"data\"\n[write]\nbatch_rows = 7\n").expect("written");
    let variables = [("MIGRATION_BATCH_SIZE", "8"), ("TRANSLOAD_TIMEZONE", "UTC"), ("DB_MAX_CONNECTIONS", "4")];
    let output = transload(here.path(), &variables, &["--print-config", "--connections", "3"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(line(&output, "source"), "source data pipeline.toml line 1");
    assert_eq!(line(&output, "write.batch_rows"), "write.batch_rows 8 environment MIGRATION_BATCH_SIZE");
    assert_eq!(line(&output, "write.connections"), "write.connections 3 flag --connections");
    assert_eq!(line(&output, "max_connections"), "max_connections 4 environment DB_MAX_CONNECTIONS");
    assert_eq!(line(&output, "timezone"), "timezone UTC environment TRANSLOAD_TIMEZONE");
    assert_eq!(line(&output, "db"), "db sqlite:transload.db default");
    assert_eq!(line(&output, "rejects"), "rejects transload-rejects default");
}

#[test]
fn no_password_is_printed_wherever_it_came_from() {
    let here = directory();
    let url = "postgres://ada:geheim@db.example/donna?sslmode=require";
    let parts = [("DB_HOST", "db.example"), ("DB_NAME", "donna"), ("DB_USER", "ada"), ("DB_PASSWORD", "geheim")];
    let by_flag = transload_with(here.path(), "", &[], &["--print-config", "--db", url]);
    let by_variable = transload_with(here.path(), "", &[("TRANSLOAD_DB", url)], &["--print-config"]);
    let by_file = transload_with(here.path(), &format!("db = \"{url}\"\n"), &[], &["--print-config"]);
    let by_parts = transload_with(here.path(), "db = \"env\"\n", &parts, &["--print-config", "-vv"]);
    for output in [by_flag, by_variable, by_file, by_parts] {
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(stdout(&output).contains("postgres://ada@db.example/donna"), "{}", stdout(&output));
        assert!(!format!("{}{}", stdout(&output), stderr(&output)).contains("geheim"));
    }
}

#[test]
fn an_unknown_key_in_the_file_is_told_the_known_ones() {
    let here = directory();
    std::fs::write(here.path().join("pipeline.toml"), "sorce = \"data\"\n").expect("written");
    let output = transload(here.path(), &[], &["--print-config"]);
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    assert!(
        text.starts_with("error: pipeline.toml line 1: unknown key `sorce`; known are `source`, `format`"),
        "{text}"
    );
    assert!(text.ends_with("hint: was `source` meant?\n"), "{text}");
}

#[test]
fn a_settings_file_that_was_asked_for_must_exist() {
    let here = directory();
    let output = transload(here.path(), &[], &["--print-config", "--config", "other.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).starts_with("error: cannot read `other.toml`\ncaused by: No such file"), "{output:?}");
    std::fs::write(here.path().join("other.toml"), "timezone = \"UTC\"\n").expect("written");
    let output = transload(here.path(), &[], &["--print-config", "--config", "other.toml"]);
    assert_eq!(line(&output, "timezone"), "timezone UTC other.toml line 1");
}

#[test]
fn what_the_database_lacks_is_named() {
    let here = directory();
    let output = transload(here.path(), &[("DB_HOST", "h")], &["--print-config", "--db", "env"]);
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    assert!(
        text.starts_with("error: `db` is \"env\" (flag --db) but DB_NAME, DB_USER are not set\nhint: set DB_HOST"),
        "{text}"
    );
}

#[test]
fn a_switch_of_the_later_data_access_layer_is_refused_with_its_reason() {
    let output = transload(directory().path(), &[("MIGRATION_ENABLE_DUAL_WRITE", "true")], &["--print-config"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("data access layer"), "{output:?}");
}

#[test]
fn a_variable_that_is_nearly_a_setting_is_logged_without_escape_codes() {
    let here = directory();
    let variables = [("TRANSLOAD_BATCH\u{1b}[31m", "5")];
    let output = transload(here.path(), &variables, &["--print-config"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).contains("WARN"), "{output:?}");
    assert!(!output.stderr.contains(&0x1b), "{output:?}");
    let output = transload(here.path(), &variables, &["--print-config", "--log-format", "json"]);
    let event: serde_json::Value = serde_json::from_str(&stderr(&output)).expect("one JSON object");
    assert_eq!(event["variable"], "TRANSLOAD_BATCH\u{1b}[31m");
    assert!(transload(here.path(), &variables, &["--print-config", "-q"]).stderr.is_empty());
}

#[test]
fn the_repositorys_own_settings_are_valid() {
    let output = transload(Path::new(env!("CARGO_MANIFEST_DIR")), &[], &["--print-config"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(line(&output, "source").starts_with("source fixtures/donna/legacy pipeline.toml line "));
}
