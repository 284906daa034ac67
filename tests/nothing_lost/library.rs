//! The same documents as the library writes them again (`Format::rebuild`).

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use transload::format::donna::{tables, Donna};
use transload::format::proof::{Held, HeldPart, HeldRow, Piece, RebuildError};
use transload::format::Format;
use transload::ledger::LedgerDocument;
use transload::model::ledger::{residue as r, DOCUMENTS, RESIDUE};
use transload::model::Value;
use transload::node::{self as nodes, Style};
use transload::target::postgres::{Parameters, PostgresOptions, PostgresTarget};
use transload::target::sqlite::SqliteTarget;
use transload::target::{select_all, Durability, Filter, Target};
use uuid::Uuid;

use crate::node::Node;
use crate::rebuild::{Content, File};
use crate::support::dump::Database;

/// A document with the rows that its tables hold.
pub struct Document {
    pub held: Held,
    pub parts: Vec<HeldPart<'static>>,
}

fn target(database: &Database) -> Box<dyn Target> {
    match database {
        Database::Sqlite(file) => Box::new(SqliteTarget::new(Path::new(file).to_owned())),
        Database::Postgres(url) => {
            Box::new(PostgresTarget::new(PostgresOptions::new(Parameters::from_url(url).expect("a URL"))))
        }
    }
}

/// All documents of a database.
pub fn documents(database: &Database) -> Vec<Document> {
    let mut connection = target(database).connect(Durability::Relaxed).expect("the database is there");
    let mut all = |table| select_all(&mut *connection, table, &Filter::All).expect("the table can be read");
    let rows: HashMap<Uuid, _> = tables::TABLES.into_iter().flat_map(&mut all).map(|row| (row.id(), row)).collect();
    let mut parts: HashMap<Uuid, Vec<HeldPart<'static>>> = HashMap::new();
    for part in all(&RESIDUE) {
        let name = part.0[r::TABLE_NAME].as_text().expect("a name");
        let ids = part.0[r::ROW_IDS].as_bytes().expect("bytes").chunks(16);
        let ids = ids.map(|id| Uuid::from_slice(id).expect("16 bytes"));
        let part_of = parts.entry(part.0[r::DOCUMENT_ID].as_uuid().expect("an id")).or_default();
        part_of.push(HeldPart {
            table: tables::TABLES.into_iter().find(|table| table.name == name).expect("a table"),
            rows: ids.map(|id| HeldRow { id, row: rows.get(&id).cloned().map(Cow::Owned), edited: false }).collect(),
            residue: match &part.0[r::DATA] {
                Value::Text(data) => Some(Cow::Owned(data.clone())),
                _ => None,
            },
            added: false,
        });
    }
    let documents = all(&DOCUMENTS);
    let document = |row| {
        let document = LedgerDocument::from_row(&row).expect("a row of the ledger");
        let parts = parts.remove(&document.id).expect("a document has a part");
        Document { held: document.held(&Donna).expect("a document"), parts }
    };
    documents.into_iter().map(document).collect()
}

impl Document {
    pub fn pieces(&self) -> Result<Vec<Piece>, RebuildError> {
        let mut parts = self.parts.clone().into_iter();
        let mut pieces = Vec::new();
        Donna.rebuild(&self.held, &mut || Ok(parts.next()), &mut |piece| {
            pieces.push(piece);
            Ok(())
        })?;
        Ok(pieces)
    }

    /// The content of each file, by path.
    pub fn rebuild(&self) -> BTreeMap<String, File> {
        let mut files: Vec<Option<File>> = self.held.files.iter().map(|_| None).collect();
        let mut marks = Vec::new();
        for piece in self.pieces().unwrap_or_else(|error| panic!("{}: {error:?}", self.held.key)) {
            match piece {
                Piece::Mark { file } => marks.push(file),
                Piece::Whole { file, value } => {
                    let whole = File { bom: false, content: Content::Json(plain(&value)) };
                    assert!(files[file].replace(whole).is_none(), "{} comes twice", self.held.key);
                }
                Piece::Item { file, value, .. } => {
                    let list = || File { bom: false, content: Content::Json(Node::List(Vec::new())) };
                    match &mut files[file].get_or_insert_with(list).content {
                        Content::Json(Node::List(items)) => items.push(plain(&value)),
                        other => panic!("an item of {other:?}"),
                    }
                }
                Piece::Line { file, number, value, .. } => {
                    let lines = lines(&mut files[file]);
                    lines.resize(number as usize - 1, None);
                    lines.push(Some(plain(&value)));
                }
                Piece::Lines { file, count } => lines(&mut files[file]).resize(count as usize, None),
                Piece::New { path, .. } => panic!("{path} is not in the ledger"),
            }
        }
        for mark in marks {
            files[mark].as_mut().expect("a marked file has a content").bom = true;
        }
        let paths = self.held.files.iter().map(|file| file.path.to_text());
        paths.zip(files).map(|(path, file)| (path.clone(), file.unwrap_or_else(|| panic!("{path} is lost")))).collect()
    }
}

fn lines(file: &mut Option<File>) -> &mut Vec<Option<Node>> {
    let empty = || File { bom: false, content: Content::Lines(Vec::new()) };
    match &mut file.get_or_insert_with(empty).content {
        Content::Lines(lines) => lines,
        other => panic!("a line of {other:?}"),
    }
}

fn plain(node: &nodes::Node) -> Node {
    let mut text = Vec::new();
    nodes::write(&mut text, node, Style::Line, 0).expect("memory takes all");
    Node::parse(std::str::from_utf8(&text).expect("UTF-8"))
}
