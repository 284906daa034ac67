//! Looking again at what did not agree at first sight: it may have been on its way.
//!
//! An application that writes both sides writes one of them first. A suspect is read again, over a
//! fresh snapshot, until it agrees, or until both sides hold still: then the difference stands. The
//! database may be behind the files by `max_lag`, so versions of the files that were seen on the
//! way are remembered and compared as well.

use std::collections::BTreeMap;
use std::time::{Duration, Instant as Clock};

use uuid::Uuid;

use crate::ledger::extent::Guard;
use crate::model::{Class, Document, Instant, Membership, SourceFile};
use crate::source::{shape_of, FileContent, Reading, Shape};
use crate::target::{Connection, TargetError};

use super::account::Order;
use super::batch::{Checked, Judge, State};
use super::database_only::only_in_database;
use super::guards;
use super::judge::Judged;
use super::leaves::{of_rows, Both};
use super::outcome::Verdict;
use super::run::{Job, VerifyError};
use super::stored::{self, Rows};

/// Suspects that are looked at together.
const CHUNK: usize = 256;
/// How long both sides have to hold still, unless `max_lag` is shorter.
const STILL: Duration = Duration::from_secs(1);
/// The pauses between two looks; the last one is repeated.
const PAUSES: [Duration; 6] = [
    Duration::from_millis(50),
    Duration::from_millis(150),
    Duration::from_millis(400),
    Duration::from_millis(800),
    Duration::from_millis(1600),
    Duration::from_millis(2500),
];
/// Bytes of older versions of files that are remembered, of one document and in all.
const VERSION_BYTES: u64 = 256 * 1024;
const ALL_VERSIONS: u64 = 32 * 1024 * 1024;

/// A document that did not agree.
pub struct Suspect {
    order: Order,
    checked: Box<Checked>,
    /// Since when both sides are as they are, and how often something had moved.
    still_since: Clock,
    moves: u32,
    /// What its files were, with the time when they were last seen so.
    versions: Vec<(Clock, Reading)>,
}

impl Suspect {
    pub fn new(order: Order, checked: Checked) -> Suspect {
        Suspect { order, checked: Box::new(checked), still_since: Clock::now(), moves: 0, versions: Vec::new() }
    }
}

/// What became of a suspect.
pub enum Settled {
    /// With a guard where one is wanted and it can be repaired.
    Judged(Box<Checked>, Option<Guard>),
    /// Its files vanished, this many, and the database does not have it.
    Gone(u64),
}

/// All suspects of a run.
#[derive(Default)]
pub struct Suspects {
    open: Vec<Suspect>,
    /// Documents of which the ledger has parts and nothing else.
    pub lost_parts: Vec<Uuid>,
}

impl Suspects {
    pub fn push(&mut self, suspect: Suspect) {
        self.open.push(suspect);
    }

    /// Puts what was found out about a document in place of what was known, if it is a suspect.
    pub fn replace(&mut self, checked: Checked) -> Option<Checked> {
        let same = |suspect: &&mut Suspect| suspect.checked.document.id == checked.document.id;
        match self.open.iter_mut().find(same) {
            Some(suspect) => {
                *suspect.checked = checked;
                None
            }
            None => Some(checked),
        }
    }

    pub fn documents(&self) -> impl Iterator<Item = Uuid> + '_ {
        self.open.iter().map(|suspect| suspect.checked.document.id)
    }

    /// Looks at all of them until each is settled.
    pub fn settle(
        mut self,
        job: &Job,
        judge: &Judge,
        reader: &mut dyn Connection,
    ) -> Result<BTreeMap<Order, Settled>, VerifyError> {
        let mut settled = BTreeMap::new();
        let mut remembered = 0;
        for round in 0.. {
            if self.open.is_empty() {
                break;
            }
            let pause = PAUSES[round.min(PAUSES.len() - 1)];
            wait(job, pause.min(job.options.max_lag));
            if let Some(signal) = job.stop.requested() {
                return Err(VerifyError::Stopped(signal));
            }
            let mut left = Vec::new();
            let mut open = std::mem::take(&mut self.open).into_iter().peekable();
            while open.peek().is_some() {
                let chunk: Vec<Suspect> = open.by_ref().take(CHUNK).collect();
                reader.refresh()?;
                for suspect in look_again(job, judge, reader, chunk, &mut remembered)? {
                    let order = suspect.order;
                    match verdict_of(job, suspect) {
                        Ok(Settled::Judged(checked, _)) => {
                            let verdict = checked.judged.verdict;
                            let wanted = job.options.guards
                                && matches!(verdict, Verdict::Different | Verdict::Stale | Verdict::Missing);
                            let guard = if wanted { guards::of(judge, reader, &checked)? } else { None };
                            settled.insert(order, Settled::Judged(checked, guard));
                        }
                        Ok(gone) => drop(settled.insert(order, gone)),
                        Err(suspect) => left.push(suspect),
                    }
                }
                (job.tick)(&job.progress.snapshot());
            }
            self.open = left;
        }
        Ok(settled)
    }
}

