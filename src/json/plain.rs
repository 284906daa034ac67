//! How far a string goes on without a character that JSON escapes: eight bytes at a time, because most
//! of a tree's bytes are the text of messages.

const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGHS: u64 = ONES << 7;

/// The length of the run before the first quote, backslash or control character.
pub fn plain_length(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let marks = marks(u64::from_le_bytes(*word));
        if marks != 0 {
            return at * 8 + marks.trailing_zeros() as usize / 8;
        }
    }
    let is_special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    words.len() * 8 + rest.iter().position(is_special).unwrap_or(rest.len())
}

/// The highest bit of the first byte that is special, and of none before it. A subtraction that
/// borrows spoils only the bytes after the one that made it borrow.
fn marks(word: u64) -> u64 {
    let below = |word: u64, least: u8| word.wrapping_sub(ONES * u64::from(least)) & !word;
    let equal = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    (below(word, 0x20) | equal(b'"') | equal(b'\\')) & HIGHS
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn byte_by_byte(bytes: &[u8]) -> usize {
        bytes.iter().position(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\')).unwrap_or(bytes.len())
    }

    #[test]
    fn every_byte_is_told_at_every_place() {
        for byte in 0..=u8::MAX {
            for place in 0..24 {
                for around in [b' ', b'a', 0x7F, 0x80, 0xFF, b'!', b'#', b'[', b']'] {
                    let mut bytes = [around; 24];
                    bytes[place] = byte;
                    assert_eq!(plain_length(&bytes), byte_by_byte(&bytes), "{byte:02x} at {place} in {around:02x}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_run_ends_where_it_ends_byte_by_byte(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            prop_assert_eq!(plain_length(&bytes), byte_by_byte(&bytes));
        }
    }
}
