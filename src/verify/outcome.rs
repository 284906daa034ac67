//! What a verification found: the account, and each difference with its place and cause.

use std::collections::BTreeMap;

use serde::Serialize;
use uuid::Uuid;

use crate::ledger::extent::Guard;
use crate::model::summary::FileTally;
use crate::model::Instant;

use super::receipt::Roots;

/// What became of one document. Every document is in exactly one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// File and database say the same.
    Agreed,
    /// They do not.
    Different,
    /// The database has nothing of the file.
    Missing,
    /// The database has a document, and there is no file.
    OnlyInDatabase,
    /// It was refused when it was to be loaded; see `rejects`.
    Rejected,
    /// The database holds an older version of the file.
    Stale,
    /// File or database changed each time that they were compared.
    Unsettled,
    /// A file of it could not be read.
    Unreadable,
}

impl Verdict {
    pub const ALL: [Verdict; 8] = [
        Verdict::Agreed,
        Verdict::Different,
        Verdict::Missing,
        Verdict::OnlyInDatabase,
        Verdict::Rejected,
        Verdict::Stale,
        Verdict::Unsettled,
        Verdict::Unreadable,
    ];

    /// For scripts.
    pub fn code(self) -> &'static str {
        match self {
            Verdict::Agreed => "agreed",
            Verdict::Different => "different",
            Verdict::Missing => "missing",
            Verdict::OnlyInDatabase => "only_in_database",
            Verdict::Rejected => "rejected",
            Verdict::Stale => "stale",
            Verdict::Unsettled => "unsettled",
            Verdict::Unreadable => "unreadable",
        }
    }
}

/// Why file and database differ, where that is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The database has nothing of the document.
    MissingDocument,
    /// The file is gone, or never was.
    OnlyInDatabase,
    /// The document has a row that its table lacks.
    MissingRow,
    /// The table has a row that no document has.
    ExtraRow,
    /// The same rows in another order.
    Reordered,
    /// Two numbers that are the same in double precision.
    Precision,
    /// Two instants apart by a whole number of quarters of an hour.
    Timezone,
    /// `[]` on one side, `{}` on the other.
    PhpEmpty,
    /// One text is the beginning of the other, or the file is cut short.
    Truncated,
    /// One text is the other, decoded wrongly.
    Encoding,
    /// Blanks at the end, or the case of letters.
    Blanks,
    Case,
    /// NULL on one side; nothing, or the word, on the other.
    Null,
    /// A row under an id that is neither derived nor adopted, or a reference to another row.
    ForeignId,
    /// A reference to a row that is not there.
    Dangling,
    /// The row is not what was written when the document was loaded; the file is.
    EditedInDatabase,
    /// The file is not the one that was loaded; the row is.
    EditedInFile,
    /// Both have changed since.
    EditedInBoth,
    /// The bookkeeping lacks the document or a part of it.
    LedgerMissing,
    /// The bookkeeping says something that cannot be.
    LedgerForged,
    /// The file is no JSON, or JSON of another shape.
    Unreadable,
    Unknown,
}

impl Cause {
    pub const ALL: [Cause; 22] = [
        Cause::MissingDocument,
        Cause::OnlyInDatabase,
        Cause::MissingRow,
        Cause::ExtraRow,
        Cause::Reordered,
        Cause::Precision,
        Cause::Timezone,
        Cause::PhpEmpty,
        Cause::Truncated,
        Cause::Encoding,
        Cause::Blanks,
        Cause::Case,
        Cause::Null,
        Cause::ForeignId,
        Cause::Dangling,
        Cause::EditedInDatabase,
        Cause::EditedInFile,
        Cause::EditedInBoth,
        Cause::LedgerMissing,
        Cause::LedgerForged,
        Cause::Unreadable,
        Cause::Unknown,
    ];

