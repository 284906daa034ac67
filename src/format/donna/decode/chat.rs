//! Chats: layouts 1, 2 and 3 (a history and its session file), and the conversations 8 and 9.
//!
//! Two passes over the history: the first finds what the session row needs to know of all
//! messages (count, times, flags), the second makes the rows. So a history of any size flows
//! through in parts, and its session row comes first, as the foreign key wants it.

use std::collections::HashMap;

use uuid::Uuid;

use crate::format::{DecodeContext, Emit, Open};
use crate::json::Value as Json;
use crate::model::{ids, DecodeError, Decoded, Document, FileLayout, Flaw, Instant, Note, Part, Reason, Row, Value};

use super::super::layout::SESSION;
use super::super::tables::{CHAT_SESSIONS, CONVERSATION, MESSAGES};
use super::content::{each_element, list, parse, send, whole, List};
use super::members::{check_key, Members, Origin, Step};
use super::residue::{string, PartResidue, RowResidue};
use super::time;
use super::user::map_column;

/// A system message that begins so flags the user's message before it.
const FLAG: &str = "🚩 Conversation flagged";

/// Notes are for people: after so many of one document the rest is only counted by its rows.
const MOST_NOTES: usize = 100;

const SESSION_SHAPE: &[&str] =
    &["id", "chat_id", "user_id", "created_at", "updated_at", "last_message_at", "message_count", "metadata"];
const MESSAGE_SHAPE: &[&str] = &["id", "role", "content", "metadata", "created_at", "sequence_number"];

/// How a layout usually spells an instant; `None` if it cannot.
type Spelling = fn(Instant) -> Option<String>;

/// What a layout calls the members of a message.
struct Dialect {
    name: &'static str,
    /// `None`: every message is the assistant's.
    role: Option<&'static str>,
    content: &'static str,
    metadata: &'static str,
    /// The first that is given counts; each with its usual spelling.
    times: &'static [(&'static str, Spelling)],
    shape: &'static [&'static str],
    profile: &'static str,
}

static CHAT: Dialect = Dialect {
    name: "2 chat history",
    role: Some("role"),
    content: "content",
    metadata: "metadata",
    times: &[("created_at", time::php), ("timestamp", time::zulu)],
    shape: MESSAGE_SHAPE,
    profile: "general",
};

static LEAD: Dialect = Dialect {
    name: "8 conversation",
    role: Some("from"),
    content: "content",
    metadata: "metadata",
    times: &[("created_at", time::php), ("timestamp", time::zulu)],
    shape: &["from", "content"],
    profile: "email",
};

static REPLY: Dialect = Dialect {
    name: "9 mail conversation",
    role: None,
    content: "reply",
    metadata: "original",
    times: &[("timestamp", time::plain), ("created_at", time::php)],
    shape: &["original", "reply", "timestamp", "session_id"],
    profile: "email",
};

