//! What nobody who moves these rows can do without: the least that each database takes for them.

pub mod postgres;
pub mod reading;
mod spread;
pub mod sqlite;
