//! What an older SQLite makes of our tables: to those before 3.45 json_valid(NULL) is 0, not NULL, and
//! some take 30 February for a day. The system's own shell looks at what the program made; where that is
//! a newer one, the declared texts still say what an older one would find.

mod support;

use std::process::Command;

use rusqlite::Connection as Db;
use serde_json::json;
use support::content;
use support::schema::Site;
use transload::format::donna::tables::{TABLES, WITHOUT_LOGS};
use transload::model::ledger::VERSIONS;
use transload::model::{Instant, Row, Value};
use transload::schema::{self, migrations};
use transload::target::Durability;

/// Table and column: JSON that may be NULL.
const NULLABLE: [(&str, &str); 7] = [
    ("users", "profile"),
    ("users", "preferences"),
    ("chat_sessions", "metadata"),
    ("messages", "metadata"),
    ("system_logs", "context"),
    ("transload_runs", "summary"),
    ("transload_documents", "notes"),
];

/// Table and columns: times.
const TIMES: [(&str, &[&str]); 5] = [
    ("users", &["created_at", "updated_at", "last_active_at"]),
    ("chat_sessions", &["created_at", "updated_at", "last_message_at"]),
    ("messages", &["created_at"]),
    ("user_memory", &["created_at", "updated_at", "expires_at"]),
    ("system_logs", &["created_at"]),
];

/// Since when json_valid(NULL) is NULL.
const NULL_IS_NO_JSON: (u32, u32) = (3, 45);

/// Since when SQLite has what the index of words is made of.
const SEARCHES: (u32, u32) = (3, 43);

/// What the shell says, and whether it was content.
fn shell(site: &Site, sql: &str) -> (bool, String) {
    let path = site.url.strip_prefix("sqlite:").expect("a SQLite database");
    let ended = Command::new("sqlite3").args(["-batch", "-bail", path, sql]).output();
    let ended = ended.expect("sqlite3 is there: scripts/test installs it");
    let text = [ended.stdout, ended.stderr].map(|bytes| String::from_utf8(bytes).expect("UTF-8")).concat();
    (ended.status.success(), text)
}

fn shell_version(site: &Site) -> (u32, u32) {
    let text = shell(site, "SELECT sqlite_version()").1;
    let mut parts = text.trim().split('.').map(|part| part.parse().expect("a number"));
    (parts.next().expect("a version"), parts.next().expect("a version"))
}

/// An INSERT of one more row with this in a column; `number` makes its keys its own.
fn insert(table: &str, column: &str, value: &str, number: usize) -> String {
    let id = format!("'00000000-0000-4000-8000-{number:012}'");
    let (columns, values) = match table {
        "users" => ("id".to_owned(), id),
        "chat_sessions" => ("id, chat_id".to_owned(), format!("{id}, 'chat {number}'")),
        "messages" => (
            "id, chat_session_id, role, content, sequence_number".to_owned(),
            format!("{id}, (SELECT min(id) FROM chat_sessions), 'user', 'x', {number}"),
        ),
        "user_memory" => (
            "id, user_id, memory_type, key, value".to_owned(),
            format!("{id}, (SELECT min(id) FROM users), 'x', '{number}', '1'"),
        ),
        _ => ("id, level, message".to_owned(), format!("{id}, 'info', 'x'")),
    };
    format!("INSERT INTO {table} ({columns}, {column}) VALUES ({values}, {value})")
}

/// The texts of a schema, by name.
fn texts(site: &Site) -> Vec<String> {
    let db = site.sqlite_connection();
    let mut statement = db.prepare("SELECT name || ': ' || coalesce(sql, '') FROM sqlite_schema ORDER BY 1").unwrap();
    let texts = statement.query_map([], |row| row.get(0)).unwrap();
    texts.collect::<Result<_, _>>().unwrap()
}

/// Nothing is found wrong, by anybody.
fn assert_sound(site: &Site) {
    let verified = site.place.run(&["verify", "data", "--quiet", "--json", "--db", &site.url]).expect(0).json();
    assert!(verified["documents"]["agreed"].as_u64() >= Some(24), "{verified}");
    site.run(&["validate"]).expect(0);
    assert_intact(site);
}

