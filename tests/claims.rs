//! Two files that claim the same thing: the first in path order loads, the other is a reject that
//! names the first. What only looks like a claim is none.

mod support;

use std::fs;

use support::cli::{write, Finished, Workplace};

const USER: &[u8] = br#"{"id":"u","created_at":"2025-11-28T10:15:30+00:00"}"#;
const SESSION: &[u8] = br#"{"chat_id":"x","created_at":"2025-11-28T10:15:30+00:00"}"#;
const HISTORY: &[u8] = br#"[{"role":"user","content":"a","created_at":"2025-11-28T10:15:30+00:00"}]"#;

fn workplace(files: &[(&str, &[u8])]) -> Workplace {
    let workplace = Workplace::new();
    for (path, content) in files {
        let path = workplace.path("data").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        write(&path, content);
    }
    workplace
}

fn migrate(workplace: &Workplace) -> Finished {
    workplace.run(&["migrate", "data", "--db", "sqlite:a.db", "--json"])
}

/// File and text of each reject.
fn rejects(finished: &Finished) -> Vec<(String, String)> {
    let report = finished.json();
    let findings = report["findings"].as_array().unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    findings.iter().map(|finding| (text(&finding["file"]), text(&finding["text"]))).collect()
}

#[test]
fn the_reject_names_the_file_that_came_first() {
    let place = workplace(&[
        ("users/u.json", USER),
        ("data/users/u.json", USER),
        ("chat_sessions/x_session.json", SESSION),
        ("data/chat_sessions/x.json", HISTORY),
    ]);
    let found = rejects(&migrate(&place).expect(1));
    let expected = [
        ("data/chat_sessions/x.json", "`chat_sessions/x_session.json` claims the same id and came first"),
        ("users/u.json", "`data/users/u.json` claims the same id and came first"),
    ];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for ((file, text), (expected_file, expected_text)) in found.iter().zip(expected) {
        assert_eq!(file, expected_file);
        assert!(text.contains(expected_text), "{text}");
    }
}

#[test]
fn a_session_and_a_history_of_one_name_claim_different_chats() {
    // An object is the session of `x`, a list the history of `x_session`.
    let place = workplace(&[("chat_sessions/x_session.json", SESSION), ("data/chat_sessions/x_session.json", HISTORY)]);
    assert_eq!(migrate(&place).expect(0).json()["documents"]["loaded"], 2);
}

#[test]
fn a_link_that_is_not_followed_claims_nothing() {
    let place = workplace(&[("chat_sessions/y.json", HISTORY), ("data/chat_sessions/x.json", HISTORY)]);
    std::os::unix::fs::symlink("y.json", place.path("data/chat_sessions/x.json")).unwrap();
    assert_eq!(migrate(&place).expect(0).json()["documents"]["loaded"], 2);
}

#[test]
fn one_user_in_three_spellings_is_one_document_and_two_rejects() {
    let place = workplace(&[
        ("users/67E55044-10B1-426F-9247-BB680E5FE0C8.json", USER),
        ("users/67E55044-10b1-426f-9247-bb680e5fe0c8.json", USER),
        ("users/67e55044-10b1-426f-9247-bb680e5fe0c8.json", USER),
    ]);
    for _ in 0..2 {
        let finished = migrate(&place).expect(1);
        let documents = finished.json()["documents"].clone();
        assert_eq!((documents["found"].as_u64(), documents["rejected"].as_u64()), (Some(3), Some(2)));
    }
    // The ledger holds one row for one document, the reject files a line for each file.
    place.run(&["rejects", "list", "--db", "sqlite:a.db"]).expect(0);
}

#[test]
fn a_later_run_knows_a_claimed_clerk_id_by_the_same_reject() {
    let user = |id: &str| format!(r#"{{"id":"{id}","created_at":"2025-11-28T10:15:30+00:00","clerk_id":"c"}}"#);
    let (first, second) = (user("a"), user("b"));
    let place = workplace(&[("users/a.json", first.as_bytes()), ("users/b.json", second.as_bytes())]);
    let found = rejects(&migrate(&place).expect(1));
    assert_eq!(found.len(), 1);
    assert!(found[0].1.contains("`users/a.json` claims the same clerk_id and came first"), "{found:?}");
    assert_eq!(rejects(&migrate(&place).expect(1)), found);

    let listed = place.run(&["rejects", "list", "--json", "--db", "sqlite:a.db"]).expect(0).json();
    let id = listed["id"].as_str().unwrap();
    place.run(&["rejects", "accept", id, "--reason", "known", "--db", "sqlite:a.db"]).expect(0);
    migrate(&place).expect(0);
}

#[test]
fn a_file_that_claims_the_row_of_another_is_missing_also_when_its_reject_is_lost() {
    let user =
        |id: &str| format!("{{\"id\":\"{id}\",\"clerk_id\":\"c\",\"created_at\":\"2025-11-28T10:15:30+00:00\"}}");
    let (first, second) = (user("a"), user("b"));
    let place = workplace(&[("users/a.json", first.as_bytes()), ("users/b.json", second.as_bytes())]);
    migrate(&place).expect(1);
    let database = rusqlite::Connection::open(place.path("a.db")).unwrap();
    assert_eq!(database.execute("DELETE FROM transload_rejects", []).unwrap(), 1);
    let found = place.run(&["verify", "data", "--db", "sqlite:a.db", "--json", "--max-lag", "50ms"]).expect(1).json();
    let told = found["listed_differences"].as_array().unwrap();
    assert_eq!(told.len(), 1, "{found}");
    assert_eq!((told[0]["cause"].as_str(), told[0]["file"].as_str()), (Some("missing_document"), Some("users/b.json")));
}

#[test]
fn what_was_refused_for_another_file_is_compared_once_that_one_is_gone() {
    let other = br#"{"id":"u","name":"U","created_at":"2025-11-28T10:15:30+00:00"}"#;
    let place = workplace(&[("data/users/u.json", USER), ("users/u.json", other)]);
    migrate(&place).expect(1);
    let verify =
        || place.run(&["verify", "data", "--db", "sqlite:a.db", "--json", "-q", "--max-lag", "200ms"]).expect(1).json();
    let report = verify();
    assert_eq!((&report["documents"]["agreed"], &report["documents"]["rejected"]), (&1.into(), &1.into()), "{report}");
    fs::remove_file(place.path("data/data/users/u.json")).unwrap();
    let report = verify();
    assert_eq!((&report["documents"]["stale"], &report["documents"]["rejected"]), (&1.into(), &0.into()), "{report}");
    let told = report["listed_differences"].as_array().unwrap();
    assert_eq!(told.len(), 2, "{report}");
    assert_eq!(told[0]["detail"], "a file of the document is gone");
    assert_eq!((&told[1]["pointer"], &told[1]["column"]), (&"/name".into(), &"name".into()), "{report}");
}
