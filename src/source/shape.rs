//! The first character of a file, where a name alone does not say what the file is.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use super::open::{lock_shared, open};

/// No more than this is read.
const PEEK: u64 = 4096;
/// A writer truncates the file before it fills it; it is given this long to finish.
const PATIENCE: Duration = Duration::from_secs(1);
const BOM: &[u8] = b"\xEF\xBB\xBF";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// An object, or nobody can tell.
    Object,
    Other,
}

/// Looks for the first character that is neither white space nor a byte order mark. A file that
/// does not say, or that cannot be read, counts as an object: reading it will tell what is wrong.
pub(super) fn shape_of(path: &Path, follow_links: bool) -> Shape {
    let start = open(path, follow_links).and_then(|(file, _)| {
        let _ = lock_shared(&file, path, PATIENCE);
        start_of(&file)
    });
    start.map_or(Shape::Object, |start| decide(&start))
}

/// Whether a file, where its name does not decide, belongs to what an object is.
pub fn counts_as_object(path: &Path, follow_links: bool) -> bool {
    shape_of(path, follow_links) == Shape::Object
}

fn start_of(file: &File) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    file.take(PEEK).read_to_end(&mut start)?;
    Ok(start)
}

fn decide(start: &[u8]) -> Shape {
    let text = start.strip_prefix(BOM).unwrap_or(start);
    match text.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) {
        None | Some(b'{') => Shape::Object,
        Some(_) => Shape::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_character_decides() {
        assert_eq!(decide(b"{}"), Shape::Object);
        assert_eq!(decide(b"\xEF\xBB\xBF \r\n\t{"), Shape::Object);
        assert_eq!(decide(b" [{}]"), Shape::Other);
        assert_eq!(decide(b"\xEF\xBB\xBF[1]"), Shape::Other);
        assert_eq!(decide(b"nonsense"), Shape::Other);
    }

    #[test]
    fn a_file_that_does_not_say_counts_as_an_object() {
        assert_eq!(decide(b""), Shape::Object);
        assert_eq!(decide(b"\xEF\xBB\xBF"), Shape::Object);
        assert_eq!(decide(&[b' '; PEEK as usize]), Shape::Object);
        assert_eq!(shape_of(Path::new("/nonexistent/x_session.json"), false), Shape::Object);
    }
}
