//! Paths below the source root, as bytes: a legacy name may be anything but NUL and slash.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A path relative to the source root, compared bytewise, component by component.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RelPath(PathBuf);

impl RelPath {
    pub fn new(path: impl Into<PathBuf>) -> RelPath {
        RelPath(path.into())
    }

    /// The path of what has this name in the directory that this is.
    pub fn join(&self, name: &OsStr) -> RelPath {
        RelPath(join(&self.0, name))
    }

    /// Where it is under the root.
    pub fn below(&self, root: &Path) -> PathBuf {
        join(root, self.0.as_os_str())
    }

    pub fn as_path(&self) -> &Path {
        &self.0
    }

    /// The directory's text (empty for the root) if it is UTF-8.
    pub fn directory(&self) -> Option<&str> {
        self.0.parent().map_or(Some(""), Path::to_str)
    }

    pub fn file_name(&self) -> &OsStr {
        self.0.file_name().unwrap_or_default()
    }

    /// Text from which the bytes can be told again: UTF-8 stays, a backslash and every byte that
    /// is not UTF-8 become `\xNN`. This is how paths stand in the ledger and in reject files.
    pub fn to_text(&self) -> String {
        if let Some(plain) = self.plain() {
            return plain.to_owned();
        }
        let mut text = String::new();
        for chunk in self.0.as_os_str().as_bytes().utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '\\' => text.push_str("\\x5C"),
                    c => text.push(c),
                }
            }
            for byte in chunk.invalid() {
                text.push_str(&format!("\\x{byte:02X}"));
            }
        }
        text
    }

    /// Whether [`RelPath::to_text`] gives this.
    pub fn is_text(&self, text: &str) -> bool {
        self.plain().map_or_else(|| self.to_text() == text, |plain| plain == text)
    }

    /// The path itself, where nothing in it has to be escaped.
    fn plain(&self) -> Option<&str> {
        self.0.to_str().filter(|text| !text.contains('\\'))
    }

    /// The inverse of [`RelPath::to_text`]. What is no escape stands for itself.
    pub fn from_text(text: &str) -> RelPath {
        let bytes = text.as_bytes();
        let mut path = Vec::with_capacity(bytes.len());
        let mut at = 0;
        while at < bytes.len() {
            let escape = bytes[at..].strip_prefix(b"\\x").and_then(|rest| rest.get(..2));
            let byte =
                escape.and_then(|hex| std::str::from_utf8(hex).ok()).and_then(|hex| u8::from_str_radix(hex, 16).ok());
            match byte {
                Some(byte) => {
                    path.push(byte);
                    at += 4;
                }
                None => {
                    path.push(bytes[at]);
                    at += 1;
                }
            }
        }
        RelPath(PathBuf::from(OsStr::from_bytes(&path)))
    }
}

/// As [`Path::join`], in one piece of memory: each of a million files is joined several times.
fn join(directory: &Path, name: &OsStr) -> PathBuf {
    let mut path = PathBuf::with_capacity(directory.as_os_str().len() + 1 + name.len());
    path.push(directory);
    path.push(name);
    path
}

/// For people: control characters (escape codes of a terminal among them) are escaped.
impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape_controls(&self.to_text()))
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

impl PartialOrd for RelPath {
    fn partial_cmp(&self, other: &RelPath) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for RelPath {
    fn cmp(&self, other: &RelPath) -> std::cmp::Ordering {
        self.0.components().cmp(other.0.components())
    }
}

/// Text that is safe on a terminal and on one line: control characters, line separators and
/// characters that turn the writing direction become `\u{..}`.
pub fn escape_controls(text: &str) -> String {
    if !text.contains(is_hostile) {
        return text.to_owned();
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_hostile(c) {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Whether a terminal may take the character for more than itself.
pub fn is_hostile(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_come_back_from_text() {
        for name in [&b"a\xFF\\b"[..], b"plain", b"\\x41", b"new\nline", b"\xC3\xA9\xC3"] {
            let path = RelPath::new(OsStr::from_bytes(name));
            assert_eq!(RelPath::from_text(&path.to_text()), path);
        }
    }

    #[test]
    fn escape_codes_do_not_reach_a_terminal() {
        let path = RelPath::new("users/\u{1b}[31mred\n.json");
        assert_eq!(path.to_string(), "users/\\u{1b}[31mred\\n.json");
    }
}
