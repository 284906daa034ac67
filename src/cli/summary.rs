//! The summary of a run: a table for people, or with `--json` one object for programs
//! (`docs/summary.md`).

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use uuid::Uuid;

use crate::exec::Quantiles;
use crate::model::path::escape_controls;
use crate::model::summary::{DocumentTally, FileTally, NotMigrated, TableTally};
use crate::model::Summary;
use crate::pipeline::{Finding, What};

use super::human::{bytes, columns, duration, per_second, thousands, Side};
use super::json;

/// The version of the JSON object. It grows when a member changes its meaning or goes away.
pub const VERSION: u32 = 1;

/// What is to be said of a run beside its counts.
#[derive(Clone, Debug, PartialEq)]
pub struct RunReport {
    pub command: &'static str,
    pub run: Uuid,
    pub source: PathBuf,
    /// The database without its password.
    pub target: String,
    pub dry_run: bool,
    /// How rows were written: `bulk` or `online`, ...
    pub mode: String,
    /// Why that way.
    pub mode_reason: String,
    pub time: Duration,
    /// How long batches took from their begin to their commit.
    pub commits: Quantiles,
    /// Where this run's rejects are, if it had any.
    pub rejects: Option<PathBuf>,
    /// The signal that ended it early.
    pub stopped_by: Option<&'static str>,
    /// The command that goes on, if there is anything to go on with.
    pub resume: Option<String>,
}

/// How many findings are written out for people.
const SHOWN: usize = 20;

pub fn write_text(out: &mut dyn Write, summary: &Summary, report: &RunReport) -> io::Result<()> {
    out.write_all(tables(summary).as_bytes())?;
    let f = &summary.files;
    writeln!(
        out,
        "\nfiles      {} found = {} in documents + {} not migrated + {} unreadable + {} vanished",
        thousands(f.found),
        thousands(f.in_documents),
        thousands(f.not_migrated),
        thousands(f.unreadable),
        thousands(f.vanished)
    )?;
    let d = &summary.documents;
    writeln!(
        out,
        "documents  {} found = {} loaded + {} updated + {} unchanged + {} rejected + {} conflicts + {} failed",
        thousands(d.found),
        thousands(d.loaded),
        thousands(d.updated),
        thousands(d.unchanged),
        thousands(d.rejected),
        thousands(d.conflicts),
        thousands(d.failed)
    )?;
    if let Err(unbalanced) = summary.check() {
        writeln!(
            out,
            "THE COUNTS DO NOT ADD UP: {unbalanced}; this is a mistake of transload's own, please report it"
        )?;
    }
    write_counts(out, &rejected_title(summary, report), &summary.reasons)?;
    write_counts(out, "notes on loaded documents", &summary.notes)?;
    write_not_migrated(out, &summary.not_migrated)?;
    if summary.removed > 0 {
        let kept = summary.removed - summary.pruned.min(summary.removed);
        writeln!(
            out,
            "\nremoved    {} documents whose files are gone: {} taken out, {} kept (--prune takes them out)",
            thousands(summary.removed),
            thousands(summary.pruned),
            thousands(kept)
        )?;
    }
    writeln!(out)?;
    if report.dry_run {
        writeln!(out, "dry run    all of it was rolled back; nothing was written")?;
    }
    if let Some(signal) = report.stopped_by {
        writeln!(out, "stopped    by {signal}, after the batches under way")?;
    }
    writeln!(out, "mode       {}: {}", report.mode, escape_controls(&report.mode_reason))?;
    writeln!(out, "run        {}", report.run)?;
    writeln!(
        out,
        "time       {} ({} rows/s, {}/s)",
        duration(report.time),
        thousands(per_second(summary.rows, report.time)),
        bytes(per_second(summary.bytes, report.time))
    )?;
    if let Some(resume) = &report.resume {
        writeln!(out, "go on with {}", escape_controls(resume))?;
    }
    Ok(())
}

fn tables(summary: &Summary) -> String {
    let heads = ["table", "documents", "rows", "unchanged", "rejected", "bytes"];
    let mut lines = vec![heads.map(str::to_owned).to_vec()];
    let mut total = TableTally::default();
    let line = |name: &str, tally: &TableTally| {
        let counts = [tally.documents, tally.rows, tally.unchanged, tally.rejected].map(thousands);
        [vec![name.to_owned()], counts.to_vec(), vec![bytes(tally.bytes)]].concat()
    };
    for (name, tally) in &summary.tables {
        lines.push(line(name, tally));
        total.documents += tally.documents;
        total.rows += tally.rows;
        total.unchanged += tally.unchanged;
        total.rejected += tally.rejected;
        total.bytes += tally.bytes;
    }
    lines.push(line("total", &total));
    columns(&[Side::Left, Side::Right, Side::Right, Side::Right, Side::Right, Side::Right], &lines)
}

