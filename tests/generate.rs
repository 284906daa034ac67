//! The generated tree: the same every time, in the proportions of real use, spelled as the legacy
//! writer spells, and damaged as its list says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use tempfile::TempDir;
use transload::generate::{
    damage_kinds, generate, generate_beside, Damaged, Expected, GenerateError, Generated, Options,
};
use transload::json::{self, ErrorKind, Value};
use transload::model::{Reason, RelPath};

/// What can be told of one entry of a tree.
#[derive(Debug, PartialEq)]
struct Entry {
    /// The bytes of a file, the target of a link.
    content: Option<Vec<u8>>,
    mode: u32,
    /// Not of links, whose own time nobody reads.
    modified: Option<(i64, i64)>,
}

fn read_tree(root: &Path) -> BTreeMap<String, Entry> {
    let mut entries = BTreeMap::new();
    for found in walkdir::WalkDir::new(root) {
        let found = found.unwrap();
        let metadata = found.metadata().unwrap();
        let modified = Some((metadata.mtime(), metadata.mtime_nsec()));
        let entry = if found.file_type().is_symlink() {
            let target = fs::read_link(found.path()).unwrap();
            Entry { content: Some(target.to_str().unwrap().into()), mode: 0, modified: None }
        } else {
            // Root reads what nobody may; others have to see to it first.
            let mode = metadata.permissions().mode() & 0o7777;
            let content = found.file_type().is_file().then(|| read_anyway(found.path(), mode));
            Entry { content, mode, modified }
        };
        let path = RelPath::new(found.path().strip_prefix(root).unwrap());
        entries.insert(path.to_text(), entry);
    }
    entries
}

