//! Looking again at what did not agree at first sight: it may have been on its way.
//!
//! An application that writes both sides writes one of them first, and the other may follow within
//! `max_lag`. So the database must equal a version of the file that was current within `max_lag` of
//! its reading, before or after. A suspect is looked at again until it does, with its file against
//! the state of the database before (the file follows), against the state now, and with versions of
//! the file that were seen within `max_lag` against the state now (the database follows).
//!
//! A difference stands when it was there at every look for longer than `max_lag`, whatever else
//! moved in the document; or at once where nothing can be on its way: the file was written longer
//! ago than that, and the rows are what was loaded.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant as Clock};

use uuid::Uuid;

use crate::ledger::extent::Guard;
use crate::model::{Document, Instant};
use crate::source::{FileContent, Reading};
use crate::target::{Connection, TargetError};

use super::account::Order;
use super::batch::{Checked, Judge, State};
use super::database_only::only_in_database;
use super::guards;
use super::judge::Judged;
use super::leaves::{of_rows, Both};
use super::outcome::{Difference, Verdict};
use super::row_ids::RowIds;
use super::run::{Job, VerifyError};
use super::stored::{self, Rows};

/// Suspects that are looked at together.
const CHUNK: usize = 256;
/// How long both sides have to hold still where nothing can be on its way.
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
    /// Whether the walk counted its files.
    walked: bool,
    /// When it was looked at for the first time, and since when both sides are as they are.
    since: Clock,
    still_since: Clock,
    /// How often something had moved.
    moves: u32,
    /// The differences of the last look, with when each was seen first, without a gap.
    standing: HashMap<Key, Clock>,
    /// What its files were, with the time when they were last seen so.
    versions: Vec<(Clock, Reading)>,
}

/// By which a difference is known from one look to the next.
type Key = [u8; 16];

impl Suspect {
    pub fn new(order: Order, checked: Checked) -> Suspect {
        let now = Clock::now();
        let mut suspect = Suspect {
            order,
            checked: Box::new(checked),
            walked: true,
            since: now,
            still_since: now,
            moves: 0,
            standing: HashMap::new(),
            versions: Vec::new(),
        };
        suspect.note_standing(now);
        suspect.forget();
        suspect
    }

    /// Forgets what the next look finds again: many suspects may wait for it.
    fn forget(&mut self) {
        let judged = &mut self.checked.judged;
        (judged.differences, judged.tables) = Default::default();
        self.checked.accounted = RowIds::default();
        self.checked.leaves = Both::default();
    }

    /// Of a document of which the walk has not seen a file.
    pub fn unwalked(order: Order, checked: Checked) -> Suspect {
        Suspect { walked: false, ..Suspect::new(order, checked) }
    }

    fn note_standing(&mut self, now: Clock) {
        let judged = &self.checked.judged;
        let mut keys: Vec<Key> = judged.differences.iter().map(key_of).collect();
        if keys.is_empty() {
            // What is listed without a difference, such as a file that cannot be read.
            keys.push(short_hash(&[judged.verdict.code(), &judged.text]));
        }
        let before = std::mem::take(&mut self.standing);
        self.standing = keys.into_iter().map(|key| (key, before.get(&key).copied().unwrap_or(now))).collect();
    }

    /// Takes what was found now in place of what was known.
    fn look(&mut self, checked: Checked, now: Clock) {
        if checked.state != self.checked.state {
            self.still_since = now;
            self.moves += 1;
        }
        *self.checked = checked;
        self.note_standing(now);
    }
}

/// Everything that makes a difference this one; its cause and who moved may be seen otherwise when
/// other places differ, too.
fn key_of(difference: &Difference) -> Key {
    let text = |text: &Option<String>| text.as_deref().map_or_else(String::new, |text| format!("={text}"));
    let row = difference.row.map_or_else(String::new, |row| row.to_string());
    short_hash(&[
        &difference.file,
        &difference.pointer,
        &text(&difference.table),
        &row,
        &text(&difference.column),
        &text(&difference.in_file),
        &text(&difference.in_database),
        &text(&difference.detail),
    ])
}

