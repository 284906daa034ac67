//! A database's schema as data: what a migration is checked against.
//!
//! Every text is in the database's own canonical spelling, with names of the schema itself
//! unqualified, so that two databases with the same schema give the same value wherever it is
//! called something else. Rows, rights and comments are not part of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// All objects of one schema.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tables: BTreeMap<String, TableShape>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub views: BTreeMap<String, View>,
    /// By name and argument types, e.g. `touch(id integer)`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub functions: BTreeMap<String, Text>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sequences: BTreeMap<String, Text>,
    /// Enumerations, domains and composite types.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub types: BTreeMap<String, Text>,
}

impl Catalogue {
    /// The indexes of a table or view.
    pub fn indexes_of(&mut self, name: &str) -> Option<&mut BTreeMap<String, Index>> {
        let of_table = self.tables.get_mut(name).map(|table| &mut table.indexes);
        of_table.or(self.views.get_mut(name).map(|view| &mut view.indexes))
    }

    /// The triggers of a table or view.
    pub fn triggers_of(&mut self, name: &str) -> Option<&mut BTreeMap<String, Text>> {
        let of_table = self.tables.get_mut(name).map(|table| &mut table.triggers);
        of_table.or(self.views.get_mut(name).map(|view| &mut view.triggers))
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableShape {
    /// `strict`, `without rowid`, `unlogged` and the like.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// What its columns do not say: how it is partitioned, which virtual table it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
    /// In the table's order.
    pub columns: Vec<ColumnShape>,
    /// SQLite cannot change a constraint by its name, so there each is called by what it says.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub constraints: BTreeMap<String, Constraint>,
    /// Those that no constraint made.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub indexes: BTreeMap<String, Index>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub triggers: BTreeMap<String, Text>,
    /// Which rows a role may see and write.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub policies: BTreeMap<String, Text>,
    /// What a statement is rewritten to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rules: BTreeMap<String, Text>,
    /// Its absence is only worth a warning.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnShape {
    pub name: String,
    #[serde(rename = "type")]
    pub type_name: String,
    pub nullable: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// Where it is not that of the type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
    /// `stored (...)` or `virtual (...)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<String>,
    /// `always` or `by default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
}

/// A primary or foreign key, a unique, check or exclusion constraint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constraint {
    /// Of a foreign key without what follows.
    pub definition: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_update: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_delete: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matching: Option<String>,
    /// `initially immediate` or `initially deferred`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deferrable: Option<String>,
    /// Rows from before it were never checked.
    #[serde(default, skip_serializing_if = "is_false")]
    pub not_valid: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    #[serde(default, skip_serializing_if = "is_false")]
    pub unique: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Columns or expressions in order, with everything said about each.
    pub on: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicate: Option<String>,
    /// Left behind by a build that failed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub invalid: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    #[serde(default, skip_serializing_if = "is_false")]
    pub materialized: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    pub definition: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub indexes: BTreeMap<String, Index>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub triggers: BTreeMap<String, Text>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
}

/// An object that its definition says all about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    pub definition: String,
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
}

impl Text {
    pub fn new(definition: impl Into<String>) -> Text {
        Text { definition: definition.into(), optional: false }
    }
}

/// serde hands over a reference.
fn is_false(value: &bool) -> bool {
    !value
}
