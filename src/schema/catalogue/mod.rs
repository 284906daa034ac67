//! Whether a database's schema is the declared one: every difference by name.
//!
//! Objects and properties are taken from the model as it is written to JSON, so that a property that
//! is added there is compared without a line here.

mod objects;
mod scope;

pub use scope::Scope;

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::model::Catalogue;
use objects::{Key, Object, Objects};

/// How much a difference matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Error,
    Warning,
}

/// One thing that is not as declared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub severity: Severity,
    /// E.g. ``column `users.email` ``.
    pub object: String,
    /// Of the object, e.g. `type`; `None` when the object itself is missing or not declared.
    pub property: Option<String>,
    pub declared: Option<String>,
    pub found: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        match (&self.property, &self.declared, &self.found) {
            (Some(property), declared, found) => {
                write!(f, "{}: {property}: declared {}, found {}", self.object, text(declared), text(found))
            }
            (None, Some(_), _) => write!(f, "{} is missing", self.object),
            (None, None, _) => write!(f, "{} is there and not declared", self.object),
        }
    }
}

/// What a comparison came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Errors first.
    pub differences: Vec<Difference>,
    /// What is there and does not belong to the schema; never touched.
    pub out_of_scope: Vec<String>,
}

impl Comparison {
    /// Whether nothing that is required is missing or other than declared.
    pub fn agrees(&self) -> bool {
        self.errors().next().is_none()
    }

    pub fn errors(&self) -> impl Iterator<Item = &Difference> {
        self.differences.iter().filter(|difference| difference.severity == Severity::Error)
    }

    pub fn warnings(&self) -> impl Iterator<Item = &Difference> {
        self.differences.iter().filter(|difference| difference.severity == Severity::Warning)
    }
}

/// Compares what is declared with what was found.
pub fn compare(declared: &Catalogue, found: &Catalogue, scope: &Scope) -> Comparison {
    let (declared, found) = (Objects::of(declared), Objects::of(found));
    let mut comparison = Comparison::default();
    for (key, object) in &declared.top {
        match found.top.get(key) {
            None => comparison.add(missing(key, object)),
            Some(other) => comparison.object(key, object, other),
        }
    }
    for key in found.top.keys().filter(|key| !declared.top.contains_key(key)) {
        match scope.holds(key.kind, &key.name) {
            true => comparison.add(undeclared(key)),
            false => comparison.out_of_scope.push(key.to_string()),
        }
    }
    comparison.differences.sort_by_key(|difference| difference.severity);
    comparison
}

/// Every object of the schema by kind and name, for a scope.
pub fn names(catalogue: &Catalogue) -> BTreeSet<(String, String)> {
    Objects::of(catalogue).top.keys().map(|key| (key.kind.to_owned(), key.name.clone())).collect()
}

/// Marks everything in `catalogue` as optional that is not in `before`.
pub fn mark_new_as_optional(catalogue: &mut Catalogue, before: &Catalogue) {
    objects::mark(catalogue, &|key| !Objects::of(before).has(key));
}

/// Marks everything in `catalogue` as optional that is so in `before`.
pub fn keep_optional(catalogue: &mut Catalogue, before: &Catalogue) {
    let before = Objects::of(before);
    objects::mark(catalogue, &|key| before.get(key).is_some_and(|object| object.optional));
}

/// Takes out of `catalogue` everything that is in `after` and not in `before`.
pub fn take_out_new(catalogue: &mut Catalogue, after: &Catalogue, before: &Catalogue) {
    let (after, before) = (Objects::of(after), Objects::of(before));
    objects::remove(catalogue, &|key| after.has(key) && !before.has(key));
}

/// Whether everything that is in `after` and not in `before` is in `found`, whatever its properties.
pub fn has_new(found: &Catalogue, after: &Catalogue, before: &Catalogue) -> bool {
    let (found, after, before) = (Objects::of(found), Objects::of(after), Objects::of(before));
    let has_all = after.keys().filter(|key| !before.has(key)).all(|key| found.has(key));
    has_all
}

/// Makes everything in `catalogue` required.
pub fn require_all(catalogue: &mut Catalogue) {
    objects::require(catalogue);
}

fn missing(key: &Key, object: &Object) -> Difference {
    let severity = if object.optional { Severity::Warning } else { Severity::Error };
    Difference { severity, object: key.to_string(), property: None, declared: Some(object.summary()), found: None }
}

fn undeclared(key: &Key) -> Difference {
    Difference { severity: Severity::Error, object: key.to_string(), property: None, declared: None, found: None }
}

impl Comparison {
    fn add(&mut self, difference: Difference) {
        self.differences.push(difference);
    }

    fn object(&mut self, key: &Key, declared: &Object, found: &Object) {
        let properties: BTreeSet<&String> = declared.properties.keys().chain(found.properties.keys()).collect();
        for property in properties {
            let values = (declared.properties.get(property), found.properties.get(property));
            if values.0 != values.1 {
                self.add(Difference {
                    severity: Severity::Error,
                    object: key.to_string(),
                    property: Some(property.clone()),
                    declared: values.0.cloned(),
                    found: values.1.cloned(),
                });
            }
        }
        self.parts(declared, found);
        self.order(key, declared, found);
    }

