//! The page: one HTML file that shows a benchmark, to be read anywhere.
//!
//! It holds no script and loads nothing; its own policy forbids both.

use std::time::Duration;

use crate::model::figures::{bytes, duration, thousands};
use crate::verify::report::markup::Html;

use super::report::{Case, Kind, Report, Size};

const STYLE: &str = include_str!("style.css");

/// SHA-256 of [`STYLE`], the one style that the page's policy allows; `tests/bench.rs` computes it.
const STYLE_DIGEST: &str = "sha256-utomCAaO/ZUQjz3rReFT8Gkh2ZD1osItvohWY28woSw=";

/// What the curves show, if it was measured: at most as many as there are colours.
const CURVES: [&str; 5] = ["migrate", "floor2", "copy_indexed", "verify", "insert_select"];

/// The plot's area within its picture.
const LEFT: f64 = 44.0;
const RIGHT: f64 = 340.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 200.0;

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
    html.raw("<div class=scroll><table><caption>What was measured</caption><thead><tr><th>case<th>time<th>rows/s");
    html.raw("<th>bytes/s<th>CPU time<th>peak memory</tr></thead><tbody>");
    for case in &size.cases {
        row(html, case);
    }
    html.raw("</tbody></table></div>");
    commits(html, size);
    if !size.ratios.is_empty() {
        html.raw(
            "<div class=scroll><table><caption>Against the floors</caption><thead><tr><th>case<th>floors<th>times",
        );
        html.raw("</tr></thead><tbody>");
        for ratio in &size.ratios {
            html.raw("<tr><th scope=row>").text(ratio.case).raw("</th><td>").text(&ratio.to.join(" + "));
            html.raw("</td><td>").text(&format!("{:.2}", ratio.ratio)).raw("</td></tr>");
        }
        html.raw("</tbody></table></div>");
    }
    html.raw("</section>\n");
}

/// Of the cases that commit anything.
fn commits(html: &mut Html, size: &Size) {
    if size.cases.iter().all(|case| case.commits.is_none()) {
        return;
    }
    html.raw("<div class=scroll><table><caption>Commits, from a batch's begin to the answer</caption><thead><tr>");
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

fn row(html: &mut Html, case: &Case) {
    html.raw("<tr><th scope=row>").text(case.name).raw("<small>").text(case.what);
    if let Some(mode) = &case.mode {
        html.raw(" (").text(mode).raw(")");
    }
    html.raw("</small></th>");
    let whole = |number: f64| thousands(number.round() as u64);
    let cells = [
        Some(time(case.seconds)),
        case.rows_per_second().map(whole),
        case.bytes_per_second().map(|number| bytes(number.round() as u64)),
        case.cpu_seconds.map(time),
        case.peak_bytes.map(bytes),
    ];
    for cell in cells {
        html.raw("<td>").text(cell.as_deref().unwrap_or("–")).raw("</td>");
    }
    html.raw("</tr>");
}

fn time(seconds: f64) -> String {
    duration(Duration::from_secs_f64(seconds.max(0.0)))
}

/// Microseconds a message over the number of messages, which stands on a logarithmic axis.
fn curves(html: &mut Html, report: &Report) {
    let of = |name: &str| -> Vec<(f64, f64)> {
        let points = report.sizes.iter().filter_map(|size| {
            let records = size.records.max(1) as f64;
            Some((records.log10(), size.case(name)?.seconds / records * 1e6))
        });
        points.collect()
    };
    let curves: Vec<(&str, Vec<(f64, f64)>)> =
        CURVES.into_iter().map(|name| (name, of(name))).filter(|(_, points)| points.len() > 1).collect();
    let all = || curves.iter().flat_map(|(_, points)| points);
    let (low, high) = all().fold((f64::MAX, f64::MIN), |(low, high), (x, _)| (low.min(*x), high.max(*x)));
    let top = all().map(|(_, y)| *y).fold(f64::MIN_POSITIVE, f64::max) * 1.1;
    let width = if high > low { high - low } else { 1.0 };
    let place = |(x, y): &(f64, f64)| (LEFT + (x - low) / width * (RIGHT - LEFT), BOTTOM - y / top * (BOTTOM - TOP));
    html.raw("<section><h2>Microseconds a message</h2><svg class=plot viewBox=\"0 0 360 224\" role=img>");
    for step in 0..=4 {
        let y = top * f64::from(step) / 4.0;
        let (_, at) = place(&(low, y));
        html.raw("<line class=axis x1=")
            .float(LEFT)
            .raw(" x2=")
            .float(RIGHT)
            .raw(" y1=")
            .float(at)
            .raw(" y2=")
            .float(at);
        html.raw(" /><text class=soft text-anchor=end x=").float(LEFT - 5.0).raw(" y=").float(at + 4.0).raw(">");
        html.text(&format!("{y:.1}")).raw("</text>");
    }
    for size in &report.sizes {
        let (at, _) = place(&((size.records.max(1) as f64).log10(), 0.0));
        html.raw("<text class=soft text-anchor=middle x=").float(at).raw(" y=").float(BOTTOM + 16.0).raw(">");
        html.number(size.records).raw("</text>");
    }
    for (number, (_, points)) in curves.iter().enumerate() {
        html.raw("<polyline class=").raw(LINES[number]).raw(" points=\"");
        for point in points {
            let (x, y) = place(point);
            html.float(x).raw(",").float(y).raw(" ");
        }
        html.raw("\"/>");
        for point in points {
            let (x, y) = place(point);
            html.raw("<circle class=").raw(POINTS[number]).raw(" r=3.5 cx=").float(x).raw(" cy=").float(y).raw(" />");
        }
    }
    html.raw("</svg><p class=key>");
    for (number, (name, _)) in curves.iter().enumerate() {
        html.raw("<span><svg viewBox=\"0 0 1 1\"><rect class=").raw(POINTS[number]).raw(" width=1 height=1 /></svg>");
        html.text(name).raw("</span>");
    }
    html.raw("</p></section>\n");
}

const LINES: [&str; CURVES.len()] = ["l0", "l1", "l2", "l3", "l4"];
const POINTS: [&str; CURVES.len()] = ["p0", "p1", "p2", "p3", "p4"];
