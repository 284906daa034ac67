//! Documents that the database knows already, and those too large to be held: replaced, each as a whole
//! or not at all.
//!
//! Where several are known and nothing about them is in dispute, they are looked at and written
//! together: else each costs as many statements as a hundred. All others go one after the other.

use std::collections::HashMap;

use uuid::Uuid;

use crate::ledger::LedgerDocument;
use crate::model::{Decoded, DocumentOutcome};
use crate::pipeline::examine::Undecoded;
use crate::pipeline::item::Item;
use crate::target::{in_transaction, Connection};

use super::attempt::{reference_of, Attempt, AttemptError, Route};
use super::live::Look;
use super::parts::{are_held, each_part, Stopped};
use super::replace::{Begun, ReplaceError, Replaced, Replacement};
use super::undisputed::{undisputed, Known};
use super::writes::Writes;
use super::{Done, Env};

impl Attempt<'_> {
    /// In the order of the items, as though each went by itself: who gives up a key makes room only for those
    /// that come later.
    pub(super) fn replace(
        &mut self,
        items: &[Item],
        routes: &[Route],
        known: &HashMap<Uuid, LedgerDocument>,
        done: &mut [Done],
    ) -> Result<(), AttemptError> {
        let env = self.env;
        let mut looks = self.look_together(items, routes, known)?;
        let mut writes = Writes::default();
        for (index, item) in items.iter().enumerate().filter(|(index, _)| routes[*index] == Route::Replace) {
            let held = known.get(&item.id());
            let look = looks.remove(&index);
            let is_alone = look.is_none();
            if is_alone {
                std::mem::take(&mut writes).apply(self.connection, env.format)?;
            }
            let mut result = match are_held(item) {
                true => replaced(env, self.connection, item, held, look),
                // A savepoint, because a conflict may show only at the document's end.
                false => in_transaction(self.connection, |connection| replaced(env, connection, item, held, look)),
            };
            if let Ok((_, replaced)) = &mut result {
                writes.absorb(std::mem::take(&mut replaced.kept_back));
            }
            if is_alone {
                std::mem::take(&mut writes).apply(self.connection, env.format)?;
            }
            self.conclude(index, result, &mut done[index])?;
        }
        Ok(writes.apply(self.connection, env.format)?)
    }

    /// Looks at the documents that can be replaced together; by their positions.
    fn look_together(
        &mut self,
        items: &[Item],
        routes: &[Route],
        known: &HashMap<Uuid, LedgerDocument>,
    ) -> Result<HashMap<usize, Look>, AttemptError> {
        let mut candidates: Vec<Known> = Vec::new();
        for (index, (item, route)) in items.iter().zip(routes).enumerate() {
            if let (Item::Load(loaded), Route::Replace, true) = (item, route, are_held(item)) {
                candidates.extend(known.get(&item.id()).map(|held| Known { index, loaded, held }));
            }
        }
        match candidates.len() {
            0 | 1 => Ok(HashMap::new()),
            _ => Ok(undisputed(self.env.format, self.connection, &candidates)?),
        }
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

/// Replaces one document, part by part as they come; of one that is held, nothing is written yet.
fn replaced(
    env: &Env,
    connection: &mut dyn Connection,
    item: &Item,
    known: Option<&LedgerDocument>,
    look: Option<Look>,
) -> Result<(Decoded, Replaced), Stopped> {
    let is_held = are_held(item);
    let (source, reference) = match item {
        Item::Load(loaded) if is_held => (&loaded.source, reference_of(env, loaded)),
        Item::Load(loaded) => (&loaded.source, None),
        Item::Stream(streamed) => (&streamed.source, None),
        Item::Reject(_) | Item::Touch(_) => unreachable!("it has a route of its own"),
    };
    let mut replacement = match Replacement::begin(env, connection, source, known.cloned(), reference, is_held, look)? {
        Begun::Ready(replacement) => replacement,
        Begun::Conflict(found) => return Err(ReplaceError::Conflict(found).into()),
    };
    let mut decoded = each_part(env, item, &mut |part| replacement.part(part))?;
    let replaced = replacement.finish(&mut decoded.notes)?;
    Ok((decoded, replaced))
}
