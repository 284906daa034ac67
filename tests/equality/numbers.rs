//! Exact decimals against integers written out in full.

use proptest::prelude::*;
use transload::node::Decimal;

use crate::cases;

/// More than any exponent here moves the point.
const PLACES: usize = 200;

/// A number in its parts, as it may be spelled.
#[derive(Clone, Debug)]
struct Parts {
    negative: bool,
    whole: String,
    fraction: String,
    exponent: i32,
    /// 0: `e`, 1: `E`, 2: `e+` where there is no sign, 3: zeros before the exponent.
    style: u8,
}

impl Parts {
    fn spelling(&self) -> String {
        let sign = if self.negative { "-" } else { "" };
        let point = if self.fraction.is_empty() { "" } else { "." };
        let exponent = match (self.style, self.exponent) {
            (0, 0) => String::new(),
            (2, power @ 0..) => format!("e+{power}"),
            (3, power) => format!("e{}00{}", if power < 0 { "-" } else { "" }, power.abs()),
            (1, power) => format!("E{power}"),
            (_, power) => format!("e{power}"),
        };
        format!("{sign}{}{point}{}{exponent}", self.whole, self.fraction)
    }

    /// The number times 10^PLACES, written out.
    fn written_out(&self) -> String {
        let zeros = PLACES as i32 + self.exponent - self.fraction.len() as i32;
        let digits = format!("{}{}{}", self.whole, self.fraction, "0".repeat(zeros as usize));
        match (digits.trim_start_matches('0'), self.negative) {
            ("", _) => "0".to_owned(),
            (digits, true) => format!("-{digits}"),
            (digits, false) => digits.to_owned(),
        }
    }

    /// The same number with the point somewhere else, and zeros at its end.
    fn respelled(&self, by: usize, zeros: usize, style: u8) -> Parts {
        let digits = format!("{}{}", self.whole, self.fraction);
        let cut = by.min(digits.len() - 1) + 1;
        let (whole, fraction) = digits.split_at(cut);
        let exponent = self.exponent + self.whole.len() as i32 - cut as i32;
        let trimmed = whole.trim_start_matches('0');
        let whole = if trimmed.is_empty() { "0" } else { trimmed };
        let fraction = format!("{fraction}{}", "0".repeat(zeros));
        Parts { negative: self.negative, whole: whole.to_owned(), fraction, exponent, style }
    }
}

fn parts() -> impl Strategy<Value = Parts> {
    let few = || prop_oneof![Just(0i32), -3..4i32, -60..60i32];
    let whole = prop_oneof!["0", "[1-9]0{0,3}", "[1-9][0-9]{0,4}", "[1-9][0-9]{0,30}"];
    (any::<bool>(), whole, "[0-9]{0,3}|0{0,4}[0-9]{0,20}", few(), 0..4u8)
        .prop_map(|(negative, whole, fraction, exponent, style)| Parts { negative, whole, fraction, exponent, style })
}

fn decimal(parts: &Parts) -> Decimal {
    let spelling = parts.spelling();
    Decimal::parse(&spelling).unwrap_or_else(|| panic!("{spelling} is a number"))
}

proptest! {
    #![proptest_config(cases(4_000))]

    #[test]
    fn two_numbers_are_one_exactly_if_they_are_when_written_out(a in parts(), b in parts()) {
        let same = a.written_out() == b.written_out();
        prop_assert_eq!(decimal(&a) == decimal(&b), same);
        prop_assert_eq!(decimal(&a).to_string() == decimal(&b).to_string(), same);
    }

    #[test]
    fn a_number_stays_itself_however_it_is_spelled(a in parts(), by in 0..30usize, zeros in 0..5usize, style in 0..4u8) {
        let b = a.respelled(by, zeros, style);
        prop_assert_eq!(a.written_out(), b.written_out());
        prop_assert_eq!(decimal(&a), decimal(&b), "{} {}", a.spelling(), b.spelling());
        prop_assert_eq!(decimal(&a).to_string(), decimal(&b).to_string());
    }

    #[test]
    fn the_last_digit_makes_another_number(a in parts(), digit in 1..10u8) {
        let mut b = a.clone();
        b.fraction.push(char::from(b'0' + digit));
        prop_assert_ne!(decimal(&a), decimal(&b), "{} {}", a.spelling(), b.spelling());
    }

    #[test]
    fn the_canonical_spelling_is_the_number_again(a in parts()) {
        let number = decimal(&a);
        prop_assert_eq!(Decimal::parse(&number.to_string()), Some(number.clone()));
        let text = number.to_string();
        let digits = text.trim_start_matches('-').split('e').next().expect("there are digits");
        prop_assert!(digits == "0" || !(digits.starts_with('0') || digits.ends_with('0')), "{text}");
    }

    #[test]
    fn an_integer_is_known_for_one(a in parts()) {
        let written = a.written_out();
        let integer = match written.as_str() {
            "0" => Some("0"),
            written if written.len() > PLACES && written.ends_with(&"0".repeat(PLACES)) => {
                Some(&written[..written.len() - PLACES])
            }
            _ => None,
        };
        prop_assert_eq!(decimal(&a).is_integer(), integer.is_some());
        prop_assert_eq!(decimal(&a).as_i64(), integer.and_then(|integer| integer.parse::<i64>().ok()));
    }

    #[test]
    fn what_serde_json_takes_for_a_number_is_one(text in "-?[0-9.eE+-]{1,8}") {
        let is_number = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok();
        prop_assert_eq!(Decimal::parse(&text).is_some(), is_number, "{}", text);
    }

    #[test]
    fn exponents_of_any_length_are_added_up(power in 36..60u32, less in 0..2_000i128, zeros in 0..40usize) {
        // Below 10^38 a plain sum says what is expected.
        let exponent = 10i128.pow(power.min(38)) - less;
        for sign in [1, -1] {
            let shifted = format!("1{}e{}", "0".repeat(zeros), sign * exponent);
            let plain = format!("1e{}", sign * exponent + zeros as i128);
            prop_assert_eq!(Decimal::parse(&shifted), Decimal::parse(&plain), "{} {}", &shifted, &plain);
            prop_assert_eq!(Decimal::parse(&shifted).expect("a number").to_string(), plain);
        }
    }
}
