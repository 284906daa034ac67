//! What decoding leaves in the residue, member by member, as `docs/residue.md` says.

use std::ops::ControlFlow;

use jiff::tz::TimeZone;
use transload::format::{self, DecodeContext};
use transload::model::{ids, Class, Content, DecodeError, Document, Instant, Limits, Part, RelPath, SourceFile, Value};

const LIMITS: Limits =
    Limits { json_number_digits: None, json_string_bytes: 1 << 28, json_bytes: 1 << 28, text_bytes: 1 << 28 };

/// 2025-12-01T00:00:00Z.
const BASE: Instant = Instant(1_764_547_200_000_000);

/// Decodes the files of one document; the flaw's pointer if it is rejected.
fn decode_parts(files: &[(&str, &str)], part_rows: usize) -> Result<Vec<Part>, String> {
    let donna = format::by_name("donna").unwrap();
    let mut document: Option<Document> = None;
    for (path, content) in files {
        let path = RelPath::new(*path);
        let member = match donna.classify(&path) {
            Class::Document(member) => member,
            Class::ByShape { object, .. } if content.trim_start_matches('\u{feff}').starts_with('{') => object,
            Class::ByShape { otherwise, .. } => otherwise,
            Class::NotMigrated { .. } => panic!("{path} is not migrated"),
        };
        let id = ids::document(member.kind.name, &member.key);
        let file = SourceFile { path, role: member.role, size: content.len() as u64, modified: BASE };
        match &mut document {
            None => document = Some(Document { kind: member.kind, key: member.key, id, files: vec![file] }),
            Some(document) => {
                assert_eq!(document.id, id, "the files are of one document");
                document.files.push(file);
            }
        }
    }
    let context =
        DecodeContext { zone: TimeZone::UTC, limits: LIMITS, base_time: BASE, part_rows, part_bytes: 1 << 20 };
    let open = |file: usize| Ok(Content::Whole(files[file].1.as_bytes()));
    let mut parts = Vec::new();
    let decoded = donna.decode(&document.unwrap(), &open, &context, &mut |part| {
        parts.push(part);
        ControlFlow::Continue(())
    });
    match decoded {
        Ok(_) => Ok(parts),
        Err(DecodeError::Flaw(flaw)) => Err(flaw.place.pointer.unwrap_or_default()),
        Err(other) => panic!("{other:?}"),
    }
}

fn decode(files: &[(&str, &str)]) -> Vec<Part> {
    decode_parts(files, 1_000).unwrap()
}

/// The residue of each part; empty where there is none.
fn residues(files: &[(&str, &str)]) -> Vec<String> {
    decode(files).into_iter().map(|part| part.residue.unwrap_or_default()).collect()
}

fn text(part: &Part, row: usize, column: &str) -> String {
    let at = part.table.column(column).unwrap();
    part.rows[row].0[at].as_text().unwrap().to_owned()
}

