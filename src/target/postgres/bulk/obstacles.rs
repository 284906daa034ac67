//! What keeps us from setting things aside: whatever depends on what would be dropped, or could not
//! be made again as it was.

use postgres::types::Oid;
use postgres::Client;

use super::Wanted;
use crate::target::postgres::errors::Failure;

/// Sentences about tables, each with its rank.
const OBSTACLES: &str = "
    SELECT why FROM (
        SELECT 1, format('%s is no plain table', c.oid::regclass)
        FROM pg_class c WHERE c.oid = ANY($1) AND (c.relkind <> 'r' OR c.relispartition
            OR EXISTS (SELECT FROM pg_inherits h WHERE c.oid IN (h.inhrelid, h.inhparent)))
        UNION ALL
        SELECT 2, format('%s belongs to %s', c.oid::regclass, c.relowner::regrole)
        FROM pg_class c WHERE c.oid = ANY($1) AND NOT pg_has_role(c.relowner, 'USAGE')
        UNION ALL
        SELECT 3, format('%s refers to %s', k.conrelid::regclass, k.confrelid::regclass)
        FROM pg_constraint k WHERE k.contype = 'f' AND (k.confrelid = ANY($1)) <> (k.conrelid = ANY($1))
        UNION ALL
        SELECT 4, CASE WHEN v.oid = ANY($1) THEN format('a rule rewrites %s', v.oid::regclass)
                       ELSE format('the view %s reads %s', v.oid::regclass, d.refobjid::regclass) END
        FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class v ON v.oid = r.ev_class
        WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY($1)
        UNION ALL
        SELECT 5, format('the publication %I publishes %s', p.pubname, c.oid::regclass)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_publication_tables p ON p.schemaname = n.nspname AND p.tablename = c.relname WHERE c.oid = ANY($1)
        UNION ALL
        SELECT 6, format('a subscription writes to %s', r.srrelid::regclass)
        FROM pg_subscription_rel r WHERE r.srrelid = ANY($1)
        UNION ALL
        SELECT 7, format('%s has the trigger %I', g.tgrelid::regclass, g.tgname)
        FROM pg_trigger g WHERE g.tgrelid = ANY($1) AND NOT g.tgisinternal
        UNION ALL
        SELECT 8, format('triggers of %s are disabled or changed', g.tgrelid::regclass)
        FROM pg_trigger g WHERE g.tgrelid = ANY($1) AND g.tgisinternal AND g.tgenabled <> 'O'
        UNION ALL
        SELECT 9, format('%s has row security', c.oid::regclass)
        FROM pg_class c WHERE c.oid = ANY($1) AND (c.relrowsecurity OR c.relforcerowsecurity)
        UNION ALL
        SELECT 10, format('%s has an exclusion constraint', k.conrelid::regclass)
        FROM pg_constraint k WHERE k.conrelid = ANY($1) AND k.contype = 'x'
        UNION ALL
        SELECT 11, format('the index %s is clustered by, or identifies rows for replication', i.indexrelid::regclass)
        FROM pg_index i WHERE i.indrelid = ANY($1) AND (i.indisclustered OR i.indisreplident)
        UNION ALL
        SELECT 12, format('the index %s is not valid', i.indexrelid::regclass)
        FROM pg_index i WHERE i.indrelid = ANY($1) AND NOT (i.indisvalid AND i.indisready AND i.indislive)
        UNION ALL
        SELECT 13, format('the index %s stands in a tablespace of its own, or has statistics of its own',
                          i.indexrelid::regclass)
        FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
        WHERE i.indrelid = ANY($1) AND (x.reltablespace <> 0 OR EXISTS (
            SELECT FROM pg_attribute a WHERE a.attrelid = x.oid AND a.attstattarget >= 0))
        UNION ALL
        SELECT 14, format('an extension has to do with the index %s', i.indexrelid::regclass)
        FROM pg_index i JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
        WHERE i.indrelid = ANY($1) AND d.deptype IN ('e', 'x')
        UNION ALL
        SELECT 15, format('the key of %s is no b-tree', i.indrelid::regclass)
        FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam
        WHERE i.indrelid = ANY($1) AND i.indisunique AND m.amname <> 'btree'
    ) AS found (rank, why) ORDER BY rank, why LIMIT 20";

/// The obstacles, worst first.
pub fn find(client: &mut Client, tables: &[Wanted], oids: &[Oid]) -> Result<Vec<String>, Failure> {
    let mut found: Vec<String> = client.query(OBSTACLES, &[&oids])?.iter().map(|row| row.get(0)).collect();
    for table in tables {
        let query = format!("SELECT EXISTS (SELECT FROM {})", table.name);
        if found.is_empty() && client.query_one(&query, &[])?.get(0) {
            found.push(format!("{} holds rows", table.name));
        }
    }
    Ok(found)
}