fn read_anyway(path: &Path, mode: u32) -> Vec<u8> {
    if mode != 0 {
        return fs::read(path).unwrap();
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    let bytes = fs::read(path).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    bytes
}

fn make(records: u64, seed: u64, damage: f64) -> (TempDir, Generated) {
    let directory = tempfile::tempdir().unwrap();
    let generated = generate(directory.path(), &Options { records, seed, damage }).unwrap();
    (directory, generated)
}

/// The files of a tree, with their bytes.
fn files(tree: &BTreeMap<String, Entry>) -> impl Iterator<Item = (&str, &[u8])> {
    tree.iter().filter(|(_, entry)| entry.modified.is_some()).filter_map(|(path, entry)| {
        let content = entry.content.as_deref()?;
        Some((path.as_str(), content))
    })
}

#[test]
fn two_runs_give_the_same_bytes_names_modes_and_times() {
    let (first, counted) = make(3_000, 7, 0.2);
    let (second, again) = make(3_000, 7, 0.2);
    let tree = read_tree(first.path());
    assert!(tree.len() > 300, "{} entries", tree.len());
    assert_eq!(tree, read_tree(second.path()));
    assert_eq!(counted, again);
}

#[test]
fn another_seed_gives_another_tree_of_the_same_size() {
    let (first, counted) = make(1_000, 1, 0.0);
    let (second, other) = make(1_000, 2, 0.0);
    let chats = |directory: &TempDir| -> BTreeSet<String> {
        read_tree(directory.path()).into_keys().filter(|path| path.starts_with("chat_sessions/chat_")).collect()
    };
    assert!(chats(&first).len() > 50);
    assert!(chats(&first).is_disjoint(&chats(&second)));
    assert_eq!((counted.messages, counted.chats, counted.users), (other.messages, other.chats, other.users));
}

/// The names of the files that are loaded, without a chat's two being told apart.
fn documents(root: &Path) -> BTreeSet<String> {
    let is_loaded = |path: &&String| {
        ["users/", "memory/", "chat_sessions/", "conversations/", "mcp/storage/conversations/"]
            .iter()
            .any(|home| path.starts_with(home) && path.ends_with(".json"))
    };
    read_tree(root).keys().filter(is_loaded).cloned().collect()
}

#[test]
fn trees_of_different_prefixes_have_no_document_in_common() {
    let options = Options { records: 3_000, seed: 1, damage: 0.0 };
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let made = generate(first.path(), &options).unwrap();
    // The same seed: nothing but the prefix keeps them apart.
    let beside = generate_beside(second.path(), &options, "next_").unwrap();
    assert_eq!((made.files, made.messages), (beside.files, beside.messages));
    let (names, others) = (documents(first.path()), documents(second.path()));
    assert!(names.len() > 300 && names.len() == others.len(), "{} and {}", names.len(), others.len());
    assert!(names.is_disjoint(&others));
    let renamed: BTreeSet<String> = others.iter().map(|path| path.replacen("next_", "", 1)).collect();
    assert_eq!(renamed, names);
    let keys = |root: &Path| -> BTreeSet<String> {
        let mut keys = BTreeSet::new();
        for entry in fs::read_dir(root.join("users")).unwrap() {
            let user: serde_json::Value = serde_json::from_slice(&fs::read(entry.unwrap().path()).unwrap()).unwrap();
            keys.extend(["id", "clerk_id"].iter().filter_map(|name| user[*name].as_str().map(str::to_owned)));
        }
        keys
    };
    let found = keys(second.path());
    assert!(!found.is_empty() && found.iter().all(|key| key.starts_with("next_")), "{found:?}");
}

/// The digest of one small tree, so that a change of a single byte is noticed and meant.
#[test]
fn the_tree_is_the_one_that_it_was_in_the_last_release() {
    let (directory, _) = make(500, 1, 0.1);
    let mut hasher = blake3::Hasher::new();
    for (path, entry) in read_tree(directory.path()) {
        hasher.update(format!("{path:?} {:?} {:?}\n", entry.modified, entry.content).as_bytes());
    }
    assert_eq!(hasher.finalize().to_hex()[..16], *"e5d64792a753ec98", "the generated bytes have changed");
}

#[test]
fn the_counts_and_proportions_are_those_of_real_use() {
    let (directory, generated) = make(10_000, 1, 0.0);
    assert_eq!(generated.messages, 10_000);
    assert_eq!((generated.users, generated.chats, generated.memory_files), (100, 500, 101));
    assert_eq!(generated.memory_entries, 401);
    assert!(generated.damaged.is_empty());

    let tree = read_tree(directory.path());
    assert_eq!(files(&tree).count() as u64, generated.files);
    assert_eq!(files(&tree).map(|(_, bytes)| bytes.len() as u64).sum::<u64>(), generated.bytes);
    assert!((1_150..1_300).contains(&generated.files), "{} files", generated.files);
    let bytes_a_message = generated.bytes / 10_000;
    assert!((580..780).contains(&bytes_a_message), "{bytes_a_message} bytes a message");

    let (mut messages, mut content) = (0, 0);
    let (mut shortest, mut longest) = (usize::MAX, 0);
    for text in message_texts(&tree) {
        let characters = text.chars().count();
        messages += 1;
        content += text.len();
        (shortest, longest) = (shortest.min(characters), longest.max(characters));
    }
    assert_eq!(messages, 10_000);
    assert!((400..600).contains(&(content / messages)), "{} bytes of content", content / messages);
    assert!(shortest >= 20 && longest <= 2_000 && longest > 1_500, "{shortest} to {longest} characters");
}

/// The texts of all messages, found by shape and not by the generator's own idea.
fn message_texts(tree: &BTreeMap<String, Entry>) -> Vec<String> {
    let mut texts = Vec::new();
    for (path, bytes) in files(tree) {
        let mcp = path.starts_with("mcp/storage/conversations/");
        if !(mcp || path.starts_with("chat_sessions/") || path.starts_with("conversations/")) {
            continue;
        }
        let arena = json::Arena::new();
        let Value::Array(messages) = json::parse(bytes, &arena).unwrap() else { continue };
        for message in messages {
            let text = message.get(if mcp { "reply" } else { "content" }).and_then(Value::as_str).unwrap();
            // The flag's text is fixed.
            texts.push(text.to_owned());
        }
    }
    texts
}

#[test]
fn every_layout_is_in_the_tree() {
    let (directory, generated) = make(10_000, 1, 0.0);
    let tree = read_tree(directory.path());
    for prefix in [
        "users/user_",
        "users/6",
        "memory/user_",
        "memory/guest_thread.json",
        "chat_sessions/chat_",
        "chat_sessions/guest-",
        "chat_sessions/weekly_",
        "chat_sessions/default.json",
        "chat_sessions/default_session.json",
        "conversations/lead.",
        "mcp/storage/conversations/",
        "mcp/storage/sessions/",
        "logs/info.log",
        "logs/error.log",
        "logs/info.log.1.gz",
        "logs/call_history.json",
        "email_logs/",
        "oauth2_token.json",
        "rate/",
        "generated_pages/",
        "data/user_profiles.json",
    ] {
        assert!(tree.keys().any(|path| path.starts_with(prefix)), "nothing begins with {prefix}");
    }
    let sessions = || tree.keys().filter(|path| path.starts_with("chat_sessions/"));
    let lonely = sessions().filter(|path| {
        path.strip_suffix("_session.json").is_some_and(|stem| !tree.contains_key(&format!("{stem}.json")))
    });
    let unkept = sessions().filter(|path| {
        path.strip_suffix(".json")
            .is_some_and(|stem| !stem.ends_with("_session") && !tree.contains_key(&format!("{stem}_session.json")))
    });
    assert!(lonely.count() > 0, "no session without a history");
    assert!(unkept.count() > 0, "no history without a session");
    let old = files(&tree).filter(|(path, bytes)| path.starts_with("chat_sessions/") && bytes.starts_with(b"[{"));
    assert!(old.count() > 4, "no old histories");
    assert_eq!(generated.not_migrated, 13);
}

#[test]
fn all_scripts_and_emoji_occur() {
    let (directory, _) = make(5_000, 1, 0.0);
    let texts = message_texts(&read_tree(directory.path())).concat();
    for sample in ["ü", "ж", "请", "は", "مت", "u\u{308}", "👩‍👩‍👧‍👦", "âœ…", "\u{2028}", "\\N", "DROP TABLE"]
    {
        assert!(texts.contains(sample), "{sample:?} does not occur");
    }
}

#[test]
fn undamaged_files_are_spelled_as_the_present_writer_spells_them() {
    let (directory, _) = make(5_000, 3, 0.0);
    let tree = read_tree(directory.path());
    let (mut present, mut old) = (0, 0);
    for (path, bytes) in files(&tree).filter(|(path, _)| path.ends_with(".json")) {
        serde_json::from_slice::<serde::de::IgnoredAny>(bytes).unwrap_or_else(|error| panic!("{path}: {error}"));
        let arena = json::Arena::new();
        let value = json::parse(bytes, &arena).unwrap();
        let mut again = String::new();
        if bytes.starts_with(b"[{") || bytes.starts_with(b"{\"") {
            encode(&value, None, true, &mut again);
            old += 1;
        } else {
            encode(&value, Some(0), false, &mut again);
            present += 1;
        }
        assert!(again.as_bytes() == bytes, "{path} is not spelled as PHP does");
    }
    assert!(present > 500 && old > 4, "{present} present and {old} old files");

    let mut lines = 0;
    for path in ["logs/info.log", "logs/error.log"] {
        for line in fs::read_to_string(directory.path().join(path)).unwrap().lines() {
            let mut again = String::new();
            encode(&json::parse(line.as_bytes(), &json::Arena::new()).unwrap(), None, false, &mut again);
            assert_eq!(again, line);
            lines += 1;
        }
    }
    assert!(lines > 50);
}

/// `json_encode` of PHP, written a second time and differently: pretty with `depth`, else on one
/// line; all but ASCII escaped if `ascii`.
fn encode(value: &Value, depth: Option<usize>, ascii: bool, out: &mut String) {
    let deeper = depth.map(|depth| depth + 1);
    let line = |out: &mut String, depth: Option<usize>| {
        if let Some(depth) = depth {
            out.push('\n');
            out.push_str(&"    ".repeat(depth));
        }
    };
    match value {
        Value::Array([]) => out.push_str("[]"),
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                out.push(if at == 0 { '[' } else { ',' });
                line(out, deeper);
                encode(item, deeper, ascii, out);
            }
            line(out, depth);
            out.push(']');
        }
        Value::Object(members) => {
            assert!(!members.is_empty(), "an empty map is written as a list");
            for (at, (key, member)) in members.iter().enumerate() {
                out.push(if at == 0 { '{' } else { ',' });
                line(out, deeper);
                encode_string(key, ascii, out);
                out.push_str(if depth.is_some() { ": " } else { ":" });
                encode(member, deeper, ascii, out);
            }
            line(out, depth);
            out.push('}');
        }
        Value::String(text) => encode_string(text, ascii, out),
        scalar => json::write_compact(scalar, out),
    }
}

