//! Documents from columns and residue, by the rules of `docs/residue.md` and nothing else.

use std::collections::BTreeMap;

use crate::node::Node;
use crate::support::dump::Row;

/// A document as the ledger and the tables hold it.
pub struct Held {
    pub kind: String,
    pub key: String,
    /// Path and role.
    pub files: Vec<(String, String)>,
    pub parts: Vec<Part>,
}

pub struct Part {
    pub table: String,
    pub rows: Vec<Row>,
    /// The residue.
    pub data: Option<Node>,
}

/// What a file said.
#[derive(Debug, PartialEq)]
pub struct File {
    pub bom: bool,
    pub content: Content,
}

#[derive(Debug, PartialEq)]
pub enum Content {
    Json(Node),
    /// `None` for a blank line.
    Lines(Vec<Option<Node>>),
}

impl Held {
    /// Kind and key.
    pub fn name(&self) -> (String, String) {
        (self.kind.clone(), self.key.clone())
    }

    /// The content of each file, by path.
    pub fn rebuild(&self) -> BTreeMap<String, File> {
        let mut contents: BTreeMap<&str, Content> = BTreeMap::new();
        match self.kind.as_str() {
            "users" => drop(contents.insert("whole", Content::Json(self.user()))),
            "memory" => drop(contents.insert("whole", Content::Json(self.memory()))),
            "logs" => drop(contents.insert("whole", Content::Lines(self.log()))),
            "conversations" => drop(contents.insert("whole", Content::Json(self.history().unwrap_or_else(empty)))),
            "chats" => {
                contents.extend(self.history().map(|list| ("history", Content::Json(list))));
                contents.extend(self.session().map(|map| ("session", Content::Json(map))));
            }
            other => panic!("unknown kind {other}"),
        }
        let marked = self.parts[0].document("bom").map_or(&[][..], Node::items);
        assert_eq!(contents.len(), self.files.len(), "{}: files and residue disagree", self.key);
        let file = |(path, role): &(String, String)| {
            let content = contents.remove(role.as_str()).unwrap_or_else(|| panic!("{path} is not in the residue"));
            (path.clone(), File { bom: marked.contains(&Node::text(role)), content })
        };
        self.files.iter().map(file).collect()
    }

    fn user(&self) -> Node {
        let part = &self.parts[0];
        let path = &self.files[0].0;
        let stem = path.rsplit('/').next().unwrap().strip_suffix(".json").unwrap();
        let entry = part.entry(0, &["id", "created_at", "updated_at"]);
        if part.document("list").is_some() {
            assert!(entry.shape.is_empty());
            return empty();
        }
        entry.object(|name| match name {
            "id" => Node::text(stem),
            "clerk_id" | "email" | "name" | "status" => entry.text(name),
            "profile" | "preferences" => entry.map(name, name),
            "created_at" | "updated_at" | "last_active_at" => entry.time(name, Spelling::Php),
            other => panic!("nothing gives a user's {other}"),
        })
    }

    fn session(&self) -> Option<Node> {
        let part = &self.parts[0];
        let data = part.data.as_ref()?;
        if data.get("shapes").is_none() && data.get("rows").is_none() {
            return None;
        }
        let standard =
            ["id", "chat_id", "user_id", "created_at", "updated_at", "last_message_at", "message_count", "metadata"];
        let entry = part.entry(0, &standard);
        Some(entry.object(|name| match name {
            "chat_id" | "title" | "profile" | "status" => entry.text(name),
            "user_id" => Node::null(),
            "created_at" | "updated_at" | "last_message_at" => entry.time(name, Spelling::Php),
            "message_count" => entry.number(name),
            "metadata" => entry.map(name, name),
            other => panic!("nothing gives a session's {other}"),
        }))
    }

    fn history(&self) -> Option<Node> {
        if self.parts[0].document("history").is_some() {
            assert_eq!(self.parts.len(), 1);
            return Some(empty());
        }
        let mail = self.key.starts_with("mcp/") && self.kind == "conversations";
        let standard: &[&str] = match self.kind.as_str() {
            "chats" => &["id", "role", "content", "metadata", "created_at", "sequence_number"],
            _ if mail => &["original", "reply", "timestamp", "session_id"],
            _ => &["from", "content"],
        };
        let mut messages = Vec::new();
        for part in &self.parts[1..] {
            assert_eq!(part.table, "messages");
            for at in 0..part.rows.len() {
                let entry = part.entry(at, standard);
                messages.push(entry.object(|name| match name {
                    "from" => Node::text(match entry.column_text("role").as_deref() {
                        Some("user") => "lead",
                        Some("assistant") => "bot",
                        other => other.unwrap(),
                    }),
                    "role" | "content" => entry.text(name),
                    "reply" => entry.text("content"),
                    "original" => entry.map("metadata", name),
                    "metadata" => entry.map("metadata", name),
                    "timestamp" if mail => entry.time("created_at", Spelling::Plain),
                    "timestamp" => entry.time("created_at", Spelling::Zulu),
                    "created_at" => entry.time(name, Spelling::Php),
                    "sequence_number" | "token_count" => entry.number(name),
                    other => panic!("nothing gives a message's {other}"),
                }));
            }
        }
        (!messages.is_empty()).then_some(Node::List(messages))
    }

