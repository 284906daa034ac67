//! donna: a PHP assistant whose files live under one data directory.

mod decode;
mod expect;
mod layout;
mod rebuild;
pub mod tables;

use uuid::Uuid;

use crate::model::{
    Class, DecodeError, Decoded, Document, DocumentKind, FileRole, Instant, Phase, RelPath, Row, Table, Value,
};

use super::proof::{Facts, Held, NextPart, RebuildError, TakeExpected, TakePiece, Unexpected};
use super::{DecodeContext, Emit, Format, Open};

/// The format `donna`, for a database with or without the optional table of logs.
pub struct Of<const LOGS: bool>;

/// With all of its tables.
pub type Donna = Of<true>;

/// A type's only value is called as it is.
#[allow(non_upper_case_globals)]
pub const Donna: Donna = Of::<true>;

/// The status of a user that is referred to and has no file.
const PLACEHOLDER: &str = "placeholder";

impl<const LOGS: bool> Format for Of<LOGS> {
    fn name(&self) -> &'static str {
        "donna"
    }

    fn tables(&self) -> &'static [&'static Table] {
        match LOGS {
            true => &tables::TABLES,
            false => &tables::WITHOUT_LOGS,
        }
    }

    fn lacking(&self, tables: &[&'static Table]) -> &'static dyn Format {
        match tables.contains(&&tables::SYSTEM_LOGS) {
            true => &Of::<false>,
            false => &Of::<true>,
        }
    }

    fn kinds(&self) -> &'static [&'static DocumentKind] {
        &tables::KINDS
    }

    fn roles(&self) -> &'static [FileRole] {
        &[layout::SESSION, layout::HISTORY, layout::WHOLE]
    }

    fn classify(&self, path: &RelPath) -> Class {
        layout::classify(path)
    }

    fn phase_of_directory(&self, directory: &RelPath) -> Phase {
        layout::phase_of_directory(directory)
    }

    fn decode(
        &self,
        document: &Document,
        open: &Open,
        context: &DecodeContext,
        emit: &mut Emit,
    ) -> Result<Decoded, DecodeError> {
        decode::decode(document, open, context, emit)
    }

    fn rebuild(&self, held: &Held, parts: &mut NextPart, take: &mut TakePiece) -> Result<(), RebuildError> {
        rebuild::rebuild(held, parts, take)
    }

    fn adopt_row(&self, table: &Table, row: &Row) -> Option<Held> {
        (!self.is_placeholder(table, row)).then(|| rebuild::adopt_row(table, row)).flatten()
    }

    fn expect(&self, facts: &Facts, open: &Open, take: &mut TakeExpected) -> Result<(), Unexpected> {
        expect::expect(facts, open, take)
    }

    fn referenced_id(&self, _kind: &str, reference: &str) -> Uuid {
        decode::user_id(reference)
    }

    fn reference_key(&self, _kind: &str, reference: &str) -> String {
        layout::user_key(reference)
    }

    fn placeholder(&self, _kind: &str, reference: &str, time: Instant) -> Row {
        placeholder(Value::Uuid(decode::user_id(reference)), Value::Null, Value::Time(time))
    }

    fn retire(&self, _kind: &str, row: &Row) -> Row {
        // The clerk id stays, because chats may refer to the user by it.
        placeholder(row.0[0].clone(), row.0[1].clone(), row.0[6].clone())
    }

    fn placeholder_mark(&self, table: &Table) -> Option<(usize, Value)> {
        (*table == tables::USERS).then(|| (tables::USERS.columns.len() - 1, Value::Text(PLACEHOLDER.into())))
    }

    fn siblings(&self, document: &Document) -> Vec<RelPath> {
        layout::siblings(document)
    }

    fn homes(&self, table: &Table, row: &Row) -> Vec<RelPath> {
        layout::homes(table, row)
    }

    fn is_placeholder(&self, table: &Table, row: &Row) -> bool {
        *table == tables::USERS && row.0.last().and_then(Value::as_text) == Some(PLACEHOLDER)
    }

    fn shows_keys(&self, document: &Document) -> bool {
        !(*document.kind == tables::MEMORY && layout::is_swapped(&document.key))
    }
}

fn placeholder(id: Value, clerk_id: Value, time: Value) -> Row {
    let empty = || Value::Json("{}".into());
    let status = Value::Text(PLACEHOLDER.into());
    Row(vec![id, clerk_id, Value::Null, Value::Null, empty(), empty(), time.clone(), time, Value::Null, status])
}
