//! Whether all documents of the ledger are in the source, without a list of either: by their number and
//! the sum of their ids.
//!
//! Ids are hashes, so two different sets of as many documents have one sum once in 2^128. What is told
//! is therefore only that nothing is missing; which document is, has to be looked for.

use std::ops::ControlFlow;

use uuid::Uuid;

use crate::model::ledger::{documents as d, DOCUMENTS};
use crate::model::DocumentKind;
use crate::target::{Connection, Filter, TargetError};

use super::examine::Seen;
use super::item::{Source, Standing};

/// A set of documents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Present {
    count: u64,
    sum: u128,
}

impl Present {
    pub fn add(&mut self, document: Uuid) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(document.as_u128());
    }

    /// The documents of these kinds that the ledger has.
    pub fn in_ledger(connection: &mut dyn Connection, kinds: &[&'static DocumentKind]) -> Result<Present, TargetError> {
        let mut present = Present::default();
        connection.scan(&DOCUMENTS, &[d::ID, d::KIND], &Filter::All, &mut |values| {
            let kind = values[1].as_text();
            if let Some(id) = values[0].as_uuid().filter(|_| kinds.iter().any(|asked| Some(asked.name) == kind)) {
                present.add(id);
            }
            ControlFlow::Continue(())
        })?;
        Ok(present)
    }
}

impl Seen {
    /// The document that the ledger has, or will have, of a file that is there. Where that is not sure,
    /// it is not told.
    pub fn held(&self) -> Option<Uuid> {
        let of = |source: &Source| {
            let is_sure = !source.known || source.standing == Standing::Holds;
            is_sure.then_some(source.document.id)
        };
        match self {
            Seen::Unchanged { document, .. } => Some(document.id),
            Seen::Rejected { document, standing, .. } => (*standing == Standing::Holds).then_some(document.id),
            Seen::Touched(source) => of(source),
            Seen::Loaded(loaded) => of(&loaded.source),
            Seen::Large(streamed) => of(&streamed.source),
            Seen::Failed { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ids: &[u128]) -> Present {
        let mut present = Present::default();
        ids.iter().for_each(|id| present.add(Uuid::from_u128(*id)));
        present
    }

    #[test]
    fn order_makes_no_difference_and_what_is_missing_or_twice_does() {
        assert_eq!(set(&[u128::MAX, 7, 9]), set(&[9, u128::MAX, 7]));
        for other in [&[7, 9][..], &[u128::MAX, 7], &[u128::MAX, 7, 7], &[u128::MAX, 7, 9, 9], &[6, 9, u128::MAX]] {
            assert_ne!(set(&[u128::MAX, 7, 9]), set(other), "{other:?}");
        }
        // As much in sum, and not as many.
        assert_ne!(set(&[1, 2, 3]), set(&[6]));
    }
}
