//! What only the text of a CREATE TABLE says: checks, collations, what a foreign key does.
//!
//! SQLite keeps the text as it was written, with the columns that ALTER TABLE added at its end. It
//! is taken apart here as far as two texts of the same table give the same parts; SQLite itself has
//! accepted it, so nothing here says what is wrong with a text.

use std::collections::BTreeMap;

use crate::model::catalogue::Constraint;

/// One word, literal or sign, in its canonical spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub text: String,
    /// A name that stood in quotes is never a keyword.
    quoted: bool,
}

impl Token {
    fn is(&self, word: &str) -> bool {
        !self.quoted && self.text == word
    }
}

/// Words before a parenthesis that are no function's or table's name.
const SPACED: [&str; 29] = [
    "in", "and", "or", "not", "check", "as", "values", "when", "then", "else", "by", "key", "unique", "where", "is",
    "like", "glob", "between", "select", "from", "on", "set", "over", "default", "case", "exists", "return", "using",
    "always",
];

/// Takes a text apart; comments are left out.
pub fn tokens(sql: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let plain = |text: &str| Token { text: text.to_owned(), quoted: false };
        let (length, token) = match first {
            c if c.is_whitespace() => (c.len_utf8(), None),
            '-' if rest.starts_with("--") => (rest.find('\n').unwrap_or(rest.len()), None),
            '/' if rest.starts_with("/*") => (rest.find("*/").map_or(rest.len(), |at| at + 2), None),
            '\'' => {
                let length = quoted(rest, '\'');
                (length, Some(plain(&rest[..length])))
            }
            '"' | '`' | '[' => {
                let close = if first == '[' { ']' } else { first };
                let length = quoted(rest, close);
                let inner = rest[1..length].strip_suffix(close).unwrap_or(&rest[1..length]);
                let name = if first == '[' {
                    inner.to_owned()
                } else {
                    inner.replace(&[close; 2].iter().collect::<String>(), &close.to_string())
                };
                (length, Some(Token { text: name_text(&name), quoted: true }))
            }
            c if c.is_alphanumeric() || c == '_' => {
                let is_inside =
                    |c: char| c.is_alphanumeric() || c == '_' || c == '$' || (first.is_ascii_digit() && c == '.');
                let length = rest.find(|c: char| !is_inside(c)).unwrap_or(rest.len());
                (length, Some(plain(&rest[..length].to_lowercase())))
            }
            c => {
                let two = ["||", "<=", ">=", "<>", "!=", "==", "<<", ">>", "->"];
                let length = match two.iter().find(|sign| rest.starts_with(**sign)) {
                    Some(_) if rest.starts_with("->>") => 3,
                    Some(_) => 2,
                    None => c.len_utf8(),
                };
                (length, Some(plain(&rest[..length])))
            }
        };
        found.extend(token);
        rest = &rest[length..];
    }
    found
}

/// The length of a quoted text with both of its marks; a mark inside is doubled.
fn quoted(text: &str, close: char) -> usize {
    let mut at = 1;
    while let Some(found) = text[at..].find(close) {
        at += found + 1;
        match close != ']' && text[at..].starts_with(close) {
            true => at += 1,
            false => return at,
        }
    }
    text.len()
}

/// Names know no case; only one that needs quotes keeps them.
pub fn name_text(name: &str) -> String {
    let plain = |(at, c): (usize, char)| c.is_ascii_alphabetic() || c == '_' || (at > 0 && c.is_ascii_digit());
    match !name.is_empty() && name.chars().enumerate().all(plain) {
        true => name.to_lowercase(),
        false => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// The tokens as one line.
pub fn spell(tokens: &[Token]) -> String {
    let mut text = String::new();
    for (at, token) in tokens.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| &tokens[before]);
        let joined = match (before, token.text.as_str()) {
            (None, _) => true,
            (Some(before), _) if matches!(before.text.as_str(), "(" | ".") => true,
            (_, "," | ")" | "." | ";") => true,
            (Some(before), "(") => {
                let word = before.text.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '"');
                word && (before.quoted || !SPACED.contains(&before.text.as_str()))
            }
            _ => false,
        };
        if !joined {
            text.push(' ');
        }
        text += &token.text;
    }
    text
}

/// A text in its canonical spelling.
pub fn normal(sql: &str) -> String {
    spell(&tokens(sql))
}

