//! How the origins of settings rank, with an environment and a file that are values.

use super::*;

fn resolve(flags: &[(&'static str, &str)], variables: &[(&str, &str)], file: &str) -> Result<Config, ConfigError> {
    let flags: Flags = flags.iter().map(|(key, value)| (*key, OsString::from(value))).collect();
    let file = SettingsFile::parse("pipeline.toml", file)?;
    Config::resolve(&flags, &variables.iter().copied().collect(), Some(&file), 4)
}

fn origin(config: &Config, key: &str) -> String {
    let shown = config.shown().iter().find(|shown| shown.key == key);
    shown.expect("every key is shown").origin.to_string()
}

#[test]
fn flag_beats_environment_beats_file_beats_default() {
    let file = "[write]\nbatch_rows = 40\n";
    let all = [("TRANSLOAD_BATCH_ROWS", "20"), ("MIGRATION_BATCH_SIZE", "30")];
    let steps: [(&[_], &[_], &str, usize, &str); 5] = [
        (&[("write.batch_rows", "10")], &all, file, 10, "flag --batch-rows"),
        (&[], &all, file, 20, "environment TRANSLOAD_BATCH_ROWS"),
        (&[], &all[1..], file, 30, "environment MIGRATION_BATCH_SIZE"),
        (&[], &[], file, 40, "pipeline.toml line 2"),
        (&[], &[], "", 1000, "default"),
    ];
    for (flags, variables, file, rows, from) in steps {
        let config = resolve(flags, variables, file).expect("valid");
        assert_eq!(config.batch_rows, rows);
        assert_eq!(origin(&config, "write.batch_rows"), from);
    }
}

#[test]
fn every_setting_is_shown_once_in_order() {
    let config = resolve(&[], &[], "").expect("defaults");
    let shown: Vec<&str> = config.shown().iter().map(|shown| shown.key).collect();
    let known: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
    assert_eq!(shown, known);
}

#[test]
fn defaults_are_what_the_plan_says() {
    let config = resolve(&[], &[], "").expect("defaults");
    assert_eq!((config.batch_rows, config.batch_bytes), (1000, 8 << 20));
    assert_eq!((config.max_connections, config.idle_timeout), (20, Duration::from_secs(300)));
    assert_eq!((config.connections, config.threads, config.readers, config.whole_bytes), (4, 4, 4, 4 << 20));
    let bounded = resolve(&[("max_memory", "1GiB")], &[], "").expect("valid");
    assert_eq!((bounded.threads, bounded.readers), (4, 4));
    let small = |flags: Flags| {
        Config::resolve(&flags, &Vec::<(&str, &str)>::new().into_iter().collect(), None, 1).expect("valid")
    };
    assert_eq!((small(vec![]).threads, small(vec![]).readers), (4, 1));
    assert_eq!(small(vec![("max_memory", "1GiB".into())]).threads, 1);
    let chosen = resolve(&[], &[], "[read]\nthreads = 3\n").expect("valid");
    assert_eq!((chosen.threads, chosen.readers), (3, 3));
    assert_eq!(config.format, "donna");
    assert!(matches!(config.source(), Err(ConfigError::NoSource)));
    assert_eq!(config.database().expect("a default").name(), "sqlite:transload.db");
}

#[test]
fn the_plans_variables_are_honoured() {
    let config = resolve(&[], &[("DB_MAX_CONNECTIONS", "3"), ("DB_IDLE_TIMEOUT", "7")], "").expect("valid");
    assert_eq!((config.max_connections, config.idle_timeout), (3, Duration::from_secs(7)));
    assert_eq!(config.connections, 3);
}

#[test]
fn more_writers_than_connections_are_refused() {
    let error = resolve(&[("write.connections", "9")], &[("DB_MAX_CONNECTIONS", "3")], "").expect_err("too many");
    assert!(error.to_string().contains("from 1 to 3") && error.is_usage(), "{error}");
}

#[test]
fn a_stray_database_url_never_redirects_a_run() {
    let config = resolve(&[], &[("DATABASE_URL", "postgres://elsewhere/n")], "db = \"sqlite:here.db\"").expect("valid");
    assert_eq!(config.database().expect("valid").name(), "sqlite:here.db");
    // Nor do DB_HOST and its kin, unless `db` asks for them.
    let variables = [("DB_HOST", "h"), ("DB_NAME", "n"), ("DB_USER", "u"), ("PGHOST", "h")];
    let config = resolve(&[], &variables, "").expect("valid");
    assert_eq!(config.database().expect("valid").name(), "sqlite:transload.db");
}

#[test]
fn what_needs_no_database_runs_without_one() {
    let config = resolve(&[], &[], "db = \"env\"").expect("settings alone are fine");
    let error = config.database().expect_err("no variables");
    assert_eq!(error.to_string(), "`db` is \"env\" (pipeline.toml line 1) but DB_HOST, DB_NAME, DB_USER are not set");
}

#[test]
fn the_password_is_shown_nowhere() {
    let variables = [("TRANSLOAD_DB", "postgres://u:geheim@h/n"), ("PGPASSWORD", "geheim")];
    let config = resolve(&[], &variables, "").expect("valid");
    let Database::Postgres(settings) = config.database().expect("valid") else { panic!("a server was named") };
    assert_eq!(settings.url, "postgres://u:geheim@h/n");
    assert_eq!(settings.variables["PGPASSWORD"], "geheim");
    assert!(!format!("{config:?} {settings:?}").contains("geheim"));
}

#[test]
fn switches_of_the_later_data_access_layer_are_refused() {
    for (name, fine, refused) in
        [("DATA_STORAGE_TYPE", "file", "postgres"), ("MIGRATION_ENABLE_DUAL_WRITE", "false", "true")]
    {
        assert!(resolve(&[], &[(name, fine)], "").is_ok());
        let error = resolve(&[], &[(name, refused)], "").expect_err("refused");
        assert!(error.to_string().contains("data access layer"), "{error}");
        assert!(!error.is_usage());
    }
}

#[test]
fn a_variable_that_is_nearly_a_setting_is_noticed() {
    let variables = [("TRANSLOAD_BATCHROWS", "5"), ("TRANSLOAD_TEST_LONG", "1"), ("TRANSLOAD_DB", "sqlite:a")];
    assert_eq!(resolve(&[], &variables, "").expect("valid").unknown_variables(), ["TRANSLOAD_BATCHROWS"]);
}

#[test]
fn a_set_but_empty_variable_counts_as_unset() {
    assert_eq!(resolve(&[], &[("TRANSLOAD_BATCH_ROWS", "")], "").expect("valid").batch_rows, 1000);
}

#[test]
fn a_bad_value_says_where_it_stands() {
    let error = resolve(&[], &[], "[read]\nthreads = 0\n").expect_err("no threads");
    assert_eq!(
        error.to_string(),
        "bad value for `read.threads` (pipeline.toml line 2): expected a whole number from 1 to 1024, found \"0\""
    );
    let error = resolve(&[], &[("TRANSLOAD_TIMEZONE", "Mars/Olympus")], "").expect_err("no zone");
    assert!(error.hint().expect("a hint").contains("IANA"));
}
