//! What is built upon tables, as the statements that drop it and those that make it again.

use postgres::types::Oid;
use postgres::{Client, Row};

use super::{Noted, Wanted};
use crate::model::Owner;
use crate::target::bulk::{Extent, Step};
use crate::target::postgres::errors::Failure;
use crate::target::postgres::sql::quote;

/// A foreign key's own index is another table's.
const INDEXES: &str = "
    SELECT i.indrelid, i.indexrelid::regclass::text, x.relname::text, pg_get_indexdef(i.indexrelid), i.indisunique,
           k.conname::text, k.contype = 'p', k.condeferrable, k.condeferred,
           obj_description(i.indexrelid, 'pg_class'), obj_description(k.oid, 'pg_constraint'),
           ARRAY(SELECT pg_get_indexdef(i.indexrelid, n, false) FROM generate_series(1, i.indnkeyatts) AS n),
           pg_get_expr(i.indpred, i.indrelid), i.indnullsnotdistinct
    FROM pg_index i
    JOIN pg_class x ON x.oid = i.indexrelid
    LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u')
    WHERE i.indrelid = ANY($1) ORDER BY i.indrelid, x.relname";

const REFERENCES: &str = "
    SELECT k.conrelid, k.conname::text, pg_get_constraintdef(k.oid), k.convalidated,
           obj_description(k.oid, 'pg_constraint'), k.confrelid::regclass::text,
           ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS c (number, at)
                 JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = c.number ORDER BY c.at),
           ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS c (number, at)
                 JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = c.number ORDER BY c.at)
    FROM pg_constraint k WHERE k.conrelid = ANY($1) AND k.contype = 'f' ORDER BY k.conrelid, k.conname";

/// What is set aside of some tables.
#[derive(Default)]
pub struct Definitions {
    /// In the order in which they can be run.
    pub drops: Vec<String>,
    pub noted: Vec<Noted>,
}

pub fn read(client: &mut Client, tables: &[Wanted]) -> Result<Definitions, Failure> {
    let oids: Vec<Oid> = tables.iter().map(|table| table.oid).collect();
    let of = |oid: Oid| tables.iter().find(|table| table.oid == oid).expect("only these were asked for");
    let mut found = Definitions::default();
    for row in client.query(REFERENCES, &[&oids])? {
        reference(&mut found, of(row.get(0)), &row);
    }
    for row in client.query(INDEXES, &[&oids])? {
        let table = of(row.get(0));
        if table.extent == Extent::All || !row.get::<_, bool>(4) {
            index(&mut found, table, &row);
        }
    }
    // The ledger's are only asked by keys, whatever the planner knows of their rows.
    for table in tables.iter().filter(|table| table.owner == Owner::Application) {
        found.noted.push(Noted {
            step: Step::Statistics,
            table: table.name.clone(),
            name: table.name.clone(),
            definition: format!("ANALYZE {}", table.name),
            search: None,
        });
    }
    Ok(found)
}

fn reference(found: &mut Definitions, table: &Wanted, row: &Row) {
    let (name, definition, validated): (String, String, bool) = (row.get(1), row.get(2), row.get(3));
    let (comment, referred): (Option<String>, String) = (row.get(4), row.get(5));
    let (columns, keys): (Vec<String>, Vec<String>) = (row.get(6), row.get(7));
    let (relation, constraint) = (&table.name, quote(&name));
    found.drops.push(format!("ALTER TABLE {relation} DROP CONSTRAINT {constraint}"));
    let later = if validated { " NOT VALID" } else { "" };
    let mut add = format!("ALTER TABLE {relation} ADD CONSTRAINT {constraint} {definition}{later}");
    if let Some(comment) = comment {
        add += &format!("; COMMENT ON CONSTRAINT {constraint} ON {relation} IS {}", literal(&comment));
    }
    let note =
        |step, definition, search| Noted { step, table: relation.clone(), name: name.clone(), definition, search };
    found.noted.push(note(Step::Reference, add, None));
    if validated {
        let pair = |(column, key): (&String, &String)| format!("r.{} = t.{}", quote(key), quote(column));
        let pairs: Vec<String> = columns.iter().zip(&keys).map(pair).collect();
        let given: Vec<String> = columns.iter().map(|column| format!("t.{} IS NOT NULL", quote(column))).collect();
        let search = format!(
            "SELECT ARRAY[t.{}] FROM {relation} t WHERE {} AND NOT EXISTS (SELECT FROM {referred} r WHERE {})",
            table.key,
            given.join(" AND "),
            pairs.join(" AND "),
        );
        let check = format!("ALTER TABLE {relation} VALIDATE CONSTRAINT {constraint}");
        found.noted.push(note(Step::Check, check, Some(search)));
    }
}

fn index(found: &mut Definitions, table: &Wanted, row: &Row) {
    let (qualified, name, definition): (String, String, String) = (row.get(1), row.get(2), row.get(3));
    let (unique, constraint): (bool, Option<String>) = (row.get(4), row.get(5));
    let (comment, key_comment): (Option<String>, Option<String>) = (row.get(9), row.get(10));
    let relation = &table.name;
    let mut build = definition;
    if let Some(comment) = comment {
        build += &format!("; COMMENT ON INDEX {qualified} IS {}", literal(&comment));
    }
    let search = unique.then(|| {
        let columns: Vec<String> = row.get(11);
        let mut conditions: Vec<String> = row.get::<_, Option<String>>(12).into_iter().collect();
        // GROUP BY takes NULLs for equal; most indexes do not.
        if !row.get::<_, bool>(13) {
            conditions.extend(columns.iter().map(|column| format!("({column}) IS NOT NULL")));
        }
        let condition = if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") };
        format!(
            "SELECT array_agg({}) FROM {relation} WHERE {condition} GROUP BY {} HAVING count(*) > 1",
            table.key,
            columns.iter().map(|column| format!("({column})")).collect::<Vec<_>>().join(", "),
        )
    });
    let note = |step, name: &str, definition, search| Noted {
        step,
        table: relation.clone(),
        name: name.to_owned(),
        definition,
        search,
    };
    found.noted.push(note(Step::Index, &name, build, search));
    let Some(constraint) = constraint else {
        found.drops.push(format!("DROP INDEX {qualified}"));
        return;
    };
    let quoted = quote(&constraint);
    found.drops.push(format!("ALTER TABLE {relation} DROP CONSTRAINT {quoted}"));
    let kind = if row.get::<_, Option<bool>>(6) == Some(true) { "PRIMARY KEY" } else { "UNIQUE" };
    let deferrable = match (row.get::<_, Option<bool>>(7), row.get::<_, Option<bool>>(8)) {
        (Some(true), Some(true)) => " DEFERRABLE INITIALLY DEFERRED",
        (Some(true), _) => " DEFERRABLE",
        _ => "",
    };
    let mut take =
        format!("ALTER TABLE {relation} ADD CONSTRAINT {quoted} {kind} USING INDEX {}{deferrable}", quote(&name));
    if let Some(comment) = key_comment {
        take += &format!("; COMMENT ON CONSTRAINT {quoted} ON {relation} IS {}", literal(&comment));
    }
    found.noted.push(note(Step::Key, &constraint, take, None));
}

fn literal(text: &str) -> String {
    // Whatever `standard_conforming_strings` says.
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