fn rejected_title(summary: &Summary, report: &RunReport) -> String {
    let mut title = "rejected".to_owned();
    if summary.accepted > 0 {
        title += &format!(", {} of them accepted with a reason", thousands(summary.accepted));
    }
    if let Some(directory) = &report.rejects {
        title += &format!(", kept in {}", shown(directory));
    }
    title
}

/// A title and one line a code; nothing if there is nothing to count.
pub(super) fn write_counts(out: &mut dyn Write, title: &str, counts: &BTreeMap<&'static str, u64>) -> io::Result<()> {
    if counts.is_empty() {
        return Ok(());
    }
    let line = |(code, count): (&&str, &u64)| vec![format!("  {code}"), thousands(*count)];
    let lines: Vec<Vec<String>> = counts.iter().map(line).collect();
    write!(out, "\n{title}\n{}", columns(&[Side::Left, Side::Right], &lines))
}

pub(super) fn write_not_migrated(
    out: &mut dyn Write,
    found: &BTreeMap<(String, String), NotMigrated>,
) -> io::Result<()> {
    if found.is_empty() {
        return Ok(());
    }
    let line = |((layout, directory), count): (&(String, String), &NotMigrated)| {
        let files = format!("{} {}", thousands(count.files), if count.files == 1 { "file" } else { "files" });
        vec![format!("  {}", directory_name(directory)), layout.clone(), files, bytes(count.bytes)]
    };
    let mut sorted: Vec<_> = found.iter().collect();
    sorted.sort_by_key(|((layout, directory), _)| (directory, layout));
    let lines: Vec<Vec<String>> = sorted.into_iter().map(line).collect();
    write!(out, "\nnot migrated\n{}", columns(&[Side::Left, Side::Left, Side::Right, Side::Right], &lines))
}

fn directory_name(directory: &str) -> String {
    match directory {
        "" => "./".to_owned(),
        directory => format!("{}/", escape_controls(directory)),
    }
}

pub(super) fn shown(path: &Path) -> String {
    escape_controls(&path.to_string_lossy())
}

/// What somebody should look at, after the table.
pub fn write_findings(out: &mut dyn Write, findings: &[Finding]) -> io::Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nto look at")?;
    for finding in findings.iter().take(SHOWN) {
        let text = escape_controls(&finding.text);
        // A reject's text names its file already, with the place in it.
        match finding.what {
            What::Rejected | What::Accepted => writeln!(out, "  {}: {text}", finding.what.name())?,
            what => writeln!(out, "  {}: `{}`: {text}", what.name(), escape_controls(&finding.file))?,
        }
    }
    match findings.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => writeln!(out, "  and {more} more (--json lists up to 1,000)"),
        _ => Ok(()),
    }
}

pub fn write_json(out: &mut dyn Write, summary: &Summary, findings: &[Finding], report: &RunReport) -> io::Result<()> {
    json::write_line(out, &Object::new(summary, findings, report))
}

/// The JSON object, in the order of its members.
#[derive(Serialize)]
struct Object<'a> {
    version: u32,
    command: &'a str,
    run: String,
    source: String,
    target: &'a str,
    dry_run: bool,
    stopped_by: Option<&'a str>,
    mode: &'a str,
    mode_reason: &'a str,
    seconds: f64,
    commits: Quantiles,
    balanced: bool,
    files: &'a FileTally,
    documents: &'a DocumentTally,
    accepted: u64,
    removed: u64,
    pruned: u64,
    kept_edited: u64,
    rows: u64,
    bytes: u64,
    tables: Vec<TableLine<'a>>,
    not_migrated: Vec<NotMigratedLine<'a>>,
    reasons: &'a BTreeMap<&'static str, u64>,
    notes: &'a BTreeMap<&'static str, u64>,
    rejects: Option<String>,
    resume: Option<&'a str>,
    /// What somebody should look at; at most 1,000.
    findings: &'a [Finding],
}

#[derive(Serialize)]
struct TableLine<'a> {
    table: &'a str,
    #[serde(flatten)]
    tally: &'a TableTally,
}

#[derive(Serialize)]
pub(super) struct NotMigratedLine<'a> {
    layout: &'a str,
    directory: &'a str,
    #[serde(flatten)]
    count: &'a NotMigrated,
}

pub(super) fn not_migrated_lines(found: &BTreeMap<(String, String), NotMigrated>) -> Vec<NotMigratedLine<'_>> {
    found.iter().map(|((layout, directory), count)| NotMigratedLine { layout, directory, count }).collect()
}