    /// For scripts and waivers.
    pub fn code(self) -> &'static str {
        match self {
            Cause::MissingDocument => "missing_document",
            Cause::OnlyInDatabase => "only_in_database",
            Cause::MissingRow => "missing_row",
            Cause::ExtraRow => "extra_row",
            Cause::Reordered => "reordered",
            Cause::Precision => "precision",
            Cause::Timezone => "timezone",
            Cause::PhpEmpty => "php_empty",
            Cause::Truncated => "truncated",
            Cause::Encoding => "encoding",
            Cause::Blanks => "blanks",
            Cause::Case => "case",
            Cause::Null => "null",
            Cause::ForeignId => "foreign_id",
            Cause::Dangling => "dangling",
            Cause::EditedInDatabase => "edited_in_database",
            Cause::EditedInFile => "edited_in_file",
            Cause::EditedInBoth => "edited_in_both",
            Cause::LedgerMissing => "ledger_missing",
            Cause::LedgerForged => "ledger_forged",
            Cause::Unreadable => "unreadable",
            Cause::Unknown => "unknown",
        }
    }

    pub fn from_code(code: &str) -> Option<Cause> {
        Cause::ALL.into_iter().find(|cause| cause.code() == code)
    }
}

/// Which side moved since the document was loaded, by the digests written then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Moved {
    File,
    Database,
    Both,
    /// Neither: then the document was loaded wrongly, or the ledger was changed.
    Neither,
    /// The ledger does not say.
    Unknown,
}

/// One place where file and database differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The document's id in the ledger.
    pub document: Uuid,
    /// `users`, `chats`, ...
    pub kind: &'static str,
    pub cause: Cause,
    pub moved: Moved,
    /// Path of the file below the source, as [`crate::model::RelPath::to_text`] has it; empty when
    /// the database alone has the row.
    pub file: String,
    /// JSON pointer within the file; in a file of lines `/n` from 0.
    pub pointer: String,
    /// The database's table, also one of the ledger's (`transload.residue`).
    pub table: Option<String>,
    pub row: Option<Uuid>,
    pub column: Option<String>,
    /// The value as the file has it, as JSON text; `None` if there is none.
    pub in_file: Option<String>,
    /// The value as the database has it, as JSON text; `None` if there is none.
    pub in_database: Option<String>,
    /// What else is to be said, without values.
    pub detail: Option<String>,
    /// The document's keys and values may be secrets (`Format::shows_keys` says so): every output
    /// masks them, asked for or not.
    pub secret: bool,
    /// Set when a waiver covers it: the waiver's reason. Waived differences count apart.
    pub waived: Option<String>,
}

/// A document of which more is to be said than its count: rejected, stale, unsettled, unreadable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    pub document: Uuid,
    pub kind: &'static str,
    pub file: String,
    pub verdict: Verdict,
    pub text: String,
    /// For a reject that somebody accepted with a reason, and for a document all of whose
    /// differences are waived.
    pub accepted: bool,
}

/// Documents by what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Documents {
    /// On either side.
    pub found: u64,
    pub agreed: u64,
    pub different: u64,
    pub missing: u64,
    pub only_in_database: u64,
    pub rejected: u64,
    pub stale: u64,
    pub unsettled: u64,
    pub unreadable: u64,
}

impl Documents {
    pub fn count(&mut self, verdict: Verdict) {
        self.found += 1;
        *match verdict {
            Verdict::Agreed => &mut self.agreed,
            Verdict::Different => &mut self.different,
            Verdict::Missing => &mut self.missing,
            Verdict::OnlyInDatabase => &mut self.only_in_database,
            Verdict::Rejected => &mut self.rejected,
            Verdict::Stale => &mut self.stale,
            Verdict::Unsettled => &mut self.unsettled,
            Verdict::Unreadable => &mut self.unreadable,
        } += 1;
    }

    pub fn of(&self, verdict: Verdict) -> u64 {
        match verdict {
            Verdict::Agreed => self.agreed,
            Verdict::Different => self.different,
            Verdict::Missing => self.missing,
            Verdict::OnlyInDatabase => self.only_in_database,
            Verdict::Rejected => self.rejected,
            Verdict::Stale => self.stale,
            Verdict::Unsettled => self.unsettled,
            Verdict::Unreadable => self.unreadable,
        }
    }
}

/// What was compared of one table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TableCount {
    /// Rows that were compared value by value.
    pub rows: u64,
    /// Values in them.
    pub values: u64,
    /// Differences, the waived ones included.
    pub differences: u64,
}

/// A waiver and what became of it in this run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WaiverUse {
    pub cause: &'static str,
    /// As the waiver names it.
    pub document: String,
    /// Its last day, `2026-12-31`.
    pub until: String,
    pub reason: String,
    /// An expired waiver covers nothing.
    pub expired: bool,
    /// How many differences it covered.
    pub covered: u64,
}

