//! Memory is bounded by configuration and not by input: a tree of many files, and one huge chat
//! that is loaded, changed and cut short.
//!
//! The huge chat has 40 MB; with `TRANSLOAD_TEST_LONG=1` it has 200 MB.

mod support;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::json;
use support::chance;
use support::place::{Database, Ended, Place};
use transload::format::donna::tables::{CHAT_SESSIONS, MESSAGES};
use transload::generate::{generate, Options};
use transload::model::{Instant, Row, Table, Value};
use transload::target::{Durability, Filter};

const MIB: u64 = 1 << 20;

/// The tree of 10,000 records.
const TREE_LIMIT: u64 = 128 * MIB;

/// The bytes of the huge chat and of the one that is cut short, and what the program may take.
fn huge() -> (u64, u64, u64) {
    match chance::is_long() {
        true => (200_000_000, 50_000_000, 256 * MIB),
        // What grows with the number of messages has a fifth of its room; the allocator keeps as much.
        false => (40_000_000, 10_000_000, 100 * MIB),
    }
}

fn assert_within(ended: &Ended, limit: u64, what: &str) {
    println!("{what}: {:.2} s, {} MiB", ended.time.as_secs_f64(), ended.peak / MIB);
    assert!(ended.peak > 0, "the program's memory was seen");
    assert!(ended.peak <= limit, "{what} took {} MiB of {}", ended.peak / MIB, limit / MIB);
}

fn a_tree_of_ten_thousand_records_is_loaded_and_verified_in_less_than_128_mib(place: &Place) {
    let source = place.path("tree");
    generate(&source, &Options { records: 10_000, seed: 1, damage: 0.0 }).expect("a tree can be made");
    let database = place.fresh();
    let first = place.run(&source, &database, &[]);
    assert_eq!(first.code, Some(0), "{}", first.log);
    assert_within(&first, TREE_LIMIT, "10,000 records");
    let again = place.run(&source, &database, &[]);
    assert_eq!(again.code, Some(0), "{}", again.log);
    assert_within(&again, TREE_LIMIT, "10,000 records again");
    assert_eq!(database.content().rows("messages").len(), 10_000);
    let verified = verify(place, &source, &database);
    assert_eq!(verified.code, Some(0), "{}", verified.log);
    assert_within(&verified, TREE_LIMIT, "a verification of 10,000 records");
}

fn verify(place: &Place, source: &Path, database: &Database) -> Ended {
    place.start_verb("verify", source, database, &[]).wait()
}

/// Verified as it is, and with one message in the middle that is another one.
fn assert_verifies(place: &Place, source: &Path, database: &Database, chat: &Chat) {
    let verified = verify(place, source, database);
    assert_eq!(verified.code, Some(0), "{}", verified.log);
    assert_within(&verified, 256 * MIB, "a verification of a huge chat");

    let mut connection = database.target().connect(Durability::Relaxed).expect("the database answers");
    let number = [Value::Int(chat.messages.len() as i64 / 2)];
    let mut found = rows(database, &MESSAGES, "sequence_number", &number);
    found[0].0[3] = Value::Text("edited".into());
    connection.update(&MESSAGES, &found).expect("the row can be written");
    drop(connection);
    let verified = place.start_verb("verify", source, database, &["--max-lag", "1s"]).wait();
    assert_eq!(verified.code, Some(1), "{}", verified.log);
    assert!(verified.log.contains("edited_in_database"), "{}", verified.log);
    assert_within(&verified, 256 * MIB, "a verification of a huge chat that differs");
}

/// A history as the present writer leaves it, message by message, so that it is never whole here.
struct Chat {
    path: PathBuf,
    /// In the order of the file: the message's own number, and whether it was edited.
    messages: Vec<(usize, bool)>,
}

impl Chat {
    const ID: &str = "huge";

    /// Writes messages until there are so many bytes.
    fn write(source: &Path, bytes: u64) -> Chat {
        let mut chat = Chat { path: source.join(format!("chat_sessions/{}.json", Chat::ID)), messages: Vec::new() };
        fs::create_dir_all(chat.path.parent().expect("it is in a directory")).expect("a directory can be made");
        let mut out = BufWriter::new(File::create(&chat.path).expect("a file can be made"));
        let mut written = 0;
        while written < bytes {
            let number = chat.messages.len();
            let text = text_of(number, number, false);
            write!(out, "{}{text}", if number == 0 { "[\n" } else { ",\n" }).expect("the file can be written");
            written += text.len() as u64;
            chat.messages.push((number, false));
        }
        write!(out, "\n]").expect("the file can be written");
        chat.close(out, 0);
        chat
    }

