//! Residue: what a part's rows do not say, as compact JSON (`docs/residue.md`).
//!
//! Only differences are written. A member whose column gives it back by the layout's own rule
//! leaves no trace but its place in the shape, and a shape is written once a part.

use std::collections::HashMap;

use crate::json::{self, Member, Value};
use crate::model::FileRole;

/// What one row's columns do not say. It borrows from the parsed file, because nearly all of it is
/// written into the part's text and forgotten at once.
#[derive(Debug, Default)]
pub struct RowResidue<'a> {
    pub shape: Shape<'a>,
    /// The legacy id: a string, a number or null.
    pub id: Option<&'a Value<'a>>,
    /// Members that a column does not give back, whole: name and JSON.
    pub kept: Vec<(&'a str, String)>,
    /// JSON columns whose order or numbers jsonb would change: name and difference.
    pub respelled: Vec<(&'a str, String)>,
    /// The line in a file of lines where it is not the one after the row before.
    pub line: Option<u64>,
}

/// The names of the source object's members in their order.
#[derive(Clone, Copy, Debug, Default)]
pub enum Shape<'a> {
    /// The row has no object.
    #[default]
    Nothing,
    Members(&'a [Member<'a>]),
    Names(&'static [&'static str]),
}

impl Shape<'_> {
    fn is(&self, names: &[String]) -> bool {
        match self {
            Shape::Nothing => names.is_empty(),
            Shape::Members(members) => {
                members.len() == names.len() && members.iter().zip(names).all(|((name, _), known)| name == known)
            }
            Shape::Names(own) => own.iter().eq(names),
        }
    }

    fn names(&self) -> Vec<String> {
        match self {
            Shape::Nothing => Vec::new(),
            Shape::Members(members) => members.iter().map(|(name, _)| name.to_string()).collect(),
            Shape::Names(names) => names.iter().map(|name| (*name).to_owned()).collect(),
        }
    }
}

/// Shapes that are compared one by one; with more of them a table is asked.
const FEW_SHAPES: usize = 4;

/// Collects the residue of one part.
pub struct PartResidue {
    standard: &'static [&'static str],
    shapes: Vec<Vec<String>>,
    known: HashMap<Vec<String>, usize>,
    /// The last row's, which the next one's often is.
    shape: usize,
    /// Items of a JSON array.
    rows: String,
    count: usize,
    /// Whether any item says more than that there is nothing to say.
    says: bool,
    document: Vec<(&'static str, String)>,
}

impl PartResidue {
    /// `standard`: the shape that is not worth writing down.
    pub fn new(standard: &'static [&'static str]) -> PartResidue {
        PartResidue {
            standard,
            shapes: Vec::new(),
            known: HashMap::new(),
            shape: 0,
            rows: String::new(),
            count: 0,
            says: false,
            document: Vec::new(),
        }
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
        self.shape = self.shape_number(&row.shape);
        if self.count > 0 {
            self.rows.push(',');
        }
        self.count += 1;
        let only_id = self.shape == 0 && row.kept.is_empty() && row.respelled.is_empty() && row.line.is_none();
        match row.id {
            None if only_id => self.rows.push_str("null"),
            Some(id @ Value::String(_)) if only_id => {
                json::write_compact(id, &mut self.rows);
                self.says = true;
            }
            _ => {
                let mut members = Vec::new();
                if self.shape > 0 {
                    members.push(("s", self.shape.to_string()));
                }
                members.extend(row.id.map(|id| ("id", json::to_compact(id))));
                members.extend(row.line.map(|line| ("l", line.to_string())));
                if !row.kept.is_empty() {
                    members.push(("x", object(&row.kept)));
                }
                if !row.respelled.is_empty() {
                    members.push(("j", object(&row.respelled)));
                }
                write_object(&members, &mut self.rows);
                self.says = true;
            }
        }
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
        if self.says {
            members.push(("rows", format!("[{}]", self.rows)));
        }
        (!members.is_empty()).then(|| object(&members))
    }

    fn shape_number(&mut self, shape: &Shape) -> usize {
        if self.shapes.get(self.shape).is_some_and(|last| shape.is(last)) {
            return self.shape;
        }
        let found = match self.shapes.len() {
            0..=FEW_SHAPES => self.shapes.iter().position(|known| shape.is(known)),
            _ => self.known.get(&shape.names()).copied(),
        };
        found.unwrap_or_else(|| {
            let names = shape.names();
            let number = self.shapes.len();
            self.known.insert(names.clone(), number);
            self.shapes.push(names);
            number
        })
    }
}

