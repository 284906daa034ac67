-- WHY: a bulk load sets indexes aside. What it takes to put them back is written here in the
-- transaction that drops them, so that no crash can lose a definition.
-- ALLOW: 3.1 because a table of this name that is not ours must stop the run

CREATE TABLE transload_set_aside (
    position INTEGER NOT NULL PRIMARY KEY,
    run_id TEXT NOT NULL CHECK (length(run_id) = 36 AND run_id = lower(run_id)),
    step TEXT NOT NULL CHECK (step IN ('catalogue', 'index', 'key', 'reference', 'check', 'statistics', 'guard')),
    table_name TEXT NOT NULL,
    name TEXT NOT NULL,
    definition TEXT NOT NULL,
    search TEXT
) STRICT;

-- ENSURE: SELECT count(*) = 1 FROM sqlite_schema WHERE type = 'table' AND name = 'transload_set_aside';
