//! Reading a schema from the system catalogues of PostgreSQL 15 to 18.
//!
//! The search path is the schema alone while this runs, so that the server spells names of the
//! schema unqualified and all others in full.

use std::collections::BTreeMap;

use postgres::{Client, Error, Row};

use super::sql::quote;
use crate::model::catalogue::{Catalogue, ColumnShape, Constraint, Index, TableShape, Text, View};

/// Objects of an extension come and go with it.
const NO_EXTENSION: &str = "NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = $CLASS::regclass AND e.objid = $OID \
                            AND e.deptype = 'e')";

const RELATIONS: &str = "
    SELECT c.relname::text, c.relkind::text, c.relpersistence::text,
           CASE WHEN c.relkind = 'p' THEN 'PARTITION BY ' || pg_get_partkeydef(c.oid) END,
           CASE WHEN c.relispartition THEN (
               SELECT 'PARTITION OF ' || i.inhparent::regclass || ' ' || pg_get_expr(c.relpartbound, c.oid)
               FROM pg_inherits i WHERE i.inhrelid = c.oid) END,
           c.relrowsecurity, coalesce(c.reloptions, '{}')::text[],
           CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END
    FROM pg_class c
    WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1::text)
      AND c.relkind IN ('r', 'p', 'f', 'v', 'm') AND $NO_EXTENSION
    ORDER BY c.relname";

const COLUMNS: &str = "
    SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
           pg_get_expr(d.adbin, d.adrelid), a.attgenerated::text, a.attidentity::text,
           CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END
    FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1::text)
      AND c.relkind IN ('r', 'p', 'f') AND $NO_EXTENSION
    ORDER BY c.relname, a.attnum";

/// Columns that are not null are said so by the columns (PostgreSQL 18 has constraints for them, too).
const CONSTRAINTS: &str = "
    SELECT c.relname::text, k.conname::text, k.contype::text, pg_get_constraintdef(k.oid),
           k.confupdtype::text, k.confdeltype::text, k.confmatchtype::text,
           k.condeferrable, k.condeferred, NOT k.convalidated
    FROM pg_class c
    JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype IN ('p', 'u', 'c', 'f', 'x')
    WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1::text)
      AND c.relkind IN ('r', 'p', 'f') AND $NO_EXTENSION
    ORDER BY c.relname, k.conname";

const INDEXES: &str = "
    SELECT c.relname::text, x.relname::text, m.amname::text, i.indisunique, NOT i.indisvalid,
           pg_get_indexdef(i.indexrelid), pg_get_expr(i.indpred, i.indrelid)
    FROM pg_class c
    JOIN pg_index i ON i.indrelid = c.oid
    JOIN pg_class x ON x.oid = i.indexrelid
    JOIN pg_am m ON m.oid = x.relam
    WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1::text)
      AND c.relkind IN ('r', 'p', 'm') AND $NO_EXTENSION
      AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
    ORDER BY c.relname, x.relname";

const TRIGGERS: &str = "
    SELECT c.relname::text, g.tgname::text, pg_get_triggerdef(g.oid, true), g.tgenabled::text
    FROM pg_class c
    JOIN pg_trigger g ON g.tgrelid = c.oid AND NOT g.tgisinternal
    WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1::text)
      AND c.relkind IN ('r', 'p', 'f', 'v') AND $NO_EXTENSION
    ORDER BY c.relname, g.tgname";

/// To whom and for what a policy is; roles by name, for they are the cluster's.
const POLICIES: &str = "
    SELECT c.relname::text, y.polname::text,
           CASE WHEN y.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END || ' FOR '
           || CASE y.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE'
              ELSE 'ALL' END || ' TO '
           || (SELECT string_agg(CASE WHEN r.id = 0 THEN 'public' ELSE r.id::regrole::text END, ', ' ORDER BY 1)
               FROM unnest(y.polroles) r(id))
           || coalesce(' USING (' || pg_get_expr(y.polqual, y.polrelid) || ')', '')
           || coalesce(' WITH CHECK (' || pg_get_expr(y.polwithcheck, y.polrelid) || ')', '')
    FROM pg_class c
    JOIN pg_policy y ON y.polrelid = c.oid
    WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1::text) AND $NO_EXTENSION
    ORDER BY c.relname, y.polname";

