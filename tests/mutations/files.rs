//! The files' side: values, members and messages change, files come and go.

use transload::model::ids;
use transload::node::{self, Node};
use transload::verify::outcome::Cause;

use crate::edits::{of_json, Edit, EDITED};
use crate::mutation::Mutation;
use crate::support::chance::Chance;
use crate::world::{Doc, World};

const TRIES: usize = 40;

/// What is done to a file.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// A value somewhere in it.
    Value(Edit),
    MemberMore,
    MemberLess,
    MessageMore,
    MessageLess,
    MessagesSwapped,
    Deleted,
    Emptied,
    Truncated,
    /// The content of another document's file.
    Replaced,
    Nonsense,
    /// A new document of each kind.
    User,
    Chat,
    Memory,
    /// Spelled in another way: no difference.
    Respelled(Spelling),
}

#[derive(Clone, Copy, Debug)]
pub enum Spelling {
    Blanks,
    Members,
    Escapes,
    Numbers,
    Touched,
    Mark,
}

pub fn all() -> Vec<Change> {
    use Change::*;
    let edits = [Edit::DeepLetter, Edit::LastDigit, Edit::BeyondDouble, Edit::NumberAsText, Edit::NestedEmpty];
    let mut changes: Vec<Change> = edits.into_iter().map(Value).collect();
    changes.extend([MemberMore, MemberLess, MessageMore, MessageLess, MessagesSwapped]);
    changes.extend([Deleted, Emptied, Truncated, Replaced, Nonsense, User, Chat, Memory]);
    use Spelling::*;
    changes.extend([Blanks, Members, Escapes, Numbers, Touched, Mark].map(Respelled));
    changes
}

impl Change {
    pub fn mutation(&self, world: &World, chance: &mut Chance) -> Option<Mutation> {
        (0..TRIES).find_map(|_| self.attempt(world, chance))
    }

    fn attempt(&self, world: &World, chance: &mut Chance) -> Option<Mutation> {
        match self {
            Change::User | Change::Chat | Change::Memory => return Some(self.added(chance)),
            _ => {}
        }
        let doc = &world.docs[chance.below(world.docs.len() as u64) as usize];
        let path = &doc.paths[chance.below(doc.paths.len() as u64) as usize];
        if doc.rejected || path.ends_with(".gz") || !world.source.join(path).is_file() {
            return None;
        }
        let bytes = world.file(path);
        let mut mutation = Mutation {
            what: format!("{self:?} in {path}"),
            documents: vec![doc.id],
            causes: vec![Cause::EditedInFile],
            ..Mutation::default()
        };
        // Users are referred to by what their files say.
        if doc.kind == "users" {
            mutation.also = doc.row.map(|row| world.referring(row)).unwrap_or_default();
            mutation.also.remove(&doc.id);
        }
        let content = match self {
            Change::Deleted => {
                // A document of two files has one left; and one that was refused for the sake of this file is
                // what there is of the document now.
                let is_rival = |other: &&Doc| other.rejected && (&other.kind, &other.key) == (&doc.kind, &doc.key);
                mutation.causes = match (doc.paths.len(), world.docs.iter().find(is_rival)) {
                    (1, None) => vec![Cause::OnlyInDatabase],
                    _ => vec![Cause::EditedInFile, Cause::ExtraRow, Cause::MissingRow],
                };
                let has_rows = !doc.rows.is_empty();
                mutation.silent = !has_rows;
                mutation.files = vec![(path.clone(), None)];
                return Some(mutation);
            }
            Change::Emptied => {
                mutation.causes = vec![Cause::Truncated, Cause::Unreadable, Cause::ExtraRow];
                Vec::new()
            }
            Change::Truncated => {
                mutation.causes = vec![Cause::Truncated, Cause::Unreadable];
                let end = bytes.len() / 2 + chance.below(bytes.len() as u64 / 2) as usize;
                if bytes[end..].trim_ascii().is_empty() || is_log(path) {
                    return None;
                }
                bytes[..end].to_vec()
            }
            Change::Nonsense => {
                mutation.causes = vec![Cause::Unreadable];
                let mut bytes = bytes.clone();
                let at = chance.below(bytes.len() as u64) as usize;
                bytes[at] = 0xFF;
                bytes
            }
            Change::Replaced => {
                let other = replacement(world, doc, path, chance)?;
                // Two kinds of conversations have other members.
                mutation.causes.extend([Cause::MissingRow, Cause::ExtraRow, Cause::Unreadable]);
                // A claimed key may be somebody else's.
                other
            }
            Change::Respelled(spelling) => {
                mutation.silent = true;
                mutation.also.clear();
                spelling.apply(&bytes, path, chance)?
            }
            _ if is_log(path) => return None,
            _ => {
                let node = node::parse(&bytes).ok()?.0;
                let (changed, causes) = self.changed(&node, path, chance)?;
                mutation.causes.extend(causes);
                for place in node::differences(&node, &changed, 3) {
                    // An instant counts to the microsecond, and is one as number and as text.
                    let is_time = ["_at", "timestamp", "interaction"].iter().any(|end| place.pointer.ends_with(end));
                    if is_time && matches!(self, Change::Value(Edit::LastDigit | Edit::NumberAsText)) {
                        return None;
                    }
                    mutation.what.push_str(&format!(" {} {:?} {:?}", place.pointer, place.left, place.right));
                }
                mutation.silent = empty_maps_aside(&node, path) == empty_maps_aside(&changed, path);
                node::line(&changed).into_bytes()
            }
        };
        if content == bytes || world.is_too_large(path, content.len() as u64) {
            return None;
        }
        // The first character may make it a file of another chat.
        let stem = path.rsplit('/').next().and_then(|name| name.strip_suffix(".json")).unwrap_or_default();
        let chat = stem.strip_suffix("_session").filter(|_| is_session(&content) != is_session(&bytes));
        mutation.also.extend(chat.into_iter().flat_map(|chat| [chat, stem]).map(|key| ids::document("chats", key)));
        mutation.files = vec![(path.clone(), Some(content))];
        Some(mutation)
    }

