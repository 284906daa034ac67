//! What `verify` takes, and shares, times and durations from text.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::cli::generate::share;
use crate::model::Instant;

#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// The root of the legacy files [default: the setting `source`]
    pub source: Option<PathBuf>,
    /// Only these kinds of documents, e.g. users,chats,memory
    #[arg(long, value_delimiter = ',', value_name = "KINDS")]
    pub only: Vec<String>,
    /// Only this share of the documents, e.g. 5%; the same ones for the same seed
    #[arg(long, value_parser = part, value_name = "SHARE")]
    pub sample: Option<f64>,
    /// Chooses the sample
    #[arg(long, requires = "sample", default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Only documents with a file modified since then: 2026-06-30, 2026-06-30T03:15:00Z, or 36h ago
    #[arg(long, value_parser = since, value_name = "TIME")]
    pub changed_since: Option<Since>,
    /// How many differences are listed; all are counted
    #[arg(long, default_value_t = 1000, value_name = "N")]
    pub max_differences: usize,
    /// How far the database may be behind a file that is being written
    #[arg(long, value_parser = duration, default_value = "10s", value_name = "TIME")]
    pub max_lag: Duration,
    /// The share of documents that may keep changing while they are compared
    #[arg(long, value_parser = share, default_value = "0.5%", value_name = "SHARE")]
    pub max_unsettled: f64,
    /// How often a document may move while it is looked at again, until it counts as unsettled
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000), value_name = "N")]
    pub tries: u32,
    /// Differences that somebody lets stand (docs/verifying.md)
    #[arg(long, value_name = "FILE")]
    pub waivers: Option<PathBuf>,
    /// The result as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
    /// Write the result as a page for people
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Write the counts as metrics for Prometheus' textfile collector
    #[arg(long, value_name = "FILE")]
    pub metrics: Option<PathBuf>,
    /// Write a short text that stands for all content of both sides (docs/receipts.md)
    #[arg(long, value_name = "FILE")]
    pub receipt: Option<PathBuf>,
    /// Note the result in the database, for the history in reports; nothing else is ever written there
    #[arg(long)]
    pub record: bool,
    /// Make the database say what the files say; `=plan` only says what that would change
    #[arg(long, value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "now", value_name = "HOW")]
    pub repair: Option<Repair>,
    /// With --repair: leave the database as it is, and report what differs
    #[arg(long, value_enum, requires = "repair", value_name = "SIDE")]
    pub prefer: Option<Kept>,
    /// Hide values: types and lengths stand for them
    #[arg(long)]
    pub redact: bool,
}

/// From when on a file counts as changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Since {
    At(Instant),
    /// In the zone of the settings.
    Local(DateTime),
    Ago(Duration),
}

impl Since {
    pub fn resolve(self, now: Instant, zone: &TimeZone) -> Option<Instant> {
        match self {
            Since::At(instant) => Some(instant),
            Since::Local(local) => Instant::checked(local.to_zoned(zone.clone()).ok()?.timestamp().as_microsecond()),
            Since::Ago(time) => Instant::checked(now.0.checked_sub(i64::try_from(time.as_micros()).ok()?)?),
        }
    }
}

/// What becomes of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Repair {
    /// It is only said what would be changed.
    Plan,
    /// It is changed.
    Now,
}

/// The side that a repair leaves as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kept {
    Database,
}

/// A share of which something is left.
fn part(text: &str) -> Result<f64, String> {
    match share(text) {
        Ok(share) if share > 0.0 => Ok(share),
        _ => Err("expected a share above 0% and up to 100%, such as 5% or 0.05".to_owned()),
    }
}

/// `10s`, `500ms`, `2m`, `36h`, `7d`; seconds where no unit is named.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("expected a time such as 10s, 500ms, 2m, 36h or 7d, found {text:?}");
    let trimmed = text.trim();
    let digits = trimmed.len() - trimmed.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
    let (number, unit) = trimmed.split_at(digits);
    let factor = match unit.trim() {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return Err(wrong()),
    };
    let seconds = number.parse::<f64>().map_err(|_| wrong())? * factor;
    Duration::try_from_secs_f64(seconds).ok().filter(|time| time.as_secs() <= 36_500 * 86_400).ok_or_else(wrong)
}

