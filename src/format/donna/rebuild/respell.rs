//! Gives a JSON value the order of members and the spelling of numbers that `jsonb` took from it
//! (`docs/residue.md`, Respelling). It never changes a value.

use std::collections::HashMap;

use crate::node::{Decimal, Node, Text};

/// What becomes of a respelling that does not fit its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It is an error.
    Exact,
    /// The value was edited since: as much of it is used as still fits.
    Loose,
}

/// The value in the spelling that `how` describes; without one, as `jsonb` orders it.
pub fn respell(value: Node, how: Option<&Node>, fit: Fit) -> Result<Node, &'static str> {
    let part = |name: &str| how.and_then(|how| how.get(name));
    match (value, how) {
        (Node::Number(number), Some(Node::Text(spelling))) if is_same(&number, spelling) => {
            Ok(Node::Number(spelling.clone()))
        }
        (Node::List(items), None | Some(Node::Map(_))) => {
            only(how, &["i"], fit)?;
            let mut by_index = Taken::of(part("i"), fit)?;
            let mut list = Vec::with_capacity(items.len());
            for (at, item) in items.into_iter().enumerate() {
                let how = if by_index.is_empty() { None } else { by_index.take(&at.to_string()) };
                list.push(respell(item, how, fit)?);
            }
            by_index.finish(fit)?;
            Ok(Node::List(list))
        }
        (Node::Map(mut members), None | Some(Node::Map(_))) => {
            only(how, &["k", "m"], fit)?;
            order(&mut members, part("k"), fit)?;
            let mut by_key = Taken::of(part("m"), fit)?;
            for (key, member) in &mut members {
                let how = by_key.take(key);
                *member = respell(std::mem::replace(member, Node::Null), how, fit)?;
            }
            by_key.finish(fit)?;
            Ok(Node::Map(members))
        }
        (value, None) => Ok(value),
        (value, Some(_)) if fit == Fit::Loose => respell(value, None, fit),
        (_, Some(_)) => Err("a respelling is of another value"),
    }
}

fn is_same(number: &str, spelling: &str) -> bool {
    number == spelling || Decimal::parse(number).is_some_and(|number| Decimal::parse(spelling) == Some(number))
}

fn only(how: Option<&Node>, names: &[&str], fit: Fit) -> Result<(), &'static str> {
    let known = |(name, _): &(Text, Node)| names.contains(&name.as_str());
    match how.is_none_or(|how| !how.members().is_empty() && how.members().iter().all(known)) || fit == Fit::Loose {
        true => Ok(()),
        false => Err("a respelling is of another value"),
    }
}

/// Puts the members in the order that `keys` gives; without one, in that of `jsonb`: by length in
/// bytes, then by bytes.
fn order(members: &mut [(Text, Node)], keys: Option<&Node>, fit: Fit) -> Result<(), &'static str> {
    let places: HashMap<&str, usize> = match keys {
        None => HashMap::new(),
        Some(keys) => {
            let keys = keys.items().iter().enumerate();
            keys.filter_map(|(at, key)| Some((key.as_text()?, at))).collect()
        }
    };
    let fits = keys.is_none_or(|keys| {
        let known = members.iter().all(|(key, _)| places.contains_key(key.as_str()));
        matches!(keys, Node::List(_)) && keys.items().len() == members.len() && places.len() == members.len() && known
    });
    if !fits && fit == Fit::Exact {
        return Err("the order of keys is that of another value");
    }
    let place = |key: &str| places.get(key).copied().unwrap_or(usize::MAX);
    members.sort_by(|(a, _), (b, _)| (place(a), a.len(), a).cmp(&(place(b), b.len(), b)));
    Ok(())
}

/// Respellings by name, each to be used once.
struct Taken<'a>(HashMap<&'a str, &'a Node>);

impl<'a> Taken<'a> {
    fn of(how: Option<&'a Node>, fit: Fit) -> Result<Taken<'a>, &'static str> {
        let Some(how) = how else { return Ok(Taken(HashMap::new())) };
        let by_name: HashMap<&str, &Node> = how.members().iter().map(|(name, how)| (name.as_str(), how)).collect();
        let fits = !by_name.is_empty() && by_name.len() == how.members().len();
        match fits || fit == Fit::Loose {
            true => Ok(Taken(by_name)),
            false => Err("a respelling says nothing, or one thing twice"),
        }
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn take(&mut self, name: &str) -> Option<&'a Node> {
        self.0.remove(name)
    }

    fn finish(self, fit: Fit) -> Result<(), &'static str> {
        match self.0.is_empty() || fit == Fit::Loose {
            true => Ok(()),
            false => Err("a respelling is of a member or item that is not there"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::{self, Style};

    fn json(text: &str) -> Node {
        node::parse(text.as_bytes()).expect("JSON").0
    }

    fn spelled(value: &str, how: Option<&str>, fit: Fit) -> Result<String, &'static str> {
        let how = how.map(json);
        let mut text = Vec::new();
        node::write(&mut text, &respell(json(value), how.as_ref(), fit)?, Style::Line, 0).expect("memory takes all");
        Ok(String::from_utf8(text).expect("UTF-8"))
    }

    #[test]
    fn order_and_spelling_come_back() {
        let how = r#"{"k":["zz","y"],"m":{"zz":{"k":["b","a"],"m":{"b":"-0"}},"y":{"i":{"1":"2e3"}}}}"#;
        let value = r#"{"y":[1,2000],"zz":{"a":1,"b":0}}"#;
        assert_eq!(spelled(value, Some(how), Fit::Exact), Ok(r#"{"zz":{"b":-0,"a":1},"y":[1,2e3]}"#.into()));
        assert_eq!(spelled(r#"{"aa":1,"b":2,"a":{}}"#, None, Fit::Exact), Ok(r#"{"a":{},"b":2,"aa":1}"#.into()));
    }

    #[test]
    fn what_does_not_fit_is_an_error_and_never_another_value() {
        for (value, how) in [
            ("1", r#""2""#),
            ("\"1\"", r#""1""#),
            ("1", r#"{"i":{"0":"1.0"}}"#),
            ("[1]", r#"{"i":{"1":"1.0"}}"#),
            ("[1]", r#"{"i":{"00":"1.0"}}"#),
            ("[1]", r#"{"i":{}}"#),
            ("[1]", r#"{"k":["a"]}"#),
            ("[1]", "{}"),
            (r#"{"a":1}"#, r#"{"k":["b"]}"#),
            (r#"{"a":1}"#, r#"{"k":["a","a"]}"#),
            (r#"{"a":1}"#, r#"{"k":{"a":1}}"#),
            (r#"{"a":1,"b":1}"#, r#"{"k":["a"]}"#),
            (r#"{"a":1}"#, r#"{"m":{"b":"1.0"}}"#),
            (r#"{"a":1}"#, r#"{"m":{"a":"1.0","a":"1.0"}}"#),
            ("null", "null"),
        ] {
            assert!(spelled(value, Some(how), Fit::Exact).is_err(), "{value} {how}");
            let loose = spelled(value, Some(how), Fit::Loose).expect("nothing is too loose");
            assert!(node::equal(&json(&loose), &json(value)), "{value} {how}");
        }
    }

    #[test]
    fn an_edited_value_keeps_what_still_fits() {
        let how = r#"{"k":["zz","y","b"],"m":{"y":"1.0","gone":"1.0"}}"#;
        let value = r#"{"y":1,"new":{},"zz":2,"a":3}"#;
        assert_eq!(spelled(value, Some(how), Fit::Loose), Ok(r#"{"zz":2,"y":1.0,"a":3,"new":{}}"#.into()));
    }
}
