//! Random documents: mostly of the layouts' shapes, with members, types, times, numbers and bytes
//! that are not.

use transload::model::DocumentKind;

use crate::support::chance::Chance;

/// Makes one value.
type Make = fn(&mut Maker) -> String;

/// Makes documents; the same numbers make the same ones.
pub struct Maker {
    pub chance: Chance,
    /// How many of a thousand values are not what they should be.
    noise: u64,
}

const WORDS: [&str; 16] = [
    "Hi",
    "größer",
    "🚩 Conversation flagged for review",
    "'); DROP TABLE users; --",
    "\\\\N\\t",
    "",
    "a\\u00e9\\/b",
    "c:\\\\x\\\"y",
    "😀👍🏽",
    "âœ…",
    "\\u2028",
    "user",
    "assistant",
    "system",
    "lead",
    "bot",
];

const TIMES: [&str; 14] = [
    "\"2025-11-28T10:15:30+00:00\"",
    "\"2025-11-28T12:15:30+02:00\"",
    "\"2024-01-01T12:00:00Z\"",
    "\"2025-01-02 03:04:05\"",
    "\"2025-11-27T24:00:00+00:00\"",
    "\"2016-12-31T23:59:60Z\"",
    "\"2025-11-28T10:15:30.123456789Z\"",
    "\"2025-11-28\"",
    "1764324930",
    "1764324930123",
    "\"1764324930\"",
    "1764324930.25",
    "\"0001-01-01T00:00:00Z\"",
    "null",
];

const NUMBERS: [&str; 14] = [
    "0",
    "-0",
    "1",
    "42",
    "1.10",
    "1e2",
    "1.0e+25",
    "123456789012345678901234567890",
    "0.1234567890123456789",
    "-1e-400",
    "1e131073",
    "2147483648",
    "9223372036854775808",
    "1E400000000000",
];

/// What is legal JSON or looks like it, and no value for a database.
const POISON: [&str; 8] = [
    "\"a\\u0000b\"",
    "\"\\ud83d\"",
    "\"\\udc00 alone\"",
    "{\"a\":1,\"a\":2}",
    "{\"a\\u0000\":1}",
    "01",
    "\"tab\there\"",
    "[1,]",
];

