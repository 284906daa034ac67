//! A migrated tree, what the ledger says of it, and copies of it to be spoiled.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::path::PathBuf;
use std::time::SystemTime;

use transload::format::donna::tables::{MEMORY, TABLES, USER, USERS};
use transload::format::donna::Donna;
use transload::format::Format;
use transload::ledger::{unpack_ids, LedgerDocument, LedgerReject};
use transload::model::ledger::{residue, DOCUMENTS, REJECTS, RESIDUE};
use transload::model::{Row, Table, Value};
use transload::node::{self, Node};
use transload::verify::outcome::{Cause, Conclusion, Difference, Outcome};
use transload::verify::Options;
use uuid::Uuid;

use crate::database::{self, Dialect};
use crate::support::place::{Database, Place};
use crate::support::proof;
use crate::tree::{self, Size};

static DONNA: Donna = Donna;

/// A document as the migration left it.
#[derive(Clone, Debug)]
pub struct Doc {
    pub id: Uuid,
    pub kind: String,
    pub key: String,
    pub paths: Vec<String>,
    /// In the document's order.
    pub rows: Vec<(&'static Table, Uuid)>,
    /// The row that stands for it.
    pub row: Option<Uuid>,
    pub rejected: bool,
}

/// The migrated tree. Nothing changes the original database.
pub struct World<'a> {
    pub place: &'a Place,
    pub source: PathBuf,
    pub original: Database<'a>,
    pub dialect: Dialect,
    pub options: Options,
    /// Another way to verify, which has to tell the same.
    pub held: Option<Options>,
    pub docs: Vec<Doc>,
    pub rows: HashMap<(&'static str, Uuid), Row>,
    pub ledger: HashMap<&'static str, Vec<Row>>,
    /// Which document has a row.
    pub owners: HashMap<Uuid, usize>,
    pub by_id: HashMap<Uuid, usize>,
    /// What users' files say.
    clerk_ids: HashMap<Uuid, String>,
    /// What a verification of the untouched tree says.
    pub clean: Outcome,
    spoiled: RefCell<Vec<Spoiled>>,
}

/// A file as it was before it was spoiled; `None` if it was not there.
type Spoiled = (PathBuf, Option<(Vec<u8>, SystemTime)>);

/// What a difference is about.
fn named(it: &Difference) -> String {
    // What is wrong with a text depends on where its reading begins.
    let is_unreadable = matches!(it.cause, Cause::Unreadable | Cause::Truncated) && it.column.is_none();
    let detail = it.detail.as_ref().filter(|_| !is_unreadable);
    format!(
        "{} {:?} {} `{}` {:?} {:?} {:?} {:?}",
        it.cause.code(),
        it.moved,
        it.file,
        it.pointer,
        it.table,
        it.column,
        it.row,
        detail
    )
}

impl<'a> World<'a> {
    /// Plants, migrates and reads a tree; `settings` are further arguments of `migrate`.
    pub fn new(place: &'a Place, seed: u64, size: Size, settings: &[&str], options: Options) -> World<'a> {
        let source = place.path(&format!("source_{seed}_{}", settings.len()));
        let original = place.fresh();
        tree::plant(&source, &original, seed, size);
        let ended = place.run(&source, &original, &[&["--with-logs"], settings].concat());
        assert!(matches!(ended.code, Some(0 | 1)), "the tree is migrated: {}", ended.log);
        let clean = {
            let target = original.target();
            proof::verify(&source, &*target, &options)
        };
        let dialect = Dialect::of(&original);
        let mut world = World {
            place,
            source,
            dialect,
            options,
            held: None,
            docs: Vec::new(),
            rows: HashMap::new(),
            ledger: HashMap::new(),
            owners: HashMap::new(),
            by_id: HashMap::new(),
            clerk_ids: HashMap::new(),
            clean,
            spoiled: RefCell::default(),
            original,
        };
        world.read();
        world
    }

    fn read(&mut self) {
        for table in TABLES {
            let rows = database::rows(&self.original, table);
            self.rows.extend(rows.into_iter().map(|row| ((table.name, row.id()), row)));
        }
        for table in [&DOCUMENTS, &RESIDUE, &REJECTS] {
            self.ledger.insert(table.name, database::rows(&self.original, table));
        }
        for row in &self.ledger[DOCUMENTS.name] {
            let document = LedgerDocument::from_row(row).expect("the ledger is sound");
            self.docs.push(Doc {
                id: document.id,
                paths: document.paths(),
                kind: document.kind,
                key: document.key,
                rows: Vec::new(),
                row: document.row_id,
                rejected: false,
            });
        }
        for row in &self.ledger[REJECTS.name] {
            let reject = LedgerReject::from_row(row).expect("the ledger is sound");
            let paths = reject.paths();
            let LedgerReject { document: id, kind, key, .. } = reject;
            self.docs.push(Doc { id, kind, key, paths, rows: Vec::new(), row: None, rejected: true });
        }
        self.by_id = self.docs.iter().enumerate().map(|(at, doc)| (doc.id, at)).collect();
        let clerk_id = |doc: &Doc| {
            let said = node::parse(&self.file(&doc.paths[0])).ok()?.0;
            Some((doc.id, said.get("clerk_id")?.as_text()?.to_owned()))
        };
        self.clerk_ids = self.docs.iter().filter(|doc| doc.kind == USER.name).filter_map(clerk_id).collect();
        for row in &self.ledger[RESIDUE.name] {
            let value = |at: usize| &row.0[at];
            let at = self.by_id[&value(residue::DOCUMENT_ID).as_uuid().expect("an id")];
            let name = value(residue::TABLE_NAME).as_text().expect("a table's name");
            let table = TABLES.into_iter().find(|table| table.name == name).expect("a known table");
            for id in unpack_ids(value(residue::ROW_IDS).as_bytes().expect("ids")) {
                self.docs[at].rows.push((table, id));
                self.owners.insert(id, at);
            }
        }
    }

    pub fn doc_of(&self, row: Uuid) -> Option<&Doc> {
        self.owners.get(&row).map(|at| &self.docs[*at])
    }

    pub fn row(&self, table: &Table, id: Uuid) -> &Row {
        &self.rows[&(table.name, id)]
    }

    /// The rows of a table that documents have, in no order.
    pub fn owned(&self, table: &'static Table) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self
            .rows
            .iter()
            .filter(|((name, id), _)| *name == table.name && self.owners.contains_key(id))
            .map(|(_, row)| row)
            .collect();
        rows.sort_by_key(|row| row.id());
        rows
    }

    /// Documents whose rows refer to this one.
    pub fn referring(&self, row: Uuid) -> BTreeSet<Uuid> {
        let mut found = BTreeSet::new();
        for ((name, id), other) in &self.rows {
            let table = TABLES.into_iter().find(|table| table.name == *name).expect("a known table");
            for (column, value) in table.columns.iter().zip(&other.0) {
                if column.reference.is_some() && *value == Value::Uuid(row) {
                    found.extend(self.doc_of(*id).map(|doc| doc.id));
                }
            }
        }
        found.extend(self.docs.iter().filter(|doc| doc.row == Some(row)).map(|doc| doc.id));
        found
    }

    /// Documents of which the reference to a user means another row when this one has another clerk
    /// id: they say the old one, or the new one, and no user has what they say for a legacy id.
    pub fn meaning_another(&self, user: &Row, clerk_id: &Value) -> BTreeSet<Uuid> {
        let old = user.0[USERS.column("clerk_id").expect("a known column")].as_text();
        let said = |reference: &String| [old, clerk_id.as_text()].contains(&Some(reference.as_str()));
        let by_clerk_id = |reference: &&String| {
            let key = DONNA.reference_key(USER.name, reference);
            let is_legacy_id = |doc: &Doc| doc.kind == USER.name && doc.key == key && doc.row.is_some();
            let id = DONNA.referenced_id(USER.name, reference);
            let is_real = |row: &Row| !DONNA.is_placeholder(&USERS, row);
            !self.docs.iter().any(is_legacy_id) && !self.rows.get(&(USERS.name, id)).is_some_and(is_real)
        };
        let refers = |doc: &&Doc| self.reference(doc).filter(said).as_ref().filter(by_clerk_id).is_some();
        self.docs.iter().filter(|doc| !doc.rejected).filter(refers).map(|doc| doc.id).collect()
    }

    /// The document whose row would be this user's: a placeholder may stand for a file that was rejected.
    pub fn of_user(&self, row: Uuid) -> Option<Uuid> {
        let is_his = |doc: &&Doc| doc.kind == USER.name && DONNA.referenced_id(USER.name, &doc.key) == row;
        self.docs.iter().find(is_his).map(|doc| doc.id)
    }

    /// These documents, and those that claim a key which one of them claims: what happens to the one
    /// may decide whose the key is.
    pub fn with_rivals(&self, documents: BTreeSet<Uuid>) -> BTreeSet<Uuid> {
        let of = |doc: &Doc| (doc.kind.clone(), doc.key.clone());
        let known: Vec<&Doc> = documents.iter().filter_map(|id| Some(&self.docs[*self.by_id.get(id)?])).collect();
        let keys: BTreeSet<(String, String)> = known.iter().map(|doc| of(doc)).collect();
        let clerk_ids: BTreeSet<&String> = known.iter().filter_map(|doc| self.clerk_ids.get(&doc.id)).collect();
        let claims = |doc: &&Doc| {
            keys.contains(&of(doc)) || self.clerk_ids.get(&doc.id).is_some_and(|id| clerk_ids.contains(id))
        };
        let rivals = self.docs.iter().filter(claims).map(|doc| doc.id);
        rivals.chain(documents.iter().copied()).collect()
    }

    /// Whom a document's files name as its user.
    fn reference(&self, doc: &Doc) -> Option<String> {
        if doc.kind == MEMORY.name {
            return Some(doc.key.clone());
        }
        let session = doc.paths.iter().find(|path| path.ends_with("_session.json"))?;
        match node::parse(&self.file(session)).ok()?.0.get("user_id")? {
            Node::Text(text) | Node::Number(text) if !text.is_empty() => Some(text.to_string()),
            _ => None,
        }
    }

    /// The file's bytes.
    pub fn file(&self, path: &str) -> Vec<u8> {
        fs::read(self.source.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Writes or removes a file; what it was is remembered.
    pub fn spoil(&self, path: &str, content: Option<&[u8]>) {
        let full = self.source.join(path);
        let before = fs::read(&full).ok().map(|bytes| {
            let modified = fs::metadata(&full).and_then(|found| found.modified());
            (bytes, modified.expect("the file is there"))
        });
        match content {
            Some(bytes) => tree::write(&self.source, path, bytes),
            None => fs::remove_file(&full).expect("the file is there"),
        }
        self.spoiled.borrow_mut().push((full, before));
    }

    /// Takes back everything that was done to files.
    pub fn restore(&self) {
        for (path, before) in self.spoiled.borrow_mut().drain(..).rev() {
            match before {
                Some((bytes, modified)) => {
                    fs::write(&path, bytes).expect("the file can be written");
                    let file = File::options().append(true).open(&path).expect("the file is ours");
                    file.set_modified(modified).expect("the file is ours");
                }
                None => drop(fs::remove_file(&path)),
            }
        }
    }

    /// Whether a file of this size could not be read: only histories and logs flow past.
    pub fn is_too_large(&self, path: &str, size: u64) -> bool {
        let is_whole = ["users/", "memory/"].iter().any(|part| path.contains(part)) || path.ends_with("_session.json");
        is_whole && size > self.options.whole_bytes
    }

    /// What the other way tells and this one does not, and the other way round.
    pub fn disagreements(&self, database: &Database, outcome: &Outcome) -> Vec<String> {
        let Some(options) = &self.held else { return Vec::new() };
        let held = proof::verify(&self.source, &*database.target(), options);
        let told = |outcome: &Outcome| -> Vec<String> {
            let size = |path: &str| fs::metadata(self.source.join(path)).map_or(0, |found| found.len());
            let is_read = |it: &&Difference| {
                let mut paths = vec![it.file.clone()];
                paths.extend(self.by_id.get(&it.document).into_iter().flat_map(|at| self.docs[*at].paths.clone()));
                !paths.iter().any(|path| self.is_too_large(path, size(path)))
            };
            let differences = outcome.listed_differences.iter().filter(is_read);
            let mut told: Vec<String> = differences.map(named).collect();
            told.sort();
            told
        };
        let (streamed, held) = (told(outcome), told(&held));
        let missing = |from: &[String], other: &[String], what: &str| -> Vec<String> {
            from.iter().filter(|it| !other.contains(it)).map(|it| format!("only {what}: {it}")).collect()
        };
        let mut only = missing(&streamed, &held, "of what is not held");
        only.extend(missing(&held, &streamed, "of what is held"));
        if only.is_empty() && streamed != held {
            only.push(format!("{} differences not held, {} held", streamed.len(), held.len()));
        }
        only
    }

    /// Verifies the tree against a database.
    pub fn verify(&self, database: &Database) -> Outcome {
        proof::verify(&self.source, &*database.target(), &self.options)
    }

    /// That the untouched tree agrees in full, save for what was rejected.
    pub fn assert_clean(&self) {
        let documents = &self.clean.documents;
        assert_eq!(self.clean.listed_differences, [], "a clean run");
        assert_eq!(documents.found, documents.agreed + documents.rejected, "{documents:?}");
        assert_eq!(documents.agreed, self.docs.iter().filter(|doc| !doc.rejected).count() as u64);
        assert_eq!(documents.rejected, self.docs.iter().filter(|doc| doc.rejected).count() as u64);
        assert!(matches!(self.clean.conclusion, Conclusion::Agree | Conclusion::Differ));
    }
}
