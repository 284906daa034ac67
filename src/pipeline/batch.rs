//! Batches: whole documents, about so many rows, bounded in bytes.

/// Cuts a sequence of sized things into batches, never within a thing.
pub struct Batcher<T> {
    rows_limit: usize,
    bytes_limit: usize,
    items: Vec<T>,
    rows: usize,
    bytes: usize,
}

impl<T> Batcher<T> {
    pub fn new(rows_limit: usize, bytes_limit: usize) -> Batcher<T> {
        Batcher { rows_limit: rows_limit.max(1), bytes_limit: bytes_limit.max(1), items: Vec::new(), rows: 0, bytes: 0 }
    }

    /// Adds a thing of so many rows and bytes; returns the batches that are complete: the one
    /// that had no room for it, and its own if it fills one alone.
    pub fn push(&mut self, item: T, rows: usize, bytes: usize) -> Vec<Vec<T>> {
        let mut complete = Vec::new();
        let overflows =
            self.rows.saturating_add(rows) > self.rows_limit || self.bytes.saturating_add(bytes) > self.bytes_limit;
        if overflows {
            complete.extend(self.take());
        }
        self.items.push(item);
        self.rows = self.rows.saturating_add(rows);
        self.bytes = self.bytes.saturating_add(bytes);
        if self.rows >= self.rows_limit || self.bytes >= self.bytes_limit {
            complete.extend(self.take());
        }
        complete
    }

    /// What is left.
    pub fn take(&mut self) -> Option<Vec<T>> {
        (self.rows, self.bytes) = (0, 0);
        (!self.items.is_empty()).then(|| std::mem::take(&mut self.items))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn batches_hold_everything_once_in_order_and_within_the_limits(
            sizes in proptest::collection::vec((0usize..40, 0usize..400), 0..200),
            rows_limit in 1usize..50,
            bytes_limit in 1usize..500,
        ) {
            let mut batcher = Batcher::new(rows_limit, bytes_limit);
            let mut batches = Vec::new();
            for (at, &(rows, bytes)) in sizes.iter().enumerate() {
                batches.extend(batcher.push(at, rows, bytes));
            }
            batches.extend(batcher.take());
            let all: Vec<usize> = batches.iter().flatten().copied().collect();
            prop_assert_eq!(all, (0..sizes.len()).collect::<Vec<_>>());
            for batch in &batches {
                let rows: usize = batch.iter().map(|&at| sizes[at].0).sum();
                let bytes: usize = batch.iter().map(|&at| sizes[at].1).sum();
                prop_assert!(batch.len() == 1 || (rows <= rows_limit && bytes <= bytes_limit));
            }
        }
    }

    #[test]
    fn a_thing_over_the_limit_is_a_batch_of_its_own() {
        let mut batcher = Batcher::new(10, 1000);
        assert!(batcher.push("small", 3, 30).is_empty());
        assert_eq!(batcher.push("huge", 50, 30), [vec!["small"], vec!["huge"]]);
        assert_eq!(batcher.take(), None);
    }
}
