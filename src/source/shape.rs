//! The first character of a file, where a name alone does not say what the file is.

use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use super::open::{lock_shared, metadata, open};

/// Enough for the first character of nearly every file; not so few that a byte order mark is cut.
const GLANCE: usize = 64;
/// No more than this is read.
const PEEK: u64 = 4096;
/// A writer truncates the file before it fills it; it is given this long to finish.
const PATIENCE: Duration = Duration::from_secs(1);
const BOM: &[u8] = b"\xEF\xBB\xBF";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// An object, or nobody can tell.
    Object,
    Other,
}

/// Looks for the first character that is neither white space nor a byte order mark. A file that
/// does not say, or that cannot be read, counts as an object: reading it will tell what is wrong.
pub fn shape_of(path: &Path, follow_links: bool) -> Shape {
    peek(path, follow_links).unwrap_or(None).unwrap_or(Shape::Object)
}

/// Nearly every file says it at once. Only one that does not may be in the middle of being written,
/// so only then is it worth waiting for its writer.
fn peek(path: &Path, follow_links: bool) -> io::Result<Option<Shape>> {
    let file = open(path, follow_links)?;
    let mut glance = [0; GLANCE];
    // A pipe has no place to read at, so nothing is taken out of one.
    let length = file.read_at(&mut glance, 0)?;
    if let Some(shape) = decide(&glance[..length]) {
        return Ok(Some(shape));
    }
    metadata(&file)?;
    let _ = lock_shared(&file, path, PATIENCE);
    let mut start = Vec::new();
    file.take(PEEK).read_to_end(&mut start)?;
    Ok(decide(&start))
}

/// `None`: nothing is there that tells.
fn decide(start: &[u8]) -> Option<Shape> {
    let text = start.strip_prefix(BOM).unwrap_or(start);
    match text.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))? {
        b'{' => Some(Shape::Object),
        _ => Some(Shape::Other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_character_decides() {
        assert_eq!(decide(b"{}"), Some(Shape::Object));
        assert_eq!(decide(b"\xEF\xBB\xBF \r\n\t{"), Some(Shape::Object));
        assert_eq!(decide(b" [{}]"), Some(Shape::Other));
        assert_eq!(decide(b"\xEF\xBB\xBF[1]"), Some(Shape::Other));
        assert_eq!(decide(b"nonsense"), Some(Shape::Other));
    }

    #[test]
    fn a_file_that_does_not_say_counts_as_an_object() {
        assert_eq!(decide(b""), None);
        assert_eq!(decide(b"\xEF\xBB\xBF"), None);
        assert_eq!(decide(&[b' '; PEEK as usize]), None);
        assert_eq!(shape_of(Path::new("/nonexistent/x_session.json"), false), Shape::Object);
    }
}
