//! An error on its way to a person: what failed, each cause once, then what to try.

use std::error::Error;

use crate::config::ConfigError;
use crate::model::path::escape_controls;
use crate::schema::SchemaError;
use crate::target::TargetError;

use super::console;
use super::exit::Exit;

/// Why a command ended early.
#[derive(Debug)]
pub struct Failure {
    pub error: anyhow::Error,
    /// Beside the hints that the error and its causes carry themselves.
    pub hint: Option<String>,
    pub exit: Exit,
}

impl Failure {
    pub fn new(error: impl Into<anyhow::Error>) -> Failure {
        Failure { error: error.into(), hint: None, exit: Exit::Failed }
    }

    /// The command line is at fault.
    pub fn usage(message: impl Into<String>, hint: Option<String>) -> Failure {
        Failure { error: anyhow::Error::msg(message.into()), hint, exit: Exit::Usage }
    }

    pub fn with_hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint = Some(hint.into());
        self
    }

    /// Prints it to stderr and says how to exit.
    pub fn report(&self) -> Exit {
        console::write_stderr(self.to_lines().as_bytes());
        self.exit
    }

    /// What is printed, one line each.
    pub fn to_lines(&self) -> String {
        let mut said = self.error.to_string();
        let mut lines = format!("error: {}\n", escape_controls(&said));
        for cause in self.error.chain().skip(1) {
            let text = cause.to_string();
            // Many libraries repeat the cause in their own message.
            if said.ends_with(&text) {
                continue;
            }
            lines += &format!("caused by: {}\n", escape_controls(&text));
            said = text;
        }
        for hint in self.error.chain().find_map(hint_of).into_iter().chain(self.hint.clone()) {
            lines += &format!("hint: {}\n", escape_controls(&hint));
        }
        lines
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Failure {
        let exit = if error.is_usage() { Exit::Usage } else { Exit::Failed };
        Failure { error: error.into(), hint: None, exit }
    }
}

/// The hint that an error of this program carries.
fn hint_of(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<ConfigError>() {
        return error.hint();
    }
    if let Some(error) = error.downcast_ref::<SchemaError>() {
        return error.hint().map(str::to_owned);
    }
    error.downcast_ref::<TargetError>().and_then(|error| error.hint.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::TargetErrorKind;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot load `{0}`")]
    struct Outer(&'static str, #[source] TargetError);

    #[derive(Debug, thiserror::Error)]
    #[error("db error: {0}")]
    struct Repeats(#[source] std::num::ParseIntError);

    #[test]
    fn each_cause_is_printed_once_and_the_hint_comes_last() {
        let repeats = Repeats("x".parse::<u8>().expect_err("no number"));
        let target = TargetError::new(TargetErrorKind::Denied, "cannot connect to `h`").because(repeats);
        let failure = Failure::new(Outer("users/\u{1b}[31m.json", target.with_hint("check the password")));
        assert_eq!(
            failure.to_lines(),
            "error: cannot load `users/\\u{1b}[31m.json`\n\
             caused by: cannot connect to `h`\n\
             caused by: db error: invalid digit found in string\n\
             hint: check the password\n"
        );
    }

    #[test]
    fn a_flag_that_is_wrong_is_wrong_usage_and_a_file_that_is_wrong_is_not() {
        let of =
            |origin| Failure::from(ConfigError::Invalid { key: "write.batch_rows", origin, problem: "no".into() }).exit;
        assert_eq!(of(crate::config::Origin::Flag("--batch-rows".into())), Exit::Usage);
        assert_eq!(of(crate::config::Origin::Default), Exit::Failed);
    }
}
