//! The rules that migration files keep, checked without a database.
//!
//! Lint reads tokens, not a grammar: it knows the statements that change a schema well enough to
//! name their objects, and lets pass what it does not know. A server is the judge of the rest.

mod docs;
mod finding;
mod rule;
mod rules;
mod shape;
#[cfg(test)]
mod tests;
mod world;

pub use docs::table;
pub use finding::Finding;
pub use rule::{Rule, Severity, BAD_NAME, RULES};
pub use rules::names::said as name_flaw;

use super::files::{MigrationFile, MigrationSet};
use finding::Findings;
use rule::SILENCES_NOTHING;
use shape::{Shape, Shaped};
use world::World;

/// All that is wrong with a directory: by file, then by place.
pub fn lint(set: &MigrationSet) -> Vec<Finding> {
    let mut findings = Vec::new();
    rules::names::check(set, &mut findings);
    rules::snapshots::check(set, &mut findings);
    rules::bodies::check(set, &mut findings);
    let mut world = World::default();
    for file in &set.files {
        let statements = shape::of(file);
        let view = View { set, file, statements: &statements, world: &world };
        let mut found = Findings::of(&file.file);
        rules::header::check(&view, &mut found);
        rules::text::check(&view, &mut found);
        rules::words::check(&view, &mut found);
        rules::dialect::check(&view, &mut found);
        rules::transaction::check(&view, &mut found);
        rules::settings::check(&view, &mut found);
        rules::again::check(&view, &mut found);
        rules::conditions::check(&view, &mut found);
        rules::proof::check(&view, &mut found);
        rules::order::check(&view, &mut found);
        rules::loss::check(&view, &mut found);
        rules::locks::check(&view, &mut found);
        findings.extend(found.into_all());
        world.apply(&statements);
    }
    silence(set, &mut findings);
    findings.sort_by_key(Finding::order);
    findings
}

/// Marks the warnings that files say are meant, and finds fault with what silences none.
fn silence(set: &MigrationSet, findings: &mut Vec<Finding>) {
    let mut wrong = Vec::new();
    for file in &set.files {
        for allow in &file.header.allows {
            let of_it = |finding: &&mut Finding| finding.file == file.file && finding.rule.number == allow.rule;
            let message = match findings.iter_mut().filter(of_it).collect::<Vec<_>>() {
                found if found.is_empty() => match RULES.iter().find(|rule| rule.number == allow.rule) {
                    None => format!("ALLOW names the rule {}, which there is not", allow.rule),
                    Some(rule) => format!("ALLOW silences {} {}, which finds nothing here", rule.number, rule.name),
                },
                found if found[0].is_error() => format!("ALLOW cannot silence {}: it is an error", allow.rule),
                found => {
                    found.into_iter().for_each(|finding| finding.silenced = Some(allow.reason.clone()));
                    continue;
                }
            };
            wrong.push(Finding::new(&SILENCES_NOTHING, &file.file, Some(allow.place), message));
        }
    }
    findings.extend(wrong);
}

/// The tables that a file's statements make, virtual ones among them, in order.
pub fn tables_made(file: &MigrationFile) -> Vec<String> {
    let made = |statement: &Shaped<'_>| match &statement.shape {
        Shape::Create(create) if create.kind == "TABLE" => create.name.as_ref().map(|name| name.name.clone()),
        _ => None,
    };
    shape::of(file).iter().filter_map(made).collect()
}

/// What a rule sees: one file, and what the files before it made.
struct View<'v> {
    set: &'v MigrationSet,
    file: &'v MigrationFile,
    statements: &'v [Shaped<'v>],
    world: &'v World,
}

impl View<'_> {
    fn text(&self) -> &str {
        &self.file.text
    }

    /// Whether the schema that this file makes is compared with a declared one.
    fn has_snapshot(&self) -> bool {
        self.set.snapshot(self.file.number).is_some()
    }
}
