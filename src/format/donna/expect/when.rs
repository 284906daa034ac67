//! Instants from what the legacy application and its forebears wrote for a time.

use jiff::tz::TimeZone;
use jiff::Timestamp;

use crate::model::Instant;
use crate::node::Node;

/// A whole number from here on counts milliseconds, a smaller one seconds.
const MILLISECONDS_FROM: i64 = 100_000_000_000;
const SECOND: i64 = 1_000_000;
const DAY: i64 = 24 * 60 * 60 * SECOND;
/// Days from 0000-03-01 to 1970-01-01.
const DAYS_BEFORE_1970: i64 = 719_468;

/// The instant that a member says; `None` if it is no time. `zone` is for a text without one.
pub fn instant(member: &Node, zone: &TimeZone) -> Option<Instant> {
    match member {
        Node::Number(spelling) => of_number(spelling),
        Node::Text(text) if text.len() >= 9 && is_digits(text) => of_number(text),
        Node::Text(text) => of_text(text, zone),
        _ => None,
    }
}

/// The second in an id that PHP's `uniqid('', true)` and 16 hexadecimal digits made.
pub fn of_uniqid(id: &str) -> Option<Instant> {
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let (unique, random) = id.split_once('_')?;
    let (before, after) = unique.split_once('.')?;
    let (hex, digit) = before.split_at_checked(13)?;
    let is_one = is_hex(hex) && digit.len() == 1 && is_digits(digit) && after.len() == 8 && is_digits(after);
    if !is_one || random.len() != 16 || !is_hex(random) {
        return None;
    }
    let seconds = u32::from_str_radix(&hex[..8], 16).ok()?;
    Instant::checked(i64::from(seconds) * SECOND)
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Seconds or milliseconds since 1970, with a fraction; never with an exponent.
fn of_number(spelling: &str) -> Option<Instant> {
    let (sign, magnitude) = match spelling.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, spelling),
    };
    let (whole, fraction) = magnitude.split_once('.').unwrap_or((magnitude, ""));
    let whole = whole.trim_start_matches('0');
    // Eighteen digits of anything are beyond the year 9999.
    if whole.len() > 17 || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let places = if whole < MILLISECONDS_FROM { 6 } else { 3 };
    let below = first_digits(fraction, places);
    let micros = whole.checked_mul(10_i64.pow(places))?.checked_add(below)?;
    Instant::checked(sign * micros)
}

/// The first `places` digits as a number, as if zeros without end followed.
fn first_digits(digits: &str, places: u32) -> i64 {
    let digits = digits.as_bytes();
    (0..places as usize).fold(0, |sum, at| sum * 10 + digits.get(at).map_or(0, |byte| i64::from(byte - b'0')))
}

/// `YYYY-MM-DD`, and after `T` or a blank a time of day, and after that an offset.
fn of_text(text: &str, zone: &TimeZone) -> Option<Instant> {
    // Cuts below are at bytes.
    if !text.is_ascii() {
        return None;
    }
    let (date, rest) = text.split_at_checked(10)?;
    let midnight = days(number(date, 0, 4)?, number(date, 5, 7)?, number(date, 8, 10)?)? * DAY;
    if !(date[4..].starts_with('-') && date[7..].starts_with('-')) {
        return None;
    }
    if rest.is_empty() {
        return at_local(midnight, zone);
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, offset) = match rest.find(['Z', 'z', '+', '-', ' ']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let local = midnight + of_clock(clock)?;
    match offset {
        "" => at_local(local, zone),
        "Z" | "z" => Instant::checked(local),
        offset => Instant::checked(local - of_offset(offset.strip_prefix(' ').unwrap_or(offset))?),
    }
}

/// Two or four digits at a place.
fn number(text: &str, from: usize, to: usize) -> Option<i64> {
    text.get(from..to).filter(|digits| is_digits(digits))?.parse().ok()
}

/// Microseconds since midnight of `HH:MM`, `HH:MM:SS` or `HH:MM:SS.f`. The 24th hour has one
/// instant, and the sixtieth second of an hour's last minute may be followed by another one.
fn of_clock(clock: &str) -> Option<i64> {
    let (hour, minute) = (number(clock, 0, 2)?, number(clock, 3, 5)?);
    let (second, micros) = match clock.len() {
        5 => (0, 0),
        8 => (number(clock, 6, 8)?, 0),
        _ => {
            let fraction = clock.get(8..)?.strip_prefix(['.', ','])?;
            if fraction.is_empty() || !is_digits(fraction) {
                return None;
            }
            (number(clock, 6, 8)?, first_digits(fraction, 6))
        }
    };
    let colons = clock.as_bytes()[2] == b':' && (clock.len() == 5 || clock.as_bytes()[5] == b':');
    let longest_second = if minute == 59 { 60 } else { 59 };
    let of_day = ((hour * 60 + minute) * 60 + second) * SECOND + micros;
    let is_time = match hour {
        0..=23 => minute <= 59 && second <= longest_second,
        _ => of_day == DAY && minute == 0 && second == 0,
    };
    (colons && is_time).then_some(of_day)
}

/// Microseconds east of UTC: `+HH`, `+HHMM` or `+HH:MM`.
fn of_offset(offset: &str) -> Option<i64> {
    let sign = match offset.bytes().next()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = match offset.len() {
        3 => (number(offset, 1, 3)?, 0),
        5 => (number(offset, 1, 3)?, number(offset, 3, 5)?),
        6 if offset.as_bytes()[3] == b':' => (number(offset, 1, 3)?, number(offset, 4, 6)?),
        _ => return None,
    };
    (hours <= 15 && minutes <= 59).then(|| sign * (hours * 60 + minutes) * 60 * SECOND)
}

/// Days since 1970-01-01, if there is such a date.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    /// Days from the first of March to the first of each month, March first.
    const FROM_MARCH: [i64; 12] = [0, 31, 61, 92, 122, 153, 184, 214, 245, 275, 306, 337];
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(year * 365 + leap_days + FROM_MARCH[month as usize] + day - 1 - DAYS_BEFORE_1970)
}

