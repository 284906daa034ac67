//! Files of one directory, looked at one by one and put together as documents.

use std::fs::{self, Metadata};
use std::io;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::model::{Class, Document, DocumentKind, FileRole, Instant, RelPath, SourceFile};

use super::found::{FileProblem, Found, Subject, Warning, WarningKind, NO_ROLE, SPECIAL_FILE, SYMBOLIC_LINK};
use super::list::{Entries, Kind};
use super::pair::{Claim, Claims, Pairs};
use super::shape::shape_of;

/// Below this many files, waking other threads costs more than they save.
const ALONE: usize = 32;

/// How many files' claims are held at once as they are found, before they are packed.
const CLAIMED: usize = 16 * 1024;

/// A directory whose files are looked at.
pub(super) struct Look<'a> {
    /// Without links in it.
    pub root: &'a Path,
    pub directory: &'a RelPath,
    pub entries: &'a Entries,
    pub follow_links: bool,
    /// See [`super::WalkOptions`].
    pub read_next: &'a [&'static DocumentKind],
    pub classify: &'a (dyn Fn(&RelPath) -> Class + Sync),
}

impl Look<'_> {
    /// Which files belong together, by their names and, where the names do not say, their shapes.
    pub fn pair(&self) -> Pairs {
        let mut claims = Claims::with_capacity(self.entries.len());
        for begin in (0..self.entries.len()).step_by(CLAIMED) {
            let end = self.entries.len().min(begin + CLAIMED);
            claims.extend(self.each(begin..end, |at| self.claim(at)));
        }
        Pairs::new(claims)
    }

    /// What the files in `range` are, in order: documents at the place of their first file.
    pub fn describe(&self, range: Range<usize>, pairs: &Pairs) -> Vec<Found> {
        let found = self.each(range, |at| if pairs.leads(at) { self.document(at, pairs) } else { Vec::new() });
        found.into_iter().flatten().collect()
    }

    fn each<T: Send>(&self, range: Range<usize>, work: impl Fn(usize) -> T + Send + Sync) -> Vec<T> {
        if range.len() < ALONE {
            range.map(work).collect()
        } else {
            range.into_par_iter().map(work).collect()
        }
    }

    fn path(&self, at: usize) -> RelPath {
        self.directory.join(self.entries.name(at))
    }

    fn absolute(&self, path: &RelPath) -> PathBuf {
        path.below(self.root)
    }

    fn claim(&self, at: usize) -> Option<Claim> {
        if !matches!(self.entries.kind(at), Kind::File | Kind::LinkedFile) {
            return None;
        }
        let path = self.path(at);
        Claim::of(&(self.classify)(&path), || shape_of(&self.absolute(&path), self.follow_links))
    }

    /// The document that begins with the file at `at`, or that file if it is in none.
    fn document(&self, at: usize, pairs: &Pairs) -> Vec<Found> {
        let mut found = Vec::new();
        let mut files = Vec::new();
        // The first file may have vanished; its name still says what the document is.
        let made = pairs.claim(at).map(|claim| {
            let member = claim.member((self.classify)(&self.path(at)));
            (claim.document, member.expect("classifying is pure: this class made the claim"))
        });
        let is_read_next = made.as_ref().is_some_and(|(_, member)| self.read_next.contains(&member.kind));
        for member in pairs.chain(at) {
            let role = pairs.claim(member).map_or(NO_ROLE, |claim| claim.role);
            let file = match self.entries.kind(member) {
                Kind::File if is_read_next => {
                    Ok(SourceFile { path: self.path(member), role, size: 0, modified: Instant(0) })
                }
                _ => self.file(member, role, &mut found),
            };
            match file {
                Ok(file) => files.push(file),
                Err(problem) => found.push(Found::Problem(problem)),
            }
        }
        match made {
            Some(_) if files.is_empty() => {}
            Some((id, member)) => {
                found.push(Found::Document(Document { kind: member.kind, key: member.key, id, files }));
            }
            None => found.extend(files.into_iter().map(|file| Found::NotMigrated { layout: self.layout(at), file })),
        }
        found
    }

    /// Under which name a file that is in no document is counted.
    fn layout(&self, at: usize) -> &'static str {
        match self.entries.kind(at) {
            Kind::Link | Kind::Loop => SYMBOLIC_LINK,
            Kind::Special => SPECIAL_FILE,
            _ => match (self.classify)(&self.path(at)) {
                Class::NotMigrated { layout } => layout,
                _ => unreachable!("classifying is pure: this file made no claim"),
            },
        }
    }

    /// Size and time of the file at `at`, and what there is to warn of.
    fn file(&self, at: usize, role: FileRole, found: &mut Vec<Found>) -> Result<SourceFile, FileProblem> {
        let (path, listed) = (self.path(at), self.entries.kind(at));
        let absolute = self.absolute(&path);
        let problem = |error| FileProblem::new(path.clone(), Subject::File, error);
        let metadata = self.metadata(&absolute, listed).map_err(problem)?;
        let modified = Instant::from_system_time(metadata.modified().map_err(problem)?);
        let regular = metadata.is_file();
        let is_now = Kind::of(metadata.file_type());
        match listed {
            Kind::File if is_now == Kind::File => {}
            Kind::LinkedFile if is_now == Kind::File => found.extend(self.outside(&absolute, &path)),
            Kind::Link if is_now == Kind::Link => found.push(warning(&path, WarningKind::SymbolicLink)),
            Kind::Loop if is_now == Kind::Link => found.push(warning(&path, WarningKind::LinkLoop)),
            Kind::Special if is_now == Kind::Special => {}
            _ => {
                let error = io::Error::new(io::ErrorKind::NotFound, "something else has taken its place");
                return Err(FileProblem::new(path, Subject::File, error));
            }
        }
        if regular && is_world_writable(&metadata) {
            found.push(warning(&path, WarningKind::WorldWritable));
        }
        // A link's or a pipe's size says nothing about content.
        Ok(SourceFile { path, role, size: if regular { metadata.len() } else { 0 }, modified })
    }

    fn metadata(&self, absolute: &Path, listed: Kind) -> io::Result<Metadata> {
        match listed {
            Kind::LinkedFile => fs::metadata(absolute).map_err(|error| dangling(absolute, error)),
            Kind::Special if self.follow_links => fs::metadata(absolute),
            _ => fs::symlink_metadata(absolute),
        }
    }

    /// The warning for a followed link that leads out of the source.
    pub fn outside(&self, absolute: &Path, path: &RelPath) -> Option<Found> {
        let target = fs::canonicalize(absolute).ok()?;
        (!target.starts_with(self.root)).then(|| warning(path, WarningKind::LinkOutside))
    }
}

pub(super) fn is_world_writable(metadata: &Metadata) -> bool {
    metadata.permissions().mode() & 0o002 != 0
}

fn warning(path: &RelPath, kind: WarningKind) -> Found {
    Found::Warning(Warning { path: path.clone(), kind })
}

/// A link that is there and leads to nothing has not vanished: it cannot be read.
fn dangling(link: &Path, error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(link).is_ok() {
        return io::Error::other("it is a symbolic link that leads to nothing");
    }
    error
}
