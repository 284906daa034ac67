//! What a migration says about itself in comments.
//!
//! A directive is a line comment outside of statements: a name in capitals, and a colon where text
//! follows. WHY, ALLOW and ENSURE go on over the comment lines directly below, up to an empty comment line,
//! another directive or, for ENSURE, a line that ends in a semicolon. All but ENSURE stand before the
//! first statement. What is nearly a directive is kept as a flaw, since a directive that is
//! overlooked would be worse than none.

use super::sql::{Place, Statement, Token, TokenKind};

/// What can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Directive {
    /// A file that must have been applied before; may be repeated, and name several with commas. A
    /// remark in parentheses may follow each.
    Depends,
    /// What the migration is for.
    Why,
    /// It loses data, and is meant to. A reason may follow.
    Destructive,
    /// It cannot run in a transaction. A reason may follow.
    NoTransaction,
    /// The file that it undoes.
    RollbackOf,
    /// A query that returns one true value when the migration has done what it should; may be
    /// repeated, and stand below the statements, too.
    Ensure,
    /// The part of the schema that it belongs to, where that part is made only on demand.
    Optional,
    /// A rule whose warnings are meant, with the reason: `3.1 because ...`; may be repeated.
    Allow,
}

impl Directive {
    pub const ALL: [Directive; 8] = [
        Directive::Depends,
        Directive::Why,
        Directive::Destructive,
        Directive::NoTransaction,
        Directive::RollbackOf,
        Directive::Ensure,
        Directive::Optional,
        Directive::Allow,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Directive::Depends => "DEPENDS",
            Directive::Why => "WHY",
            Directive::Destructive => "DESTRUCTIVE",
            Directive::NoTransaction => "NO TRANSACTION",
            Directive::RollbackOf => "ROLLBACK OF",
            Directive::Ensure => "ENSURE",
            Directive::Optional => "OPTIONAL",
            Directive::Allow => "ALLOW",
        }
    }

    /// How it is written.
    pub fn form(self) -> &'static str {
        match self {
            Directive::Depends => "-- DEPENDS: 0001_name.sql",
            Directive::Why => "-- WHY: a reason",
            Directive::Destructive => "-- DESTRUCTIVE",
            Directive::NoTransaction => "-- NO TRANSACTION",
            Directive::RollbackOf => "-- ROLLBACK OF: 0001_name.sql",
            Directive::Ensure => "-- ENSURE: SELECT ...",
            Directive::Optional => "-- OPTIONAL: name",
            Directive::Allow => "-- ALLOW: 3.1 because a reason",
        }
    }

    fn needs_text(self) -> bool {
        !matches!(self, Directive::Destructive | Directive::NoTransaction)
    }
}

/// A directive's text and the place of its comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub text: String,
    pub place: Place,
}

/// A post-condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ensure {
    /// The query, without the comment's dashes and a semicolon at its end.
    pub sql: String,
    pub line: u32,
    pub column: u32,
}

/// A rule whose warnings about this file are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silenced {
    /// The rule's number, e.g. `3.1`.
    pub rule: String,
    pub reason: String,
    pub place: Place,
}

/// Why a comment is no good as a directive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderFlaw {
    /// It is nearly one.
    Misspelled(Directive),
    /// It stands within or below a statement, where it means nothing.
    Misplaced(Directive),
    /// It says nothing.
    Empty(Directive),
    /// It was said before.
    Again(Directive),
    /// It gives no reason.
    NoReason(Directive),
}

/// All that a file says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// One for each file that is named.
    pub depends: Vec<Said>,
    pub why: Option<Said>,
    pub destructive: Option<Said>,
    pub no_transaction: Option<Said>,
    pub rollback_of: Option<Said>,
    pub optional: Option<Said>,
    pub ensures: Vec<Ensure>,
    pub allows: Vec<Silenced>,
    pub flaws: Vec<(HeaderFlaw, Place)>,
}