/// What the clocks of the zone showed: of an hour that they showed twice the first; an hour that
/// they left out as if they had been put forward at its end.
fn at_local(local: i64, zone: &TimeZone) -> Option<Instant> {
    if *zone == TimeZone::UTC {
        return Instant::checked(local);
    }
    let shown = TimeZone::UTC.to_datetime(Timestamp::from_microsecond(local).ok()?);
    Instant::checked(zone.to_timestamp(shown).ok()?.as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(json: &str, zone: &str) -> Option<String> {
        let node = crate::node::parse(json.as_bytes()).expect("JSON").0;
        let zone = TimeZone::get(zone).expect("a zone");
        instant(&node, &zone).map(Instant::to_fixed)
    }

    #[test]
    fn every_spelling_says_its_instant() {
        for (text, expected) in [
            ("\"2025-11-28T10:15:30+00:00\"", "2025-11-28T10:15:30.000000Z"),
            ("\"2025-11-28t10:15:30z\"", "2025-11-28T10:15:30.000000Z"),
            ("\"2025-11-28 10:15:30\"", "2025-11-28T10:15:30.000000Z"),
            ("\"2025-11-28T10:15:30 -0430\"", "2025-11-28T14:45:30.000000Z"),
            ("\"2025-11-28T10:15+02\"", "2025-11-28T08:15:00.000000Z"),
            ("\"2025-11-28T10:15:30,1234567Z\"", "2025-11-28T10:15:30.123456Z"),
            ("\"2025-12-31T24:00:00Z\"", "2026-01-01T00:00:00.000000Z"),
            ("\"2016-12-31T23:59:60Z\"", "2017-01-01T00:00:00.000000Z"),
            ("\"2024-02-29\"", "2024-02-29T00:00:00.000000Z"),
            ("\"0001-01-01T00:00:00Z\"", "0001-01-01T00:00:00.000000Z"),
            ("\"9999-12-31T23:59:59.999999Z\"", "9999-12-31T23:59:59.999999Z"),
            ("1764324930", "2025-11-28T10:15:30.000000Z"),
            ("1764324930.25", "2025-11-28T10:15:30.250000Z"),
            ("1764324930123", "2025-11-28T10:15:30.123000Z"),
            ("1764324930123.4567", "2025-11-28T10:15:30.123456Z"),
            ("\"0001764324930\"", "2025-11-28T10:15:30.000000Z"),
            ("-0.5", "1969-12-31T23:59:59.500000Z"),
            ("0", "1970-01-01T00:00:00.000000Z"),
        ] {
            assert_eq!(fixed(text, "UTC").as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn nonsense_says_none() {
        for text in [
            "null",
            "true",
            "[]",
            "\"\"",
            "\"soon\"",
            "\"20251128\"",
            "\"2025-02-29\"",
            "\"2025-13-01\"",
            "\"2025-00-10\"",
            "\"2025-11-28T\"",
            "\"2025-11-28T10\"",
            "\"2025-11-28T24:00:01Z\"",
            "\"2025-11-28T25:00\"",
            "\"2025-11-28T10:60\"",
            "\"2025-11-28T10:15:61Z\"",
            "\"2025-11-28T10:15:60Z\"",
            "\"2025-11-28T10:15:30.Z\"",
            "\"2025-11-28T10:15:30 Z\"",
            "\"2025-11-28T10:15:30Zx\"",
            "\"2025-11-28T10:15:30+16:00\"",
            "\"2025-11-28T10:15:30+2:00\"",
            "\"2025-11-28Z\"",
            "\"2025-11-28T10:15:30+02:\"",
            "\"2025-11-28T10:15:30+02:000\"",
            "\"2025/11/28\"",
            "\"é025-11-28\"",
            "\"0000-06-01\"",
            "\"2025-11-28T10-15-30Z\"",
            "\"2025-11-28T10:15:30  +01:00\"",
            "1e9",
            "1.5e9",
            "99999999999999999999",
            "\"9999-12-31T24:00Z\"",
        ] {
            assert_eq!(fixed(text, "UTC"), None, "{text}");
        }
    }

    #[test]
    fn clocks_that_change_are_read_as_they_were_shown() {
        let toronto = |text: &str| fixed(&format!("\"{text}\""), "America/Toronto");
        assert_eq!(toronto("2025-07-01 12:00:00").as_deref(), Some("2025-07-01T16:00:00.000000Z"));
        assert_eq!(toronto("2025-11-02 01:30:00").as_deref(), Some("2025-11-02T05:30:00.000000Z"));
        assert_eq!(toronto("2025-03-09 02:30:00").as_deref(), Some("2025-03-09T07:30:00.000000Z"));
        assert_eq!(toronto("2025-07-01 12:00:00Z").as_deref(), Some("2025-07-01T12:00:00.000000Z"));
    }

    #[test]
    fn a_uniqid_says_its_second() {
        assert_eq!(of_uniqid("6929774277a1b1.12345678_0123456789abcdef"), Some(Instant(0x6929_7742 * SECOND)));
        for other in [
            "",
            "guest-1732788930",
            "6929774277a1b1.12345678_0123456789ABCDEF",
            "6929774277a1bf.12345678_0123456789abcdef",
            "6929774277a1b1.1234567_0123456789abcdef0",
            "6929774277a1b1.12345678_0123456789abcdef0",
        ] {
            assert_eq!(of_uniqid(other), None, "{other}");
        }
    }
}
