-- WHY: the tables of donna's database plan, with its keys, unique constraints and foreign keys.
-- ALLOW: 3.1 because a table of this name that is not ours must stop the run
--
-- SQLite has neither UUID nor TIMESTAMP, JSONB, VARCHAR(n) or BOOLEAN, so the checks say what those types
-- would refuse: an id is a UUID in lower case; a time is UTC, exists in the calendar and has six digits
-- behind the second; JSON is valid; lengths count characters; an INTEGER has 32 bits. A foreign key's
-- column needs no check of its own.

CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY
        DEFAULT (lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2)
            || '-8' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))))
        CHECK (id GLOB '????????-????-????-????-????????????'
            AND length(replace(id, '-', '')) = 32 AND id NOT GLOB '*[^0-9a-f-]*'),
    clerk_id TEXT UNIQUE CHECK (length(clerk_id) <= 255),
    email TEXT CHECK (length(email) <= 255),
    name TEXT CHECK (length(name) <= 255),
    profile TEXT DEFAULT '{}' CHECK (json_valid(profile)),
    preferences TEXT DEFAULT '{}' CHECK (json_valid(preferences)),
    created_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))
        CHECK (created_at GLOB '*.[0-9][0-9][0-9][0-9][0-9][0-9]Z' AND length(created_at) = 27
            AND substr(created_at, 1, 19) IS strftime('%Y-%m-%dT%H:%M:%S', substr(created_at, 1, 19))),
    updated_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))
        CHECK (updated_at GLOB '*.[0-9][0-9][0-9][0-9][0-9][0-9]Z' AND length(updated_at) = 27
            AND substr(updated_at, 1, 19) IS strftime('%Y-%m-%dT%H:%M:%S', substr(updated_at, 1, 19))),
    last_active_at TEXT
        CHECK (last_active_at GLOB '*.[0-9][0-9][0-9][0-9][0-9][0-9]Z' AND length(last_active_at) = 27
            AND substr(last_active_at, 1, 19) IS strftime('%Y-%m-%dT%H:%M:%S', substr(last_active_at, 1, 19))),
    status TEXT DEFAULT 'active' CHECK (length(status) <= 50)
) STRICT;

CREATE TABLE chat_sessions (
    id TEXT NOT NULL PRIMARY KEY
        DEFAULT (lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2)
            || '-8' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))))
        CHECK (id GLOB '????????-????-????-????-????????????'
            AND length(replace(id, '-', '')) = 32 AND id NOT GLOB '*[^0-9a-f-]*'),
    chat_id TEXT UNIQUE NOT NULL CHECK (length(chat_id) <= 255),
    user_id TEXT REFERENCES users(id) ON DELETE SET NULL,
    title TEXT CHECK (length(title) <= 255),
    profile TEXT DEFAULT 'general' CHECK (length(profile) <= 50),
    metadata TEXT DEFAULT '{}' CHECK (json_valid(metadata)),
    created_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))
        CHECK (created_at GLOB '*.[0-9][0-9][0-9][0-9][0-9][0-9]Z' AND length(created_at) = 27
            AND substr(created_at, 1, 19) IS strftime('%Y-%m-%dT%H:%M:%S', substr(created_at, 1, 19))),
    updated_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))
        CHECK (updated_at GLOB '*.[0-9][0-9][0-9][0-9][0-9][0-9]Z' AND length(updated_at) = 27
            AND substr(updated_at, 1, 19) IS strftime('%Y-%m-%dT%H:%M:%S', substr(updated_at, 1, 19))),
    last_message_at TEXT
        CHECK (last_message_at GLOB '*.[0-9][0-9][0-9][0-9][0-9][0-9]Z' AND length(last_message_at) = 27
            AND substr(last_message_at, 1, 19) IS strftime('%Y-%m-%dT%H:%M:%S', substr(last_message_at, 1, 19))),
    message_count INTEGER DEFAULT 0 CHECK (message_count BETWEEN -2147483648 AND 2147483647),
    status TEXT DEFAULT 'active' CHECK (length(status) <= 50)
) STRICT;

CREATE TABLE messages (
    id TEXT NOT NULL PRIMARY KEY
        DEFAULT (lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2)
            || '-8' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))))
        CHECK (id GLOB '????????-????-????-????-????????????'
            AND length(replace(id, '-', '')) = 32 AND id NOT GLOB '*[^0-9a-f-]*'),
    chat_session_id TEXT NOT NULL REFERENCES chat_sessions(id) ON DELETE CASCADE,
    role TEXT NOT NULL CHECK (length(role) <= 50),
    content TEXT NOT NULL,
    metadata TEXT DEFAULT '{}' CHECK (json_valid(metadata)),
    created_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))
        CHECK (created_at GLOB '*.[0-9][0-9][0-9][0-9][0-9][0-9]Z' AND length(created_at) = 27
            AND substr(created_at, 1, 19) IS strftime('%Y-%m-%dT%H:%M:%S', substr(created_at, 1, 19))),
    sequence_number INTEGER NOT NULL CHECK (sequence_number BETWEEN -2147483648 AND 2147483647),
    token_count INTEGER CHECK (token_count BETWEEN -2147483648 AND 2147483647),
    abuse_flagged INTEGER DEFAULT FALSE CHECK (abuse_flagged IN (0, 1))
) STRICT;

CREATE TABLE user_memory (
    id TEXT NOT NULL PRIMARY KEY
        DEFAULT (lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2)
            || '-8' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))))
        CHECK (id GLOB '????????-????-????-????-????????????'
            AND length(replace(id, '-', '')) = 32 AND id NOT GLOB '*[^0-9a-f-]*'),
    user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
    memory_type TEXT NOT NULL CHECK (length(memory_type) <= 100),
    key TEXT NOT NULL CHECK (length(key) <= 255),
    value TEXT NOT NULL CHECK (json_valid(value)),
    created_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))
        CHECK (created_at GLOB '*.[0-9][0-9][0-9][0-9][0-9][0-9]Z' AND length(created_at) = 27
            AND substr(created_at, 1, 19) IS strftime('%Y-%m-%dT%H:%M:%S', substr(created_at, 1, 19))),
    updated_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))
        CHECK (updated_at GLOB '*.[0-9][0-9][0-9][0-9][0-9][0-9]Z' AND length(updated_at) = 27
            AND substr(updated_at, 1, 19) IS strftime('%Y-%m-%dT%H:%M:%S', substr(updated_at, 1, 19))),
    expires_at TEXT
        CHECK (expires_at GLOB '*.[0-9][0-9][0-9][0-9][0-9][0-9]Z' AND length(expires_at) = 27
            AND substr(expires_at, 1, 19) IS strftime('%Y-%m-%dT%H:%M:%S', substr(expires_at, 1, 19))),
    UNIQUE (user_id, memory_type, key)
) STRICT;

-- ENSURE: SELECT count(*) = 4 FROM sqlite_schema
-- WHERE type = 'table' AND name IN ('users', 'chat_sessions', 'messages', 'user_memory');
