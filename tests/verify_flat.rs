//! `verify` over flat memory files: a member of the file is a row's value as a whole, which has
//! no members of its own that columns could be asked for.

mod support;

use rusqlite::{params, Connection};
use serde_json::Value;

use support::cli::{write, Workplace};
use transload::format::donna::Donna;
use transload::format::Format;
use uuid::Uuid;

const DB: &str = "sqlite:app.db";
const MEMORY: &str = r#"{"preferences":{"tone":"warm","deep":{"a":1}},"name":"A"}"#;

fn verified(place: &Workplace, code: i32) -> Value {
    place.run(&["verify", "data", "--db", DB, "-q", "--json", "--max-lag", "200ms"]).expect(code).json()
}

fn database(place: &Workplace) -> Connection {
    Connection::open(place.path("app.db")).expect("the database opens")
}

fn with_user() -> Workplace {
    let place = Workplace::new();
    for directory in ["users", "memory"] {
        std::fs::create_dir_all(place.path("data").join(directory)).expect("a directory can be made");
    }
    write(&place.path("data/users/u.json"), br#"{"id":"u","created_at":"2025-11-28T10:15:30+00:00"}"#);
    place
}

#[test]
fn a_flat_value_that_was_edited_is_told_once_and_at_its_place() {
    for (key, edited, pointer) in [
        ("preferences", r#"{"tone":"cold","deep":{"a":1}}"#, "/preferences"),
        ("preferences", r#"{"tone":"warm","deep":{"a":2}}"#, "/preferences"),
        ("name", r#""B""#, "/name"),
    ] {
        let place = with_user();
        write(&place.path("data/memory/u.json"), MEMORY.as_bytes());
        place.run(&["migrate", "data", "--db", DB, "-q"]).expect(0);
        verified(&place, 0);
        let edit = "UPDATE user_memory SET value = ?1 WHERE key = ?2";
        assert_eq!(database(&place).execute(edit, [edited, key]).expect("it can be edited"), 1);
        let found = verified(&place, 1);
        let told = found["listed_differences"].as_array().expect("a list");
        let [one] = told.as_slice() else { panic!("one difference was planted: {found}") };
        assert_eq!((&one["pointer"], &one["column"]), (&pointer.into(), &"value".into()), "{found}");
    }
}

#[test]
fn flat_values_that_the_application_wrote_on_both_sides_agree() {
    let place = with_user();
    place.run(&["migrate", "data", "--db", DB, "-q"]).expect(0);
    write(&place.path("data/memory/u.json"), MEMORY.as_bytes());
    let user = Donna.referenced_id("users", "u").to_string();
    let database = database(&place);
    for (kind, key, value) in
        [("preferences", "preferences", r#"{"tone":"warm","deep":{"a":1}}"#), ("profile", "name", r#""A""#)]
    {
        let id = Uuid::new_v4().to_string();
        let insert = "INSERT INTO user_memory (id, user_id, memory_type, key, value, created_at, updated_at) VALUES \
                      (?1, ?2, ?3, ?4, ?5, '2025-11-28T10:15:30.000000Z', '2025-11-28T10:15:30.000000Z')";
        database.execute(insert, params![id, user, kind, key, value]).expect("a row can be added");
    }
    let found = verified(&place, 0);
    assert_eq!(found["documents"]["agreed"], 2, "{found}");
}