/// The rule that a view is made of is said by the view.
const RULES: &str = "
    SELECT c.relname::text, w.rulename::text, pg_get_ruledef(w.oid)
    FROM pg_class c
    JOIN pg_rewrite w ON w.ev_class = c.oid AND w.rulename <> '_RETURN'
    WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1::text)
      AND c.relkind IN ('r', 'p', 'f') AND $NO_EXTENSION
    ORDER BY c.relname, w.rulename";

/// Aggregates have no definition that the server would spell.
const FUNCTIONS: &str = "
    SELECT p.proname::text || '(' || pg_get_function_identity_arguments(p.oid) || ')', pg_get_functiondef(p.oid)
    FROM pg_proc p
    WHERE p.pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1::text)
      AND p.prokind IN ('f', 'p', 'w') AND $NO_EXTENSION
    ORDER BY 1";

/// The sequence of an identity column is said by the column.
const SEQUENCES: &str = "
    SELECT c.relname::text, format_type(s.seqtypid, NULL), s.seqstart::text, s.seqincrement::text, s.seqmin::text,
           s.seqmax::text, s.seqcache::text, s.seqcycle,
           (SELECT d.refobjid::regclass || '.' || quote_ident(a.attname)
            FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'a')
    FROM pg_class c JOIN pg_sequence s ON s.seqrelid = c.oid
    WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1::text) AND $NO_EXTENSION
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                      AND d.deptype = 'i')
    ORDER BY c.relname";

