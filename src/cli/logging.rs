//! Logs by tracing on stderr, as text or JSON, without colours and without control characters:
//! a hostile file name in a message must not be able to steer a terminal or forge a line.

use std::io::{self, Write};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::Layer;

use crate::model::path::escape_controls;

use super::console;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    #[default]
    Text,
    /// One object a line.
    Json,
}

/// Starts logging for the process. A second call changes nothing.
pub fn start(format: LogFormat, verbose: u8, quiet: bool) {
    let filter = Targets::new().with_target("transload", level(verbose, quiet)).with_default(LevelFilter::ERROR);
    let fmt = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(Lines(format));
    let layer = match format {
        LogFormat::Text => fmt.with_target(false).boxed(),
        LogFormat::Json => fmt.json().flatten_event(true).boxed(),
    };
    // Only a test that runs in one process gets here twice.
    let _ = tracing_subscriber::registry().with(layer.with_filter(filter)).try_init();
}

fn level(verbose: u8, quiet: bool) -> LevelFilter {
    match (quiet, verbose) {
        (true, _) => LevelFilter::ERROR,
        (false, 0) => LevelFilter::WARN,
        (false, 1) => LevelFilter::INFO,
        (false, 2) => LevelFilter::DEBUG,
        (false, _) => LevelFilter::TRACE,
    }
}

/// Takes one event a write, as tracing-subscriber gives them.
struct Lines(LogFormat);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line(self.0)
    }
}

struct Line(LogFormat);

impl Write for Line {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        console::write_stderr(one_line(self.0, &String::from_utf8_lossy(event)).as_bytes());
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The event on one line that is safe to show.
fn one_line(format: LogFormat, event: &str) -> String {
    let event = event.strip_suffix('\n').unwrap_or(event);
    let mut line = match format {
        LogFormat::Text => escape_controls(event),
        // JSON lets the upper control characters stand; its escapes are \uXXXX.
        LogFormat::Json => event.chars().fold(String::with_capacity(event.len() + 1), |mut line, c| {
            match escape_controls(c.encode_utf8(&mut [0; 4])).starts_with('\\') && c != '\\' {
                true => line.push_str(&format!("\\u{:04x}", u32::from(c))),
                false => line.push(c),
            }
            line
        }),
    };
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_without_escape_codes() {
        assert_eq!(one_line(LogFormat::Text, "a\u{1b}[31m\nWARN forged\n"), "a\\u{1b}[31m\\nWARN forged\n");
        assert_eq!(one_line(LogFormat::Json, "{\"a\":\"\u{9b}\\\\\"}\n"), "{\"a\":\"\\u009b\\\\\"}\n");
    }

    #[test]
    fn each_v_shows_more_and_quiet_shows_errors_only() {
        let levels = [0, 1, 2, 3, 9].map(|verbose| level(verbose, false));
        assert!(levels.is_sorted());
        assert_eq!(levels[0], LevelFilter::WARN);
        assert_eq!(level(2, true), LevelFilter::ERROR);
    }
}
