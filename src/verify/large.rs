//! Judging a document that is too large to be held.

use std::collections::HashMap;

use uuid::Uuid;

use crate::model::Document;
use crate::source::Reading;
use crate::target::{Connection, TargetError};

use super::batch::{Checked, Judge};
use super::stored::Stored;

/// Judges it.
pub fn judge(
    _judge: &Judge,
    _connection: &mut dyn Connection,
    _document: Document,
    _reading: Reading,
    _stored: HashMap<Uuid, Stored>,
) -> Result<Checked, TargetError> {
    unimplemented!("being written")
}
