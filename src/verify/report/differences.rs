//! The differences: how many of which cause and in which table, what each cause means, and samples
//! with both values beside each other.

use crate::verify::outcome::{Cause, Conclusion, Difference, Outcome};

use super::accounting::cell;
use super::markup::{Html, Unseen};
use super::values::{self, Piece, Room};
use super::words;

/// How many samples of one cause are shown. What is listed beyond them is in `--json`.
const SAMPLES: usize = 20;

const ROOM: Room = Room { differs: 240, around: 60, ends: 30 };

pub fn section(html: &mut Html, outcome: &Outcome, redact: bool) {
    html.raw("<section id=differences aria-labelledby=differences-title>");
    html.raw("<h2 id=differences-title>Differences</h2>");
    if outcome.differences == 0 {
        html.raw(match (outcome.waived, &outcome.conclusion) {
            (_, Conclusion::NotChecked(_)) => "<p class=quiet>None was found before the check ended.</p>",
            (0, _) => "<p class=quiet>None was found.</p>",
            _ => "<p class=quiet>None was found that is not waived.</p>",
        });
    } else {
        overview(html, outcome);
    }
    tables(html, outcome);
    for (cause, count) in by_cause(outcome) {
        block(html, outcome, cause, count, redact);
    }
    html.raw("</section>");
}

/// The causes that were found, the most frequent first.
fn by_cause(outcome: &Outcome) -> Vec<(Cause, u64)> {
    let count = |cause: Cause| outcome.causes.get(cause.code()).copied().unwrap_or(0);
    let mut found: Vec<(Cause, u64)> =
        Cause::ALL.into_iter().map(|cause| (cause, count(cause))).filter(|(_, count)| *count > 0).collect();
    found.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    found
}

fn overview(html: &mut Html, outcome: &Outcome) {
    let causes = by_cause(outcome);
    let most = causes.first().map_or(1, |(_, count)| *count);
    html.raw("<table class=causes><caption>By cause</caption><thead><tr><th scope=col>Cause</th>");
    html.raw("<th scope=col class=track><span class=hidden>Share</span></th><th scope=col class=n>Differences</th>");
    html.raw("</tr></thead><tbody>");
    for (cause, count) in causes {
        html.raw("<tr><th scope=row><a href=\"#").raw(cause.code()).raw("\">").raw(words::cause(cause).title);
        html.raw("</a></th><td class=track>");
        html.with(|html| track(html, count, most)).raw("</td>");
        html.with(|html| cell(html, count)).raw("</tr>");
    }
    html.raw("</tbody><tfoot><tr><th scope=row>In all</th><td class=track></td>");
    html.with(|html| cell(html, outcome.differences)).raw("</tr></tfoot></table>");
}

/// A bar as long as the count's share of the greatest.
fn track(html: &mut Html, count: u64, most: u64) {
    html.raw("<svg viewBox=\"0 0 100 10\" preserveAspectRatio=none aria-hidden=true>");
    html.raw("<rect class=none width=100 height=10></rect><rect class=v-different height=10 width=");
    html.float((count as f64 / most as f64 * 100.0).max(1.0)).raw("></rect></svg>");
}

fn tables(html: &mut Html, outcome: &Outcome) {
    if outcome.tables.is_empty() {
        return;
    }
    html.raw("<div class=scroll role=region tabindex=0 aria-labelledby=tables-title><table>");
    html.raw("<caption id=tables-title>By table</caption><thead><tr><th scope=col>Table</th>");
    html.raw("<th scope=col class=n>rows compared</th><th scope=col class=n>values compared</th>");
    html.raw("<th scope=col class=n>differences</th></tr></thead><tbody>");
    for (name, table) in &outcome.tables {
        html.raw("<tr><th scope=row><code>").text(name).raw("</code></th>");
        for number in [table.rows, table.values, table.differences] {
            cell(html, number);
        }
        html.raw("</tr>");
    }
    html.raw("</tbody>");
    if outcome.waived > 0 {
        html.raw("<tfoot><tr><td colspan=4>Waived differences are counted in this table.</td></tr></tfoot>");
    }
    html.raw("</table></div>");
}

fn block(html: &mut Html, outcome: &Outcome, cause: Cause, count: u64, redact: bool) {
    let explained = words::cause(cause);
    html.raw("<section class=cause id=").raw(cause.code()).raw(" aria-labelledby=title-").raw(cause.code()).raw(">");
    html.raw("<h3 id=title-").raw(cause.code()).raw(">").raw(explained.title).raw(" <span class=tally>");
    html.number(count).raw("</span> <code class=id>").raw(cause.code()).raw("</code></h3>");
    html.raw("<p>").raw(explained.means).raw("</p><p class=do><b>What to do.</b> ");
    html.with(|html| with_code(html, explained.to_do)).raw("</p>");
    let samples = outcome
        .listed_differences
        .iter()
        .filter(|difference| difference.cause == cause && difference.waived.is_none())
        .take(SAMPLES);
    let mut shown = 0;
    for difference in samples {
        sample(html, difference, redact);
        shown += 1;
    }
    if shown == 0 {
        html.raw("<p class=quiet>None of these is among the differences that were listed; a greater ");
        html.raw("<code>--max-differences</code> lists more.</p>");
    } else if shown < count {
        html.raw("<p class=quiet>").number(shown).raw(" of ").number(count);
        html.raw(" shown. <code>--json</code> has all that were listed.</p>");
    }
    html.raw("</section>");
}

