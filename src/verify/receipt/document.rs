//! The hash of one document: what it is, and what each of its files says.

use uuid::Uuid;

use crate::node::{canonical, Node};

/// Before what is hashed, so that no hash of one thing is one of another.
const DOCUMENT: &[u8] = b"transload/1/document\0";
const CONTENT: &[u8] = b"transload/1/content\0";

/// A document and its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    pub id: Uuid,
    pub kind: &'static str,
    pub hash: [u8; 32],
}

/// A document that is being hashed. Its files' contents may come in any order, and what a list or a
/// log holds one by one, so that nothing is held.
pub struct DocumentHash {
    id: Uuid,
    kind: &'static str,
    key: String,
    files: Vec<File>,
}

struct File {
    path: String,
    role: String,
    hasher: blake3::Hasher,
    content: Content,
}

/// How much of a file's content there is so far.
#[derive(PartialEq)]
enum Content {
    /// If it stays so, a list or log without items.
    Nothing,
    Whole,
    Items,
}

impl DocumentHash {
    /// `id`: the document's in the ledger, as `docs/ids.md` derives it.
    pub fn new(id: Uuid, kind: &'static str, key: impl Into<String>) -> DocumentHash {
        DocumentHash { id, kind, key: key.into(), files: Vec::new() }
    }

    /// Adds a file and gives the number by which its content is added. `path`: as
    /// [`crate::model::RelPath::to_text`] has it.
    pub fn file(&mut self, path: impl Into<String>, role: impl Into<String>) -> usize {
        let mut hasher = blake3::Hasher::new();
        hasher.update(CONTENT);
        self.files.push(File { path: path.into(), role: role.into(), hasher, content: Content::Nothing });
        self.files.len() - 1
    }

    /// All that the file says.
    ///
    /// # Panics
    /// If the file has content already.
    pub fn whole(&mut self, file: usize, value: &Node) {
        let file = &mut self.files[file];
        assert!(file.content == Content::Nothing, "a file is given whole or by its items, once");
        file.content = Content::Whole;
        file.hasher.update(canonical(value).as_bytes());
    }

    /// The next item of the list that the file is, or the next line that is not blank.
    ///
    /// # Panics
    /// If the file was given whole.
    pub fn item(&mut self, file: usize, value: &Node) {
        let file = &mut self.files[file];
        assert!(file.content != Content::Whole, "a file is given whole or by its items");
        file.hasher.update(if file.content == Content::Items { b"," } else { b"[" });
        file.hasher.update(canonical(value).as_bytes());
        file.content = Content::Items;
    }

    pub fn finish(mut self) -> Leaf {
        self.files.sort_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()));
        let mut hasher = blake3::Hasher::new();
        hasher.update(DOCUMENT);
        hasher.update(self.id.as_bytes());
        feed(&mut hasher, self.kind);
        feed(&mut hasher, &self.key);
        hasher.update(&(self.files.len() as u64).to_be_bytes());
        for mut file in self.files {
            feed(&mut hasher, &file.path);
            feed(&mut hasher, &file.role);
            file.hasher.update(match file.content {
                Content::Nothing => b"[]",
                Content::Items => b"]",
                Content::Whole => b"",
            });
            hasher.update(file.hasher.finalize().as_bytes());
        }
        Leaf { id: self.id, kind: self.kind, hash: *hasher.finalize().as_bytes() }
    }
}

/// With its length, so that no two lists of texts are fed alike.
fn feed(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_be_bytes());
    hasher.update(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(json: &str) -> Node {
        crate::node::parse(json.as_bytes()).expect("JSON").0
    }

    fn hash(key: &str, files: &[(&str, &str, &str)]) -> [u8; 32] {
        let mut document = DocumentHash::new(Uuid::nil(), "chats", key);
        for (path, role, json) in files {
            let file = document.file(*path, *role);
            document.whole(file, &node(json));
        }
        document.finish().hash
    }

    #[test]
    fn a_list_is_the_same_whole_and_by_its_items() {
        for (whole, items) in [("[]", &[][..]), ("[1]", &["1.0"]), ("[1,{\"a\":[]}]", &["1", "{\"a\":[]}"])] {
            let mut document = DocumentHash::new(Uuid::nil(), "chats", "c");
            let file = document.file("c.json", "history");
            items.iter().for_each(|item| document.item(file, &node(item)));
            assert_eq!(document.finish().hash, hash("c", &[("c.json", "history", whole)]), "{whole}");
        }
    }

    #[test]
    fn files_count_in_the_order_of_their_paths() {
        let (one, two) = (("a.json", "history", "[1]"), ("a_session.json", "session", "{}"));
        assert_eq!(hash("c", &[one, two]), hash("c", &[two, one]));
    }

    #[test]
    fn everything_said_of_a_document_counts() {
        let one = hash("c", &[("a", "whole", "1")]);
        for other in [
            hash("d", &[("a", "whole", "1")]),
            hash("c", &[("b", "whole", "1")]),
            hash("c", &[("a", "history", "1")]),
            hash("c", &[("a", "whole", "2")]),
            hash("c", &[("aw", "hole", "1")]),
            hash("c", &[("a", "whole", "1"), ("b", "whole", "1")]),
            hash("c", &[]),
        ] {
            assert_ne!(one, other);
        }
        assert_eq!(one, hash("c", &[("a", "whole", "1.0")]));
    }
}
