//! The many spellings of a time in the legacy files, as instants with microseconds.

use jiff::tz::TimeZone;

use crate::json::Value;
use crate::model::time::days_from_civil;
use crate::model::Instant;

/// Epoch numbers from here on are milliseconds: as seconds this would be the year 5138.
const FIRST_MILLISECONDS: i128 = 100_000_000_000;

/// The instant that a value means; `None` for nonsense and for what is outside the years 1 to
/// 9999. `zone` is for times that name none.
pub fn instant(value: &Value, zone: &TimeZone) -> Option<Instant> {
    match value {
        Value::String(text) => from_text(text, zone),
        Value::Number(spelling) => from_epoch(spelling),
        _ => None,
    }
}

/// How a layout usually spells an instant; `None` if it cannot.
pub type Spelling = fn(Instant) -> Option<Spelled>;

/// `2025-11-28T10:15:30+00:00`, as PHP's `date('c')` writes UTC.
pub fn php(instant: Instant) -> Option<Spelled> {
    Spelled::new(instant, b'T', b"+00:00")
}

/// `2025-11-28T10:15:30Z`.
pub fn zulu(instant: Instant) -> Option<Spelled> {
    Spelled::new(instant, b'T', b"Z")
}

/// `2025-11-28 10:15:30`, in UTC.
pub fn plain(instant: Instant) -> Option<Spelled> {
    Spelled::new(instant, b' ', b"")
}

/// An instant as a layout spells it. Every message has one to compare, so nothing is allocated.
pub struct Spelled {
    bytes: [u8; 25],
    length: usize,
}

impl Spelled {
    /// `None` if the instant is between two seconds, which these spellings cannot say.
    fn new(instant: Instant, separator: u8, zone: &[u8]) -> Option<Spelled> {
        let c = instant.civil();
        if c.micros != 0 {
            return None;
        }
        let two = |number: u8| [b'0' + number / 10, b'0' + number % 10];
        // From 1 to 9999: no instant is outside.
        let ([y1, y2], [y3, y4]) = (two((c.year / 100) as u8), two((c.year % 100) as u8));
        let ([m1, m2], [d1, d2]) = (two(c.month), two(c.day));
        let ([h1, h2], [n1, n2], [s1, s2]) = (two(c.hour), two(c.minute), two(c.second));
        let local = [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, separator, h1, h2, b':', n1, n2, b':', s1, s2];
        let mut bytes = [0; 25];
        bytes[..local.len()].copy_from_slice(&local);
        let length = local.len() + zone.len();
        bytes[local.len()..length].copy_from_slice(zone);
        Some(Spelled { bytes, length })
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// The seconds in a PHP `uniqid('', true) . '_' . 16 hex digits`, whose first 8 hex digits they are.
pub fn from_uniqid(id: &str) -> Option<Instant> {
    let bytes = id.as_bytes();
    let hex = |range: std::ops::Range<usize>| bytes[range].iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let digits = |range: std::ops::Range<usize>| bytes[range].iter().all(u8::is_ascii_digit);
    let fits = bytes.len() == 40
        && hex(0..13)
        && digits(13..14)
        && bytes[14] == b'.'
        && digits(15..23)
        && bytes[23] == b'_'
        && hex(24..40);
    fits.then(|| i64::from_str_radix(&id[..8], 16).ok()).flatten().and_then(Instant::from_seconds)
}

fn from_epoch(spelling: &str) -> Option<Instant> {
    let (whole, fraction) = spelling.split_once('.').unwrap_or((spelling, ""));
    let number: i128 = whole.parse().ok()?;
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None; // an exponent
    }
    let scale: i128 = if number.abs() < FIRST_MILLISECONDS { 1_000_000 } else { 1_000 };
    let mut micros = number.checked_mul(scale)?;
    let mut unit = scale;
    for digit in fraction.bytes() {
        unit /= 10;
        let part = i128::from(digit - b'0') * unit;
        micros += if whole.starts_with('-') { -part } else { part };
    }
    Instant::checked(i64::try_from(micros).ok()?)
}

/// `YYYY-MM-DD`, then optionally `T` or a blank and `HH:MM[:SS[.fraction]]`, then optionally a
/// zone; or the digits of an epoch.
fn from_text(text: &str, zone: &TimeZone) -> Option<Instant> {
    if text.len() >= 9 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return from_epoch(text);
    }
    let mut scan = Scan(text.as_bytes());
    let year = scan.digits(4)?;
    scan.byte(b'-')?;
    let month = scan.digits(2)?;
    scan.byte(b'-')?;
    let day = scan.digits(2)?;
    let days = days_from_civil(year, month as u8, day as u8)?;
    let mut micros = 0;
    let mut offset = None;
    if !scan.0.is_empty() {
        scan.one_of(b"Tt ")?;
        micros = time_of_day(&mut scan)?;
        offset = zone_offset(&mut scan)?;
    }
    if !scan.0.is_empty() {
        return None;
    }
    let local = days.checked_mul(86_400_000_000)?.checked_add(micros)?;
    match offset {
        Some(seconds) => Instant::checked(local - seconds * 1_000_000),
        None => in_zone(local, zone),
    }
}

