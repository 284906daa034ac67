//! Which names are there now, asked about many files one after the other.
//!
//! To ask the system for a name that is not there takes several times as long as to read a name in a
//! list, and a directory that took another one's place lacks all of them.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::model::RelPath;

/// A directory about which nobody asks more often is not worth a list.
const ASKED: u32 = 16;
/// Directories that are remembered.
const REMEMBERED: usize = 1024;

/// What is in the directories of a source, each as of when it was listed.
#[derive(Debug)]
pub struct Names<'a> {
    root: &'a Path,
    /// By their paths' bytes.
    directories: HashMap<Vec<u8>, Directory>,
    /// Names are kept as hashes: there may be a million.
    hasher: RandomState,
}

#[derive(Debug)]
enum Directory {
    Asked(u32),
    /// Hashes in order.
    Listed(Vec<u64>),
    /// Nothing is known of what is in it.
    Unknown,
}

impl<'a> Names<'a> {
    pub fn new(root: &'a Path) -> Names<'a> {
        Names { root, directories: HashMap::new(), hasher: RandomState::new() }
    }

    /// `false` only where the file's directory was listed to its end, without the file.
    pub fn may_have(&mut self, path: &RelPath) -> bool {
        let path = path.as_path().as_os_str().as_bytes();
        let (directory, name) =
            memchr::memrchr(b'/', path).map_or((&[][..], path), |at| (&path[..at], &path[at + 1..]));
        if !self.directories.contains_key(directory) {
            if self.directories.len() >= REMEMBERED {
                self.directories.clear();
            }
            self.directories.insert(directory.to_owned(), Directory::Asked(0));
        }
        let Names { root, directories, hasher } = self;
        let Some(known) = directories.get_mut(directory) else { return true };
        if let Directory::Asked(times) = known {
            *times += 1;
            if *times > ASKED {
                *known = list(&root.join(OsStr::from_bytes(directory)), hasher)
                    .map_or(Directory::Unknown, Directory::Listed);
            }
        }
        match known {
            Directory::Listed(names) => names.binary_search(&hasher.hash_one(name)).is_ok(),
            Directory::Asked(_) | Directory::Unknown => true,
        }
    }
}

fn list(directory: &Path, hasher: &RandomState) -> io::Result<Vec<u64>> {
    let hash = |entry: io::Result<fs::DirEntry>| Ok(hasher.hash_one(entry?.file_name().as_bytes()));
    let mut names = fs::read_dir(directory)?.map(hash).collect::<io::Result<Vec<u64>>>()?;
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_list_lacks_is_said_not_to_be_there() {
        let root = tempfile::tempdir().expect("a temporary directory can be made");
        fs::create_dir(root.path().join("a")).expect("a directory can be made");
        for name in 0..5 {
            fs::write(root.path().join(format!("a/{name}")), "").expect("a file can be written");
        }
        let mut names = Names::new(root.path());
        let ask = |names: &mut Names, path: &str| names.may_have(&RelPath::new(path));
        for _ in 0..ASKED {
            assert!(ask(&mut names, "a/none"), "nobody has looked");
        }
        assert!(!ask(&mut names, "a/none"));
        assert!((0..5).all(|name| ask(&mut names, &format!("a/{name}"))));
        // What cannot be listed may hold anything.
        assert!((0..2 * ASKED).all(|_| ask(&mut names, "b/none")));
        assert!((0..2 * ASKED).all(|_| ask(&mut names, "a/0/none")));
        // The root is a directory, too.
        assert!((0..2 * ASKED).all(|_| ask(&mut names, "a")));
        assert!(!ask(&mut names, "b"));
    }

    #[test]
    fn more_directories_than_are_remembered_make_no_difference() {
        let root = tempfile::tempdir().expect("a temporary directory can be made");
        let mut names = Names::new(root.path());
        for turn in 0..2 {
            for directory in 0..REMEMBERED + 10 {
                assert!(names.may_have(&RelPath::new(format!("{directory}/x"))), "{turn}");
            }
        }
        assert!(names.directories.len() <= REMEMBERED);
    }
}