fn since(text: &str) -> Result<Since, String> {
    let text = text.trim();
    let text = text.strip_suffix("ago").map_or(text, str::trim);
    if let Ok(timestamp) = text.parse::<jiff::Timestamp>() {
        return Instant::checked(timestamp.as_microsecond()).map(Since::At).ok_or_else(|| unknown_time(text));
    }
    // A civil time's parser would take an offset and drop it.
    if let Ok(local) = text.parse::<DateTime>() {
        return Ok(Since::Local(local));
    }
    if let Ok(day) = text.parse::<Date>() {
        return Ok(Since::Local(day.to_datetime(jiff::civil::Time::midnight())));
    }
    match duration(text) {
        // A bare number might as well be a year.
        Ok(time) if text.ends_with(|c: char| c.is_ascii_alphabetic()) => Ok(Since::Ago(time)),
        _ => Err(unknown_time(text)),
    }
}

fn unknown_time(text: &str) -> String {
    format!("expected a time such as 2026-06-30, 2026-06-30T03:15:00Z or 36h, found {text:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, zone: &str) -> Option<String> {
        let now = Instant::from_fixed("2026-06-30T12:00:00.000000Z").expect("a time");
        let zone = TimeZone::get(zone).expect("a zone");
        since(text).ok()?.resolve(now, &zone).map(Instant::to_fixed)
    }

    #[test]
    fn durations_have_units_and_seconds_are_the_usual_one() {
        for (text, millis) in [
            ("10s", 10_000),
            ("10", 10_000),
            ("500ms", 500),
            ("2m", 120_000),
            ("1.5 h", 5_400_000),
            ("7d", 604_800_000),
            ("0", 0),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for wrong in ["", "s", "-1s", "1.2.3s", "10 parsecs", "1e3s", "nan", "99999999999d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_sample_of_nothing_is_none() {
        assert_eq!(part("5%"), Ok(0.05));
        assert_eq!(part("100%"), Ok(1.0));
        for wrong in ["0%", "0", "-5%", "101%", "five"] {
            assert!(part(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_repair_is_planned_or_done_and_only_then_a_side_preferred() {
        let parsed = |line: &str| {
            let cli = crate::cli::parse(line.split(' ').map(Into::into))?;
            match cli.command {
                Some(crate::cli::Command::Verify(args)) => Ok((args.source, args.repair, args.prefer)),
                _ => panic!("verify was asked for"),
            }
        };
        let data = Some(PathBuf::from("data"));
        let of = |line: &str| parsed(line).unwrap_or_else(|error: clap::Error| panic!("{line}: {error}"));
        assert_eq!(of("transload verify data"), (data.clone(), None, None));
        // The source is not taken for what --repair is to do.
        assert_eq!(of("transload verify --repair data"), (data.clone(), Some(Repair::Now), None));
        assert_eq!(of("transload verify data --repair=plan"), (data.clone(), Some(Repair::Plan), None));
        assert_eq!(of("transload verify --repair --prefer database"), (None, Some(Repair::Now), Some(Kept::Database)));
        for wrong in ["verify --repair=soon", "verify --prefer database", "verify --repair --prefer file"] {
            assert!(parsed(&format!("transload {wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn changes_are_looked_at_since_an_instant_a_day_or_a_while_ago() {
        assert_eq!(at("2026-06-29T03:15:00Z", "UTC").as_deref(), Some("2026-06-29T03:15:00.000000Z"));
        assert_eq!(at("2026-06-29T03:15:00+02:00", "UTC").as_deref(), Some("2026-06-29T01:15:00.000000Z"));
        assert_eq!(at("2026-06-29T03:15:00", "Europe/Berlin").as_deref(), Some("2026-06-29T01:15:00.000000Z"));
        assert_eq!(at("2026-06-29", "Europe/Berlin").as_deref(), Some("2026-06-28T22:00:00.000000Z"));
        assert_eq!(at("36h", "UTC").as_deref(), Some("2026-06-29T00:00:00.000000Z"));
        assert_eq!(at("36h ago", "UTC").as_deref(), Some("2026-06-29T00:00:00.000000Z"));
        for wrong in ["", "yesterday", "2026", "2026-13-01", "10", "2026-06-30T25:00:00Z"] {
            assert_eq!(at(wrong, "UTC"), None, "{wrong}");
        }
    }
}