impl<'a> Object<'a> {
    fn new(summary: &'a Summary, findings: &'a [Finding], report: &'a RunReport) -> Object<'a> {
        Object {
            version: VERSION,
            command: report.command,
            run: report.run.to_string(),
            source: report.source.to_string_lossy().into_owned(),
            target: &report.target,
            dry_run: report.dry_run,
            stopped_by: report.stopped_by,
            mode: &report.mode,
            mode_reason: &report.mode_reason,
            seconds: report.time.as_secs_f64(),
            commits: report.commits,
            balanced: summary.check().is_ok(),
            files: &summary.files,
            documents: &summary.documents,
            accepted: summary.accepted,
            removed: summary.removed,
            pruned: summary.pruned,
            kept_edited: summary.kept_edited,
            rows: summary.rows,
            bytes: summary.bytes,
            tables: summary.tables.iter().map(|(table, tally)| TableLine { table, tally }).collect(),
            not_migrated: not_migrated_lines(&summary.not_migrated),
            reasons: &summary.reasons,
            notes: &summary.notes,
            rejects: report.rejects.as_ref().map(|path| path.to_string_lossy().into_owned()),
            resume: report.resume.as_deref(),
            findings,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> (Summary, RunReport) {
        let mut summary = Summary {
            files: FileTally { found: 1217, in_documents: 1213, not_migrated: 3, unreadable: 1, vanished: 0 },
            documents: DocumentTally { found: 1210, loaded: 1200, rejected: 9, failed: 1, ..Default::default() },
            accepted: 2,
            removed: 4,
            pruned: 1,
            bytes: 6 << 20,
            rows: 24_000,
            ..Summary::default()
        };
        *summary.table_mut("users") =
            TableTally { documents: 200, rows: 200, unchanged: 0, rejected: 0, bytes: 1 << 20 };
        *summary.table_mut("messages") =
            TableTally { documents: 1000, rows: 23_800, unchanged: 0, rejected: 9, bytes: 5 << 20 };
        summary.reasons.insert("truncated", 9);
        summary.notes.insert("bom", 1);
        summary.not_migrated.insert(("11 call history".into(), "logs".into()), NotMigrated { files: 2, bytes: 2048 });
        summary.not_migrated.insert(("14 settings".into(), String::new()), NotMigrated { files: 1, bytes: 12 });
        let report = RunReport {
            command: "migrate",
            run: Uuid::nil(),
            source: "data".into(),
            target: "sqlite:a.db".into(),
            dry_run: false,
            mode: "online".into(),
            mode_reason: "the tables hold rows".into(),
            time: Duration::from_secs(2),
            commits: Quantiles { count: 24, p50: 0.018, p95: 0.0225, p99: 0.036 },
            rejects: Some("transload-rejects/1".into()),
            stopped_by: Some("SIGINT"),
            resume: Some("transload migrate data".into()),
        };
        (summary, report)
    }

    #[test]
    fn people_get_a_table_two_equations_and_what_is_left() {
        let (summary, report) = example();
        let mut out = Vec::new();
        write_text(&mut out, &summary, &report).expect("a vector takes all");
        assert_eq!(
            String::from_utf8(out).expect("text"),
            "\
table     documents    rows  unchanged  rejected    bytes
users           200     200          0         0  1.0 MiB
messages      1,000  23,800          0         9  5.0 MiB
total         1,200  24,000          0         9  6.0 MiB

files      1,217 found = 1,213 in documents + 3 not migrated + 1 unreadable + 0 vanished
documents  1,210 found = 1,200 loaded + 0 updated + 0 unchanged + 9 rejected + 0 conflicts + 1 failed

rejected, 2 of them accepted with a reason, kept in transload-rejects/1
  truncated  9

notes on loaded documents
  bom  1

not migrated
  ./     14 settings       1 file     12 B
  logs/  11 call history  2 files  2.0 KiB

removed    4 documents whose files are gone: 1 taken out, 3 kept (--prune takes them out)

stopped    by SIGINT, after the batches under way
mode       online: the tables hold rows
run        00000000-0000-0000-0000-000000000000
time       2.00 s (12,000 rows/s, 3.0 MiB/s)
go on with transload migrate data
"
        );
    }

    #[test]
    fn counts_that_do_not_add_up_are_said_to_be_ours() {
        let (mut summary, report) = example();
        summary.files.found += 1;
        let mut out = Vec::new();
        write_text(&mut out, &summary, &report).expect("a vector takes all");
        assert!(String::from_utf8_lossy(&out).contains("1218 files were found but 1217 are accounted for"));
    }

    #[test]
    fn the_documented_object_is_what_programs_get() {
        let (summary, report) = example();
        let mut out = Vec::new();
        write_json(&mut out, &summary, &[], &report).expect("a vector takes all");
        let given: serde_json::Value = serde_json::from_slice(&out).expect("one JSON object");
        let document = include_str!("../../docs/summary.md");
        let example = document.split("```json\n").nth(1).and_then(|rest| rest.split("```").next());
        let documented: serde_json::Value =
            serde_json::from_str(example.expect("the document has an example")).expect("the example is JSON");
        assert_eq!(given, documented);
        // Every member is explained.
        for member in given.as_object().expect("an object").keys() {
            assert!(document.contains(&format!("| `{member}` |")), "{member}");
        }
    }
}