    fn changed(&self, node: &Node, path: &str, chance: &mut Chance) -> Option<(Node, Vec<Cause>)> {
        let is_history = matches!(node, Node::List(items) if !items.is_empty()) && !path.contains("memory/");
        Some(match self {
            Change::Value(edit) => {
                let (node, causes) = of_json(node, *edit, chance)?;
                // What is no value of its column any more makes a document that would be rejected; an
                // id, or a key, makes another row of it.
                let mut causes = causes.to_vec();
                causes.retain(|cause| *cause != EDITED);
                causes.extend([Cause::Unreadable, Cause::MissingRow, Cause::ForeignId]);
                (node, causes)
            }
            Change::MemberMore => {
                let mut node = node.clone();
                let member = ("unheard of".into(), Node::text("x"));
                match &mut node {
                    Node::Map(members) if !path.contains("memory/") => members.push(member),
                    Node::List(items) => match items.first_mut()? {
                        Node::Map(members) => members.push(member),
                        _ => return None,
                    },
                    _ => return None,
                }
                (node, vec![])
            }
            Change::MemberLess => {
                let mut node = node.clone();
                let members = match &mut node {
                    Node::Map(members) => members,
                    Node::List(items) => match items.last_mut()? {
                        Node::Map(members) => members,
                        _ => return None,
                    },
                    _ => return None,
                };
                let at = chance.below(members.len() as u64) as usize;
                if at >= members.len() {
                    return None;
                }
                members.remove(at);
                (node, vec![Cause::Unreadable, Cause::ExtraRow, Cause::MissingRow, Cause::ForeignId, Cause::Null])
            }
            Change::MessageMore if is_history => {
                let Node::List(items) = node else { return None };
                let mut items = items.clone();
                let at = chance.below(items.len() as u64 + 1) as usize;
                let mut message = items[0].clone();
                if let Node::Map(members) = &mut message {
                    members.retain(|(name, _)| name != "id");
                }
                items.insert(at, message);
                (Node::List(items), vec![Cause::MissingRow, Cause::Reordered])
            }
            Change::MessageLess if is_history => {
                let Node::List(items) = node else { return None };
                let mut items = items.clone();
                items.remove(chance.below(items.len() as u64) as usize);
                (Node::List(items), vec![Cause::ExtraRow])
            }
            Change::MessagesSwapped if is_history => {
                let Node::List(items) = node else { return None };
                let mut items = items.clone();
                let (first, second) = (0, items.len() - 1);
                if node::equal(&items[first], &items[second]) {
                    return None;
                }
                items.swap(first, second);
                (Node::List(items), vec![Cause::Reordered])
            }
            _ => return None,
        })
    }

    /// A document that only the files have.
    fn added(&self, chance: &mut Chance) -> Mutation {
        let key = format!("added_{:x}", chance.next());
        let (kind, path, content) = match self {
            Change::User => ("users", format!("users/{key}.json"), "{\"name\":\"Eve\"}"),
            Change::Chat => ("chats", format!("chat_sessions/{key}.json"), "[{\"role\":\"user\",\"content\":\"Hi\"}]"),
            _ => ("memory", format!("memory/{key}.json"), "{\"profile\":{\"a\":{\"value\":1}}}"),
        };
        Mutation {
            what: format!("{self:?} more in the files"),
            files: vec![(path, Some(content.as_bytes().to_vec()))],
            documents: vec![ids::document(kind, &key)],
            causes: vec![Cause::MissingDocument],
            alone: true,
            ..Mutation::default()
        }
    }
}

