//! How far a run is: a bar on a terminal, a line every ten seconds elsewhere, nothing if quiet.
//!
//! Starts no thread: whoever runs the pipeline calls [`Display::update`] a few times a second.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::exec::Snapshot;

use super::console;
use super::human::{bytes, duration, per_second, thousands};

/// Between two lines where there is no terminal.
const PAUSE: Duration = Duration::from_secs(10);

/// Shows progress until it is finished or dropped.
pub struct Display {
    started: Instant,
    kind: Kind,
}

enum Kind {
    Bar(ProgressBar),
    Lines { next: Duration },
    Nothing,
}

impl Display {
    /// Chooses by what stderr is.
    pub fn start(quiet: bool) -> Display {
        let kind = match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Kind::Nothing,
            (false, false) => Kind::Lines { next: PAUSE },
            (false, true) => {
                let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
                let style = ProgressStyle::with_template("{spinner} [{bar:30}] {percent:>3}% {msg}")
                    .expect("the template is constant and valid");
                bar.set_style(style.progress_chars("=> "));
                console::set_bar(Some(bar.clone()));
                Kind::Bar(bar)
            }
        };
        Display { started: Instant::now(), kind }
    }

    pub fn update(&mut self, now: &Snapshot) {
        let elapsed = self.started.elapsed();
        match &mut self.kind {
            Kind::Bar(bar) => {
                let (done, total) = position(now).unwrap_or((0, 0));
                bar.set_length(total);
                bar.set_position(done);
                bar.set_message(line(now, elapsed));
                bar.tick();
            }
            Kind::Lines { next } => {
                if elapsed >= *next {
                    *next = elapsed + PAUSE;
                    console::write_stderr(format!("{}\n", line(now, elapsed)).as_bytes());
                }
            }
            Kind::Nothing => {}
        }
    }

    /// Takes the bar away; the summary says the rest.
    pub fn finish(self) {}
}

impl Drop for Display {
    fn drop(&mut self) {
        if let Kind::Bar(bar) = &self.kind {
            console::set_bar(None);
            bar.finish_and_clear();
        }
    }
}

/// How much of how much is done: bytes where they are known, because files differ in size.
fn position(now: &Snapshot) -> Option<(u64, u64)> {
    match (now.bytes_total, now.files_total) {
        (Some(total), _) if total > 0 => Some((now.bytes_done.min(total), total)),
        (_, Some(total)) if total > 0 => Some((now.files_done.min(total), total)),
        _ => None,
    }
}

fn line(now: &Snapshot, elapsed: Duration) -> String {
    let files = match now.files_total {
        Some(total) => format!("{} of {} files", thousands(now.files_done), thousands(total)),
        None => format!("{} files of {} found so far", thousands(now.files_done), thousands(now.files_found)),
    };
    let size = match now.bytes_total {
        // The total may be an estimate.
        Some(total) => format!("{} of {}", bytes(now.bytes_done), bytes(total.max(now.bytes_done))),
        None => bytes(now.bytes_done),
    };
    let mut line = format!(
        "{}: {files}, {size}, {} rows ({}/s), {} rejects",
        now.phase,
        thousands(now.rows),
        thousands(per_second(now.rows, elapsed)),
        thousands(now.rejects)
    );
    if let Some(left) = remaining(now, elapsed) {
        // Fractions of a second would only flicker.
        let left = if left < Duration::from_secs(60) { format!("{} s", left.as_secs()) } else { duration(left) };
        line += &format!(", about {left} left");
    }
    line
}

/// What the rest takes at the pace so far; nothing while too little is known.
fn remaining(now: &Snapshot, elapsed: Duration) -> Option<Duration> {
    let (done, total) = position(now)?;
    if done == 0 || done == total {
        return None;
    }
    let seconds = elapsed.as_secs_f64() * (total - done) as f64 / done as f64;
    // try_, because an estimate from the first byte of many may be longer than any duration.
    Duration::try_from_secs_f64(seconds.ceil()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_files_bytes_rows_rejects_and_what_is_left() {
        let now = Snapshot {
            files_found: 4000,
            files_total: Some(4000),
            files_done: 1000,
            bytes_done: 1 << 20,
            bytes_total: Some(4 << 20),
            rows: 20_000,
            rejects: 3,
            phase: "chats",
        };
        assert_eq!(
            line(&now, Duration::from_secs(20)),
            "chats: 1,000 of 4,000 files, 1.0 MiB of 4.0 MiB, 20,000 rows (1,000/s), 3 rejects, about 1 min 0 s left"
        );
    }

    #[test]
    fn before_the_walk_ends_nothing_is_promised() {
        let now = Snapshot { files_found: 10, phase: "users", ..Snapshot::default() };
        assert_eq!(line(&now, Duration::ZERO), "users: 0 files of 10 found so far, 0 B, 0 rows (0/s), 0 rejects");
        assert_eq!(remaining(&Snapshot { bytes_total: Some(5), ..now }, Duration::from_secs(9)), None);
    }

    #[test]
    fn where_there_is_no_terminal_a_line_comes_every_ten_seconds() {
        let mut display = Display { started: Instant::now(), kind: Kind::Lines { next: Duration::ZERO } };
        display.update(&Snapshot { phase: "users", ..Snapshot::default() });
        let Kind::Lines { next } = display.kind else { unreachable!("made with lines") };
        assert!(next >= PAUSE);
        display.update(&Snapshot::default());
        assert!(matches!(display.kind, Kind::Lines { next: same } if same == next));
    }
}
