//! The accounting: every document and every file, as a picture and as two equations.

use crate::verify::outcome::{Documents, Outcome, Verdict};

use super::markup::Html;
use super::words;

/// The width of a bar in its own units.
const WIDTH: f64 = 1000.0;

/// The least width of what is there at all: one document of a million is to be seen.
const LEAST: f64 = 8.0;

pub fn section(html: &mut Html, outcome: &Outcome) {
    html.raw("<section id=accounting aria-labelledby=accounting-title>");
    html.raw("<h2 id=accounting-title>Every document, accounted for</h2>");
    bar(html, &outcome.documents);
    legend(html, outcome);
    equations(html, outcome);
    kinds(html, outcome);
    receipt(html, outcome);
    html.raw("</section>");
}

fn bar(html: &mut Html, documents: &Documents) {
    let counts: Vec<u64> = Verdict::ALL.iter().map(|verdict| documents.of(*verdict)).collect();
    html.raw("<svg class=bar role=img viewBox=\"0 0 1000 40\" preserveAspectRatio=none ");
    html.raw("aria-labelledby=bar-title><title id=bar-title>Documents by verdict: ");
    let mut said = false;
    for verdict in Verdict::ALL.into_iter().filter(|verdict| documents.of(*verdict) > 0) {
        html.raw(if said { ", " } else { "" });
        html.number(documents.of(verdict)).raw(" ").raw(words::verdict(verdict).0);
        said = true;
    }
    html.raw(if said { "</title>" } else { "none</title>" });
    html.raw("<rect class=none width=1000 height=40></rect>");
    let mut at = 0.0;
    for (verdict, width) in Verdict::ALL.into_iter().zip(widths(&counts)) {
        if width > 0.0 {
            html.raw("<rect class=").raw(class(verdict)).raw(" height=40 x=").float(at);
            // A gap, so that neighbours are told apart without their colours.
            html.raw(" width=").float(if at + width < WIDTH - 0.5 { width - 3.0 } else { width }).raw("></rect>");
        }
        at += width;
    }
    html.raw("</svg>");
}

/// Widths that add up to [`WIDTH`], in proportion but for what would be too narrow to be seen.
fn widths(counts: &[u64]) -> Vec<f64> {
    let total: f64 = counts.iter().map(|count| *count as f64).sum();
    if total == 0.0 {
        return vec![0.0; counts.len()];
    }
    let narrow = |count: &&u64| **count > 0 && **count as f64 / total * WIDTH < LEAST;
    let lifted = counts.iter().filter(narrow).count() as f64 * LEAST;
    let rest: f64 = counts.iter().filter(|count| !narrow(count)).map(|count| *count as f64).sum();
    let width = |count: &u64| match count {
        0 => 0.0,
        count if narrow(&count) => LEAST,
        count => *count as f64 / rest * (WIDTH - lifted),
    };
    counts.iter().map(width).collect()
}

/// The class that gives a verdict its colour.
pub fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Agreed => "v-agreed",
        Verdict::Different => "v-different",
        Verdict::Missing => "v-missing",
        Verdict::OnlyInDatabase => "v-only",
        Verdict::Rejected => "v-rejected",
        Verdict::Stale => "v-stale",
        Verdict::Unsettled => "v-unsettled",
        Verdict::Unreadable => "v-unreadable",
    }
}

fn legend(html: &mut Html, outcome: &Outcome) {
    html.raw("<ul class=legend>");
    for verdict in Verdict::ALL {
        let count = outcome.documents.of(verdict);
        if count == 0 && verdict != Verdict::Agreed {
            continue;
        }
        let (label, means) = words::verdict(verdict);
        html.raw("<li><svg class=swatch viewBox=\"0 0 12 12\" aria-hidden=true><rect width=12 height=12 rx=2 class=");
        html.raw(class(verdict)).raw("></rect></svg><b>").number(count).raw("</b> <span class=label>").raw(label);
        html.raw("</span><span class=means>").raw(means);
        match verdict {
            Verdict::Agreed if outcome.by_columns > 0 => {
                html.raw("; ").number(outcome.by_columns);
                html.raw(" of them by their columns alone, because the application wrote both sides since");
            }
            Verdict::Different if outcome.waived_documents > 0 => {
                html.raw("; ").number(outcome.waived_documents).raw(" of them only in what is waived");
            }
            Verdict::Rejected if outcome.accepted > 0 => {
                html.raw("; ").number(outcome.accepted).raw(" of them accepted with a reason");
            }
            _ => {}
        }
        html.raw("</span></li>");
    }
    html.raw("</ul>");
}

