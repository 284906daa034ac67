//! Whatever a file holds, lint comes to an end. What it finds is in `tests/schema_lint.rs`.

use proptest::prelude::*;

use super::*;
use crate::schema::sql::Dialect;

/// Statements of pieces that rules look at.
fn pieces() -> impl Strategy<Value = String> {
    let words = vec![
        "CREATE",
        "ALTER",
        "DROP",
        "TABLE",
        "INDEX",
        "ON",
        "IF NOT EXISTS",
        "a",
        "b.c",
        "(",
        ")",
        ",",
        ";",
        "ADD",
        "COLUMN",
        "CONSTRAINT",
        "TYPE",
        "text",
        "NOT NULL",
        "DEFAULT",
        "CHECK",
        "WITH",
        "AS",
        "INSERT INTO",
        "SELECT",
        "FROM",
        "SET",
        "set_config",
        "PRAGMA",
        "x = 1",
        "DO",
        "$$",
        "BEGIN",
        "END",
        "IF",
        "THEN",
        "RAISE",
        "EXCEPTION",
        "WHEN",
        "COPY",
        "STDIN",
        "RENAME TO",
        "TRIGGER",
        "EXECUTE",
        "FUNCTION",
        "DELETE",
        "'t'",
        "\"q\"",
        "[",
        "]",
        ":",
        "-- WHY: x\n",
        "-- ENSURE: SELECT (\n",
        "-- DEPENDS: 0001_a.sql\n",
        "-- NO TRANSACTION\n",
        "--\n",
        "/*",
        "REFERENCES",
        "CLUSTER",
    ];
    proptest::collection::vec(proptest::sample::select(words), 0..60).prop_map(|words| words.join(" "))
}

fn lint_all(text: &str) {
    for dialect in Dialect::ALL {
        let files = [("0001_a.sql", text.as_bytes()), ("0002_b.sql", text.as_bytes())];
        let set = MigrationSet::embedded("made", dialect, files);
        for finding in lint(&set) {
            assert!(!finding.message.is_empty() && !finding.help.is_empty());
            let Some(place) = finding.place else { continue };
            assert!(place.line >= 1 && place.column >= 1 && place.line as usize <= text.matches('\n').count() + 1);
        }
    }
}

proptest! {
    #[test]
    fn any_words_in_any_order_can_be_checked(text in pieces()) {
        lint_all(&text);
    }

    #[test]
    fn any_text_can_be_checked(text in any::<String>()) {
        lint_all(&text);
    }
}
