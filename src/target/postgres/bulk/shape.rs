//! Everything about some tables that dropping and making again could change, as lines of text.
//!
//! Finer than [`crate::model::Catalogue`], which leaves out what a declared schema does not say:
//! comments, rights, the index that a table is clustered by.

use postgres::types::Oid;
use postgres::Client;

use crate::target::postgres::errors::Failure;

/// How the line of a table begins.
const TABLE: &str = "table ";

const LINES: &str = "
    SELECT line FROM (
        SELECT format('table %s: owner %s, persistence %s, options %s, rights %s, identity %s, security %s %s, \
                       comment %L', c.oid::regclass, c.relowner::regrole, c.relpersistence, c.reloptions, c.relacl,
                      c.relreplident, c.relrowsecurity, c.relforcerowsecurity, obj_description(c.oid, 'pg_class'))
        FROM pg_class c WHERE c.oid = ANY($1)
        UNION ALL
        SELECT format('column %s.%I: %s, not null %s, default %s, statistics %s, options %s, rights %s, comment %L',
                      a.attrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                      pg_get_expr(d.adbin, d.adrelid), a.attstattarget, a.attoptions, a.attacl,
                      col_description(a.attrelid, a.attnum))
        FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = ANY($1) AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT format('index %s: %s, primary %s, immediate %s, valid %s, ready %s, live %s, clustered %s, identity %s, \
                       space %s, comment %L', i.indexrelid::regclass, pg_get_indexdef(i.indexrelid), i.indisprimary,
                      i.indimmediate, i.indisvalid, i.indisready, i.indislive, i.indisclustered, i.indisreplident,
                      x.reltablespace, obj_description(i.indexrelid, 'pg_class'))
        FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = ANY($1)
        UNION ALL
        SELECT format('constraint %I on %s: %s, validated %s, index %s, local %s, inherited %s %s, comment %L',
                      k.conname, k.conrelid::regclass, pg_get_constraintdef(k.oid), k.convalidated,
                      nullif(k.conindid, 0)::regclass, k.conislocal, k.coninhcount, k.connoinherit,
                      obj_description(k.oid, 'pg_constraint'))
        FROM pg_constraint k WHERE k.conrelid = ANY($1) OR k.confrelid = ANY($1)
        UNION ALL
        SELECT format('trigger on %s: %s, enabled %s', g.tgrelid::regclass,
                      CASE WHEN g.tgisinternal THEN format('%s for %I', g.tgfoid::regprocedure, k.conname)
                           ELSE pg_get_triggerdef(g.oid) END, g.tgenabled)
        FROM pg_trigger g LEFT JOIN pg_constraint k ON k.oid = g.tgconstraint WHERE g.tgrelid = ANY($1)
    ) AS lines (line) ORDER BY line COLLATE \"C\"";

pub fn read(client: &mut Client, tables: &[Oid]) -> Result<String, Failure> {
    let rows = client.query(LINES, &[&tables])?;
    // A comment may hold line ends.
    let lines = rows.iter().map(|row| row.get::<_, String>(0).replace('\\', "\\\\").replace('\n', "\\n"));
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

/// The tables that lines are about.
pub fn tables_of(client: &mut Client, lines: &str) -> Result<Vec<Oid>, Failure> {
    let names = lines.lines().filter_map(|line| line.strip_prefix(TABLE)?.split_once(": owner ").map(|(name, _)| name));
    let mut oids = Vec::new();
    for name in names {
        let oid: Option<Oid> = client.query_one("SELECT to_regclass($1)::oid", &[&name])?.get(0);
        oids.extend(oid);
    }
    Ok(oids)
}

/// The lines that only one of both has; at most a few.
pub fn differences(before: &str, now: &str) -> Vec<String> {
    const MOST: usize = 6;
    let only = |of: &str, other: &str, word: &str| -> Vec<String> {
        let has = |line: &&str| !other.lines().any(|it| it == *line);
        of.lines().filter(has).map(|line| format!("{word} {line}")).collect()
    };
    let mut all = only(before, now, "missing is");
    all.extend(only(now, before, "new is"));
    all.truncate(MOST);
    all
}

#[cfg(test)]
mod tests {
    use super::differences;

    #[test]
    fn only_lines_that_differ_are_told() {
        assert_eq!(differences("a\nb", "a\nb"), [""; 0]);
        assert_eq!(differences("a\nb\nd", "a\nc\nd"), ["missing is b", "new is c"]);
    }
}
