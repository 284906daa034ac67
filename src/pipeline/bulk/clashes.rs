//! Documents whose rows stand in the way of a key: they are taken out whole, to be sent once more
//! with the key in place.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::ControlFlow;

use uuid::Uuid;

use crate::format::Format;
use crate::ledger::{self, unpack_ids, uuids, LedgerDocument};
use crate::model::ledger::{documents as d, residue as r, DOCUMENTS, RESIDUE};
use crate::model::Value;
use crate::target::bulk::{Piece, Step};
use crate::target::{in_transaction, Connection, Filter, TargetError};

use super::put_back::PutBackError;

/// What was taken out.
#[derive(Debug, Default)]
pub struct Taken {
    pub documents: Vec<LedgerDocument>,
    /// Rows by table.
    pub rows: BTreeMap<&'static str, u64>,
}

/// Takes out what has to go, so that no clash is left. `clashes`: the ids of rows that cannot
/// stand together, or not at all.
pub fn take_out(
    format: &'static dyn Format,
    connection: &mut dyn Connection,
    piece: &Piece,
    clashes: &[Vec<Uuid>],
) -> Result<Taken, PutBackError> {
    let wanted: HashSet<Uuid> = clashes.iter().flatten().copied().collect();
    let owners = owners(connection, &wanted)?;
    let ids: BTreeSet<Uuid> = owners.values().flatten().copied().collect();
    let documents: HashMap<Uuid, LedgerDocument> =
        ledger::readable_documents_by(connection, d::ID, &uuids(&ids.into_iter().collect::<Vec<_>>()))?
            .into_iter()
            .map(|document| (document.id, document))
            .collect();
    let path = |id: &Uuid| documents.get(id).and_then(|document| document.paths().into_iter().next());
    let mut leaving = BTreeSet::new();
    let mut foreign = 0;
    for clash in clashes {
        let (out, without) = who_leaves(clash, &owners, &path, piece.step);
        leaving.extend(out);
        foreign += without;
    }
    if foreign > 0 {
        let (name, table) = (piece.name.clone(), piece.table.clone());
        return Err(PutBackError::Foreign { name, table, rows: foreign });
    }
    let leaving: Vec<Uuid> = leaving.into_iter().collect();
    tracing::warn!(name = %piece.name, documents = leaving.len(), "documents are taken out, to be sent once more");
    let rows = in_transaction(connection, |connection| delete(format, connection, &leaving))?;
    let mut documents = documents;
    Ok(Taken { documents: leaving.iter().filter_map(|id| documents.remove(id)).collect(), rows })
}

/// Which documents have each of these rows; a document that is named itself has itself.
fn owners(connection: &mut dyn Connection, wanted: &HashSet<Uuid>) -> Result<HashMap<Uuid, Vec<Uuid>>, TargetError> {
    let mut owners: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
    connection.scan(&RESIDUE, &[r::DOCUMENT_ID, r::ROW_IDS], &Filter::All, &mut |values| {
        let Some(document) = values[0].as_uuid() else { return ControlFlow::Continue(()) };
        if wanted.contains(&document) {
            owners.entry(document).or_default().push(document);
        }
        for id in unpack_ids(values[1].as_bytes().unwrap_or_default()).filter(|id| wanted.contains(id)) {
            owners.entry(id).or_default().push(document);
        }
        ControlFlow::Continue(())
    })?;
    Ok(owners)
}