/// As [`normal`], without parentheses around the whole.
pub fn expression(sql: &str) -> String {
    let all = tokens(sql);
    let mut part = &all[..];
    while part.first().is_some_and(|token| token.is("(")) && group_end(part, 0) == part.len() {
        part = &part[1..part.len() - 1];
    }
    spell(part)
}

/// Where the group that opens at `at` ends: behind its parenthesis.
fn group_end(tokens: &[Token], at: usize) -> usize {
    let mut depth = 0;
    for (position, token) in tokens.iter().enumerate().skip(at) {
        depth += i32::from(token.is("(")) - i32::from(token.is(")"));
        if depth == 0 {
            return position + 1;
        }
    }
    tokens.len()
}

/// What the text says beside the columns' names, types, defaults and nullability.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parts {
    pub constraints: BTreeMap<String, Constraint>,
    pub collations: BTreeMap<String, String>,
    pub generated: BTreeMap<String, String>,
    /// What stands behind the columns: `strict`, `without rowid`.
    pub options: Vec<String>,
    pub autoincrement: bool,
}

/// Takes a CREATE TABLE apart.
pub fn parts(sql: &str) -> Parts {
    let mut parts = Parts::default();
    let all = tokens(sql);
    let Some(open) = all.iter().position(|token| token.is("(")) else { return parts };
    let close = group_end(&all, open);
    for definition in split(&all[open + 1..close.saturating_sub(1)]) {
        parts.add(definition);
    }
    parts.options = split(&all[close..]).into_iter().filter(|option| !option.is_empty()).map(spell).collect();
    parts.options.sort();
    parts
}

/// What commas part, those in parentheses aside.
fn split(tokens: &[Token]) -> Vec<&[Token]> {
    let (mut pieces, mut depth, mut begin) = (Vec::new(), 0, 0);
    for (at, token) in tokens.iter().enumerate() {
        depth += i32::from(token.is("(")) - i32::from(token.is(")"));
        if depth == 0 && token.is(",") {
            pieces.push(&tokens[begin..at]);
            begin = at + 1;
        }
    }
    pieces.push(&tokens[begin..]);
    pieces
}

impl Parts {
    fn add(&mut self, definition: &[Token]) {
        let Some(first) = definition.first() else { return };
        let of_table = ["constraint", "primary", "unique", "check", "foreign"].iter().any(|word| first.is(word));
        let column = if of_table { None } else { Some(first.text.as_str()) };
        let mut at = usize::from(!of_table);
        while at < definition.len() {
            at = self.clause(definition, at, column);
        }
    }

    /// Takes in the clause at `at`; returns where the next may begin.
    fn clause(&mut self, all: &[Token], at: usize, column: Option<&str>) -> usize {
        let is = |at: usize, word: &str| all.get(at).is_some_and(|token| token.is(word));
        let token = &all[at];
        if token.is("constraint") {
            return at + 2;
        }
        if token.is("check") && is(at + 1, "(") {
            let end = group_end(all, at + 1);
            let definition = format!("check ({})", spell(&all[at + 2..end - 1]));
            self.constraints.insert(definition.clone(), Constraint { definition, ..Constraint::default() });
            return end;
        }
        if (token.is("primary") && is(at + 1, "key")) || token.is("unique") {
            return self.key(all, at, column);
        }
        if token.is("foreign") && is(at + 1, "key") {
            let end = group_end(all, at + 2);
            return self.reference(all, end, spell(&all[at + 2..end]));
        }
        if let Some(column) = column {
            if token.is("references") {
                return self.reference(all, at, format!("({column})"));
            }
            if token.is("collate") && at + 1 < all.len() {
                self.collations.insert(column.to_owned(), all[at + 1].text.clone());
                return at + 2;
            }
            if token.is("as") && is(at + 1, "(") {
                let end = group_end(all, at + 1);
                let way = if is(end, "stored") { "stored" } else { "virtual" };
                self.generated.insert(column.to_owned(), format!("{way} ({})", spell(&all[at + 2..end - 1])));
                return end;
            }
        }
        match token.is("(") {
            true => group_end(all, at),
            false => at + 1,
        }
    }

