-- WHY: a seal over each row lets `verify` notice a row of the bookkeeping that was changed by hand.
-- NULL where an earlier version wrote the row; the next migration of its document fills it in.

ALTER TABLE transload_documents ADD COLUMN seal BLOB CHECK (length(seal) = 8);
ALTER TABLE transload_residue ADD COLUMN seal BLOB CHECK (length(seal) = 8);
ALTER TABLE transload_rejects ADD COLUMN seal BLOB CHECK (length(seal) = 8);
