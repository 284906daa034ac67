//! Two values beside each other: which part differs, and what is left out of a long one.
//!
//! Pure functions from text to pieces of it; the page and the terminal dress the pieces.

/// A piece of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Both sides have it.
    Same(&'a str),
    /// This side has it and the other does not. May be empty: then something is missing here.
    Differs(&'a str),
    /// So many characters are left out here.
    Cut(usize),
}

/// How much of a value is shown, in characters.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Of what differs.
    pub differs: usize,
    /// Of what is the same, next to what differs.
    pub around: usize,
    /// Of what is the same, at the value's own beginning and end.
    pub ends: usize,
}

/// A text of which the middle is left out if it has more than `most` characters.
pub fn cut(text: &str, most: usize) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    push(&mut pieces, text, most.div_ceil(2), most / 2, Piece::Same);
    pieces
}

/// Both values in pieces. What differs lies between what is the same at both ends.
pub fn beside<'a>(one: &'a str, other: &'a str, room: Room) -> (Vec<Piece<'a>>, Vec<Piece<'a>>) {
    let before = same_beginning(one, other);
    let after = same_end(&one[before..], &other[before..]);
    (pieces(one, before, after, room), pieces(other, before, after, room))
}

fn pieces(text: &str, before: usize, after: usize, room: Room) -> Vec<Piece<'_>> {
    let (begin, rest) = text.split_at(before);
    let (middle, end) = rest.split_at(rest.len() - after);
    let mut pieces = Vec::new();
    push(&mut pieces, begin, room.ends, room.around, Piece::Same);
    match middle {
        "" => pieces.push(Piece::Differs("")),
        middle => push(&mut pieces, middle, room.differs.div_ceil(2), room.differs / 2, Piece::Differs),
    }
    push(&mut pieces, end, room.around, room.ends, Piece::Same);
    pieces
}

/// Adds a text, or its first and last characters and how many lie between.
fn push<'a>(pieces: &mut Vec<Piece<'a>>, text: &'a str, first: usize, last: usize, kind: fn(&'a str) -> Piece<'a>) {
    // Not worth leaving out: saying so would take as much room.
    const SLACK: usize = 12;
    let count = text.chars().count();
    if count <= first + last + SLACK {
        if !text.is_empty() {
            pieces.push(kind(text));
        }
        return;
    }
    let (head, rest) = text.split_at(byte_of(text, first));
    let tail = &rest[byte_of(rest, count - first - last)..];
    pieces.extend([kind(head), Piece::Cut(count - first - last), kind(tail)].into_iter().filter(|piece| {
        // With room for nothing at one end.
        !matches!(piece, Piece::Same("") | Piece::Differs(""))
    }));
}

fn byte_of(text: &str, chars: usize) -> usize {
    text.char_indices().nth(chars).map_or(text.len(), |(at, _)| at)
}

/// The length in bytes of what both begin with, not ending within an escape of JSON's.
fn same_beginning(one: &str, other: &str) -> usize {
    let equal = one.chars().zip(other.chars()).take_while(|(a, b)| a == b);
    let length: usize = equal.map(|(c, _)| c.len_utf8()).sum();
    let backslashes = one[..length].bytes().rev().take_while(|byte| *byte == b'\\').count();
    // An odd one begins an escape whose rest differs.
    length - backslashes % 2
}

fn same_end(one: &str, other: &str) -> usize {
    let equal = one.chars().rev().zip(other.chars().rev()).take_while(|(a, b)| a == b);
    equal.map(|(c, _)| c.len_utf8()).sum()
}

/// The code points of what differs, where letters alone may look alike: something beyond ASCII on
/// either side, and little of it.
pub fn code_points(one: &[Piece], other: &[Piece]) -> Option<(String, String)> {
    const MOST: usize = 6;
    let text = |pieces: &[Piece]| -> Option<String> {
        let mut differing = pieces.iter().filter_map(|piece| match piece {
            Piece::Differs(text) => Some(*text),
            _ => None,
        });
        let first = differing.next()?;
        // Two pieces: something is cut out of what differs.
        (differing.next().is_none() && first.chars().count() <= MOST).then(|| first.to_owned())
    };
    let (one, other) = (text(one)?, text(other)?);
    let names = |text: &str| text.chars().map(|c| format!("U+{:04X}", u32::from(c))).collect::<Vec<_>>().join(" ");
    (!one.is_ascii() || !other.is_ascii()).then(|| (names(&one), names(&other)))
}

#[cfg(test)]
mod tests {
    use super::Piece::{Cut, Differs, Same};
    use super::*;

    const ROOM: Room = Room { differs: 20, around: 4, ends: 2 };

    #[test]
    fn what_differs_stands_between_what_is_the_same() {
        assert_eq!(
            beside("\"Hello you\"", "\"Hello  you\"", ROOM),
            (vec![Same("\"Hello "), Differs(""), Same("you\"")], vec![Same("\"Hello "), Differs(" "), Same("you\"")])
        );
        assert_eq!(beside("0.1", "0.12", ROOM).0, [Same("0.1"), Differs("")]);
        assert_eq!(beside("1", "2", ROOM), (vec![Differs("1")], vec![Differs("2")]));
        assert_eq!(beside("aa", "aaa", ROOM).1, [Same("aa"), Differs("a")]);
        assert_eq!(beside("ä", "ö", ROOM).0, [Differs("ä")], "both begin with the same byte");
    }

    #[test]
    fn an_escape_is_not_torn() {
        assert_eq!(beside(r#""a\n""#, r#""a\t""#, ROOM).0, [Same("\"a"), Differs("\\n"), Same("\"")]);
        assert_eq!(beside(r#""a\\b""#, r#""a\\c""#, ROOM).0, [Same(r#""a\\"#), Differs("b"), Same("\"")]);
    }

    #[test]
    fn a_long_value_keeps_its_ends_and_what_differs() {
        let (one, other) = (format!("{}X{}", "a".repeat(100), "b".repeat(50)), "a".repeat(100) + &"b".repeat(50));
        assert_eq!(
            beside(&one, &other, ROOM),
            (
                vec![Same("aa"), Cut(94), Same("aaaa"), Differs("X"), Same("bbbb"), Cut(44), Same("bb")],
                vec![Same("aa"), Cut(94), Same("aaaa"), Differs(""), Same("bbbb"), Cut(44), Same("bb")],
            )
        );
        let long = "é".repeat(1000);
        assert_eq!(beside(&long, "", ROOM).0, [Differs(&"é".repeat(10)), Cut(980), Differs(&"é".repeat(10))]);
        assert_eq!(cut(&long, 7), [Same("éééé"), Cut(993), Same("ééé")]);
        assert_eq!(cut("short", 2), [Same("short")], "to say what is left out would take more room");
    }

    #[test]
    fn look_alikes_get_their_code_points() {
        let (one, other) = beside("\"caf\u{e9}\"", "\"cafe\u{301}\"", ROOM);
        assert_eq!(code_points(&one, &other), Some(("U+00E9".into(), "U+0065 U+0301".into())));
        let (one, other) = beside("a", "b", ROOM);
        assert_eq!(code_points(&one, &other), None);
        let long = "é".repeat(1000);
        let (one, other) = beside(&long, "", ROOM);
        assert_eq!(code_points(&one, &other), None);
    }
}
