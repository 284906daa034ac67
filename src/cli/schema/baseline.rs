//! `schema baseline DIR --at NNNN`: adopts a database that has its tables already.

use serde_json::json;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::{engine, json, print};
use crate::config::Config;
use crate::exec::Stop;
use crate::model::path::escape_controls;
use crate::schema::plan::Allowed;
use crate::schema::run;

use super::args::BaselineArgs;
use super::job::{failure, silent, Work};
use super::shown::VERSION;

pub fn run(args: &BaselineArgs, config: &Config) -> Result<Exit, Failure> {
    let work = Work::open(&args.set, config)?;
    work.announce();
    let (by, stop) = (engine::holder("schema baseline"), Stop::new());
    let job = work.job(Allowed::default(), &args.waits, &by, &stop, &silent);
    let done = run::baseline(&job, args.at).map_err(failure)?;
    print(|out| {
        if args.set.json {
            return json::write_line(
                out,
                &json!({
                    "version": VERSION, "target": work.target.name(), "set": work.name, "at": args.at,
                    "recorded": done.recorded, "left_out": done.left_out,
                    "warnings": done.comparison.differences, "out_of_scope": done.comparison.out_of_scope,
                }),
            );
        }
        for file in &done.recorded {
            writeln!(out, "recorded {file}")?;
        }
        for file in &done.left_out {
            writeln!(out, "left out {file} (optional)")?;
        }
        for warning in &done.comparison.differences {
            writeln!(out, "warning: {}", escape_controls(&warning.to_string()))?;
        }
        for object in &done.comparison.out_of_scope {
            writeln!(out, "not part of this schema: {}", escape_controls(object))?;
        }
        writeln!(out, "`{}` is at version {:04}; nothing was changed", escape_controls(&work.name), args.at)
    })?;
    Ok(Exit::Done)
}
