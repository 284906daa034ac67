//! Every setting by name: the one list that the file, the environment, the flags, the error for an
//! unknown key and `--print-config` go by.

use std::fmt;

/// What a setting's value looks like in `pipeline.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Text,
    Number,
    /// A number of bytes, or text such as `"8 MiB"`.
    Size,
    Switch,
    /// Names: a list of strings, or one with commas between them.
    List,
}

#[derive(Debug)]
pub struct Key {
    /// As `pipeline.toml` spells it, with its table: `write.batch_rows`.
    pub name: &'static str,
    pub shape: Shape,
    /// Names beside `TRANSLOAD_<NAME>` that the database plan gives to the same setting.
    also: &'static [&'static str],
}

impl Key {
    const fn new(name: &'static str, shape: Shape) -> Key {
        Key { name, shape, also: &[] }
    }

    const fn or(name: &'static str, shape: Shape, also: &'static [&'static str]) -> Key {
        Key { name, shape, also }
    }

    /// The name without its table.
    fn last(&self) -> &'static str {
        self.name.rsplit('.').next().unwrap_or(self.name)
    }

    /// The command line's name for it: `--batch-rows`; the source is an argument.
    pub fn flag(&self) -> String {
        match self.name {
            "source" => "SOURCE".to_owned(),
            _ => format!("--{}", self.last().replace('_', "-")),
        }
    }

    /// The variables that set it, the first found winning.
    pub fn variables(&self) -> impl Iterator<Item = String> {
        let own = format!("TRANSLOAD_{}", self.last().to_uppercase());
        std::iter::once(own).chain(self.also.iter().map(|name| (*name).to_owned()))
    }
}

pub static SOURCE: Key = Key::new("source", Shape::Text);
pub static FORMAT: Key = Key::new("format", Shape::Text);
pub static DB: Key = Key::new("db", Shape::Text);
pub static TIMEZONE: Key = Key::new("timezone", Shape::Text);
pub static REJECTS: Key = Key::new("rejects", Shape::Text);
pub static LEDGER_SCHEMA: Key = Key::new("ledger_schema", Shape::Text);
pub static FOLLOW_LINKS: Key = Key::new("follow_links", Shape::Switch);
pub static WITH: Key = Key::new("with", Shape::List);
pub static MAX_CONNECTIONS: Key = Key::or("max_connections", Shape::Number, &["DB_MAX_CONNECTIONS"]);
pub static IDLE_TIMEOUT: Key = Key::or("idle_timeout", Shape::Number, &["DB_IDLE_TIMEOUT"]);
pub static BATCH_ROWS: Key = Key::or("write.batch_rows", Shape::Number, &["MIGRATION_BATCH_SIZE"]);
pub static BATCH_BYTES: Key = Key::new("write.batch_bytes", Shape::Size);
pub static CONNECTIONS: Key = Key::new("write.connections", Shape::Number);
pub static MODE: Key = Key::new("write.mode", Shape::Text);
pub static WHOLE_BYTES: Key = Key::new("read.whole_bytes", Shape::Size);
pub static THREADS: Key = Key::new("read.threads", Shape::Number);

/// In the order in which they are printed.
pub static KEYS: [&Key; 16] = [
    &SOURCE,
    &FORMAT,
    &DB,
    &TIMEZONE,
    &REJECTS,
    &LEDGER_SCHEMA,
    &FOLLOW_LINKS,
    &WITH,
    &MAX_CONNECTIONS,
    &IDLE_TIMEOUT,
    &BATCH_ROWS,
    &BATCH_BYTES,
    &CONNECTIONS,
    &MODE,
    &WHOLE_BYTES,
    &THREADS,
];

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Flag(String),
    Variable(String),
    File { name: String, line: usize },
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flag(flag) => write!(f, "flag {flag}"),
            Origin::Variable(name) => write!(f, "environment {name}"),
            Origin::File { name, line } => write!(f, "{name} line {line}"),
            Origin::Default => f.write_str("default"),
        }
    }
}

/// The known name that `wrong` was probably meant to be.
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let tail = wrong.rsplit('.').next().unwrap_or(wrong);
    let distance = |name: &str| {
        // A key in the wrong table is meant as often as one that is misspelt.
        let last = name.rsplit('.').next().unwrap_or(name);
        edits(wrong, name).min(edits(tail, last))
    };
    let (name, edits) = known.into_iter().map(|name| (name, distance(name))).min_by_key(|(_, edits)| *edits)?;
    (edits <= (tail.chars().count() / 3).max(1)).then_some(name)
}

/// Levenshtein's distance in characters.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_or_misplaced_key_finds_its_neighbour() {
        let known = || KEYS.iter().map(|key| key.name);
        assert_eq!(nearest("write.batch_row", known()), Some("write.batch_rows"));
        assert_eq!(nearest("batch_rows", known()), Some("write.batch_rows"));
        assert_eq!(nearest("timezon", known()), Some("timezone"));
        assert_eq!(nearest("colour", known()), None);
    }

    #[test]
    fn no_two_settings_share_a_flag_or_a_variable() {
        let mut names: Vec<String> = KEYS.iter().flat_map(|key| key.variables().chain([key.flag()])).collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
        assert_eq!(BATCH_ROWS.variables().collect::<Vec<_>>(), ["TRANSLOAD_BATCH_ROWS", "MIGRATION_BATCH_SIZE"]);
    }
}
