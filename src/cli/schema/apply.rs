//! `schema apply DIR`: runs what the database has not had.

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::{engine, print};
use crate::config::Config;
use crate::exec::{watch_signals, Stop};
use crate::schema::plan::Allowed;
use crate::schema::run::{self, Job, Outcome, RunError};

use super::args::ApplyArgs;
use super::job::{allowed, failure, silent, tell, Work};
use super::shown;

pub fn run(args: &ApplyArgs, config: &Config, quiet: bool) -> Result<Exit, Failure> {
    run_with(args, config, quiet, "schema apply", run::apply)
}

/// `apply` and `rollback` differ in what they do with the same job.
pub fn run_with(
    args: &ApplyArgs,
    config: &Config,
    quiet: bool,
    command: &str,
    act: impl Fn(&Job) -> Result<Outcome, RunError>,
) -> Result<Exit, Failure> {
    let work = Work::open(&args.set, config)?;
    work.announce();
    let stop = Stop::new();
    watch_signals(&stop).map_err(Failure::new)?;
    let by = engine::holder(command);
    let allowed = Allowed { until: args.to, ..allowed(&args.allow, config) };
    let job = work.job(allowed, &args.waits, &by, &stop, if quiet { &silent } else { &tell });
    let outcome = act(&job).map_err(failure)?;
    print(|out| match args.set.json {
        true => shown::write_json(out, &work.target.name(), &work.name, &outcome),
        false => shown::write_text(out, &work.name, &outcome),
    })?;
    Ok(match (&outcome.stopped_before, stop.requested()) {
        (Some(_), Some(signal)) => Exit::of_signal(signal),
        _ => Exit::Done,
    })
}
