//! The ledger is forged: every column of its documents, residue and rejects, and whole rows.

use transload::model::ledger::{documents as d, rejects, residue as r, DOCUMENTS, REJECTS, RESIDUE};
use transload::model::{Instant, Row, Table, Value};
use transload::node;
use transload::verify::outcome::Cause;

use crate::cells::nobody;
use crate::edits::{of_json, Edit};
use crate::mutation::Mutation;
use crate::support::chance::Chance;
use crate::world::World;

/// How often a row is looked for on which a forgery can be done.
const TRIES: usize = 30;

/// What may be NULL, and is not always.
const MAY_BE_NULL: [(&str, &str); 10] = [
    ("documents", "row_id"),
    ("documents", "reference"),
    ("documents", "notes"),
    ("residue", "data"),
    ("rejects", "line"),
    ("rejects", "col"),
    ("rejects", "pointer"),
    ("documents", "seal"),
    ("residue", "seal"),
    ("rejects", "seal"),
];

/// What is done to the ledger.
#[derive(Clone, Copy, Debug)]
pub enum Forgery {
    Column(&'static Table, usize, How),
    Deleted(&'static Table),
    /// The document's row and all that the ledger has of it.
    Forgotten,
    /// Two rows of a part exchange their places.
    RowsSwapped,
    /// A part names a row less.
    RowForgotten,
    /// A reject that never was, of a document that is loaded.
    RejectMore,
    /// A document that never was.
    DocumentMore,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum How {
    Changed,
    Null,
    Json(Edit),
}

pub fn all() -> Vec<Forgery> {
    let mut forgeries = Vec::new();
    for table in [&DOCUMENTS, &RESIDUE, &REJECTS] {
        for (at, column) in table.columns.iter().enumerate() {
            forgeries.push(Forgery::Column(table, at, How::Changed));
            if MAY_BE_NULL.contains(&(table.name, column.name)) {
                forgeries.push(Forgery::Column(table, at, How::Null));
            }
            if ["files", "notes", "data"].contains(&column.name) {
                // What a reject says of its files is a list of texts.
                let has_maps = table.name != "rejects";
                let of_maps = [Edit::MemberMore, Edit::MemberLess, Edit::MemberRenamed];
                let edits = [Edit::DeepLetter, Edit::ItemsSwapped].into_iter().chain(of_maps);
                for edit in edits.filter(|edit| has_maps || !of_maps.contains(edit)) {
                    if (column.name, edit) == ("notes", Edit::ItemsSwapped) {
                        continue; // They are few.
                    }
                    forgeries.push(Forgery::Column(table, at, How::Json(edit)));
                }
            }
        }
        forgeries.push(Forgery::Deleted(table));
    }
    use Forgery::{DocumentMore, Forgotten, RejectMore, RowForgotten, RowsSwapped};
    forgeries.extend([Forgotten, RowsSwapped, RowForgotten, RejectMore, DocumentMore]);
    forgeries
}

impl Forgery {
    pub fn name(&self) -> String {
        match self {
            Forgery::Column(table, at, how) => format!("{how:?} ledger.{}.{}", table.name, table.columns[*at].name),
            Forgery::Deleted(table) => format!("ledger.{} less a row", table.name),
            other => format!("{other:?}"),
        }
    }

    pub fn mutation(&self, world: &World, chance: &mut Chance) -> Option<Mutation> {
        (0..TRIES).find_map(|_| self.attempt(world, chance))
    }

    fn attempt(&self, world: &World, chance: &mut Chance) -> Option<Mutation> {
        let dialect = world.dialect;
        match *self {
            Forgery::Column(table, at, how) => {
                let row = pick(world, chance, table)?;
                let value = forged(table, at, row, how, chance)?;
                let column = table.columns[at].name;
                let short = |value: &Value| format!("{value:?}").chars().take(200).collect::<String>();
                let what =
                    format!("{how:?} ledger.{}.{column}: {} to {}", table.name, short(&row.0[at]), short(&value));
                let mut mutation = of(world, row, what, vec![dialect.set(table, row, at, &value)]);
                if at == 0 {
                    // Under another id it is lost to its document, and nobody's there.
                    mutation.also.extend(value.as_uuid());
                    mutation.causes.extend([
                        Cause::LedgerMissing,
                        Cause::MissingDocument,
                        Cause::Unreadable,
                        Cause::Truncated,
                    ]);
                }
                if *table == DOCUMENTS && at == d::ROW_ID {
                    // Who refers to the document looks for its row there.
                    mutation.also.extend(row.0[at].as_uuid().into_iter().flat_map(|id| world.referring(id)));
                }
                Some(mutation)
            }
            Forgery::Deleted(table) => {
                let row = pick(world, chance, table)?;
                let mut mutation = of(
                    world,
                    row,
                    format!("a row of ledger.{} is deleted", table.name),
                    vec![dialect.delete(table, row)],
                );
                mutation.causes = match table.name {
                    "rejects" => {
                        vec![Cause::MissingDocument, Cause::Unreadable, Cause::Truncated, Cause::LedgerMissing]
                    }
                    _ => vec![Cause::LedgerMissing],
                };
                Some(mutation)
            }
            Forgery::Forgotten => {
                let row = pick(world, chance, &DOCUMENTS)?;
                let id = row.0[d::ID].as_uuid()?;
                let doc = &world.docs[*world.by_id.get(&id)?];
                let is_empty = doc.rows.is_empty();
                // Rows that the application may have written itself tell of nobody who forgot them.
                if !is_empty && !doc.rows.iter().any(|(_, id)| id.get_version_num() == 5) {
                    return None;
                }
                let residue = format!("DELETE FROM {} WHERE document_id = '{id}'", dialect.table(&RESIDUE));
                let sql = vec![residue, dialect.delete(&DOCUMENTS, row)];
                let mut mutation = of(world, row, "the ledger forgets a document".into(), sql);
                mutation.causes = match is_empty {
                    // Without rows there is nothing in the database.
                    true => vec![Cause::MissingDocument],
                    false => vec![Cause::LedgerMissing],
                };
                Some(mutation)
            }
            Forgery::RowsSwapped => {
                let row = pick(world, chance, &RESIDUE)?;
                let mut ids = row.0[r::ROW_IDS].as_bytes()?.to_vec();
                if ids.len() < 32 {
                    return None;
                }
                ids[..32].rotate_left(16);
                let set = dialect.set(&RESIDUE, row, r::ROW_IDS, &Value::Bytes(ids));
                Some(of(world, row, "two rows exchange their places in the residue".into(), vec![set]))
            }
            Forgery::RowForgotten => {
                let row = pick(world, chance, &RESIDUE)?;
                let (ids, digests) = (row.0[r::ROW_IDS].as_bytes()?, row.0[r::ROW_DIGESTS].as_bytes()?);
                if ids.is_empty() {
                    return None;
                }
                let cut = |bytes: &[u8], by: usize| dialect.literal(&Value::Bytes(bytes[..bytes.len() - by].to_vec()));
                let key = format!("document_id = '{}' AND part = {}", row.0[0].as_uuid()?, row.0[1].as_int()?);
                let sql = format!(
                    "UPDATE {} SET row_ids = {}, row_digests = {} WHERE {key}",
                    dialect.table(&RESIDUE),
                    cut(ids, 16),
                    cut(digests, 8)
                );
                let mut mutation = of(world, row, "the residue forgets a row".into(), vec![sql]);
                mutation.causes.push(Cause::LedgerMissing);
                Some(mutation)
            }
            Forgery::RejectMore => {
                let reject = pick(world, chance, &REJECTS)?;
                let document = pick(world, chance, &DOCUMENTS)?;
                let mut row = reject.clone();
                for (to, from) in [
                    (rejects::DOCUMENT_ID, d::ID),
                    (rejects::KIND, d::KIND),
                    (rejects::DOC_KEY, d::DOC_KEY),
                    (rejects::BYTES, d::BYTES),
                    (rejects::DIGEST, d::DIGEST),
                ] {
                    row.0[to] = document.0[from].clone();
                }
                Some(of(world, document, "a reject that never was".into(), vec![dialect.insert(&REJECTS, &row)]))
            }
            Forgery::DocumentMore => {
                let mut row = pick(world, chance, &DOCUMENTS)?.clone();
                let id = nobody(chance);
                row.0[d::ID] = Value::Uuid(id);
                row.0[d::DOC_KEY] = Value::Text("never was".into());
                row.0[d::FILES] = Value::Json(
                    "[{\"path\":\"users/never was.json\",\"role\":\"whole\",\"size\":2,\"modified\":\
                     \"2025-12-01T00:00:00.000000Z\",\"layout\":\"4 user\"}]"
                        .into(),
                );
                row.0[d::ROW_ID] = Value::Null;
                let mut mutation =
                    of(world, &row, "a document that never was".into(), vec![dialect.insert(&DOCUMENTS, &row)]);
                mutation.documents = vec![id];
                Some(mutation)
            }
        }
    }

    /// Whether only the seal of a row can tell: what stands there is used for nothing else, or
    /// cannot be told from what a file might have been.
    pub fn needs_a_seal(&self) -> bool {
        match self {
            Forgery::Column(table, at, _) => {
                let column = table.columns[*at].name;
                match table.name {
                    "documents" => ["digest", "base_time", "files", "notes", "run_id"].contains(&column),
                    "residue" => column == "data",
                    _ => column != "document_id",
                }
            }
            Forgery::DocumentMore => true,
            _ => false,
        }
    }
}

fn pick<'w>(world: &'w World, chance: &mut Chance, table: &Table) -> Option<&'w Row> {
    let rows = &world.ledger[table.name];
    rows.get(chance.below(rows.len() as u64) as usize)
}

/// The first column of all three tables is the document's id.
fn of(world: &World, row: &Row, what: String, sql: Vec<String>) -> Mutation {
    let id = row.0[0].as_uuid().expect("an id");
    let doc = world.by_id.get(&id).map(|at| &world.docs[*at]);
    let what = format!("{what}, of {}", doc.map_or_else(|| id.to_string(), |doc| doc.paths.join(" ")));
    Mutation { what, sql, documents: vec![id], causes: vec![Cause::LedgerForged], ..Mutation::default() }
}

/// Another value that the column takes.
fn forged(table: &Table, at: usize, row: &Row, how: How, chance: &mut Chance) -> Option<Value> {
    let column = table.columns[at].name;
    let value = &row.0[at];
    let forged = match (value, how) {
        (Value::Null, How::Null) => return None,
        (_, How::Null) => Value::Null,
        (Value::Text(text) | Value::Json(text), How::Json(edit)) => {
            let node = node::parse(text.as_bytes()).ok()?.0;
            let text = node::line(&of_json(&node, edit, chance)?.0);
            if matches!(value, Value::Text(_)) {
                Value::Text(text)
            } else {
                Value::Json(text)
            }
        }
        (_, How::Json(_)) => return None,
        (Value::Null, How::Changed) => match column {
            "row_id" => Value::Uuid(nobody(chance)),
            "line" | "col" => Value::Int(7),
            "seal" => return None,
            "notes" => Value::Json("[{\"code\":\"bom\",\"pointer\":\"\"}]".into()),
            "data" => Value::Text("{\"document\":{\"created_at\":\"uniqid\"}}".into()),
            "accepted_because" => Value::Text("x".into()),
            "accepted_at" => Value::Time(Instant(0)),
            _ => Value::Text("x".into()),
        },
        (Value::Uuid(_), How::Changed) => Value::Uuid(nobody(chance)),
        (Value::Text(_), How::Changed) => match column {
            "state" => Value::Text("accepted".into()),
            // Those that have a meaning, too.
            "kind" => Value::Text(["users", "memory", "chats", "nonsense"][chance.below(4) as usize].into()),
            "table_name" => Value::Text(["users", "messages", "nonsense"][chance.below(3) as usize].into()),
            _ => Value::Text(format!("{}x", value.as_text()?)),
        },
        (Value::Json(_), How::Changed) => Value::Json("[]".into()),
        // Parts beside it have the next numbers.
        (Value::Int(number), How::Changed) => Value::Int(number + 1_000),
        (Value::Time(instant), How::Changed) => Value::Time(Instant(instant.0 + 1)),
        (Value::Bytes(bytes), How::Changed) => {
            let mut bytes = bytes.clone();
            let at = chance.below(bytes.len() as u64) as usize;
            *bytes.get_mut(at)? ^= 1;
            Value::Bytes(bytes)
        }
        _ => return None,
    };
    (forged != *value).then_some(forged)
}