fn assert_intact(site: &Site) {
    for pragma in ["quick_check", "integrity_check"] {
        assert_eq!(shell(site, &format!("PRAGMA {pragma}")), (true, "ok\n".to_owned()));
        let ours = site.sqlite_connection().query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0));
        assert_eq!(ours, Ok("ok".to_owned()));
    }
}

/// NULL is written, and what is no JSON and no time is not.
fn assert_writes(site: &Site) {
    let texts = texts(site);
    let has = |name: &str| texts.iter().any(|text| text.starts_with(&format!("{name}: ")));
    let text_of =
        |table: &str| texts.iter().find(|text| text.starts_with(&format!("{table}: "))).expect("it is there").as_str();
    let searches = has("messages_search");
    let can_write = |table: &str| match table {
        "messages" => !searches || shell_version(site) >= SEARCHES,
        _ => !table.starts_with("transload_"),
    };
    let mut number = 0;
    let mut write = |table: &str, column: &str, value: &str| {
        number += 1;
        shell(site, &format!("PRAGMA synchronous = OFF; {}", insert(table, column, value, number)))
    };
    for (table, column) in NULLABLE.into_iter().filter(|(table, _)| has(table)) {
        let text = text_of(table);
        assert!(text.contains(&format!("CHECK ({column} IS NULL OR json_valid({column}))")), "{text}");
        assert!(!text.contains(&format!("CHECK (json_valid({column}))")), "{text}");
        if can_write(table) {
            assert_eq!(write(table, column, "NULL"), (true, String::new()), "{table}.{column}");
            let (wrote, said) = write(table, column, "'{'");
            assert!(!wrote && said.contains("CHECK constraint failed: "), "{table}.{column}: {said}");
        }
    }
    if searches && !can_write("messages") {
        // As the document says.
        let (wrote, said) = write("messages", "metadata", "NULL");
        assert!(!wrote && said.contains("unrecognized option: \"contentless_delete\""), "{said}");
        let (read, count) = shell(site, "SELECT count(content) FROM messages");
        assert!(read && count != "0\n", "{count}");
    }
    for (table, columns) in TIMES.into_iter().filter(|(table, _)| has(table)) {
        assert_eq!(text_of(table).matches("'+0 days'))").count(), columns.len());
        assert_eq!(text_of(table).matches("strftime('%Y-%m-%dT%H:%M:%S'").count(), columns.len());
        for column in columns.iter().filter(|_| can_write(table)) {
            for good in ["NULL", "'2024-02-29T23:59:59.999999Z'"] {
                assert_eq!(write(table, column, good), (true, String::new()), "{table}.{column} {good}");
            }
            for wrong in ["'2025-02-29T10:00:00.000000Z'", "'2025-01-01T24:00:00.000000Z'", "'2025-01-01T10:00:00Z'"] {
                let (wrote, said) = write(table, column, wrong);
                assert!(!wrote && said.contains("CHECK constraint failed: "), "{table}.{column} {wrong}: {said}");
            }
        }
    }
    assert_intact(site);
}

fn of_fixture() -> Site {
    let site = Site::sqlite();
    site.place.copy_fixture("donna");
    site
}

fn migrate(site: &Site, arguments: &[&str]) {
    site.place.run(&[&["migrate", "data", "--quiet", "--db", &site.url], arguments].concat()).expect(0);
}

