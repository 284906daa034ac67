//! Documents for rows that no document has: where the application would have put them.

use crate::format::proof::{Held, HeldFile};
use crate::model::{Instant, RelPath, Row, Table, Value};

use super::super::layout::{HISTORY, SESSION, WHOLE};
use super::super::tables::{CHAT, CHAT_SESSIONS, CONVERSATION, MEMORY, USER, USERS, USER_MEMORY};
use super::column;

/// See [`crate::format::Format::adopt_row`].
pub fn adopt_row(table: &Table, row: &Row) -> Option<Held> {
    let time = |name: &str| table.column(name).and_then(|at| column(row, at).as_time());
    let base_time = time("created_at").unwrap_or(Instant(0));
    let modified = time("last_message_at").or_else(|| time("updated_at")).unwrap_or(base_time);
    let file = |path: String, role| HeldFile { path: RelPath::new(path), role, modified };
    let held = |kind, key, files| Held { kind, key, files, base_time };
    if *table == USERS {
        let key = row.id().to_string();
        let files = vec![file(format!("users/{key}.json"), WHOLE)];
        return Some(held(&USER, key, files));
    }
    if *table == CHAT_SESSIONS {
        let Value::Text(key) = column(row, 1) else { return None };
        let exported = ["conversations/", "mcp/storage/conversations/"];
        if exported.into_iter().any(|directory| key.strip_prefix(directory).is_some_and(is_name)) {
            let files = vec![file(format!("{key}.json"), WHOLE)];
            return Some(held(&CONVERSATION, key, files));
        }
        let files = vec![
            file(format!("chat_sessions/{key}.json"), HISTORY),
            file(format!("chat_sessions/{key}_session.json"), SESSION),
        ];
        return is_name(&key).then(|| held(&CHAT, key, files));
    }
    if *table == USER_MEMORY {
        let key = match column(row, 1) {
            Value::Reference(key) => key,
            Value::Uuid(user) => user.to_string(),
            _ => return None,
        };
        let files = vec![file(format!("memory/{key}.json"), WHOLE)];
        return is_name(&key).then(|| held(&MEMORY, key, files));
    }
    None
}

/// Whether a key can be a file's name.
fn is_name(key: &str) -> bool {
    !key.is_empty() && !key.contains(['/', '\0'])
}
