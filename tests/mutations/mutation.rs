//! A mutation: what is done, and what a verification has to say of it.

use std::collections::BTreeSet;

use transload::verify::outcome::{Cause, Difference, Outcome, Verdict};
use uuid::Uuid;

use crate::database;
use crate::support::place::Database;
use crate::world::{Doc, World};

/// One change, and what is right to be told.
#[derive(Clone, Debug, Default)]
pub struct Mutation {
    pub what: String,
    pub sql: Vec<String>,
    /// New content; `None` removes the file.
    pub files: Vec<(String, Option<Vec<u8>>)>,
    /// One of these documents has to be told, for one of the causes.
    pub documents: Vec<Uuid>,
    pub causes: Vec<Cause>,
    /// Where it is told, as far as that is known.
    pub row: Option<Uuid>,
    pub column: Option<&'static str>,
    /// Exactly one difference of the document says all of it.
    pub alone: bool,
    /// Documents that may be told beside it, because they refer to what was changed.
    pub also: BTreeSet<Uuid>,
    /// Documents that have to be told beside it, because their references mean another row now.
    pub lost: BTreeSet<Uuid>,
    /// What no two rows may have: mutations of one set must not want the same.
    pub claims: Option<(&'static str, String)>,
    /// Nothing is to be told: the value was only spelled another way.
    pub silent: bool,
}

impl Mutation {
    /// The documents that it is about.
    pub fn touched(&self) -> BTreeSet<Uuid> {
        self.documents.iter().chain(&self.also).chain(&self.lost).copied().collect()
    }

