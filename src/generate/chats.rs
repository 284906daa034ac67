//! Chats in all their shapes: sessions, histories, old histories, conversations.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use crate::model::RelPath;

use super::damage::{Act, Damaged, Patch, Place};
use super::php::{date_c, date_plain, uniqid, Json, Style};
use super::plan::{Chat, Form, Owner, User};
use super::rng::{mix, Rng};
use super::text::{self, Language};
use super::tree::Tree;
use super::{map::Map, stream, GenerateError, Making};

/// One message before it is spelled out.
struct Message {
    role: &'static str,
    content: String,
    at: i64,
}

/// Writes the chat's files and says what was damaged.
pub fn write(tree: &Tree, make: &Making, chat: &Chat, owner: &User) -> Result<Option<Damaged>, GenerateError> {
    let (seed, prefix) = (make.options.seed, make.prefix);
    let mut rng = Rng::new(seed, stream::CHAT, chat.number);
    let language = text::language(&mut rng);
    let messages = converse(&mut rng, chat, language);
    let last = messages.last().map_or(chat.started, |message| message.at);
    // Distinct for distinct chats, because both steps are bijections.
    let unique = mix(chat.number ^ seed.rotate_left(32));

    let id = match chat.form {
        Form::Email => {
            let path = format!("conversations/{prefix}lead.{unique:016x}@example.com.json");
            return tree.put(path, &email(&messages), last).map(|()| None);
        }
        Form::Mcp => {
            let path = format!("mcp/storage/conversations/{prefix}{unique:016x}{:016x}.json", rng.next());
            return tree.put(path, &mcp(&messages), last).map(|()| None);
        }
        Form::Default => format!("{prefix}default"),
        Form::EndsInSession => format!("{prefix}weekly_{unique:016x}_session"),
        Form::Present(Owner::Guest) => format!("{prefix}guest-{}", chat.started),
        _ => format!("{prefix}chat_{unique:016x}"),
    };
    let history = match chat.form {
        Form::SessionOnly => None,
        Form::OldTimed | Form::OldPlain => Some(old_history(&messages, chat.form == Form::OldTimed, chat.number)),
        _ => Some(history(&mut rng, &messages, item_patch(chat).as_ref())),
    };
    let session = match chat.form {
        Form::HistoryOnly | Form::OldTimed | Form::OldPlain => None,
        _ => Some(session(&mut rng, prefix, &id, chat, owner, language, &messages)),
    };
    place(tree, chat, &id, history, session, last)
}

/// Puts the files where they belong, or where the damage wants them.
fn place(
    tree: &Tree,
    chat: &Chat,
    id: &str,
    history: Option<Vec<u8>>,
    session: Option<Vec<u8>>,
    last: i64,
) -> Result<Option<Damaged>, GenerateError> {
    let place = match &chat.damage.map(|(kind, _)| &kind.act) {
        Some(Act::Place(place)) => Some(*place),
        _ => None,
    };
    let stem = match place {
        Some(Place::HostileName) => format!("{id} \"it's\"\n'); DROP TABLE users; --"),
        _ => id.to_owned(),
    };
    let mut history_path = PathBuf::from(format!("chat_sessions/{stem}.json"));
    let session_path = PathBuf::from(format!("chat_sessions/{stem}_session.json"));
    if place == Some(Place::NotUtf8) {
        // Without a session: the name of that file would be no key either.
        let name = [b"chat_sessions/".as_slice(), id.as_bytes(), b"\xFF\xFE.json"].concat();
        history_path = PathBuf::from(OsString::from_vec(name));
    } else if let Some(session) = session {
        tree.put(&session_path, &session, last)?;
    }
    if let Some(mut history) = history {
        if let Some(Act::Bytes(spoil)) = chat.damage.map(|(kind, _)| &kind.act) {
            history = spoil(history);
        }
        tree.put(&history_path, &history, last)?;
        if place == Some(Place::DataTwin) {
            tree.put(PathBuf::from("data").join(&history_path), &history, last)?;
        }
    }
    let Some((kind, _)) = chat.damage else { return Ok(None) };
    let link = PathBuf::from(format!("chat_sessions/{stem}-link.json"));
    let damaged = match place {
        Some(Place::DataTwin) => PathBuf::from("data").join(history_path),
        Some(Place::DanglingLink) => {
            tree.link(&link, "gone.json")?;
            link
        }
        Some(Place::LoopingLink) => {
            let link = PathBuf::from(format!("chat_sessions/{stem}-loop"));
            tree.link(&link, "../chat_sessions")?;
            link
        }
        Some(Place::Unreadable) => {
            tree.forbid_reading(&history_path)?;
            history_path
        }
        _ if matches!(kind.act, Act::Session(_)) => session_path,
        _ => history_path,
    };
    Ok(Some(Damaged { path: RelPath::new(damaged), kind: kind.name, expected: kind.expected }))
}

fn item_patch(chat: &Chat) -> Option<Patch> {
    match chat.damage.map(|(kind, _)| &kind.act) {
        Some(Act::Item(patch)) => Some(patch()),
        _ => None,
    }
}

