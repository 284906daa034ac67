//! SQLite's cases.

use std::path::{Path, PathBuf};

use super::{Wanted, Way, Ways};
use crate::bench::error::BenchError;
use crate::bench::floors::sqlite::{copy_database, remove_database, Ready};
use crate::bench::trees::Trees;
use crate::bench::verbs::Verbs;

/// What the cases need, made once for each size.
pub struct Prepared {
    directory: PathBuf,
    /// Holds the tree, and follows its changes.
    url: String,
    /// Holds the tree as it was at first.
    template: PathBuf,
    /// With SQLite's shell: the rows of the tree.
    ready: Option<Ready>,
    /// With it, for the cases that ask for them: those that come onto the tree's.
    more: Option<Ready>,
}

impl Prepared {
    pub fn make(shell: Option<&Path>, verbs: &Verbs, trees: &Trees, directory: &Path) -> Result<Prepared, BenchError> {
        let (database, template) = (directory.join("database.db"), directory.join("template.db"));
        verbs.transload("migrate", &trees.whole.path, &url(&database))?;
        copy_database(&database, &template)?;
        let (mut ready, mut more) = (None, None);
        if let Some(shell) = shell {
            let rows = Ready::make(shell, &template, directory)?;
            rows.write_text()?;
            ready = Some(rows);
            if let Some(tree) = &trees.more {
                let database = directory.join("more.db");
                verbs.transload("migrate", &tree.path, &url(&database))?;
                more = Some(Ready::make(shell, &database, directory)?);
            }
        }
        Ok(Prepared { directory: directory.to_owned(), url: url(&database), template, ready, more })
    }
}

fn url(file: &Path) -> String {
    format!("sqlite:{}", file.display())
}

pub fn cases<'a>(made: &'a Prepared, verbs: &'a Verbs<'a>, trees: &'a Trees, wanted: &'a Wanted) -> Vec<Way<'a>> {
    let tree = &trees.whole;
    let mut ways = Ways::new(wanted);
    ways.reading(tree);
    if let Some(ready) = &made.ready {
        ways.floor("insert_select", "ready-made rows by SQLite's shell, then every index built", tree, || {
            ready.insert_select()
        });
        ways.floor("import", "ready-made text by the shell's .import, then every index built", tree, || ready.import());
    }
    if let (Some(ready), Some(more), Some(tree)) = (&made.ready, &made.more, &trees.more) {
        ways.floor("insert_filled", "a tenth as many new rows by the shell onto those of the tree", tree, || {
            more.insert_onto(ready, &made.template)
        });
    }
    ways.own("scan", "transload scan", tree, || verbs.scan(&tree.path));
    ways.own("migrate", "transload migrate into a new file", tree, || {
        let file = made.directory.join("fresh.db");
        let measured = verbs.transload("migrate", &tree.path, &url(&file))?;
        remove_database(&file);
        Ok(measured)
    });
    if let Some(damaged) = &trees.damaged {
        ways.own("damaged", "the same with 1% of the documents damaged", damaged, || {
            let file = made.directory.join("damaged.db");
            let measured = verbs.damaged(&damaged.path, &url(&file))?;
            remove_database(&file);
            Ok(measured)
        });
    }
    if let Some(more) = &trees.more {
        ways.own("filled", "transload migrate of a tenth as many new documents onto the tree's", more, || {
            let file = made.directory.join("filled.db");
            copy_database(&made.template, &file)?;
            let measured = verbs.transload("migrate", &more.path, &url(&file))?;
            if let (Some(ready), Some(more)) = (&made.ready, &made.more) {
                more.check_onto("filled", ready, &file)?;
            }
            remove_database(&file);
            Ok(measured)
        });
    }
    ways.own("unchanged", "transload migrate once more", tree, || {
        // The database's pages are as much in memory as the tree then.
        verbs.transload("migrate", &tree.path, &made.url)?;
        verbs.transload("migrate", &tree.path, &made.url)
    });
    ways.own("changed", "the same after a tenth of the chats was edited", tree, || {
        verbs.changed(&tree.path, &made.url)
    });
    ways.own("verify", "transload verify", tree, || verbs.transload("verify", &tree.path, &made.url));
    ways.ways
}
