//! `schema new NAME [DIR]`: the next migration file.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::print;
use crate::model::path::escape_controls;
use crate::schema::files::{check_name, leading_number, MigrationSet};
use crate::schema::lint::{name_flaw, BAD_NAME};
use crate::schema::sql::Dialect;

#[derive(Args, Debug)]
pub struct NewArgs {
    /// What it does, in small letters: add_phone_to_users
    pub name: String,
    /// The directory with the migration files
    #[arg(default_value = ".")]
    pub dir: PathBuf,
}

/// Runs `schema new`.
pub fn run(args: &NewArgs) -> Result<Exit, Failure> {
    check_name(&args.name).map_err(|flaw| {
        let message =
            format!("`{}` is no name for a migration (rule {}): {}", args.name, BAD_NAME.number, name_flaw(flaw));
        Failure::usage(message, Some(hint(&args.name)))
    })?;
    // Only names and numbers are looked at, so it does not matter whose SQL it is.
    let set = MigrationSet::read(&args.dir, Dialect::Postgres).map_err(Failure::new)?;
    let number = next_number(&set);
    if number > 9999 {
        return Err(Failure::new(anyhow::Error::msg("the number 9999 is taken, and five digits are none"))
            .with_hint("begin a new directory with a baseline of what there is"));
    }
    let path = args.dir.join(format!("{number:04}_{}.sql", args.name));
    let failed = |error| Failure::new(anyhow::Error::new(error).context(format!("cannot write `{}`", path.display())));
    let mut file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(failed)?;
    let last = set.files.last().map_or("0001_name.sql", |file| &file.file);
    file.write_all(template(last).as_bytes()).map_err(failed)?;
    print(|out| writeln!(out, "{}", escape_controls(&path.display().to_string())))?;
    Ok(Exit::Done)
}

/// Behind every number that was ever given, also to a file that is retired or has a bad name.
fn next_number(set: &MigrationSet) -> u32 {
    let files = set.files.iter().map(|file| file.number);
    let retired = set.retired.iter().filter_map(|retired| retired.number);
    let strays = set.strays.iter().filter_map(|stray| leading_number(&stray.file));
    files.chain(retired).chain(strays).max().map_or(1, |last| last + 1)
}

/// A name like the one that was refused.
fn hint(name: &str) -> String {
    let mut words = String::new();
    for c in name.trim_end_matches(".sql").chars() {
        match c {
            'A'..='Z' => {
                if words.ends_with(|before: char| before.is_ascii_lowercase()) {
                    words.push('_');
                }
                words.push(c.to_ascii_lowercase());
            }
            'a'..='z' | '0'..='9' => words.push(c),
            _ if words.ends_with('_') || words.is_empty() => {}
            _ => words.push('_'),
        }
    }
    let words = words.trim_start_matches(|c: char| c.is_ascii_digit() || c == '_').trim_end_matches('_');
    match words {
        "" => "small letters, digits and underscores say what it does, e.g. add_phone_to_users".to_owned(),
        words => format!("the number is added; try `{words}`"),
    }
}

/// WHY stays empty, which lint refuses: nobody but the author knows it.
fn template(last: &str) -> String {
    format!(
        "-- WHY:
--
-- What else can be said, one comment each; take out the rest:
-- e.g. -- DEPENDS: {last}
-- e.g. -- DESTRUCTIVE: the column was never read
-- e.g. -- NO TRANSACTION
-- e.g. -- ROLLBACK OF: {last}
-- e.g. -- ENSURE: SELECT count(*) = 0 FROM users WHERE phone = ''

"
    )
}
