//! A tree of documents of every kind: generated ones, the fixtures, random ones, and such as the
//! application has rows for already.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use transload::format::donna::tables::{CONVERSATION, LOG, MEMORY, TABLES};
use transload::generate::{generate, Options};
use transload::schema;
use transload::target::Durability;

use crate::database::execute;
use crate::maker::Maker;
use crate::support::place::Database;

/// 2025-12-01T00:00:00Z: no file is younger, so none is on its way.
const MODIFIED: u64 = 1_764_547_200;

/// How large a tree is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Messages of the generated part.
    pub records: u64,
    /// Random documents of each kind.
    pub made: u64,
}

/// Writes the tree, and into the database what the application wrote there before.
pub fn plant(root: &Path, database: &Database, seed: u64, size: Size) {
    generate(root, &Options { records: size.records, seed, damage: 0.0 }).expect("a tree can be made");
    for case in ["donna", "donna-damaged"] {
        copy_fixture(root, case);
    }
    rich(root);
    let mut maker = Maker::new(seed, 0);
    for number in 0..size.made {
        make(root, &mut maker, number);
    }
    let target = database.target();
    let mut connection = target.connect(Durability::Relaxed).expect("the database answers");
    schema::prepare(&mut *connection, target.capabilities().dialect, "donna", &TABLES).expect("tables can be made");
    drop((connection, target));
    (0..size.made.div_ceil(10)).for_each(|number| adoptable(root, database, number));
}

/// One random document of each kind.
fn make(root: &Path, maker: &mut Maker, number: u64) {
    let user = format!("made_{number}");
    let clerk_id = format!("clerk_{number}");
    write(root, &format!("users/{user}.json"), &maker.user(&[&clerk_id]));
    let size = maker.chance.below(6) + 1;
    // Some are of users that no file describes.
    let owner = if number.is_multiple_of(4) { format!("nobody_{number}") } else { user.clone() };
    write(root, &format!("memory/{owner}.json"), &maker.content(&MEMORY, "", size));
    let chat = format!("chat_sessions/made_{number}");
    write(root, &format!("{chat}.json"), &maker.history(size));
    if !number.is_multiple_of(3) {
        write(root, &format!("{chat}_session.json"), &maker.session(&[&user, &clerk_id, "nobody"]));
    }
    let directory = ["conversations", "mcp/storage/conversations"][(number % 2) as usize];
    let path = format!("{directory}/made_{number}.json");
    write(root, &path, &maker.content(&CONVERSATION, &path, size));
    if number.is_multiple_of(5) {
        write(root, &format!("logs/made_{number}.log"), &maker.content(&LOG, "", size));
    }
}

/// Documents in which every edit of a value finds its place.
fn rich(root: &Path) {
    let values = "{\"float\":0.1,\"large\":123456789012345678901234567890,\"empty\":[],\"map\":{\"é\":\"né\"},\
                  \"list\":[1,2],\"deep\":{\"a\":[{\"b\":{\"c\":\"x\"}}]},\"flag\":true,\"none\":null}";
    let time = "2025-11-28T10:15:30+00:00";
    for number in 0..8 {
        let id = format!("rich_{number}");
        let user = format!(
            "{{\"id\":\"{id}\",\"clerk_id\":\"clerké_{number}\",\"email\":\"é@example.com\",\"name\":\"Zoé Ünal\",\
             \"status\":\"réel\",\"profile\":{values},\"preferences\":{values},\"last_active_at\":\"{time}\",\
             \"created_at\":\"{time}\",\"updated_at\":\"{time}\",\"vertical\":{{\"n\":1.10}}}}"
        );
        write(root, &format!("users/{id}.json"), user.as_bytes());
        let entry = |value: &str| format!("{{\"value\":{value},\"created_at\":\"{time}\",\"expires_at\":\"{time}\"}}");
        let memory = format!("{{\"préféré\":{{\"clé\":{},\"text\":{}}}}}", entry(values), entry("\"\""));
        write(root, &format!("memory/{id}.json"), memory.as_bytes());
        let message = |at: usize| {
            format!(
                "{{\"id\":{at},\"role\":\"{}\",\"content\":\"Élan é {at}\",\"metadata\":{values},\"token_count\":{at},\
                 \"created_at\":\"2025-11-28T10:15:{at:02}+00:00\",\"sequence_number\":{at}}}",
                ["user", "rôlé", "assistant"][at % 3]
            )
        };
        let messages: Vec<String> = (1..=4).map(message).collect();
        write(root, &format!("chat_sessions/{id}é.json"), format!("[{}]", messages.join(",")).as_bytes());
        let session = format!(
            "{{\"id\":\"s\",\"chat_id\":\"{id}é\",\"user_id\":\"{id}\",\"created_at\":\"{time}\",\"updated_at\":\"{time}\",\
             \"last_message_at\":\"{time}\",\"message_count\":4,\"title\":\"Titré\",\"profile\":\"géneral\",\
             \"status\":\"fermé\",\"metadata\":{values}}}"
        );
        write(root, &format!("chat_sessions/{id}é_session.json"), session.as_bytes());
    }
    let line = format!(
        "{{\"timestamp\":\"{time}\",\"level\":\"infé\",\"message\":\"é\",\"trace_id\":\"é\",\"context\":{values},\
         \"ip\":\"192.0.2.7\",\"user_agent\":\"é\",\"request_uri\":\"/a é\"}}\n"
    );
    write(root, "logs/rich.log", line.repeat(3).as_bytes());
    write(root, "logs/other.log", line.repeat(2).as_bytes());
}