    /// Edits a message, removes another and appends one.
    fn change(&mut self) {
        let count = self.messages.len();
        self.messages[count / 3].1 = true;
        self.messages.remove(count / 2);
        self.messages.push((count, false));
        let mut out = BufWriter::new(File::create(&self.path).expect("the file can be written"));
        for (at, (number, edited)) in self.messages.iter().enumerate() {
            let start = if at == 0 { "[\n" } else { ",\n" };
            // The writer gives a message its number once.
            write!(out, "{start}{}", text_of(*number, *number, *edited)).expect("the file can be written");
        }
        write!(out, "\n]").expect("the file can be written");
        self.close(out, 60);
    }

    fn close(&self, out: BufWriter<File>, later: u64) {
        let file = out.into_inner().expect("the file can be written");
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_764_547_200 + later);
        file.set_modified(time).expect("the file is ours");
    }

    /// The row of the message at a position, save for its ids.
    fn row(&self, at: usize) -> Vec<Value> {
        let (number, edited) = self.messages[at];
        let next = self.messages.get(at + 1).map(|(number, _)| *number);
        vec![
            Value::Text(role(number).into()),
            Value::Text(content(number, edited)),
            Value::Json("{}".into()),
            Value::Time(Instant::from_seconds(time(number)).expect("a time of our days")),
            Value::Int(i64::try_from(at).expect("a few") + 1),
            Value::Null,
            Value::Bool(role(number) == "user" && next.is_some_and(is_flag)),
        ]
    }
}

fn role(number: usize) -> &'static str {
    if is_flag(number) {
        return "system";
    }
    if is_flag(number + 1) {
        return "user";
    }
    ["user", "assistant"][number % 2]
}

/// Every flag is the first message of a part of 1,000, and what it flags is the last of the one before.
fn is_flag(number: usize) -> bool {
    number > 0 && number.is_multiple_of(1_000) && number % 7_000 < 2_000
}

fn time(number: usize) -> i64 {
    1_735_786_800 + number as i64 * 30
}

fn content(number: usize, edited: bool) -> String {
    if is_flag(number) {
        return "🚩 Conversation flagged for review".into();
    }
    // Mostly some hundred characters, now and then a long letter.
    let repeat = match number % 5_000 {
        4_321 => 20_000,
        round => 1 + round % 29,
    };
    let edit = if edited { " (edited)" } else { "" };
    format!("No. {number}{edit}: {}", "größer/schöner \"und\" \\ so\nweiter ✓ ".repeat(repeat))
}

/// One message as the present writer spells it.
fn text_of(number: usize, sequence: usize, edited: bool) -> String {
    let quoted = json!(content(number, edited)).to_string().replace('/', "\\/");
    let created = Instant::from_seconds(time(number)).expect("a time of our days").to_fixed();
    let id = format!("{:08x}a1b2c3.12345678_{number:016x}", time(number));
    format!(
        "    {{\n        \"id\": \"{id}\",\n        \"role\": \"{}\",\n        \"content\": {quoted},\n        \
         \"metadata\": [],\n        \"created_at\": \"{}+00:00\",\n        \"sequence_number\": {}\n    }}",
        role(number),
        &created[..19],
        sequence + 1
    )
}

fn rows(database: &Database, table: &Table, column: &str, values: &[Value]) -> Vec<Row> {
    let mut connection = database.target().connect(Durability::Relaxed).expect("the database answers");
    let column = table.column(column).expect("a column of the table");
    let mut found = Vec::new();
    let filter = Filter::In { column, values };
    let each = &mut |row| {
        found.push(row);
        std::ops::ControlFlow::Continue(())
    };
    connection.select(table, &filter, each).expect("the rows can be read");
    found
}

