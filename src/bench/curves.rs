//! How the time for a message grows with the size, as curves and as a table.
//!
//! Both axes of the plot are logarithmic: what grows as the rows do is level, the distance of two curves
//! is their ratio wherever they are, and the program's start does not flatten all else.

use crate::model::figures::thousands;
use crate::verify::report::markup::Html;

use super::report::{Case, Report, Size};

/// What the plot shows if it was measured: of one database at most as many as there are colours. All
/// else is in the table.
const CURVES: [&str; 9] = [
    "migrate",
    "floor2",
    "floor2_ledger",
    "insert_select",
    "import",
    "filled",
    "copy_filled_ledger",
    "insert_filled",
    "verify",
];
const LINES: [&str; 6] = ["l0", "l1", "l2", "l3", "l4", "l5"];
const POINTS: [&str; LINES.len()] = ["p0", "p1", "p2", "p3", "p4", "p5"];

/// The plot's area within its picture.
const LEFT: f64 = 44.0;
const RIGHT: f64 = 340.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 200.0;

/// More lines than these across the plot are too many.
const MOST_STEPS: usize = 8;

pub fn curves(html: &mut Html, report: &Report) {
    html.raw("<section><h2>Microseconds a message</h2>");
    plot(html, &report.sizes);
    table(html, &report.sizes);
    html.raw("</section>\n");
}

/// The logarithms of what lies along an axis, and where it is drawn.
struct Axis {
    low: f64,
    high: f64,
    begin: f64,
    end: f64,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64>, begin: f64, end: f64) -> Axis {
        let logs = values.map(f64::log10);
        let (low, high) = logs.fold((f64::MAX, f64::MIN), |(low, high), it| (low.min(it), high.max(it)));
        Axis { low, high, begin, end }
    }

    fn place(&self, value: f64) -> f64 {
        let width = if self.high > self.low { self.high - self.low } else { 1.0 };
        self.begin + (value.log10() - self.low) / width * (self.end - self.begin)
    }
}

/// Round numbers from the last one below `low` to the first one above `high`: 1, 2 and 5 times a power of
/// ten, or the powers alone where that is enough.
fn steps(low: f64, high: f64) -> Vec<f64> {
    let within = |all: Vec<f64>| -> Vec<f64> {
        let first = all.iter().rposition(|step| *step <= low).unwrap_or(0);
        let last = all.iter().position(|step| *step >= high).unwrap_or(all.len() - 1);
        all[first..=last.max(first)].to_vec()
    };
    let powers = || (-6..=12).map(|power| 10f64.powi(power));
    let fine = within(powers().flat_map(|power| [1.0, 2.0, 5.0].map(|step| step * power)).collect());
    if fine.len() <= MOST_STEPS {
        fine
    } else {
        within(powers().collect())
    }
}

