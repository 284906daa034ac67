//! Waivers: differences that somebody has looked at and lets stand, each for one cause, one
//! document and a limited time.
//!
//! There are no patterns: a waiver that covers what nobody has looked at would be a blind spot.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::civil::Date;
use serde::Deserialize;
use toml::value::Datetime;
use toml::Spanned;
use uuid::Uuid;

use super::outcome::{Cause, Difference, WaiverUse};

/// What is wrong with a waivers file. Lines count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WaiverError {
    /// No TOML, an unknown key, a missing one, or a value of the wrong type.
    #[error("line {line}: {message}")]
    Syntax { line: usize, message: String },
    #[error("line {line}: there is no cause {cause:?}; known are {}", known())]
    UnknownCause { line: usize, cause: String },
    #[error("line {line}: `until` is a date such as 2026-12-31, without a time")]
    NoDate { line: usize },
    #[error("line {line}: `{key}` is empty")]
    Empty { line: usize, key: &'static str },
    #[error("line {line}: this cause and document were named in line {first} already")]
    Twice { line: usize, first: usize },
}

fn known() -> String {
    Cause::ALL.map(Cause::code).join(", ")
}

/// One `[[waiver]]`.
#[derive(Debug)]
pub struct Waiver {
    pub cause: Cause,
    /// The path of a file as a difference names it, or a document's id in the ledger.
    pub document: String,
    /// The last day on which it covers.
    pub until: Date,
    pub reason: String,
    pub line: usize,
    expired: bool,
    covered: AtomicU64,
}

/// The waivers of one run. The default is none.
#[derive(Debug, Default)]
pub struct Waivers {
    all: Vec<Waiver>,
    by_path: HashMap<(Cause, String), usize>,
    by_id: HashMap<(Cause, Uuid), usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    waiver: Vec<Spanned<Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    cause: Spanned<String>,
    document: Spanned<String>,
    until: Spanned<Datetime>,
    reason: Spanned<String>,
}

impl Waivers {
    /// Reads the text of a waivers file. What ended before `today` covers nothing.
    pub fn load(text: &str, today: Date) -> Result<Waivers, WaiverError> {
        let file: File = toml::from_str(text).map_err(|error| WaiverError::Syntax {
            line: line_of(text, error.span().map_or(0, |span| span.start)),
            message: error.message().to_owned(),
        })?;
        let mut waivers = Waivers::default();
        for entry in file.waiver {
            let line = line_of(text, entry.span().start);
            waivers.add(Waiver::new(text, line, entry.into_inner(), today)?)?;
        }
        Ok(waivers)
    }

    fn add(&mut self, waiver: Waiver) -> Result<(), WaiverError> {
        let at = self.all.len();
        let before = match Uuid::try_parse(&waiver.document) {
            Ok(id) => self.by_id.insert((waiver.cause, id), at),
            Err(_) => self.by_path.insert((waiver.cause, waiver.document.clone()), at),
        };
        if let Some(before) = before {
            return Err(WaiverError::Twice { line: waiver.line, first: self.all[before].line });
        }
        self.all.push(waiver);
        Ok(())
    }

    /// The waiver that covers a difference. Each call counts as a use, so a difference should come
    /// here once, when it is sure to stand.
    pub fn covering(&self, difference: &Difference) -> Option<&Waiver> {
        if self.all.is_empty() {
            return None;
        }
        let by_id = self.by_id.get(&(difference.cause, difference.document));
        let by_path = self.by_path.get(&(difference.cause, difference.file.clone()));
        let found = by_id.into_iter().chain(by_path).map(|at| &self.all[*at]).find(|waiver| !waiver.expired)?;
        found.covered.fetch_add(1, Ordering::Relaxed);
        Some(found)
    }

