//! A case's world: a working directory, a source tree in it, a database, and the program.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::rc::Rc;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use rusqlite::types::ValueRef;
use serde_json::{json, Value};
use tempfile::TempDir;

use crate::support::postgres;

/// The target's tables, parents first, and those of the ledger but for the runs.
const TABLES: [&str; 8] = [
    "users",
    "chat_sessions",
    "messages",
    "user_memory",
    "system_logs",
    "ledger.documents",
    "ledger.residue",
    "ledger.rejects",
];

/// When every file of a source was last modified: 2025-06-01T00:00:00Z.
const MODIFIED: u64 = 1_748_736_000;

/// What stands for NULL in the rows of a query.
pub const NULL: &str = "NULL";

pub struct World {
    directory: Rc<TempDir>,
    database: Database,
}

enum Database {
    /// The file's name in the working directory.
    Sqlite(String),
    /// The superuser's URL.
    Postgres(String),
}

/// Rows by table, as text.
pub type Dump = BTreeMap<&'static str, Vec<Vec<String>>>;

impl World {
    pub fn sqlite() -> World {
        World { directory: directory(), database: Database::Sqlite("target.db".into()) }
    }

    pub fn postgres() -> World {
        World { directory: directory(), database: Database::Postgres(postgres::fresh_database()) }
    }

    /// The same directory and source with another empty database of the same kind.
    pub fn with_another_database(&self, name: &str) -> World {
        let database = match &self.database {
            Database::Sqlite(_) => Database::Sqlite(format!("{name}.db")),
            Database::Postgres(_) => Database::Postgres(postgres::fresh_database()),
        };
        World { directory: Rc::clone(&self.directory), database }
    }

    pub fn is_sqlite(&self) -> bool {
        matches!(self.database, Database::Sqlite(_))
    }

