//! Documents that claim the same key: the first in path order loads, whatever the number of threads.
//!
//! Runs over the documents in path order, before anything is written. What earlier runs loaded is
//! checked against the database when the document is written.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::format::Format;
use crate::model::{ids, Class, Document, Membership, Phase, Reject, RelPath, Value};

use super::examine::claimed_twice;
use super::item::{Loaded, Source};

/// Who claimed what, in one phase.
pub struct Claims<'a> {
    format: &'static dyn Format,
    root: &'a Path,
    /// Text keys (a clerk id, a user's id) and the path of the first document that claims them.
    /// Only users' are held: their files are one directory's names or two.
    held: HashMap<Uuid, String>,
    /// For each kind, the directories seen so far, in order.
    directories: HashMap<&'static str, Vec<Seen>>,
}

/// A directory of documents of one kind; the ids of its documents are listed only once there is a
/// second one that may hold the same.
struct Seen {
    directory: PathBuf,
    documents: Option<HashMap<Uuid, RelPath>>,
}

impl<'a> Claims<'a> {
    pub fn new(format: &'static dyn Format, root: &'a Path) -> Claims<'a> {
        Claims { format, root, held: HashMap::new(), directories: HashMap::new() }
    }

    /// Notes what a decoded document claims.
    ///
    /// # Errors
    /// The reject, if another document came first.
    pub fn claim(&mut self, loaded: &Loaded) -> Result<(), Box<Reject>> {
        self.claim_document(&loaded.source)?;
        let document = &loaded.source.document;
        if document.kind.phase != Phase::Users {
            return Ok(());
        }
        let mut claims = vec![("id".to_owned(), document.id)];
        for part in &loaded.parts {
            for &column in part.table.natural_key {
                for row in &part.rows {
                    if let Value::Text(text) = &row.0[column] {
                        let name = part.table.columns[column].name;
                        claims.push((name.to_owned(), ids::derive(&["claim", document.kind.name, name, text])));
                    }
                }
            }
        }
        for (what, claim) in &claims {
            if let Some(first) = self.held.get(claim) {
                return Err(Box::new(loaded.source.reject(claimed_twice(what, first))));
            }
        }
        let path = document.path().to_string();
        self.held.extend(claims.into_iter().map(|(_, claim)| (claim, path.clone())));
        Ok(())
    }

    /// As [`Claims::claim`], for what the path alone tells.
    pub fn claim_document(&mut self, source: &Source) -> Result<(), Box<Reject>> {
        let document = &source.document;
        match self.twin(document) {
            Some(first) => Err(Box::new(source.reject(claimed_twice("id", &first.to_string())))),
            None => Ok(()),
        }
    }

    /// The first file of the same key in an earlier directory.
    fn twin(&mut self, document: &Document) -> Option<RelPath> {
        let directory = document.path().as_path().parent().unwrap_or(Path::new("")).to_owned();
        let seen = self.directories.entry(document.kind.name).or_default();
        if !seen.iter().any(|earlier| earlier.directory == directory) {
            seen.push(Seen { directory: directory.clone(), documents: None });
        }
        let at = seen.iter().position(|earlier| earlier.directory == directory).expect("it was pushed");
        for earlier in &mut seen[..at] {
            let documents = earlier.documents.get_or_insert_with(|| list(self.format, self.root, &earlier.directory));
            if let Some(first) = documents.get(&document.id) {
                return Some(first.clone());
            }
        }
        None
    }
}

/// The documents that a directory's names make, each with its first file.
fn list(format: &'static dyn Format, root: &Path, directory: &Path) -> HashMap<Uuid, RelPath> {
    let mut documents: HashMap<Uuid, RelPath> = HashMap::new();
    let mut claim = |member: &Membership, path: &RelPath| {
        let first = documents.entry(ids::document(member.kind.name, &member.key)).or_insert_with(|| path.clone());
        if path < first {
            *first = path.clone();
        }
    };
    // What cannot be listed any more claims nothing; the walk reports it.
    for entry in std::fs::read_dir(root.join(directory)).into_iter().flatten().flatten() {
        let path = RelPath::new(directory.join(entry.file_name()));
        match format.classify(&path) {
            Class::Document(member) => claim(&member, &path),
            Class::ByShape { object, otherwise } => {
                claim(&object, &path);
                claim(&otherwise, &path);
            }
            Class::NotMigrated { .. } => {}
        }
    }
    documents
}
