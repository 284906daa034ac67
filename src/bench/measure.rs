//! Running a program and measuring it: wall time, CPU time, the most memory that it held.

use std::fs::{self, File};
use std::io::{Read, Seek};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{waitid, Pid, WaitId, WaitIdOptions};

use super::error::BenchError;

/// How often memory is looked at. A peak that is shorter may be missed, but the kernel's own high-water
/// mark is what is read.
const LOOK: Duration = Duration::from_millis(2);

/// What a program took.
#[derive(Clone, Debug)]
pub struct Sample {
    pub seconds: f64,
    /// In the program and in the kernel on its behalf; without the server's. `None` where the system
    /// does not tell.
    pub cpu_seconds: Option<f64>,
    /// Resident memory at its peak.
    pub peak_bytes: Option<u64>,
    pub stdout: String,
}

/// Runs it to its good end.
///
/// # Errors
/// As [`run_to`].
pub fn run(command: &mut Command) -> Result<Sample, BenchError> {
    run_to(command, &[0])
}

/// Runs it to its end.
///
/// # Errors
/// When it cannot be started, or ends with another exit code than these; with the end of what it said.
pub fn run_to(command: &mut Command, expected: &[i32]) -> Result<Sample, BenchError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = |source| BenchError::Run { program: program.clone(), source };
    let mut out = tempfile::tempfile().map_err(failed)?;
    let mut err = tempfile::tempfile().map_err(failed)?;
    command.stdin(Stdio::null());
    command.stdout(out.try_clone().map_err(failed)?).stderr(err.try_clone().map_err(failed)?);
    let begin = Instant::now();
    let mut child = command.spawn().map_err(failed)?;
    let pid = Pid::from_child(&child);
    let mut peak = None;
    loop {
        // It stays a zombie until it is reaped below, so that its CPU time can still be read.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        let ended = waitid(WaitId::Pid(pid), options).map_err(|error| failed(error.into()))?;
        if ended.is_some() {
            break;
        }
        peak = peak.max(high_water(child.id()));
        std::thread::sleep(LOOK);
    }
    let seconds = begin.elapsed().as_secs_f64();
    let cpu_seconds = cpu_seconds(child.id());
    let status = child.wait().map_err(failed)?;
    let stdout = read(&mut out).map_err(failed)?;
    if !status.code().is_some_and(|code| expected.contains(&code)) {
        let said = read(&mut err).map_err(failed)?;
        let said = said.trim_end().lines().rev().take(5).collect::<Vec<_>>();
        let said = said.into_iter().rev().collect::<Vec<_>>().join("; ");
        return Err(BenchError::Program { program, status: status.to_string(), said });
    }
    Ok(Sample { seconds, cpu_seconds, peak_bytes: peak, stdout })
}

fn read(file: &mut File) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Linux's high-water mark of resident memory, in bytes.
fn high_water(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Of a process that ended and was not reaped; proc(5), `stat`, fields 14 and 15.
fn cpu_seconds(process: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field is a name in parentheses, which may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let total = ticks()? + ticks()?;
    Some(total as f64 / rustix::param::clock_ticks_per_second() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_measured() {
        let sample = run(Command::new("sh").args(["-c", "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done; echo ok"]));
        let sample = sample.expect("there is a shell");
        assert_eq!(sample.stdout, "ok\n");
        assert!(sample.seconds > 0.0);
        if cfg!(target_os = "linux") {
            assert!(sample.peak_bytes.is_some_and(|bytes| bytes > 100_000), "{sample:?}");
            assert!(sample.cpu_seconds.is_some_and(|seconds| seconds <= sample.seconds + 0.05), "{sample:?}");
        }
    }

    #[test]
    fn what_a_program_said_is_told_when_it_fails() {
        let error = run(Command::new("sh").args(["-c", "echo so; echo why >&2; exit 3"])).expect_err("it fails");
        assert!(error.to_string().contains("why") && error.to_string().contains('3'), "{error}");
        assert!(run_to(Command::new("sh").args(["-c", "exit 3"]), &[1, 3]).is_ok());
        assert!(run(&mut Command::new("/nowhere/at/all")).is_err());
    }
}