    /// Columns, constraints, indexes and triggers.
    fn parts(&mut self, declared: &Object, found: &Object) {
        let is_new = |key: &&Key| !declared.parts.contains_key(key);
        let mut extra: Vec<&Key> = found.parts.keys().filter(is_new).collect();
        for (key, part) in &declared.parts {
            if let Some(other) = found.parts.get(key) {
                self.object(key, part, other);
                continue;
            }
            let same = |other: &&&Key| {
                let renamed = key.kind == "constraint" || key.kind == "index";
                renamed && other.kind == key.kind && found.parts[**other].properties == part.properties
            };
            let renamed = extra.iter().find(same).map(|other| (*other).clone());
            match renamed {
                Some(other) => {
                    extra.retain(|key| **key != other);
                    self.add(Difference {
                        severity: Severity::Error,
                        object: key.to_string(),
                        property: Some("name".to_owned()),
                        declared: Some(key.name.clone()),
                        found: Some(other.name),
                    });
                }
                None => self.add(missing(key, part)),
            }
        }
        extra.into_iter().for_each(|key| self.add(undeclared(key)));
    }

    /// The order of a table's columns matters only to statements that name none.
    fn order(&mut self, key: &Key, declared: &Object, found: &Object) {
        let common = |of: &Object, other: &Object| -> Vec<String> {
            of.order.iter().filter(|name| other.order.contains(name)).cloned().collect()
        };
        let (wanted, there) = (common(declared, found), common(found, declared));
        if wanted != there {
            self.add(Difference {
                severity: Severity::Warning,
                object: key.to_string(),
                property: Some("order of columns".to_owned()),
                declared: Some(wanted.join(", ")),
                found: Some(there.join(", ")),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::catalogue::{ColumnShape, Constraint, Index, TableShape};

    fn column(name: &str, type_name: &str) -> ColumnShape {
        ColumnShape { name: name.into(), type_name: type_name.into(), nullable: true, ..ColumnShape::default() }
    }

    fn users() -> Catalogue {
        let mut table =
            TableShape { columns: vec![column("id", "uuid"), column("email", "text")], ..TableShape::default() };
        let definition = "PRIMARY KEY (id)".to_owned();
        table.constraints.insert("users_pkey".into(), Constraint { definition, ..Constraint::default() });
        table.indexes.insert("by_email".into(), Index { on: "(email)".into(), ..Index::default() });
        Catalogue { tables: [("users".to_owned(), table)].into(), ..Catalogue::default() }
    }

    fn said(declared: &Catalogue, found: &Catalogue, scope: &Scope) -> Vec<String> {
        compare(declared, found, scope).differences.iter().map(Difference::to_string).collect()
    }

    #[test]
    fn a_schema_is_the_same_as_itself() {
        let comparison = compare(&users(), &users(), &Scope::default());
        assert_eq!(comparison, Comparison::default());
        assert!(comparison.agrees());
    }

    #[test]
    fn every_difference_is_named() {
        let mut found = users();
        let table = found.tables.get_mut("users").expect("it was made");
        table.columns = vec![column("email", "varchar"), column("extra", "text"), column("id", "uuid")];
        table.indexes.clear();
        let key = table.constraints.remove("users_pkey").expect("it was made");
        table.constraints.insert("pk".into(), key);
        let expected = [
            "column `users.email`: type: declared text, found varchar",
            "constraint `users.users_pkey`: name: declared users_pkey, found pk",
            "index `users.by_email` is missing",
            "column `users.extra` is there and not declared",
            "table `users`: order of columns: declared id, email, found email, id",
        ];
        assert_eq!(said(&users(), &found, &Scope::default()), expected);
    }

    #[test]
    fn what_belongs_to_somebody_else_is_listed_and_no_difference() {
        let mut found = users();
        found.tables.insert("theirs".into(), TableShape::default());
        let comparison = compare(&users(), &found, &Scope::default());
        assert!(comparison.agrees() && comparison.differences.is_empty());
        assert_eq!(comparison.out_of_scope, ["table `theirs`"]);
        let all = Scope { patterns: vec!["*".into()], ..Scope::default() };
        assert_eq!(said(&users(), &found, &all), ["table `theirs` is there and not declared"]);
    }

    #[test]
    fn the_absence_of_what_is_optional_is_a_warning() {
        let mut declared = users();
        mark_new_as_optional(&mut declared, &Catalogue::default());
        let comparison = compare(&declared, &Catalogue::default(), &Scope::default());
        assert!(comparison.agrees());
        assert_eq!(comparison.warnings().count(), 1);
        let mut again = users();
        keep_optional(&mut again, &declared);
        assert_eq!(again, declared);
    }
}
