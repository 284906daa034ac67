//! What several test binaries share.

// Each binary compiles all of it and uses a part.
#![allow(dead_code)]

pub mod cli;
pub mod dump;
pub mod postgres;