    /// A primary key or a unique constraint, of a column or of the table.
    fn key(&mut self, all: &[Token], at: usize, column: Option<&str>) -> usize {
        let is = |at: usize, word: &str| all.get(at).is_some_and(|token| token.is(word));
        let (name, mut end) = if all[at].is("primary") { ("primary key", at + 2) } else { ("unique", at + 1) };
        let columns = match column {
            Some(column) if is(end, "desc") => format!("({column} desc)"),
            Some(column) => format!("({column})"),
            None => {
                let begin = end;
                end = group_end(all, begin);
                spell(&all[begin..end])
            }
        };
        if is(end, "asc") || is(end, "desc") {
            end += 1;
        }
        let mut definition = format!("{name} {columns}");
        if is(end, "on") && is(end + 1, "conflict") {
            definition += &format!(" {}", spell(&all[end..(end + 3).min(all.len())]));
            end += 3;
        }
        if is(end, "autoincrement") {
            definition += " autoincrement";
            end += 1;
        }
        self.constraints.insert(definition.clone(), Constraint { definition, ..Constraint::default() });
        end
    }

    /// A foreign key from where `references` stands.
    fn reference(&mut self, all: &[Token], at: usize, columns: String) -> usize {
        let is = |at: usize, word: &str| all.get(at).is_some_and(|token| token.is(word));
        let word = |at: usize| all.get(at).map(|token| token.text.clone()).unwrap_or_default();
        let mut end = at + 2;
        if is(end, "(") {
            end = group_end(all, end);
        }
        let definition = format!("foreign key {columns} {}", spell(&all[at..end.min(all.len())]));
        let mut constraint = Constraint { definition: definition.clone(), ..Constraint::default() };
        loop {
            if is(end, "on") && (is(end + 1, "delete") || is(end + 1, "update")) {
                let length = if is(end + 2, "set") || is(end + 2, "no") { 2 } else { 1 };
                let action = (0..length).map(|step| word(end + 2 + step)).collect::<Vec<_>>().join(" ");
                let action = Some(action).filter(|action| action != "no action");
                match is(end + 1, "delete") {
                    true => constraint.on_delete = action,
                    false => constraint.on_update = action,
                }
                end += 2 + length;
            } else if is(end, "match") {
                constraint.matching = Some(word(end + 1)).filter(|matching| matching != "simple");
                end += 2;
            } else if is(end, "deferrable") || (is(end, "not") && is(end + 1, "deferrable")) {
                let never = is(end, "not");
                end += 1 + usize::from(never);
                let initially = is(end, "initially");
                let when = if initially { word(end + 1) } else { "immediate".to_owned() };
                end += 2 * usize::from(initially);
                constraint.deferrable = (!never).then(|| format!("initially {when}"));
            } else {
                break;
            }
        }
        self.constraints.insert(definition, constraint);
        end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_spellings_of_a_table_give_the_same_parts() {
        let one = "CREATE TABLE t (\n  id INTEGER PRIMARY KEY AUTOINCREMENT, -- the id\n  \"Name\" TEXT COLLATE NOCASE \
                   NOT NULL CHECK (length([Name])<=20 AND Name IN ('a','B')), owner TEXT REFERENCES users (id) \
                   ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED, twice INT AS (id*2) STORED, UNIQUE(name, owner)\n) STRICT";
        let two = "create table \"t\"(id integer primary key autoincrement,name text not null collate nocase \
                   check(length(name) <= 20 and name in ('a', 'B')),owner text, /* x */ twice int generated always as \
                   (id * 2) stored, unique (name,owner), foreign key (owner) references users(id) on delete set null \
                   deferrable initially deferred)strict";
        let (one, two) = (parts(one), parts(two));
        assert_eq!(one, two);
        let names: Vec<&str> = one.constraints.keys().map(String::as_str).collect();
        let expected = [
            "check (length(name) <= 20 and name in ('a', 'B'))",
            "foreign key (owner) references users(id)",
            "primary key (id) autoincrement",
            "unique (name, owner)",
        ];
        assert_eq!(names, expected);
        let key = &one.constraints["foreign key (owner) references users(id)"];
        assert_eq!(key.on_delete.as_deref(), Some("set null"));
        assert_eq!(key.deferrable.as_deref(), Some("initially deferred"));
        assert_eq!(one.collations["name"], "nocase");
        assert_eq!(one.generated["twice"], "stored (id * 2)");
        assert_eq!(one.options, ["strict"]);
    }

    #[test]
    fn a_default_between_parentheses_hides_nothing() {
        let parts =
            parts("CREATE TABLE t (a TEXT DEFAULT (lower(hex(randomblob(4)) || 'check (x)')) CHECK (a <> ''), b)");
        let names: Vec<&String> = parts.constraints.keys().collect();
        assert_eq!(names, ["check (a <> '')"]);
        assert_eq!(expression("((a) || (b))"), "(a) ||(b)".replace("||(", "|| ("));
    }
}
