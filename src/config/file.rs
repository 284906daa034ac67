//! The shape of `pipeline.toml`: known keys with plain values, each with its line. What the values
//! mean is decided in `mod.rs`, in the same way for every origin.

use std::collections::BTreeMap;
use std::path::Path;

use toml::de::{DeTable, DeValue};
use toml::Spanned;

use super::error::ConfigError;
use super::key::{nearest, Origin, Shape, KEYS};

/// The file's values as text, by key.
#[derive(Debug, Default)]
pub struct SettingsFile {
    name: String,
    values: BTreeMap<&'static str, (String, usize)>,
}

impl SettingsFile {
    pub fn read(path: &Path) -> Result<SettingsFile, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        SettingsFile::parse(&path.display().to_string(), &text)
    }

    /// `name` is for messages.
    pub fn parse(name: &str, text: &str) -> Result<SettingsFile, ConfigError> {
        let mut file = SettingsFile { name: name.to_owned(), values: BTreeMap::new() };
        let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
            file: name.to_owned(),
            line: line_of(text, error.span().map_or(0, |span| span.start)),
            // The parser's Display is a drawing of several lines; its message is one.
            message: error.message().to_owned(),
        })?;
        file.take(text, "", table.get_ref())?;
        Ok(file)
    }

    /// A key's value and where it stands.
    pub fn get(&self, key: &str) -> Option<(&str, Origin)> {
        let (value, line) = self.values.get(key)?;
        Some((value, Origin::File { name: self.name.clone(), line: *line }))
    }

    fn take(&mut self, text: &str, prefix: &str, table: &DeTable) -> Result<(), ConfigError> {
        for (key, value) in table {
            let name = format!("{prefix}{}", key.get_ref());
            let line = line_of(text, key.span().start);
            let Some(known) = KEYS.iter().find(|known| known.name == name) else {
                match value.get_ref() {
                    DeValue::Table(inner) if KEYS.iter().any(|known| known.name.starts_with(&format!("{name}."))) => {
                        self.take(text, &format!("{name}."), inner)?;
                        continue;
                    }
                    _ => return Err(self.unknown(name, line)),
                }
            };
            let value = plain(known.shape, value).map_err(|problem| ConfigError::Invalid {
                key: known.name,
                origin: Origin::File { name: self.name.clone(), line },
                problem,
            })?;
            self.values.insert(known.name, (value, line));
        }
        Ok(())
    }

    fn unknown(&self, key: String, line: usize) -> ConfigError {
        let names: Vec<String> = KEYS.iter().map(|key| format!("`{}`", key.name)).collect();
        let nearest = nearest(&key, KEYS.iter().map(|key| key.name));
        ConfigError::UnknownKey { file: self.name.clone(), line, key, known: names.join(", "), nearest }
    }
}

/// The value as a flag would have it.
fn plain(shape: Shape, value: &Spanned<DeValue>) -> Result<String, String> {
    match (shape, value.get_ref()) {
        (Shape::Text | Shape::Size, DeValue::String(text)) => Ok(text.to_string()),
        (Shape::Number | Shape::Size, DeValue::Integer(number)) => {
            // `1_000` and `0x10` are TOML's spellings, not ours.
            i128::from_str_radix(number.as_str(), number.radix())
                .map(|number| number.to_string())
                .map_err(|_| format!("{} is out of range", number.as_str()))
        }
        (Shape::Switch, DeValue::Boolean(on)) => Ok(on.to_string()),
        (Shape::List, DeValue::String(text)) => Ok(text.to_string()),
        (Shape::List, DeValue::Array(items)) => {
            let name = |item: &Spanned<DeValue>| match item.get_ref() {
                DeValue::String(text) => Ok(text.to_string()),
                other => Err(format!("expected a list of strings, found {} in it", other.type_str())),
            };
            Ok(items.iter().map(name).collect::<Result<Vec<_>, _>>()?.join(","))
        }
        (shape, value) => {
            let expected = match shape {
                Shape::Text => "a string",
                Shape::Number => "a whole number",
                Shape::Size => "a number of bytes or text such as \"8 MiB\"",
                Shape::Switch => "true or false",
                Shape::List => "a list of strings",
            };
            Err(format!("expected {expected}, found {}", value.type_str()))
        }
    }
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<SettingsFile, ConfigError> {
        SettingsFile::parse("pipeline.toml", text)
    }

    #[test]
    fn every_known_key_can_stand_in_the_file() {
        for key in KEYS {
            let value = match key.shape {
                Shape::Text => "\"x\"",
                Shape::Number | Shape::Size => "7",
                Shape::Switch => "true",
                Shape::List => "[\"x\", \"y\"]",
            };
            let file = parse(&format!("\n{} = {value}\n", key.name)).expect("a known key");
            assert_eq!(file.get(key.name).expect("the key that was given").1.to_string(), "pipeline.toml line 2");
        }
    }

    #[test]
    fn an_unknown_key_is_told_the_known_ones_and_the_nearest() {
        let error = parse("db = \"sqlite:a\"\n[write]\nbatch_row = 5\n").expect_err("unknown");
        let text = error.to_string();
        assert!(text.starts_with("pipeline.toml line 3: unknown key `write.batch_row`; known are `source`"), "{text}");
        assert!(text.ends_with("`read.threads`"), "{text}");
        assert_eq!(error.hint().as_deref(), Some("was `write.batch_rows` meant?"));
        assert!(matches!(parse("[wirte]\nbatch_rows = 5\n"), Err(ConfigError::UnknownKey { .. })));
    }

    #[test]
    fn a_wrong_type_and_a_broken_file_name_their_line() {
        let error = parse("\nfollow_links = \"yes\"\n").expect_err("a string for a switch");
        assert_eq!(
            error.to_string(),
            "bad value for `follow_links` (pipeline.toml line 2): expected true or false, found string"
        );
        let error = parse("db = \n").expect_err("no value");
        assert!(error.to_string().starts_with("pipeline.toml line 1: "), "{error}");
        assert!(!error.to_string().contains('\n'));
    }

    #[test]
    fn a_list_is_written_as_one_or_with_commas() {
        for text in ["with = [\"logs\", \"search\"]\n", "with = \"logs,search\"\n"] {
            assert_eq!(parse(text).expect("valid").get("with").expect("given").0, "logs,search");
        }
        let error = parse("with = [\"logs\", 7]\n").expect_err("a number");
        assert!(error.to_string().ends_with("expected a list of strings, found integer in it"), "{error}");
    }

    #[test]
    fn spellings_of_numbers_are_tomls() {
        let file = parse("[write]\nbatch_rows = 1_000\nbatch_bytes = \"8 MiB\"\n").expect("valid");
        assert_eq!(file.get("write.batch_rows").expect("given").0, "1000");
        assert_eq!(file.get("write.batch_bytes").expect("given").0, "8 MiB");
    }
}
