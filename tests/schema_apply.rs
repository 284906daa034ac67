//! `transload schema apply` and its neighbours: what each does to a database, and what it refuses.

mod support;

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use support::postgres as server;
use support::schema::{Site, APP, PHONE, POSTS, USERS};

/// Runs `apply` where it must refuse or fail; returns what it said.
fn refused(site: &Site, arguments: &[&str]) -> String {
    let finished = site.run(&[&["apply"], arguments].concat()).expect(2);
    assert_eq!(finished.stdout, "");
    assert!(finished.stderr.contains("hint: "), "{}", finished.stderr);
    finished.stderr
}

fn assert_says(said: &str, expected: &[&str]) {
    for expected in expected {
        assert!(said.contains(expected), "{expected:?} is missing in:\n{said}");
    }
}

fn a_fresh_database_gets_everything_and_a_second_run_nothing(site: &Site) {
    site.declared_app();
    let plan = site.run(&["plan", "app", "--json"]).expect(0).json();
    assert_eq!(plan["steps"].as_array().map(Vec::len), Some(3));
    assert!(!site.has_table("users"));
    let first = site.run(&["apply", "app", "--json"]).expect(0).json();
    assert_eq!((&first["at"], &first["set"]), (&3.into(), &"app".into()));
    let applied = first["applied"].as_array().expect("a list");
    assert_eq!(applied.len(), 3);
    assert!(applied.iter().all(|one| one["validated"] == "post-conditions, declared schema"), "{first}");
    assert_eq!(site.recorded("app"), "1,2,3");
    let second = site.run(&["apply", "app"]).expect(0);
    assert_eq!(second.stdout, "nothing to do: `app` is at version 0003\n");
    let validated = site.run(&["validate", "app"]).expect(0);
    assert_eq!(validated.stdout, "`app` is what version 0003 declares\n");
    let status = site.run(&["status", "app", "--json"]).expect(0).json();
    let states: Vec<&str> =
        status["files"].as_array().expect("a list").iter().filter_map(|it| it["state"].as_str()).collect();
    assert_eq!(states, ["applied"; 3]);
    assert!(status["log_broken_at"].is_null());
}

fn versions_follow_one_another(site: &Site) {
    site.files("app", &APP[..2]);
    let first = site.run(&["apply", "app", "--to", "1"]).expect(0);
    assert!(first.stdout.ends_with("`app` is at version 0001\n"), "{}", first.stdout);
    site.execute("INSERT INTO users (id, email) VALUES (1, 'a@b.c')");
    site.run(&["apply", "app"]).expect(0);
    site.files("app", &[("0003_phone.sql", PHONE)]);
    let last = site.run(&["apply", "app", "--json"]).expect(0).json();
    assert_eq!(last["applied"].as_array().map(Vec::len), Some(1));
    assert_eq!(last["applied"][0]["validated"], "post-conditions");
    assert_eq!(site.recorded("app"), "1,2,3");
    assert_eq!(site.value("SELECT count(*) FROM users"), "1");
}

fn two_sets_keep_apart_and_a_set_is_known_by_its_files(site: &Site) {
    site.files("app", &APP[..1]);
    site.files("other", &[("0001_theirs.sql", "-- WHY: theirs\nCREATE TABLE theirs (id INTEGER);")]);
    site.run(&["apply", "app"]).expect(0);
    site.run(&["apply", "other"]).expect(0);
    assert_eq!((site.recorded("app"), site.recorded("other")), ("1".into(), "1".into()));
    site.files("renamed", &APP[..1]);
    assert_says(&refused(site, &["renamed"]), &["recorded under the name `app`", "give --set app"]);
    site.run(&["apply", "renamed", "--set", "app"]).expect(0);
}

fn what_was_applied_stays_as_it_was(site: &Site) {
    let app = site.files("app", &APP);
    site.run(&["apply", "app"]).expect(0);
    let file = app.join("0002_posts.sql");
    fs::write(&file, POSTS.replace("body TEXT", "body VARCHAR(10)")).unwrap();
    assert_says(&refused(site, &["app"]), &["`0002_posts.sql` was edited after it was applied"]);
    assert_eq!(site.run(&["status", "app", "--json"]).expect(1).json()["files"][1]["state"], "edited");
    fs::write(&file, format!("-- a new comment\r\n{}", POSTS.replace('\n', "\r\n"))).unwrap();
    assert_says(&refused(site, &["app"]), &["edited in its comments", "--accept-comment-changes"]);
    let accepted = site.run(&["apply", "app", "--accept-comment-changes"]).expect(0);
    assert!(accepted.stdout.contains("accepted the new comments of 0002_posts.sql"), "{}", accepted.stdout);
    site.run(&["apply", "app"]).expect(0);
    fs::rename(&file, app.join("0002_posts.sql.retired")).unwrap();
    assert_says(&refused(site, &["app"]), &["`0002_posts.sql` was applied, and is retired"]);
    fs::remove_file(app.join("0002_posts.sql.retired")).unwrap();
    assert_says(&refused(site, &["app"]), &["`0002_posts.sql` was applied, and is missing"]);
    fs::remove_file(app.join("0003_phone.sql")).unwrap();
    assert_says(&refused(site, &["app"]), &["the database is at version 0003", "end at 0001"]);
}

