//! What a database can hold at all, beyond the lengths of its columns.

/// Limits that decoding checks, so that a value which cannot be stored is rejected with its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Digits of a JSON number before and behind the decimal point when it is written out;
    /// `None` where JSON is kept as text.
    pub json_number_digits: Option<(u64, u64)>,
    /// The longest string or key inside JSON, in bytes.
    pub json_string_bytes: usize,
    /// The largest JSON value, in bytes of its compact text.
    pub json_bytes: usize,
    /// The longest text value, in bytes.
    pub text_bytes: usize,
}
