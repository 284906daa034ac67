//! Chats (layouts 1, 2 and 3) and conversations (8 and 9): a session and a history.
//!
//! The history flows through message by message. A session that somebody edited comes after it,
//! because what its residue keeps is about the messages.

use crate::format::proof::{Held, HeldRow, Piece, RebuildError, TakePiece};
use crate::model::{Instant, RelPath, Row, Value};
use crate::node::{self, Node};

use super::super::layout::SESSION as SESSION_ROLE;
use super::super::tables;
use super::layout::{Layout, Shape, LEAD, MESSAGE, REPLY, SESSION};
use super::parts::{Part, Parts, Place, Said};
use super::spelling::uniqid;
use super::{column, edited, object, roles};

/// Columns of `chat_sessions`.
const METADATA: usize = 5;
const CREATED: usize = 6;

/// Columns of `messages`.
const MESSAGE_CREATED: usize = 5;
const SEQUENCE: usize = 6;

pub fn rebuild(held: &Held, parts: &mut Parts, take: &mut TakePiece) -> Result<(), RebuildError> {
    let files = Files::of(held);
    let Part { place, mut about, says_rows, added, shapes, rows } = parts.first(&SESSION)?;
    let mut rows = rows.into_iter();
    let (Some((row, said)), None) = (rows.next(), rows.next()) else {
        return Err(place.bad("a chat has one session row"));
    };
    let source = about.take_source(&["session", "message", "uniqid", "mtime"])?;
    let is_empty = match about.take("history") {
        None => false,
        Some(Node::List(items)) if items.is_empty() => true,
        Some(_) => return Err(place.bad("`history` is not []")),
    };
    let marks = about.take_marks(&roles(held))?;
    about.finish()?;
    if files.count() != held.files.len() || files.session.is_some() != (says_rows || (added && files.is_chat)) {
        return Err(place.bad("the session's file and its residue do not fit together"));
    }
    for file in marks {
        take(Piece::Mark { file })?;
    }
    let mut history = History::new(held, &files, row.row.as_deref());
    let session = Session { row, said, shape: &shapes[0], added, source, place };
    let late = session.row.edited || added;
    let session = match late {
        true => Some(session),
        false => {
            session.rebuild(files.session, take)?;
            None
        }
    };
    while let Some(part) = parts.next(history.layout)? {
        if is_empty && !part.added {
            return Err(part.place.bad("messages in a history that has none"));
        }
        history.part(part, take)?;
    }
    if files.history.is_some() && !is_empty && history.seen.all == 0 && !added {
        return Err(place.bad("a history without messages that does not say so"));
    }
    let seen = history.finish(take)?;
    match session {
        Some(session) => session.rebuild_changed(held, &files, &seen, take),
        None => Ok(()),
    }
}

/// The files that a chat has.
struct Files {
    session: Option<usize>,
    history: Option<usize>,
    is_chat: bool,
}

impl Files {
    fn of(held: &Held) -> Files {
        let files = &held.files;
        Files {
            session: files.iter().position(|file| file.role == SESSION_ROLE),
            history: files.iter().position(|file| file.role != SESSION_ROLE),
            is_chat: *held.kind == tables::CHAT,
        }
    }

    fn count(&self) -> usize {
        usize::from(self.session.is_some()) + usize::from(self.history.is_some())
    }
}

/// A file of the chat that the ledger does not know, beside the one that it knows.
fn beside(held: &Held, ending: &str) -> RelPath {
    let directory = held.files.first().and_then(|file| file.path.as_path().parent());
    RelPath::new(directory.unwrap_or("".as_ref()).join(format!("{}{ending}", held.key)))
}

struct Session<'a> {
    row: HeldRow<'a>,
    said: Said,
    shape: &'a Shape,
    added: bool,
    source: Option<&'static str>,
    place: Place,
}

