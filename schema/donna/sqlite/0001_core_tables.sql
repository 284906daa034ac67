-- WHY: the tables of donna's database plan, with its keys, unique constraints and foreign keys.

CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY DEFAULT (lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-8' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))) CHECK (length(id) = 36 AND id = lower(id)),
    clerk_id TEXT UNIQUE CHECK (length(clerk_id) <= 255),
    email TEXT CHECK (length(email) <= 255),
    name TEXT CHECK (length(name) <= 255),
    profile TEXT DEFAULT '{}' CHECK (json_valid(profile)),
    preferences TEXT DEFAULT '{}' CHECK (json_valid(preferences)),
    created_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')) CHECK (created_at GLOB '????-??-??T??:??:??.??????Z'),
    updated_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')) CHECK (updated_at GLOB '????-??-??T??:??:??.??????Z'),
    last_active_at TEXT CHECK (last_active_at GLOB '????-??-??T??:??:??.??????Z'),
    status TEXT DEFAULT 'active' CHECK (length(status) <= 50)
) STRICT;

CREATE TABLE chat_sessions (
    id TEXT NOT NULL PRIMARY KEY DEFAULT (lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-8' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))) CHECK (length(id) = 36 AND id = lower(id)),
    chat_id TEXT UNIQUE NOT NULL CHECK (length(chat_id) <= 255),
    user_id TEXT REFERENCES users(id) ON DELETE SET NULL CHECK (length(user_id) = 36 AND user_id = lower(user_id)),
    title TEXT CHECK (length(title) <= 255),
    profile TEXT DEFAULT 'general' CHECK (length(profile) <= 50),
    metadata TEXT DEFAULT '{}' CHECK (json_valid(metadata)),
    created_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')) CHECK (created_at GLOB '????-??-??T??:??:??.??????Z'),
    updated_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')) CHECK (updated_at GLOB '????-??-??T??:??:??.??????Z'),
    last_message_at TEXT CHECK (last_message_at GLOB '????-??-??T??:??:??.??????Z'),
    message_count INTEGER DEFAULT 0,
    status TEXT DEFAULT 'active' CHECK (length(status) <= 50)
) STRICT;

CREATE TABLE messages (
    id TEXT NOT NULL PRIMARY KEY DEFAULT (lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-8' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))) CHECK (length(id) = 36 AND id = lower(id)),
    chat_session_id TEXT NOT NULL REFERENCES chat_sessions(id) ON DELETE CASCADE CHECK (length(chat_session_id) = 36 AND chat_session_id = lower(chat_session_id)),
    role TEXT NOT NULL CHECK (length(role) <= 50),
    content TEXT NOT NULL,
    metadata TEXT DEFAULT '{}' CHECK (json_valid(metadata)),
    created_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')) CHECK (created_at GLOB '????-??-??T??:??:??.??????Z'),
    sequence_number INTEGER NOT NULL,
    token_count INTEGER,
    abuse_flagged INTEGER DEFAULT 0 CHECK (abuse_flagged IN (0, 1))
) STRICT;

CREATE TABLE user_memory (
    id TEXT NOT NULL PRIMARY KEY DEFAULT (lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-8' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))) CHECK (length(id) = 36 AND id = lower(id)),
    user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE CHECK (length(user_id) = 36 AND user_id = lower(user_id)),
    memory_type TEXT NOT NULL CHECK (length(memory_type) <= 100),
    key TEXT NOT NULL CHECK (length(key) <= 255),
    value TEXT NOT NULL CHECK (json_valid(value)),
    created_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')) CHECK (created_at GLOB '????-??-??T??:??:??.??????Z'),
    updated_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')) CHECK (updated_at GLOB '????-??-??T??:??:??.??????Z'),
    expires_at TEXT CHECK (expires_at GLOB '????-??-??T??:??:??.??????Z'),
    UNIQUE (user_id, memory_type, key)
) STRICT;
