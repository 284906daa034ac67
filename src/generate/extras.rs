//! What lies beside the documents: logs, and the files that have no home in a table.

use std::io::{self, Write};

use flate2::{Compression, GzBuilder};

use super::map::Map;
use super::php::{date_c, date_plain, Json, Style};
use super::rng::Rng;
use super::text;
use super::tree::Tree;
use super::{stream, GenerateError, BASE_TIME};

/// Layout 12: a line for fifty messages, spread over two levels and a rotated file. Returns the
/// number of lines.
pub fn write_logs(tree: &Tree, seed: u64, records: u64) -> Result<u64, GenerateError> {
    let total = (records / 50).max(20);
    let (rotated, errors) = (total / 4, total / 10);
    let current = total - rotated - errors;
    let start = BASE_TIME - total as i64;
    let mut rng = Rng::new(seed, stream::LOGS, 0);
    let mut lines = |out: &mut dyn Write, count: u64, level: Option<&str>, start: i64| -> io::Result<()> {
        (0..count).try_for_each(|at| out.write_all(&log_line(&mut rng, level, start + at as i64)))
    };
    tree.stream("logs/info.log.1.gz", start, |file| {
        // Stored, not compressed: the bytes must not depend on a compressor's version.
        let mut gz = GzBuilder::new().mtime(0).write(file, Compression::none());
        lines(&mut gz, rotated, Some("info"), start - rotated as i64)?;
        gz.finish().map(|_| ())
    })?;
    tree.stream("logs/info.log", BASE_TIME, |file| lines(file, current, Some("info"), start))?;
    tree.stream("logs/error.log", BASE_TIME, |file| lines(file, errors, None, start))?;
    Ok(total)
}

fn log_line(rng: &mut Rng, level: Option<&str>, at: i64) -> Vec<u8> {
    let mut json = Json::new(Style::Line);
    Map::write(&mut json, None, |map| {
        map.string("timestamp", &date_c(at));
        map.string("level", level.unwrap_or_else(|| rng.pick(&["error", "error", "critical"])));
        let language = text::language(rng);
        map.string("message", &text::message(rng, language, 60));
        map.string("trace_id", &format!("{:016x}", rng.next()));
        match rng.below(3) {
            0 => map.map("context", |map| {
                map.string("file", "/var/www/api/chat.php");
                map.number("line", rng.below(900));
            }),
            _ => map.raw("context", "[]"),
        }
        match rng.below(10) {
            0 => map.string("ip", "unknown"),
            1 => map.string("ip", &format!("2001:db8::{:x}", 1 + rng.below(0xFFFE))),
            _ => map.string("ip", &format!("192.0.2.{}", rng.below(256))),
        }
        map.string("user_agent", rng.pick(&["Mozilla/5.0 (X11; Linux x86_64)", "curl/8.5.0", "unknown"]));
    });
    let mut line = json.into_bytes();
    line.push(b'\n');
    line
}

/// Layouts 10, 11, 13, 14 and 15. Returns the number of files.
pub fn write_not_migrated(tree: &Tree, seed: u64) -> Result<u64, GenerateError> {
    let mut rng = Rng::new(seed, stream::EXTRAS, 0);
    let started = BASE_TIME - 86_400;
    let session = pretty(|map| {
        map.string("id", &format!("{:032x}", rng.next()));
        map.number("created_at", started);
        map.number("last_activity", BASE_TIME);
        map.raw("context", "[]");
        map.raw("history", "[]");
        map.raw("metadata", "[]");
    });
    let settings = pretty(|map| {
        map.string("greeting", "Grüß Gott 👋");
        map.raw("enabled", "true");
    });
    let token = pretty(|map| {
        map.string("access_token", "not-a-real-token");
        map.number("expires", BASE_TIME + 3600);
    });
    let events =
        format!("[\n    {{\n        \"at\": \"{}\",\n        \"to\": \"+15550001111\"\n    }}\n]", date_plain(started));
    let thread = "[\n    {\n        \"from\": \"lead@example.com\",\n        \"subject\": \"Angebot\",\n        \
                  \"message_id\": \"<1@example.com>\"\n    }\n]";
    let files: [(&str, &[u8]); 13] = [
        ("mcp/storage/sessions/5f0c1a2b3c4d5e6f.json", &session),
        ("logs/call_history.json", events.as_bytes()),
        ("logs/message_history.json", events.as_bytes()),
        ("email_logs/thread-1/thread.json", thread.as_bytes()),
        ("email_logs/thread-2/thread.json", thread.as_bytes()),
        ("chatbot_settings.json", &settings),
        ("oauth2_token.json", &token),
        ("rate/192.0.2.7.json", b"{\n    \"count\": 3\n}"),
        ("rate/192.0.2.8.json", b"{\n    \"count\": 1\n}"),
        ("chat_history/2023-05.txt", b"user: Hi\nbot: Hello\n"),
        ("generated_pages/landing.html", b"<!doctype html>\n<title>Landing</title>\n"),
        ("api/logs/access.txt", b"192.0.2.7 GET /api/chat 200\n"),
        ("data/user_profiles.json", b"{\n    \"profiles\": []\n}"),
    ];
    for (path, bytes) in files {
        tree.put(path, bytes, started)?;
    }
    Ok(files.len() as u64)
}

fn pretty(write: impl FnOnce(&mut Map)) -> Vec<u8> {
    let mut json = Json::new(Style::Present);
    Map::write(&mut json, None, write);
    json.into_bytes()
}
