-- WHY: a seal over each row lets `verify` notice a row of the bookkeeping that was changed by hand.
-- NULL where an earlier version wrote the row; the next migration of its document fills it in.

ALTER TABLE transload_documents ADD COLUMN seal BLOB CHECK (length(seal) = 8);
ALTER TABLE transload_residue ADD COLUMN seal BLOB CHECK (length(seal) = 8);
ALTER TABLE transload_rejects ADD COLUMN seal BLOB CHECK (length(seal) = 8);

-- ENSURE: SELECT count(*) = 3 FROM sqlite_schema t, pragma_table_info(t.name) c WHERE c.name = 'seal'
-- AND t.name IN ('transload_documents', 'transload_residue', 'transload_rejects');
