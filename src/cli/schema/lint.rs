//! `schema lint DIR`: the rules, checked on files.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::{json, print};
use crate::config::Config;
use crate::model::path::escape_controls;
use crate::schema::files::MigrationSet;
use crate::schema::lint::{lint, Finding};
use crate::schema::sql::Dialect;

use super::directory;

#[derive(Args, Debug)]
pub struct LintArgs {
    /// The directory with the migration files
    pub dir: PathBuf,
    /// Whose SQL it is: postgres or sqlite [default: as the directory is called, or as --db says]
    #[arg(long, value_parser = directory::dialect_named, value_name = "NAME")]
    pub dialect: Option<Dialect>,
    /// The findings as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// Runs `schema lint`.
pub fn run(args: &LintArgs, config: &Config) -> Result<Exit, Failure> {
    let dialect = directory::dialect(args.dialect, &args.dir, config)?;
    let set = directory::read(&args.dir, dialect)?;
    let findings = lint(&set);
    match args.json {
        true => print(|out| json::write_line(out, &Shown::of(&args.dir, &set, &findings)))?,
        false => print(|out| write(out, &args.dir, &set, &findings))?,
    }
    Ok(Exit::of_leftovers(findings.iter().any(Finding::is_error)))
}

/// A paragraph a file, errors first, then rule by rule; what to do is said once for findings that
/// follow each other.
fn write(out: &mut dyn Write, directory: &Path, set: &MigrationSet, findings: &[Finding]) -> io::Result<()> {
    for of_file in findings.chunk_by(|a, b| a.file == b.file) {
        let mut by_rule: Vec<&Finding> = of_file.iter().filter(|finding| finding.silenced.is_none()).collect();
        by_rule.sort_by_key(|finding| (finding.rule.severity, finding.rule.number));
        for (at, finding) in by_rule.iter().enumerate() {
            let rule = finding.rule;
            let (severity, number, name) = (rule.severity.name(), rule.number, rule.name);
            let message = escape_controls(&finding.message);
            writeln!(out, "{}: {severity} {number} {name}: {message}", place(directory, finding))?;
            let next = by_rule.get(at + 1);
            if next.is_none_or(|next| next.rule != rule || next.help != finding.help) {
                writeln!(out, "    help: {}", escape_controls(&finding.help))?;
            }
        }
        write_silenced(out, directory, of_file)?;
        writeln!(out)?;
    }
    let (errors, warnings, silenced) = counts(findings);
    let mut found = match (errors, warnings) {
        (0, 0) => "no findings".to_owned(),
        _ => format!("{}, {}", counted(errors, "error"), counted(warnings, "warning")),
    };
    if silenced > 0 {
        found += &format!(", {silenced} silenced");
    }
    writeln!(out, "{} for {}: {found}", counted(set.files.len(), "migration file"), set.dialect.title())
}

/// A line a rule of one file, with the reason that the file gives.
fn write_silenced(out: &mut dyn Write, directory: &Path, of_file: &[Finding]) -> io::Result<()> {
    let mut silenced: Vec<&Finding> = of_file.iter().filter(|finding| finding.silenced.is_some()).collect();
    silenced.sort_by_key(|finding| finding.rule.number);
    for of_rule in silenced.chunk_by(|a, b| a.rule == b.rule) {
        let (first, count) = (of_rule[0], of_rule.len());
        let (rule, reason) = (first.rule, first.silenced.as_deref().unwrap_or_default());
        let path = escape_controls(&directory.join(&first.file).display().to_string()).to_string();
        let reason = escape_controls(reason);
        writeln!(out, "{path}: silenced {} {}, {}: {reason}", rule.number, rule.name, counted(count, "warning"))?;
    }
    Ok(())
}

/// `file:line:column` as far as it is known.
fn place(directory: &Path, finding: &Finding) -> String {
    let path = match finding.file.as_str() {
        "" => directory.display().to_string(),
        file => directory.join(file).display().to_string(),
    };
    let path = escape_controls(&path).to_string();
    match finding.place {
        Some(place) => format!("{path}:{}:{}", place.line, place.column),
        None => path,
    }
}

fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

/// Errors, warnings, and warnings that were silenced.
fn counts(findings: &[Finding]) -> (usize, usize, usize) {
    let errors = findings.iter().filter(|finding| finding.is_error()).count();
    let warnings = findings.iter().filter(|finding| finding.is_warning()).count();
    (errors, warnings, findings.len() - errors - warnings)
}

/// The JSON. A new member leaves its version as it is; one that goes or changes its meaning does not.
#[derive(Serialize)]
struct Shown<'f> {
    version: u32,
    directory: String,
    dialect: &'static str,
    files: usize,
    errors: usize,
    warnings: usize,
    silenced: usize,
    findings: Vec<ShownFinding<'f>>,
}

#[derive(Serialize)]
struct ShownFinding<'f> {
    /// Null for the directory as a whole.
    file: Option<&'f str>,
    line: Option<u32>,
    column: Option<u32>,
    rule: &'static str,
    name: &'static str,
    severity: &'static str,
    message: &'f str,
    help: &'f str,
    /// The reason that the file gives, where the finding does not count.
    silenced: Option<&'f str>,
}

impl<'f> Shown<'f> {
    fn of(directory: &Path, set: &MigrationSet, findings: &'f [Finding]) -> Shown<'f> {
        let (errors, warnings, silenced) = counts(findings);
        let shown = |finding: &'f Finding| ShownFinding {
            file: Some(finding.file.as_str()).filter(|file| !file.is_empty()),
            line: finding.place.map(|place| place.line),
            column: finding.place.map(|place| place.column),
            rule: finding.rule.number,
            name: finding.rule.name,
            severity: finding.rule.severity.name(),
            message: &finding.message,
            help: &finding.help,
            silenced: finding.silenced.as_deref(),
        };
        Shown {
            version: 1,
            directory: directory.display().to_string(),
            dialect: set.dialect.name(),
            files: set.files.len(),
            errors,
            warnings,
            silenced,
            findings: findings.iter().map(shown).collect(),
        }
    }
}
