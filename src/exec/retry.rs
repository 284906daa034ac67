//! Trying again after growing pauses, which a request to stop cuts short.
//!
//! What is worth another try is for the caller to say, and so is telling people about it.

use std::thread;
use std::time::{Duration, Instant};

use super::stop::Stop;

/// The pauses of connections and lost batches: three more tries over about eight seconds, enough
/// for a server that restarts.
pub const PAUSES: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(6)];

/// How long a request to stop may go unnoticed during a pause.
const NOTICE: Duration = Duration::from_millis(50);

/// Does `work`, and again after each of the `pauses` while it fails with an error for which
/// `should_retry` holds. The last error is returned; after a request to stop there is no other try.
pub fn with_pauses<T, E>(
    pauses: &[Duration],
    should_retry: impl Fn(&E) -> bool,
    stop: &Stop,
    mut work: impl FnMut() -> Result<T, E>,
) -> Result<T, E> {
    let mut result = work();
    for pause in pauses {
        match &result {
            Err(error) if should_retry(error) && rest(*pause, stop) => result = work(),
            _ => break,
        }
    }
    result
}

/// Waits; `false` if a request to stop came before or meanwhile.
fn rest(pause: Duration, stop: &Stop) -> bool {
    let begin = Instant::now();
    while stop.requested().is_none() {
        match pause.checked_sub(begin.elapsed()) {
            Some(left) if !left.is_zero() => thread::sleep(left.min(NOTICE)),
            _ => return true,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::stop::Signal;

    const SHORT: [Duration; 3] = [Duration::from_millis(1); 3];

    #[test]
    fn tries_once_and_once_more_for_every_pause() {
        let mut tries = 0;
        let result: Result<(), &str> = with_pauses(
            &SHORT,
            |_| true,
            &Stop::new(),
            || {
                tries += 1;
                Err("down")
            },
        );
        assert_eq!((result, tries), (Err("down"), 4));
    }

    #[test]
    fn stops_trying_at_success_and_at_an_error_that_will_not_pass() {
        let mut tries = 0;
        let result = with_pauses(
            &SHORT,
            |error| *error == "down",
            &Stop::new(),
            || {
                tries += 1;
                if tries < 3 {
                    Err("down")
                } else {
                    Ok(tries)
                }
            },
        );
        assert_eq!(result, Ok(3));
        let result: Result<(), &str> = with_pauses(
            &SHORT,
            |error| *error == "down",
            &Stop::new(),
            || {
                tries += 1;
                Err("refused")
            },
        );
        assert_eq!((result, tries), (Err("refused"), 4));
    }

    #[test]
    fn a_request_to_stop_cuts_the_pause_short() {
        let stop = Stop::new();
        let begin = Instant::now();
        let result: Result<(), ()> = with_pauses(
            &[Duration::from_secs(600)],
            |_| true,
            &stop,
            || {
                stop.request(Signal::Interrupt);
                Err(())
            },
        );
        assert_eq!(result, Err(()));
        assert!(begin.elapsed() < Duration::from_secs(60));
    }
}
