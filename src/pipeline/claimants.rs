//! Which files of a directory may claim a document, by their names.
//!
//! There may be a million of them, and nearly nobody is ever asked about: one piece of memory for the
//! names, and sixteen bytes for each document that a name can make.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use uuid::Uuid;

use crate::format::Format;
use crate::model::{ids, Class, RelPath};

#[derive(Debug, Default)]
pub struct Claimants {
    /// One name behind the other, as they were listed.
    names: Vec<u8>,
    /// In the order of the ids, those of one id in path order.
    claims: Vec<Claim>,
}

#[derive(Clone, Copy, Debug)]
struct Claim {
    id_prefix: u64,
    /// Where the name is.
    begin: u32,
    length: u32,
}

impl Claimants {
    /// What cannot be listed any more claims nothing; the walk reports it.
    pub fn list(format: &'static dyn Format, root: &Path, directory: &Path) -> Claimants {
        let mut listed = Claimants::default();
        for entry in fs::read_dir(root.join(directory)).into_iter().flatten().flatten() {
            let name = entry.file_name();
            match format.classify(&RelPath::new(directory.join(&name))) {
                Class::Document(member) => listed.push(&name, &[ids::document(member.kind.name, &member.key)]),
                Class::ByShape { object, otherwise } => {
                    let of = [object, otherwise].map(|member| ids::document(member.kind.name, &member.key));
                    listed.push(&name, &of);
                }
                Class::NotMigrated { .. } => {}
            }
        }
        let Claimants { names, claims } = &mut listed;
        claims.sort_unstable_by(|a, b| (a.id_prefix, a.name(names)).cmp(&(b.id_prefix, b.name(names))));
        names.shrink_to_fit();
        claims.shrink_to_fit();
        listed
    }

    fn push(&mut self, name: &OsStr, documents: &[Uuid]) {
        const FITS: &str = "no directory has names of 4 GiB";
        let begin = u32::try_from(self.names.len()).expect(FITS);
        let length = u32::try_from(name.len()).expect(FITS);
        self.names.extend_from_slice(name.as_bytes());
        self.claims.extend(documents.iter().map(|id| Claim { id_prefix: prefix(*id), begin, length }));
    }

    /// The names that may make the document, in path order: nearly none. To be made sure of, because of an id
    /// only the first half is known, and of a file not what is in it.
    pub fn of(&self, document: Uuid) -> impl Iterator<Item = &OsStr> {
        let wanted = prefix(document);
        let first = self.claims.partition_point(|claim| claim.id_prefix < wanted);
        let of_it = self.claims[first..].iter().take_while(move |claim| claim.id_prefix == wanted);
        of_it.map(|claim| OsStr::from_bytes(claim.name(&self.names)))
    }
}

impl Claim {
    fn name(self, names: &[u8]) -> &[u8] {
        let begin = self.begin as usize;
        &names[begin..begin + self.length as usize]
    }
}

fn prefix(id: Uuid) -> u64 {
    id.as_u64_pair().0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format;

    #[test]
    fn a_document_is_found_under_each_name_that_may_make_it_and_under_no_other() {
        let root = tempfile::tempdir().expect("a temporary directory can be made");
        let directory = Path::new("chat_sessions");
        fs::create_dir(root.path().join(directory)).expect("a directory can be made");
        for number in 0..50 {
            for name in [format!("c{number}.json"), format!("c{number}_session.json")] {
                fs::write(root.path().join(directory).join(name), "{}").expect("a file can be written");
            }
        }
        let format = format::by_name("donna").expect("the first format is there");
        let listed = Claimants::list(format, root.path(), directory);
        for number in 0..50 {
            let of = |key: String| listed.of(ids::document("chats", &key)).collect::<Vec<_>>();
            let (history, session) = (format!("c{number}.json"), format!("c{number}_session.json"));
            assert_eq!(of(format!("c{number}")), [history.as_str(), session.as_str()]);
            // A list in it makes it a history.
            assert_eq!(of(format!("c{number}_session")), [session.as_str()]);
        }
        assert_eq!(listed.of(ids::document("chats", "c50")).count(), 0);
        assert_eq!(listed.of(Uuid::nil()).chain(listed.of(Uuid::max())).count(), 0);
        assert_eq!(Claimants::list(format, root.path(), Path::new("gone")).claims.len(), 0);
    }
}