fn encode_string(text: &str, ascii: bool, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' | '/' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' || matches!(c, '\u{2028}' | '\u{2029}') || (ascii && !c.is_ascii()) => {
                c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[test]
fn ids_and_times_belong_together() {
    let (directory, _) = make(1_000, 5, 0.0);
    let mut checked = 0;
    for (path, bytes) in files(&read_tree(directory.path())) {
        if !path.starts_with("chat_sessions/") || !bytes.starts_with(b"[\n") {
            continue;
        }
        let arena = json::Arena::new();
        let Value::Array(messages) = json::parse(bytes, &arena).unwrap() else { panic!("{path} is a list") };
        for message in messages {
            let id = message.get("id").and_then(Value::as_str).unwrap();
            let created = message.get("created_at").and_then(Value::as_str).unwrap();
            let seconds = i64::from_str_radix(&id[..8], 16).unwrap();
            assert_eq!(created.parse::<jiff::Timestamp>().unwrap().as_second(), seconds);
            assert!(id.len() == 40 && id.as_bytes()[14] == b'.' && id.as_bytes()[23] == b'_', "{id}");
            checked += 1;
        }
    }
    assert!(checked > 800, "{checked} messages");
}

#[test]
fn a_directory_that_holds_something_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("precious"), "keep").unwrap();
    let error = generate(directory.path(), &Options { records: 10, seed: 1, damage: 0.0 }).unwrap_err();
    assert!(matches!(error, GenerateError::NotEmpty { .. }), "{error}");
    assert!(error.hint().is_some());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    let error = generate(&directory.path().join("new"), &Options { records: 1, seed: 1, damage: 1.5 }).unwrap_err();
    assert!(matches!(error, GenerateError::Damage { .. }), "{error}");
    assert!(!directory.path().join("new").exists());
}

