//! The digest of a document: by it a later run knows that nothing changed.

/// Keeps these digests apart from every other use of BLAKE3, and says which rule they follow.
const DOMAIN: &[u8] = b"transload document 1\0";

/// One file's share in its document's digest.
pub struct Share<'a> {
    /// The name of the file's role.
    pub role: &'a str,
    pub size: u64,
    /// Of the file's bytes.
    pub blake3: &'a [u8; 32],
}

/// BLAKE3 over the text `transload document 1` with a NUL, then for each file in path order: the
/// length of its role's name in bytes (64 bits, big-endian), that name in UTF-8, the file's size
/// (64 bits, big-endian), and the BLAKE3 hash of its bytes (32 bytes).
///
/// Neither paths nor times are part of it: a file that was moved or touched has not changed. Roles
/// are, because a session's bytes as a history would be another document.
pub fn document_digest<'a>(files: impl IntoIterator<Item = Share<'a>>) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(DOMAIN);
    for file in files {
        hasher.update(&(file.role.len() as u64).to_be_bytes());
        hasher.update(file.role.as_bytes());
        hasher.update(&file.size.to_be_bytes());
        hasher.update(file.blake3);
    }
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_follows_the_written_rule() {
        let (first, second) = (*blake3::hash(b"{}").as_bytes(), *blake3::hash(b"[]\n").as_bytes());
        let by_hand = [
            b"transload document 1\0".as_slice(),
            b"\0\0\0\0\0\0\0\x07history",
            b"\0\0\0\0\0\0\0\x03",
            &second,
            b"\0\0\0\0\0\0\0\x07session",
            b"\0\0\0\0\0\0\0\x02",
            &first,
        ]
        .concat();
        let shares =
            [Share { role: "history", size: 3, blake3: &second }, Share { role: "session", size: 2, blake3: &first }];
        assert_eq!(document_digest(shares), *blake3::hash(&by_hand).as_bytes());
    }

    #[test]
    fn the_role_counts() {
        let hash = *blake3::hash(b"[]").as_bytes();
        let of = |role| document_digest([Share { role, size: 2, blake3: &hash }]);
        assert_ne!(of("history"), of("session"));
    }
}
