//! `export DIR`: the legacy files again, from the database as it is now.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::config::Config;
use crate::export::{self, ExportError, Job, KindTally, NotExported, Refused, Report, Settings, TableTally};
use crate::model::path::escape_controls;

use super::args::ExportArgs;
use super::engine::{self, Watch};
use super::exit::Exit;
use super::failure::Failure;
use super::human::{bytes, columns, duration, thousands, Side};
use super::{console, json, migrate, print};

/// The version of the JSON object. It grows when a member changes its meaning or goes away.
pub const VERSION: u32 = 1;

/// How many refused documents are written out for people.
const SHOWN: usize = 20;

/// More threads than these wait for the file system.
const MOST_WRITERS: usize = 8;

/// Runs `export`.
pub fn run(args: &ExportArgs, config: &Config, quiet: bool) -> Result<Exit, Failure> {
    let format = engine::format(config)?;
    let known: Vec<&'static str> = format.kinds().iter().map(|kind| kind.name).collect();
    let only = migrate::each_known("--only", &args.only, &known)?;
    let kinds = engine::kinds(format, if only.is_empty() { &known } else { &only });
    let target = engine::target(config)?;
    console::write_stderr(format!("target {}\n", escape_controls(&target.name())).as_bytes());
    let writers = config.readers.clamp(1, MOST_WRITERS);
    let engine::Readers { connections, format } =
        engine::readers(&*target, format, export::FEWEST_READERS - 1 + writers)?;
    let stop = engine::begin(config)?;
    let watch = Watch::start(quiet);
    watch.progress.set_work("export");
    let settings =
        Settings { format, kinds: &kinds, whole_bytes: config.whole_bytes, stop: &stop, progress: &watch.progress };
    let exported = export::export(&Job { directory: &args.dir, settings, tick: &|now| watch.tick(now) }, connections);
    drop(watch);
    let report = exported.map_err(|error: ExportError| {
        let hint = error.hint().map(str::to_owned);
        Failure { hint, ..Failure::new(error) }
    })?;
    print(|out| match args.json {
        true => write_json(out, &report, &args.dir, &target.name()),
        false => write_text(out, &report, &args.dir),
    })?;
    Ok(match report.stopped {
        Some(signal) => Exit::of_signal(signal),
        None => Exit::of_leftovers(report.has_leftovers()),
    })
}

fn write_text(out: &mut dyn Write, report: &Report, directory: &Path) -> io::Result<()> {
    out.write_all(tables(report).as_bytes())?;
    let total = report.total();
    let n = thousands;
    writeln!(
        out,
        "\ndocuments  {} in the ledger = {} exported + {} gone + {} refused",
        n(total.documents),
        n(total.exported),
        n(total.gone),
        n(total.refused)
    )?;
    if total.added + total.added_refused > 0 {
        writeln!(
            out,
            "           {} more of rows that no document had, {} of such rows refused",
            n(total.added),
            n(total.added_refused)
        )?;
    }
    writeln!(
        out,
        "written    {} files, {}, {}",
        n(report.files),
        bytes(report.bytes),
        duration(Duration::from_secs_f64(report.seconds))
    )?;
    if report.rejected > 0 {
        writeln!(
            out,
            "rejects    {} documents were never loaded ({} of them accepted): `transload rejects export` has their files",
            n(report.rejected),
            n(report.rejects_accepted)
        )?;
    }
    for left in &report.not_exported {
        let first: Vec<String> = left.first.iter().map(ToString::to_string).collect();
        let first = if first.is_empty() { String::new() } else { format!(": {}", first.join(", ")) };
        writeln!(out, "left       {} rows of `{}` have no place in any file{first}", n(left.rows), left.table)?;
    }
    for refused in report.refused.iter().take(SHOWN) {
        let Refused { kind, key, file, why } = refused;
        let file = if file.is_empty() { String::new() } else { format!(" `{}`", escape_controls(file)) };
        writeln!(out, "refused    {kind} {}{file}: {}", escape_controls(key), escape_controls(why))?;
    }
    if report.refused.len() > SHOWN {
        writeln!(out, "refused    and {} more", n((report.refused.len() - SHOWN) as u64))?;
    }
    if let Some(signal) = report.stopped {
        let shown = escape_controls(&directory.to_string_lossy());
        writeln!(
            out,
            "stopped by {}: `{shown}` is unfinished; remove it and run the same command again",
            signal.name()
        )?;
    }
    Ok(())
}

/// Documents by kind and rows by table.
fn tables(report: &Report) -> String {
    let number = |count: &u64| thousands(*count);
    let mut lines =
        vec![["documents", "in ledger", "exported", "gone", "refused", "added"].map(str::to_owned).to_vec()];
    for (kind, tally) in &report.kinds {
        let counts = [tally.documents, tally.exported, tally.gone, tally.refused, tally.added];
        lines.push([(*kind).to_owned()].into_iter().chain(counts.iter().map(number)).collect());
    }
    let sides = [Side::Left, Side::Right, Side::Right, Side::Right, Side::Right, Side::Right, Side::Right, Side::Right];
    let documents = columns(&sides[..6], &lines);
    let heads = ["rows", "in database", "exported", "edited", "added", "deleted", "placeholders", "left"];
    let mut lines = vec![heads.map(str::to_owned).to_vec()];
    for (table, tally) in &report.tables {
        let rows = tally.rows.map_or_else(|| "-".to_owned(), thousands);
        let counts = [tally.exported, tally.edited, tally.added, tally.deleted, tally.placeholders, tally.not_exported];
        lines.push([(*table).to_owned(), rows].into_iter().chain(counts.iter().map(number)).collect());
    }
    format!("{documents}\n{}", columns(&sides, &lines))
}

/// The summary for programs.
#[derive(Serialize)]
struct Summary<'a> {
    version: u32,
    command: &'static str,
    /// The database without its password.
    target: &'a str,
    directory: PathBuf,
    /// Whether the tree is whole; if not, it is marked as unfinished.
    finished: bool,
    stopped_by: Option<&'static str>,
    seconds: f64,
    files: u64,
    bytes: u64,
    documents: KindTally,
    kinds: &'a BTreeMap<&'static str, KindTally>,
    tables: &'a BTreeMap<&'static str, TableTally>,
    refused: &'a [Refused],
    not_exported: &'a [NotExported],
    rejected: u64,
    rejects_accepted: u64,
}

fn write_json(out: &mut dyn Write, report: &Report, directory: &Path, target: &str) -> io::Result<()> {
    json::write_line(
        out,
        &Summary {
            version: VERSION,
            command: "export",
            target,
            directory: directory.to_string_lossy().into_owned().into(),
            finished: report.stopped.is_none(),
            stopped_by: report.stopped.map(|signal| signal.name()),
            seconds: report.seconds,
            files: report.files,
            bytes: report.bytes,
            documents: report.total(),
            kinds: &report.kinds,
            tables: &report.tables,
            refused: &report.refused,
            not_exported: &report.not_exported,
            rejected: report.rejected,
            rejects_accepted: report.rejects_accepted,
        },
    )
}
