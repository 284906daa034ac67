//! The tables of the ledger, as data: runs, documents, residue, rejects, what a bulk load set aside.
//!
//! The SQL that makes them is in `schema/transload/`; a test compares both.

use super::table::{Column, Kind, Owner, Table};

/// `digest::seal` of the row's other columns; NULL where an earlier version wrote the row.
const SEAL: Column = Column::new("seal", Kind::Bytes);

/// One row a run: what was asked for, how far it came, what it counted.
pub static RUNS: Table = Table {
    name: "runs",
    owner: Owner::Ledger,
    columns: &[
        Column::new("id", Kind::Uuid),
        Column::new("command", Kind::Text),
        Column::new("version", Kind::Text),
        Column::new("source", Kind::Text),
        Column::new("holder", Kind::Text),
        // running, done, stopped, failed, interrupted
        Column::new("state", Kind::Text),
        Column::new("phase", Kind::Text),
        Column::new("mode", Kind::Text),
        Column::new("started_at", Kind::Time),
        Column::new("finished_at", Kind::Time),
        Column::new("summary", Kind::Json),
    ],
    key: &[0],
    natural_key: &[],
    parent: None,
    twin_key: &[],
};

/// One row a loaded document, written in the transaction that wrote its rows.
pub static DOCUMENTS: Table = Table {
    name: "documents",
    owner: Owner::Ledger,
    columns: &[
        Column::new("id", Kind::Uuid),
        Column::new("kind", Kind::Text),
        Column::new("doc_key", Kind::Text),
        // The row that stands for the document; see `Anchor`.
        Column::new("row_id", Kind::Uuid),
        // The legacy reference in it, resolved or not.
        Column::new("reference", Kind::Text),
        // BLAKE3 of the content of all files.
        Column::new("digest", Kind::Bytes),
        Column::new("bytes", Kind::BigInt),
        // The files' modification time at the first load: what a time that the document does not
        // give is derived from, then and ever after.
        Column::new("base_time", Kind::Time),
        // [{"path","role","size","modified","layout"}]
        Column::new("files", Kind::Json),
        Column::new("notes", Kind::Json),
        Column::new("run_id", Kind::Uuid),
        SEAL,
    ],
    key: &[0],
    natural_key: &[],
    parent: None,
    twin_key: &[],
};

/// Positions in [`DOCUMENTS`].
pub mod documents {
    pub const ID: usize = 0;
    pub const KIND: usize = 1;
    pub const DOC_KEY: usize = 2;
    pub const ROW_ID: usize = 3;
    pub const REFERENCE: usize = 4;
    pub const DIGEST: usize = 5;
    pub const BYTES: usize = 6;
    pub const BASE_TIME: usize = 7;
    pub const FILES: usize = 8;
    pub const NOTES: usize = 9;
    pub const RUN_ID: usize = 10;
    pub const SEAL: usize = 11;
}

/// One row a part of a document: which rows, what each was when it was written, and what they do
/// not say.
pub static RESIDUE: Table = Table {
    name: "residue",
    owner: Owner::Ledger,
    columns: &[
        Column::new("document_id", Kind::Uuid),
        Column::new("part", Kind::Int),
        Column::new("table_name", Kind::Text),
        // 16 bytes a row, in the document's order.
        Column::new("row_ids", Kind::Bytes),
        // 8 bytes a row: `digest::row` as written.
        Column::new("row_digests", Kind::Bytes),
        // Text, because jsonb would sort members and respell numbers.
        Column::new("data", Kind::Text),
        SEAL,
    ],
    key: &[0, 1],
    natural_key: &[],
    parent: None,
    twin_key: &[],
};

/// Positions in [`RESIDUE`].
pub mod residue {
    pub const DOCUMENT_ID: usize = 0;
    pub const PART: usize = 1;
    pub const TABLE_NAME: usize = 2;
    pub const ROW_IDS: usize = 3;
    pub const ROW_DIGESTS: usize = 4;
    pub const DATA: usize = 5;
    pub const SEAL: usize = 6;
}

