//! What a repair has to find as it was compared: the guard of a document that is not in order.

use crate::format::proof::Unexpected;
use crate::ledger::extent::{guard, Guard, Wants};
use crate::model::{Content, FileRole, RelPath};
use crate::source::{self, FileContent};
use crate::target::{Connection, TargetError};

use std::ops::ControlFlow;

use super::batch::{Checked, Judge};

/// The guard of a document over the state that the connection sees; `None` if its files are not
/// what was compared any more, or say no rows.
pub fn of(judge: &Judge, connection: &mut dyn Connection, checked: &Checked) -> Result<Option<Guard>, TargetError> {
    let document = &checked.document;
    let Ok(reading) = judge.read(document) else { return Ok(None) };
    if checked.state.files != Some(reading.digest) {
        return Ok(None);
    }
    let files: Vec<(RelPath, FileRole)> = document.files.iter().map(|file| (file.path.clone(), file.role)).collect();
    let facts = judge.facts(document, &reading, None, &files);
    let open = |file: usize| match &reading.files[file].content {
        FileContent::Whole(bytes) => Ok(Content::Whole(bytes)),
        FileContent::Large => {
            let stream = source::open_stream(judge.root, document, &reading, file, &judge.read)?;
            Ok(Content::Stream(Box::new(stream)))
        }
    };
    let mut wants = Wants::default();
    let said: Result<(), Unexpected> = judge.format.expect(&facts, &open, &mut |row| {
        wants.add(row.table, row.id, row.cells.iter().map(|cell| &cell.value));
        ControlFlow::Continue(())
    });
    match said {
        Ok(()) => guard(connection, judge.format, document, &wants, reading.digest).map(Some),
        Err(_) => Ok(None),
    }
}
