//! What is to be run: a pure function of the files and the history.

use super::files::{MigrationFile, MigrationSet, StrayReason};
use super::header::{HeaderFlaw, Said};
use super::history::{Kind, Recorded};
use super::snapshot::SnapshotError;

/// What a person has allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Files that say DESTRUCTIVE.
    pub destructive: bool,
    /// Applied files that were edited in their comments.
    pub comment_changes: bool,
    /// The optional parts that are wanted.
    pub with: Vec<String>,
    /// No file with a higher number is wanted.
    pub until: Option<u32>,
}

/// What is to be done, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan<'s> {
    pub steps: Vec<&'s MigrationFile>,
    /// Applied files whose comments have changed; the record is to be brought up to date.
    pub reworded: Vec<&'s MigrationFile>,
    /// Files of optional parts that nobody asked for.
    pub left_out: Vec<&'s MigrationFile>,
}

/// Why nothing is run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("there are no migrations in `{origin}`")]
    Empty { origin: String },
    #[error("`{file}` has no name of a migration (NNNN_lower_case_name.sql)")]
    Name { file: String },
    #[error("`{file}` is not UTF-8 from byte {at} on")]
    NotText { file: String, at: usize },
    #[error("`{first}` and `{second}` have the same number")]
    Duplicate { first: String, second: String },
    #[error("`{file}`, line {line}: a comment that is nearly `{directive}` and none")]
    Directive { file: String, line: u32, directive: &'static str },
    #[error("`{file}` has {statements} statements: outside of a transaction there must be one")]
    NotAlone { file: String, statements: usize },
    #[error("`{file}` has a lower number than `{last}`, which was applied already")]
    Late { file: String, last: String },
    #[error("`{file}` was edited after it was applied")]
    Edited { file: String },
    #[error("`{file}` was edited in its comments after it was applied")]
    Comments { file: String },
    #[error("`{recorded}` was applied, and there is `{file}` in its place")]
    Renamed { recorded: String, file: String },
    #[error("`{file}` was applied, and is retired")]
    Retired { file: String },
    #[error("`{file}` was applied, and is missing")]
    Missing { file: String },
    #[error("the database is at version {number:04} (`{file}`), and the files end at {last:04}")]
    Ahead { file: String, number: u32, last: u32 },
    #[error("`{file}` depends on `{on}`, which {problem}")]
    Depends { file: String, on: String, problem: &'static str },
    #[error("`{file}` says that it undoes `{undone}`, which is not there or comes later")]
    Undoes { file: String, undone: String },
    #[error("`{file}` loses data, and is meant to")]
    Destructive { file: String },
    #[error("no migration belongs to an optional part `{part}`; {}", known_parts(known))]
    NoSuchPart { part: String, known: Vec<String> },
    #[error("these migrations are recorded under the name `{other}`, and this is `{name}`")]
    OtherName { name: String, other: String },
    #[error("the declared schemas of `{origin}` cannot be used")]
    Snapshot { origin: String, source: SnapshotError },
}

impl Refusal {
    /// What to try.
    pub fn hint(&self) -> String {
        match self {
            Refusal::Empty { .. } => "is it the right directory? `transload schema new NAME` begins one".into(),
            Refusal::Name { .. } => "rename it; what is never to be run ends in `.sql.retired`".into(),
            Refusal::NotText { .. } => "save it as UTF-8".into(),
            Refusal::Duplicate { .. } => "give the newer one the next free number".into(),
            Refusal::Directive { directive, .. } => format!("write `-- {directive}` as `transload schema lint` says"),
            Refusal::NotAlone { .. } => "make one file of each statement".into(),
            Refusal::Late { .. } => {
                "give it a number above the last applied one: what is applied in another order elsewhere is another schema"
                    .into()
            }
            Refusal::Edited { .. } | Refusal::Renamed { .. } => {
                "restore the file as it was applied, and write what is to be changed as a new migration".into()
            }
            Refusal::Comments { .. } => "restore it, or accept its new comments with --accept-comment-changes".into(),
            Refusal::Retired { .. } => "only what was never applied can be retired: take `.retired` off its name".into(),
            Refusal::Missing { .. } => "restore it: the directory is older than the database, or a file was lost".into(),
            Refusal::Ahead { .. } => "use the directory that the database was brought up to date with, or a newer one".into(),
            Refusal::Depends { .. } => "correct the DEPENDS line, or the file's number".into(),
            Refusal::Undoes { .. } => "correct the ROLLBACK OF line".into(),
            Refusal::Destructive { .. } => {
                "make a backup, look at the file, and allow it with --allow-destructive".into()
            }
            Refusal::NoSuchPart { .. } => "correct --with; a migration says `-- OPTIONAL: name` in its header".into(),
            Refusal::OtherName { other, .. } => format!("give --set {other}"),
            Refusal::Snapshot { source, .. } => match source {
                SnapshotError::Missing { .. } | SnapshotError::Stale { .. } => {
                    "`transload schema snapshot DIR --db URL` writes it from a scratch database".into()
                }
                _ => "correct or remove the file".into(),
            },
        }
    }
}

fn known_parts(known: &[String]) -> String {
    match known {
        [] => "there are none".to_owned(),
        known => format!("there are {}", known.join(", ")),
    }
}

/// The optional parts of a set, each once.
fn parts(set: &MigrationSet) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for part in set.files.iter().filter_map(|file| file.header.optional.as_ref()) {
        if !parts.contains(&part.text) {
            parts.push(part.text.clone());
        }
    }
    parts
}

