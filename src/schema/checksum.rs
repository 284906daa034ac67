//! A migration's two checksums: of its bytes, and of what the server would be told.
//!
//! A file whose bytes have changed and whose tokens have not was edited in its comments only, or
//! went through a tool that changes line ends.

use super::sql::{Token, TokenKind};

/// BLAKE3 of the file's bytes.
pub fn raw_checksum(text: &str) -> [u8; 32] {
    *blake3::hash(text.as_bytes()).as_bytes()
}

/// BLAKE3 over the tokens, without byte order mark, whitespace and comments. Line ends are one line
/// feed, also those within quotes, because git's settings change those, too.
///
/// Directives are comments: adding a WHY or an ENSURE to a file leaves this checksum as it is, for
/// the statements still make the same schema. Capitals and quotes count, and so does the order.
pub fn token_checksum(text: &str, tokens: &[Token]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for token in tokens.iter().filter(|token| !token.is_trivia()) {
        let said = token.text(text).replace("\r\n", "\n").replace('\r', "\n");
        // What is read to the line's end may have blanks there.
        let said = if token.kind == TokenKind::ClientCommand { said.trim_end() } else { &said };
        // The length keeps `a b` and `ab` apart.
        hasher.update(&(said.len() as u64).to_le_bytes());
        hasher.update(said.as_bytes());
    }
    *hasher.finalize().as_bytes()
}
