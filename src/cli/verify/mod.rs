//! `verify [SOURCE]`: whether files and database say the same.

pub mod args;
#[cfg(test)]
mod example;
mod json;
mod metrics;
mod repair;
mod text;

use std::path::Path;

use jiff::Zoned;

use crate::config::Config;
use crate::exec::Signal;
use crate::format::Format;
use crate::model::path::escape_controls;
use crate::model::{DocumentKind, Instant, RelPath};
use crate::target::{Target, TargetError};
use crate::verify::outcome::{Conclusion, Outcome};
use crate::verify::receipt::Receipt;
use crate::verify::waivers::Waivers;
use crate::verify::{report, Job, Options, Sample, VerifyError};

use super::engine::{self, Watch};
use super::exit::Exit;
use super::failure::Failure;
use super::migrate::each_known;
use super::output_file::{check_distinct, OutputFile, PRIVATE, PUBLIC};
use super::{console, parts, print};

use args::VerifyArgs;

/// Runs `verify`.
pub fn run(args: &VerifyArgs, config: &Config, quiet: bool) -> Result<Exit, Failure> {
    let format = engine::format(config)?;
    let known: Vec<&'static str> = format.kinds().iter().map(|kind| kind.name).collect();
    let only = each_known("--only", &args.only, &known)?;
    let source = engine::source(config)?;
    let outputs = Outputs::plan(args, config)?;
    let read_waivers = || waivers(args.waivers.as_deref());
    read_waivers()?;
    let target = engine::target(config)?;
    console::write_stderr(format!("target {}\n", escape_controls(&target.name())).as_bytes());
    let started = Instant::now();
    let clock = std::time::Instant::now();
    let stop = engine::begin(config)?;
    let check = |guards: bool| -> Result<Outcome, Unchecked> {
        let (format, kinds) = kinds(&*target, format, &only)?;
        let options = Options { guards, ..options(args, config, kinds, read_waivers()?)? };
        let watch = Watch::start(quiet);
        let job = Job {
            format,
            source: &source,
            target: &*target,
            options: &options,
            stop: &stop,
            progress: &watch.progress,
            tick: &|now| watch.tick(now),
        };
        let mut outcome = crate::verify::verify(&job)?;
        outcome.narrowed |= !args.only.is_empty();
        Ok(outcome)
    };
    let mut repaired = None;
    let first = check(args.repair.is_some());
    let checked = first.and_then(|outcome| match args.repair {
        // What is told in the end is what both sides are after the repair.
        Some(how) if !outcome.guards.is_empty() => {
            let (format, _) = kinds(&*target, format, &only)?;
            let report = repair::run(args, config, format, &*target, &source, &outcome, how, &stop, quiet)?;
            let stopped = report.stopped;
            repaired = Some(report);
            match (stopped, how) {
                (Some(signal), _) => Err(Unchecked::Stopped(signal)),
                (None, args::Repair::Plan) => Ok(outcome),
                (None, args::Repair::Now) => check(false),
            }
        }
        _ => Ok(outcome),
    });
    let outcome = match checked {
        Ok(outcome) => outcome,
        Err(Unchecked::Stopped(signal)) => {
            let done = if repaired.is_some() { "what was repaired stays" } else { "nothing was changed" };
            console::write_stderr(format!("stopped by {}; {done}\n", signal.name()).as_bytes());
            return Ok(Exit::of_signal(signal));
        }
        // Whoever reads the page or watches the metrics is to see that there was no check.
        Err(Unchecked::Failed(failure)) => {
            let source = RelPath::new(source).to_text();
            let why = failure.error.to_string();
            let seconds = clock.elapsed().as_secs_f64();
            let outcome = Outcome::not_done(source, target.name(), started, seconds, why);
            outputs.write(&outcome, args)?;
            if args.json {
                print(|out| json::write(out, &outcome, args.redact, None))?;
            }
            return Err(*failure);
        }
    };
    if args.record {
        // A replica takes no row, and the verification is as good without it.
        if let Err(error) = crate::verify::record(&*target, &outcome, &engine::holder("verify")) {
            tracing::warn!(%error, "the run is not noted in the database");
        }
    }
    outputs.write(&outcome, args)?;
    let masked = report::masked(&outcome, args.redact);
    let plan = args.repair == Some(args::Repair::Plan);
    let repaired = repaired.as_ref().map(|report| repair::Told::new(report, plan));
    print(|out| match args.json {
        true => json::write(out, &masked, args.redact, repaired.as_ref()),
        false => {
            repaired.as_ref().map_or(Ok(()), |told| told.write(out))?;
            text::write(out, &masked, args.redact)
        }
    })?;
    warn_of_waivers(&outcome);
    Ok(exit_of(&outcome.conclusion))
}

fn exit_of(conclusion: &Conclusion) -> Exit {
    match conclusion {
        Conclusion::Agree => Exit::Done,
        Conclusion::Differ => Exit::Leftovers,
        Conclusion::NotChecked(_) => Exit::Failed,
    }
}

/// Why there is nothing to conclude from.
enum Unchecked {
    Stopped(Signal),
    Failed(Box<Failure>),
}

impl From<Failure> for Unchecked {
    fn from(failure: Failure) -> Unchecked {
        Unchecked::Failed(Box::new(failure))
    }
}

