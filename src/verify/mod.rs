//! The proof that files and database say the same.

pub mod outcome;
pub mod waivers;
