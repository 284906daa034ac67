//! Why two values differ, as far as the values themselves show it.
//!
//! Pure: who moved, and what else there is on either side, is for others to say. Recognised is what
//! careless tools do to values: doubles for decimals, local times for instants, one empty container
//! for the other, texts cut or decoded wrongly.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::Timestamp;

use super::outcome::Cause;
use crate::node::{self, Decimal, Node};

/// Places within two lists or maps that are looked at; they must all show one cause.
const PLACES: usize = 32;

/// By quarters of an hour every zone in use differs from UTC, in microseconds.
const QUARTER: i64 = 15 * 60 * 1_000_000;
/// The zone farthest from UTC.
const FARTHEST: i64 = 14 * 60 * 60 * 1_000_000;

/// Epoch numbers from here on are milliseconds.
const MILLISECONDS_FROM: f64 = 1e11;

/// The cause that two differing values show. `None` for a value: there is nothing at its place.
/// `is_time`: they are times. `is_json`: they are JSON, whose null is not the database's NULL.
pub fn cause(file: Option<&Node>, database: Option<&Node>, is_time: bool, is_json: bool) -> Option<Cause> {
    if let (Some(a), Some(b)) = (nothing(file), nothing(database)) {
        let differ = match (a, b) {
            (Nothing::Null, Nothing::Null) => is_json,
            (Nothing::Absent, Nothing::Empty) | (Nothing::Empty, Nothing::Absent) => false,
            (a, b) => a != b,
        };
        return differ.then_some(Cause::Null);
    }
    let (file, database) = (file?, database?);
    let of_time = if is_time { of_times(file, database) } else { None };
    of_time.or_else(|| match (file, database) {
        (Node::Text(a), Node::Text(b)) => of_texts(a, b),
        (Node::Number(a), Node::Number(b)) => of_numbers(a, b),
        (Node::List(items), Node::Map(members)) | (Node::Map(members), Node::List(items)) => {
            (items.is_empty() && members.is_empty()).then_some(Cause::PhpEmpty)
        }
        (Node::List(_), Node::List(_)) | (Node::Map(_), Node::Map(_)) => within(file, database),
        _ => None,
    })
}

/// What stands for no value, in one place or another.
#[derive(PartialEq)]
enum Nothing {
    Absent,
    Null,
    Empty,
    /// The word for it.
    Word,
}

fn nothing(node: Option<&Node>) -> Option<Nothing> {
    match node {
        None => Some(Nothing::Absent),
        Some(Node::Null) => Some(Nothing::Null),
        Some(Node::Text(text)) if text.is_empty() => Some(Nothing::Empty),
        Some(Node::Text(text)) if text == "null" || text == "NULL" => Some(Nothing::Word),
        Some(_) => None,
    }
}

fn of_numbers(a: &str, b: &str) -> Option<Cause> {
    let (double_a, double_b): (f64, f64) = (a.parse().ok()?, b.parse().ok()?);
    let (a, b) = (Decimal::parse(a)?, Decimal::parse(b)?);
    // Where no double reaches, those of as many digits may still have lost the last of them.
    let same = match double_a.is_infinite() && double_b.is_infinite() {
        true => a.scientific().is_some_and(|it| b.scientific() == Some(it)),
        false => double_a == double_b,
    };
    (same && a != b).then_some(Cause::Precision)
}

fn of_texts(a: &str, b: &str) -> Option<Cause> {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if a == b {
        None
    } else if a.trim() == b.trim() {
        Some(Cause::Blanks)
    } else if a.to_lowercase() == b.to_lowercase() {
        Some(Cause::Case)
    } else if is_misread(short, long) {
        Some(Cause::Encoding)
    } else if !short.is_empty() && long.starts_with(short) {
        Some(Cause::Truncated)
    } else {
        None
    }
}

/// Whether a text is another one's UTF-8, each byte of it taken for a character of Latin-1 or of
/// Windows-1252: that makes it longer.
fn is_misread(text: &str, longer: &str) -> bool {
    let mut characters = longer.chars();
    let all = text.bytes().all(|byte| {
        let found = characters.next();
        found == Some(char::from(byte)) || (found.is_some() && found == windows_1252(byte))
    });
    all && characters.next().is_none()
}

