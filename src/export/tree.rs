//! The directory that is written into. Nothing is ever written outside of it or over what is there,
//! whatever the names say: every step is opened relative to the one before and never through a link.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{fsync, mkdirat, open, openat, syncfs, unlinkat, AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::ExportError;

/// What an export leaves in its directory until all of it is there.
pub const UNFINISHED: &str = ".transload-export-unfinished";

/// How many directories are remembered as made.
const MOST_KNOWN: usize = 1_000;

/// The directory of one export.
pub struct Tree {
    path: PathBuf,
    root: OwnedFd,
    /// Directories that exist by now; each was made here.
    made: Mutex<HashSet<PathBuf>>,
}

/// Why there is no file of this name.
#[derive(Debug)]
pub enum NoFile {
    /// The name is at fault, or what stands in its place.
    Refused(&'static str),
    Io(io::Error),
}

impl Tree {
    /// Makes the directory if it does not exist, and marks it as unfinished.
    ///
    /// # Errors
    /// When it holds anything already.
    pub fn create(path: &Path) -> Result<Tree, ExportError> {
        let failed = |source: io::Error| ExportError::Directory { path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        let directory = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        let root = open(path, directory, Mode::empty()).map_err(|error| failed(error.into()))?;
        let entries = std::fs::read_dir(path).map_err(failed)?;
        let mut names = Vec::new();
        for entry in entries.take(1_000) {
            names.push(entry.map_err(failed)?.file_name());
        }
        if !names.is_empty() {
            let unfinished = names.iter().any(|name| name == UNFINISHED);
            return Err(ExportError::NotEmpty { path: path.to_owned(), unfinished });
        }
        let tree = Tree { path: path.to_owned(), root, made: Mutex::new(HashSet::new()) };
        let mark = tree.open_new(tree.root.as_fd(), OsStr::new(UNFINISHED)).map_err(|error| failed(error.into()))?;
        fsync(&mark).and_then(|()| fsync(&tree.root)).map_err(|error| failed(error.into()))?;
        Ok(tree)
    }

    /// Makes a new file, and the directories above it.
    pub fn new_file(&self, path: &Path) -> Result<File, NoFile> {
        let mut steps = Vec::new();
        for component in path.components() {
            match component {
                Component::Normal(name) if name.as_bytes().contains(&0) => {
                    return Err(NoFile::Refused("the name holds a NUL"));
                }
                Component::Normal(name) => steps.push(name),
                Component::RootDir | Component::Prefix(_) => return Err(NoFile::Refused("the path is absolute")),
                Component::ParentDir | Component::CurDir => {
                    return Err(NoFile::Refused("the path leads out of the directory"));
                }
            }
        }
        let Some((name, directories)) = steps.split_last() else { return Err(NoFile::Refused("the path is empty")) };
        if path.as_os_str().as_bytes().ends_with(b"/") || path == Path::new(UNFINISHED) {
            return Err(NoFile::Refused("the path is no file's"));
        }
        let mut at: Option<OwnedFd> = None;
        let mut below = PathBuf::new();
        for step in directories {
            let parent = at.as_ref().map_or(self.root.as_fd(), AsFd::as_fd);
            below.push(step);
            if !self.is_made(&below) {
                match mkdirat(parent, *step, Mode::RWXU) {
                    Ok(()) | Err(Errno::EXIST) => self.note_made(&below),
                    Err(error) => return Err(refused_or(error)),
                }
            }
            let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
            at = Some(openat(parent, *step, flags, Mode::empty()).map_err(refused_or)?);
        }
        let parent = at.as_ref().map_or(self.root.as_fd(), AsFd::as_fd);
        self.open_new(parent, name).map(File::from).map_err(refused_or)
    }

    fn open_new(&self, parent: impl AsFd, name: &OsStr) -> Result<OwnedFd, Errno> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
        openat(parent, name, flags, Mode::RUSR | Mode::WUSR)
    }

    /// Takes away a file that was made here.
    pub fn remove(&self, path: &Path) -> io::Result<()> {
        let mut at: Option<OwnedFd> = None;
        for step in path.parent().into_iter().flat_map(Path::iter) {
            let parent = at.as_ref().map_or(self.root.as_fd(), AsFd::as_fd);
            let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
            at = Some(openat(parent, step, flags, Mode::empty())?);
        }
        let parent = at.as_ref().map_or(self.root.as_fd(), AsFd::as_fd);
        Ok(unlinkat(parent, path.file_name().unwrap_or_default(), AtFlags::empty())?)
    }

