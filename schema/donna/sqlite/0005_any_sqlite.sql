-- DEPENDS: 0001_core_tables.sql
-- WHY: the checks say the same to every SQLite. To those before 3.45 json_valid(NULL) is 0, not NULL, so an
-- application could not write NULL where the plan allows it, and its integrity check found fault with rows
-- that hold it. And some let 30 February and 24 o'clock pass where strftime has no modifier.
-- ALLOW: 3.1 because a view of this name that is not ours must stop the run
-- ALLOW: 3.3 because the post-conditions say what must have come of it
--
-- A check is only text, so no row is touched (SQLite's manual on ALTER TABLE, the shorter procedure). The
-- view changes the schema's version, by which other connections notice.

PRAGMA writable_schema = ON;

UPDATE sqlite_schema SET sql = replace(replace(sql,
        'CHECK (json_valid(profile))', 'CHECK (profile IS NULL OR json_valid(profile))'),
        'CHECK (json_valid(preferences))', 'CHECK (preferences IS NULL OR json_valid(preferences))')
    WHERE type = 'table' AND name = 'users';
UPDATE sqlite_schema SET sql = replace(sql,
        'CHECK (json_valid(metadata))', 'CHECK (metadata IS NULL OR json_valid(metadata))')
    WHERE type = 'table' AND name IN ('chat_sessions', 'messages');
UPDATE sqlite_schema SET sql = replace(sql, '_at, 1, 19)))', '_at, 1, 19), ''+0 days''))')
    WHERE type = 'table' AND name IN ('users', 'chat_sessions', 'messages', 'user_memory');

CREATE VIEW any_sqlite AS SELECT NULL;
DROP VIEW any_sqlite;

PRAGMA writable_schema = RESET;

-- ENSURE: SELECT count(*) = 4 FROM sqlite_schema t JOIN (VALUES ('users', 'profile'), ('users', 'preferences'),
--     ('chat_sessions', 'metadata'), ('messages', 'metadata')) c ON t.type = 'table' AND t.name = c.column1
-- WHERE instr(t.sql, 'CHECK (' || c.column2 || ' IS NULL OR json_valid(' || c.column2 || '))')
--     AND NOT instr(t.sql, 'CHECK (json_valid(' || c.column2 || '))');
-- ENSURE: SELECT count(*) = 10 FROM sqlite_schema t JOIN pragma_table_info(t.name) c ON c.name GLOB '*_at'
-- WHERE t.type = 'table' AND t.name IN ('users', 'chat_sessions', 'messages', 'user_memory')
--     AND instr(t.sql, 'strftime(''%Y-%m-%dT%H:%M:%S'', substr(' || c.name || ', 1, 19), ''+0 days''))');
