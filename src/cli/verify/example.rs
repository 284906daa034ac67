//! An outcome for the tests of what is made of it.

use uuid::Uuid;

use crate::model::summary::FileTally;
use crate::model::Instant;
use crate::verify::outcome::{
    Cause, Conclusion, Difference, Documents, Listed, Moved, Outcome, TableCount, Verdict, WaiverUse,
};

/// One difference, one waived, one reject, one document that nobody could settle.
pub fn differing() -> Outcome {
    let documents = Documents { found: 1213, agreed: 1209, different: 2, rejected: 1, unsettled: 1, ..empty() };
    let chats = Documents { found: 1013, agreed: 1009, ..documents.clone() };
    let edited = Difference {
        document: Uuid::from_u128(1),
        kind: "chats",
        cause: Cause::EditedInDatabase,
        moved: Moved::Database,
        file: "chat_sessions/a\u{1b}.json".to_owned(),
        pointer: "/3/content".to_owned(),
        table: Some("messages".to_owned()),
        row: Some(Uuid::from_u128(2)),
        column: Some("content".to_owned()),
        in_file: Some("\"Is anybody there?\"".to_owned()),
        in_database: Some("\"Is anybody here?\u{202e}\"".to_owned()),
        detail: None,
        secret: false,
        waived: None,
    };
    let waived = Difference {
        document: Uuid::from_u128(3),
        cause: Cause::MissingRow,
        moved: Moved::Unknown,
        file: "chat_sessions/old.json".to_owned(),
        in_file: Some("\"Hello\"".to_owned()),
        in_database: None,
        row: None,
        column: None,
        detail: Some("one message of seven".to_owned()),
        waived: Some("lost in 2024, ticket 12".to_owned()),
        ..edited.clone()
    };
    let listed = |verdict, file: &str, text: &str, accepted| Listed {
        document: Uuid::from_u128(4),
        kind: "chats",
        file: file.to_owned(),
        verdict,
        text: text.to_owned(),
        accepted,
    };
    let waiver = |document: &str, until: &str, expired, covered| WaiverUse {
        cause: "missing_row",
        document: document.to_owned(),
        until: until.to_owned(),
        reason: "lost in 2024, ticket 12".to_owned(),
        expired,
        covered,
    };
    Outcome {
        version: "0.1.0",
        files: FileTally { found: 1217, in_documents: 1214, not_migrated: 3, unreadable: 0, vanished: 0 },
        kinds: [("users", Documents { found: 200, agreed: 200, ..empty() }), ("chats", chats)].into(),
        tables: [
            ("messages", TableCount { rows: 23_800, values: 214_200, differences: 2 }),
            ("users", TableCount { rows: 200, values: 2000, differences: 0 }),
        ]
        .into(),
        documents,
        by_columns: 4,
        accepted: 1,
        differences: 1,
        waived: 1,
        waived_documents: 1,
        causes: [("edited_in_database", 1)].into(),
        listed_differences: vec![edited, waived],
        listed: vec![
            listed(Verdict::Unsettled, "chat_sessions/busy.json", "it changed during each of 5 tries", false),
            listed(Verdict::Rejected, "chat_sessions/test.json", "empty: no bytes", true),
        ],
        waivers: vec![
            waiver("chat_sessions/old.json", "2026-12-31", false, 1),
            waiver("chat_sessions/gone.json", "2026-06-29", true, 0),
        ],
        not_looked_at: vec!["documents of the kinds logs".to_owned()],
        conclusion: Conclusion::Differ,
        ..Outcome::not_done(
            "data".to_owned(),
            "sqlite:a.db".to_owned(),
            Instant::from_fixed("2026-06-30T03:15:00.000000Z").expect("a time"),
            12.5,
            String::new(),
        )
    }
}

fn empty() -> Documents {
    Documents::default()
}
