//! The log of attempts: who tried what, and what came of it, failures too.
//!
//! Each entry holds the hash of the one before, so that an entry that is changed, left out or put in
//! later breaks the chain. Entries taken off the end would not show by that: so each recorded version
//! holds how far the log had come ([`Anchor`]), and all but what came since is missed. It is written
//! apart from what it tells about, and its failure stops nothing.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::model::Instant;
use crate::target::{AttemptLog, TargetError};

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    Begun,
    Applied,
    /// Found in place and recorded.
    Recorded,
    /// Its new comments were accepted.
    Reworded,
    /// A try that failed for a reason that may pass.
    Retried,
    Failed,
    Refused,
}

/// One attempt at something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub event: Event,
    pub set: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// From one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blockers: Vec<String>,
    pub by: String,
    pub at: String,
    /// Of transload.
    pub version: String,
    /// The hash of the entry before.
    #[serde(default)]
    pub previous: String,
}

impl Entry {
    pub fn new(event: Event, set: &str, file: Option<&str>, by: &str) -> Entry {
        Entry {
            event,
            set: set.to_owned(),
            file: file.map(str::to_owned),
            statement: None,
            line: None,
            code: None,
            message: None,
            milliseconds: None,
            blockers: Vec::new(),
            by: by.to_owned(),
            at: Instant::now().to_fixed(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            previous: String::new(),
        }
    }
}

/// A line of the log.
#[derive(Serialize, Deserialize)]
struct Line {
    hash: String,
    entry: Box<RawValue>,
}

fn hash_of(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

/// What the next entry calls this line: a line that a crash cut off is called by its whole text.
fn name_of(line: &str) -> String {
    serde_json::from_str::<Line>(line).map_or_else(|_| hash_of(line), |line| line.hash)
}

/// Appends an entry.
pub fn append(log: &mut dyn AttemptLog, entry: &Entry) -> Result<(), TargetError> {
    log.append(&mut |last| {
        let entry = Entry { previous: last.map(name_of).unwrap_or_default(), ..entry.clone() };
        let text = serde_json::to_string(&entry).expect("texts and numbers can always be written");
        let entry = RawValue::from_string(text).expect("it was just written");
        let line = Line { hash: hash_of(entry.get()), entry };
        serde_json::to_string(&line).expect("a hash and an entry can always be written")
    })
}

/// How far the log had come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Anchor {
    pub entries: usize,
    /// The hash of the last one; empty where there was none.
    pub head: String,
}

/// The entries, and where the chain is broken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    pub entries: Vec<Entry>,
    /// The first line that does not follow from the one before, from one.
    pub broken: Option<usize>,
    /// The hash of each line.
    heads: Vec<String>,
}

impl Read {
    pub fn anchor(&self) -> Anchor {
        Anchor { entries: self.heads.len(), head: self.heads.last().cloned().unwrap_or_default() }
    }

    /// What is wrong with the log, given what is recorded of it.
    pub fn flaw<'a>(&self, anchors: impl Iterator<Item = &'a Anchor>) -> Option<Flaw> {
        let lost = |anchor: &&Anchor| {
            let last = anchor.entries.checked_sub(1);
            last.is_some_and(|last| self.heads.get(last) != Some(&anchor.head))
        };
        let known = anchors.filter(lost).map(|anchor| anchor.entries).max();
        match (self.broken, known) {
            (Some(line), _) => Some(Flaw::Changed { line }),
            (None, Some(known)) if known > self.heads.len() => Some(Flaw::Cut { there: self.heads.len(), known }),
            // Somebody wrote it anew, with a chain that holds.
            (None, Some(known)) => Some(Flaw::Changed { line: known }),
            (None, None) => None,
        }
    }
}

/// How the log was tampered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// This line does not follow from the one before, or is another than the one that is recorded.
    Changed { line: usize },
    /// It is shorter than it was.
    Cut { there: usize, known: usize },
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Flaw::Changed { line } => write!(f, "the log of attempts was changed at line {line}"),
            Flaw::Cut { there, known } => {
                write!(f, "the log of attempts ends after {there} lines, and had {known} once: its end was cut off")
            }
        }
    }
}

