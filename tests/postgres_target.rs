//! What is particular to the PostgreSQL target: what goes over the wire, errors, locks, TLS, roles.
//! The behaviour that all targets share is in `target_suite.rs`.

mod support;

use std::ops::ControlFlow;
use std::time::{Duration, Instant as Clock};

use support::postgres::{self as server, fresh_database, Options, PrivatePostgres};
use transload::format::donna::tables::{CHAT_SESSIONS, MESSAGES, SYSTEM_LOGS, USERS, USER_MEMORY};
use transload::model::{ledger, Instant, Owner, Row, Table, Value};
use transload::target::postgres::{Parameters, PostgresOptions, PostgresTarget};
use transload::target::{
    in_transaction, select_all, Connection, Durability, Filter, Holder, LockError, Target, TargetError, TargetErrorKind,
};
use uuid::Uuid;

const DONNA: [&str; 3] = [
    include_str!("../schema/donna/postgres/0001_core_tables.sql"),
    include_str!("../schema/donna/postgres/0002_indexes.sql"),
    include_str!("../schema/donna/postgres/0003_system_logs.sql"),
];
const LEDGER: [&str; 3] = [
    include_str!("../schema/transload/postgres/0001_ledger.sql"),
    include_str!("../schema/transload/postgres/0002_seals.sql"),
    include_str!("../schema/transload/postgres/0003_set_aside.sql"),
];

const HOSTILE: [&str; 14] = [
    "",
    "it's \"quoted\" `so`",
    "'); DROP TABLE users; --",
    r"back\slash \\ \n \t \N \.",
    "\\N",
    "\\.",
    "tab\tnewline\ncarriage\r\nreturn",
    "🚩 emoji 👩‍👩‍👧‍👦 and e\u{301}",
    "\u{1}\u{7f}\u{feff}\u{2028}\u{ffff}",
    "NULL",
    "$1 %s {} ${x}",
    "PGCOPY\n\u{ff}\r\n",
    "âœ… encoded twice",
    "x\u{10ffff}",
];

fn target(url: &str) -> PostgresTarget {
    PostgresTarget::new(PostgresOptions::new(Parameters::from_url(url).expect("the test's URL is right")))
}

fn connect(url: &str) -> Box<dyn Connection> {
    target(url).connect(Durability::Full).expect("the server answers")
}

/// What `connect` says when it does not connect.
fn refusal(url: &str) -> TargetError {
    match target(url).connect(Durability::Full) {
        Ok(_) => panic!("{url} lets us in"),
        Err(error) => error,
    }
}

fn make_tables(connection: &mut dyn Connection) {
    for script in DONNA {
        connection.run_script(Owner::Application, script).expect("the schema's SQL runs");
    }
    for script in LEDGER {
        connection.run_script(Owner::Ledger, script).expect("the ledger's SQL runs");
    }
}

