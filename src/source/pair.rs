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
        class.member(|| shape() == Shape::Object).map(Claim::by)
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

/// The claims of a directory's files, in path order. There may be a million: roles are numbers.
#[derive(Debug, Default)]
pub(super) struct Claims {
    documents: Vec<Uuid>,
    /// Indexes into `known`, or [`NO_CLAIM`].
    roles: Vec<u8>,
    known: Vec<FileRole>,
}

/// A file in no document.
const NO_CLAIM: u8 = u8::MAX;

impl Claims {
    pub fn with_capacity(files: usize) -> Claims {
        Claims { documents: Vec::with_capacity(files), roles: Vec::with_capacity(files), known: Vec::new() }
    }

    fn get(&self, at: usize) -> Option<Claim> {
        let role = *self.known.get(usize::from(self.roles[at]))?;
        Some(Claim { document: self.documents[at], role })
    }

    fn number(&mut self, role: FileRole) -> u8 {
        let at = self.known.iter().position(|known| *known == role).unwrap_or_else(|| {
            self.known.push(role);
            self.known.len() - 1
        });
        u8::try_from(at).ok().filter(|number| *number != NO_CLAIM).expect("a format has a handful of roles")
    }
}

impl Extend<Option<Claim>> for Claims {
    fn extend<I: IntoIterator<Item = Option<Claim>>>(&mut self, claims: I) {
        for claim in claims {
            let role = claim.map_or(NO_CLAIM, |claim| self.number(claim.role));
            self.documents.push(claim.map_or(Uuid::nil(), |claim| claim.document));
            self.roles.push(role);
        }
    }
}

/// No further file. A directory of more files than this would not fit into memory by far.
const END: u32 = u32::MAX;

/// The files of a directory as chains: each document's first file leads to the others, in order.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    claims: Claims,
    next: Vec<u32>,
    leads: Vec<bool>,
}

impl Pairs {
    /// A file without a claim is in no document and stands for itself.
    pub fn new(claims: Claims) -> Pairs {
        let files = claims.documents.len();
        let (next, leads) = (vec![END; files], vec![true; files]);
        let mut pairs = Pairs { claims, next, leads };
        let document = |pairs: &Pairs, at: u32| pairs.claims.documents[at as usize];
        let mut order: Vec<u32> =
            pairs.claims.roles.iter().zip(0..).filter(|(role, _)| **role != NO_CLAIM).map(|(_, at)| at).collect();
        order.sort_unstable_by_key(|at| (document(&pairs, *at), *at));
        let mut rest = &order[..];
        while let [first, ..] = rest {
            let wanted = document(&pairs, *first);
            let count = rest.iter().take_while(|at| document(&pairs, **at) == wanted).count();
            let group;
            (group, rest) = rest.split_at(count);
            if count > 1 {
                pairs.link(group);
            }
        }
        pairs
    }

    /// Links the files of one (kind, key): each to the first chain that lacks its role.
    fn link(&mut self, group: &[u32]) {
        let mut chains: Vec<Vec<(FileRole, u32)>> = Vec::new();
        for &at in group {
            let Some(Claim { role, .. }) = self.claims.get(at as usize) else { continue };
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
        self.claims.get(at)
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
        let mut packed = Claims::default();
        packed.extend(claims.iter().copied());
        assert!((0..claims.len()).all(|at| packed.get(at) == claims[at]));
        let pairs = Pairs::new(packed);
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