fn order_dependencies_and_loss_are_minded(site: &Site) {
    let app = site.files("app", &[APP[0], ("0003_phone.sql", PHONE)]);
    site.run(&["apply", "app"]).expect(0);
    site.files("app", &[("0002_posts.sql", POSTS)]);
    assert_says(&refused(site, &["app"]), &["`0002_posts.sql` has a lower number than `0003_phone.sql`"]);
    fs::remove_file(app.join("0002_posts.sql")).unwrap();
    let depends = "-- DEPENDS: 0002_posts.sql\n-- WHY: x\nALTER TABLE users ADD COLUMN x INTEGER;";
    site.files("app", &[("0004_x.sql", depends)]);
    assert_says(&refused(site, &["app"]), &["depends on `0002_posts.sql`, which is not there"]);
    site.files("app", &[("0004_x.sql", "-- WHY: gone\n-- DESTRUCTIVE\nDROP TABLE users;")]);
    assert_says(&refused(site, &["app"]), &["loses data, and is meant to", "--allow-destructive"]);
    assert!(site.has_table("users"));
    site.run(&["apply", "app", "--allow-destructive"]).expect(0);
    assert!(!site.has_table("users"));
}

fn a_file_that_breaks_a_rule_is_not_run(site: &Site) {
    site.files("app", &[("0001_users.sql", "-- WHY: x\nBEGIN;\nCREATE TABLE users (id INTEGER);\nCOMMIT;\n")]);
    assert_says(&refused(site, &["app"]), &["`0001_users.sql` breaks the rule", "in line 2"]);
    assert!(
        !site.has_table("users") && !site.has_table("schema_history") && !site.has_table("transload_schema_history")
    );
}

fn a_file_that_fails_leaves_nothing_and_is_told_exactly(site: &Site) {
    let bad = "-- WHY: x\nCREATE TABLE posts (id INTEGER);\n\nINSERT INTO posts\nSELECT nope FROM users;\n";
    site.files("app", &[APP[0], ("0002_posts.sql", bad)]);
    let said = refused(site, &["app"]);
    assert_says(&said, &["`0002_posts.sql` failed at statement 2, line 5, column 8", "nope"]);
    assert_eq!((site.recorded("app"), site.has_table("posts")), ("1".into(), false));
    let status = site.run(&["status", "app", "--json"]).expect(0).json();
    let failure = &status["failures"][0];
    assert_eq!(
        (&failure["file"], &failure["statement"], &failure["line"]),
        (&"0002_posts.sql".into(), &2.into(), &5.into())
    );
    if site.dialect == "postgres" {
        assert_eq!(failure["code"], "42703");
    }
    site.files("app", &[APP[1]]);
    site.run(&["apply", "app"]).expect(0);
    assert_eq!(site.recorded("app"), "1,2");
}

fn post_conditions_decide(site: &Site) {
    let never = "-- WHY: x\nCREATE TABLE a (id INTEGER);\n-- ENSURE: SELECT count(*) = 1\n-- FROM a\n";
    site.files("app", &[("0001_a.sql", never)]);
    let said = refused(site, &["app"]);
    assert_says(&said, &["in line 3 does not hold: it was undone", "SELECT count(*) = 1 FROM a"]);
    assert!(!site.has_table("a"));
    site.files("app", &[("0001_a.sql", &never.replace("FROM a", "FROM nowhere"))]);
    assert_says(&refused(site, &["app"]), &["in line 3 cannot be checked", "nowhere"]);
    site.files("app", &[("0001_a.sql", &never.replace("= 1", "= 0"))]);
    site.run(&["apply", "app"]).expect(0);
    assert!(site.has_table("a"));
}

fn a_schema_that_is_not_the_declared_one_is_not_committed(site: &Site) {
    let app = site.declared_app();
    // The declaration says otherwise, as after a merge that went wrong.
    let snapshot = app.join("0003.json");
    let text = fs::read_to_string(&snapshot).unwrap();
    fs::write(&snapshot, text.replace("\"phone\"", "\"telephone\"")).unwrap();
    let said = refused(site, &["app"]);
    assert_says(
        &said,
        &[
            "difference: column `users.telephone` is missing",
            "difference: column `users.phone` is there and not declared",
            "`0003_phone.sql` does not make the schema that is declared for it: it was undone",
        ],
    );
    assert_eq!(site.recorded("app"), "1,2");
    site.run(&["snapshot", "app"]).expect(0);
    site.run(&["apply", "app"]).expect(0);
    // A stale one is told by its checksum.
    site.files("app", &[("0004_x.sql", "-- WHY: x\nCREATE TABLE x (id INTEGER);")]);
    assert_says(&refused(site, &["app"]), &["version 0004 is not declared", "transload schema snapshot"]);
    site.run(&["snapshot", "app"]).expect(0);
    site.files("app", &[("0004_x.sql", "-- WHY: x\nCREATE TABLE x (id BIGINT);")]);
    assert_says(&refused(site, &["app"]), &["`0004.json` was made from another `0004_x.sql`"]);
}

