//! What no server can read: client commands, quotes that do not close, statements that are none.

use crate::schema::lint::finding::Findings;
use crate::schema::lint::rule::{BROKEN_QUOTING, CLIENT_COMMAND, NO_SUCH_STATEMENT};
use crate::schema::lint::shape::{has, Shaped};
use crate::schema::lint::View;
use crate::schema::sql::{Dialect, TextForm, Token, TokenKind};

pub fn check(view: &View<'_>, found: &mut Findings<'_>) {
    for token in &view.file.tokens {
        token_is_sound(view, token, found);
    }
    for statement in view.statements {
        client(view, statement, found);
        closes_early(view, statement, found);
        begins_well(view, statement, found);
        parentheses(statement, found);
    }
}

fn token_is_sound(view: &View<'_>, token: &Token, found: &mut Findings<'_>) {
    let text = token.text(view.text());
    match token.kind {
        TokenKind::ClientCommand if text.trim_end() != "\\." => {
            found.at(&CLIENT_COMMAND, token.place(), format!("`{}` is a command of the client", text.trim_end()));
        }
        // COPY itself is reported.
        TokenKind::ClientCommand | TokenKind::CopyData => {}
        TokenKind::Text(TextForm::Dollar) if !token.closed => unclosed_dollar(view, token, found),
        _ if !token.closed => {
            let what = match token.kind {
                TokenKind::BlockComment => "the comment",
                TokenKind::QuotedName => "the quoted name",
                _ => "the text",
            };
            let message = format!("{what} that begins here is never closed");
            found.at(&BROKEN_QUOTING, token.place(), message).set_help("close it; within quotes, write a quote twice");
        }
        TokenKind::Unknown => {
            let help = "take it out, or put quotes around what it belongs to";
            found.at(&BROKEN_QUOTING, token.place(), format!("{text:?} means nothing here")).set_help(help);
        }
        // Databases take such characters for letters.
        TokenKind::Word => {
            if let Some(c) = text.chars().find(|c| is_invisible(*c)) {
                let message = format!("there is an invisible character, U+{:04X}, in this word", u32::from(c));
                found.at(&BROKEN_QUOTING, token.place(), message).set_help("write a blank in its place, or nothing");
            }
        }
        _ => {}
    }
}

fn is_invisible(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}')
}

fn unclosed_dollar(view: &View<'_>, token: &Token, found: &mut Findings<'_>) {
    let text = token.text(view.text());
    let tag = &text[..text[1..].find('$').map_or(text.len(), |length| length + 2)];
    let finding = found.at(&BROKEN_QUOTING, token.place(), format!("the text that `{tag}` opens is never closed"));
    let nearly = text[tag.len()..]
        .split('$')
        .find(|part| !tag.contains(&format!("${part}$")) && part.eq_ignore_ascii_case(&tag[1..tag.len() - 1]));
    if let Some(nearly) = nearly.filter(|nearly| !nearly.is_empty()) {
        finding.set_help(format!("`${nearly}$` does not close it: capitals count"));
    }
}

/// `AS $$ ... EXECUTE $$ ... $$; ... $$`: the second tag closes what the first one opens.
fn closes_early(view: &View<'_>, statement: &Shaped<'_>, found: &mut Findings<'_>) {
    let text = view.text();
    let holds_code = ["DO", "CREATE"].iter().any(|verb| statement.begins_with(text, verb));
    let is_dollar = |token: &&Token| token.kind == TokenKind::Text(TextForm::Dollar);
    let mut quoted = statement.tokens().iter().filter(is_dollar);
    let (Some(first), Some(second)) = (quoted.next(), quoted.next()) else { return };
    let tag = |token: &Token| token.text(text).split('$').nth(1).unwrap_or_default().to_owned();
    let between = statement.tokens().iter().filter(|token| (first.end..second.start).contains(&token.start));
    let apart = between.clone().any(|token| token.kind == TokenKind::Comma) || between.count() == 0;
    if holds_code && tag(first) == tag(second) && !apart {
        let message =
            format!("`${0}$` closes the text that `${0}$` opened above, and does not begin another", tag(first));
        let end = first.end - tag(first).len() - 2;
        let place = crate::schema::sql::place_of(text, end);
        found.at(&BROKEN_QUOTING, place, message).set_help("give the inner text a tag of its own, e.g. `$sql$`");
    }
}

