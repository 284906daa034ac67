//! The documents of a directory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use transload::format::donna::Donna;
use transload::format::Format;
use transload::model::{ids, Class, Document, Instant, Membership, RelPath, SourceFile};

/// 2025-12-01T00:00:00Z.
pub const BASE: Instant = Instant(1_764_547_200_000_000);

/// A document with its files' bytes.
pub struct Read {
    pub document: Document,
    pub contents: Vec<Vec<u8>>,
}

pub struct Tree {
    pub documents: Vec<Read>,
}

impl Tree {
    /// The documents below a directory. A file whose place in its document is taken is one of its own.
    pub fn read(root: &Path) -> Tree {
        let mut paths = Vec::new();
        walk(root, &mut paths);
        let mut found: BTreeMap<(&str, String, usize), Read> = BTreeMap::new();
        for path in paths {
            let content = fs::read(&path).expect("a file can be read");
            let path = RelPath::new(path.strip_prefix(root).expect("it was found below the root"));
            let Some(member) = member(&path, &content) else { continue };
            let mut twin = 0;
            let role = |read: &Read| read.document.files.iter().any(|file| file.role == member.role);
            while found.get(&(member.kind.name, member.key.clone(), twin)).is_some_and(role) {
                twin += 1;
            }
            let read = found.entry((member.kind.name, member.key.clone(), twin)).or_insert_with(|| empty(&member));
            read.push(path, &member, content);
        }
        Tree { documents: found.into_values().collect() }
    }
}

impl Read {
    pub fn push(&mut self, path: RelPath, member: &Membership, content: Vec<u8>) {
        let size = content.len() as u64;
        self.document.files.push(SourceFile { path, role: member.role, size, modified: BASE });
        self.contents.push(content);
    }
}

/// A document without files.
pub fn empty(member: &Membership) -> Read {
    let id = ids::document(member.kind.name, &member.key);
    let document = Document { kind: member.kind, key: member.key.clone(), id, files: Vec::new() };
    Read { document, contents: Vec::new() }
}

/// What a file is; `None` if it is not migrated.
pub fn member(path: &RelPath, content: &[u8]) -> Option<Membership> {
    match Donna.classify(path) {
        Class::Document(member) => Some(member),
        Class::ByShape { object, otherwise } => {
            let content = content.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(content);
            Some(if content.trim_ascii_start().starts_with(b"{") { object } else { otherwise })
        }
        Class::NotMigrated { .. } => None,
    }
}

fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory can be read") {
        let path = entry.expect("an entry").path();
        match fs::symlink_metadata(&path).expect("what was found is there") {
            metadata if metadata.is_dir() => walk(&path, found),
            metadata if metadata.is_file() => found.push(path),
            _ => {}
        }
    }
    found.sort();
}
