//! When two values are the same: numbers by value, strings by code point, members in any order.

use super::{push_pointer, Decimal, Node, Text};

/// Whether two values are the same JSON value. `[]` and `{}` are not; where a layout says that
/// they are, its rebuilding has taken care of it.
pub fn equal(a: &Node, b: &Node) -> bool {
    match (a, b) {
        (Node::Number(a), Node::Number(b)) => a == b || same_number(a, b),
        (Node::List(a), Node::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Node::Map(a), Node::Map(b)) => same_members(a, b),
        (a, b) => a == b,
    }
}

fn same_number(a: &str, b: &str) -> bool {
    match (Decimal::parse(a), Decimal::parse(b)) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

fn same_members<'a>(a: &'a [(Text, Node)], b: &'a [(Text, Node)]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    // Nearly always the order is the same, too.
    if a.iter().zip(b).all(|((name_a, _), (name_b, _))| name_a == name_b) {
        return a.iter().zip(b).all(|((_, a), (_, b))| equal(a, b));
    }
    // Sorting leaves members of one name in their order, so that a name which repeats counts as often.
    let sorted = |members: &'a [(Text, Node)]| {
        let mut sorted: Vec<&(Text, Node)> = members.iter().collect();
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        sorted
    };
    sorted(a).into_iter().zip(sorted(b)).all(|((name_a, a), (name_b, b))| name_a == name_b && equal(a, b))
}

/// One place where two values differ.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeDifference {
    /// JSON pointer from where the comparison began.
    pub pointer: String,
    /// `None`: there is nothing at this place.
    pub left: Option<Node>,
    pub right: Option<Node>,
}

/// Every place where two values differ, at most `most`, in the order of the left one.
pub fn differences(left: &Node, right: &Node, most: usize) -> Vec<NodeDifference> {
    let mut found = Vec::new();
    compare(left, right, &mut String::new(), most, &mut found);
    found
}

fn compare(left: &Node, right: &Node, pointer: &mut String, most: usize, found: &mut Vec<NodeDifference>) {
    if found.len() >= most || equal(left, right) {
        return;
    }
    let length = pointer.len();
    let mut at = |step: &str, left: Option<&Node>, right: Option<&Node>, found: &mut Vec<NodeDifference>| {
        push_pointer(pointer, step);
        match (left, right) {
            (Some(left), Some(right)) => compare(left, right, pointer, most, found),
            _ if found.len() < most => {
                found.push(NodeDifference { pointer: pointer.clone(), left: left.cloned(), right: right.cloned() })
            }
            _ => {}
        }
        pointer.truncate(length);
    };
    match (left, right) {
        (Node::Map(a), Node::Map(b)) => {
            let before = found.len();
            for (name, value) in a {
                at(name, Some(value), right.get(name), found);
            }
            for (name, value) in b {
                if left.get(name).is_none() {
                    at(name, None, Some(value), found);
                }
            }
            if found.len() == before {
                // A name repeats on one side: no place of its own tells that.
                found.push(whole(pointer, left, right));
            }
        }
        (Node::List(a), Node::List(b)) => {
            for index in 0..a.len().max(b.len()) {
                at(&index.to_string(), a.get(index), b.get(index), found);
            }
        }
        _ => found.push(whole(pointer, left, right)),
    }
}

fn whole(pointer: &str, left: &Node, right: &Node) -> NodeDifference {
    NodeDifference { pointer: pointer.to_owned(), left: Some(left.clone()), right: Some(right.clone()) }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn node(text: &str) -> Node {
        parse(text.as_bytes()).expect("JSON").0
    }

    #[test]
    fn differences_name_their_places() {
        let found = differences(&node(r#"{"a":[1,{"b/c":2}],"d":1}"#), &node(r#"{"e":0,"a":[1.0,{"b/c":3},4]}"#), 10);
        let places: Vec<&str> = found.iter().map(|difference| difference.pointer.as_str()).collect();
        assert_eq!(places, ["/a/1/b~1c", "/a/2", "/d", "/e"]);
        assert_eq!(differences(&node("[1,2,3]"), &node("[3,2,1]"), 1).len(), 1);
        assert!(differences(&node(r#"{"a":1,"b":2}"#), &node(r#"{"b":2,"a":1}"#), 10).is_empty());
    }

    #[test]
    fn a_repeated_name_is_a_difference() {
        assert!(!equal(&node(r#"{"a":1,"a":1}"#), &node(r#"{"a":1}"#)));
        assert!(!equal(&node(r#"{"a":1}"#), &node(r#"{"a":1,"a":1}"#)));
        assert_eq!(differences(&node(r#"{"a":1,"a":1}"#), &node(r#"{"a":1}"#), 10).len(), 1);
    }
}
