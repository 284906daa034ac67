//! One server for all processes of a run: to nextest each test is a process, and starting a server
//! takes longer than most of them.
//!
//! Whoever comes first starts it, under the lock of a file, and notes where it is. Its watchdog ends it
//! with the test runner. Databases are called after the process that made them; those of processes that
//! are gone are dropped now and then.

use super::*;

/// So many databases may be left behind; each has about 8 MB.
const MOST_LEFT: usize = 25;

/// Many tests may run at once, each with a few connections.
const CONF: &[&str] = &["max_connections = 300"];

/// The server of the run that goes by this name.
pub fn join(run: &str) -> PrivatePostgres {
    let beside = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let lock = File::create(beside.join("shared-postgres.lock")).expect("the build directory can be written");
    lock.lock().expect("a file can be locked");
    let note = beside.join(format!("shared-postgres-{run}"));
    let server = fs::read_to_string(&note).ok().and_then(|text| known(&text)).unwrap_or_else(|| start(&note));
    drop(lock);
    drop_left(&server);
    server
}

/// The server that a note tells of, if it answers.
fn known(note: &str) -> Option<PrivatePostgres> {
    let (directory, port) = note.split_once('\n')?;
    let scratch = Scratch { directory: directory.into(), watchdog: None };
    let port = port.trim().parse().ok()?;
    let server = PrivatePostgres { scratch, port, server: Mutex::new(None), databases: AtomicU32::new(0) };
    Client::connect(&server.url(), NoTls).ok().map(|_| server)
}

// The watchdog ends later than this process, which cannot wait for it.
#[allow(clippy::zombie_processes)]
fn start(note: &Path) -> PrivatePostgres {
    let directory = make_directory();
    let runner = std::os::unix::process::parent_id().to_string();
    let mut watchdog = Command::new("sh");
    watchdog.args(["-c", &format!("{UNTIL_THE_RUNNER_ENDS}{WATCHDOG}"), "watchdog"]);
    watchdog.arg(&directory).arg(runner).arg(note);
    watchdog.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    watchdog.spawn().expect("there is a shell");
    let scratch = Scratch { directory, watchdog: None };
    let server = PrivatePostgres::start_in(scratch, &Options { conf: CONF, ..Options::default() });
    // It goes on when this process ends.
    drop(server.child().take());
    fs::write(note, format!("{}\n{}\n", server.directory().display(), server.port())).expect("it can be noted");
    server
}

fn drop_left(server: &PrivatePostgres) {
    let names = query(&server.url(), "SELECT datname FROM pg_database WHERE datname ~ '^test_[0-9]+_[0-9]+$'");
    let mut alive: Vec<(String, bool)> = Vec::new();
    let mut is_alive = |process: &str| match alive.iter().find(|(known, _)| known == process) {
        Some((_, is_alive)) => *is_alive,
        None => {
            let told = Command::new("kill").args(["-0", process]).stderr(Stdio::null()).status();
            let is_alive = told.expect("there is a kill command").success();
            alive.push((process.to_owned(), is_alive));
            is_alive
        }
    };
    let names = names.into_iter().filter_map(|mut row| row.remove(0));
    let left: Vec<String> = names.filter(|name| !name.split('_').nth(1).is_some_and(&mut is_alive)).collect();
    if left.len() > MOST_LEFT {
        let mut client = connect(&server.url());
        for name in left {
            // Another process may be dropping it.
            let _ = client.batch_execute(&format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)"));
        }
    }
}
