//! The proportions of real use: how many users, chats, messages and memory entries, and which
//! chats have which shape. Pure numbers; nothing is written here.
//!
//! A block of a thousand messages is planned at a time, so that the whole tree never is. All
//! totals are exact: the messages of all chats add up to the records asked for.

use super::damage::{self, Kind};
use super::php;
use super::rng::{mix, Rng};
use super::{stream, Making};

const MESSAGES_PER_CHAT: u64 = 20;
const CHATS_PER_USER: u64 = 5;
const ENTRIES_PER_USER: u64 = 4;
const USERS_PER_BLOCK: u64 = 10;
const CHATS_PER_BLOCK: u64 = USERS_PER_BLOCK * CHATS_PER_USER;
const MESSAGES_PER_BLOCK: u64 = CHATS_PER_BLOCK * MESSAGES_PER_CHAT;

/// 2025-10-01T00:00:00Z: every chat began in the year before it.
const LAST_START: i64 = 1_759_276_800;
const YEAR: i64 = 365 * 86_400;

/// How a chat is kept on disk, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Session and history; the session names its user as it says.
    Present(Owner),
    /// The chat's own name ends in `_session`.
    EndsInSession,
    /// `chat_sessions/default.json`
    Default,
    SessionOnly,
    HistoryOnly,
    /// Layout 1, with a `timestamp` a message or without.
    OldTimed,
    OldPlain,
    /// Layout 8.
    Email,
    /// Layout 9.
    Mcp,
}

/// What a session's `user_id` holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    Id,
    ClerkId,
    /// A user whose file is gone.
    Unknown,
    Guest,
}

pub struct User {
    pub number: u64,
    pub id: String,
    pub clerk_id: Option<String>,
    pub entries: u64,
    pub created: i64,
    /// When the latest of the user's chats began.
    pub seen: i64,
}

