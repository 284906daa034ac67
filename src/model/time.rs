//! Instants with microseconds, the precision that both databases keep.

/// Microseconds since 1970-01-01T00:00:00Z, in the proleptic Gregorian calendar without leap
/// seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub i64);

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// The calendar fields of an instant, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    pub year: i64,
    pub month: u8,
    pub day: u8,
    pub hour: u8,
    pub minute: u8,
    pub second: u8,
    pub micros: u32,
}

impl Instant {
    /// The first instant of the year 1 and the last of the year 9999: what both databases hold
    /// and a four-digit year can say.
    pub const MIN: Instant = Instant(-62_135_596_800_000_000);
    pub const MAX: Instant = Instant(253_402_300_799_999_999);

    pub fn from_seconds(seconds: i64) -> Option<Instant> {
        Instant::checked(seconds.checked_mul(MICROS_PER_SECOND)?)
    }

    /// `None` outside the years 1 to 9999.
    pub fn checked(micros: i64) -> Option<Instant> {
        let instant = Instant(micros);
        (Instant::MIN..=Instant::MAX).contains(&instant).then_some(instant)
    }

    /// The file system's time, cut to microseconds; times before 1970 are kept, too.
    pub fn from_system_time(time: std::time::SystemTime) -> Instant {
        let micros = match time.duration_since(std::time::UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_nanos().div_ceil(1000)).unwrap_or(i64::MAX),
        };
        Instant(micros.clamp(Instant::MIN.0, Instant::MAX.0))
    }

    pub fn now() -> Instant {
        Instant::from_system_time(std::time::SystemTime::now())
    }

    pub fn civil(self) -> Civil {
        let seconds = self.0.div_euclid(MICROS_PER_SECOND);
        let (year, month, day) = civil_from_days(seconds.div_euclid(SECONDS_PER_DAY));
        let of_day = seconds.rem_euclid(SECONDS_PER_DAY);
        Civil {
            year,
            month,
            day,
            hour: (of_day / 3600) as u8,
            minute: (of_day / 60 % 60) as u8,
            second: (of_day % 60) as u8,
            micros: self.0.rem_euclid(MICROS_PER_SECOND) as u32,
        }
    }

    /// The fixed width that SQLite stores and sorts: `2025-11-28T10:15:30.000000Z`.
    pub fn to_fixed(self) -> String {
        let c = self.civil();
        let Some(year) = u32::try_from(c.year).ok().filter(|year| *year <= 9999) else {
            // What only a database can hold.
            let (year, month, day, hour, minute) = (c.year, c.month, c.day, c.hour, c.minute);
            return format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}.{:06}Z", c.second, c.micros);
        };
        // Digit by digit, because every time of every row comes by here.
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        let mut put = |end: usize, digits: usize, mut number: u32| {
            for at in (end - digits..end).rev() {
                text[at] = b'0' + (number % 10) as u8;
                number /= 10;
            }
        };
        put(4, 4, year);
        put(7, 2, c.month.into());
        put(10, 2, c.day.into());
        put(13, 2, c.hour.into());
        put(16, 2, c.minute.into());
        put(19, 2, c.second.into());
        put(26, 6, c.micros);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// The inverse of [`Instant::to_fixed`]; `None` for any other spelling.
    pub fn from_fixed(text: &str) -> Option<Instant> {
        let bytes = text.as_bytes();
        let punctuation: [(usize, u8); 7] =
            [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (26, b'Z')];
        if bytes.len() != 27 || punctuation.iter().any(|&(at, byte)| bytes[at] != byte) {
            return None;
        }
        let field = |from: usize, to: usize| {
            bytes[from..to]
                .iter()
                .try_fold(0i64, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
        };
        let days = days_from_civil(field(0, 4)?, field(5, 7)? as u8, field(8, 10)? as u8)?;
        let (hour, minute, second) = (field(11, 13)?, field(14, 16)?, field(17, 19)?);
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let seconds = days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
        Instant::checked(seconds * MICROS_PER_SECOND + field(20, 26)?)
    }
}

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar; `None` if there is no
/// such date.
pub fn days_from_civil(year: i64, month: u8, day: u8) -> Option<i64> {
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    // Years are counted from March, so that the leap day is the last of its year.
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let from_march = (i64::from(month) + 9) % 12;
    let of_year = (153 * from_march + 2) / 5 + i64::from(day) - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

fn civil_from_days(days: i64) -> (i64, u8, u8) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = (of_year - (153 * from_march + 2) / 5 + 1) as u8;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 } as u8;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

fn days_in_month(year: i64, month: u8) -> u8 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_text_reads_back_over_ten_thousand_years() {
        let mut checked = 0;
        let mut micros = Instant::MIN.0;
        while micros < Instant::MAX.0 {
            let instant = Instant(micros);
            assert_eq!(Instant::from_fixed(&instant.to_fixed()), Some(instant));
            micros += 86_400_000_000 * 97 + 12_345_678_901;
            checked += 1;
        }
        assert!(checked > 30_000);
    }

    #[test]
    fn known_dates_have_their_days() {
        assert_eq!(days_from_civil(1970, 1, 1), Some(0));
        assert_eq!(days_from_civil(2000, 3, 1), Some(11_017));
        assert_eq!(days_from_civil(2023, 2, 29), None);
        assert_eq!(Instant::MIN.to_fixed(), "0001-01-01T00:00:00.000000Z");
        assert_eq!(Instant::MAX.to_fixed(), "9999-12-31T23:59:59.999999Z");
        assert_eq!(Instant::from_fixed("2025-02-30T00:00:00.000000Z"), None);
    }
}
