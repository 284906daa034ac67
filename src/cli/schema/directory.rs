//! The directory of migration files that a command is given, and whose SQL they are.

use std::path::Path;

use crate::cli::failure::Failure;
use crate::config::{Config, Database, Origin};
use crate::schema::files::MigrationSet;
use crate::schema::sql::Dialect;

/// For `--dialect`.
pub fn dialect_named(name: &str) -> Result<Dialect, String> {
    Dialect::by_name(name).ok_or_else(|| "expected postgres or sqlite".to_owned())
}

/// As it is said, else as the directory is called, else as the settings' database is.
pub fn dialect(said: Option<Dialect>, directory: &Path, config: &Config) -> Result<Dialect, Failure> {
    // `.` has a name of its own, too.
    let whole = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
    let called = whole.file_name().and_then(|name| name.to_str()).and_then(Dialect::by_name);
    if let Some(dialect) = said.or(called) {
        return Ok(dialect);
    }
    let is_set = config.shown().iter().any(|shown| shown.key == "db" && shown.origin != Origin::Default);
    if !is_set {
        let hint = "give --dialect postgres or --dialect sqlite, or call the directory so";
        let message = format!("whose SQL `{}` holds is not said", directory.display());
        return Err(Failure::usage(message, Some(hint.to_owned())));
    }
    Ok(match config.database()? {
        Database::Sqlite(_) => Dialect::Sqlite,
        Database::Postgres(_) => Dialect::Postgres,
    })
}

/// Reads it.
///
/// # Errors
/// If it cannot be read, or if there is nothing in it: what was not looked at is not in order.
pub fn read(directory: &Path, dialect: Dialect) -> Result<MigrationSet, Failure> {
    let set = MigrationSet::read(directory, dialect).map_err(Failure::new)?;
    if set.files.is_empty() && set.strays.iter().all(is_folder) && set.retired.is_empty() {
        let message = format!("there are no migration files in `{}`", directory.display());
        let folders = set.strays.iter().map(|stray| format!("`{}`", directory.join(&stray.file).display()));
        let folders = folders.collect::<Vec<_>>().join(" or ");
        return Err(Failure::new(anyhow::Error::msg(message)).with_hint(match folders.as_str() {
            "" => "`transload schema new NAME DIR` writes the first one".to_owned(),
            folders => format!("was {folders} meant?"),
        }));
    }
    Ok(set)
}

fn is_folder(stray: &crate::schema::files::Stray) -> bool {
    stray.reason == crate::schema::files::StrayReason::Folder
}
