//! What becomes of a document: the sum of its comparison, or what there is to say where nothing can
//! be compared.

use std::collections::BTreeMap;

use crate::format::proof::Unexpected;
use crate::model::ledger::REJECTS;
use crate::node::ReadError;
use crate::source::Reading;

use crate::verify::compare::{Comparison, Mode};
use crate::verify::outcome::{Cause, Difference, Moved, TableCount, Verdict};
use crate::verify::stored::Stored;

/// What a comparison came to.
#[derive(Clone, Debug)]
pub struct Judged {
    pub verdict: Verdict,
    pub differences: Vec<Difference>,
    /// Differences beyond those that are kept, counted.
    pub unseen: BTreeMap<Cause, u64>,
    pub total: u64,
    pub tables: BTreeMap<&'static str, TableCount>,
    /// What is to be said of a document that is not simply different.
    pub text: String,
    /// For a reject that somebody accepted.
    pub accepted: bool,
    /// Agreed, but the residue is not about this version of the file.
    pub by_columns: bool,
    /// Whether the database's side may not be what was loaded.
    pub database_moved: bool,
}

impl Judged {
    pub fn listed(verdict: Verdict, text: impl Into<String>) -> Judged {
        Judged {
            verdict,
            differences: Vec::new(),
            unseen: BTreeMap::new(),
            total: 0,
            tables: BTreeMap::new(),
            text: text.into(),
            accepted: false,
            by_columns: false,
            database_moved: true,
        }
    }
}

/// Sums a comparison up.
pub fn conclude(comparison: Comparison) -> Judged {
    let verdict = match (comparison.total, comparison.mode) {
        (0, _) => Verdict::Agreed,
        (_, Mode::Changed) if !comparison.database_moved => Verdict::Stale,
        _ => Verdict::Different,
    };
    let text = match verdict {
        Verdict::Stale => "the database holds the version that was loaded, and the file has changed since".into(),
        _ => String::new(),
    };
    Judged {
        verdict,
        by_columns: verdict == Verdict::Agreed && comparison.mode != Mode::Loaded,
        differences: comparison.differences,
        unseen: comparison.unseen,
        total: comparison.total,
        tables: comparison.tables,
        text,
        accepted: false,
        database_moved: comparison.database_moved,
    }
}

/// A document that was refused as it is now. What was loaded as it is now was not: then the reject is
/// none, and [`super::of_ledger`] says so. `twin`: what was refused because another file had its key; that says
/// nothing once the document of that file is this one's, because the other is gone.
pub fn rejected_as_is(stored: &Stored, twin: Option<&Stored>, reading: &Reading) -> Option<Judged> {
    let same = |stored: &&Stored| stored.reject.as_ref().is_some_and(|reject| reject.digest == reading.digest);
    let loaded = stored.document.as_ref().is_some_and(|document| document.digest == reading.digest);
    let twin = twin.filter(|_| !stored.is_known());
    let found = [twin, Some(stored)].into_iter().flatten().find(same).filter(|_| !loaded)?;
    let reject = found.reject.as_ref()?;
    if found.forged.iter().any(|(table, _)| *table == REJECTS.name) {
        return None;
    }
    let mut judged = Judged::listed(Verdict::Rejected, format!("{}: {}", reject.reason, reject.detail));
    judged.accepted = reject.accepted.is_some();
    Some(judged)
}

/// A document of which the database has nothing.
pub fn missing_document(stored: &Stored, problem: Option<&Unexpected>, mut comparison: Comparison) -> Judged {
    let cause = problem.map_or(Cause::MissingDocument, cause_of);
    let text = match (stored.reject.is_some(), problem) {
        (true, _) => "another version of it was rejected, and this one was never loaded".to_owned(),
        (false, Some(problem)) => format!("it was never loaded: {problem}"),
        (false, None) => "the database has nothing of it".to_owned(),
    };
    let difference = Difference { detail: Some(text.clone()), ..comparison.blank(cause, Moved::Unknown) };
    comparison.tell(difference);
    Judged { verdict: Verdict::Missing, text, ..conclude(comparison) }
}

/// A document whose key another file has.
pub fn claimed_document(mut comparison: Comparison, stored: &Stored) -> Judged {
    for (table, detail) in &stored.forged {
        comparison.ledger(Cause::LedgerForged, table, detail.clone());
    }
    let text = "it was never loaded: another file has the same key".to_owned();
    let blank = comparison.blank(Cause::MissingDocument, Moved::Unknown);
    comparison.tell(Difference { detail: Some(text.clone()), ..blank });
    Judged { verdict: Verdict::Missing, text, ..conclude(comparison) }
}

fn cause_of(problem: &Unexpected) -> Cause {
    match problem {
        Unexpected::NotJson { error: ReadError::Truncated, .. } => Cause::Truncated,
        _ => Cause::Unreadable,
    }
}

/// A file that says no rows.
pub fn unreadable(comparison: &mut Comparison, problem: &Unexpected) {
    let (file, pointer) = match problem {
        Unexpected::Read { file, .. } | Unexpected::NotJson { file, .. } => (*file, String::new()),
        Unexpected::Shape { file, pointer, .. } => (*file, pointer.clone()),
    };
    let difference = Difference {
        file: comparison.path(file),
        pointer,
        detail: Some(problem.to_string()),
        ..comparison.blank(cause_of(problem), comparison.moved(Some(false)))
    };
    comparison.tell(difference);
}