fn plot(html: &mut Html, sizes: &[Size]) {
    let of = |name: &str| -> Vec<(f64, f64)> {
        let points = sizes.iter().filter_map(|size| Some((records(size), size.case(name)?.microseconds_a_message())));
        points.collect()
    };
    let curves: Vec<(&str, Vec<(f64, f64)>)> = CURVES
        .into_iter()
        .map(|name| (name, of(name)))
        .filter(|(_, points)| points.len() > 1)
        .take(LINES.len())
        .collect();
    let all = || curves.iter().flat_map(|(_, points)| points.iter().copied());
    let (low, high) = all().fold((f64::MAX, f64::MIN), |(low, high), (_, y)| (low.min(y), high.max(y)));
    let steps = steps(low, high);
    let across = Axis::over(sizes.iter().map(records), LEFT, RIGHT);
    let upward = Axis::over(steps.iter().copied(), BOTTOM, TOP);
    html.raw("<svg class=plot viewBox=\"0 0 360 224\" role=img>");
    for step in steps {
        let at = upward.place(step);
        html.raw("<line class=axis x1=").float(LEFT).raw(" x2=").float(RIGHT);
        html.raw(" y1=").float(at).raw(" y2=").float(at).raw(" />");
        html.raw("<text class=soft text-anchor=end x=").float(LEFT - 5.0).raw(" y=").float(at + 2.5).raw(">");
        html.text(&if step < 1.0 { step.to_string() } else { thousands(step as u64) }).raw("</text>");
    }
    for size in sizes {
        html.raw("<text class=soft text-anchor=middle x=").float(across.place(records(size)));
        html.raw(" y=").float(BOTTOM + 16.0).raw(">").number(size.records).raw("</text>");
    }
    for ((_, points), (line, point)) in curves.iter().zip(LINES.into_iter().zip(POINTS)) {
        let points = || points.iter().map(|(x, y)| (across.place(*x), upward.place(*y)));
        html.raw("<polyline class=").raw(line).raw(" points=\"");
        for (x, y) in points() {
            html.float(x).raw(",").float(y).raw(" ");
        }
        html.raw("\"/>");
        for (x, y) in points() {
            html.raw("<circle class=").raw(point).raw(" r=2.4 cx=").float(x).raw(" cy=").float(y).raw(" />");
        }
    }
    html.raw("</svg><p class=key>");
    for ((name, _), point) in curves.iter().zip(POINTS) {
        html.raw("<span><svg viewBox=\"0 0 1 1\"><rect class=").raw(point).raw(" width=1 height=1 /></svg>");
        html.text(name).raw("</span>");
    }
    html.raw("</p>");
}

fn records(size: &Size) -> f64 {
    size.records.max(1) as f64
}

/// Every case at every size, and the largest by the smallest.
fn table(html: &mut Html, sizes: &[Size]) {
    let mut sizes: Vec<&Size> = sizes.iter().collect();
    sizes.sort_by_key(|size| size.records);
    let Some((smallest, largest)) = sizes.first().zip(sizes.last()) else { return };
    html.raw("<div class=scroll><table class=narrow><caption>By the size of the tree, and how it grows</caption>");
    html.raw("<thead><tr><th>case");
    for size in &sizes {
        html.raw("<th>").number(size.records);
    }
    html.raw("<th>growth</tr></thead><tbody>");
    for Case { name, .. } in &largest.cases {
        html.raw("<tr><th scope=row>").text(name).raw("</th>");
        for size in &sizes {
            let figure = size.case(name).map_or_else(|| "–".to_owned(), |case| figure(case.microseconds_a_message()));
            html.raw("<td>").text(&figure).raw("</td>");
        }
        let at = |size: &Size| size.case(name).map(Case::microseconds_a_message);
        let growth = at(smallest).zip(at(largest)).map(|(from, to)| format!("× {:.2}", to / from));
        html.raw("<td>").text(growth.as_deref().unwrap_or("–")).raw("</td></tr>");
    }
    html.raw("</tbody></table></div>");
}

fn figure(microseconds: f64) -> String {
    match microseconds {
        ..10.0 => format!("{microseconds:.2}"),
        ..1e3 => format!("{microseconds:.1}"),
        _ => thousands(microseconds.round() as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_numbers_around_what_is_shown() {
        assert_eq!(steps(3.0, 45.0), [2.0, 5.0, 10.0, 20.0, 50.0]);
        assert_eq!(steps(0.7, 40_000.0), [0.1, 1.0, 10.0, 100.0, 1_000.0, 10_000.0, 100_000.0]);
        assert_eq!(steps(1.0, 1.0), [1.0]);
    }

    #[test]
    fn figures_have_as_many_digits_as_they_mean() {
        assert_eq!([0.757, 16.64, 1_848.2].map(figure), ["0.76", "16.6", "1,848"]);
    }

    #[test]
    fn an_axis_ends_where_its_values_do_and_one_value_stands_at_its_begin() {
        let axis = Axis::over([10.0, 1_000.0].into_iter(), 0.0, 100.0);
        assert_eq!([10.0, 100.0, 1_000.0].map(|value| axis.place(value)), [0.0, 50.0, 100.0]);
        assert_eq!(Axis::over([7.0, 7.0].into_iter(), 5.0, 6.0).place(7.0), 5.0);
    }
}
