//! Documents that claim the same key: the first in path order loads, whatever the number of threads.
//!
//! Runs over the documents in path order, before anything is written. A document that an earlier
//! run loaded keeps its claim; `examine` has found out about those. Keys within the rows (a clerk
//! id) are held here only as long as the database holds none: later it decides, in path order.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::format::Format;
use crate::model::{ids, Document, Flaw, Membership, Phase, Place, Reason, RelPath, Value};
use crate::source::{shape_of, Shape};

use super::claimants::Claimants;
use super::examine::{Examiner, Seen};
use super::item::{Loaded, Source, Standing};

/// Where the keys within rows are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Here: the database is empty, and several writers would make a race of it.
    Here,
    /// In the database, by a writer that goes in path order.
    InDatabase,
}

/// Who claimed what.
pub struct Claims<'a> {
    format: &'static dyn Format,
    root: &'a Path,
    follow_links: bool,
    keys: Keys,
    /// Keys (a clerk id, a user's id) and the path of the first document that claims them. Only
    /// users' are held: their files are one directory's names or two.
    held: HashMap<Uuid, String>,
    /// For each kind, the directories seen so far, in order.
    directories: HashMap<&'static str, Vec<Listed>>,
}

/// A directory of documents of one kind; its documents are listed only once there is a second
/// directory that may hold the same.
struct Listed {
    directory: PathBuf,
    documents: Option<Claimants>,
}

impl<'a> Claims<'a> {
    pub fn new(examiner: &Examiner<'a>, keys: Keys) -> Claims<'a> {
        let (held, directories) = (HashMap::new(), HashMap::new());
        let Examiner { format, root, .. } = *examiner;
        Claims { format, root, follow_links: examiner.read.follow_links, keys, held, directories }
    }

    /// Notes what a document claims; if another one came first, it becomes a reject. To be called
    /// for every document of a phase, in path order.
    pub fn judge(&mut self, seen: Seen) -> Seen {
        let standing = match &seen {
            Seen::Loaded(loaded) => &loaded.source.standing,
            Seen::Large(streamed) => &streamed.source.standing,
            Seen::Rejected { standing, .. } => standing,
            Seen::Unchanged { .. } | Seen::Failed { .. } | Seen::Touched(_) => &Standing::Holds,
        };
        let earlier = self.first_of(seen.document());
        let first = match standing {
            Standing::Open => earlier,
            Standing::Holds => None,
            Standing::Taken(first) => Some(first.clone()),
        };
        match (seen, first) {
            (Seen::Loaded(loaded), Some(first)) => refused(as_twin(loaded.source), claimed("id", &first)),
            (Seen::Large(streamed), Some(first)) => refused(as_twin(streamed.source), claimed("id", &first)),
            (Seen::Rejected { mut document, mut reject, standing }, Some(_)) => {
                document.id = document.twin_id();
                reject.document = document.id;
                Seen::Rejected { document, reject, standing }
            }
            (Seen::Loaded(loaded), None) => match self.first_with_keys_of(&loaded) {
                Some((key, first)) => refused(loaded.source, claimed(key, &first)),
                None => Seen::Loaded(loaded),
            },
            (seen, _) => seen,
        }
    }

    /// The path of the earlier file that makes a document of the same kind and key.
    fn first_of(&mut self, document: &Document) -> Option<String> {
        let twin = self.twin(document).map(|path| path.to_string());
        if document.kind.phase != Phase::Users {
            return twin;
        }
        // Within one directory, too: a UUID in upper case is the same user as in lower case.
        match self.held.get(&document.id) {
            Some(first) => twin.or_else(|| Some(first.clone())),
            None => {
                self.held.insert(document.id, document.path().to_string());
                twin
            }
        }
    }

    /// The first document with one of the keys in these rows.
    fn first_with_keys_of(&mut self, loaded: &Loaded) -> Option<(&'static str, String)> {
        let document = &loaded.source.document;
        if document.kind.phase != Phase::Users || self.keys == Keys::InDatabase {
            return None;
        }
        let mut claims = Vec::new();
        for part in &loaded.parts {
            for &column in part.table().natural_key {
                for row in part.rows() {
                    if let Value::Text(text) = &row.0[column] {
                        let name = part.table().columns[column].name;
                        claims.push((name, ids::derive(&["claim", document.kind.name, name, text])));
                    }
                }
            }
        }
        for (name, claim) in &claims {
            if let Some(first) = self.held.get(claim) {
                return Some((name, first.clone()));
            }
        }
        let path = document.path().to_string();
        self.held.extend(claims.into_iter().map(|(_, claim)| (claim, path.clone())));
        None
    }

    /// The file of an earlier directory that has the same key.
    fn twin(&mut self, document: &Document) -> Option<RelPath> {
        let directory = document.path().as_path().parent().unwrap_or(Path::new("")).to_owned();
        let listed = self.directories.entry(document.kind.name).or_default();
        let at = listed.iter().position(|earlier| earlier.directory == directory).unwrap_or_else(|| {
            listed.push(Listed { directory, documents: None });
            listed.len() - 1
        });
        for earlier in &mut listed[..at] {
            let directory = &earlier.directory;
            let documents = earlier.documents.get_or_insert_with(|| Claimants::list(self.format, self.root, directory));
            let is_it = |path: &RelPath| {
                let absolute = path.below(self.root);
                let look = if self.follow_links { fs::metadata(&absolute) } else { fs::symlink_metadata(&absolute) };
                let begins_object = || shape_of(&absolute, self.follow_links) == Shape::Object;
                let is_claimed = |member: &Membership| ids::document(member.kind.name, &member.key) == document.id;
                look.is_ok_and(|found| found.is_file())
                    && self.format.classify(path).member(begins_object).is_some_and(is_claimed)
            };
            if let Some(path) = documents.of(document.id).map(|name| RelPath::new(directory.join(name))).find(is_it) {
                return Some(path);
            }
        }
        None
    }
}

/// Why the second one is refused. The same words whether it is found here or in the database, so
/// that a later run finds the reject as it was.
pub fn claimed(key: &str, first: &str) -> Flaw {
    let detail = format!("`{first}` claims the same {key} and came first");
    Flaw::new(Reason::DuplicateClaim, 0, Place::default(), detail)
}

/// One document among several of the same key: the ledger and the list of rejects tell it from them.
fn as_twin(mut source: Source) -> Source {
    source.document.id = source.document.twin_id();
    source.known = false;
    source
}

fn refused(source: Source, flaw: Flaw) -> Seen {
    let reject = Box::new(source.reject(flaw));
    Seen::Rejected { document: source.document, reject, standing: source.standing }
}