#[test]
fn a_time_is_kept_unless_it_is_spelled_as_its_layout_does() {
    for (spelled, kept) in [
        (r#""2025-11-28T10:15:30+00:00""#, false),
        (r#""2025-11-28T10:15:30Z""#, true),
        (r#""2025-11-28T10:15:30.5+00:00""#, true),
        ("1764324930", true),
        ("1764324930123", true),
        ("1764324930.25", true),
        (r#""1764324930123""#, true),
    ] {
        let user = format!(r#"{{"id":"u","created_at":{spelled},"updated_at":"2025-11-28T10:15:30+00:00"}}"#);
        let expected = if kept { format!(r#"{{"rows":[{{"x":{{"created_at":{spelled}}}}}]}}"#) } else { String::new() };
        assert_eq!(residues(&[("users/u.json", &user)]), [expected], "{spelled}");
    }
}

#[test]
fn both_times_of_one_message_are_kept_apart() {
    let message = r#"[{"role":"user","content":"a","timestamp":"2025-11-28T10:15:30Z","created_at":"2025-11-28T10:15:30+00:00"}]"#;
    assert_eq!(
        residues(&[("chat_sessions/c.json", message)])[1],
        r#"{"shapes":[["role","content","timestamp","created_at"]],"rows":[{"x":{"timestamp":"2025-11-28T10:15:30Z"}}]}"#
    );
    let message = r#"[{"role":"user","content":"a","created_at":null,"timestamp":"2025-11-28T10:15:30Z"}]"#;
    assert_eq!(
        residues(&[("chat_sessions/c.json", message)])[1],
        r#"{"shapes":[["role","content","created_at","timestamp"]],"rows":[{"x":{"created_at":null}}]}"#
    );
}

#[test]
fn null_absent_and_default_are_three_things() {
    let user = |members: &str| residues(&[("users/u.json", &format!(r#"{{"id":"u"{members}}}"#))]).remove(0);
    // What a column shows as NULL or by default is told by the shape; what it cannot show is kept.
    assert_eq!(
        user(r#","status":null,"email":null,"profile":null,"updated_at":null,"last_active_at":null"#),
        concat!(
            r#"{"document":{"created_at":"mtime"},"#,
            r#""shapes":[["id","status","email","profile","updated_at","last_active_at"]],"#,
            r#""rows":[{"x":{"updated_at":null,"status":null}}]}"#
        )
    );
    assert_eq!(user(""), r#"{"document":{"created_at":"mtime"},"shapes":[["id"]]}"#);
    assert_eq!(
        user(r#","status":"active","profile":[],"preferences":{}"#),
        concat!(
            r#"{"document":{"created_at":"mtime"},"shapes":[["id","status","profile","preferences"]],"#,
            r#""rows":[{"x":{"preferences":{}}}]}"#
        )
    );
    assert_eq!(
        residues(&[("users/u.json", "[]")]),
        [r#"{"document":{"created_at":"mtime","list":true},"shapes":[[]]}"#]
    );
    assert_eq!(residues(&[("users/u.json", "{}")]), [r#"{"document":{"created_at":"mtime"},"shapes":[[]]}"#]);
}

#[test]
fn a_session_that_says_less_than_its_row_is_told_by_its_nulls() {
    let session = concat!(
        r#"{"id":null,"chat_id":"c","user_id":"","created_at":null,"updated_at":null,"last_message_at":null,"#,
        r#""message_count":"1","metadata":{"title":"inner","profile":"sales"},"title":null,"profile":null,"status":null}"#
    );
    let history = r#"[{"role":"user","content":"a","created_at":"2025-11-28T10:15:30+00:00"}]"#;
    let parts = decode(&[("chat_sessions/c.json", history), ("chat_sessions/c_session.json", session)]);
    assert_eq!(
        parts[0].residue.as_deref().unwrap(),
        concat!(
            r#"{"document":{"created_at":"message"},"shapes":[["id","chat_id","user_id","created_at","updated_at","#,
            r#""last_message_at","message_count","metadata","title","profile","status"]],"rows":[{"id":null,"x":{"#,
            r#""message_count":"1","user_id":"","title":null,"profile":null,"status":null,"created_at":null,"#,
            r#""updated_at":null,"last_message_at":null}}]}"#
        )
    );
    assert_eq!((text(&parts[0], 0, "title"), text(&parts[0], 0, "profile")), ("inner".into(), "sales".into()));
    assert_eq!(parts[0].rows[0].0[2], Value::Null);
}

#[test]
fn the_residue_says_which_files_a_chat_had() {
    let both = [("chat_sessions/c.json", "[]"), ("chat_sessions/c_session.json", "{}")];
    assert_eq!(residues(&both), [r#"{"document":{"created_at":"mtime","history":[]},"shapes":[[]]}"#]);
    assert_eq!(residues(&both[..1]), [r#"{"document":{"created_at":"mtime","history":[]}}"#]);
    assert_eq!(residues(&both[1..]), [r#"{"document":{"created_at":"mtime"},"shapes":[[]]}"#]);
}

#[test]
fn the_residue_says_which_files_begin_with_a_byte_order_mark() {
    let (history, session) = (r#"[{"role":"user","content":"a"}]"#, r#"{"metadata":[]}"#);
    let marked = |text: &str| format!("\u{feff}{text}");
    let of_chat = |history: &str, session: &str| {
        residues(&[("chat_sessions/c.json", history), ("chat_sessions/c_session.json", session)]).remove(0)
    };
    assert!(of_chat(&marked(history), session).contains(r#""bom":["history"]"#));
    assert!(of_chat(history, &marked(session)).contains(r#""bom":["session"]"#));
    assert!(of_chat(&marked(history), &marked(session)).contains(r#""bom":["session","history"]"#));
    assert!(!of_chat(history, session).contains("bom"));
    for (path, content) in [
        ("users/u.json", r#"{"id":"u"}"#),
        ("memory/u.json", "{}"),
        ("conversations/a.json", "[]"),
        ("logs/error.log", r#"{"message":"a"}"#),
    ] {
        assert!(residues(&[(path, &marked(content))])[0].contains(r#""bom":["whole"]"#), "{path}");
        assert!(!residues(&[(path, content)])[0].contains("bom"), "{path}");
    }
}

#[test]
fn roles_come_back_by_the_inverse_of_their_mapping() {
    let conversation = r#"[{"from":"lead","content":"a"},{"from":"bot","content":"b"},{"from":"user","content":"c"},
        {"from":"assistant","content":"d"},{"from":"human","content":"e"}]"#;
    let parts = decode(&[("conversations/a@example.com.json", conversation)]);
    let roles: Vec<String> = (0..5).map(|row| text(&parts[1], row, "role")).collect();
    assert_eq!(roles, ["user", "assistant", "user", "assistant", "human"]);
    assert_eq!(
        parts[1].residue.as_deref(),
        Some(r#"{"rows":[null,null,{"x":{"from":"user"}},{"x":{"from":"assistant"}},null]}"#)
    );
}

#[test]
fn flat_and_typed_memory_of_one_file_are_told_apart() {
    let memory = r#"{"profile":{"color":{"value":"blue"}},"name":"A","empty":{},"preferences":{"value":1},"list":[]}"#;
    let parts = decode(&[("memory/u.json", memory)]);
    let rows: Vec<(String, String)> =
        (0..5).map(|row| (text(&parts[0], row, "memory_type"), text(&parts[0], row, "key"))).collect();
    let expected = [
        ("profile", "color"),
        ("profile", "name"),
        ("profile", "empty"),
        ("preferences", "preferences"),
        ("profile", "list"),
    ];
    assert_eq!(rows, expected.map(|(kind, key)| (kind.to_owned(), key.to_owned())));
    assert_eq!(
        parts[0].residue.as_deref(),
        Some(concat!(
            r#"{"document":{"members":["profile",["name"],["empty"],["preferences"],["list"]]},"#,
            r#""shapes":[["value"],["value","created_at","expires_at"]],"rows":[null,{"s":1},{"s":1},{"s":1},{"s":1}]}"#
        ))
    );
    // The same key flat and typed would make one row of two values.
    let twice = r#"{"profile":{"name":{"value":"B"}},"name":"A"}"#;
    assert_eq!(decode_parts(&[("memory/u.json", twice)], 10), Err("/name".to_owned()));
}

#[test]
fn empty_memory_maps_and_lists_are_told_apart() {
    let memory = |content: &str| residues(&[("memory/u.json", content)]).remove(0);
    assert_eq!(memory("[]"), "");
    assert_eq!(memory("{}"), r#"{"document":{"members":[]}}"#);
    assert_eq!(memory(r#"{"a":[],"b":{}}"#), r#"{"document":{"members":[{"a":[]},{"b":{}}]}}"#);
}

#[test]
fn a_list_of_entries_is_the_map_that_php_wrote_as_a_list() {
    let memory =
        r#"{"notes":[{"value":"a","created_at":"2025-11-28T10:15:30+00:00","expires_at":null},{"value":"b"}]}"#;
    let parts = decode(&[("memory/u.json", memory)]);
    let keys: Vec<(String, String, String)> = (0..2)
        .map(|row| (text(&parts[0], row, "memory_type"), text(&parts[0], row, "key"), text(&parts[0], row, "value")))
        .collect();
    let expected = [("notes", "0", "\"a\""), ("notes", "1", "\"b\"")];
    assert_eq!(keys, expected.map(|(kind, key, value)| (kind.to_owned(), key.to_owned(), value.to_owned())));
    assert_eq!(
        parts[0].residue.as_deref(),
        Some(concat!(
            r#"{"document":{"members":[{"notes":[]}]},"#,
            r#""shapes":[["value","created_at","expires_at"],["value"]],"rows":[null,{"s":1}]}"#
        ))
    );
}

#[test]
fn blank_lines_of_a_log_are_counted_wherever_they_stand() {
    let line = r#"{"timestamp":"2025-11-28T10:15:30+00:00","level":"error","message":"m","trace_id":"t","context":[],"ip":"192.0.2.7","user_agent":"u"}"#;
    let log = |text: &str, part_rows: usize| -> Vec<(usize, String)> {
        let parts = decode_parts(&[("logs/error.log", text)], part_rows).unwrap();
        parts.into_iter().map(|part| (part.rows.len(), part.residue.unwrap_or_default())).collect()
    };
    assert_eq!(log(&format!("{line}\n{line}\n"), 10), [(2, String::new())]);
    assert_eq!(log(&format!("{line}\n\n{line}"), 10), [(2, r#"{"rows":[null,{"l":3}]}"#.to_owned())]);
    assert_eq!(log(&format!("\n{line}\n \n\n"), 10), [(1, r#"{"document":{"lines":4},"rows":[{"l":2}]}"#.to_owned())]);
    assert_eq!(log(&format!("{line}\n\n"), 1), [(1, String::new()), (0, r#"{"document":{"lines":2}}"#.to_owned())]);
    assert_eq!(log("", 10), [(0, String::new())]);
    assert_eq!(log("\n\n", 10), [(0, r#"{"document":{"lines":2}}"#.to_owned())]);
}
