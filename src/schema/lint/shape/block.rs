//! A block of PL/pgSQL: whether it changes something, asks first, raises, or swallows errors.
//!
//! Its statements are told by where they begin, which is enough: no expression begins one.

use crate::schema::sql::{lex_within, place_of, Dialect, Place, Token, TokenKind};

/// What a block does.
#[derive(Default)]
pub struct Block {
    /// Its tokens without whitespace and comments, placed as in the file.
    pub tokens: Vec<Token>,
    /// The statements that change schema or rows.
    pub changes: Vec<Vec<Token>>,
    /// It asks before it does something, or does something for each of what it finds.
    pub condition: Option<Place>,
    /// It fails the file if a condition does not hold.
    pub raises: bool,
    /// A handler after which all goes on.
    pub swallows: Option<Place>,
    /// COMMIT or ROLLBACK.
    pub controls: Option<Token>,
    /// SET without LOCAL.
    pub sets: Option<Token>,
}

const CHANGES: [&str; 15] = [
    "CREATE", "ALTER", "DROP", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "EXECUTE", "MERGE", "COPY", "GRANT", "REVOKE",
    "COMMENT", "REFRESH", "CALL",
];

impl Block {
    pub fn of(text: &str, dialect: Dialect, body: &Token) -> Block {
        let Some(inside) = body.inside(text) else { return Block::default() };
        let place = place_of(text, inside.start);
        let mut tokens = lex_within(text, inside, place, dialect);
        tokens.retain(|token| !token.is_trivia());
        let mut block = Block::default();
        let is = |at: usize, keyword| tokens.get(at).is_some_and(|token: &Token| token.is_word(text, keyword));
        // The handler that is open, until a RAISE is found in it.
        let mut handler: Option<Place> = None;
        for (at, token) in tokens.iter().enumerate() {
            if is(at, "EXCEPTION") && is(at + 1, "WHEN") {
                handler = Some(token.place());
            } else if is(at, "WHEN") && at > 0 && handler.is_some() && tokens[at - 1].kind == TokenKind::Semicolon {
                block.swallows = block.swallows.or(handler);
                handler = Some(token.place());
            }
            if !begins_statement(text, &tokens, at) {
                continue;
            }
            let word = token.text(text).to_ascii_uppercase();
            match word.as_str() {
                "END" if !["IF", "CASE", "LOOP"].iter().any(|part| is(at + 1, part)) => {
                    block.swallows = block.swallows.or(handler.take());
                }
                "RAISE" if !["NOTICE", "WARNING", "INFO", "LOG", "DEBUG"].iter().any(|level| is(at + 1, level)) => {
                    block.raises = true;
                    handler = None;
                }
                "ASSERT" => block.raises = true,
                "IF" | "CASE" | "FOR" | "FOREACH" | "WHILE" | "LOOP" => {
                    block.condition = block.condition.or(Some(token.place()));
                }
                "COMMIT" | "ROLLBACK" => block.controls = block.controls.or(Some(*token)),
                "SET" if !is(at + 1, "LOCAL") => block.sets = block.sets.or(Some(*token)),
                word if CHANGES.contains(&word) => {
                    let rest = tokens[at..].iter().take_while(|token| token.kind != TokenKind::Semicolon);
                    block.changes.push(rest.copied().collect());
                }
                _ => {}
            }
        }
        block.swallows = block.swallows.or(handler);
        block.tokens = tokens;
        block
    }
}

fn begins_statement(text: &str, tokens: &[Token], at: usize) -> bool {
    let Some(before) = at.checked_sub(1).map(|at| tokens[at]) else { return true };
    before.kind == TokenKind::Semicolon
        || ["BEGIN", "THEN", "ELSE", "LOOP", "DECLARE"].iter().any(|word| before.is_word(text, word))
}
