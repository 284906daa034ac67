//! Layout 3: what a session file says, and the row that it makes together with the messages.

use std::collections::HashMap;

use crate::format::DecodeContext;
use crate::json::{Arena, Value as Json};
use crate::model::{Flaw, Instant, Note, Row, Value};

use super::super::members::{Members, Origin, Step};
use super::super::residue::{string, RowResidue};
use super::super::time;
use super::super::user::map_column;
use super::survey::Survey;
use super::{Chat, Dialect};

pub const SESSION_SHAPE: &[&str] =
    &["id", "chat_id", "user_id", "created_at", "updated_at", "last_message_at", "message_count", "metadata"];

/// What the session file says, with `None` where it says nothing.
#[derive(Default)]
pub struct Session<'a> {
    pub legacy_id: Option<&'a str>,
    claimed_chat: Option<String>,
    user: Option<String>,
    title: Option<String>,
    profile: Option<String>,
    status: Option<String>,
    metadata: Option<Option<String>>,
    pub created: Option<Instant>,
    updated: Option<Instant>,
    last_message: Option<Instant>,
    claimed_count: Option<String>,
    /// Kept aside until it is known whether the columns give them back.
    claims: HashMap<&'static str, String>,
    pub residue: RowResidue<'a>,
    pub notes: Vec<Note>,
}

impl<'a> Session<'a> {
    pub fn of(source: Option<&'a (usize, Json<'a>)>, context: &DecodeContext) -> Result<Session<'a>, Flaw> {
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

    pub fn row(&mut self, chat: &Chat, survey: &Survey, dialect: &Dialect) -> Row {
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

    fn kept(&mut self, name: &'static str, json: String) {
        if !self.residue.kept.iter().any(|(kept, _)| *kept == name) {
            self.residue.kept.push((name, json));
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
    let arena = Arena::new();
    let text = match crate::json::parse(json.as_bytes(), &arena) {
        Ok(Json::String(text)) => text.to_owned(),
        _ => json.to_owned(),
    };
    (!text.is_empty()).then_some(text)
}
