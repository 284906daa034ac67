//! The target tables of donna, as the application's database plan gives them.
//!
//! The SQL that makes them is in `schema/donna/`; a test compares both.

use crate::model::document::{Anchor, DocumentKind, Phase};
use crate::model::{Column, Kind, Missing, Owner, Reference, Table};

/// Reference to a user, by legacy id or clerk id.
const fn user(missing: Missing) -> Reference {
    Reference { kind: "users", missing }
}

pub static USERS: Table = Table {
    name: "users",
    owner: Owner::Application,
    columns: &[
        Column::new("id", Kind::Uuid),
        Column::text("clerk_id", 255),
        Column::text("email", 255),
        Column::text("name", 255),
        Column::new("profile", Kind::Json),
        Column::new("preferences", Kind::Json),
        Column::new("created_at", Kind::Time),
        Column::new("updated_at", Kind::Time),
        Column::new("last_active_at", Kind::Time),
        Column::text("status", 50),
    ],
    key: &[0],
    natural_key: &[1],
    parent: None,
    twin_key: &[],
};

pub static CHAT_SESSIONS: Table = Table {
    name: "chat_sessions",
    owner: Owner::Application,
    columns: &[
        Column::new("id", Kind::Uuid),
        Column::text("chat_id", 255),
        Column::refers("user_id", user(Missing::Null)),
        Column::text("title", 255),
        Column::text("profile", 50),
        Column::new("metadata", Kind::Json),
        Column::new("created_at", Kind::Time),
        Column::new("updated_at", Kind::Time),
        Column::new("last_message_at", Kind::Time),
        Column::new("message_count", Kind::Int),
        Column::text("status", 50),
    ],
    key: &[0],
    natural_key: &[1],
    parent: None,
    twin_key: &[],
};

pub static MESSAGES: Table = Table {
    name: "messages",
    owner: Owner::Application,
    columns: &[
        Column::new("id", Kind::Uuid),
        Column::new("chat_session_id", Kind::Uuid),
        Column::text("role", 50),
        Column::new("content", Kind::Text),
        Column::new("metadata", Kind::Json),
        Column::new("created_at", Kind::Time),
        Column::new("sequence_number", Kind::Int),
        Column::new("token_count", Kind::Int),
        Column::new("abuse_flagged", Kind::Bool),
    ],
    key: &[0],
    natural_key: &[],
    parent: Some(1),
    // Role, content, sequence number.
    twin_key: &[2, 3, 6],
};

pub static USER_MEMORY: Table = Table {
    name: "user_memory",
    owner: Owner::Application,
    columns: &[
        Column::new("id", Kind::Uuid),
        Column::refers("user_id", user(Missing::Placeholder)),
        Column::text("memory_type", 100),
        Column::text("key", 255),
        Column::new("value", Kind::Json),
        Column::new("created_at", Kind::Time),
        Column::new("updated_at", Kind::Time),
        Column::new("expires_at", Kind::Time),
    ],
    key: &[0],
    natural_key: &[1, 2, 3],
    parent: None,
    twin_key: &[],
};

pub static SYSTEM_LOGS: Table = Table {
    name: "system_logs",
    owner: Owner::Application,
    columns: &[
        Column::new("id", Kind::Uuid),
        Column::text("level", 20),
        Column::new("message", Kind::Text),
        Column::new("context", Kind::Json),
        Column::text("trace_id", 255),
        Column::new("ip_address", Kind::Inet),
        Column::new("user_agent", Kind::Text),
        Column::new("request_uri", Kind::Text),
        Column::new("created_at", Kind::Time),
    ],
    key: &[0],
    natural_key: &[],
    parent: None,
    twin_key: &[],
};

/// Parents before children.
pub static TABLES: [&Table; 5] = [&USERS, &CHAT_SESSIONS, &MESSAGES, &USER_MEMORY, &SYSTEM_LOGS];

/// As long as nobody asks for logs.
pub static WITHOUT_LOGS: [&Table; 4] = [&USERS, &CHAT_SESSIONS, &MESSAGES, &USER_MEMORY];

pub static USER: DocumentKind =
    DocumentKind { name: "users", main: &USERS, anchor: Anchor::FirstRow, phase: Phase::Users };
pub static MEMORY: DocumentKind =
    DocumentKind { name: "memory", main: &USER_MEMORY, anchor: Anchor::Referenced, phase: Phase::Memory };
pub static CHAT: DocumentKind =
    DocumentKind { name: "chats", main: &CHAT_SESSIONS, anchor: Anchor::FirstRow, phase: Phase::Rest };
pub static CONVERSATION: DocumentKind =
    DocumentKind { name: "conversations", main: &CHAT_SESSIONS, anchor: Anchor::FirstRow, phase: Phase::Rest };
pub static LOG: DocumentKind =
    DocumentKind { name: "logs", main: &SYSTEM_LOGS, anchor: Anchor::None, phase: Phase::Rest };

/// As `--only` names them.
pub static KINDS: [&DocumentKind; 5] = [&USER, &MEMORY, &CHAT, &CONVERSATION, &LOG];
