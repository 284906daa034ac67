-- WHY: which migrations a database has had. The log of attempts is a file beside it.
-- ALLOW: 3.1 because a table of this name that is not ours must stop the run

CREATE TABLE transload_schema_history (
    set_name TEXT NOT NULL,
    number INTEGER NOT NULL,
    file TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('applied', 'baseline')),
    raw_checksum BLOB NOT NULL CHECK (length(raw_checksum) = 32),
    token_checksum BLOB NOT NULL CHECK (length(token_checksum) = 32),
    validated TEXT NOT NULL,
    applied_at TEXT NOT NULL CHECK (applied_at GLOB '????-??-??T??:??:??.??????Z'),
    milliseconds INTEGER NOT NULL,
    applied_by TEXT NOT NULL,
    version TEXT NOT NULL,
    PRIMARY KEY (set_name, number)
) STRICT;

-- ENSURE: SELECT count(*) = 11 FROM pragma_table_info('transload_schema_history');