pub fn decode(
    document: &Document,
    open: &Open,
    context: &DecodeContext,
    emit: &mut Emit,
) -> Result<Decoded, DecodeError> {
    let dialect = match &document.key {
        _ if *document.kind != CONVERSATION => &CHAT,
        key if key.starts_with("mcp/") => &REPLY,
        _ => &LEAD,
    };
    let chat_id = document.key.as_str();
    let session_file = document.files.iter().position(|file| file.role == SESSION);
    let history_file = document.files.iter().position(|file| file.role != SESSION);
    check_key(chat_id, 255, Origin { file: 0, steps: &[] }, None)?;
    let mut notes = Vec::new();
    let mut marked = Vec::new();
    let mut note_bom = |file: usize, bom: bool| {
        if bom {
            notes.push(Note { code: "bom", pointer: String::new() });
            marked.push(document.files[file].role);
        }
    };

    let session_value = match session_file {
        None => None,
        Some(file) => {
            let (value, bom) = parse(whole(open, file)?, file)?;
            note_bom(file, bom);
            if !matches!(value, Json::Object(_)) {
                return Err(Origin { file, steps: &[] }.wrong_type(None, "an object", &value).into());
            }
            Some((file, value))
        }
    };
    let history = match history_file {
        None => None,
        Some(file) => {
            let (list, bom) = list(open, file)?;
            note_bom(file, bom);
            Some((file, list))
        }
    };
    let mut session = Session::of(session_value.as_ref(), context)?;
    let survey = match &history {
        None => Survey::default(),
        Some((file, list)) => survey(list, open, *file, dialect, context)?,
    };
    let chat = Chat::new(chat_id, &session, &survey, context);
    let row = session.row(&chat, &survey, dialect);
    notes.append(&mut session.notes);

    let mut residue = PartResidue::new(SESSION_SHAPE);
    let usual = if session_file.is_some() { "session" } else { "message" };
    if chat.created_from != usual {
        residue.about_document("created_at", string(chat.created_from));
    }
    if history_file.is_some() && survey.count == 0 {
        // No message stands for the file.
        residue.about_document("history", "[]");
    }
    residue.about_marks(&marked);
    if session_file.is_some() {
        residue.push(session.residue);
    }
    send(emit, Part { table: &CHAT_SESSIONS, rows: vec![row], residue: residue.finish() })?;

    let mut files = vec![FileLayout { layout: "3 chat session", records: 1 }; document.files.len()];
    if let Some((file, list)) = &history {
        let layout = match survey.is_old && std::ptr::eq(dialect, &CHAT) {
            true => "1 chat history, old",
            false => dialect.name,
        };
        files[*file] = FileLayout { layout, records: survey.count };
        let mut writer = Messages::new(&chat, dialect, &survey, *file, context, emit);
        each_element::<DecodeError>(list, open, *file, &mut |at, value| writer.message(at, value))?;
        notes.append(&mut writer.finish()?);
    }
    Ok(Decoded { files, notes })
}

/// What the session file says, with `None` where it says nothing.
#[derive(Default)]
struct Session {
    legacy_id: Option<String>,
    claimed_chat: Option<String>,
    user: Option<String>,
    title: Option<String>,
    profile: Option<String>,
    status: Option<String>,
    metadata: Option<Option<String>>,
    created: Option<Instant>,
    updated: Option<Instant>,
    last_message: Option<Instant>,
    claimed_count: Option<String>,
    /// Kept aside until it is known whether the columns give them back.
    claims: HashMap<&'static str, String>,
    residue: RowResidue,
    notes: Vec<Note>,
}

impl Session {
    fn of(source: Option<&(usize, Json)>, context: &DecodeContext) -> Result<Session, Flaw> {
        let Some((file, value)) = source else { return Ok(Session::default()) };
        let origin = Origin { file: *file, steps: &[] };
        let mut members = Members::of(value, origin, context)?;
        let mut session = Session {
            legacy_id: members.legacy_id()?,
            claimed_chat: match members.take("chat_id") {
                Some(Json::String(text)) => Some(text.to_string()),
                Some(_) => {
                    members.keep("chat_id");
                    None
                }
                None => None,
            },
            user: reference(&mut members)?,
            status: members.text("status", 50)?,
            created: members.time("created_at", time::php)?,
            updated: members.time("updated_at", time::php)?,
            last_message: members.time("last_message_at", time::php)?,
            ..Session::default()
        };
        session.title = members.text("title", 255)?;
        session.profile = members.text("profile", 50)?;
        session.claimed_count = members.take("message_count").map(crate::json::to_compact);
        session.metadata = members.map("metadata")?;
        // What a null says is lost when the column shows something derived instead.
        for name in ["title", "profile", "status", "created_at", "updated_at", "last_message_at"] {
            if members.peek(name) == Some(&Json::Null) {
                session.claims.insert(name, "null".into());
            }
        }
        let metadata = members.peek("metadata");
        (session.residue, session.notes) = members.finish();
        if let Some(metadata) = metadata {
            session.inherit(metadata, origin)?;
        }
        Ok(session)
    }

