//! Made documents.

use transload::format::donna::Donna;
use transload::format::Format;
use transload::model::{Class, RelPath};

use crate::maker::Maker;
use crate::support::chance::Chance;
use crate::tree::{empty, member, Read};

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
pub fn any(chance: &mut Chance) -> Read {
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