fn a_database_that_was_changed_by_hand_is_noticed(site: &Site) {
    site.declared_app();
    site.run(&["apply", "app", "--to", "2"]).expect(0);
    site.execute(
        "ALTER TABLE users ADD COLUMN by_hand INTEGER; CREATE TABLE theirs (id INTEGER); DROP INDEX users_by_email;",
    );
    let validated = site.run(&["validate", "app"]).expect(1);
    assert_says(
        &validated.stdout,
        &[
            "difference: column `users.by_hand` is there and not declared",
            "difference: index `users.users_by_email` is missing",
            "not part of this schema: table `theirs`",
            "not applied yet: 0003_phone.sql",
        ],
    );
    let said = refused(site, &["app"]);
    assert_says(&said, &["the database is not what version 0002 declares", "difference: column `users.by_hand`"]);
    assert_eq!(site.recorded("app"), "1,2");
    site.execute("ALTER TABLE users DROP COLUMN by_hand; CREATE INDEX users_by_email ON users (email);");
    site.run(&["apply", "app"]).expect(0);
    site.run(&["validate", "app"]).expect(0);
}

fn tables_that_are_there_already_are_not_overrun(site: &Site) {
    site.declared_app();
    site.execute("CREATE TABLE users (id INTEGER)");
    let said = refused(site, &["app"]);
    assert_says(
        &said,
        &["nothing is recorded for this database", "table `users` is there", "transload schema baseline"],
    );
    assert!(!site.has_table("schema_history") && !site.has_table("transload_schema_history"));
}

fn a_database_made_by_hand_is_adopted_only_if_it_is_what_it_should_be(site: &Site) {
    site.declared_app();
    // As an old start-up made it, which ran the whole file each time and never added the column.
    site.execute(USERS);
    site.execute(POSTS);
    site.execute("INSERT INTO users (id, email) VALUES (1, 'a@b.c')");
    let lacks = site.run(&["baseline", "app", "--at", "3"]).expect(2);
    assert_says(&lacks.stderr, &["difference: column `users.phone` is missing", "not what version 0003 declares"]);
    let other_type = site.run(&["baseline", "app", "--at", "0009"]).expect(2);
    assert_says(&other_type.stderr, &["version 0009 is not one of the files'"]);
    let adopted = site.run(&["baseline", "app", "--at", "2"]).expect(0);
    assert_says(&adopted.stdout, &["recorded 0001_users.sql", "recorded 0002_posts.sql", "nothing was changed"]);
    site.run(&["apply", "app"]).expect(0);
    assert_eq!((site.recorded("app"), site.value("SELECT count(*) FROM users")), ("1,2,3".into(), "1".into()));
    site.run(&["validate", "app"]).expect(0);
    let again = site.run(&["baseline", "app", "--at", "2"]).expect(2);
    assert_says(&again.stderr, &["the database has a history already, up to version 0003"]);
}

fn a_column_of_another_type_is_named(site: &Site) {
    site.declared_app();
    site.execute(&USERS.replace("VARCHAR(100) NOT NULL", "VARCHAR(50)").replace("'active'", "'new'"));
    let said = site.run(&["baseline", "app", "--at", "1"]).expect(2).stderr;
    let (declared, found) = match site.dialect {
        "postgres" => ("character varying(100)", "character varying(50)"),
        _ => ("VARCHAR(100)", "VARCHAR(50)"),
    };
    assert_says(
        &said,
        &[
            &format!("difference: column `users.email`: type: declared {declared}, found {found}"),
            "difference: column `users.email`: nullable: declared no, found yes",
            "difference: column `users.status`: default: declared 'active'",
        ],
    );
}

fn the_declared_schemas_are_the_same_text_from_two_databases(site: &Site) {
    let app = site.declared_app();
    let read = || ["0001.json", "0002.json", "0003.json"].map(|name| fs::read_to_string(app.join(name)).unwrap());
    let first = read();
    for name in ["0001.json", "0002.json", "0003.json"] {
        fs::remove_file(app.join(name)).unwrap();
    }
    site.run_at(&site.another(), &["snapshot", "app"]).expect(0);
    assert_eq!(read(), first);
    let checked = site.run(&["snapshot", "app", "--check"]).expect(0);
    assert_eq!(checked.stdout, "3 declared schemas are what the migrations make\n");
    fs::write(app.join("0002.json"), first[1].replace("body", "text")).unwrap();
    assert_eq!(
        site.run(&["snapshot", "app", "--check"]).expect(1).stdout,
        "0002.json is not what the migrations make\n"
    );
}

