//! A message, in the three ways in which the layouts write one.

use std::collections::HashMap;

use jiff::tz::TimeZone;
use uuid::Uuid;

use crate::format::proof::{Cell, Expected, Facts};
use crate::model::{ids, Instant, Value};
use crate::node::Node;

use super::super::tables::MESSAGES;
use super::object::{cut, Name, Object};
use super::session::{Session, Summary};
use super::{sound, when, Trouble};

/// So begins what flags the user's message before it.
const FLAG: &str = "🚩 Conversation flagged";

/// The names that a layout has for a message's members.
pub struct Dialect {
    /// `None`: the assistant says everything.
    role: Option<Name>,
    content: Name,
    metadata: Name,
    /// The first that says something is the message's time.
    times: [Name; 2],
    /// The session's profile where nobody gives one.
    pub profile: &'static str,
}

/// Layouts 1 and 2.
pub static CHAT: Dialect = Dialect {
    role: Some("role"),
    content: "content",
    metadata: "metadata",
    times: ["created_at", "timestamp"],
    profile: "general",
};

/// Layout 8.
pub static LEAD: Dialect = Dialect { role: Some("from"), profile: "email", ..CHAT };

/// Layout 9.
pub static REPLY: Dialect = Dialect {
    role: None,
    content: "reply",
    metadata: "original",
    times: ["timestamp", "created_at"],
    profile: "email",
};

/// The legacy id as the derived ids have it: a number in its spelling.
pub fn legacy_id<'a>(object: Object<'a>) -> Result<Option<&'a str>, Trouble> {
    match object.said("id") {
        None => Ok(None),
        Some(Node::Text(text) | Node::Number(text)) => Ok(Some(text)),
        Some(_) => Err(object.wrong("id", "a string or a number")),
    }
}

/// Looks through the messages in their order for what the session has to know.
pub struct Survey<'a> {
    dialect: &'static Dialect,
    zone: &'a TimeZone,
    last_of_user: Option<usize>,
    pub summary: Summary,
}

impl<'a> Survey<'a> {
    pub fn new(dialect: &'static Dialect, zone: &'a TimeZone) -> Survey<'a> {
        Survey { dialect, zone, last_of_user: None, summary: Summary::default() }
    }

    /// What is wrong with a message is for [`Messages`] to say.
    pub fn message(&mut self, at: usize, node: &Node) {
        let object = Object { node, pointer: "", zone: self.zone };
        let said = self.dialect.times.into_iter().find_map(|name| object.said(name));
        let given = said.and_then(|member| when::instant(member, self.zone));
        let uniqid = node.get("id").and_then(Node::as_text).and_then(when::of_uniqid);
        let summary = &mut self.summary;
        summary.count += 1;
        summary.first = summary.first.or(given);
        summary.last = given.or(uniqid).or(summary.last);
        if at == 0 {
            summary.first_uniqid = uniqid;
        }
        match self.dialect.role.and_then(|role| node.get(role)).and_then(Node::as_text) {
            Some("user" | "lead") => self.last_of_user = Some(at),
            Some("system") => {
                let content = node.get(self.dialect.content).and_then(Node::as_text);
                let flagged = self.last_of_user.filter(|_| content.is_some_and(|content| content.starts_with(FLAG)));
                summary.flagged.extend(flagged.filter(|at| summary.flagged.last() != Some(at)));
            }
            _ => {}
        }
    }
}

/// Gives the messages' rows, one after the other.
pub struct Messages<'a> {
    chat_id: &'a str,
    session: Uuid,
    dialect: &'static Dialect,
    zone: &'a TimeZone,
    file: usize,
    /// Positions still to come.
    flagged: std::iter::Peekable<std::vec::IntoIter<usize>>,
    /// How often each legacy id came, by the row id that its first message has.
    seen: HashMap<Uuid, u32>,
    /// The time of the message before.
    time: Instant,
}

