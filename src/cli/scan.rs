//! `scan [SOURCE]`: what is there, before anything is written.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use serde::Serialize;

use crate::model::path::escape_controls;
use crate::model::summary::{FileTally, NotMigrated};

use crate::config::Config;
use crate::exec::Signal;
use crate::pipeline::{self, Account, ScanError};

use super::args::ScanArgs;
use super::engine::{self, Watch};
use super::exit::Exit;
use super::failure::Failure;
use super::human::{bytes, columns, thousands, Side};
use super::json;
use super::print;
use super::rejects::RejectView;
use super::summary::{not_migrated_lines, shown, write_counts, write_not_migrated, NotMigratedLine};

/// Runs `scan`.
pub fn run(args: &ScanArgs, config: &Config, quiet: bool) -> Result<Exit, Failure> {
    let format = engine::format(config)?;
    let limits = engine::target(config)?.capabilities().limits;
    let source = config.source()?;
    let options = engine::options(config, format.kinds().to_vec());
    let stop = engine::begin(config)?;
    let watch = Watch::start(quiet);
    let tick = |now: &_| watch.tick(now);
    let scanned = pipeline::scan(format, source, &options, limits, &stop, &watch.progress, &tick);
    drop(watch);
    let report = scanned.map_err(|error| {
        let hint = match &error {
            ScanError::Source(error) => Some(error.hint()),
            ScanError::NothingKnown { .. } => Some("is it the right directory, and the right format?"),
            ScanError::Unbalanced(_) => None,
        };
        Failure { hint: hint.map(str::to_owned), ..Failure::new(error) }
    })?;
    let mut shown = ScanReport::new(source, &report.account);
    if args.redact {
        shown = shown.redacted();
    }
    print(|out| if args.json { write_json(out, &shown) } else { write_text(out, &shown) })?;
    Ok(match stop.requested() {
        Some(signal @ (Signal::Interrupt | Signal::Terminate)) => Exit::of_signal(signal),
        None => shown.exit(),
    })
}

/// The version of the JSON object.
pub const VERSION: u32 = 1;

/// What a scan found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScanReport {
    pub source: PathBuf,
    pub files: FileTally,
    /// By layout, e.g. `2 chat history`.
    pub layouts: BTreeMap<&'static str, LayoutTally>,
    pub rejected: u64,
    /// Documents that kept changing while they were read.
    pub failed: u64,
    /// Rejects by reason.
    pub reasons: BTreeMap<&'static str, u64>,
    /// What will be rejected, and why; at most 1,000.
    pub rejects: Vec<RejectView>,
    pub not_migrated: BTreeMap<(String, String), NotMigrated>,
    pub warnings: Vec<ScanWarning>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LayoutTally {
    pub files: u64,
    pub records: u64,
    pub bytes: u64,
}

/// Something that a person should know before the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ScanWarning {
    /// `world_writable`, `changed`, `symbolic_link`, ...
    pub code: &'static str,
    /// As `RelPath::to_text` gives it.
    pub path: String,
}

/// How many rejects and warnings are written out for people; all of them are in the JSON.
const SHOWN: usize = 20;

impl ScanReport {
    fn new(source: &std::path::Path, account: &Account) -> ScanReport {
        let problems = account.findings.iter().filter_map(|finding| {
            let code = match finding.what {
                pipeline::What::Failed => "changed",
                pipeline::What::Unreadable => "unreadable",
                pipeline::What::Vanished => "vanished",
                _ => return None,
            };
            Some(ScanWarning { code, path: finding.file.clone() })
        });
        let warnings = account
            .warnings
            .iter()
            .map(|warning| ScanWarning { code: warning.kind.code(), path: warning.path.to_text() });
        ScanReport {
            source: source.to_owned(),
            files: account.summary.files.clone(),
            layouts: account
                .layouts
                .iter()
                .map(|(layout, tally)| {
                    (*layout, LayoutTally { files: tally.files, records: tally.records, bytes: tally.bytes })
                })
                .collect(),
            rejected: account.summary.documents.rejected,
            failed: account.summary.documents.failed,
            reasons: account.summary.reasons.clone(),
            rejects: account.rejects.iter().map(RejectView::from).collect(),
            not_migrated: account.summary.not_migrated.clone(),
            warnings: problems.chain(warnings).collect(),
        }
    }