fn the_newest_migration_is_undone_by_the_file_that_says_so(site: &Site) {
    let app = site.declared_app();
    site.run(&["apply", "app"]).expect(0);
    let none = site.run(&["rollback", "app"]).expect(2);
    assert_says(&none.stderr, &["nothing undoes `0003_phone.sql`", "-- ROLLBACK OF:"]);
    let undo =
        "-- WHY: nobody calls.\n-- ROLLBACK OF: 0003_phone.sql\n-- DESTRUCTIVE\nALTER TABLE users DROP COLUMN phone;\n";
    site.files("app", &[("0004_no_phone.sql", undo)]);
    site.run(&["snapshot", "app"]).expect(0);
    assert_says(&site.run(&["rollback", "app"]).expect(2).stderr, &["loses data"]);
    let undone = site.run(&["rollback", "app", "--allow-destructive"]).expect(0);
    assert!(undone.stdout.ends_with("`app` is at version 0004\n"), "{}", undone.stdout);
    let schema = |name: &str| {
        let text = fs::read_to_string(app.join(name)).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["schema"].clone()
    };
    assert_eq!(schema("0004.json"), schema("0002.json"));
    site.run(&["validate", "app"]).expect(0);
}

fn optional_parts_are_made_on_demand(site: &Site) {
    let logs = "-- WHY: x\n-- OPTIONAL: logs\nCREATE TABLE logs (id INTEGER);\n";
    site.files("app", &[APP[0], ("0002_logs.sql", logs), ("0003_phone.sql", PHONE)]);
    site.run(&["snapshot", "app"]).expect(0);
    let first = site.run(&["apply", "app", "--json"]).expect(0).json();
    assert_eq!(first["left_out"], serde_json::json!(["0002_logs.sql"]));
    assert_eq!(first["applied"][1]["warnings"], serde_json::json!(["table `logs` is missing"]));
    assert_says(&site.run(&["validate", "app"]).expect(0).stdout, &["warning: table `logs` is missing"]);
    // A setting is for transload's own parts.
    let mut command = site.command(&["apply", "app"]);
    assert!(command.env("TRANSLOAD_WITH", "logs").output().expect("it starts").status.success());
    assert_eq!(site.recorded("app"), "1,3");
    let wrong = site.run(&["apply", "app", "--with", "log"]).expect(2);
    assert_says(&wrong.stderr, &["no migration belongs to an optional part `log`; there are logs"]);
    site.run(&["apply", "app", "--with", "logs"]).expect(0);
    assert_eq!(site.recorded("app"), "1,2,3");
    assert_eq!(site.run(&["validate", "app"]).expect(0).stdout, "`app` is what version 0003 declares\n");
}

fn the_log_tells_every_attempt_and_shows_who_changed_it(site: &Site) {
    site.files("app", &APP[..1]);
    site.run(&["apply", "app"]).expect(0);
    site.files("app", &[("0002_bad.sql", "-- WHY: x\nALTER TABLE nowhere ADD COLUMN x INTEGER;")]);
    refused(site, &["app"]);
    refused(site, &["app"]);
    let status = site.run(&["status", "app", "--json"]).expect(0).json();
    assert_eq!(status["failures"].as_array().map(Vec::len), Some(2));
    assert!(status["failures"][0]["by"].as_str().is_some_and(|by| by.contains("process")), "{status}");
    if site.dialect == "postgres" {
        let only = server::connect(&site.url).batch_execute("DELETE FROM transload.schema_attempts");
        assert!(only.is_err(), "the log only grows");
        site.execute("ALTER TABLE transload.schema_attempts DISABLE TRIGGER only_grows; DELETE FROM transload.schema_attempts WHERE number = 2;");
    } else {
        use std::os::unix::fs::PermissionsExt;
        let path = site.place.path("app.db.schema-log");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replacen("\"event\":\"applied\"", "\"event\":\"refused\"", 1)).unwrap();
    }
    let status = site.run(&["status", "app"]).expect(1);
    assert!(status.stdout.ends_with("the log of attempts was changed at line 2\n"), "{}", status.stdout);
}

fn a_log_whose_end_was_cut_off_is_noticed(site: &Site) {
    site.files("app", &APP[..2]);
    site.run(&["apply", "app"]).expect(0);
    site.run(&["status", "app"]).expect(0);
    // Two files were begun and applied: four lines, of which the history knows three.
    if site.dialect == "postgres" {
        site.execute("ALTER TABLE transload.schema_attempts DISABLE TRIGGER only_grows; DELETE FROM transload.schema_attempts WHERE number > 2;");
    } else {
        let path = site.place.path("app.db.schema-log");
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 4);
        fs::write(&path, text.lines().take(2).map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    }
    let flaw = "the log of attempts ends after 2 lines, and had 3 once: its end was cut off";
    assert!(site.run(&["status", "app"]).expect(1).stdout.ends_with(&format!("\n{flaw}\n")));
    assert_eq!(site.run(&["status", "app", "--json"]).expect(1).json()["log_flaw"], flaw);
    // What the files declare is checked where they declare something.
    site.run(&["snapshot", "app"]).expect(0);
    let validated = site.run(&["validate", "app"]).expect(1).stdout;
    assert_eq!(validated, format!("{flaw}\n`app` is what version 0002 declares\n"));
    // It stays so, whatever is appended.
    site.files("app", &[("0003_phone.sql", PHONE)]);
    site.run(&["snapshot", "app"]).expect(0);
    site.run(&["apply", "app"]).expect(0);
    site.run(&["status", "app"]).expect(1);
}