/// A database that was made and loaded before the checks were mended, with these parts.
fn from_before(parts: &[&str]) -> Site {
    let new = of_fixture();
    let with = if parts.is_empty() { vec![] } else { vec!["--with".to_owned(), parts.join(",")] };
    migrate(&new, &with.iter().map(String::as_str).collect::<Vec<_>>());
    let path = new.place.path("before.db");
    let site = Site { url: format!("sqlite:{}", path.display()), place: new.place, dialect: "sqlite" };
    let db = site.sqlite_connection();
    db.execute_batch("PRAGMA journal_mode = wal").unwrap();
    let (mut versions, mut searches) = (Vec::new(), None);
    for (schema, last) in [("transload", 3), ("donna", 4)] {
        for file in migrations(schema, "sqlite").unwrap().iter().filter(|file| file.number() <= last) {
            match file.name() {
                "system_logs" if !parts.contains(&"logs") => continue,
                "search" if !parts.contains(&"search") => continue,
                // It reads the messages that are there.
                "search" => searches = Some(file.sql),
                _ => db.execute_batch(file.sql).unwrap(),
            }
            versions.push(format!(
                "INSERT INTO transload_versions SELECT * FROM new.transload_versions \
                 WHERE schema_name = '{schema}' AND number = {};",
                file.number()
            ));
        }
    }
    let attach = format!("ATTACH '{}' AS new", site.place.path("app.db").display());
    db.execute_batch(&attach).unwrap();
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'transload_versions'";
    let mut statement = db.prepare(tables).unwrap();
    let names: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    assert!(names.len() >= 9, "{names:?}");
    for name in names {
        db.execute_batch(&format!("INSERT INTO {name} SELECT * FROM new.{name}")).unwrap();
    }
    versions.iter().for_each(|version| db.execute_batch(version).unwrap());
    db.execute_batch("DETACH new").unwrap();
    db.execute_batch(searches.unwrap_or_default()).unwrap();
    site
}

#[test]
fn a_fresh_database_takes_null_from_an_older_sqlite() {
    for with in [&[][..], &["--with", "logs"], &["--with", "logs,search"]] {
        let site = of_fixture();
        migrate(&site, with);
        assert_sound(&site);
        assert_writes(&site);
    }
}

#[test]
fn one_from_before_is_told_so_and_comes_to_the_same_schema_in_every_order() {
    let fresh = |with: &str| {
        let site = of_fixture();
        migrate(&site, &["--with", with]);
        texts(&site)
    };
    let (logs, both) = (fresh("logs"), fresh("logs,search"));
    for (parts, later, expected) in [
        (&["logs"][..], &[][..], &logs),
        (&[], &["logs"], &logs),
        (&["logs", "search"], &[], &both),
        (&["logs"], &["search"], &both),
        (&["search"], &["logs"], &both),
        (&[], &["search", "logs"], &both),
    ] {
        let site = from_before(parts);
        assert!(texts(&site).concat().contains("CHECK (json_valid(metadata))"));
        if shell_version(&site) < NULL_IS_NO_JSON {
            let (wrote, said) = shell(&site, &insert("users", "profile", "NULL", 1));
            assert!(!wrote && said.contains("CHECK constraint failed: json_valid(profile)"), "{said}");
            let wrong = shell(&site, "PRAGMA quick_check").1;
            assert!(wrong.contains("CHECK constraint failed in transload_documents"), "{wrong}");
        }
        for verb in [&["migrate", "data"][..], &["verify", "data"], &["export", "out"]] {
            let refused = site.place.run(&[verb, &["--quiet", "--db", &site.url]].concat()).expect(2).stderr;
            assert!(refused.contains("the migration `transload/0004_any_sqlite.sql` was not applied yet"), "{refused}");
            assert!(refused.contains("`transload schema apply`, without a directory, applies it"), "{refused}");
        }
        assert!(site.run(&["validate"]).expect(1).stdout.contains("not applied yet: donna/0005_any_sqlite.sql"));
        let applied = site.run(&["apply"]).expect(0).stdout;
        assert!(
            applied.starts_with("applied transload/0004_any_sqlite.sql\napplied donna/0005_any_sqlite.sql\n"),
            "{applied}"
        );
        assert_eq!(applied.contains("donna/0006_any_sqlite_logs.sql"), parts.contains(&"logs"), "{applied}");
        later.iter().for_each(|part| migrate(&site, &["--with", part]));
        migrate(&site, &[]);
        assert_eq!(&texts(&site), expected, "{parts:?}, later {later:?}");
        assert_sound(&site);
        if later.is_empty() {
            assert_writes(&site);
        }
    }
}

