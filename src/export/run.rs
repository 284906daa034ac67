//! The wiring of an export: one thread finds documents, the others write them.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::time::{Duration, Instant as Clock};

use crossbeam_channel::{bounded, unbounded, RecvTimeoutError};
use uuid::Uuid;

use crate::exec::{crew, CrewError};
use crate::ledger::{self, unpack_ids};
use crate::model::ledger::{residue as r, RESIDUE};
use crate::model::{Anchor, Instant, Table};
use crate::target::{Connection, Filter, TargetError};

use super::account::{NotExported, Report};
use super::plan::{Chunk, Homes, Planner};
use super::tree::Tree;
use super::worker::Worker;
use super::{ExportError, Job, Settings, FEWEST_READERS};

/// Chunks that wait for a writer: enough to keep a few of them busy.
const WAITING: usize = 4;
/// How often progress is shown.
const TICK: Duration = Duration::from_millis(200);
/// How many rows that nobody exports are listed by their ids.
const MOST_LISTED: usize = 20;
/// Ids that are held to find these, 16 bytes each.
const MOST_HELD: u64 = 4_000_000;

/// Writes the tree. `readers` see one state of the database.
pub fn export(job: &Job, mut readers: Vec<Box<dyn Connection>>) -> Result<Report, ExportError> {
    let begun = Clock::now();
    let found = readers.len();
    let [walk, ask, writers @ ..] = &mut readers[..] else { return Err(ExportError::TooFewReaders { found }) };
    if found < FEWEST_READERS {
        return Err(ExportError::TooFewReaders { found });
    }
    let tree = Tree::create(job.directory)?;
    let settings = job.settings;
    let mut report = Report::default();
    for kind in settings.kinds {
        report.kind(kind.name);
    }
    let homes = Homes::default();
    let now = Instant::now();
    let (chunks_in, chunks) = bounded::<Chunk>(WAITING);
    let (reports_in, reports) = unbounded::<Report>();
    let written = crew::run(|crew| {
        let halt = crew.halt();
        let (homes, tree) = (&homes, &tree);
        let counted = reports_in.clone();
        crew.spawn("plan", move || {
            let halted = || halt.is_set() || settings.stop.requested().is_some();
            let (walk, ask) = (&mut **walk, &mut **ask);
            let mut report = Report::default();
            Planner { settings, walk, ask, homes, chunks: chunks_in, halted: &halted }.run(&mut report)?;
            // The main thread may have gone for a failure of its own.
            let _ = counted.send(report);
            Ok(())
        });
        for (number, connection) in writers.iter_mut().enumerate() {
            let (chunks, counted) = (chunks.clone(), reports_in.clone());
            crew.spawn(format!("write-{}", number + 1), move || {
                let report = Worker::new(settings, tree, homes, now, &mut **connection).run(&chunks)?;
                let _ = counted.send(report);
                Ok(())
            });
        }
        drop((chunks, reports_in));
        loop {
            match reports.recv_timeout(TICK) {
                Ok(counted) => report.add(counted),
                Err(RecvTimeoutError::Timeout) => (job.tick)(&settings.progress.snapshot()),
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    });
    written.map_err(|error| match error {
        CrewError::Failed(error) => error,
        other => ExportError::Crew(other.to_string()),
    })?;
    report.stopped = settings.stop.requested();
    if report.stopped.is_none() {
        report.check()?;
        count_rows(&settings, &mut *readers[0], &mut report)?;
        count_rejects(&settings, &mut *readers[0], &mut report)?;
        tree.finish()?;
    }
    report.seconds = begun.elapsed().as_secs_f64();
    Ok(report)
}

fn count_rejects(settings: &Settings, connection: &mut dyn Connection, report: &mut Report) -> Result<(), TargetError> {
    for reject in ledger::all_rejects(connection)? {
        if settings.kinds.iter().any(|kind| kind.name == reject.kind) {
            report.rejected += 1;
            report.rejects_accepted += u64::from(reject.accepted.is_some());
        }
    }
    Ok(())
}

/// Counts the rows of every table all of whose documents were asked for.
fn count_rows(settings: &Settings, connection: &mut dyn Connection, report: &mut Report) -> Result<(), ExportError> {
    let mut asked = true;
    for &table in settings.format.tables() {
        let kinds: Vec<_> = settings.format.kinds().iter().filter(|kind| *kind.main == *table).collect();
        // What stands below a table is its documents', too.
        if !kinds.is_empty() {
            asked = kinds.iter().all(|kind| settings.kinds.contains(kind));
        }
        if !asked {
            continue;
        }
        let mut rows = 0;
        connection.scan(table, &[0], &Filter::All, &mut |_| {
            rows += 1;
            ControlFlow::Continue(())
        })?;
        report.note_rows(table.name, rows)?;
        let left = report.table(table.name).not_exported;
        if left > 0 {
            let has_place = kinds.iter().any(|kind| kind.anchor != Anchor::None) || kinds.is_empty();
            let first = if has_place { Vec::new() } else { unknown(connection, table, rows)? };
            report.not_exported.push(NotExported { table: table.name, rows: left, first });
        }
    }
    Ok(())
}

/// The first of a table's rows that no document of the ledger names.
fn unknown(connection: &mut dyn Connection, table: &Table, rows: u64) -> Result<Vec<Uuid>, TargetError> {
    let passes = u128::from(rows / MOST_HELD + 1);
    let mut found = Vec::new();
    for pass in 0..passes {
        let is_next = |id: &Uuid| id.as_u128() % passes == pass;
        let mut named: HashSet<Uuid> = HashSet::new();
        connection.scan(&RESIDUE, &[r::TABLE_NAME, r::ROW_IDS], &Filter::All, &mut |values| {
            if values[0].as_text() == Some(table.name) {
                named.extend(unpack_ids(values[1].as_bytes().unwrap_or_default()).filter(is_next));
            }
            ControlFlow::Continue(())
        })?;
        connection.scan(table, &[0], &Filter::All, &mut |values| {
            found.extend(values[0].as_uuid().filter(|id| is_next(id) && !named.contains(id)));
            if found.len() < MOST_LISTED {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        if found.len() >= MOST_LISTED {
            break;
        }
    }
    found.sort_unstable();
    Ok(found)
}
