//! Users and their memory files.

use std::path::PathBuf;

use crate::model::RelPath;

use super::damage::{self, Act, Damaged, Kind, Patch, Place, Share};
use super::php::{date_c, Json, Style};
use super::plan::User;
use super::rng::Rng;
use super::tree::Tree;
use super::{map::Map, stream, GenerateError};
use super::{text, words};

/// Layout 4. Returns what was damaged.
pub fn write_user(tree: &Tree, seed: u64, share: Share, user: &User) -> Result<Option<Damaged>, GenerateError> {
    let damage = share.pick(damage::USERS, user.number).map(|(kind, _)| kind);
    let patch = item_patch(damage);
    let mut rng = Rng::new(seed, stream::USER, user.number);
    let twin = matches!(damage, Some(Kind { act: Act::Place(Place::ClerkTwin), .. }));
    // A damaged user has all members, so that there is something to damage.
    let clerk_id = user.clerk_id.clone().or_else(|| damage.map(|_| format!("user_2{}", user.id)));
    let mut bytes = user_map(&mut rng, user, &user.id, clerk_id.as_deref(), patch.as_ref(), damage.is_some());
    if let Some(Kind { act: Act::Bytes(spoil), .. }) = damage {
        bytes = spoil(bytes);
    }
    let mut path = format!("users/{}.json", user.id);
    tree.put(&path, &bytes, user.seen)?;
    if twin {
        // After the first in path order, because `.` comes before `_`.
        let id = format!("{}_twin", user.id);
        path = format!("users/{id}.json");
        tree.put(&path, &user_map(&mut rng, user, &id, clerk_id.as_deref(), None, true), user.seen)?;
    }
    Ok(damage.map(|kind| Damaged { path: RelPath::new(PathBuf::from(path)), kind: kind.name, expected: kind.expected }))
}

fn item_patch(damage: Option<&Kind>) -> Option<Patch> {
    match damage {
        Some(Kind { act: Act::Item(patch), .. }) => Some(patch()),
        _ => None,
    }
}

fn user_map(
    rng: &mut Rng,
    user: &User,
    id: &str,
    clerk_id: Option<&str>,
    patch: Option<&Patch>,
    whole: bool,
) -> Vec<u8> {
    let mut json = Json::new(Style::Present);
    Map::write(&mut json, patch, |map| {
        map.string("id", id);
        map.string("created_at", &date_c(user.created));
        map.string("updated_at", &date_c(user.seen));
        if let Some(clerk_id) = clerk_id {
            map.string("clerk_id", clerk_id);
        }
        if whole || rng.percent(85) {
            map.string("email", &format!("person.{:08x}@example.com", rng.below(1 << 32)));
        }
        if whole || rng.percent(80) {
            map.string("name", &format!("{} {}", rng.pick(words::GIVEN_NAMES), rng.pick(words::FAMILY_NAMES)));
        }
        match rng.below(3) {
            0 => map.raw("profile", "[]"),
            _ => map.map("profile", |map| {
                map.string("company", rng.pick(&["Müller & Söhne", "Acme/West", "株式会社例", "ООО Пример"]));
                map.string("avatar", "https://example.com/a/b.png");
                map.number("age", 18 + rng.below(70));
            }),
        }
        match rng.below(3) {
            0 => map.raw("preferences", "[]"),
            _ => map.map("preferences", |map| {
                map.string("language", rng.pick(&["en", "de", "ru", "zh-Hant", "ar"]));
                map.raw("newsletter", rng.pick(&["true", "false", "null"]));
                map.raw("volume", rng.pick(&["0.1", "1", "0.30000000000000004"]));
                map.list("topics", &["billing", "déjà vu"][..rng.below(3) as usize]);
            }),
        }
        if rng.percent(20) {
            map.string("vertical", rng.pick(&["retail", "real-estate", "health"]));
        }
        if rng.percent(60) {
            map.string("status", rng.pick(&["active", "active", "active", "suspended"]));
        }
        if rng.percent(50) {
            map.string("last_active_at", &date_c(user.seen));
        }
    });
    json.into_bytes()
}

/// What users are remembered by, grouped by type as the files are.
const REMEMBERED: [(&str, &str); 12] = [
    ("profile", "color"),
    ("profile", "company"),
    ("profile", "city"),
    ("profile", "birthday"),
    ("profile", "role/title"),
    ("preferences", "tone"),
    ("preferences", "topics"),
    ("preferences", "notify"),
    ("context", "last_order"),
    ("context", "open_questions"),
    ("context", "score"),
    ("context", "нотатка"),
];

/// Layout 6, for one user in fifty layout 5. Returns what was damaged.
pub fn write_memory(tree: &Tree, seed: u64, share: Share, user: &User) -> Result<Option<Damaged>, GenerateError> {
    const SWAPPED: [&str; 3] = ["system_oauth", "email_system", "mcp_system"];
    let mut damage = share.pick(damage::MEMORY, user.number);
    let mut rng = Rng::new(seed, stream::MEMORY, user.number);
    let swapped = match damage {
        Some((Kind { act: Act::Place(Place::Swapped), .. }, round)) => match SWAPPED.get(round as usize) {
            Some(name) => Some(format!("memory/{name}.json")),
            None => {
                // There are only three such files: the next kind takes the place.
                damage = Some((&damage::MEMORY[1], round));
                None
            }
        },
        _ => None,
    };
    let damage = damage.map(|(kind, _)| kind);

    let mut path = format!("memory/{}.json", user.id);
    let mut bytes = match user.number % 50 {
        31 if damage.is_none() => flat(&mut rng, user),
        _ => typed(&mut rng, user, item_patch(damage).as_ref()),
    };
    if let Some(Kind { act: Act::Bytes(spoil), .. }) = damage {
        bytes = spoil(bytes);
    }
    tree.put(&path, &bytes, user.seen)?;
    if let Some(swapped) = swapped {
        tree.put(&swapped, swapped_arguments(user).as_slice(), user.seen)?;
        path = swapped;
    }
    Ok(damage.map(|kind| Damaged { path: RelPath::new(PathBuf::from(path)), kind: kind.name, expected: kind.expected }))
}

