//! The environment as a value, so that settings can be tested without touching the process's own.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;

use super::error::ConfigError;

/// The variables that a run was started with. Holds secrets: [`fmt::Debug`] shows names only.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// The process's own variables.
    pub fn of_process() -> Environment {
        Environment(std::env::vars_os().collect())
    }

    /// A variable's value; one that is set to nothing counts as not set.
    pub fn get_os(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    pub fn get(&self, name: &str) -> Result<Option<&str>, ConfigError> {
        self.get_os(name)
            .map(|value| value.to_str().ok_or_else(|| ConfigError::VariableNotUtf8 { variable: name.to_owned() }))
            .transpose()
    }

    /// The names and values that are UTF-8 and not empty.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)))
            .filter(|(_, value)| !value.is_empty())
    }
}

impl<N: Into<OsString>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Environment {
        Environment(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
