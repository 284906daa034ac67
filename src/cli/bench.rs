//! `bench`: how fast this is here, beside what nobody can do without.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::bench::{self, BenchError, Case, Database, Options, Programs, Report, Size, Told, Wanted};
use crate::config::Config;
use crate::exec::Stop;

use super::engine;
use super::exit::Exit;
use super::failure::Failure;
use super::human::{bytes, columns, thousands, Side};
use super::output_file::{OutputFile, PUBLIC};
use super::print;
use super::{console, json};

#[derive(Args, Debug)]
pub struct BenchArgs {
    /// Messages in the tree that is made; several sizes make several runs
    #[arg(long, value_delimiter = ',', default_value = "10000", value_name = "N,...", value_parser = clap::value_parser!(u64).range(1..))]
    pub records: Vec<u64>,
    /// Into which database [default: postgres, a private server unless --db names one]
    #[arg(long, value_enum, value_name = "DATABASE")]
    pub target: Option<Kind>,
    /// Only these cases, e.g. floor2,migrate; a ratio needs both sides [default: all]
    #[arg(long, value_delimiter = ',', value_name = "NAME,...")]
    pub cases: Vec<String>,
    /// How often each case is run; the median counts
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// One JSON object on stdout
    #[arg(long)]
    pub json: bool,
    /// A page with the figures as plots
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    Sqlite,
    Postgres,
}

/// Runs `bench`. `db`: what the command line says, and nothing else: databases are made there.
pub fn run(args: &BenchArgs, config: &Config, db: Option<&OsStr>, quiet: bool) -> Result<Exit, Failure> {
    let html = args.html.as_deref();
    let html = html.map(|path| OutputFile::beside_no_source(path, "page", PUBLIC)).transpose()?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let program = std::env::current_exe().map_err(|error| {
        Failure::new(anyhow::Error::new(error).context("cannot find the program that is to be measured"))
    })?;
    let database = database(args.target, db, &path)?;
    let options = Options {
        records: args.records.clone(),
        cases: wanted(&args.cases, database.cases())?,
        database,
        rounds: args.rounds as usize,
        connections: std::thread::available_parallelism().map_or(1, usize::from).min(8),
        program,
        temporary: std::env::temp_dir(),
    };
    let stop: Stop = engine::begin(config)?;
    let tell = |told: Told| {
        if !quiet {
            console::write_stderr(told_line(&told).as_bytes());
        }
    };
    let report = match bench::run(&options, &stop, &tell) {
        Ok(report) => report,
        Err(BenchError::Stopped(signal)) => return Ok(Exit::of_signal(signal)),
        Err(error) => return Err(Failure::new(error)),
    };
    if let Some(html) = &html {
        html.write(&bench::page::html(&report))?;
    }
    print(|out| if args.json { json::write_line(out, &report) } else { write_text(out, &report) })?;
    Ok(Exit::Done)
}

fn database(kind: Option<Kind>, db: Option<&OsStr>, path: &OsStr) -> Result<Database, Failure> {
    let url = db.map(|url| url.to_string_lossy().into_owned());
    if url.as_ref().is_some_and(|url| !url.starts_with("postgres://") && !url.starts_with("postgresql://")) {
        let hint = "files for SQLite are made by themselves: --target sqlite";
        return Err(Failure::usage("--db of a benchmark is the URL of a PostgreSQL server", Some(hint.into())));
    }
    match (kind, url) {
        (Some(Kind::Sqlite), Some(_)) => {
            Err(Failure::usage("--target sqlite and the URL of a server exclude each other", None))
        }
        (Some(Kind::Sqlite), None) => Ok(Database::Sqlite { shell: find(path, "sqlite3") }),
        (_, url) => {
            let programs = Programs::find(path).map_err(Failure::new)?;
            Ok(match url {
                Some(url) => Database::Server { programs, url: OsString::from(url) },
                None => Database::Private { programs },
            })
        }
    }
}

