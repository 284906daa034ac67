//! Documents that claim the same key: the first in path order loads, whatever the number of threads.
//!
//! Runs over the documents in path order, before anything is written. What earlier runs loaded is
//! checked against the database when the document is written.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::format::Format;
use crate::model::{ids, Class, Document, Part, Phase, Reject, RelPath, Value};
use crate::source;

use super::examine::claimed_twice;
use super::item::{Loaded, Source};

/// Who claimed what, in one phase.
pub struct Claims<'a> {
    names: Names<'a>,
    /// Text keys (a clerk id, a user's id) and the path of the first document that claims them.
    /// Only users' are held: their files are one directory's names or two.
    held: HashMap<Uuid, RelPath>,
    /// For each kind, the directories seen so far, in order.
    directories: HashMap<&'static str, Vec<Seen>>,
}

/// A directory of documents of one kind; the ids of its documents are listed only once there is a
/// second one that may hold the same.
struct Seen {
    directory: PathBuf,
    documents: Option<HashSet<Uuid>>,
}

impl<'a> Claims<'a> {
    pub fn new(format: &'static dyn Format, root: &'a Path, follow_links: bool) -> Claims<'a> {
        Claims { names: Names { format, root, follow_links }, held: HashMap::new(), directories: HashMap::new() }
    }

    /// Notes what a decoded document claims.
    ///
    /// # Errors
    /// The reject, if another document came first.
    pub fn claim(&mut self, loaded: &Loaded) -> Result<(), Box<Reject>> {
        self.note(&loaded.source, &loaded.parts)
    }

    /// As [`Claims::claim`], for a document of which only the path is looked at: one of unknown
    /// content, or one that is unchanged. What an unchanged one claims in its rows is in the
    /// database, which is asked before anything is written.
    pub fn claim_document(&mut self, source: &Source) -> Result<(), Box<Reject>> {
        self.note(source, &[])
    }

    fn note(&mut self, source: &Source, parts: &[Part]) -> Result<(), Box<Reject>> {
        let document = &source.document;
        if let Some(first) = self.twin(document) {
            return Err(Box::new(claimed_twice(source, "id", &first)));
        }
        if document.kind.phase != Phase::Users {
            return Ok(());
        }
        let mut claims = vec![("id", document.id)];
        for part in parts {
            for &column in part.table.natural_key {
                for row in &part.rows {
                    // A scan keeps no values of large documents.
                    if let Some(Value::Text(text)) = row.0.get(column) {
                        let name = part.table.columns[column].name;
                        claims.push((name, ids::derive(&["claim", document.kind.name, name, text])));
                    }
                }
            }
        }
        for (what, claim) in &claims {
            if let Some(first) = self.held.get(claim) {
                return Err(Box::new(claimed_twice(source, what, first)));
            }
        }
        self.held.extend(claims.into_iter().map(|(_, claim)| (claim, document.path().clone())));
        Ok(())
    }

    /// The earlier file of the same key.
    fn twin(&mut self, document: &Document) -> Option<RelPath> {
        let directory = document.path().as_path().parent().unwrap_or(Path::new("")).to_owned();
        let seen = self.directories.entry(document.kind.name).or_default();
        if !seen.iter().any(|earlier| earlier.directory == directory) {
            seen.push(Seen { directory: directory.clone(), documents: None });
        }
        let at = seen.iter().position(|earlier| earlier.directory == directory).expect("it was pushed");
        for earlier in &mut seen[..at] {
            let documents = earlier.documents.get_or_insert_with(|| self.names.documents(&earlier.directory));
            if documents.contains(&document.id) {
                return self.names.first_of(&earlier.directory, document);
            }
        }
        None
    }
}

/// What the files of a directory claim, from their names and, where a format asks for it, shapes.
struct Names<'a> {
    format: &'static dyn Format,
    root: &'a Path,
    follow_links: bool,
}

impl Names<'_> {
    fn documents(&self, directory: &Path) -> HashSet<Uuid> {
        self.paths(directory).filter_map(|path| self.claim(&path)).collect()
    }

    /// The first of the directory's files that make up `document`.
    fn first_of(&self, directory: &Path, document: &Document) -> Option<RelPath> {
        let claims = |path: &RelPath| self.claim(path) == Some(document.id);
        // The usual twin has the same name, and a directory may hold a million others.
        let namesakes = document.files.iter().map(|file| RelPath::new(directory.join(file.path.file_name())));
        namesakes.into_iter().find(claims).or_else(|| self.paths(directory).filter(claims).min())
    }

    /// What cannot be listed any more claims nothing; the walk reports it.
    fn paths(&self, directory: &Path) -> impl Iterator<Item = RelPath> {
        let directory = directory.to_owned();
        let entries = std::fs::read_dir(self.root.join(&directory)).into_iter().flatten().flatten();
        entries.map(move |entry| RelPath::new(directory.join(entry.file_name())))
    }

    /// The document that a file belongs to; `None` for what the walk passes over, too.
    fn claim(&self, path: &RelPath) -> Option<Uuid> {
        let absolute = self.root.join(path.as_path());
        let metadata = match self.follow_links {
            true => std::fs::metadata(&absolute),
            false => std::fs::symlink_metadata(&absolute),
        };
        metadata.ok().filter(|metadata| metadata.is_file())?;
        let member = match self.format.classify(path) {
            Class::Document(member) => member,
            Class::ByShape { object, otherwise } => match source::counts_as_object(&absolute, self.follow_links) {
                true => object,
                false => otherwise,
            },
            Class::NotMigrated { .. } => return None,
        };
        Some(ids::document(member.kind.name, &member.key))
    }
}
