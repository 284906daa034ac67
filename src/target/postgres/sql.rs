//! The statements, as text: names quoted and qualified, values always as parameters.

use crate::model::{Column, Kind, Owner, Table, Value};
use crate::target::Filter;

/// The one place where a name becomes SQL.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The schemas of one target.
pub struct Schemas<'a> {
    pub application: &'a str,
    pub ledger: &'a str,
}

impl<'a> Schemas<'a> {
    pub fn of(&self, owner: Owner) -> &'a str {
        match owner {
            Owner::Application => self.application,
            Owner::Ledger => self.ledger,
        }
    }

    /// The table's qualified name.
    pub fn table(&self, table: &Table) -> String {
        format!("{}.{}", quote(self.of(table.owner)), quote(table.name))
    }
}

fn columns(table: &Table) -> String {
    table.columns.iter().map(|column| quote(column.name)).collect::<Vec<_>>().join(", ")
}

/// Each list of the filter is one parameter.
fn condition(table: &Table, filter: &Filter) -> String {
    let one = |(number, (column, values)): (usize, (usize, &[Value]))| {
        let name = quote(table.columns[column].name);
        match only_one(values) {
            Some(_) => format!("{name} = ${number}"),
            None => format!("{name} = ANY(${number})"),
        }
    };
    let all: Vec<String> = (1..).zip(filter.lists()).map(one).collect();
    match all.is_empty() {
        true => String::new(),
        false => format!(" WHERE {}", all.join(" AND ")),
    }
}

/// The value of a list that has no other: the server keeps the plan for one value, and plans for an array
/// again each time, which takes longer than to find a row.
pub fn only_one(values: &[Value]) -> Option<&Value> {
    match values {
        [value] if *value != Value::Null => Some(value),
        _ => None,
    }
}

pub fn copy_in(relation: &str, table: &Table) -> String {
    format!("COPY {relation} ({}) FROM STDIN (FORMAT binary)", columns(table))
}

/// Without an `order`, the rows come as the server finds them.
pub fn select(relation: &str, table: &Table, filter: &Filter, order: &[usize]) -> String {
    let order = order.iter().map(|at| {
        let column = &table.columns[*at];
        // Text in the order of its bytes: the same whatever the database's collation.
        let collation = if column.kind == Kind::Text { " COLLATE \"C\"" } else { "" };
        quote(column.name) + collation
    });
    let order = order.collect::<Vec<_>>().join(", ");
    let order = if order.is_empty() { order } else { format!(" ORDER BY {order}") };
    format!("SELECT {} FROM {relation}{}{order}", columns(table), condition(table, filter))
}

pub fn scan(relation: &str, table: &Table, columns: &[usize], filter: &Filter) -> String {
    let columns = columns.iter().map(|at| quote(table.columns[*at].name)).collect::<Vec<_>>().join(", ");
    format!("SELECT {columns} FROM {relation}{}", condition(table, filter))
}

pub fn copy_out(query: &str) -> String {
    format!("COPY ({query}) TO STDOUT (FORMAT binary)")
}

pub fn delete(relation: &str, table: &Table, filter: &Filter) -> String {
    format!("DELETE FROM {relation}{}", condition(table, filter))
}

pub fn is_empty(relation: &str) -> String {
    format!("SELECT NOT EXISTS (SELECT FROM {relation})")
}

/// Overwrites the rows of several keys, never a key; the parameters are a column's values each, as arrays.
pub fn update_many(relation: &str, table: &Table) -> String {
    let names: Vec<String> = table.columns.iter().map(|column| quote(column.name)).collect();
    let pairs = |joiner: &str, target: &str, wanted: bool| {
        let names = names.iter().enumerate().filter(|(at, _)| table.key.contains(at) == wanted);
        names.map(|(_, name)| format!("{target}{name} = new.{name}")).collect::<Vec<_>>().join(joiner)
    };
    let (assignments, keys) = (pairs(", ", "", false), pairs(" AND ", "target.", true));
    let arrays = (1..=names.len()).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ");
    let names = names.join(", ");
    format!("UPDATE {relation} AS target SET {assignments} FROM unnest({arrays}) AS new ({names}) WHERE {keys}")
}

/// Overwrites the row of a key; the parameters are a row's values, in their order.
pub fn update_one(relation: &str, table: &Table) -> String {
    let pairs = |joiner: &str, wanted: bool| {
        let columns = table.columns.iter().enumerate().filter(|(at, _)| table.key.contains(at) == wanted);
        let pair = |(at, column): (usize, &Column)| format!("{} = ${}", quote(column.name), at + 1);
        columns.map(pair).collect::<Vec<_>>().join(joiner)
    };
    format!("UPDATE {relation} SET {} WHERE {}", pairs(", ", false), pairs(" AND ", true))
}

/// A relation's columns; one row of NULLs for a relation without columns, no row without one.
pub const LIVE_COLUMNS: &str = "
    SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE n.nspname = $1::text AND c.relname = $2::text AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    ORDER BY a.attnum";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ledger;

    const SCHEMAS: Schemas = Schemas { application: "public", ledger: "my \"ledger\"" };

    #[test]
    fn names_are_quoted_and_qualified() {
        assert_eq!(SCHEMAS.table(&ledger::RUNS), r#""my ""ledger"""."runs""#);
    }

    #[test]
    fn text_keys_are_ordered_by_their_bytes() {
        let sql = select("r", &ledger::VERSIONS, &Filter::All, ledger::VERSIONS.key);
        assert!(sql.ends_with(r#" FROM r ORDER BY "schema_name" COLLATE "C", "number""#), "{sql}");
    }

    #[test]
    fn an_update_leaves_the_key_alone() {
        let sql = update_one("r", &ledger::RESIDUE);
        let (assignments, keys) = sql.split_once(" WHERE ").expect("there is a condition");
        assert_eq!(keys, r#""document_id" = $1 AND "part" = $2"#);
        assert!(assignments.contains(r#""table_name" = $3, "#) && !assignments.contains("$1 "), "{assignments}");
        let sql = update_many("r", &ledger::RESIDUE);
        let (assignments, keys) = sql.split_once(" WHERE ").unwrap();
        assert!(!assignments.contains("\"document_id\" ="), "{sql}");
        assert_eq!(keys, r#"target."document_id" = new."document_id" AND target."part" = new."part""#);
    }
}