    /// The working directory.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub fn source(&self) -> PathBuf {
        self.directory().join("source")
    }

    /// As `--db` takes it.
    pub fn url(&self) -> String {
        match &self.database {
            Database::Sqlite(name) => format!("sqlite:{name}"),
            Database::Postgres(url) => url.clone(),
        }
    }

    /// The SQLite file.
    pub fn file(&self) -> PathBuf {
        match &self.database {
            Database::Sqlite(name) => self.directory().join(name),
            Database::Postgres(_) => panic!("a server's database is no file"),
        }
    }

    // The source.

    /// Writes a file of the source.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.source().join(path);
        fs::create_dir_all(path.parent().expect("a file is in a directory")).expect("a directory can be made");
        fs::write(&path, content).expect("a file can be written");
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(MODIFIED);
        let file = fs::File::options().append(true).open(&path).expect("the file was just written");
        file.set_modified(modified).expect("a file can be dated");
    }

    /// Gives a file of the source a later time: 2025-06-02T00:00:00Z.
    pub fn touch(&self, path: &str) {
        let file = fs::File::options().append(true).open(self.source().join(path)).expect("the file is there");
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(MODIFIED + 86_400))
            .expect("a file can be dated");
    }

    pub fn json(&self, path: &str, content: &Value) {
        self.write(path, content.to_string());
    }

    pub fn remove(&self, path: &str) {
        fs::remove_file(self.source().join(path)).expect("the file is there");
    }

    /// Two users, a memory file, three chats, a conversation, a log and settings: seven documents
    /// and sixteen rows (eight and seventeen with the log).
    pub fn seed(&self) {
        self.json("users/ada.json", &user("ada", json!({"clerk_id": "clerk_ada", "name": "Ada"})));
        self.json("users/bob.json", &user("bob", json!({"name": "Bob"})));
        self.json("memory/ada.json", &memory(&[("color", "blue"), ("city", "London")]));
        self.json("chat_sessions/c1.json", &history(&["one", "two", "three"]));
        self.json("chat_sessions/c1_session.json", &session("c1", json!("ada")));
        self.json("chat_sessions/c2.json", &history(&["alone", "still alone"]));
        self.json("chat_sessions/c3.json", &history(&["by clerk id"]));
        self.json("chat_sessions/c3_session.json", &session("c3", json!("clerk_ada")));
        self.json(
            "conversations/lead@example.org.json",
            &json!([{"from": "lead", "content": "Hello"}, {"from": "bot", "content": "Hi"}]),
        );
        self.write(
            "logs/info.log",
            "{\"timestamp\":\"2025-11-28T10:15:30+00:00\",\"level\":\"info\",\"message\":\"started\"}\n",
        );
        self.write("chatbot_settings.json", "{}");
    }

    /// Everything below a directory of the working directory: kind and mode, size, time and path.
    pub fn listing(&self, below: &str) -> Vec<String> {
        let mut lines = Vec::new();
        list(&self.directory().join(below), &mut lines);
        lines.sort();
        lines
    }

    // The program.

    /// The program with these arguments, in the working directory, with an empty environment.
    pub fn bare_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_transload"));
        command.args(arguments).current_dir(self.directory()).env_clear().stdin(Stdio::null());
        command
    }

    /// As [`World::bare_command`], with this world's database.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.bare_command(arguments);
        command.args(["--db", &self.url()]);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().expect("the program starts"))
    }

    /// Migrates the source, with further arguments.
    pub fn migrate(&self, arguments: &[&str]) -> Ran {
        self.run(&[&["migrate", "source", "--json", "--quiet"], arguments].concat())
    }

    /// Starts the program; see [`Running`].
    pub fn start(&self, arguments: &[&str]) -> Running {
        Running::start(&mut self.command(arguments))
    }

    /// Locks a file of the source, as the application does while it writes: a run cannot get past
    /// it before it is released, or before the run's patience (five seconds) has an end.
    pub fn hold(&self, path: &str) -> Held {
        let held = Held(fs::File::open(self.source().join(path)).expect("the file is there"));
        held.0.lock().expect("nobody else locks it");
        held
    }

    /// Starts a migration.
    pub fn start_migrate(&self, arguments: &[&str]) -> Running {
        self.start(&[&["migrate", "source", "--json", "--quiet"], arguments].concat())
    }

    // The database.

    /// The rows of a query as text. `ledger.` stands for the ledger's schema or prefix.
    pub fn query(&self, sql: &str) -> Vec<Vec<String>> {
        let sql = self.spelled(sql);
        match &self.database {
            Database::Sqlite(_) => sqlite_rows(&self.open(), &sql),
            Database::Postgres(url) => {
                let or_null = |value: Option<String>| value.unwrap_or_else(|| NULL.into());
                let rows = postgres::query(url, &sql);
                rows.into_iter().map(|row| row.into_iter().map(or_null).collect()).collect()
            }
        }
    }

    /// The only value of a query.
    pub fn value(&self, sql: &str) -> String {
        let rows = self.query(sql);
        match rows.as_slice() {
            [row] if row.len() == 1 => row[0].clone(),
            rows => panic!("{sql:?} gives {rows:?} instead of one value"),
        }
    }

    /// The values of a query's only column.
    pub fn values(&self, sql: &str) -> Vec<String> {
        self.query(sql).into_iter().map(|row| row.into_iter().next().expect("a column")).collect()
    }

    pub fn execute(&self, sql: &str) {
        let sql = self.spelled(sql);
        match &self.database {
            Database::Sqlite(_) => {
                self.open().execute_batch(&sql).unwrap_or_else(|error| panic!("cannot run {sql:?}: {error}"));
            }
            Database::Postgres(url) => postgres::execute(url, &sql),
        }
    }

    /// All rows but those of the runs, each with its place and version in the database: a row that
    /// was written again differs even if its values do not.
    pub fn dump(&self) -> Dump {
        let version = if self.is_sqlite() { "rowid" } else { "ctid, xmin" };
        self.dump_with(|table| format!("SELECT {version}, t.* FROM {table} t"))
    }

    /// All rows but those of the runs, without what differs from run to run.
    pub fn content(&self) -> Dump {
        self.dump_with(|table| match table {
            "ledger.documents" => {
                "SELECT id, kind, doc_key, row_id, reference, digest, bytes, base_time, files, notes \
                                   FROM ledger.documents"
                    .to_owned()
            }
            "ledger.rejects" => "SELECT document_id, kind, doc_key, file, files, bytes, digest, reason, line, col, \
                                 pointer, detail, state, accepted_because FROM ledger.rejects"
                .to_owned(),
            table => format!("SELECT * FROM {table}"),
        })
    }

    fn dump_with(&self, query: impl Fn(&str) -> String) -> Dump {
        let sorted = |table| {
            let mut rows = self.query(&query(table));
            rows.sort();
            rows
        };
        // What is not there has no rows.
        let has = |table: &str| table != "system_logs" || self.has_logs();
        TABLES.into_iter().map(|table| (table, if has(table) { sorted(table) } else { Vec::new() })).collect()
    }

    /// Whether the optional table is there.
    pub fn has_logs(&self) -> bool {
        let count = match self.is_sqlite() {
            true => "SELECT count(*) FROM sqlite_schema WHERE name = 'system_logs'",
            false => "SELECT count(*) FROM pg_class WHERE relname = 'system_logs'",
        };
        self.value(count) == "1"
    }

    /// From here on, [`World::touched`] says which rows are written.
    pub fn watch(&self) {
        self.execute("CREATE TABLE touched (what TEXT)");
        if !self.is_sqlite() {
            self.execute(
                "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                     INSERT INTO public.touched VALUES (lower(TG_OP) || ' ' || TG_TABLE_NAME);
                     RETURN NULL;
                 END $$",
            );
        }
        for table in TABLES.into_iter().filter(|table| *table != "system_logs" || self.has_logs()) {
            let name = table.trim_start_matches("ledger.");
            if self.is_sqlite() {
                for op in ["insert", "update", "delete"] {
                    self.execute(&format!(
                        "CREATE TRIGGER touch_{op}_{name} AFTER {op} ON {table}
                         BEGIN INSERT INTO touched VALUES ('{op} {name}'); END"
                    ));
                }
            } else {
                self.execute(&format!(
                    "CREATE TRIGGER touch AFTER INSERT OR UPDATE OR DELETE ON {table}
                     FOR EACH ROW EXECUTE FUNCTION touch()"
                ));
            }
        }
    }

    /// What was written since the last look, e.g. `1 insert messages`; the ledger's own tables are
    /// left out. Deletes come first, then inserts and updates, each in the order of table names.
    pub fn touched(&self) -> Vec<String> {
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for what in self.values("SELECT what FROM touched") {
            *counts.entry(what).or_default() += 1;
        }
        self.execute("DELETE FROM touched");
        let own = |what: &str| ["documents", "residue", "rejects"].iter().any(|table| what.ends_with(table));
        counts.into_iter().filter(|(what, _)| !own(what)).map(|(what, count)| format!("{count} {what}")).collect()
    }

    fn spelled(&self, sql: &str) -> String {
        sql.replace("ledger.", if self.is_sqlite() { "transload_" } else { "transload." })
    }

    fn open(&self) -> rusqlite::Connection {
        let connection = rusqlite::Connection::open(self.file()).expect("the database can be opened");
        connection.pragma_update(None, "foreign_keys", true).expect("SQLite knows foreign keys");
        connection
    }
}

