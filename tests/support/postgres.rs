//! A private PostgreSQL server for tests: own directory, socket and port, gone at the end.
//!
//! [`fresh_database`] serves most tests: a new database on a server that the whole process shares, or
//! the whole run where each test is a process (`shared`).
//! [`PrivatePostgres`] is for tests that configure, stop or restart a server. When no server can
//! be started, the test panics and says what to install; it is never skipped.
//!
//! A server cannot outlive its test, not even one killed by SIGKILL: a shell in a process group
//! of its own waits for the end of a pipe that only the test holds, then stops the server and
//! removes the directory.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use postgres::{Client, NoTls, SimpleQueryMessage};

/// The longest path of a socket that every system takes, less the socket's own name.
const LONGEST_DIRECTORY: usize = 100 - ".s.PGSQL.65535".len() - 1;

/// A loaded machine may take its time.
const START_LIMIT: Duration = Duration::from_secs(60);

/// What the watchdog of one process's server waits for: the end of the pipe.
const UNTIL_THE_PIPE_ENDS: &str = "cat > /dev/null\n";

/// And that of the server of a whole run: the end of the runner. It forgets the note of the server, too.
const UNTIL_THE_RUNNER_ENDS: &str = "while kill -0 \"$2\" 2> /dev/null; do sleep 0.5; done\nrm -f \"$3\"\n";

/// Several rounds: a copy of the template or a server that was just being started goes on for a
/// moment after the test was killed.
const WATCHDOG: &str = r#"
round=0
while [ "$round" -lt 4 ]; do
    pid=$(head -n 1 "$1/data/postmaster.pid" 2> /dev/null)
    if [ -n "$pid" ] && kill -QUIT "$pid" 2> /dev/null; then
        n=0
        while kill -0 "$pid" 2> /dev/null && [ "$n" -lt 50 ]; do sleep 0.1; n=$((n + 1)); done
        kill -KILL "$pid" 2> /dev/null
    fi
    rm -rf "$1"
    sleep 0.5
    round=$((round + 1))
done
"#;

/// How a private server differs from the usual one.
pub struct Options<'a> {
    /// Lines for postgresql.conf.
    pub conf: &'a [&'a str],
    /// Lines for pg_hba.conf, before those that trust everybody. The superuser `postgres` always
    /// gets in by the socket.
    pub hba: &'a [&'a str],
    /// Files in the data directory, readable by the server only: name and content.
    pub files: &'a [(&'a str, &'a str)],
    /// The encoding of the databases.
    pub encoding: &'a str,
    /// Whether commits go to the disk, for tests that measure; a crash of the server alone loses
    /// nothing without it.
    pub fsync: bool,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Options { conf: &[], hba: &[], files: &[], encoding: "UTF8", fsync: false }
    }
}

pub struct PrivatePostgres {
    scratch: Scratch,
    port: u16,
    server: Mutex<Option<Child>>,
    databases: AtomicU32,
}

mod shared;

/// A new empty database on the shared server: its URL, for the superuser.
pub fn fresh_database() -> String {
    shared().fresh_database()
}

/// The server that the tests of this process share, or those of the whole run.
pub fn shared() -> &'static PrivatePostgres {
    static SHARED: OnceLock<PrivatePostgres> = OnceLock::new();
    SHARED.get_or_init(|| match std::env::var("NEXTEST_RUN_ID") {
        Ok(run) => shared::join(&run),
        Err(_) => PrivatePostgres::start(),
    })
}

/// A client of the test's own.
pub fn connect(url: &str) -> Client {
    Client::connect(url, NoTls).unwrap_or_else(|error| panic!("cannot connect to {url}: {error:?}"))
}

/// Runs statements.
pub fn execute(url: &str, sql: &str) {
    connect(url).batch_execute(sql).unwrap_or_else(|error| panic!("cannot run {sql:?}: {error:?}"));
}