const TYPES: &str = "
    SELECT t.typname::text,
           CASE t.typtype
           WHEN 'e' THEN 'ENUM (' || (SELECT string_agg(quote_literal(l.enumlabel), ', ' ORDER BY l.enumsortorder)
                                      FROM pg_enum l WHERE l.enumtypid = t.oid) || ')'
           WHEN 'd' THEN 'DOMAIN ' || format_type(t.typbasetype, t.typtypmod)
                || coalesce(' DEFAULT ' || pg_get_expr(t.typdefaultbin, 0), '')
                || CASE WHEN t.typnotnull THEN ' NOT NULL' ELSE '' END
                || coalesce((SELECT string_agg(format(' CONSTRAINT %I %s', k.conname, pg_get_constraintdef(k.oid)), ''
                                               ORDER BY k.conname)
                             FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c'), '')
           ELSE 'COMPOSITE (' || coalesce(
                (SELECT string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', '
                                   ORDER BY a.attnum)
                 FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '') || ')'
           END
    FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
    WHERE t.typnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1::text) AND $NO_EXTENSION
      AND (t.typtype IN ('e', 'd') OR (t.typtype = 'c' AND c.relkind = 'c'))
    ORDER BY t.typname";

pub fn read(client: &mut Client, schema: &str) -> Result<Catalogue, Error> {
    let mut catalogue = Catalogue::default();
    for row in ask(client, RELATIONS, "pg_class", "c.oid", schema)? {
        let name: String = row.get(0);
        match row.get::<_, Option<String>>(7) {
            Some(definition) => drop(catalogue.views.insert(name, view(&row, &definition))),
            None => drop(catalogue.tables.insert(name, table(&row))),
        }
    }
    for row in ask(client, COLUMNS, "pg_class", "c.oid", schema)? {
        if let Some(table) = catalogue.tables.get_mut(row.get::<_, &str>(0)) {
            table.columns.push(column(&row));
        }
    }
    for row in ask(client, CONSTRAINTS, "pg_class", "c.oid", schema)? {
        if let Some(table) = catalogue.tables.get_mut(row.get::<_, &str>(0)) {
            table.constraints.insert(row.get(1), constraint(&row));
        }
    }
    for row in ask(client, INDEXES, "pg_class", "c.oid", schema)? {
        if let Some(indexes) = catalogue.indexes_of(row.get(0)) {
            indexes.insert(row.get(1), index(&row));
        }
    }
    for row in ask(client, TRIGGERS, "pg_class", "c.oid", schema)? {
        if let Some(triggers) = catalogue.triggers_of(row.get(0)) {
            let state = match row.get(3) {
                "O" => "",
                "D" => " (disabled)",
                "R" => " (enabled on replicas)",
                _ => " (enabled always)",
            };
            triggers.insert(row.get(1), Text::new(format!("{}{state}", row.get::<_, &str>(2))));
        }
    }
    for row in ask(client, POLICIES, "pg_class", "c.oid", schema)? {
        if let Some(table) = catalogue.tables.get_mut(row.get::<_, &str>(0)) {
            table.policies.insert(row.get(1), Text::new(row.get::<_, String>(2)));
        }
    }
    for row in ask(client, RULES, "pg_class", "c.oid", schema)? {
        if let Some(table) = catalogue.tables.get_mut(row.get::<_, &str>(0)) {
            table.rules.insert(row.get(1), Text::new(row.get::<_, String>(2)));
        }
    }
    for row in ask(client, FUNCTIONS, "pg_proc", "p.oid", schema)? {
        let definition = row.get::<_, &str>(1).replacen(&format!("{}.", plain(schema)), "", 1);
        catalogue.functions.insert(row.get(0), Text::new(definition.trim_end()));
    }
    for row in ask(client, SEQUENCES, "pg_class", "c.oid", schema)? {
        catalogue.sequences.insert(row.get(0), sequence(&row));
    }
    let types = ask(client, TYPES, "pg_type", "t.oid", schema)?;
    catalogue.types =
        types.iter().map(|row| (row.get(0), Text::new(row.get::<_, String>(1)))).collect::<BTreeMap<_, _>>();
    Ok(catalogue)
}

fn ask(client: &mut Client, query: &str, class: &str, oid: &str, schema: &str) -> Result<Vec<Row>, Error> {
    let free = NO_EXTENSION.replace("$CLASS", &format!("'{class}'")).replace("$OID", oid);
    client.query(&query.replace("$NO_EXTENSION", &free), &[&schema])
}

/// The server quotes a name only where it must.
fn plain(name: &str) -> String {
    let plain = |(at, c): (usize, char)| c.is_ascii_lowercase() || c == '_' || (at > 0 && c.is_ascii_digit());
    match name.chars().enumerate().all(plain) {
        true => name.to_owned(),
        false => quote(name),
    }
}

fn table(row: &Row) -> TableShape {
    let mut options = Vec::new();
    match row.get(1) {
        "f" => options.push("foreign".to_owned()),
        _ if row.get::<_, &str>(2) == "u" => options.push("unlogged".to_owned()),
        _ => {}
    }
    if row.get(5) {
        options.push("row level security".to_owned());
    }
    options.extend(row.get::<_, Vec<String>>(6));
    let definition: Vec<String> = [row.get::<_, Option<String>>(4), row.get(3)].into_iter().flatten().collect();
    let definition = Some(definition.join(" ")).filter(|text| !text.is_empty());
    TableShape { options, definition, ..TableShape::default() }
}

fn view(row: &Row, definition: &str) -> View {
    View {
        materialized: row.get::<_, &str>(1) == "m",
        options: row.get(6),
        definition: unqualified(definition.trim().trim_end_matches(';')),
        ..View::default()
    }
}

/// PostgreSQL 15 writes `t.id` in a view of one table where later versions write `id`. A text in
/// which every qualifier is the same name says the same without it.
fn unqualified(definition: &str) -> String {
    let tokens = tokens(definition);
    let is_name = |token: &str| token.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '"');
    let qualifier = |at: usize| {
        let named = at + 2 < tokens.len() && tokens[at + 1] == "." && is_name(tokens[at]);
        named.then(|| tokens[at]).filter(|_| is_name(tokens[at + 2]) || tokens[at + 2] == "*")
    };
    let mut qualifiers: Vec<&str> = (0..tokens.len()).filter_map(qualifier).collect();
    qualifiers.sort_unstable();
    qualifiers.dedup();
    let mut text = String::with_capacity(definition.len());
    let mut at = 0;
    while at < tokens.len() {
        if qualifiers.len() == 1 && qualifier(at).is_some() {
            at += 2;
            continue;
        }
        text += tokens[at];
        at += 1;
    }
    text
}

/// The text in pieces: names, literals, single characters. Only for what the server spelled.
fn tokens(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' | '"' => end_of_quoted(rest, first),
            c if c.is_alphanumeric() || c == '_' => {
                rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(rest.len())
            }
            c => c.len_utf8(),
        };
        let (piece, after) = rest.split_at(length);
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// A quote inside is doubled.
fn end_of_quoted(text: &str, mark: char) -> usize {
    let mut at = 1;
    while let Some(found) = text[at..].find(mark) {
        at += found + 1;
        match text[at..].starts_with(mark) {
            true => at += 1,
            false => return at,
        }
    }
    text.len()
}

