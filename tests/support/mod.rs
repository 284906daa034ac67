//! What several test binaries share.

// Each binary compiles all of it and uses a part.
#![allow(dead_code)]

pub mod chance;
pub mod chromium;
pub mod cli;
pub mod content;
pub mod dump;
pub mod place;
pub mod postgres;
pub mod proof;
pub mod schema;
