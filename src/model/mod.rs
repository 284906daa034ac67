//! What travels through the pipeline: files, documents, rows, residue, rejects, tallies.
//!
//! Plain data and pure functions. Nothing here reads a file, talks to a database or prints.

pub mod catalogue;
pub mod digest;
pub mod document;
pub mod figures;
pub mod ids;
pub mod ledger;
pub mod limits;
pub mod path;
pub mod reject;
pub mod summary;
pub mod table;
pub mod time;

pub use catalogue::Catalogue;
pub use document::{
    Anchor, Class, Content, DecodeError, Decoded, Document, DocumentKind, FileLayout, FileRole, Membership, Note, Part,
    Phase, SourceFile,
};
pub use limits::Limits;
pub use path::RelPath;
pub use reject::{Flaw, Place, Reason, Reject};
pub use summary::{DocumentOutcome, Summary};
pub use table::{Column, Kind, Missing, Owner, Reference, Row, Table, Value};
pub use time::Instant;
