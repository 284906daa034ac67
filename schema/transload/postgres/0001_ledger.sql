-- WHY: transload's bookkeeping: which documents are loaded, what their columns do not say, and
-- what could not be loaded. Unqualified names: the ledger's schema is first in the search path.
-- ALLOW: 3.1 because a table of this name that is not ours must stop the run

CREATE TABLE versions (
    schema_name TEXT NOT NULL,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    checksum BYTEA NOT NULL,
    applied_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (schema_name, number)
);

CREATE TABLE runs (
    id UUID PRIMARY KEY,
    command TEXT NOT NULL,
    version TEXT NOT NULL,
    source TEXT NOT NULL,
    holder TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('running', 'done', 'stopped', 'failed', 'interrupted')),
    phase TEXT,
    mode TEXT,
    started_at TIMESTAMP WITH TIME ZONE NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE,
    summary JSONB
);

CREATE TABLE documents (
    id UUID PRIMARY KEY,
    kind TEXT NOT NULL,
    doc_key TEXT NOT NULL,
    row_id UUID,
    reference TEXT,
    digest BYTEA NOT NULL CHECK (length(digest) = 32),
    bytes BIGINT NOT NULL,
    base_time TIMESTAMP WITH TIME ZONE NOT NULL,
    files JSONB NOT NULL,
    notes JSONB,
    run_id UUID NOT NULL
);

CREATE INDEX documents_row_id ON documents(row_id);
CREATE INDEX documents_reference ON documents(reference) WHERE reference IS NOT NULL;

CREATE TABLE residue (
    document_id UUID NOT NULL,
    part INTEGER NOT NULL,
    table_name TEXT NOT NULL,
    row_ids BYTEA NOT NULL,
    row_digests BYTEA NOT NULL,
    data TEXT,
    PRIMARY KEY (document_id, part),
    CHECK (length(row_ids) % 16 = 0 AND length(row_digests) * 2 = length(row_ids))
);

CREATE TABLE rejects (
    document_id UUID PRIMARY KEY,
    kind TEXT NOT NULL,
    doc_key TEXT NOT NULL,
    file TEXT NOT NULL,
    files JSONB NOT NULL,
    bytes BIGINT NOT NULL,
    digest BYTEA NOT NULL,
    reason TEXT NOT NULL,
    line BIGINT,
    col BIGINT,
    pointer TEXT,
    detail TEXT NOT NULL,
    run_id UUID NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'accepted')),
    accepted_because TEXT,
    accepted_at TIMESTAMP WITH TIME ZONE
);

-- ENSURE: SELECT count(*) = 5 FROM pg_class WHERE oid IN (to_regclass('versions'), to_regclass('runs'),
-- to_regclass('documents'), to_regclass('residue'), to_regclass('rejects'));
