//! Counting: what became of every file and document of a run.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;
use uuid::Uuid;

use crate::format::Format;
use crate::model::{Document, DocumentOutcome, FileLayout, Reject, SourceFile, Summary};
use crate::source::{FileProblem, ProblemKind, ReadProblem, Warning};

use super::bulk::Taken;
use super::present::Present;
use super::repair::{RepairOutcome, Repaired};
use super::write::{kind_of, Done};

/// Findings and warnings that are kept with their text; beyond that they are only counted.
const MOST_FINDINGS: usize = 1_000;
/// Rows that repairs touched and that are listed one by one.
const MOST_CHANGES: usize = 10_000;

/// One thing that somebody should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub what: What,
    /// Text of the file's path.
    pub file: String,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    Rejected,
    Accepted,
    Conflict,
    Failed,
    Unreadable,
    Vanished,
    Removed,
    KeptThoughRemoved,
}

impl What {
    /// As people read it.
    pub fn name(self) -> &'static str {
        match self {
            What::Rejected => "rejected",
            What::Accepted => "rejected, and accepted so",
            What::Conflict => "conflict",
            What::Failed => "failed",
            What::Unreadable => "unreadable",
            What::Vanished => "vanished",
            What::Removed => "removed",
            What::KeptThoughRemoved => "removed, but kept",
        }
    }
}

/// What was found in one layout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LayoutTally {
    pub files: u64,
    /// Messages, entries, lines; 1 for a user or a session.
    pub records: u64,
    pub bytes: u64,
}

/// The account of a run.
#[derive(Clone, Debug, Default)]
pub struct Account {
    pub summary: Summary,
    /// Documents that are surely in the source and in the ledger.
    pub(super) present: Present,
    /// Documents for which the ledger has a row of this run: loaded, updated or newly rejected.
    pub noted: u64,
    pub layouts: BTreeMap<&'static str, LayoutTally>,
    pub findings: Vec<Finding>,
    /// The rejects among them.
    pub rejects: Vec<Reject>,
    /// Of a run that repairs: what became of each document.
    pub repairs: Vec<Repaired>,
    /// Whether documents are sent once more whose files and notes were described the first time.
    again: bool,
    listed_changes: usize,
    pub warnings: Vec<Warning>,
    pub warning_counts: BTreeMap<&'static str, u64>,
}

impl Account {
    /// An account with a line for every table, so that an empty one is seen to be empty.
    pub fn new(tables: impl Iterator<Item = &'static str>) -> Account {
        let mut account = Account::default();
        for table in tables {
            account.summary.table_mut(table);
        }
        account
    }

    pub fn not_migrated(&mut self, layout: &str, file: &SourceFile) {
        let directory = file.path.as_path().parent().map(|parent| crate::model::RelPath::new(parent).to_string());
        let tally = self.summary.not_migrated.entry((layout.to_owned(), directory.unwrap_or_default())).or_default();
        tally.files += 1;
        tally.bytes += file.size;
        self.summary.files.found += 1;
        self.summary.files.not_migrated += 1;
    }

    pub fn file_problem(&mut self, problem: &FileProblem) {
        self.summary.files.found += 1;
        let cause = format!("{problem}: {}", problem.error);
        match problem.kind {
            ProblemKind::Unreadable => {
                self.summary.files.unreadable += 1;
                self.finding(What::Unreadable, problem.path.to_string(), cause);
            }
            ProblemKind::Vanished => {
                self.summary.files.vanished += 1;
                self.finding(What::Vanished, problem.path.to_string(), cause);
            }
        }
    }

    /// What was met when a document was to be read.
    pub fn met(&mut self, gone: &[FileProblem], warnings: Vec<Warning>) {
        gone.iter().for_each(|problem| self.file_problem(problem));
        warnings.into_iter().for_each(|warning| self.warning(warning));
    }

    pub fn warning(&mut self, warning: Warning) {
        *self.warning_counts.entry(warning.kind.code()).or_default() += 1;
        if self.warnings.len() < MOST_FINDINGS {
            self.warnings.push(warning);
        }
    }

    /// A document whose content is what the ledger says was loaded.
    pub fn unchanged(&mut self, document: &Document, bytes: u64) {
        self.document(document, bytes, DocumentOutcome::Unchanged);
    }

    /// A document that could not be read.
    pub fn failed(&mut self, document: &Document, problem: &ReadProblem) {
        let text = match std::error::Error::source(problem) {
            Some(cause) => format!("{problem}: {cause}"),
            None => problem.to_string(),
        };
        let path = document.files[problem.file()].path.to_string();
        let files = &mut self.summary.files;
        let what = match problem {
            ReadProblem::Unreadable { .. } | ReadProblem::Locked { .. } => {
                files.unreadable += 1;
                What::Unreadable
            }
            ReadProblem::Vanished { .. } => {
                files.vanished += 1;
                What::Vanished
            }
            ReadProblem::Changed { .. } => {
                files.in_documents += 1;
                What::Failed
            }
        };
        files.found += document.files.len() as u64;
        files.in_documents += document.files.len() as u64 - 1;
        // A document none of whose files is there to be read is only its file's problem.
        if document.files.len() > 1 || what == What::Failed {
            self.summary.documents.found += 1;
            self.summary.documents.count(DocumentOutcome::Failed);
        }
        self.finding(what, path, text);
    }

