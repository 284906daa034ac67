//! Judging a document that is too large to be held: its file flows past its rows.
//!
//! ```text
//! feed      asks the database part by part, in a thread of its own
//! again     writes the rows' objects again there
//! meeting   brings what the file wants and what the database has together, on the caller's thread
//! settle    pairs what waits for more than an id
//! ```
//!
//! What is told is what [`super::judge`] would tell of a document that is held: the same pairs are
//! compared by the same code, and only those wait for the end that no id brings together. A few
//! parts of rows are held, and what found no partner yet.

mod again;
mod feed;
mod meeting;
mod settle;

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;

use crossbeam_channel::bounded;
use uuid::Uuid;

use crate::exec::{crew, CrewError};
use crate::format::proof::{Expected, Unexpected};
use crate::model::ledger::RESIDUE;
use crate::model::{Anchor, Content, Document, FileRole, RelPath, Table, Value};
use crate::source::{self, FileContent, Reading};
use crate::target::{Connection, TargetError, TargetErrorKind};

use super::batch::{Checked, Judge, State};
use super::compare::{Comparison, Mode};
use super::judge::{self, Judged};
use super::leaves::{of_files, Both};
use super::receipt::Leaf;
use super::resolve::{resolve, Resolved};
use super::row_ids::RowIds;
use super::stored::{self, Rows, Stored};

use feed::Feeder;
use meeting::Meeting;

/// Judges it. `claimed`: another file has its key.
pub fn judge(
    judge: &Judge,
    connection: &mut dyn Connection,
    document: Document,
    reading: Reading,
    mut stored: HashMap<Uuid, Stored>,
    claimed: bool,
) -> Result<Checked, TargetError> {
    let mut held = stored.remove(&document.id).unwrap_or_default();
    let named = stored::outline(connection, judge.format, document.id, &mut held)?;
    let bytes = reading.bytes();
    let modified = reading.files.iter().map(|file| file.modified).max();
    let mut state = State { files: Some(reading.digest), rows: 0, modified };
    let rejected = judge::rejected_as_is(&held, stored.get(&document.twin_id()), &reading);
    // The rows of a version that was loaded before are accounted for, and not compared.
    if let (Some(judged), false) = (&rejected, held.is_known()) {
        let judged = judged.clone();
        return Ok(Checked { document, judged, accounted: RowIds::default(), state, bytes, leaves: Both::default() });
    }
    if claimed {
        let resolved = Resolved::default();
        let comparison = Comparison::new(judge.format, &document, Mode::Unrecorded, &resolved, judge.most);
        let judged = judge::claimed_document(comparison, &held);
        return Ok(Checked { document, judged, accounted: RowIds::default(), state, bytes, leaves: Both::default() });
    }
    let files: Vec<(RelPath, FileRole)> = document.files.iter().map(|file| (file.path.clone(), file.role)).collect();
    let flow = Flow { judge, document: &document, reading: &reading, stored: &held, named, files: &files };
    let found = flow.run(connection)?;
    state.rows = found.rows;
    let file = if judge.receipt && rejected.is_none() { of_files(judge, &document, &reading) } else { None };
    let leaves = Both { file, database: found.leaf };
    let judged = rejected.unwrap_or(found.judged);
    Ok(Checked { document, judged, accounted: found.accounted, state, bytes, leaves })
}

/// A document while both sides of it flow.
struct Flow<'a> {
    judge: &'a Judge<'a>,
    document: &'a Document,
    reading: &'a Reading,
    /// The parts in outline.
    stored: &'a Stored,
    /// How many rows the ledger names.
    named: usize,
    files: &'a [(RelPath, FileRole)],
}

/// What came of it.
struct Found {
    judged: Judged,
    accounted: RowIds,
    /// An order-independent digest of the rows.
    rows: u128,
    leaf: Option<Leaf>,
}

/// Where the document stands in the database.
struct Standing {
    /// Rows in which it may stand, in the document's main table.
    rows: Vec<Uuid>,
    /// The one in which it does.
    own: Option<Uuid>,
    /// Whether its first row is there under an id that only transload gives.
    derived: bool,
}

