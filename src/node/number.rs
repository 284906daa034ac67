//! Numbers exactly, as decimals of any length.

use std::fmt;

/// A decimal number in its one form: digits without zeros at either end, times a power of ten.
/// Two spellings are one number exactly if their decimals are equal: `1.10`, `1.1` and `11e-1`.
/// The sign of zero does not count.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Decimal {
    negative: bool,
    /// `0` for zero.
    digits: String,
    exponent: Exponent,
}

/// One form for each, too: which one a power has follows from its size.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Exponent {
    /// Less than 10^37 either way.
    Power(i128),
    /// Beyond any number that has ever been meant: sign and digits.
    Huge { negative: bool, digits: String },
}

const FIRST_HUGE: i128 = 10_i128.pow(37);

impl Exponent {
    /// `shift` more than the digits say.
    fn of(negative: bool, digits: &str, shift: i128) -> Exponent {
        let digits = digits.trim_start_matches('0');
        let sum = match digits.len() {
            0 => shift,
            1..=37 => {
                let power: i128 = digits.parse().expect("at most 37 digits fit");
                shift + if negative { -power } else { power }
            }
            _ => {
                // No text is so long that its shift would change the sign.
                let sum = moved(digits, if negative { -shift } else { shift });
                let digits = sum.trim_start_matches('0');
                if digits.len() > 37 {
                    return Exponent::Huge { negative, digits: digits.to_owned() };
                }
                let power: i128 = digits.parse().expect("at most 37 digits fit");
                if negative {
                    -power
                } else {
                    power
                }
            }
        };
        match sum.abs() {
            FIRST_HUGE.. => Exponent::Huge { negative: sum < 0, digits: sum.abs().to_string() },
            _ => Exponent::Power(sum),
        }
    }
}

/// A natural number of any length and a sum that is none below zero.
fn moved(digits: &str, by: i128) -> String {
    const WIDTH: usize = 30;
    const UNIT: i128 = 10_i128.pow(WIDTH as u32);
    let (high, low) = digits.split_at(digits.len().saturating_sub(WIDTH));
    let sum = low.parse::<i128>().expect("at most 30 digits fit") + by;
    match (high, sum.div_euclid(UNIT)) {
        ("", _) => sum.to_string(),
        (high, 0) => format!("{high}{sum:030}"),
        (high, carry) => format!("{}{:030}", moved(high, carry), sum.rem_euclid(UNIT)),
    }
}

impl Decimal {
    /// `None` if it is no JSON number.
    pub fn parse(spelling: &str) -> Option<Decimal> {
        let (negative, rest) = match spelling.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, spelling),
        };
        let (mantissa, exponent) = match rest.find(['e', 'E']) {
            Some(at) => (&rest[..at], Some(&rest[at + 1..])),
            None => (rest, None),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return None,
            None => (mantissa, ""),
        };
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        if whole.is_empty() || leading_zero || !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        let exponent = match exponent {
            None => (false, ""),
            Some(text) => {
                let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
                if digits.is_empty() || !is_digits(digits) {
                    return None;
                }
                (text.starts_with('-'), digits)
            }
        };
        let all: String = [whole, fraction].concat();
        let significant = all.trim_start_matches('0');
        let digits = significant.trim_end_matches('0');
        if digits.is_empty() {
            return Some(Decimal { negative: false, digits: "0".into(), exponent: Exponent::Power(0) });
        }
        let shift = (significant.len() - digits.len()) as i128 - fraction.len() as i128;
        let exponent = Exponent::of(exponent.0, exponent.1, shift);
        Some(Decimal { negative, digits: digits.to_owned(), exponent })
    }

    /// Whether it is an integer.
    pub fn is_integer(&self) -> bool {
        match self.exponent {
            Exponent::Power(power) => power >= 0,
            Exponent::Huge { negative, .. } => !negative,
        }
    }

    /// The number as a double from 1 to 10 and the power of ten that it is to be multiplied by: of
    /// numbers that no double reaches, too. `None` for powers of 37 digits and more.
    pub fn scientific(&self) -> Option<(f64, i128)> {
        let Exponent::Power(power) = self.exponent else { return None };
        let sign = if self.negative { "-" } else { "" };
        let (first, rest) = self.digits.split_at(1);
        let significand = format!("{sign}{first}.{rest}0").parse().ok()?;
        Some((significand, power + rest.len() as i128))
    }

    /// The number if it is a 64-bit integer.
    pub fn as_i64(&self) -> Option<i64> {
        let Exponent::Power(power) = self.exponent else { return None };
        if !(0..=19).contains(&power) {
            return None;
        }
        let mut text = String::from(if self.negative { "-" } else { "" });
        text.push_str(&self.digits);
        (0..power).for_each(|_| text.push('0'));
        text.parse().ok()
    }
}

/// The canonical spelling: `-11e-1`, `5`, `1e400`.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        write!(f, "{sign}{}", self.digits)?;
        match &self.exponent {
            Exponent::Power(0) => Ok(()),
            Exponent::Power(power) => write!(f, "e{power}"),
            Exponent::Huge { negative, digits } => write!(f, "e{}{digits}", if *negative { "-" } else { "" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_number_are_one_decimal() {
        let same = |a: &str, b: &str| Decimal::parse(a).expect(a) == Decimal::parse(b).expect(b);
        for (a, b) in [("1.10", "11e-1"), ("1.1", "11E-1"), ("-0.0", "0"), ("1e2", "100"), ("0e999", "0")] {
            assert!(same(a, b), "{a} {b}");
        }
        for (a, b) in [("0.1", "0.10000000000000001"), ("1e400", "1e401"), ("-1", "1")] {
            assert!(!same(a, b), "{a} {b}");
        }
        assert!(!same("18446744073709551616", "18446744073709551617"));
    }

    #[test]
    fn what_is_no_number_is_none() {
        for wrong in ["", "-", "01", "1.", ".1", "1e", "1e+", "+1", "0x1", "NaN", "1_0"] {
            assert_eq!(Decimal::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_canonical_spelling_reads_back() {
        for (spelling, canonical) in
            [("1.10", "11e-1"), ("-250", "-25e1"), ("0.00", "0"), ("7", "7"), ("1e400", "1e400")]
        {
            let decimal = Decimal::parse(spelling).expect("a number");
            assert_eq!(decimal.to_string(), canonical);
            assert_eq!(Decimal::parse(canonical), Some(decimal));
        }
        let nines = "9".repeat(37);
        let huge = format!("1e1{}", "0".repeat(37));
        assert_eq!(Decimal::parse(&format!("10e{nines}")).expect("a number").to_string(), huge);
        assert_eq!(
            Decimal::parse(&format!("0.1e1{}", "0".repeat(60))).expect("a number").to_string(),
            format!("1e{}", "9".repeat(60))
        );
        assert_eq!(
            Decimal::parse(&format!("1000e-1{}", "0".repeat(60))).expect("a number").to_string(),
            format!("1e-{}7", "9".repeat(59))
        );
        assert_eq!(Decimal::parse("120").and_then(|number| number.as_i64()), Some(120));
        assert_eq!(Decimal::parse("1.5").and_then(|number| number.as_i64()), None);
        assert_eq!(Decimal::parse("9223372036854775808").and_then(|number| number.as_i64()), None);
    }
}