/// A connection to a new database with all tables, and its URL.
fn prepared() -> (Box<dyn Connection>, String) {
    let url = fresh_database();
    let mut connection = connect(&url);
    make_tables(&mut *connection);
    (connection, url)
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn user(number: u128, clerk_id: Option<&str>) -> Row {
    let time = Value::Time(Instant(1_764_324_930_123_456));
    Row(vec![
        Value::Uuid(id(number)),
        Value::text_or_null(clerk_id),
        text("ada@example.org"),
        text("Ada"),
        Value::Json("{}".into()),
        Value::Json("{}".into()),
        time.clone(),
        time,
        Value::Null,
        text("active"),
    ])
}

fn rows(connection: &mut dyn Connection, table: &Table) -> Vec<Row> {
    select_all(connection, table, &Filter::All).expect("rows can be read")
}

fn count(connection: &mut dyn Connection, table: &Table) -> usize {
    rows(connection, table).len()
}

/// The error with its causes, as a person sees it.
fn told(error: &TargetError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text + &error.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default()
}

mod values {
    use super::*;

    fn log(number: u128, message: &str, address: Value, time: i64) -> Row {
        Row(vec![
            Value::Uuid(id(number)),
            text("info"),
            text(message),
            Value::Json(r#"{"a": 1}"#.into()),
            Value::Null,
            address,
            text(message),
            Value::Null,
            Value::Time(Instant(time)),
        ])
    }

    #[test]
    fn long_values_are_compressed_by_lz4_unless_somebody_chose() {
        let url = fresh_database();
        let offered = "SELECT 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'default_toast_compression'";
        let method = || {
            let script = "DROP TABLE IF EXISTS shown; CREATE TABLE shown AS SELECT repeat('long ', 10000) AS value";
            connect(&url).run_script(Owner::Application, script).expect("the table is made");
            server::value(&url, "SELECT pg_column_compression(value) FROM shown")
        };
        let usual = if server::value(&url, offered) == "t" { "lz4" } else { "pglz" };
        assert_eq!(method(), usual);
        let database = server::value(&url, "SELECT quote_ident(current_database())");
        server::execute(&url, &format!("ALTER DATABASE {database} SET default_toast_compression = 'pglz'"));
        assert_eq!(method(), "pglz");
    }

    #[test]
    fn every_kind_comes_back_as_it_was_written() {
        let (mut connection, _) = prepared();
        let addresses = ["127.0.0.1", "255.255.255.255", "0.0.0.0", "::1", "::ffff:10.0.0.1", "2001:db8::ff"];
        let times = [Instant::MIN.0, -1, 0, 1_764_324_930_123_456, Instant::MAX.0, 946_684_800_000_000];
        let logs: Vec<Row> = addresses
            .iter()
            .zip(times)
            .enumerate()
            .map(|(at, (address, time))| {
                log(at as u128 + 1, "m", Value::Inet(address.parse().expect("an address")), time)
            })
            .collect();
        assert_eq!(logs.len(), 6);
        connection.insert(&SYSTEM_LOGS, &logs).unwrap();
        assert_eq!(rows(&mut *connection, &SYSTEM_LOGS), logs);

        connection.insert(&USERS, &[user(1, Some("c1"))]).unwrap();
        let chat = Row(vec![
            Value::Uuid(id(7)),
            text("guest"),
            Value::Uuid(id(1)),
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Int(i32::MIN.into()),
            Value::Null,
        ]);
        connection.insert(&CHAT_SESSIONS, std::slice::from_ref(&chat)).unwrap();
        assert_eq!(rows(&mut *connection, &CHAT_SESSIONS), [chat]);
        let message = |number: u128, flag: Value| {
            let json = Value::Json("[]".into());
            let (sequence, tokens) = (Value::Int(i32::MAX.into()), Value::Null);
            let (role, content) = (text("user"), text("hi"));
            Row(vec![
                Value::Uuid(id(number)),
                Value::Uuid(id(7)),
                role,
                content,
                json,
                Value::Null,
                sequence,
                tokens,
                flag,
            ])
        };
        let messages = [message(1, Value::Bool(true)), message(2, Value::Bool(false)), message(3, Value::Null)];
        connection.insert(&MESSAGES, &messages).unwrap();
        assert_eq!(rows(&mut *connection, &MESSAGES), messages);

        let residue = Row(vec![
            Value::Uuid(id(9)),
            Value::Int(0),
            text("users"),
            Value::Bytes((0..=255).collect()),
            Value::Bytes((0..128).collect()),
            text(r#"{"b":1.10,"a":1e2}"#),
            Value::Bytes(vec![7; 8]),
        ]);
        connection.insert(&ledger::RESIDUE, std::slice::from_ref(&residue)).unwrap();
        assert_eq!(rows(&mut *connection, &ledger::RESIDUE), [residue]);
    }

    #[test]
    fn hostile_text_comes_back_unchanged_by_every_way_in() {
        let (mut connection, _) = prepared();
        let users = |offset: usize| -> Vec<Row> {
            let named = (0..HOSTILE.len()).map(|at| {
                let mut row = user(at as u128 + 1, Some(&format!("{at}{}", HOSTILE[at])));
                row.0[3] = text(HOSTILE[(at + offset) % HOSTILE.len()]);
                let json = format!("{{\"k\": {}}}", serde_json::to_string(HOSTILE[at]).expect("text is JSON"));
                row.0[4] = Value::Json(json);
                row
            });
            named.collect()
        };
        let by_value = |rows: &[Row]| -> Vec<[u8; 8]> { rows.iter().map(transload::model::digest::row).collect() };
        let (before, after) = (users(0), users(1));
        connection.insert(&USERS, &before).unwrap();
        assert_eq!(by_value(&rows(&mut *connection, &USERS)), by_value(&before));
        assert_eq!(connection.update(&USERS, &after).unwrap(), 14);
        assert_eq!(by_value(&rows(&mut *connection, &USERS)), by_value(&after));

        let keys: Vec<Value> = after.iter().map(|row| row.0[1].clone()).collect();
        let found = select_all(&mut *connection, &USERS, &Filter::In { column: 1, values: &keys }).unwrap();
        assert_eq!(found.len(), 14);
        assert_eq!(connection.delete(&USERS, &Filter::In { column: 1, values: &keys[..13] }).unwrap(), 13);
        assert_eq!(count(&mut *connection, &USERS), 1);
    }

    #[test]
    fn numbers_in_json_keep_their_digits() {
        let (mut connection, _) = prepared();
        let mut row = user(1, None);
        row.0[4] = Value::Json("[123456789012345678901234567890.123456789012345678901234567890, 1E400, -0]".into());
        connection.insert(&USERS, std::slice::from_ref(&row)).unwrap();
        let found = rows(&mut *connection, &USERS);
        assert_eq!(transload::model::digest::row(&found[0]), transload::model::digest::row(&row));
    }

    #[test]
    fn values_that_only_other_programs_write_come_as_text_and_go_back() {
        let (mut connection, url) = prepared();
        server::execute(
            &url,
            "INSERT INTO system_logs (id, level, message, ip_address, created_at) VALUES
             ('00000000-0000-0000-0000-000000000001', 'info', 'm', '10.0.0.0/8', 'infinity'),
             ('00000000-0000-0000-0000-000000000002', 'info', 'm', '2001:db8::/32', '-infinity')",
        );
        let found = rows(&mut *connection, &SYSTEM_LOGS);
        assert_eq!((&found[0].0[5], &found[0].0[8]), (&text("10.0.0.0/8"), &text("infinity")));
        assert_eq!((&found[1].0[5], &found[1].0[8]), (&text("2001:db8::/32"), &text("-infinity")));
        assert_eq!(connection.update(&SYSTEM_LOGS, &found).unwrap(), 2);
        assert_eq!(rows(&mut *connection, &SYSTEM_LOGS), found);
    }

    #[test]
    fn a_text_of_several_messages_length_comes_back() {
        let (mut connection, _) = prepared();
        let long = "päckchen ".repeat(400_000);
        let row = log(1, &long, Value::Null, 0);
        connection.insert(&SYSTEM_LOGS, std::slice::from_ref(&row)).unwrap();
        let filter = Filter::In { column: 0, values: &[Value::Uuid(id(1)), Value::Null] };
        assert_eq!(select_all(&mut *connection, &SYSTEM_LOGS, &filter).unwrap(), [row]);
    }

    #[test]
    fn a_long_list_finds_its_rows_in_the_order_of_the_key() {
        let (mut connection, _) = prepared();
        let users: Vec<Row> = (1..=3_000).map(|number| user(number, None)).collect();
        connection.insert(&USERS, &users).unwrap();
        let values: Vec<Value> = (0..200_000u128).rev().step_by(2).map(|number| Value::Uuid(id(number + 1))).collect();
        let found = select_all(&mut *connection, &USERS, &Filter::In { column: 0, values: &values }).unwrap();
        assert_eq!(found.len(), 1_500);
        assert!(found.is_sorted_by_key(Row::id));
        assert_eq!(select_all(&mut *connection, &USERS, &Filter::In { column: 0, values: &[] }).unwrap(), []);
        assert_eq!(connection.delete(&USERS, &Filter::In { column: 0, values: &values }).unwrap(), 1_500);
    }

    #[test]
    fn a_reader_may_break_off_and_go_on_with_something_else() {
        let (mut connection, _) = prepared();
        let users: Vec<Row> = (1..=5_000).map(|number| user(number, None)).collect();
        connection.insert(&USERS, &users).unwrap();
        let mut seen = 0;
        connection
            .select(&USERS, &Filter::All, &mut |_| {
                seen += 1;
                if seen == 3 {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })
            .unwrap();
        assert_eq!(seen, 3);
        assert!(!connection.is_empty(&USERS).unwrap());
        assert_eq!(count(&mut *connection, &USERS), 5_000);
    }

    #[test]
    fn a_column_of_a_foreign_type_is_named() {
        let (mut connection, url) = prepared();
        connection.insert(&USERS, &[user(1, None)]).unwrap();
        server::execute(&url, "ALTER TABLE users ALTER COLUMN created_at TYPE timestamp");
        let error = select_all(&mut *connection, &USERS, &Filter::All).unwrap_err();
        assert_eq!(error.kind, TargetErrorKind::Other);
        assert!(told(&error).contains("column `created_at` has the type timestamp"), "{}", told(&error));
        let columns = connection.live_columns(&USERS).unwrap().expect("the table is there");
        let seen: Vec<_> = columns.iter().map(|c| (c.name.as_str(), c.type_name.as_str(), c.nullable)).collect();
        assert_eq!(seen[..2], [("id", "uuid", false), ("clerk_id", "character varying(255)", true)]);
        assert_eq!(seen[6], ("created_at", "timestamp without time zone", true));
        assert_eq!(seen.len(), 10);
    }
}

mod transactions {
    use super::*;

    #[test]
    fn they_nest_and_each_level_is_undone_alone() {
        let (mut connection, _) = prepared();
        connection.begin().unwrap();
        connection.insert(&USERS, &[user(1, None)]).unwrap();
        connection.begin().unwrap();
        connection.insert(&USERS, &[user(2, None)]).unwrap();
        connection.begin().unwrap();
        connection.insert(&USERS, &[user(3, None)]).unwrap();
        connection.commit().unwrap();
        connection.rollback().unwrap();
        connection.begin().unwrap();
        connection.insert(&USERS, &[user(4, None)]).unwrap();
        connection.commit().unwrap();
        connection.commit().unwrap();
        let ids: Vec<Uuid> = rows(&mut *connection, &USERS).iter().map(Row::id).collect();
        assert_eq!(ids, [id(1), id(4)]);
    }

    #[test]
    fn a_savepoint_heals_a_failed_statement() {
        let (mut connection, _) = prepared();
        connection.begin().unwrap();
        connection.insert(&USERS, &[user(1, Some("c"))]).unwrap();
        for _ in 0..3 {
            let again: Result<(), TargetError> =
                in_transaction(&mut *connection, |connection| connection.insert(&USERS, &[user(2, Some("c"))]));
            assert_eq!(again.unwrap_err().kind, TargetErrorKind::Data);
        }
        connection.insert(&USERS, &[user(3, None)]).unwrap();
        connection.commit().unwrap();
        assert_eq!(count(&mut *connection, &USERS), 2);
    }

    #[test]
    fn a_commit_after_a_failed_statement_is_an_error_and_not_a_silent_rollback() {
        let (mut connection, _) = prepared();
        connection.begin().unwrap();
        connection.insert(&USERS, &[user(1, None)]).unwrap();
        connection.insert(&USERS, &[user(1, None)]).unwrap_err();
        let error = connection.commit().unwrap_err();
        assert_eq!(error.kind, TargetErrorKind::Other);
        assert!(connection.commit().unwrap_err().to_string().contains("no transaction is open"));
        assert_eq!(count(&mut *connection, &USERS), 0);
    }

    #[test]
    fn a_commit_that_a_deferred_constraint_refuses_says_so() {
        let (mut connection, url) = prepared();
        server::execute(&url, "ALTER TABLE users ADD CONSTRAINT late UNIQUE (email) DEFERRABLE INITIALLY DEFERRED");
        connection.begin().unwrap();
        connection.insert(&USERS, &[user(1, None), user(2, None)]).unwrap();
        let error = connection.commit().unwrap_err();
        assert_eq!((error.kind, error.code.as_deref()), (TargetErrorKind::Data, Some("23505")));
        connection.begin().unwrap();
        connection.insert(&USERS, &[user(1, None)]).unwrap();
        connection.commit().unwrap();
        assert_eq!(count(&mut *connection, &USERS), 1);
    }

    #[test]
    fn updates_work_at_every_level_and_after_a_rollback() {
        let (mut connection, _) = prepared();
        let renamed = |number: u128, name: &str| {
            let mut row = user(number, None);
            row.0[3] = text(name);
            row
        };
        connection.insert(&USERS, &[user(1, None), user(2, None)]).unwrap();
        connection.begin().unwrap();
        connection.begin().unwrap();
        assert_eq!(connection.update(&USERS, &[renamed(1, "undone")]).unwrap(), 1);
        connection.rollback().unwrap();
        assert_eq!(connection.update(&USERS, &[renamed(1, "one"), renamed(9, "nobody")]).unwrap(), 1);
        assert_eq!(connection.update(&USERS, &[renamed(2, "two")]).unwrap(), 1);
        connection.commit().unwrap();
        assert_eq!(connection.update(&USERS, &[]).unwrap(), 0);
        let names: Vec<Value> = rows(&mut *connection, &USERS).into_iter().map(|row| row.0[3].clone()).collect();
        assert_eq!(names, [text("one"), text("two")]);
        // Outside a transaction, and for a key of two columns.
        assert_eq!(connection.update(&USERS, &[renamed(2, "zwei")]).unwrap(), 1);
        let residue = |part: i64, data: &str| {
            let none = Value::Bytes(Vec::new());
            let values = [Value::Uuid(id(1)), Value::Int(part), text("users"), none.clone(), none, text(data)];
            Row(values.into_iter().chain([Value::Null]).collect())
        };
        connection.insert(&ledger::RESIDUE, &[residue(0, "a"), residue(1, "b")]).unwrap();
        assert_eq!(connection.update(&ledger::RESIDUE, &[residue(1, "c")]).unwrap(), 1);
        assert_eq!(rows(&mut *connection, &ledger::RESIDUE), [residue(0, "a"), residue(1, "c")]);
    }

    #[test]
    fn a_dropped_connection_takes_its_open_transaction_along() {
        let (connection, url) = prepared();
        drop(connection);
        let target = target(&url);
        let mut first = target.connect(Durability::Relaxed).unwrap();
        first.begin().unwrap();
        first.insert(&USERS, &[user(1, None)]).unwrap();
        drop(first);
        let mut second = target.connect(Durability::Relaxed).unwrap();
        assert_eq!(count(&mut *second, &USERS), 0);
        second.insert(&USERS, &[user(1, None)]).unwrap();
        drop(second);
        assert_eq!(server::value(&url, "SELECT count(*) FROM users"), "1");
    }

    #[test]
    fn only_relaxed_connections_commit_asynchronously_also_from_the_pool() {
        let (connection, url) = prepared();
        drop(connection);
        let target = target(&url);
        // A trigger tells the setting that held when a row was written.
        server::execute(
            &url,
            "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN NEW.name := current_setting('synchronous_commit'); RETURN NEW; END $$;
             CREATE TRIGGER tell BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION tell()",
        );
        let order = [Durability::Relaxed, Durability::Full, Durability::Full, Durability::Relaxed];
        for (at, durability) in order.into_iter().enumerate() {
            target.connect(durability).unwrap().insert(&USERS, &[user(at as u128 + 1, None)]).unwrap();
        }
        let mut connection = target.connect(Durability::Full).unwrap();
        let names: Vec<Value> = rows(&mut *connection, &USERS).into_iter().map(|row| row.0[3].clone()).collect();
        assert_eq!(names, ["off", "on", "on", "off"].map(text));
    }
}

mod errors {
    use super::*;

    fn code_of(error: TargetError) -> (TargetErrorKind, String) {
        (error.kind, error.code.expect("the server gave a code"))
    }

    #[test]
    fn data_is_at_fault_when_a_value_or_a_key_is_refused() {
        let (mut connection, _) = prepared();
        connection.insert(&USERS, &[user(1, Some("taken"))]).unwrap();
        let mut long = user(2, None);
        long.0[9] = text(&"x".repeat(51));
        let memory = Row(vec![
            Value::Uuid(id(1)),
            Value::Uuid(id(77)),
            text("t"),
            text("k"),
            Value::Json("1".into()),
            Value::Null,
            Value::Null,
            Value::Null,
        ]);
        let mut nul = user(2, None);
        nul.0[3] = text("a\0b");
        let mut bad_json = user(2, None);
        bad_json.0[4] = Value::Json("{\"token\": s3cret}".into());
        let mut missing = memory.clone();
        missing.0[1] = Value::Null;
        let cases: [(&Table, Row, &str); 7] = [
            (&USERS, long, "22001"),
            (&USERS, user(2, Some("taken")), "23505"),
            (&USERS, user(1, None), "23505"),
            (&USERS, nul, "22021"),
            (&USERS, bad_json, "22P02"),
            (&USER_MEMORY, memory, "23503"),
            (&USER_MEMORY, missing, "23502"),
        ];
        for (table, row, code) in cases {
            let error = connection.insert(table, &[row]).unwrap_err();
            assert!(!told(&error).contains("s3cret") && !told(&error).contains("taken"), "{}", told(&error));
            assert_eq!(code_of(error), (TargetErrorKind::Data, code.to_owned()));
        }
        assert_eq!(count(&mut *connection, &USERS), 1);
    }

    #[test]
    fn a_value_too_large_for_an_index_is_the_datas_fault_too() {
        let (mut connection, _) = prepared();
        // Without a pattern, or compression would make it fit.
        let long: String = (0..400).map(|number| Uuid::new_v5(&Uuid::nil(), &[number as u8, 7]).to_string()).collect();
        let mut document = Row(vec![Value::Null; ledger::DOCUMENTS.columns.len()]);
        for (at, value) in [
            (ledger::documents::ID, Value::Uuid(id(1))),
            (ledger::documents::KIND, text("users")),
            (ledger::documents::DOC_KEY, text("1")),
            (ledger::documents::REFERENCE, text(&long)),
            (ledger::documents::DIGEST, Value::Bytes(vec![0; 32])),
            (ledger::documents::BYTES, Value::Int(i64::MAX)),
            (ledger::documents::BASE_TIME, Value::Time(Instant(0))),
            (ledger::documents::FILES, Value::Json("[]".into())),
            (ledger::documents::RUN_ID, Value::Uuid(id(2))),
        ] {
            document.0[at] = value;
        }
        let error = connection.insert(&ledger::DOCUMENTS, &[document]).unwrap_err();
        assert_eq!(code_of(error), (TargetErrorKind::Data, "54000".to_owned()));
    }

    #[test]
    fn the_place_in_the_batch_is_told() {
        let (mut connection, _) = prepared();
        let mut long = user(2, None);
        long.0[9] = text(&"x".repeat(51));
        let error = connection.insert(&USERS, &[user(1, None), long]).unwrap_err();
        assert!(told(&error).contains("COPY users, line 2, column status"), "{}", told(&error));
    }

    #[test]
    fn a_value_of_the_wrong_kind_leaves_the_connection_usable() {
        let (mut connection, _) = prepared();
        let mut wrong = user(2, None);
        wrong.0[3] = Value::Int(5);
        let error = connection.insert(&USERS, &[user(1, None), wrong]).unwrap_err();
        assert_eq!(error.kind, TargetErrorKind::Data);
        assert!(told(&error).contains("column `name` takes no integer value"), "{}", told(&error));
        connection.insert(&USERS, &[user(3, None)]).unwrap();
        assert_eq!(count(&mut *connection, &USERS), 1);
    }

    #[test]
    fn a_lock_that_is_not_granted_in_time_is_transient() {
        let (mut connection, url) = prepared();
        connection.insert(&USERS, &[user(1, None)]).unwrap();
        let mut other = server::connect(&url);
        let mut blocker = other.transaction().unwrap();
        blocker.batch_execute("LOCK TABLE users").unwrap();
        connection.begin().unwrap();
        connection.run_script(Owner::Application, "SET LOCAL lock_timeout = '50ms'").unwrap();
        let error = connection.update(&USERS, &[user(1, Some("c"))]).unwrap_err();
        assert_eq!(code_of(error), (TargetErrorKind::Transient, "55P03".to_owned()));
        connection.rollback().unwrap();
    }

    #[test]
    fn a_missing_table_is_named() {
        let mut connection = connect(&fresh_database());
        assert_eq!(connection.live_columns(&USERS).unwrap(), None);
        let error = connection.insert(&USERS, &[user(1, None)]).unwrap_err();
        assert_eq!((error.kind, error.code.as_deref()), (TargetErrorKind::Other, Some("42P01")));
        assert!(told(&error).contains("users"), "{}", told(&error));
    }

    #[test]
    fn a_stopped_server_means_a_lost_connection_and_the_next_one_works() {
        let server = PrivatePostgres::start();
        let target = target(&server.create_database("app"));
        let mut connection = target.connect(Durability::Relaxed).unwrap();
        // A crash may take relaxed commits along; the tables are not to be among them.
        let mut idle = target.connect(Durability::Full).unwrap();
        make_tables(&mut *idle);
        drop(idle);
        connection.begin().unwrap();
        connection.insert(&USERS, &[user(1, None)]).unwrap();
        server.stop_immediate();
        let error = connection.insert(&USERS, &[user(2, None)]).unwrap_err();
        assert_eq!(error.kind, TargetErrorKind::Lost, "{}", told(&error));
        assert_eq!(connection.ping().unwrap_err().kind, TargetErrorKind::Lost);
        assert_eq!(connection.rollback().unwrap_err().kind, TargetErrorKind::Lost);
        drop(connection);

        // It is back before the target's patience ends.
        let back = std::thread::scope(|scope| {
            let starting = scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(600));
                server.restart();
            });
            let back = target.connect(Durability::Full);
            starting.join().expect("the server starts");
            back
        });
        assert_eq!(count(&mut *back.expect("the target tries again"), &USERS), 0);
    }

    #[test]
    fn a_session_ended_in_the_middle_of_copy_is_lost() {
        let (mut connection, url) = prepared();
        let pid = server::value(
            &url,
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'transload' AND datname = current_database()",
        );
        server::execute(
            &url,
            &format!(
                "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN PERFORM pg_terminate_backend({pid}); PERFORM pg_sleep(0); RETURN NEW; END $$;
                 CREATE TRIGGER die BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION die()"
            ),
        );
        let users: Vec<Row> = (1..=20_000).map(|number| user(number, None)).collect();
        let error = connection.insert(&USERS, &users).unwrap_err();
        assert_eq!(error.kind, TargetErrorKind::Lost, "{}", told(&error));
        assert_eq!(server::value(&url, "SELECT count(*) FROM users"), "0");
    }
}

mod connecting {
    use super::*;

    #[test]
    fn a_server_that_is_down_is_named_without_the_password_after_three_more_tries() {
        let server = PrivatePostgres::start();
        let port = server.port();
        drop(server);
        let begin = Clock::now();
        let error = refusal(&format!("postgres://app:s3cret@127.0.0.1:{port}/app"));
        assert_eq!(error.kind, TargetErrorKind::Unreachable);
        let told = told(&error);
        assert!(told.contains(&format!("127.0.0.1:{port}")) && !told.contains("s3cret"), "{told}");
        assert!(begin.elapsed() > Duration::from_secs(4) && begin.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn the_next_host_is_tried_when_one_is_down() {
        let server = PrivatePostgres::start();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let url = format!("postgres://postgres@127.0.0.1:{free},127.0.0.1:{}/postgres", server.port());
        let begin = Clock::now();
        connect(&url).ping().unwrap();
        assert!(begin.elapsed() < Duration::from_secs(4));
    }

    #[test]
    fn a_wrong_password_is_told_at_once_and_not_shown() {
        let server = PrivatePostgres::start_with(&Options {
            hba: &["host all app 127.0.0.1/32 scram-sha-256"],
            ..Options::default()
        });
        server::execute(&server.url(), "CREATE ROLE app LOGIN PASSWORD 'r1ght'");
        let url = |password: &str| format!("postgres://app{password}@127.0.0.1:{}/postgres", server.port());
        connect(&url(":r1ght")).ping().unwrap();
        let begin = Clock::now();
        let error = refusal(&url(":s3cret"));
        assert!(begin.elapsed() < Duration::from_secs(3), "it waited {:?}", begin.elapsed());
        assert_eq!((error.kind, error.code.as_deref()), (TargetErrorKind::Denied, Some("28P01")));
        assert!(!told(&error).contains("s3cret") && told(&error).contains("password"), "{}", told(&error));
        let error = refusal(&url(""));
        assert_eq!(error.kind, TargetErrorKind::Denied);
        assert!(told(&error).contains("PGPASSWORD"), "{}", told(&error));
        let holder = Holder { name: "test".into(), since: Instant(0) };
        match target(&url(":s3cret")).lock(&holder) {
            Err(LockError::Target(error)) => assert_eq!(error.kind, TargetErrorKind::Denied),
            _ => panic!("the lock is not given for a wrong password"),
        }
    }

    #[test]
    fn an_unknown_database_and_an_unknown_role_are_refused() {
        let url = server::shared().url_for("nowhere");
        assert_eq!(refusal(&url).code.as_deref(), Some("3D000"));
        assert_eq!(refusal(&url).kind, TargetErrorKind::Denied);
        let error = refusal(&server::shared().url_as("nobody_at_all", "postgres"));
        assert_eq!((error.kind, error.code.as_deref()), (TargetErrorKind::Denied, Some("28000")));
    }

    #[test]
    fn a_database_that_is_not_utf8_is_refused_with_a_hint() {
        let server = PrivatePostgres::start_with(&Options { encoding: "LATIN1", ..Options::default() });
        let error = refusal(&server.url());
        assert_eq!(error.kind, TargetErrorKind::Other);
        assert!(told(&error).contains("LATIN1") && told(&error).contains("--encoding UTF8"), "{}", told(&error));
    }

    #[test]
    fn a_search_path_that_leads_nowhere_is_refused_with_a_hint() {
        let server = PrivatePostgres::start();
        let url = server.create_database("app");
        server::execute(&url, "ALTER DATABASE app SET search_path = nowhere");
        let error = refusal(&url);
        assert!(told(&error).contains("search_path"), "{}", told(&error));
    }

    #[test]
    fn a_session_is_not_subject_to_the_roles_limits() {
        let server = PrivatePostgres::start_with(&Options {
            conf: &[
                "statement_timeout = 200",
                "idle_in_transaction_session_timeout = 200",
                "idle_session_timeout = 200",
                "default_transaction_isolation = 'serializable'",
            ],
            ..Options::default()
        });
        let mut connection = connect(&server.url());
        connection.begin().unwrap();
        std::thread::sleep(Duration::from_millis(400));
        connection.run_script(Owner::Application, "SELECT pg_sleep(0.4)").unwrap();
        connection.commit().unwrap();
        std::thread::sleep(Duration::from_millis(400));
        connection.ping().unwrap();
    }

    #[test]
    fn more_connections_than_allowed_are_an_error_and_one_given_back_serves_the_next() {
        let mut options = PostgresOptions::new(Parameters::from_url(&fresh_database()).unwrap());
        options.max_connections = 3;
        let target = PostgresTarget::new(options);
        assert_eq!(target.capabilities().max_writers, 1);
        let first = target.connect(Durability::Full).unwrap();
        let _second = target.connect(Durability::Full).unwrap();
        std::thread::scope(|scope| {
            let third = scope.spawn(|| target.connect(Durability::Full).map(|_| ()));
            std::thread::sleep(Duration::from_millis(200));
            assert!(!third.is_finished());
            drop(first);
            third.join().expect("no panic").unwrap();
        });
    }

    #[test]
    fn the_name_is_a_url_without_the_password() {
        let mut parameters = Parameters::from_url("postgresql://app:s3cret@db1/shop").unwrap();
        parameters.complete("ada");
        let target = PostgresTarget::new(PostgresOptions::new(parameters));
        assert_eq!(target.name(), "postgres://app@db1:5432/shop");
        assert!(target.exists());
        assert!(target.rehearsal().unwrap().is_none());
    }
}

mod locks {
    use super::*;

    fn holder(name: &str) -> Holder {
        Holder { name: name.into(), since: Instant::now() }
    }

    fn refused(target: &PostgresTarget) -> (String, String) {
        match target.lock(&holder("migrate, process 2 on host b")) {
            Err(LockError::Held { holder, since }) => (holder, since),
            Err(LockError::Target(error)) => panic!("{}", told(&error)),
            Ok(_) => panic!("the lock was given twice"),
        }
    }

    #[test]
    fn the_second_is_told_who_and_since_when() {
        let url = fresh_database();
        let mut lock = target(&url).lock(&holder("migrate, process 1 on host a")).unwrap();
        lock.check().unwrap();
        let (who, since) = refused(&target(&url));
        assert!(who.starts_with("migrate, process 1 on host a (server process "), "{who}");
        let begun = server::value(
            &url,
            "SELECT to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS \"UTC\"') FROM pg_stat_activity
             WHERE application_name LIKE 'migrate, process 1%' AND datname = current_database()",
        );
        assert_eq!(since, begun);
        drop(lock);
        target(&url).lock(&holder("next")).unwrap();
    }

    #[test]
    fn databases_and_ledgers_have_locks_of_their_own() {
        let (one, two) = (fresh_database(), fresh_database());
        let _first = target(&one).lock(&holder("a")).unwrap();
        let _second = target(&two).lock(&holder("b")).unwrap();
        let mut options = PostgresOptions::new(Parameters::from_url(&one).unwrap());
        options.ledger_schema = "other".into();
        let _third = PostgresTarget::new(options).lock(&holder("c")).unwrap();
    }

    #[test]
    fn it_dies_with_its_connection_and_the_holder_notices() {
        let url = fresh_database();
        let mut lock = target(&url).lock(&holder("migrate, process 1")).unwrap();
        server::execute(
            &url,
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
             WHERE application_name LIKE 'migrate, process 1%' AND datname = current_database()",
        );
        let mut next = target(&url).lock(&holder("next")).unwrap();
        assert_eq!(lock.check().unwrap_err().kind, TargetErrorKind::Lost);
        next.check().unwrap();
    }

    #[test]
    fn another_roles_lock_is_told_as_far_as_the_server_tells() {
        let server = PrivatePostgres::start();
        let url = server.create_database("app");
        server::execute(&url, "CREATE ROLE guest LOGIN");
        let _lock = target(&url).lock(&holder("migrate, process 1")).unwrap();
        let (who, since) = refused(&target(&server.url_as("guest", "app")));
        assert!(who.starts_with("migrate, process 1 (server process "), "{who}");
        assert_eq!(since, "an unknown time");
    }
}

mod roles {
    use super::*;

    #[test]
    fn a_role_with_rights_on_its_own_schemas_only_is_enough() {
        let server = PrivatePostgres::start();
        let admin = server.create_database("app");
        server::execute(&admin, "CREATE ROLE app LOGIN");
        server::execute(
            &admin,
            "REVOKE CREATE ON SCHEMA public FROM PUBLIC;
             CREATE SCHEMA data AUTHORIZATION app; CREATE SCHEMA transload AUTHORIZATION app;
             ALTER ROLE app SET search_path = data",
        );
        let mut connection = connect(&server.url_as("app", "app"));
        make_tables(&mut *connection);
        connection.begin().unwrap();
        connection.insert(&USERS, &[user(1, None)]).unwrap();
        assert_eq!(connection.update(&USERS, &[user(1, Some("c"))]).unwrap(), 1);
        connection.commit().unwrap();
        assert_eq!(server::value(&admin, "SELECT clerk_id FROM data.users"), "c");
        assert_eq!(server::value(&admin, "SELECT count(*) FROM transload.documents"), "0");
        assert!(connection.live_columns(&ledger::REJECTS).unwrap().is_some());
    }

    #[test]
    fn a_missing_right_is_told_with_what_to_grant() {
        let server = PrivatePostgres::start();
        let admin = server.create_database("app");
        server::execute(&admin, "CREATE ROLE app LOGIN");
        server::execute(
            &admin,
            "CREATE SCHEMA data AUTHORIZATION app; ALTER ROLE app SET search_path = data;
             REVOKE TEMPORARY ON DATABASE app FROM PUBLIC",
        );
        let mut connection = connect(&server.url_as("app", "app"));
        let error = connection.run_script(Owner::Ledger, LEDGER[0]).unwrap_err();
        assert_eq!((error.kind, error.code.as_deref()), (TargetErrorKind::Denied, Some("42501")));
        assert!(told(&error).contains("CREATE SCHEMA \"transload\""), "{}", told(&error));
        for script in DONNA {
            connection.run_script(Owner::Application, script).unwrap();
        }
        connection.insert(&USERS, &[user(1, None)]).unwrap();
        // Nothing more is asked for, however many rows change.
        let many: Vec<Row> = (1..=10).map(|number| user(number, None)).collect();
        assert_eq!(connection.update(&USERS, &many).unwrap(), 1);
        connection.ping().unwrap();
    }

    #[test]
    fn a_role_named_like_the_ledger_finds_its_tables_again() {
        let server = PrivatePostgres::start();
        let admin = server.create_database("app");
        server::execute(
            &admin,
            "CREATE ROLE transload LOGIN; GRANT CREATE ON DATABASE app TO transload;
             GRANT CREATE ON SCHEMA public TO transload",
        );
        let url = server.url_as("transload", "app");
        make_tables(&mut *connect(&url));
        // By now "$user", the first of the search path, is the ledger's schema.
        let mut again = connect(&url);
        assert!(again.live_columns(&USERS).unwrap().is_some());
        assert_eq!(server::value(&admin, "SELECT count(*) FROM public.users"), "0");
    }

    #[test]
    fn a_script_runs_in_its_owners_schema_and_leaves_the_search_path_alone() {
        let mut options = PostgresOptions::new(Parameters::from_url(&fresh_database()).unwrap());
        options.ledger_schema = "odd \"name\"".into();
        let target = PostgresTarget::new(options.clone());
        let mut connection = target.connect(Durability::Full).unwrap();
        connection.begin().unwrap();
        connection.run_script(Owner::Ledger, LEDGER[0]).unwrap();
        connection.run_script(Owner::Application, DONNA[0]).unwrap();
        connection
            .run_script(Owner::Application, "CREATE TABLE here AS SELECT current_setting('search_path')")
            .unwrap();
        assert!(connection.is_empty(&ledger::RUNS).unwrap());
        connection.commit().unwrap();
        let url = server::shared().url_for(options.parameters.dbname.as_deref().expect("the URL names it"));
        assert_eq!(server::value(&url, "SELECT * FROM public.here"), "\"public\"");
        assert_eq!(server::value(&url, "SELECT count(*) FROM \"odd \"\"name\"\"\".documents"), "0");
    }

    #[test]
    fn a_script_that_fails_leaves_nothing_behind() {
        let mut connection = connect(&fresh_database());
        let error = connection.run_script(Owner::Application, "CREATE TABLE users (id uuid); SELEKT").unwrap_err();
        assert_eq!((error.kind, error.code.as_deref()), (TargetErrorKind::Other, Some("42601")));
        assert_eq!(connection.live_columns(&USERS).unwrap(), None);
    }
}

mod tls {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

    struct Authority(CertifiedIssuer<'static, KeyPair>);

    impl Authority {
        fn new(name: &str) -> Authority {
            let mut parameters = CertificateParams::new(Vec::<String>::new()).unwrap();
            parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
            parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            Authority(CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap())
        }

        /// Certificate and key for a name.
        fn sign(&self, name: &str) -> (String, String) {
            let key = KeyPair::generate().unwrap();
            let parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
            (parameters.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
        }
    }

    fn serve(certificate: &str, key: &str, hba: &[&str]) -> PrivatePostgres {
        PrivatePostgres::start_with(&Options {
            conf: &["ssl = on"],
            files: &[("server.crt", certificate), ("server.key", key)],
            hba,
            ..Options::default()
        })
    }

    fn root(server: &PrivatePostgres, name: &str, pem: &str) -> String {
        let path = server.directory().join(name);
        std::fs::write(&path, pem).unwrap();
        path.display().to_string()
    }

    /// Whether the connection that these parameters give is encrypted, or why there is none.
    fn attempt(server: &PrivatePostgres, host: &str, query: &str) -> Result<bool, TargetError> {
        let url = format!("postgres://postgres@{host}:{}/postgres?{query}", server.port());
        let mut connection = target(&url).connect(Durability::Full)?;
        let note = "CREATE TABLE IF NOT EXISTS public.encrypted (yes bool); TRUNCATE public.encrypted;
             INSERT INTO public.encrypted SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        connection.run_script(Owner::Application, note)?;
        Ok(server::value(&server.url(), "SELECT yes FROM encrypted") == "t")
    }

    #[test]
    fn each_mode_means_what_it_means_to_libpq() {
        let (authority, stranger) = (Authority::new("ours"), Authority::new("another"));
        let (certificate, key) = authority.sign("localhost");
        let server = serve(&certificate, &key, &[]);
        let right = root(&server, "right.pem", &authority.0.pem());
        let wrong = root(&server, "wrong.pem", &stranger.0.pem());

        assert!(!attempt(&server, "localhost", "sslmode=disable").unwrap());
        assert!(attempt(&server, "localhost", "").unwrap());
        assert!(attempt(&server, "localhost", "sslmode=prefer").unwrap());
        assert!(attempt(&server, "127.0.0.1", "sslmode=require").unwrap());
        assert!(attempt(&server, "localhost", &format!("sslmode=verify-ca&sslrootcert={right}")).unwrap());
        assert!(attempt(&server, "127.0.0.1", &format!("sslmode=verify-ca&sslrootcert={right}")).unwrap());
        assert!(attempt(&server, "localhost", &format!("sslmode=verify-full&sslrootcert={right}")).unwrap());

        let refused = |host: &str, query: String| {
            let begin = Clock::now();
            let error = attempt(&server, host, &query).expect_err("the certificate is not trusted");
            assert!(begin.elapsed() < Duration::from_secs(3), "{query}: it waited {:?}", begin.elapsed());
            assert_eq!(error.kind, TargetErrorKind::Denied, "{}", told(&error));
            told(&error)
        };
        assert!(refused("localhost", format!("sslmode=verify-ca&sslrootcert={wrong}")).contains("sslrootcert"));
        assert!(refused("localhost", format!("sslmode=verify-full&sslrootcert={wrong}")).contains("sslrootcert"));
        assert!(refused("127.0.0.1", format!("sslmode=verify-full&sslrootcert={right}")).contains("subjectAltName"));
        // With a root certificate, `require` checks the chain.
        refused("localhost", format!("sslmode=require&sslrootcert={wrong}"));
        // The system's store does not know the test's authority, if there is one at all.
        attempt(&server, "localhost", "sslmode=verify-full").expect_err("nobody vouches for the certificate");

        let url = format!(
            "postgres://postgres@localhost:{}/postgres?sslmode=verify-full&sslrootcert=/nowhere.pem",
            server.port()
        );
        let error = refusal(&url);
        assert!(told(&error).contains("/nowhere.pem"), "{}", told(&error));
        // A socket needs no encryption, whatever the mode.
        connect(&format!("{}&sslmode=verify-full", server.url())).ping().unwrap();
    }

    #[test]
    fn a_self_signed_certificate_can_be_its_own_root() {
        let authority = Authority::new("self");
        let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap().pem();
        let server = serve(&certificate, &key.serialize_pem(), &[]);
        let own = root(&server, "own.pem", &certificate);
        let other = root(&server, "other.pem", &authority.0.pem());
        assert!(attempt(&server, "localhost", &format!("sslmode=verify-full&sslrootcert={own}")).unwrap());
        assert!(attempt(&server, "127.0.0.1", &format!("sslmode=verify-full&sslrootcert={own}")).is_err());
        assert!(attempt(&server, "localhost", &format!("sslmode=verify-full&sslrootcert={other}")).is_err());
    }

    #[test]
    fn a_server_without_tls_is_good_enough_for_prefer_only() {
        let server = PrivatePostgres::start();
        assert!(!attempt(&server, "localhost", "sslmode=prefer").unwrap());
        let error = attempt(&server, "localhost", "sslmode=require").unwrap_err();
        assert_eq!(error.kind, TargetErrorKind::Denied);
        assert!(told(&error).contains("sslmode"), "{}", told(&error));
    }

    #[test]
    fn prefer_falls_back_where_only_unencrypted_connections_are_let_in() {
        let (certificate, key) = Authority::new("ours").sign("localhost");
        let server = serve(&certificate, &key, &["hostssl all all 127.0.0.1/32 reject"]);
        assert!(!attempt(&server, "127.0.0.1", "sslmode=prefer").unwrap());
        assert_eq!(attempt(&server, "127.0.0.1", "sslmode=require").unwrap_err().code.as_deref(), Some("28000"));
    }

    #[test]
    fn a_password_goes_over_tls_bound_to_the_channel() {
        let (certificate, key) = Authority::new("ours").sign("localhost");
        let server = serve(&certificate, &key, &["hostssl all app 127.0.0.1/32 scram-sha-256"]);
        server::execute(&server.url(), "CREATE ROLE app LOGIN PASSWORD 'r1ght'");
        let url = |query: &str| format!("postgres://app:r1ght@localhost:{}/postgres?{query}", server.port());
        connect(&url("sslmode=require&channel_binding=require")).ping().unwrap();
    }
}

#[test]
fn a_private_server_ends_with_its_test() {
    let server = PrivatePostgres::start();
    let directory = server.directory().to_owned();
    let pid = std::fs::read_to_string(directory.join("data/postmaster.pid")).unwrap();
    let pid: u32 = pid.lines().next().unwrap().parse().unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _server = server;
        panic!("as a failing test does");
    }));
    assert!(panicked.is_err());
    assert!(!directory.exists());
    let alive = std::process::Command::new("kill").args(["-0", &pid.to_string()]).output().unwrap();
    assert!(!alive.status.success());
}

#[test]
fn a_role_that_may_only_read_reads() {
    let (mut connection, url) = prepared();
    connection.insert(&USERS, &[user(1, None)]).unwrap();
    let database = server::value(&url, "SELECT current_database()");
    let role = format!("reader_of_{database}");
    server::execute(
        &url,
        &format!(
            "CREATE ROLE {role} LOGIN; ALTER ROLE {role} SET default_transaction_read_only = on;
             ALTER ROLE {role} SET default_transaction_isolation = 'serializable';
             ALTER ROLE {role} SET statement_timeout = 1;
             GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"
        ),
    );
    let mut readers = target(&server::shared().url_as(&role, &database)).readers(3).unwrap();
    assert_eq!(readers.len(), 3);
    for reader in &mut readers {
        assert_eq!(select_all(&mut **reader, &USERS, &Filter::All).unwrap().len(), 1);
        reader.refresh().unwrap();
    }
}

#[test]
fn a_replica_is_read() {
    let server = PrivatePostgres::start();
    let url = server.fresh_database();
    let mut connection = connect(&url);
    make_tables(&mut *connection);
    connection.insert(&USERS, &[user(1, None)]).unwrap();
    drop(connection);
    server.become_replica();
    assert_eq!(server::value(&url, "SELECT pg_is_in_recovery()"), "t");

    let target = target(&url);
    let mut readers = target.readers(3).unwrap();
    assert_eq!(readers.len(), 3);
    for reader in &mut readers {
        let mut seen = 0;
        reader
            .scan(&USERS, &[0], &Filter::All, &mut |_| {
                seen += 1;
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(seen, 1);
        assert_eq!(select_all(&mut **reader, &USERS, &Filter::All).unwrap().len(), 1);
        assert!(reader.live_columns(&USERS).unwrap().is_some());
        reader.refresh().unwrap();
        reader.insert(&USERS, &[user(2, None)]).unwrap_err();
        reader.ping().unwrap();
    }
}

#[test]
fn a_server_without_room_gives_fewer_readers() {
    let server = PrivatePostgres::start_with(&Options { conf: &["max_connections = 8"], ..Options::default() });
    let url = server.fresh_database();
    let mut connection = connect(&url);
    make_tables(&mut *connection);
    let role = "CREATE ROLE plain LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO plain";
    server::execute(&url, role);
    let database = server::value(&url, "SELECT current_database()");
    let mut readers = target(&server.url_as("plain", &database)).readers(18).unwrap();
    assert!((1..8).contains(&readers.len()), "{}", readers.len());
    for reader in &mut readers {
        assert!(reader.is_empty(&USERS).unwrap());
    }
}

#[test]
fn readers_leave_nothing_open_behind() {
    let (_connection, url) = prepared();
    let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'";
    let target = target(&url);
    let readers = target.readers(4).unwrap();
    assert_eq!(server::value(&url, open), "4");
    drop(readers);
    // What the pool lends next has no transaction open.
    let mut next = target.connect(Durability::Full).unwrap();
    next.insert(&USERS, &[user(1, None)]).unwrap();
    assert_eq!(server::query(&url, "SELECT id FROM users").len(), 1);
}

#[test]
fn a_guarded_transaction_writes_no_row_that_somebody_changed_since() {
    let (mut connection, url) = prepared();
    connection.insert(&USERS, &[user(1, None), user(2, None)]).unwrap();
    let mut other = connect(&url);
    let one = [Value::Uuid(id(1))];
    let filter = Filter::In { column: 0, values: &one };
    type Change = fn(&mut dyn Connection, &Filter) -> Result<u64, TargetError>;
    let changes: [Change; 2] = [
        |connection, _| connection.update(&USERS, &[user(1, Some("mine"))]),
        |connection, filter| connection.delete(&USERS, filter),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        connection.begin_guarded().unwrap();
        assert_eq!(rows(&mut *connection, &USERS).len(), 2);
        other.update(&USERS, &[user(1, Some(&format!("theirs {number}")))]).unwrap();
        other.insert(&USERS, &[user(3 + number as u128, None)]).unwrap();
        assert_eq!(count(&mut *connection, &USERS), 2, "what comes later is not seen");
        assert_eq!(connection.update(&USERS, &[user(2, Some("unrelated"))]).unwrap(), 1);
        let error = change(&mut *connection, &filter).unwrap_err();
        assert_eq!(error.kind, TargetErrorKind::Transient, "{error:?}");
        connection.rollback().unwrap();
        other.delete(&USERS, &Filter::In { column: 0, values: &[Value::Uuid(id(3 + number as u128))] }).unwrap();
        assert_eq!(rows(&mut *connection, &USERS)[0].0[1], text(&format!("theirs {number}")));
    }
}
