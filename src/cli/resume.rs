//! The command that goes on where a run stopped: the same one, ready for a shell, without secrets.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use crate::config::without_password;

/// `arguments` as they were given, the program's name first.
pub fn command(arguments: &[OsString]) -> String {
    let words = arguments.iter().enumerate().map(|(at, word)| match word.to_str() {
        // The path by which the program was started need not mean anything to the next shell.
        _ if at == 0 => "transload".to_owned(),
        Some(text) => quoted(&hidden(text)),
        None => bytes_quoted(word.as_bytes()),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Without the password of a URL, whether it stands alone or behind `--db=`.
fn hidden(word: &str) -> String {
    match word.split_once('=') {
        Some((flag, url)) if flag.starts_with("--") => format!("{flag}={}", without_password(url)),
        _ => without_password(word),
    }
}

fn quoted(word: &str) -> String {
    if word.contains(char::is_control) {
        return bytes_quoted(word.as_bytes());
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// `$'..'`, which bash and zsh read: for names that no terminal should see as they are.
fn bytes_quoted(word: &[u8]) -> String {
    let mut text = "$'".to_owned();
    for byte in word {
        match byte {
            b'\'' | b'\\' => text.extend(['\\', char::from(*byte)]),
            b' '..=b'~' => text.push(char::from(*byte)),
            byte => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text.push('\'');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    #[test]
    fn the_command_can_be_pasted_and_holds_no_password() {
        let line =
            ["/x/transload", "migrate", "it's data", "--db", "postgres://u:geheim@h/n", "--db=postgres://u:geheim@h/n"];
        let mut line: Vec<OsString> = line.map(OsString::from).to_vec();
        line.push(OsString::from_vec(b"a\xFF\x1b'".to_vec()));
        assert_eq!(
            command(&line),
            "transload migrate 'it'\\''s data' --db postgres://u@h/n --db=postgres://u@h/n $'a\\xff\\x1b\\''"
        );
    }
}
