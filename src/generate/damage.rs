//! Every kind of bad input, as a table: its name, what should become of it, how it is made.
//!
//! The table says what is expected of a migration by the rules of the documents alone; nothing
//! here asks the decoder. Kinds that should load are in it, too: they look damaged and are not.

use crate::model::{Reason, RelPath};

use Expected::{Loads, NotFollowed, Reject, RejectOnPostgres, Unreadable};
use Patch::{Add, Drop, Key, Set, Type, Whole};

/// What a migration should make of a damaged file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    Loads,
    /// The document that the file belongs to is rejected.
    Reject(Reason),
    /// Rejected by PostgreSQL's types; SQLite holds it.
    RejectOnPostgres(Reason),
    /// Counted as unreadable, unless the reader is root.
    Unreadable,
    /// A symbolic link: no file, unless links are followed.
    NotFollowed,
}

/// A file that was damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    pub path: RelPath,
    /// Its short name, e.g. `truncated`.
    pub kind: &'static str,
    pub expected: Expected,
}

/// One line of the table.
#[derive(Debug)]
pub struct Kind {
    pub name: &'static str,
    pub expected: Expected,
    pub(super) act: Act,
}

/// How damage is done.
#[derive(Debug)]
pub(super) enum Act {
    /// To the finished bytes of the history, user or memory file.
    Bytes(fn(Vec<u8>) -> Vec<u8>),
    /// To a message, a user or a memory entry while it is written.
    Item(fn() -> Patch),
    /// To the session.
    Session(fn() -> Patch),
    /// To the way in which the files lie in the tree.
    Place(Place),
}

