//! The names in one directory, in order, and what kind of thing each is.

use std::ffi::OsStr;
use std::fs::{self, FileType, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What the listing says a name is. It may have become something else when its turn comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    /// A link to a directory, to be followed.
    LinkedDirectory,
    File,
    /// A link to a file, to be followed; or to nothing.
    LinkedFile,
    /// A link that is not followed because nobody asked for it.
    Link,
    /// A link that is not followed because it leads back to where it came from.
    Loop,
    /// A socket, a pipe, a device.
    Special,
}

impl Kind {
    pub fn is_directory(self) -> bool {
        matches!(self, Kind::Directory | Kind::LinkedDirectory)
    }

    pub fn of(file_type: FileType) -> Kind {
        if file_type.is_dir() {
            Kind::Directory
        } else if file_type.is_file() {
            Kind::File
        } else if file_type.is_symlink() {
            Kind::Link
        } else {
            Kind::Special
        }
    }
}

/// The names in a directory, of which there may be a million: one piece of memory for all of them, not
/// one for each.
#[derive(Debug, Default)]
pub(super) struct Entries {
    /// One name behind the other, as they were listed.
    names: Vec<u8>,
    /// In the order of the bytes of the names.
    spans: Vec<Span>,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    begin: usize,
    length: u32,
    kind: Kind,
}

impl Entries {
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    pub fn name(&self, at: usize) -> &OsStr {
        OsStr::from_bytes(self.spans[at].of(&self.names))
    }

    pub fn kind(&self, at: usize) -> Kind {
        self.spans[at].kind
    }

    fn push(&mut self, name: &OsStr, kind: Kind) {
        let length = u32::try_from(name.len()).expect("no system has names of 4 GiB");
        self.spans.push(Span { begin: self.names.len(), length, kind });
        self.names.extend_from_slice(name.as_bytes());
    }

    fn sort(&mut self) {
        let Entries { names, spans } = self;
        spans.sort_unstable_by(|a, b| a.of(names).cmp(b.of(names)));
        names.shrink_to_fit();
        spans.shrink_to_fit();
    }
}

impl Span {
    fn of(self, names: &[u8]) -> &[u8] {
        &names[self.begin..self.begin + self.length as usize]
    }
}

/// By which a directory is known whatever path leads to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity(u64, u64);

impl Identity {
    fn of(metadata: &Metadata) -> Identity {
        Identity(metadata.dev(), metadata.ino())
    }
}

/// How to list a directory.
pub(super) struct ListOptions<'a> {
    /// The directory's own path is a link.
    pub linked: bool,
    pub follow_links: bool,
    /// Leave out all names but those of directories.
    pub directories_only: bool,
    /// Do not list at all: there was no directory in it before, and nothing else is asked for.
    pub is_known_leaf: bool,
    /// The directories on the way down to this one; a followed link to one of them is a loop.
    pub ancestors: &'a [Identity],
}

#[derive(Debug)]
pub(super) struct Listing {
    pub identity: Identity,
    pub entries: Entries,
    /// How many names there are, those left out among them, of which none is a directory's; zero if one is.
    pub names_of_leaf: usize,
    /// Set when the listing broke off.
    pub failure: Option<io::Error>,
}

pub(super) fn list(directory: &Path, options: &ListOptions) -> io::Result<Listing> {
    let metadata = if options.linked { fs::metadata(directory) } else { fs::symlink_metadata(directory) }?;
    if !metadata.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    let identity = Identity::of(&metadata);
    let mut listing = Listing { identity, entries: Entries::default(), names_of_leaf: 0, failure: None };
    if options.is_known_leaf {
        return Ok(listing);
    }
    let (mut names, mut is_leaf) = (0, true);
    let items = match fs::read_dir(directory) {
        Ok(items) => Some(items),
        Err(error) => {
            listing.failure = Some(error);
            None
        }
    };
    for item in items.into_iter().flatten() {
        let item = match item {
            Ok(item) => item,
            Err(error) => {
                listing.failure.get_or_insert(error);
                continue;
            }
        };
        // Some file systems do not tell the type, and asking for it may fail: the look at the file itself
        // will say why.
        let (name, kind) = (item.file_name(), item.file_type().map_or(Kind::File, Kind::of));
        let kind = match kind {
            Kind::Link if options.follow_links => followed(&directory.join(&name), identity, options.ancestors),
            kind => kind,
        };
        names += 1;
        is_leaf &= !kind.is_directory();
        if kind.is_directory() || !options.directories_only {
            listing.entries.push(&name, kind);
        }
    }
    listing.names_of_leaf = if is_leaf && listing.failure.is_none() { names } else { 0 };
    listing.entries.sort();
    Ok(listing)
}

/// What a link that is to be followed leads to.
fn followed(link: &Path, parent: Identity, ancestors: &[Identity]) -> Kind {
    match fs::metadata(link) {
        Ok(target) if target.is_dir() => {
            let identity = Identity::of(&target);
            if identity == parent || ancestors.contains(&identity) {
                Kind::Loop
            } else {
                Kind::LinkedDirectory
            }
        }
        Ok(target) if target.is_file() => Kind::LinkedFile,
        Ok(_) => Kind::Special,
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => Kind::Loop,
        // It leads to nothing, or not to be seen: the look at the file will say so.
        Err(_) => Kind::LinkedFile,
    }
}
