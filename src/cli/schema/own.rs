//! `schema apply` and `schema validate` without a directory: transload's own tables and the format's,
//! from the migrations that are built in.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::{console, engine, json, parts, print};
use crate::config::Config;
use crate::model::path::escape_controls;
use crate::schema::{self, Standing};
use crate::target::{Durability, Holder, Lock, LockError, Target};

use super::args::{ApplyArgs, Set};
use super::shown::VERSION;

/// The pause between two tries to get the lock.
const PAUSE: Duration = Duration::from_millis(200);

pub fn apply(args: &ApplyArgs, config: &Config) -> Result<Exit, Failure> {
    let allow = &args.allow;
    let chosen = args.set.set.is_some() || args.to.is_some();
    if chosen || allow.allow_destructive || allow.accept_comment_changes {
        let hint = "give the directory, or leave the option out".to_owned();
        return Err(Failure::usage("this option is for the migrations of a directory", Some(hint)));
    }
    let (format, target) = (engine::format(config)?, engine::target(config)?);
    let dialect = target.capabilities().dialect;
    parts::check(config, format, dialect, &[])?;
    console::write_stderr(format!("target {}\n", escape_controls(&target.name())).as_bytes());
    // A database that is not there yet comes with the connection, before a lock beside it is taken.
    let mut connection = target.connect(Durability::Full).map_err(Failure::new)?;
    // The lock of `migrate`, which must not meet tables that change.
    let _lock = lock(&*target, args.waits.wait)?;
    let mut wanted = config.with.clone();
    wanted.extend(schema::parts_of(&mut *connection, dialect, format.name()).map_err(Failure::new)?);
    let tables = parts::with(format, dialect, &wanted).tables();
    let prepared =
        schema::upgrade_with(&mut *connection, dialect, format.name(), tables, &wanted).map_err(Failure::new)?;
    print(|out| {
        if args.set.json {
            let (applied, adopted) = (&prepared.applied, &prepared.adopted);
            return json::write_line(
                out,
                &json!({"version": VERSION, "target": target.name(), "applied": applied, "adopted": adopted}),
            );
        }
        for file in &prepared.applied {
            writeln!(out, "applied {file}")?;
        }
        for file in &prepared.adopted {
            writeln!(out, "found in place: {file}")?;
        }
        match prepared.applied.is_empty() && prepared.adopted.is_empty() {
            true => writeln!(out, "nothing to do: transload's tables are up to date"),
            false => writeln!(out, "transload's tables are up to date"),
        }
    })?;
    Ok(Exit::Done)
}

fn lock(target: &dyn Target, wait: Duration) -> Result<Box<dyn Lock>, Failure> {
    let holder = Holder { name: engine::holder("schema apply"), since: crate::model::Instant::now() };
    let begin = Instant::now();
    loop {
        match target.lock(&holder) {
            Err(LockError::Held { .. }) if begin.elapsed() < wait => std::thread::sleep(PAUSE),
            result => {
                let hint = "wait for it to end, or stop it; --wait SECONDS waits longer";
                return result.map_err(|error| Failure::new(error).with_hint(hint));
            }
        }
    }
}

pub fn validate(set: &Set, config: &Config) -> Result<Exit, Failure> {
    let (format, target) = (engine::format(config)?, engine::target(config)?);
    console::write_stderr(format!("target {}\n", escape_controls(&target.name())).as_bytes());
    if !target.exists() {
        return Err(engine::never_migrated(&*target));
    }
    let mut reader = target.schema_reader().map_err(Failure::new)?;
    let dialect = target.capabilities().dialect;
    let standings = schema::standing(&mut *reader, dialect, format.name()).map_err(Failure::new)?;
    if standings.iter().all(|standing| standing.version.is_none()) {
        return Err(engine::never_migrated(&*target));
    }
    print(|out| match set.json {
        true => {
            let shown = |standing: &Standing| {
                json!({
                    "set": standing.schema, "at": standing.version, "pending": standing.pending,
                    "left_out": standing.left_out,
                    "adopted": standing.adopted, "agrees": standing.comparison.agrees(),
                    "differences": standing.comparison.differences,
                    "out_of_scope": standing.comparison.out_of_scope,
                })
            };
            let schemas: Vec<_> = standings.iter().map(shown).collect();
            json::write_line(out, &json!({"version": VERSION, "target": target.name(), "schemas": schemas}))
        }
        false => standings.iter().try_for_each(|standing| write(out, standing)),
    })?;
    let is_wrong =
        |standing: &Standing| !standing.pending.is_empty() || (!standing.adopted && !standing.comparison.agrees());
    Ok(Exit::of_leftovers(standings.iter().any(is_wrong)))
}

fn write(out: &mut dyn std::io::Write, standing: &Standing) -> std::io::Result<()> {
    // Tables that the application made may have other indexes than ours.
    let word = if standing.adopted { "warning" } else { "difference" };
    for difference in &standing.comparison.differences {
        writeln!(out, "{word}: {}", escape_controls(&difference.to_string()))?;
    }
    for file in &standing.pending {
        writeln!(out, "not applied yet: {}/{file}", standing.schema)?;
    }
    for file in standing.left_out.iter().filter(|_| standing.version.is_some()) {
        writeln!(out, "not asked for: {}/{file} (optional)", standing.schema)?;
    }
    let (schema, agrees) = (&standing.schema, standing.comparison.agrees());
    match (standing.version, agrees) {
        (None, _) => writeln!(out, "`{schema}` has no tables here yet"),
        (Some(version), true) => writeln!(out, "`{schema}` is what version {version:04} declares"),
        (Some(version), false) => writeln!(out, "`{schema}` is not what version {version:04} declares"),
    }
}
