//! How the layouts spell what a column holds: times, and what times in other spellings mean.

use std::fmt::Write;

use crate::model::time::Civil;
use crate::model::Instant;
use crate::node::Node;

/// A layout's usual spelling of an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// `2025-11-28T10:15:30+00:00`
    Php,
    /// `2025-11-28T10:15:30Z`
    Zulu,
    /// `2025-11-28 10:15:30`
    Plain,
}

/// The instant in this spelling, in UTC. Between two seconds, which no layout can say, it has a
/// fraction of six digits.
pub fn spell(instant: Instant, spelling: Spelling) -> String {
    let Civil { year, month, day, hour, minute, second, micros } = instant.civil();
    let (separator, zone) = match spelling {
        Spelling::Php => ('T', "+00:00"),
        Spelling::Zulu => ('T', "Z"),
        Spelling::Plain => (' ', ""),
    };
    let mut text = String::with_capacity(32);
    let written = write!(text, "{year:04}-{month:02}-{day:02}{separator}{hour:02}:{minute:02}:{second:02}");
    written.expect("a string takes all");
    if micros != 0 {
        write!(text, ".{micros:06}").expect("a string takes all");
    }
    text.push_str(zone);
    text
}

/// Whether a kept time, in whatever spelling, means this instant. A time without a zone is taken
/// for UTC, because the zone that it was read in is not known here.
pub fn means(kept: &Node, instant: Instant) -> bool {
    match kept {
        Node::Text(text) if text.len() >= 9 && text.bytes().all(|byte| byte.is_ascii_digit()) => epoch(text, instant),
        Node::Text(text) => from_text(text) == Some(instant.0),
        Node::Number(spelling) => epoch(spelling, instant),
        _ => false,
    }
}

/// Microseconds; what is finer is cut, as the columns do.
fn from_text(text: &str) -> Option<i64> {
    match text.parse::<jiff::Timestamp>() {
        Ok(stamp) => Some(stamp.as_nanosecond().div_euclid(1000) as i64),
        Err(_) => {
            let local: jiff::civil::DateTime = text.parse().ok()?;
            let stamp = local.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
            Some(stamp.as_nanosecond().div_euclid(1000) as i64)
        }
    }
}

/// Seconds, or milliseconds from 11 digits on.
fn epoch(spelling: &str, instant: Instant) -> bool {
    let (whole, fraction) = spelling.split_once('.').unwrap_or((spelling, ""));
    let Ok(number) = whole.parse::<i128>() else { return false };
    let scale: i128 = if number.abs() < 100_000_000_000 { 1_000_000 } else { 1_000 };
    let (mut rest, mut unit) = (0, scale);
    for digit in fraction.bytes() {
        unit /= 10;
        rest += i128::from(digit.wrapping_sub(b'0')) * unit;
    }
    let rest = if whole.starts_with('-') { -rest } else { rest };
    number.checked_mul(scale).and_then(|micros| micros.checked_add(rest)) == Some(i128::from(instant.0))
}

/// The second in which PHP's `uniqid('', true) . '_' . 16 hex digits` was made: its first eight
/// digits.
pub fn uniqid(id: &str) -> Option<Instant> {
    let bytes = id.as_bytes();
    let digits = |from: usize, to: usize| bytes[from..to].iter().all(u8::is_ascii_digit);
    let hex = |from: usize, to: usize| bytes[from..to].iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let points = bytes.len() == 40 && bytes[14] == b'.' && bytes[23] == b'_';
    let fits = points && hex(0, 13) && digits(13, 14) && digits(15, 23) && hex(24, 40);
    fits.then(|| i64::from_str_radix(&id[..8], 16).ok()).flatten().and_then(Instant::from_seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_spelled_as_its_layout_does() {
        let instant = Instant::from_seconds(1_764_324_930).expect("a time");
        assert_eq!(spell(instant, Spelling::Php), "2025-11-28T10:15:30+00:00");
        assert_eq!(spell(instant, Spelling::Zulu), "2025-11-28T10:15:30Z");
        assert_eq!(spell(instant, Spelling::Plain), "2025-11-28 10:15:30");
        assert_eq!(spell(Instant(instant.0 + 1), Spelling::Php), "2025-11-28T10:15:30.000001+00:00");
    }

    #[test]
    fn one_instant_is_known_in_every_spelling() {
        let instant = Instant::from_seconds(1_764_324_930).expect("a time");
        for text in [
            "2025-11-28T10:15:30+00:00",
            "2025-11-28T12:15:30+02:00",
            "2025-11-28 10:15:30",
            "2025-11-28t10:15:30z",
            "2025-11-28T10:15:30.0000001Z",
            "1764324930",
            "1764324930000",
        ] {
            assert!(means(&Node::text(text), instant), "{text}");
        }
        assert!(means(&Node::Number("1764324930.0".into()), instant));
        assert!(!means(&Node::Number("1764324930.5".into()), instant));
        assert!(!means(&Node::text("2025-11-28T10:15:31+00:00"), instant));
        assert!(!means(&Node::text("soon"), instant));
        assert!(!means(&Node::Null, instant));
    }

    #[test]
    fn only_the_applications_own_ids_tell_a_time() {
        let id = "6929774277a1b1.12345678_0123456789abcdef";
        assert_eq!(uniqid(id), Instant::from_seconds(0x6929_7742));
        for other in ["6929774277a1b1.12345678_0123456789ABCDEF", "guest-1732788930", "", "é_é.é", "ééééééé.12345678_"]
        {
            assert_eq!(uniqid(other), None, "{other}");
        }
    }
}
