//! What is listed rather than compared: documents of which more is to be said than their count,
//! what was left out, and what is waived.

use crate::verify::outcome::{Listed, Outcome, Verdict};

use super::differences::sample;
use super::markup::Html;
use super::words;

/// How many documents of one verdict, and how many waived differences, are shown.
const SHOWN: usize = 200;

/// Rejected, stale, unsettled, unreadable, ...: each verdict with its documents.
pub fn documents(html: &mut Html, outcome: &Outcome) {
    let open: Vec<&Listed> = outcome.listed.iter().filter(|listed| !listed.accepted).collect();
    if open.is_empty() {
        return;
    }
    html.raw("<section id=documents aria-labelledby=documents-title>");
    html.raw("<h2 id=documents-title>Documents to look at</h2>");
    for verdict in Verdict::ALL {
        let listed: Vec<&Listed> = open.iter().copied().filter(|listed| listed.verdict == verdict).collect();
        if listed.is_empty() {
            continue;
        }
        let (label, means) = words::verdict(verdict);
        html.raw("<section class=group><h3 class=sentence>").raw(label).raw(" <span class=tally>");
        html.number(outcome.documents.of(verdict)).raw("</span></h3><p class=\"quiet sentence\">");
        html.raw(means).raw(".</p>");
        html.with(|html| list(html, &listed)).raw("</section>");
    }
    html.raw("</section>");
}

fn list(html: &mut Html, listed: &[&Listed]) {
    html.raw("<ul class=documents>");
    for one in listed.iter().take(SHOWN) {
        html.raw("<li><span class=path>");
        match one.file.as_str() {
            "" => html.raw("no file"),
            file => html.text(file),
        };
        html.raw("</span><p>").text(&one.text).raw("</p><p class=quiet>").text(one.kind);
        html.raw(" <code>").text(&one.document.to_string()).raw("</code></p></li>");
    }
    html.raw("</ul>");
    more(html, listed.len());
}

fn more(html: &mut Html, count: usize) {
    if let Some(more) = count.checked_sub(SHOWN).filter(|more| *more > 0) {
        html.raw("<p class=quiet>And ").number(more as u64).raw(" more, which <code>--json</code> has.</p>");
    }
}

/// What was decided on: waivers with what they cover, and rejects that were accepted.
pub fn let_pass(html: &mut Html, outcome: &Outcome, redact: bool) {
    let accepted: Vec<&Listed> = outcome.listed.iter().filter(|listed| listed.accepted).collect();
    if outcome.waivers.is_empty() && outcome.waived == 0 && accepted.is_empty() {
        return;
    }
    html.raw("<section id=waived aria-labelledby=waived-title><h2 id=waived-title>Waived and accepted</h2>");
    html.raw("<p class=quiet>Somebody has looked at these and let them stand. They are counted apart.</p>");
    waivers(html, outcome);
    let waived = || outcome.listed_differences.iter().filter(|difference| difference.waived.is_some());
    if waived().next().is_some() {
        html.raw("<h3>Waived differences <span class=tally>").number(outcome.waived).raw("</span></h3>");
        for difference in waived().take(SHOWN) {
            sample(html, difference, redact);
        }
        more(html, waived().count());
    }
    if !accepted.is_empty() {
        html.raw("<h3>Accepted documents <span class=tally>").number(accepted.len() as u64).raw("</span></h3>");
        list(html, &accepted);
    }
    html.raw("</section>");
}

fn waivers(html: &mut Html, outcome: &Outcome) {
    if outcome.waivers.is_empty() {
        return;
    }
    html.raw("<div class=scroll role=region tabindex=0 aria-labelledby=waivers-title><table>");
    html.raw("<caption id=waivers-title>Waivers</caption><thead><tr><th scope=col>Document</th>");
    html.raw("<th scope=col>Cause</th><th scope=col>Last day</th><th scope=col class=n>covered</th>");
    html.raw("<th scope=col>Reason</th></tr></thead><tbody>");
    for waiver in &outcome.waivers {
        html.raw("<tr><th scope=row class=path>").text(&waiver.document).raw("</th><td>").text(waiver.cause);
        html.raw("</td><td><span class=date>").text(&waiver.until).raw("</span>");
        html.raw(if waiver.expired { " <strong>expired</strong></td>" } else { "</td>" });
        html.raw("<td class=n>").number(waiver.covered);
        html.raw(if waiver.covered == 0 && !waiver.expired {
            " <strong>unused</strong></td><td>"
        } else {
            "</td><td>"
        });
        html.text(&waiver.reason).raw("</td></tr>");
    }
    html.raw("</tbody></table></div>");
}

/// What was left out on purpose.
pub fn not_looked_at(html: &mut Html, outcome: &Outcome) {
    html.raw("<section id=left-out aria-labelledby=left-out-title>");
    html.raw("<h2 id=left-out-title>What was not looked at</h2>");
    if outcome.not_looked_at.is_empty() {
        html.raw("<p class=quiet>Nothing was left out: every document on either side was compared.</p></section>");
        return;
    }
    html.raw("<ul>");
    for text in &outcome.not_looked_at {
        html.raw("<li>").text(text).raw("</li>");
    }
    html.raw("</ul>");
    html.raw("<p class=quiet>Nothing is said about these.</p>");
    html.raw("</section>");
}
