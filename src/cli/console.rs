//! Stderr, shared by messages and the progress bar: a line is written above the bar, not into it.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use indicatif::ProgressBar;

/// The bar that is drawn at the moment. Stderr is one for the whole process, so this is, too.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Sets or takes away the bar.
pub fn set_bar(bar: Option<ProgressBar>) {
    *BAR.lock().unwrap_or_else(PoisonError::into_inner) = bar;
}

/// Writes whole lines. There is nobody to tell when stderr is closed.
pub fn write_stderr(lines: &[u8]) {
    let bar = BAR.lock().unwrap_or_else(PoisonError::into_inner);
    let write = || {
        let _ = io::stderr().lock().write_all(lines);
    };
    match &*bar {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}
