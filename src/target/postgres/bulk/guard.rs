//! Keeping others from writing: what they write could not be checked.
//!
//! A trigger for each statement, not for each row, so that COPY keeps its way of many rows at once.
//! It is a guard against accidents: whoever knows the setting can pass.

use postgres::Client;
use uuid::Uuid;

use super::{Noted, Wanted, PASS};
use crate::target::bulk::Step;
use crate::target::postgres::errors::Failure;
use crate::target::postgres::sql::{quote, Schemas};

const NAME: &str = "transload_bulk_load";

/// Makes the triggers; returns the steps that remove them.
pub fn put_up(client: &mut Client, schemas: &Schemas, tables: &[Wanted], run: Uuid) -> Result<Vec<Noted>, Failure> {
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
    let step = |table: &str, definition: String| Noted {
        step: Step::Guard,
        table: table.to_owned(),
        name: NAME.to_owned(),
        definition,
        search: None,
    };
    let mut steps = Vec::new();
    for Wanted { name, .. } in tables {
        client.batch_execute(&format!(
            "CREATE TRIGGER {0} BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON {name} \
             FOR EACH STATEMENT EXECUTE FUNCTION {function}('{run}')",
            quote(NAME)
        ))?;
        steps.push(step(name, format!("DROP TRIGGER {} ON {name}", quote(NAME))));
    }
    steps.push(step("", format!("DROP FUNCTION {function}()")));
    Ok(steps)
}
