//! What several test binaries share.

// Each binary compiles all of it and uses a part.
#![allow(dead_code)]

pub mod chance;
pub mod cli;
<<<<<<< HEAD
pub mod dump;
=======
pub mod content;
>>>>>>> pg
pub mod postgres;
