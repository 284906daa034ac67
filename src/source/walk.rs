//! The walk over the source, one phase at a time, in path order.
//!
//! Every phase lists every directory, because only the names tell what is below (but for large ones in
//! which an earlier phase saw no directory); files are looked at only in the phase of their directory.
//! Beside the names in the directories on the way down (of all but the current one's phase: the names
//! of directories only), nothing is held.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};

use crate::model::{Class, DocumentKind, Phase, RelPath};

use super::found::{FileProblem, Found, Subject};
use super::list::{list, Entries, Identity, Kind, ListOptions};
use super::look::Look;
use super::pair::Pairs;

/// Files that are looked at before the first of them is handed on: enough to keep all cores busy,
/// few enough to be held beside the names.
const CHUNK: usize = 1024;

#[derive(Clone, Debug)]
pub struct WalkOptions {
    /// May itself be a symbolic link.
    pub root: PathBuf,
    pub follow_links: bool,
    /// Kinds of whose documents each is read next: their ordinary files are not looked at, because the
    /// system would be asked the same twice. Size and time of such a file are zero until it is read, and
    /// only then it turns out to be gone, or to be one that must be warned of.
    pub read_next: Vec<&'static DocumentKind>,
}

impl WalkOptions {
    /// For a walk that looks at every file.
    pub fn new(root: impl Into<PathBuf>, follow_links: bool) -> WalkOptions {
        WalkOptions { root: root.into(), follow_links, read_next: Vec::new() }
    }
}

/// What gives paths their meaning. Both must be pure: they are asked more than once.
#[derive(Clone, Copy)]
pub struct Meaning<'a> {
    pub classify: &'a (dyn Fn(&RelPath) -> Class + Sync),
    /// For the directory's own files; the root is the empty path.
    pub phase_of_directory: &'a (dyn Fn(&RelPath) -> Phase + Sync),
}

/// Why there is no source to walk.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    #[error("the source {:?} does not exist", RelPath::new(path.as_path()))]
    Missing { path: PathBuf },
    #[error("the source {:?} is not a directory", RelPath::new(path.as_path()))]
    NotADirectory { path: PathBuf },
    #[error("cannot list the source {:?}", RelPath::new(path.as_path()))]
    Unreadable { path: PathBuf, source: io::Error },
}

impl WalkError {
    fn new(path: &Path, source: io::Error) -> WalkError {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => WalkError::Missing { path },
            io::ErrorKind::NotADirectory => WalkError::NotADirectory { path },
            _ => WalkError::Unreadable { path, source },
        }
    }

    /// What to try.
    pub fn hint(&self) -> &'static str {
        match self {
            WalkError::Missing { .. } => "check the spelling, and the directory that it is relative to",
            WalkError::NotADirectory { .. } => "give the directory that holds the legacy files, not one of them",
            WalkError::Unreadable { .. } => "run as a user who may read and enter this directory",
        }
    }
}

/// Walks one source, phase by phase. It remembers which directories could not be listed, so that
/// each is reported in the first phase that meets it and in no other.
#[derive(Debug)]
pub struct Walker {
    options: WalkOptions,
    /// Without links in it.
    pub(super) root: PathBuf,
    reported: HashSet<RelPath>,
    /// Large directories without directories in them: phases that do not own their files need no list.
    leaves: HashSet<RelPath>,
    ahead: Option<Way>,
}

/// Listing fewer names is done sooner than said.
const LARGE: usize = 256;

/// How far the walk of a phase has come.
#[derive(Debug)]
struct Way {
    phase: Phase,
    /// The directories on the way down.
    frames: Vec<Frame>,
    /// What was met and not yet handed on.
    found: Vec<Found>,
}

impl Walker {
    /// # Errors
    /// When the root is no directory that can be listed.
    pub fn new(options: WalkOptions) -> Result<Walker, WalkError> {
        let root = fs::canonicalize(&options.root)
            .and_then(|root| fs::read_dir(&root).map(|_| root))
            .map_err(|error| WalkError::new(&options.root, error))?;
        Ok(Walker { options, root, reported: HashSet::new(), leaves: HashSet::new(), ahead: None })
    }

    /// Calls `each` for what the directories of `phase` hold, in path order (a document stands at
    /// its first file), until it breaks. A file that nobody moves meanwhile is given in exactly
    /// one of [`Phase::ALL`].
    ///
    /// `each` runs on the caller's thread and may wait. The looking is done by rayon's workers:
    /// they must be free, so nothing that waits for this walk may occupy them.
    ///
    /// # Errors
    /// When the root can no longer be listed. All else is given as a [`Found::Problem`].
    pub fn walk(
        &mut self,
        meaning: &Meaning,
        phase: Phase,
        each: &mut dyn FnMut(Found) -> ControlFlow<()>,
    ) -> Result<(), WalkError> {
        let Way { mut frames, found, .. } = match self.ahead.take().filter(|way| way.phase == phase) {
            Some(way) => way,
            None => self.begin(meaning, phase)?,
        };
        let mut flow = found.into_iter().try_for_each(&mut *each);
        while flow.is_continue() && !frames.is_empty() {
            flow = self.step(&mut frames, meaning, phase, each);
        }
        Ok(())
    }

