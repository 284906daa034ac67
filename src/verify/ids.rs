//! Maps by id. UUIDs are nearly random already, so their bits are mixed with a secret and not hashed.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hasher};

use uuid::Uuid;

pub type IdMap<T> = HashMap<Uuid, T, IdHashes>;
pub type IdSet = HashSet<Uuid, IdHashes>;

/// Makes the hashes of one map.
#[derive(Clone)]
pub struct IdHashes(u64);

impl Default for IdHashes {
    fn default() -> IdHashes {
        // The system's own randomness, by the only way that the standard library has to it.
        IdHashes(RandomState::new().hash_one(0u8) | 1)
    }
}

impl BuildHasher for IdHashes {
    type Hasher = IdHasher;

    fn build_hasher(&self) -> IdHasher {
        IdHasher { secret: self.0, hash: 0 }
    }
}

pub struct IdHasher {
    secret: u64,
    hash: u64,
}

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for word in bytes.chunks(8) {
            let mut whole = [0; 8];
            whole[..word.len()].copy_from_slice(word);
            // Both halves of the product, so that every bit of the id reaches every bit of the hash.
            let word = self.hash ^ u64::from_le_bytes(whole) ^ 0x9E37_79B9_7F4A_7C15;
            let product = u128::from(word) * u128::from(self.secret);
            self.hash = (product >> 64) as u64 ^ product as u64;
        }
    }

    fn write_usize(&mut self, _: usize) {
        // The length of 16 bytes says nothing.
    }

    fn finish(&self) -> u64 {
        // Some secrets leave ids that follow each other side by side; this parts them for every secret.
        let hash = (self.hash ^ (self.hash >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        let hash = (hash ^ (hash >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        hash ^ (hash >> 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_follow_each_other_spread_whatever_the_secret() {
        for secret in 0..2_000u64 {
            // Any secret may be drawn, so many are tried.
            let hashes = IdHashes(secret.wrapping_mul(0xBF58_476D_1CE4_E5B9) | 1);
            for shift in [0, 20, 64, 100] {
                let ids = (0..1000u128).map(|id| hashes.hash_one(Uuid::from_u128(id << shift)) & 0xFFFF);
                let places: HashSet<u64> = ids.collect();
                assert!(places.len() > 900, "{} at {shift} with {:x}", places.len(), hashes.0);
            }
        }
    }
}
