//! `migrate [SOURCE]`: moves the documents into the database.

use std::collections::HashSet;
use std::time::Duration;

use uuid::Uuid;

use crate::config::{nearest, Config};
use crate::pipeline::{self, Job, Mode, Removed, Report, What};
use crate::target::Target;

use super::args::{MigrateArgs, Prefer};
use super::engine::{self, Watch, OPTIONAL};
use super::exit::Exit;
use super::failure::Failure;
use super::summary::{write_findings, write_json, write_text, RunReport};
use super::{console, print, resume};

const INTERRUPTED: &str = "run the same `transload migrate` again: it puts keys and indexes back and goes on";

/// Runs `migrate`.
pub fn run(args: &MigrateArgs, config: &Config, quiet: bool) -> Result<Exit, Failure> {
    let format = engine::format(config)?;
    let known: Vec<&'static str> = format.kinds().iter().map(|kind| kind.name).collect();
    let options = MigrateOptions::from_args(args, &known, &OPTIONAL)?;
    migrate(config, &options, None, "migrate", quiet)
}

/// Migrates; with `documents`, only these.
pub fn migrate(
    config: &Config,
    options: &MigrateOptions,
    documents: Option<HashSet<Uuid>>,
    command: &'static str,
    quiet: bool,
) -> Result<Exit, Failure> {
    let format = engine::format(config)?;
    let target = engine::target(config)?;
    let source = engine::source(config)?;
    console::write_stderr(format!("target {}\n", crate::model::path::escape_controls(&target.name())).as_bytes());
    let mut run_options = engine::options(config, engine::kinds(format, &options.kinds));
    run_options.documents = documents;
    run_options.prefer = match options.prefer {
        Some(Prefer::File) => pipeline::Prefer::File,
        None => pipeline::Prefer::Neither,
    };
    run_options.removed = if options.prune { Removed::Prune } else { Removed::Keep };
    run_options.mode = if options.dry_run { Mode::DryRun } else { Mode::Real };
    run_options.count_first = !quiet;
    let stop = engine::begin(config)?;
    let dialect = target.capabilities().dialect;
    let watch = Watch::start(quiet);
    let result = pipeline::migrate(&Job {
        format,
        source: &source,
        target: &*target,
        prepare: &|connection| engine::prepare(dialect, format, connection),
        options: &run_options,
        command,
        holder: &engine::holder(command),
        stop: &stop,
        progress: &watch.progress,
        tick: &|now| watch.tick(now),
    });
    drop(watch);
    let again = resume::command(&std::env::args_os().collect::<Vec<_>>());
    let report = result.map_err(|error| run_failure(error, &again))?;
    let shown = run_report(command, &source, &*target, &report, again);
    let (summary, findings) = (&report.account.summary, &report.account.findings);
    print(|out| match options.json {
        true => write_json(out, summary, findings, &shown),
        false => {
            write_text(out, summary, &shown)?;
            write_findings(out, findings)
        }
    })?;
    Ok(match report.stopped {
        Some(signal) => Exit::of_signal(signal),
        None => Exit::of_leftovers(summary.has_leftovers()),
    })
}

fn run_report(
    command: &'static str,
    source: &std::path::Path,
    target: &dyn Target,
    report: &Report,
    again: String,
) -> RunReport {
    // What could not be read this time may be read the next time.
    let again_later = |what| matches!(what, What::Failed | What::Unreadable);
    let unfinished = report.stopped.is_some() || report.account.findings.iter().any(|it| again_later(it.what));
    RunReport {
        command,
        run: report.run,
        source: source.to_owned(),
        target: target.name(),
        dry_run: report.dry_run,
        mode: report.mode.to_owned(),
        mode_reason: report.mode_reason.to_owned(),
        time: Duration::from_secs_f64(report.seconds),
        rejects: report.rejects_directory.clone(),
        stopped_by: report.stopped.map(|signal| signal.name()),
        resume: unfinished.then_some(again),
    }
}

