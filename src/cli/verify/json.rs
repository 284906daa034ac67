//! The result as one JSON object (`docs/verify-json.md`).

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::repair::Told;
use crate::cli::json::write_line;
use crate::model::summary::FileTally;
use crate::verify::outcome::{Conclusion, Difference, Documents, Listed, Outcome, TableCount, WaiverUse};

/// The version of the JSON object. It grows when a member changes its meaning or goes away.
const VERSION: u32 = 1;

/// Writes the object; `outcome` is masked already where `redacted` says so.
/// `repair`: what was done before, or would be.
pub fn write(out: &mut dyn Write, outcome: &Outcome, redacted: bool, repair: Option<&Told>) -> io::Result<()> {
    write_line(out, &Object { repair, ..Object::new(outcome, redacted) })
}

/// In the order of its members. The history is not in it: `status --json` has the runs, and what
/// did not change is to be the same object twice but for its times.
#[derive(Serialize)]
struct Object<'a> {
    version: u32,
    command: &'a str,
    verdict: &'a str,
    why: Option<&'a str>,
    source: &'a str,
    target: &'a str,
    program: &'a str,
    started: String,
    seconds: f64,
    narrowed: bool,
    redacted: bool,
    balanced: bool,
    files: &'a FileTally,
    documents: &'a Documents,
    kinds: &'a BTreeMap<&'static str, Documents>,
    tables: &'a BTreeMap<&'static str, TableCount>,
    by_columns: u64,
    accepted: u64,
    skipped: u64,
    not_looked_at: &'a [String],
    differences: u64,
    causes: &'a BTreeMap<&'static str, u64>,
    waived: u64,
    waived_documents: u64,
    waivers: &'a [WaiverUse],
    listed_differences: &'a [Difference],
    listed: &'a [Listed],
    #[serde(skip_serializing_if = "Option::is_none")]
    repair: Option<&'a Told<'a>>,
}

impl<'a> Object<'a> {
    fn new(outcome: &'a Outcome, redacted: bool) -> Object<'a> {
        let (verdict, why) = match &outcome.conclusion {
            Conclusion::Agree => ("agree", None),
            Conclusion::Differ => ("differ", None),
            Conclusion::NotChecked(why) => ("not_checked", Some(why.as_str())),
        };
        Object {
            version: VERSION,
            command: "verify",
            verdict,
            why,
            source: &outcome.source,
            target: &outcome.target,
            program: outcome.version,
            started: outcome.started.to_fixed(),
            seconds: outcome.seconds,
            narrowed: outcome.narrowed,
            redacted,
            balanced: outcome.is_balanced(),
            files: &outcome.files,
            documents: &outcome.documents,
            kinds: &outcome.kinds,
            tables: &outcome.tables,
            by_columns: outcome.by_columns,
            accepted: outcome.accepted,
            skipped: outcome.skipped,
            not_looked_at: &outcome.not_looked_at,
            differences: outcome.differences,
            causes: &outcome.causes,
            waived: outcome.waived,
            waived_documents: outcome.waived_documents,
            waivers: &outcome.waivers,
            listed_differences: &outcome.listed_differences,
            listed: &outcome.listed,
            repair: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::verify::example;

    #[test]
    fn the_documented_object_is_what_programs_get() {
        let mut out = Vec::new();
        write(&mut out, &example::differing(), false, None).expect("a vector takes all");
        let given: serde_json::Value = serde_json::from_slice(&out).expect("one JSON object");
        let document = include_str!("../../../docs/verify-json.md");
        let example = document.split("```json\n").nth(1).and_then(|rest| rest.split("```").next());
        let documented: serde_json::Value =
            serde_json::from_str(example.expect("the document has an example")).expect("the example is JSON");
        assert_eq!(given, documented, "{}", String::from_utf8_lossy(&out));
        // Every member is explained, those of the lists, too.
        let members = |value: &serde_json::Value| -> Vec<String> {
            value.as_object().expect("an object").keys().cloned().collect()
        };
        let mut explained = members(&given);
        for list in ["listed_differences", "listed", "waivers"] {
            explained.extend(members(&given[list][0]));
        }
        for member in explained {
            assert!(document.contains(&format!("| `{member}` |")), "{member}");
        }
    }
}
