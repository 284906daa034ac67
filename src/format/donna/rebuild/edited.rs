//! Objects of rows that are not what was written when the document was loaded, or that no document
//! wrote: only an export asks for them.
//!
//! The residue is about what was written then. What it keeps is used where the column still follows
//! from it, and a member that the object did not have is added where the column says more than the
//! member's absence would.

use crate::model::{Row, Value};
use crate::node::Node;

use super::layout::{Gives, Layout, Shape, Source};
use super::object::from_column;
use super::parts::{Place, Said};
use super::respell::Fit;
use super::spelling::means;

/// What a column holds when its member is absent, by the member's name.
pub type Absent<'a> = dyn Fn(&str) -> Value + 'a;

/// The object that a changed row says. `stem` is a user's `id`.
pub fn object(
    layout: &Layout,
    shape: &Shape,
    mut said: Said,
    row: &Row,
    stem: Option<&str>,
    absent: &Absent,
    place: Place,
) -> Result<Node, super::RebuildError> {
    let changed = Changed { layout, row, absent };
    let speakers = speakers(layout, shape, &said);
    let mut members = Vec::with_capacity(shape.members.len() + 2);
    for (name, source) in &shape.members {
        let value = match (said.kept.take(name), source) {
            (Some(kept), Source::Column(at, gives))
                if speakers.contains(&name.as_str()) && !changed.follows(name, *at, *gives, &kept) =>
            {
                changed.give(*at, *gives, None).map_err(|why| place.bad(format!("{name}: {why}")))?
            }
            (Some(kept), _) => kept,
            (None, Source::Id) => match (stem, said.id.take()) {
                (Some(stem), None) => Node::text(stem),
                (None, Some(id)) => id,
                _ => return Err(place.bad("the `id` of an object that has none, or two")),
            },
            (None, Source::Column(at, gives)) => {
                let how = said.respelled.take(name);
                changed.give(*at, *gives, how).map_err(|why| place.bad(format!("{name}: {why}")))?
            }
            (None, Source::Kept) => return Err(place.bad("a member that nothing gives")),
        };
        members.push((name.clone(), value));
    }
    let mut told: Vec<usize> = shape.members.iter().filter_map(|(_, source)| column(*source)).collect();
    for member in layout.members {
        let Source::Column(at, gives) = layout.source(member) else { continue };
        // Of two names for one column, the first is enough.
        if !told.contains(&at) && changed.says_more(member.name, at) {
            told.push(at);
            let value = changed.give(at, gives, None).map_err(|why| place.bad(format!("{}: {why}", member.name)))?;
            members.push((member.name.into(), value));
        }
    }
    Ok(Node::Map(members))
}

fn column(source: Source) -> Option<usize> {
    match source {
        Source::Column(at, _) => Some(at),
        _ => None,
    }
}

/// The members that the columns are from: of two names for one column the first that is not null.
/// The other says nothing of the column, so it stays what it is.
fn speakers<'a>(layout: &Layout, shape: &'a Shape, said: &Said) -> Vec<&'a str> {
    let is_null = |name: &str| said.kept.get(name).is_some_and(Node::is_null);
    let mut found: Vec<(usize, &str, bool)> = Vec::new();
    for member in layout.members {
        let Some((name, Source::Column(at, _))) = shape.members.iter().find(|(name, _)| name == member.name) else {
            continue;
        };
        match found.iter_mut().find(|(column, ..)| column == at) {
            None => found.push((*at, name, is_null(name))),
            Some((_, speaker, null)) if *null && !is_null(name) => (*speaker, *null) = (name, false),
            Some(_) => {}
        }
    }
    found.into_iter().map(|(_, name, _)| name).collect()
}

struct Changed<'a> {
    layout: &'a Layout,
    row: &'a Row,
    absent: &'a Absent<'a>,
}

impl Changed<'_> {
    fn column(&self, at: usize) -> &Value {
        self.row.0.get(at).unwrap_or(&Value::Null)
    }

    fn give(&self, at: usize, gives: Gives, how: Option<Node>) -> Result<Node, &'static str> {
        from_column(self.column(at), gives, how, Fit::Loose)
    }

    /// Whether the column is still what loading made of the member that is kept.
    fn follows(&self, name: &str, at: usize, gives: Gives, kept: &Node) -> bool {
        let column = self.column(at);
        match (gives, kept, column) {
            // Null, where something derived stands instead, or nothing.
            (Gives::Text | Gives::Time(_), Node::Null, _) => *column == Value::Null || *column == (self.absent)(name),
            (Gives::Text, Node::Text(whole), Value::Text(text)) => {
                let longest = self.layout.table.columns[at].max_chars.unwrap_or(usize::MAX);
                whole.chars().take(longest).eq(text.chars())
            }
            (Gives::From, Node::Text(from), Value::Text(role)) => {
                let mapped = match from.as_str() {
                    "lead" => "user",
                    "bot" => "assistant",
                    other => other,
                };
                mapped == role
            }
            (Gives::Map, Node::Map(members), Value::Json(text)) => members.is_empty() && text == "{}",
            (Gives::Time(_), kept, Value::Time(instant)) => means(kept, *instant),
            (Gives::Number, ..) => *column == (self.absent)(name),
            (Gives::Address, Node::Text(text), _) => match (text.parse::<core::net::IpAddr>(), column) {
                (Ok(address), Value::Inet(held)) => address == *held,
                (Err(_), Value::Null) => true,
                _ => false,
            },
            // Whoever gives the row names it if it is another one.
            (Gives::Reference, ..) => !matches!(column, Value::Reference(_)),
            _ => false,
        }
    }

    /// Whether the column says what no member says.
    fn says_more(&self, name: &str, at: usize) -> bool {
        let column = self.column(at);
        let is_unsayable = *column == Value::Null && !matches!((self.absent)(name), Value::Json(_));
        let is_nobody = matches!(column, Value::Reference(reference) if reference.is_empty());
        !is_unsayable && !is_nobody && *column != (self.absent)(name)
    }
}
