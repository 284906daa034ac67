//! One thing that lint found.

use crate::schema::sql::Place;

use super::rule::{Rule, Severity};

/// A rule that is not kept, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub rule: &'static Rule,
    /// The file's name; of a finding about the directory as a whole, empty.
    pub file: String,
    /// None where the file's name is at fault, or what is missing.
    pub place: Option<Place>,
    pub message: String,
    /// What to do.
    pub help: String,
    /// Why the file says that this is meant.
    pub silenced: Option<String>,
}

impl Finding {
    pub fn new(rule: &'static Rule, file: &str, place: Option<Place>, message: impl Into<String>) -> Finding {
        Finding {
            rule,
            file: file.to_owned(),
            place,
            message: message.into(),
            help: rule.help.to_owned(),
            silenced: None,
        }
    }

    pub fn with_help(mut self, help: impl Into<String>) -> Finding {
        self.set_help(help);
        self
    }

    pub fn set_help(&mut self, help: impl Into<String>) {
        self.help = help.into();
    }

    /// A warning that nobody has silenced.
    pub fn is_warning(&self) -> bool {
        self.rule.severity == Severity::Warning && self.silenced.is_none()
    }

    pub fn is_error(&self) -> bool {
        self.rule.severity == Severity::Error
    }

    /// By file and place; at one place, errors first.
    pub(super) fn order(&self) -> (String, Option<Place>, Severity, &'static str) {
        (self.file.clone(), self.place, self.rule.severity, self.rule.number)
    }
}

/// The findings about one file.
pub struct Findings<'f> {
    file: &'f str,
    all: Vec<Finding>,
}

impl<'f> Findings<'f> {
    pub fn of(file: &'f str) -> Findings<'f> {
        Findings { file, all: Vec::new() }
    }

    pub fn at(&mut self, rule: &'static Rule, place: Place, message: impl Into<String>) -> &mut Finding {
        self.add(Finding::new(rule, self.file, Some(place), message))
    }

    /// About the file as a whole.
    pub fn whole(&mut self, rule: &'static Rule, message: impl Into<String>) -> &mut Finding {
        self.add(Finding::new(rule, self.file, None, message))
    }

    fn add(&mut self, finding: Finding) -> &mut Finding {
        self.all.push(finding);
        let last = self.all.len() - 1;
        &mut self.all[last]
    }

    pub fn into_all(self) -> Vec<Finding> {
        self.all
    }
}
