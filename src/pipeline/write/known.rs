//! Documents that the database knows already, and those too large to be held: replaced, each as a whole
//! or not at all.
//!
//! Where several are known and nothing about them is in dispute, they are looked at and written
//! together: else each costs as many statements as a hundred. All others go one after the other.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use crate::ledger::LedgerDocument;
use crate::model::{Decoded, DocumentOutcome};
use crate::pipeline::examine::Undecoded;
use crate::pipeline::item::{Item, Loaded};
use crate::target::{in_transaction, Connection};

use super::attempt::{reference_of, Attempt, AttemptError, Route};
use super::live::Look;
use super::parts::{are_held, each_part, Stopped};
use super::replace::{Begun, ReplaceError, Replaced, Replacement};
use super::undisputed::undisputed;
use super::writes::Writes;
use super::{Done, Env};

impl Attempt<'_> {
    pub(super) fn replace(
        &mut self,
        items: &[Item],
        routes: &[Route],
        known: &HashMap<Uuid, LedgerDocument>,
        done: &mut [Done],
    ) -> Result<(), AttemptError> {
        let together = self.replace_together(items, routes, known, done)?;
        let alone = (0..items.len()).filter(|index| routes[*index] == Route::Replace && !together.contains(index));
        for index in alone {
            let (env, item) = (self.env, &items[index]);
            // A savepoint, because a conflict may show only at the document's end.
            let result = in_transaction(self.connection, |connection| {
                replaced(env, connection, item, known.get(&item.id()), None)
            });
            self.conclude(index, result, &mut done[index])?;
        }
        Ok(())
    }

    /// Replaces the documents that can be replaced together; returns which those are.
    fn replace_together(
        &mut self,
        items: &[Item],
        routes: &[Route],
        known: &HashMap<Uuid, LedgerDocument>,
        done: &mut [Done],
    ) -> Result<HashSet<usize>, AttemptError> {
        let held = |item: &Item| known.get(&item.id()).filter(|_| are_held(item));
        let candidates = items.iter().zip(routes).enumerate().filter(|(_, (_, route))| **route == Route::Replace);
        let candidates: Vec<(usize, &Loaded, &LedgerDocument)> = candidates
            .filter_map(|(index, (item, _))| match (item, held(item)) {
                (Item::Load(loaded), Some(held)) => Some((index, &**loaded, held)),
                _ => None,
            })
            .collect();
        if candidates.len() < 2 {
            return Ok(HashSet::new());
        }
        let looks = undisputed(self.env.format, self.connection, &candidates)?;
        let mut writes = Writes::default();
        let together = looks.iter().map(|(index, _)| *index).collect();
        for (index, look) in looks {
            let item = &items[index];
            let mut result = replaced(self.env, self.connection, item, known.get(&item.id()), Some(look));
            if let Ok((_, replaced)) = &mut result {
                writes.absorb(std::mem::take(&mut replaced.kept_back));
            }
            self.conclude(index, result, &mut done[index])?;
        }
        writes.apply(self.connection, self.env.format)?;
        Ok(together)
    }

    fn conclude(
        &mut self,
        index: usize,
        result: Result<(Decoded, Replaced), Stopped>,
        done: &mut Done,
    ) -> Result<(), AttemptError> {
        match result {
            Ok((decoded, replaced)) => {
                done.rows.extend(replaced.rows);
                self.settle.extend(replaced.settle);
                (done.notes, done.files) = (decoded.notes, decoded.files);
                Ok(())
            }
            Err(Stopped::Replace(ReplaceError::Conflict(found))) => {
                done.outcome = DocumentOutcome::Conflict;
                done.noted = false;
                done.conflict = Some(found);
                Ok(())
            }
            Err(Stopped::Replace(ReplaceError::Flaw(flaw))) | Err(Stopped::Undecoded(Undecoded::Flaw(flaw))) => {
                Err(AttemptError::Flaw { index, flaw })
            }
            Err(Stopped::Undecoded(Undecoded::Read(problem))) => Err(AttemptError::Unreadable { index, problem }),
            Err(Stopped::Undecoded(Undecoded::Stopped)) => unreachable!("it stops only for a failure"),
            Err(Stopped::Replace(ReplaceError::Target(error))) => Err(error.into()),
        }
    }
}

/// Replaces one document, part by part as they come. `look`: where it is replaced with others.
fn replaced(
    env: &Env,
    connection: &mut dyn Connection,
    item: &Item,
    known: Option<&LedgerDocument>,
    look: Option<Look>,
) -> Result<(Decoded, Replaced), Stopped> {
    let (source, reference) = match item {
        Item::Load(loaded) if are_held(item) => (&loaded.source, reference_of(env, loaded)),
        Item::Load(loaded) => (&loaded.source, None),
        Item::Stream(streamed) => (&streamed.source, None),
        Item::Reject(_) | Item::Touch(_) => unreachable!("it has a route of its own"),
    };
    let mut replacement = match Replacement::begin(env, connection, source, known.cloned(), reference, look)? {
        Begun::Ready(replacement) => replacement,
        Begun::Conflict(found) => return Err(ReplaceError::Conflict(found).into()),
    };
    let mut decoded = each_part(env, item, &mut |part| replacement.part(part))?;
    let replaced = replacement.finish(&mut decoded.notes)?;
    Ok((decoded, replaced))
}