impl From<TargetError> for Unchecked {
    fn from(error: TargetError) -> Unchecked {
        Failure::new(error).into()
    }
}

impl From<VerifyError> for Unchecked {
    fn from(error: VerifyError) -> Unchecked {
        match error {
            VerifyError::Stopped(signal) => Unchecked::Stopped(signal),
            VerifyError::Source(error) => {
                let hint = error.hint().to_owned();
                Failure::new(error).with_hint(hint).into()
            }
            error => Failure::new(error).into(),
        }
    }
}

/// What is written beside stdout.
struct Outputs {
    report: Option<OutputFile>,
    metrics: Option<OutputFile>,
    receipt: Option<OutputFile>,
}

impl Outputs {
    fn plan(args: &VerifyArgs, config: &Config) -> Result<Outputs, Failure> {
        let plan = |path: &Option<_>, what, mode| {
            path.as_deref().map(|path: &Path| OutputFile::plan(path, what, mode, config)).transpose()
        };
        let outputs = Outputs {
            report: plan(&args.report, "the report", PRIVATE)?,
            metrics: plan(&args.metrics, "the metrics", PUBLIC)?,
            receipt: plan(&args.receipt, "the receipt", PRIVATE)?,
        };
        check_distinct(
            &[&outputs.report, &outputs.metrics, &outputs.receipt].into_iter().flatten().collect::<Vec<_>>(),
        )?;
        Ok(outputs)
    }

    fn write(&self, outcome: &Outcome, args: &VerifyArgs) -> Result<(), Failure> {
        if let Some(file) = &self.report {
            file.write(&report::html(outcome, args.redact))?;
            console::write_stderr(format!("report {}\n", super::summary::shown(file.path())).as_bytes());
        }
        if let (Some(output), Some((file, database))) = (&self.receipt, &outcome.receipt) {
            let receipt = Receipt { outcome, file: file.clone(), database: database.clone() };
            output.write(&receipt.text())?;
            console::write_stderr(format!("receipt {}\n", super::summary::shown(output.path())).as_bytes());
        }
        self.metrics.as_ref().map_or(Ok(()), |file| file.write(&metrics::text(outcome)))
    }
}

/// The kinds to compare: those that were asked for, else all that a migration moves by itself and
/// those whose optional part the database has; and the format with the tables that are there.
fn kinds(
    target: &dyn Target,
    format: &'static dyn Format,
    only: &[&'static str],
) -> Result<(&'static dyn Format, Vec<&'static DocumentKind>), Unchecked> {
    let format = engine::readers(target, format, 1)?.format;
    let dialect = target.capabilities().dialect;
    let has_table = |kind: &DocumentKind| format.tables().contains(&kind.main);
    if let Some(kind) = format.kinds().iter().find(|kind| only.contains(&kind.name) && !has_table(kind)) {
        let part = parts::of_kind(format, dialect, kind).unwrap_or_default();
        let message = format!("{} has no {}: that part of its schema is optional", target.name(), kind.name);
        let hint = format!("`transload migrate --with {part}` makes it and loads them");
        return Err(Failure::new(anyhow::Error::msg(message)).with_hint(hint).into());
    }
    let is_compared = |kind: &&'static DocumentKind| match only.is_empty() {
        true => has_table(kind),
        false => only.contains(&kind.name),
    };
    Ok((format, format.kinds().iter().copied().filter(is_compared).collect()))
}

fn options(
    args: &VerifyArgs,
    config: &Config,
    kinds: Vec<&'static DocumentKind>,
    waivers: Waivers,
) -> Result<Options, Failure> {
    let changed_since = match args.changed_since {
        Some(since) => Some(
            since
                .resolve(Instant::now(), &config.timezone)
                .ok_or_else(|| Failure::usage("--changed-since is not within the years 1 to 9999", None))?,
        ),
        None => None,
    };
    Ok(Options {
        kinds,
        zone: config.timezone.clone(),
        follow_links: config.follow_links,
        whole_bytes: config.whole_bytes,
        threads: config.readers,
        sample: args.sample.map(|share| Sample { share, seed: args.seed }),
        changed_since,
        max_differences: args.max_differences,
        max_lag: args.max_lag,
        max_unsettled: args.max_unsettled,
        tries: args.tries,
        waivers,
        receipt: args.receipt.is_some(),
        guards: false,
    })
}

/// The waivers that the file names; a day ends at midnight where this runs.
fn waivers(path: Option<&Path>) -> Result<Waivers, Failure> {
    let Some(path) = path else { return Ok(Waivers::default()) };
    let name = super::summary::shown(path);
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::new(anyhow::Error::new(error).context(format!("cannot read the waivers `{name}`")))
    })?;
    Waivers::load(&text, Zoned::now().date())
        .map_err(|error| Failure::new(anyhow::Error::new(error).context(format!("bad waivers in `{name}`"))))
}

fn warn_of_waivers(outcome: &Outcome) {
    for waiver in &outcome.waivers {
        let (cause, document, until) = (waiver.cause, &waiver.document, &waiver.until);
        if waiver.expired {
            tracing::warn!(cause, document, until, "this waiver has expired and covers nothing");
        } else if waiver.covered == 0 {
            tracing::warn!(cause, document, until, "this waiver covers nothing any more");
        }
    }
}