fn short_hash(parts: &[&str]) -> Key {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    let mut key = Key::default();
    hasher.finalize_xof().fill(&mut key);
    key
}

/// What became of a suspect.
pub enum Settled {
    /// With a guard where one is wanted and it can be repaired.
    Judged(Box<Checked>, Option<Guard>),
    /// Its files vanished, so many that were counted, and the database does not have it.
    Gone(u64),
}

/// All suspects of a run.
#[derive(Default)]
pub struct Suspects {
    open: Vec<Suspect>,
}

impl Suspects {
    pub fn push(&mut self, suspect: Suspect) {
        self.open.push(suspect);
    }

    pub fn documents(&self) -> impl Iterator<Item = Uuid> + '_ {
        self.open.iter().map(|suspect| suspect.checked.document.id)
    }

    /// Looks at all of them until each is settled, and gives each to `take` then. `taken`: when the
    /// reader's state was.
    pub fn settle(
        mut self,
        job: &Job,
        judge: &Judge,
        reader: &mut dyn Connection,
        taken: Clock,
        take: &mut dyn FnMut(Order, Settled) -> Result<(), VerifyError>,
    ) -> Result<(), VerifyError> {
        let mut looks = Looks { job, judge, taken, remembered: 0 };
        for round in 0.. {
            if self.open.is_empty() {
                break;
            }
            wait(job, pause(&self.open, round, job.options.max_lag));
            if let Some(signal) = job.stop.requested() {
                return Err(VerifyError::Stopped(signal));
            }
            let mut left = Vec::new();
            for now in [Against::Before, Against::Now] {
                if now == Against::Now {
                    reader.refresh()?;
                    looks.taken = Clock::now();
                }
                let mut open = std::mem::take(&mut self.open).into_iter().peekable();
                while open.peek().is_some() {
                    let chunk: Vec<Suspect> = open.by_ref().take(CHUNK).collect();
                    for suspect in looks.look(reader, chunk, now)? {
                        let order = suspect.order;
                        match verdict_of(job, suspect, now) {
                            Ok(Settled::Judged(checked, _)) => {
                                let verdict = checked.judged.verdict;
                                let wanted = job.options.guards
                                    && matches!(verdict, Verdict::Different | Verdict::Stale | Verdict::Missing);
                                let guard = if wanted { guards::of(judge, reader, &checked)? } else { None };
                                take(order, Settled::Judged(checked, guard))?;
                            }
                            Ok(gone) => take(order, gone)?,
                            Err(mut suspect) => {
                                suspect.forget();
                                left.push(*suspect);
                            }
                        }
                    }
                    (job.tick)(&job.progress.snapshot());
                }
                self.open = std::mem::take(&mut left);
            }
        }
        Ok(())
    }
}

/// How long to wait for the next look: no longer than until something may stand.
fn pause(open: &[Suspect], round: usize, max_lag: Duration) -> Duration {
    let usual = PAUSES[round.min(PAUSES.len() - 1)].min(max_lag);
    let stands = |suspect: &Suspect| {
        let since = suspect.standing.values().min()?;
        (max_lag + Duration::from_millis(1)).checked_sub(since.elapsed())
    };
    let next = open.iter().filter_map(stands).min();
    next.map_or(usual, |next| next.clamp(PAUSES[0].min(usual), usual))
}

/// Which state of the database files are compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Against {
    /// The one of the last look, where a file has changed since then.
    Before,
    Now,
}

/// What looking takes.
struct Looks<'a> {
    job: &'a Job<'a>,
    judge: &'a Judge<'a>,
    /// When the reader's state was taken.
    taken: Clock,
    /// Bytes of all versions that are remembered.
    remembered: u64,
}

