//! The migration: from files to rows, and the account of every file.
//!
//! `run` is the whole of it from the lock to the closing row; `phase` wires the threads of one
//! phase; `examine` and `claims` decide what a document is; `write` puts batches into the database.
//! A repair is a run over a few documents, whose rows are made equal to their files (`repair`).

mod account;
mod batch;
mod bulk;
mod claimants;
mod claims;
mod examine;
mod export_rejects;
mod first_look;
mod item;
pub mod memory;
mod options;
mod phase;
mod present;
mod reject_files;
mod removed;
mod repair;
mod round;
mod run;
mod scan;
mod write;

pub use account::{Account, Finding, LayoutTally, What};
pub use batch::Batcher;
pub use bulk::PutBackError;
pub use export_rejects::{export_rejects, ExportRejectsError, ExportedRejects};
pub use options::{Mode, Options, Prefer, Removed, Way, ROUND_BYTES};
pub use reject_files::RejectFileError;
pub use repair::{Action, Change, Repair, RepairOutcome, Repaired, RowCount};
pub use run::{migrate, Job, Report, RunError};
pub use scan::{scan, ScanError, ScanReport};
pub use write::WriteError;
