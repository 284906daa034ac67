//! The page: one HTML file that shows a benchmark, to be read anywhere.
//!
//! It holds no script and loads nothing; its own policy forbids both.

use crate::model::figures::{bytes, thousands};
use crate::verify::report::markup::Html;

use super::curves::curves;
use super::report::{time, Case, Kind, Report, Size};

const STYLE: &str = include_str!("style.css");

/// SHA-256 of [`STYLE`], the one style that the page's policy allows; `tests/bench.rs` computes it.
const STYLE_DIGEST: &str = "sha256-FNxZD7O5QRV/qWUFKburZivSOk4DiI2pI+7G/VtH9cM=";

pub fn html(report: &Report) -> String {
    let mut html = Html::default();
    html.raw("<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8>");
    html.raw("<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src '");
    html.raw(STYLE_DIGEST).raw("'; base-uri 'none'; form-action 'none'\">");
    html.raw("<meta name=viewport content=\"width=device-width, initial-scale=1\">");
    html.raw("<meta name=color-scheme content=\"light dark\"><title>Benchmark · transload</title>");
    html.raw("<style>").raw(STYLE).raw("</style></head>\n<body><div class=sheet>");
    head(&mut html, report);
    if report.sizes.len() > 1 {
        curves(&mut html, report);
    }
    for size in &report.sizes {
        section(&mut html, size);
    }
    for left_out in &report.left_out {
        html.raw("<p class=quiet>Not measured: ").text(left_out).raw("</p>");
    }
    html.raw("</div></body></html>\n");
    html.finish()
}

fn head(html: &mut Html, report: &Report) {
    html.raw("<header><p class=brand>transload bench</p><h1>");
    match report.sizes.as_slice() {
        [size] => html.number(size.records).raw(" messages, ").text(&report.database),
        sizes => html.number(sizes.len() as u64).raw(" sizes, ").text(&report.database),
    };
    html.raw("</h1><dl class=facts>");
    let memory = report.machine.memory.map_or_else(|| "unknown".to_owned(), bytes);
    for (name, value) in [
        ("machine", report.machine.system.clone()),
        ("cores", report.machine.cores.to_string()),
        ("memory", memory),
        ("rounds", format!("{}, the median counts", report.rounds)),
        ("connections", report.connections.to_string()),
        ("begun", report.started.clone()),
        ("program", report.program.clone()),
    ] {
        html.raw("<div><dt>").text(name).raw("</dt><dd>").text(&value).raw("</dd></div>");
    }
    html.raw("</dl></header>\n");
}

fn section(html: &mut Html, size: &Size) {
    html.raw("<section><h2>").number(size.records).raw(" messages in ").number(size.files).raw(" files, ");
    html.text(&bytes(size.bytes)).raw("</h2><div class=bars>");
    let longest = size.cases.iter().map(|case| case.seconds).fold(f64::MIN_POSITIVE, f64::max);
    for case in &size.cases {
        html.raw("<b>").text(case.name).raw("</b><svg viewBox=\"0 0 100 10\" preserveAspectRatio=none role=img>");
        html.raw(if case.kind == Kind::Floor { "<rect class=bar-floor" } else { "<rect class=bar-own" });
        html.raw(" height=10 width=\"").float(case.seconds / longest * 100.0).raw("\"/></svg><span>");
        html.text(&time(case.seconds)).raw("</span>");
    }
    html.raw("</div><p class=key><span><svg viewBox=\"0 0 1 1\"><rect class=bar-floor width=1 height=1 /></svg>floors");
    html.raw("</span><span><svg viewBox=\"0 0 1 1\"><rect class=bar-own width=1 height=1 /></svg>transload</span></p>");
    measured(html, &size.cases);
    commits(html, size);
    ratios(html, size);
    html.raw("</section>\n");
}

/// A column of the table of cases.
type Column = (&'static str, fn(&Case) -> Option<String>);

const COLUMNS: [Column; 6] = [
    ("time", |case| Some(time(case.seconds))),
    ("rows/s", |case| case.rows_per_second().map(whole)),
    ("bytes/s", |case| case.bytes_per_second().map(|number| bytes(number.round() as u64))),
    ("CPU time", |case| case.cpu_seconds.map(time)),
    ("peak memory", |case| case.peak_bytes.map(bytes)),
    ("WAL", |case| case.wal_bytes.map(bytes)),
];

/// The cases, without columns that no case has anything in.
fn measured(html: &mut Html, cases: &[Case]) {
    let has = |(_, cell): &&Column| cases.iter().any(|case| cell(case).is_some());
    let columns: Vec<&Column> = COLUMNS.iter().filter(has).collect();
    html.raw("<div class=scroll><table><caption>What was measured</caption><thead><tr><th>case");
    for (head, _) in &columns {
        html.raw("<th>").raw(head);
    }
    html.raw("</tr></thead><tbody>");
    for case in cases {
        html.raw("<tr><th scope=row>").text(case.name).raw("<small>").text(case.what);
        if let Some(mode) = &case.mode {
            html.raw(" (").text(mode).raw(")");
        }
        html.raw("</small></th>");
        for (_, cell) in &columns {
            html.raw("<td>").text(cell(case).as_deref().unwrap_or("–")).raw("</td>");
        }
        html.raw("</tr>");
    }
    html.raw("</tbody></table></div>");
}

fn whole(number: f64) -> String {
    thousands(number.round() as u64)
}

/// Of the cases that commit anything.
fn commits(html: &mut Html, size: &Size) {
    if size.cases.iter().all(|case| case.commits.is_none()) {
        return;
    }
    html.raw("<div class=scroll><table class=narrow><caption>Commits, from a batch's begin to the answer</caption><thead><tr>");
    html.raw("<th>case<th>commits<th>commits/s<th>p50<th>p95<th>p99</tr></thead><tbody>");
    for case in &size.cases {
        let (Some(commits), Some(rate)) = (case.commits, case.commits_per_second()) else { continue };
        html.raw("<tr><th scope=row>").text(case.name).raw("</th><td>").number(commits.count);
        html.raw("</td><td>").number(rate.round() as u64);
        for seconds in [commits.p50, commits.p95, commits.p99] {
            html.raw("</td><td>").text(&format!("{:.1} ms", seconds * 1e3));
        }
        html.raw("</td></tr>");
    }
    html.raw("</tbody></table></div>");
}

/// One case's time by that of another, or of several.
fn ratios(html: &mut Html, size: &Size) {
    if size.ratios.is_empty() {
        return;
    }
    html.raw("<div class=scroll><table class=narrow><caption>Ratios of times</caption><thead><tr>");
    html.raw("<th>case<th class=words>to<th>times</tr></thead><tbody>");
    for ratio in &size.ratios {
        html.raw("<tr><th scope=row>").text(ratio.case).raw("</th><td class=words>").text(&ratio.to.join(" + "));
        html.raw("</td><td>").text(&format!("{:.2}", ratio.ratio)).raw("</td></tr>");
    }
    html.raw("</tbody></table></div>");
}
