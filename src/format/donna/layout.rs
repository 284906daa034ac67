//! Which file is what, from its path alone (LAYOUTS.md, part donna).
//!
//! The directories may stand in the source root or in a `data` directory below it, as the
//! application's own root has them.

use std::borrow::Cow;

use crate::model::{ids, Class, Document, DocumentKind, FileRole, Membership, Phase, RelPath, Row, Table, Value};

use super::tables;

pub const SESSION: FileRole = FileRole("session");
pub const HISTORY: FileRole = FileRole("history");
pub const WHOLE: FileRole = FileRole("whole");

/// Memory files whose writers swapped type, key and value (layout 7).
const SWAPPED: [&str; 3] = ["system_oauth", "email_system", "mcp_system"];

/// Files of the application's root that hold settings and secrets (layout 14).
const SETTINGS: [&str; 2] = ["chatbot_settings.json", "oauth2_token.json"];

pub fn classify(path: &RelPath) -> Class {
    let name = path.file_name().to_string_lossy();
    let Some(directory) = path.directory() else {
        return Class::NotMigrated { layout: "unknown" };
    };
    let home = home(directory);
    if let Some(stem) = stem(path) {
        match home {
            "users" => return whole(&tables::USER, user_key(&stem)),
            "memory" => return whole(&tables::MEMORY, stem),
            "chat_sessions" => return chat_file(stem),
            "conversations" | "mcp/storage/conversations" => {
                return whole(&tables::CONVERSATION, format!("{home}/{stem}"))
            }
            _ => {}
        }
    }
    if home == "logs" && is_log(&name) {
        return whole(&tables::LOG, path.to_text());
    }
    Class::NotMigrated { layout: not_migrated(home, &name) }
}

pub fn phase_of_directory(directory: &RelPath) -> Phase {
    match directory.as_path().to_str().map(home) {
        Some("users") => Phase::Users,
        Some("memory") => Phase::Memory,
        _ => Phase::Rest,
    }
}

/// Whether a memory file is of layout 7: its keys may be secrets.
pub fn is_swapped(key: &str) -> bool {
    SWAPPED.contains(&key)
}

/// See [`crate::format::Format::siblings`].
pub fn siblings(document: &Document) -> Vec<RelPath> {
    let mut paths: Vec<RelPath> = document.files.iter().map(|file| file.path.clone()).collect();
    if *document.kind == tables::CHAT {
        if let Some(directory) = document.files.first().and_then(|file| file.path.as_path().parent()) {
            let names = [format!("{}.json", document.key), format!("{}_session.json", document.key)];
            paths.extend(names.iter().map(|name| RelPath::new(directory.join(name))));
        }
    }
    paths.sort_by(|a, b| a.as_path().cmp(b.as_path()));
    paths.dedup();
    paths
}

/// See [`crate::format::Format::homes`].
pub fn homes(table: &Table, row: &Row) -> Vec<RelPath> {
    let key = |name: &str| table.column(name).and_then(|at| row.0[at].as_text()).map(str::to_owned);
    let stems: Vec<String> = if *table == tables::USERS {
        let named = match &row.0[0] {
            Value::Reference(user) => Some(user.clone()).filter(|user| !user.contains('/')),
            _ => Some(row.id().to_string()),
        };
        let keys = [named, key("clerk_id")];
        keys.into_iter().flatten().map(|key| format!("users/{key}")).collect()
    } else if *table == tables::CHAT_SESSIONS {
        let chats = |key: String| match key.contains('/') {
            true => vec![key],
            false => vec![format!("chat_sessions/{key}"), format!("chat_sessions/{key}_session")],
        };
        key("chat_id").map(chats).unwrap_or_default()
    } else if *table == tables::USER_MEMORY {
        match table.column("user_id").map(|at| &row.0[at]) {
            Some(Value::Reference(user)) if !user.contains('/') => vec![format!("memory/{user}")],
            _ => Vec::new(),
        }
    } else {
        Vec::new()
    };
    let both = |stem: &String| [format!("{stem}.json"), format!("data/{stem}.json")];
    stems.iter().flat_map(both).map(RelPath::new).collect()
}

/// A user's key: a UUID in any case is one user.
pub fn user_key(stem: &str) -> String {
    ids::as_uuid(stem).map_or_else(|| stem.to_owned(), |id| id.to_string())
}

