//! Residue: what a part's rows do not say, as compact JSON (`docs/residue.md`).
//!
//! Only differences are written. A member whose column gives it back by the layout's own rule
//! leaves no trace but its place in the shape, and a shape is written once a part.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::json::{self, Value};
use crate::model::FileRole;

/// What one row's columns do not say.
#[derive(Debug, Default)]
pub struct RowResidue {
    /// The names of the source object's members in their order; empty if the row has no object.
    pub shape: Vec<String>,
    /// The legacy id, as JSON.
    pub id: Option<String>,
    /// Members that a column does not give back, whole: name and JSON.
    pub kept: Vec<(String, String)>,
    /// JSON columns whose order or numbers jsonb would change: name and difference.
    pub respelled: Vec<(String, String)>,
    /// The line in a file of lines where it is not the one after the row before.
    pub line: Option<u64>,
}

/// Collects the residue of one part.
pub struct PartResidue {
    standard: &'static [&'static str],
    shapes: Vec<Vec<String>>,
    known: HashMap<Vec<String>, usize>,
    rows: Vec<String>,
    document: Vec<(&'static str, String)>,
}

impl PartResidue {
    /// `standard`: the shape that is not worth writing down.
    pub fn new(standard: &'static [&'static str]) -> PartResidue {
        PartResidue { standard, shapes: Vec::new(), known: HashMap::new(), rows: Vec::new(), document: Vec::new() }
    }

    /// Something about the whole document; `value` is JSON.
    pub fn about_document(&mut self, name: &'static str, value: impl Into<String>) {
        self.document.push((name, value.into()));
    }

    /// The roles of the document's files that begin with a byte order mark, if any do.
    pub fn about_marks(&mut self, roles: &[FileRole]) {
        if !roles.is_empty() {
            self.about_document("bom", array(&roles.iter().map(|role| string(role.0)).collect::<Vec<_>>()));
        }
    }

    pub fn push(&mut self, row: RowResidue) {
        let shape = self.shape_number(row.shape);
        let only_id = shape == 0 && row.kept.is_empty() && row.respelled.is_empty() && row.line.is_none();
        let entry = match (&row.id, only_id) {
            (None, true) => "null".to_owned(),
            (Some(id), true) if id.starts_with('"') => id.clone(),
            _ => {
                let mut members = Vec::new();
                if shape > 0 {
                    members.push(("s", shape.to_string()));
                }
                members.extend(row.id.map(|id| ("id", id)));
                members.extend(row.line.map(|line| ("l", line.to_string())));
                if !row.kept.is_empty() {
                    members.push(("x", object(&row.kept)));
                }
                if !row.respelled.is_empty() {
                    members.push(("j", object(&row.respelled)));
                }
                object(&members)
            }
        };
        self.rows.push(entry);
    }

    /// The part's residue as JSON, `None` if there is nothing to say.
    pub fn finish(self) -> Option<String> {
        let mut members = Vec::new();
        if !self.document.is_empty() {
            members.push(("document", object(&self.document)));
        }
        let standard = self.shapes.len() <= 1
            && self.shapes.iter().all(|shape| shape.iter().map(String::as_str).eq(self.standard.iter().copied()));
        if !standard {
            let shapes: Vec<String> = self.shapes.iter().map(|shape| strings(shape)).collect();
            members.push(("shapes", array(&shapes)));
        }
        if self.rows.iter().any(|row| row != "null") {
            members.push(("rows", array(&self.rows)));
        }
        (!members.is_empty()).then(|| object(&members))
    }

    fn shape_number(&mut self, shape: Vec<String>) -> usize {
        if let Some(&number) = self.known.get(&shape) {
            return number;
        }
        let number = self.shapes.len();
        self.shapes.push(shape.clone());
        self.known.insert(shape, number);
        number
    }
}

/// What `jsonb` changes in a value: a string is a number's own spelling; an object has `k` (keys
/// in their order), `m` (differences of members) and `i` (differences of items). `None`: nothing.
pub fn respelling(value: &Value) -> Option<String> {
    match value {
        Value::Number(spelling) if !json::jsonb_keeps(spelling) => Some(format!("\"{spelling}\"")),
        Value::Array(items) => {
            let difference = |(at, item)| respelling(item).map(|difference| (usize::to_string(&at), difference));
            let changed: Vec<(String, String)> = items.iter().enumerate().filter_map(difference).collect();
            (!changed.is_empty()).then(|| object(&[("i", object(&changed))]))
        }
        Value::Object(members) => {
            let mut parts = Vec::new();
            if !members.windows(2).all(|pair| json::jsonb_order(&pair[0].0, &pair[1].0).is_lt()) {
                let keys: Vec<String> = members.iter().map(|(key, _)| key.to_string()).collect();
                parts.push(("k", strings(&keys)));
            }
            let difference =
                |(key, member): &(Cow<str>, Value)| respelling(member).map(|difference| (key.to_string(), difference));
            let changed: Vec<(String, String)> = members.iter().filter_map(difference).collect();
            if !changed.is_empty() {
                parts.push(("m", object(&changed)));
            }
            (!parts.is_empty()).then(|| object(&parts))
        }
        _ => None,
    }
}

pub fn string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    json::write_string(text, &mut out);
    out
}

pub fn strings(texts: &[String]) -> String {
    array(&texts.iter().map(|text| string(text)).collect::<Vec<_>>())
}

pub fn array(items: &[String]) -> String {
    format!("[{}]", items.join(","))
}

/// An object of members whose values are JSON already.
pub fn object<K: AsRef<str>>(members: &[(K, String)]) -> String {
    let mut out = String::from("{");
    for (at, (key, value)) in members.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        json::write_string(key.as_ref(), &mut out);
        out.push(':');
        out.push_str(value);
    }
    out.push('}');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_jsonb_changes_is_respelled() {
        let difference = |text: &str| respelling(&json::parse(text.as_bytes()).unwrap());
        assert_eq!(difference("{\"a\":1.10,\"b\":[],\"aa\":\"x\"}"), None);
        assert_eq!(difference("1.0e+25").as_deref(), Some("\"1.0e+25\""));
        assert_eq!(
            difference("{\"zz\":{\"b\":-0,\"a\":1},\"y\":[1,2e3]}").as_deref(),
            Some(r#"{"k":["zz","y"],"m":{"zz":{"k":["b","a"],"m":{"b":"-0"}},"y":{"i":{"1":"2e3"}}}}"#)
        );
    }

    #[test]
    fn a_part_that_says_nothing_new_has_no_residue() {
        let mut part = PartResidue::new(&["a"]);
        part.push(RowResidue { shape: vec!["a".into()], ..RowResidue::default() });
        assert_eq!(part.finish(), None);
    }

    #[test]
    fn shapes_are_written_once() {
        let mut part = PartResidue::new(&["a"]);
        for shape in ["a", "b", "b"] {
            part.push(RowResidue { shape: vec![shape.into()], id: Some("\"7\"".into()), ..RowResidue::default() });
        }
        assert_eq!(
            part.finish().as_deref(),
            Some(r#"{"shapes":[["a"],["b"]],"rows":["7",{"s":1,"id":"7"},{"s":1,"id":"7"}]}"#)
        );
    }
}
