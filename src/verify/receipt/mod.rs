//! The receipt: one hash for all that the files say and one for all that the database says, by a
//! rule (`docs/receipts.md`) that a program in any language can follow.
//!
//! Documents come in any order and from several threads. `document` hashes one, `sorted` puts them
//! in order within bounded memory, `tree` makes one hash of many, `text` writes the receipt.

mod document;
mod sorted;
mod text;
mod tree;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, PoisonError};

pub use document::{DocumentHash, Leaf};
pub use text::{Receipt, VERSION};

use sorted::{Record, Sorted};
use tree::Tree;

/// Leaves of one side that are held in memory, 49 bytes each; more are put into a file.
const HELD: usize = 1 << 18;

/// Which side of the comparison a document was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    File,
    Database,
}

/// One hash for all documents of a kind, or of all kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root {
    pub documents: u64,
    pub hash: [u8; 32],
}

/// What one side comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roots {
    pub all: Root,
    /// By the kinds' names.
    pub kinds: BTreeMap<&'static str, Root>,
}

/// The leaves could not be put aside.
#[derive(Debug, thiserror::Error)]
#[error("cannot keep the documents' hashes in a temporary file")]
pub struct ReceiptError {
    #[from]
    source: io::Error,
}

impl ReceiptError {
    /// What to try.
    pub fn hint(&self) -> &'static str {
        "name a directory with room for 49 bytes a document in TMPDIR"
    }
}

/// The documents of both sides, as they come in.
pub struct Leaves {
    file: Mutex<Gathered>,
    database: Mutex<Gathered>,
}

/// One side.
struct Gathered {
    records: Sorted,
    /// A record has the position of its kind here.
    kinds: Vec<&'static str>,
}

impl Leaves {
    pub fn new() -> Leaves {
        Leaves::holding(HELD)
    }

    /// As [`Leaves::new`], with so many leaves of a side in memory.
    fn holding(limit: usize) -> Leaves {
        let side = || Mutex::new(Gathered { records: Sorted::new(limit), kinds: Vec::new() });
        Leaves { file: side(), database: side() }
    }

    /// Adds a document. Each is to be added once to each side that has it.
    ///
    /// # Errors
    /// When there are so many that they are put into a file, and that fails.
    pub fn add(&self, side: Side, leaf: Leaf) -> Result<(), ReceiptError> {
        let side = match side {
            Side::File => &self.file,
            Side::Database => &self.database,
        };
        let mut gathered = side.lock().unwrap_or_else(PoisonError::into_inner);
        let known = gathered.kinds.iter().position(|kind| *kind == leaf.kind);
        let kind = known.unwrap_or_else(|| {
            gathered.kinds.push(leaf.kind);
            gathered.kinds.len() - 1
        });
        let kind = u8::try_from(kind).expect("a format has a handful of kinds");
        Ok(gathered.records.push(Record { id: leaf.id, hash: leaf.hash, kind })?)
    }

    /// The roots of the files and of the database, once all documents are in.
    ///
    /// # Errors
    /// When what was put into a file cannot be read again.
    pub fn finish(self) -> Result<(Roots, Roots), ReceiptError> {
        let roots = |side: Mutex<Gathered>| side.into_inner().unwrap_or_else(PoisonError::into_inner).roots();
        Ok((roots(self.file)?, roots(self.database)?))
    }
}

impl Default for Leaves {
    fn default() -> Leaves {
        Leaves::new()
    }
}

impl Gathered {
    fn roots(self) -> io::Result<Roots> {
        let mut all = Tree::default();
        let mut kinds: Vec<Tree> = self.kinds.iter().map(|_| Tree::default()).collect();
        self.records.each(&mut |record| {
            all.push(&record.hash);
            kinds[usize::from(record.kind)].push(&record.hash);
        })?;
        let kinds = self.kinds.into_iter().zip(kinds).map(|(kind, tree)| (kind, tree.root())).collect();
        Ok(Roots { all: all.root(), kinds })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::node::Node;

    const KINDS: [&str; 3] = ["users", "chats", "memory"];

    fn leaf(number: u128) -> Leaf {
        let mut document = DocumentHash::new(
            Uuid::from_u128(number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)),
            KINDS[number as usize % 3],
            "k",
        );
        let file = document.file("a.json", "whole");
        document.whole(file, &Node::Number(number.to_string().into()));
        document.finish()
    }

    fn roots(limit: usize, numbers: impl Iterator<Item = u128>) -> Roots {
        let leaves = Leaves::holding(limit);
        for number in numbers {
            leaves.add(Side::Database, leaf(number)).expect("a temporary file can be written");
        }
        let (file, database) = leaves.finish().expect("a temporary file can be read");
        assert_eq!((file.all.documents, file.kinds.len()), (0, 0));
        database
    }

    #[test]
    fn neither_order_nor_memory_matters() {
        let expected = roots(usize::MAX, 0..1_000);
        assert_eq!(expected.all.documents, 1_000);
        assert_eq!(expected.kinds.values().map(|root| root.documents).collect::<Vec<_>>(), [333, 333, 334]);
        for limit in [1, 7, 100, 999, 1_000, 1_001] {
            assert_eq!(roots(limit, (0..1_000).rev()), expected, "{limit} in memory");
        }
        let mut kinds: Vec<[u8; 32]> = expected.kinds.values().map(|root| root.hash).collect();
        kinds.push(expected.all.hash);
        kinds.sort_unstable();
        kinds.dedup();
        assert_eq!(kinds.len(), 4);
    }

    #[test]
    fn any_document_more_less_or_other_makes_another_root() {
        let expected = roots(100, 0..300);
        assert_ne!(roots(100, 0..299).all.hash, expected.all.hash);
        assert_ne!(roots(100, 0..301).all.hash, expected.all.hash);
        assert_ne!(roots(100, (0..299).chain([300])).all.hash, expected.all.hash);
        assert_ne!(roots(100, (0..300).chain([7])).all.hash, expected.all.hash);
    }

    #[test]
    fn several_threads_may_add() {
        let leaves = Leaves::holding(50);
        std::thread::scope(|scope| {
            for share in 0..4 {
                let leaves = &leaves;
                scope.spawn(move || {
                    for number in (0..1_000).filter(|number| number % 4 == share) {
                        leaves.add(Side::File, leaf(number)).expect("a temporary file can be written");
                    }
                });
            }
        });
        assert_eq!(leaves.finish().expect("a temporary file can be read").0, roots(usize::MAX, 0..1_000));
    }
}
