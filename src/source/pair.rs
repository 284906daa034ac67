//! Which files of one directory make up which document. Pure: nothing is opened.
//!
//! Files of one (kind, key) belong together, each in a role of its own. Two files in one role are
//! two documents that claim the same thing; what becomes of them is decided where claims are known.

use uuid::Uuid;

use crate::model::{ids, Class, FileRole, Membership};

use super::shape::Shape;

/// A file's claim to be a part of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// The document's id, which stands for its kind and key.
    pub document: Uuid,
    pub role: FileRole,
}

impl Claim {
    /// The claim of a file whose class is `class`, given its shape where that matters.
    pub fn of(class: &Class, shape: impl FnOnce() -> Shape) -> Option<Claim> {
        let member = match class {
            Class::Document(member) => member,
            Class::ByShape { object, otherwise } => match shape() {
                Shape::Object => object,
                Shape::Other => otherwise,
            },
            Class::NotMigrated { .. } => return None,
        };
        Some(Claim::by(member))
    }

    fn by(member: &Membership) -> Claim {
        Claim { document: ids::document(member.kind.name, &member.key), role: member.role }
    }

    /// The membership in `class` that this claim was made by.
    pub fn member(self, class: Class) -> Option<Membership> {
        let candidates = match class {
            Class::Document(member) => [Some(member), None],
            Class::ByShape { object, otherwise } => [Some(object), Some(otherwise)],
            Class::NotMigrated { .. } => [None, None],
        };
        let mut candidates = candidates.into_iter().flatten().filter(|member| member.role == self.role);
        // Where only one has the role, its id need not be derived again.
        let first = candidates.next()?;
        match candidates.next() {
            None => Some(first),
            Some(second) => [first, second].into_iter().find(|member| Claim::by(member) == self),
        }
    }
}

/// No further file. A directory of more files than this would not fit into memory by far.
const END: u32 = u32::MAX;

/// The files of a directory as chains: each document's first file leads to the others, in order.
pub(super) struct Pairs {
    claims: Vec<Option<Claim>>,
    next: Vec<u32>,
    leads: Vec<bool>,
}

impl Pairs {
    /// `claims` in path order; `None` for what is in no document and stands for itself.
    pub fn new(claims: Vec<Option<Claim>>) -> Pairs {
        let (next, leads) = (vec![END; claims.len()], vec![true; claims.len()]);
        let mut pairs = Pairs { claims, next, leads };
        let mut order: Vec<(Uuid, u32)> =
            pairs.claims.iter().zip(0..).filter_map(|(claim, at)| claim.map(|claim| (claim.document, at))).collect();
        order.sort_unstable();
        for group in order.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() > 1) {
            pairs.link(group);
        }
        pairs
    }

    /// Links the files of one (kind, key): each to the first chain that lacks its role.
    fn link(&mut self, group: &[(Uuid, u32)]) {
        let mut chains: Vec<Vec<(FileRole, u32)>> = Vec::new();
        for &(_, at) in group {
            let Some(role) = self.claims[at as usize].map(|claim| claim.role) else { continue };
            match chains.iter_mut().find(|chain| chain.iter().all(|(taken, _)| *taken != role)) {
                Some(chain) => {
                    let last = chain[chain.len() - 1].1;
                    self.next[last as usize] = at;
                    self.leads[at as usize] = false;
                    chain.push((role, at));
                }
                None => chains.push(vec![(role, at)]),
            }
        }
    }

    /// What the file claims; `None` if it is in no document.
    pub fn claim(&self, at: usize) -> Option<Claim> {
        self.claims[at]
    }

    /// Whether the file is the first of its document.
    pub fn leads(&self, at: usize) -> bool {
        self.leads[at]
    }

    /// The file and those that follow it in its document.
    pub fn chain(&self, at: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(Some(at), |at| Some(self.next[*at]).filter(|next| *next != END).map(|next| next as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(key: &str, role: &'static str) -> Option<Claim> {
        Some(Claim { document: ids::document("chats", key), role: FileRole(role) })
    }

    fn chains(claims: &[Option<Claim>]) -> Vec<Vec<usize>> {
        let pairs = Pairs::new(claims.to_vec());
        (0..claims.len()).filter(|at| pairs.leads(*at)).map(|at| pairs.chain(at).collect()).collect()
    }

    #[test]
    fn files_of_one_key_make_one_document_wherever_they_stand() {
        let claims = [claim("a", "history"), None, claim("b", "history"), claim("a", "session"), claim("b", "session")];
        assert_eq!(chains(&claims), [vec![0, 3], vec![1], vec![2, 4]]);
    }

    #[test]
    fn two_files_in_one_role_are_two_documents() {
        let claims = [claim("a", "history"), claim("a", "history"), claim("a", "session"), claim("a", "history")];
        assert_eq!(chains(&claims), [vec![0, 2], vec![1], vec![3]]);
    }

    #[test]
    fn an_empty_directory_has_no_documents() {
        assert!(chains(&[]).is_empty());
    }
}
