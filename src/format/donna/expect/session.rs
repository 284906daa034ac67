//! A chat's session: what its own file says, if there is one, and what the messages say for it.

use uuid::Uuid;

use crate::format::proof::{Cell, Facts};
use crate::model::{ids, Instant, Value};
use crate::node::Node;

use super::message::{legacy_id, Dialect};
use super::object::{cut, Object};
use super::{when, Trouble};

/// What the session needs to know of the messages.
#[derive(Default)]
pub struct Summary {
    pub count: u64,
    /// The first time that a message gives.
    pub first: Option<Instant>,
    /// The second in the first message's id.
    pub first_uniqid: Option<Instant>,
    /// The last message's time, from it or one before it.
    pub last: Option<Instant>,
    /// Positions of the messages with a flag, ascending.
    pub flagged: Vec<usize>,
}

/// The session of a chat.
pub struct Session {
    pub id: Uuid,
    /// What stands in for the time of messages before the first that gives one.
    pub created: Instant,
    pub cells: Vec<Cell>,
}

/// `source` is the session file's map, or an empty one.
pub fn session(source: &Node, facts: &Facts, summary: &Summary, dialect: &Dialect) -> Result<Session, Trouble> {
    let object = Object { node: source, pointer: "", zone: &facts.zone };
    let id = ids::derive(&["chat_sessions", facts.key]);
    let own_id = legacy_id(object)?;
    let stand_in = summary.first.unwrap_or_else(|| {
        let uniqid = own_id.and_then(when::of_uniqid).or_else(|| when::of_uniqid(facts.key));
        uniqid.or(summary.first_uniqid).unwrap_or(facts.base_time)
    });
    let created = object.time("created_at")?.unwrap_or(stand_in);
    let last = summary.last.unwrap_or(created);
    let last_message = match summary.count {
        0 => object.time_cell("last_message_at")?,
        _ => object.time_or("last_message_at", last)?,
    };
    let title = match object.cut_text("title", 255)? {
        Some(title) => title,
        None => in_metadata(object, "title", 255)?.unwrap_or_else(|| object.null("title")),
    };
    let profile = match object.cut_text("profile", 50)? {
        Some(profile) => Some(profile),
        None => in_metadata(object, "profile", 50)?,
    };
    let derived = |text: &str| Cell::derived(Value::Text(text.into()));
    let count = i64::try_from(summary.count).expect("fewer messages than 2^63");
    let cells = vec![
        Cell::derived(Value::Uuid(id)),
        object.named("chat_id", facts.key, Value::Text(facts.key.to_owned())),
        user(object)?,
        title,
        profile.unwrap_or_else(|| derived(dialect.profile)),
        object.map_cell("metadata")?,
        object.time_or("created_at", stand_in)?,
        object.time_or("updated_at", last)?,
        last_message,
        object.claimed("message_count", count),
        object.cut_text("status", 50)?.unwrap_or_else(|| derived("active")),
    ];
    Ok(Session { id, created, cells })
}

/// The user that the session names: its row's id takes another look.
fn user(object: Object) -> Result<Cell, Trouble> {
    let name = match object.said("user_id") {
        None => return Ok(object.null("user_id")),
        Some(Node::Text(text)) => text,
        Some(Node::Number(spelling)) => spelling,
        Some(_) => return Err(object.wrong("user_id", "a string or a number")),
    };
    Ok(Cell::part_of("user_id", if name.is_empty() { Value::Null } else { Value::Reference(name.to_string()) }))
}

/// Title and profile may stand inside the metadata.
fn in_metadata(object: Object, name: &str, longest: usize) -> Result<Option<Cell>, Trouble> {
    let Some(metadata) = object.node.get("metadata") else { return Ok(None) };
    let within = Object { node: metadata, pointer: "/metadata", ..object };
    Ok(within.text(name)?.map(|text| Cell::derived(Value::Text(cut(text, longest).to_owned()))))
}
