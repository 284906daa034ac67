//! A headless Chromium for tests that look at pages as a browser does.
//!
//! It gets a directory of its own and a time limit, and it is killed with all its processes when
//! the limit is over. When there is none, the test panics and says what to install; it is never
//! skipped.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A page takes a second; a loaded machine may take its time.
const LIMIT: Duration = Duration::from_secs(120);

/// A directory for pages and pictures, and the browser to look at them with.
pub struct Browser {
    program: PathBuf,
    directory: TempDir,
}

/// What a browser printed.
pub struct Looked {
    pub stdout: String,
    /// The lines of the page's console, warnings and violations of its policy among them.
    pub console: Vec<String>,
}

impl Browser {
    pub fn new() -> Browser {
        // A Chromium that is a snap sees nothing of the system's temporary directory.
        let directory = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary directory");
        Browser { program: find(), directory }
    }

    /// Where pages and what is made of them stand.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).expect("a page can be written");
    }

    /// Opens a page of the directory with these flags, and waits until the browser ends.
    pub fn open(&self, page: &str, flags: &[&str]) -> Looked {
        let (out, err) = (self.path("stdout"), self.path("stderr"));
        let mut command = Command::new(&self.program);
        command
            .args(["--headless", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage", "--hide-scrollbars"])
            // Chromium's sandbox refuses to run as root, and needs what containers lack. The
            // pages are our own; what they may do is what is tested.
            .arg("--no-sandbox")
            .args(["--enable-logging=stderr", "--allow-file-access-from-files", "--virtual-time-budget=20000"])
            .arg(format!("--user-data-dir={}", self.path("profile").display()))
            .args(flags)
            .arg(format!("file://{}", self.path(page).display()))
            .env("HOME", self.directory.path())
            .current_dir(self.directory.path())
            .stdout(File::create(&out).expect("a file can be made"))
            .stderr(File::create(&err).expect("a file can be made"))
            .process_group(0);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {:?}: {error}", self.program));
        let status = wait(&mut child);
        let read = |path: &Path| String::from_utf8_lossy(&fs::read(path).expect("it was made above")).into_owned();
        let stderr = read(&err);
        match status {
            Some(status) if status.success() => {}
            Some(status) => panic!("Chromium ended with {status}:\n{stderr}"),
            None => panic!("Chromium did not end within {LIMIT:?}:\n{stderr}"),
        }
        let console = stderr.lines().filter(|line| line.contains(":CONSOLE")).map(str::to_owned).collect();
        Looked { stdout: read(&out), console }
    }
}

/// `None`, and no process is left, when the limit is over.
fn wait(child: &mut Child) -> Option<ExitStatus> {
    let start = Instant::now();
    while start.elapsed() < LIMIT {
        if let Some(status) = child.try_wait().expect("it is our child") {
            return Some(status);
        }
        sleep(Duration::from_millis(20));
    }
    // Its own group holds all of its processes.
    let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]).status();
    let _ = child.wait();
    None
}

fn find() -> PathBuf {
    if let Some(named) = std::env::var_os("TRANSLOAD_TEST_CHROMIUM") {
        let named = PathBuf::from(named);
        assert!(named.is_file(), "TRANSLOAD_TEST_CHROMIUM names {named:?}, and no file is there");
        return named;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mac = ["/Applications/Chromium.app/Contents/MacOS", "/Applications/Google Chrome.app/Contents/MacOS"];
    let directories: Vec<PathBuf> = std::env::split_paths(&path).chain(mac.map(PathBuf::from)).collect();
    let names = ["chromium", "chromium-browser", "google-chrome", "Chromium", "Google Chrome"];
    let found = names.iter().flat_map(|name| directories.iter().map(move |directory| directory.join(name)));
    found.into_iter().find(|program| program.is_file()).unwrap_or_else(|| {
        panic!(
            "no Chromium was found: install it (apt-get install chromium, dnf install chromium, brew install chromium) \
             or set TRANSLOAD_TEST_CHROMIUM to the program; scripts/test installs what the tests need"
        )
    })
}
