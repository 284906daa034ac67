//! A text's tokens.
//!
//! PostgreSQL's rules are those of its scanner with `standard_conforming_strings` on, and psql's for
//! what it keeps to itself; SQLite's are those of its tokenizer and its shell.

use std::ops::Range;

use super::scan::{self, End};
use super::token::{Place, TextForm, Token, TokenKind};
use super::Dialect;

/// All tokens of a text; put together they are the text.
pub fn lex(text: &str, dialect: Dialect) -> Vec<Token> {
    run(text, Lexer { text, dialect, at: 0, copy_from: None, place: Place::START, tokens: Vec::new() })
}

/// The tokens of a part, e.g. of a function's body, placed as in the whole text. `inside` begins at
/// `place`.
pub fn lex_within(text: &str, inside: Range<usize>, place: Place, dialect: Dialect) -> Vec<Token> {
    let whole = &text[..inside.end];
    run(whole, Lexer { text: whole, dialect, at: inside.start, copy_from: None, place, tokens: Vec::new() })
}

fn run(text: &str, mut lexer: Lexer<'_>) -> Vec<Token> {
    while lexer.at < text.len() {
        let (kind, (end, closed)) = lexer.next();
        lexer.push(kind, end, closed);
    }
    lexer.tokens
}

struct Lexer<'t> {
    text: &'t str,
    dialect: Dialect,
    at: usize,
    /// Where the lines of a `COPY ... FROM STDIN` begin.
    copy_from: Option<usize>,
    place: Place,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    fn push(&mut self, kind: TokenKind, end: usize, closed: bool) {
        let Place { line, column } = self.place;
        self.tokens.push(Token { kind, start: self.at, end, line, column, closed });
        self.place = self.place.after(&self.text[self.at..end]);
        self.at = end;
        if kind == TokenKind::Semicolon && self.dialect == Dialect::Postgres && self.copies_from_client() {
            self.copy_from = self.text[end..].find('\n').map(|length| end + length + 1);
        }
    }

    fn byte(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    fn next(&self) -> (TokenKind, End) {
        let bytes = self.text.as_bytes();
        let (at, first, second) = (self.at, bytes[self.at], self.byte(1));
        let postgres = self.dialect == Dialect::Postgres;
        let one = |kind| (kind, (at + 1, true));
        let to = |kind, end| (kind, (end, true));
        if self.copy_from == Some(at) {
            let length = copy_data(&self.text[at..]);
            if length.0 > 0 {
                return (TokenKind::CopyData, (at + length.0, length.1));
            }
        }
        match first {
            0xEF if at == 0 && self.text.starts_with('\u{feff}') => to(TokenKind::ByteOrderMark, 3),
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => {
                let end = scan::run(bytes, at, |byte| matches!(byte, b' ' | b'\t'..=b'\r'));
                let end = self.copy_from.filter(|from| (at + 1..end).contains(from)).unwrap_or(end);
                to(TokenKind::Whitespace, end)
            }
            b'-' if second == Some(b'-') => {
                // To SQLite a carriage return alone ends no line.
                let ends = |byte| byte == b'\n' || (postgres && byte == b'\r');
                to(TokenKind::LineComment, scan::run(bytes, at, |byte| !ends(byte)))
            }
            b'/' if second == Some(b'*') => (TokenKind::BlockComment, scan::block_comment(bytes, at, postgres)),
            b'\'' => {
                let form = if postgres && self.goes_on() { TextForm::Escape } else { TextForm::Standard };
                (TokenKind::Text(form), scan::quoted(bytes, at + 1, b'\'', form == TextForm::Escape))
            }
            b'"' => (TokenKind::QuotedName, scan::quoted(bytes, at + 1, b'"', false)),
            b'`' if !postgres => (TokenKind::QuotedName, scan::quoted(bytes, at + 1, b'`', false)),
            b'[' if !postgres => (TokenKind::QuotedName, scan::bracketed(bytes, at + 1)),
            b'$' => self.dollar(),
            b'0'..=b'9' => to(TokenKind::Number, scan::number(bytes, at)),
            b'.' if second.is_some_and(|byte| byte.is_ascii_digit()) => to(TokenKind::Number, scan::number(bytes, at)),
            b'.' if !postgres && self.begins_line() => to(TokenKind::ClientCommand, self.line_end()),
            b'.' if second == Some(b'.') => to(TokenKind::Operator, at + 2),
            b'\\' if postgres => to(TokenKind::ClientCommand, self.line_end()),
            b'?' if !postgres => to(TokenKind::Parameter, scan::run(bytes, at + 1, |byte| byte.is_ascii_digit())),
            b':' | b'@' if !postgres && second.is_some_and(scan::is_word_byte) => {
                to(TokenKind::Parameter, scan::word(bytes, at + 1))
            }
            b':' if matches!(second, Some(b':' | b'=')) => to(TokenKind::Operator, at + 2),
            b',' => one(TokenKind::Comma),
            b'.' => one(TokenKind::Dot),
            b'(' => one(TokenKind::Open),
            b')' => one(TokenKind::Close),
            b';' => one(TokenKind::Semicolon),
            b':' | b'[' | b']' if postgres => one(TokenKind::Operator),
            b'+' | b'-' | b'*' | b'/' | b'<' | b'>' | b'=' | b'~' | b'!' | b'%' | b'&' | b'|' => match postgres {
                true => to(TokenKind::Operator, scan::postgres_operator(bytes, at)),
                false => to(TokenKind::Operator, scan::sqlite_operator(bytes, at)),
            },
            b'@' | b'#' | b'^' | b'`' | b'?' if postgres => to(TokenKind::Operator, scan::postgres_operator(bytes, at)),
            first if scan::begins_word(first) => self.word(),
            _ => one(TokenKind::Unknown),
        }
    }

    /// A name, or the letter before a quote.
    fn word(&self) -> (TokenKind, End) {
        let bytes = self.text.as_bytes();
        let postgres = self.dialect == Dialect::Postgres;
        let (at, quote) = (self.at, self.byte(1) == Some(b'\''));
        let form = match bytes[at].to_ascii_lowercase() {
            b'x' if quote => Some(TextForm::Hex),
            b'e' if quote && postgres => Some(TextForm::Escape),
            b'b' if quote && postgres => Some(TextForm::Bit),
            b'n' if quote && postgres => Some(TextForm::National),
            _ => None,
        };
        if let Some(form) = form {
            return (TokenKind::Text(form), scan::quoted(bytes, at + 2, b'\'', form == TextForm::Escape));
        }
        if postgres && matches!(bytes[at], b'u' | b'U') && self.byte(1) == Some(b'&') {
            match self.byte(2) {
                Some(b'\'') => return (TokenKind::Text(TextForm::Unicode), scan::quoted(bytes, at + 3, b'\'', false)),
                Some(b'"') => return (TokenKind::QuotedName, scan::quoted(bytes, at + 3, b'"', false)),
                _ => {}
            }
        }
        (TokenKind::Word, (scan::word(bytes, at), true))
    }

    /// `$1`, `$tag$...$tag$`, SQLite's `$name`.
    fn dollar(&self) -> (TokenKind, End) {
        let bytes = self.text.as_bytes();
        let at = self.at;
        if self.dialect == Dialect::Sqlite {
            let end = scan::word(bytes, at + 1);
            let kind = if end > at + 1 { TokenKind::Parameter } else { TokenKind::Unknown };
            return (kind, (end, true));
        }
        if self.byte(1).is_some_and(|byte| byte.is_ascii_digit()) {
            return (TokenKind::Parameter, (scan::run(bytes, at + 1, |byte| byte.is_ascii_digit()), true));
        }
        match scan::dollar_tag(bytes, at) {
            Some(tag_end) => (TokenKind::Text(TextForm::Dollar), scan::dollar_quoted(self.text, at, tag_end)),
            None => (TokenKind::Unknown, (at + 1, true)),
        }
    }

    /// Whether a quote here goes on with an `E''` before it: only line ends and comments stand
    /// between them, and its backslashes escape, too.
    fn goes_on(&self) -> bool {
        let mut line_ended = false;
        for token in self.tokens.iter().rev() {
            match token.kind {
                TokenKind::Whitespace => line_ended |= token.text(self.text).contains(['\n', '\r']),
                TokenKind::LineComment => {}
                TokenKind::Text(TextForm::Escape) => return line_ended && token.closed,
                _ => return false,
            }
        }
        false
    }

    /// Whether a line and a statement begin here: there the SQLite shell takes commands.
    fn begins_line(&self) -> bool {
        let line = self.at == 0 || self.text.as_bytes()[self.at - 1] == b'\n' || self.text[..self.at] == *"\u{feff}";
        let last = self.tokens.iter().rev().find(|token| !token.is_trivia());
        line && last.is_none_or(|token| matches!(token.kind, TokenKind::Semicolon | TokenKind::ClientCommand))
    }

    fn line_end(&self) -> usize {
        scan::run(self.text.as_bytes(), self.at, |byte| byte != b'\n' && byte != b'\r')
    }

    /// Whether the statement that just ended reads its rows from the client.
    fn copies_from_client(&self) -> bool {
        let before = &self.tokens[..self.tokens.len() - 1];
        let ended = before.iter().rposition(|token| token.kind == TokenKind::Semicolon).map_or(0, |at| at + 1);
        let mut words = before[ended..].iter().filter(|token| !token.is_trivia());
        let begins = words.next().is_some_and(|token| token.is_word(self.text, "COPY"));
        let mut after_from = false;
        begins
            && words.any(|token| {
                let found = after_from && token.is_word(self.text, "STDIN");
                after_from = token.is_word(self.text, "FROM");
                found
            })
    }
}

/// How much of a text, from a line's beginning, is data: all lines up to `\.`.
fn copy_data(text: &str) -> End {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if line.trim_end() == "\\." {
            return (at, true);
        }
        at += line.len();
    }
    (at, false)
}
