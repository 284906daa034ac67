-- WHY: a seal over each row lets `verify` notice a row of the bookkeeping that was changed by hand.
-- NULL where an earlier version wrote the row; the next migration of its document fills it in.

ALTER TABLE documents ADD COLUMN seal BYTEA CHECK (length(seal) = 8);
ALTER TABLE residue ADD COLUMN seal BYTEA CHECK (length(seal) = 8);
ALTER TABLE rejects ADD COLUMN seal BYTEA CHECK (length(seal) = 8);

-- ENSURE: SELECT count(*) = 3 FROM pg_attribute WHERE attname = 'seal' AND attrelid IN
-- (to_regclass('documents'), to_regclass('residue'), to_regclass('rejects'));