/// The rows that statements give, as text.
pub fn query(url: &str, sql: &str) -> Vec<Vec<Option<String>>> {
    let messages = connect(url).simple_query(sql).unwrap_or_else(|error| panic!("cannot run {sql:?}: {error:?}"));
    let mut rows = Vec::new();
    for message in messages {
        if let SimpleQueryMessage::Row(row) = message {
            rows.push((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect());
        }
    }
    rows
}

/// The one value that a query gives.
pub fn value(url: &str, sql: &str) -> String {
    let rows = query(url, sql);
    match rows.as_slice() {
        [row] if row.len() == 1 => row[0].clone().unwrap_or_default(),
        _ => panic!("{sql:?} gives {rows:?} instead of one value"),
    }
}

impl PrivatePostgres {
    pub fn start() -> PrivatePostgres {
        PrivatePostgres::start_with(&Options::default())
    }

    pub fn start_with(options: &Options) -> PrivatePostgres {
        PrivatePostgres::start_in(Scratch::make(), options)
    }

    fn start_in(scratch: Scratch, options: &Options) -> PrivatePostgres {
        copy_template(options.encoding, &scratch.directory.join("data"));
        let databases = AtomicU32::new(0);
        let mut server = PrivatePostgres { scratch, port: 0, server: Mutex::new(None), databases };
        server.configure(options);
        // A port that is free now may be taken in a moment.
        for attempt in 1.. {
            server.port = free_port();
            match server.launch() {
                Ok(()) => return server,
                Err(_) if attempt < 4 => {}
                Err(log) => panic!("the private PostgreSQL does not start:\n{log}"),
            }
        }
        unreachable!("the loop ends by returning or panicking")
    }

    /// The database `postgres`, by the socket.
    pub fn url(&self) -> String {
        self.url_for("postgres")
    }

    /// A database, by the socket, for the superuser.
    pub fn url_for(&self, database: &str) -> String {
        self.url_as("postgres", database)
    }

    /// A database, by the socket, for a role.
    pub fn url_as(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}@/{database}?host={}&port={}", self.directory().display(), self.port)
    }

    /// A database, by TCP.
    pub fn tcp_url_for(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where the socket is; the data directory is `data` in it, the log `log`.
    pub fn directory(&self) -> &Path {
        &self.scratch.directory
    }

    /// The new database's URL.
    pub fn create_database(&self, name: &str) -> String {
        execute(&self.url(), &format!("CREATE DATABASE \"{name}\""));
        self.url_for(name)
    }

    /// A database of a name not used before: its URL.
    pub fn fresh_database(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        self.create_database(&format!("test_{}_{number}", std::process::id()))
    }

    /// Ends the server as a crash would, without a checkpoint.
    pub fn stop_immediate(&self) {
        self.stop("QUIT");
    }

    /// Ends the server in good order, throwing out its sessions.
    pub fn stop_fast(&self) {
        self.stop("INT");
    }

    /// Stops the server in immediate mode if it runs, and starts it again at the same place.
    pub fn restart(&self) {
        self.stop_immediate();
        if let Err(log) = self.launch() {
            panic!("the private PostgreSQL does not start again:\n{log}");
        }
    }

    /// Ends the server and starts it as a hot standby, which nobody streams to: it has all that was
    /// written, and only reads.
    pub fn become_replica(&self) {
        self.stop_fast();
        File::create(self.directory().join("data/standby.signal")).expect("the data directory can be written");
        give_away(self.directory());
        self.restart();
    }

    fn stop(&self, signal: &str) {
        if let Some(mut child) = self.child().take() {
            send(signal, child.id());
            child.wait().expect("the server is our child");
        }
    }

    fn child(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn configure(&self, options: &Options) {
        let data = self.directory().join("data");
        let fsync = if options.fsync { "on" } else { "off" };
        let mut conf = format!(
            "\nfsync = {fsync}\nfull_page_writes = {fsync}\nshared_buffers = 32MB\nmax_connections = 60\n\
             listen_addresses = '127.0.0.1'\nunix_socket_directories = '{}'\n",
            self.directory().display()
        );
        for line in options.conf {
            conf.push_str(&format!("{line}\n"));
        }
        let mut hba = String::from("local all postgres trust\n");
        for line in options.hba {
            hba.push_str(&format!("{line}\n"));
        }
        hba.push_str("local all all trust\nhost all all 127.0.0.1/32 trust\n");

        let append = OpenOptions::new().append(true).open(data.join("postgresql.conf"));
        append.and_then(|mut file| file.write_all(conf.as_bytes())).expect("the configuration can be written");
        fs::write(data.join("pg_hba.conf"), hba).expect("the configuration can be written");
        for (name, content) in options.files {
            fs::write(data.join(name), content).expect("the file can be written");
            fs::set_permissions(data.join(name), fs::Permissions::from_mode(0o600)).expect("the file is ours");
        }
        give_away(self.directory());
    }

    /// Starts the server and waits until it answers; the log if it does not.
    fn launch(&self) -> Result<(), String> {
        let log = self.directory().join("log");
        let out = File::options().create(true).append(true).open(&log).expect("the log can be written");
        let mut command = as_server(&program("postgres"));
        command.arg("-D").arg(self.directory().join("data")).arg("-p").arg(self.port.to_string());
        command.stdin(Stdio::null()).stdout(out.try_clone().expect("one more descriptor")).stderr(out);
        // A signal from the terminal is for the tests.
        let mut child = command.process_group(0).spawn().unwrap_or_else(|error| cannot_run(&error));
        let begin = Instant::now();
        let result = loop {
            if Client::connect(&self.url(), NoTls).is_ok() {
                break Ok(());
            }
            let gone = child.try_wait().expect("the server is our child").is_some();
            if gone || begin.elapsed() > START_LIMIT {
                break Err(fs::read_to_string(&log).unwrap_or_default());
            }
            sleep(Duration::from_millis(10));
        };
        if result.is_err() {
            // Already gone, or as good as.
            let _ = child.kill();
            child.wait().expect("the server is our child");
            return result;
        }
        *self.child() = Some(child);
        result
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        self.stop_immediate();
    }
}

/// A directory that is gone at the end, with its watchdog.
struct Scratch {
    directory: PathBuf,
    /// Waits on its stdin, which this process alone holds the other end of. None for a server that
    /// goes on without this process.
    watchdog: Option<Child>,
}

impl Scratch {
    fn make() -> Scratch {
        let directory = make_directory();
        let watchdog = Command::new("sh")
            .args(["-c", &format!("{UNTIL_THE_PIPE_ENDS}{WATCHDOG}"), "watchdog"])
            .arg(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // What kills the test's group must not kill its watchdog.
            .process_group(0)
            .spawn()
            .expect("there is a shell");
        Scratch { directory, watchdog: Some(watchdog) }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let Some(watchdog) = &mut self.watchdog else { return };
        // A panic here would hide the test's own; the system's temporary directory is cleaned anyway.
        let _ = fs::remove_dir_all(&self.directory);
        let _ = watchdog.kill();
        let _ = watchdog.wait();
    }
}

fn send(signal: &str, process: u32) {
    let status = Command::new("kill").arg(format!("-{signal}")).arg(process.to_string()).stderr(Stdio::null()).status();
    status.expect("there is a kill command");
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("127.0.0.1 has free ports");
    listener.local_addr().expect("a listener has an address").port()
}

/// A directory with a path short enough for a socket, which the server's user can reach.
fn make_directory() -> PathBuf {
    let named = std::env::temp_dir();
    let bases = [named.as_path(), Path::new("/tmp"), Path::new("/var/tmp")];
    let base = bases.into_iter().find(|base| {
        let short = base.as_os_str().len() + "/transload-XXXXXX".len() <= LONGEST_DIRECTORY;
        base.is_dir() && short && (server_user().is_none() || everybody_can_reach(base))
    });
    let base = base.unwrap_or_else(|| panic!("no temporary directory can hold a socket: set TMPDIR to a short path"));
    let made = tempfile::Builder::new().prefix("transload-").rand_bytes(6).tempdir_in(base);
    made.unwrap_or_else(|error| panic!("cannot make a directory in {base:?}: {error}")).keep()
}

fn everybody_can_reach(directory: &Path) -> bool {
    directory.ancestors().all(|part| fs::metadata(part).is_ok_and(|found| found.permissions().mode() & 0o001 != 0))
}

/// initdb is slow on a busy machine: it runs once, and what it makes is kept with the build and copied.
fn copy_template(encoding: &str, data: &Path) {
    let version = Command::new(program("postgres")).arg("--version").output();
    let version = version.unwrap_or_else(|error| cannot_run(&error)).stdout;
    let key = blake3::hash(&[&version, program("initdb").as_os_str().as_encoded_bytes(), encoding.as_bytes()].concat());
    let template = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("postgres-{}", &key.to_hex()[..16]));
    if !template.is_dir() {
        let scratch = Scratch::make();
        let made = scratch.directory.join("data");
        give_away(&scratch.directory);
        let mut initdb = as_server(&program("initdb"));
        initdb.args(["-U", "postgres", "-A", "trust", "-E", encoding]);
        run(initdb.args(["--no-locale", "--no-sync", "--wal-segsize=1", "-D"]).arg(&made));
        // Several processes may do this at once; the first to rename wins.
        let beside = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the build directory can be written");
        let beside = beside.path().join("data");
        copy(&made, &beside);
        match fs::rename(&beside, &template) {
            Err(error) if !template.is_dir() => panic!("cannot keep the template {template:?}: {error}"),
            _ => {}
        }
    }
    copy(&template, data);
}

fn copy(from: &Path, to: &Path) {
    run(Command::new("cp").arg("-Rp").arg(from).arg(to));
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| cannot_run(&error));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed:\n{}{text}", String::from_utf8_lossy(&output.stdout));
}

/// As root: the directory becomes the server's user's.
fn give_away(directory: &Path) {
    if let Some((user, group)) = server_user() {
        run(Command::new("chown").arg("-R").arg(format!("{user}:{group}")).arg(directory));
    }
}

/// A command in the server's environment; as root, of the server's user and no further groups.
fn as_server(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/").env("LC_ALL", "C");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PG")) {
        command.env_remove(name);
    }
    if let Some((user, group)) = server_user() {
        // Setting a user clears root's further groups.
        command.uid(user).gid(group);
    }
    command
}

