//! JSON text as the legacy application writes it (LAYOUTS.md): slashes escaped, U+2028 and U+2029
//! too, all else as it is; no newline at the end.

use std::io::{self, Write};

use super::Node;

/// How a value is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Indented by four blanks a level; empty lists and maps stay on one line.
    Indented,
    /// On one line, without blanks.
    Line,
}

/// Writes a value. `depth`: how deep the value stands already, for the indenting.
pub fn write(out: &mut dyn Write, node: &Node, style: Style, depth: usize) -> io::Result<()> {
    match node {
        Node::Null => out.write_all(b"null"),
        Node::Bool(flag) => out.write_all(if *flag { b"true" } else { b"false" }),
        Node::Number(spelling) => out.write_all(spelling.as_bytes()),
        Node::Text(text) => string(out, text),
        Node::List(items) if items.is_empty() => out.write_all(b"[]"),
        Node::Map(members) if members.is_empty() => out.write_all(b"{}"),
        Node::List(items) => {
            out.write_all(b"[")?;
            for (at, item) in items.iter().enumerate() {
                next(out, style, at, depth + 1)?;
                write(out, item, style, depth + 1)?;
            }
            new_line(out, style, depth)?;
            out.write_all(b"]")
        }
        Node::Map(members) => {
            out.write_all(b"{")?;
            for (at, (name, value)) in members.iter().enumerate() {
                next(out, style, at, depth + 1)?;
                string(out, name)?;
                out.write_all(if style == Style::Indented { b": " } else { b":" })?;
                write(out, value, style, depth + 1)?;
            }
            new_line(out, style, depth)?;
            out.write_all(b"}")
        }
    }
}

/// What stands before the item at position `at`.
fn next(out: &mut dyn Write, style: Style, at: usize, depth: usize) -> io::Result<()> {
    if at > 0 {
        out.write_all(b",")?;
    }
    new_line(out, style, depth)
}

fn new_line(out: &mut dyn Write, style: Style, depth: usize) -> io::Result<()> {
    if style == Style::Indented {
        out.write_all(b"\n")?;
        for _ in 0..depth {
            out.write_all(b"    ")?;
        }
    }
    Ok(())
}

fn string(out: &mut dyn Write, text: &str) -> io::Result<()> {
    out.write_all(b"\"")?;
    let mut from = 0;
    for (at, c) in text.char_indices() {
        let escape: &[u8] = match c {
            '"' => b"\\\"",
            '\\' => b"\\\\",
            '/' => b"\\/",
            '\u{8}' => b"\\b",
            '\u{c}' => b"\\f",
            '\n' => b"\\n",
            '\r' => b"\\r",
            '\t' => b"\\t",
            '\u{2028}' => b"\\u2028",
            '\u{2029}' => b"\\u2029",
            c if c < ' ' => {
                out.write_all(&text.as_bytes()[from..at])?;
                write!(out, "\\u{:04x}", c as u32)?;
                from = at + 1;
                continue;
            }
            _ => continue,
        };
        out.write_all(&text.as_bytes()[from..at])?;
        out.write_all(escape)?;
        from = at + c.len_utf8();
    }
    out.write_all(&text.as_bytes()[from..])?;
    out.write_all(b"\"")
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    #[test]
    fn text_is_what_the_application_writes() {
        let node =
            parse("{\"a\":[],\"b\":{\"c/d\":\"é\\u2028\\u0001\\n\"},\"e\":[1.0,{}]}".as_bytes()).expect("JSON").0;
        let text = |style| {
            let mut out = Vec::new();
            write(&mut out, &node, style, 0).expect("memory takes all");
            String::from_utf8(out).expect("UTF-8")
        };
        assert_eq!(text(Style::Line), "{\"a\":[],\"b\":{\"c\\/d\":\"é\\u2028\\u0001\\n\"},\"e\":[1.0,{}]}");
        let indented = "{\n    \"a\": [],\n    \"b\": {\n        \"c\\/d\": \"é\\u2028\\u0001\\n\"\n    },\n    \"e\": [\n        \
                        1.0,\n        {}\n    ]\n}";
        assert_eq!(text(Style::Indented), indented);
    }
}