impl Flow<'_> {
    fn expect(&self, take: &mut dyn FnMut(Expected) -> ControlFlow<()>) -> Result<(), Unexpected> {
        let facts = self.judge.facts(self.document, self.reading, self.stored.document.as_ref(), self.files);
        let open = |file: usize| match &self.reading.files[file].content {
            FileContent::Whole(bytes) => Ok(Content::Whole(bytes)),
            FileContent::Large => {
                let judge = self.judge;
                let stream = source::open_stream(judge.root, self.document, self.reading, file, &judge.read)?;
                Ok(Content::Stream(Box::new(stream)))
            }
        };
        self.judge.format.expect(&facts, &open, take)
    }

    fn run(&self, connection: &mut dyn Connection) -> Result<Found, TargetError> {
        let mut first = None;
        let begun = self.expect(&mut |row| {
            first = Some(row);
            ControlFlow::Break(())
        });
        let first = first;
        let (resolved, standing) = self.prepare(connection, first.as_ref())?;
        let begin = || {
            let mode = judge::mode(self.stored, self.reading);
            let mut comparison = Comparison::new(self.judge.format, self.document, mode, &resolved, self.judge.most);
            comparison.sealed = !self.stored.is_forged(RESIDUE.name);
            comparison.parent = standing.own;
            judge::of_ledger(&mut comparison, self.stored, self.reading);
            if self.stored.document.is_none() && (self.stored.is_known() || standing.derived) {
                judge::forgotten(&mut comparison);
            }
            comparison
        };
        if !self.stored.is_known() && standing.rows.is_empty() && !standing.derived {
            let judged = judge::missing_document(self.stored, begun.as_ref().err(), begin());
            return Ok(Found { judged, accounted: RowIds::default(), rows: 0, leaf: None });
        }
        let (feed, fed) = bounded(2);
        let (ask, asked) = bounded(1);
        let feeder = Feeder::new(self, connection, standing.rows, feed, asked);
        let mut meeting = Meeting::new(begin(), self.stored, fed, ask);
        let mut problem = None;
        let result = crew::run(|crew| {
            crew.spawn("rows", move || feeder.run());
            let result = begun.and_then(|()| {
                self.expect(&mut |wanted| {
                    meeting.wanted(wanted);
                    ControlFlow::Continue(())
                })
            });
            match result {
                Ok(()) => meeting.rest(),
                // What the file does not say has no partners; the rows are the document's all the same.
                Err(unexpected) => {
                    meeting.pass();
                    problem = Some(unexpected);
                }
            }
            meeting.hang_up();
            Ok(())
        });
        match result {
            Ok(()) => {}
            Err(CrewError::Failed(error)) => return Err(error),
            Err(error) => {
                let context = "a document that is too large to be held could not be compared";
                return Err(TargetError::new(TargetErrorKind::Other, context).because(error));
            }
        }
        Ok(match problem {
            None => meeting.finish(self, first.as_ref()),
            Some(problem) => {
                // What was told so far was told of a file that is none.
                meeting.comparison = begin();
                judge::unreadable(&mut meeting.comparison, &problem);
                meeting.conclude()
            }
        })
    }

    /// What the document refers to, and where it stands.
    fn prepare(
        &self,
        connection: &mut dyn Connection,
        first: Option<&Expected>,
    ) -> Result<(Resolved, Standing), TargetError> {
        let mut rows = Rows::default();
        let standing = self.stand(connection, first, &mut rows)?;
        let mut texts = BTreeSet::new();
        if let Some(first) = first {
            for (column, cell) in first.table.columns.iter().zip(&first.cells) {
                if let (Some(reference), Value::Reference(text)) = (column.reference, &cell.value) {
                    texts.insert((reference.kind, text.clone()));
                }
            }
        }
        let mut held = BTreeSet::new();
        rows.each(|table, row| {
            for (column, value) in table.columns.iter().zip(&row.0) {
                if let (Some(reference), Some(id)) = (column.reference, value.as_uuid()) {
                    held.insert((reference.kind, id));
                }
            }
        });
        Ok((resolve(self.judge, connection, &mut rows, &texts, &held)?, standing))
    }

    fn stand(
        &self,
        connection: &mut dyn Connection,
        first: Option<&Expected>,
        rows: &mut Rows,
    ) -> Result<Standing, TargetError> {
        let main = self.document.kind.main;
        let is_main = |table: &Table| *table == *main;
        // As the first part names it; the ledger's own row may say so, too, and is not believed.
        let named = self.stored.parts.first().filter(|part| is_main(part.table));
        let named = named.and_then(|part| part.ids.first().copied());
        let wanted = first.filter(|first| is_main(first.table)).map(|first| first.id);
        rows.read(connection, main, named.into_iter().chain(wanted))?;
        let derived = wanted.is_some_and(|id| rows.get(main, id).is_some() && !judge::is_legacy_id(self.document, id));
        if self.document.kind.anchor != Anchor::FirstRow {
            return Ok(Standing { rows: Vec::new(), own: None, derived });
        }
        let mut ids: Vec<Uuid> = [named, wanted].into_iter().flatten().collect();
        ids.retain(|id| rows.get(main, *id).is_some());
        if let (Some(first), [column], false) = (first, main.natural_key, wanted.is_some_and(|id| ids.contains(&id))) {
            let values = [first.cells[*column].value.clone()];
            if values[0] != Value::Null {
                let found = rows.read_by(connection, main, *column, &values)?;
                stored::note_holders(connection, self.judge.format, main, &found, rows)?;
                ids.extend(found.into_iter().filter(|id| !rows.is_anothers(self.document.id, *id)));
            }
        }
        let own = ids.first().copied();
        ids.sort_unstable();
        ids.dedup();
        Ok(Standing { rows: ids, own, derived })
    }
}