    fn is_told_by(&self, difference: &Difference) -> bool {
        self.documents.contains(&difference.document)
            && self.causes.contains(&difference.cause)
            && self.row.is_none_or(|row| difference.row == Some(row))
            && self.column.is_none_or(|column| difference.column.as_deref() == Some(column))
    }
}

/// Does all of them at once in a copy of the database and in the files, verifies, takes them back,
/// and returns what was wrong with what was told. They must touch different documents.
pub fn run(world: &World, mutations: &[Mutation]) -> Vec<String> {
    let copy = world.place.copy_of(&world.original);
    let statements: Vec<String> = mutations.iter().flat_map(|mutation| mutation.sql.clone()).collect();
    database::execute(&copy, &statements);
    for (path, content) in mutations.iter().flat_map(|mutation| &mutation.files) {
        world.spoil(path, content.as_deref());
    }
    let outcome = world.verify(&copy);
    let disagreements = world.disagreements(&copy, &outcome);
    world.restore();
    let mut wrong = check(world, mutations, &outcome, &copy);
    wrong.extend(disagreements);
    wrong
}

fn check(world: &World, mutations: &[Mutation], outcome: &Outcome, database: &Database) -> Vec<String> {
    let mut wrong = Vec::new();
    let told: Vec<&Difference> = outcome.listed_differences.iter().collect();
    let mut touched: BTreeSet<Uuid> = BTreeSet::new();
    for mutation in mutations {
        touched.extend(mutation.touched().into_iter().filter(|_| !mutation.silent));
        let about: Vec<&&Difference> =
            told.iter().filter(|difference| mutation.touched().contains(&difference.document)).collect();
        let is_told = about.iter().any(|difference| mutation.is_told_by(difference));
        let own = about.iter().filter(|difference| mutation.documents.contains(&difference.document)).count();
        let refers_elsewhere = |id: &Uuid, told: &Difference| {
            told.document == *id && matches!(told.cause, Cause::ForeignId | Cause::Dangling)
        };
        let lost = mutation.lost.iter().all(|id| about.iter().any(|told| refers_elsewhere(id, told)));
        if is_told == mutation.silent || (mutation.alone && own != 1) || !lost {
            let about: Vec<String> = about.iter().map(|difference| shown(difference)).collect();
            let what = if mutation.silent { "is told, and is none" } else { "is not told as it should be" };
            wrong.push(format!(
                "{} {what}\n  documents {:?}, causes {:?}, row {:?}, column {:?}\n  {}\n  told: {}",
                mutation.what,
                names(world, &mutation.documents),
                mutation.causes,
                mutation.row,
                mutation.column,
                mutation.sql.join("; ").chars().take(600).collect::<String>(),
                if about.is_empty() { "nothing".into() } else { about.join("\n        ") },
            ));
        }
    }
    for difference in &told {
        if !touched.contains(&difference.document) {
            // Whatever has to do with an id that is told of may be why.
            let text = format!("{:?} {:?}", difference.row, difference.in_database);
            let ids: Vec<&str> = text.split(['"', '(', ')', '\\']).filter(|word| word.len() == 36).collect();
            let is_about = |sql: &String| ids.iter().any(|id| sql.contains(id));
            let owner = difference.row.and_then(|row| world.doc_of(row)).map(|doc| doc.id);
            let is_its = |mutation: &&Mutation| owner.is_some_and(|owner| mutation.touched().contains(&owner));
            let by_id = |mutation: &&Mutation| mutation.sql.iter().any(is_about) || is_its(mutation);
            let about = mutations.iter().find(by_id);
            let about = about.map_or_else(String::new, |mutation| format!(" after {}", mutation.what));
            wrong.push(format!("a false alarm{about}: {}", shown(difference)));
        }
    }
    // What is not told agrees.
    let documents = &outcome.documents;
    let known = |id: &&Uuid| world.by_id.contains_key(id);
    let differing: BTreeSet<Uuid> = told.iter().map(|difference| difference.document).collect();
    // A document without rows is gone with its file.
    let is_gone = |mutation: &&Mutation| mutation.silent && mutation.files.iter().any(|(_, content)| content.is_none());
    let gone: BTreeSet<Uuid> = mutations.iter().filter(is_gone).flat_map(|mutation| mutation.touched()).collect();
    let agrees = |doc: &&Doc| !doc.rejected && !differing.contains(&doc.id) && !gone.contains(&doc.id);
    let agreed = world.docs.iter().filter(agrees).count() as u64;
    if documents.agreed < agreed {
        wrong.push(format!("{agreed} documents are not told, and {} agree", documents.agreed));
    }
    let found: u64 = Verdict::ALL.into_iter().map(|verdict| documents.of(verdict)).sum();
    if found != documents.found || documents.unsettled + documents.unreadable > 0 {
        wrong.push(format!("the account does not add up: {documents:?}"));
    }
    if documents.found + 2 * differing.iter().filter(known).count() as u64 + 8 < world.clean.documents.found {
        wrong.push(format!("{} documents instead of {}", documents.found, world.clean.documents.found));
    }
    if !wrong.is_empty() && std::env::var_os("ALL").is_some() {
        wrong.extend(
            mutations
                .iter()
                .map(|mutation| format!("  was: {} {:?}", mutation.what, names(world, &mutation.documents))),
        );
    }
    if !wrong.is_empty() {
        wrong.push(format!("(the database was {})", database.url));
    }
    wrong
}

fn names(world: &World, ids: &[Uuid]) -> Vec<String> {
    let name = |id: &Uuid| match world.by_id.get(id) {
        Some(at) => format!("{} {}", world.docs[*at].kind, world.docs[*at].paths.join(" ")),
        None => id.to_string(),
    };
    ids.iter().map(name).collect()
}

fn shown(difference: &Difference) -> String {
    let short = |text: &Option<String>| text.as_deref().unwrap_or("-").chars().take(80).collect::<String>();
    format!(
        "{} ({:?}) {} {} `{}` {}.{} {}: {} / {} ({})",
        difference.cause.code(),
        difference.moved,
        difference.kind,
        difference.file,
        difference.pointer,
        difference.table.as_deref().unwrap_or("-"),
        difference.column.as_deref().unwrap_or("-"),
        difference.row.map_or_else(String::new, |row| row.to_string()),
        short(&difference.in_file),
        short(&difference.in_database),
        short(&difference.detail),
    )
}