/// The user and group that the server runs as when the tests run as root, which it refuses.
fn server_user() -> Option<(u32, u32)> {
    static USER: OnceLock<Option<(u32, u32)>> = OnceLock::new();
    *USER.get_or_init(|| {
        if id(&["-u"]) != Some(0) {
            return None;
        }
        let account = |name| Some((id(&["-u", name])?, id(&["-g", name])?));
        Some(account("postgres").or_else(|| account("nobody")).expect("root's system has a user `nobody`"))
    })
}

fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).stderr(Stdio::null()).output().expect("there is an id command");
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

/// One of the server's own programs.
pub fn program(name: &str) -> PathBuf {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(find_programs).join(name)
}

fn find_programs() -> PathBuf {
    let is_complete = |directory: &PathBuf| directory.join("initdb").is_file() && directory.join("postgres").is_file();
    if let Some(named) = std::env::var_os("TRANSLOAD_TEST_PG_BIN") {
        let named = PathBuf::from(named);
        assert!(is_complete(&named), "TRANSLOAD_TEST_PG_BIN names {named:?}, which lacks initdb or postgres");
        return fs::canonicalize(&named).expect("the directory was just seen");
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    // A link on the path leads to where the server is; a wrapper does not, and is passed over.
    let linked = std::env::split_paths(&path).filter_map(|part| fs::canonicalize(part.join("initdb")).ok());
    let linked = linked.filter_map(|file| file.parent().map(Path::to_owned));
    let told = Command::new("pg_config").arg("--bindir").output().ok();
    let told = told.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim().to_owned()));
    let packaged = ["/usr/lib/postgresql", "/usr/local/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt", "/usr"];
    let packaged = packaged.iter().flat_map(|parent| installed_in(Path::new(parent)));
    let found = linked.chain(told).chain(packaged).find(is_complete);
    found.unwrap_or_else(|| {
        panic!(
            "no PostgreSQL server is installed: install it (Debian: apt-get install postgresql; Fedora: dnf install \
             postgresql-server; macOS: brew install postgresql), or set TRANSLOAD_TEST_PG_BIN to the directory \
             with initdb and postgres"
        )
    })
}

/// The program directories of versions below `parent`, newest first: `15`, `postgresql@16`, `pgsql-17`.
fn installed_in(parent: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name().to_str()?.to_owned();
            let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
            let prefix = &name[..name.len() - digits.len()];
            let known = ["", "postgresql@", "pgsql-"].contains(&prefix);
            let version = digits.parse().ok().filter(|_| known)?;
            Some((version, entry.path().join(OsStr::new("bin"))))
        })
        .collect();
    versions.sort();
    versions.into_iter().rev().map(|(_, directory)| directory).collect()
}

fn cannot_run(error: &io::Error) -> ! {
    panic!(
        "cannot run PostgreSQL's programs in {:?}: {error} (as root, the user `postgres` or `nobody` must be able to \
         reach them)",
        program("")
    )
}
