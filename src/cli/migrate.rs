//! `migrate [SOURCE]`: moves the documents into the database.

use std::collections::HashSet;
use std::time::Duration;

use uuid::Uuid;

use crate::config::{nearest, Config};
use crate::format::Format;
use crate::model::DocumentKind;
use crate::pipeline::{self, Job, Mode, Removed, Report, What};
use crate::schema;
use crate::target::Target;

use super::args::{MigrateArgs, Prefer};
use super::engine::{self, Watch};
use super::exit::Exit;
use super::failure::Failure;
use super::summary::{write_findings, write_json, write_text, RunReport};
use super::{console, parts, print, resume};

const INTERRUPTED: &str = "run the same `transload migrate` again: it puts keys and indexes back and goes on";

/// Runs `migrate`.
pub fn run(args: &MigrateArgs, config: &Config, quiet: bool) -> Result<Exit, Failure> {
    let format = engine::format(config)?;
    let known: Vec<&'static str> = format.kinds().iter().map(|kind| kind.name).collect();
    let options = MigrateOptions::from_args(args, &known)?;
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
    let dialect = target.capabilities().dialect;
    let known: Vec<&'static str> = format.kinds().iter().map(|kind| kind.name).collect();
    parts::check(config, format, dialect, &known)?;
    let source = engine::source(config)?;
    console::write_stderr(format!("target {}\n", crate::model::path::escape_controls(&target.name())).as_bytes());
    let there = parts::there(&*target, format).map_err(|error| Failure::new(error).with_hint(goes_on(&again())))?;
    let chosen = Chosen::of(format, dialect, options, &config.with, &there);
    let format = parts::with(format, dialect, &chosen.parts);
    let mut run_options = engine::options(config, chosen.kinds);
    run_options.documents = documents;
    run_options.prefer = match options.prefer {
        Some(Prefer::File) => pipeline::Prefer::File,
        None => pipeline::Prefer::Neither,
    };
    run_options.removed = if options.prune { Removed::Prune } else { Removed::Keep };
    run_options.mode = if options.dry_run { Mode::DryRun } else { Mode::Real };
    run_options.count_first = !quiet;
    let stop = engine::begin(config)?;
    let watch = Watch::start(quiet);
    let result = pipeline::migrate(&Job {
        format,
        source: &source,
        target: &*target,
        prepare: &|connection| engine::prepare(dialect, format, &chosen.parts, connection),
        options: &run_options,
        command,
        holder: &engine::holder(command),
        stop: &stop,
        progress: &watch.progress,
        tick: &|now| watch.tick(now),
    });
    drop(watch);
    let report = result.map_err(|error| run_failure(error, &again()))?;
    let shown = run_report(command, &source, &*target, &report, again());
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

fn goes_on(again: &str) -> String {
    format!("what was committed stays; once the cause is gone, this goes on: {again}")
}

/// The command that goes on.
fn again() -> String {
    resume::command(&std::env::args_os().collect::<Vec<_>>())
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
        _ => goes_on(again),
    };
    Failure::new(error).with_hint(hint)
}

/// The options of one migration, validated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MigrateOptions {
    /// The only kinds of documents to move; all if there are none.
    pub only: Vec<&'static str>,
    pub with_logs: bool,
    pub dry_run: bool,
    pub prune: bool,
    pub prefer: Option<Prefer>,
    pub json: bool,
}

impl MigrateOptions {
    /// `known` are the format's kinds.
    pub fn from_args(args: &MigrateArgs, known: &[&'static str]) -> Result<MigrateOptions, Failure> {
        Ok(MigrateOptions {
            only: each_known("--only", &args.only, known)?,
            with_logs: args.with_logs,
            dry_run: args.dry_run,
            prune: args.prune,
            prefer: args.prefer,
            json: args.json,
        })
    }
}

/// What of a format a run moves, and what the database must have for it.
struct Chosen {
    kinds: Vec<&'static DocumentKind>,
    /// Optional parts of the schema.
    parts: Vec<String>,
}

impl Chosen {
    /// A kind whose table is optional is moved if it is asked for, or if the database has its part
    /// already. `there` are the parts that it has.
    fn of(
        format: &'static dyn Format,
        dialect: &str,
        options: &MigrateOptions,
        with: &[String],
        there: &[String],
    ) -> Chosen {
        let asked = |name: &str| with.iter().any(|with| with == name) || (options.with_logs && name == "logs");
        let is_chosen = |kind: &&'static DocumentKind| {
            let part = parts::of_kind(format, dialect, kind);
            let by_itself = part.is_none_or(|part| there.contains(&part) || asked(&part));
            asked(kind.name) || if options.only.is_empty() { by_itself } else { options.only.contains(&kind.name) }
        };
        let kinds: Vec<_> = format.kinds().iter().copied().filter(is_chosen).collect();
        let needed: Vec<String> = kinds.iter().filter_map(|kind| parts::of_kind(format, dialect, kind)).collect();
        let is_part = |part: &String| there.contains(part) || needed.contains(part) || asked(part);
        let parts = schema::parts(format.name(), dialect).into_iter().filter(is_part).collect();
        Chosen { kinds, parts }
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

    fn chosen(only: &[&str], with: &[&str], with_logs: bool, there: &[&str]) -> (String, String) {
        let format = crate::format::by_name("donna").expect("it is built in");
        let known: Vec<&'static str> = format.kinds().iter().map(|kind| kind.name).collect();
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let only = each_known("--only", &owned(only), &known).expect("known kinds");
        let options = MigrateOptions { only, with_logs, ..MigrateOptions::default() };
        let chosen = Chosen::of(format, "sqlite", &options, &owned(with), &owned(there));
        (chosen.kinds.iter().map(|kind| kind.name).collect::<Vec<_>>().join(" "), chosen.parts.join(" "))
    }

    #[test]
    fn logs_are_moved_when_they_are_asked_for_or_were_once() {
        let usual = "users memory chats conversations";
        let (all, logs) = (format!("{usual} logs"), "logs".to_owned());
        assert_eq!(chosen(&[], &[], false, &[]), (usual.to_owned(), String::new()));
        assert_eq!(chosen(&[], &["logs"], false, &[]), (all.clone(), logs.clone()));
        assert_eq!(chosen(&[], &[], true, &[]), (all.clone(), logs.clone()));
        assert_eq!(chosen(&[], &[], false, &["logs"]), (all.clone(), logs.clone()));
        assert_eq!(chosen(&["logs"], &[], false, &[]), ("logs".to_owned(), logs.clone()));
        assert_eq!(chosen(&["users"], &["logs"], false, &[]), ("users logs".to_owned(), logs.clone()));
        // The table stays, whatever this run moves.
        assert_eq!(chosen(&["users"], &[], false, &["logs"]), ("users".to_owned(), logs));
    }

    #[test]
    fn a_part_without_documents_changes_no_selection() {
        let (kinds, parts) = chosen(&["users"], &["search"], false, &[]);
        assert_eq!((kinds.as_str(), parts.as_str()), ("users", "search"));
        assert_eq!(chosen(&[], &["search", "logs"], false, &[]).1, "logs search");
    }

    #[test]
    fn an_unknown_kind_is_wrong_usage_and_told_the_known_ones() {
        let failure = each_known("--only", &["user".to_owned()], &["users", "chats"]).expect_err("no such kind");
        assert_eq!(failure.exit, Exit::Usage);
        assert_eq!(
            failure.to_lines(),
            "error: --only knows no kind \"user\"; known are users, chats\nhint: was `users` meant?\n"
        );
    }
}
