//! A catalogue as objects with properties, whatever kind each is of.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use crate::model::Catalogue;

/// The collections of a catalogue, and what one of each is called.
const TOP: [(&str, &str); 5] =
    [("tables", "table"), ("views", "view"), ("functions", "function"), ("sequences", "sequence"), ("types", "type")];

/// The collections within a table or view.
const PARTS: [(&str, &str); 6] = [
    ("columns", "column"),
    ("constraints", "constraint"),
    ("indexes", "index"),
    ("triggers", "trigger"),
    ("policies", "policy"),
    ("rules", "rule"),
];

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub kind: &'static str,
    /// The table or view that it is a part of.
    pub of: Option<String>,
    pub name: String,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.of {
            Some(of) => write!(f, "{} `{of}.{}`", self.kind, self.name),
            None => write!(f, "{} `{}`", self.kind, self.name),
        }
    }
}

#[derive(Clone, Debug, Default)]
pub struct Object {
    pub properties: BTreeMap<String, String>,
    pub parts: BTreeMap<Key, Object>,
    /// The names of columns.
    pub order: Vec<String>,
    pub optional: bool,
}

impl Object {
    fn of(kind: &'static str, name: &str, value: &Value) -> Object {
        let mut object = Object::default();
        for (property, value) in value.as_object().into_iter().flatten() {
            match PARTS.iter().find(|(collection, _)| collection == property) {
                Some((_, part)) => object.add_parts(part, name, value),
                None if property == "optional" => object.optional = value == &Value::Bool(true),
                // A column's name is its key.
                None if property == "name" && kind == "column" => {}
                None => drop(object.properties.insert(property.replace('_', " "), plain(value))),
            }
        }
        object
    }

    fn add_parts(&mut self, kind: &'static str, of: &str, value: &Value) {
        let key = |name: &str| Key { kind, of: Some(of.to_owned()), name: name.to_owned() };
        for column in value.as_array().into_iter().flatten() {
            let name = column["name"].as_str().unwrap_or_default();
            self.order.push(name.to_owned());
            self.parts.insert(key(name), Object::of(kind, name, column));
        }
        for (name, part) in value.as_object().into_iter().flatten() {
            self.parts.insert(key(name), Object::of(kind, name, part));
        }
    }

    /// What it is, in a few words.
    pub fn summary(&self) -> String {
        let said = self.properties.get("definition").or(self.properties.get("type"));
        said.cloned().unwrap_or_else(|| "present".to_owned())
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        other => other.to_string(),
    }
}

/// All objects of a catalogue.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    pub top: BTreeMap<Key, Object>,
}

impl Objects {
    pub fn of(catalogue: &Catalogue) -> Objects {
        let value = to_value(catalogue);
        let mut top = BTreeMap::new();
        for (collection, kind) in TOP {
            for (name, object) in value.get(collection).and_then(Value::as_object).into_iter().flatten() {
                top.insert(Key { kind, of: None, name: name.clone() }, Object::of(kind, name, object));
            }
        }
        Objects { top }
    }

    pub fn get(&self, key: &Key) -> Option<&Object> {
        match &key.of {
            None => self.top.get(key),
            Some(of) => {
                let owner =
                    self.top.iter().find(|(owner, _)| owner.name == *of && matches!(owner.kind, "table" | "view"));
                owner.and_then(|(_, object)| object.parts.get(key))
            }
        }
    }

    pub fn has(&self, key: &Key) -> bool {
        self.get(key).is_some()
    }

    /// Every object and every part of one.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.top.iter().flat_map(|(key, object)| std::iter::once(key).chain(object.parts.keys()))
    }
}

fn to_value(catalogue: &Catalogue) -> Map<String, Value> {
    match serde_json::to_value(catalogue) {
        Ok(Value::Object(map)) => map,
        _ => unreachable!("a catalogue is an object of texts"),
    }
}

