//! Keeping others away from the tables of a load.
//!
//! *Those who write*, because what they write could not be checked: by a trigger for each statement,
//! not for each row, so that COPY keeps its way of many rows at once. It is a guard against accidents:
//! whoever knows the setting can pass.
//!
//! *Autovacuum*, because it would begin on the largest table in the middle of a load, and the first
//! index would wait until the server ends it (`deadlock_timeout`): by the tables' own option, and not
//! by a lock. A session that keeps a lock for the whole load can bring it to a stand together with
//! somebody who wants another one, and no deadlock is detected.

use postgres::types::Oid;
use postgres::Client;
use uuid::Uuid;

use super::{Noted, Wanted, PASS};
use crate::target::bulk::Step;
use crate::target::postgres::errors::Failure;
use crate::target::postgres::sql::{quote, Schemas};

const NAME: &str = "transload_bulk_load";

const AUTOVACUUM: &str = "autovacuum_enabled";

/// Tables of which nobody said whether autovacuum may come.
const UNSAID: &str = "
    SELECT c.oid FROM pg_class c WHERE c.oid = ANY($1)
    AND NOT EXISTS (SELECT FROM pg_options_to_table(c.reloptions) o WHERE o.option_name = $2)";

/// Keeps all others away; returns the steps that let them back.
pub fn put_up(client: &mut Client, schemas: &Schemas, tables: &[Wanted], run: Uuid) -> Result<Vec<Noted>, Failure> {
    let mut steps = switch_autovacuum_off(client, tables)?;
    steps.extend(make_triggers(client, schemas, tables, run)?);
    Ok(steps)
}

/// A table's large values (TOAST) go by the same option.
fn switch_autovacuum_off(client: &mut Client, tables: &[Wanted]) -> Result<Vec<Noted>, Failure> {
    let oids: Vec<Oid> = tables.iter().map(|table| table.oid).collect();
    let unsaid: Vec<Oid> = client.query(UNSAID, &[&oids, &AUTOVACUUM])?.iter().map(|row| row.get(0)).collect();
    let mut steps = Vec::new();
    for Wanted { name, .. } in tables.iter().filter(|table| unsaid.contains(&table.oid)) {
        client.batch_execute(&format!("ALTER TABLE {name} SET ({AUTOVACUUM} = off)"))?;
        steps.push(step(name, AUTOVACUUM, format!("ALTER TABLE {name} RESET ({AUTOVACUUM})")));
    }
    Ok(steps)
}

fn step(table: &str, name: &str, definition: String) -> Noted {
    Noted { step: Step::Guard, table: table.to_owned(), name: name.to_owned(), definition, search: None }
}

fn make_triggers(client: &mut Client, schemas: &Schemas, tables: &[Wanted], run: Uuid) -> Result<Vec<Noted>, Failure> {
    let function = format!("{}.{}", quote(schemas.ledger), quote(NAME));
    client.batch_execute(&format!(
        "CREATE OR REPLACE FUNCTION {function}() RETURNS pg_catalog.trigger LANGUAGE plpgsql AS $guard$
         BEGIN
             IF coalesce(current_setting('{PASS}', true), '') <> TG_ARGV[0] THEN
                 RAISE EXCEPTION 'transload is loading \"%\" in bulk: nobody else can write to it', TG_TABLE_NAME
                     USING ERRCODE = 'object_in_use',
                           HINT = 'Wait until `transload migrate` has ended. If it was interrupted, run it again.';
             END IF;
             RETURN NULL;
         END
         $guard$"
    ))?;
    let mut steps = Vec::new();
    for Wanted { name, .. } in tables {
        client.batch_execute(&format!(
            "CREATE TRIGGER {0} BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON {name} \
             FOR EACH STATEMENT EXECUTE FUNCTION {function}('{run}')",
            quote(NAME)
        ))?;
        steps.push(step(name, NAME, format!("DROP TRIGGER {} ON {name}", quote(NAME))));
    }
    steps.push(step("", NAME, format!("DROP FUNCTION {function}()")));
    Ok(steps)
}