impl Header {
    /// Reads a file's comments.
    pub fn of(text: &str, tokens: &[Token], statements: &[Statement]) -> Header {
        let mut header = Header::default();
        let mut open: Option<(Directive, String, Place)> = None;
        for (at, token) in tokens.iter().enumerate() {
            if token.kind == TokenKind::Whitespace && token.text(text).matches('\n').count() < 2 {
                continue;
            }
            let comment = (token.kind == TokenKind::LineComment).then(|| inside(token.text(text)));
            let goes_on = comment.filter(|comment| !comment.is_empty() && reading(comment) == Reading::Prose);
            match (&mut open, goes_on) {
                // Text behind a statement on its own line does not go on with what stands above.
                (Some((Directive::Ensure | Directive::Why | Directive::Allow, said, _)), Some(comment))
                    if begins_line(text, token) =>
                {
                    said.push('\n');
                    said.push_str(comment);
                }
                _ => open.take().into_iter().for_each(|said| header.add(said)),
            }
            match comment.map(reading) {
                Some(Reading::Directive(directive, said)) => match position(token, statements) {
                    Position::Above => open = Some((directive, said.to_owned(), token.place())),
                    Position::Between if directive == Directive::Ensure => {
                        open = Some((directive, said.to_owned(), token.place()));
                    }
                    // Why a column is there is a good remark.
                    _ if directive == Directive::Why => {}
                    _ => header.flaws.push((HeaderFlaw::Misplaced(directive), token.place())),
                },
                Some(Reading::Nearly(directive)) => {
                    header.flaws.push((HeaderFlaw::Misspelled(directive), token.place()));
                }
                Some(Reading::Prose) | None => {}
            }
            let is_whole = |said: &(Directive, String, Place)| said.0 == Directive::Ensure && said.1.ends_with(';');
            if open.as_ref().is_some_and(is_whole) || at + 1 == tokens.len() {
                open.take().into_iter().for_each(|said| header.add(said));
            }
        }
        open.take().into_iter().for_each(|said| header.add(said));
        header
    }

    fn add(&mut self, (directive, text, place): (Directive, String, Place)) {
        if text.is_empty() && directive.needs_text() {
            self.flaws.push((HeaderFlaw::Empty(directive), place));
            return;
        }
        let slot = match directive {
            Directive::Depends => {
                self.depends.extend(named(&text).map(|text| Said { text, place }));
                return;
            }
            Directive::Ensure => {
                let sql = text.trim_end_matches(';').trim_end().to_owned();
                self.ensures.push(Ensure { sql, line: place.line, column: place.column });
                return;
            }
            Directive::Allow => {
                match text.split_once(" because ").map(|(rule, reason)| (rule.trim(), reason.trim())) {
                    Some((rule, reason)) if !rule.is_empty() && !reason.is_empty() => {
                        let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
                        self.allows.push(Silenced { rule: rule.to_owned(), reason, place });
                    }
                    _ => self.flaws.push((HeaderFlaw::NoReason(directive), place)),
                }
                return;
            }
            Directive::Why => &mut self.why,
            Directive::Destructive => &mut self.destructive,
            Directive::NoTransaction => &mut self.no_transaction,
            Directive::RollbackOf => &mut self.rollback_of,
            Directive::Optional => &mut self.optional,
        };
        if slot.is_some() {
            self.flaws.push((HeaderFlaw::Again(directive), place));
            return;
        }
        let text = match directive {
            Directive::RollbackOf | Directive::Optional => named(&text).next().unwrap_or_default(),
            _ => text,
        };
        *slot = Some(Said { text, place });
    }
}

/// The names in `0001_a.sql (makes the table), 0002_b.sql`.
fn named(text: &str) -> impl Iterator<Item = String> + '_ {
    let mut depth = 0usize;
    let names = text.split(move |c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    names.filter_map(|name| name.split('(').next().map(str::trim)).filter(|name| !name.is_empty()).map(str::to_owned)
}

