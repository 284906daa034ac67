-- WHY: transload's bookkeeping: which documents are loaded, what their columns do not say, and
-- what could not be loaded. The prefix stands for PostgreSQL's schema.
-- ALLOW: 3.1 because a table of this name that is not ours must stop the run

CREATE TABLE transload_versions (
    schema_name TEXT NOT NULL,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    checksum BLOB NOT NULL,
    applied_at TEXT NOT NULL CHECK (applied_at GLOB '????-??-??T??:??:??.??????Z'),
    PRIMARY KEY (schema_name, number)
) STRICT;

CREATE TABLE transload_runs (
    id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36 AND id = lower(id)),
    command TEXT NOT NULL,
    version TEXT NOT NULL,
    source TEXT NOT NULL,
    holder TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('running', 'done', 'stopped', 'failed', 'interrupted')),
    phase TEXT,
    mode TEXT,
    started_at TEXT NOT NULL CHECK (started_at GLOB '????-??-??T??:??:??.??????Z'),
    finished_at TEXT CHECK (finished_at GLOB '????-??-??T??:??:??.??????Z'),
    summary TEXT CHECK (json_valid(summary))
) STRICT;

CREATE TABLE transload_documents (
    id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36 AND id = lower(id)),
    kind TEXT NOT NULL,
    doc_key TEXT NOT NULL,
    row_id TEXT CHECK (length(row_id) = 36 AND row_id = lower(row_id)),
    reference TEXT,
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    bytes INTEGER NOT NULL,
    base_time TEXT NOT NULL CHECK (base_time GLOB '????-??-??T??:??:??.??????Z'),
    files TEXT NOT NULL CHECK (json_valid(files)),
    notes TEXT CHECK (json_valid(notes)),
    run_id TEXT NOT NULL CHECK (length(run_id) = 36 AND run_id = lower(run_id))
) STRICT;

CREATE INDEX transload_documents_row_id ON transload_documents(row_id);
CREATE INDEX transload_documents_reference ON transload_documents(reference) WHERE reference IS NOT NULL;

CREATE TABLE transload_residue (
    document_id TEXT NOT NULL CHECK (length(document_id) = 36 AND document_id = lower(document_id)),
    part INTEGER NOT NULL,
    table_name TEXT NOT NULL,
    row_ids BLOB NOT NULL,
    row_digests BLOB NOT NULL,
    data TEXT,
    PRIMARY KEY (document_id, part),
    CHECK (length(row_ids) % 16 = 0 AND length(row_digests) * 2 = length(row_ids))
) STRICT;

CREATE TABLE transload_rejects (
    document_id TEXT NOT NULL PRIMARY KEY CHECK (length(document_id) = 36 AND document_id = lower(document_id)),
    kind TEXT NOT NULL,
    doc_key TEXT NOT NULL,
    file TEXT NOT NULL,
    files TEXT NOT NULL CHECK (json_valid(files)),
    bytes INTEGER NOT NULL,
    digest BLOB NOT NULL,
    reason TEXT NOT NULL,
    line INTEGER,
    col INTEGER,
    pointer TEXT,
    detail TEXT NOT NULL,
    run_id TEXT NOT NULL CHECK (length(run_id) = 36 AND run_id = lower(run_id)),
    state TEXT NOT NULL CHECK (state IN ('open', 'accepted')),
    accepted_because TEXT,
    accepted_at TEXT CHECK (accepted_at GLOB '????-??-??T??:??:??.??????Z')
) STRICT;

-- ENSURE: SELECT count(*) = 5 FROM sqlite_schema WHERE type = 'table' AND name IN ('transload_versions',
-- 'transload_runs', 'transload_documents', 'transload_residue', 'transload_rejects');
