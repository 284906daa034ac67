//! The application's records, and how each is written to a file and to the tables.

use serde_json::{json, Map, Value};
use transload::model::{ids, Instant};
use uuid::Uuid;

/// One side of a change.
#[derive(Clone, Debug)]
pub enum Half {
    /// Paths with their new contents; `None` removes a file.
    Files(Vec<(String, Option<String>)>),
    Rows(Vec<String>),
}

/// A change of one document, to be done to both sides.
#[derive(Clone, Debug)]
pub struct Change {
    pub files: Half,
    pub rows: Half,
}

impl Change {
    fn new(files: Vec<(String, Option<String>)>, rows: Vec<String>) -> Change {
        Change { files: Half::Files(files), rows: Half::Rows(rows) }
    }
}

pub struct Message {
    pub legacy: String,
    pub id: Uuid,
    pub role: &'static str,
    pub content: String,
    pub time: i64,
}

pub struct Chat {
    pub key: String,
    pub id: Uuid,
    /// The user as the file names it.
    pub owner: Option<(String, Uuid)>,
    /// In `metadata` from the beginning, and above it once it was edited.
    pub title: String,
    pub retitled: bool,
    pub created: i64,
    pub updated: i64,
    pub messages: Vec<Message>,
}

pub struct User {
    /// The file's name.
    pub legacy: String,
    pub id: Uuid,
    pub clerk: Option<String>,
    pub email: String,
    pub created: i64,
    pub updated: i64,
    pub entries: Vec<Entry>,
}

pub struct Entry {
    pub key: String,
    pub id: Uuid,
    pub value: String,
    pub time: i64,
}

fn php(time: i64) -> String {
    let fixed = Instant::from_seconds(time).expect("a time of our days").to_fixed();
    format!("{}+00:00", &fixed[..19])
}

fn row_time(time: i64) -> String {
    format!("'{}'", Instant::from_seconds(time).expect("a time of our days").to_fixed())
}

fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("it is JSON")
}

impl Chat {
    pub fn document(&self) -> Uuid {
        ids::document("chats", &self.key)
    }

    pub fn history(&self) -> String {
        let message = |(at, message): (usize, &Message)| {
            json!({
                "id": message.legacy, "role": message.role, "content": message.content, "metadata": [],
                "created_at": php(message.time), "sequence_number": at + 1,
            })
        };
        pretty(&self.messages.iter().enumerate().map(message).collect())
    }

    pub fn session(&self) -> String {
        let last = self.messages.last().map(|message| php(message.time));
        let mut session = json!({
            "id": format!("session of {}", self.key), "chat_id": self.key,
            "user_id": self.owner.as_ref().map(|(name, _)| name), "created_at": php(self.created),
            "updated_at": php(self.updated), "last_message_at": last, "message_count": self.messages.len(),
            "metadata": self.metadata(),
        });
        if self.retitled {
            session["title"] = json!(self.title);
        }
        pretty(&session)
    }

    pub fn files(&self) -> Vec<(String, Option<String>)> {
        vec![
            (format!("chat_sessions/{}.json", self.key), Some(self.history())),
            (format!("chat_sessions/{}_session.json", self.key), Some(self.session())),
        ]
    }

    fn metadata(&self) -> Value {
        json!({"title": if self.retitled { "as it was" } else { &self.title }, "profile": "general"})
    }

    fn row(&self) -> String {
        let last = self.messages.last().map_or_else(|| "NULL".to_owned(), |message| row_time(message.time));
        format!(
            "INSERT INTO chat_sessions (id, chat_id, user_id, title, profile, metadata, created_at, updated_at, \
             last_message_at, message_count) VALUES ('{}', {}, {}, {}, 'general', {}, {}, {}, {last}, {})",
            self.id,
            text(&self.key),
            self.owner.as_ref().map_or_else(|| "NULL".to_owned(), |(_, id)| format!("'{id}'")),
            text(&self.title),
            text(&self.metadata().to_string()),
            row_time(self.created),
            row_time(self.updated),
            self.messages.len(),
        )
    }

    /// `at` counts from 0.
    pub fn message_row(&self, at: usize, message: &Message) -> String {
        format!(
            "INSERT INTO messages (id, chat_session_id, role, content, metadata, created_at, sequence_number) \
             VALUES ('{}', '{}', '{}', {}, '{{}}', {}, {})",
            message.id,
            self.id,
            message.role,
            text(&message.content),
            row_time(message.time),
            at + 1,
        )
    }

    fn touch(&self) -> String {
        let last = self.messages.last().map_or_else(|| "NULL".to_owned(), |message| row_time(message.time));
        format!(
            "UPDATE chat_sessions SET updated_at = {}, last_message_at = {last}, message_count = {} WHERE id = '{}'",
            row_time(self.updated),
            self.messages.len(),
            self.id,
        )
    }

    pub fn made(&self) -> Change {
        let messages = self.messages.iter().enumerate().map(|(at, message)| self.message_row(at, message));
        Change::new(self.files(), [self.row()].into_iter().chain(messages).collect())
    }