    /// Takes the mark away, once everything else is on the disk.
    pub fn finish(self) -> Result<(), ExportError> {
        let synced = syncfs(&self.root)
            .and_then(|()| unlinkat(&self.root, UNFINISHED, AtFlags::empty()))
            .and_then(|()| fsync(&self.root));
        synced.map_err(|error| ExportError::Directory { path: self.path, source: error.into() })
    }

    fn is_made(&self, directory: &Path) -> bool {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).contains(directory)
    }

    fn note_made(&self, directory: &Path) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if made.len() < MOST_KNOWN {
            made.insert(directory.to_owned());
        }
    }
}

/// Errors that another name would not have had.
fn refused_or(error: Errno) -> NoFile {
    match error {
        Errno::EXIST => NoFile::Refused("there is such a file already"),
        Errno::NAMETOOLONG => NoFile::Refused("the name is too long for a file"),
        Errno::NOTDIR | Errno::LOOP => NoFile::Refused("a file stands where the directory is due"),
        Errno::ISDIR => NoFile::Refused("a directory stands where the file is due"),
        Errno::INVAL | Errno::ILSEQ => NoFile::Refused("the file system takes no such name"),
        error => NoFile::Io(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::{symlink, PermissionsExt};

    fn mode(path: &Path) -> u32 {
        path.metadata().expect("it is there").permissions().mode() & 0o777
    }

    #[test]
    fn files_are_private_and_new() {
        let place = tempfile::tempdir().expect("a temporary directory");
        let root = place.path().join("a/out");
        let tree = Tree::create(&root).expect("it is new");
        tree.new_file(Path::new("users/b/1.json")).expect("a file").write_all(b"{}").expect("there is room");
        assert_eq!((mode(&root), mode(&root.join("users/b"))), (0o700, 0o700));
        assert_eq!(mode(&root.join("users/b/1.json")), 0o600);
        assert!(matches!(tree.new_file(Path::new("users/b/1.json")), Err(NoFile::Refused(_))));
        assert!(matches!(tree.new_file(Path::new("users/b")), Err(NoFile::Refused(_))));
        assert!(matches!(tree.new_file(Path::new("users/b/1.json/x")), Err(NoFile::Refused(_))));
        tree.remove(Path::new("users/b/1.json")).expect("it was made here");
        tree.new_file(Path::new("users/b/1.json")).expect("its place is free");
        assert!(root.join(UNFINISHED).exists());
        tree.finish().expect("it is whole");
        assert!(!root.join(UNFINISHED).exists());
    }

    #[test]
    fn no_name_leads_out() {
        let place = tempfile::tempdir().expect("a temporary directory");
        let root = place.path().join("out");
        let tree = Tree::create(&root).expect("it is new");
        let outside = place.path().join("outside");
        std::fs::create_dir(&outside).expect("there is room");
        symlink(&outside, root.join("users")).expect("there is room");
        symlink(outside.join("x"), root.join("link.json")).expect("there is room");
        let long = "x".repeat(300);
        for hostile in [
            "../x",
            "a/../../x",
            "/x",
            "",
            ".",
            "./x",
            "a/",
            "users/x.json",
            "link.json",
            "nul\0.json",
            &long,
            UNFINISHED,
        ] {
            let made = tree.new_file(Path::new(hostile));
            assert!(matches!(made, Err(NoFile::Refused(_))), "{hostile:?}: {made:?}");
        }
        assert_eq!(std::fs::read_dir(&outside).expect("it is there").count(), 0);
    }

    #[test]
    fn a_directory_with_anything_in_it_is_refused() {
        let place = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(place.path().join("x"), "").expect("there is room");
        let refused = Tree::create(place.path()).err().expect("it is not empty");
        assert!(matches!(refused, ExportError::NotEmpty { unfinished: false, .. }));
        let root = place.path().join("out");
        drop(Tree::create(&root).expect("it is new"));
        let refused = Tree::create(&root).err().expect("it is not finished");
        assert!(matches!(refused, ExportError::NotEmpty { unfinished: true, .. }));
    }
}
