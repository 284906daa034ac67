//! The report: one HTML file that says what a verification found, to be read anywhere, printed and
//! sent on.
//!
//! It holds no script and loads nothing; its own policy forbids both. Values come from strangers,
//! so nothing but `Html::raw` writes markup, and that takes only what was compiled in.

mod accounting;
mod differences;
mod history;
mod lists;
pub(crate) mod markup;
mod mask;
pub mod values;
pub mod words;

use std::time::Duration;

use crate::model::figures::duration;

use super::outcome::{Conclusion, Outcome};

use markup::Html;

pub use mask::masked;

const STYLE: &str = include_str!("style.css");

/// SHA-256 of [`STYLE`], the one style that the page's policy allows. A browser that finds another
/// says so on its console, with the right one; `tests/verify_report.rs` listens.
const STYLE_DIGEST: &str = "sha256-GGEVsh3Mgti60O0JZwFCyrm1yfRvMiRSdNiHLKGmN64=";

/// The page; with `redact`, types and lengths stand for values.
pub fn html(outcome: &Outcome, redact: bool) -> String {
    let outcome = &*masked(outcome, redact);
    let mut html = Html::default();
    head(&mut html, outcome);
    html.raw("<body><a class=skip href=\"#main\">To the result</a><div class=sheet>");
    verdict(&mut html, outcome, redact);
    html.raw("<main id=main>");
    accounting::section(&mut html, outcome);
    differences::section(&mut html, outcome, redact);
    lists::documents(&mut html, outcome);
    lists::let_pass(&mut html, outcome, redact);
    lists::not_looked_at(&mut html, outcome);
    history::section(&mut html, outcome);
    html.raw("</main><footer class=colophon><p>Written by transload ").text(outcome.version);
    html.raw(". Times are UTC. Numbers are compared exactly, texts character by character, times by the microsecond.");
    html.raw("</p></footer></div></body></html>\n");
    html.finish()
}

fn head(html: &mut Html, outcome: &Outcome) {
    html.raw("<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8>");
    html.raw("<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src '");
    html.raw(STYLE_DIGEST).raw("'; base-uri 'none'; form-action 'none'\">");
    html.raw("<meta name=viewport content=\"width=device-width, initial-scale=1\">");
    html.raw("<meta name=color-scheme content=\"light dark\"><meta name=referrer content=no-referrer>");
    html.raw("<meta name=robots content=noindex><title>").raw(words::title(outcome)).raw(" · transload</title>");
    html.raw("<style>").raw(STYLE).raw("</style></head>\n");
}

/// The verdict first: what a person sees without scrolling.
fn verdict(html: &mut Html, outcome: &Outcome, redact: bool) {
    html.raw(match outcome.conclusion {
        Conclusion::Agree => "<header class=\"verdict agree\">",
        Conclusion::Differ => "<header class=\"verdict differ\">",
        Conclusion::NotChecked(_) => "<header class=\"verdict unchecked\">",
    });
    html.raw("<p class=brand>transload verification</p><div class=headline>");
    html.raw("<svg class=sign viewBox=\"0 0 48 48\" aria-hidden=true><circle cx=24 cy=24 r=22></circle>");
    html.raw(match outcome.conclusion {
        Conclusion::Agree => "<path d=\"M14 25l7 7 14-15\"></path>",
        Conclusion::Differ => "<path d=\"M14 19h20M14 29h20M29 12L19 36\"></path>",
        Conclusion::NotChecked(_) => "<path d=\"M18 19a6 6 0 1 1 8 5.6c-1.5.8-2 1.9-2 3.9M24 34.5v.5\"></path>",
    });
    html.raw("</svg><h1>").raw(words::title(outcome)).raw("</h1></div>");
    for sentence in words::sentences(outcome) {
        html.raw("<p class=lead>").text(&sentence).raw("</p>");
    }
    html.raw("<dl class=facts><div><dt>Files</dt><dd>").text(&outcome.source);
    html.raw("</dd></div><div><dt>Database</dt><dd>").text(&outcome.target);
    html.raw("</dd></div><div><dt>Started</dt><dd><time datetime=").quoted(&outcome.started.to_fixed()).raw(">");
    html.text(&history::minute(outcome.started)).raw(" UTC</time>, took ");
    html.text(&duration(Duration::try_from_secs_f64(outcome.seconds).unwrap_or_default()));
    html.raw("</dd></div><div><dt>Program</dt><dd>transload ").text(outcome.version).raw("</dd></div></dl>");
    if redact {
        html.raw("<p class=note>Values are hidden: types and lengths stand for them.</p>");
    }
    html.raw("</header>");
}