    fn memory(&self) -> Node {
        let mut rows: Vec<Entry> = Vec::new();
        for part in &self.parts {
            rows.extend((0..part.rows.len()).map(|at| part.entry(at, &["value", "created_at", "expires_at"])));
        }
        let mut rows = rows.into_iter().peekable();
        let mut members = Vec::new();
        let Some(outline) = self.parts[0].document("members") else {
            while let Some(kind) = rows.peek().map(|row| row.column_text("memory_type").unwrap()) {
                let mut keys = Vec::new();
                while let Some(row) = rows.next_if(|row| row.column_text("memory_type").as_deref() == Some(&kind)) {
                    keys.push((row.column_text("key").unwrap(), row.memory_entry()));
                }
                members.push((kind, Node::Map(keys)));
            }
            return if members.is_empty() { empty() } else { Node::Map(members) };
        };
        let flat: Vec<&str> = outline.items().iter().filter_map(flat_name).collect();
        for item in outline.items() {
            if let Some(name) = flat_name(item) {
                let row = rows.next().unwrap();
                assert_eq!(row.column_text("key").as_deref(), Some(name));
                assert_eq!(row.column_text("memory_type").as_deref(), Some(flat_type(name)));
                members.push((name.to_owned(), row.any("value")));
                continue;
            }
            let (name, as_list) = match item {
                Node::Map(written) => (written[0].0.as_str(), written[0].1 == empty()),
                item => (item.as_text().unwrap(), false),
            };
            let mut keys = Vec::new();
            let is_flat = |key: &str| flat.iter().any(|flat| *flat == key && flat_type(flat) == name);
            while let Some(row) = rows.next_if(|row| {
                row.column_text("memory_type").as_deref() == Some(name) && !is_flat(&row.column_text("key").unwrap())
            }) {
                keys.push((row.column_text("key").unwrap(), row.memory_entry()));
            }
            let positions = keys.iter().enumerate().all(|(at, (key, _))| *key == at.to_string());
            assert!(!as_list || positions, "{name} was a list");
            members.push((
                name.to_owned(),
                match as_list {
                    true => Node::List(keys.into_iter().map(|(_, entry)| entry).collect()),
                    false => Node::Map(keys),
                },
            ));
        }
        assert!(rows.next().is_none(), "{}: a row of no member", self.key);
        Node::Map(members)
    }

    fn log(&self) -> Vec<Option<Node>> {
        let standard = ["timestamp", "level", "message", "trace_id", "context", "ip", "user_agent"];
        let mut lines = Vec::new();
        for part in &self.parts {
            for at in 0..part.rows.len() {
                let entry = part.entry(at, &standard);
                if let Some(number) = entry.said("l").and_then(Node::as_number) {
                    lines.resize(number as usize - 1, None);
                }
                lines.push(Some(entry.object(|name| match name {
                    "timestamp" => entry.time("created_at", Spelling::Php),
                    "level" | "message" | "trace_id" | "user_agent" | "request_uri" => entry.text(name),
                    "context" => entry.map(name, name),
                    "ip" => entry.text("ip_address"),
                    other => panic!("nothing gives a line's {other}"),
                })));
            }
        }
        if let Some(count) = self.parts.last().unwrap().document("lines").and_then(Node::as_number) {
            lines.resize(count as usize, None);
        }
        lines
    }
}

fn empty() -> Node {
    Node::List(Vec::new())
}

fn flat_name(item: &Node) -> Option<&str> {
    match item {
        Node::List(name) => name[0].as_text(),
        _ => None,
    }
}

fn flat_type(name: &str) -> &str {
    if name == "preferences" {
        "preferences"
    } else {
        "profile"
    }
}

impl Part {
    fn document(&self, name: &str) -> Option<&Node> {
        self.data.as_ref()?.get("document")?.get(name)
    }

