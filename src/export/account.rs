//! What an export counted, and the equations that hold.

use std::collections::BTreeMap;

use serde::Serialize;
use uuid::Uuid;

use crate::exec::Signal;

/// How many refused documents are listed; all are counted.
const MOST_LISTED: usize = 1_000;

/// Documents of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct KindTally {
    /// In the ledger: exported + gone + refused.
    pub documents: u64,
    pub exported: u64,
    /// None of their rows is left, so they have no files.
    pub gone: u64,
    pub refused: u64,
    /// Documents made of rows that no document of the ledger has.
    pub added: u64,
    /// Such rows that no file can be made of.
    pub added_refused: u64,
}

/// Rows of one table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TableTally {
    /// In the database: exported + placeholders + not exported. `None` if not all kinds of the
    /// table were asked for.
    pub rows: Option<u64>,
    pub exported: u64,
    /// Of the exported rows, those that are not what was loaded.
    pub edited: u64,
    /// Of the exported rows, those that no document of the ledger has.
    pub added: u64,
    /// Rows that a document of the ledger has and the table lacks.
    pub deleted: u64,
    /// Stand-ins for users that no file describes.
    pub placeholders: u64,
    pub not_exported: u64,
}

/// A document without files, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    pub kind: String,
    pub key: String,
    /// As [`crate::model::RelPath::to_text`] spells it.
    pub file: String,
    pub why: String,
}

/// Rows for which the legacy tree has no place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotExported {
    pub table: &'static str,
    pub rows: u64,
    /// The first of them.
    pub first: Vec<Uuid>,
}

/// What was exported.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    pub kinds: BTreeMap<&'static str, KindTally>,
    pub tables: BTreeMap<&'static str, TableTally>,
    pub files: u64,
    pub bytes: u64,
    pub refused: Vec<Refused>,
    pub not_exported: Vec<NotExported>,
    /// Documents that were never loaded: their bytes are where `migrate` put them.
    pub rejected: u64,
    /// Of these, the ones that somebody accepted.
    pub rejects_accepted: u64,
    pub stopped: Option<Signal>,
    pub seconds: f64,
}

/// An equation that does not hold: a mistake of transload's own, never of the data.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unbalanced {
    #[error("the ledger has {documents} documents of the kind {kind} but {accounted} are accounted for")]
    Documents { kind: &'static str, documents: u64, accounted: u64 },
    #[error("`{table}` has {rows} rows but {accounted} are accounted for")]
    Rows { table: &'static str, rows: u64, accounted: u64 },
}

impl Report {
    pub fn kind(&mut self, name: &'static str) -> &mut KindTally {
        self.kinds.entry(name).or_default()
    }

    pub fn table(&mut self, name: &'static str) -> &mut TableTally {
        self.tables.entry(name).or_default()
    }

    pub fn refuse(&mut self, refused: Refused) {
        if self.refused.len() < MOST_LISTED {
            self.refused.push(refused);
        }
    }

    /// Adds what another thread counted.
    pub fn add(&mut self, other: Report) {
        for (kind, tally) in other.kinds {
            let all = self.kind(kind);
            all.documents += tally.documents;
            all.exported += tally.exported;
            all.gone += tally.gone;
            all.refused += tally.refused;
            all.added += tally.added;
            all.added_refused += tally.added_refused;
        }
        for (table, tally) in other.tables {
            let all = self.table(table);
            all.exported += tally.exported;
            all.edited += tally.edited;
            all.added += tally.added;
            all.deleted += tally.deleted;
            all.placeholders += tally.placeholders;
        }
        self.files += other.files;
        self.bytes += other.bytes;
        other.refused.into_iter().for_each(|refused| self.refuse(refused));
    }

    /// Notes how many rows a table has.
    pub fn note_rows(&mut self, table: &'static str, rows: u64) -> Result<(), Unbalanced> {
        let tally = self.table(table);
        tally.rows = Some(rows);
        let accounted = tally.exported + tally.placeholders;
        tally.not_exported = rows.checked_sub(accounted).ok_or(Unbalanced::Rows { table, rows, accounted })?;
        Ok(())
    }

    /// In the ledger = exported + gone + refused.
    pub fn check(&self) -> Result<(), Unbalanced> {
        for (kind, tally) in &self.kinds {
            let accounted = tally.exported + tally.gone + tally.refused;
            if accounted != tally.documents {
                return Err(Unbalanced::Documents { kind, documents: tally.documents, accounted });
            }
        }
        Ok(())
    }

    /// All kinds in one.
    pub fn total(&self) -> KindTally {
        let mut total = Report::default();
        for tally in self.kinds.values() {
            total.add(Report { kinds: [("", tally.clone())].into(), ..Report::default() });
        }
        total.kind("").clone()
    }

    /// Whether anything is left that somebody should look at (exit code 1).
    pub fn has_leftovers(&self) -> bool {
        let total = self.total();
        total.refused + total.added_refused > 0
            || self.rejected > self.rejects_accepted
            || self.tables.values().any(|tally| tally.not_exported > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_add_up_is_an_error() {
        let mut report = Report::default();
        *report.kind("users") = KindTally { documents: 3, exported: 1, gone: 1, refused: 1, ..KindTally::default() };
        assert_eq!(report.check(), Ok(()));
        report.kind("users").documents = 4;
        let wrong = Unbalanced::Documents { kind: "users", documents: 4, accounted: 3 };
        assert_eq!(report.check(), Err(wrong));
        report.table("users").exported = 2;
        assert_eq!(report.note_rows("users", 3), Ok(()));
        assert_eq!(report.tables["users"].not_exported, 1);
        assert!(report.note_rows("users", 1).is_err());
    }
}
