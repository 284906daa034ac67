//! What rebuilding says of residue that somebody forged, and of rows that are gone, edited or new.

use std::borrow::Cow;

use uuid::Uuid;

use super::super::layout::{HISTORY, SESSION, WHOLE};
use super::super::tables::{CHAT, CHAT_SESSIONS, CONVERSATION, LOG, MEMORY, MESSAGES, SYSTEM_LOGS, USER, USERS};
use super::super::tables::{KINDS, USER_MEMORY};
use super::*;
use crate::format::proof::{HeldFile, HeldPart, HeldRow, Piece};
use crate::model::{ids, DocumentKind, Instant, RelPath, Row, Table, Value};
use crate::node::{self, Node, Style};

const SECOND: i64 = 1_764_324_930_000_000;
const TIME: &str = "2025-11-28T10:15:30+00:00";

fn time(seconds: i64) -> Value {
    Value::Time(Instant(SECOND + seconds * 1_000_000))
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn json(text: &str) -> Value {
    Value::Json(text.into())
}

fn user() -> Row {
    Row(vec![
        Value::Uuid(Uuid::from_u128(1)),
        Value::Null,
        Value::Null,
        Value::Null,
        json("{}"),
        json("{}"),
        time(0),
        time(0),
        Value::Null,
        text("active"),
    ])
}

fn session(count: i64) -> Row {
    let id = Value::Uuid(Uuid::from_u128(2));
    let metadata = json("{\"title\":\"T\"}");
    let times = [time(0), time(0), time(0)];
    let mut row = vec![id, text("c"), Value::Null, text("T"), text("general"), metadata];
    row.extend(times);
    row.extend([Value::Int(count), text("active")]);
    Row(row)
}

fn message(number: i64) -> Row {
    let id = Value::Uuid(Uuid::from_u128(100 + number as u128));
    let chat = Value::Uuid(Uuid::from_u128(2));
    let end = [time(0), Value::Int(number), Value::Null, Value::Bool(false)];
    let mut row = vec![id, chat, text("user"), text(&format!("m{number}")), json("{}")];
    row.extend(end);
    Row(row)
}

fn entry(kind: &str, key: &str, value: &str) -> Row {
    let id = Value::Uuid(ids::derive(&["user_memory", "u", kind, key]));
    let user = Value::Uuid(Uuid::from_u128(1));
    Row(vec![id, user, text(kind), text(key), json(value), time(0), time(0), Value::Null])
}

fn line(message: &str) -> Row {
    let id = Value::Uuid(ids::derive(&[message]));
    let end = [json("{}"), Value::Null, Value::Null, Value::Null, Value::Null, time(0)];
    Row([vec![id, text("info"), text(message)], end.to_vec()].concat())
}

fn held_row(row: Row) -> HeldRow<'static> {
    HeldRow { id: row.id(), row: Some(Cow::Owned(row)), edited: false }
}

fn edited_row(row: Row) -> HeldRow<'static> {
    HeldRow { edited: true, ..held_row(row) }
}

fn gone(row: Row) -> HeldRow<'static> {
    HeldRow { row: None, ..held_row(row) }
}

fn part(table: &'static Table, rows: Vec<HeldRow<'static>>, residue: &str) -> HeldPart<'static> {
    let residue = (!residue.is_empty()).then(|| Cow::Owned(residue.to_owned()));
    HeldPart { table, rows, residue, added: false }
}

