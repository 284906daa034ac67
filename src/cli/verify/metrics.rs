//! The counts as metrics, in Prometheus' text format (`docs/verifying.md`): numbers and our own
//! words, nobody's data.

use std::fmt::Write;

use crate::model::Instant;
use crate::verify::outcome::{Cause, Conclusion, Outcome, Verdict};

/// The text of the file.
pub fn text(outcome: &Outcome) -> String {
    let mut out = String::new();
    let success = u64::from(outcome.conclusion == Conclusion::Agree);
    one(&mut out, "success", "Whether the last run found that files and database agree.", success);
    let result = |out: &mut String| {
        for (name, is) in [
            ("agree", outcome.conclusion == Conclusion::Agree),
            ("differ", outcome.conclusion == Conclusion::Differ),
            ("not_checked", matches!(outcome.conclusion, Conclusion::NotChecked(_))),
        ] {
            line(out, "result", Some(("result", name)), u64::from(is));
        }
    };
    many(&mut out, "result", "1 for how the last run ended, 0 for the others.", result);
    let seconds = seconds(outcome.started, outcome.seconds);
    one(&mut out, "last_run_timestamp_seconds", "When the last run ended.", seconds);
    head(&mut out, "duration_seconds", "How long the last run took.");
    let _ = writeln!(out, "transload_verify_duration_seconds {:.3}", outcome.seconds);
    many(&mut out, "documents", "Documents by what became of them.", |out| {
        for verdict in Verdict::ALL {
            line(out, "documents", Some(("verdict", verdict.code())), outcome.documents.of(verdict));
        }
    });
    many(&mut out, "differences", "Differences by cause, without the waived ones.", |out| {
        for cause in Cause::ALL {
            let count = outcome.causes.get(cause.code()).copied().unwrap_or(0);
            line(out, "differences", Some(("cause", cause.code())), count);
        }
    });
    one(&mut out, "waived_differences", "Differences that a waiver covers.", outcome.waived);
    one(&mut out, "accepted_documents", "Rejected documents that somebody accepted.", outcome.accepted);
    one(&mut out, "skipped_documents", "Documents left out by a sample or by their time.", outcome.skipped);
    many(&mut out, "rows_compared", "Rows compared by table.", |out| {
        for (table, count) in &outcome.tables {
            line(out, "rows_compared", Some(("table", table)), count.rows);
        }
    });
    many(&mut out, "values_compared", "Values compared by table.", |out| {
        for (table, count) in &outcome.tables {
            line(out, "values_compared", Some(("table", table)), count.values);
        }
    });
    many(&mut out, "files", "Files found by what became of them.", |out| {
        let files = &outcome.files;
        for (state, count) in [
            ("in_documents", files.in_documents),
            ("not_migrated", files.not_migrated),
            ("unreadable", files.unreadable),
            ("vanished", files.vanished),
        ] {
            line(out, "files", Some(("state", state)), count);
        }
    });
    out
}

fn seconds(started: Instant, took: f64) -> u64 {
    (started.0.max(0) as f64 / 1e6 + took.max(0.0)) as u64
}

fn one(out: &mut String, name: &str, help: &str, value: u64) {
    many(out, name, help, |out| line(out, name, None, value));
}

fn many(out: &mut String, name: &str, help: &str, lines: impl FnOnce(&mut String)) {
    head(out, name, help);
    lines(out);
}

fn head(out: &mut String, name: &str, help: &str) {
    let _ = writeln!(out, "# HELP transload_verify_{name} {help}\n# TYPE transload_verify_{name} gauge");
}

fn line(out: &mut String, name: &str, label: Option<(&str, &str)>, value: u64) {
    let label = label.map_or(String::new(), |(label, value)| format!("{{{label}=\"{value}\"}}"));
    let _ = writeln!(out, "transload_verify_{name}{label} {value}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::verify::example;

    #[test]
    fn every_metric_is_described_once_and_holds_counts_alone() {
        let text = text(&example::differing());
        let mut names = Vec::new();
        let mut lines = text.lines().peekable();
        while let Some(help) = lines.next() {
            let name = help.strip_prefix("# HELP ").and_then(|rest| rest.split(' ').next()).expect("help comes first");
            assert_eq!(lines.next(), Some(format!("# TYPE {name} gauge").as_str()));
            assert!(name.starts_with("transload_verify_") && !names.contains(&name), "{name}");
            names.push(name);
            let mut samples = 0;
            while let Some(sample) = lines.next_if(|line| !line.starts_with('#')) {
                let (series, value) = sample.rsplit_once(' ').expect("a series and a value");
                assert!(series == name || series.starts_with(&format!("{name}{{")), "{sample}");
                value.parse::<f64>().expect("a number");
                samples += 1;
            }
            assert!(samples > 0, "{name}");
        }
        assert_eq!(names.len(), 12);
        for line in [
            "transload_verify_success 0",
            "transload_verify_result{result=\"differ\"} 1",
            "transload_verify_last_run_timestamp_seconds 1782789312",
            "transload_verify_duration_seconds 12.500",
            "transload_verify_documents{verdict=\"agreed\"} 1209",
            "transload_verify_differences{cause=\"edited_in_database\"} 1",
            "transload_verify_differences{cause=\"precision\"} 0",
            "transload_verify_waived_differences 1",
            "transload_verify_rows_compared{table=\"messages\"} 23800",
        ] {
            assert!(text.lines().any(|have| have == line), "{line}\n{text}");
        }
        for theirs in ["chat_sessions/", "sqlite", "anybody", "ticket"] {
            assert!(!text.contains(theirs), "{theirs}");
        }
    }
}
