//! Trees of documents that have any members with any values: known names and unknown ones, present,
//! null or absent, in any order, spelled in every way. Most are accepted.

use std::fs;
use std::path::Path;

use crate::support::cli::write;

const DOCUMENTS: usize = 60;

const TIMES: [&str; 12] = [
    r#""2025-11-28T10:15:30+00:00""#,
    r#""2025-11-28T10:15:30Z""#,
    r#""2025-11-28 10:15:30""#,
    r#""2025-11-28T10:15:30.123456+00:00""#,
    r#""2025-11-28T10:15:30.1234567Z""#,
    r#""2025-11-28T12:15:30+02:00""#,
    r#""2025-11-28t10:15:30z""#,
    r#""2025-11-27T24:00:00+00:00""#,
    r#""2025-11-28""#,
    "1764324930",
    "1764324930.5",
    "1764324930123",
];

const NUMBERS: [&str; 10] =
    ["0", "-0", "1", "1.10", "-12.50", "1e5", "1.0e+25", "0.0", "123456789012345678901234567890", "1E-7"];

const TEXTS: [&str; 9] = [
    r#""""#,
    r#""plain""#,
    r#""quote \" slash \/ back \\ tab \t""#,
    r#""\u00e9 \ud83d\ude00 \u2028 \u0001""#,
    r#""null""#,
    r#""guest""#,
    r#""active""#,
    r#""u1""#,
    r#""\\N""#,
];

/// Numbers that depend on the seed alone (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }

    fn one_in(&mut self, chance: usize) -> bool {
        self.below(chance) == 0
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

/// What a member may hold.
#[derive(Clone, Copy)]
enum May {
    Text,
    /// May be longer than its column.
    Long,
    Time,
    Map,
    Any,
    Count,
    /// One of these, and always there.
    Always(&'static [&'static str]),
}

