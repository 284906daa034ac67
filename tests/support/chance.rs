//! Chance that can be repeated: a failing test says its seed, and `TRANSLOAD_TEST_SEED` sets it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Random numbers from a seed (SplitMix64).
pub struct Chance {
    /// What is told when the test fails, if the seed was its own.
    seed: Option<u64>,
    state: u64,
}

impl From<u64> for Chance {
    /// A sequence whose seed somebody else keeps.
    fn from(seed: u64) -> Chance {
        Chance { seed: None, state: seed }
    }
}

impl Chance {
    /// A new sequence for the test of this name.
    pub fn new(name: &str) -> Chance {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
        Chance::starting(name, now.subsec_nanos().into())
    }

    /// As [`Chance::new`], with this seed unless another one is asked for.
    pub fn starting(name: &str, seed: u64) -> Chance {
        let seed = number("TRANSLOAD_TEST_SEED").unwrap_or(seed);
        let of_test = blake3::hash(name.as_bytes());
        let of_test = u64::from_le_bytes(*of_test.as_bytes().first_chunk().expect("a hash has 32 bytes"));
        Chance { seed: Some(seed), state: seed ^ of_test }
    }

    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// 0 to `limit` - 1.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    /// From 0.0, less than 1.0.
    pub fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// One number in each of `count` equal shares of 0.0 to 1.0, so that no stretch is left out.
    pub fn spread(&mut self, count: usize) -> Vec<f64> {
        (0..count).map(|at| (at as f64 + self.fraction()) / count as f64).collect()
    }
}

impl Drop for Chance {
    fn drop(&mut self) {
        if let (Some(seed), true) = (self.seed, std::thread::panicking()) {
            eprintln!("to repeat this: TRANSLOAD_TEST_SEED={seed}");
        }
    }
}

/// Whether the long forms of tests are asked for.
pub fn is_long() -> bool {
    std::env::var_os("TRANSLOAD_TEST_LONG").is_some_and(|value| !value.is_empty() && value != "0")
}

/// A number from the environment.
pub fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is {text:?} and no number")))
}
