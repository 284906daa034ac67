//! How much of a file's pages each connection keeps in memory.

use crate::target::Durability;

/// Of a connection that only reads, in KiB.
pub const READER_KIB: i64 = 8 * 1024;

/// Bytes that connections of one run keep, shared out by what each is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cache(u64);

impl Cache {
    /// Takes a tenth off a load of a million messages beside half of it; beyond it there is little more.
    pub const USUAL: Cache = Cache(32 << 20);

    pub fn of_bytes(bytes: u64) -> Cache {
        Cache(bytes)
    }

    pub fn bytes(self) -> u64 {
        self.0
    }

    /// KiB of a connection. Ids come in no order, so each row of a batch may need a page of its key's index that
    /// was last met long ago; whoever looks documents up beside it meets each page a few times at most.
    pub(super) fn of(self, durability: Durability) -> i64 {
        match durability {
            Durability::Relaxed => self.kib(1),
            Durability::Full => self.kib(8),
        }
    }

    /// KiB of a connection that builds indexes: it keeps pages, and up to twice as much that is being sorted.
    pub(super) fn for_sorting(self) -> i64 {
        self.kib(2)
    }

    fn kib(self, share: u64) -> i64 {
        i64::try_from(self.0 / share / 1024).unwrap_or(i64::MAX).max(1)
    }
}

impl Default for Cache {
    fn default() -> Cache {
        Cache::USUAL
    }
}
