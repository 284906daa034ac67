//! `scan [SOURCE]`: what is there, before anything is written.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use serde::Serialize;

use crate::model::path::escape_controls;
use crate::model::summary::{FileTally, NotMigrated};

use super::exit::Exit;
use super::human::{bytes, columns, thousands, Side};
use super::rejects::RejectView;
use super::summary::{not_migrated_lines, shown, write_counts, write_not_migrated, NotMigratedLine};

/// The version of the JSON object.
pub const VERSION: u32 = 1;

/// What a scan found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScanReport {
    pub source: PathBuf,
    pub files: FileTally,
    /// By layout, e.g. `2 chat history`.
    pub layouts: BTreeMap<&'static str, LayoutTally>,
    /// What will be rejected, and why.
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
    pub fn exit(&self) -> Exit {
        Exit::of_leftovers(!self.rejects.is_empty() || self.files.unreadable > 0 || self.files.vanished > 0)
    }

    /// Names and keys hidden.
    pub fn redacted(mut self) -> ScanReport {
        self.rejects = self.rejects.into_iter().map(RejectView::redacted).collect();
        for warning in &mut self.warnings {
            warning.path = super::rejects::redacted_path(&warning.path);
        }
        self
    }

    fn reasons(&self) -> BTreeMap<&'static str, u64> {
        let mut reasons = BTreeMap::new();
        for reject in &self.rejects {
            *reasons.entry(reject.reason).or_default() += 1;
        }
        reasons
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
    write_counts(out, "will be rejected", &report.reasons())?;
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
        reasons: BTreeMap<&'static str, u64>,
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
        reasons: report.reasons(),
        rejects: &report.rejects,
        not_migrated: not_migrated_lines(&report.not_migrated),
        warnings: &report.warnings,
    };
    serde_json::to_writer(&mut *out, &object)?;
    writeln!(out)
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
