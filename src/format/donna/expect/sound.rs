//! What is legal JSON and yet no value that a table can hold: U+0000, a name twice in one map, and
//! nesting beyond what is ever read.

use std::collections::HashSet;

use crate::node::{push_pointer, Node, Text};

use super::Trouble;

/// Lists and maps within each other; the file's own list counts.
const DEEPEST: usize = 512;

/// Maps up to this size are searched for repeated names pair by pair.
const FEW: usize = 16;

/// `pointer` is where the value stands in its file, `above` how many lists and maps are around it.
pub fn check(node: &Node, pointer: &str, above: usize) -> Result<(), Trouble> {
    match fault(node, above) {
        None => Ok(()),
        Some(Fault { path, detail }) => {
            let mut place = pointer.to_owned();
            path.iter().rev().for_each(|step| push_pointer(&mut place, step));
            Err(Trouble::shape(place, detail))
        }
    }
}

struct Fault {
    /// From the inside out.
    path: Vec<String>,
    detail: &'static str,
}

fn here(detail: &'static str) -> Option<Fault> {
    Some(Fault { path: Vec::new(), detail })
}

fn fault(node: &Node, above: usize) -> Option<Fault> {
    match node {
        Node::Text(text) if text.contains('\0') => here("U+0000, which no database text can hold"),
        Node::List(_) | Node::Map(_) if above >= DEEPEST => here("nested more than 512 levels deep"),
        Node::List(items) => items.iter().enumerate().find_map(|(at, item)| {
            let mut found = fault(item, above + 1)?;
            found.path.push(at.to_string());
            Some(found)
        }),
        Node::Map(members) => {
            if let Some(name) = repeated(members) {
                return Some(Fault { path: vec![name.to_owned()], detail: "the name stands twice in one map" });
            }
            members.iter().find_map(|(name, value)| {
                let mut found = if name.contains('\0') { here("U+0000 in a name") } else { fault(value, above + 1) }?;
                found.path.push(name.to_string());
                Some(found)
            })
        }
        _ => None,
    }
}

fn repeated(members: &[(Text, Node)]) -> Option<&str> {
    if members.len() <= FEW {
        let twice = |at: usize| members[..at].iter().any(|(name, _)| *name == members[at].0);
        return (1..members.len()).find(|at| twice(*at)).map(|at| members[at].0.as_str());
    }
    let mut seen = HashSet::with_capacity(members.len());
    members.iter().map(|(name, _)| name.as_str()).find(|name| !seen.insert(*name))
}

#[cfg(test)]
mod tests {
    use crate::node::parse;

    use super::*;

    fn place(text: &str, pointer: &str) -> Option<String> {
        let above = pointer.matches('/').count();
        match check(&parse(text.as_bytes()).expect("JSON").0, pointer, above) {
            Err(Trouble::Shape { pointer, .. }) => Some(pointer),
            _ => None,
        }
    }

    #[test]
    fn what_no_table_holds_is_found_at_its_place() {
        assert_eq!(place(r#"{"a":[1,"x"],"b":{"a":2}}"#, ""), None);
        assert_eq!(place(r#"{"a":[1,"\u0000"]}"#, "/7"), Some("/7/a/1".into()));
        assert_eq!(place(r#"{"a/b":{"c\u0000":1}}"#, ""), Some("/a~1b/c\0".into()));
        assert_eq!(place(r#"[{"a":1,"b":2,"\u0061":3}]"#, ""), Some("/0/a".into()));
        let many: Vec<String> = (0..100).map(|n| format!("\"k{n}\":{n}")).collect();
        assert_eq!(place(&format!("{{{}}}", many.join(",")), ""), None);
        assert_eq!(place(&format!("{{{},\"k3\":0}}", many.join(",")), ""), Some("/k3".into()));
    }

    #[test]
    fn five_hundred_and_twelve_levels_are_read() {
        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(place(&nested(512), ""), None);
        assert!(place(&nested(513), "").is_some());
        assert_eq!(place(&nested(511), "/0"), None);
        assert!(place(&nested(512), "/0").is_some());
    }
}
