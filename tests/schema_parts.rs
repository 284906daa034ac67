//! The optional parts of transload's own schema, by the real program: left out, made at once, added
//! later; and what searching needs of them.

mod support;

use std::fs;

use serde_json::{json, Value};
use support::schema::Site;

impl Site {
    fn migrate(&self, arguments: &[&str]) -> support::cli::Finished {
        self.place.run(&[&["migrate", "data", "--quiet", "--json", "--db", &self.url], arguments].concat())
    }

    fn verify(&self) -> Value {
        self.place.run(&["verify", "data", "--quiet", "--json", "--db", &self.url]).expect(0).json()
    }

    /// Which of the parts are there: `logs`, `search`.
    fn parts(&self) -> Vec<&'static str> {
        let search = if self.dialect == "sqlite" { "messages_search" } else { "idx_messages_search" };
        [("logs", "system_logs"), ("search", search)]
            .into_iter()
            .filter(|(_, object)| self.has_table(object))
            .map(|(part, _)| part)
            .collect()
    }

    /// How many messages are found by a word.
    fn found(&self, word: &str) -> String {
        self.value(&self.search(word))
    }

    fn search(&self, word: &str) -> String {
        match self.dialect {
            "sqlite" => format!(
                "SELECT count(*) FROM messages WHERE id IN (SELECT message_id FROM messages_search_rows \
                 WHERE number IN (SELECT rowid FROM messages_search WHERE messages_search MATCH '\"{word}\"'))"
            ),
            _ => format!(
                "SELECT count(*) FROM messages WHERE to_tsvector('simple'::regconfig, left(content, 8192)) \
                 @@ plainto_tsquery('simple', '{word}')"
            ),
        }
    }

    /// A chat whose messages say this.
    fn chat(&self, name: &str, messages: &[&str]) {
        let directory = self.place.path("data/chat_sessions");
        fs::create_dir_all(&directory).expect("a directory can be made");
        let messages: Vec<Value> = messages.iter().map(|content| json!({"role": "user", "content": content})).collect();
        fs::write(directory.join(format!("{name}.json")), json!(messages).to_string()).expect("it can be written");
    }

    fn versions(&self) -> &'static str {
        match self.dialect {
            "sqlite" => "transload_versions",
            _ => "transload.versions",
        }
    }
}

fn nobody_gets_a_part_that_he_did_not_ask_for(site: &Site) {
    site.place.copy_fixture("donna");
    let summary = site.migrate(&[]).expect(0).json();
    assert_eq!(site.parts(), [""; 0]);
    // The logs are told, with how to load them.
    let not_migrated = summary["not_migrated"].as_array().expect("a list");
    assert!(not_migrated.iter().any(|line| line["layout"] == "12 log (see --with logs)"), "{summary}");
    assert_eq!(site.migrate(&[]).expect(0).json()["documents"]["unchanged"], 24);
    assert_eq!(site.verify()["documents"]["agreed"], 24);
    site.place.run(&["export", "out", "--quiet", "--db", &site.url]).expect(0);
    site.place.run(&["status", "--db", &site.url]).expect(0);
    let validated = site.run(&["validate"]).expect(0).stdout;
    let mut left = "not asked for: donna/0003_system_logs.sql (optional)\n\
                    not asked for: donna/0004_search.sql (optional)\n"
        .to_owned();
    left += match site.dialect {
        "sqlite" => "not asked for: donna/0006_any_sqlite_logs.sql (optional)\n`donna` is what version 0005 declares\n",
        _ => "`donna` is what version 0002 declares\n",
    };
    assert!(validated.ends_with(&left), "{validated}");
    assert_eq!(site.run(&["apply"]).expect(0).stdout, "nothing to do: transload's tables are up to date\n");
    let refused = site.place.run(&["verify", "data", "--only", "logs", "--db", &site.url]).expect(2);
    assert!(refused.stderr.contains("`transload migrate --with logs` makes it"), "{}", refused.stderr);
}

