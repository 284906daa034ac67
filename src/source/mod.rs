//! The files: walk, pair, read, hash. What a path means comes from a format as [`Meaning`].
//!
//! Nothing here writes, creates, locks exclusively or touches anything below the source's root.

mod count;
mod digest;
mod found;
mod list;
mod look;
mod names;
mod open;
mod pair;
mod read;
mod shape;
mod stream;
mod walk;

pub use count::{count, has_at_least, has_file, Count};
pub use digest::{document_digest, Share};
pub use found::{FileProblem, Found, ProblemKind, Subject, Warning, WarningKind, SPECIAL_FILE, SYMBOLIC_LINK};
pub use names::Names;
pub use read::{read, FileContent, ReadFile, ReadOptions, ReadProblem, Reading};
pub use shape::{shape_of, Shape};
pub use stream::{open_stream, ChangedWhileRead, VerifiedStream};
pub use walk::{Meaning, WalkError, WalkOptions, Walker};
