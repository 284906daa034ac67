//! Reading a statement's tokens one after the other.

use crate::schema::sql::{Dialect, Place, Token, TokenKind};

/// The name of a table, column or other object, as the catalogue has it.
#[derive(Clone, Debug)]
pub struct Name {
    pub schema: Option<String>,
    pub name: String,
    pub place: Place,
}

impl Name {
    /// Whether both can mean the same object. A schema that is not named may be any.
    pub fn is(&self, other: &Name) -> bool {
        self.name == other.name && (self.schema == other.schema || self.schema.is_none() || other.schema.is_none())
    }

    /// For people.
    pub fn shown(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}.{}", self.name),
            None => self.name.clone(),
        }
    }
}

/// A place among tokens. What it is asked for and does not find, it does not move past.
#[derive(Clone)]
pub struct Cursor<'t> {
    pub text: &'t str,
    pub dialect: Dialect,
    pub tokens: &'t [Token],
    at: usize,
}

impl<'t> Cursor<'t> {
    pub fn new(text: &'t str, dialect: Dialect, tokens: &'t [Token]) -> Cursor<'t> {
        Cursor { text, dialect, tokens, at: 0 }
    }

    pub fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.at)
    }

    pub fn rest(&self) -> &'t [Token] {
        &self.tokens[self.at..]
    }

    pub fn is_at_end(&self) -> bool {
        self.at >= self.tokens.len()
    }

    /// Where the next token stands, or the last one at the end.
    pub fn place(&self) -> Place {
        self.peek().or(self.tokens.last()).map_or(Place::START, Token::place)
    }

    pub fn bump(&mut self) -> Option<&'t Token> {
        let token = self.peek();
        self.at += usize::from(token.is_some());
        token
    }

    pub fn sees(&self, keyword: &str) -> bool {
        self.peek().is_some_and(|token| token.is_word(self.text, keyword))
    }

    pub fn sees_kind(&self, kind: TokenKind) -> bool {
        self.peek().is_some_and(|token| token.kind == kind)
    }

    pub fn eat(&mut self, keyword: &str) -> bool {
        let found = self.sees(keyword);
        self.at += usize::from(found);
        found
    }

    pub fn eat_kind(&mut self, kind: TokenKind) -> bool {
        let found = self.sees_kind(kind);
        self.at += usize::from(found);
        found
    }

    /// All of these keywords, one after the other, or none.
    pub fn eat_all(&mut self, keywords: &[&str]) -> bool {
        let found = self.rest().len() >= keywords.len()
            && keywords.iter().zip(self.rest()).all(|(keyword, token)| token.is_word(self.text, keyword));
        self.at += if found { keywords.len() } else { 0 };
        found
    }

    /// The one of these keywords that comes next.
    pub fn eat_any(&mut self, keywords: &[&'static str]) -> Option<&'static str> {
        keywords.iter().copied().find(|keyword| self.eat(keyword))
    }

    /// One part of a name.
    pub fn identifier(&mut self) -> Option<Name> {
        let token = self.peek()?;
        let name = token.name(self.text, self.dialect)?;
        self.at += 1;
        Some(Name { schema: None, name, place: token.place() })
    }

    /// A name with its schema; of more parts, the last two.
    pub fn name(&mut self) -> Option<Name> {
        let mut name = self.identifier()?;
        while self.sees_kind(TokenKind::Dot) {
            let mut ahead = self.clone();
            ahead.bump();
            let Some(next) = ahead.identifier() else { break };
            self.at = ahead.at;
            name = Name { schema: Some(name.name), name: next.name, place: name.place };
        }
        Some(name)
    }

    /// `a, b, c`
    pub fn names(&mut self) -> Vec<Name> {
        let mut names = Vec::new();
        loop {
            names.extend(self.name());
            if !self.eat_kind(TokenKind::Comma) {
                return names;
            }
        }
    }

    /// What stands in the parentheses that open here.
    pub fn parenthesised(&mut self) -> Option<&'t [Token]> {
        if !self.sees_kind(TokenKind::Open) {
            return None;
        }
        let inside = self.at + 1;
        let mut depth = 0usize;
        while let Some(token) = self.bump() {
            match token.kind {
                TokenKind::Open => depth += 1,
                TokenKind::Close => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Some(&self.tokens[inside..self.at - 1]);
            }
        }
        Some(&self.tokens[inside..])
    }

    /// What comes next up to a comma outside of parentheses, which is passed.
    pub fn item(&mut self) -> &'t [Token] {
        let start = self.at;
        while let Some(token) = self.peek() {
            match token.kind {
                TokenKind::Comma => break,
                TokenKind::Open => {
                    self.parenthesised();
                }
                _ => self.at += 1,
            }
        }
        let item = &self.tokens[start..self.at];
        self.at += usize::from(self.at < self.tokens.len());
        item
    }

    /// A part of the same text.
    pub fn within(&self, tokens: &'t [Token]) -> Cursor<'t> {
        Cursor::new(self.text, self.dialect, tokens)
    }
}

/// Whether these keywords stand in a row anywhere among the tokens.
pub fn has(text: &str, tokens: &[Token], keywords: &[&str]) -> bool {
    tokens
        .windows(keywords.len())
        .any(|window| window.iter().zip(keywords).all(|(token, keyword)| token.is_word(text, keyword)))
}
