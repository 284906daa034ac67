//! Which objects belong to a schema that is not alone in its database.

use std::collections::BTreeSet;

/// What is declared belongs anyway; beyond that, these do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Kind and name of what any version of the schema declares: a table that a version has dropped
    /// must not be there any more.
    pub known: BTreeSet<(String, String)>,
    /// Names with `*` for anything.
    pub patterns: Vec<String>,
}

impl Scope {
    pub fn holds(&self, kind: &str, name: &str) -> bool {
        self.known.contains(&(kind.to_owned(), name.to_owned()))
            || self.patterns.iter().any(|pattern| matches(pattern, name))
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    let Some((begin, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(name) = name.strip_prefix(begin) else { return false };
    (0..=name.len()).filter(|at| name.is_char_boundary(*at)).any(|at| matches(rest, &name[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        let expected = [
            ("*", "x", true),
            ("app_*", "app_", true),
            ("app_*", "ap", false),
            ("a*c*", "abcd", true),
            ("a", "ab", false),
        ];
        for (pattern, name, matched) in expected {
            assert_eq!(matches(pattern, name), matched, "{pattern} {name}");
        }
    }
}
