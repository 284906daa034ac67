#!/usr/bin/env python3
"""What a careful person writes in an afternoon: donna's files into PostgreSQL, in one transaction.

It reads every file once, derives ids as docs/ids.md says, and sends each table by one COPY. It does not
resume, keep rejects, look for duplicates, record anything or prove anything: the first bad file ends it.

    load.py TREE URL             keys, indexes and foreign keys stay in place
    load.py TREE URL --rebuild   they are dropped first and built again at the end
"""

import json
import sys
import uuid
from datetime import datetime, timezone
from pathlib import Path

import psycopg

try:
    import orjson

    loads, dumps = orjson.loads, lambda value: orjson.dumps(value).decode()
except ImportError:
    loads, dumps = json.loads, lambda value: json.dumps(value, ensure_ascii=False)

NAMESPACE = uuid.UUID("27a9f043-8151-5573-a997-e22aadb1f56d")
COLUMNS = {
    "users": "id clerk_id email name profile preferences created_at updated_at last_active_at status",
    "chat_sessions": "id chat_id user_id title profile metadata created_at updated_at last_message_at"
    " message_count status",
    "messages": "id chat_session_id role content metadata created_at sequence_number token_count abuse_flagged",
    "user_memory": "id user_id memory_type key value created_at updated_at expires_at",
}


def derive(*parts):
    return uuid.uuid5(NAMESPACE, "\0".join(parts))


def user_id(legacy):
    try:
        return uuid.UUID(legacy) if len(legacy) == 36 else derive("users", legacy)
    except ValueError:
        return derive("users", legacy)


def mapping(value):
    return dumps({} if value is None or value == [] else value)


def when(value, otherwise=None):
    """PostgreSQL reads every usual spelling of a time but numbers."""
    if isinstance(value, (int, float)):
        return datetime.fromtimestamp(value / (1000 if abs(value) >= 1e11 else 1), timezone.utc)
    return otherwise if value in (None, "") else value


def cut(text, longest):
    return None if text is None else text[:longest]


def modified(path):
    return datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)


class Tree:
    """The rows of each table, one after the other."""

    def __init__(self, root):
        self.root = root
        self.known = {}
        self.placeholders = []

    def files(self, directory, pattern="*.json"):
        return sorted((self.root / directory).glob(pattern))

    def users(self):
        for path in self.files("users"):
            user = loads(path.read_bytes()) or {}
            identity = user_id(path.stem)
            self.known[path.stem] = identity
            clerk = user.get("clerk_id")
            if clerk is not None:
                self.known[clerk] = identity
            created = when(user.get("created_at"), when(user.get("updated_at"), modified(path)))
            yield (
                identity, clerk, cut(user.get("email"), 255), cut(user.get("name"), 255),
                mapping(user.get("profile")), mapping(user.get("preferences")), created,
                when(user.get("updated_at"), created), when(user.get("last_active_at")), user.get("status") or "active",
            )
        for path in self.files("memory"):
            if path.stem not in self.known:
                identity = self.known[path.stem] = user_id(path.stem)
                time = modified(path)
                yield identity, None, None, None, "{}", "{}", time, time, None, "placeholder"

    def user_memory(self):
        for path in self.files("memory"):
            time, user = modified(path), self.known[path.stem]
            for kind, entries in (loads(path.read_bytes()) or {}).items():
                typed = isinstance(entries, dict) and all(isinstance(e, dict) and "value" in e for e in entries.values())
                if not typed:
                    kind, entries = "profile", {kind: {"value": entries}}
                for key, entry in entries.items():
                    created = when(entry.get("created_at"), time)
                    yield (
                        derive("user_memory", path.stem, kind, key), user, kind, key, dumps(entry["value"]),
                        created, created, when(entry.get("expires_at")),
                    )

    def chats(self):
        """The messages of each chat, and then its session, which counts them."""
        for path in self.files("chat_sessions"):
            if path.name.endswith("_session.json"):
                continue
            chat, identity = path.stem, derive("chat_sessions", path.stem)
            about = path.with_name(chat + "_session.json")
            session = loads(about.read_bytes()) if about.exists() else {}
            history = loads(path.read_bytes())
            times = [time for time in map(message_time, history) if time is not None]
            created = when(session.get("created_at"), times[0] if times else modified(path))
            last, seen, messages = created, {}, []
            for number, message in enumerate(history, 1):
                last = message_time(message) or last
                legacy = message.get("id")
                if legacy is None:
                    one = derive("messages", chat, "position", str(number))
                else:
                    count = seen[legacy] = seen.get(legacy, -1) + 1
                    one = derive("messages", chat, "id", str(legacy), str(count))
                messages.append((
                    one, identity, message["role"], message["content"], mapping(message.get("metadata")), last,
                    number, message.get("token_count"), False,
                ))
            metadata = session.get("metadata") or {}
            yield (
                identity, chat, self.known.get(str(session.get("user_id"))),
                cut(session.get("title") or metadata.get("title"), 255),
                session.get("profile") or metadata.get("profile") or "general", mapping(metadata), created,
                when(session.get("updated_at"), last), when(session.get("last_message_at"), last),
                len(messages), session.get("status") or "active",
            ), messages


def message_time(message):
    return when(message.get("created_at"), when(message.get("timestamp")))


def copy(cursor, table, rows):
    columns = COLUMNS[table].replace(" ", ", ")
    count = 0
    with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as out:
        for row in rows:
            out.write_row(row)
            count += 1
    return count


def chats(cursor, tree):
    """Sessions go before the messages that refer to them, a thousand chats at a time."""
    sessions, messages, counts = [], [], [0, 0]

    def flush():
        counts[0] += copy(cursor, "chat_sessions", sessions)
        counts[1] += copy(cursor, "messages", messages)
        sessions.clear()
        messages.clear()

    for session, own in tree.chats():
        sessions.append(session)
        messages.extend(own)
        if len(sessions) == 1000:
            flush()
    flush()
    return counts


def set_aside(cursor):
    """Drops everything but the columns; returns what builds it again."""
    tables = list(COLUMNS)
    cursor.execute(
        "SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid = ANY (%s::regclass[]) AND contype IN ('p', 'u', 'f') ORDER BY contype = 'f', contype",
        [tables],
    )
    constraints = cursor.fetchall()
    cursor.execute(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = ANY (%s::regclass[])"
        " AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u'))",
        [tables],
    )
    indexes = cursor.fetchall()
    for index, _ in indexes:
        cursor.execute(f"DROP INDEX {index}")
    for table, name, _ in reversed(constraints):
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    keys = [f"ALTER TABLE {t} ADD CONSTRAINT {n} {d}" for t, n, d in constraints]
    return keys + [definition for _, definition in indexes]


def main():
    root, url = Path(sys.argv[1]), sys.argv[2]
    tree = Tree(root)
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        build = set_aside(cursor) if "--rebuild" in sys.argv[3:] else []
        users = copy(cursor, "users", tree.users())
        memory = copy(cursor, "user_memory", tree.user_memory())
        sessions, messages = chats(cursor, tree)
        for statement in build:
            cursor.execute(statement)
    print(json.dumps({"users": users, "user_memory": memory, "chat_sessions": sessions, "messages": messages}))


if __name__ == "__main__":
    main()
