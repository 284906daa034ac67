//! The proof that files and database say the same.
//!
//! ```text
//! walk -> batches of documents -> read + expect -> ask the database -> judge -> account
//!                                        suspects <-/            census of all rows <-/
//! ```
//!
//! Nothing here calls the decoder, and nothing that the ledger says is believed: it says where to
//! look. `judge` compares one document, `batch` asks the database for many at once, `run` wires the
//! threads, `suspects` and `fresh` look at what may be on its way, `census` and `orphans` find rows that
//! no document has.

mod account;
mod batch;
mod census;
mod compare;
mod database_only;
mod explain;
mod fresh;
mod guards;
mod history;
mod ids;
mod judge;
mod large;
mod leaves;
mod orphans;
pub mod outcome;
pub mod receipt;
mod record;
pub mod report;
mod resolve;
mod row_ids;
mod run;
mod shown;
mod stored;
mod suspects;
pub mod waivers;

pub use record::record;
pub use run::{verify, Job, Options, Sample, VerifyError};
