//! Derived ids: UUIDv5 over one namespace, so that any other program can compute them.
//!
//! The rule, with a worked example, is in `docs/ids.md`. A name is the parts joined by U+0000,
//! which no accepted string contains, so two different lists of parts never make one name.

use uuid::Uuid;

/// UUIDv5 of `transload` in the namespace for ISO object ids (RFC 9562, 6.6).
pub const NAMESPACE: Uuid = Uuid::from_u128(0x27a9f043_8151_5573_a997_e22aadb1f56d);

/// The id for a name made of `parts`.
pub fn derive(parts: &[&str]) -> Uuid {
    Uuid::new_v5(&NAMESPACE, parts.join("\0").as_bytes())
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
    fn only_the_usual_spelling_is_a_uuid() {
        assert!(as_uuid("67E55044-10b1-426f-9247-bb680e5fe0c8").is_some());
        assert!(as_uuid("67e5504410b1426f9247bb680e5fe0c8").is_none());
        assert!(as_uuid("{67e55044-10b1-426f-9247-bb680e5fe0c8}").is_none());
    }
}