fn a_part_is_added_to_a_database_with_rows_and_stays(site: &Site) {
    site.place.copy_fixture("donna");
    site.migrate(&[]).expect(0);
    let with_search = site.migrate(&["--with", "search"]).expect(0).json();
    assert_eq!((site.parts(), &with_search["documents"]["unchanged"]), (vec!["search"], &24.into()));
    let applied = site.run(&["apply", "--with", "logs"]).expect(0).stdout;
    let files = match site.dialect {
        "sqlite" => "applied donna/0003_system_logs.sql\napplied donna/0006_any_sqlite_logs.sql\n",
        _ => "applied donna/0003_system_logs.sql\n",
    };
    assert_eq!(applied, format!("{files}transload's tables are up to date\n"));
    assert_eq!(site.run(&["apply", "--with", "search,logs"]).expect(0).stdout.matches("nothing to do").count(), 1);
    // From now on they belong to the database, and no flag is needed.
    let later = site.migrate(&[]).expect(0).json();
    assert_eq!((&later["documents"]["loaded"], &later["documents"]["unchanged"]), (&2.into(), &24.into()));
    assert_eq!(site.verify()["documents"]["agreed"], 26);
    let newest = if site.dialect == "sqlite" { 6 } else { 4 };
    let validated = site.run(&["validate"]).expect(0).stdout;
    assert!(validated.ends_with(&format!("`donna` is what version {newest:04} declares\n")), "{validated}");
    site.place.run(&["export", "out", "--quiet", "--db", &site.url]).expect(0);
    assert!(site.place.path("out/logs").exists());
}

fn all_parts_at_once_and_by_the_settings(site: &Site) {
    site.place.copy_fixture("donna");
    fs::write(site.place.path("pipeline.toml"), "with = [\"logs\", \"search\"]\n").expect("it can be written");
    let dry = site.migrate(&["--dry-run"]).expect(0).json();
    assert_eq!((dry["documents"]["loaded"].as_u64(), site.parts()), (Some(26), vec![]));
    let summary = site.migrate(&[]).expect(0).json();
    assert_eq!((&summary["documents"]["loaded"], site.parts()), (&26.into(), vec!["logs", "search"]));
    assert_eq!(site.verify()["documents"]["agreed"], 26);
    let shown = site.place.run(&["--print-config"]).expect(0).stdout;
    let line = shown.lines().find(|line| line.starts_with("with ")).expect("it is shown");
    assert!(line.contains("logs,search") && line.contains("pipeline.toml line 1"), "{line}");
    let wrong = site.place.run(&["schema", "apply", "--with", "serach", "--db", &site.url]).expect(64);
    assert!(wrong.stderr.contains("was `search` meant?"), "{}", wrong.stderr);
}

fn messages_are_found_by_their_words(site: &Site) {
    site.chat("one", &["the quick brown Fox", "jumps over the lazy dog"]);
    site.migrate(&[]).expect(0);
    site.migrate(&["--with", "search"]).expect(0);
    assert_eq!((site.found("fox"), site.found("the"), site.found("cat")), ("1".into(), "2".into(), "0".into()));
    if site.dialect == "postgres" {
        let mut client = support::postgres::connect(&site.url);
        client.batch_execute("SET enable_seqscan = off").expect("a setting");
        let plan = client.query(&format!("EXPLAIN {}", site.search("fox")), &[]).expect("a plan");
        let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        assert!(plan.iter().any(|line| line.contains("Bitmap Index Scan on idx_messages_search")), "{plan:?}");
    }
    // What is written later, by us or by the application, is found, too.
    site.chat("one", &["the quick brown cat", "jumps over the lazy dog"]);
    site.chat("two", &["a red fox and a blue one"]);
    site.migrate(&[]).expect(0);
    assert_eq!((site.found("fox"), site.found("cat"), site.found("dog")), ("1".into(), "1".into(), "1".into()));
    site.execute("UPDATE messages SET content = 'a green frog' WHERE content LIKE '%lazy dog'");
    assert_eq!((site.found("dog"), site.found("frog")), ("0".into(), "1".into()));
    if site.dialect == "sqlite" {
        let replace = "INSERT OR REPLACE INTO messages (id, chat_session_id, role, content, sequence_number)
                       SELECT id, chat_session_id, role, 'a grey wolf', sequence_number FROM messages
                       WHERE content LIKE '%frog'; VACUUM";
        site.execute(replace);
        assert_eq!((site.found("frog"), site.found("wolf"), site.found("cat")), ("0".into(), "1".into(), "1".into()));
        site.execute("INSERT INTO messages_search (messages_search) VALUES ('integrity-check')");
    }
    // Rows that go along with their chat leave the index, too.
    site.execute(match site.dialect {
        "sqlite" => "PRAGMA foreign_keys = on; DELETE FROM chat_sessions",
        _ => "DELETE FROM chat_sessions",
    });
    assert_eq!((site.found("fox"), site.value("SELECT count(*) FROM messages")), ("0".into(), "0".into()));
    if site.dialect == "sqlite" {
        assert_eq!(site.value("SELECT count(*) FROM messages_search_rows"), "0");
    }
}