impl Session<'_> {
    fn rebuild(self, file: Option<usize>, take: &mut TakePiece) -> Result<(), RebuildError> {
        let place = self.place.of(self.row.id);
        if let (Some(file), Some(row)) = (file, self.row.row) {
            let value = object::object(self.shape, self.said, &row, None, place)?;
            take(Piece::Whole { file, value })?;
        }
        Ok(())
    }

    /// The session of a row that was edited or added: with a file of its own if it had none.
    fn rebuild_changed(
        mut self,
        held: &Held,
        files: &Files,
        seen: &Seen,
        take: &mut TakePiece,
    ) -> Result<(), RebuildError> {
        let Some(row) = &self.row.row else { return Ok(()) };
        // A conversation has no session file, and nobody would read one.
        if !files.is_chat {
            return Ok(());
        }
        let is_new = self.added || files.session.is_none();
        if is_new {
            self.said.id = Some(Node::text(self.row.id.to_string()));
        }
        let metadata = match row.0.get(METADATA) {
            Some(Value::Json(text)) => node::parse(text.as_bytes()).ok().map(|(value, _)| value),
            _ => None,
        };
        let inherited = |name: &str, longest: usize| {
            let text = metadata.as_ref().and_then(|metadata| metadata.get(name)).and_then(Node::as_text);
            text.map(|text| Value::Text(text.chars().take(longest).collect()))
        };
        let id = self.said.id.as_ref().and_then(Node::as_text).map(str::to_owned);
        let usual = if is_new { "message" } else { "session" };
        let absent = |name: &str| match name {
            "chat_id" => Value::Text(held.key.clone()),
            "created_at" => match self.source.unwrap_or(usual) {
                "message" => Value::time_or_null(seen.first),
                "uniqid" => Value::time_or_null(
                    (id.as_deref().and_then(uniqid)).or_else(|| uniqid(&held.key)).or(seen.first_uniqid),
                ),
                "mtime" => Value::Time(held.base_time),
                _ => Value::Null,
            },
            "updated_at" => seen.last.map_or_else(|| column(row, CREATED), Value::Time),
            "last_message_at" => Value::time_or_null(seen.last),
            "message_count" => Value::Int(seen.present),
            "metadata" => Value::Json("{}".into()),
            "title" => inherited("title", 255).unwrap_or(Value::Null),
            "profile" => inherited("profile", 50).unwrap_or_else(|| Value::Text("general".into())),
            "status" => Value::Text("active".into()),
            _ => Value::Null,
        };
        let place = self.place.of(self.row.id);
        let value = edited::object(&SESSION, self.shape, self.said, row, None, &absent, place)?;
        take(match files.session {
            Some(file) => Piece::Whole { file, value },
            None => Piece::New { path: beside(held, "_session.json"), value },
        })?;
        Ok(())
    }
}

/// What the messages said so far.
#[derive(Default)]
struct Seen {
    /// Messages that the residue or the database knows.
    all: i64,
    /// Of these, the ones that are there.
    present: i64,
    first: Option<Instant>,
    first_uniqid: Option<Instant>,
    last: Option<Instant>,
}

struct History<'a> {
    layout: &'static Layout,
    held: &'a Held,
    file: Option<usize>,
    seen: Seen,
    /// The time of the message before, or of the chat.
    before: Value,
    /// Messages of a history that the ledger does not know.
    new: Vec<Node>,
}

impl<'a> History<'a> {
    fn new(held: &'a Held, files: &Files, session: Option<&Row>) -> History<'a> {
        let layout = match files.is_chat {
            true => &MESSAGE,
            false if held.key.starts_with("mcp/") => &REPLY,
            false => &LEAD,
        };
        let before = session.map_or(Value::Null, |row| column(row, CREATED));
        History { layout, held, file: files.history, seen: Seen::default(), before, new: Vec::new() }
    }

    fn part(&mut self, part: Part, take: &mut TakePiece) -> Result<(), RebuildError> {
        part.about.finish()?;
        if part.rows.is_empty() {
            return Err(part.place.bad("a part without rows"));
        }
        if self.file.is_none() && !part.added {
            return Err(part.place.bad("messages and no history"));
        }
        let mut rows = part.rows;
        if part.added {
            let sequence = |row: &HeldRow| row.row.as_ref().and_then(|row| column(row, SEQUENCE).as_int());
            rows.sort_by_key(|(row, _)| (sequence(row), row.id));
        }
        for (row, mut said) in rows {
            let shape = &part.shapes[said.shape];
            if part.added && shape.has("id") {
                said.id = Some(Node::text(row.id.to_string()));
            }
            self.message(row, said, shape, part.added, part.place, take)?;
        }
        Ok(())
    }

    fn message(
        &mut self,
        held: HeldRow,
        said: Said,
        shape: &Shape,
        added: bool,
        place: Place,
        take: &mut TakePiece,
    ) -> Result<(), RebuildError> {
        let place = place.of(held.id);
        self.seen.all += 1;
        let Some(row) = held.row else { return Ok(()) };
        let created = column(&row, MESSAGE_CREATED);
        if self.seen.present == 0 {
            self.seen.first = created.as_time();
            self.seen.first_uniqid = said.id.as_ref().and_then(Node::as_text).and_then(uniqid);
        }
        self.seen.present += 1;
        self.seen.last = created.as_time().or(self.seen.last);
        let value = if held.edited || added {
            let own_time = said.id.as_ref().and_then(Node::as_text).and_then(uniqid);
            let absent = |name: &str| match name {
                "metadata" | "original" => Value::Json("{}".into()),
                "created_at" | "timestamp" => own_time.map_or_else(|| self.before.clone(), Value::Time),
                "sequence_number" => Value::Int(self.seen.all),
                _ => Value::Null,
            };
            edited::object(self.layout, shape, said, &row, None, &absent, place)?
        } else {
            object::object(shape, said, &row, None, place)?
        };
        self.before = created;
        match self.file {
            Some(file) => take(Piece::Item { file, row: held.id, value })?,
            None => self.new.push(value),
        }
        Ok(())
    }

    fn finish(self, take: &mut TakePiece) -> Result<Seen, RebuildError> {
        match self.file {
            // No message is left, and the file is there all the same.
            Some(file) if self.seen.present == 0 => take(Piece::Whole { file, value: Node::List(Vec::new()) })?,
            None if !self.new.is_empty() => {
                take(Piece::New { path: beside(self.held, ".json"), value: Node::List(self.new) })?
            }
            _ => {}
        }
        Ok(self.seen)
    }
}
