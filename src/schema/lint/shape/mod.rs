//! What a statement does to the schema, as far as a rule wants to know.

mod alter;
mod block;
mod create;
mod cursor;
mod data;

pub use alter::{Action, AlterTable};
pub use block::Block;
pub use create::{Column, Create};
pub use cursor::{has, Cursor, Name};
pub use data::{sources, Insert, Source};

use crate::schema::files::MigrationFile;
use crate::schema::sql::{lex, split, Dialect, Place, Statement, Token, TokenKind};

/// A statement and its meaning.
pub struct Shaped<'f> {
    pub statement: &'f Statement,
    pub shape: Shape,
}

/// What a statement is.
pub enum Shape {
    Create(Create),
    AlterTable(AlterTable),
    Drop(DropObjects),
    Insert(Insert),
    Update(Name),
    /// `all` where no WHERE spares a row.
    Delete {
        table: Name,
        all: bool,
    },
    Truncate(Vec<Name>),
    /// Rows come from a file or the client.
    CopyFrom(Name),
    /// A block of code that runs at once.
    Do(Block),
    /// It only looks.
    Query,
    Other,
}

/// `DROP ...`
pub struct DropObjects {
    /// In capitals, e.g. `MATERIALIZED VIEW`.
    pub kind: String,
    pub names: Vec<Name>,
    pub if_exists: bool,
    pub cascade: bool,
    pub concurrently: bool,
}

impl Shaped<'_> {
    pub fn place(&self) -> Place {
        self.statement.place()
    }

    pub fn tokens(&self) -> &[Token] {
        &self.statement.tokens
    }

    pub fn begins_with(&self, text: &str, keyword: &str) -> bool {
        self.tokens()[0].is_word(text, keyword)
    }
}

/// The statements of a file.
pub fn of(file: &MigrationFile) -> Vec<Shaped<'_>> {
    file.statements
        .iter()
        .map(|statement| Shaped { statement, shape: shape(&file.text, file.dialect, &statement.tokens) })
        .collect()
}

/// What one statement is; `tokens` are its own, and not empty.
pub fn shape(text: &str, dialect: Dialect, tokens: &[Token]) -> Shape {
    let mut cursor = Cursor::new(text, dialect, tokens);
    let verb = tokens[0].text(text).to_ascii_uppercase();
    // Behind WITH stands the verb that counts.
    if verb == "WITH" {
        return data::behind_with(&mut cursor);
    }
    cursor.bump();
    let shape = match verb.as_str() {
        "CREATE" => create::create(&mut cursor).map(Shape::Create),
        "ALTER" => alter::alter_table(&mut cursor).map(Shape::AlterTable),
        "DROP" => Some(Shape::Drop(drop_objects(&mut cursor))),
        "INSERT" | "REPLACE" => data::insert(&mut cursor).map(Shape::Insert),
        "UPDATE" => data::update(&mut cursor),
        "DELETE" => data::delete(&mut cursor),
        "TRUNCATE" => {
            cursor.eat("TABLE");
            cursor.eat("ONLY");
            Some(Shape::Truncate(cursor.names()))
        }
        "COPY" => data::copy(&mut cursor),
        "DO" => {
            let body = tokens.iter().find(|token| matches!(token.kind, TokenKind::Text(_)));
            body.map(|body| Shape::Do(Block::of(text, dialect, body)))
        }
        "SELECT" | "VALUES" | "TABLE" | "EXPLAIN" | "SHOW" => {
            // SELECT ... INTO makes a table.
            let makes = verb == "SELECT" && dialect == Dialect::Postgres && has(text, tokens, &["INTO"]);
            Some(if makes { Shape::Other } else { Shape::Query })
        }
        _ => None,
    };
    shape.unwrap_or(Shape::Other)
}

/// Kinds of objects whose names have two words or more.
const LONG_KINDS: [&[&str]; 12] = [
    &["MATERIALIZED", "VIEW"],
    &["FOREIGN", "TABLE"],
    &["FOREIGN", "DATA", "WRAPPER"],
    &["EVENT", "TRIGGER"],
    &["USER", "MAPPING"],
    &["ACCESS", "METHOD"],
    &["OPERATOR", "CLASS"],
    &["OPERATOR", "FAMILY"],
    &["TEXT", "SEARCH", "CONFIGURATION"],
    &["TEXT", "SEARCH", "DICTIONARY"],
    &["TEXT", "SEARCH", "PARSER"],
    &["TEXT", "SEARCH", "TEMPLATE"],
];

/// The kind of object that comes next, in capitals.
fn kind(cursor: &mut Cursor<'_>) -> String {
    if let Some(words) = LONG_KINDS.iter().find(|words| cursor.eat_all(words)) {
        return words.join(" ");
    }
    let text = cursor.text;
    cursor.bump().map(|token| token.text(text).to_ascii_uppercase()).unwrap_or_default()
}

fn drop_objects(cursor: &mut Cursor<'_>) -> DropObjects {
    let kind = kind(cursor);
    let concurrently = cursor.eat("CONCURRENTLY");
    let if_exists = cursor.eat_all(&["IF", "EXISTS"]);
    if kind == "OWNED" {
        cursor.eat("BY");
    }
    let names = cursor.names();
    let cascade = has(cursor.text, cursor.rest(), &["CASCADE"]);
    DropObjects { kind, names, if_exists, cascade, concurrently }
}

/// Whether a function is called: a name stands before a parenthesis.
pub fn calls(text: &str, tokens: &[Token]) -> bool {
    const NO_FUNCTIONS: [&str; 8] = ["IN", "AND", "OR", "NOT", "VALUES", "AS", "WHERE", "SELECT"];
    tokens.windows(2).any(|pair| {
        pair[1].kind == TokenKind::Open
            && matches!(pair[0].kind, TokenKind::Word | TokenKind::QuotedName)
            && !NO_FUNCTIONS.iter().any(|word| pair[0].is_word(text, word))
    })
}

/// Whether a text is one statement that only looks.
pub fn is_query(sql: &str, dialect: Dialect) -> bool {
    let tokens = lex(sql, dialect);
    let statements = split(sql, &tokens, dialect);
    match statements.as_slice() {
        [only] => {
            // EXPLAIN may run what it explains.
            let asks = ["SELECT", "VALUES", "WITH"].iter().any(|verb| only.tokens[0].is_word(sql, verb));
            let looks = matches!(shape(sql, dialect, &only.tokens), Shape::Query);
            asks && looks && tokens.iter().all(|token| token.closed)
        }
        _ => false,
    }
}