impl Maker {
    pub fn new(seed: u64, noise: u64) -> Maker {
        Maker { chance: Chance::from(seed), noise }
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.chance.below(from.len() as u64) as usize]
    }

    fn in_thousand(&mut self, share: u64) -> bool {
        self.chance.below(1_000) < share
    }

    /// A number below a small limit, small ones more often.
    fn few(&mut self, limit: u64) -> u64 {
        let limit = self.chance.below(limit) + 1;
        self.chance.below(limit)
    }

    fn string(&mut self) -> String {
        let mut text = String::from("\"");
        for _ in 0..=self.few(4) {
            text.push_str(self.pick(&WORDS));
        }
        if self.in_thousand(30) {
            text.push_str(&"é".repeat(300));
        }
        text + "\""
    }

    /// Any JSON, now and then poisoned.
    fn any(&mut self, depth: u64) -> String {
        match self.chance.below(if depth == 0 { 5 } else { 8 }) {
            0 => self.pick(&["null", "true", "false"]).into(),
            1 => self.pick(&NUMBERS).into(),
            2 if self.in_thousand(self.noise) => self.pick(&POISON).into(),
            2..=4 => self.string(),
            5 => {
                let count = self.few(4);
                let items: Vec<String> = (0..count).map(|_| self.any(depth - 1)).collect();
                format!("[{}]", items.join(", "))
            }
            _ => self.map(depth - 1),
        }
    }

    fn map(&mut self, depth: u64) -> String {
        let count = self.few(4);
        let members: Vec<(String, String)> = (0..count)
            .map(|number| (format!("{}{number}", self.pick(&["b", "a", "ü", "_", "~/"])), self.any(depth)))
            .collect();
        object(&members)
    }

    /// A map as PHP writes it: an empty one is a list.
    fn php_map(&mut self) -> String {
        if self.in_thousand(400) {
            return "[]".into();
        }
        self.map(2)
    }

    fn id(&mut self) -> String {
        match self.chance.below(8) {
            0 => self.chance.below(5).to_string(),
            1 => format!("\"{}\"", self.chance.below(5)),
            2 => "\"67E55044-10b1-426f-9247-bb680e5fe0c8\"".into(),
            3 => "null".into(),
            _ => {
                format!("\"{:08x}a1b2c3.12345678_{:016x}\"", 1_764_324_930 + self.chance.below(5), self.chance.below(9))
            }
        }
    }

    fn text_of(&mut self, texts: &[&str]) -> String {
        let text = self.pick(texts);
        format!("\"{text}\"")
    }

    /// An object with most of these members in a random order; some are of another type.
    fn shaped(&mut self, members: &[(&str, Make)]) -> String {
        let mut made: Vec<(String, String)> = Vec::new();
        for (name, make) in members {
            if self.in_thousand(100) {
                continue;
            }
            let value = if self.in_thousand(self.noise) { self.any(2) } else { make(self) };
            made.push(((*name).to_owned(), value));
        }
        if self.in_thousand(150) {
            made.push((
                self.text_of(&["mood", "draft", "vertical", "token_count", "status"]).replace('"', ""),
                self.any(2),
            ));
        }
        if self.in_thousand(200) && !made.is_empty() {
            let by = self.chance.below(made.len() as u64) as usize;
            made.rotate_left(by);
        }
        object(&made)
    }

    fn list(&mut self, size: u64, make: Make) -> String {
        let items: Vec<String> = (0..size).map(|_| make(self)).collect();
        let between = self.pick(&[",", ",\n    ", " , "]);
        format!("[{}]", items.join(between))
    }

    fn message(&mut self) -> String {
        // Content and role are required: what leaves one out rejects the whole chat.
        let mut members: Vec<(&str, Make)> = vec![
            ("id", Maker::id),
            ("metadata", Maker::php_map),
            ("created_at", |maker| maker.pick(&TIMES).into()),
            ("sequence_number", |maker| maker.chance.below(9).to_string()),
        ];
        if self.in_thousand(300) {
            members = vec![("timestamp", |maker| maker.pick(&TIMES).into())];
        }
        let rest = self.shaped(&members);
        let (role, content) = (self.text_of(&["user", "assistant", "system", "tool"]), self.string());
        self.with(&rest, &[("role", role), ("content", content)])
    }

    fn lead(&mut self) -> String {
        let rest = self.shaped(&[]);
        let (from, content) = (self.text_of(&["lead", "bot", "user", "somebody"]), self.string());
        self.with(&rest, &[("from", from), ("content", content)])
    }

    fn reply(&mut self) -> String {
        let rest = self.shaped(&[
            ("original", Maker::php_map),
            ("timestamp", |maker| maker.pick(&TIMES).into()),
            ("session_id", Maker::string),
        ]);
        let reply = self.string();
        self.with(&rest, &[("reply", reply)])
    }

    /// Puts required members in front, or rarely leaves one out.
    fn with(&mut self, rest: &str, members: &[(&str, String)]) -> String {
        let mut made: Vec<(String, String)> = Vec::new();
        for (name, value) in members {
            if !self.in_thousand(self.noise / 4) {
                let value = if self.in_thousand(self.noise) { self.any(1) } else { value.clone() };
                made.push(((*name).to_owned(), value));
            }
        }
        let front = object(&made);
        match (front.len() > 2, rest.len() > 2) {
            (true, true) => format!("{},{}", &front[..front.len() - 1], &rest[1..]),
            (true, false) => front,
            (false, _) => rest.to_owned(),
        }
    }

    pub fn history(&mut self, size: u64) -> Vec<u8> {
        let text = self.list(size, Maker::message);
        self.damaged(text)
    }

    pub fn session(&mut self, users: &[&str]) -> Vec<u8> {
        let user = format!("\"{}\"", self.pick(users));
        let rest = self.shaped(&[
            ("id", Maker::id),
            ("chat_id", |maker| maker.text_of(&["a", "b"])),
            ("created_at", |maker| maker.pick(&TIMES).into()),
            ("updated_at", |maker| maker.pick(&TIMES).into()),
            ("last_message_at", |maker| maker.pick(&TIMES).into()),
            ("message_count", |maker| maker.chance.below(9).to_string()),
            ("metadata", |maker| {
                let texts: [(&str, Make); 2] = [("title", Maker::string), ("profile", Maker::string)];
                maker.shaped(&texts)
            }),
        ]);
        let text = self.with(&rest, &[("user_id", user)]);
        self.damaged(text)
    }

    pub fn user(&mut self, clerk_ids: &[&str]) -> Vec<u8> {
        let clerk_id = format!("\"{}\"", self.pick(clerk_ids));
        let rest = self.shaped(&[
            ("id", Maker::id),
            ("created_at", |maker| maker.pick(&TIMES).into()),
            ("updated_at", |maker| maker.pick(&TIMES).into()),
            ("email", Maker::string),
            ("name", Maker::string),
            ("profile", Maker::php_map),
            ("preferences", Maker::php_map),
            ("last_active_at", |maker| maker.pick(&TIMES).into()),
        ]);
        let text = match self.in_thousand(500) {
            true => self.with(&rest, &[("clerk_id", clerk_id)]),
            false => rest,
        };
        self.damaged(text)
    }

    pub fn memory(&mut self, size: u64) -> Vec<u8> {
        let text = match self.chance.below(3) {
            0 => self.shaped(&[
                ("name", Maker::string),
                ("company", Maker::string),
                ("preferences", |maker| maker.any(2)),
                ("interactions", |maker| maker.pick(&NUMBERS).into()),
                ("last_interaction", |maker| maker.pick(&TIMES).into()),
            ]),
            _ => {
                let types: Vec<(String, String)> = (0..self.few(3) + 1)
                    .map(|number| {
                        let entries: Vec<(String, String)> =
                            (0..self.few(size + 1)).map(|entry| (format!("key {entry}"), self.entry())).collect();
                        (format!("type{number}"), object(&entries))
                    })
                    .collect();
                object(&types)
            }
        };
        self.damaged(text)
    }

    fn entry(&mut self) -> String {
        self.shaped(&[
            ("value", |maker| maker.any(2)),
            ("created_at", |maker| maker.pick(&TIMES).into()),
            ("expires_at", |maker| maker.pick(&TIMES).into()),
        ])
    }

    pub fn conversation(&mut self, size: u64) -> Vec<u8> {
        let text = self.list(size, Maker::lead);
        self.damaged(text)
    }

    pub fn mail(&mut self, size: u64) -> Vec<u8> {
        let text = self.list(size, Maker::reply);
        self.damaged(text)
    }

    pub fn log(&mut self, size: u64) -> Vec<u8> {
        let mut lines = String::new();
        for _ in 0..size {
            let rest = self.shaped(&[
                ("level", |maker| maker.text_of(&["error", "info"])),
                ("trace_id", Maker::string),
                ("context", Maker::php_map),
                ("ip", |maker| maker.text_of(&["unknown", "10.0.0.1", "::1", "no address"])),
                ("user_agent", Maker::string),
            ]);
            let (time, message) = (self.pick(&TIMES).to_owned(), self.string());
            lines.push_str(&self.with(&rest, &[("timestamp", time), ("message", message)]));
            lines.push_str(self.pick(&["\n", "\r\n", "\n\n"]));
        }
        self.damaged(lines)
    }

    /// A file's content for a kind, as its name tells.
    pub fn content(&mut self, kind: &DocumentKind, path: &str, size: u64) -> Vec<u8> {
        match kind.name {
            "users" => self.user(&["clerk_1", "clerk_2", "clerk_3"]),
            "memory" => self.memory(size),
            "logs" => self.log(size),
            "conversations" if path.starts_with("mcp/") => self.mail(size),
            "conversations" => self.conversation(size),
            _ if path.ends_with("_session.json") => self.session(&["u1", "u2", "clerk_1", "nobody"]),
            _ => self.history(size),
        }
    }

    /// The bytes, rarely cut, changed, or with something before or behind them.
    fn damaged(&mut self, text: String) -> Vec<u8> {
        let mut bytes = text.into_bytes();
        if self.in_thousand(30) {
            bytes.splice(0..0, *b"\xEF\xBB\xBF");
        }
        if bytes.is_empty() || !self.in_thousand(self.noise) {
            return bytes;
        }
        let at = self.chance.below(bytes.len() as u64) as usize;
        match self.chance.below(6) {
            0 => bytes.truncate(at),
            1 => bytes[at] = self.chance.below(256) as u8,
            2 => bytes.insert(at, self.chance.below(256) as u8),
            3 => drop(bytes.remove(at)),
            4 => bytes.extend_from_slice(b" []"),
            _ => bytes = b"[".repeat(10_000),
        }
        bytes
    }
}

/// An object of members whose values are JSON already.
fn object(members: &[(String, String)]) -> String {
    let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}
