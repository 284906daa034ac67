//! What legacy references mean in the database: the row that a column must point to.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::PoisonError;

use uuid::Uuid;

use crate::format::Format;
use crate::ledger::{uuids, LedgerDocument};
use crate::model::ledger::{documents as d, DOCUMENTS};
use crate::model::{ids, Missing, Reference, Table, Value};
use crate::target::{select_all, Connection, Filter, TargetError};

use super::batch::Judge;
use super::ids::IdMap;
use super::stored::Rows;

/// References of a batch, resolved.
#[derive(Default)]
pub struct Resolved {
    means: HashMap<(&'static str, String), Meaning>,
    /// Rows that are there to be referred to.
    there: HashSet<(&'static str, Uuid)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Meaning {
    /// `None`: nobody in the database is meant.
    pub row: Option<Uuid>,
    pub placeholder: bool,
}

impl Resolved {
    pub fn meaning(&self, reference: Reference, text: &str) -> Option<Meaning> {
        self.means.get(&(reference.kind, text.to_owned())).copied()
    }

    /// Whether a column's reference points to a row that exists.
    pub fn is_there(&self, reference: Reference, id: Uuid) -> bool {
        self.there.contains(&(reference.kind, id))
    }
}

/// What was resolved before, in one and the same state of the database: a user's chats are in many
/// batches.
#[derive(Default)]
pub struct Known {
    means: HashMap<&'static str, HashMap<String, Meaning>>,
    there: IdMap<(&'static str, bool)>,
}

/// So many references are remembered, and as many ids.
const MOST_KNOWN: usize = 100_000;

impl Known {
    /// Gives what is known to `resolved`, and returns what is not.
    #[allow(clippy::type_complexity)] // two sets as `resolve` takes them
    fn rest(
        &self,
        resolved: &mut Resolved,
        wanted: &BTreeSet<(&'static str, String)>,
        held: &BTreeSet<(&'static str, Uuid)>,
    ) -> (BTreeSet<(&'static str, String)>, BTreeSet<(&'static str, Uuid)>) {
        let mut rest = (BTreeSet::new(), BTreeSet::new());
        for (kind, text) in wanted {
            match self.means.get(kind).and_then(|means| means.get(text)) {
                Some(meaning) => {
                    resolved.there.extend(meaning.row.map(|row| (*kind, row)));
                    resolved.means.insert((*kind, text.clone()), *meaning);
                }
                None => drop(rest.0.insert((*kind, text.clone()))),
            }
        }
        for (kind, id) in held {
            match self.there.get(id).filter(|(of, _)| of == kind) {
                Some((_, true)) => drop(resolved.there.insert((*kind, *id))),
                Some((_, false)) => {}
                None => drop(rest.1.insert((*kind, *id))),
            }
        }
        rest
    }

    /// Remembers what was found out of these.
    fn add(
        &mut self,
        resolved: &Resolved,
        wanted: BTreeSet<(&'static str, String)>,
        held: BTreeSet<(&'static str, Uuid)>,
    ) {
        for key in wanted {
            let means = self.means.entry(key.0).or_default();
            if let Some(meaning) = resolved.means.get(&key).filter(|_| means.len() < MOST_KNOWN) {
                means.insert(key.1, *meaning);
            }
        }
        for (kind, id) in held {
            if self.there.len() < MOST_KNOWN {
                self.there.insert(id, (kind, resolved.there.contains(&(kind, id))));
            }
        }
    }
}

/// The table of the kind that is referred to.
pub fn table_of(format: &dyn Format, reference: Reference) -> &'static Table {
    let kind = format.kinds().iter().find(|kind| kind.name == reference.kind);
    kind.expect("a format's references name its own kinds").main
}

/// Finds what the texts mean: the row of the document with this key (it may have been adopted
/// under another id), else the row under the derived id, else the row with this natural key, and
/// a placeholder last. The file of somebody whom nothing of this finds may say who he is. `held`:
/// ids that columns hold now, to see whether they are there.
pub fn resolve(
    judge: &Judge,
    connection: &mut dyn Connection,
    rows: &mut Rows,
    wanted: &BTreeSet<(&'static str, String)>,
    held: &BTreeSet<(&'static str, Uuid)>,
) -> Result<Resolved, TargetError> {
    let mut resolved = Resolved::default();
    let Some(known) = &judge.known else {
        ask(judge, connection, rows, wanted, held, &mut resolved)?;
        return Ok(resolved);
    };
    let locked = || known.lock().unwrap_or_else(PoisonError::into_inner);
    let (wanted, held) = locked().rest(&mut resolved, wanted, held);
    ask(judge, connection, rows, &wanted, &held, &mut resolved)?;
    locked().add(&resolved, wanted, held);
    Ok(resolved)
}

fn ask(
    judge: &Judge,
    connection: &mut dyn Connection,
    rows: &mut Rows,
    wanted: &BTreeSet<(&'static str, String)>,
    held: &BTreeSet<(&'static str, Uuid)>,
    resolved: &mut Resolved,
) -> Result<(), TargetError> {
    let format = judge.format;
    let kinds: BTreeSet<&'static str> =
        wanted.iter().map(|(kind, _)| *kind).chain(held.iter().map(|(kind, _)| *kind)).collect();
    for kind in kinds {
        let table = table_of(format, Reference { kind, missing: Missing::Null });
        let texts: Vec<&String> = wanted.iter().filter(|(of, _)| *of == kind).map(|(_, text)| text).collect();
        let document_id = |text: &str| ids::document(kind, &format.reference_key(kind, text));
        let documents: Vec<Uuid> = texts.iter().map(|text| document_id(text)).collect();
        let mut by_document: HashMap<Uuid, Uuid> = HashMap::new();
        if !documents.is_empty() {
            let values = uuids(&documents);
            for row in select_all(connection, &DOCUMENTS, &Filter::In { column: d::ID, values: &values })? {
                let document = LedgerDocument::from_row(&row).ok();
                by_document.extend(document.and_then(|document| Some((document.id, document.row_id?))));
            }
        }
        let derived = texts.iter().map(|text| format.referenced_id(kind, text));
        let of_kind = held.iter().filter(|(of, _)| *of == kind).map(|(_, id)| *id);
        let all: Vec<Uuid> = derived.chain(by_document.values().copied()).chain(of_kind).collect();
        rows.read(connection, table, all.iter().copied())?;
        let mut by_key: HashMap<String, Uuid> = HashMap::new();
        for &column in table.natural_key {
            let values: Vec<Value> = texts.iter().map(|text| Value::Text((*text).clone())).collect();
            for id in rows.read_by(connection, table, column, &values)? {
                if let Some(text) = rows.get(table, id).and_then(|row| row.0[column].as_text()) {
                    by_key.insert(text.to_owned(), id);
                }
            }
        }
        for text in texts {
            let of_document = by_document.get(&document_id(text)).copied();
            let under_id = Some(format.referenced_id(kind, text));
            let is_placeholder = |id: Uuid| rows.get(table, id).is_some_and(|row| format.is_placeholder(table, row));
            let there = |id: &Uuid| rows.get(table, *id).is_some();
            let real = |id: &Uuid| there(id) && !is_placeholder(*id);
            let row = of_document
                .filter(there)
                .or(under_id.filter(real))
                .or(by_key.get(text).copied())
                .or(under_id.filter(there));
            let row = match row {
                None => judge.row_by_file(connection, rows, kind, &format.reference_key(kind, text))?,
                row => row,
            };
            let placeholder =
                row.is_some_and(|id| rows.get(table, id).is_some_and(|row| format.is_placeholder(table, row)));
            resolved.there.extend(row.map(|id| (kind, id)));
            resolved.means.insert((kind, text.clone()), Meaning { row, placeholder });
        }
        resolved.there.extend(all.iter().filter(|id| rows.get(table, **id).is_some()).map(|id| (kind, *id)));
        resolved.there.extend(by_key.values().map(|id| (kind, *id)));
    }
    Ok(())
}
