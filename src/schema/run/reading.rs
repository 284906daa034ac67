//! What a run must know of a file's statements before it runs them.

use crate::schema::files::MigrationFile;
use crate::schema::sql::{Statement, TokenKind};

/// The tables that a file drops, without their schema.
pub fn dropped_tables(file: &MigrationFile) -> Vec<String> {
    let mut names = Vec::new();
    for statement in &file.statements {
        let words = Words { file, statement };
        if !(words.is(0, "DROP") && words.is(1, "TABLE")) {
            continue;
        }
        let mut at = if words.is(2, "IF") { 4 } else { 2 };
        while let Some((name, next)) = words.name(at) {
            names.push(name);
            match statement.tokens.get(next).map(|token| token.kind) {
                Some(TokenKind::Comma) => at = next + 1,
                _ => break,
            }
        }
    }
    names
}

/// The index that a file builds concurrently.
pub fn concurrent_index(file: &MigrationFile) -> Option<String> {
    let statement = file.statements.first()?;
    let words = Words { file, statement };
    if !words.is(0, "CREATE") {
        return None;
    }
    let at = if words.is(1, "UNIQUE") { 2 } else { 1 };
    if !(words.is(at, "INDEX") && words.is(at + 1, "CONCURRENTLY")) {
        return None;
    }
    let at = if words.is(at + 2, "IF") { at + 5 } else { at + 2 };
    words.name(at).map(|(name, _)| name)
}

struct Words<'f> {
    file: &'f MigrationFile,
    statement: &'f Statement,
}

impl Words<'_> {
    fn is(&self, at: usize, word: &str) -> bool {
        self.statement.tokens.get(at).is_some_and(|token| token.is_word(&self.file.text, word))
    }

    /// The last part of the name at `at`, and where what follows it stands.
    fn name(&self, mut at: usize) -> Option<(String, usize)> {
        loop {
            let name = self.statement.tokens.get(at)?.name(&self.file.text, self.file.dialect)?;
            match self.statement.tokens.get(at + 1).map(|token| token.kind) {
                Some(TokenKind::Dot) => at += 2,
                _ => return Some((name, at + 1)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::sql::Dialect;

    fn file(sql: &str) -> MigrationFile {
        MigrationFile::parse("0001_x.sql", sql.to_owned(), Dialect::Postgres).expect("a good name")
    }

    #[test]
    fn dropped_tables_are_found_wherever_they_are_named() {
        let sql = "drop table a, s.\"B\" cascade; SELECT 'DROP TABLE c'; DROP TABLE IF EXISTS d; DROP INDEX e;";
        assert_eq!(dropped_tables(&file(sql)), ["a", "B", "d"]);
    }

    #[test]
    fn the_index_that_is_built_concurrently_is_known_by_name() {
        let name = |sql: &str| concurrent_index(&file(sql));
        assert_eq!(name("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS \"I\" ON t (a)").as_deref(), Some("I"));
        assert_eq!(name("create index concurrently i on t (a)").as_deref(), Some("i"));
        assert_eq!(name("CREATE INDEX i ON t (a)"), None);
        assert_eq!(name("VACUUM"), None);
    }
}
