#!/usr/bin/env python3
"""Loads a donna tree into PostgreSQL as a careful person would script it: one pass, COPY, one transaction.

It is the yardstick of a hand-written script, so it does what such a script does and no more: no resuming, no
rejects, no residue, no second run, no proof. Values go to the same columns as with transload, and the number of
rows in every table must come out the same (run.sh looks).

    load.py TREE postgres://user@host/database             with all keys and indexes in place
    load.py --rebuild TREE postgres://user@host/database   they are dropped before and made again after

Needs psycopg 3 with its C part (psycopg[binary]); orjson is used where it is installed.
"""

import argparse
import os
import sys
import uuid
from datetime import datetime, timezone

import psycopg

try:
    import orjson

    parse = orjson.loads

    def dump(value):
        return orjson.dumps(value).decode()

except ImportError:
    import json

    parse = json.loads

    def dump(value):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


USERS = "id clerk_id email name profile preferences created_at updated_at last_active_at status".split()
SESSIONS = (
    "id chat_id user_id title profile metadata created_at updated_at last_message_at message_count status".split()
)
MESSAGES = "id chat_session_id role content metadata created_at sequence_number token_count abuse_flagged".split()
MEMORY = "id user_id memory_type key value created_at updated_at expires_at".split()

TYPES = {
    "users": (USERS, "uuid varchar varchar varchar jsonb jsonb timestamptz timestamptz timestamptz varchar"),
    "chat_sessions": (
        SESSIONS,
        "uuid varchar uuid varchar varchar jsonb timestamptz timestamptz timestamptz int4 varchar",
    ),
    "messages": (MESSAGES, "uuid uuid varchar text jsonb timestamptz int4 int4 bool"),
    "user_memory": (MEMORY, "uuid uuid varchar varchar jsonb timestamptz timestamptz timestamptz"),
}

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://example.com/donna")
EMAIL = {"profile": "email"}
REPLIES = "mcp/storage/conversations"
FLAG = "🚩 Conversation flagged"


def derived(*parts):
    return uuid.uuid5(NAMESPACE, "\0".join(parts))


def when(text, fallback):
    """A time of any layout; what is none is the fallback."""
    if text is None:
        return fallback
    try:
        if isinstance(text, (int, float)):
            return datetime.fromtimestamp(text, timezone.utc)
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return fallback
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def as_map(value):
    """PHP writes an empty map as a list."""
    return "{}" if value == [] or value is None else dump(value)


def read(path):
    with open(path, "rb") as file:
        return parse(file.read()), datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, timezone.utc)


def names(tree, directory):
    try:
        return sorted(name for name in os.listdir(os.path.join(tree, directory)) if name.endswith(".json"))
    except FileNotFoundError:
        return []


def users(tree, known):
    for name in names(tree, "users"):
        data, changed = read(os.path.join(tree, "users", name))
        row = derived("users", name[:-5])
        known[name[:-5]] = row
        if data.get("clerk_id"):
            known[data["clerk_id"]] = row
        created = when(data.get("created_at"), changed)
        yield (
            row,
            data.get("clerk_id"),
            data.get("email"),
            data.get("name"),
            as_map(data.get("profile")),
            as_map(data.get("preferences")),
            created,
            when(data.get("updated_at"), created),
            when(data.get("last_active_at"), None),
            data.get("status") or "active",
        )


def placeholders(tree, known):
    """Whose memory there is and who has no file."""
    for name in names(tree, "memory"):
        stem = name[:-5]
        if stem not in known:
            data, changed = read(os.path.join(tree, "memory", name))
            if data:
                known[stem] = derived("users", stem)
                yield (known[stem], None, None, None, "{}", "{}", changed, changed, None, "placeholder")


def chats(tree):
    """Chats as (chat_id, session or None, history or None, time), their two files together."""
    found = {}
    for name in names(tree, "chat_sessions"):
        data, changed = read(os.path.join(tree, "chat_sessions", name))
        stem = name[:-5]
        is_session = isinstance(data, dict) and stem.endswith("_session")
        chat = stem.removesuffix("_session") if is_session else stem
        other = found.pop(chat, None)
        if other is None:
            found[chat] = (data, changed)
        else:
            session, history = (data, other[0]) if is_session else (other[0], data)
            yield chat, session, history, changed
    for chat, (data, changed) in found.items():
        yield (chat, data, None, changed) if isinstance(data, dict) else (chat, None, data, changed)
    for name in names(tree, "conversations"):
        data, changed = read(os.path.join(tree, "conversations", name))
        yield name[:-5], EMAIL, data, changed
    for name in names(tree, REPLIES):
        data, changed = read(os.path.join(tree, REPLIES, name))
        replies = [
            {"role": "assistant", "content": reply["reply"], "metadata": reply.get("original"), "timestamp": reply.get("timestamp")}
            for reply in data
        ]
        yield "mcp/" + name[:-5], EMAIL, replies, changed


