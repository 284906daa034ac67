//! donna: a PHP assistant whose files live under one data directory.

pub mod tables;