#[test]
fn modes_let_the_owner_write_and_all_others_read_only() {
    let (directory, _) = make(100, 1, 0.0);
    let tree = read_tree(directory.path());
    assert!(tree.len() > 20);
    // The root was there before, and a umask may take more away.
    for (path, entry) in tree.iter().filter(|(path, _)| !path.is_empty()) {
        let most = if entry.content.is_some() { 0o644 } else { 0o755 };
        assert_eq!(entry.mode & !most, 0, "{path} has mode {:o}", entry.mode);
    }
}

#[test]
fn any_number_of_records_can_be_made() {
    for records in [0, 1, 2, 19, 21, 999, 1_001] {
        assert_eq!(make(records, 1, 0.0).1.messages, records);
        assert_eq!(make(records, 1, 1.0).1.messages, records);
    }
}

#[test]
fn one_percent_of_damage_has_every_kind_when_there_are_enough_records() {
    let (directory, generated) = make(130_000, 1, 0.01);
    let counts = generated.damaged_by_kind();
    assert_eq!(counts.keys().copied().collect::<BTreeSet<_>>(), damage_kinds());
    // 1,300 users, as many memory files, 6,500 chats.
    assert_eq!(generated.damaged.len(), 13 + 13 + 65);
    let tree = read_tree(directory.path());
    for damaged in &generated.damaged {
        assert!(tree.contains_key(&damaged.path.to_text()), "{:?} is not there", damaged.path);
    }
}

#[test]
fn damage_touches_nothing_but_the_damaged_documents() {
    let (clean, _) = make(4_000, 1, 0.0);
    let (damaged, generated) = make(4_000, 1, 0.05);
    let (clean, damaged) = (read_tree(clean.path()), read_tree(damaged.path()));
    let same = clean.iter().filter(|(path, entry)| damaged.get(*path) == Some(entry)).count();
    // A damaged chat may lose up to two files to another name or shape.
    assert!(
        clean.len() - same <= 2 * generated.damaged.len(),
        "{} of {} entries differ",
        clean.len() - same,
        clean.len()
    );
    assert!(generated.damaged.len() > 10);
}

/// The JSON reader of the other side must see the damage that the list claims, as far as one file
/// alone shows it.
#[test]
fn damaged_files_are_damaged_as_the_list_says() {
    let (directory, generated) = make(10_000, 1, 1.0);
    let tree = read_tree(directory.path());
    let mut read = 0;
    for Damaged { path, kind, expected } in &generated.damaged {
        if path.as_path().extension().is_none() || *expected == Expected::NotFollowed {
            continue;
        }
        let entry = &tree[&path.to_text()];
        let bytes = entry.content.as_deref().unwrap();
        let (text, bom) = json::strip_bom(bytes);
        assert_eq!(bom, matches!(*kind, "bom" | "only_bom"), "{kind} of {path:?}");
        let arena = json::Arena::new();
        let found = json::parse(text, &arena).err().map(|error| reason(error.kind));
        let claimed = match expected {
            Expected::Reject(reason) if PARSED.contains(reason) => Some(*reason),
            _ => None,
        };
        assert_eq!(found, claimed, "{kind} of {path:?}");
        assert_eq!(entry.mode == 0, *expected == Expected::Unreadable, "{kind} of {path:?}");
        read += 1;
    }
    assert!(read > 600, "{read} damaged files");
}

/// What the reader itself rejects.
const PARSED: [Reason; 8] = [
    Reason::Empty,
    Reason::Truncated,
    Reason::InvalidJson,
    Reason::InvalidUtf8,
    Reason::LoneSurrogate,
    Reason::NulCharacter,
    Reason::DuplicateKey,
    Reason::TooDeep,
];

fn reason(kind: ErrorKind) -> Reason {
    match kind {
        ErrorKind::Empty => Reason::Empty,
        ErrorKind::Truncated => Reason::Truncated,
        ErrorKind::Syntax => Reason::InvalidJson,
        ErrorKind::InvalidUtf8 => Reason::InvalidUtf8,
        ErrorKind::LoneSurrogate => Reason::LoneSurrogate,
        ErrorKind::NulCharacter => Reason::NulCharacter,
        ErrorKind::DuplicateKey => Reason::DuplicateKey,
        ErrorKind::TooDeep => Reason::TooDeep,
    }
}