/// Microseconds since midnight. 24:00 is the next midnight (ISO 8601), and a leap second is the
/// second after 59, as PostgreSQL reads both.
fn time_of_day(scan: &mut Scan) -> Option<i64> {
    let hour = scan.digits(2)?;
    scan.byte(b':')?;
    let minute = scan.digits(2)?;
    let (mut second, mut micros) = (0, 0);
    if scan.byte(b':').is_some() {
        second = scan.digits(2)?;
        if scan.one_of(b".,").is_some() {
            micros = scan.fraction()?;
        }
    }
    let midnight_after = hour == 24 && minute == 0 && second == 0 && micros == 0;
    if (hour > 23 && !midnight_after) || minute > 59 || second > 60 || (second == 60 && minute != 59) {
        return None;
    }
    Some((hour * 3600 + minute * 60 + second) * 1_000_000 + micros)
}

/// Seconds east of UTC; `Some(None)` if no zone is given, `None` if what is given is none.
fn zone_offset(scan: &mut Scan) -> Option<Option<i64>> {
    if scan.0.is_empty() {
        return Some(None);
    }
    if scan.one_of(b"Zz").is_some() {
        return Some(Some(0));
    }
    scan.byte(b' ');
    let sign = if scan.one_of(b"+-")? == b'-' { -1 } else { 1 };
    let hours = scan.digits(2)?;
    let minutes = if scan.0.is_empty() {
        0
    } else {
        scan.byte(b':');
        scan.digits(2)?
    };
    (hours <= 15 && minutes <= 59).then_some(Some(sign * (hours * 3600 + minutes * 60)))
}

/// A local time in a zone; in the hour that a change of clocks repeats, its first occurrence; in
/// the hour that it skips, the time moved on by the gap.
fn in_zone(local: i64, zone: &TimeZone) -> Option<Instant> {
    if *zone == TimeZone::UTC {
        return Instant::checked(local);
    }
    let civil = jiff::Timestamp::from_microsecond(local).ok()?.to_zoned(TimeZone::UTC).datetime();
    Instant::checked(civil.to_zoned(zone.clone()).ok()?.timestamp().as_microsecond())
}

struct Scan<'a>(&'a [u8]);