    /// A document that was written, or refused on the way.
    pub fn done(&mut self, document: &Document, bytes: u64, done: &Done) {
        if let Some(repaired) = &done.repaired {
            self.repaired((**repaired).clone());
        }
        if let Some(problem) = &done.problem {
            return self.failed(document, problem);
        }
        self.document(document, bytes, done.outcome);
        self.noted += u64::from(done.noted);
        if !self.again {
            self.describe(document, &done.files);
            for note in &done.notes {
                *self.summary.notes.entry(note.code).or_default() += 1;
            }
        }
        for (table, count) in &done.rows {
            self.summary.table_mut(table).rows += count;
            self.summary.rows += count;
        }
        if let Some(reject) = &done.reject {
            self.reject(reject, done.accepted);
        }
        if let Some(why) = &done.refused {
            self.finding(What::Failed, document.path().to_string(), format!("it cannot be repaired: {why}"));
        }
        if let Some(found) = &done.conflict {
            self.finding(What::Conflict, document.path().to_string(), found.clone());
        }
    }

    /// Undoes the count of documents that were loaded and taken out again; they come once more.
    pub fn take_back(&mut self, format: &dyn Format, taken: &Taken) {
        for document in &taken.documents {
            let files = document.paths().len() as u64;
            self.summary.files.found -= files;
            self.summary.files.in_documents -= files;
            self.summary.documents.take_back_loaded();
            self.summary.bytes -= document.bytes;
            self.noted -= 1;
            let tally = self.summary.table_mut(kind_of(format, &document.kind).main.name);
            tally.bytes -= document.bytes;
            tally.documents -= 1;
        }
        for (table, count) in &taken.rows {
            self.summary.table_mut(table).rows -= count;
            self.summary.rows -= count;
        }
        self.again = true;
    }

    fn repaired(&mut self, mut repaired: Repaired) {
        repaired.changes.truncate(MOST_CHANGES.saturating_sub(self.listed_changes));
        self.listed_changes += repaired.changes.len();
        self.repairs.push(repaired);
    }

    /// Documents that were to be repaired and that the source does not have any more, or that could
    /// not be read.
    pub fn not_met<'a>(&mut self, documents: impl Iterator<Item = &'a Uuid>) {
        let met: HashSet<Uuid> = self.repairs.iter().map(|repaired| repaired.document).collect();
        for document in documents.filter(|document| !met.contains(document)) {
            self.repairs.push(Repaired {
                document: *document,
                kind: "",
                file: String::new(),
                outcome: RepairOutcome::Unread,
                detail: Some("its files are gone, or could not be read".into()),
                rows: Vec::new(),
                changes: Vec::new(),
            });
        }
    }

    /// A reject's reason; the document itself is counted by [`Account::done`].
    fn reject(&mut self, reject: &Reject, accepted: bool) {
        *self.summary.reasons.entry(reject.flaw.reason.code()).or_default() += 1;
        self.summary.accepted += u64::from(accepted);
        let what = if accepted { What::Accepted } else { What::Rejected };
        if self.rejects.len() < MOST_FINDINGS {
            self.rejects.push(reject.clone());
        }
        self.finding(what, reject.file().to_string(), reject.to_string());
    }

    /// What the files of an accepted document turned out to be.
    fn describe(&mut self, document: &Document, layouts: &[FileLayout]) {
        for (file, found) in document.files.iter().zip(layouts) {
            let tally = self.layouts.entry(found.layout).or_default();
            tally.files += 1;
            tally.records += found.records;
            tally.bytes += file.size;
        }
    }

    fn document(&mut self, document: &Document, bytes: u64, outcome: DocumentOutcome) {
        self.summary.files.found += document.files.len() as u64;
        self.summary.files.in_documents += document.files.len() as u64;
        self.summary.documents.found += 1;
        self.summary.documents.count(outcome);
        self.summary.bytes += bytes;
        let tally = self.summary.table_mut(document.kind.main.name);
        tally.bytes += bytes;
        match outcome {
            DocumentOutcome::Loaded | DocumentOutcome::Updated => tally.documents += 1,
            DocumentOutcome::Unchanged => tally.unchanged += 1,
            DocumentOutcome::Rejected => tally.rejected += 1,
            DocumentOutcome::Conflict | DocumentOutcome::Failed => {}
        }
    }

    /// Whether another finding would be listed.
    pub fn lists_more(&self) -> bool {
        self.findings.len() < MOST_FINDINGS
    }

    pub fn finding(&mut self, what: What, file: String, text: String) {
        if self.lists_more() {
            self.findings.push(Finding { what, file, text });
        }
    }

    /// Findings in path order: the order in which writers finish is nobody's concern.
    pub fn sort(&mut self) {
        self.findings.sort_by(|a, b| (&a.file, &a.text).cmp(&(&b.file, &b.text)));
        self.rejects.sort_by(|a, b| a.file().cmp(b.file()));
        self.repairs.sort_by(|a, b| (&a.file, a.document).cmp(&(&b.file, b.document)));
        self.warnings.sort_by(|a, b| a.path.cmp(&b.path));
    }
}
