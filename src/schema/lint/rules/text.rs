//! What no server can read: client commands, and quotes that do not close.

use crate::schema::lint::finding::Findings;
use crate::schema::lint::rule::{BROKEN_QUOTING, CLIENT_COMMAND};
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