fn column(row: &Row) -> ColumnShape {
    let expression: Option<String> = row.get(4);
    let generated = match row.get(5) {
        "s" => expression.as_ref().map(|text| format!("stored ({text})")),
        "v" => expression.as_ref().map(|text| format!("virtual ({text})")),
        _ => None,
    };
    ColumnShape {
        name: row.get(1),
        type_name: row.get(2),
        nullable: row.get(3),
        default: expression.filter(|_| generated.is_none()),
        collation: row.get(7),
        generated,
        identity: match row.get(6) {
            "a" => Some("always".to_owned()),
            "d" => Some("by default".to_owned()),
            _ => None,
        },
        optional: false,
    }
}

fn constraint(row: &Row) -> Constraint {
    let (kind, text): (&str, &str) = (row.get(2), row.get(3));
    let deferrable = row.get::<_, bool>(7).then(|| match row.get(8) {
        true => "initially deferred".to_owned(),
        false => "initially immediate".to_owned(),
    });
    let mut constraint = Constraint { definition: text.to_owned(), not_valid: row.get(9), ..Constraint::default() };
    let mut ends = vec![" DEFERRABLE", " NOT VALID"];
    if kind == "f" {
        ends.extend([" MATCH ", " ON UPDATE ", " ON DELETE "]);
        constraint.on_update = action(row.get(4), text, " ON UPDATE ");
        constraint.on_delete = action(row.get(5), text, " ON DELETE ");
        constraint.matching = (row.get::<_, &str>(6) == "f").then(|| "full".to_owned());
    }
    constraint.deferrable = deferrable;
    // A check's expression may say anything.
    if kind != "c" {
        let end = ends.iter().filter_map(|end| text.find(end)).min().unwrap_or(text.len());
        constraint.definition = text[..end].to_owned();
    } else if constraint.not_valid {
        constraint.definition = text.trim_end_matches(" NOT VALID").to_owned();
    }
    constraint
}

/// What becomes of a row whose row goes; nothing is what is usual.
fn action(code: &str, text: &str, begin: &str) -> Option<String> {
    let action = match code {
        "r" => "restrict",
        "c" => "cascade",
        "n" => "set null",
        "d" => "set default",
        _ => return None,
    };
    // `SET NULL (column)`.
    let rest = text.split_once(begin).map_or("", |(_, rest)| rest);
    let columns = rest.get(action.len()..).filter(|rest| rest.starts_with(" (")).and_then(|rest| rest.split_once(')'));
    Some(match columns {
        Some((columns, _)) => format!("{action}{columns})"),
        None => action.to_owned(),
    })
}

fn index(row: &Row) -> Index {
    let (method, text, predicate): (&str, &str, Option<String>) = (row.get(2), row.get(5), row.get(6));
    let after = text.split_once(&format!(" USING {method} ")).map_or(text, |(_, after)| after);
    let on = predicate.as_ref().and_then(|predicate| after.strip_suffix(&format!(" WHERE {predicate}")));
    Index {
        unique: row.get(3),
        method: Some(method.to_owned()),
        on: on.unwrap_or(after).to_owned(),
        predicate,
        invalid: row.get(4),
        optional: false,
    }
}

fn sequence(row: &Row) -> Text {
    let text = |at: usize| row.get::<_, &str>(at);
    let mut definition = format!(
        "AS {} START {} INCREMENT {} MINVALUE {} MAXVALUE {} CACHE {}",
        text(1),
        text(2),
        text(3),
        text(4),
        text(5),
        text(6)
    );
    if row.get(7) {
        definition += " CYCLE";
    }
    if let Some(column) = row.get::<_, Option<&str>>(8) {
        definition += &format!(" OWNED BY {column}");
    }
    Text::new(definition)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_of_one_table_reads_the_same_from_every_version() {
        let old =
            " SELECT users.id,\n    lower(users.name) AS name\n   FROM users\n  WHERE (users.name <> 'users.x'::text)";
        let new = " SELECT id,\n    lower(name) AS name\n   FROM users\n  WHERE (name <> 'users.x'::text)";
        assert_eq!(unqualified(old), unqualified(new));
        assert_eq!(unqualified(new), new);
        let two = "SELECT a.id, b.id FROM (a JOIN b ON ((a.id = b.id)))";
        assert_eq!(unqualified(two), two);
    }

    #[test]
    fn the_columns_that_an_action_sets_belong_to_it() {
        let text = "FOREIGN KEY (a, b) REFERENCES t(a, b) ON DELETE SET NULL (b)";
        assert_eq!(action("n", text, " ON DELETE ").as_deref(), Some("set null (b)"));
        assert_eq!(action("a", text, " ON UPDATE "), None);
    }
}
