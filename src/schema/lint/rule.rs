//! The list of all rules: the only one. `docs/schema-rules.md` has the same, and a test compares them.
//!
//! Numbers go by what a rule protects. The first five groups are the five principles that migrations
//! are written by: nothing that was applied is edited, a file is one transaction, running it again
//! does no harm and does the same, its outcome is checked, what it needs and why is written down.

/// Whether a rule must be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    Error,
    Warning,
}

impl Severity {
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// A rule. Its number and name never change their meaning.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    pub number: &'static str,
    pub name: &'static str,
    pub severity: Severity,
    /// Why there is such a rule.
    pub reason: &'static str,
    /// What breaks it.
    pub example: &'static str,
    /// What to do about a finding, where the finding itself does not know better.
    pub help: &'static str,
}

macro_rules! rules {
    ($($constant:ident = $number:literal $name:literal $severity:ident:
        $reason:literal, $example:literal, $help:literal;)+) => {
        $(pub static $constant: Rule = Rule {
            number: $number,
            name: $name,
            severity: Severity::$severity,
            reason: $reason,
            example: $example,
            help: $help,
        };)+

        /// All rules, by number.
        pub static RULES: &[&Rule] = &[$(&$constant),+];
    };
}

rules! {
    SAME_BODY = "1.1" "same-body" Warning:
        "two files that say the same are a copy that was forgotten, or an edit that went into a new file by mistake",
        "`0004_a.sql` and `0007_a_again.sql` with the same statements",
        "retire one of them: rename it to `.sql.retired` and say why in its first comment";
    DOES_NOTHING = "1.2" "does-nothing" Warning:
        "a version that changes and checks nothing hides that something was to be done",
        "a file of comments",
        "write the statements, or an ENSURE, or retire the file";
    TRANSACTION_CONTROL = "2.1" "transaction-control" Error:
        "each file runs in one transaction together with its check and its history row; a COMMIT inside would keep half \
         of it, and a ROLLBACK would undo what is then recorded as done",
        "`COMMIT;`",
        "leave it out: the runner begins and commits; what cannot run in a transaction says `-- NO TRANSACTION`";
    NEEDS_NO_TRANSACTION = "2.2" "needs-no-transaction" Error:
        "some statements fail within a transaction",
        "`CREATE INDEX CONCURRENTLY` without `-- NO TRANSACTION`",
        "add the header comment `-- NO TRANSACTION`, and leave nothing else in the file";
    NO_TRANSACTION_ALONE = "2.3" "no-transaction-alone" Error:
        "without a transaction nothing undoes the first statement when the second fails",
        "`-- NO TRANSACTION` above two statements",
        "give each statement a file of its own";
    NO_TRANSACTION_NEEDLESS = "2.4" "no-transaction-needless" Warning:
        "a transaction would protect it, and its check would come before the commit",
        "`-- NO TRANSACTION` above `CREATE TABLE`",
        "take the comment out";
    SETTING_LEAKS = "2.5" "setting-leaks" Error:
        "a setting that outlives the file changes what the next files mean, the history's own tables included",
        "`SET search_path = app;`",
        "write SET LOCAL, give `set_config` true as its third argument, or qualify the names";
    NOT_IDEMPOTENT = "3.1" "not-idempotent" Warning:
        "after a restore or a repair by hand the object may be there, or gone, already",
        "`CREATE TABLE a (...)` without IF NOT EXISTS",
        "say IF NOT EXISTS, IF EXISTS or OR REPLACE, and check the outcome with an ENSURE";
    KEEPS_ANOTHER_TYPE = "3.2" "keeps-another-type" Warning:
        "IF NOT EXISTS skips a table or column that is there with other columns or another type, and nobody notices",
        "`ADD COLUMN IF NOT EXISTS a TEXT` where `a` is an INTEGER",
        "declare the schema with a snapshot, or add an ENSURE that names the type";
    CONDITIONAL = "3.3" "conditional" Warning:
        "the same files must make the same schema everywhere; what depends on what is there does not",
        "`DO $$ BEGIN IF to_regclass('a') IS NULL THEN CREATE TABLE ...`",
        "make the change without a condition; a block that only raises when a post-condition fails is fine";
    SWALLOWS_ERROR = "3.4" "swallows-error" Warning:
        "a handler that does not raise again takes every failure of its kind for `already there`, and hides a rollback",
        "`EXCEPTION WHEN duplicate_table THEN NULL;`",
        "take the handler out, and say IF NOT EXISTS";
    INSERTS_DATA = "3.5" "inserts-data" Warning:
        "rows belong to the application, which may have them already, changed or removed them; a schema file makes \
         places for rows",
        "`INSERT INTO roles VALUES ('admin');`",
        "load the rows elsewhere; moving rows from table to table is fine";
    NO_POST_CONDITION = "4.1" "no-post-condition" Warning:
        "that nothing failed does not say that the schema is what it should be",
        "a file without ENSURE and without snapshot",
        "add `-- ENSURE: ` and a query that must return true, or declare the schema with a snapshot";
    ENSURE_NO_QUERY = "4.2" "ensure-no-query" Error:
        "a post-condition is one query that returns one true value and changes nothing",
        "`-- ENSURE: the table is there`",
        "write one SELECT, VALUES or WITH ... SELECT, e.g. `-- ENSURE: SELECT count(*) = 0 FROM ...`";
    NO_SNAPSHOTS = "4.3" "no-snapshots" Warning:
        "without a declared schema only the post-conditions are checked, and drift goes unnoticed",
        "a directory without `NNNN.json`",
        "`transload schema snapshot` writes them from a scratch database; review and commit them";
    SNAPSHOT_MISSING = "4.4" "snapshot-missing" Error:
        "a directory declares the schema of every version or of none; one that is missing would go unchecked",
        "`0001.json` is there and `0002.json` is not",
        "`transload schema snapshot` writes it from a scratch database";
    SNAPSHOT_STALE = "4.5" "snapshot-stale" Error:
        "a snapshot of other statements declares another schema than the file makes",
        "`0002.json` was written before `0002_b.sql` was changed",
        "`transload schema snapshot` writes it anew from a scratch database; review and commit it";
    SNAPSHOT_ALONE = "4.6" "snapshot-alone" Warning:
        "it declares a version that nothing makes",
        "`0007.json` without a file 0007",
        "remove it, or bring the migration back";
    DEPENDS_MISSING = "5.1" "depends-missing" Error:
        "what it needs is not there",
        "`-- DEPENDS: 0002_gone.sql`",
        "name a file of this directory, with its whole name";
    DEPENDS_NOT_LOWER = "5.2" "depends-not-lower" Error:
        "files run in the order of their numbers, so what it needs would come too late",
        "`-- DEPENDS: 0009_later.sql` in 0003",
        "give this file a higher number, as long as it was never applied";
    DEPENDS_RETIRED = "5.3" "depends-retired" Error:
        "a retired file is never run",
        "`-- DEPENDS: 0002_old.sql` where `0002_old.sql.retired` is there",
        "name the file that took its place, or take the comment out";
    NO_WHY = "5.4" "no-why" Warning:
        "years later nobody knows whether a change may be undone",
        "a file without `-- WHY: ...`",
        "say in `-- WHY: ` what the change is for";
    ROLLBACK_OF_WRONG = "5.5" "rollback-of-wrong" Error:
        "`schema rollback` finds the way back by this comment; it must lead to one earlier file",
        "`-- ROLLBACK OF: 0009_gone.sql`",
        "name the whole file name of the earlier migration that this one undoes";
    DIRECTIVE_UNCLEAR = "5.6" "directive-unclear" Error:
        "a header comment that is misspelled or stands in the wrong place would be overlooked in silence",
        "`-- DEPENDS 0001_a.sql` without the colon",
        "write it as it is documented, above the first statement";
    OUT_OF_ORDER = "5.7" "out-of-order" Warning:
        "a statement that needs what a later one makes fails on a fresh database, and works where it was tried",
        "`CREATE INDEX ... ON a` above `CREATE TABLE a`",
        "put the statement below the one that makes what it needs";
    SILENCES_NOTHING = "5.8" "silences-nothing" Warning:
        "what silences no warning, or one that must not be silenced, leads whoever reads it astray",
        "`-- ALLOW: 3.1 because ...` in a file that keeps the rule",
        "take the comment out, or name the number of a rule that warns about this file";
    BAD_NAME = "6.1" "bad-name" Error:
        "the order of files must be plain to people, file systems and tools alike",
        "`0032-add-column.sql`, `0033_AddColumn.sql`, `34_x.sql`",
        "name it `NNNN_lower_case_name.sql`: four digits, then small letters, digits and underscores";
    SAME_NUMBER = "6.2" "same-number" Error:
        "which of the two runs first would depend on their names",
        "`0003_a.sql` and `0003_b.sql`",
        "give the one that was never applied the next free number, or retire it";
    GAP = "6.3" "gap" Warning:
        "a number that is missing may be a file that was not committed; one that comes later stops every run",
        "`0001_a.sql`, `0003_b.sql`",
        "bring the missing file, or close the gap before anything is applied";
    RETIRED_WITHOUT_REASON = "6.4" "retired-without-reason" Error:
        "whoever finds it must know why it must not run",
        "`0003_x.sql.retired` without a comment",
        "say why in its first comment";
    OTHER_ENDING = "6.5" "other-ending" Warning:
        "such a file is never run, and nobody can tell whether that is meant",
        "`0003_x.sql.disabled`, `.skip`, `.backup`",
        "rename it to `.sql.retired` with a reason in its first comment, or remove it";
    NOT_TEXT = "6.6" "not-text" Error:
        "SQL is UTF-8, so that a checksum and a column of it mean the same to everybody",
        "a file in Latin-1",
        "save it as UTF-8";
    CLIENT_COMMAND = "7.1" "client-command" Error:
        "only psql or the sqlite3 shell understands it; the server does not",
        "`\\i other.sql`, `COPY a FROM STDIN`, `.read other.sql`",
        "write what it stands for as SQL";
    BROKEN_QUOTING = "7.2" "broken-quoting" Error:
        "what follows is read as text, or as SQL that was meant as text",
        "`DO $body$ ... $Body$`",
        "close it, with the same tag that opens it";
    NOT_IN_DIALECT = "7.3" "not-in-dialect" Error:
        "it looks right and fails at the server",
        "`ADD CONSTRAINT IF NOT EXISTS`",
        "write it as the database knows it";
    NO_SUCH_STATEMENT = "7.4" "no-such-statement" Error:
        "no statement begins like this, or its parentheses do not match",
        "`CRATE TABLE a (...)`",
        "look for a typing error, and for a semicolon that is missing or too many";
    DESTROYS = "8.1" "destroys" Error:
        "what is dropped is gone; a file that says so is not applied by accident",
        "`DROP TABLE a`, `TRUNCATE a`, `ALTER COLUMN a TYPE integer`",
        "if that is meant, add the header comment `-- DESTRUCTIVE`; it then needs `--allow-destructive`";
    DESTRUCTIVE_NEEDLESS = "8.2" "destructive-needless" Warning:
        "a warning that means nothing teaches people to ignore it",
        "`-- DESTRUCTIVE` above `CREATE TABLE`",
        "take the comment out";
    INDEX_LOCKS = "8.3" "index-locks" Warning:
        "while the index is built nobody can write to the table, and others queue behind",
        "`CREATE INDEX ... ON a` where an earlier file made `a`",
        "build it CONCURRENTLY in a file of its own with `-- NO TRANSACTION`";
    REWRITES_OR_SCANS = "8.4" "rewrites-or-scans" Warning:
        "the whole table is rewritten or read under a lock that keeps everybody out",
        "`ALTER COLUMN a SET NOT NULL`, `ADD COLUMN a uuid DEFAULT gen_random_uuid()`",
        "take it in steps: add without checking, fill in batches, then validate";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn numbers_and_names_are_there_once_and_in_order() {
        let numbers: Vec<_> = RULES.iter().map(|rule| rule.number).collect();
        let mut sorted = numbers.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(numbers, sorted);
        assert_eq!(RULES.iter().map(|rule| rule.name).collect::<BTreeSet<_>>().len(), RULES.len());
    }
}
