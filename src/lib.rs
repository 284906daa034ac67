//! transload moves an application's JSON files into a database and proves that nothing was lost.
//!
//! ```text
//! walk -> pair files into documents -> read + hash -> decode -> rows + residue -> batch -> write -> tally
//!                                                        \-> reject (bytes, place, reason)
//! ```

pub mod bench;
pub mod cli;
pub mod config;
pub mod exec;
pub mod export;
pub mod format;
pub mod generate;
pub mod json;
pub mod ledger;
pub mod model;
pub mod node;
pub mod pipeline;
pub mod schema;
pub mod source;
pub mod target;
pub mod verify;