/// The characters in which Windows-1252 is not Latin-1, from 0x80; five bytes have none.
fn windows_1252(byte: u8) -> Option<char> {
    const FROM_80: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ";
    FROM_80.chars().nth(usize::from(byte.checked_sub(0x80)?))
}

fn of_times(a: &Node, b: &Node) -> Option<Cause> {
    let apart = instant(a)?.checked_sub(instant(b)?)?.checked_abs()?;
    (apart != 0 && apart % QUARTER == 0 && apart <= FARTHEST).then_some(Cause::Timezone)
}

/// Microseconds since 1970, in UTC where no zone is named. A date alone is no instant.
fn instant(node: &Node) -> Option<i64> {
    let epoch = |spelling: &str| {
        let number: f64 = spelling.parse().ok()?;
        let scale = if number.abs() < MILLISECONDS_FROM { 1e6 } else { 1e3 };
        Some((number * scale).round() as i64)
    };
    match node {
        Node::Number(spelling) => epoch(spelling),
        Node::Text(text) if text.len() >= 9 && text.bytes().all(|byte| byte.is_ascii_digit()) => epoch(text),
        Node::Text(text) if text.len() > "2025-11-28".len() => match text.parse::<Timestamp>() {
            Ok(timestamp) => Some(timestamp.as_microsecond()),
            Err(_) => {
                let shown: DateTime = text.parse().ok()?;
                Some(TimeZone::UTC.to_timestamp(shown).ok()?.as_microsecond())
            }
        },
        _ => None,
    }
}