/// Checks the files by themselves.
pub fn check_files(set: &MigrationSet) -> Result<(), Refusal> {
    for stray in &set.strays {
        let file = stray.file.clone();
        match &stray.reason {
            StrayReason::BadName(_) => return Err(Refusal::Name { file }),
            StrayReason::NotText { at } => return Err(Refusal::NotText { file, at: *at }),
            // Lint reports them; they were never meant to be run from here.
            StrayReason::OtherEnding(_) | StrayReason::Folder => {}
        }
    }
    if set.files.is_empty() {
        return Err(Refusal::Empty { origin: set.origin.clone() });
    }
    if let Some(pair) = set.files.windows(2).find(|pair| pair[0].number == pair[1].number) {
        return Err(Refusal::Duplicate { first: pair[0].file.clone(), second: pair[1].file.clone() });
    }
    set.files.iter().try_for_each(|file| check_header(set, file))
}

fn check_header(set: &MigrationSet, file: &MigrationFile) -> Result<(), Refusal> {
    let name = || file.file.clone();
    for (flaw, place) in &file.header.flaws {
        // One that was overlooked could run what it forbids.
        if let HeaderFlaw::Misspelled(directive) | HeaderFlaw::Misplaced(directive) | HeaderFlaw::Empty(directive) =
            flaw
        {
            return Err(Refusal::Directive { file: name(), line: place.line, directive: directive.name() });
        }
    }
    for on in &file.header.depends {
        let problem = match set.by_file(&on.text) {
            Some(other) if other.number < file.number => continue,
            Some(_) => "has no lower number",
            None if set.retired.iter().any(|retired| retired.former() == on.text) => "is retired",
            None => "is not there",
        };
        return Err(Refusal::Depends { file: name(), on: on.text.clone(), problem });
    }
    if let Some(undone) = &file.header.rollback_of {
        if set.by_file(&undone.text).is_none_or(|other| other.number >= file.number) {
            return Err(Refusal::Undoes { file: name(), undone: undone.text.clone() });
        }
    }
    match file.statements.len() {
        statements if file.header.no_transaction.is_some() && statements != 1 => {
            Err(Refusal::NotAlone { file: name(), statements })
        }
        _ => Ok(()),
    }
}

