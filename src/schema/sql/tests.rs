//! What PostgreSQL and SQLite do with the same characters.

use proptest::prelude::*;

use super::*;
use Dialect::{Postgres, Sqlite};
use TokenKind::*;

/// The tokens that are not whitespace.
fn kinds(text: &str, dialect: Dialect) -> Vec<(TokenKind, &str)> {
    let tokens = lex(text, dialect);
    assert_eq!(tokens.iter().map(|token| token.text(text)).collect::<String>(), text);
    tokens.iter().filter(|token| token.kind != Whitespace).map(|token| (token.kind, token.text(text))).collect()
}

fn statements(text: &str, dialect: Dialect) -> Vec<&str> {
    split(text, &lex(text, dialect), dialect).iter().map(|statement| statement.text(text)).collect()
}

#[test]
fn postgres_has_its_kinds_of_constants() {
    for (text, form) in [
        ("'it''s'", TextForm::Standard),
        (r"'a\'", TextForm::Standard),
        (r"E'it\'s'", TextForm::Escape),
        (r"e'\\'", TextForm::Escape),
        (r"U&'\0061'", TextForm::Unicode),
        ("B'01'", TextForm::Bit),
        ("x'0F'", TextForm::Hex),
        ("N'a'", TextForm::National),
        ("$$a;'b$$", TextForm::Dollar),
        ("$é_1$ $$ $É_1$ $é_1$", TextForm::Dollar),
    ] {
        assert_eq!(kinds(text, Postgres), [(Text(form), text)]);
    }
}

#[test]
fn sqlite_knows_neither_escapes_nor_dollar_quotes() {
    assert_eq!(kinds(r"e'\'", Sqlite), [(Word, "e"), (Text(TextForm::Standard), r"'\'")]);
    assert_eq!(kinds("x'0f'", Sqlite), [(Text(TextForm::Hex), "x'0f'")]);
    assert_eq!(kinds("$a ?1 ? :b @c", Sqlite).iter().filter(|(kind, _)| *kind == Parameter).count(), 5);
    assert_eq!(kinds("$1 $a", Postgres), [(Parameter, "$1"), (Unknown, "$"), (Word, "a")]);
}

#[test]
fn a_text_that_goes_on_in_the_next_line_keeps_its_escapes() {
    let text = "E'a' -- remark\n 'b\\'c'";
    let found = kinds(text, Postgres);
    assert_eq!(found[2], (Text(TextForm::Escape), "'b\\'c'"));
    assert_eq!(kinds("E'a' 'b'", Postgres)[1].0, Text(TextForm::Standard));
}