/// The directory as the layouts name it.
fn home(directory: &str) -> &str {
    match directory.strip_prefix("data") {
        Some("") => "",
        Some(rest) => rest.strip_prefix('/').unwrap_or(directory),
        None => directory,
    }
}

/// The name without `.json`, as text; bytes that are no UTF-8 are escaped (decoding then rejects
/// the document, because such a name cannot be a key).
fn stem(path: &RelPath) -> Option<String> {
    let name = match path.file_name().to_str() {
        Some(name) => Cow::from(name),
        None => RelPath::new(path.file_name()).to_text().into(),
    };
    name.strip_suffix(".json").filter(|stem| !stem.is_empty()).map(str::to_owned)
}

fn whole(kind: &'static DocumentKind, key: String) -> Class {
    Class::Document(Membership { kind, key, role: WHOLE })
}

/// `<chat>_session.json` is the session of `<chat>` if it holds an object; a list is the history
/// of a chat whose own name ends in `_session`.
fn chat_file(stem: String) -> Class {
    let member = |key: &str, role| Membership { kind: &tables::CHAT, key: key.to_owned(), role };
    match stem.strip_suffix("_session").filter(|chat| !chat.is_empty()) {
        Some(chat) => Class::ByShape { object: member(chat, SESSION), otherwise: member(&stem, HISTORY) },
        None => Class::Document(member(&stem, HISTORY)),
    }
}

/// `<level>.log` and what log rotation makes of it: `.log.1`, `.log.gz`, `.log.2.gz`, `-date.log`.
fn is_log(name: &str) -> bool {
    let name = name.strip_suffix(".gz").unwrap_or(name);
    let name = match name.rsplit_once('.') {
        Some((rest, digits)) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => rest,
        _ => name,
    };
    name.len() > 4 && name.ends_with(".log")
}

fn not_migrated(home: &str, name: &str) -> &'static str {
    let below = |directory: &str| home == directory || home.starts_with(&format!("{directory}/"));
    if below("mcp/storage/sessions") {
        "10 mcp session"
    } else if home == "logs" && matches!(name, "call_history.json" | "message_history.json") {
        "11 event history"
    } else if below("email_logs") {
        "13 email log"
    } else if SETTINGS.contains(&name) || below("rate") || below("cache") || below("caches") {
        "14 settings and caches"
    } else if below("chat_history") || below("generated_pages") || below("api/logs") || name == "user_profiles.json" {
        "15 unknown shape"
    } else {
        "unknown"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_and_key(path: &str) -> (String, String) {
        match classify(&RelPath::new(path)) {
            Class::Document(member) => (member.kind.name.into(), member.key),
            Class::ByShape { object, otherwise } => (object.key, otherwise.key),
            Class::NotMigrated { layout } => ("not migrated".into(), layout.into()),
        }
    }

    #[test]
    fn every_layout_is_known_by_its_path() {
        let cases = [
            ("chat_sessions/a.json", "chats", "a"),
            ("data/chat_sessions/a.json", "chats", "a"),
            ("chat_sessions/x_session.json", "x", "x_session"),
            ("chat_sessions/x_session_session.json", "x_session", "x_session_session"),
            ("chat_sessions/_session.json", "chats", "_session"),
            ("users/7.json", "users", "7"),
            ("users/67E55044-10B1-426F-9247-BB680E5FE0C8.json", "users", "67e55044-10b1-426f-9247-bb680e5fe0c8"),
            ("memory/guest_thread.json", "memory", "guest_thread"),
            ("conversations/a@b.c.json", "conversations", "conversations/a@b.c"),
            ("mcp/storage/conversations/d41d8.json", "conversations", "mcp/storage/conversations/d41d8"),
            ("mcp/storage/sessions/1.json", "not migrated", "10 mcp session"),
            ("logs/call_history.json", "not migrated", "11 event history"),
            ("logs/error.log", "logs", "logs/error.log"),
            ("logs/error.log.2.gz", "logs", "logs/error.log.2.gz"),
            ("email_logs/t1/thread.json", "not migrated", "13 email log"),
            ("oauth2_token.json", "not migrated", "14 settings and caches"),
            ("data/user_profiles.json", "not migrated", "15 unknown shape"),
            ("api/logs/a.log", "not migrated", "15 unknown shape"),
            ("chat_sessions/readme.txt", "not migrated", "unknown"),
            ("database/users/7.json", "not migrated", "unknown"),
        ];
        for (path, kind, key) in cases {
            assert_eq!(kind_and_key(path), (kind.into(), key.into()), "{path}");
        }
    }
}
