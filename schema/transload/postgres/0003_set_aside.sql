-- WHY: a bulk load sets keys, indexes and foreign keys aside. What it takes to put them back is
-- written here in the transaction that drops them, so that no crash can lose a definition.
-- ALLOW: 3.1 because a table of this name that is not ours must stop the run

CREATE TABLE set_aside (
    position INTEGER PRIMARY KEY,
    run_id UUID NOT NULL,
    step TEXT NOT NULL CHECK (step IN ('catalogue', 'index', 'key', 'reference', 'check', 'statistics', 'guard')),
    table_name TEXT NOT NULL,
    name TEXT NOT NULL,
    definition TEXT NOT NULL,
    search TEXT
);

-- ENSURE: SELECT to_regclass('set_aside') IS NOT NULL;
