#!/usr/bin/env python3
"""Loads a donna tree into PostgreSQL with SQL alone: DuckDB reads the JSON and writes CSV, psql copies it, in one transaction.

The yardstick of a person who knows SQL. The rows have the same values as those of load.py; only ids differ, which DuckDB
makes with md5. All keys, indexes and foreign keys are in place. Like load.py it does no resuming, no rejects and no proof.

    duckdb_load.py TREE postgres://user@host/database

Needs the Python package duckdb, which brings the engine, and psql.
"""

import os
import subprocess
import sys
import tempfile

import duckdb

# One shape for the entries of all three kinds of histories; a member that a file lacks is NULL.
ENTRY = """'[{"role": "VARCHAR", "from": "VARCHAR", "content": "VARCHAR", "reply": "VARCHAR", "metadata": "JSON",
    "original": "JSON", "created_at": "VARCHAR", "timestamp": "VARCHAR", "token_count": "JSON"}]'"""

MACROS = """
SET TimeZone = 'UTC';
CREATE MACRO derived(kind, name) AS md5(kind || chr(31) || name)::UUID;
-- Times are text of any layout, or seconds.
CREATE MACRO moment(value) AS coalesce(try_cast(value AS TIMESTAMPTZ), to_timestamp(try_cast(value AS DOUBLE)));
-- PHP writes an empty map as a list, and nobody wants an empty text.
CREATE MACRO as_map(value) AS if(value IS NULL OR json(value)::VARCHAR IN ('[]', 'null'), '{}', json(value)::VARCHAR);
CREATE MACRO filled(value) AS nullif(value, '');
"""

# Tables that hold what several of the results need.
STEPS = f"""
CREATE TEMP TABLE people AS
    SELECT stem, derived('users', stem) AS id, filled(data->>'clerk_id') AS clerk, data, changed FROM user_files;

CREATE TEMP TABLE entries AS
    WITH kinds AS (
        SELECT stem, changed, unnest(map_entries(from_json(data, '"MAP(VARCHAR, JSON)"'))) AS kind,
            NOT json_exists(data, '$.interactions')
            AND len(list_filter(map_values(from_json(data, '"MAP(VARCHAR, JSON)"')),
                lambda part: json_type(part) NOT IN ('OBJECT', 'ARRAY'))) = 0 AS nested
        FROM memory_files WHERE json_type(data) = 'OBJECT'
    ), pairs AS (
        SELECT stem, changed, kind.key AS kind, unnest(map_entries(from_json(kind.value, '"MAP(VARCHAR, JSON)"'))) AS pair
            FROM kinds WHERE nested AND json_type(kind.value) = 'OBJECT'
        UNION ALL
        SELECT stem, changed, kind.key, unnest(list_transform(from_json(kind.value, '["JSON"]'),
            lambda entry, place: {{'key': (place - 1)::VARCHAR, 'value': entry}}))
            FROM kinds WHERE nested AND json_type(kind.value) = 'ARRAY'
    )
    SELECT stem, changed, kind, pair.key AS key, pair.value->'value' AS value,
        moment(pair.value->>'created_at') AS created, moment(pair.value->>'expires_at') AS expires FROM pairs
    UNION ALL
    SELECT stem, changed, if(kind.key = 'preferences', 'preferences', 'profile'), kind.key, kind.value, NULL, NULL
        FROM kinds WHERE NOT nested;

-- Whose memory there is and who has no file gets a placeholder.
CREATE TEMP TABLE strangers AS
    SELECT stem, any_value(changed) AS changed FROM entries
    WHERE stem NOT IN (SELECT stem FROM people)
        AND stem NOT IN (SELECT clerk FROM people WHERE clerk IS NOT NULL)
    GROUP BY stem;

-- By every name that a reference may use.
CREATE TEMP TABLE known AS
    SELECT stem AS name, id FROM people
    UNION SELECT clerk, id FROM people WHERE clerk IS NOT NULL
    UNION SELECT stem, derived('users', stem) FROM strangers;

CREATE TEMP TABLE histories AS
    SELECT stem AS chat, NULL AS profile, from_json(data, {ENTRY}) AS entries, changed
        FROM chat_files WHERE json_type(data) = 'ARRAY'
    UNION ALL SELECT stem, 'email', from_json(data, {ENTRY}), changed FROM conversation_files
    UNION ALL SELECT 'mcp/' || stem, 'email', from_json(data, {ENTRY}), changed FROM reply_files;

-- A session file and a history are one chat; either may be missing.
CREATE TEMP TABLE chats AS
    WITH sessions AS (
        SELECT if(suffix(stem, '_session'), stem[:-9], stem) AS chat, data, changed
        FROM chat_files WHERE json_type(data) = 'OBJECT'
    )
    SELECT chat, derived('chats', chat) AS id, s.data, h.profile, h.entries, coalesce(s.changed, h.changed) AS changed,
        coalesce(moment(s.data->>'created_at'),
            moment(coalesce(filled(h.entries[1].created_at), h.entries[1].timestamp)), s.changed, h.changed) AS created
    FROM sessions s FULL JOIN histories h USING (chat);

CREATE TEMP TABLE lines AS
    WITH places AS (
        SELECT chat, id AS parent, created AS begun, unnest(entries) AS entry, generate_subscripts(entries, 1) AS place
        FROM chats WHERE len(entries) > 0
    )
    SELECT parent, chat, place, begun, coalesce(entry.content, entry.reply) AS content,
        coalesce(filled(entry.role), CASE WHEN entry.reply IS NOT NULL OR entry."from" = 'bot' THEN 'assistant' ELSE 'user' END) AS role,
        coalesce(entry.metadata, entry.original) AS metadata, entry.token_count AS tokens,
        moment(coalesce(filled(entry.created_at), entry.timestamp)) AS told
    FROM places;

-- The user message that a moderator's mark follows.
CREATE TEMP TABLE flagged AS
    SELECT mark.parent, max(line.place) AS place
    FROM lines mark JOIN lines line ON line.parent = mark.parent AND line.place < mark.place AND line.role = 'user'
    WHERE mark.role = 'system' AND starts_with(mark.content, '🚩 Conversation flagged')
    GROUP BY mark.parent, mark.place;
"""

