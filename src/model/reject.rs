//! Why a document was not loaded, and where in it the reason lies.

use std::fmt;

use uuid::Uuid;

use super::path::{escape_controls, RelPath};

/// Ten thousand levels, or a key of a megabyte, would make a pointer that nobody reads.
const LONGEST_POINTER: usize = 120;

/// What is wrong, as a code that scripts can match on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// No bytes, only white space, or only a byte order mark.
    Empty,
    /// The file ends in the middle of a value.
    Truncated,
    InvalidJson,
    InvalidUtf8,
    /// Half of a surrogate pair (`\ud800`): legal JSON, no Unicode text.
    LoneSurrogate,
    /// U+0000 in a string or key: legal JSON, no PostgreSQL text.
    NulCharacter,
    DuplicateKey,
    TooDeep,
    WrongType,
    MissingMember,
    BadTime,
    /// A number that the column cannot hold.
    NumberOutOfRange,
    /// A key that its column cannot hold; keys are never cut.
    KeyTooLong,
    /// A string over a limit of the database that is not a column's length.
    TextTooLong,
    /// LAYOUTS.md, layout 7: the caller swapped type, key and value.
    SwappedArguments,
    /// Another document claims the same id.
    DuplicateClaim,
    /// Two entries of one document claim the same key.
    DuplicateEntry,
    /// The name is a key and no UTF-8.
    NameNotUtf8,
    /// A compressed file that does not decompress.
    BadCompression,
    /// A document too large for a layout that is read whole.
    TooLarge,
    /// The database refused the rows (SQLSTATE class 22 or 23).
    RefusedByDatabase,
}

impl Reason {
    pub const ALL: [Reason; 21] = [
        Reason::Empty,
        Reason::Truncated,
        Reason::InvalidJson,
        Reason::InvalidUtf8,
        Reason::LoneSurrogate,
        Reason::NulCharacter,
        Reason::DuplicateKey,
        Reason::TooDeep,
        Reason::WrongType,
        Reason::MissingMember,
        Reason::BadTime,
        Reason::NumberOutOfRange,
        Reason::KeyTooLong,
        Reason::TextTooLong,
        Reason::SwappedArguments,
        Reason::DuplicateClaim,
        Reason::DuplicateEntry,
        Reason::NameNotUtf8,
        Reason::BadCompression,
        Reason::TooLarge,
        Reason::RefusedByDatabase,
    ];

    /// The code in ledgers, reject files and `--json`.
    pub fn code(self) -> &'static str {
        match self {
            Reason::Empty => "empty",
            Reason::Truncated => "truncated",
            Reason::InvalidJson => "invalid_json",
            Reason::InvalidUtf8 => "invalid_utf8",
            Reason::LoneSurrogate => "lone_surrogate",
            Reason::NulCharacter => "nul_character",
            Reason::DuplicateKey => "duplicate_key",
            Reason::TooDeep => "too_deep",
            Reason::WrongType => "wrong_type",
            Reason::MissingMember => "missing_member",
            Reason::BadTime => "bad_time",
            Reason::NumberOutOfRange => "number_out_of_range",
            Reason::KeyTooLong => "key_too_long",
            Reason::TextTooLong => "text_too_long",
            Reason::SwappedArguments => "swapped_arguments",
            Reason::DuplicateClaim => "duplicate_claim",
            Reason::DuplicateEntry => "duplicate_entry",
            Reason::NameNotUtf8 => "name_not_utf8",
            Reason::BadCompression => "bad_compression",
            Reason::TooLarge => "too_large",
            Reason::RefusedByDatabase => "refused_by_database",
        }
    }

    pub fn from_code(code: &str) -> Option<Reason> {
        Reason::ALL.into_iter().find(|reason| reason.code() == code)
    }
}

/// Where in a file: by position, by pointer, by both, or neither (the whole file).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub line: Option<u64>,
    /// In characters, from 1.
    pub column: Option<u64>,
    /// RFC 6901; empty for the whole value. Already masked where its keys may be secrets.
    pub pointer: Option<String>,
}

impl Place {
    pub fn at_pointer(pointer: impl Into<String>) -> Place {
        Place { pointer: Some(pointer.into()), ..Place::default() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let (Some(line), Some(column)) = (self.line, self.column) {
            parts.push(format!("line {line} column {column}"));
        }
        if let Some(pointer) = self.pointer.as_deref().filter(|pointer| !pointer.is_empty()) {
            parts.push(format!("at {}", escape_controls(pointer)));
        }
        f.write_str(&parts.join(" "))
    }
}

/// What the decoder found wrong with one of a document's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    pub reason: Reason,
    /// Position in [`super::Document::files`].
    pub file: usize,
    pub place: Place,
    /// What was expected, or what is wrong, in a few words. Never holds a value of the document.
    pub detail: String,
}

impl Flaw {
    pub fn new(reason: Reason, file: usize, mut place: Place, detail: impl Into<String>) -> Flaw {
        if let Some(pointer) = &mut place.pointer {
            if let Some((end, _)) = pointer.char_indices().nth(LONGEST_POINTER) {
                pointer.truncate(end);
                pointer.push('…');
            }
        }
        Flaw { reason, file, place, detail: detail.into() }
    }
}

/// A document that was not loaded.
#[derive(Clone, Debug, PartialEq)]
pub struct Reject {
    pub document: Uuid,
    /// The kind's name.
    pub kind: &'static str,
    pub key: String,
    /// All files of the document.
    pub files: Vec<RelPath>,
    pub bytes: u64,
    /// BLAKE3 over the document's content, as the ledger holds it.
    pub digest: [u8; 32],
    pub flaw: Flaw,
}

impl Reject {
    /// The file that the flaw is in.
    pub fn file(&self) -> &RelPath {
        &self.files[self.flaw.file.min(self.files.len() - 1)]
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.file())?;
        let place = self.flaw.place.to_string();
        if !place.is_empty() {
            write!(f, " {place}")?;
        }
        write!(f, ": {} ({})", escape_controls(&self.flaw.detail), self.flaw.reason.code())
    }
}
