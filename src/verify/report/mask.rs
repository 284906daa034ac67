//! What is shown of a value that nobody is to see: its type and length.

use std::borrow::Cow;

use crate::model::figures::thousands;
use crate::verify::outcome::{Difference, Outcome};
use crate::verify::shown::CUT;

/// The outcome without values: of every difference if `all`, else of the documents whose keys and
/// values may be secrets. Every output shows an outcome only after this.
pub fn masked(outcome: &Outcome, all: bool) -> Cow<'_, Outcome> {
    if !all && !outcome.listed_differences.iter().any(|difference| difference.secret) {
        return Cow::Borrowed(outcome);
    }
    let mut outcome = outcome.clone();
    for difference in outcome.listed_differences.iter_mut().filter(|difference| all || difference.secret) {
        mask(difference);
    }
    Cow::Owned(outcome)
}

fn mask(difference: &mut Difference) {
    for value in [&mut difference.in_file, &mut difference.in_database].into_iter().flatten() {
        *value = type_and_length(value);
    }
    if difference.secret {
        let steps = difference.pointer.split('/').skip(1);
        difference.pointer = steps.map(|_| "/***").collect();
    }
}

/// Of JSON text. No length where it would tell the value.
fn type_and_length(json: &str) -> String {
    let whole = json.rsplit_once(CUT).and_then(|(_, rest)| rest.strip_suffix(" bytes in all)")?.parse().ok());
    let bytes = || thousands(whole.unwrap_or(json.len() as u64));
    match json.as_bytes().first() {
        Some(b'"') => match serde_json::from_str::<String>(json) {
            Ok(text) => format!("text of {} characters", thousands(text.chars().count() as u64)),
            Err(_) => format!("text of {} bytes", bytes()),
        },
        Some(b'{') => format!("object of {} bytes", bytes()),
        Some(b'[') => format!("list of {} bytes", bytes()),
        Some(b't' | b'f') => "true or false".to_owned(),
        Some(b'n') => "null".to_owned(),
        Some(b'-' | b'0'..=b'9') => {
            format!("number of {} digits", json.bytes().filter(u8::is_ascii_digit).count())
        }
        _ => format!("value of {} bytes", bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::type_and_length;

    #[test]
    fn a_value_is_its_type_and_length() {
        for (json, shown) in [
            ("\"gehe\\u0069m\"", "text of 6 characters"),
            ("\"\\ud800\"", "text of 8 bytes"),
            ("{\"a\":1}", "object of 7 bytes"),
            ("[]", "list of 2 bytes"),
            ("\"gehei… (70000 bytes in all)", "text of 70,000 bytes"),
            ("true", "true or false"),
            ("false", "true or false"),
            ("null", "null"),
            ("-12.50e7", "number of 5 digits"),
            ("'", "value of 1 bytes"),
        ] {
            assert_eq!(type_and_length(json), shown, "{json}");
        }
    }
}
