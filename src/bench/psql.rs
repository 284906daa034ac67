//! PostgreSQL's own client: what transload is measured against does not go through transload.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::error::BenchError;
use super::measure;
use super::server::Programs;

/// Printed after every command, to know that it is done.
const DONE: &str = "transload-bench-done";

/// How to reach databases of one server.
#[derive(Clone, Debug)]
pub struct Access {
    pub programs: Programs,
    /// Whether libpq's variables count (a password, say); not for a private server.
    pub variables: bool,
}

impl Access {
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.program(program));
        if !self.variables {
            command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C");
        }
        command
    }

    pub fn session(&self, url: &str) -> Result<Psql, BenchError> {
        Psql::open(self.command("psql"), url)
    }

    /// How much WAL the server has written since it was made; not everybody may ask.
    pub fn wal_bytes(&self, url: &str) -> Option<u64> {
        self.session(url).and_then(|mut psql| psql.number("SELECT pg_current_wal_insert_lsn() - '0/0';")).ok()
    }

    /// The tables without anything on them, and then what is built upon them, one statement each.
    pub fn schema(&self, url: &str) -> Result<(String, Vec<String>), BenchError> {
        let dump = |section: &str| -> Result<String, BenchError> {
            let mut command = self.command("pg_dump");
            command.args(["--no-owner", "--no-privileges", "--no-comments", "--section", section, "--dbname"]).arg(url);
            Ok(without_comments(&measure::run(&mut command)?.stdout))
        };
        let built = dump("post-data")?;
        let built = built.split(";\n").map(str::trim).filter(|it| is_built(it)).map(str::to_owned).collect();
        Ok((dump("pre-data")?, built))
    }
}

/// pg_dump's lines of comment, and what newer ones write for psql alone.
fn without_comments(dump: &str) -> String {
    let kept = dump.lines().filter(|line| !line.starts_with("--") && !line.starts_with('\\'));
    kept.flat_map(|line| [line, "\n"]).collect()
}

fn is_built(statement: &str) -> bool {
    ["ALTER TABLE", "CREATE INDEX", "CREATE UNIQUE INDEX", "CREATE TRIGGER"].iter().any(|it| statement.starts_with(it))
}

/// Whether other statements have to be there first.
pub fn is_foreign_key(statement: &str) -> bool {
    statement.contains(" FOREIGN KEY ")
}

/// One session of psql.
pub struct Psql {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Psql {
    fn open(mut command: Command, url: &str) -> Result<Psql, BenchError> {
        command.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--dbname"]);
        command.arg(url).env("PGOPTIONS", "--client-min-messages=warning");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        let (input, output) = (child.stdin.take(), child.stdout.take().expect("it is a pipe"));
        let mut session = Psql { child, input, output: BufReader::new(output) };
        session.run("")?;
        Ok(session)
    }

    /// Runs commands; returns what they print, without the last line's end.
    pub fn run(&mut self, commands: &str) -> Result<String, BenchError> {
        let text = format!("{commands}\n\\echo {DONE}\n");
        let written = self.input.as_mut().expect("it is open").write_all(text.as_bytes());
        let mut said = String::new();
        loop {
            let mut line = String::new();
            let read = self.output.read_line(&mut line).map_err(failed)?;
            if read == 0 || written.is_err() {
                return Err(self.ended());
            }
            if line.trim_end() == DONE {
                return Ok(said.trim_end_matches('\n').to_owned());
            }
            said.push_str(&line);
        }
    }

    /// One number.
    pub fn number(&mut self, query: &str) -> Result<u64, BenchError> {
        let said = self.run(query)?;
        said.parse().map_err(|_| BenchError::Unexpected { program: "psql".into(), said })
    }

    /// Writes a query's rows into a file, in COPY's binary form.
    pub fn copy_out(&mut self, query: &str, file: &Path) -> Result<(), BenchError> {
        self.run(&format!("\\copy ({query}) to {} with (format binary)", quoted(file))).map(drop)
    }

    pub fn copy_in(&mut self, table: &str, file: &Path) -> Result<(), BenchError> {
        self.run(&format!("\\copy {table} from {} with (format binary)", quoted(file))).map(drop)
    }

    fn ended(&mut self) -> BenchError {
        drop(self.input.take());
        let mut said = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            // What cannot be read is not told.
            let _ = stderr.read_to_string(&mut said);
        }
        let status = self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
        BenchError::Program { program: "psql".into(), status, said: said.trim().replace('\n', "; ") }
    }
}

impl Drop for Psql {
    fn drop(&mut self) {
        drop(self.input.take());
        // It ends at the end of its input.
        let _ = self.child.wait();
    }
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\\', "\\\\").replace('\'', "\\'"))
}

fn failed(source: std::io::Error) -> BenchError {
    BenchError::Run { program: "psql".into(), source }
}
