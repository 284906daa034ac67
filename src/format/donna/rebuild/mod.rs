//! donna's documents from columns and residue, by `docs/residue.md`.

use crate::format::proof::{Held, NextPart, RebuildError, TakePiece};

/// See [`crate::format::Format::rebuild`].
pub fn rebuild(_held: &Held, _parts: &mut NextPart, _take: &mut TakePiece) -> Result<(), RebuildError> {
    unimplemented!("being written")
}
