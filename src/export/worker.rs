//! Writes documents, chunk by chunk, and counts them.

use std::collections::HashSet;

use crossbeam_channel::{bounded, Receiver};
use uuid::Uuid;

use crate::exec::{crew, CrewError};
use crate::format::proof::{Held, HeldPart, NextPart, Stopped};
use crate::model::{Anchor, DocumentKind, Instant, Row, Table};
use crate::target::{Connection, TargetError};

use super::account::{Refused, Report};
use super::document::{self, Counts, Outcome};
use super::fetch::{Feed, Fetch, Known, MOST_WEIGHT};
use super::names::Names;
use super::plan::{Chunk, Homes};
use super::rows::added_part;
use super::tree::Tree;
use super::{ExportError, Settings};

/// Parts of a large document that wait to be written.
const WAITING_PARTS: usize = 2;

const NO_NAME: &str = "its key can be no file's name";

pub struct Worker<'a> {
    settings: Settings<'a>,
    tree: &'a Tree,
    homes: &'a Homes,
    /// When the export began.
    now: Instant,
    fetch: Fetch<'a>,
    report: Report,
}

/// Who knows of a document.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Ledger,
    Added,
}

impl<'a> Worker<'a> {
    pub fn new(
        settings: Settings<'a>,
        tree: &'a Tree,
        homes: &'a Homes,
        now: Instant,
        connection: &'a mut dyn Connection,
    ) -> Worker<'a> {
        let fetch = Fetch { format: settings.format, connection, names: Names::default() };
        Worker { settings, tree, homes, now, fetch, report: Report::default() }
    }

    pub fn run(mut self, chunks: &Receiver<Chunk>) -> Result<Report, ExportError> {
        for chunk in chunks {
            match chunk {
                Chunk::Known(documents) => self.known(&documents)?,
                Chunk::Large(known) => self.large(&known)?,
                Chunk::Rows(table, ids) => self.rows(table, &ids)?,
                Chunk::Owners(kind, owners) => self.owners(kind, &owners)?,
            }
        }
        Ok(self.report)
    }

    fn known(&mut self, documents: &[Known]) -> Result<(), ExportError> {
        let Some(fetched) = self.fetch.known(documents, MOST_WEIGHT)? else {
            // Too many rows together: one by one.
            for known in documents {
                match known.held.kind.anchor {
                    Anchor::Referenced => self.whole(std::slice::from_ref(known))?,
                    Anchor::FirstRow | Anchor::None => self.large(known)?,
                }
            }
            return Ok(());
        };
        fetched.into_iter().try_for_each(|document| match document.parts {
            Ok(parts) => self.parts(&document.held, document.bytes, parts, Origin::Ledger),
            Err(why) => {
                self.refuse(&document.held, why.into(), Origin::Ledger);
                Ok(())
            }
        })
    }

    fn whole(&mut self, documents: &[Known]) -> Result<(), ExportError> {
        let fetched = self.fetch.known(documents, usize::MAX)?.unwrap_or_default();
        fetched.into_iter().try_for_each(|document| match document.parts {
            Ok(parts) => self.parts(&document.held, document.bytes, parts, Origin::Ledger),
            Err(why) => {
                self.refuse(&document.held, why.into(), Origin::Ledger);
                Ok(())
            }
        })
    }

    /// A document whose parts are all there.
    fn parts(&mut self, held: &Held, bytes: u64, parts: Vec<HeldPart>, origin: Origin) -> Result<(), ExportError> {
        let mut parts = parts.into_iter();
        let (outcome, counts) = self.write(held, bytes, &mut || Ok(parts.next()))?;
        self.count(held, outcome, counts, origin, None);
        Ok(())
    }

    fn write(&self, held: &Held, bytes: u64, next: &mut NextPart) -> Result<(Outcome, Counts), ExportError> {
        document::write(self.settings.format, self.tree, held, bytes, self.now, next)
    }

    fn large(&mut self, known: &Known) -> Result<(), ExportError> {
        self.stream(&known.held, known.ledger.bytes, Origin::Ledger, |fetch, feed| fetch.stream(known, feed))
    }

    /// A document whose parts come one by one, from a thread of their own.
    fn stream(
        &mut self,
        held: &Held,
        bytes: u64,
        origin: Origin,
        rows: impl FnOnce(&mut Fetch, &crossbeam_channel::Sender<Feed>) -> Result<(), TargetError> + Send,
    ) -> Result<(), ExportError> {
        let (feed, parts) = bounded::<Feed>(WAITING_PARTS);
        let (settings, tree, now) = (self.settings, self.tree, self.now);
        let fetch = &mut self.fetch;
        let mut refusal = None;
        let written = crew::run(|crew| {
            crew.spawn("rows", move || {
                rows(fetch, &feed)?;
                // Whoever takes it may have gone.
                let _ = feed.send(Feed::End);
                Ok(())
            });
            let next: &mut NextPart = &mut || match parts.recv() {
                Ok(Feed::Part(part)) => Ok(Some(part)),
                Ok(Feed::End) => Ok(None),
                Ok(Feed::Refused(why)) => {
                    refusal = Some(why);
                    Err(Stopped)
                }
                Err(_) => Err(Stopped),
            };
            let outcome = document::write(settings.format, tree, held, bytes, now, next);
            // Else the other thread would wait for ever.
            drop(parts);
            outcome
        });
        let (outcome, counts) = written.map_err(|error| match error {
            CrewError::Failed(error) => error,
            other => ExportError::Crew(other.to_string()),
        })?;
        self.count(held, outcome, counts, origin, refusal);
        Ok(())
    }

    /// Rows of a main table that no document has.
    fn rows(&mut self, table: &'static Table, ids: &[Uuid]) -> Result<(), ExportError> {
        let (rows, mut below) = self.fetch.added(table, ids)?;
        for row in rows {
            if self.settings.format.is_placeholder(table, &row) {
                self.report.table(table.name).placeholders += 1;
                continue;
            }
            let id = row.id();
            let Some(held) = self.adopt(table, &row) else { continue };
            match &mut below {
                Some(below) => {
                    let parts = added_part(table, vec![row]).into_iter().chain(below.take(id)).collect();
                    self.parts(&held, 0, parts, Origin::Added)?;
                }
                None => self.stream(&held, 0, Origin::Added, |fetch, feed| {
                    let own = added_part(table, vec![row]);
                    match own.is_none_or(|own| feed.send(Feed::Part(own)).is_ok()) {
                        true => fetch.stream_children(table, id, &HashSet::new(), feed),
                        false => Ok(()),
                    }
                })?,
            }
        }
        Ok(())
    }

    /// Rows that refer to these, of which no document speaks.
    fn owners(&mut self, kind: &'static DocumentKind, owners: &[Uuid]) -> Result<(), ExportError> {
        for rows in self.fetch.of_owners(kind, owners)? {
            let Some(held) = rows.first().and_then(|row| self.adopt(kind.main, row)) else { continue };
            let parts = added_part(kind.main, rows).into_iter().collect();
            self.parts(&held, 0, parts, Origin::Added)?;
        }
        Ok(())
    }

    /// The document that a row makes; `None` if it was not asked for, or there can be none.
    fn adopt(&mut self, table: &'static Table, row: &Row) -> Option<Held> {
        let Some(mut held) = self.settings.format.adopt_row(table, row) else {
            let kind = self.settings.kinds.iter().find(|kind| *kind.main == *table)?;
            let key = table.natural_key.iter().find_map(|at| row.0[*at].as_text());
            let key = key.map_or_else(|| row.id().to_string(), str::to_owned);
            refuse(&mut self.report, kind, key, String::new(), NO_NAME.into(), true);
            return None;
        };
        for file in &mut held.files {
            file.path = self.homes.place(&file.path);
        }
        self.settings.kinds.contains(&held.kind).then_some(held)
    }

    fn count(&mut self, held: &Held, outcome: Outcome, counts: Counts, origin: Origin, refusal: Option<&'static str>) {
        let kind = held.kind.name;
        match outcome {
            Outcome::Exported { files, bytes } => {
                match origin {
                    Origin::Ledger => self.report.kind(kind).exported += 1,
                    Origin::Added => self.report.kind(kind).added += 1,
                }
                let rows = counts.tables.values().map(|tally| tally.exported).sum();
                self.report.add(Report { files, bytes, tables: counts.tables, ..Report::default() });
                self.settings.progress.add_found(files);
                self.settings.progress.add_done(files, bytes);
                self.settings.progress.add_rows(rows);
            }
            Outcome::Gone => {
                self.report.kind(kind).gone += 1;
                self.report.add(Report { tables: counts.tables, ..Report::default() });
            }
            Outcome::Refused { path, why } => {
                let (kind, key) = (held.kind, held.key.clone());
                refuse(&mut self.report, kind, key, path.to_text(), why, origin == Origin::Added);
            }
            Outcome::Stopped => self.refuse(held, refusal.unwrap_or("it was not read to its end").into(), origin),
        }
    }

    fn refuse(&mut self, held: &Held, why: String, origin: Origin) {
        let file = held.files.first().map(|file| file.path.to_text()).unwrap_or_default();
        refuse(&mut self.report, held.kind, held.key.clone(), file, why, origin == Origin::Added);
    }
}

/// Counts a document that has no files, and says why.
pub fn refuse(report: &mut Report, kind: &'static DocumentKind, key: String, file: String, why: String, added: bool) {
    let tally = report.kind(kind.name);
    *if added { &mut tally.added_refused } else { &mut tally.refused } += 1;
    report.refuse(Refused { kind: kind.name.to_owned(), key, file, why });
}