fn a_history_from_before_the_log_was_anchored_goes_on(site: &Site) {
    site.files("app", &APP[..1]);
    site.run(&["apply", "app"]).expect(0);
    let history = site.history();
    site.execute(&format!(
        "DELETE FROM {history} WHERE set_name = 'history' AND number = 2;
         ALTER TABLE {history} DROP COLUMN log_entries; ALTER TABLE {history} DROP COLUMN log_head;"
    ));
    site.run(&["status", "app"]).expect(0);
    site.files("app", &[APP[1]]);
    site.run(&["apply", "app"]).expect(0);
    assert_eq!((site.recorded("history"), site.recorded("app")), ("1,2".to_owned(), "1,2".to_owned()));
    let known = format!("SELECT count(log_head) FROM {history} WHERE set_name = 'app'");
    assert_eq!(site.value(&known), "1");
    site.run(&["status", "app"]).expect(0);
}

fn what_a_person_marks_in_a_declared_schema_is_minded_and_kept(site: &Site) {
    let app = site.declared_app();
    let path = app.join("0003.json");
    let text = fs::read_to_string(&path).unwrap();
    let mut declared: serde_json::Value = serde_json::from_str(&text).unwrap();
    declared["scope"] = serde_json::json!(["app_*"]);
    declared["schema"]["tables"]["users"]["indexes"]["users_by_email"]["optional"] = true.into();
    fs::write(&path, declared.to_string()).unwrap();
    assert_eq!(site.run(&["snapshot", "app"]).expect(0).stdout.matches("wrote").count(), 1);
    let kept: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(kept, declared);
    site.run(&["apply", "app"]).expect(0);
    site.execute("DROP INDEX users_by_email; CREATE TABLE theirs (id INTEGER);");
    let said = site.run(&["validate", "app"]).expect(0).stdout;
    assert_says(
        &said,
        &["warning: index `users.users_by_email` is missing", "not part of this schema: table `theirs`"],
    );
    site.execute("CREATE TABLE app_more (id INTEGER);");
    let said = site.run(&["validate", "app"]).expect(1).stdout;
    assert_says(&said, &["difference: table `app_more` is there and not declared"]);
    // A later version takes both over.
    site.files("app", &[("0004_x.sql", "-- WHY: x\nCREATE TABLE app_x (id INTEGER);")]);
    site.run(&["snapshot", "app"]).expect(0);
    let next: serde_json::Value = serde_json::from_str(&fs::read_to_string(app.join("0004.json")).unwrap()).unwrap();
    assert_eq!(next["scope"], declared["scope"]);
    assert_eq!(next["schema"]["tables"]["users"], declared["schema"]["tables"]["users"]);
}

on_both!(
    what_a_person_marks_in_a_declared_schema_is_minded_and_kept,
    a_fresh_database_gets_everything_and_a_second_run_nothing,
    versions_follow_one_another,
    two_sets_keep_apart_and_a_set_is_known_by_its_files,
    what_was_applied_stays_as_it_was,
    order_dependencies_and_loss_are_minded,
    a_file_that_breaks_a_rule_is_not_run,
    a_file_that_fails_leaves_nothing_and_is_told_exactly,
    post_conditions_decide,
    a_schema_that_is_not_the_declared_one_is_not_committed,
    a_database_that_was_changed_by_hand_is_noticed,
    tables_that_are_there_already_are_not_overrun,
    a_database_made_by_hand_is_adopted_only_if_it_is_what_it_should_be,
    a_column_of_another_type_is_named,
    the_declared_schemas_are_the_same_text_from_two_databases,
    the_newest_migration_is_undone_by_the_file_that_says_so,
    optional_parts_are_made_on_demand,
    the_log_tells_every_attempt_and_shows_who_changed_it,
    a_log_whose_end_was_cut_off_is_noticed,
    a_history_from_before_the_log_was_anchored_goes_on,
);

#[test]
fn whoever_holds_a_table_is_named_and_the_run_ends_after_four_tries() {
    let site = Site::postgres();
    site.files("app", &APP);
    site.run(&["apply", "app", "--to", "1"]).expect(0);
    let mut holder = server::connect(&site.url);
    holder.batch_execute("SET application_name = 'a_report'; BEGIN; SELECT * FROM users").unwrap();
    site.files("app", &[("0002_phone.sql", PHONE)]);
    fs::remove_file(site.place.path("app/0002_posts.sql")).unwrap();
    fs::remove_file(site.place.path("app/0003_phone.sql")).unwrap();
    let said = refused(&site, &["app", "--lock-timeout", "0.5"]);
    assert_says(
        &said,
        &[
            "in the way: server process",
            "a_report",
            "holds a lock on users",
            "`0002_phone.sql` failed at statement 1",
            "55P03",
        ],
    );
    assert_eq!(said.matches("is tried again in").count(), 3, "{said}");
    assert_eq!(site.recorded("app"), "1");
    let entries = site
        .value("SELECT string_agg(line::json->'entry'->>'event', ',' ORDER BY number) FROM transload.schema_attempts");
    assert_eq!(entries, "begun,applied,begun,retried,begun,retried,begun,retried,begun,retried");
    holder.batch_execute("COMMIT").unwrap();
    site.run(&["apply", "app"]).expect(0);
    assert_eq!(site.locks(), "0");
}

