//! What a benchmark found: for programs as JSON, for people as a table or a page.

use std::time::Duration;

use serde::Serialize;

use crate::exec::Quantiles;
use crate::model::figures::duration;

/// The version of the JSON object. It grows when a member changes its meaning or goes away.
pub const VERSION: u32 = 1;

/// A benchmark of one database, of one or several sizes.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub bench: u32,
    /// transload and its version.
    pub program: String,
    /// UTC.
    pub started: String,
    pub machine: Machine,
    /// The database's name and version.
    pub database: String,
    /// How often each case was run; its time is the median's.
    pub rounds: usize,
    /// Connections that load, in the floors and in transload.
    pub connections: usize,
    pub sizes: Vec<Size>,
    /// Floors that could not be measured, and why.
    pub left_out: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    pub system: String,
    pub cores: usize,
    /// Bytes; `null` where the system does not tell.
    pub memory: Option<u64>,
}

/// One tree.
#[derive(Clone, Debug, Serialize)]
pub struct Size {
    /// Messages, as they were asked for.
    pub records: u64,
    pub files: u64,
    pub bytes: u64,
    pub cases: Vec<Case>,
    pub ratios: Vec<Ratio>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// What nobody can do without.
    Floor,
    Transload,
}

/// Something that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Case {
    pub name: &'static str,
    pub what: &'static str,
    pub kind: Kind,
    /// Messages in the tree that it works on, which is not the same one for all.
    pub records: u64,
    /// The median's.
    pub seconds: f64,
    /// Of every round, in their order.
    pub all_seconds: Vec<f64>,
    pub rows: Option<u64>,
    pub bytes: Option<u64>,
    /// Of transload's own process, in the median's round.
    pub cpu_seconds: Option<f64>,
    pub peak_bytes: Option<u64>,
    /// What PostgreSQL's write-ahead log grew by meanwhile, in the median's round: all of the server's.
    pub wal_bytes: Option<u64>,
    /// How rows were written, and why so, where there was a choice.
    pub mode: Option<String>,
    /// Of transload's batches, in the median's round: from begin to commit.
    pub commits: Option<Quantiles>,
}

impl Case {
    pub fn commits_per_second(&self) -> Option<f64> {
        self.commits.map(|commits| commits.count as f64 / self.seconds)
    }

    pub fn microseconds_a_message(&self) -> f64 {
        self.seconds / self.records.max(1) as f64 * 1e6
    }

    pub fn rows_per_second(&self) -> Option<f64> {
        self.rows.map(|rows| rows as f64 / self.seconds)
    }

    pub fn bytes_per_second(&self) -> Option<f64> {
        self.bytes.map(|bytes| bytes as f64 / self.seconds)
    }
}

/// One case's time by another's, or by the sum of several.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ratio {
    pub case: &'static str,
    pub to: Vec<&'static str>,
    pub ratio: f64,
}

impl Size {
    pub fn case(&self, name: &str) -> Option<&Case> {
        self.cases.iter().find(|case| case.name == name)
    }

    /// Adds the ratio if all of its cases were measured.
    pub fn add_ratio(&mut self, case: &'static str, to: &[&'static str]) {
        let seconds = |name: &&'static str| self.case(name).map(|case| case.seconds);
        let floor: Option<f64> = to.iter().map(seconds).sum();
        if let (Some(own), Some(floor)) = (seconds(&case), floor) {
            self.ratios.push(Ratio { case, to: to.to_vec(), ratio: own / floor });
        }
    }
}

/// Seconds for people. What takes a few milliseconds is told in them: `0.00 s` compares with nothing.
pub fn time(seconds: f64) -> String {
    match seconds {
        ..0.1 => format!("{:.1} ms", seconds.max(0.0) * 1e3),
        _ => duration(Duration::from_secs_f64(seconds)),
    }
}

/// The rounds of one case.
#[derive(Debug)]
pub struct Rounds {
    case: Case,
    measured: Vec<Measured>,
}

/// What one round of a case took.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    pub seconds: f64,
    pub cpu_seconds: Option<f64>,
    pub peak_bytes: Option<u64>,
    pub rows: Option<u64>,
    pub bytes: Option<u64>,
    pub wal_bytes: Option<u64>,
    pub mode: Option<String>,
    pub commits: Option<Quantiles>,
}

impl Rounds {
    pub fn new(name: &'static str, what: &'static str, kind: Kind, records: u64) -> Rounds {
        let case = Case {
            name,
            what,
            kind,
            records,
            seconds: 0.0,
            all_seconds: Vec::new(),
            rows: None,
            bytes: None,
            cpu_seconds: None,
            peak_bytes: None,
            wal_bytes: None,
            mode: None,
            commits: None,
        };
        Rounds { case, measured: Vec::new() }
    }

    pub fn add(&mut self, measured: Measured) {
        self.measured.push(measured);
    }

    /// The median's round; of two in the middle the slower one. The peak is the highest of all.
    pub fn median(self) -> Option<Case> {
        let Rounds { mut case, mut measured } = self;
        case.all_seconds = measured.iter().map(|it| it.seconds).collect();
        case.peak_bytes = measured.iter().filter_map(|it| it.peak_bytes).max();
        measured.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        let middle = measured.len() / 2;
        let median = measured.into_iter().nth(middle)?;
        (case.seconds, case.cpu_seconds) = (median.seconds, median.cpu_seconds);
        (case.rows, case.bytes, case.mode) = (median.rows, median.bytes, median.mode);
        (case.commits, case.wal_bytes) = (median.commits, median.wal_bytes);
        Some(case)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(name: &'static str, seconds: &[f64]) -> Case {
        let mut rounds = Rounds::new(name, "", Kind::Floor, 1);
        for (at, seconds) in seconds.iter().enumerate() {
            rounds.add(Measured { seconds: *seconds, peak_bytes: Some(at as u64), ..Measured::default() });
        }
        rounds.median().expect("it was measured")
    }

    #[test]
    fn a_case_is_its_median_and_its_highest_peak() {
        let found = case("a", &[3.0, 1.0, 2.0]);
        assert_eq!((found.seconds, found.peak_bytes), (2.0, Some(2)));
        assert_eq!(found.all_seconds, [3.0, 1.0, 2.0]);
        assert!(Rounds::new("a", "", Kind::Floor, 1).median().is_none());
    }

    #[test]
    fn short_times_are_told_in_milliseconds() {
        assert_eq!([-1.0, 0.0034, 0.25, 75.0].map(time), ["0.0 ms", "3.4 ms", "0.25 s", "1 min 15 s"]);
    }

    #[test]
    fn a_ratio_is_to_the_sum_of_its_floors_and_only_if_all_were_measured() {
        let cases = vec![case("a", &[6.0]), case("b", &[1.0]), case("c", &[2.0])];
        let mut size = Size { records: 1, files: 1, bytes: 1, cases, ratios: Vec::new() };
        size.add_ratio("a", &["b", "c"]);
        size.add_ratio("a", &["b", "d"]);
        assert_eq!(size.ratios, [Ratio { case: "a", to: vec!["b", "c"], ratio: 2.0 }]);
    }
}