fn added(table: &'static Table, rows: Vec<Row>) -> HeldPart<'static> {
    HeldPart { added: true, ..part(table, rows.into_iter().map(held_row).collect(), "") }
}

fn held(kind: &'static DocumentKind, key: &str, files: &[(&str, FileRole)]) -> Held {
    let file = |(path, role): &(&str, FileRole)| HeldFile {
        path: RelPath::new(*path),
        role: *role,
        modified: Instant(SECOND),
    };
    Held { kind, key: key.into(), files: files.iter().map(file).collect(), base_time: Instant(SECOND) }
}

fn a_user() -> Held {
    held(&USER, "u", &[("users/u.json", WHOLE)])
}

fn a_chat() -> Held {
    held(&CHAT, "c", &[("chat_sessions/c.json", HISTORY), ("chat_sessions/c_session.json", SESSION)])
}

fn a_memory() -> Held {
    held(&MEMORY, "u", &[("memory/u.json", WHOLE)])
}

/// The pieces in short: the file's position, or a new one's path, and its JSON.
fn pieces(held: &Held, parts: Vec<HeldPart<'static>>) -> Result<Vec<String>, RebuildError> {
    let mut parts = parts.into_iter();
    let mut pieces = Vec::new();
    rebuild(held, &mut || Ok(parts.next()), &mut |piece| {
        pieces.push(match piece {
            Piece::Whole { file, value } => format!("{file} {}", written(&value)),
            Piece::Item { file, value, .. } => format!("{file}+ {}", written(&value)),
            Piece::Line { file, number, value, .. } => format!("{file}:{number} {}", written(&value)),
            Piece::Lines { file, count } => format!("{file}:{count}"),
            Piece::Mark { file } => format!("{file} mark"),
            Piece::New { path, value } => format!("{path} {}", written(&value)),
        });
        Ok(())
    })?;
    Ok(pieces)
}

fn written(value: &Node) -> String {
    let mut text = Vec::new();
    node::write(&mut text, value, Style::Line, 0).expect("memory takes all");
    String::from_utf8(text).expect("UTF-8")
}

fn bad(held: &Held, parts: Vec<HeldPart<'static>>) -> (usize, Option<Uuid>) {
    match pieces(held, parts) {
        Err(RebuildError::Bad(bad)) => (bad.part, bad.row),
        other => panic!("{other:?}"),
    }
}

#[test]
fn residue_that_does_not_fit_is_said_to_be_bad() {
    let row = Some(Uuid::from_u128(1));
    for (residue, at) in [
        ("", None),
        ("nonsense", None),
        ("[]", None),
        ("{\"rows\":[]}", None),
        ("{\"rows\":[null,null]}", None),
        ("{\"rows\":{}}", None),
        ("{\"shapes\":[[\"id\"]],\"shapes\":[[\"id\"]]}", None),
        ("{\"shapes\":[[\"id\",\"id\"]]}", None),
        ("{\"shapes\":[[1]]}", None),
        ("{\"shapes\":[]}", row),
        ("{\"shapes\":[[\"id\"],[\"email\"]]}", None),
        ("{\"other\":1}", None),
        ("{\"document\":[]}", None),
        ("{\"document\":{\"bom\":[\"session\"]}}", None),
        ("{\"document\":{\"bom\":[\"whole\",\"whole\"]}}", None),
        ("{\"document\":{\"bom\":[]}}", None),
        ("{\"document\":{\"created_at\":\"yesterday\"}}", None),
        ("{\"document\":{\"lines\":3}}", None),
        ("{\"document\":{\"list\":false}}", None),
        ("{\"document\":{\"list\":true}}", row),
        ("{\"rows\":[1]}", row),
        ("{\"rows\":[\"an id\"]}", row),
        ("{\"rows\":[{\"s\":1}]}", row),
        ("{\"rows\":[{\"s\":-1}]}", row),
        ("{\"rows\":[{\"s\":99999999999999999999}]}", row),
        ("{\"rows\":[{\"l\":1}]}", row),
        ("{\"rows\":[{\"y\":1}]}", row),
        ("{\"rows\":[{\"x\":{\"email\":1}}]}", row),
        ("{\"rows\":[{\"x\":{\"id\":1,\"id\":1}}]}", row),
        ("{\"rows\":[{\"x\":1}]}", row),
        ("{\"rows\":[{\"j\":{\"created_at\":\"1\"}}]}", row),
        ("{\"rows\":[{\"j\":{\"profile\":{\"k\":[]}}}]}", row),
        ("{\"shapes\":[[\"profile\"]],\"rows\":[{\"j\":{\"profile\":{\"k\":[\"a\"]}}}]}", row),
        ("{\"shapes\":[[\"vertical\"]]}", row),
    ] {
        if residue.is_empty() {
            assert_eq!(pieces(&a_user(), vec![part(&USERS, vec![held_row(user())], "")]).map(|all| all.len()), Ok(1));
            continue;
        }
        let found = bad(&a_user(), vec![part(&USERS, vec![held_row(user())], residue)]);
        assert_eq!(found, (0, at), "{residue}");
    }
}

#[test]
fn parts_that_do_not_fit_are_said_to_be_bad() {
    let session_part = |residue| part(&CHAT_SESSIONS, vec![held_row(session(1))], residue);
    let said = "{\"rows\":[\"s\"]}";
    let messages = || part(&MESSAGES, vec![held_row(message(1))], "{\"rows\":[\"a\"]}");
    let history_alone = || held(&CHAT, "c", &[("chat_sessions/c.json", HISTORY)]);
    assert_eq!(bad(&a_chat(), vec![]).0, 0);
    assert_eq!(bad(&a_chat(), vec![session_part(""), messages()]).0, 0, "no session");
    assert_eq!(bad(&history_alone(), vec![session_part(said), messages()]).0, 0, "a session too many");
    assert_eq!(bad(&a_chat(), vec![messages()]).0, 0, "no session part");
    assert_eq!(bad(&a_chat(), vec![session_part(said), session_part(said)]).0, 1, "two session parts");
    assert_eq!(bad(&a_chat(), vec![session_part(said)]).0, 0, "no messages");
    assert_eq!(bad(&a_chat(), vec![session_part(said), part(&MESSAGES, vec![], "")]).0, 1, "an empty part");
    let empty = "{\"rows\":[\"s\"],\"document\":{\"history\":[]}}";
    assert_eq!(bad(&a_chat(), vec![session_part(empty), messages()]).0, 1, "messages in an empty history");
    assert_eq!(bad(&a_user(), vec![part(&USERS, vec![], "")]).0, 0, "no user");
    let twice = || part(&USERS, vec![held_row(user())], "");
    assert_eq!(bad(&a_user(), vec![twice(), twice()]).0, 1, "two users");
}

#[test]
fn a_row_that_is_gone_is_left_out() {
    let session_part = || part(&CHAT_SESSIONS, vec![held_row(session(2))], "{\"rows\":[\"s\"]}");
    let rows = vec![gone(message(1)), held_row(message(2))];
    let found = pieces(&a_chat(), vec![session_part(), part(&MESSAGES, rows, "{\"rows\":[\"a\",\"b\"]}")]);
    let found = found.expect("it fits");
    assert_eq!(found.len(), 2);
    assert!(found[1].starts_with("0+ {\"id\":\"b\""), "{found:?}");
    let rows = vec![gone(message(1))];
    let found = pieces(&a_chat(), vec![session_part(), part(&MESSAGES, rows, "{\"rows\":[\"a\"]}")]);
    assert_eq!(found.expect("it fits")[1], "0 []");
    assert_eq!(pieces(&a_user(), vec![part(&USERS, vec![gone(user())], "")]), Ok(vec![]));
    let log = held(&LOG, "logs/info.log", &[("logs/info.log", WHOLE)]);
    let rows = vec![gone(line("a")), held_row(line("b"))];
    let found = pieces(&log, vec![part(&SYSTEM_LOGS, rows, "{\"shapes\":[[\"message\"]]}")]);
    assert_eq!(found, Ok(vec!["0:2 {\"message\":\"b\"}".into(), "0:2".into()]));
    let outline = "{\"document\":{\"members\":[[\"a\"],\"t\",[\"b\"]]}}";
    for (rows, expected) in [
        ([0, 1, 1], r#"0 {"t":{"k":{"value":2,"created_at":"2025-11-28T10:15:30+00:00","expires_at":null}},"b":3}"#),
        ([1, 0, 1], r#"0 {"a":1,"b":3}"#),
        ([1, 0, 0], r#"0 {"a":1}"#),
        ([0, 0, 0], "0 []"),
    ] {
        let all = [entry("profile", "a", "1"), entry("t", "k", "2"), entry("profile", "b", "3")];
        let rows = all.into_iter().zip(rows).map(|(row, there)| if there == 1 { held_row(row) } else { gone(row) });
        assert_eq!(pieces(&a_memory(), vec![part(&USER_MEMORY, rows.collect(), outline)]), Ok(vec![expected.into()]));
    }
}

#[test]
fn an_edited_user_says_what_its_columns_say() {
    let shape = r#"{"shapes":[["id","name","created_at","vertical"]],"rows":[{"x":{"name":"N","created_at":null,"vertical":1}}],"document":{"created_at":"mtime"}}"#;
    let as_edited = |change: &dyn Fn(&mut Vec<Value>)| {
        let mut row = user();
        row.0[3] = text("N");
        change(&mut row.0);
        pieces(&a_user(), vec![part(&USERS, vec![edited_row(row)], shape)]).expect("it fits").remove(0)
    };
    assert_eq!(as_edited(&|_| {}), r#"0 {"id":"u","name":"N","created_at":null,"vertical":1}"#);
    let other = as_edited(&|row| {
        row[2] = text("e@x.y");
        row[3] = text("M");
        row[5] = json("{\"b\":1,\"a\":2}");
        row[6] = time(1);
        row[9] = text("blocked");
    });
    let end =
        r#""email":"e@x.y","preferences":{"a":2,"b":1},"status":"blocked","updated_at":"2025-11-28T10:15:30+00:00"}"#;
    let start = r#"0 {"id":"u","name":"M","created_at":"2025-11-28T10:15:31+00:00","vertical":1,"#;
    assert_eq!(other, format!("{start}{end}"));
}

#[test]
fn kept_spellings_stay_as_long_as_the_column_follows_from_them() {
    let long = "x".repeat(300);
    let residue = format!(
        r#"{{"shapes":[["id","name","created_at"]],"rows":[{{"x":{{"name":"{long}","created_at":1764324930}}}}]}}"#
    );
    let as_edited = |name: &str, created: i64| {
        let mut row = user();
        row.0[3] = text(name);
        row.0[6] = time(created);
        row.0[7] = time(created);
        pieces(&a_user(), vec![part(&USERS, vec![edited_row(row)], &residue)]).expect("it fits").remove(0)
    };
    assert_eq!(as_edited(&long[..255], 0), format!(r#"0 {{"id":"u","name":"{long}","created_at":1764324930}}"#));
    assert_eq!(as_edited("y", 60), r#"0 {"id":"u","name":"y","created_at":"2025-11-28T10:16:30+00:00"}"#);
}

#[test]
fn an_edited_session_says_what_its_columns_say() {
    let residue = r#"{"rows":[{"id":"s","x":{"user_id":"u","last_message_at":null,"message_count":7}}]}"#;
    let messages = || part(&MESSAGES, vec![held_row(message(1))], "{\"rows\":[\"a\"]}");
    let as_edited = |change: &dyn Fn(&mut Vec<Value>)| {
        let mut row = session(1);
        change(&mut row.0);
        let parts = vec![part(&CHAT_SESSIONS, vec![edited_row(row)], residue), messages()];
        pieces(&a_chat(), parts).expect("it fits").remove(1)
    };
    let start = r#"1 {"id":"s","chat_id":"c","user_id":"#;
    let times = format!(r#""created_at":"{TIME}","updated_at":"{TIME}","last_message_at":"#);
    let metadata = r#""metadata":{"title":"T"}"#;
    assert_eq!(as_edited(&|_| {}), format!("{start}\"u\",{times}null,\"message_count\":7,{metadata}}}"));
    let other = as_edited(&|row| {
        row[2] = Value::Reference("v".into());
        row[3] = text("New");
        row[8] = time(5);
        row[9] = Value::Int(2);
    });
    let counted = r#""2025-11-28T10:15:35+00:00","message_count":2"#;
    assert_eq!(other, format!("{start}\"v\",{times}{counted},{metadata},\"title\":\"New\"}}"));
    let nobody = as_edited(&|row| row[2] = Value::Reference(String::new()));
    assert!(nobody.contains("\"user_id\":null"), "{nobody}");
}

#[test]
fn a_session_without_a_file_gets_one_when_it_was_edited() {
    let mut row = session(1);
    row.0[10] = text("closed");
    let history = held(&CHAT, "c", &[("data/chat_sessions/c.json", HISTORY)]);
    let messages = || part(&MESSAGES, vec![held_row(message(1))], "{\"rows\":[\"a\"]}");
    let found = pieces(&history, vec![part(&CHAT_SESSIONS, vec![edited_row(row.clone())], ""), messages()]);
    let found = found.expect("it fits").remove(1);
    assert!(found.starts_with("data/chat_sessions/c_session.json {\"id\":\"00000000-"), "{found}");
    assert!(found.ends_with("\"status\":\"closed\"}"), "{found}");
    let conversation = held(&CONVERSATION, "conversations/c", &[("conversations/c.json", WHOLE)]);
    let parts = vec![part(&CHAT_SESSIONS, vec![edited_row(row)], ""), part(&MESSAGES, vec![held_row(message(1))], "")];
    assert_eq!(pieces(&conversation, parts), Ok(vec!["0+ {\"from\":\"lead\",\"content\":\"m1\"}".into()]));
}

#[test]
fn rows_that_no_document_has_come_last_in_the_standard_shape() {
    let parts = vec![
        part(&CHAT_SESSIONS, vec![held_row(session(1))], "{\"rows\":[\"s\"]}"),
        part(&MESSAGES, vec![held_row(message(1))], "{\"rows\":[\"a\"]}"),
        added(&MESSAGES, vec![message(3), message(2)]),
    ];
    let found = pieces(&a_chat(), parts).expect("it fits");
    assert_eq!(found.len(), 4);
    let expected = r#"0+ {"id":"00000000-0000-0000-0000-000000000066","role":"user","content":"m2","metadata":[],"#;
    assert!(found[2].starts_with(expected), "{found:?}");
    let mut new = message(1);
    new.0[7] = Value::Int(12);
    let adopted = adopt_row(&CHAT_SESSIONS, &session(1)).expect("a chat");
    assert_eq!((&adopted.key, &adopted.files), (&a_chat().key, &a_chat().files));
    let found = pieces(&adopted, vec![added(&CHAT_SESSIONS, vec![session(1)]), added(&MESSAGES, vec![new])]);
    let found = found.expect("it fits");
    assert!(found[0].ends_with("\"sequence_number\":1,\"token_count\":12}"), "{found:?}");
    assert!(found[1].starts_with("1 {\"id\":\"00000000-"), "{found:?}");
    let adopted = adopt_row(&USERS, &user()).expect("a user");
    let found = pieces(&adopted, vec![added(&USERS, vec![user()])]).expect("it fits");
    let id = Uuid::from_u128(1);
    assert_eq!(found, [format!(r#"0 {{"id":"{id}","created_at":"{TIME}","updated_at":"{TIME}"}}"#)]);
}

#[test]
fn memory_takes_new_entries_under_their_type() {
    let outline = "{\"document\":{\"members\":[[\"name\"],[\"preferences\"],{\"l\":[]}]}}";
    let known = || {
        let rows = [entry("profile", "name", "\"A\""), entry("preferences", "preferences", "1"), entry("l", "0", "2")];
        part(&USER_MEMORY, rows.into_iter().map(held_row).collect(), outline)
    };
    let object = |value| format!(r#"{{"value":{value},"created_at":"{TIME}","expires_at":null}}"#);
    let two = object("2");
    let expected = format!(r#"0 {{"name":"A","preferences":1,"l":[{two}]}}"#);
    assert_eq!(pieces(&a_memory(), vec![known()]), Ok(vec![expected]));
    let rows = vec![entry("preferences", "theme", "3"), entry("l", "k", "4"), entry("name", "x", "5")];
    let found = pieces(&a_memory(), vec![known(), added(&USER_MEMORY, rows)]).expect("it fits").remove(0);
    let (one, three, four, five, a) = (object("1"), object("3"), object("4"), object("5"), object("\"A\""));
    let start = format!(r#"0 {{"name":{{"x":{five}}},"preferences":{{"theme":{three},"preferences":{one}}},"#);
    let end = format!(r#""l":{{"0":{two},"k":{four}}},"profile":{{"name":{a}}}}}"#);
    assert_eq!(found, start + &end);
    // Somebody gave an entry another key.
    let mut other = entry("profile", "name", "\"A\"");
    other.0[3] = text("nick");
    let moved = part(
        &USER_MEMORY,
        vec![edited_row(other), held_row(entry("preferences", "preferences", "1")), gone(entry("l", "0", "2"))],
        outline,
    );
    let found = pieces(&a_memory(), vec![moved]).expect("it fits").remove(0);
    assert_eq!(found, format!(r#"0 {{"preferences":1,"l":[],"profile":{{"nick":{a}}}}}"#));
}

#[test]
fn only_names_of_files_are_adopted() {
    for (chat, path) in [
        ("x", Some("chat_sessions/x.json")),
        ("..", Some("chat_sessions/...json")),
        ("conversations/a@b.c", Some("conversations/a@b.c.json")),
        ("mcp/storage/conversations/9", Some("mcp/storage/conversations/9.json")),
        ("../x", None),
        ("conversations/../x", None),
        ("conversations/", None),
        ("/etc/x", None),
        ("", None),
    ] {
        let mut row = session(0);
        row.0[1] = text(chat);
        let found = adopt_row(&CHAT_SESSIONS, &row).map(|held| held.files[0].path.to_text());
        assert_eq!(found.as_deref(), path, "{chat}");
    }
    let mut row = entry("t", "k", "1");
    row.0[1] = Value::Reference("u".into());
    let found = adopt_row(&USER_MEMORY, &row).expect("a memory file");
    assert_eq!((found.key.as_str(), found.files[0].path.to_text().as_str()), ("u", "memory/u.json"));
    row.0[1] = Value::Reference("../u".into());
    assert_eq!(adopt_row(&USER_MEMORY, &row).map(|held| held.key), None);
    assert_eq!(adopt_row(&MESSAGES, &message(1)).map(|held| held.key), None);
}

#[test]
fn no_text_as_residue_makes_rebuilding_panic() {
    let words = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "null",
        "1",
        "-1",
        "\"a\"",
        "\"id\"",
        "\"s\"",
        "\"x\"",
        "\"j\"",
        "\"l\"",
        "\"k\"",
        "\"rows\"",
        "\"shapes\"",
        "\"document\"",
        "\"members\"",
        "\"lines\"",
        "\"value\"",
        "18446744073709551615",
        "{\"rows\":[",
        "{\"document\":{\"members\":[",
        "]}",
        "{\"shapes\":[[\"value\"]],\"rows\":[{\"j\":{\"value\":",
    ];
    let mut dice = 1u64;
    let mut fitted = 0;
    for round in 0..60_000 {
        let mut residue = String::new();
        for _ in 0..round % 14 {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            residue += words[(dice >> 33) as usize % words.len()];
        }
        let kind = KINDS[round % KINDS.len()];
        let (rows, file) = match kind.name {
            "users" => (vec![user()], WHOLE),
            "memory" => (vec![entry("profile", "a", "{\"b\":[1,2]}"), entry("t", "k", "2")], WHOLE),
            "logs" => (vec![line("a"), line("b")], WHOLE),
            _ => (vec![session(0)], SESSION),
        };
        let held = held(kind, "u", &[("users/u.json", file)]);
        let rows = rows.into_iter().map(held_row).collect();
        let parts = vec![part(kind.main, rows, &residue), part(&MESSAGES, vec![held_row(message(1))], &residue)];
        let parts = if round % 3 == 0 { parts } else { parts.into_iter().take(1).collect() };
        fitted += usize::from(pieces(&held, parts).is_ok());
    }
    assert!(fitted > 1000, "{fitted}");
}