fn client(view: &View<'_>, statement: &Shaped<'_>, found: &mut Findings<'_>) {
    let (text, tokens) = (view.text(), statement.tokens());
    if view.file.dialect != Dialect::Postgres {
        return;
    }
    if statement.begins_with(text, "COPY") {
        for (words, shown) in [(["FROM", "STDIN"], "COPY FROM STDIN"), (["TO", "STDOUT"], "COPY TO STDOUT")] {
            if has(text, tokens, &words) {
                let message = format!("`{shown}` needs a client that sends or takes the rows");
                found.at(&CLIENT_COMMAND, statement.place(), message);
            }
        }
    }
    let mut brackets = 0usize;
    for (at, pair) in tokens.windows(2).enumerate() {
        brackets += usize::from(pair[0].is_operator(text, "["));
        brackets = brackets.saturating_sub(usize::from(pair[0].is_operator(text, "]")));
        let names =
            matches!(pair[1].kind, TokenKind::Word | TokenKind::QuotedName | TokenKind::Text(TextForm::Standard));
        let glued = pair[0].is_operator(text, ":") && pair[0].end == pair[1].start;
        // In JSON_OBJECT('a':b) a colon stands between two values.
        let between =
            at.checked_sub(1).is_some_and(|at| ends_value(&tokens[at])) || has(text, tokens, &["JSON_OBJECT"]);
        if glued && names && brackets == 0 && !between {
            let message = format!("`:{}` is a variable of psql", pair[1].text(text));
            found.at(&CLIENT_COMMAND, pair[0].place(), message).set_help("write its value");
        }
    }
}

fn ends_value(token: &Token) -> bool {
    matches!(
        token.kind,
        TokenKind::Text(_) | TokenKind::QuotedName | TokenKind::Number | TokenKind::Parameter | TokenKind::Close
    )
}

const POSTGRES: [&str; 53] = [
    "ABORT",
    "ALTER",
    "ANALYZE",
    "ANALYSE",
    "BEGIN",
    "CALL",
    "CHECKPOINT",
    "CLOSE",
    "CLUSTER",
    "COMMENT",
    "COMMIT",
    "COPY",
    "CREATE",
    "DEALLOCATE",
    "DECLARE",
    "DELETE",
    "DISCARD",
    "DO",
    "DROP",
    "END",
    "EXECUTE",
    "EXPLAIN",
    "FETCH",
    "GRANT",
    "IMPORT",
    "INSERT",
    "LISTEN",
    "LOAD",
    "LOCK",
    "MERGE",
    "MOVE",
    "NOTIFY",
    "PREPARE",
    "REASSIGN",
    "REFRESH",
    "REINDEX",
    "RELEASE",
    "RESET",
    "REVOKE",
    "ROLLBACK",
    "SAVEPOINT",
    "SECURITY",
    "SELECT",
    "SET",
    "SHOW",
    "START",
    "TABLE",
    "TRUNCATE",
    "UNLISTEN",
    "UPDATE",
    "VACUUM",
    "VALUES",
    "WITH",
];
const SQLITE: [&str; 23] = [
    "ALTER",
    "ANALYZE",
    "ATTACH",
    "BEGIN",
    "COMMIT",
    "CREATE",
    "DELETE",
    "DETACH",
    "DROP",
    "END",
    "EXPLAIN",
    "INSERT",
    "PRAGMA",
    "REINDEX",
    "RELEASE",
    "REPLACE",
    "ROLLBACK",
    "SAVEPOINT",
    "SELECT",
    "UPDATE",
    "VACUUM",
    "VALUES",
    "WITH",
];

fn begins_well(view: &View<'_>, statement: &Shaped<'_>, found: &mut Findings<'_>) {
    let verbs: &[&str] = match view.file.dialect {
        Dialect::Postgres => &POSTGRES,
        Dialect::Sqlite => &SQLITE,
    };
    let first = &statement.tokens()[0];
    let opens = view.file.dialect == Dialect::Postgres && first.kind == TokenKind::Open;
    let text = view.text();
    // What has no end is reported as such.
    if opens || !first.closed || verbs.iter().any(|verb| first.is_word(text, verb)) {
        return;
    }
    let said = first.text(text).lines().next().unwrap_or_default();
    let message = format!("no statement of {} begins with `{said}`", view.file.dialect.title());
    let finding = found.at(&NO_SUCH_STATEMENT, first.place(), message);
    let small = said.to_ascii_uppercase();
    if let Some(verb) = verbs.iter().find(|verb| is_near(verb, &small)) {
        finding.set_help(format!("was `{verb}` meant?"));
    }
}

/// Whether one letter is wrong, missing or too many, or two are exchanged.
fn is_near(verb: &str, said: &str) -> bool {
    let (a, b) = (verb.as_bytes(), said.as_bytes());
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let tail = a[same..].iter().rev().zip(b[same..].iter().rev()).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[same..a.len() - tail], &b[same..b.len() - tail]);
    verb.len() > 3 && (a.len() <= 1 && b.len() <= 1 || a.len() == 2 && b.len() == 2 && a[0] == b[1] && a[1] == b[0])
}

fn parentheses(statement: &Shaped<'_>, found: &mut Findings<'_>) {
    let mut open = Vec::new();
    for token in statement.tokens() {
        match token.kind {
            TokenKind::Open => open.push(token),
            TokenKind::Close if open.pop().is_none() => {
                found.at(&NO_SUCH_STATEMENT, token.place(), "nothing opens the parenthesis that closes here");
                return;
            }
            _ => {}
        }
    }
    // With an open quote the rest of the file is missing.
    if let Some(token) = open.first().filter(|_| statement.tokens().iter().all(|token| token.closed)) {
        found.at(&NO_SUCH_STATEMENT, token.place(), "the parenthesis that opens here is never closed");
    }
}