fn assert_is_loaded(database: &Database, chat: &Chat, when: &str) {
    let sessions = rows(database, &CHAT_SESSIONS, "chat_id", &[Value::Text(Chat::ID.into())]);
    let [session] = sessions.as_slice() else { panic!("{when}: {sessions:?}") };
    let of_session = |name| &session.0[CHAT_SESSIONS.column(name).expect("a column")];
    let count = chat.messages.len();
    assert_eq!(*of_session("message_count"), Value::Int(count as i64), "{when}");
    let moment = |number| Value::Time(Instant::from_seconds(time(number)).expect("a time of our days"));
    assert_eq!(*of_session("created_at"), moment(0), "{when}");
    assert_eq!(*of_session("last_message_at"), moment(chat.messages[count - 1].0), "{when}");

    // Both ends, the borders of parts, what was edited and where something is missing, and a sample.
    let borders = (1_000..count).step_by(1_000).flat_map(|at| [at - 1, at]);
    let ends = [0, 1, count / 3, count / 2 - 1, count / 2, count / 2 + 1, count - 2, count - 1];
    let places: Vec<usize> = ends.into_iter().chain(borders).chain((0..count).step_by(997)).collect();
    let numbers: Vec<Value> = places.iter().map(|at| Value::Int(*at as i64 + 1)).collect();
    let found: BTreeMap<i64, Row> = rows(database, &MESSAGES, "sequence_number", &numbers)
        .into_iter()
        .map(|row| (row.0[6].as_int().expect("a number"), row))
        .collect();
    let mut flagged = 0;
    for at in places {
        let row = found.get(&(at as i64 + 1)).unwrap_or_else(|| panic!("{when}: message {at} is missing"));
        assert_eq!(row.0[1], session.0[0], "{when}: message {at} is in its session");
        assert_eq!(row.0[2..], chat.row(at), "{when}: message {at}");
        flagged += usize::from(row.0[8] == Value::Bool(true));
    }
    assert!(flagged > 0, "{when}: flags were looked at");

    let mut connection = database.target().connect(Durability::Relaxed).expect("the database answers");
    let (mut all, mut ids) = (0, std::collections::HashSet::new());
    let each = &mut |row: Row| {
        all += 1;
        ids.insert(row.id());
        std::ops::ControlFlow::Continue(())
    };
    connection.select(&MESSAGES, &Filter::All, each).expect("the rows can be read");
    assert_eq!((all, ids.len()), (count, count), "{when}");
}

fn a_huge_chat_is_loaded_changed_and_verified_in_bounded_memory(place: &Place) {
    let (bytes, _, limit) = huge();
    let source = place.path("source");
    let mut chat = Chat::write(&source, bytes);
    let database = place.fresh();
    let loaded = place.run(&source, &database, &[]);
    assert_eq!(loaded.code, Some(0), "{}", loaded.log);
    assert_is_loaded(&database, &chat, "loaded");
    assert_within(&loaded, limit, &format!("a chat of {} MB", bytes / 1_000_000));

    chat.change();
    let changed = place.run(&source, &database, &[]);
    assert_eq!(changed.code, Some(0), "{}", changed.log);
    assert!(changed.log.contains("1 updated"), "{}", changed.log);
    assert_is_loaded(&database, &chat, "changed");
    assert_within(&changed, limit, &format!("a change of a chat of {} MB", bytes / 1_000_000));

    let again = place.run(&source, &database, &[]);
    assert_eq!(again.code, Some(0), "{}", again.log);
    assert!(again.log.contains("1 unchanged"), "{}", again.log);
    assert_within(&again, 64 * MIB, "the same chat again");
    assert_verifies(place, &source, &database, &chat);
}

fn a_huge_chat_that_was_cut_short_is_rejected_whole(place: &Place) {
    let (_, bytes, _) = huge();
    let source = place.path("source");
    let chat = Chat::write(&source, bytes);
    // In the middle of a string in the last message.
    let text = fs::read_to_string(&chat.path).expect("the chat can be read");
    let cut = text.rfind("No. ").expect("the last message") + 4;
    let lines = text[..cut].lines().count();
    let column = text[..cut].lines().last().expect("a line").chars().count() + 1;
    File::options().write(true).open(&chat.path).and_then(|file| file.set_len(cut as u64)).expect("it can be cut");

    let database = place.fresh();
    let ended = place.run(&source, &database, &[]);
    assert_eq!(ended.code, Some(1), "{}", ended.log);
    let expected = format!("`chat_sessions/{}.json` line {lines} column {column}", Chat::ID);
    assert!(ended.log.contains(&expected) && ended.log.contains("(truncated)"), "{expected}: {}", ended.log);
    assert_within(&ended, 64 * MIB, "a chat that was cut short");
    let content = database.content();
    for table in ["users", "chat_sessions", "messages", "documents", "residue"] {
        assert_eq!(content.rows(table).len(), 0, "{table}");
    }
    assert_eq!(content.rows("rejects").len(), 1);
}

