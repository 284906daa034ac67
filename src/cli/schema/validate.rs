//! `schema validate DIR`: whether the database is what its version declares.

use serde_json::json;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::{json, print};
use crate::config::Config;
use crate::model::path::escape_controls;
use crate::model::Owner;
use crate::schema::catalogue::Severity;
use crate::schema::look::validate;

use super::args::LookArgs;
use super::job::{failure, Work};
use super::shown::{at, VERSION};

pub fn run(args: &LookArgs, config: &Config) -> Result<Exit, Failure> {
    let work = Work::open(&args.set, config)?;
    work.announce();
    let validated = validate(&*work.target, &work.set, &work.name, Owner::Application).map_err(failure)?;
    let comparison = &validated.comparison;
    print(|out| {
        if args.set.json {
            return json::write_line(
                out,
                &json!({
                    "version": VERSION, "target": work.target.name(), "set": work.name, "at": validated.version,
                    "agrees": comparison.agrees(), "pending": validated.pending,
                    "differences": comparison.differences, "out_of_scope": comparison.out_of_scope,
                    "log_flaw": validated.flaw.map(|flaw| flaw.to_string()),
                }),
            );
        }
        for difference in &comparison.differences {
            let severity = match difference.severity {
                Severity::Error => "difference",
                Severity::Warning => "warning",
            };
            writeln!(out, "{severity}: {}", escape_controls(&difference.to_string()))?;
        }
        for object in &comparison.out_of_scope {
            writeln!(out, "not part of this schema: {}", escape_controls(object))?;
        }
        for file in &validated.pending {
            writeln!(out, "not applied yet: {file}")?;
        }
        if let Some(flaw) = validated.flaw {
            writeln!(out, "{flaw}")?;
        }
        let (set, version) = (escape_controls(&work.name), at(validated.version));
        match comparison.agrees() {
            true => writeln!(out, "`{set}` is what {version} declares"),
            false => writeln!(out, "`{set}` is not what {version} declares"),
        }
    })?;
    Ok(Exit::of_leftovers(!comparison.agrees() || !validated.pending.is_empty() || validated.flaw.is_some()))
}
