-- WHY: a seal over each row lets `verify` notice a row of the bookkeeping that was changed by hand.
-- NULL where an earlier version wrote the row; the next migration of its document fills it in.
-- ALLOW: 3.1 because a column of this name that is not ours must stop the run
-- ALLOW: 8.4 because the tables are the bookkeeping's: only runs use them, and none is under way

ALTER TABLE documents ADD COLUMN seal BYTEA CHECK (length(seal) = 8);
ALTER TABLE residue ADD COLUMN seal BYTEA CHECK (length(seal) = 8);
ALTER TABLE rejects ADD COLUMN seal BYTEA CHECK (length(seal) = 8);

-- ENSURE: SELECT count(*) = 3 FROM pg_attribute WHERE attname = 'seal' AND attrelid IN
-- (to_regclass('documents'), to_regclass('residue'), to_regclass('rejects'));
