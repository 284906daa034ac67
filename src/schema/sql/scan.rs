//! Where quotes, comments, numbers and operators end. Each takes the text and the byte at which
//! the thing begins, and returns the byte behind it, with `false` if the text ends first.

pub type End = (usize, bool);

/// The end of a quoted thing whose first character inside stands at `at`; a doubled quote stands
/// for itself, with `escapes` also one behind a backslash.
pub fn quoted(bytes: &[u8], mut at: usize, quote: u8, escapes: bool) -> End {
    while at < bytes.len() {
        if escapes && bytes[at] == b'\\' {
            at += 2;
        } else if bytes[at] != quote {
            at += 1;
        } else if bytes.get(at + 1) == Some(&quote) {
            at += 2;
        } else {
            return (at + 1, true);
        }
    }
    // A backslash may be the last byte.
    (bytes.len(), false)
}

/// `[name]`: nothing escapes the bracket.
pub fn bracketed(bytes: &[u8], at: usize) -> End {
    match bytes[at..].iter().position(|byte| *byte == b']') {
        Some(length) => (at + length + 1, true),
        None => (bytes.len(), false),
    }
}

/// PostgreSQL's block comments nest, SQLite's do not.
pub fn block_comment(bytes: &[u8], start: usize, nests: bool) -> End {
    let (mut at, mut depth) = (start + 2, 1);
    while at < bytes.len() {
        match &bytes[at..bytes.len().min(at + 2)] {
            b"*/" => (depth, at) = (depth - 1, at + 2),
            b"/*" if nests => (depth, at) = (depth + 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return (at, true);
        }
    }
    (bytes.len(), false)
}

/// `$tag$` at this place: where the tag ends.
pub fn dollar_tag(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'$' => return Some(at + 1),
            b'0'..=b'9' if at == start + 1 => return None,
            byte if is_word_byte(byte) => at += 1,
            _ => return None,
        }
    }
    None
}

/// The end of what the tag `start..tag_end` opens.
pub fn dollar_quoted(text: &str, start: usize, tag_end: usize) -> End {
    match text[tag_end..].find(&text[start..tag_end]) {
        Some(length) => (tag_end + length + (tag_end - start), true),
        None => (text.len(), false),
    }
}

/// A letter, an underscore, a digit, or part of a character beyond ASCII, all of which are letters
/// to both databases.
pub fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

pub fn begins_word(byte: u8) -> bool {
    is_word_byte(byte) && !byte.is_ascii_digit()
}

/// The end of a name; a dollar sign may stand in it.
pub fn word(bytes: &[u8], at: usize) -> usize {
    run(bytes, at, |byte| is_word_byte(byte) || byte == b'$')
}

pub fn run(bytes: &[u8], at: usize, belongs: impl Fn(u8) -> bool) -> usize {
    at + bytes[at..].iter().take_while(|byte| belongs(**byte)).count()
}

/// `1`, `1_000`, `0x1F`, `.5`, `1.5e-10`; `1..10` is the number 1 and a range.
pub fn number(bytes: &[u8], start: usize) -> usize {
    let radix = match (bytes[start], bytes.get(start + 1).map(u8::to_ascii_lowercase)) {
        (b'0', Some(b'x')) => Some(16),
        (b'0', Some(b'o')) => Some(8),
        (b'0', Some(b'b')) => Some(2),
        _ => None,
    };
    let is_digit = |byte: u8, radix| byte == b'_' || char::from(byte).is_digit(radix);
    if let Some(radix) = radix {
        let end = run(bytes, start + 2, |byte| is_digit(byte, radix));
        if end > start + 2 {
            return end;
        }
    }
    let digits = |at| run(bytes, at, |byte| is_digit(byte, 10));
    let mut at = digits(start);
    if bytes.get(at) == Some(&b'.') && bytes.get(at + 1) != Some(&b'.') {
        at = digits(at + 1);
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        if bytes.get(at + 1 + sign).is_some_and(u8::is_ascii_digit) {
            at = digits(at + 1 + sign);
        }
    }
    at
}

/// As PostgreSQL's scanner does: as many operator characters as there are, up to a comment; one of
/// several characters ends in `+` or `-` only if it has a character that no standard operator has.
pub fn postgres_operator(bytes: &[u8], start: usize) -> usize {
    let mut end = run(bytes, start, |byte| b"+-*/<>=~!@#%^&|`?".contains(&byte));
    let comment = (start..end.saturating_sub(1)).find(|at| matches!(&bytes[*at..*at + 2], b"--" | b"/*"));
    end = comment.unwrap_or(end);
    while end > start + 1
        && matches!(bytes[end - 1], b'+' | b'-')
        && !bytes[start..end].iter().any(|byte| b"~!@#%^&|`?".contains(byte))
    {
        end -= 1;
    }
    end
}

pub fn sqlite_operator(bytes: &[u8], start: usize) -> usize {
    const LONG: [&[u8]; 10] = [b"->>", b"->", b"||", b"<<", b">>", b"<=", b">=", b"<>", b"!=", b"=="];
    let rest = &bytes[start..];
    let long = LONG.iter().find(|operator| rest.starts_with(operator));
    start + long.map_or(1, |operator| operator.len())
}