/// The file with every empty list as a map where a column holds a map: both are one, as PHP has it.
fn empty_maps_aside(node: &Node, path: &str) -> Node {
    let is_map = |name: &str| ["metadata", "profile", "preferences", "original"].contains(&name);
    let object = |node: &Node| match node {
        Node::Map(members) => Node::Map(
            members
                .iter()
                .map(|(name, value)| match value {
                    Node::List(items) if items.is_empty() && is_map(name) => (name.clone(), Node::Map(Vec::new())),
                    value => (name.clone(), value.clone()),
                })
                .collect(),
        ),
        other => other.clone(),
    };
    match node {
        Node::List(items) => Node::List(items.iter().map(object).collect()),
        node if path.contains("memory/") => node.clone(),
        node => object(node),
    }
}

/// Whether what is called a session is taken for one: else it is the history of another chat.
fn is_session(content: &[u8]) -> bool {
    content.trim_ascii_start().first().is_none_or(|first| *first == b'{')
}

fn is_log(path: &str) -> bool {
    path.ends_with(".log")
}

/// What another document of the same kind has in its file of this role.
fn replacement(world: &World, doc: &Doc, path: &str, chance: &mut Chance) -> Option<Vec<u8>> {
    let is_named_so = |path: &str| path.ends_with("_session.json");
    let other = &world.docs[chance.below(world.docs.len() as u64) as usize];
    let same = |other: &&String| is_named_so(other) == is_named_so(path) && !other.ends_with(".gz");
    let found = other.paths.iter().find(same)?;
    if other.rejected || other.kind != doc.kind || other.id == doc.id {
        return None;
    }
    let content = world.file(found);
    let equal = |a: &[u8], b: &[u8]| match (node::parse(a), node::parse(b)) {
        (Ok((a, _)), Ok((b, _))) => node::equal(&a, &b),
        _ => a == b,
    };
    let here = world.file(path);
    (is_session(&content) == is_session(&here) && !equal(&content, &here)).then_some(content)
}

impl Spelling {
    /// The same values in other bytes.
    fn apply(&self, bytes: &[u8], path: &str, chance: &mut Chance) -> Option<Vec<u8>> {
        if matches!(self, Spelling::Touched) {
            return Some([bytes, b"\n"].concat()).filter(|_| !is_log(path));
        }
        if matches!(self, Spelling::Mark) {
            return Some([b"\xEF\xBB\xBF", bytes].concat()).filter(|_| !bytes.starts_with(b"\xEF"));
        }
        if is_log(path) {
            return None;
        }
        let (mut node, _) = node::parse(bytes).ok()?;
        match self {
            Spelling::Members => turned(&mut node),
            Spelling::Numbers => respelled(&mut node, false).then_some(())?,
            _ => {}
        }
        let text = node::line(&node);
        Some(match self {
            Spelling::Blanks => {
                let mut text = Vec::new();
                let style = if chance.below(2) == 0 { node::Style::Indented } else { node::Style::Line };
                node::write(&mut text, &node, style, 0).expect("memory takes all");
                text.push(b' ');
                text
            }
            Spelling::Escapes => escaped(&text).into_bytes(),
            _ => text.into_bytes(),
        })
    }
}

/// Members in the opposite order; the order of memory entries is that of rows, and as free.
fn turned(node: &mut Node) {
    match node {
        Node::Map(members) => {
            members.reverse();
            members.iter_mut().for_each(|(_, value)| turned(value));
        }
        Node::List(items) => items.iter_mut().for_each(turned),
        _ => {}
    }
}

/// `1.1` for `1.10` and the like, inside of JSON columns and members that no column has.
fn respelled(node: &mut Node, is_json: bool) -> bool {
    match node {
        Node::Number(spelling) if is_json && !spelling.contains(['e', 'E']) => {
            *spelling = match spelling.contains('.') {
                true => format!("{spelling}0").into(),
                false => format!("{spelling}.0").into(),
            };
            true
        }
        Node::Map(members) => members.iter_mut().fold(false, |any, (name, value)| {
            let is_json = is_json
                || ["metadata", "value", "profile", "preferences", "original", "context", "mood"]
                    .contains(&name.as_str());
            respelled(value, is_json) | any
        }),
        Node::List(items) => items.iter_mut().fold(false, |any, item| respelled(item, is_json) | any),
        _ => false,
    }
}

/// Every letter `e` inside of strings as an escape.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let (mut inside, mut after_backslash) = (false, false);
    for c in text.chars() {
        match c {
            '"' if !after_backslash => inside = !inside,
            'e' if inside && !after_backslash => {
                escaped.push_str("\\u0065");
                continue;
            }
            _ => {}
        }
        after_backslash = c == '\\' && !after_backslash;
        escaped.push(c);
    }
    escaped
}