#[test]
fn a_lock_that_is_let_go_in_time_is_only_waited_for() {
    let site = Site::postgres();
    site.files("app", &[APP[0]]);
    site.run(&["apply", "app"]).expect(0);
    site.files("app", &[("0002_phone.sql", PHONE)]);
    let mut holder = server::connect(&site.url);
    holder.batch_execute("BEGIN; SELECT * FROM users").unwrap();
    let mut command = site.command(&["apply", "app", "--lock-timeout", "0.5"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(1200));
    holder.batch_execute("COMMIT").unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("is tried again in"), "{said}");
    assert_eq!(site.recorded("app"), "1,2");
}

#[test]
fn another_run_is_waited_for_and_named() {
    let site = Site::postgres();
    let slow = "-- WHY: x\nSELECT pg_sleep(6);\nCREATE TABLE a (id INTEGER);\n";
    site.files("app", &[("0001_a.sql", slow)]);
    let mut first = site.command(&["apply", "app"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begin = Instant::now();
    while site.locks() == "0" {
        assert!(begin.elapsed() < Duration::from_secs(60), "the first run never began");
    }
    let said = refused(&site, &["app", "--wait", "0.3"]);
    assert_says(&said, &["another run changes a schema", "transload schema apply, process", "--wait SECONDS"]);
    let second = site.run(&["apply", "app"]).expect(0);
    assert_eq!(second.stdout, "nothing to do: `app` is at version 0001\n");
    assert!(first.wait().unwrap().success());
}

#[test]
fn a_writer_of_a_sqlite_file_is_waited_for_in_vain_and_told() {
    let site = Site::sqlite();
    site.files("app", &APP);
    site.run(&["apply", "app", "--to", "1"]).expect(0);
    let writer = site.sqlite_connection();
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    let said = refused(&site, &["app", "--wait", "0.3"]);
    assert_says(&said, &["another run changes a schema of this database", "another program works on this database"]);
    writer.execute_batch("COMMIT").unwrap();
    site.run(&["apply", "app"]).expect(0);
}

#[test]
fn an_index_is_built_beside_the_application_and_a_failed_one_is_dropped_first() {
    let site = Site::postgres();
    let unique = "-- WHY: x\n-- NO TRANSACTION\nCREATE UNIQUE INDEX CONCURRENTLY users_email ON users (email);\n-- ENSURE: SELECT true\n";
    site.files("app", &[APP[0], ("0002_email.sql", unique)]);
    site.run(&["snapshot", "app"]).expect(0);
    site.run(&["apply", "app", "--to", "1"]).expect(0);
    site.execute("INSERT INTO users (id, email) VALUES (1, 'a'), (2, 'a')");
    let said = refused(&site, &["app"]);
    assert_says(&said, &["`0002_email.sql` failed at statement 1", "23505"]);
    assert_eq!(site.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'users_email'::regclass"), "f");
    assert_eq!(site.recorded("app"), "1");
    site.execute("DELETE FROM users WHERE id = 2");
    let applied = site.run(&["apply", "app"]).expect(0);
    assert!(applied.stderr.contains("dropped the index `users_email`"), "{}", applied.stderr);
    assert_eq!(site.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'users_email'::regclass"), "t");
    assert_eq!(site.recorded("app"), "1,2");
}

#[test]
fn a_table_is_rebuilt_without_losing_what_refers_to_it() {
    let site = Site::sqlite();
    let rebuild = "-- WHY: x\n-- DESTRUCTIVE: the table is copied first\n\
        CREATE TABLE users_new (id INTEGER PRIMARY KEY, email VARCHAR(100) NOT NULL UNIQUE, status VARCHAR(20));\n\
        INSERT INTO users_new SELECT id, email, status FROM users;\n\
        DROP TABLE users;\n\
        ALTER TABLE users_new RENAME TO users;\n";
    site.files("app", &[APP[0], APP[1], ("0003_rebuild.sql", rebuild)]);
    site.run(&["apply", "app", "--to", "2"]).expect(0);
    site.execute(
        "INSERT INTO users (id, email) VALUES (1, 'a'), (2, 'b'); INSERT INTO posts VALUES (1, 1, 'x'), (2, 2, 'y');",
    );
    site.run(&["apply", "app", "--allow-destructive"]).expect(0);
    assert_eq!(
        (site.value("SELECT count(*) FROM users"), site.value("SELECT count(*) FROM posts")),
        ("2".into(), "2".into())
    );
    assert_eq!(site.value("SELECT count(*) FROM pragma_foreign_key_check"), "0");
    // One that forgets a row is undone.
    let forgets = rebuild.replace("FROM users;", "FROM users WHERE id = 1;").replace("users_new", "users_2");
    site.files("app", &[("0004_again.sql", &forgets)]);
    let said = refused(&site, &["app", "--allow-destructive"]);
    assert_says(
        &said,
        &["`0004_again.sql` would lose rows: row 2 of `posts` refers to no row of `users`; it was undone"],
    );
    assert_eq!(site.value("SELECT count(*) FROM users"), "2");
}

#[test]
fn the_whole_model_of_postgres_is_declared_and_compared() {
    let site = Site::postgres();
    let all = "-- WHY: everything at once.\n\
        CREATE TYPE mood AS ENUM ('good', 'bad');\n\
        CREATE DOMAIN short AS text CHECK (length(VALUE) < 10);\n\
        CREATE SEQUENCE numbers START 10 OWNED BY NONE;\n\
        CREATE TABLE a (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, m mood NOT NULL DEFAULT 'good', s short,\n\
            c text COLLATE \"C\", twice bigint GENERATED ALWAYS AS (id * 2) STORED, n integer DEFAULT nextval('numbers'),\n\
            CONSTRAINT few CHECK (n < 1000), UNIQUE NULLS NOT DISTINCT (s));\n\
        CREATE TABLE b (id integer PRIMARY KEY, a bigint REFERENCES a ON UPDATE CASCADE ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED);\n\
        CREATE INDEX b_a ON b USING btree (a DESC NULLS LAST, (id + 1)) WHERE a IS NOT NULL;\n\
        CREATE VIEW v AS SELECT id, m FROM a WHERE n > 5;\n\
        CREATE MATERIALIZED VIEW mv AS SELECT count(*) AS n FROM a;\n\
        CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.n := 1; RETURN NEW; END $$;\n\
        CREATE TRIGGER touched BEFORE UPDATE ON a FOR EACH ROW EXECUTE FUNCTION touch();\n\
        -- ENSURE: SELECT true\n";
    let app = site.files("app", &[("0001_all.sql", all)]);
    site.run(&["snapshot", "app"]).expect(0);
    site.run(&["apply", "app"]).expect(0);
    site.run(&["validate", "app"]).expect(0);
    let text = fs::read_to_string(app.join("0001.json")).unwrap();
    for said in [
        "ENUM ('good', 'bad')",
        "DOMAIN text CONSTRAINT short_check CHECK ((length(VALUE) < 10))",
        "\"identity\": \"always\"",
        "\"collation\": \"\\\"C\\\"\"",
        "stored ((id * 2))",
        "\"on_delete\": \"set null\"",
        "\"on_update\": \"cascade\"",
        "\"deferrable\": \"initially deferred\"",
        "\"on\": \"(a DESC NULLS LAST, ((id + 1)))\"",
        "\"predicate\": \"(a IS NOT NULL)\"",
        "UNIQUE NULLS NOT DISTINCT (s)",
        "\"materialized\": true",
        "CREATE TRIGGER touched BEFORE UPDATE ON a FOR EACH ROW EXECUTE FUNCTION touch()",
        "CREATE OR REPLACE FUNCTION touch()",
    ] {
        assert!(text.contains(said), "{said} is missing in {text}");
    }
    assert!(!text.contains("public."), "{text}");
    let changes = [
        ("ALTER TYPE mood ADD VALUE 'so_so'", "type `mood`: definition"),
        ("ALTER TABLE a ALTER m DROP NOT NULL", "column `a.m`: nullable"),
        ("ALTER TABLE b DROP CONSTRAINT b_a_fkey; ALTER TABLE b ADD FOREIGN KEY (a) REFERENCES a ON UPDATE CASCADE ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED", "constraint `b.b_a_fkey`: on delete: declared set null, found cascade"),
        ("DROP INDEX b_a; CREATE INDEX b_a ON b (a)", "index `b.b_a`: on"),
        ("CREATE OR REPLACE VIEW v AS SELECT id, m FROM a WHERE n > 6", "view `v`: definition"),
        ("CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$", "function `touch()`: definition"),
        ("ALTER TABLE a DISABLE TRIGGER touched", "trigger `a.touched`: definition"),
        ("CREATE POLICY own ON a FOR SELECT USING (n > 0)", "policy `a.own` is there and not declared"),
        ("CREATE RULE quiet AS ON DELETE TO a DO INSTEAD NOTHING", "rule `a.quiet` is there and not declared"),
        ("ALTER SEQUENCE numbers INCREMENT 2", "sequence `numbers`: definition"),
        ("ALTER TABLE a ALTER n SET DEFAULT 4", "column `a.n`: default"),
    ];
    for (change, expected) in changes {
        site.execute(change);
        let said = site.run(&["validate", "app"]).expect(1).stdout;
        assert!(said.contains(expected), "after {change}: {said}");
    }
}

#[test]
fn a_role_without_rights_is_told_what_to_ask_for() {
    let private = server::PrivatePostgres::start();
    let database = private.create_database("app");
    server::execute(&database, "CREATE ROLE clerk LOGIN; GRANT CREATE ON SCHEMA public TO clerk;");
    let site = Site { url: private.url_as("clerk", "app"), place: support::cli::Workplace::new(), dialect: "postgres" };
    site.files("app", &APP);
    assert_says(&refused(&site, &["app"]), &["cannot create the ledger's schema `transload`", "CREATE SCHEMA"]);
    assert_says(&site.run(&["snapshot", "app"]).expect(2).stderr, &["cannot make a scratch database", "CREATEDB"]);
    server::execute(&database, "CREATE SCHEMA transload AUTHORIZATION clerk");
    site.run(&["apply", "app"]).expect(0);
    assert_eq!(site.recorded("app"), "1,2,3");
}

#[test]
fn a_scratch_database_is_gone_afterwards() {
    let server = server::PrivatePostgres::start();
    let site = Site { url: server.fresh_database(), ..Site::sqlite() };
    let site = Site { dialect: "postgres", ..site };
    site.files("app", &[APP[0], ("0002_bad.sql", "-- WHY: x\nCREATE TABLE x (id nothing);")]);
    let failed = site.run(&["snapshot", "app"]).expect(2);
    assert_says(&failed.stderr, &["`0002_bad.sql` failed at statement 1"]);
    assert_eq!(site.value("SELECT count(*) FROM pg_database WHERE datname LIKE 'transload%'"), "0");
    assert!(!site.place.path("app/0001.json").exists());
}

#[test]
fn who_is_in_the_way_of_a_concurrent_build_is_told_while_it_waits() {
    use std::io::{BufRead, BufReader};
    let site = Site::postgres();
    site.files("app", &APP[..1]);
    site.run(&["apply", "app"]).expect(0);
    let index = "-- WHY: x\n-- NO TRANSACTION\nCREATE INDEX CONCURRENTLY by_status ON users (status);\n";
    site.files("app", &[("0002_by_status.sql", index)]);
    let mut writer = server::connect(&site.url);
    writer.batch_execute("BEGIN; INSERT INTO users (id, email) VALUES (1, 'a@b.c')").expect("it writes");
    let mut command = site.command(&["apply", "app"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let stderr = BufReader::new(child.stderr.take().expect("it is piped"));
    let waits = "`0002_by_status.sql` waits; in the way: server process ";
    let mut lines = stderr.lines().map(|line| line.expect("it is text"));
    assert!(lines.any(|line| line.starts_with(waits)), "nothing was told while it waited");
    assert_eq!(child.try_wait().expect("it is our child"), None);
    writer.batch_execute("COMMIT").expect("it ends");
    lines.for_each(drop);
    assert!(child.wait().expect("it is our child").success());
}

#[test]
fn what_a_killed_snapshot_left_behind_goes_with_the_next_one() {
    let private = server::PrivatePostgres::start();
    let site = Site { url: private.fresh_database(), place: support::cli::Workplace::new(), dialect: "postgres" };
    let sleeps = "SELECT pg_sleep(0.02);\n".repeat(3_000);
    let slow = format!("-- WHY: x\nCREATE TABLE a (id INTEGER);\n{sleeps}");
    site.files("slow", &[("0001_slow.sql", &slow)]);
    site.files("app", &APP[..1]);
    site.execute("CREATE DATABASE transload_scratch_of_mine");
    let databases = || site.value("SELECT count(*) FROM pg_database WHERE datname LIKE 'transload_scratch_%'");
    let sessions = |expected: &str| {
        let begin = std::time::Instant::now();
        let query = "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname ~ '^transload_scratch_[0-9a-f]{32}$'";
        while site.value(query) != expected {
            assert!(begin.elapsed() < Duration::from_secs(60), "no session comes or goes");
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    let start = || {
        let mut command = site.command(&["snapshot", "slow"]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts")
    };
    let kill = |mut child: std::process::Child| {
        child.kill().expect("it is our child");
        child.wait().expect("it is our child");
        sessions("f");
    };
    let killed = start();
    sessions("t");
    kill(killed);
    assert_eq!(databases(), "2");
    // The next one takes it away, and is itself left alone by a third.
    let mut living = start();
    sessions("t");
    assert_eq!(databases(), "2");
    site.run(&["snapshot", "app"]).expect(0);
    assert_eq!((databases().as_str(), living.try_wait().expect("it is our child")), ("2", None));
    kill(living);
    site.run(&["snapshot", "app", "--check"]).expect(0);
    assert_eq!(databases(), "1");
}

#[test]
fn what_another_schema_is_called_does_not_show() {
    let site = Site::postgres();
    let app = site.declared_app();
    let user = server::value(&site.url, "SELECT current_user");
    site.execute("CREATE SCHEMA tenant");
    site.execute(&format!(
        "ALTER ROLE {user} IN DATABASE {} SET search_path = tenant, public",
        server::value(&site.url, "SELECT quote_ident(current_database())")
    ));
    site.run(&["apply", "app"]).expect(0);
    assert_eq!(
        site.value("SELECT count(*) FROM pg_class WHERE relname = 'users' AND relnamespace = 'tenant'::regnamespace"),
        "1"
    );
    site.run(&["validate", "app"]).expect(0);
    drop(app);
}