/// The one cause of all places at which two lists or two maps differ.
fn within(a: &Node, b: &Node) -> Option<Cause> {
    let mut found = None;
    for place in node::differences(a, b, PLACES) {
        // A name that repeats has no place of its own.
        if place.pointer.is_empty() {
            return None;
        }
        let here = cause(place.left.as_ref(), place.right.as_ref(), false, true)?;
        if found.is_some_and(|found| found != here) {
            return None;
        }
        found = Some(here);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(file: &str, database: &str, is_time: bool, is_json: bool) -> Option<Cause> {
        let node = |text: &str| match text {
            "" => None,
            text => Some(node::parse(text.as_bytes()).expect("JSON").0),
        };
        let (file, database) = (node(file), node(database));
        let found = cause(file.as_ref(), database.as_ref(), is_time, is_json);
        assert_eq!(found, cause(database.as_ref(), file.as_ref(), is_time, is_json), "the other way round");
        found
    }

    fn all(expected: Option<Cause>, pairs: &[(&str, &str)]) {
        for (file, database) in pairs {
            assert_eq!(of(file, database, false, true), expected, "{file} {database}");
        }
    }

    #[test]
    fn numbers_that_are_one_double_were_rounded() {
        let rounded = [
            ("0.1", "0.10000000000000001"),
            ("9007199254740993", "9007199254740992"),
            ("123456789012345678901234567890", "1.2345678901234568e29"),
            ("1e-400", "0"),
            ("1e400", "1.0000000000000000000003e400"),
        ];
        all(Some(Cause::Precision), &rounded);
        all(None, &[("0.1", "0.2"), ("1", "2"), ("1e400", "1e401"), ("1.0", "1"), ("1", "true"), ("1", "\"1\"")]);
    }

    #[test]
    fn instants_that_are_quarters_of_an_hour_apart_were_read_in_another_zone() {
        for (file, database, expected) in [
            ("\"2025-11-28T10:15:30.000000Z\"", "\"2025-11-28T05:15:30.000000Z\"", Some(Cause::Timezone)),
            ("\"2025-11-28T10:15:30+00:00\"", "\"2025-11-28 16:00:30\"", Some(Cause::Timezone)),
            ("\"2025-11-28 10:15:30\"", "\"2025-11-28 10:15:30+02:00\"", Some(Cause::Timezone)),
            ("1764324930", "\"2025-11-28T09:15:30Z\"", Some(Cause::Timezone)),
            ("1764324930123", "1764321330.123", Some(Cause::Timezone)),
            ("\"1764324930\"", "\"2025-11-28T11:15:30Z\"", Some(Cause::Timezone)),
            ("\"2025-11-28T10:15:30Z\"", "\"2025-11-29T00:15:30Z\"", Some(Cause::Timezone)),
            ("\"2025-11-28T10:15:30Z\"", "\"2025-11-29T00:30:30Z\"", None),
            ("\"2025-11-28T10:15:30.000000Z\"", "\"2025-11-28T10:15:30.000001Z\"", None),
            ("\"2025-11-28T10:15:30Z\"", "\"2025-11-28T10:20:30Z\"", None),
            ("\"2025-11-28T10:15:30Z\"", "\"2025-11-28T10:15:30+00:00\"", None),
            ("\"2025-11-28\"", "\"2025-11-28T10:15:00Z\"", Some(Cause::Truncated)),
            ("\"2025-11-28T10:15:30Z\"", "null", None),
            ("\"soon\"", "\"sooner\"", Some(Cause::Truncated)),
        ] {
            assert_eq!(of(file, database, true, false), expected, "{file} {database}");
        }
        all(None, &[("\"2025-11-28T10:15:30Z\"", "\"2025-11-28T11:15:30Z\""), ("900", "1800")]);
    }

    #[test]
    fn one_empty_container_is_taken_for_the_other() {
        let maps = [("[]", "{}"), (r#"{"a":[],"b":1}"#, r#"{"a":{},"b":1}"#), ("[[],[]]", "[{},{}]")];
        all(Some(Cause::PhpEmpty), &maps);
        all(None, &[("[]", "[1]"), ("[1]", "{}"), ("[]", "null"), (r#"["a"]"#, r#"{"0":"a"}"#)]);
    }

    #[test]
    fn a_text_is_cut_decoded_wrongly_or_differs_in_blanks_or_case() {
        all(Some(Cause::Truncated), &[("\"abc\"", "\"ab\""), ("\"größe\"", "\"grö\""), ("\"a\"", "\"a b \"")]);
        all(
            Some(Cause::Blanks),
            &[("\"a \"", "\"a\""), ("\"a\"", "\"\\n a\\t\""), ("\"a\"", "\"a\u{a0}\""), ("\" \"", "\"  \"")],
        );
        all(Some(Cause::Case), &[("\"Ab\"", "\"aB\""), ("\"É\"", "\"é\""), ("\"null\"", "\"Null\"")]);
        let misread = [
            ("\"é\"", "\"Ã©\""),
            ("\"✅\"", "\"âœ…\""),
            ("\"✅\"", "\"â\u{9c}\u{85}\""),
            ("\"don’t\"", "\"donâ€™t\""),
            ("\"à la\"", "\"Ã\u{a0} la\""),
            ("\"Í\"", "\"Ã\u{8d}\""),
            ("\"Müller\"", "\"MÃ¼ller\""),
            ("\"€\"", "\"â‚¬\""),
        ];
        all(Some(Cause::Encoding), &misread);
        all(
            None,
            &[("\"a\"", "\"b\""), ("\"\"", "\"a\""), ("\"é\"", "\"è\""), ("\"✅\"", "\"?\""), ("\"ab\"", "\"b\"")],
        );
    }

    #[test]
    fn nothing_is_told_from_the_words_for_it() {
        let words = [("null", "\"\""), ("null", "\"null\""), ("\"\"", "\"null\""), ("null", "\"NULL\""), ("", "null")];
        all(Some(Cause::Null), &words);
        all(None, &[("", "\"\""), ("", "1"), ("null", "0"), ("null", "[]"), ("null", "\"nil\""), ("", "")]);
        assert_eq!(
            of("null", "null", false, true),
            Some(Cause::Null),
            "a column that is NULL, and one that holds null"
        );
        assert_eq!(of("null", "null", false, false), None);
    }

    #[test]
    fn all_places_within_must_show_one_cause() {
        let nested =
            (r#"{"a":{"b":[0.1,"x"]},"c":0.3}"#, r#"{"c":0.299999999999999988,"a":{"b":[0.1000000000000000055,"x"]}}"#);
        all(Some(Cause::Precision), &[nested]);
        all(Some(Cause::Blanks), &[(r#"{"a":{"b":"x "}}"#, r#"{"a":{"b":"x"}}"#)]);
        all(Some(Cause::Null), &[(r#"{"a":null,"b":1}"#, r#"{"b":1}"#)]);
        let mixed = [
            (r#"["a ","b"]"#, r#"["a","B"]"#),
            ("[1,2]", "[2,1]"),
            ("[1]", "[1,2]"),
            (r#"{"a":1,"a":1}"#, r#"{"a":1}"#),
        ];
        all(None, &mixed);
    }
}
