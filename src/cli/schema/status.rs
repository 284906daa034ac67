//! `schema status DIR`: which migrations the database has had.

use serde_json::json;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::human::{columns, Side};
use crate::cli::{json, print};
use crate::config::Config;
use crate::model::path::escape_controls;
use crate::schema::log::{Entry, Event};
use crate::schema::look::{Look, State};

use super::args::LookArgs;
use super::job::{failure, Work};
use super::shown::{at, VERSION};

/// Failed attempts that are shown, the newest last.
const MOST_FAILURES: usize = 5;

pub fn run(args: &LookArgs, config: &Config) -> Result<Exit, Failure> {
    let work = Work::open(&args.set, config)?;
    let look = Look::at(&*work.target, &work.set, &work.name).map_err(failure)?;
    let is_failure = |entry: &&Entry| matches!(entry.event, Event::Failed | Event::Refused | Event::Retried);
    let failures: Vec<&Entry> = look.log.entries.iter().filter(is_failure).collect();
    let failures = &failures[failures.len().saturating_sub(MOST_FAILURES)..];
    print(|out| {
        if args.set.json {
            let file = |line: &crate::schema::look::Line| {
                json!({
                    "number": line.number, "file": line.file, "state": line.state.name(),
                    "applied_at": line.recorded.as_ref().map(|it| it.at.to_fixed()),
                    "applied_by": line.recorded.as_ref().map(|it| &it.by),
                    "milliseconds": line.recorded.as_ref().map(|it| it.milliseconds),
                    "validated": line.recorded.as_ref().map(|it| &it.validated),
                })
            };
            return json::write_line(
                out,
                &json!({
                    "version": VERSION, "target": work.target.name(), "set": work.name, "at": look.version(),
                    "files": look.lines(&work.set).iter().map(file).collect::<Vec<_>>(),
                    "failures": failures, "log_broken_at": look.log.broken,
                    "log_flaw": look.flaw.map(|flaw| flaw.to_string()),
                }),
            );
        }
        writeln!(out, "target  {}", escape_controls(&work.target.name()))?;
        writeln!(out, "set     {}, {}\n", escape_controls(&work.name), at(look.version()))?;
        let mut lines = vec![["file", "state", "when", "checked against"].map(str::to_owned).to_vec()];
        for line in look.lines(&work.set) {
            let recorded = line.recorded.as_ref();
            let when = recorded.map_or("-".to_owned(), |it| it.at.to_fixed()[..19].to_owned() + "Z");
            let checked = recorded.map_or("-".to_owned(), |it| it.validated.clone());
            lines.push(vec![line.file.clone(), line.state.name().to_owned(), when, checked]);
        }
        out.write_all(columns(&[Side::Left; 4], &lines).as_bytes())?;
        if !failures.is_empty() {
            writeln!(out, "\nfailed attempts, the newest last:")?;
        }
        for entry in failures {
            let file = entry.file.as_deref().unwrap_or("-");
            let said = entry.message.as_deref().unwrap_or_default();
            writeln!(out, "{}  {}  {}", entry.at, file, escape_controls(said))?;
        }
        look.flaw.map_or(Ok(()), |flaw| writeln!(out, "\n{flaw}"))
    })?;
    let wrong = look.lines(&work.set).iter().any(|line| matches!(line.state, State::Edited | State::Missing));
    Ok(Exit::of_leftovers(wrong || look.flaw.is_some()))
}
