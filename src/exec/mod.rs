//! Threads, stopping, progress, pauses and durations: how a run runs, whatever it does.
//!
//! No other module starts a thread (rayon's workers, for short parallel work that never waits,
//! aside). Nothing here knows of files, documents or databases.

pub mod crew;
pub mod latency;
pub mod progress;
pub mod retry;
pub mod stop;

pub use crew::{Crew, CrewError, Halt};
pub use latency::{Latencies, Quantiles};
pub use progress::{Progress, Snapshot};
pub use retry::{with_pauses, PAUSES};
pub use stop::{watch_signals, Signal, SignalError, Stop};
