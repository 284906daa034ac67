//! The real program, run in a temporary directory with an environment of its own.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

/// 2025-12-01T00:00:00Z: when every file of a copied tree was last written.
pub const MODIFIED: u64 = 1_764_547_200;

/// A working directory, gone at the end, with the program to run in it.
pub struct Workplace {
    directory: TempDir,
    program: PathBuf,
    /// Whom the program runs as when the tests run as root and that matters.
    user: Option<(u32, u32)>,
}

/// What a run of the program left behind.
#[derive(Debug)]
pub struct Finished {
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Workplace {
    pub fn new() -> Workplace {
        let directory = tempfile::tempdir().expect("a temporary directory");
        Workplace { directory, program: env!("CARGO_BIN_EXE_transload").into(), user: None }
    }

    /// As [`Workplace::new`], but the program never runs as root, which may read every file.
    pub fn unprivileged() -> Workplace {
        let mut workplace = Workplace::new();
        if id(&["-u"]) == 0 {
            // The build may stand where nobody else can reach it.
            let program = workplace.path("transload");
            fs::copy(&workplace.program, &program).expect("the program can be copied");
            workplace.program = program;
            workplace.user = Some((id(&["-u", "nobody"]), id(&["-g", "nobody"])));
            workplace.give_away();
        }
        workplace
    }

    /// A path below the working directory.
    pub fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.directory.path().join(below)
    }

    /// Copies a fixture's `legacy` tree to `data`. Git keeps no modification times, so each file
    /// gets [`MODIFIED`].
    pub fn copy_fixture(&self, case: &str) -> PathBuf {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(case).join("legacy");
        let to = self.path("data");
        for entry in walkdir::WalkDir::new(&root) {
            let entry = entry.expect("the fixture can be read");
            let target = to.join(entry.path().strip_prefix(&root).expect("it is below the root"));
            match entry.file_type().is_dir() {
                true => fs::create_dir_all(&target).expect("a directory can be made"),
                false => write(&target, &fs::read(entry.path()).expect("the fixture can be read")),
            }
        }
        self.give_away();
        to
    }

    /// After files were made here: whoever the program runs as owns them.
    pub fn give_away(&self) {
        if let Some((user, group)) = self.user {
            for entry in walkdir::WalkDir::new(self.directory.path()) {
                let entry = entry.expect("the directory can be read");
                std::os::unix::fs::lchown(entry.path(), Some(user), Some(group)).expect("root gives files away");
            }
        }
    }

    /// The program with these arguments, ready to start.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(self.directory.path()).env_clear().args(arguments);
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }

    /// Runs the program to its end.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Finished {
        let output = self.command(arguments).output().expect("the program starts");
        let text = |bytes| String::from_utf8(bytes).expect("what it prints is UTF-8");
        Finished { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl Finished {
    /// The run itself, if it ended with this code.
    pub fn expect(self, code: i32) -> Finished {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// What it printed, as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {:?}", self.stdout))
    }
}

/// Writes a file whose modification time is [`MODIFIED`].
pub fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).expect("a file can be written");
    fs::set_permissions(path, Permissions::from_mode(0o644)).expect("it is ours");
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(MODIFIED);
    File::options().append(true).open(path).and_then(|file| file.set_modified(time)).expect("it is ours");
}

fn id(arguments: &[&str]) -> u32 {
    let output = Command::new("id").args(arguments).output().expect("there is an id command");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().unwrap_or_else(|_| panic!("no user or group for id {arguments:?}"))
}