/// Plans. `history` is what is recorded of this set.
pub fn plan<'s>(set: &'s MigrationSet, history: &[Recorded], allowed: &Allowed) -> Result<Plan<'s>, Refusal> {
    check_files(set)?;
    let mut plan = Plan::default();
    let last_file = set.files.last().map_or(0, |file| file.number);
    for recorded in history {
        match set.by_number(recorded.number) {
            Some(file) => check_recorded(file, recorded, allowed, &mut plan)?,
            None => {
                let file = recorded.file.clone();
                let is_retired = set.retired.iter().any(|retired| retired.former() == recorded.file);
                return Err(match recorded.number {
                    _ if is_retired => Refusal::Retired { file },
                    number if number > last_file => {
                        let newest = history.last().unwrap_or(recorded);
                        Refusal::Ahead { file: newest.file.clone(), number: newest.number, last: last_file }
                    }
                    _ => Refusal::Missing { file },
                });
            }
        }
    }
    let known = parts(set);
    if let Some(part) = allowed.with.iter().find(|part| !known.contains(part)) {
        return Err(Refusal::NoSuchPart { part: part.clone(), known });
    }
    let is_recorded = |file: &MigrationFile| history.iter().any(|recorded| recorded.number == file.number);
    let last = history.last();
    let is_wanted = |file: &MigrationFile| allowed.until.is_none_or(|until| file.number <= until);
    for file in set.files.iter().filter(|file| !is_recorded(file) && is_wanted(file)) {
        let part = file.header.optional.as_ref();
        // Who has a part keeps it.
        let has = |part: &Said| {
            set.files.iter().any(|other| {
                is_recorded(other) && other.header.optional.as_ref().is_some_and(|it| it.text == part.text)
            })
        };
        if part.is_some_and(|part| !allowed.with.contains(&part.text) && !has(part)) {
            plan.left_out.push(file);
            continue;
        }
        // A part that is wanted later is added later.
        if let Some(last) = last.filter(|last| last.number > file.number && part.is_none()) {
            return Err(Refusal::Late { file: file.file.clone(), last: last.file.clone() });
        }
        if file.header.destructive.is_some() && !allowed.destructive {
            return Err(Refusal::Destructive { file: file.file.clone() });
        }
        for on in &file.header.depends {
            let there = history.iter().any(|recorded| recorded.file == on.text)
                || plan.steps.iter().any(|step| step.file == on.text);
            if !there {
                let (file, on) = (file.file.clone(), on.text.clone());
                return Err(Refusal::Depends { file, on, problem: "was not applied" });
            }
        }
        plan.steps.push(file);
    }
    Ok(plan)
}

fn check_recorded<'s>(
    file: &'s MigrationFile,
    recorded: &Recorded,
    allowed: &Allowed,
    plan: &mut Plan<'s>,
) -> Result<(), Refusal> {
    if file.file != recorded.file {
        return Err(Refusal::Renamed { recorded: recorded.file.clone(), file: file.file.clone() });
    }
    if file.raw_checksum() == recorded.raw {
        return Ok(());
    }
    if file.token_checksum() != recorded.tokens {
        return Err(Refusal::Edited { file: file.file.clone() });
    }
    if !allowed.comment_changes {
        return Err(Refusal::Comments { file: file.file.clone() });
    }
    plan.reworded.push(file);
    Ok(())
}

/// The file that undoes the newest applied one, with what that is; `None` if nothing undoes it.
pub fn undoing<'s>(set: &'s MigrationSet, history: &[Recorded]) -> Option<&'s MigrationFile> {
    let last = history.iter().rev().find(|recorded| recorded.kind == Kind::Applied)?;
    let undoes = |file: &&MigrationFile| file.header.rollback_of.as_ref().is_some_and(|of| of.text == last.file);
    set.files.iter().find(undoes)
}

#[cfg(test)]
mod tests {
    use super::super::sql::Dialect;
    use super::*;

