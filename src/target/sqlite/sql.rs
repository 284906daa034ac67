//! The statements, as text: names quoted, values always as parameters.

use crate::model::{Kind, Owner, Table};
use crate::target::Filter;

/// The one place where a name becomes SQL.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The name that a table has in this database.
pub fn stored_name(table: &Table) -> String {
    match table.owner {
        Owner::Application => table.name.to_owned(),
        Owner::Ledger => format!("transload_{}", table.name),
    }
}

fn relation(table: &Table) -> String {
    quote(&stored_name(table))
}

fn names(table: &Table, columns: &[usize]) -> String {
    columns.iter().map(|at| quote(table.columns[*at].name)).collect::<Vec<_>>().join(", ")
}

/// The WHERE clause of a filter. All values of a column travel in one parameter, so that one statement gives
/// the rows in the order of the primary key, however many values there are.
fn condition(table: &Table, filter: &Filter) -> String {
    let one = |(number, (column, _)): (usize, (usize, _))| {
        let column = &table.columns[column];
        let value = if column.kind == Kind::Bytes { "unhex(value)" } else { "value" };
        format!("{} IN (SELECT {value} FROM json_each(?{number}))", quote(column.name))
    };
    let all: Vec<String> = (1..).zip(filter.lists()).map(one).collect();
    match all.is_empty() {
        true => String::new(),
        false => format!(" WHERE {}", all.join(" AND ")),
    }
}

/// The parameters are a row's values, in their order.
pub fn insert(table: &Table) -> String {
    let columns: Vec<usize> = (0..table.columns.len()).collect();
    let marks: Vec<String> = columns.iter().map(|at| format!("?{}", at + 1)).collect();
    format!("INSERT INTO {} ({}) VALUES ({})", relation(table), names(table, &columns), marks.join(", "))
}

/// Overwrites the row of a key; the parameters are a row's values, in their order.
pub fn update(table: &Table) -> String {
    let pairs = |joiner: &str, wanted: bool| {
        let columns = table.columns.iter().enumerate().filter(|(at, _)| table.key.contains(at) == wanted);
        columns.map(|(at, column)| format!("{} = ?{}", quote(column.name), at + 1)).collect::<Vec<_>>().join(joiner)
    };
    format!("UPDATE {} SET {} WHERE {}", relation(table), pairs(", ", false), pairs(" AND ", true))
}

pub fn delete(table: &Table, filter: &Filter) -> String {
    format!("DELETE FROM {}{}", relation(table), condition(table, filter))
}

/// Without an `order`, the rows come as they are found.
pub fn select(table: &Table, columns: &[usize], filter: &Filter, order: &[usize]) -> String {
    let order = order.iter().map(|at| {
        let column = &table.columns[*at];
        // Whatever the table says.
        let collation = if column.kind == Kind::Text { " COLLATE BINARY" } else { "" };
        quote(column.name) + collation
    });
    let order = order.collect::<Vec<_>>().join(", ");
    let order = if order.is_empty() { order } else { format!(" ORDER BY {order}") };
    format!("SELECT {} FROM {}{}{order}", names(table, columns), relation(table), condition(table, filter))
}

pub fn is_empty(table: &Table) -> String {
    format!("SELECT NOT EXISTS (SELECT 1 FROM {})", relation(table))
}

/// The columns of a table, in their order; SQLite's names know no case.
pub const LIVE_COLUMNS: &str = "
    SELECT c.name, c.type, c.\"notnull\" FROM sqlite_schema AS t, pragma_table_info(t.name) AS c
    WHERE t.type = 'table' AND t.name = ?1 COLLATE NOCASE ORDER BY c.cid";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ledger::{RESIDUE, VERSIONS};

    #[test]
    fn names_are_quoted() {
        assert_eq!(quote("a\"b"), "\"a\"\"b\"");
    }

    #[test]
    fn an_update_leaves_the_key_alone() {
        let sql = update(&RESIDUE);
        let (assignments, keys) = sql.split_once(" WHERE ").expect("there is a condition");
        assert_eq!(keys, r#""document_id" = ?1 AND "part" = ?2"#);
        assert!(assignments.contains(r#""table_name" = ?3, "#) && !assignments.contains("?1,"), "{assignments}");
    }

    #[test]
    fn text_keys_are_ordered_by_their_bytes() {
        let sql = select(&VERSIONS, &[0], &Filter::All, VERSIONS.key);
        assert_eq!(
            sql,
            r#"SELECT "schema_name" FROM "transload_versions" ORDER BY "schema_name" COLLATE BINARY, "number""#
        );
    }
}