pub struct Chat {
    pub number: u64,
    /// Position in [`Block::users`].
    pub user: usize,
    pub form: Form,
    pub messages: u64,
    pub started: i64,
    pub damage: Option<(&'static Kind, u64)>,
}

pub struct Block {
    pub users: Vec<User>,
    pub chats: Vec<Chat>,
}

pub fn blocks(records: u64) -> u64 {
    records.div_ceil(MESSAGES_PER_BLOCK)
}

pub fn block(make: &Making, number: u64) -> Block {
    let Making { options, share, prefix } = *make;
    let mut rng = Rng::new(options.seed, stream::PLAN, number);
    let messages = (options.records - number * MESSAGES_PER_BLOCK).min(MESSAGES_PER_BLOCK);
    let chat_count = messages.div_ceil(MESSAGES_PER_CHAT);
    let user_count = chat_count.div_ceil(CHATS_PER_USER);

    let mut entries = shares(&mut rng, ENTRIES_PER_USER * user_count, &vec![true; user_count as usize]).into_iter();
    let mut users: Vec<User> = (0..user_count)
        .map(|at| user(options.seed, prefix, number * USERS_PER_BLOCK + at, entries.next().expect("one share a user")))
        .collect();

    let first = number * CHATS_PER_BLOCK;
    let damaged: Vec<_> = (first..first + chat_count).map(|chat| share.pick(damage::CHATS, chat)).collect();
    let mut forms: Vec<Form> = (0..chat_count).map(|at| form(first + at, damaged[at as usize].is_some())).collect();
    if forms.iter().all(|&form| form == Form::SessionOnly) {
        // Somebody has to hold the messages.
        forms[0] = Form::Present(Owner::Id);
    }
    let holds: Vec<bool> = forms.iter().map(|&form| form != Form::SessionOnly).collect();
    let sizes = shares(&mut rng, messages, &holds);

    let total = options.records.div_ceil(MESSAGES_PER_CHAT);
    let mut chats = Vec::with_capacity(forms.len());
    for (at, (form, messages)) in forms.into_iter().zip(sizes).enumerate() {
        let chat = first + at as u64;
        // Every user has a chat; of the others, most belong to a few users.
        let user = if at < users.len() { at } else { rng.skewed(user_count - 1, 2) as usize };
        let started = start(&mut rng, chat, total);
        users[user].seen = users[user].seen.max(started);
        chats.push(Chat { number: chat, user, form, messages, started, damage: damaged[at] });
    }
    Block { users, chats }
}

/// Cuts `total` into unequal shares of at least one for everybody who `takes` part.
fn shares(rng: &mut Rng, total: u64, takes: &[bool]) -> Vec<u64> {
    let weights: Vec<u64> = takes.iter().map(|&takes| if takes { 1 + rng.skewed(99, 2) } else { 0 }).collect();
    let takers = takes.iter().filter(|&&takes| takes).count() as u64;
    let (weight, spare) = (weights.iter().sum::<u64>(), total - takers);
    let mut shares: Vec<u64> = weights.iter().map(|&own| if own == 0 { 0 } else { 1 + spare * own / weight }).collect();
    // What rounding left over is less than one each.
    let left = (total - shares.iter().sum::<u64>()) as usize;
    shares.iter_mut().filter(|share| **share > 0).take(left).for_each(|share| *share += 1);
    shares
}

fn user(seed: u64, prefix: &str, number: u64, entries: u64) -> User {
    let mut rng = Rng::new(seed, stream::USER_ID, number);
    // Distinct for distinct numbers, because both steps are bijections.
    let unique = mix(number ^ seed);
    let created = LAST_START - 2 * YEAR + rng.below(YEAR as u64) as i64;
    let id = match number % 4 {
        3 => format!("{prefix}user_{unique:016x}"),
        _ => format!("{prefix}{}{unique:016x}", &php::uniqid(created, &mut rng)[..24]),
    };
    let clerk_id = (number % 6 != 4).then(|| {
        const LETTERS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let random: String = (0..10).map(|_| rng.pick(LETTERS) as char).collect();
        format!("{prefix}user_2{unique:016x}{random}")
    });
    User { number, id, clerk_id, entries, created, seen: created }
}

/// The shapes come in turn, so that every tree of some size has them all. A damaged chat has the
/// ordinary shape, because there the damage can be of every kind.
fn form(chat: u64, damaged: bool) -> Form {
    if !damaged {
        match chat % 200 {
            3 if chat == 3 => return Form::Default,
            17 => return Form::EndsInSession,
            41 => return Form::SessionOnly,
            59 | 171 => return Form::OldTimed,
            60 | 139 => return Form::OldPlain,
            83 | 149 => return Form::HistoryOnly,
            101 | 190 => return Form::Email,
            127 => return Form::Mcp,
            _ => {}
        }
    }
    Form::Present(match chat % 100 {
        77 => Owner::Unknown,
        turn if turn % 10 == 5 => Owner::Guest,
        turn if turn % 4 == 1 => Owner::ClerkId,
        _ => Owner::Id,
    })
}

/// Each chat has a part of the year to itself, so that no two begin in the same second (a guest's
/// chat is named by it), and they are not in the order of their numbers.
fn start(rng: &mut Rng, chat: u64, total: u64) -> i64 {
    let prime: u64 = if total.is_multiple_of(1_000_003) { 998_244_353 } else { 1_000_003 };
    let place = (u128::from(chat) * u128::from(prime) % u128::from(total)) as i64;
    let step = (YEAR / total as i64).max(1);
    LAST_START - YEAR + place * step + rng.below(step as u64) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::damage::Share;
    use crate::generate::Options;

    fn whole(records: u64, damage: f64) -> Vec<Block> {
        let options = Options { records, seed: 1, damage };
        let make = Making { options: &options, share: Share::new(damage).unwrap(), prefix: "" };
        (0..blocks(records)).map(|number| block(&make, number)).collect()
    }

    #[test]
    fn messages_add_up_for_every_number_of_records() {
        for records in (1..70).chain([999, 1_000, 1_001, 1_821, 10_007]) {
            let blocks = whole(records, 0.0);
            let sum: u64 = blocks.iter().flat_map(|block| &block.chats).map(|chat| chat.messages).sum();
            assert_eq!(sum, records);
        }
    }

    #[test]
    fn proportions_are_those_of_real_use() {
        let blocks = whole(20_000, 0.0);
        let users: Vec<&User> = blocks.iter().flat_map(|block| &block.users).collect();
        let chats: Vec<&Chat> = blocks.iter().flat_map(|block| &block.chats).collect();
        assert_eq!((users.len(), chats.len()), (200, 1_000));
        assert_eq!(users.iter().map(|user| user.entries).sum::<u64>(), 800);
        let largest = chats.iter().map(|chat| chat.messages).max().unwrap();
        assert!(largest > 60, "sizes are unequal: the largest chat has {largest} messages");
        let starts: std::collections::BTreeSet<i64> = chats.iter().map(|chat| chat.started).collect();
        assert_eq!(starts.len(), chats.len(), "no two chats begin in the same second");
        assert!(users.iter().all(|user| user.created < *starts.first().unwrap()));
    }

    #[test]
    fn all_damaged_chats_have_the_ordinary_shape() {
        for chat in whole(5_000, 1.0).iter().flat_map(|block| &block.chats) {
            assert!(chat.damage.is_some() && matches!(chat.form, Form::Present(_)));
        }
    }
}
