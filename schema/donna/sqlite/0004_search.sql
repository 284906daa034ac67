-- DEPENDS: 0001_core_tables.sql
-- WHY: finds messages by their words. Made on demand: it slows down writing and takes about half as
-- much room as the texts.
-- OPTIONAL: search
-- ALLOW: 3.1 because tables and triggers of these names that are not ours must stop the run
--
-- The index holds no texts, only which words each row has. Its rows have numbers of their own: those of
-- `messages` may change with VACUUM. Words are as they are, in small letters, in any language.

CREATE TABLE messages_search_rows (
    number INTEGER NOT NULL PRIMARY KEY,
    message_id TEXT NOT NULL UNIQUE
) STRICT;

CREATE VIRTUAL TABLE messages_search USING fts5(
    content, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 0'
);

-- INSERT OR REPLACE takes a row out without telling a trigger, so the row may be in the index already.
CREATE TRIGGER messages_search_insert AFTER INSERT ON messages BEGIN
    DELETE FROM messages_search
        WHERE rowid = (SELECT number FROM messages_search_rows WHERE message_id = new.id);
    INSERT INTO messages_search_rows (message_id) SELECT new.id
        WHERE NOT EXISTS (SELECT 1 FROM messages_search_rows WHERE message_id = new.id);
    INSERT INTO messages_search (rowid, content)
        SELECT number, new.content FROM messages_search_rows WHERE message_id = new.id;
END;

CREATE TRIGGER messages_search_update AFTER UPDATE OF id, content ON messages
WHEN old.id IS NOT new.id OR old.content IS NOT new.content BEGIN
    DELETE FROM messages_search
        WHERE rowid = (SELECT number FROM messages_search_rows WHERE message_id = old.id);
    UPDATE messages_search_rows SET message_id = new.id WHERE message_id = old.id;
    INSERT INTO messages_search (rowid, content)
        SELECT number, new.content FROM messages_search_rows WHERE message_id = new.id;
END;

CREATE TRIGGER messages_search_delete AFTER DELETE ON messages BEGIN
    DELETE FROM messages_search
        WHERE rowid = (SELECT number FROM messages_search_rows WHERE message_id = old.id);
    DELETE FROM messages_search_rows WHERE message_id = old.id;
END;

INSERT INTO messages_search_rows (message_id) SELECT id FROM messages;
INSERT INTO messages_search (rowid, content)
    SELECT r.number, m.content FROM messages_search_rows r JOIN messages m ON m.id = r.message_id;

-- ENSURE: SELECT (SELECT count(*) FROM messages_search_rows) = (SELECT count(*) FROM messages);
-- ENSURE: SELECT count(*) = 3 FROM sqlite_schema WHERE type = 'trigger' AND name GLOB 'messages_search_*';
