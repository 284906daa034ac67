//! How long something took, many times over: counted by size, so that it costs a few nanoseconds and
//! no memory that grows.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Steps between a duration and its double: a quantile is told to within an eighth.
const STEPS: u32 = 8;
/// From one microsecond to over an hour.
const COUNTERS: usize = 33 * STEPS as usize;

/// Durations, counted from any thread.
#[derive(Debug)]
pub struct Latencies {
    counters: [AtomicU64; COUNTERS],
}

impl Default for Latencies {
    fn default() -> Latencies {
        Latencies { counters: [const { AtomicU64::new(0) }; COUNTERS] }
    }
}

/// How many there were, and how long so many of a hundred took at most, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Deserialize, serde::Serialize)]
pub struct Quantiles {
    pub count: u64,
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
}

impl Latencies {
    pub fn add(&self, took: Duration) {
        self.counters[place(took)].fetch_add(1, Ordering::Relaxed);
    }

    pub fn quantiles(&self) -> Quantiles {
        let counts: Vec<u64> = self.counters.iter().map(|counter| counter.load(Ordering::Relaxed)).collect();
        let count: u64 = counts.iter().sum();
        let at = |hundredths: u64| {
            // The first place at which so many have been passed.
            let wanted = (count * hundredths).div_ceil(100);
            let mut passed = 0;
            let place = counts.iter().position(|counted| {
                passed += counted;
                passed >= wanted
            });
            if count == 0 {
                0.0
            } else {
                place.map_or(0.0, end)
            }
        };
        Quantiles { count, p50: at(50), p95: at(95), p99: at(99) }
    }
}

fn place(took: Duration) -> usize {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
    let doublings = micros.ilog2();
    // How far it is to the next doubling.
    let step = ((u128::from(micros - (1 << doublings)) * u128::from(STEPS)) >> doublings) as u32;
    ((doublings * STEPS + step) as usize).min(COUNTERS - 1)
}

/// Where a place ends, in seconds: no duration in it is longer.
fn end(place: usize) -> f64 {
    let (doublings, step) = (place as u32 / STEPS, place as u32 % STEPS);
    (1u64 << doublings) as f64 * (1.0 + f64::from(step + 1) / f64::from(STEPS)) / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_right_to_an_eighth() {
        let latencies = Latencies::default();
        (1..=1_000).for_each(|millis| latencies.add(Duration::from_millis(millis)));
        let found = latencies.quantiles();
        assert_eq!(found.count, 1_000);
        for (found, exact) in [(found.p50, 0.5), (found.p95, 0.95), (found.p99, 0.99)] {
            assert!(found >= exact && found <= exact * 1.126, "{found} for {exact}");
        }
    }

    #[test]
    fn any_duration_has_a_place_that_holds_it() {
        for micros in (0..40).flat_map(|power| [(1u64 << power) - 1, 1 << power, (1 << power) + 1]) {
            let place = place(Duration::from_micros(micros));
            let seconds = micros as f64 / 1e6;
            assert!(place == COUNTERS - 1 || seconds <= end(place), "{micros}");
        }
        assert_eq!(place(Duration::MAX), COUNTERS - 1);
        assert_eq!(Latencies::default().quantiles(), Quantiles::default());
    }
}