/// What a person can do about it: run the same command again, once the cause is gone.
fn run_failure(error: pipeline::RunError, again: &str) -> Failure {
    use pipeline::RunError;
    let hint = match &error {
        RunError::Source(error) => error.hint().to_owned(),
        RunError::NothingKnown { .. } => {
            "is it the right directory? `transload scan` says what is there; an empty result is not success".to_owned()
        }
        RunError::NoBulk { .. } => {
            "remove what is in the way, or leave `--mode bulk` out: then keys and indexes stay in place".to_owned()
        }
        RunError::Interrupted => INTERRUPTED.to_owned(),
        RunError::Lock(crate::target::LockError::Held { .. }) => "wait for it to end, or stop it".to_owned(),
        _ => format!("what was committed stays; once the cause is gone, this goes on: {again}"),
    };
    Failure::new(error).with_hint(hint)
}

/// The options of one migration, validated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrateOptions {
    /// The kinds of documents to move, in the format's order.
    pub kinds: Vec<&'static str>,
    pub dry_run: bool,
    pub prune: bool,
    pub prefer: Option<Prefer>,
    pub json: bool,
}

impl MigrateOptions {
    /// `known` are the format's kinds; `optional` those that are left out unless asked for.
    pub fn from_args(
        args: &MigrateArgs,
        known: &[&'static str],
        optional: &[&'static str],
    ) -> Result<MigrateOptions, Failure> {
        let only = each_known("--only", &args.only, known)?;
        let mut with = each_known("--with", &args.with, known)?;
        if args.with_logs {
            with.extend(each_known("--with-logs", &["logs".to_owned()], known)?);
        }
        let wanted = |kind: &&str| match only.is_empty() {
            true => !optional.contains(kind) || with.contains(kind),
            false => only.contains(kind) || with.contains(kind),
        };
        Ok(MigrateOptions {
            kinds: known.iter().copied().filter(wanted).collect(),
            dry_run: args.dry_run,
            prune: args.prune,
            prefer: args.prefer,
            json: args.json,
        })
    }
}

/// The kinds of these names; `flag` is for the message.
pub(super) fn each_known(flag: &str, names: &[String], known: &[&'static str]) -> Result<Vec<&'static str>, Failure> {
    let find = |name: &String| known.iter().copied().find(|kind| kind == name);
    let check = |name: &String| {
        find(name).ok_or_else(|| {
            let hint = nearest(name, known.iter().copied()).map(|kind| format!("was `{kind}` meant?"));
            Failure::usage(format!("{flag} knows no kind {name:?}; known are {}", known.join(", ")), hint)
        })
    };
    names.iter().map(check).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::exit::Exit;

    const KNOWN: [&str; 3] = ["users", "chats", "logs"];

    fn options(only: &[&str], with: &[&str], with_logs: bool) -> Result<MigrateOptions, Failure> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let args = MigrateArgs {
            source: None,
            dry_run: false,
            only: owned(only),
            with: owned(with),
            with_logs,
            prune: false,
            prefer: None,
            json: false,
        };
        MigrateOptions::from_args(&args, &KNOWN, &["logs"])
    }

    #[test]
    fn logs_are_moved_when_they_are_asked_for() {
        let kinds = |only: &[&str], with: &[&str], with_logs| options(only, with, with_logs).expect("valid").kinds;
        assert_eq!(kinds(&[], &[], false), ["users", "chats"]);
        assert_eq!(kinds(&[], &["logs"], false), KNOWN);
        assert_eq!(kinds(&[], &[], true), KNOWN);
        assert_eq!(kinds(&["logs"], &[], false), ["logs"]);
        assert_eq!(kinds(&["chats", "users"], &["logs"], false), KNOWN);
    }

    #[test]
    fn an_unknown_kind_is_wrong_usage_and_told_the_known_ones() {
        let failure = options(&["user"], &[], false).expect_err("no such kind");
        assert_eq!(failure.exit, Exit::Usage);
        assert_eq!(
            failure.to_lines(),
            "error: --only knows no kind \"user\"; known are users, chats, logs\nhint: was `users` meant?\n"
        );
    }
}