/// Marks as optional what `choose` says.
pub fn mark(catalogue: &mut Catalogue, choose: &dyn Fn(&Key) -> bool) {
    let key = |kind, of: Option<&str>, name: &str| Key { kind, of: of.map(str::to_owned), name: name.to_owned() };
    let top = |kind, name: &str| choose(&key(kind, None, name));
    for (name, table) in &mut catalogue.tables {
        table.optional |= top("table", name);
        let part = |kind, part: &str| choose(&key(kind, Some(name), part));
        table.columns.iter_mut().for_each(|column| column.optional |= part("column", &column.name));
        table.constraints.iter_mut().for_each(|(at, constraint)| constraint.optional |= part("constraint", at));
        table.indexes.iter_mut().for_each(|(at, index)| index.optional |= part("index", at));
        table.triggers.iter_mut().for_each(|(at, trigger)| trigger.optional |= part("trigger", at));
        table.policies.iter_mut().for_each(|(at, policy)| policy.optional |= part("policy", at));
        table.rules.iter_mut().for_each(|(at, rule)| rule.optional |= part("rule", at));
        if table.optional {
            // With the table, all of it is left out.
            table.columns.iter_mut().for_each(|column| column.optional = false);
            table.constraints.values_mut().for_each(|constraint| constraint.optional = false);
            table.indexes.values_mut().for_each(|index| index.optional = false);
            table.triggers.values_mut().for_each(|trigger| trigger.optional = false);
            table.policies.values_mut().for_each(|policy| policy.optional = false);
            table.rules.values_mut().for_each(|rule| rule.optional = false);
        }
    }
    for (name, view) in &mut catalogue.views {
        view.optional |= top("view", name);
    }
    catalogue.functions.iter_mut().for_each(|(name, text)| text.optional |= top("function", name));
    catalogue.sequences.iter_mut().for_each(|(name, text)| text.optional |= top("sequence", name));
    catalogue.types.iter_mut().for_each(|(name, text)| text.optional |= top("type", name));
}

/// Takes out what `choose` says.
pub fn remove(catalogue: &mut Catalogue, choose: &dyn Fn(&Key) -> bool) {
    let key = |kind, of: Option<&str>, name: &str| Key { kind, of: of.map(str::to_owned), name: name.to_owned() };
    let stays = |kind, name: &str| !choose(&key(kind, None, name));
    catalogue.tables.retain(|name, _| stays("table", name));
    for (name, table) in &mut catalogue.tables {
        let stays = |kind, part: &str| !choose(&key(kind, Some(name), part));
        table.columns.retain(|column| stays("column", &column.name));
        table.constraints.retain(|part, _| stays("constraint", part));
        table.indexes.retain(|part, _| stays("index", part));
        table.triggers.retain(|part, _| stays("trigger", part));
        table.policies.retain(|part, _| stays("policy", part));
        table.rules.retain(|part, _| stays("rule", part));
    }
    catalogue.views.retain(|name, _| stays("view", name));
    for (name, view) in &mut catalogue.views {
        view.indexes.retain(|part, _| !choose(&key("index", Some(name), part)));
        view.triggers.retain(|part, _| !choose(&key("trigger", Some(name), part)));
    }
    catalogue.functions.retain(|name, _| stays("function", name));
    catalogue.sequences.retain(|name, _| stays("sequence", name));
    catalogue.types.retain(|name, _| stays("type", name));
}

/// Takes away every mark of what is optional.
pub fn require(catalogue: &mut Catalogue) {
    for table in catalogue.tables.values_mut() {
        table.optional = false;
        table.columns.iter_mut().for_each(|column| column.optional = false);
        table.constraints.values_mut().for_each(|constraint| constraint.optional = false);
        table.indexes.values_mut().for_each(|index| index.optional = false);
        table.triggers.values_mut().for_each(|trigger| trigger.optional = false);
        table.policies.values_mut().for_each(|policy| policy.optional = false);
        table.rules.values_mut().for_each(|rule| rule.optional = false);
    }
    catalogue.views.values_mut().for_each(|view| view.optional = false);
    let texts = [&mut catalogue.functions, &mut catalogue.sequences, &mut catalogue.types];
    texts.into_iter().flat_map(|texts| texts.values_mut()).for_each(|text| text.optional = false);
}