    /// Goes ahead to the phase's first files: their directory is listed, and who belongs with whom is
    /// known when [`Walker::walk`] comes there. For a thread that has nothing else to do meanwhile.
    pub fn go_ahead(&mut self, meaning: &Meaning, phase: Phase) {
        // What is wrong with the root is wrong when the walk comes, too.
        let Ok(mut way) = self.begin(meaning, phase) else { return };
        while way.frames.last().is_some_and(|frame| !frame.is_at_files()) {
            let found = &mut way.found;
            let keep = &mut |met| {
                found.push(met);
                ControlFlow::Continue(())
            };
            // Nothing breaks it off.
            let _ = self.step(&mut way.frames, meaning, phase, keep);
        }
        self.ahead = Some(way);
    }

    fn begin(&mut self, meaning: &Meaning, phase: Phase) -> Result<Way, WalkError> {
        let top = self.enter(RelPath::new(""), Kind::Directory, meaning, phase, &[]);
        let (top, broken) = top.map_err(|error| WalkError::new(&self.options.root, error))?;
        let mut found = Vec::new();
        let _ = self.report(RelPath::new(""), broken, &mut |met| {
            found.push(met);
            ControlFlow::Continue(())
        });
        Ok(Way { phase, frames: vec![top], found })
    }

    fn step(
        &mut self,
        way: &mut Vec<Frame>,
        meaning: &Meaning,
        phase: Phase,
        each: &mut dyn FnMut(Found) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let Some(frame) = way.last_mut() else { return ControlFlow::Continue(()) };
        match frame.next() {
            Step::Leave => {
                way.pop();
                ControlFlow::Continue(())
            }
            Step::Files(range) => {
                self.look(frame, meaning).describe(range, &frame.pairs).into_iter().try_for_each(&mut *each)
            }
            Step::Directory(at) => self.descend(way, at, meaning, phase, each),
        }
    }

    /// Enters the directory at position `at` of the last frame.
    fn descend(
        &mut self,
        way: &mut Vec<Frame>,
        at: usize,
        meaning: &Meaning,
        phase: Phase,
        each: &mut dyn FnMut(Found) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let Some(frame) = way.last() else { return ControlFlow::Continue(()) };
        let kind = frame.entries.kind(at);
        let path = frame.directory.join(frame.entries.name(at));
        if frame.own && kind == Kind::LinkedDirectory {
            let outside = self.look(frame, meaning).outside(&path.below(&self.root), &path);
            outside.into_iter().try_for_each(&mut *each)?;
        }
        let ancestors: Vec<Identity> = way.iter().map(|frame| frame.identity).collect();
        match self.enter(path.clone(), kind, meaning, phase, &ancestors) {
            Ok((frame, broken)) => {
                way.push(frame);
                self.report(path, broken, each)
            }
            Err(error) => self.report(path, Some(error), each),
        }
    }

    /// Lists a directory; with the error that broke the listing off, if one did.
    fn enter(
        &mut self,
        directory: RelPath,
        kind: Kind,
        meaning: &Meaning,
        phase: Phase,
        ancestors: &[Identity],
    ) -> io::Result<(Frame, Option<io::Error>)> {
        let own = (meaning.phase_of_directory)(&directory) == phase;
        let options = ListOptions {
            linked: kind == Kind::LinkedDirectory,
            follow_links: self.options.follow_links,
            directories_only: !own,
            is_known_leaf: !own && self.leaves.contains(&directory),
            ancestors,
        };
        let listing = list(&directory.below(&self.root), &options)?;
        if listing.names_of_leaf >= LARGE {
            self.leaves.insert(directory.clone());
        }
        let mut frame = Frame {
            directory,
            own,
            identity: listing.identity,
            entries: listing.entries,
            pairs: Pairs::default(),
            at: 0,
        };
        if own {
            frame.pairs = self.look(&frame, meaning).pair();
        }
        Ok((frame, listing.failure))
    }

    fn look<'a>(&'a self, frame: &'a Frame, meaning: &Meaning<'a>) -> Look<'a> {
        Look {
            root: &self.root,
            directory: &frame.directory,
            entries: &frame.entries,
            follow_links: self.options.follow_links,
            read_next: &self.options.read_next,
            classify: meaning.classify,
        }
    }

    fn report(
        &mut self,
        directory: RelPath,
        error: Option<io::Error>,
        each: &mut dyn FnMut(Found) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        match error {
            Some(error) if self.reported.insert(directory.clone()) => {
                each(Found::Problem(FileProblem::new(directory, Subject::Directory, error)))
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

/// A directory on the way down.
#[derive(Debug)]
struct Frame {
    directory: RelPath,
    /// Its files belong to the phase; else `entries` holds directories only.
    own: bool,
    identity: Identity,
    entries: Entries,
    pairs: Pairs,
    /// The next entry.
    at: usize,
}

enum Step {
    /// Files up to the next directory.
    Files(Range<usize>),
    Directory(usize),
    Leave,
}

impl Frame {
    fn is_at_files(&self) -> bool {
        self.at < self.entries.len() && !self.entries.kind(self.at).is_directory()
    }

    fn next(&mut self) -> Step {
        let begin = self.at;
        let end = self.entries.len().min(begin + CHUNK);
        let files = (begin..end).take_while(|at| !self.entries.kind(*at).is_directory()).count();
        self.at += files.max(1);
        match files {
            _ if begin >= end => Step::Leave,
            0 => Step::Directory(begin),
            _ => Step::Files(begin..begin + files),
        }
    }
}