impl Scan<'_> {
    fn byte(&mut self, expected: u8) -> Option<()> {
        self.one_of(&[expected]).map(|_| ())
    }

    fn one_of(&mut self, expected: &[u8]) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        expected.contains(&first).then(|| {
            self.0 = rest;
            first
        })
    }

    fn digits(&mut self, count: usize) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        let number = digits
            .iter()
            .try_fold(0, |sum: i64, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))?;
        self.0 = rest;
        Some(number)
    }

    /// Microseconds of any number of digits, at least one; what is finer is cut.
    fn fraction(&mut self) -> Option<i64> {
        let count = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        let micros = digits.iter().chain(std::iter::repeat(&b'0')).take(6);
        (count > 0).then(|| micros.fold(0, |sum, byte| sum * 10 + i64::from(byte - b'0')))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> Option<String> {
        from_text(text, &TimeZone::UTC).map(Instant::to_fixed)
    }

    #[test]
    fn every_spelling_of_a_time_is_one_instant() {
        let expected = Some("2025-11-28T10:15:30.000000Z".to_owned());
        for text in [
            "2025-11-28T10:15:30+00:00",
            "2025-11-28T10:15:30Z",
            "2025-11-28 10:15:30",
            "2025-11-28T12:15:30+02:00",
            "2025-11-28T12:15:30+0200",
            "2025-11-28T05:45:30-04:30",
            "2025-11-28T10:15:30.000Z",
            "1764324930",
            "1764324930000",
        ] {
            assert_eq!(utc(text), expected, "{text}");
        }
        assert_eq!(from_epoch("1764324930"), from_text("2025-11-28T10:15:30Z", &TimeZone::UTC));
        assert_eq!(from_epoch("1764324930.25").unwrap().civil().micros, 250_000);
        assert_eq!(from_epoch("1764324930123").unwrap().civil().micros, 123_000);
    }

    #[test]
    fn midnight_and_leap_seconds_run_over() {
        assert_eq!(utc("2025-12-31T24:00:00Z"), Some("2026-01-01T00:00:00.000000Z".into()));
        assert_eq!(utc("2016-12-31T23:59:60Z"), Some("2017-01-01T00:00:00.000000Z".into()));
        assert_eq!(utc("2025-01-01T00:00:00.1234567Z"), Some("2025-01-01T00:00:00.123456Z".into()));
        assert_eq!(utc("2025-01-01"), Some("2025-01-01T00:00:00.000000Z".into()));
    }

    #[test]
    fn the_usual_spellings_are_those_of_the_calendar() {
        let mut micros = Instant::MIN.0;
        while micros < Instant::MAX.0 {
            let instant = Instant(micros);
            let fixed = instant.to_fixed();
            let spelled =
                |spelled: Option<Spelled>| spelled.map(|it| String::from_utf8(it.as_bytes().to_vec()).unwrap());
            if fixed.ends_with(".000000Z") {
                assert_eq!(spelled(php(instant)), Some(format!("{}+00:00", &fixed[..19])));
                assert_eq!(spelled(zulu(instant)), Some(format!("{}Z", &fixed[..19])));
                assert_eq!(spelled(plain(instant)), Some(fixed[..19].replace('T', " ")));
            } else {
                assert_eq!(spelled(php(instant)), None);
            }
            micros += 86_400_000_000 * 997 + 12_345_500_000;
        }
    }

    #[test]
    fn nonsense_is_no_time() {
        for text in [
            "",
            "soon",
            "2025-02-30T00:00:00Z",
            "2025-11-28T25:00:00Z",
            "2025-11-28T24:00:01Z",
            "2025-11-28T10:15:61Z",
            "2025-11-28T10:15:30+99:00",
            "2025-11-28T10:15:30 UTC",
            "0000-00-00 00:00:00",
            "2025-11-28T10",
            "28.11.2025",
            "2025-11-28T10:15:30Zx",
            "20251128",
            "2025-11-28T10:15:30.Z",
        ] {
            assert_eq!(utc(text), None, "{text}");
        }
        assert_eq!(from_epoch("1e9"), None);
        assert_eq!(from_epoch("99999999999999999999"), None);
    }

    #[test]
    fn a_time_without_zone_is_read_in_the_configured_one() {
        let toronto = TimeZone::get("America/Toronto").unwrap();
        let summer = from_text("2025-07-01 12:00:00", &toronto).unwrap();
        assert_eq!(summer.to_fixed(), "2025-07-01T16:00:00.000000Z");
        // 01:30 stands twice in that night: the first one, in summer time.
        let twice = from_text("2025-11-02 01:30:00", &toronto).unwrap();
        assert_eq!(twice.to_fixed(), "2025-11-02T05:30:00.000000Z");
    }

    #[test]
    fn uniqids_tell_their_second() {
        let id = "6929774277a1b1.12345678_0123456789abcdef";
        assert_eq!(from_uniqid(id), Instant::from_seconds(0x6929_7742));
        assert_eq!(from_uniqid("6929774277a1b1.12345678_0123456789ABCDEF"), None);
        assert_eq!(from_uniqid("guest-1732788930"), None);
    }
}
