//! Documents examined side by side: as many at one time as may be held. How large they are is known only
//! when they are read.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

/// Takes from the front and gives what `work` makes of each, in order, until `most_bytes` were read. `work`
/// tells the bytes, too. Each of rayon's threads finishes what it has begun, so one document for each may
/// come in addition.
pub fn round<T: Send, R: Send>(
    waiting: &mut VecDeque<T>,
    most_bytes: u64,
    work: impl Fn(T) -> (R, u64) + Sync,
) -> Vec<R> {
    let bytes = AtomicU64::new(0);
    let next = Mutex::new((0, waiting));
    let take = || {
        let (taken, waiting) = &mut *next.lock().unwrap_or_else(PoisonError::into_inner);
        let item = waiting.pop_front()?;
        *taken += 1;
        Some((*taken, item))
    };
    let of_one_thread = |_| {
        let mut done = Vec::new();
        while bytes.load(Ordering::Relaxed) < most_bytes {
            let Some((number, item)) = take() else { break };
            let (result, read) = work(item);
            bytes.fetch_add(read, Ordering::Relaxed);
            done.push((number, result));
        }
        done
    };
    let threads = rayon::current_num_threads();
    let mut done: Vec<(usize, R)> = (0..threads).into_par_iter().with_max_len(1).flat_map_iter(of_one_thread).collect();
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_the_first_documents_in_order_and_ends_with_the_bytes() {
        let mut waiting: VecDeque<u64> = (0..1000).collect();
        let threads = rayon::current_num_threads() as u64;
        let mut all = Vec::new();
        while !waiting.is_empty() {
            let before = waiting.len();
            let done = round(&mut waiting, 100, |number| (number, 10));
            assert_eq!(done.len(), before - waiting.len());
            assert!(waiting.is_empty() || (10..10 + threads).contains(&(done.len() as u64)), "{}", done.len());
            all.extend(done);
        }
        assert_eq!(all, (0..1000).collect::<Vec<u64>>());
    }

    #[test]
    fn one_document_is_taken_however_large_it_is() {
        let mut waiting = VecDeque::from(["large", "small"]);
        let done = round(&mut waiting, 1, |name| (name, u64::MAX / 4));
        assert_eq!(done[0], "large");
        assert!(round(&mut VecDeque::<u8>::new(), 1, |it| (it, 0)).is_empty());
    }
}
