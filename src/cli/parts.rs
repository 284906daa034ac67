//! Optional parts of the format's schema: which a database has, which a run asks for, and what of the
//! format that leaves.

use crate::config::{nearest, Config};
use crate::format::Format;
use crate::model::{DocumentKind, Table};
use crate::schema;
use crate::target::{Target, TargetError};

use super::failure::Failure;

/// The part that a kind of document needs, because its table belongs to it.
pub fn of_kind(format: &dyn Format, dialect: &str, kind: &DocumentKind) -> Option<String> {
    schema::part_of(format.name(), dialect, kind.main)
}

/// The format with the tables of a database that has these parts and no others.
pub fn with(format: &'static dyn Format, dialect: &str, parts: &[String]) -> &'static dyn Format {
    let is_lacking = |table: &&'static Table| {
        schema::part_of(format.name(), dialect, table).is_some_and(|part| !parts.contains(&part))
    };
    let lacking: Vec<&'static Table> = format.tables().iter().copied().filter(is_lacking).collect();
    format.lacking(&lacking)
}

/// The parts that the target has. Nothing is created; what is wrong with the target is for whoever
/// works on it to find.
pub fn there(target: &dyn Target, format: &dyn Format) -> Result<Vec<String>, TargetError> {
    if !target.exists() {
        return Ok(Vec::new());
    }
    let mut reader = target.schema_reader()?;
    Ok(schema::parts_of(&mut *reader, target.capabilities().dialect, format.name()).unwrap_or_default())
}

/// Checks what the setting `with` names: parts, and kinds where `kinds` may be named, too.
pub fn check(config: &Config, format: &dyn Format, dialect: &str, kinds: &[&str]) -> Result<(), Failure> {
    let mut known: Vec<String> = kinds.iter().map(|kind| (*kind).to_owned()).collect();
    known.extend(schema::parts(format.name(), dialect).into_iter().filter(|part| !kinds.contains(&part.as_str())));
    match config.with.iter().find(|name| !known.contains(name)) {
        None => Ok(()),
        Some(name) => {
            let hint = nearest(name, known.iter().map(String::as_str)).map(|near| format!("was `{near}` meant?"));
            Err(Failure::usage(format!("--with knows no {name:?}; known are {}", known.join(", ")), hint))
        }
    }
}