    /// Title and profile from the metadata, which keep them, too.
    fn inherit(&mut self, metadata: &Json, origin: Origin) -> Result<(), Flaw> {
        let steps = [Step::Key("metadata")];
        let within = Origin { file: origin.file, steps: &steps };
        let mut cut = |name: &str, longest: usize| match metadata.get(name) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::String(text)) => {
                let end = text.char_indices().nth(longest).map(|(end, _)| end);
                if end.is_some() {
                    self.notes.push(Note { code: "cut", pointer: within.pointer(Some(name)) });
                }
                Ok(Some(text[..end.unwrap_or(text.len())].to_owned()))
            }
            Some(other) => Err(within.wrong_type(Some(name), "a string", other)),
        };
        if self.title.is_none() {
            self.title = cut("title", 255)?;
        }
        if self.profile.is_none() {
            self.profile = cut("profile", 50)?;
        }
        Ok(())
    }

    fn row(&mut self, chat: &Chat, survey: &Survey, dialect: &Dialect) -> Row {
        let has_messages = survey.count > 0;
        let last = survey.last.unwrap_or(chat.created);
        let last_message = self.last_message.or(has_messages.then_some(last));
        let updated = self.updated.unwrap_or(last);
        let count = i64::try_from(survey.count).expect("fewer messages than 2^63");
        let profile = self.profile.clone().unwrap_or_else(|| dialect.profile.to_owned());
        let status = self.status.clone().unwrap_or_else(|| "active".to_owned());
        // Claims that the columns contradict.
        if self.claimed_chat.as_deref().is_some_and(|claim| claim != chat.id) {
            self.kept("chat_id", string(self.claimed_chat.as_deref().unwrap_or_default()));
        }
        if let Some(claim) = self.claimed_count.take().filter(|claim| *claim != count.to_string()) {
            self.kept("message_count", claim);
        }
        if let Some(user) = self.user.clone() {
            // The column holds a row's id, from which the legacy reference does not follow.
            self.kept("user_id", user);
        }
        for (name, shown) in [
            ("title", self.title.is_some()),
            ("profile", true),
            ("status", true),
            ("created_at", true),
            ("updated_at", true),
            ("last_message_at", last_message.is_some()),
        ] {
            if let Some(claim) = self.claims.remove(name).filter(|_| shown) {
                self.kept(name, claim);
            }
        }
        let reference = self.user.as_deref().and_then(plain_text);
        Row(vec![
            Value::Uuid(chat.row),
            Value::Text(chat.id.to_owned()),
            reference.map_or(Value::Null, Value::Reference),
            Value::text_or_null(self.title.clone()),
            Value::Text(profile),
            map_column(self.metadata.take()),
            Value::Time(chat.created),
            Value::Time(updated),
            Value::time_or_null(last_message),
            Value::Int(count),
            Value::Text(status),
        ])
    }

    fn kept(&mut self, name: &str, json: String) {
        if !self.residue.kept.iter().any(|(kept, _)| kept == name) {
            self.residue.kept.push((name.to_owned(), json));
        }
    }
}

/// The user that a session names, as JSON: a string, or a number in its spelling.
fn reference(members: &mut Members) -> Result<Option<String>, Flaw> {
    match members.take("user_id") {
        None | Some(Json::Null) => Ok(None),
        Some(value @ (Json::String(_) | Json::Number(_))) => Ok(Some(crate::json::to_compact(value))),
        Some(other) => Err(members.origin().wrong_type(Some("user_id"), "a string or a number", other)),
    }
}

/// A reference's text; an empty one refers to nobody.
fn plain_text(json: &str) -> Option<String> {
    let text = match crate::json::parse(json.as_bytes()) {
        Ok(Json::String(text)) => text.into_owned(),
        _ => json.to_owned(),
    };
    (!text.is_empty()).then_some(text)
}

/// What the session row needs to know of all messages.
#[derive(Default)]
struct Survey {
    count: u64,
    /// The first time that a message gives.
    first_given: Option<Instant>,
    /// From the first message's id.
    first_uniqid: Option<Instant>,
    /// The last message's time, given or derived; `None` if no message has one before it.
    last: Option<Instant>,
    /// Positions of flagged messages, ascending.
    flagged: Vec<usize>,
    /// Whether the first message has none of the new layout's members.
    is_old: bool,
}