pub fn write_tree(root: &Path, seed: u64) {
    let mut dice = Dice(seed);
    for directory in ["users", "memory", "chat_sessions", "conversations", "mcp/storage/conversations", "logs"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    for at in 0..DOCUMENTS {
        let file = |path: String, content: String, dice: &mut Dice| {
            let mark = if dice.one_in(10) { "\u{feff}" } else { "" };
            write(&root.join(path), format!("{mark}{content}").as_bytes());
        };
        let user = user(&mut dice, at);
        file(format!("users/u{at}.json"), user, &mut dice);
        let memory = memory(&mut dice);
        file(format!("memory/u{}.json", at * 2), memory, &mut dice);
        if !dice.one_in(4) {
            let session = object(&mut dice, &SESSION);
            file(format!("chat_sessions/c{at}_session.json"), session, &mut dice);
        }
        if !dice.one_in(4) {
            let history = list(&mut dice, &MESSAGE);
            file(format!("chat_sessions/c{at}.json"), history, &mut dice);
        }
        let conversation = list(&mut dice, &LEAD);
        file(format!("conversations/m{at}@example.com.json"), conversation, &mut dice);
        let replies = list(&mut dice, &REPLY);
        file(format!("mcp/storage/conversations/{at:032x}.json"), replies, &mut dice);
        let log = log(&mut dice);
        file(format!("logs/level{at}.log"), log, &mut dice);
    }
}

const USER: [(&str, May); 10] = [
    ("id", May::Any),
    ("created_at", May::Time),
    ("updated_at", May::Time),
    ("email", May::Long),
    ("name", May::Long),
    ("profile", May::Map),
    ("preferences", May::Map),
    ("vertical", May::Any),
    ("status", May::Long),
    ("last_active_at", May::Time),
];

const SESSION: [(&str, May); 12] = [
    ("id", May::Text),
    ("chat_id", May::Any),
    ("user_id", May::Text),
    ("created_at", May::Time),
    ("updated_at", May::Time),
    ("last_message_at", May::Time),
    ("message_count", May::Any),
    ("metadata", May::Map),
    ("title", May::Long),
    ("profile", May::Long),
    ("status", May::Long),
    ("rows", May::Any),
];

const MESSAGE: [(&str, May); 9] = [
    ("id", May::Text),
    ("role", May::Always(&[r#""user""#, r#""assistant""#, r#""system""#, r#""lead""#, r#""""#])),
    ("content", May::Always(&[r#""""#, r#""a""#, r#""🚩 Conversation flagged: x""#, r#""\"'); --""#])),
    ("metadata", May::Map),
    ("created_at", May::Time),
    ("timestamp", May::Time),
    ("sequence_number", May::Count),
    ("token_count", May::Count),
    ("abuse_flagged", May::Any),
];

const LEAD: [(&str, May); 7] = [
    ("from", May::Always(&[r#""lead""#, r#""bot""#, r#""user""#, r#""assistant""#, r#""human""#, r#""""#])),
    ("content", May::Always(&TEXTS)),
    ("id", May::Text),
    ("metadata", May::Map),
    ("timestamp", May::Time),
    ("created_at", May::Time),
    ("role", May::Any),
];

const REPLY: [(&str, May); 8] = [
    ("original", May::Map),
    ("reply", May::Always(&TEXTS)),
    ("timestamp", May::Time),
    ("session_id", May::Any),
    ("content", May::Any),
    ("metadata", May::Any),
    ("role", May::Any),
    ("created_at", May::Time),
];

const LINE: [(&str, May); 9] = [
    ("timestamp", May::Time),
    ("level", May::Long),
    ("message", May::Always(&TEXTS)),
    ("trace_id", May::Long),
    ("context", May::Map),
    ("ip", May::Text),
    ("user_agent", May::Text),
    ("request_uri", May::Text),
    ("created_at", May::Any),
];

const ENTRY: [(&str, May); 4] =
    [("created_at", May::Time), ("expires_at", May::Time), ("updated_at", May::Any), ("key", May::Any)];

fn user(dice: &mut Dice, at: usize) -> String {
    if dice.one_in(20) {
        return dice.pick(&["[]", "{}"]).to_owned();
    }
    let mut members = members(dice, &USER);
    if dice.one_in(2) {
        members.retain(|(name, _)| name != "id");
        members.insert(0, ("id".into(), format!("\"u{at}\"")));
    }
    if dice.one_in(2) {
        members.push(("clerk_id".into(), if dice.one_in(4) { "null".into() } else { format!("\"clerk{at}\"") }));
    }
    written(&members)
}

/// Typed, flat, or both in one file.
fn memory(dice: &mut Dice) -> String {
    let mut members = Vec::new();
    for name in ["profile", "preferences", "context", "interactions", "last_interaction", "a/b~c", ""] {
        let value = match dice.below(9) {
            0..=2 => typed(dice),
            3 => list(dice, &[&ENTRY[..], &[("value", May::Always(&TEXTS))]].concat()),
            4 => dice.pick(&["[]", "{}"]).to_owned(),
            5 => any(dice, 2),
            _ => continue,
        };
        members.push((name.to_owned(), value));
    }
    dice.shuffle(&mut members);
    if members.is_empty() {
        return dice.pick(&["[]", "{}"]).to_owned();
    }
    written(&members)
}

fn typed(dice: &mut Dice) -> String {
    let mut entries = Vec::new();
    for key in ["color", "0", "1", "10", "aa", "name"] {
        if dice.one_in(2) {
            let mut entry = members(dice, &ENTRY);
            entry.push(("value".into(), any(dice, 2)));
            dice.shuffle(&mut entry);
            entries.push((key.to_owned(), written(&entry)));
        }
    }
    dice.shuffle(&mut entries);
    written(&entries)
}

fn log(dice: &mut Dice) -> String {
    let mut text = String::new();
    for _ in 0..dice.below(12) {
        if !dice.one_in(4) {
            text += &object(dice, &LINE);
        }
        text += dice.pick(&["\n", "\r\n", "\n", " \n"]);
    }
    text
}

fn list(dice: &mut Dice, known: &[(&str, May)]) -> String {
    let items: Vec<String> = (0..dice.below(12)).map(|_| object(dice, known)).collect();
    format!("[{}]", items.join(", "))
}

fn object(dice: &mut Dice, known: &[(&str, May)]) -> String {
    written(&members(dice, known))
}

fn members(dice: &mut Dice, known: &[(&str, May)]) -> Vec<(String, String)> {
    let mut members = Vec::new();
    for (name, may) in known {
        if let Some(value) = value(dice, *may) {
            members.push(((*name).to_owned(), value));
        }
    }
    for name in ["mood", "x", "s", "document", "Ü \\u0022"] {
        if dice.one_in(12) {
            members.push((name.to_owned(), any(dice, 3)));
        }
    }
    // The usual order, and any other.
    if dice.one_in(2) {
        dice.shuffle(&mut members);
    }
    members
}

fn value(dice: &mut Dice, may: May) -> Option<String> {
    let always = matches!(may, May::Always(_));
    if !always && dice.one_in(3) {
        return None;
    }
    if !always && dice.one_in(6) {
        return Some("null".into());
    }
    Some(match may {
        May::Text => dice.pick(&TEXTS).to_owned(),
        May::Long if dice.one_in(8) => format!("\"{}\"", "é名🚚a".repeat(90)),
        May::Long => dice.pick(&TEXTS).to_owned(),
        May::Time if dice.one_in(2) => TIMES[0].to_owned(),
        May::Time => dice.pick(&TIMES).to_owned(),
        May::Map if dice.one_in(2) => "[]".to_owned(),
        May::Map if dice.one_in(6) => "{}".to_owned(),
        May::Map if dice.one_in(6) => format!("[{}]", any(dice, 2)),
        // Inside metadata, the title and the profile must be text.
        May::Map => written(&[
            ("title".into(), dice.pick(&TEXTS).into()),
            ("zz".into(), any(dice, 3)),
            ("a".into(), any(dice, 3)),
        ]),
        May::Any => any(dice, 3),
        May::Count => dice.pick(&["1", "2", "3", "1.0", "-1", "99999999999", "\"1\"", "-0", "2e0"]).to_owned(),
        May::Always(values) => dice.pick(values).to_owned(),
    })
}

fn any(dice: &mut Dice, depth: usize) -> String {
    match dice.below(if depth == 0 { 4 } else { 6 }) {
        0 => dice.pick(&["null", "true", "false"]).to_owned(),
        1 => dice.pick(&NUMBERS).to_owned(),
        2 => dice.pick(&TEXTS).to_owned(),
        3 => dice.pick(&["[]", "{}"]).to_owned(),
        4 => {
            let items: Vec<String> = (0..dice.below(4)).map(|_| any(dice, depth - 1)).collect();
            format!("[ {} ]", items.join(","))
        }
        _ => {
            let mut members: Vec<(String, String)> = Vec::new();
            for name in ["b", "aa", "a", "", "k", "value", "ü"] {
                if dice.one_in(2) {
                    members.push((name.to_owned(), any(dice, depth - 1)));
                }
            }
            dice.shuffle(&mut members);
            written(&members)
        }
    }
}

/// Names are JSON text without its quotes.
fn written(members: &[(String, String)]) -> String {
    let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
    format!("{{{}}}", members.join(", "))
}
