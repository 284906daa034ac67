//! Whether the databases read constants and names as our lexer does: generated statements go to each
//! of them whole, and what comes back is compared with the tokens.

use std::cell::RefCell;

use postgres::SimpleQueryMessage;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rusqlite::fallible_iterator::FallibleIterator;
use transload::schema::sql::{lex, split, Dialect, Statement, TextForm, Token, TokenKind};

use super::support::postgres::{connect, fresh_database};

/// What a constant or a name may hold: all that quotes and comments are made of.
fn content() -> impl Strategy<Value = String> {
    let parts = vec!["'", "\"", "\\", "$", "$a$", "`", "[", ";", "--", "/*", "*/", "\n", "a", "B", "é", " ", "0"];
    proptest::collection::vec(proptest::sample::select(parts), 0..8).prop_map(|parts| parts.concat())
}

/// What may stand between two tokens.
fn gap() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(vec![" ", "\n", "\t", "-- ;'\n", "/* ;\" */"]), 1..4)
        .prop_map(|parts| parts.concat())
}

/// A way to write a content, and a name for it in quotes.
#[derive(Clone, Debug)]
struct Item {
    content: String,
    form: usize,
    name: String,
    name_form: usize,
    gap: String,
}

fn items() -> impl Strategy<Value = Vec<Vec<Item>>> {
    // A name has a letter at least, and no more than 63 bytes.
    let item = (content(), 0..3usize, content(), 0..4usize, gap()).prop_map(|(content, form, name, name_form, gap)| {
        Item { content, form, name: format!("n{name}"), name_form, gap }
    });
    proptest::collection::vec(proptest::collection::vec(item, 1..4), 1..4)
}

fn constant(item: &Item, dialect: Dialect) -> String {
    let doubled = item.content.replace('\'', "''");
    match (dialect, item.form) {
        (Dialect::Postgres, 1) => format!("E'{}'", item.content.replace('\\', "\\\\").replace('\'', "\\'")),
        // The tag's last sign could be one of the content's.
        (Dialect::Postgres, 2) if !item.content.contains("$tag") && !item.content.ends_with('$') => {
            format!("$tag${}$tag$", item.content)
        }
        _ => format!("'{doubled}'"),
    }
}

fn quoted_name(item: &Item, dialect: Dialect) -> String {
    match (dialect, item.name_form) {
        (Dialect::Sqlite, 1) => format!("`{}`", item.name.replace('`', "``")),
        (Dialect::Sqlite, 2) if !item.name.contains(']') => format!("[{}]", item.name),
        (_, 3) => "Plain$é".to_owned(),
        _ => format!("\"{}\"", item.name.replace('"', "\"\"")),
    }
}

fn written(statements: &[Vec<Item>], dialect: Dialect) -> String {
    let mut text = String::new();
    for items in statements {
        let one = |item: &Item| {
            let gap = &item.gap;
            format!("{gap}{}{gap}AS{gap}{}{gap}", constant(item, dialect), quoted_name(item, dialect))
        };
        text += &format!("SELECT{};", items.iter().map(one).collect::<Vec<_>>().join(","));
    }
    text
}

/// The constants of a statement and the names behind AS, by our tokens. Escapes are not ours to read.
fn read(text: &str, statement: &Statement, dialect: Dialect) -> Vec<(Option<String>, String)> {
    let tokens = &statement.tokens;
    let is_text = |token: &&Token| matches!(token.kind, TokenKind::Text(_));
    let constants = tokens.iter().filter(is_text).map(|token| match token.kind {
        TokenKind::Text(TextForm::Escape) => None,
        _ => token.constant(text),
    });
    let names = tokens.windows(2).filter(|pair| pair[0].is_word(text, "AS"));
    let names = names.map(|pair| pair[1].name(text, dialect).expect("a name follows"));
    constants.zip(names).collect()
}

fn assert_same(text: &str, dialect: Dialect, answers: &[Vec<(String, String)>]) -> Result<(), TestCaseError> {
    let statements = split(text, &lex(text, dialect), dialect);
    prop_assert_eq!(statements.len(), answers.len(), "{}", text);
    for (statement, answer) in statements.iter().zip(answers) {
        let read = read(text, statement, dialect);
        prop_assert_eq!(read.len(), answer.len(), "{}", text);
        for ((constant, name), (value, column)) in read.iter().zip(answer) {
            prop_assert_eq!(constant.as_ref().unwrap_or(value), value, "{}", text);
            let column = match dialect {
                Dialect::Postgres => column.clone(),
                // Folded, as capitals do not matter there.
                Dialect::Sqlite => column.to_ascii_lowercase(),
            };
            prop_assert_eq!(name, &column, "{}", text);
        }
    }
    Ok(())
}

#[test]
fn postgres_reads_constants_and_names_as_we_do() {
    let client = RefCell::new(connect(&fresh_database()));
    let check = |statements: Vec<Vec<Item>>| {
        let text = written(&statements, Dialect::Postgres);
        let messages = client.borrow_mut().simple_query(&text);
        let messages = messages.unwrap_or_else(|error| panic!("{error:?}: {text}"));
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let answers: Vec<Vec<(String, String)>> = rows
            .map(|row| {
                let value = |at: usize| row.get(at).expect("a constant").to_owned();
                row.columns().iter().enumerate().map(|(at, column)| (value(at), column.name().to_owned())).collect()
            })
            .collect();
        for (items, answer) in statements.iter().zip(&answers) {
            let contents: Vec<&String> = items.iter().map(|item| &item.content).collect();
            prop_assert_eq!(answer.iter().map(|(value, _)| value).collect::<Vec<_>>(), contents);
        }
        assert_same(&text, Dialect::Postgres, &answers)
    };
    TestRunner::default().run(&items(), check).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn sqlite_reads_constants_and_names_as_we_do() {
    let connection = rusqlite::Connection::open_in_memory().expect("a database");
    let check = |statements: Vec<Vec<Item>>| {
        let text = written(&statements, Dialect::Sqlite);
        // SQLite's own cutting, not ours.
        let mut batch = rusqlite::Batch::new(&connection, &text);
        let mut answers = Vec::new();
        while let Some(mut statement) = batch.next().unwrap_or_else(|error| panic!("{error}: {text}")) {
            let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
            let values = statement.query_row([], |row| (0..columns.len()).map(|at| row.get(at)).collect());
            let values: Vec<String> = values.expect("one row of texts");
            answers.push(values.into_iter().zip(columns).collect());
        }
        assert_same(&text, Dialect::Sqlite, &answers)
    };
    TestRunner::default().run(&items(), check).unwrap_or_else(|error| panic!("{error}"));
}