    pub fn append(&mut self, message: Message) -> Change {
        self.updated = message.time;
        let row = self.message_row(self.messages.len(), &message);
        self.messages.push(message);
        Change::new(self.files(), vec![row, self.touch()])
    }

    pub fn retitle(&mut self, title: String, now: i64) -> Change {
        (self.title, self.retitled, self.updated) = (title, true, now);
        let (title, metadata) = (text(&self.title), text(&self.metadata().to_string()));
        let row = format!("UPDATE chat_sessions SET title = {title}, metadata = {metadata} WHERE id = '{}'", self.id);
        let session = self.files().remove(1);
        Change::new(vec![session], vec![row, self.touch()])
    }

    pub fn removed(&self) -> Change {
        let gone = self.files().into_iter().map(|(path, _)| (path, None)).collect();
        Change::new(gone, vec![format!("DELETE FROM chat_sessions WHERE id = '{}'", self.id)])
    }
}

impl User {
    pub fn document(&self) -> Uuid {
        ids::document("users", &self.legacy)
    }

    pub fn memory_document(&self) -> Uuid {
        ids::document("memory", &self.legacy)
    }

    pub fn user_file(&self) -> (String, Option<String>) {
        let mut user = Map::new();
        user.insert("id".into(), json!(self.legacy));
        if let Some(clerk) = &self.clerk {
            user.insert("clerk_id".into(), json!(clerk));
        }
        user.insert("email".into(), json!(self.email));
        user.insert("created_at".into(), json!(php(self.created)));
        user.insert("updated_at".into(), json!(php(self.updated)));
        user.insert("last_active_at".into(), json!(php(self.updated)));
        (format!("users/{}.json", self.legacy), Some(pretty(&Value::Object(user))))
    }

    pub fn memory_file(&self) -> (String, Option<String>) {
        let entry = |entry: &Entry| {
            let value = json!({"value": entry.value, "created_at": php(entry.time), "expires_at": null});
            (entry.key.clone(), value)
        };
        let entries: Map<String, Value> = self.entries.iter().map(entry).collect();
        let content = json!({ "profile": entries });
        (format!("memory/{}.json", self.legacy), Some(pretty(&content)))
    }

    fn row(&self) -> String {
        format!(
            "INSERT INTO users (id, clerk_id, email, created_at, updated_at, last_active_at) \
             VALUES ('{}', {}, {}, {}, {}, {})",
            self.id,
            self.clerk.as_ref().map_or_else(|| "NULL".to_owned(), |clerk| text(clerk)),
            text(&self.email),
            row_time(self.created),
            row_time(self.updated),
            row_time(self.updated),
        )
    }

    fn entry_row(&self, entry: &Entry) -> String {
        format!(
            "INSERT INTO user_memory (id, user_id, memory_type, key, value, created_at, updated_at) \
             VALUES ('{}', '{}', 'profile', {}, {}, {}, {})",
            entry.id,
            self.id,
            text(&entry.key),
            text(&json!(entry.value).to_string()),
            row_time(entry.time),
            row_time(entry.time),
        )
    }

    pub fn made(&self) -> Change {
        let entries = self.entries.iter().map(|entry| self.entry_row(entry));
        Change::new(vec![self.user_file(), self.memory_file()], [self.row()].into_iter().chain(entries).collect())
    }

    pub fn touch(&mut self, now: i64) -> Change {
        self.updated = now;
        let time = row_time(now);
        let row = format!("UPDATE users SET updated_at = {time}, last_active_at = {time} WHERE id = '{}'", self.id);
        Change::new(vec![self.user_file()], vec![row])
    }

    pub fn remember(&mut self, key: String, value: String, now: i64) -> Change {
        let row = match self.entries.iter_mut().find(|entry| entry.key == key) {
            Some(entry) => {
                entry.value = value;
                format!(
                    "UPDATE user_memory SET value = {}, updated_at = {} WHERE user_id = '{}' AND key = {}",
                    text(&json!(entry.value).to_string()),
                    row_time(now),
                    self.id,
                    text(&key)
                )
            }
            None => {
                let entry = Entry { key, id: Uuid::new_v4(), value, time: now };
                let row = self.entry_row(&entry);
                self.entries.push(entry);
                row
            }
        };
        Change::new(vec![self.memory_file()], vec![row])
    }

    /// The last entry stays: a memory file without entries says nothing that a table could hold, so
    /// only the ledger can say that such a document is in the database.
    pub fn forget(&mut self) -> Option<Change> {
        if self.entries.len() < 2 {
            return None;
        }
        let entry = self.entries.pop()?;
        let row = format!("DELETE FROM user_memory WHERE user_id = '{}' AND key = {}", self.id, text(&entry.key));
        Some(Change::new(vec![self.memory_file()], vec![row]))
    }

    pub fn removed(&self) -> Change {
        let gone = vec![(self.user_file().0, None), (self.memory_file().0, None)];
        Change::new(gone, vec![format!("DELETE FROM users WHERE id = '{}'", self.id)])
    }
}
