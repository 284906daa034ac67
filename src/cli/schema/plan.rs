//! `schema plan DIR`: what `apply` would run.

use serde_json::json;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::{json, print};
use crate::config::Config;
use crate::model::path::escape_controls;
use crate::schema::look::Look;
use crate::schema::plan::plan;

use super::args::PlanArgs;
use super::job::{allowed, failure, refused, Work};
use super::shown::{at, VERSION};

pub fn run(args: &PlanArgs, config: &Config) -> Result<Exit, Failure> {
    let work = Work::open(&args.set, config)?;
    work.announce();
    let look = Look::at(&*work.target, &work.set, &work.name).map_err(failure)?;
    let plan = plan(&work.set, &look.history, &allowed(&args.allow, config)).map_err(refused)?;
    print(|out| {
        if args.set.json {
            let step = |file: &&crate::schema::files::MigrationFile| {
                json!({
                    "number": file.number, "file": file.file, "statements": file.statements.len(),
                    "transaction": file.header.no_transaction.is_none(), "destructive": file.header.destructive.is_some(),
                })
            };
            let names = |files: &[&crate::schema::files::MigrationFile]| -> Vec<String> {
                files.iter().map(|file| file.file.clone()).collect()
            };
            return json::write_line(
                out,
                &json!({
                    "version": VERSION, "target": work.target.name(), "set": work.name, "at": look.version(),
                    "steps": plan.steps.iter().map(step).collect::<Vec<_>>(),
                    "reworded": names(&plan.reworded), "left_out": names(&plan.left_out),
                }),
            );
        }
        for file in &plan.steps {
            let statements = file.statements.len();
            let mut notes = vec![format!("{statements} statement{}", if statements == 1 { "" } else { "s" })];
            notes.extend(file.header.no_transaction.as_ref().map(|_| "outside of a transaction".to_owned()));
            notes.extend(file.header.destructive.as_ref().map(|_| "loses data".to_owned()));
            writeln!(out, "would apply {} ({})", file.file, notes.join(", "))?;
            for statement in file.statements.iter().filter(|_| args.sql) {
                writeln!(out, "    {};", escape_lines(file.sql(statement)))?;
            }
        }
        for file in &plan.reworded {
            writeln!(out, "would accept the new comments of {}", file.file)?;
        }
        for file in &plan.left_out {
            writeln!(out, "would leave out {} (optional)", file.file)?;
        }
        let set = escape_controls(&work.name);
        match plan.steps.is_empty() {
            true => writeln!(out, "nothing to do: `{set}` is at {}", at(look.version())),
            false => writeln!(out, "`{set}` is at {}; nothing was changed", at(look.version())),
        }
    })?;
    Ok(Exit::Done)
}

fn escape_lines(sql: &str) -> String {
    sql.lines().map(escape_controls).collect::<Vec<_>>().join("\n    ")
}
