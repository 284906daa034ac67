//! The rules, a file for each concern.

pub mod again;
pub mod bodies;
pub mod conditions;
pub mod dialect;
pub mod header;
pub mod locks;
pub mod loss;
pub mod names;
pub mod order;
pub mod proof;
mod rebuild;
pub mod settings;
pub mod snapshots;
pub mod text;
pub mod transaction;
mod types;
pub mod words;