fn any_text_can_be_searched(site: &Site) {
    // More than a tsvector can hold in any case.
    let (count, bytes) = if support::chance::is_long() { (750_000, 5_000_000) } else { (250_000, 1_500_000) };
    let words: String = (0..count).map(|number| format!("w{number:x} ")).collect();
    assert!(words.len() > bytes);
    let word = "x".repeat(3_000_000);
    let emoji = "\u{1f600}\u{1f469}\u{200d}\u{1f4bb} ".repeat(20_000);
    let letters: String = (0..9_000u32).filter_map(|at| char::from_u32(0x10428 + at % 40)).collect();
    let hyphens: String = letters.chars().flat_map(|letter| [letter, '-']).collect();
    let slow = "a_".repeat(10_000);
    site.chat("all", &[&words, &word, &emoji, &letters, &hyphens, &slow, "needle \u{1f600} na\u{ef}ve"]);
    let summary = site.migrate(&["--with", "search"]).expect(0).json();
    assert_eq!(summary["documents"]["loaded"], 1);
    assert_eq!(
        (site.found("needle"), site.found("w7f"), site.found("na\u{ef}ve")),
        ("1".into(), "1".into(), "1".into())
    );
    assert_eq!(site.verify()["documents"]["agreed"], 1);
    // The same where the rows are there before the index is.
    let other = site.another();
    let run = |arguments: &[&str]| site.place.run(&[arguments, &["--quiet", "--db", &other]].concat()).expect(0);
    run(&["migrate", "data"]);
    run(&["schema", "apply", "--with", "search"]);
}

fn what_a_killed_build_left_is_made_good(site: &Site) {
    site.chat("one", &["the quick brown fox"]);
    site.migrate(&["--with", "search"]).expect(0);
    let forget = format!("DELETE FROM {} WHERE schema_name = 'donna' AND number = 4", site.versions());
    // Killed before it was recorded.
    site.execute(&forget);
    let applied = site.run(&["apply", "--with", "search"]).expect(0).stdout;
    assert!(applied.contains("donna/0004_search.sql\n"), "{applied}");
    if site.dialect == "postgres" {
        // Killed while it was built.
        site.execute(&forget);
        site.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'idx_messages_search'::regclass");
        site.migrate(&["--with", "search"]).expect(0);
        assert_eq!(
            site.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'idx_messages_search'::regclass"),
            "t"
        );
    }
    assert_eq!(site.found("fox"), "1");
    site.run(&["validate"]).expect(0);
}

on_both!(
    nobody_gets_a_part_that_he_did_not_ask_for,
    a_part_is_added_to_a_database_with_rows_and_stays,
    all_parts_at_once_and_by_the_settings,
    messages_are_found_by_their_words,
    any_text_can_be_searched,
    what_a_killed_build_left_is_made_good,
);
