//! The tables accept and refuse the same on every target, whoever writes: these statements are
//! SQL that an application could send.

use transload::format::donna::tables::{CHAT_SESSIONS, MESSAGES, USERS, USER_MEMORY};
use transload::model::{Instant, Owner, Value};
use transload::target::{Connection, Filter, Target, TargetError, TargetErrorKind};

use super::fixtures::*;

const ONE: &str = "00000000-0000-0000-0000-000000000001";
const TWO: &str = "00000000-0000-0000-0000-000000000002";

/// A connection to a database with user 1 and chat 2.
fn with_user_and_chat(target: &dyn Target) -> Box<dyn Connection> {
    let mut connection = connect(target);
    connection.insert(&USERS, &[user(1)]).unwrap();
    connection.insert(&CHAT_SESSIONS, &[chat(2, id(1))]).unwrap();
    connection.insert(&USER_MEMORY, &[memory(3, 1)]).unwrap();
    connection
}

/// Runs a statement as an application would, and undoes it.
fn attempt(connection: &mut dyn Connection, sql: &str) -> Result<(), TargetError> {
    connection.begin().unwrap();
    let result = connection.run_script(Owner::Application, sql);
    connection.rollback().unwrap();
    result
}

fn message_sql(columns: &str, values: &str) -> String {
    format!("INSERT INTO messages (chat_session_id, role, {columns}) VALUES ('{TWO}', 'user', {values})")
}

fn user_sql(column: &str, value: &str) -> String {
    format!("INSERT INTO users ({column}) VALUES ('{value}')")
}

pub fn what_the_columns_cannot_hold_is_refused_as_data(target: &dyn Target) {
    let mut connection = with_user_and_chat(target);
    let statements = [
        user_sql("name", &"x".repeat(256)),
        user_sql("name", &"🚩".repeat(256)),
        user_sql("status", &"x".repeat(51)),
        user_sql("profile", "{bad"),
        user_sql("profile", ""),
        user_sql("preferences", "{\"a\":01}"),
        user_sql("clerk_id", "clerk_1"),
        user_sql("id", ONE),
        user_sql("id", "not-a-uuid"),
        user_sql("id", "0000000g-0000-0000-0000-000000000001"),
        "INSERT INTO users (id) VALUES (NULL)".into(),
        user_sql("created_at", "yesterday evening"),
        user_sql("created_at", "2025-02-30T00:00:00.000000Z"),
        user_sql("created_at", "2025-13-01T00:00:00.000000Z"),
        user_sql("created_at", "2025-01-01T25:00:00.000000Z"),
        "INSERT INTO chat_sessions (title) VALUES ('no chat_id')".into(),
        "INSERT INTO chat_sessions (chat_id) VALUES ('chat_2')".into(),
        format!("INSERT INTO chat_sessions (chat_id, user_id) VALUES ('x', '{TWO}')"),
        format!("INSERT INTO chat_sessions (chat_id, message_count) VALUES ('x', {})", i64::from(i32::MAX) + 1),
        "INSERT INTO chat_sessions (chat_id, message_count) VALUES ('x', 'many')".into(),
        message_sql("sequence_number", "1"),
        message_sql("content", "'no number'"),
        message_sql("content, sequence_number", "'x', -2147483649"),
        message_sql("content, sequence_number, abuse_flagged", "'x', 1, 'maybe'"),
        message_sql("content, sequence_number, abuse_flagged", "'x', 1, '2'"),
        format!("INSERT INTO messages (chat_session_id, role, content, sequence_number) VALUES ('{ONE}', 'u', 'x', 1)"),
        format!("INSERT INTO user_memory (user_id, memory_type, key) VALUES ('{ONE}', 'a', 'b')"),
        format!("INSERT INTO user_memory (user_id, memory_type, key, value) VALUES ('{ONE}', 'profile', 'key 3', '1')"),
        format!("INSERT INTO user_memory (user_id, memory_type, key, value) VALUES ('{TWO}', 'profile', 'x', '1')"),
        "INSERT INTO system_logs (level, message) VALUES ('a level far too long for it', 'x')".into(),
        "INSERT INTO system_logs (level, message, ip_address) VALUES ('info', 'x', 'unknown')".into(),
        "INSERT INTO system_logs (level) VALUES ('info')".into(),
    ];
    assert_eq!(statements.len(), 32);
    for sql in &statements {
        let error = attempt(&mut *connection, sql).expect_err(sql);
        assert_eq!(error.kind, TargetErrorKind::Data, "{sql}: {error:?}");
        assert!(error.code.is_some(), "{sql}");
    }
    assert_eq!(ids(&mut *connection, &USERS), [1]);
}