def session_row(chat, session, history, changed, known):
    session = session or {}
    metadata = session.get("metadata") or {}
    messages = history or []
    first = messages[0] if messages else {}
    created = when(session.get("created_at"), when(first.get("created_at") or first.get("timestamp"), changed))
    title = session.get("title") or metadata.get("title")
    return (
        derived("chats", chat),
        chat,
        known.get(session.get("user_id")),
        title[:255] if title else None,
        (session.get("profile") or metadata.get("profile") or "general")[:50],
        as_map(session.get("metadata")),
        created,
        when(session.get("updated_at"), created),
        when(session.get("last_message_at"), None),
        len(messages),
        session.get("status") or "active",
    )


def message_rows(chat, parent, history, created):
    flagged = {
        max(at for at in range(place) if history[at].get("role") in ("user", "lead"))
        for place, message in enumerate(history)
        if message.get("role") == "system" and str(message.get("content", "")).startswith(FLAG)
        and any(history[at].get("role") in ("user", "lead") for at in range(place))
    }
    for place, message in enumerate(history):
        role = message.get("role") or {"lead": "user", "bot": "assistant"}.get(message.get("from"), "user")
        created = when(message.get("created_at") or message.get("timestamp"), created)
        tokens = message.get("token_count")
        yield (
            derived("messages", chat, str(place)),
            parent,
            role,
            message["content"],
            as_map(message.get("metadata")),
            created,
            place + 1,
            tokens if isinstance(tokens, int) else None,
            place in flagged,
        )


def memory(tree, known):
    for name in names(tree, "memory"):
        data, changed = read(os.path.join(tree, "memory", name))
        if not data:
            continue
        owner = known[name[:-5]]
        entries = []
        if all(isinstance(value, (dict, list)) for value in data.values()) and "interactions" not in data:
            for kind, keys in data.items():
                pairs = keys.items() if isinstance(keys, dict) else enumerate(keys)
                entries += [(kind, str(key), entry) for key, entry in pairs]
        else:
            entries = [("preferences" if key == "preferences" else "profile", key, {"value": value}) for key, value in data.items()]
        for kind, key, entry in entries:
            created = when(entry.get("created_at"), changed)
            yield (
                derived("memory", name, kind, key),
                owner,
                kind,
                key,
                dump(entry.get("value")),
                created,
                created,
                when(entry.get("expires_at"), None),
            )


def copy(cursor, table, rows):
    columns, types = TYPES[table]
    with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as stream:
        # JSON is dumped already; as jsonb it would be dumped once more, into a string that contains JSON.
        stream.set_types(types.replace("jsonb", "text").split())
        for row in rows:
            stream.write_row(row)


def set_aside(cursor):
    """Drops what can be made again, references first; returns the statements that make it, in order."""
    tables = list(TYPES)
    cursor.execute(
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), contype FROM pg_constraint"
        " WHERE conrelid = ANY(%s::regclass[]) AND contype IN ('f', 'p', 'u') ORDER BY contype = 'f' DESC",
        (tables,),
    )
    constraints = cursor.fetchall()
    cursor.execute(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = ANY(%s::regclass[])"
        " AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)",
        (tables,),
    )
    indexes = cursor.fetchall()
    for table, name, _, _ in constraints:
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    for name, _ in indexes:
        cursor.execute(f"DROP INDEX {name}")
    add = [f"ALTER TABLE {table} ADD CONSTRAINT {name} {rule}" for table, name, rule, _ in reversed(constraints)]
    keys = [text for text in add if "FOREIGN KEY" not in text]
    references = [text for text in add if "FOREIGN KEY" in text]
    return keys + [text for _, text in indexes] + references


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rebuild", action="store_true", help="drop keys and indexes before, make them after")
    arguments.add_argument("tree")
    arguments.add_argument("database")
    given = arguments.parse_args()
    known = {}
    with psycopg.connect(given.database) as connection, connection.cursor() as cursor:
        cursor.execute("SET maintenance_work_mem = '256MB'")
        again = set_aside(cursor) if given.rebuild else []
        copy(cursor, "users", users(given.tree, known))
        copy(cursor, "users", placeholders(given.tree, known))
        # Read twice, so that no message waits in memory for its session's row.
        copy(cursor, "chat_sessions", (session_row(*chat, known) for chat in chats(given.tree)))
        copy(cursor, "messages", all_messages(given.tree, known))
        copy(cursor, "user_memory", memory(given.tree, known))
        for statement in again:
            cursor.execute(statement)
    return 0


def all_messages(tree, known):
    for chat, session, history, changed in chats(tree):
        if history:
            created = session_row(chat, session, history, changed, known)[6]
            yield from message_rows(chat, derived("chats", chat), history, created)


if __name__ == "__main__":
    sys.exit(main())