    /// Every waiver and what became of it, in the file's order.
    pub fn uses(&self) -> Vec<WaiverUse> {
        self.all.iter().map(Waiver::used).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

impl Waiver {
    fn new(text: &str, line: usize, entry: Entry, today: Date) -> Result<Waiver, WaiverError> {
        let line_at = |at: usize| line_of(text, at);
        let filled = |key: &'static str, value: &Spanned<String>| match value.get_ref().trim() {
            "" => Err(WaiverError::Empty { line: line_at(value.span().start), key }),
            value => Ok(value.to_owned()),
        };
        let cause = Cause::from_code(entry.cause.get_ref()).ok_or_else(|| WaiverError::UnknownCause {
            line: line_at(entry.cause.span().start),
            cause: entry.cause.get_ref().clone(),
        })?;
        let until =
            date(entry.until.get_ref()).ok_or(WaiverError::NoDate { line: line_at(entry.until.span().start) })?;
        Ok(Waiver {
            cause,
            document: filled("document", &entry.document)?,
            until,
            reason: filled("reason", &entry.reason)?,
            line,
            expired: until < today,
            covered: AtomicU64::new(0),
        })
    }

    fn used(&self) -> WaiverUse {
        WaiverUse {
            cause: self.cause.code(),
            document: self.document.clone(),
            until: self.until.to_string(),
            reason: self.reason.clone(),
            expired: self.expired,
            covered: self.covered.load(Ordering::Relaxed),
        }
    }
}

fn date(value: &Datetime) -> Option<Date> {
    match value {
        Datetime { date: Some(date), time: None, offset: None } => {
            Date::new(i16::try_from(date.year).ok()?, i8::try_from(date.month).ok()?, i8::try_from(date.day).ok()?).ok()
        }
        _ => None,
    }
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::outcome::Moved;

    const DOCUMENT: Uuid = Uuid::from_u128(7);

    fn today() -> Date {
        Date::constant(2026, 6, 30)
    }

    fn difference(cause: Cause, file: &str) -> Difference {
        Difference {
            document: DOCUMENT,
            kind: "chats",
            cause,
            moved: Moved::Unknown,
            file: file.to_owned(),
            pointer: "/0/content".to_owned(),
            table: None,
            row: None,
            column: None,
            in_file: None,
            in_database: None,
            detail: None,
            secret: false,
            waived: None,
        }
    }

    fn waiver(cause: &str, document: &str, until: &str) -> String {
        format!(
            "[[waiver]]\ncause = \"{cause}\"\ndocument = \"{document}\"\nuntil = {until}\nreason = \"known, ticket 12\"\n"
        )
    }

    fn fails(text: &str) -> String {
        Waivers::load(text, today()).expect_err(text).to_string()
    }

    #[test]
    fn a_waiver_covers_its_cause_in_its_document_and_nothing_else() {
        let text = waiver("timezone", "chat_sessions/a.json", "2026-12-31");
        let waivers = Waivers::load(&text, today()).expect("valid");
        let found = waivers.covering(&difference(Cause::Timezone, "chat_sessions/a.json")).expect("covered");
        assert_eq!((found.reason.as_str(), found.line), ("known, ticket 12", 1));
        assert!(waivers.covering(&difference(Cause::Blanks, "chat_sessions/a.json")).is_none());
        assert!(waivers.covering(&difference(Cause::Timezone, "chat_sessions/b.json")).is_none());
        let [used] = waivers.uses().try_into().expect("one waiver");
        assert_eq!((used.covered, used.expired, used.until.as_str()), (1, false, "2026-12-31"));
    }

    #[test]
    fn a_document_can_be_named_by_its_id() {
        let waivers = Waivers::load(&waiver("extra_row", &DOCUMENT.to_string(), "2026-12-31"), today()).expect("valid");
        assert!(waivers.covering(&difference(Cause::ExtraRow, "")).is_some());
        assert!(waivers.covering(&difference(Cause::ExtraRow, "users/a.json")).is_some());
    }

    #[test]
    fn the_last_day_counts_and_the_next_does_not() {
        let on = |until| {
            let waivers = Waivers::load(&waiver("case", "users/a.json", until), today()).expect("valid");
            let covered = waivers.covering(&difference(Cause::Case, "users/a.json")).is_some();
            (covered, waivers.uses()[0].expired, waivers.uses()[0].covered)
        };
        assert_eq!(on("2026-06-30"), (true, false, 1));
        assert_eq!(on("2026-06-29"), (false, true, 0));
    }

    #[test]
    fn an_empty_file_holds_no_waivers() {
        assert!(Waivers::load("# none yet\n", today()).expect("valid").is_empty());
        assert!(Waivers::default().covering(&difference(Cause::Case, "users/a.json")).is_none());
    }

    #[test]
    fn a_wrong_entry_is_told_with_its_line() {
        let good = waiver("case", "users/a.json", "2026-12-31");
        assert!(
            fails(&waiver("timezon", "a", "2026-12-31")).starts_with("line 2: there is no cause \"timezon\"; known")
        );
        assert_eq!(
            fails(&waiver("case", "a", "2026-12-31T10:00:00Z")),
            "line 4: `until` is a date such as 2026-12-31, without a time"
        );
        assert!(fails(&waiver("case", "a", "\"2026-12-31\"")).starts_with("line 4: "), "a date has no quotes");
        assert_eq!(fails(&waiver("case", " ", "2026-12-31")), "line 3: `document` is empty");
        assert_eq!(fails(&format!("{good}\n{good}")), "line 7: this cause and document were named in line 1 already");
        for (wrong, says) in [
            (good.replace("reason", "because"), "unknown field `because`"),
            (good.replace("reason = \"known, ticket 12\"\n", ""), "missing field `reason`"),
            (good.replace("[[waiver]]", "[[waivers]]"), "unknown field `waivers`"),
            (good.replace("2026-12-31", "2026-13-31"), "line 4: "),
            (good.replace("known, ticket 12", ""), "line 5: `reason` is empty"),
        ] {
            assert!(fails(&wrong).contains(says), "{}", fails(&wrong));
        }
    }
}
