//! What can be wrong with settings, and what to try.

use std::io;
use std::path::PathBuf;

use super::key::Origin;

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read `{}`", path.display())]
    Unreadable { path: PathBuf, source: io::Error },

    #[error("{file} line {line}: {message}")]
    Syntax { file: String, line: usize, message: String },

    #[error("{file} line {line}: unknown key `{key}`; known are {known}")]
    UnknownKey { file: String, line: usize, key: String, known: String, nearest: Option<&'static str> },

    #[error("bad value for `{key}` ({origin}): {problem}")]
    Invalid { key: &'static str, origin: Origin, problem: String },

    #[error("the variable {variable} is not UTF-8")]
    VariableNotUtf8 { variable: String },

    #[error("{variable} is set to something other than `{only}`, and {reason}")]
    Refused { variable: &'static str, only: &'static str, reason: &'static str },

    #[error("`db` is \"env\" ({origin}) but {} not set", listed(missing))]
    MissingVariables { origin: Origin, missing: Vec<&'static str> },

    #[error("no source is given")]
    NoSource,

    #[error("{what} `{}` would be below the source `{}`, and nothing is ever written there", path.display(), source_root.display())]
    BelowSource { what: &'static str, path: PathBuf, source_root: PathBuf, hint: &'static str },
}

impl ConfigError {
    /// What to try.
    pub fn hint(&self) -> Option<String> {
        match self {
            ConfigError::Unreadable { .. } => Some("--config names the file with the settings".to_owned()),
            ConfigError::UnknownKey { nearest: Some(nearest), .. } => Some(format!("was `{nearest}` meant?")),
            ConfigError::Invalid { key: "db", .. } => Some(super::database::FORMS.to_owned()),
            ConfigError::Invalid { key: "timezone", .. } => {
                Some("zones have IANA names such as Europe/Berlin; on a system without tzdata only UTC is known".into())
            }
            ConfigError::Refused { variable, only, .. } => Some(format!("unset {variable}, or set it to `{only}`")),
            ConfigError::MissingVariables { .. } => Some(
                "set DB_HOST, DB_PORT, DB_NAME, DB_USER and DB_PASSWORD, or name the database with --db URL".into(),
            ),
            ConfigError::NoSource => Some("name it on the command line, or as `source` in pipeline.toml".to_owned()),
            ConfigError::BelowSource { hint, .. } => Some((*hint).to_owned()),
            _ => None,
        }
    }

    /// Whether the command line itself is at fault (exit code 64).
    pub fn is_usage(&self) -> bool {
        matches!(self, ConfigError::Invalid { origin: Origin::Flag(_), .. } | ConfigError::NoSource)
    }
}

fn listed(names: &[&str]) -> String {
    match names {
        [one] => format!("{one} is"),
        names => format!("{} are", names.join(", ")),
    }
}
