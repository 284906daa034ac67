//! Documents to read: those of a directory, and made ones.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use transload::format::donna::Donna;
use transload::format::Format;
use transload::model::{ids, Class, Document, Instant, Membership, RelPath, SourceFile};

use crate::maker::Maker;
use crate::support::chance::Chance;

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
    fn push(&mut self, path: RelPath, member: &Membership, content: Vec<u8>) {
        let size = content.len() as u64;
        self.document.files.push(SourceFile { path, role: member.role, size, modified: BASE });
        self.contents.push(content);
    }
}

fn empty(member: &Membership) -> Read {
    let id = ids::document(member.kind.name, &member.key);
    let document = Document { kind: member.kind, key: member.key.clone(), id, files: Vec::new() };
    Read { document, contents: Vec::new() }
}

fn member(path: &RelPath, content: &[u8]) -> Option<Membership> {
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

const MADE: [&[&str]; 10] = [
    &["chat_sessions/a.json"],
    &["chat_sessions/a.json", "chat_sessions/a_session.json"],
    &["chat_sessions/6929774277a1b1.12345678_0123456789abcdef_session.json"],
    &["users/u1.json"],
    &["users/6929774277a1b1.12345678_0123456789abcdef.json"],
    &["memory/u1.json"],
    &["memory/system_oauth.json"],
    &["conversations/somebody@example.com.json"],
    &["mcp/storage/conversations/d41d8.json"],
    &["logs/error.log"],
];

/// The document of these files.
pub fn of(files: &[(&str, &[u8])]) -> Read {
    let mut read: Option<Read> = None;
    for (path, content) in files {
        let member = member(&RelPath::new(path), content).unwrap_or_else(|| panic!("{path} is no document"));
        read.get_or_insert_with(|| empty(&member)).push(RelPath::new(path), &member, content.to_vec());
    }
    read.expect("a document has a file")
}

/// A document of any kind, now and then damaged.
pub fn made(chance: &mut Chance) -> Read {
    let paths = MADE[chance.below(MADE.len() as u64) as usize];
    let noise = [0, 20, 300][chance.below(3) as usize];
    let size = chance.below(12);
    let mut maker = Maker::new(chance.next(), noise);
    let mut read: Option<Read> = None;
    for path in paths {
        let member = match Donna.classify(&RelPath::new(path)) {
            Class::Document(member) | Class::ByShape { object: member, .. } => member,
            Class::NotMigrated { layout } => panic!("{path} is no document but {layout}"),
        };
        let content = maker.content(member.kind, path, size);
        read.get_or_insert_with(|| empty(&member)).push(RelPath::new(path), &member, content);
    }
    read.expect("a document has a file")
}
