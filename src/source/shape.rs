//! The first character of a file, where a name alone does not say what the file is.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use super::open::{lock_shared, open};

/// No more than this is read.
const PEEK: usize = 4096;
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
    let shape = open(path, follow_links).and_then(|(file, _)| {
        let _ = lock_shared(&file, path, PATIENCE);
        shape_in(&file)
    });
    shape.unwrap_or(Shape::Object)
}

/// As much of the file as says what it is; half of all files are asked, and nearly all answer with
/// what one read gives.
fn shape_in(mut file: &File) -> io::Result<Shape> {
    let mut start = [0; PEEK];
    let mut length = 0;
    loop {
        match file.read(&mut start[length..]) {
            Ok(0) => return Ok(decide(&start[..length]).unwrap_or(Shape::Object)),
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if let Some(shape) = decide(&start[..length]) {
            return Ok(shape);
        }
    }
}

/// `None` as long as nobody can tell.
fn decide(start: &[u8]) -> Option<Shape> {
    if start.len() < BOM.len() && BOM.starts_with(start) {
        return None;
    }
    let text = start.strip_prefix(BOM).unwrap_or(start);
    match text.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))? {
        b'{' => Some(Shape::Object),
        _ => Some(Shape::Other),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

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
        for silent in [&b""[..], b"\xEF", b"\xEF\xBB\xBF", b"\xEF\xBB\xBF\n", &[b' '; PEEK], &[b' '; PEEK + 9]] {
            assert_eq!(decide(&silent[..silent.len().min(PEEK)]), None);
            let mut file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
            file.write_all(silent).expect("a file can be written");
            assert_eq!(shape_of(file.path(), false), Shape::Object);
        }
        assert_eq!(shape_of(Path::new("/nonexistent/x_session.json"), false), Shape::Object);
    }
}
