//! Values of settings from text, the same whether a flag, a variable or the file gave it.

use std::ffi::OsStr;
use std::path::PathBuf;

use jiff::tz::TimeZone;

use crate::pipeline::Way;

pub fn path(text: &OsStr) -> Result<PathBuf, String> {
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    Ok(PathBuf::from(text))
}

pub fn text(text: &OsStr) -> Result<String, String> {
    match text.to_str() {
        Some("") => Err("it is empty".to_owned()),
        Some(text) => Ok(text.to_owned()),
        None => Err("it is not UTF-8".to_owned()),
    }
}

/// Names between commas; none at all where there is no text.
pub fn list(value: &OsStr) -> Result<Vec<String>, String> {
    if value.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<String> = text(value)?.split(',').map(|name| name.trim().to_owned()).collect();
    match names.iter().any(String::is_empty) {
        true => Err("a name in it is empty".to_owned()),
        false => Ok(names),
    }
}

pub fn switch(value: &OsStr) -> Result<bool, String> {
    match text(value)?.as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        other => Err(format!("expected true or false, found {other:?}")),
    }
}

/// A whole number from `least` to `most`.
pub fn number(value: &OsStr, least: u64, most: u64) -> Result<u64, String> {
    let value = text(value)?;
    let number: Option<u64> = value.trim().parse().ok();
    number
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| format!("expected a whole number from {least} to {most}, found {value:?}"))
}

/// Bytes: a number, or one with a unit (`8 MiB`; `kB` and `MB` count in thousands).
pub fn size(value: &OsStr, least: u64, most: u64) -> Result<u64, String> {
    let value = text(value)?;
    let trimmed = value.trim();
    let digits = trimmed.len() - trimmed.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = trimmed.split_at(digits);
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => Some(1),
        "kb" => Some(1000),
        "mb" => Some(1_000_000),
        "gb" => Some(1_000_000_000),
        "k" | "kib" => Some(1 << 10),
        "m" | "mib" => Some(1 << 20),
        "g" | "gib" => Some(1 << 30),
        _ => None,
    };
    let bytes = number.parse::<u64>().ok().zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
    bytes
        .filter(|bytes| (least..=most).contains(bytes))
        .ok_or_else(|| format!("expected a size from {least} to {most} bytes such as \"8 MiB\", found {value:?}"))
}

/// A zone's IANA name.
pub fn zone(value: &OsStr) -> Result<(String, TimeZone), String> {
    let name = text(value)?;
    match TimeZone::get(&name) {
        Ok(zone) => Ok((name, zone)),
        Err(_) => Err(format!("no time zone is called {name:?}")),
    }
}

/// How rows are written.
pub fn way(value: &OsStr) -> Result<Way, String> {
    match text(value)?.as_str() {
        "auto" => Ok(Way::Auto),
        "bulk" => Ok(Way::Bulk),
        "online" => Ok(Way::Online),
        other => Err(format!("expected auto, bulk or online, found {other:?}")),
    }
}

/// A PostgreSQL schema of our own.
pub fn schema(value: &OsStr) -> Result<String, String> {
    let name = text(value)?;
    if name.len() > 63 {
        return Err("a schema's name has at most 63 bytes".to_owned());
    }
    if name.contains('\0') || name.starts_with("pg_") || name == "information_schema" || name == "public" {
        return Err(format!("{name:?} cannot be the ledger's own schema"));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        let size = |text: &str| size(OsStr::new(text), 1, 1 << 40);
        assert_eq!(size("8 MiB"), Ok(8 << 20));
        assert_eq!(size("8388608"), Ok(8 << 20));
        assert_eq!(size("4k"), Ok(4096));
        assert_eq!(size("2 MB"), Ok(2_000_000));
        for wrong in ["", "MiB", "-1", "1.5 MiB", "9 parsecs", "0", "99999999999 GiB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn lists_are_names_between_commas() {
        assert_eq!(list(OsStr::new("logs, search")), Ok(vec!["logs".to_owned(), "search".to_owned()]));
        assert_eq!(list(OsStr::new("")), Ok(Vec::new()));
        assert!(list(OsStr::new("logs,")).is_err());
    }

    #[test]
    fn numbers_keep_to_their_range() {
        assert_eq!(number(OsStr::new("1000"), 1, 5000), Ok(1000));
        for wrong in ["0", "5001", "x", "", "1e3"] {
            assert!(number(OsStr::new(wrong), 1, 5000).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_ledger_stays_out_of_schemas_that_are_not_ours() {
        assert!(schema(OsStr::new("transload")).is_ok());
        for wrong in ["public", "pg_x", "information_schema", ""] {
            assert!(schema(OsStr::new(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn utc_is_known_everywhere() {
        assert!(zone(OsStr::new("UTC")).is_ok());
        assert!(zone(OsStr::new("Mars/Olympus")).is_err());
    }
}