impl Looks<'_> {
    /// Reads the suspects again, and judges them anew.
    fn look(
        &mut self,
        reader: &mut dyn Connection,
        mut suspects: Vec<Suspect>,
        against: Against,
    ) -> Result<Vec<Suspect>, TargetError> {
        if against == Against::Before && self.taken.elapsed() > self.job.options.max_lag {
            return Ok(suspects);
        }
        let (mut documents, mut readings, mut places) = (Vec::new(), Vec::new(), Vec::new());
        for (at, suspect) in suspects.iter_mut().enumerate() {
            let document = self.judge.files_now(&suspect.checked.document);
            if against == Against::Before && (document.files.is_empty() || !has_changed(suspect, &document)) {
                continue;
            }
            if document.files.is_empty() {
                without_files(self.job, reader, suspect)?;
                continue;
            }
            readings.push(self.judge.read(&document));
            documents.push(document);
            places.push(at);
        }
        let now = Clock::now();
        let older: Vec<Option<Reading>> =
            readings.iter().map(|reading| reading.as_ref().ok().and_then(copied)).collect();
        let results = self.judge.batch_of(reader, documents, readings)?;
        let mut open = Vec::new();
        for ((at, checked), reading) in places.into_iter().zip(results).zip(older) {
            let suspect = &mut suspects[at];
            if against == Against::Before {
                if is_fine(&checked) {
                    *suspect.checked = checked;
                }
            } else {
                if !is_fine(&checked) {
                    open.push(at);
                }
                suspect.look(checked, now);
            }
            self.remember(suspect, reading, now);
        }
        self.try_versions(reader, &mut suspects, &open, now)?;
        Ok(suspects)
    }

    /// An older version that was still the file's a moment ago will do as well; one that is older
    /// than that says at least that the database is behind.
    fn try_versions(
        &self,
        reader: &mut dyn Connection,
        suspects: &mut [Suspect],
        open: &[usize],
        now: Clock,
    ) -> Result<(), TargetError> {
        let (mut documents, mut readings, mut places) = (Vec::new(), Vec::new(), Vec::new());
        for &at in open {
            let suspect = &suspects[at];
            // The latest first.
            for (seen, version) in suspect.versions.iter().rev() {
                let Some(reading) = copied(version) else { continue };
                if suspect.checked.state.files != Some(version.digest) {
                    documents.push(suspect.checked.document.clone());
                    readings.push(Ok(reading));
                    places.push((at, *seen));
                }
            }
        }
        let mut done: HashSet<usize> = HashSet::new();
        for ((at, seen), checked) in places.into_iter().zip(self.judge.batch_of(reader, documents, readings)?) {
            if !is_fine(&checked) || !done.insert(at) {
                continue;
            }
            let suspect = &mut suspects[at];
            if now.duration_since(seen) <= self.job.options.max_lag {
                *suspect.checked = checked;
            } else {
                suspect.checked.judged.verdict = Verdict::Stale;
                suspect.checked.judged.text = "the database holds an older version of the file".into();
            }
        }
        Ok(())
    }

    /// Keeps a version of the files for as long as there is room.
    fn remember(&mut self, suspect: &mut Suspect, reading: Option<Reading>, now: Clock) {
        let Some(reading) = reading else { return };
        match suspect.versions.iter_mut().find(|(_, version)| version.digest == reading.digest) {
            Some((seen, _)) => *seen = now,
            None => {
                let mut held: u64 = suspect.versions.iter().map(|(_, version)| version.bytes()).sum();
                // The oldest make room.
                while held + reading.bytes() > VERSION_BYTES && !suspect.versions.is_empty() {
                    let bytes = suspect.versions.remove(0).1.bytes();
                    held -= bytes;
                    self.remembered -= bytes;
                }
                if self.remembered + reading.bytes() <= ALL_VERSIONS {
                    self.remembered += reading.bytes();
                    suspect.versions.push((now, reading));
                }
            }
        }
        suspect.versions.sort_by_key(|(seen, _)| *seen);
    }
}

/// Whether the files are not those of the last look, as far as the file system says.
fn has_changed(suspect: &Suspect, document: &Document) -> bool {
    let modified = document.files.iter().map(|file| file.modified).max();
    suspect.checked.state.modified != modified || suspect.checked.document.files.len() != document.files.len()
}

