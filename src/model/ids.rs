//! Derived ids: UUIDv5 over one namespace, so that any other program can compute them.
//!
//! The rule, with a worked example, is in `docs/ids.md`. A name is the parts joined by U+0000,
//! which no accepted string contains, so two different lists of parts never make one name.

use sha1::{Digest, Sha1};
use uuid::{Builder, Uuid};

/// UUIDv5 of `transload` in the namespace for ISO object ids (RFC 9562, 6.6).
pub const NAMESPACE: Uuid = Uuid::from_u128(0x27a9f043_8151_5573_a997_e22aadb1f56d);

/// The id for a name made of `parts`.
pub fn derive(parts: &[&str]) -> Uuid {
    // Not the uuid crate's own SHA-1, which knows no processor's instructions: every message has an id.
    let mut hash = Sha1::new_with_prefix(NAMESPACE.as_bytes());
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            hash.update(b"\0");
        }
        hash.update(part.as_bytes());
    }
    let hash: [u8; 20] = hash.finalize().into();
    Builder::from_sha1_bytes(*hash.first_chunk().expect("20 bytes are more than 16")).into_uuid()
}

/// The ledger's id of a document: the same whatever database or adopted row it lands in.
pub fn document(kind: &str, key: &str) -> Uuid {
    derive(&["document", kind, key])
}

/// The ledger's id of a document that is refused because another file holds its key.
pub fn twin(kind: &str, key: &str, path: &str) -> Uuid {
    derive(&["document", kind, key, path])
}

/// A legacy id that is a UUID in the usual spelling of 36 characters, in either case.
pub fn as_uuid(legacy: &str) -> Option<Uuid> {
    (legacy.len() == 36).then(|| Uuid::try_parse(legacy).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_namespace_is_derived_as_documented() {
        assert_eq!(NAMESPACE, Uuid::new_v5(&Uuid::NAMESPACE_OID, b"transload"));
    }

    #[test]
    fn a_name_of_any_length_is_its_parts_joined() {
        for length in [0, 1, 100, 250, 251, 252, 253, 254, 255, 256, 257, 5_000] {
            let long = "x".repeat(length);
            let joined = format!("ab\0{long}\0c");
            assert_eq!(derive(&["ab", &long, "c"]), Uuid::new_v5(&NAMESPACE, joined.as_bytes()), "{length}");
        }
        assert_eq!(derive(&["", ""]), Uuid::new_v5(&NAMESPACE, b"\0"));
        assert_eq!(derive(&[]), Uuid::new_v5(&NAMESPACE, b""));
    }

    #[test]
    fn only_the_usual_spelling_is_a_uuid() {
        assert!(as_uuid("67E55044-10b1-426f-9247-bb680e5fe0c8").is_some());
        assert!(as_uuid("67e5504410b1426f9247bb680e5fe0c8").is_none());
        assert!(as_uuid("{67e55044-10b1-426f-9247-bb680e5fe0c8}").is_none());
    }
}
