//! PostgreSQL's programs, and a private server: in a directory of its own, reached by its socket only,
//! gone at the end, also when this program is killed.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::error::BenchError;
use super::measure;

/// A path of a socket has to be shorter than about a hundred bytes on every system.
const LONGEST_DIRECTORY: usize = 80;
const START_LIMIT: Duration = Duration::from_secs(60);

/// Waits for the end of a pipe that only the owner of the server holds, then ends the server.
const WATCHDOG: &str = r#"
cat > /dev/null
pid=$(head -n 1 "$1/data/postmaster.pid" 2> /dev/null)
[ -n "$pid" ] && kill -QUIT "$pid" 2> /dev/null
n=0
while [ -n "$pid" ] && kill -0 "$pid" 2> /dev/null && [ "$n" -lt 100 ]; do sleep 0.1; n=$((n + 1)); done
rm -rf "$1"
"#;

/// All that are run.
const PROGRAMS: [&str; 5] = ["initdb", "postgres", "pg_isready", "psql", "pg_dump"];

/// Where PostgreSQL's programs are: directories, the first one that has a program counts.
#[derive(Clone, Debug)]
pub struct Programs(Vec<PathBuf>);

impl Programs {
    /// In the directories of `path`, and then where the distributions put them, the newest version first.
    ///
    /// # Errors
    /// The first program that is in none of them.
    pub fn find(path: &OsStr) -> Result<Programs, BenchError> {
        let mut directories: Vec<PathBuf> = std::env::split_paths(path).collect();
        for (base, inner) in [("/usr/lib/postgresql", "bin"), ("/opt/homebrew/opt", "bin"), ("/usr/local/opt", "bin")] {
            let versions = fs::read_dir(base).into_iter().flatten().flatten().map(|entry| entry.path());
            let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let is_postgres = |path: &PathBuf| base == "/usr/lib/postgresql" || name(path).starts_with("postgresql");
            let mut versions: Vec<PathBuf> = versions.filter(is_postgres).collect();
            versions.sort_by_key(|path| {
                let version = name(path).trim_start_matches(|c: char| !c.is_ascii_digit()).parse::<u32>();
                std::cmp::Reverse(version.unwrap_or(0))
            });
            directories.extend(versions.into_iter().map(|path| path.join(inner)));
        }
        let programs = Programs(directories);
        match PROGRAMS.into_iter().find(|name| programs.look_up(name).is_none()) {
            Some(name) => Err(BenchError::NoProgram { name }),
            None => Ok(programs),
        }
    }

    fn look_up(&self, name: &str) -> Option<PathBuf> {
        self.0.iter().map(|directory| directory.join(name)).find(|program| program.is_file())
    }

    /// A program's path; its name alone if it has vanished since.
    pub fn program(&self, name: &str) -> PathBuf {
        self.look_up(name).unwrap_or_else(|| name.into())
    }
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    directory: PathBuf,
    server: Child,
    watchdog: Child,
}

impl Server {
    /// Makes and starts one with PostgreSQL's own defaults. `temporary`: where its directory is made
    /// if the path is short enough.
    pub fn start(programs: &Programs, temporary: &Path) -> Result<Server, BenchError> {
        let user = server_user()?;
        let directory = make_directory(temporary, user.is_some())?;
        let file = BenchError::file(directory.clone());
        let watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|source| BenchError::Run { program: "sh".into(), source })?;
        if let Some((user, group)) = user {
            std::os::unix::fs::chown(&directory, Some(user), Some(group)).map_err(file)?;
        }
        let data = directory.join("data");
        let mut initdb = as_user(&programs.program("initdb"), user);
        initdb.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-D"]).arg(&data);
        measure::run(&mut initdb)?;
        let log = directory.join("log");
        let out = File::create(&log).map_err(BenchError::file(&log))?;
        let err = out.try_clone().map_err(BenchError::file(&log))?;
        let mut command = as_user(&programs.program("postgres"), user);
        command.arg("-D").arg(&data).args(["-c", "listen_addresses=", "-c"]);
        command.arg(format!("unix_socket_directories={}", directory.display()));
        command.stdin(Stdio::null()).stdout(out).stderr(err).process_group(0);
        let server = command.spawn().map_err(|source| BenchError::Run { program: "postgres".into(), source })?;
        let mut server = Server { directory, server, watchdog };
        server.wait(programs, &log)?;
        Ok(server)
    }

    fn wait(&mut self, programs: &Programs, log: &Path) -> Result<(), BenchError> {
        let begin = Instant::now();
        let url = self.url("postgres");
        loop {
            let mut ready = Command::new(programs.program("pg_isready"));
            ready.env_clear();
            let answers = measure::run(ready.arg("--quiet").arg("--dbname").arg(&url)).is_ok();
            if answers {
                return Ok(());
            }
            let gone = matches!(self.server.try_wait(), Ok(Some(_)) | Err(_));
            if gone || begin.elapsed() > START_LIMIT {
                let log = fs::read_to_string(log).unwrap_or_default();
                let last = log.lines().rev().take(3).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>();
                return Err(BenchError::Server { log: last.join("; ") });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A database, for the superuser.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@/{database}?host={}&port=5432", self.directory.display())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The watchdog ends the server and removes the directory when its pipe closes.
        drop(self.watchdog.stdin.take());
        let _ = self.server.wait();
        let _ = self.watchdog.wait();
    }
}

/// The user and group that the server runs as, where this program is root's: it refuses to be root's.
fn server_user() -> Result<Option<(u32, u32)>, BenchError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let id = |arguments: &[&str]| -> Result<Option<u32>, BenchError> {
        match measure::run(Command::new("id").args(arguments)) {
            Ok(sample) => Ok(sample.stdout.trim().parse().ok()),
            Err(BenchError::Program { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    };
    for name in ["postgres", "nobody"] {
        if let (Some(user), Some(group)) = (id(&["-u", name])?, id(&["-g", name])?) {
            return Ok(Some((user, group)));
        }
    }
    Ok(None)
}

fn as_user(program: &Path, user: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(program);
    // A server takes settings from variables, and those of this program are not for it.
    command.current_dir("/").env_clear().env("LC_ALL", "C").env("PATH", "/usr/bin:/bin");
    if let Some((user, group)) = user {
        // Setting a user clears root's further groups.
        command.uid(user).gid(group);
    }
    command
}

/// A directory with a short path, which the server's user can reach.
fn make_directory(temporary: &Path, for_another: bool) -> Result<PathBuf, BenchError> {
    let can_be_reached = |base: &Path| {
        !for_another
            || base.ancestors().all(|part| fs::metadata(part).is_ok_and(|it| it.permissions().mode() & 0o001 != 0))
    };
    let fits = |base: &&Path| base.is_dir() && base.as_os_str().len() < LONGEST_DIRECTORY && can_be_reached(base);
    let base = [temporary, Path::new("/tmp"), Path::new("/var/tmp")].into_iter().find(fits);
    let base = base.ok_or(BenchError::NoDirectory)?;
    let made = tempfile::Builder::new().prefix("transload-").tempdir_in(base).map_err(BenchError::file(base))?;
    Ok(made.keep())
}
