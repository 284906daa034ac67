//! A memory file as it grows: members of types, and flat ones.

use std::collections::HashMap;

use crate::node::{Node, Text};

/// The type under which a flat member is kept.
pub fn flat_type(name: &str) -> &'static str {
    match name {
        "preferences" => "preferences",
        _ => "profile",
    }
}

#[derive(Default)]
pub struct File {
    members: Vec<(Text, Member)>,
    places: HashMap<Text, usize>,
}

enum Member {
    Typed(Vec<(Text, Node)>),
    /// A type whose keys are 0 to n, written as a list as long as they are.
    Listed(Vec<(Text, Node)>),
    Flat {
        value: Node,
        /// The same as an entry.
        entry: Node,
    },
}

impl File {
    /// A type, without entries yet.
    pub fn typed(&mut self, name: &str) {
        self.push(name.into(), Member::Typed(Vec::new()));
    }

    /// From now on the type is written as a list.
    pub fn list(&mut self, name: &str) {
        let Some(&at) = self.places.get(name) else { return };
        if let Member::Typed(entries) = &mut self.members[at].1 {
            self.members[at].1 = Member::Listed(std::mem::take(entries));
        }
    }

    pub fn flat(&mut self, name: Text, value: Node, entry: Node) {
        self.push(name, Member::Flat { value, entry });
    }

    /// An entry, after those that its type has. A flat member of the type's name, which only an old
    /// file can have, becomes an entry of its own type.
    pub fn put(&mut self, kind: Text, key: Text, value: Node) {
        let Some(&at) = self.places.get(&kind) else {
            return self.push(kind, Member::Typed(vec![(key, value)]));
        };
        match &mut self.members[at].1 {
            Member::Typed(entries) | Member::Listed(entries) => entries.push((key, value)),
            flat => {
                if let Member::Flat { entry, .. } = std::mem::replace(flat, Member::Typed(vec![(key, value)])) {
                    self.put(flat_type(&kind).into(), kind, entry);
                }
            }
        }
    }

    fn push(&mut self, name: Text, member: Member) {
        self.places.insert(name.clone(), self.members.len());
        self.members.push((name, member));
    }

    /// `is_map`: a file without members is `{}`, not `[]`.
    pub fn finish(self, is_map: bool) -> Node {
        if self.members.is_empty() && !is_map {
            return Node::List(Vec::new());
        }
        let value = |member: Member| match member {
            Member::Typed(entries) => Node::Map(entries),
            Member::Flat { value, .. } => value,
            Member::Listed(entries) => match entries.iter().enumerate().all(|(at, (key, _))| *key == at.to_string()) {
                true => Node::List(entries.into_iter().map(|(_, entry)| entry).collect()),
                false => Node::Map(entries),
            },
        };
        Node::Map(self.members.into_iter().map(|(name, member)| (name, value(member))).collect())
    }
}