#[test]
fn parts_that_are_asked_for_later_come_to_the_same_schema() {
    let (site, other) = (of_fixture(), of_fixture());
    migrate(&site, &["--with", "logs,search"]);
    migrate(&other, &[]);
    migrate(&other, &["--with", "search"]);
    let applied = other.run(&["apply", "--with", "logs"]).expect(0).stdout;
    let expected = "applied donna/0003_system_logs.sql\napplied donna/0006_any_sqlite_logs.sql\n";
    assert!(applied.starts_with(expected), "{applied}");
    migrate(&other, &[]);
    assert_eq!(texts(&site), texts(&other));
    assert_sound(&other);
}

#[test]
fn a_program_that_has_the_database_open_notices() {
    let site = from_before(&[]);
    let open = site.sqlite_connection();
    let version = |db: &Db| db.pragma_query_value(None, "schema_version", |row| row.get::<_, i64>(0)).unwrap();
    let before = version(&open);
    site.run(&["apply"]).expect(0);
    assert!(version(&open) > before);
    // With a check that means something else to this SQLite, too.
    let files = [
        ("0001_a.sql", "-- WHY: x\nCREATE TABLE IF NOT EXISTS a (b INTEGER CHECK (b < 10));\n-- ENSURE: SELECT count(*) = 0 FROM a\n"),
        (
            "0002_b.sql",
            "-- WHY: ten is not enough.\n-- ALLOW: 3.3 because the post-condition says what must have come of it\nPRAGMA writable_schema = ON;\n\
             UPDATE sqlite_schema SET sql = replace(sql, 'CHECK (b < 10)', 'CHECK (b < 20)') WHERE type = 'table' AND name = 'a';\n\
             CREATE VIEW IF NOT EXISTS a_changed AS SELECT 1;\nDROP VIEW IF EXISTS a_changed;\n\
             PRAGMA writable_schema = RESET;\n\
             -- ENSURE: SELECT count(*) = 1 FROM sqlite_schema WHERE name = 'a' AND sql LIKE '%CHECK (b < 20)%'\n",
        ),
    ];
    let site = Site::sqlite();
    site.files("app", &files);
    site.run(&["snapshot", "app"]).expect(0);
    let linted = site.run(&["lint", "app"]).expect(0).stdout;
    assert!(linted.ends_with("2 migration files for SQLite: no findings, 1 silenced\n"), "{linted}");
    site.run(&["apply", "app", "--to", "1"]).expect(0);
    let open = site.sqlite_connection();
    let mut insert = open.prepare("INSERT INTO a VALUES (15)").unwrap();
    insert.execute([]).expect_err("the check refuses it");
    site.run(&["apply", "app"]).expect(0);
    assert_eq!(insert.execute([]), Ok(1));
    site.run(&["validate", "app"]).expect(0);
}

/// Makes the tables without a ledger, as an application does that has our file.
fn application(site: &Site) {
    for file in migrations("donna", "sqlite").unwrap().iter().filter(|file| [1, 3].contains(&file.number())) {
        site.sqlite_connection().execute_batch(file.sql).unwrap();
    }
}