fn survey(
    list: &List,
    open: &Open,
    file: usize,
    dialect: &Dialect,
    context: &DecodeContext,
) -> Result<Survey, DecodeError> {
    let mut survey = Survey::default();
    let mut last_user = None;
    each_element::<DecodeError>(list, open, file, &mut |at, value| {
        let given = dialect.times.iter().find_map(|(name, _)| {
            value.get(name).filter(|value| **value != Json::Null).and_then(|value| time::instant(value, &context.zone))
        });
        let uniqid = value.get("id").and_then(Json::as_str).and_then(time::from_uniqid);
        if at == 0 {
            survey.first_uniqid = uniqid;
            survey.is_old = value.get("sequence_number").is_none() && value.get("metadata").is_none();
        }
        survey.count += 1;
        survey.first_given = survey.first_given.or(given);
        survey.last = given.or(uniqid).or(survey.last);
        let role = dialect.role.and_then(|role| value.get(role)).and_then(Json::as_str).map(map_role);
        match role {
            Some("user") => last_user = Some(at),
            Some("system") => {
                let content = value.get(dialect.content).and_then(Json::as_str);
                if content.is_some_and(|content| content.starts_with(FLAG)) {
                    // Two flags in a row flag the same message.
                    survey.flagged.extend(last_user.filter(|at| survey.flagged.last() != Some(at)));
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(survey)
}

/// What every message of the chat needs to know of it.
struct Chat<'a> {
    id: &'a str,
    row: Uuid,
    created: Instant,
    /// `session`, `message`, `uniqid` or `mtime`.
    created_from: &'static str,
}

impl<'a> Chat<'a> {
    fn new(id: &'a str, session: &Session, survey: &Survey, context: &DecodeContext) -> Chat<'a> {
        let uniqid = session.legacy_id.as_deref().and_then(time::from_uniqid).or_else(|| time::from_uniqid(id));
        let (created, created_from) = match (session.created, survey.first_given, uniqid.or(survey.first_uniqid)) {
            (Some(created), _, _) => (created, "session"),
            (None, Some(first), _) => (first, "message"),
            (None, None, Some(uniqid)) => (uniqid, "uniqid"),
            (None, None, None) => (context.base_time, "mtime"),
        };
        Chat { id, row: row_id(id), created, created_from }
    }
}

/// The id of the chat session with this chat id.
pub fn row_id(chat_id: &str) -> Uuid {
    ids::derive(&["chat_sessions", chat_id])
}

/// Makes the rows of the messages and cuts them into parts.
struct Messages<'a, 'e> {
    chat: &'a Chat<'a>,
    dialect: &'static Dialect,
    survey: &'a Survey,
    file: usize,
    context: &'a DecodeContext,
    emit: &'a mut Emit<'e>,
    /// How often an id was used so far in this chat. Keyed by the id's derived UUID, so that a
    /// huge chat costs 20 bytes a message here.
    occurrences: HashMap<Uuid, u32>,
    before: Instant,
    rows: Vec<Row>,
    weight: usize,
    residue: PartResidue,
    notes: Vec<Note>,
    /// Index into `survey.flagged`.
    next_flag: usize,
}

impl<'a, 'e> Messages<'a, 'e> {
    fn new(
        chat: &'a Chat,
        dialect: &'static Dialect,
        survey: &'a Survey,
        file: usize,
        context: &'a DecodeContext,
        emit: &'a mut Emit<'e>,
    ) -> Messages<'a, 'e> {
        Messages {
            chat,
            dialect,
            survey,
            file,
            context,
            emit,
            occurrences: HashMap::new(),
            before: chat.created,
            rows: Vec::new(),
            weight: 0,
            residue: PartResidue::new(dialect.shape),
            notes: Vec::new(),
            next_flag: 0,
        }
    }

    fn message(&mut self, at: usize, value: &Json) -> Result<(), DecodeError> {
        let steps = [Step::Index(at)];
        let origin = Origin { file: self.file, steps: &steps };
        if !matches!(value, Json::Object(_)) {
            return Err(origin.wrong_type(None, "an object", value).into());
        }
        let mut members = Members::of(value, origin, self.context)?;
        let legacy_id = members.legacy_id()?;
        let role = self.role(&mut members)?;
        let Some(content) = members.string(self.dialect.content)? else {
            return Err(missing(&members, self.dialect.content).into());
        };
        let metadata = members.map(self.dialect.metadata)?;
        let given = self.given_time(&mut members)?;
        let created = given.or_else(|| legacy_id.as_deref().and_then(time::from_uniqid)).unwrap_or(self.before);
        self.before = created;
        let position = i64::try_from(at + 1).expect("fewer messages than 2^63");
        if position > i64::from(i32::MAX) {
            return Err(origin.flaw(Reason::NumberOutOfRange, None, "more messages than the column counts").into());
        }
        let claim = members.take("sequence_number").map(crate::json::to_compact);
        if claim.is_some_and(|claim| claim != position.to_string()) {
            members.keep("sequence_number");
        }
        let tokens = members.peek("token_count").and_then(small_int);
        if tokens.is_some() {
            members.take("token_count");
        }
        let flagged = self.survey.flagged.get(self.next_flag) == Some(&at);
        self.next_flag += usize::from(flagged);
        let row = Row(vec![
            Value::Uuid(self.id(legacy_id.as_deref(), at)),
            Value::Uuid(self.chat.row),
            Value::Text(role),
            Value::Text(content.to_owned()),
            map_column(metadata),
            Value::Time(created),
            Value::Int(position),
            tokens.map_or(Value::Null, Value::Int),
            Value::Bool(flagged),
        ]);
        let (residue, notes) = members.finish();
        self.notes.extend(notes.into_iter().take(MOST_NOTES.saturating_sub(self.notes.len())));
        self.push(row, residue)
    }

    fn role(&self, members: &mut Members) -> Result<String, Flaw> {
        let Some(name) = self.dialect.role else { return Ok("assistant".into()) };
        let Some(role) = members.text(name, 50)? else { return Err(missing(members, name)) };
        if name == "from" {
            // Only `lead` and `bot` come back from the roles that they become.
            if !matches!(role.as_str(), "lead" | "bot") && unmapped(map_role(&role)) != role {
                members.keep(name);
            }
        }
        Ok(match name {
            "from" => map_role(&role).to_owned(),
            _ => role,
        })
    }

    /// The first time that the message gives; others stay residue.
    fn given_time(&self, members: &mut Members) -> Result<Option<Instant>, Flaw> {
        for (name, usual) in self.dialect.times {
            match members.peek(name) {
                None => {}
                Some(Json::Null) => members.keep(name),
                Some(_) => return members.time(name, *usual),
            }
        }
        Ok(None)
    }

    fn id(&mut self, legacy: Option<&str>, at: usize) -> Uuid {
        let Some(legacy) = legacy else {
            return ids::derive(&["messages", self.chat.id, "position", &(at + 1).to_string()]);
        };
        let first = ids::derive(&["messages", self.chat.id, "id", legacy, "0"]);
        let count = self.occurrences.entry(first).or_insert(0);
        let occurrence = *count;
        *count += 1;
        match occurrence {
            0 => first,
            n => ids::derive(&["messages", self.chat.id, "id", legacy, &n.to_string()]),
        }
    }

    fn push(&mut self, row: Row, residue: RowResidue) -> Result<(), DecodeError> {
        self.weight += row.weight();
        self.rows.push(row);
        self.residue.push(residue);
        match self.rows.len() >= self.context.part_rows || self.weight >= self.context.part_bytes {
            true => self.flush(),
            false => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<(), DecodeError> {
        let residue = std::mem::replace(&mut self.residue, PartResidue::new(self.dialect.shape)).finish();
        let rows = std::mem::take(&mut self.rows);
        self.weight = 0;
        send(self.emit, Part { table: &MESSAGES, rows, residue })
    }

    fn finish(mut self) -> Result<Vec<Note>, DecodeError> {
        if !self.rows.is_empty() {
            self.flush()?;
        }
        Ok(self.notes)
    }
}

fn missing(members: &Members, name: &str) -> Flaw {
    let detail = format!("expected a string as `{name}`");
    match members.peek(name) {
        // null where text is due
        Some(value) => members.origin().wrong_type(Some(name), "a string", value),
        None => members.origin().flaw(Reason::MissingMember, None, detail),
    }
}

/// The roles of layout 8 as the table knows them.
fn map_role(role: &str) -> &str {
    match role {
        "lead" => "user",
        "bot" => "assistant",
        other => other,
    }
}

/// The inverse of [`map_role`].
fn unmapped(role: &str) -> &str {
    match role {
        "user" => "lead",
        "assistant" => "bot",
        other => other,
    }
}

fn small_int(value: &Json) -> Option<i64> {
    match value {
        Json::Number(spelling) => spelling.parse::<i32>().ok().filter(|_| *spelling != "-0").map(i64::from),
        _ => None,
    }
}
