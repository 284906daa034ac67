-- DEPENDS: 0001_schema_history.sql
-- WHY: each recorded version says how far the log of attempts had come, so that a log whose end was cut
-- off is noticed. NULL where an earlier version of transload wrote the row.

ALTER TABLE transload_schema_history ADD COLUMN log_entries INTEGER;
ALTER TABLE transload_schema_history ADD COLUMN log_head TEXT;

-- ENSURE: SELECT count(*) = 13 FROM pragma_table_info('transload_schema_history');