fn converse(rng: &mut Rng, chat: &Chat, language: Language) -> Vec<Message> {
    let flagged = (chat.number % 50 == 7 && chat.messages > 2).then_some(1);
    let mut at = chat.started;
    (0..chat.messages)
        .map(|number| {
            let by_assistant = number % 2 == 1;
            let length = text::length(rng, by_assistant);
            let mut content = text::message(rng, language, length);
            let mut role = if by_assistant { "assistant" } else { "user" };
            if flagged == Some(number) {
                role = "system";
                content = "🚩 Conversation flagged for review".to_owned();
            }
            at += 1 + rng.skewed(900, 3) as i64;
            Message { role, content, at }
        })
        .collect()
}

/// Layout 2. The patch goes to the message in the middle.
fn history(rng: &mut Rng, messages: &[Message], patch: Option<&Patch>) -> Vec<u8> {
    let mut json = Json::new(Style::Present);
    json.open('[');
    for (at, message) in messages.iter().enumerate() {
        json.item();
        Map::write(&mut json, patch.filter(|_| at == messages.len() / 2), |map| {
            map.string("id", &uniqid(message.at, rng));
            map.string("role", message.role);
            map.string("content", &message.content);
            match rng.below(20) {
                0 => map.map("metadata", |map| {
                    map.string("model", "vendor/model-4.1");
                    map.raw("temperature", rng.pick(&["0.7", "1", "0.25", "1.0e-6"]));
                    map.map("usage", |map| {
                        map.number("prompt_tokens", rng.below(5000));
                        map.number("completion_tokens", rng.below(2000));
                    });
                }),
                1 => map.map("metadata", |map| map.raw("voice", "true")),
                _ => map.raw("metadata", "[]"),
            }
            map.string("created_at", &date_c(message.at));
            map.number("sequence_number", at + 1);
        });
    }
    json.close(']');
    json.into_bytes()
}

/// Layout 1, one line with everything beyond ASCII escaped; some with an integer id.
fn old_history(messages: &[Message], timed: bool, number: u64) -> Vec<u8> {
    let mut json = Json::new(Style::Old);
    json.open('[');
    for (at, message) in messages.iter().enumerate() {
        json.item();
        Map::write(&mut json, None, |map| {
            if number % 400 < 200 {
                map.number("id", at);
            }
            map.string("role", message.role);
            map.string("content", &message.content);
            if timed {
                map.string("timestamp", &date_c(message.at).replace("+00:00", "Z"));
            }
        });
    }
    json.close(']');
    json.into_bytes()
}

/// Layout 3. Some sessions were updated later and say things at the top level.
fn session(
    rng: &mut Rng,
    prefix: &str,
    id: &str,
    chat: &Chat,
    owner: &User,
    language: Language,
    messages: &[Message],
) -> Vec<u8> {
    let patch = match chat.damage.map(|(kind, _)| &kind.act) {
        Some(Act::Session(patch)) => Some(patch()),
        _ => None,
    };
    let user = match (chat.form, &owner.clerk_id) {
        (Form::Present(Owner::Guest) | Form::Default, _) => None,
        (Form::Present(Owner::Unknown), _) => Some(format!("{prefix}user_gone{:08x}", rng.below(1 << 32))),
        (Form::Present(Owner::ClerkId), Some(clerk_id)) => Some(clerk_id.clone()),
        _ => Some(owner.id.clone()),
    };
    let last = messages.last().map(|message| message.at);
    let mut json = Json::new(Style::Present);
    Map::write(&mut json, patch.as_ref(), |map| {
        map.string("id", &uniqid(chat.started, rng));
        map.string("chat_id", id);
        match &user {
            Some(user) => map.string("user_id", user),
            None => map.raw("user_id", "null"),
        }
        map.string("created_at", &date_c(chat.started));
        map.string("updated_at", &date_c(last.unwrap_or(chat.started)));
        match last {
            Some(last) => map.string("last_message_at", &date_c(last)),
            None => map.raw("last_message_at", "null"),
        }
        map.number("message_count", messages.len());
        match rng.below(10) {
            0 => map.raw("metadata", "[]"),
            _ => map.map("metadata", |map| {
                map.string("title", &text::title(rng, language));
                map.string("profile", rng.pick(&["general", "general", "sales", "support/tier 1"]));
            }),
        }
        // Left alone where damage adds a title of its own.
        if chat.damage.is_none() && rng.percent(12) {
            map.string("title", &text::title(rng, language));
            map.string("status", rng.pick(&["active", "archived"]));
        }
    });
    json.into_bytes()
}

/// Layout 8.
fn email(messages: &[Message]) -> Vec<u8> {
    let mut json = Json::new(Style::Present);
    json.open('[');
    for message in messages {
        json.item();
        Map::write(&mut json, None, |map| {
            map.string("from", if message.role == "user" { "lead" } else { "bot" });
            map.string("content", &message.content);
        });
    }
    json.close(']');
    json.into_bytes()
}

/// Layout 9.
fn mcp(messages: &[Message]) -> Vec<u8> {
    let mut json = Json::new(Style::Present);
    json.open('[');
    for (at, message) in messages.iter().enumerate() {
        json.item();
        Map::write(&mut json, None, |map| {
            match at % 3 {
                0 => map.raw("original", "[]"),
                _ => map.map("original", |map| {
                    map.string("from", "lead@example.com");
                    map.string("subject", "Re: order/invoice");
                }),
            }
            map.string("reply", &message.content);
            map.string("timestamp", &date_plain(message.at));
            map.string("session_id", "default");
        });
    }
    json.close(']');
    json.into_bytes()
}
