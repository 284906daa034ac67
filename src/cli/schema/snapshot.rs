//! `schema snapshot DIR`: writes the declared schema of every version.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::{engine, json, print};
use crate::config::Config;
use crate::model::Owner;
use crate::schema::build::{build, Built};

use super::args::SnapshotArgs;
use super::job::{failure, Work};
use super::shown::VERSION;

pub fn run(args: &SnapshotArgs, config: &Config) -> Result<Exit, Failure> {
    let work = Work::open(&args.set, config)?;
    work.announce();
    let by = engine::holder("schema snapshot");
    let built = build(&*work.target, &work.set, Owner::Application, &by).map_err(failure)?;
    let changed: Vec<&Built> = built.iter().filter(|built| !built.is_there).collect();
    if !args.check {
        for built in &changed {
            write(&args.set.dir()?.join(&built.file), &built.text)?;
        }
    }
    print(|out| {
        let names: Vec<&str> = changed.iter().map(|built| built.file.as_str()).collect();
        if args.set.json {
            let key = if args.check { "differs" } else { "written" };
            return json::write_line(out, &json!({"version": VERSION, "set": work.name, key: names}));
        }
        for name in &names {
            match args.check {
                true => writeln!(out, "{name} is not what the migrations make")?,
                false => writeln!(out, "wrote {name}")?,
            }
        }
        match (names.is_empty(), args.check) {
            (true, _) => writeln!(out, "{} declared schemas are what the migrations make", built.len()),
            (false, true) => Ok(()),
            (false, false) => writeln!(out, "look at the difference before you commit it"),
        }
    })?;
    Ok(Exit::of_leftovers(args.check && !changed.is_empty()))
}

/// In one piece: half a file would be one that nothing reads.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error| Failure::new(anyhow::Error::new(error).context(format!("cannot write `{}`", path.display())));
    let mut beside: PathBuf = path.to_owned();
    beside.set_extension("json.new");
    fs::write(&beside, text).and_then(|()| fs::rename(&beside, path)).map_err(failed)
}