RESULTS = {
    "users": """
        SELECT id, clerk AS clerk_id, data->>'email' AS email, data->>'name' AS name, as_map(data->'profile') AS profile,
            as_map(data->'preferences') AS preferences, coalesce(moment(data->>'created_at'), changed) AS created_at,
            coalesce(moment(data->>'updated_at'), moment(data->>'created_at'), changed) AS updated_at,
            moment(data->>'last_active_at') AS last_active_at, coalesce(filled(data->>'status'), 'active') AS status
        FROM people
        UNION ALL
        SELECT derived('users', stem), NULL, NULL, NULL, '{}', '{}', changed, changed, NULL, 'placeholder' FROM strangers
        """,
    "chat_sessions": """
        SELECT c.id, chat AS chat_id, k.id AS user_id,
            left(coalesce(filled(data->>'title'), filled(data->>'$.metadata.title')), 255) AS title,
            left(coalesce(filled(data->>'profile'), filled(data->>'$.metadata.profile'), c.profile, 'general'), 50) AS profile,
            as_map(data->'metadata') AS metadata, created AS created_at,
            coalesce(moment(data->>'updated_at'), created) AS updated_at, moment(data->>'last_message_at') AS last_message_at,
            coalesce(len(entries), 0) AS message_count, coalesce(filled(data->>'status'), 'active') AS status
        FROM chats c LEFT JOIN known k ON k.name = c.data->>'user_id'
        """,
    # A message without a time has that of the one before it, the first that of its chat.
    "messages": """
        SELECT derived('messages', chat || chr(31) || place) AS id, parent AS chat_session_id, role, content,
            as_map(metadata) AS metadata,
            coalesce(told, last_value(told IGNORE NULLS) OVER (PARTITION BY parent ORDER BY place), begun) AS created_at,
            place AS sequence_number, if(json_type(tokens) IN ('UBIGINT', 'BIGINT'), tokens::INTEGER, NULL) AS token_count,
            (parent, place) IN (SELECT (parent, place) FROM flagged) AS abuse_flagged
        FROM lines
        """,
    "user_memory": """
        SELECT derived('memory', concat_ws(chr(31), stem, kind, key)) AS id, k.id AS user_id, kind AS memory_type, key,
            coalesce(value::VARCHAR, 'null') AS value, coalesce(created, changed) AS created_at,
            coalesce(created, changed) AS updated_at, expires AS expires_at
        FROM entries e JOIN known k ON k.name = e.stem
        """,
}

FILES = {
    "user_files": "users",
    "memory_files": "memory",
    "chat_files": "chat_sessions",
    "conversation_files": "conversations",
    "reply_files": "mcp/storage/conversations",
}


def read_files(connection, tree):
    for table, directory in FILES.items():
        folder = os.path.join(tree, directory)
        # DuckDB takes a pattern that finds nothing for a mistake.
        if not os.path.isdir(folder) or not any(name.endswith(".json") for name in os.listdir(folder)):
            connection.execute(f"CREATE TEMP TABLE {table} (stem VARCHAR, data JSON, changed TIMESTAMPTZ)")
            continue
        connection.execute(
            f"CREATE TEMP TABLE {table} AS SELECT regexp_extract(filename, '([^/]*)\\.json$', 1) AS stem,"
            " content::JSON AS data, last_modified::TIMESTAMPTZ AS changed FROM read_text(?)",
            [os.path.join(folder, "*.json")],
        )


def main():
    tree, database = sys.argv[1:]
    connection = duckdb.connect()
    # The order of rows in a table means nothing; to keep it costs memory.
    connection.execute("SET preserve_insertion_order = false")
    connection.execute(MACROS)
    read_files(connection, tree)
    connection.execute(STEPS)
    with tempfile.TemporaryDirectory() as scratch:
        copies = []
        for table, query in RESULTS.items():
            file = os.path.join(scratch, table + ".csv")
            connection.execute(f"COPY ({query}) TO '{file}' (FORMAT csv, HEADER false)")
            columns = ", ".join(name for name, *_ in connection.execute(f"DESCRIBE {query}").fetchall())
            copies += ["-c", f"\\copy {table} ({columns}) FROM '{file}' CSV"]
        return subprocess.run(["psql", "-q", "-X", "-1", "-v", "ON_ERROR_STOP=1", database, *copies]).returncode


if __name__ == "__main__":
    sys.exit(main())
