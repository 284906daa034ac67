//! The runs of the last nights: rows and differences as bars, and the runs as a table.

use std::time::Duration;

use crate::model::figures::duration;
use crate::model::Instant;
use crate::verify::outcome::{Outcome, PastRun};

use super::markup::Html;

/// How many runs have a bar, and how many a line; the newest.
const BARS: usize = 60;
const LINES: usize = 14;

pub fn section(html: &mut Html, outcome: &Outcome) {
    html.raw("<section id=history aria-labelledby=history-title><h2 id=history-title>Earlier runs</h2>");
    if outcome.history.is_empty() {
        html.raw("<p class=quiet>The bookkeeping knows of no earlier run.</p></section>");
        return;
    }
    let verified: Vec<&PastRun> = outcome.history.iter().filter(|run| run.command == "verify").collect();
    let verified = &verified[verified.len().saturating_sub(BARS)..];
    if let (Some(first), Some(last)) = (verified.first(), verified.last()) {
        html.raw("<figure class=history>");
        bars(html, verified, "Rows compared", "v-only", |run| run.rows);
        bars(html, verified, "Differences", "v-different", |run| run.differences);
        html.raw("<figcaption><span>").text(&day(first.started)).raw("</span>");
        if verified.len() > 1 {
            html.raw("<span>one bar a verification; grey: no result</span><span>")
                .text(&day(last.started))
                .raw("</span>");
        }
        html.raw("</figcaption></figure>");
    }
    table(html, outcome);
    html.raw("</section>");
}

fn bars(
    html: &mut Html,
    runs: &[&PastRun],
    title: &'static str,
    class: &'static str,
    of: impl Fn(&PastRun) -> Option<u64>,
) {
    const HEIGHT: f64 = 56.0;
    let most = runs.iter().filter_map(|run| of(run)).max().unwrap_or(0);
    html.raw("<p class=axis><span>").raw(title).raw("</span><span>at most ").number(most).raw("</span></p>");
    html.raw("<svg role=img viewBox=\"0 0 1000 60\" preserveAspectRatio=none><title>").raw(title);
    html.raw(" by run, the oldest first: ");
    for (at, run) in runs.iter().enumerate() {
        html.raw(if at > 0 { ", " } else { "" });
        match of(run) {
            Some(count) => html.number(count),
            None => html.raw("unknown"),
        };
    }
    html.raw("</title><rect class=none y=58 width=1000 height=2></rect>");
    // A single run is no wall.
    let step = (1000.0 / runs.len() as f64).min(80.0);
    for (at, run) in runs.iter().enumerate() {
        let (height, class) = match of(run) {
            Some(0) => (2.0, "v-agreed"),
            Some(count) => ((count as f64 / most as f64 * HEIGHT).max(4.0), class),
            // It ended without a count.
            None => (HEIGHT, "unknown"),
        };
        html.raw("<rect class=").raw(class).raw(" x=").float(at as f64 * step).raw(" y=").float(60.0 - height);
        html.raw(" width=").float(step * 0.8).raw(" height=").float(height).raw("></rect>");
    }
    html.raw("</svg>");
}

fn table(html: &mut Html, outcome: &Outcome) {
    html.raw("<div class=scroll role=region tabindex=0 aria-labelledby=runs-title><table>");
    html.raw("<caption id=runs-title>The last runs, the newest first</caption><thead><tr>");
    html.raw("<th scope=col>Started (UTC)</th><th scope=col>Command</th><th scope=col>State</th>");
    html.raw("<th scope=col class=n>documents</th><th scope=col class=n>rows</th>");
    html.raw("<th scope=col class=n>differences</th><th scope=col class=n>time</th></tr></thead><tbody>");
    for run in outcome.history.iter().rev().take(LINES) {
        html.raw("<tr><th scope=row>").text(&minute(run.started)).raw("</th><td>").text(&run.command);
        html.raw("</td><td>").text(&run.state).raw("</td>");
        for number in [run.documents, run.rows, run.differences] {
            match number {
                Some(number) => super::accounting::cell(html, number),
                None => {
                    html.raw("<td class=\"n zero\">–</td>");
                }
            }
        }
        let time = run.seconds.map_or_else(|| "–".to_owned(), |seconds| duration(Duration::from_secs(seconds)));
        html.raw("<td class=n>").text(&time).raw("</td></tr>");
    }
    html.raw("</tbody></table></div>");
}

fn day(time: Instant) -> String {
    let c = time.civil();
    format!("{:04}-{:02}-{:02}", c.year, c.month, c.day)
}

/// `2026-06-30 03:15`.
pub fn minute(time: Instant) -> String {
    let c = time.civil();
    format!("{} {:02}:{:02}", day(time), c.hour, c.minute)
}