/// Says which rows differ, and only those.
#[track_caller]
pub fn assert_same(left: &Dump, right: &Dump) {
    assert!(left.keys().eq(right.keys()));
    for &table in left.keys() {
        let only = |of: &Dump, other: &Dump| -> Vec<Vec<String>> {
            of[table].iter().filter(|row| !other[table].contains(row)).cloned().collect()
        };
        let (left_only, right_only) = (only(left, right), only(right, left));
        assert!(left_only.is_empty() && right_only.is_empty(), "{table}\n left: {left_only:?}\nright: {right_only:?}");
        assert_eq!(left[table].len(), right[table].len(), "{table}");
    }
}

fn directory() -> Rc<TempDir> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::create_dir(directory.path().join("source")).expect("a directory can be made");
    Rc::new(directory)
}

fn list(directory: &Path, lines: &mut Vec<String>) {
    for entry in fs::read_dir(directory).expect("a directory can be listed") {
        let path = entry.expect("an entry can be read").path();
        let about = fs::symlink_metadata(&path).expect("it is still there");
        let size = if about.is_dir() { 0 } else { about.size() };
        let time = (about.mtime(), about.mtime_nsec());
        lines.push(format!("{:o} {size} {time:?} {}", about.mode(), path.display()));
        if about.is_dir() {
            list(&path, lines);
        }
    }
}