#[test]
fn the_checks_of_tables_that_an_application_made_are_its_own() {
    let ours = ["transload/0004_any_sqlite.sql"];
    let theirs = ["donna/0005_any_sqlite.sql", "donna/0006_any_sqlite_logs.sql"];
    // Adopted now.
    let now = Site::sqlite();
    application(&now);
    let before = texts(&now);
    let made = |site: &Site| texts(site).into_iter().filter(|text| !text.contains("transload_")).collect::<Vec<_>>();
    {
        let mut connection = content::target(&now.url).connect(Durability::Full).unwrap();
        let prepared = schema::prepare(&mut *connection, "sqlite", "donna", &TABLES).unwrap();
        assert_eq!(
            (&prepared.applied[3..], &prepared.adopted[3..]),
            (&ours.map(str::to_owned)[..], &theirs.map(str::to_owned)[..])
        );
    }
    assert_eq!(made(&now), before);
    // Adopted before: the same end.
    let earlier = Site::sqlite();
    application(&earlier);
    for file in migrations("transload", "sqlite").unwrap().iter().filter(|file| file.number() <= 3) {
        earlier.sqlite_connection().execute_batch(file.sql).unwrap();
    }
    {
        let mut connection = content::target(&earlier.url).connect(Durability::Full).unwrap();
        let version = |schema: &str, number: i64, note: &str| {
            let file = migrations(schema, "sqlite").unwrap().iter().find(|file| file.number() == number).unwrap();
            Row(vec![
                Value::Text(schema.to_owned()),
                Value::Int(number),
                Value::Text(format!("{}{note}", file.name())),
                Value::Bytes(file.checksum().to_vec()),
                Value::Time(Instant::now()),
            ])
        };
        let mut rows: Vec<Row> = (1..=3).map(|number| version("transload", number, "")).collect();
        rows.extend((1..=3).map(|number| version("donna", number, " (adopted)")));
        connection.insert(&VERSIONS, &rows).unwrap();
        schema::prepare(&mut *connection, "sqlite", "donna", &WITHOUT_LOGS).expect_err("it is behind");
    }
    let applied = earlier.run(&["apply", "--json"]).expect(0).json();
    assert_eq!((&applied["applied"], &applied["adopted"]), (&json!(ours), &json!(theirs)));
    assert_eq!(texts(&earlier), texts(&now));
    earlier.run(&["validate"]).expect(0);
    // Their tables, and our logs.
    let mixed = Site::sqlite();
    application(&mixed);
    mixed.execute("DROP TABLE system_logs");
    let applied = mixed.run(&["apply", "--with", "logs"]).expect(0).stdout;
    assert!(applied.contains("found in place: donna/0005_any_sqlite.sql\n"), "{applied}");
    assert!(applied.contains("applied donna/0006_any_sqlite_logs.sql\n"), "{applied}");
    assert!(texts(&mixed).concat().contains("CHECK (json_valid(profile))"));
    assert!(texts(&mixed).concat().contains("CHECK (context IS NULL OR json_valid(context))"));
}

#[test]
fn texts_that_somebody_spelled_anew_are_not_taken_for_mended() {
    let site = from_before(&[]);
    site.execute(
        "PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = replace(sql, 'CHECK (json_valid(notes))', 'CHECK( json_valid(notes) )');
         PRAGMA writable_schema = RESET; CREATE TABLE x (y); DROP TABLE x;",
    );
    let before = texts(&site);
    let refused = site.run(&["apply"]).expect(2).stderr;
    assert!(refused.contains("the schema `transload` is not what its version 4 declares"), "{refused}");
    assert!(refused.contains("check (notes is null or json_valid(notes))"), "{refused}");
    assert_eq!(texts(&site), before);
}

#[test]
fn the_post_conditions_see_a_check_that_was_not_mended() {
    let spelled = [
        (
            "donna",
            "users",
            "CHECK (json_valid(preferences))",
            "CHECK (json_valid( preferences ))",
            "0005_any_sqlite.sql",
        ),
        ("donna", "user_memory", "substr(expires_at, 1, 19)))", "substr(expires_at, 1, 19) ))", "0005_any_sqlite.sql"),
        (
            "donna",
            "system_logs",
            "substr(created_at, 1, 19)))",
            "substr(created_at, 1, 19) ))",
            "0006_any_sqlite_logs.sql",
        ),
        ("donna", "system_logs", "(json_valid(context))", "(json_valid(context ))", "0006_any_sqlite_logs.sql"),
        ("transload", "transload_runs", "(json_valid(summary))", "(json_valid(summary) )", "0004_any_sqlite.sql"),
    ];
    for (schema, table, from, to, fails) in spelled {
        let site = Site::sqlite();
        for file in migrations(schema, "sqlite").unwrap() {
            // Without what they declare, so that nothing else is asked.
            let at = file.sql.find(&format!("CREATE TABLE {table} (")).unwrap_or(file.sql.len());
            let (before, behind) = file.sql.split_at(at);
            site.files("app", &[(file.file, &format!("{before}{}", behind.replacen(from, to, 1)))]);
        }
        let arguments = ["apply", "app", "--with", "logs"];
        let said = site.run(&arguments[..if schema == "donna" { 4 } else { 2 }]).expect(2).stderr;
        assert!(said.contains(&format!("`{fails}`")) && said.contains("SELECT count(*) = "), "{table} {to}: {said}");
    }
}
