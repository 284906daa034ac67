//! The rules as a table for `docs/schema-rules.md`.

use super::rule::RULES;

/// One line a rule.
pub fn table() -> String {
    let mut table = String::from("| number | rule | severity | reason | example |\n|---|---|---|---|---|\n");
    for rule in RULES {
        let (number, name, severity) = (rule.number, rule.name, rule.severity.name());
        table += &format!("| {number} | {name} | {severity} | {} | {} |\n", rule.reason, rule.example);
    }
    table
}
