//! One token: what it is, where it stands, and what its text means.

use std::ops::Range;

use super::Dialect;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenKind {
    ByteOrderMark,
    Whitespace,
    /// `-- ...`, without the line's end.
    LineComment,
    BlockComment,
    /// A keyword or a name without quotes.
    Word,
    /// `"name"`, `U&"name"`; in SQLite also `[name]` and `` `name` ``.
    QuotedName,
    Text(TextForm),
    Number,
    /// `$1`; in SQLite also `?`, `?1`, `:a`, `@a`, `$a`.
    Parameter,
    Operator,
    Comma,
    Dot,
    Open,
    Close,
    Semicolon,
    /// What the server never sees: psql's `\i x.sql`, the SQLite shell's `.read x.sql`; to the
    /// line's end.
    ClientCommand,
    /// The lines between `COPY ... FROM STDIN;` and `\.`.
    CopyData,
    /// A character that begins no token.
    Unknown,
}

/// How a text constant is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TextForm {
    /// `'it''s'`
    Standard,
    /// `E'it\'s'`
    Escape,
    /// `U&'\0061'`
    Unicode,
    /// `B'01'`
    Bit,
    /// `X'0F'`
    Hex,
    /// `N'text'`
    National,
    /// `$tag$text$tag$`
    Dollar,
}

/// A token of a text: its bytes, and the place of its first character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub kind: TokenKind,
    pub start: usize,
    pub end: usize,
    /// From one.
    pub line: u32,
    /// In characters, from one.
    pub column: u32,
    /// `false` where the text ends before the quote or comment does.
    pub closed: bool,
}

/// A line and a column, both from one; the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub line: u32,
    pub column: u32,
}

impl Place {
    pub const START: Place = Place { line: 1, column: 1 };

    /// Where the text after `passed` begins.
    pub(super) fn after(self, passed: &str) -> Place {
        let lines = passed.bytes().filter(|byte| *byte == b'\n').count() as u32;
        let rest = passed.rfind('\n').map_or(passed, |at| &passed[at + 1..]);
        // A byte order mark is no character that an editor counts.
        let characters = rest.chars().filter(|c| *c != '\u{feff}').count() as u32;
        match lines {
            0 => Place { line: self.line, column: self.column + characters },
            _ => Place { line: self.line + lines, column: 1 + characters },
        }
    }
}

/// Where the byte `at` of a text stands, e.g. for the position that a server names. An offset
/// within a character or beyond the text means the next place there is.
pub fn place_of(text: &str, at: usize) -> Place {
    let at = (at..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    Place::START.after(&text[..at])
}

impl Token {
    pub fn text<'t>(&self, text: &'t str) -> &'t str {
        &text[self.start..self.end]
    }

    pub fn place(&self) -> Place {
        Place { line: self.line, column: self.column }
    }

    /// Whitespace, a comment, a byte order mark: what means nothing to the server.
    pub fn is_trivia(&self) -> bool {
        matches!(
            self.kind,
            TokenKind::ByteOrderMark | TokenKind::Whitespace | TokenKind::LineComment | TokenKind::BlockComment
        )
    }

    /// Whether it is this keyword, given in capitals.
    pub fn is_word(&self, text: &str, keyword: &str) -> bool {
        self.kind == TokenKind::Word && self.text(text).eq_ignore_ascii_case(keyword)
    }

    pub fn is_operator(&self, text: &str, operator: &str) -> bool {
        self.kind == TokenKind::Operator && self.text(text) == operator
    }

    /// The name that it is, as the catalogue has it: PostgreSQL folds what has no quotes to small
    /// letters, those of ASCII only. SQLite tells such capitals apart nowhere, so all of its names are
    /// folded here.
    pub fn name(&self, text: &str, dialect: Dialect) -> Option<String> {
        let whole = self.text(text);
        let name = match self.kind {
            TokenKind::Word => return Some(whole.to_ascii_lowercase()),
            TokenKind::QuotedName => unquoted(whole, self.closed),
            _ => return None,
        };
        Some(match dialect {
            Dialect::Postgres => name,
            Dialect::Sqlite => name.to_ascii_lowercase(),
        })
    }

    /// The bytes of a text constant between its quotes, escapes as they are written.
    pub fn inside(&self, text: &str) -> Option<Range<usize>> {
        let TokenKind::Text(form) = self.kind else { return None };
        let whole = self.text(text);
        let open = match form {
            TextForm::Dollar => whole[1..].find('$')? + 2,
            _ => whole.find('\'')? + 1,
        };
        let close = match (self.closed, form) {
            (false, _) => 0,
            (true, TextForm::Dollar) => open,
            (true, _) => 1,
        };
        Some(self.start + open..self.end - close)
    }

    /// What a text constant says, but for the escapes of `E''` and `U&''`, which stay.
    pub fn constant(&self, text: &str) -> Option<String> {
        let inside = &text[self.inside(text)?];
        Some(match self.kind {
            TokenKind::Text(TextForm::Dollar) => inside.to_owned(),
            _ => inside.replace("''", "'"),
        })
    }
}

fn unquoted(whole: &str, closed: bool) -> String {
    let quoted = whole.strip_prefix(['u', 'U']).and_then(|rest| rest.strip_prefix('&')).unwrap_or(whole);
    let end = quoted.len() - usize::from(closed);
    let inside = quoted.get(1..end).unwrap_or_default();
    match quoted.as_bytes().first() {
        Some(b'"') => inside.replace("\"\"", "\""),
        Some(b'`') => inside.replace("``", "`"),
        _ => inside.to_owned(),
    }
}
