//! `migrate [SOURCE]`: what its options mean.

use crate::config::nearest;

use super::args::{MigrateArgs, Prefer};
use super::failure::Failure;

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

fn each_known(flag: &str, names: &[String], known: &[&'static str]) -> Result<Vec<&'static str>, Failure> {
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
