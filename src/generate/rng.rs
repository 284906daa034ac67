//! The generator's own random numbers: the same on every machine and in every release.
//!
//! Every document has a stream of its own, so that documents can be written in any order and one
//! document's damage does not change its neighbours. No randomness in the cryptographic sense.

/// splitmix64 (Steele, Lea and Flood, 2014): one addition and one mixing function.
pub struct Rng(u64);

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// A bijection of 64-bit numbers in which every bit of the input matters to every bit of the output.
/// Because it is a bijection, distinct numbers give distinct ids.
pub fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Rng {
    /// The stream of document `number` among those of one `kind`.
    pub fn new(seed: u64, kind: u64, number: u64) -> Rng {
        let of_kind = mix(mix(seed.wrapping_add(STEP)) ^ kind);
        Rng(mix(of_kind.wrapping_add(number.wrapping_mul(STEP))))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// A number from 0 to `end - 1`.
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }

    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }

    pub fn percent(&mut self, share: u64) -> bool {
        self.below(100) < share
    }

    /// A number from 0 to `span`, mostly small: its mean is `span / (power + 1)`. Integers only,
    /// because powers of floating-point numbers differ between machines.
    pub fn skewed(&mut self, span: u64, power: u32) -> u64 {
        let r = self.below((1 << 16) + 1);
        (0..power).fold(span, |rest, _| (rest * r) >> 16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_fixed_for_ever() {
        let mut rng = Rng(0);
        assert_eq!([rng.next(), rng.next()], [0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4]);
    }

    #[test]
    fn skewed_numbers_have_their_mean_and_their_bounds() {
        let mut rng = Rng::new(1, 2, 3);
        let drawn: Vec<u64> = (0..100_000).map(|_| rng.skewed(1000, 4)).collect();
        let mean = drawn.iter().sum::<u64>() / drawn.len() as u64;
        assert!((190..=210).contains(&mean), "{mean}");
        assert!(drawn.iter().all(|&number| number <= 1000));
    }
}
