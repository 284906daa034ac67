//! What the commands below `schema` have in common: files, target, name, failures.

use std::path::Path;

use crate::config::Config;
use crate::exec::Stop;
use crate::model::path::escape_controls;
use crate::model::Owner;
use crate::schema::files::MigrationSet;
use crate::schema::plan::{Allowed, Refusal};
use crate::schema::run::{Job, RunError, Told, PAUSES};
use crate::schema::sql::Dialect;
use crate::target::Target;

use super::args::{Allow, Set, Waits};
use crate::cli::failure::Failure;
use crate::cli::{console, engine};

/// A set of migrations, and the database that it is for.
pub struct Work {
    pub target: Box<dyn Target>,
    pub set: MigrationSet,
    pub name: String,
}

impl Work {
    /// Reads the files; does not connect.
    pub fn open(args: &Set, config: &Config) -> Result<Work, Failure> {
        let dir = args.dir()?;
        let target = engine::target(config)?;
        let dialect = Dialect::by_name(target.capabilities().dialect).expect("every target has a dialect");
        check_dialect(dir, dialect)?;
        let set = MigrationSet::read(dir, dialect)
            .map_err(|error| Failure::new(error).with_hint("give the directory that holds the NNNN_name.sql files"))?;
        let name = match &args.set {
            Some(name) => name.clone(),
            None => name_of(dir)?,
        };
        Ok(Work { target, set, name })
    }

    /// Says on stderr which database it is.
    pub fn announce(&self) {
        console::write_stderr(format!("target {}\n", escape_controls(&self.target.name())).as_bytes());
    }

    pub fn job<'a>(
        &'a self,
        allowed: Allowed,
        waits: &Waits,
        by: &'a str,
        stop: &'a Stop,
        tell: &'a (dyn Fn(&Told) + Sync),
    ) -> Job<'a> {
        Job {
            target: &*self.target,
            set: &self.set,
            name: &self.name,
            owner: Owner::Application,
            allowed,
            wait: waits.wait,
            lock_timeout: waits.lock_timeout,
            pauses: &PAUSES,
            lint: true,
            by,
            stop,
            tell,
        }
    }
}

/// What the command line allows.
pub fn allowed(allow: &Allow, config: &Config) -> Allowed {
    Allowed {
        destructive: allow.allow_destructive,
        comment_changes: allow.accept_comment_changes,
        with: config.with_of_directory().to_vec(),
        until: None,
    }
}

/// A directory that is called as one database is not for another.
fn check_dialect(directory: &Path, dialect: Dialect) -> Result<(), Failure> {
    let whole = std::fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned());
    match whole.file_name().and_then(|name| name.to_str()).and_then(Dialect::by_name) {
        Some(other) if other != dialect => {
            let message =
                format!("`{}` is for {}, and the database is {}", directory.display(), other.title(), dialect.title());
            Err(Failure::usage(message, Some("name the database with --db URL, or another directory".to_owned())))
        }
        _ => Ok(()),
    }
}

/// The directory's own name; above `postgres` or `sqlite`, that of the one around it.
fn name_of(directory: &Path) -> Result<String, Failure> {
    let whole = std::fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned());
    let of_database = |name: &str| Dialect::by_name(name).is_some();
    let mut names = whole.iter().rev().filter_map(|part| part.to_str()).filter(|name| *name != "/");
    names.find(|name| !of_database(name)).map(str::to_owned).ok_or_else(|| {
        Failure::usage("the directory has no name to call its migrations by", Some("give --set NAME".to_owned()))
    })
}

/// Tells on stderr what happens, but for what the result says anyway.
pub fn tell(told: &Told) {
    let line = match told {
        Told::Begins { .. } | Told::Applied { .. } => return,
        Told::Retries { file, pause, blockers } => {
            let who =
                if blockers.is_empty() { String::new() } else { format!("; in the way: {}", blockers.join("; ")) };
            format!("`{file}` waited too long for a lock and is tried again in {} s{who}", pause.as_secs())
        }
        Told::Waits { file, blockers } => format!("`{file}` waits; in the way: {}", blockers.join("; ")),
        Told::Dropped { index } => format!("dropped the index `{index}`, which a build that failed had left behind"),
    };
    console::write_stderr(format!("{}\n", escape_controls(&line)).as_bytes());
}

/// Nobody is told.
pub fn silent(_: &Told) {}

/// Shows what belongs to an error, and makes the failure of it.
pub fn failure(error: RunError) -> Failure {
    let mut lines = Vec::new();
    for difference in error.comparison().into_iter().flat_map(|comparison| comparison.errors()) {
        lines.push(format!("difference: {difference}"));
    }
    lines.extend(error.blockers().iter().map(|blocker| format!("in the way: {blocker}")));
    let text: String = lines.iter().map(|line| escape_controls(line) + "\n").collect();
    console::write_stderr(text.as_bytes());
    let hint = error.hint();
    let failure = Failure::new(error);
    match hint {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

/// A refusal by itself.
pub fn refused(refusal: Refusal) -> Failure {
    failure(refusal.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_called_as_its_directory_is() {
        let name = |path: &str| name_of(Path::new(path)).ok();
        assert_eq!(name("/no/such/app").as_deref(), Some("app"));
        assert_eq!(name("/no/such/app/postgres/").as_deref(), Some("app"));
        assert_eq!(name("/"), None);
    }

    #[test]
    fn a_directory_for_one_database_is_not_taken_to_another() {
        assert!(check_dialect(Path::new("/no/such/postgres"), Dialect::Postgres).is_ok());
        assert!(check_dialect(Path::new("/no/such/app"), Dialect::Postgres).is_ok());
        assert!(check_dialect(Path::new("/no/such/sqlite"), Dialect::Postgres).is_err());
    }
}
