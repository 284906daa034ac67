//! Reading a schema from SQLite's own table of it.

use rusqlite::{Connection, Result};

use super::ddl;
use crate::model::catalogue::{Catalogue, ColumnShape, Index, TableShape, Text, View};
use crate::model::Owner;

/// The prefix of transload's own tables, which are a schema of their own.
const OWN: &str = "transload_";

pub fn read(db: &Connection, owner: Owner) -> Result<Catalogue> {
    let belongs = |name: &str| name.to_lowercase().starts_with(OWN) == (owner == Owner::Ledger);
    let mut catalogue = Catalogue::default();
    let mut statement = db.prepare(
        "SELECT s.type, lower(s.name), lower(s.tbl_name), s.sql, l.type FROM sqlite_schema s
         LEFT JOIN pragma_table_list l ON l.schema = 'main' AND l.name = s.name AND s.type IN ('table', 'view')
         WHERE s.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY s.type = 'table' DESC, s.type = 'view' DESC, s.name",
    )?;
    let rows = statement.query_map([], |row| {
        Ok((
            row.get::<_, String>(0)?,
            row.get::<_, String>(1)?,
            row.get::<_, String>(2)?,
            row.get::<_, Option<String>>(3)?.unwrap_or_default(),
            row.get::<_, Option<String>>(4)?,
        ))
    })?;
    for row in rows {
        let (kind, name, of, sql, table_kind) = row?;
        if !belongs(&of) {
            continue;
        }
        match kind.as_str() {
            // The tables behind a virtual one are its own affair.
            "table" if table_kind.as_deref() == Some("shadow") => {}
            "table" => drop(catalogue.tables.insert(name.clone(), table(db, &name, &sql)?)),
            "view" => {
                let definition = after_word(&ddl::normal(&sql), " as ");
                drop(catalogue.views.insert(name, View { definition, ..View::default() }));
            }
            "index" => {
                if let Some(indexes) = catalogue.indexes_of(&of) {
                    indexes.insert(name, index(&sql));
                }
            }
            _ => {
                if let Some(triggers) = catalogue.triggers_of(&of) {
                    triggers.insert(name, Text::new(after_word(&ddl::normal(&sql), " trigger ")));
                }
            }
        }
    }
    Ok(catalogue)
}

/// What stands behind the first of this word; the name before it may have been written in many ways.
fn after_word(text: &str, word: &str) -> String {
    text.split_once(word).map_or(text, |(_, after)| after).to_owned()
}

fn table(db: &Connection, name: &str, sql: &str) -> Result<TableShape> {
    let normal = ddl::normal(sql);
    if normal.starts_with("create virtual") {
        let definition = Some(after_word(&normal, " using "));
        return Ok(TableShape { options: vec!["virtual".to_owned()], definition, ..TableShape::default() });
    }
    let parts = ddl::parts(sql);
    let mut statement =
        db.prepare("SELECT name, type, \"notnull\", dflt_value FROM pragma_table_xinfo(?1) ORDER BY cid")?;
    let columns = statement.query_map([name], |row| {
        let name = ddl::name_text(&row.get::<_, String>(0)?);
        let type_name: String = row.get(1)?;
        let default: Option<String> = row.get(3)?;
        Ok(ColumnShape {
            type_name: type_name.split_whitespace().collect::<Vec<_>>().join(" ").to_uppercase(),
            nullable: !row.get::<_, bool>(2)?,
            default: default.map(|text| ddl::expression(&text)),
            collation: parts.collations.get(&name).cloned(),
            generated: parts.generated.get(&name).cloned(),
            name,
            ..ColumnShape::default()
        })
    })?;
    let columns = columns.collect::<Result<Vec<_>>>()?;
    Ok(TableShape { options: parts.options, columns, constraints: parts.constraints, ..TableShape::default() })
}

/// `CREATE [UNIQUE] INDEX name ON table (columns) [WHERE predicate]`.
fn index(sql: &str) -> Index {
    let text = ddl::normal(sql);
    let on = after_word(&text, " on ");
    let on = on.find('(').map_or(on.clone(), |at| on[at..].to_owned());
    let (on, predicate) = match on.split_once(") where ") {
        Some((on, predicate)) => (format!("{on})"), Some(ddl::expression(predicate))),
        None => (on, None),
    };
    Index { unique: text.starts_with("create unique "), on, predicate, ..Index::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_alter_table_added_is_what_create_table_says() {
        let read_from = |script: &str| {
            let db = Connection::open_in_memory().unwrap();
            db.execute_batch(script).unwrap();
            read(&db, Owner::Application).unwrap()
        };
        let tail = "CREATE INDEX i ON t (b DESC) WHERE b IS NOT NULL; CREATE VIEW v AS SELECT a FROM t;
                    CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END; CREATE TABLE transload_x (a);";
        let one = read_from(&format!("CREATE TABLE t (a TEXT DEFAULT ('x'), b INT REFERENCES t(a)) STRICT; {tail}"));
        let two = read_from(&format!(
            "CREATE TABLE \"T\" (a text DEFAULT 'x') STRICT; ALTER TABLE t ADD COLUMN b INT REFERENCES t (a); {}",
            tail.replace("INDEX i ON t", "INDEX IF NOT EXISTS main.\"i\" ON T")
        ));
        assert_eq!(one, two);
        assert_eq!(one.tables.keys().collect::<Vec<_>>(), ["t"]);
        let table = &one.tables["t"];
        assert_eq!(table.indexes["i"].on, "(b desc)");
        assert_eq!(table.indexes["i"].predicate.as_deref(), Some("b is not null"));
        assert_eq!((table.triggers.len(), one.views.len(), table.constraints.len()), (1, 1, 1));
    }
}