/// One run of `verify` or `migrate`, from the ledger, for the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PastRun {
    pub id: Uuid,
    pub command: String,
    pub state: String,
    #[serde(serialize_with = "fixed")]
    pub started: Instant,
    pub seconds: Option<u64>,
    pub documents: Option<u64>,
    pub rows: Option<u64>,
    pub differences: Option<u64>,
}

/// All that a verification found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    pub source: String,
    /// The database's URL without its password.
    pub target: String,
    /// transload's version.
    pub version: &'static str,
    #[serde(serialize_with = "fixed")]
    pub started: Instant,
    pub seconds: f64,
    pub files: FileTally,
    pub documents: Documents,
    /// By layout, e.g. `2 chat history`... of the documents that agreed; and by kind in all.
    pub kinds: BTreeMap<&'static str, Documents>,
    pub tables: BTreeMap<&'static str, TableCount>,
    /// Documents that agreed though the ledger is about an older version: the application wrote
    /// both sides, and the columns say all that the file says.
    pub by_columns: u64,
    /// Of the rejected documents, those that somebody accepted.
    pub accepted: u64,
    /// Differences in all, without the waived ones.
    pub differences: u64,
    pub waived: u64,
    /// Documents that are different but for waivers; they count as `different` as well.
    pub waived_documents: u64,
    /// By cause, without the waived ones.
    pub causes: BTreeMap<&'static str, u64>,
    /// The first of the differences, in path order; how many at most is `--max-differences`.
    pub listed_differences: Vec<Difference>,
    pub listed: Vec<Listed>,
    /// Every waiver that was given, used or not, in the file's order.
    pub waivers: Vec<WaiverUse>,
    /// What was left out on purpose, in words: a sample, kinds, times. Empty when all was compared.
    pub not_looked_at: Vec<String>,
    /// Whether somebody asked for less than everything that a migration moves: a sample, times, kinds.
    pub narrowed: bool,
    /// Documents that were left out by `--sample` or `--changed-since`.
    pub skipped: u64,
    /// The oldest first.
    pub history: Vec<PastRun>,
    /// What the files and the database come to, where a receipt was asked for.
    #[serde(skip)]
    pub receipt: Option<(Roots, Roots)>,
    /// The documents that can be repaired, where that was asked for.
    #[serde(skip)]
    pub guards: Vec<Guarded>,
    /// How the check ended.
    pub conclusion: Conclusion,
}

impl Outcome {
    /// Whether both equations hold: every file and every document is accounted for. If not, that is
    /// a mistake of transload's own, never of the data.
    pub fn is_balanced(&self) -> bool {
        let files = &self.files;
        let documents: u64 = Verdict::ALL.into_iter().map(|verdict| self.documents.of(verdict)).sum();
        files.found == files.in_documents + files.not_migrated + files.unreadable + files.vanished
            && self.documents.found == documents
    }

    /// What is told when the comparison could not be made at all.
    pub fn not_done(source: String, target: String, started: Instant, seconds: f64, why: String) -> Outcome {
        Outcome {
            source,
            target,
            version: env!("CARGO_PKG_VERSION"),
            started,
            seconds,
            files: FileTally::default(),
            documents: Documents::default(),
            kinds: BTreeMap::new(),
            tables: BTreeMap::new(),
            by_columns: 0,
            accepted: 0,
            differences: 0,
            waived: 0,
            waived_documents: 0,
            causes: BTreeMap::new(),
            listed_differences: Vec::new(),
            listed: Vec::new(),
            waivers: Vec::new(),
            not_looked_at: Vec::new(),
            narrowed: false,
            skipped: 0,
            history: Vec::new(),
            receipt: None,
            guards: Vec::new(),
            conclusion: Conclusion::NotChecked(why),
        }
    }
}

/// A document that is not in order, as it was compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Guarded {
    pub document: Uuid,
    pub verdict: Verdict,
    pub guard: Guard,
}

/// How a check ended, and so its exit code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "verdict", content = "why")]
pub enum Conclusion {
    /// Exit 0.
    Agree,
    /// Exit 1.
    Differ,
    /// Exit 2, and why.
    NotChecked(String),
}

fn fixed<S: serde::Serializer>(instant: &Instant, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&instant.to_fixed())
}