    fn entry<'a>(&'a self, at: usize, standard: &[&str]) -> Entry<'a> {
        let data = self.data.as_ref();
        let said = data.and_then(|data| data.get("rows")).map(|rows| {
            assert_eq!(rows.items().len(), self.rows.len());
            &rows.items()[at]
        });
        let mut entry = Entry { row: &self.rows[at], said: None, id: None, shape: Vec::new() };
        match said {
            None | Some(Node::Bare(_)) => {}
            Some(Node::Text(_)) => entry.id = said,
            Some(said) => {
                entry.said = Some(said);
                entry.id = said.get("id");
            }
        }
        let number = entry.said("s").and_then(Node::as_number).unwrap_or(0) as usize;
        entry.shape = match data.and_then(|data| data.get("shapes")) {
            Some(shapes) => {
                shapes.items()[number].items().iter().map(|name| name.as_text().unwrap().to_owned()).collect()
            }
            None => standard.iter().map(|name| name.to_string()).collect(),
        };
        entry
    }
}

/// A row with its entry of the residue.
struct Entry<'a> {
    row: &'a Row,
    said: Option<&'a Node>,
    id: Option<&'a Node>,
    shape: Vec<String>,
}

enum Spelling {
    Php,
    Zulu,
    Plain,
}

impl Entry<'_> {
    fn said(&self, name: &str) -> Option<&Node> {
        self.said?.get(name)
    }

    fn object(&self, from_column: impl Fn(&str) -> Node) -> Node {
        let kept = self.said("x");
        if let Some(kept) = kept {
            assert!(kept.members().iter().all(|(name, _)| self.shape.contains(name)), "{kept:?} is not in the shape");
        }
        let value = |name: &String| match (kept.and_then(|kept| kept.get(name)), name.as_str(), self.id) {
            (Some(kept), ..) => kept.clone(),
            (None, "id", Some(id)) => id.clone(),
            (None, name, _) => from_column(name),
        };
        Node::Map(self.shape.iter().map(|name| (name.clone(), value(name))).collect())
    }

    fn memory_entry(&self) -> Node {
        self.object(|name| match name {
            "value" => self.any("value"),
            "created_at" | "expires_at" => self.time(name, Spelling::Php),
            other => panic!("nothing gives an entry's {other}"),
        })
    }

    fn column_text(&self, column: &str) -> Option<String> {
        self.row.text(column)
    }

    fn text(&self, column: &str) -> Node {
        self.column_text(column).map_or_else(Node::null, Node::Text)
    }

    fn number(&self, column: &str) -> Node {
        Node::Bare(self.row.json(column).to_owned())
    }

    /// Columns hold `2025-11-28T10:15:30.000000Z`.
    fn time(&self, column: &str, spelling: Spelling) -> Node {
        let Some(held) = self.column_text(column) else { return Node::null() };
        let seconds = held.strip_suffix(".000000Z").unwrap_or_else(|| panic!("{held} has a fraction"));
        Node::Text(match spelling {
            Spelling::Php => format!("{seconds}+00:00"),
            Spelling::Zulu => format!("{seconds}Z"),
            Spelling::Plain => seconds.replace('T', " "),
        })
    }

    fn map(&self, column: &str, member: &str) -> Node {
        match Node::parse(self.row.json(column)) {
            Node::Map(members) if members.is_empty() => empty(),
            value => respell(value, self.said("j").and_then(|all| all.get(member))),
        }
    }

    fn any(&self, column: &str) -> Node {
        respell(Node::parse(self.row.json(column)), self.said("j").and_then(|all| all.get(column)))
    }
}

/// Gives a JSON value the order and the spellings that jsonb took from it.
fn respell(value: Node, how: Option<&Node>) -> Node {
    let part = |name: &str, key: &str| how.and_then(|how| how.get(name)).and_then(|part| part.get(key));
    match value {
        Node::Bare(spelling) => Node::Bare(how.map_or(spelling, |how| how.as_text().unwrap().to_owned())),
        Node::Text(text) => Node::Text(text),
        Node::List(items) => {
            let items = items.into_iter().enumerate();
            Node::List(items.map(|(at, item)| respell(item, part("i", &at.to_string()))).collect())
        }
        Node::Map(mut members) => {
            let order = how.and_then(|how| how.get("k"));
            match order {
                Some(order) => {
                    assert_eq!(order.items().len(), members.len());
                    let position =
                        |key: &str| order.items().iter().position(|name| name.as_text() == Some(key)).unwrap();
                    members.sort_by_key(|(key, _)| position(key));
                }
                None => members.sort_by(|(a, _), (b, _)| (a.len(), a).cmp(&(b.len(), b))),
            }
            Node::Map(members.into_iter().map(|(key, value)| (key.clone(), respell(value, part("m", &key)))).collect())
        }
    }
}