fn sqlite_rows(connection: &rusqlite::Connection, sql: &str) -> Vec<Vec<String>> {
    let mut statement = connection.prepare(sql).unwrap_or_else(|error| panic!("cannot run {sql:?}: {error}"));
    let columns = statement.column_count();
    let text = |value: ValueRef| match value {
        ValueRef::Null => NULL.into(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        ValueRef::Blob(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    let rows = statement.query_map([], |row| (0..columns).map(|at| row.get_ref(at).map(text)).collect());
    rows.and_then(Iterator::collect).unwrap_or_else(|error| panic!("cannot run {sql:?}: {error}"))
}

/// A file of the source on which a writer has a lock.
pub struct Held(fs::File);

impl Held {
    pub fn release(self) {
        self.0.unlock().expect("it was locked");
    }
}

/// A run of the program that goes on; killed if nobody waits for its end.
pub struct Running(Option<Child>);

impl Running {
    pub fn start(command: &mut Command) -> Running {
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Running(Some(command.spawn().expect("the program starts")))
    }

    pub fn signal(&self, name: &str) {
        let process = self.0.as_ref().expect("it runs").id().to_string();
        let status = Command::new("kill").args([&format!("-{name}"), &process]).status();
        assert!(status.expect("there is a kill command").success());
    }

    /// Whether it has this file open.
    pub fn has_open(&self, path: &Path) -> bool {
        let process = self.0.as_ref().expect("it runs").id();
        let open = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
        open.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|file| file == path)
    }

    pub fn wait(mut self) -> Ran {
        let child = self.0.take().expect("it runs");
        Ran::of(child.wait_with_output().expect("it is our child"))
    }

    pub fn has_ended(&mut self) -> bool {
        self.0.as_mut().expect("it runs").try_wait().expect("it is our child").is_some()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Waits for something that is bound to happen.
#[track_caller]
pub fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !happened() {
        assert!(begin.elapsed() < Duration::from_secs(60), "{what} did not happen");
        sleep(Duration::from_millis(5));
    }
}

/// A run of the program that has ended.
#[derive(Debug)]
pub struct Ran {
    /// As a shell reports it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub fn of(output: Output) -> Ran {
        let code = output.status.code().or_else(|| output.status.signal().map(|signal| 128 + signal));
        Ran {
            code: code.expect("it has ended"),
            stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
        }
    }

    /// The summary, which must balance.
    pub fn summary(&self) -> Value {
        let summary: Value = serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("no summary on stdout ({error}): {}\n{}", self.stdout, self.stderr));
        assert_eq!(summary["balanced"], true, "{summary}");
        summary
    }

    /// The exit code, what became of the documents, and how many rows were written:
    /// `0: 2 loaded, 5 unchanged; 7 rows`.
    pub fn said(&self) -> String {
        let summary = self.summary();
        let mut counts = Vec::new();
        for name in ["loaded", "updated", "unchanged", "rejected", "conflicts", "failed"] {
            counts.push((name, &summary["documents"][name]));
        }
        for name in ["removed", "pruned", "kept_edited", "accepted"] {
            counts.push((name, &summary[name]));
        }
        let counts: Vec<String> =
            counts.iter().filter(|(_, count)| **count != 0).map(|(name, count)| format!("{count} {name}")).collect();
        format!("{}: {}; {} rows", self.code, counts.join(", "), summary["rows"])
    }

    /// What is to be looked at, as `what file: text`.
    pub fn findings(&self) -> Vec<String> {
        let summary = self.summary();
        let findings = summary["findings"].as_array().expect("a list");
        let text = |finding: &Value, name: &str| finding[name].as_str().expect("text").to_owned();
        findings
            .iter()
            .map(|finding| format!("{} {}: {}", text(finding, "what"), text(finding, "file"), text(finding, "text")))
            .collect()
    }
}

// The documents.

/// Adds the members of `more`.
fn with(mut object: Value, more: &Value) -> Value {
    let members = more.as_object().expect("an object").clone();
    object.as_object_mut().expect("an object").extend(members);
    object
}

pub fn user(id: &str, more: Value) -> Value {
    let base = json!({"id": id, "created_at": "2025-01-02T03:04:05+00:00", "updated_at": "2025-01-02T03:04:05+00:00"});
    with(base, &more)
}

/// Entries of type `profile`.
pub fn memory(entries: &[(&str, &str)]) -> Value {
    let entry = |value: &str| json!({"value": value, "created_at": "2025-02-03T04:05:06+00:00", "expires_at": null});
    let entries: serde_json::Map<String, Value> =
        entries.iter().map(|(key, value)| ((*key).to_owned(), entry(value))).collect();
    json!({"profile": entries})
}

pub fn message(number: usize, content: &str) -> Value {
    json!({
        "id": format!("m{number}"),
        "role": "user",
        "content": content,
        "metadata": [],
        "created_at": format!("2025-11-28T10:15:{number:02}+00:00"),
        "sequence_number": number,
    })
}

/// Messages with the ids `m1`, `m2`, ...
pub fn history(contents: &[&str]) -> Value {
    contents.iter().enumerate().map(|(at, content)| message(at + 1, content)).collect()
}

pub fn session(chat: &str, user: Value) -> Value {
    json!({
        "id": format!("legacy-{chat}"),
        "chat_id": chat,
        "user_id": user,
        "created_at": "2025-11-28T10:15:00+00:00",
        "updated_at": "2025-11-28T10:16:00+00:00",
        "last_message_at": null,
        "message_count": 0,
        "metadata": {"title": format!("Chat {chat}"), "profile": "general"},
    })
}