/// Waits, but not once the run was asked to stop.
pub fn wait(job: &Job, pause: Duration) {
    let end = Clock::now() + pause;
    while job.stop.requested().is_none() {
        let Some(left) = end.checked_duration_since(Clock::now()).filter(|left| !left.is_zero()) else { break };
        std::thread::sleep(left.min(Duration::from_millis(20)));
    }
}

/// Reads the suspects again, and judges them anew.
fn look_again(
    job: &Job,
    judge: &Judge,
    reader: &mut dyn Connection,
    suspects: Vec<Suspect>,
    remembered: &mut u64,
) -> Result<Vec<Suspect>, TargetError> {
    let mut documents = Vec::new();
    let mut readings = Vec::new();
    let mut places = Vec::new();
    let mut suspects: Vec<Suspect> = suspects;
    for (at, suspect) in suspects.iter_mut().enumerate() {
        let document = files_now(job, &suspect.checked.document);
        if document.files.is_empty() {
            without_files(job, reader, suspect)?;
            continue;
        }
        let reading = judge.read(&document);
        documents.push(document);
        readings.push(reading);
        places.push(at);
    }
    let now = Clock::now();
    let older: Vec<Option<Reading>> = readings.iter().map(|reading| reading.as_ref().ok().and_then(copied)).collect();
    let results = judge.batch_of(reader, documents, readings)?;
    for ((at, checked), reading) in places.into_iter().zip(results).zip(older) {
        let suspect = &mut suspects[at];
        let mut checked = checked;
        if !is_fine(&checked) {
            // An older version that was still the file's a moment ago will do as well.
            for (seen, version) in suspect.versions.iter().rev() {
                if now.duration_since(*seen) > job.options.max_lag {
                    break;
                }
                let Some(version) = copied(version) else { continue };
                let document = checked.document.clone();
                let again = judge.batch_of(reader, vec![document], vec![Ok(version)])?;
                if let Some(again) = again.into_iter().find(is_fine) {
                    checked = again;
                    break;
                }
            }
        }
        if checked.state != suspect.checked.state {
            suspect.still_since = now;
            suspect.moves += 1;
        }
        remember(suspect, reading, now, remembered);
        *suspect.checked = checked;
    }
    Ok(suspects)
}

fn is_fine(checked: &Checked) -> bool {
    matches!(checked.judged.verdict, Verdict::Agreed | Verdict::Rejected)
}

fn copied(reading: &Reading) -> Option<Reading> {
    if reading.bytes() > VERSION_BYTES {
        return None;
    }
    let file = |file: &crate::source::ReadFile| match &file.content {
        FileContent::Whole(bytes) => Some(crate::source::ReadFile {
            content: FileContent::Whole(bytes.clone()),
            size: file.size,
            modified: file.modified,
            blake3: file.blake3,
        }),
        FileContent::Large => None,
    };
    let files = reading.files.iter().map(file).collect::<Option<Vec<_>>>()?;
    Some(Reading { files, digest: reading.digest })
}

/// Keeps a version of the files for as long as there is room.
fn remember(suspect: &mut Suspect, reading: Option<Reading>, now: Clock, remembered: &mut u64) {
    let Some(reading) = reading else { return };
    match suspect.versions.iter_mut().find(|(_, version)| version.digest == reading.digest) {
        Some((seen, _)) => *seen = now,
        None => {
            let held: u64 = suspect.versions.iter().map(|(_, version)| version.bytes()).sum();
            if held + reading.bytes() <= VERSION_BYTES && *remembered + reading.bytes() <= ALL_VERSIONS {
                *remembered += reading.bytes();
                suspect.versions.push((now, reading));
            }
        }
    }
    suspect.versions.sort_by_key(|(seen, _)| *seen);
}