/// Waits, but not once the run was asked to stop.
pub fn wait(job: &Job, pause: Duration) {
    let end = Clock::now() + pause;
    while job.stop.requested().is_none() {
        let Some(left) = end.checked_duration_since(Clock::now()).filter(|left| !left.is_zero()) else { break };
        std::thread::sleep(left.min(Duration::from_millis(20)));
    }
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
            is_world_writable: file.is_world_writable,
        }),
        FileContent::Large => None,
    };
    let files = reading.files.iter().map(file).collect::<Option<Vec<_>>>()?;
    Some(Reading { files, digest: reading.digest })
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
    let there: RowIds =
        named().filter(|(table, id)| rows.get(table, *id).is_some()).map(|(table, id)| (table.name, id)).collect();
    let state = State { files: None, rows: there.len() as u128, modified: None };
    let leaves = match job.options.receipt {
        true => {
            let database = stored.get(&document.id).and_then(|stored| of_rows(job.format, document, stored, &rows));
            Both { file: None, database }
        }
        false => Both::default(),
    };
    let judged = only_in_database(job, document, there.len());
    let checked = Checked { document: document.clone(), judged, accounted: there, state, bytes: 0, leaves };
    suspect.look(checked, Clock::now());
    Ok(())
}

/// What becomes of a suspect now; `Err` if it has to be looked at once more.
fn verdict_of(job: &Job, mut suspect: Suspect, against: Against) -> Result<Settled, Box<Suspect>> {
    let checked = &suspect.checked;
    if is_fine(checked) {
        return Ok(Settled::Judged(suspect.checked, None));
    }
    if against == Against::Before {
        return Err(Box::new(suspect));
    }
    if checked.judged.verdict == Verdict::OnlyInDatabase && checked.accounted.is_empty() {
        return Ok(Settled::Gone(if suspect.walked { checked.document.files.len() as u64 } else { 0 }));
    }
    let max_lag = job.options.max_lag;
    let is_still = suspect.still_since.elapsed() >= STILL.min(max_lag);
    if is_still && !may_be_on_its_way(checked, max_lag) {
        return Ok(Settled::Judged(suspect.checked, None));
    }
    let stands = |since: &Clock| since.elapsed() > max_lag;
    if suspect.standing.values().any(stands) {
        if !suspect.standing.values().all(stands) {
            keep_what_stands(&mut suspect, max_lag);
        }
        return Ok(Settled::Judged(suspect.checked, None));
    }
    if suspect.moves < job.options.tries || suspect.since.elapsed() <= max_lag {
        return Err(Box::new(suspect));
    }
    let moved = suspect.moves;
    let text = format!("it did not agree, and it moved {moved} times while it was looked at");
    suspect.checked.judged = Judged::listed(Verdict::Unsettled, text);
    Ok(Settled::Judged(suspect.checked, None))
}

/// Whether one side may still follow the other: the file was written a moment ago, or it is not
/// known when the rows were.
fn may_be_on_its_way(checked: &Checked, max_lag: Duration) -> bool {
    let lag = i64::try_from(max_lag.as_micros()).unwrap_or(i64::MAX);
    let now = Instant::now().0;
    let is_fresh = |modified: Instant| now.saturating_sub(modified.0) < lag;
    checked.judged.database_moved || checked.state.modified.is_none_or(is_fresh)
}

/// Of a document that goes on moving: the differences that were there at every look.
fn keep_what_stands(suspect: &mut Suspect, max_lag: Duration) {
    let judged = &mut suspect.checked.judged;
    let standing = &suspect.standing;
    judged.differences.retain(|it| standing.get(&key_of(it)).is_some_and(|since| since.elapsed() > max_lag));
    judged.unseen.clear();
    judged.total = judged.differences.len() as u64;
    for (table, count) in &mut judged.tables {
        let of_table = judged.differences.iter().filter(|it| it.table.as_deref() == Some(*table));
        count.differences = of_table.count() as u64;
    }
}
