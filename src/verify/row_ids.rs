//! The rows of a document, by table: of a large one there are millions.

use uuid::Uuid;

#[derive(Clone, Debug, Default)]
pub struct RowIds {
    by_table: Vec<(&'static str, Vec<Uuid>)>,
}

impl RowIds {
    pub fn push(&mut self, table: &'static str, id: Uuid) {
        match self.by_table.iter_mut().find(|(name, _)| *name == table) {
            Some((_, ids)) => ids.push(id),
            None => self.by_table.push((table, vec![id])),
        }
    }

    /// In the order in which they came, table by table.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, Uuid)> + '_ {
        self.by_table.iter().flat_map(|(table, ids)| ids.iter().map(|id| (*table, *id)))
    }

    pub fn len(&self) -> usize {
        self.by_table.iter().map(|(_, ids)| ids.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.by_table.is_empty()
    }
}

impl FromIterator<(&'static str, Uuid)> for RowIds {
    fn from_iter<I: IntoIterator<Item = (&'static str, Uuid)>>(rows: I) -> RowIds {
        let mut ids = RowIds::default();
        rows.into_iter().for_each(|(table, id)| ids.push(table, id));
        ids
    }
}