fn max_memory_is_kept_to_within_a_tenth(place: &Place) {
    let source = place.path("tree");
    generate(&source, &Options { records: 10_000, seed: 1, damage: 0.0 }).expect("a tree can be made");
    let (bytes, _, _) = huge();
    Chat::write(&source, bytes);
    // What a thread and a connection take is counted, so their numbers are not left to this machine.
    let sizes = ["--threads", "2", "--connections", "2", "--batch-rows", "20000"];
    for limit in [64, 96] {
        let database = place.fresh();
        let most = format!("{limit}MiB");
        let arguments = [&sizes[..], &["--max-memory", &most]].concat();
        let ended = place.run(&source, &database, &arguments);
        assert_eq!(ended.code, Some(0), "{}", ended.log);
        assert_within(&ended, limit * MIB * 11 / 10, &format!("with --max-memory {most}"));
    }
    let database = place.fresh();
    let refused = place.run(&source, &database, &[&sizes[..], &["--max-memory", "10MiB"]].concat());
    assert_eq!(refused.code, Some(64), "{}", refused.log);
    let least = refused.log.split("at least ").nth(1).and_then(|rest| rest.split(' ').next());
    let least = format!("{}MiB", least.expect("the smallest is said"));
    let smallest = place.run(&source, &database, &[&sizes[..], &["--max-memory", &least]].concat());
    assert_eq!(smallest.code, Some(0), "{}", smallest.log);
    let limit: u64 = least.trim_end_matches("MiB").parse().expect("a number");
    assert_within(&smallest, limit * MIB * 11 / 10, &format!("with the smallest, {least}"));
}

/// A heap that the GNU C library made for a thread: room for 64 MiB at a multiple of that, of which only the
/// beginning may be used so far.
fn heap_of_a_thread(maps: &str) -> Option<u64> {
    const ROOM: u64 = 64 * MIB;
    let ranges = maps.lines().filter_map(|line| {
        let (range, rest) = line.split_once(' ')?;
        let (begin, end) = range.split_once('-')?;
        let address = |hex| u64::from_str_radix(hex, 16).ok();
        Some((address(begin)?, address(end)?, rest.split(' ').next()?))
    });
    let ranges: Vec<(u64, u64, &str)> = ranges.collect();
    let pairs = ranges.windows(2).filter(|pair| (pair[0].2, pair[1].2) == ("rw-p", "---p"));
    let mut of_threads = pairs.filter(|pair| {
        let (first, second) = (pair[0], pair[1]);
        first.0.is_multiple_of(ROOM) && first.1 == second.0 && second.1 == first.0 + ROOM
    });
    of_threads.next().map(|pair| pair[0].0)
}

/// SQLite's memory is the C library's. With a heap for each thread, what a phase's writer leaves in its own is no
/// use to the next one's.
fn threads_share_one_heap(place: &Place) {
    let source = place.path("tree");
    generate(&source, &Options { records: 5_000, seed: 1, damage: 0.0 }).expect("a tree can be made");
    let database = place.fresh();
    let mut running = place.start(&source, &database, &["--batch-rows", "100"]);
    let mut looks = 0;
    while !running.has_ended() {
        if let Some(maps) = running.maps().filter(|maps| !maps.is_empty()) {
            looks += 1;
            assert_eq!(heap_of_a_thread(&maps), None, "{maps}");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let ended = running.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    assert!(looks > 10 || !cfg!(target_os = "linux"), "{looks} looks at what it has mapped");
}

in_every_place!(
    a_tree_of_ten_thousand_records_is_loaded_and_verified_in_less_than_128_mib,
    a_huge_chat_is_loaded_changed_and_verified_in_bounded_memory,
    a_huge_chat_that_was_cut_short_is_rejected_whole,
    max_memory_is_kept_to_within_a_tenth,
    threads_share_one_heap,
);
