//! What is to be written of documents that are replaced, kept back until their ends are seen. One that turns out
//! to be a conflict is left out of it, so none needs a savepoint.

use uuid::Uuid;

use crate::format::Format;
use crate::ledger::uuids;
use crate::model::ledger::{residue as r, DOCUMENTS, RESIDUE};
use crate::model::{Row, Table, Value};
use crate::target::{Connection, Filter, TargetError};

/// No row is in it twice.
#[derive(Default)]
pub struct Writes {
    tables: Vec<OfTable>,
    /// Documents, each with parts that it no longer has.
    forgotten: Vec<(Uuid, Vec<i64>)>,
}

struct OfTable {
    table: &'static Table,
    inserts: Vec<Row>,
    updates: Vec<Row>,
    deletes: Vec<Uuid>,
}

impl Writes {
    pub fn add(&mut self, table: &'static Table, inserts: Vec<Row>, updates: Vec<Row>) {
        let of_table = self.of(table);
        of_table.inserts.extend(inserts);
        of_table.updates.extend(updates);
    }

    pub fn delete(&mut self, table: &'static Table, ids: Vec<Uuid>) {
        self.of(table).deletes.extend(ids);
    }

    pub fn forget_parts(&mut self, document: Uuid, numbers: Vec<i64>) {
        self.forgotten.push((document, numbers));
    }

    pub fn absorb(&mut self, other: Writes) {
        for OfTable { table, inserts, updates, deletes } in other.tables {
            self.add(table, inserts, updates);
            self.delete(table, deletes);
        }
        self.forgotten.extend(other.forgotten);
    }

    /// Writes all of it: parents come before their children, and go after them.
    pub fn apply(self, connection: &mut dyn Connection, format: &dyn Format) -> Result<(), TargetError> {
        let of = |table: &Table| self.tables.iter().find(|of_table| of_table.table == table);
        for table in format.tables().iter().copied().chain([&RESIDUE, &DOCUMENTS]) {
            let Some(of_table) = of(table) else { continue };
            if !of_table.inserts.is_empty() {
                connection.insert(table, &of_table.inserts)?;
            }
            if !of_table.updates.is_empty() {
                connection.update(table, &of_table.updates)?;
            }
        }
        for (document, numbers) in &self.forgotten {
            forget_parts(connection, *document, numbers)?;
        }
        for table in format.tables().iter().rev() {
            if let Some(of_table) = of(table).filter(|of_table| !of_table.deletes.is_empty()) {
                connection.delete(table, &Filter::In { column: 0, values: &uuids(&of_table.deletes) })?;
            }
        }
        Ok(())
    }

    fn of(&mut self, table: &'static Table) -> &mut OfTable {
        let at = self.tables.iter().position(|of_table| of_table.table == table).unwrap_or_else(|| {
            self.tables.push(OfTable { table, inserts: Vec::new(), updates: Vec::new(), deletes: Vec::new() });
            self.tables.len() - 1
        });
        &mut self.tables[at]
    }
}

/// Deletes the ledger's rows of these parts of a document.
pub fn forget_parts(connection: &mut dyn Connection, document: Uuid, numbers: &[i64]) -> Result<(), TargetError> {
    let document = [Value::Uuid(document)];
    let numbers: Vec<Value> = numbers.iter().copied().map(Value::Int).collect();
    let parts = Filter::Both { first: (r::DOCUMENT_ID, &document), second: (r::PART, &numbers) };
    connection.delete(&RESIDUE, &parts).map(drop)
}
