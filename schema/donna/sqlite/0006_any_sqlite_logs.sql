-- DEPENDS: 0003_system_logs.sql
-- WHY: as 0005, for the table that only some databases have, and that may come after 0005.
-- OPTIONAL: logs
-- ALLOW: 3.1 because a view of this name that is not ours must stop the run
-- ALLOW: 3.3 because the post-condition says what must have come of it

PRAGMA writable_schema = ON;

UPDATE sqlite_schema SET sql = replace(replace(sql,
        'CHECK (json_valid(context))', 'CHECK (context IS NULL OR json_valid(context))'),
        '_at, 1, 19)))', '_at, 1, 19), ''+0 days''))')
    WHERE type = 'table' AND name = 'system_logs';

CREATE VIEW any_sqlite_logs AS SELECT NULL;
DROP VIEW any_sqlite_logs;

PRAGMA writable_schema = RESET;

-- ENSURE: SELECT count(*) = 1 FROM sqlite_schema WHERE type = 'table' AND name = 'system_logs'
-- AND instr(sql, 'CHECK (context IS NULL OR json_valid(context))') AND NOT instr(sql, 'CHECK (json_valid(context))')
-- AND instr(sql, 'strftime(''%Y-%m-%dT%H:%M:%S'', substr(created_at, 1, 19), ''+0 days''))');