/// A user with a memory and a chat that the application wrote to its tables, too.
fn adoptable(root: &Path, database: &Database, number: u64) {
    let (user, clerk_id, chat) = (format!("own_{number}"), format!("own_clerk_{number}"), format!("own_chat_{number}"));
    let time = "2025-11-28T10:15:30+00:00";
    let entry = |value: &str| format!("{{\"value\":\"{value}\",\"created_at\":\"{time}\",\"expires_at\":null}}");
    let message = |at: u64| {
        format!(
            "{{\"id\":\"m{at}\",\"role\":\"user\",\"content\":\"message {at}\",\"metadata\":{{\"n\":[0.1,1.5]}},\
             \"created_at\":\"{time}\",\"sequence_number\":{at}}}"
        )
    };
    write(
        root,
        &format!("users/{user}.json"),
        format!(
            "{{\"id\":\"{user}\",\"clerk_id\":\"{clerk_id}\",\"name\":\"Ada Lovelace\",\"created_at\":\"{time}\"}}"
        )
        .as_bytes(),
    );
    let memory = format!("{{\"profile\":{{\"color\":{},\"city\":{}}}}}", entry("blue"), entry("London"));
    write(root, &format!("memory/{user}.json"), memory.as_bytes());
    let history = format!("[{},{},{}]", message(1), message(2), message(3));
    write(root, &format!("chat_sessions/{chat}.json"), history.as_bytes());
    let session = format!(
        "{{\"id\":\"s\",\"chat_id\":\"{chat}\",\"user_id\":\"{clerk_id}\",\"created_at\":\"{time}\",\"updated_at\":\
         \"{time}\",\"last_message_at\":\"{time}\",\"message_count\":3,\"metadata\":{{\"title\":\"Hello\"}}}}"
    );
    write(root, &format!("chat_sessions/{chat}_session.json"), session.as_bytes());
    let id = |kind: u64| format!("{kind:08x}-0000-4000-8000-{number:012x}");
    let statements = [
        format!("INSERT INTO users (id, clerk_id, name) VALUES ('{}', '{clerk_id}', 'Ada')", id(1)),
        format!(
            "INSERT INTO user_memory (id, user_id, memory_type, key, value) \
             VALUES ('{}', '{}', 'profile', 'color', '\"green\"')",
            id(2),
            id(1)
        ),
        format!("INSERT INTO chat_sessions (id, chat_id, title) VALUES ('{}', '{chat}', 'Hi')", id(3)),
        format!(
            "INSERT INTO messages (id, chat_session_id, role, content, sequence_number) \
             VALUES ('{}', '{}', 'user', 'message 2', 2)",
            id(4),
            id(3)
        ),
    ];
    execute(database, &statements);
}

fn copy_fixture(root: &Path, case: &str) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(case).join("legacy");
    for entry in walkdir::WalkDir::new(&from).sort_by_file_name() {
        let entry = entry.expect("the fixture can be read");
        let path = entry.path().strip_prefix(&from).expect("it is below the root");
        if entry.file_type().is_file() && !root.join(path).exists() {
            let bytes = fs::read(entry.path()).expect("the fixture can be read");
            write(root, path.to_str().expect("the fixture's names are UTF-8"), &bytes);
        }
    }
}

/// Writes a file, dated so that it is not on its way.
pub fn write(root: &Path, path: &str, bytes: &[u8]) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("a file is in a directory")).expect("a directory can be made");
    fs::write(&path, bytes).expect("a file can be written");
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(MODIFIED);
    File::options().append(true).open(&path).and_then(|file| file.set_modified(time)).expect("it is ours");
}