pub fn read(log: &mut dyn AttemptLog) -> Result<Read, TargetError> {
    Ok(check(&log.lines()?))
}

fn check(lines: &[String]) -> Read {
    let mut read = Read::default();
    let mut previous = String::new();
    for (at, line) in lines.iter().enumerate() {
        let parsed = serde_json::from_str::<Line>(line).ok();
        let entry = parsed.as_ref().and_then(|line| serde_json::from_str::<Entry>(line.entry.get()).ok());
        if let (Some(parsed), Some(entry)) = (parsed, entry) {
            let follows = entry.previous == previous && parsed.hash == hash_of(parsed.entry.get());
            if !follows {
                read.broken.get_or_insert(at + 1);
            }
            read.entries.push(entry);
        }
        previous = name_of(line);
        read.heads.push(previous.clone());
    }
    read
}

/// Whether the last attempt at a file was begun and never ended.
pub fn was_cut_off(entries: &[Entry], set: &str, file: &str) -> bool {
    let of_it = |entry: &&Entry| entry.set == set && entry.file.as_deref() == Some(file);
    entries.iter().rev().find(of_it).is_some_and(|entry| entry.event == Event::Begun)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Lines(Vec<String>);

    impl AttemptLog for Lines {
        fn prepare(&mut self) -> Result<(), TargetError> {
            Ok(())
        }

        fn append(&mut self, next: &mut dyn FnMut(Option<&str>) -> String) -> Result<(), TargetError> {
            let line = next(self.0.last().map(String::as_str));
            self.0.push(line);
            Ok(())
        }

        fn lines(&mut self) -> Result<Vec<String>, TargetError> {
            Ok(self.0.clone())
        }
    }

    fn three() -> Lines {
        let mut lines = Lines::default();
        for event in [Event::Begun, Event::Failed, Event::Begun] {
            append(&mut lines, &Entry::new(event, "app", Some("0001_x.sql"), "me")).unwrap();
        }
        lines
    }

    #[test]
    fn the_chain_holds_until_somebody_changes_it() {
        let lines = three().0;
        let whole = check(&lines);
        assert_eq!((whole.entries.len(), whole.broken), (3, None));
        assert!(was_cut_off(&whole.entries, "app", "0001_x.sql"));
        assert!(!was_cut_off(&whole.entries[..2], "app", "0001_x.sql"));
        let mut edited = lines.clone();
        edited[1] = edited[1].replace("failed", "applied");
        assert_eq!(check(&edited).broken, Some(2));
        let mut shortened = lines.clone();
        shortened.remove(0);
        assert_eq!(check(&shortened).broken, Some(1));
    }

    #[test]
    fn what_is_recorded_of_the_log_shows_that_its_end_was_cut_off() {
        let lines = three().0;
        let anchors = [check(&lines[..1]).anchor(), check(&lines).anchor(), check(&[]).anchor()];
        let flaw = |lines: &[String]| check(lines).flaw(anchors.iter());
        assert_eq!(flaw(&lines), None);
        assert_eq!(flaw(&lines[..2]), Some(Flaw::Cut { there: 2, known: 3 }));
        assert_eq!(flaw(&[]), Some(Flaw::Cut { there: 0, known: 3 }));
        // A log of the same length with a chain of its own.
        let mut other = three();
        assert!(matches!(flaw(&other.0), None | Some(Flaw::Changed { line: 3 })));
        append(&mut other, &Entry::new(Event::Applied, "other", None, "somebody")).unwrap();
        other.0.remove(0);
        assert!(matches!(flaw(&other.0), Some(Flaw::Changed { line: 1 })));
    }

    #[test]
    fn a_line_that_a_crash_cut_off_breaks_nothing() {
        let mut lines = three();
        lines.0.push("{\"hash\":\"12".into());
        append(&mut lines, &Entry::new(Event::Applied, "app", None, "me")).unwrap();
        let read = check(&lines.0);
        assert_eq!((read.entries.len(), read.broken), (4, None));
    }
}