/// What `jsonb` changes in a value: a string is a number's own spelling; an object has `k` (keys
/// in their order), `m` (differences of members) and `i` (differences of items). `None`: nothing.
pub fn respelling<'a>(value: &Value<'a>) -> Option<String> {
    match value {
        Value::Number(spelling) if !json::jsonb_keeps(spelling) => Some(format!("\"{spelling}\"")),
        Value::Array(items) => {
            let difference = |(at, item)| respelling(item).map(|difference| (usize::to_string(&at), difference));
            let changed: Vec<(String, String)> = items.iter().enumerate().filter_map(difference).collect();
            (!changed.is_empty()).then(|| object(&[("i", object(&changed))]))
        }
        Value::Object(members) => {
            let mut parts = Vec::new();
            if !members.windows(2).all(|pair| json::jsonb_order(pair[0].0, pair[1].0).is_lt()) {
                let keys: Vec<String> = members.iter().map(|(key, _)| key.to_string()).collect();
                parts.push(("k", strings(&keys)));
            }
            let difference = |(key, member): &Member<'a>| respelling(member).map(|difference| (*key, difference));
            let changed: Vec<(&str, String)> = members.iter().filter_map(difference).collect();
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
    let mut out = String::with_capacity(members.iter().map(|(key, value)| key.as_ref().len() + value.len() + 4).sum());
    write_object(members, &mut out);
    out
}

fn write_object<K: AsRef<str>>(members: &[(K, String)], out: &mut String) {
    out.push('{');
    for (at, (key, value)) in members.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        json::write_string(key.as_ref(), out);
        out.push(':');
        out.push_str(value);
    }
    out.push('}');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_jsonb_changes_is_respelled() {
        let difference = |text: &str| respelling(&json::parse(text.as_bytes(), &json::Arena::new()).unwrap());
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
        part.push(RowResidue { shape: Shape::Names(&["a"]), ..RowResidue::default() });
        assert_eq!(part.finish(), None);
    }

    #[test]
    fn shapes_are_written_once() {
        let mut part = PartResidue::new(&["a"]);
        let id = Value::String("7");
        for shape in [&["a"], &["b"], &["b"]] {
            part.push(RowResidue { shape: Shape::Names(shape), id: Some(&id), ..RowResidue::default() });
        }
        assert_eq!(
            part.finish().as_deref(),
            Some(r#"{"shapes":[["a"],["b"]],"rows":["7",{"s":1,"id":"7"},{"s":1,"id":"7"}]}"#)
        );
    }

    #[test]
    fn many_shapes_are_told_apart_as_few_are() {
        let keys: Vec<String> = (0..40).map(|number| format!("k{number}")).collect();
        let objects: Vec<[Member; 2]> =
            keys.iter().map(|key| [(key.as_str(), Value::Null), ("z", Value::Null)]).collect();
        let mut part = PartResidue::new(&[]);
        for members in objects.iter().chain(&objects).chain(objects.iter().rev()) {
            part.push(RowResidue { shape: Shape::Members(members), ..RowResidue::default() });
        }
        let text = part.finish().unwrap();
        let whole: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(whole["shapes"].as_array().unwrap().len(), 40);
        let number = |row: &serde_json::Value| row.get("s").map_or(0, |shape| shape.as_u64().unwrap());
        let numbers: Vec<u64> = whole["rows"].as_array().unwrap().iter().map(number).collect();
        let expected: Vec<u64> = (0..40).chain(0..40).chain((0..40).rev()).collect();
        assert_eq!(numbers, expected);
    }
}
