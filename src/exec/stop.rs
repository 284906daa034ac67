//! The wish to stop: a flag that a signal sets and that stages look at between two pieces of work.
//!
//! The first signal asks; the batches under way are finished. The second ends the process at once,
//! which is safe because everything written is in transactions.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// A signal that asks the program to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Interrupt,
    Terminate,
}

impl Signal {
    pub const ALL: [Signal; 2] = [Signal::Interrupt, Signal::Terminate];

    /// What a shell reports for a process that the signal ended: 128 and the signal's number.
    pub fn exit_code(self) -> i32 {
        128 + self.number()
    }

    pub fn name(self) -> &'static str {
        match self {
            Signal::Interrupt => "SIGINT",
            Signal::Terminate => "SIGTERM",
        }
    }

    fn number(self) -> i32 {
        match self {
            Signal::Interrupt => SIGINT,
            Signal::Terminate => SIGTERM,
        }
    }

    /// How [`Stop`] holds it; 0 means that nobody asked.
    fn mark(self) -> usize {
        self as usize + 1
    }
}

/// Whether the run was asked to stop. Clones share one answer.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicUsize>);

impl Stop {
    pub fn new() -> Stop {
        Stop::default()
    }

    /// Asks to stop, as the signal would. The first request stands.
    pub fn request(&self, signal: Signal) {
        let _ = self.0.compare_exchange(0, signal.mark(), Ordering::SeqCst, Ordering::SeqCst);
    }

    pub fn requested(&self) -> Option<Signal> {
        let mark = self.0.load(Ordering::SeqCst);
        Signal::ALL.into_iter().find(|signal| signal.mark() == mark)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("cannot watch for {signal}")]
pub struct SignalError {
    pub signal: &'static str,
    pub source: io::Error,
}

/// From here on the first SIGINT or SIGTERM is a request to `stop`, and a second one of either
/// kind ends the process at once with 128 and its number. To be called once in a process.
pub fn watch_signals(stop: &Stop) -> Result<(), SignalError> {
    let asked = Arc::new(AtomicBool::new(false));
    for signal in Signal::ALL {
        let failed = |source| SignalError { signal: signal.name(), source };
        // Actions run in the order in which they were registered: the shutdown comes before the
        // flag that arms it, else the first signal would already be the second.
        flag::register_conditional_shutdown(signal.number(), signal.exit_code(), Arc::clone(&asked)).map_err(failed)?;
        flag::register(signal.number(), Arc::clone(&asked)).map_err(failed)?;
        flag::register_usize(signal.number(), Arc::clone(&stop.0), signal.mark()).map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_request_stands_in_every_clone() {
        let stop = Stop::new();
        let clone = stop.clone();
        assert_eq!(clone.requested(), None);
        stop.request(Signal::Terminate);
        stop.request(Signal::Interrupt);
        assert_eq!(clone.requested(), Some(Signal::Terminate));
    }

    #[test]
    fn exit_codes_are_those_of_a_shell() {
        assert_eq!(Signal::ALL.map(Signal::exit_code), [130, 143]);
    }
}
