//! What keeps a benchmark from being made.

use std::io;
use std::path::PathBuf;

use crate::exec::Signal;
use crate::generate::GenerateError;

#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    #[error("no program `{name}` was found: install PostgreSQL's programs, or measure SQLite with --target sqlite")]
    NoProgram { name: &'static str },
    #[error("no temporary directory has a path that is short enough for a socket: set TMPDIR to a short path")]
    NoDirectory,
    #[error("the private server does not start; its log ends with: {log}")]
    Server { log: String },
    #[error("`{program}` failed ({status}): {said}")]
    Program { program: String, status: String, said: String },
    #[error("cannot run `{program}`")]
    Run { program: String, source: io::Error },
    #[error("cannot use {}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("cannot make the tree")]
    Tree(#[from] GenerateError),
    /// What was to be measured was not what it was taken for, so its time would say nothing.
    #[error("`{case}` does not count: {what}")]
    DoesNotCount { case: &'static str, what: String },
    #[error("`{program}` printed something else than was expected: {said}")]
    Unexpected { program: String, said: String },
    #[error("stopped by {}", .0.name())]
    Stopped(Signal),
    #[error("a part of the benchmark broke down, which is a mistake in transload")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl BenchError {
    pub fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> BenchError {
        let path = path.into();
        move |source| BenchError::File { path, source }
    }
}