impl<'a> Messages<'a> {
    pub fn new(
        facts: &'a Facts,
        session: &Session,
        dialect: &'static Dialect,
        file: usize,
        flagged: Vec<usize>,
    ) -> Messages<'a> {
        Messages {
            chat_id: facts.key,
            session: session.id,
            dialect,
            zone: &facts.zone,
            file,
            flagged: flagged.into_iter().peekable(),
            seen: HashMap::new(),
            time: session.created,
        }
    }

    pub fn message(&mut self, at: usize, source: Node) -> Result<Expected, Trouble> {
        let pointer = format!("/{at}");
        sound::check(&source, &pointer, 1)?;
        if !matches!(source, Node::Map(_)) {
            return Err(Trouble::shape(pointer, "expected a map"));
        }
        let position = match i32::try_from(at + 1) {
            Ok(position) => i64::from(position),
            Err(_) => return Err(Trouble::shape(pointer, "more messages than the column counts")),
        };
        let object = Object { node: &source, pointer: &pointer, zone: self.zone };
        let legacy = legacy_id(object)?;
        let id = self.id(legacy, at);
        let id_cell = match object.said("id") {
            None => Cell::derived(Value::Uuid(id)),
            Some(Node::Text(_)) => Cell::from("id", Value::Uuid(id)),
            // Its spelling in quotes would give the same row.
            Some(_) => Cell::part_of("id", Value::Uuid(id)),
        };
        let Some(content) = object.text(self.dialect.content)? else {
            return Err(object.wrong(self.dialect.content, "a string"));
        };
        let created = self.time(object, legacy)?;
        let cells = vec![
            id_cell,
            Cell::derived(Value::Uuid(self.session)),
            self.role(object)?,
            Cell::from(self.dialect.content, Value::Text(content.to_owned())),
            object.map_cell(self.dialect.metadata)?,
            created,
            object.claimed("sequence_number", position),
            tokens(object),
            Cell::derived(Value::Bool(self.flagged.next_if_eq(&at).is_some())),
        ];
        Ok(Expected { table: &MESSAGES, id, cells, file: self.file, pointer, source })
    }

    fn id(&mut self, legacy: Option<&str>, at: usize) -> Uuid {
        let Some(legacy) = legacy else {
            return ids::derive(&["messages", self.chat_id, "position", &(at + 1).to_string()]);
        };
        let of = |occurrence: &str| ids::derive(&["messages", self.chat_id, "id", legacy, occurrence]);
        let first = of("0");
        let before = self.seen.entry(first).or_default();
        *before += 1;
        if *before == 1 {
            first
        } else {
            of(&(*before - 1).to_string())
        }
    }

    fn time(&mut self, object: Object, legacy: Option<&str>) -> Result<Cell, Trouble> {
        let cell = match self.dialect.times.into_iter().find(|name| object.said(name).is_some()) {
            Some(name) => object.time_cell(name)?,
            None => Cell::derived(Value::Time(legacy.and_then(when::of_uniqid).unwrap_or(self.time))),
        };
        self.time = cell.value.as_time().unwrap_or(self.time);
        Ok(cell)
    }

    fn role(&self, object: Object) -> Result<Cell, Trouble> {
        let Some(name) = self.dialect.role else { return Ok(Cell::derived(Value::Text("assistant".into()))) };
        let Some(said) = object.text(name)? else { return Err(object.wrong(name, "a string")) };
        let short = cut(said, 50);
        let (role, whole) = match short {
            _ if name == "role" => (short, short.len() == said.len()),
            "lead" => ("user", true),
            "bot" => ("assistant", true),
            // The column does not tell these from the two above.
            "user" | "assistant" => (short, false),
            _ => (short, short.len() == said.len()),
        };
        Ok(Cell { value: Value::Text(role.to_owned()), member: Some(name), whole })
    }
}

/// A count of tokens is one only if it is written as a whole number that the column holds.
fn tokens(object: Object) -> Cell {
    let name = "token_count";
    match object.said(name) {
        None => object.null(name),
        Some(Node::Number(spelling)) if spelling != "-0" => match spelling.parse::<i32>() {
            Ok(tokens) => Cell::from(name, Value::Int(tokens.into())),
            Err(_) => Cell::part_of(name, Value::Null),
        },
        Some(_) => Cell::part_of(name, Value::Null),
    }
}
