//! Schemas: migrations of any database, and the preparation of transload's own tables.
//!
//! ```text
//! sql -> files (header, checksum) -> lint
//!                                \-> plan -> run (history, log, catalogue against snapshot)
//! ```

pub mod build;
pub mod catalogue;
pub mod checksum;
mod error;
pub mod files;
pub mod header;
pub mod history;
pub mod lint;
pub mod log;
pub mod look;
mod migrations;
mod own;
pub mod plan;
pub mod run;
pub mod snapshot;
pub mod sql;
mod types;

pub use error::SchemaError;
pub use migrations::{migration_set, migrations, Migration};
pub use own::{
    check, part_of, parts, parts_of, prepare, prepare_with, standing, upgrade, upgrade_with, Prepared, Standing, LEDGER,
};