/// A change to one map while it is written.
#[derive(Clone, Debug)]
pub(super) enum Patch {
    /// The member gets this JSON text instead of its own.
    Set(&'static str, String),
    Drop(&'static str),
    /// JSON text of further members.
    Add(String),
    /// JSON text instead of the whole map.
    Whole(String),
    /// Memory only: another key, another type.
    Key(String),
    Type(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A second file under `data/` claims the same chat.
    DataTwin,
    /// A second user has the same clerk_id.
    ClerkTwin,
    /// Layout 7.
    Swapped,
    HostileName,
    NotUtf8,
    DanglingLink,
    LoopingLink,
    Unreadable,
}

const fn bytes(name: &'static str, expected: Expected, act: fn(Vec<u8>) -> Vec<u8>) -> Kind {
    Kind { name, expected, act: Act::Bytes(act) }
}

const fn item(name: &'static str, expected: Expected, patch: fn() -> Patch) -> Kind {
    Kind { name, expected, act: Act::Item(patch) }
}

const fn session(name: &'static str, expected: Expected, patch: fn() -> Patch) -> Kind {
    Kind { name, expected, act: Act::Session(patch) }
}

const fn place(name: &'static str, expected: Expected, place: Place) -> Kind {
    Kind { name, expected, act: Act::Place(place) }
}

fn set(member: &'static str, json: &str) -> Patch {
    Set(member, json.to_owned())
}

/// What happens to chats, in turn.
pub static CHATS: &[Kind] = &[
    bytes("truncated", Reject(Reason::Truncated), truncate),
    bytes("invalid_json", Reject(Reason::InvalidJson), drop_a_colon),
    bytes("empty", Reject(Reason::Empty), |_| Vec::new()),
    bytes("only_bom", Reject(Reason::Empty), |_| BOM.to_vec()),
    bytes("bom", Loads, |good| [BOM, good.as_slice()].concat()),
    bytes("invalid_utf8", Reject(Reason::InvalidUtf8), spoil_utf8),
    item("lone_surrogate", Reject(Reason::LoneSurrogate), || set("content", "\"half \\ud83d of a pair\"")),
    item("nul_in_string", Reject(Reason::NulCharacter), || set("content", "\"a\\u0000b\"")),
    item("nul_in_key", Reject(Reason::NulCharacter), || set("metadata", "{\"a\\u0000b\": 1}")),
    item("duplicate_key", Reject(Reason::DuplicateKey), || set("metadata", "{\"a\": 1, \"a\": 2}")),
    item("duplicate_member", Reject(Reason::DuplicateKey), || Add("\"content\": \"another\"".into())),
    item("number_beyond_64_bits", Loads, || set("metadata", "{\"n\": 123456789012345678901234567890}")),
    item("number_of_many_digits", Loads, || set("metadata", "{\"n\": 0.12345678901234567890123456789}")),
    item("number_beyond_numeric", RejectOnPostgres(Reason::NumberOutOfRange), || set("metadata", "{\"n\": 1e131073}")),
    item("nested_10000", Reject(Reason::TooDeep), || {
        Set("metadata", format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)))
    }),
    item("content_number", Reject(Reason::WrongType), || set("content", "42")),
    item("content_missing", Reject(Reason::MissingMember), || Drop("content")),
    item("metadata_string", Reject(Reason::WrongType), || set("metadata", "\"none\"")),
    item("list_for_message", Reject(Reason::WrongType), || Whole("[\"user\", \"Hi\"]".into())),
    item("unknown_members", Loads, || Add("\"mood\": \"fine\", \"draft\": {\"b\": 1.10, \"a\": []}".into())),
    item("time_offset", Loads, || set("created_at", "\"2025-11-28T12:15:30+02:00\"")),
    item("time_z", Loads, || set("created_at", "\"2025-11-28T10:15:30Z\"")),
    item("time_fraction", Loads, || set("created_at", "\"2025-11-28T10:15:30.123456789Z\"")),
    item("time_no_zone", Loads, || set("created_at", "\"2025-11-28 10:15:30\"")),
    item("time_epoch_seconds", Loads, || set("created_at", "1764324930")),
    item("time_epoch_millis", Loads, || set("created_at", "1764324930123")),
    item("time_nonsense", Reject(Reason::BadTime), || set("created_at", "\"the day before yesterday\"")),
    item("time_24_00", Loads, || set("created_at", "\"2025-11-27T24:00:00+00:00\"")),
    item("time_leap_second", Loads, || set("created_at", "\"2016-12-31T23:59:60Z\"")),
    item("sequence_lies", Loads, || set("sequence_number", "7777")),
    session("message_count_lies", Loads, || set("message_count", "100000")),
    session("title_too_long", Loads, || Add(format!("\"title\": \"{}\"", "é".repeat(300)))),
    session("session_metadata_string", Reject(Reason::WrongType), || set("metadata", "\"none\"")),
    session("session_time_nonsense", Reject(Reason::BadTime), || set("created_at", "\"soon\"")),
    place("same_chat_in_data", Reject(Reason::DuplicateClaim), Place::DataTwin),
    place("name_with_quotes_and_newline", Loads, Place::HostileName),
    place("name_not_utf8", Reject(Reason::NameNotUtf8), Place::NotUtf8),
    place("dangling_link", NotFollowed, Place::DanglingLink),
    place("looping_link", NotFollowed, Place::LoopingLink),
    place("unreadable", Unreadable, Place::Unreadable),
];

pub static USERS: &[Kind] = &[
    place("same_clerk_id", Reject(Reason::DuplicateClaim), Place::ClerkTwin),
    item("clerk_id_too_long", Reject(Reason::KeyTooLong), || Set("clerk_id", format!("\"{}\"", "c".repeat(300)))),
    bytes("truncated", Reject(Reason::Truncated), truncate),
    item("profile_string", Reject(Reason::WrongType), || set("profile", "\"none\"")),
    item("name_too_long", Loads, || Set("name", format!("\"{}\"", "名".repeat(300)))),
    bytes("list_for_user", Reject(Reason::WrongType), |_| b"[\n    \"a\"\n]".to_vec()),
    item("time_nonsense", Reject(Reason::BadTime), || set("created_at", "\"\\u0416 o'clock\"")),
    bytes("bom", Loads, |good| [BOM, good.as_slice()].concat()),
    item("unknown_members", Loads, || Add("\"plan\": \"gold\", \"limits\": {\"b\": 1.0e+25, \"a\": {}}".into())),
    bytes("invalid_utf8", Reject(Reason::InvalidUtf8), spoil_utf8),
    item("nul_in_string", Reject(Reason::NulCharacter), || set("name", "\"a\\u0000b\"")),
    item("duplicate_member", Reject(Reason::DuplicateKey), || Add("\"created_at\": \"2025-11-28T10:15:30Z\"".into())),
    bytes("empty", Reject(Reason::Empty), |_| Vec::new()),
];

pub static MEMORY: &[Kind] = &[
    place("swapped_arguments", Reject(Reason::SwappedArguments), Place::Swapped),
    item("entry_no_object", Reject(Reason::WrongType), || Whole("\"blue\"".into())),
    item("memory_key_too_long", Reject(Reason::KeyTooLong), || Key("k".repeat(300))),
    item("memory_type_too_long", Reject(Reason::KeyTooLong), || Type("t".repeat(120))),
    bytes("truncated", Reject(Reason::Truncated), truncate),
    item("time_nonsense", Reject(Reason::BadTime), || set("created_at", "\"never\"")),
    item("lone_surrogate", Reject(Reason::LoneSurrogate), || set("value", "\"\\udc00\"")),
    item("number_beyond_64_bits", Loads, || set("value", "[123456789012345678901234567890, 1.10, -0]")),
    item("nul_in_key", Reject(Reason::NulCharacter), || set("value", "{\"a\\u0000\": 1}")),
    bytes("invalid_json", Reject(Reason::InvalidJson), drop_a_colon),
    item("unknown_members", Loads, || Add("\"source\": \"chat\"".into())),
    bytes("only_bom", Reject(Reason::Empty), |_| BOM.to_vec()),
];

/// The names of all kinds, each once, in the order of their bytes.
pub fn kinds() -> std::collections::BTreeSet<&'static str> {
    [CHATS, USERS, MEMORY].into_iter().flatten().map(|kind| kind.name).collect()
}