    const ONE: &str = "CREATE TABLE one (id INTEGER);";
    const TWO: &str = "-- DEPENDS: 0001_one.sql\nCREATE TABLE two (id INTEGER);";

    fn set(files: &[(&str, &str)]) -> MigrationSet {
        MigrationSet::embedded("test", Dialect::Postgres, files.iter().map(|(name, sql)| (*name, sql.as_bytes())))
    }

    fn recorded(name: &str, sql: &str) -> Recorded {
        let file = MigrationFile::parse(name, sql.to_owned(), Dialect::Postgres).expect("a good name");
        Recorded::of(&file, Kind::Applied, "nothing", std::time::Duration::ZERO, "a test")
    }

    fn steps(files: &[(&str, &str)], history: &[Recorded]) -> Vec<String> {
        let set = set(files);
        let plan = plan(&set, history, &Allowed::default()).expect("there is nothing to refuse");
        plan.steps.iter().map(|file| file.file.clone()).collect()
    }

    fn refusal(files: &[(&str, &str)], history: &[Recorded]) -> String {
        let refusal = plan(&set(files), history, &Allowed::default()).expect_err("it must be refused");
        assert!(!refusal.hint().is_empty());
        refusal.to_string()
    }

    #[test]
    fn a_fresh_database_gets_everything_and_a_second_run_nothing() {
        let files = [("0001_one.sql", ONE), ("0002_two.sql", TWO)];
        assert_eq!(steps(&files, &[]), ["0001_one.sql", "0002_two.sql"]);
        assert_eq!(steps(&files, &[recorded("0001_one.sql", ONE)]), ["0002_two.sql"]);
        assert_eq!(steps(&files, &[recorded("0001_one.sql", ONE), recorded("0002_two.sql", TWO)]), [""; 0]);
    }

    #[test]
    fn what_was_applied_is_neither_edited_nor_renamed_nor_taken_away() {
        let one = [recorded("0001_one.sql", ONE)];
        let cases = [
            (vec![("0001_one.sql", "CREATE TABLE one (id BIGINT);")], "`0001_one.sql` was edited after it was applied"),
            (
                vec![("0001_one.sql", "-- why\nCREATE TABLE one (id INTEGER);\r\n")],
                "`0001_one.sql` was edited in its comments after it was applied",
            ),
            (vec![("0001_other.sql", ONE)], "`0001_one.sql` was applied, and there is `0001_other.sql` in its place"),
            (vec![("0001_one.sql.retired", ONE), ("0002_two.sql", ONE)], "`0001_one.sql` was applied, and is retired"),
            (vec![("0002_two.sql", ONE)], "`0001_one.sql` was applied, and is missing"),
        ];
        for (files, expected) in cases {
            assert_eq!(refusal(&files, &one), expected);
        }
        let nine = [recorded("0009_nine.sql", ONE)];
        assert_eq!(
            refusal(&[("0001_one.sql", ONE)], &nine),
            "the database is at version 0009 (`0009_nine.sql`), and the files end at 0001"
        );
    }

    #[test]
    fn new_comments_can_be_accepted() {
        let set = set(&[("0001_one.sql", "/* why */ CREATE TABLE one (id INTEGER);")]);
        let allowed = Allowed { comment_changes: true, ..Allowed::default() };
        let plan = plan(&set, &[recorded("0001_one.sql", ONE)], &allowed).expect("it is allowed");
        assert_eq!((plan.steps.len(), plan.reworded.len()), (0, 1));
    }

    #[test]
    fn a_file_that_comes_late_is_refused() {
        let files = [("0001_one.sql", ONE), ("0002_two.sql", TWO)];
        let expected = "`0001_one.sql` has a lower number than `0002_two.sql`, which was applied already";
        assert_eq!(refusal(&files, &[recorded("0002_two.sql", TWO)]), expected);
    }