fn equations(html: &mut Html, outcome: &Outcome) {
    let documents = &outcome.documents;
    let terms = Verdict::ALL.map(|verdict| (documents.of(verdict), words::verdict(verdict).0));
    html.raw("<div class=equations>");
    equation(html, "documents", documents.found, &terms);
    let files = &outcome.files;
    let terms = [
        (files.in_documents, "in documents"),
        (files.not_migrated, "not migrated"),
        (files.unreadable, "unreadable"),
        (files.vanished, "vanished"),
    ];
    equation(html, "files found", files.found, &terms);
    html.raw("</div>");
}

fn equation(html: &mut Html, whole: &'static str, found: u64, terms: &[(u64, &'static str)]) {
    html.raw("<p class=equation><span class=term><b>").number(found).raw("</b> ").raw(whole).raw("</span>");
    let mut sign = " <i>=</i> ";
    for (count, label) in terms {
        html.raw(if *count == 0 { " <span class=\"term zero\">" } else { " <span class=term>" });
        html.raw(sign).raw("<b>").number(*count).raw("</b> ").raw(label).raw("</span>");
        sign = " <i>+</i> ";
    }
    if terms.iter().map(|(count, _)| count).sum::<u64>() != found {
        html.raw(" <strong class=wrong>These do not add up: a mistake of transload's own. Please report it.</strong>");
    }
    html.raw("</p>");
}

/// Documents by kind, with the columns that any kind has something in.
fn kinds(html: &mut Html, outcome: &Outcome) {
    if outcome.kinds.len() < 2 {
        return;
    }
    let shown: Vec<Verdict> = Verdict::ALL
        .into_iter()
        .filter(|verdict| *verdict == Verdict::Agreed || outcome.kinds.values().any(|kind| kind.of(*verdict) > 0))
        .collect();
    html.raw("<div class=scroll role=region tabindex=0 aria-labelledby=kinds-title><table>");
    html.raw("<caption id=kinds-title>Documents by kind</caption>");
    html.raw("<thead><tr><th scope=col>Kind</th><th scope=col class=n>documents</th>");
    for verdict in &shown {
        html.raw("<th scope=col class=n>").raw(words::verdict(*verdict).0).raw("</th>");
    }
    html.raw("</tr></thead><tbody>");
    for (kind, documents) in &outcome.kinds {
        html.raw("<tr><th scope=row>").text(kind).raw("</th>");
        html.with(|html| cell(html, documents.found));
        for verdict in &shown {
            cell(html, documents.of(*verdict));
        }
        html.raw("</tr>");
    }
    html.raw("</tbody></table></div>");
}

/// What both sides come to, where a receipt was asked for.
fn receipt(html: &mut Html, outcome: &Outcome) {
    let Some((file, database)) = &outcome.receipt else { return };
    html.raw("<div class=scroll role=region tabindex=0 aria-labelledby=receipt-title><table>");
    html.raw("<caption id=receipt-title>Receipt: ").raw(match file == database {
        true => "both roots are equal, and so is what they are made of",
        false => "the roots are different",
    });
    html.raw("</caption><thead><tr><th scope=col>Side</th><th scope=col class=n>documents</th>");
    html.raw("<th scope=col>Root</th></tr></thead><tbody>");
    for (side, root) in [("Files", file.all), ("Database", database.all)] {
        html.raw("<tr><th scope=row>").raw(side).raw("</th>");
        html.with(|html| cell(html, root.documents));
        html.raw("<td><code>").text(&blake3::Hash::from_bytes(root.hash).to_hex()).raw("</code></td></tr>");
    }
    html.raw("</tbody></table></div>");
}

/// A number in a table.
pub fn cell(html: &mut Html, number: u64) {
    html.raw(if number == 0 { "<td class=\"n zero\">" } else { "<td class=n>" }).number(number).raw("</td>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_document_of_a_million_is_to_be_seen() {
        let widths = widths(&[1_000_000, 1, 0, 250_000]);
        assert_eq!((widths[1], widths[2]), (LEAST, 0.0));
        assert!((widths.iter().sum::<f64>() - WIDTH).abs() < 1e-6);
        assert!((widths[0] / widths[3] - 4.0).abs() < 1e-6, "what is wide enough is in proportion");
    }

    #[test]
    fn nothing_at_all_has_no_width() {
        assert_eq!(super::widths(&[0, 0]), [0.0, 0.0]);
    }
}