/// The document with the files that it has now.
fn files_now(job: &Job, document: &Document) -> Document {
    let mut files: Vec<SourceFile> = Vec::new();
    for path in job.format.siblings(document) {
        let full = job.source.join(path.as_path());
        let metadata = match job.options.follow_links {
            true => full.metadata(),
            false => full.symlink_metadata(),
        };
        let Ok(metadata) = metadata else { continue };
        if !metadata.is_file() {
            continue;
        }
        let is_own = |member: &Membership| *member.kind == *document.kind && member.key == document.key;
        let member = match job.format.classify(&path) {
            Class::Document(member) => Some(member),
            Class::ByShape { object, otherwise } => match shape_of(&full, job.options.follow_links) {
                Shape::Object => Some(object),
                Shape::Other => Some(otherwise),
            },
            Class::NotMigrated { .. } => None,
        };
        let Some(member) = member.filter(is_own) else { continue };
        if files.iter().any(|file| file.role == member.role) {
            continue; // Another file's document claims the same.
        }
        let modified = metadata.modified().map_or(Instant(0), Instant::from_system_time);
        files.push(SourceFile { path, role: member.role, size: metadata.len(), modified });
    }
    Document { files, ..document.clone() }
}

/// All files of a suspect are gone: does the database still have it?
fn without_files(job: &Job, reader: &mut dyn Connection, suspect: &mut Suspect) -> Result<(), TargetError> {
    let document = &suspect.checked.document;
    let stored = stored::of_documents(reader, job.format, &[document.id], true)?;
    let mut rows = Rows::default();
    let named = || stored.values().flat_map(|stored| stored.row_ids());
    for table in job.format.tables() {
        rows.read(reader, table, named().filter(|(of, _)| of == table).map(|(_, id)| id))?;
    }
    let there: Vec<(&'static str, Uuid)> =
        named().filter(|(table, id)| rows.get(table, *id).is_some()).map(|(table, id)| (table.name, id)).collect();
    let state = State { files: None, rows: there.len() as u128, modified: None };
    if state != suspect.checked.state {
        suspect.still_since = Clock::now();
        suspect.moves += 1;
    }
    suspect.checked.leaves = match job.options.receipt {
        true => {
            let database = stored.get(&document.id).and_then(|stored| of_rows(job.format, document, stored, &rows));
            Both { file: None, database }
        }
        false => Both::default(),
    };
    suspect.checked.judged = only_in_database(job, document, there.len());
    suspect.checked.state = state;
    suspect.checked.accounted = there;
    Ok(())
}

/// What becomes of a suspect now; `Err` if it has to be looked at once more.
fn verdict_of(job: &Job, mut suspect: Suspect) -> Result<Settled, Suspect> {
    let checked = &suspect.checked;
    if checked.judged.verdict == Verdict::OnlyInDatabase && checked.accounted.is_empty() {
        return Ok(Settled::Gone(checked.document.files.len() as u64));
    }
    if is_fine(checked) {
        return Ok(Settled::Judged(suspect.checked, None));
    }
    let still = suspect.still_since.elapsed() >= STILL.min(job.options.max_lag);
    // A file that was written a moment ago has a database that may still follow.
    let lag = i64::try_from(job.options.max_lag.as_micros()).unwrap_or(i64::MAX);
    let fresh = checked.state.modified.is_some_and(|modified| Instant::now().0.saturating_sub(modified.0) < lag);
    let last = suspect.moves >= job.options.tries;
    match (still && !fresh, last) {
        (true, _) => Ok(Settled::Judged(suspect.checked, None)),
        (false, false) => Err(suspect),
        (false, true) => {
            let moved = suspect.moves;
            let text = format!("it did not agree, and it moved {moved} times while it was looked at");
            suspect.checked.judged = Judged::listed(Verdict::Unsettled, text);
            Ok(Settled::Judged(suspect.checked, None))
        }
    }
}