/// One row a document that could not be loaded; its bytes stay outside the database.
pub static REJECTS: Table = Table {
    name: "rejects",
    owner: Owner::Ledger,
    columns: &[
        Column::new("document_id", Kind::Uuid),
        Column::new("kind", Kind::Text),
        Column::new("doc_key", Kind::Text),
        Column::new("file", Kind::Text),
        Column::new("files", Kind::Json),
        Column::new("bytes", Kind::BigInt),
        Column::new("digest", Kind::Bytes),
        Column::new("reason", Kind::Text),
        Column::new("line", Kind::BigInt),
        Column::new("col", Kind::BigInt),
        Column::new("pointer", Kind::Text),
        Column::new("detail", Kind::Text),
        // The run that found it first.
        Column::new("run_id", Kind::Uuid),
        // open, accepted
        Column::new("state", Kind::Text),
        Column::new("accepted_because", Kind::Text),
        Column::new("accepted_at", Kind::Time),
        SEAL,
    ],
    key: &[0],
    natural_key: &[],
    parent: None,
    twin_key: &[],
};

/// Positions in [`REJECTS`].
pub mod rejects {
    pub const DOCUMENT_ID: usize = 0;
    pub const KIND: usize = 1;
    pub const DOC_KEY: usize = 2;
    pub const FILE: usize = 3;
    pub const FILES: usize = 4;
    pub const BYTES: usize = 5;
    pub const DIGEST: usize = 6;
    pub const REASON: usize = 7;
    pub const LINE: usize = 8;
    pub const COL: usize = 9;
    pub const POINTER: usize = 10;
    pub const DETAIL: usize = 11;
    pub const RUN_ID: usize = 12;
    pub const STATE: usize = 13;
    pub const ACCEPTED_BECAUSE: usize = 14;
    pub const ACCEPTED_AT: usize = 15;
    pub const SEAL: usize = 16;
}

/// One row an applied migration of a schema (`donna`, `transload`).
pub static VERSIONS: Table = Table {
    name: "versions",
    owner: Owner::Ledger,
    columns: &[
        Column::new("schema_name", Kind::Text),
        Column::new("number", Kind::Int),
        Column::new("name", Kind::Text),
        // BLAKE3 of the file's bytes.
        Column::new("checksum", Kind::Bytes),
        Column::new("applied_at", Kind::Time),
    ],
    key: &[0, 1],
    natural_key: &[],
    parent: None,
    twin_key: &[],
};

/// One row a step of putting back what a bulk load set aside; none while nothing is.
pub static SET_ASIDE: Table = Table {
    name: "set_aside",
    owner: Owner::Ledger,
    columns: &[
        // The order in which they were noted.
        Column::new("position", Kind::Int),
        // The run that set it aside, and that alone may write meanwhile.
        Column::new("run_id", Kind::Uuid),
        // catalogue, index, key, reference, check, statistics, guard
        Column::new("step", Kind::Text),
        Column::new("table_name", Kind::Text),
        Column::new("name", Kind::Text),
        // The statements that put it back; of the catalogue what it was before.
        Column::new("definition", Kind::Text),
        // The query that finds the rows which stand in the way, by their keys.
        Column::new("search", Kind::Text),
    ],
    key: &[0],
    natural_key: &[],
    parent: None,
    twin_key: &[],
};

/// Positions in [`SET_ASIDE`].
pub mod set_aside {
    pub const POSITION: usize = 0;
    pub const RUN_ID: usize = 1;
    pub const STEP: usize = 2;
    pub const TABLE_NAME: usize = 3;
    pub const NAME: usize = 4;
    pub const DEFINITION: usize = 5;
    pub const SEARCH: usize = 6;
}

/// Every ledger table, in the order in which they are made.
pub static TABLES: [&Table; 6] = [&VERSIONS, &RUNS, &DOCUMENTS, &RESIDUE, &REJECTS, &SET_ASIDE];
