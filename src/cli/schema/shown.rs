//! What the commands below `schema` print, as text and as JSON.

use std::io::{self, Write};

use serde::Serialize;

use crate::cli::human::{columns, duration, Side};
use crate::cli::json;
use crate::model::path::escape_controls;
use crate::schema::run::{Done, Outcome};

/// The version of the JSON objects.
pub const VERSION: u32 = 1;

/// What `apply` and `rollback` came to.
#[derive(Serialize)]
struct Applied<'a> {
    version: u32,
    target: &'a str,
    set: &'a str,
    applied: Vec<One<'a>>,
    reworded: &'a [String],
    left_out: &'a [String],
    /// The version that the database is at.
    at: Option<u32>,
    stopped_before: &'a Option<String>,
}

#[derive(Serialize)]
struct One<'a> {
    number: u32,
    file: &'a str,
    milliseconds: u128,
    validated: &'a str,
    found: bool,
    warnings: &'a [String],
}

impl<'a> One<'a> {
    fn of(done: &'a Done) -> One<'a> {
        One {
            number: done.number,
            file: &done.file,
            milliseconds: done.time.as_millis(),
            validated: &done.validated,
            found: done.found,
            warnings: &done.warnings,
        }
    }
}

pub fn write_json(out: &mut dyn Write, target: &str, set: &str, outcome: &Outcome) -> io::Result<()> {
    json::write_line(
        out,
        &Applied {
            version: VERSION,
            target,
            set,
            applied: outcome.done.iter().map(One::of).collect(),
            reworded: &outcome.reworded,
            left_out: &outcome.left_out,
            at: outcome.version,
            stopped_before: &outcome.stopped_before,
        },
    )
}

pub fn write_text(out: &mut dyn Write, set: &str, outcome: &Outcome) -> io::Result<()> {
    let line = |done: &Done| {
        let what = if done.found { "recorded" } else { "applied" };
        vec![what.to_owned(), done.file.clone(), duration(done.time), format!("checked against: {}", done.validated)]
    };
    let lines: Vec<Vec<String>> = outcome.done.iter().map(line).collect();
    out.write_all(columns(&[Side::Left, Side::Left, Side::Right, Side::Left], &lines).as_bytes())?;
    for warning in outcome.done.iter().flat_map(|done| &done.warnings) {
        writeln!(out, "warning: {}", escape_controls(warning))?;
    }
    for file in &outcome.reworded {
        writeln!(out, "accepted the new comments of {file}")?;
    }
    for file in &outcome.left_out {
        writeln!(out, "left out {file} (optional)")?;
    }
    let set = escape_controls(set);
    if let Some(file) = &outcome.stopped_before {
        return writeln!(out, "stopped before {file}; `{set}` is at {}", at(outcome.version));
    }
    match outcome.done.is_empty() && outcome.reworded.is_empty() {
        true => writeln!(out, "nothing to do: `{set}` is at {}", at(outcome.version)),
        false => writeln!(out, "`{set}` is at {}", at(outcome.version)),
    }
}

/// A version for people.
pub fn at(version: Option<u32>) -> String {
    version.map_or_else(|| "no version yet".to_owned(), |version| format!("version {version:04}"))
}