    #[test]
    fn what_a_file_depends_on_must_come_before_it() {
        let depends = |on: &str| format!("-- DEPENDS: {on}\nSELECT 1;");
        let (later, unknown) = (depends("0002_two.sql"), depends("0000_no.sql"));
        let of = |sql: &str| refusal(&[("0001_one.sql", sql), ("0002_two.sql", ONE), ("0003_x.sql.retired", "")], &[]);
        assert!(of(&later).ends_with("depends on `0002_two.sql`, which has no lower number"));
        assert!(of(&unknown).ends_with("which is not there"));
        assert!(of(&depends("0003_x.sql")).ends_with("which is retired"));
    }

    #[test]
    fn destructive_files_are_run_only_on_demand() {
        let files = [("0001_one.sql", "-- DESTRUCTIVE\nDROP TABLE one;")];
        assert_eq!(refusal(&files, &[]), "`0001_one.sql` loses data, and is meant to");
        let allowed = Allowed { destructive: true, ..Allowed::default() };
        assert_eq!(plan(&set(&files), &[], &allowed).map(|plan| plan.steps.len()), Ok(1));
    }

    #[test]
    fn an_optional_part_is_left_out_until_it_is_wanted_and_may_then_come_late() {
        let set = set(&[("0001_one.sql", ONE), ("0002_logs.sql", "-- OPTIONAL: logs\nSELECT 1;"), ("0003_x.sql", ONE)]);
        let first = plan(&set, &[], &Allowed::default()).expect("there is nothing to refuse");
        assert_eq!((first.steps.len(), first.left_out.len()), (2, 1));
        let history = [recorded("0001_one.sql", ONE), recorded("0003_x.sql", ONE)];
        let with = Allowed { with: vec!["logs".into()], ..Allowed::default() };
        let later = plan(&set, &history, &with).expect("it is wanted");
        assert_eq!(later.steps.iter().map(|step| step.number).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn who_has_a_part_keeps_it_and_one_that_nobody_knows_is_refused() {
        let logs = "-- OPTIONAL: logs\nSELECT 1;";
        let set = set(&[("0001_one.sql", ONE), ("0002_logs.sql", logs), ("0003_more.sql", logs)]);
        let history = [recorded("0001_one.sql", ONE), recorded("0002_logs.sql", logs)];
        let next = plan(&set, &history, &Allowed::default()).expect("there is nothing to refuse");
        assert_eq!(next.steps.iter().map(|step| step.number).collect::<Vec<_>>(), [3]);
        let with = Allowed { with: vec!["log".into()], ..Allowed::default() };
        let error = plan(&set, &history, &with).expect_err("there is no such part");
        assert_eq!(error.to_string(), "no migration belongs to an optional part `log`; there are logs");
    }

    #[test]
    fn files_that_cannot_be_told_apart_or_read_are_refused() {
        assert!(refusal(&[], &[]).starts_with("there are no migrations"));
        assert!(refusal(&[("0001_a.sql", ONE), ("0001_b.sql", TWO)], &[]).ends_with("have the same number"));
        assert!(refusal(&[("0001-a.sql", ONE)], &[]).starts_with("`0001-a.sql` has no name"));
        assert!(refusal(&[("0001_a.sql", "-- NO TRANSACTION\nSELECT 1; SELECT 2;")], &[]).contains("2 statements"));
        let misspelled = refusal(&[("0001_a.sql", "-- DEPEND: 0000_x.sql\nSELECT 1;")], &[]);
        assert!(misspelled.contains("line 1") && misspelled.contains("DEPENDS"), "{misspelled}");
    }

    #[test]
    fn the_file_that_undoes_the_last_one_is_found() {
        let set = set(&[("0001_one.sql", ONE), ("0002_no.sql", "-- ROLLBACK OF: 0001_one.sql\nDROP TABLE one;")]);
        let one = recorded("0001_one.sql", ONE);
        assert_eq!(undoing(&set, std::slice::from_ref(&one)).map(|file| file.number), Some(2));
        assert_eq!(undoing(&set, &[]), None);
    }
}