/// `memory/guest_thread.json`, a special name: there is no such user.
pub fn write_guest_memory(tree: &Tree, prefix: &str, seconds: i64) -> Result<(), GenerateError> {
    let mut json = Json::new(Style::Present);
    Map::write(&mut json, None, |map| {
        map.map("context", |map| {
            map.member("thread", |json| entry(json, None, seconds, |json| json.string("guest-thread/1")));
        });
    });
    tree.put(format!("memory/{prefix}guest_thread.json"), &json.into_bytes(), seconds)
}

/// Layout 6. The patch goes to the first entry.
fn typed(rng: &mut Rng, user: &User, patch: Option<&Patch>) -> Vec<u8> {
    let offset = rng.below(12);
    let mut chosen: Vec<usize> = (0..user.entries).map(|at| ((offset + 5 * at) % 12) as usize).collect();
    chosen.sort_unstable();
    let mut json = Json::new(Style::Present);
    let mut first = true;
    Map::write(&mut json, None, |map| {
        for memory_type in ["profile", "preferences", "context"] {
            // Beyond twelve, keys come again with a number behind them.
            let keys: Vec<(usize, &str)> = chosen
                .iter()
                .enumerate()
                .filter(|(_, &at)| REMEMBERED[at].0 == memory_type)
                .map(|(number, &at)| (number, REMEMBERED[at].1))
                .collect();
            if keys.is_empty() {
                continue;
            }
            let shown = match patch {
                Some(Patch::Type(longer)) if first => longer,
                _ => memory_type,
            };
            map.map(shown, |map| {
                let mut before = "";
                for (number, key) in keys {
                    let patch = patch.filter(|_| std::mem::take(&mut first));
                    let shown = match patch {
                        Some(Patch::Key(longer)) => longer.clone(),
                        _ if before == key => format!("{key} {number}"),
                        _ => key.to_owned(),
                    };
                    before = key;
                    let at = user.created + rng.below((user.seen - user.created).max(1) as u64) as i64;
                    map.member(&shown, |json| entry(json, patch, at, |json| remembered(rng, key, json)));
                }
            });
        }
    });
    json.into_bytes()
}

fn entry(json: &mut Json, patch: Option<&Patch>, at: i64, value: impl FnOnce(&mut Json)) {
    Map::write(json, patch, |map| {
        map.member("value", value);
        map.string("created_at", &date_c(at));
        match at % 10 {
            0 => map.string("expires_at", &date_c(at + 30 * 86_400)),
            _ => map.raw("expires_at", "null"),
        }
    });
}

fn remembered(rng: &mut Rng, key: &str, json: &mut Json) {
    match key {
        "topics" => json.raw("[]"),
        "notify" => json.raw(rng.pick(&["true", "false", "null"])),
        "score" => json.raw(rng.pick(&["0.1", "42", "1.0e+25", "-7"])),
        "last_order" => Map::write(json, None, |map| {
            map.number("number", rng.below(1_000_000));
            map.string("carrier", "Post/DHL");
            map.list("items", &["Kaffee", "茶", "☕"]);
        }),
        _ => {
            let language = text::language(rng);
            json.string(&text::title(rng, language));
        }
    }
}

/// Layout 5: as many members as the user has entries.
fn flat(rng: &mut Rng, user: &User) -> Vec<u8> {
    let mut json = Json::new(Style::Old);
    Map::write(&mut json, None, |map| {
        let members = user.entries;
        map.string("name", rng.pick(words::GIVEN_NAMES));
        if members > 1 {
            map.string("company", "Acme/West");
        }
        if members > 2 {
            map.list("preferences", &["short answers", "émojis"]);
        }
        if members > 3 {
            map.number("interactions", rng.below(500));
        }
        if members > 4 {
            map.string("last_interaction", &date_c(user.seen).replace("+00:00", "Z"));
        }
        for number in 6..=members {
            map.string(&format!("note_{number}"), rng.pick(words::FAMILY_NAMES));
        }
    });
    json.into_bytes()
}

/// Layout 7: the payload is the key, its type is the value. The payload here is no real secret.
fn swapped_arguments(user: &User) -> Vec<u8> {
    let payload = format!("{{\"access_token\":\"not-a-token-{}\",\"scope\":\"{}\"}}", user.id, "mail.read ".repeat(30));
    let mut json = Json::new(Style::Present);
    Map::write(&mut json, None, |map| {
        map.map("oauth_token", |map| {
            map.member(&payload, |json| entry(json, None, user.created, |json| json.string("oauth2")));
        });
    });
    json.into_bytes()
}
