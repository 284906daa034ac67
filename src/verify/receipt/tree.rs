//! One hash of many, by the tree of RFC 6962 with BLAKE3 in SHA-256's place: a leaf is never taken
//! for an inner node, and no tree for a longer one.

use super::Root;

const LEAF: u8 = 0;
const INNER: u8 = 1;

/// A tree that grows at its end. Of what came, only the roots of whole subtrees are held.
#[derive(Default)]
pub struct Tree {
    leaves: u64,
    /// Of falling size; sizes are the bits of `leaves`.
    subtrees: Vec<[u8; 32]>,
}

impl Tree {
    pub fn push(&mut self, document: &[u8; 32]) {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[LEAF]).update(document);
        let mut hash = *hasher.finalize().as_bytes();
        // A carry, as in counting: two subtrees of one size make one of the next.
        for _ in 0..self.leaves.trailing_ones() {
            let left = self.subtrees.pop().expect("there is a subtree for each bit of the count");
            hash = inner(&left, &hash);
        }
        self.subtrees.push(hash);
        self.leaves += 1;
    }

    pub fn root(self) -> Root {
        let mut subtrees = self.subtrees.into_iter().rev();
        let hash = match subtrees.next() {
            None => *blake3::hash(b"").as_bytes(),
            Some(last) => subtrees.fold(last, |right, left| inner(&left, &right)),
        };
        Root { documents: self.leaves, hash }
    }
}

fn inner(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[INNER]).update(left).update(right);
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As RFC 6962 defines it, from all leaves at once.
    fn defined(documents: &[[u8; 32]]) -> [u8; 32] {
        match documents {
            [] => *blake3::hash(b"").as_bytes(),
            [one] => *blake3::hash(&[&[LEAF][..], one].concat()).as_bytes(),
            many => {
                let mut left = 1;
                while left * 2 < many.len() {
                    left *= 2;
                }
                inner(&defined(&many[..left]), &defined(&many[left..]))
            }
        }
    }

    #[test]
    fn the_tree_is_that_of_the_rfc_at_any_size() {
        let documents: Vec<[u8; 32]> = (0..130u8).map(|number| [number; 32]).collect();
        for count in 0..documents.len() {
            let mut tree = Tree::default();
            documents[..count].iter().for_each(|document| tree.push(document));
            assert_eq!(tree.root(), Root { documents: count as u64, hash: defined(&documents[..count]) });
        }
    }
}
