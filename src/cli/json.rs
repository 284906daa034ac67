//! JSON on stdout: the same value, spelled so that no string in it can reach a terminal.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::Formatter;

use crate::model::path::is_hostile;

/// Writes the value on one line.
pub fn write_line(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut *out, Safe))?;
    writeln!(out)
}

/// Escapes what JSON itself would let pass: DEL, C1's controls, turns of the writing direction.
struct Safe;

impl Formatter for Safe {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, hostile)) = rest.char_indices().find(|(_, c)| is_hostile(*c)) {
            writer.write_all(&rest.as_bytes()[..at])?;
            let mut units = [0; 2];
            for unit in hostile.encode_utf16(&mut units) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[at + hostile.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_string_is_the_same_string_in_other_letters() {
        let text = "a\u{1b}[31m\u{7f}\u{9b}31m\n\u{202e}b é 👩 \"\\";
        let mut out = Vec::new();
        write_line(&mut out, &[text]).expect("a vector takes all");
        let line = String::from_utf8(out).expect("text");
        assert_eq!(line, "[\"a\\u001b[31m\\u007f\\u009b31m\\n\\u202eb é 👩 \\\"\\\\\"]\n");
        assert_eq!(serde_json::from_str::<[String; 1]>(&line).expect("JSON"), [text]);
    }
}