#[test]
fn names_are_quoted_in_each_databases_ways() {
    assert_eq!(kinds(r#""a""b" U&"x""#, Postgres).len(), 2);
    assert_eq!(
        kinds("[a;b] `c``d` \"e\"", Sqlite),
        [(QuotedName, "[a;b]"), (QuotedName, "`c``d`"), (QuotedName, "\"e\"")]
    );
    let name = |text: &str, dialect| lex(text, dialect)[0].name(text, dialect);
    assert_eq!(name("\"A\"\"b\"", Postgres).as_deref(), Some("A\"b"));
    assert_eq!(name("Ab", Postgres).as_deref(), Some("ab"));
    assert_eq!(name("[A b]", Sqlite).as_deref(), Some("a b"));
    assert_eq!(name("U&\"x\"", Postgres).as_deref(), Some("x"));
    assert_eq!(name("\"", Postgres).as_deref(), Some(""));
}

#[test]
fn comments_nest_in_postgres_only() {
    assert_eq!(kinds("/* a /* b */ c */ d", Postgres), [(BlockComment, "/* a /* b */ c */"), (Word, "d")]);
    assert_eq!(kinds("/* a /* b */ c", Sqlite)[1], (Word, "c"));
    assert!(!lex("/* a /* b */", Postgres)[0].closed);
    assert_eq!(kinds("a--b\r\nc", Postgres), [(Word, "a"), (LineComment, "--b"), (Word, "c")]);
}

#[test]
fn operators_end_where_the_server_ends_them() {
    let operators = |text, dialect| kinds(text, dialect).into_iter().map(|(_, text)| text).collect::<Vec<_>>();
    assert_eq!(operators("a<-1", Postgres), ["a", "<", "-", "1"]);
    assert_eq!(operators("a@-1", Postgres), ["a", "@-", "1"]);
    assert_eq!(operators("a+--b", Postgres), ["a", "+", "--b"]);
    assert_eq!(operators("a*/**/b", Postgres), ["a", "*", "/**/", "b"]);
    assert_eq!(operators("a::b[1:2]", Postgres), ["a", "::", "b", "[", "1", ":", "2", "]"]);
    assert_eq!(operators("a->>'b'||c<>-1", Sqlite), ["a", "->>", "'b'", "||", "c", "<>", "-", "1"]);
}

#[test]
fn numbers_end_before_a_range_and_a_name() {
    let parts = |text| kinds(text, Postgres).into_iter().map(|(_, text)| text).collect::<Vec<_>>();
    assert_eq!(parts("1..10"), ["1", "..", "10"]);
    assert_eq!(parts("1.5e-10 .5 0x1F 1_000 1e 2.a"), ["1.5e-10", ".5", "0x1F", "1_000", "1", "e", "2.", "a"]);
}

#[test]
fn what_only_the_client_understands_is_set_apart() {
    let text = "\\i x;y.sql\nSELECT 1 \\gset\n;";
    assert_eq!(kinds(text, Postgres)[0], (ClientCommand, "\\i x;y.sql"));
    assert_eq!(statements(text, Postgres), ["SELECT 1"]);
    let text = ".read 'a;b'\nSELECT a\n.b;";
    assert_eq!(kinds(text, Sqlite)[0], (ClientCommand, ".read 'a;b'"));
    assert_eq!(statements(text, Sqlite), ["SELECT a\n.b"]);
    let text = "COPY t (a) FROM STDIN; -- rows\n1;'\n\\.\nSELECT 1;";
    let found = kinds(text, Postgres);
    assert!(found.contains(&(CopyData, "1;'\n")), "{found:?}");
    assert!(found.contains(&(ClientCommand, "\\.")), "{found:?}");
    assert_eq!(statements(text, Postgres), ["COPY t (a) FROM STDIN", "SELECT 1"]);
    assert_eq!(statements("COPY t FROM 'a';\nb'';", Postgres).len(), 2);
}

#[test]
fn a_semicolon_in_a_body_ends_no_statement() {
    let rule = "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2);";
    assert_eq!(statements(rule, Postgres).len(), 1);
    let function =
        "CREATE OR REPLACE FUNCTION f(a int) RETURNS int BEGIN ATOMIC\n  SELECT CASE WHEN n.end THEN 1 END AS end \
                    FROM n; SELECT 2; END; SELECT 3";
    assert_eq!(statements(function, Postgres).len(), 2);
    let block = "DO $$ BEGIN RAISE 'x;'; END $$; SELECT 1;";
    assert_eq!(statements(block, Postgres).len(), 2);
    let trigger = "CREATE TEMP TRIGGER IF NOT EXISTS t AFTER UPDATE ON a WHEN new.b BEGIN\n  UPDATE a SET c = CASE \
                   WHEN new.end THEN 1 END; SELECT 1 AS [end];;\nEND; SELECT 2;";
    assert_eq!(statements(trigger, Sqlite).len(), 2);
    assert_eq!(statements("SELECT begin; END;", Sqlite), ["SELECT begin", "END"]);
    assert_eq!(statements(";; ;", Sqlite), Vec::<&str>::new());
}

#[test]
fn places_count_lines_and_characters_from_one() {
    let text = "\u{feff}SELECT 'é' x,\r\n  y;";
    let tokens = lex(text, Postgres);
    let place = |word| tokens.iter().find(|token| token.text(text) == word).map(Token::place);
    assert_eq!(place("SELECT"), Some(Place { line: 1, column: 1 }));
    assert_eq!(place("x"), Some(Place { line: 1, column: 12 }));
    assert_eq!(place("y"), Some(Place { line: 2, column: 3 }));
    for token in &tokens {
        assert_eq!(place_of(text, token.start), token.place());
    }
    assert_eq!(place_of(text, text.len() + 5), place_of(text, text.len()));
}

#[test]
fn a_body_is_placed_as_in_the_whole_text() {
    let text = "DO $x$\n BEGIN\n END $x$;";
    let token = lex(text, Postgres)[2];
    let inside = token.inside(text).expect("a constant");
    let place = place_of(text, inside.start);
    let body = lex_within(text, inside, place, Postgres);
    let end = body.iter().find(|token| token.text(text) == "END").map(Token::place);
    assert_eq!(end, Some(Place { line: 3, column: 2 }));
    assert_eq!(token.constant(text).as_deref(), Some("\n BEGIN\n END "));
}

/// Pieces that are whole statements, and what may stand between them.
fn piece(dialect: Dialect) -> impl Strategy<Value = String> {
    let own: &[&str] = match dialect {
        Postgres => &[
            "DO $a$ BEGIN x; END; $b$ $a$",
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE 1 WHEN 2 THEN 3 END; END",
            "SELECT E'a\\';b', U&'c;', $$ ; $$",
            "SELECT (1;2)",
            "SELECT a /* ; /* ; */ ; */ + 1",
        ],
        Sqlite => &[
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; SELECT CASE 1 WHEN 2 THEN 3 END; END",
            "SELECT [a;b], `c;d`, x'00'",
            "SELECT 'a\\', ?1, :b",
        ],
    };
    let shared = ["CREATE TABLE a (b text DEFAULT ';')", "SELECT 'it''s;' -- ; '\n + 1", "DELETE FROM \"a;\"\"b\""];
    let all: Vec<String> = own.iter().chain(&shared).map(|text| (*text).to_owned()).collect();
    proptest::sample::select(all)
}

/// Texts of what quotes, comments and statements are made of.
fn debris() -> impl Strategy<Value = String> {
    let parts = vec![
        "'",
        "\"",
        "$",
        "$$",
        "$a$",
        "`",
        "[",
        "]",
        "--",
        "/*",
        "*/",
        "\\",
        "\n",
        "\r",
        ";",
        "(",
        ")",
        "E'",
        "U&\"",
        "é",
        "\u{feff}",
        "BEGIN",
        "ATOMIC",
        "END",
        "CASE",
        "CREATE",
        "TRIGGER",
        "FUNCTION",
        "COPY a FROM STDIN;",
        "\\.",
        ".",
        "1",
        "0x",
        "e",
        ":",
        "?",
        "@",
        " ",
        "-- ENSURE:",
        "\0",
    ];
    proptest::collection::vec(proptest::sample::select(parts), 0..40).prop_map(|parts| parts.concat())
}

fn assert_sound(text: &str) {
    for dialect in Dialect::ALL {
        let tokens = lex(text, dialect);
        let mut at = 0;
        for token in &tokens {
            assert_eq!(token.start, at);
            assert!(token.end > at);
            at = token.end;
            let _ = (token.name(text, dialect), token.constant(text));
        }
        assert_eq!(at, text.len());
        let statements = split(text, &tokens, dialect);
        let meaning =
            |token: &&Token| !token.is_trivia() && !matches!(token.kind, ClientCommand | CopyData | Semicolon);
        let kept: Vec<&Token> = statements.iter().flat_map(|s| &s.tokens).filter(meaning).collect();
        assert_eq!(kept, tokens.iter().filter(meaning).collect::<Vec<_>>());
        assert!(statements.iter().rev().skip(1).all(|statement| statement.terminated));
    }
}

proptest! {
    #[test]
    fn tokens_are_the_text_again_whatever_it_is(text in any::<String>()) {
        assert_sound(&text);
    }

    #[test]
    fn and_so_are_those_of_broken_sql(text in debris()) {
        assert_sound(&text);
    }

    #[test]
    fn and_those_of_any_bytes_that_are_read_as_text(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        assert_sound(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn statements_come_apart_where_they_were_put_together(
        pieces in proptest::collection::vec(piece(Postgres), 0..8),
        gap in "( |\n|-- ;'\n|/\\* ;\" \\*/)*",
    ) {
        let text: String = pieces.iter().map(|piece| format!("{gap}{piece}{gap};")).collect();
        prop_assert_eq!(statements(&text, Postgres), pieces);
    }

    #[test]
    fn and_so_they_do_in_sqlite(
        pieces in proptest::collection::vec(piece(Sqlite), 0..8),
        gap in "( |\n|-- ;'\n|/\\* ;\" \\*/)*",
    ) {
        let text: String = pieces.iter().map(|piece| format!("{gap}{piece}{gap};")).collect();
        prop_assert_eq!(statements(&text, Sqlite), pieces);
    }
}

/// What SQLite's own `sqlite3_complete` says: whether a text ends with a whole statement.
fn is_complete(text: &str) -> bool {
    let text = std::ffi::CString::new(text).expect("no NUL");
    // SAFETY: the text ends in NUL and outlives the call, which only reads it.
    unsafe { rusqlite::ffi::sqlite3_complete(text.as_ptr()) != 0 }
}

/// What statements of SQLite end with, and what only looks like that.
fn endings() -> impl Strategy<Value = String> {
    let parts = vec![
        "CREATE TRIGGER t AFTER INSERT ON a BEGIN",
        "CREATE TEMP TRIGGER t AFTER UPDATE ON a BEGIN",
        "CREATE TEMPORARY TABLE",
        "CREATE",
        "SELECT",
        "CASE",
        "END",
        "end",
        ";",
        "';'",
        "\"END;\"",
        "[;]",
        "`;`",
        "-- ;\n",
        "/* ; */",
        "x",
        "1",
        "(",
        "END_",
    ];
    proptest::collection::vec(proptest::sample::select(parts), 0..30).prop_map(|parts| parts.join(" "))
}

proptest! {
    #[test]
    fn sqlite_sees_the_same_ends(text in endings()) {
        let tokens = lex(&text, Sqlite);
        let ended = tokens.iter().rev().find(|token| !token.is_trivia()).is_some_and(|token| token.kind == Semicolon);
        let whole = split(&text, &tokens, Sqlite).last().is_none_or(|statement| statement.terminated);
        prop_assert_eq!(ended && whole, is_complete(&text));
    }
}