/// A file's first comment: consecutive line comments, or one block comment.
pub fn first_comment(text: &str, tokens: &[Token]) -> Option<String> {
    let mut lines: Vec<&str> = Vec::new();
    for token in tokens {
        match token.kind {
            TokenKind::ByteOrderMark => {}
            TokenKind::Whitespace if lines.is_empty() || token.text(text).matches('\n').count() < 2 => {}
            TokenKind::LineComment => lines.push(inside(token.text(text))),
            TokenKind::BlockComment if lines.is_empty() => {
                let inside = token.text(text).trim_start_matches("/*").trim_end_matches("*/");
                return Some(inside.trim().to_owned());
            }
            _ => break,
        }
    }
    (!lines.is_empty()).then(|| lines.join("\n").trim().to_owned())
}

/// A line comment without its dashes.
fn inside(comment: &str) -> &str {
    comment.trim_start_matches('-').trim()
}

fn begins_line(text: &str, token: &Token) -> bool {
    text[..token.start]
        .rsplit('\n')
        .next()
        .is_some_and(|before| before.trim_start_matches('\u{feff}').trim().is_empty())
}

enum Position {
    Above,
    Between,
    Within,
}

fn position(token: &Token, statements: &[Statement]) -> Position {
    match statements.iter().map(Statement::range).rfind(|range| range.start < token.start) {
        None => Position::Above,
        Some(range) if token.start < range.end => Position::Within,
        Some(_) => Position::Between,
    }
}

#[derive(PartialEq, Eq)]
enum Reading<'c> {
    Directive(Directive, &'c str),
    Nearly(Directive),
    Prose,
}

/// What a comment's text is. A directive's name ends at a colon or at the line's end; prose that
/// happens to begin with such a word is prose.
fn reading(comment: &str) -> Reading<'_> {
    let (name, said) = match comment.split_once(':') {
        Some((name, said)) => (name, Some(said.trim())),
        None => (comment, None),
    };
    for directive in Directive::ALL {
        if name == directive.name() && (said.is_some() || !directive.needs_text()) {
            return Reading::Directive(directive, said.unwrap_or_default());
        }
    }
    let plain: String = name.chars().filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_uppercase()).collect();
    let text = said.unwrap_or_default();
    // Without a colon only what is shouted is meant as one: `-- why` may be a heading.
    let meant = said.is_some() || !name.chars().any(char::is_lowercase);
    let shouted = !name.chars().any(char::is_lowercase);
    let queries = ["SELECT", "VALUES", "WITH"].iter().any(|verb| text.to_ascii_uppercase().starts_with(verb));
    let nearly = match plain.as_str() {
        "DEPENDS" | "DEPEND" | "DEPENDSON" if meant => Directive::Depends,
        "WHY" if meant => Directive::Why,
        "DESTRUCTIVE" if meant => Directive::Destructive,
        "NOTRANSACTION" | "NOTRANSACTIONS" if meant => Directive::NoTransaction,
        // What follows may be prose, or the SQL that would undo the file.
        "ROLLBACKOF" if meant => Directive::RollbackOf,
        "ROLLBACK" | "ROLLSBACK" if text.contains(".sql") => Directive::RollbackOf,
        "ENSURE" | "ENSURES" if meant && (shouted || queries) => Directive::Ensure,
        "OPTIONAL" if meant && shouted => Directive::Optional,
        "ALLOW" | "ALLOWS" if meant && shouted => Directive::Allow,
        _ => return lacks_colon(comment),
    };
    Reading::Nearly(nearly)
}

/// `-- ENSURE SELECT ...`
fn lacks_colon(comment: &str) -> Reading<'_> {
    let begins = |directive: &&Directive| {
        let rest = comment.strip_prefix(directive.name());
        directive.needs_text() && rest.is_some_and(|rest| rest.starts_with([' ', '\t']))
    };
    Directive::ALL.iter().find(begins).map_or(Reading::Prose, |directive| Reading::Nearly(*directive))
}

impl HeaderFlaw {
    pub fn directive(self) -> Directive {
        match self {
            HeaderFlaw::Misspelled(directive)
            | HeaderFlaw::Misplaced(directive)
            | HeaderFlaw::Empty(directive)
            | HeaderFlaw::Again(directive)
            | HeaderFlaw::NoReason(directive) => directive,
        }
    }
}