    pub fn exit(&self) -> Exit {
        Exit::of_leftovers(self.rejected + self.failed + self.files.unreadable + self.files.vanished > 0)
    }

    /// Names and keys hidden.
    pub fn redacted(mut self) -> ScanReport {
        self.rejects = self.rejects.into_iter().map(RejectView::redacted).collect();
        for warning in &mut self.warnings {
            warning.path = super::rejects::redacted_path(&warning.path);
        }
        self
    }
}

pub fn write_text(out: &mut dyn Write, report: &ScanReport) -> io::Result<()> {
    writeln!(out, "source {}\n", shown(&report.source))?;
    let mut lines = vec![["layout", "files", "records", "bytes"].map(str::to_owned).to_vec()];
    for (layout, tally) in &report.layouts {
        lines.push(vec![(*layout).to_owned(), thousands(tally.files), thousands(tally.records), bytes(tally.bytes)]);
    }
    out.write_all(columns(&[Side::Left, Side::Right, Side::Right, Side::Right], &lines).as_bytes())?;
    let f = &report.files;
    writeln!(
        out,
        "\nfiles {} found = {} in documents + {} not migrated + {} unreadable + {} vanished",
        thousands(f.found),
        thousands(f.in_documents),
        thousands(f.not_migrated),
        thousands(f.unreadable),
        thousands(f.vanished)
    )?;
    write_counts(out, "will be rejected", &report.reasons)?;
    for reject in report.rejects.iter().take(SHOWN) {
        writeln!(out, "  {}", reject.line())?;
    }
    write_more(out, report.rejects.len())?;
    write_not_migrated(out, &report.not_migrated)?;
    if !report.warnings.is_empty() {
        writeln!(out, "\nwarnings")?;
        for warning in report.warnings.iter().take(SHOWN) {
            writeln!(out, "  {}: `{}`", warning.code, escape_controls(&warning.path))?;
        }
        write_more(out, report.warnings.len())?;
    }
    Ok(())
}

fn write_more(out: &mut dyn Write, all: usize) -> io::Result<()> {
    match all.checked_sub(SHOWN) {
        Some(more) if more > 0 => writeln!(out, "  and {more} more (--json lists all)"),
        _ => Ok(()),
    }
}

pub fn write_json(out: &mut dyn Write, report: &ScanReport) -> io::Result<()> {
    #[derive(Serialize)]
    struct Object<'a> {
        version: u32,
        command: &'static str,
        source: String,
        files: &'a FileTally,
        layouts: &'a BTreeMap<&'static str, LayoutTally>,
        reasons: &'a BTreeMap<&'static str, u64>,
        rejects: &'a [RejectView],
        not_migrated: Vec<NotMigratedLine<'a>>,
        warnings: &'a [ScanWarning],
    }
    let object = Object {
        version: VERSION,
        command: "scan",
        source: report.source.to_string_lossy().into_owned(),
        files: &report.files,
        layouts: &report.layouts,
        reasons: &report.reasons,
        rejects: &report.rejects,
        not_migrated: not_migrated_lines(&report.not_migrated),
        warnings: &report.warnings,
    };
    json::write_line(out, &object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_says_what_is_there_and_what_to_look_at() {
        let mut report = ScanReport {
            source: "data".into(),
            files: FileTally { found: 2, in_documents: 2, ..FileTally::default() },
            warnings: vec![ScanWarning { code: "world_writable", path: "users/\u{1b}.json".into() }],
            ..ScanReport::default()
        };
        report.layouts.insert("4 user", LayoutTally { files: 2, records: 2, bytes: 2048 });
        let mut out = Vec::new();
        write_text(&mut out, &report).expect("a vector takes all");
        assert_eq!(
            String::from_utf8(out).expect("text"),
            "source data\n\n\
             layout  files  records    bytes\n\
             4 user      2        2  2.0 KiB\n\n\
             files 2 found = 2 in documents + 0 not migrated + 0 unreadable + 0 vanished\n\n\
             warnings\n  world_writable: `users/\\u{1b}.json`\n"
        );
        assert_eq!(report.exit(), Exit::Done);
        let mut out = Vec::new();
        write_json(&mut out, &report.redacted()).expect("a vector takes all");
        let object: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
        assert_eq!(object["layouts"]["4 user"]["files"], 2);
        assert_eq!(object["warnings"][0]["path"], "users/***.json");
    }
}
