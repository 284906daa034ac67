-- DEPENDS: 0001_schema_history.sql
-- WHY: each recorded version says how far the log of attempts had come, so that a log whose end was cut
-- off is noticed. NULL where an earlier version of transload wrote the row.
-- ALLOW: 3.1 because a column of this name that is not ours must stop the run

ALTER TABLE schema_history ADD COLUMN log_entries BIGINT;
ALTER TABLE schema_history ADD COLUMN log_head TEXT;

-- ENSURE: SELECT count(*) = 2 FROM pg_attribute WHERE attrelid = to_regclass('schema_history')
-- AND attname IN ('log_entries', 'log_head');
