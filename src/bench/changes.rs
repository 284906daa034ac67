//! Changing some documents of a tree, as an application that is in use does.

use std::fs;
use std::path::Path;

use super::error::BenchError;

/// Where the generated tree has its chats.
const CHATS: &str = "chat_sessions";
/// What a message's text begins behind.
const TEXT: &[u8] = b"\"content\": \"";

/// Edits the first message of every tenth chat; returns how many there were.
pub fn change_a_tenth(tree: &Path) -> Result<u64, BenchError> {
    let directory = tree.join(CHATS);
    let mut histories = Vec::new();
    for entry in fs::read_dir(&directory).map_err(BenchError::file(&directory))? {
        let path = entry.map_err(BenchError::file(&directory))?.path();
        if !path.to_string_lossy().ends_with("_session.json") {
            histories.push(path);
        }
    }
    histories.sort();
    let mut changed = 0;
    for path in histories.iter().step_by(10) {
        let text = fs::read(path).map_err(BenchError::file(path))?;
        let Some(at) = text.windows(TEXT.len()).position(|window| window == TEXT) else { continue };
        let (before, after) = text.split_at(at + TEXT.len());
        fs::write(path, [before, b"x", after].concat()).map_err(BenchError::file(path))?;
        changed += 1;
    }
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::{generate, Options};

    #[test]
    fn a_tenth_of_the_chats_says_something_else_each_time() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let tree = directory.path().join("tree");
        let made = generate(&tree, &Options { records: 300, seed: 1, damage: 0.0 }).expect("a tree can be made");
        let bytes = || -> u64 {
            let files = fs::read_dir(tree.join(CHATS)).expect("the directory is there");
            files.map(|file| file.and_then(|file| file.metadata()).expect("it is there").len()).sum()
        };
        let before = bytes();
        for round in 1..=2 {
            let changed = change_a_tenth(&tree).expect("files can be written");
            assert!(changed > 0 && changed <= made.chats.div_ceil(10), "{changed} of {}", made.chats);
            assert_eq!(bytes(), before + round * changed);
        }
    }
}