fn wanted(names: &[String], known: &[&str]) -> Result<Wanted, Failure> {
    match names.iter().find(|name| !known.contains(&name.as_str())) {
        Some(unknown) => {
            let hint = format!("cases of this database: {}", known.join(", "));
            Err(Failure::usage(format!("there is no case `{unknown}`"), Some(hint)))
        }
        None => Ok(Wanted::new(names.to_vec())),
    }
}

fn find(path: &OsStr, name: &str) -> Option<PathBuf> {
    std::env::split_paths(path).map(|directory| directory.join(name)).find(|program| program.is_file())
}

fn told_line(told: &Told) -> String {
    match told {
        Told::Tree { records } => format!("{} messages: making the tree\n", thousands(*records)),
        Told::Prepares { records } => format!("{} messages: preparing\n", thousands(*records)),
        Told::Case { records, name, round, rounds } => {
            format!("{} messages: round {round} of {rounds}: {name}\n", thousands(*records))
        }
    }
}

fn write_text(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let memory = report.machine.memory.map_or_else(|| "unknown memory".to_owned(), bytes);
    let machine = &report.machine;
    writeln!(out, "{}, {}, {} cores, {memory}", report.database, machine.system, machine.cores)?;
    writeln!(out, "medians of {} rounds, one case after the other; {} connections", report.rounds, report.connections)?;
    for size in &report.sizes {
        writeln!(
            out,
            "\n{} messages in {} files, {}",
            thousands(size.records),
            thousands(size.files),
            bytes(size.bytes)
        )?;
        out.write_all(table(size).as_bytes())?;
        for ratio in &size.ratios {
            writeln!(out, "{} is {:.2} x {}", ratio.case, ratio.ratio, ratio.to.join(" + "))?;
        }
    }
    for left_out in &report.left_out {
        writeln!(out, "not measured: {left_out}")?;
    }
    Ok(())
}

fn table(size: &Size) -> String {
    const NONE: &str = "-";
    let heads = ["case", "time", "rows/s", "bytes/s", "CPU", "peak", "WAL", "commits/s", "p50 p95 p99 ms", ""];
    let whole = |number: f64| number.round() as u64;
    let line = |case: &Case| -> Vec<String> {
        let or_none = |text: Option<String>| text.unwrap_or_else(|| NONE.to_owned());
        vec![
            case.name.to_owned(),
            bench::time(case.seconds),
            or_none(case.rows_per_second().map(|it| thousands(whole(it)))),
            or_none(case.bytes_per_second().map(|it| bytes(whole(it)))),
            or_none(case.cpu_seconds.map(bench::time)),
            or_none(case.peak_bytes.map(bytes)),
            or_none(case.wal_bytes.map(bytes)),
            or_none(case.commits_per_second().map(|it| thousands(whole(it)))),
            or_none(case.commits.map(|it| [it.p50, it.p95, it.p99].map(|it| format!("{:.1}", it * 1e3)).join(" "))),
            match &case.mode {
                Some(mode) => format!("{} ({mode})", case.what),
                None => case.what.to_owned(),
            },
        ]
    };
    let cases: Vec<Vec<String>> = size.cases.iter().map(line).collect();
    // SQLite has no WAL of this kind: what no case has takes no room.
    let shown: Vec<usize> =
        (0..heads.len()).filter(|&column| cases.iter().any(|cells| cells[column] != NONE)).collect();
    let picked = |cells: &[String]| shown.iter().map(|&column| cells[column].clone()).collect();
    let lines: Vec<Vec<String>> =
        std::iter::once(heads.map(str::to_owned).to_vec()).chain(cases).map(|cells| picked(&cells)).collect();
    let mut sides = vec![Side::Right; shown.len()];
    (sides[0], sides[shown.len() - 1]) = (Side::Left, Side::Left);
    columns(&sides, &lines)
}