/// The documents that make way, and how many rows nobody can take out. The first in path order
/// keeps its place, unless it clashes with itself or with a row that no document made.
fn who_leaves(
    clash: &[Uuid],
    owners: &HashMap<Uuid, Vec<Uuid>>,
    path: &dyn Fn(&Uuid) -> Option<String>,
    step: Step,
) -> (Vec<Uuid>, usize) {
    let distinct: BTreeSet<&Uuid> = clash.iter().collect();
    let mut claims: Vec<(Option<String>, Uuid)> = distinct
        .iter()
        .flat_map(|id| owners.get(id).into_iter().flatten())
        .map(|document| (path(document), *document))
        .collect();
    claims.sort();
    let foreign = clash.len().saturating_sub(claims.len());
    // What refers to nothing has to go; so has whoever has one id with a stranger, which would go
    // along with it.
    if step == Step::Check || distinct.len() < clash.len() && foreign > 0 {
        return (claims.into_iter().map(|(_, id)| id).collect(), foreign);
    }
    let first = if foreign > 0 { 0 } else { 1 };
    let leaving = claims.into_iter().skip(first).map(|(_, id)| id).collect::<Vec<_>>();
    // Two strangers clash with each other.
    (leaving, foreign.saturating_sub(1))
}

/// Deletes documents with their rows; returns how many, by table.
fn delete(
    format: &'static dyn Format,
    connection: &mut dyn Connection,
    documents: &[Uuid],
) -> Result<BTreeMap<&'static str, u64>, TargetError> {
    let ids = uuids(documents);
    let mut rows: HashMap<String, Vec<Value>> = HashMap::new();
    let filter = Filter::In { column: r::DOCUMENT_ID, values: &ids };
    connection.select(&RESIDUE, &filter, &mut |part| {
        if let Some(table) = part.0[r::TABLE_NAME].as_text() {
            let ids = unpack_ids(part.0[r::ROW_IDS].as_bytes().unwrap_or_default());
            rows.entry(table.to_owned()).or_default().extend(ids.map(Value::Uuid));
        }
        ControlFlow::Continue(())
    })?;
    let mut counts = BTreeMap::new();
    // What refers goes before what it refers to.
    for table in format.tables().iter().rev() {
        if let Some(values) = rows.get(table.name) {
            connection.delete(table, &Filter::In { column: 0, values })?;
            counts.insert(table.name, values.len() as u64);
        }
    }
    connection.delete(&RESIDUE, &filter)?;
    connection.delete(&DOCUMENTS, &Filter::In { column: d::ID, values: &ids })?;
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Uuid = Uuid::from_u128(0xa);
    const B: Uuid = Uuid::from_u128(0xb);

    fn leaves(clash: &[u128], owners: &[(u128, &[Uuid])], step: Step) -> (Vec<Uuid>, usize) {
        let clash: Vec<Uuid> = clash.iter().map(|id| Uuid::from_u128(*id)).collect();
        let owners = owners.iter().map(|(id, of)| (Uuid::from_u128(*id), of.to_vec())).collect();
        // The path order is not the order of ids.
        let path = |id: &Uuid| Some(if *id == A { "z" } else { "b" }.to_owned());
        who_leaves(&clash, &owners, &path, step)
    }

    #[test]
    fn the_first_in_path_order_keeps_its_place() {
        assert_eq!(leaves(&[1, 2], &[(1, &[A]), (2, &[B])], Step::Index), (vec![A], 0));
        assert_eq!(leaves(&[1, 1], &[(1, &[A, B])], Step::Index), (vec![A], 0));
    }

    #[test]
    fn a_document_that_clashes_with_itself_leaves() {
        assert_eq!(leaves(&[1, 2], &[(1, &[A]), (2, &[A])], Step::Index), (vec![A], 0));
    }

    #[test]
    fn a_row_that_no_document_made_stays() {
        assert_eq!(leaves(&[1, 2], &[(1, &[A])], Step::Index), (vec![A], 0));
        assert_eq!(leaves(&[1, 2], &[], Step::Index), (vec![], 1));
        assert_eq!(leaves(&[1, 1], &[(1, &[A])], Step::Index), (vec![A], 1));
    }

    #[test]
    fn what_refers_to_nothing_leaves() {
        assert_eq!(leaves(&[1], &[(1, &[B])], Step::Check), (vec![B], 0));
        assert_eq!(leaves(&[1], &[], Step::Check), (vec![], 1));
    }
}
