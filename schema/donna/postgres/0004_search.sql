-- DEPENDS: 0001_core_tables.sql
-- WHY: finds messages by their words. Made on demand: it slows down writing and takes about half as
-- much room as the texts.
-- OPTIONAL: search
-- NO TRANSACTION: writers go on while the index is built.
--
-- The first 8,192 characters of a text are searched. A tsvector holds less than 1 MB, and a message that
-- does not fit could not be written at all: from so many characters no more than a third of that can
-- come. Words of over 2 kB are left out. The time that the server's parser takes grows with the square of
-- the length for a text such as `a_a_a_...`: here it is 2 s at most.
--
-- `simple`, because the texts are in any language: words as they are, in small letters.

CREATE INDEX CONCURRENTLY idx_messages_search ON messages
    USING gin (to_tsvector('simple'::regconfig, left(content, 8192)));

-- ENSURE: SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('idx_messages_search');
