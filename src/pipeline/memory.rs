//! How large what travels may be, so that a run stays within so many bytes. Pure: nothing is measured
//! here; `tests/memory.rs` holds the estimate against what the system says.
//!
//! Not counted: the names of one directory's files, the keys of users that others may claim, and a
//! single message, which is held whole.

use std::fmt;

const MIB: u64 = 1 << 20;

/// The program itself, its allocator's leftovers.
const BASE: u64 = 26 * MIB;
/// A thread that decodes: its heap and what it keeps for the next document.
const THREAD: u64 = 3 * MIB;
/// A connection that writes.
const WRITER: u64 = 3 * MIB;
/// Bytes held for one of a round: as read, as rows, and as what becomes of them.
const OF_ROUND: u64 = 4;
/// Bytes held for one of a file that is decoded whole: also its values one by one.
const OF_WHOLE: u64 = 7;
/// Bytes held for one of a batch: also on its way through the driver.
const OF_BATCH: u64 = 2;

/// Below these nothing gets on.
const LEAST_ROUND: u64 = MIB / 2;
const LEAST_WHOLE: u64 = MIB;
const LEAST_BATCH: u64 = MIB / 4;
const LEAST_CACHE: u64 = 8 * MIB;

/// What bounds the bytes in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Bytes of files that are read and decoded between two looks at the batches.
    pub round_bytes: u64,
    pub whole_bytes: u64,
    pub batch_bytes: u64,
    /// Bytes of its pages that a database within the program keeps in memory.
    pub cache_bytes: u64,
    pub writers: u64,
}

/// So little does not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLittle {
    /// The smallest that does, in bytes.
    pub least: u64,
}

impl fmt::Display for TooLittle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a run needs at least {} MiB here", self.least.div_ceil(MIB))
    }
}

/// The sizes cut so that a run with so many decoding threads takes at most `most` bytes; none grows.
///
/// # Errors
/// When even the smallest take more.
pub fn within(most: u64, threads: u64, sizes: Sizes) -> Result<Sizes, TooLittle> {
    let least = |writers: u64| {
        let sizes = Sizes {
            round_bytes: LEAST_ROUND,
            whole_bytes: LEAST_WHOLE,
            batch_bytes: LEAST_BATCH,
            cache_bytes: LEAST_CACHE,
            writers,
        };
        fixed(threads, writers) + travelling(threads, sizes)
    };
    let writers = (1..=sizes.writers.max(1)).rev().find(|writers| least(*writers) <= most);
    let writers = writers.ok_or_else(|| TooLittle { least: least(1).div_ceil(MIB) * MIB })?;
    // What is left beyond the least, by equal parts: reading, decoding, writing and the database wait for each other.
    let spare = (most - least(writers)) / 4;
    let cut = |size: u64, least: u64, held: u64| size.min(least + spare / held);
    Ok(Sizes {
        round_bytes: cut(sizes.round_bytes, LEAST_ROUND, OF_ROUND),
        whole_bytes: cut(sizes.whole_bytes, LEAST_WHOLE, OF_WHOLE * threads),
        batch_bytes: cut(sizes.batch_bytes, LEAST_BATCH, OF_BATCH * batches(writers)),
        cache_bytes: cut(sizes.cache_bytes, LEAST_CACHE, 1),
        writers,
    })
}

fn fixed(threads: u64, writers: u64) -> u64 {
    BASE + THREAD * threads + WRITER * writers
}

fn travelling(threads: u64, sizes: Sizes) -> u64 {
    OF_ROUND * sizes.round_bytes
        + OF_WHOLE * threads * sizes.whole_bytes
        + OF_BATCH * batches(sizes.writers) * sizes.batch_bytes
        + sizes.cache_bytes
}

/// Batches at one time: each writer has one and another waits for it, and one is being filled.
fn batches(writers: u64) -> u64 {
    2 * writers + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Sizes =
        Sizes { round_bytes: 4 * MIB, whole_bytes: 4 * MIB, batch_bytes: 8 * MIB, cache_bytes: 32 * MIB, writers: 4 };

    #[test]
    fn sizes_shrink_with_the_room_and_never_grow() {
        assert_eq!(within(1 << 40, 4, USUAL), Ok(USUAL));
        for threads in [1, 2, 8, 64] {
            let least = within(0, threads, USUAL).expect_err("nothing fits into nothing").least;
            assert!(within(least - MIB, threads, USUAL).is_err(), "{threads} threads");
            let mut before = within(least, threads, USUAL).expect("it is what works");
            for room in (0..400).map(|step| least + step * MIB) {
                let sizes = within(room, threads, USUAL).expect("there is more room");
                let taken = fixed(threads, sizes.writers) + travelling(threads, sizes);
                assert!(taken <= room, "{threads} threads, {room}: {sizes:?} take {taken}");
                assert!(sizes.writers >= before.writers && sizes.writers <= USUAL.writers);
                assert!(sizes.whole_bytes <= USUAL.whole_bytes && sizes.batch_bytes <= USUAL.batch_bytes);
                assert!(sizes.cache_bytes <= USUAL.cache_bytes);
                before = sizes;
            }
        }
    }

    #[test]
    fn what_is_small_by_itself_stays_as_it_is() {
        let small = Sizes { round_bytes: MIB, whole_bytes: 1000, batch_bytes: 1024, cache_bytes: MIB, writers: 1 };
        let least = within(0, 2, small).expect_err("nothing fits into nothing").least;
        let sizes = within(least + 20 * MIB, 2, small).expect("there is room");
        assert_eq!((sizes.whole_bytes, sizes.batch_bytes, sizes.cache_bytes, sizes.writers), (1000, 1024, MIB, 1));
    }
}
