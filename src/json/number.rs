//! Numbers as exact decimals, from their spelling and never through a double.

use std::borrow::Cow;

/// One spelling for every spelling of the same value: `1.10`, `1.1` and `11e-1` give `11e-1`;
/// all zeros give `0`.
pub fn canonical(spelling: &str) -> Cow<'_, str> {
    if is_plain(spelling) {
        return spelling.into();
    }
    let (negative, digits, exponent) = split(spelling);
    let digits = digits.as_str();
    let stripped = digits.trim_start_matches('0');
    if stripped.is_empty() {
        return "0".into();
    }
    let significant = stripped.trim_end_matches('0');
    let exponent = add_decimal(&exponent, (stripped.len() - significant.len()) as i128);
    let sign = if negative { "-" } else { "" };
    match exponent.as_str() {
        "0" => format!("{sign}{significant}").into(),
        _ => format!("{sign}{significant}e{exponent}").into(),
    }
}

/// An integer that is its own canonical spelling, as most numbers are: digits only, the first and
/// the last of them not 0.
fn is_plain(spelling: &str) -> bool {
    let digits = spelling.strip_prefix('-').unwrap_or(spelling).as_bytes();
    digits.iter().all(u8::is_ascii_digit) && digits.first() != Some(&b'0') && digits.last() != Some(&b'0')
}

/// Whether `jsonb` prints the number as it was spelled. It writes exponents out and drops the sign
/// of zero, but keeps trailing zeros.
pub fn jsonb_keeps(spelling: &str) -> bool {
    if spelling.contains(['e', 'E']) {
        return false;
    }
    !(spelling.starts_with('-') && spelling.bytes().all(|byte| matches!(byte, b'-' | b'0' | b'.')))
}

/// Whether the number has at most `before` digits before the decimal point and `after` behind it,
/// written out without an exponent (PostgreSQL's `numeric`: 131072 and 16383).
pub fn fits_digits(spelling: &str, before: u64, after: u64) -> bool {
    let short = spelling.len() as u64 <= before.min(after);
    if short && !spelling.contains(['e', 'E']) {
        return true;
    }
    let (_, digits, exponent) = split(spelling);
    let Ok(exponent) = exponent.parse::<i64>() else {
        // An exponent beyond 64 bits fits only a zero, and numeric refuses even that one.
        return false;
    };
    // The scale counts digits as written, zeros at the end included, as numeric_in does.
    let scale = exponent.checked_neg().unwrap_or(i64::MAX).max(0) as u64;
    let leading_zeros = digits.len() - digits.trim_start_matches('0').len();
    let whole = (digits.len() - leading_zeros) as i64;
    let whole = if whole == 0 { 0 } else { whole.saturating_add(exponent).max(0) as u64 };
    whole <= before && scale <= after
}

/// Sign, all digits without the point, and the power of ten that they are to be multiplied with.
fn split(spelling: &str) -> (bool, String, String) {
    let (negative, rest) = match spelling.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, spelling),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent),
        None => (rest, "0"),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = add_decimal(exponent.strip_prefix('+').unwrap_or(exponent), -(fraction.len() as i128));
    (negative, format!("{whole}{fraction}"), exponent)
}

/// `decimal + number`, where `decimal` may have any number of digits. Beyond 128 bits the small
/// number cannot matter to any database, so the digits are kept as they are, without leading zeros,
/// and the addend is appended: still one spelling for one source spelling.
fn add_decimal(decimal: &str, number: i128) -> String {
    match decimal.parse::<i128>().ok().and_then(|sum| sum.checked_add(number)) {
        Some(sum) => sum.to_string(),
        None => format!("{decimal}{number:+}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_one_spelling() {
        let groups: [&[&str]; 7] = [
            &["7", "7.0", "70e-1"],
            &["-105", "-105.0", "-1050e-1", "-1.05e2"],
            &["1.1", "1.10", "11e-1", "0.11E+1", "110e-2"],
            &["0", "-0", "0.00", "0e99", "-0.0E-7"],
            &["100", "1e2", "1.00e2", "100.0"],
            &["-12.5", "-125e-1"],
            &["123456789012345678901234567890", "123456789012345678901234567890.0"],
        ];
        for group in groups {
            let first = canonical(group[0]);
            for spelling in group {
                assert_eq!(canonical(spelling), first, "{spelling}");
            }
        }
        assert_ne!(canonical("0.1"), canonical("0.10000000000000001"));
        assert_ne!(canonical("1e400"), canonical("1e401"));
    }

    #[test]
    fn jsonb_respells_exponents_and_negative_zero() {
        for kept in ["0", "1.10", "-1", "0.0", "-0.5"] {
            assert!(jsonb_keeps(kept), "{kept}");
        }
        for respelled in ["1e5", "1.0E+25", "-0", "-0.00"] {
            assert!(!jsonb_keeps(respelled), "{respelled}");
        }
    }

    #[test]
    fn numeric_limits_are_known() {
        assert!(fits_digits("1e131071", 131_072, 16_383));
        assert!(!fits_digits("1e131072", 131_072, 16_383));
        assert!(!fits_digits("1e131073", 131_072, 16_383));
        assert!(fits_digits("1e-16383", 131_072, 16_383));
        assert!(!fits_digits("1e-16384", 131_072, 16_383));
        assert!(!fits_digits("1e99999999999999999999999", 131_072, 16_383));
    }
}