/// Which share of the documents is damaged, in millionths.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share(u64);

impl Share {
    /// `None` outside 0 to 1.
    pub fn new(damage: f64) -> Option<Share> {
        (0.0..=1.0).contains(&damage).then(|| Share((damage * 1e6).round() as u64))
    }

    /// What befalls document `number` of those that `kinds` is for, and how often it has befallen
    /// one before. Exactly the share of the documents is hit, evenly, by one kind after the other.
    pub fn pick(self, kinds: &'static [Kind], number: u64) -> Option<(&'static Kind, u64)> {
        let hits = |documents: u64| (u128::from(documents) * u128::from(self.0) / 1_000_000) as u64;
        let hit = hits(number);
        let count = kinds.len() as u64;
        (hits(number + 1) > hit).then(|| (&kinds[(hit % count) as usize], hit / count))
    }
}

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Ends the file in the middle of a key, as a writer does that was killed.
fn truncate(mut good: Vec<u8>) -> Vec<u8> {
    let at = find(&good, b"\"created_at\"");
    good.truncate(at + 5);
    good
}

fn drop_a_colon(mut good: Vec<u8>) -> Vec<u8> {
    let at = find(&good, b"\": ");
    good[at + 1] = b' ';
    good
}

fn spoil_utf8(mut good: Vec<u8>) -> Vec<u8> {
    let at = find(&good, b"\": \"") + 4;
    good.splice(at..at, *b"\xC3\x28");
    good
}

/// Where the bytes last stand.
fn find(good: &[u8], what: &[u8]) -> usize {
    good.windows(what.len()).rposition(|window| window == what).expect("every generated document has such a member")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_exact_and_the_kinds_come_in_turn() {
        let share = Share::new(0.01).unwrap();
        let hit: Vec<_> = (0..100_000).filter_map(|number| share.pick(USERS, number)).collect();
        assert_eq!(hit.len(), 1_000);
        for (at, (kind, round)) in hit.iter().enumerate() {
            assert_eq!((kind.name, *round), (USERS[at % USERS.len()].name, (at / USERS.len()) as u64));
        }
        assert!((0..1000).all(|number| Share::new(0.0).unwrap().pick(CHATS, number).is_none()));
        assert!((0..1000).all(|number| Share::new(1.0).unwrap().pick(CHATS, number).is_some()));
    }

    #[test]
    fn only_shares_are_shares() {
        assert!([-0.1, 1.1, f64::NAN, f64::INFINITY].into_iter().all(|damage| Share::new(damage).is_none()));
    }
}
