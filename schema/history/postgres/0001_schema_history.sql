-- WHY: which migrations a database has had, and every attempt at one, whatever came of it.
-- ALLOW: 3.1 because a table of this name that is not ours must stop the run

CREATE TABLE schema_history (
    set_name TEXT NOT NULL,
    number INTEGER NOT NULL,
    file TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('applied', 'baseline')),
    raw_checksum BYTEA NOT NULL,
    token_checksum BYTEA NOT NULL,
    validated TEXT NOT NULL,
    applied_at TIMESTAMP WITH TIME ZONE NOT NULL,
    milliseconds BIGINT NOT NULL,
    applied_by TEXT NOT NULL,
    version TEXT NOT NULL,
    PRIMARY KEY (set_name, number)
);

CREATE TABLE schema_attempts (
    number BIGINT PRIMARY KEY,
    line TEXT NOT NULL
);

-- The log only grows; who changes it all the same breaks its chain of hashes.
CREATE FUNCTION schema_attempts_only_grow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log of schema changes only grows';
END
$$;

CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON schema_attempts
    FOR EACH STATEMENT EXECUTE FUNCTION schema_attempts_only_grow();

-- ENSURE: SELECT count(*) = 2 FROM pg_class WHERE oid IN (to_regclass('schema_history'), to_regclass('schema_attempts'));
