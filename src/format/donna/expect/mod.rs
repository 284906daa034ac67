//! What the columns of donna's tables must hold, read from its files a second time.

use crate::format::proof::{Facts, TakeExpected, Unexpected};
use crate::format::Open;

/// See [`crate::format::Format::expect`].
pub fn expect(_facts: &Facts, _open: &Open, _take: &mut TakeExpected) -> Result<(), Unexpected> {
    unimplemented!("being written")
}