pub fn what_the_columns_can_hold_is_accepted(target: &dyn Target) {
    let mut connection = with_user_and_chat(target);
    let statements = [
        user_sql("name", &"🚩".repeat(255)),
        user_sql("status", &"é".repeat(50)),
        user_sql("name", ""),
        user_sql("profile", " [1, null, \"x\"] "),
        user_sql("profile", "null"),
        user_sql("profile", "12.5e3"),
        user_sql("id", "a0b1c2d3-e4f5-0000-ffff-0123456789ab"),
        user_sql("created_at", &Instant::MIN.to_fixed()),
        user_sql("created_at", &Instant::MAX.to_fixed()),
        user_sql("created_at", "2024-02-29T23:59:59.999999Z"),
        "INSERT INTO users (clerk_id, email, name, profile, preferences, created_at, updated_at, last_active_at, status)
         VALUES (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"
            .into(),
        "INSERT INTO users (clerk_id) VALUES (NULL); INSERT INTO users (clerk_id) VALUES (NULL)".into(),
        "INSERT INTO chat_sessions (chat_id, user_id, message_count) VALUES ('x', NULL, NULL)".into(),
        format!("INSERT INTO chat_sessions (chat_id, message_count) VALUES ('x', {})", i32::MAX),
        message_sql("content, sequence_number, token_count", "'', -2147483648, 2147483647"),
        message_sql("content, sequence_number, abuse_flagged", "'x', 1, TRUE"),
        message_sql("content, sequence_number, abuse_flagged", "'x', 1, NULL"),
        format!("INSERT INTO user_memory (user_id, memory_type, key, value) VALUES ('{ONE}', 'other', 'key 3', '1')"),
        "INSERT INTO system_logs (level, message, ip_address) VALUES ('info', 'x', '10.0.0.1')".into(),
        "INSERT INTO system_logs (level, message, ip_address) VALUES ('info', 'x', '::1')".into(),
        "INSERT INTO system_logs (level, message, ip_address) VALUES ('info', 'x', NULL)".into(),
    ];
    assert_eq!(statements.len(), 21);
    for sql in &statements {
        if let Err(error) = attempt(&mut *connection, sql) {
            panic!("{sql}: {error:?}");
        }
    }
}

pub fn columns_left_out_get_their_defaults(target: &dyn Target) {
    let mut connection = connect(target);
    let before = Instant(Instant::now().0 - 2_000_000);
    for name in ["a", "b"] {
        connection.run_script(Owner::Application, &user_sql("name", name)).unwrap();
    }
    let users = all(&mut *connection, &USERS);
    assert_eq!(users.len(), 2);
    for row in &users {
        assert_eq!(row.id().get_version_num(), 4);
        assert_eq!(row.0[4..6], [json("{}"), json("{}")]);
        for column in [6, 7] {
            let time = row.0[column].as_time().expect("a time by default");
            assert!(time > before && time <= Instant(Instant::now().0 + 2_000_000), "{time:?}");
        }
        assert_eq!(row.0[8..], [Value::Null, text("active")]);
    }
    let chat = "INSERT INTO chat_sessions (chat_id) VALUES ('x')";
    connection.run_script(Owner::Application, chat).unwrap();
    let chats = all(&mut *connection, &CHAT_SESSIONS);
    assert_eq!(chats.len(), 1);
    assert_eq!(chats[0].0[4..6], [text("general"), json("{}")]);
    assert_eq!(chats[0].0[8..], [Value::Null, Value::Int(0), text("active")]);
}

pub fn rows_that_others_refer_to_take_them_along(target: &dyn Target) {
    let mut connection = with_user_and_chat(target);
    connection.insert(&MESSAGES, &[message(4, 2)]).unwrap();
    assert_eq!(connection.delete(&USERS, &Filter::All).unwrap(), 1);
    assert_eq!(all(&mut *connection, &CHAT_SESSIONS), [chat(2, Value::Null)]);
    assert!(connection.is_empty(&USER_MEMORY).unwrap());
    assert_eq!(ids(&mut *connection, &MESSAGES), [4]);
    assert_eq!(connection.delete(&CHAT_SESSIONS, &Filter::All).unwrap(), 1);
    assert!(connection.is_empty(&MESSAGES).unwrap());
}

pub fn a_refused_row_is_data_and_leaves_the_connection_usable(target: &dyn Target) {
    let mut connection = with_user_and_chat(target);
    let with = |mut row: transload::model::Row, column: usize, value: Value| {
        row.0[column] = value;
        row
    };
    let cases = [
        ("unique", &USERS, with(user(9), 1, text("clerk_1"))),
        ("primary key", &USERS, user(1)),
        ("too long", &USERS, named_user(9, &"x".repeat(256))),
        ("foreign key", &CHAT_SESSIONS, chat(9, id(8))),
        ("not null", &MESSAGES, with(message(9, 2), 3, Value::Null)),
        ("number too large", &MESSAGES, with(message(9, 2), 6, Value::Int(i64::from(i32::MAX) + 1))),
        ("no JSON", &USERS, with(user(9), 4, json("{bad"))),
    ];
    for (name, table, row) in cases {
        for update in [false, true] {
            // There is no row 9, and updating row 1 to itself is no fault.
            if update && !matches!(name, "too long" | "no JSON") {
                continue;
            }
            let row = if update { with(row.clone(), 0, id(1)) } else { row.clone() };
            connection.begin().unwrap();
            let error = match update {
                true => connection.update(table, &[row]).expect_err(name),
                false => connection.insert(table, &[row]).expect_err(name),
            };
            assert_eq!(error.kind, TargetErrorKind::Data, "{name}: {error:?}");
            assert!(error.to_string().contains(table.name), "{name}: {error}");
            connection.rollback().unwrap();
            connection.ping().unwrap();
        }
    }
    assert_eq!(ids(&mut *connection, &USERS), [1]);
}
