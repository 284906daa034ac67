//! JSON, times and ids spelled as the legacy application's PHP spells them.
//!
//! Written by hand into one string, because a million messages pass through here; it knows nothing
//! of documents. LAYOUTS: `json_encode` escapes slashes always, and U+2028 and U+2029 even where
//! it leaves other characters alone; there is no newline at the end.

use std::fmt::Write;

use crate::model::Instant;

use super::rng::Rng;

/// How much of the text is escaped, and whether it is indented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `JSON_PRETTY_PRINT | JSON_UNESCAPED_UNICODE`
    Present,
    /// No flags: one line, `\uXXXX` for everything beyond ASCII.
    Old,
    /// `JSON_UNESCAPED_UNICODE`: one line, for logs.
    Line,
}

/// A JSON text under construction. Brackets and keys are the caller's to balance.
pub struct Json {
    text: String,
    style: Style,
    depth: usize,
    /// Nothing stands after the last opening bracket yet.
    fresh: bool,
}

impl Json {
    pub fn new(style: Style) -> Json {
        Json { text: String::with_capacity(4096), style, depth: 0, fresh: true }
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.text.into_bytes()
    }

    pub fn open(&mut self, bracket: char) {
        self.text.push(bracket);
        self.depth += 1;
        self.fresh = true;
    }

    pub fn close(&mut self, bracket: char) {
        self.depth -= 1;
        if !self.fresh {
            self.new_line();
        }
        self.text.push(bracket);
        self.fresh = false;
    }

    /// Before each item of a list.
    pub fn item(&mut self) {
        if !self.fresh {
            self.text.push(',');
        }
        self.fresh = false;
        self.new_line();
    }

    /// Before each value of a map.
    pub fn key(&mut self, key: &str) {
        self.item();
        self.string(key);
        self.text.push_str(if self.style == Style::Present { ": " } else { ":" });
    }

    /// JSON text that is already spelled out.
    pub fn raw(&mut self, text: &str) {
        self.text.push_str(text);
        self.fresh = false;
    }

    pub fn number(&mut self, number: impl std::fmt::Display) {
        write!(self.text, "{number}").expect("a string takes all text");
    }

    pub fn string(&mut self, text: &str) {
        self.text.push('"');
        let bytes = text.as_bytes();
        let mut plain = 0;
        let mut at = 0;
        while at < bytes.len() {
            let (escape, length) = match bytes[at] {
                b'"' => ("\\\"", 1),
                b'\\' => ("\\\\", 1),
                b'/' => ("\\/", 1),
                b'\n' => ("\\n", 1),
                b'\r' => ("\\r", 1),
                b'\t' => ("\\t", 1),
                0x08 => ("\\b", 1),
                0x0C => ("\\f", 1),
                0..=0x1F => ("", 1),
                0xE2 if bytes[at..].starts_with("\u{2028}".as_bytes()) => ("\\u2028", 3),
                0xE2 if bytes[at..].starts_with("\u{2029}".as_bytes()) => ("\\u2029", 3),
                0x80.. if self.style == Style::Old => ("", char_at(text, at).len_utf8()),
                _ => {
                    at += 1;
                    continue;
                }
            };
            self.text.push_str(&text[plain..at]);
            match escape {
                "" => self.escape_units(char_at(text, at)),
                escape => self.text.push_str(escape),
            }
            at += length;
            plain = at;
        }
        self.text.push_str(&text[plain..]);
        self.text.push('"');
    }

    fn escape_units(&mut self, c: char) {
        for unit in c.encode_utf16(&mut [0; 2]) {
            write!(self.text, "\\u{unit:04x}").expect("a string takes all text");
        }
    }

    fn new_line(&mut self) {
        const SPACES: &str = "                                ";
        if self.style == Style::Present {
            self.text.push('\n');
            self.text.push_str(&SPACES[..4 * self.depth]);
        }
    }
}

fn char_at(text: &str, at: usize) -> char {
    text[at..].chars().next().expect("an offset before the end, at a boundary")
}

/// `date('c')` of a server in UTC: `2025-11-28T10:15:30+00:00`.
pub fn date_c(seconds: i64) -> String {
    let c = civil(seconds);
    format!("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}+00:00", c.year, c.month, c.day, c.hour, c.minute, c.second)
}

/// `date('Y-m-d H:i:s')`, without a zone.
pub fn date_plain(seconds: i64) -> String {
    let c = civil(seconds);
    format!("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", c.year, c.month, c.day, c.hour, c.minute, c.second)
}

fn civil(seconds: i64) -> crate::model::time::Civil {
    Instant::from_seconds(seconds).expect("generated times lie within a few years").civil()
}

/// `uniqid('', true) . '_' . bin2hex(random_bytes(8))`: the seconds, microseconds, a number below
/// ten with eight decimals, and 16 random digits.
pub fn uniqid(seconds: i64, rng: &mut Rng) -> String {
    let micros = rng.below(1_000_000);
    let fraction = rng.below(1_000_000_000);
    let (whole, decimals) = (fraction / 100_000_000, fraction % 100_000_000);
    format!("{seconds:08x}{micros:05x}{whole}.{decimals:08}_{:016x}", rng.next())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(style: Style, text: &str) -> String {
        let mut json = Json::new(style);
        json.string(text);
        String::from_utf8(json.into_bytes()).unwrap()
    }

    #[test]
    fn strings_are_escaped_as_php_does() {
        assert_eq!(encoded(Style::Present, "a/b\"\\\n\t\u{1}é✅\u{2028}"), "\"a\\/b\\\"\\\\\\n\\t\\u0001é✅\\u2028\"");
        assert_eq!(encoded(Style::Old, "é✅😀\u{2029}"), "\"\\u00e9\\u2705\\ud83d\\ude00\\u2029\"");
    }

    #[test]
    fn maps_are_indented_by_four_and_empty_ones_are_not() {
        let mut json = Json::new(Style::Present);
        json.open('[');
        json.item();
        json.open('{');
        json.key("metadata");
        json.open('[');
        json.close(']');
        json.key("n");
        json.number(1);
        json.close('}');
        json.close(']');
        let expected = "[\n    {\n        \"metadata\": [],\n        \"n\": 1\n    }\n]";
        assert_eq!(String::from_utf8(json.into_bytes()).unwrap(), expected);
    }

    #[test]
    fn times_and_ids_have_the_writers_spelling() {
        assert_eq!(date_c(1_764_324_930), "2025-11-28T10:15:30+00:00");
        assert_eq!(date_plain(1_764_324_930), "2025-11-28 10:15:30");
        let id = uniqid(1_764_324_930, &mut Rng::new(1, 1, 1));
        assert_eq!((id.len(), &id[..8], &id[14..15], &id[23..24]), (40, "69297642", ".", "_"), "{id}");
    }
}
