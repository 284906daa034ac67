//! Chats: layouts 1, 2 and 3 (a history and its session file), and the conversations 8 and 9.
//!
//! Two passes over the history: the first finds what the session row needs to know of all
//! messages (count, times, flags), the second makes the rows. So a history of any size flows
//! through in parts, and its session row comes first, as the foreign key wants it.

mod messages;
mod session;
mod survey;

use uuid::Uuid;

use crate::format::{DecodeContext, Emit, Open};
use crate::json::{Arena, Value as Json};
use crate::model::{ids, DecodeError, Decoded, Document, FileLayout, Instant, Note, Part};

use super::super::layout::SESSION;
use super::super::tables::{CHAT_SESSIONS, CONVERSATION};
use super::content::{each_element, list, parse, send, whole};
use super::members::{check_key, Origin};
use super::residue::{string, PartResidue};
use super::time::{self, Spelling};

use messages::Messages;
use session::{Session, SESSION_SHAPE};
use survey::{survey, Survey};

const MESSAGE_SHAPE: &[&str] = &["id", "role", "content", "metadata", "created_at", "sequence_number"];

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

    let arena = Arena::new();
    let session_value = match session_file {
        None => None,
        Some(file) => {
            let (value, bom) = parse(whole(open, file)?, file, &arena)?;
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
            let (list, bom) = list(open, file, &arena)?;
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
        let uniqid = session.legacy_id.and_then(time::from_uniqid).or_else(|| time::from_uniqid(id));
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