/// Our own words, in which backquotes mark what is to be typed.
fn with_code(html: &mut Html, text: &'static str) {
    for (at, piece) in text.split('`').enumerate() {
        match at % 2 {
            0 => html.raw(piece),
            _ => html.raw("<code>").raw(piece).raw("</code>"),
        };
    }
}

/// One difference with its place and both values.
pub fn sample(html: &mut Html, difference: &Difference, redact: bool) {
    html.raw("<article class=sample><header>");
    if difference.file.is_empty() {
        html.raw("<span class=path>no file</span>");
    } else {
        html.raw("<span class=path>").text(&difference.file).raw("</span>");
    }
    if !difference.pointer.is_empty() {
        html.raw(" <span class=pointer>").text(&difference.pointer).raw("</span>");
    }
    html.raw("</header>");
    pair(html, difference, redact || difference.secret);
    html.raw("<footer>");
    if let Some(table) = &difference.table {
        html.raw("<span>column <code>").text(table);
        if let Some(column) = &difference.column {
            html.raw(".").text(column);
        }
        html.raw("</code></span> ");
    }
    if let Some(row) = &difference.row {
        html.raw("<span>row <code>").text(&row.to_string()).raw("</code></span> ");
    }
    html.raw("<span>document <code>").text(&difference.document.to_string()).raw("</code></span>");
    html.raw("<p>").raw(words::moved(difference.moved));
    if let Some(detail) = &difference.detail {
        html.raw(" <span class=detail>").text(detail).raw("</span>");
    }
    if let Some(reason) = &difference.waived {
        html.raw(" <span class=detail>Waived: ").text(reason).raw("</span>");
    }
    html.raw("</p></footer></article>");
}

fn pair(html: &mut Html, difference: &Difference, masked: bool) {
    let (file, database) = (difference.in_file.as_deref(), difference.in_database.as_deref());
    if file.is_none() && database.is_none() {
        return;
    }
    let whole = |text| values::cut(text, ROOM.differs);
    let (file, database) = match (file, database) {
        (Some(file), Some(database)) if !masked => {
            let (file, database) = values::beside(file, database, ROOM);
            (Some(file), Some(database))
        }
        (file, database) => (file.map(whole), database.map(whole)),
    };
    let points = match (&file, &database) {
        (Some(file), Some(database)) => values::code_points(file, database).unzip(),
        _ => (None, None),
    };
    let length = |text: Option<&str>| text.filter(|_| !masked).map(|text| text.chars().count() as u64);
    html.raw("<div class=pair>");
    let sides = [
        ("<div class=\"side file\"><h4>In the file</h4>", file, points.0, length(difference.in_file.as_deref())),
        (
            "<div class=\"side data\"><h4>In the database</h4>",
            database,
            points.1,
            length(difference.in_database.as_deref()),
        ),
    ];
    for (open, pieces, points, length) in sides {
        html.raw(open);
        match pieces {
            Some(pieces) => value(html, &pieces, masked),
            None => {
                html.raw("<p class=nothing>nothing</p>");
            }
        }
        if let Some(points) = points.filter(|points| !points.is_empty()) {
            html.raw("<p class=points>marked: ").text(&points).raw("</p>");
        }
        if let Some(length) = length.filter(|length| *length > 200) {
            html.raw("<p class=points>").number(length).raw(" characters</p>");
        }
        html.raw("</div>");
    }
    html.raw("</div>");
}

fn value(html: &mut Html, pieces: &[Piece], masked: bool) {
    html.raw(if masked { "<p class=\"value masked\">" } else { "<p class=value>" });
    for piece in pieces {
        match piece {
            Piece::Same(text) => html.escaped(text, Unseen::Few),
            // What is missing is between the characters: a narrow mark.
            Piece::Differs("") => html.raw("<mark class=gap><span class=hidden>(nothing)</span></mark>"),
            Piece::Differs(text) if text.chars().all(|c| c == ' ') => {
                text.chars().fold(html.raw("<mark>"), |html, _| html.raw("<span class=blank>␣</span>")).raw("</mark>")
            }
            Piece::Differs(text) => html.raw("<mark>").escaped(text, Unseen::All).raw("</mark>"),
            Piece::Cut(count) => html.raw("<i class=cut>… ").number(*count as u64).raw(" more …</i>"),
        };
    }
    html.raw("</p>");
}
