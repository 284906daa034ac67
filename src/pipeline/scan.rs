//! What is there, before anything is written: the same way as a migration up to the batches.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::exec::{Progress, Snapshot, Stop};
use crate::format::Format;
use crate::model::summary::Unbalanced;
use crate::model::{Document, DocumentOutcome, Limits, Phase};
use crate::source::{ReadOptions, WalkError, WalkOptions, Walker};

use super::account::Account;
use super::claims::{Claims, Keys};
use super::examine::{Examined, Examiner, Seen, Undecoded};
use super::item::{Loaded, Ready};
use super::options::Options;
use super::phase::{walk_phase, Met};
use super::round::round;
use super::run::LOCK_PATIENCE;
use super::write::Done;

/// Documents that wait before some of them are examined.
const CHUNK: usize = 512;

#[derive(Debug)]
pub struct ScanReport {
    pub account: Account,
    /// Whether it was asked to stop before it had seen everything.
    pub stopped: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    #[error(transparent)]
    Source(#[from] WalkError),
    #[error("nothing in {} is a document that transload knows", source_path.display())]
    NothingKnown { source_path: PathBuf },
    #[error("the account of the scan does not add up, which is a mistake in transload")]
    Unbalanced(#[from] Unbalanced),
}

/// Reads and decodes everything and writes nothing. `limits` are the target's: what it could not
/// hold is a reject here, too.
pub fn scan(
    format: &'static dyn Format,
    source: &Path,
    options: &Options,
    limits: Limits,
    stop: &Stop,
    progress: &Progress,
    tick: &(dyn Fn(&Snapshot) + Sync),
) -> Result<ScanReport, ScanError> {
    let walk_options =
        WalkOptions { read_next: options.kinds.clone(), ..WalkOptions::new(source, options.follow_links) };
    let mut walker = Walker::new(walk_options)?;
    let examiner = Examiner {
        format,
        root: source,
        read: ReadOptions {
            whole_bytes: options.whole_bytes,
            lock_patience: LOCK_PATIENCE,
            follow_links: options.follow_links,
        },
        zone: options.zone.clone(),
        limits,
        part_rows: options.batch_rows,
        part_bytes: options.batch_bytes,
        encoder: None,
    };
    let mut account = Account::new(format.tables().iter().map(|table| table.name));
    let mut claims = Claims::new(&examiner, Keys::Here);
    for phase in Phase::ALL {
        progress.set_phase(phase);
        let mut waiting: VecDeque<Document> = VecDeque::new();
        walk_phase(format, options, phase, &mut walker, &mut |met| {
            match met {
                Met::Other { files, bytes, note } => {
                    progress.add_found(files);
                    progress.add_done(files, bytes);
                    note(&mut account);
                }
                Met::Document(document) => {
                    progress.add_found(document.files.len() as u64);
                    waiting.push_back(document);
                    while waiting.len() >= CHUNK && stop.requested().is_none() {
                        examine(&examiner, &mut claims, &mut waiting, options, &mut account, progress);
                        tick(&progress.snapshot());
                    }
                }
            }
            match stop.requested() {
                Some(_) => ControlFlow::Break(()),
                None => ControlFlow::Continue(()),
            }
        })?;
        if stop.requested().is_some() {
            break;
        }
        while !waiting.is_empty() && stop.requested().is_none() {
            examine(&examiner, &mut claims, &mut waiting, options, &mut account, progress);
        }
    }
    let stopped = stop.requested().is_some();
    account.summary.check()?;
    account.sort();
    if account.summary.documents.found == 0 && !stopped {
        return Err(ScanError::NothingKnown { source_path: source.to_owned() });
    }
    Ok(ScanReport { account, stopped })
}

/// One round of those that wait.
fn examine(
    examiner: &Examiner,
    claims: &mut Claims,
    waiting: &mut VecDeque<Document>,
    options: &Options,
    account: &mut Account,
    progress: &Progress,
) {
    let examined = round(waiting, options.round_bytes, |document| {
        let mut examined = examiner.examine(document, None);
        let bytes = examined.seen.bytes();
        examined.seen = finish_large(examiner, examined.seen);
        (examined, bytes)
    });
    for Examined { seen, gone, warnings, .. } in examined {
        progress.add_done(gone.len() as u64, 0);
        account.met(&gone, warnings);
        let (document, bytes, done) = match claims.judge(seen) {
            Seen::Loaded(loaded) => {
                let mut done = Done::new(DocumentOutcome::Loaded);
                for part in &loaded.parts {
                    done.add_rows(part.table().name, part.count() as u64);
                }
                (done.notes, done.files) = (loaded.decoded.notes, loaded.decoded.files);
                (loaded.source.document, loaded.source.bytes, done)
            }
            Seen::Rejected { document, reject, .. } => {
                let mut done = Done::new(DocumentOutcome::Rejected);
                let bytes = reject.bytes;
                done.reject = Some(*reject);
                (document, bytes, done)
            }
            Seen::Failed { document, problem } => {
                account.failed(&document, &problem);
                progress.add_done(document.files.len() as u64, 0);
                continue;
            }
            Seen::Large(_) | Seen::Unchanged { .. } | Seen::Touched(_) => {
                unreachable!("large ones are finished, and nothing is known")
            }
        };
        account.done(&document, bytes, &done);
        progress.add_done(document.files.len() as u64, bytes);
        progress.add_rows(done.rows.iter().map(|(_, count)| count).sum());
        progress.add_rejects(u64::from(done.reject.is_some()));
    }
}

/// Decodes a large document part by part; only the counts of its rows remain.
fn finish_large(examiner: &Examiner, seen: Seen) -> Seen {
    let Seen::Large(streamed) = seen else { return seen };
    let source = streamed.source;
    let mut outline: Vec<crate::model::Part> = Vec::new();
    let result = examiner.decode(&source, &streamed.reading, &mut |mut part| {
        // What the account needs of a row is that it is there.
        part.residue = None;
        part.rows.iter_mut().for_each(|row| row.0 = Vec::new());
        match outline.iter_mut().find(|kept| kept.table == part.table) {
            Some(kept) => kept.rows.append(&mut part.rows),
            None => outline.push(part),
        }
        ControlFlow::Continue(())
    });
    match result {
        Ok(decoded) => {
            let parts = outline.into_iter().map(Ready::Plain).collect();
            Seen::Loaded(Box::new(Loaded { source, parts, decoded, slots: Vec::new() }))
        }
        Err(Undecoded::Flaw(flaw)) => {
            let reject = Box::new(source.reject(flaw));
            Seen::Rejected { document: source.document, reject, standing: source.standing }
        }
        Err(Undecoded::Read(problem)) => Seen::Failed { document: source.document, problem },
        Err(Undecoded::Stopped) => unreachable!("the receiver above never stops"),
    }
}
