//! SQLite's cases.

use std::path::{Path, PathBuf};

use super::{Way, Ways};
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
    /// With SQLite's shell: the rows of the tree, and those that come onto them.
    ready: Option<(Ready, Ready)>,
}

impl Prepared {
    pub fn make(shell: Option<&Path>, verbs: &Verbs, trees: &Trees, directory: &Path) -> Result<Prepared, BenchError> {
        let (database, template) = (directory.join("database.db"), directory.join("template.db"));
        verbs.transload("migrate", &trees.whole.path, &url(&database))?;
        copy_database(&database, &template)?;
        let ready = match shell {
            Some(shell) => {
                let more = directory.join("more.db");
                verbs.transload("migrate", &trees.more.path, &url(&more))?;
                let ready = Ready::make(shell, &template, directory)?;
                ready.write_text()?;
                Some((ready, Ready::make(shell, &more, directory)?))
            }
            None => None,
        };
        Ok(Prepared { directory: directory.to_owned(), url: url(&database), template, ready })
    }
}

fn url(file: &Path) -> String {
    format!("sqlite:{}", file.display())
}

pub fn cases<'a>(made: &'a Prepared, verbs: &'a Verbs<'a>, trees: &'a Trees) -> Vec<Way<'a>> {
    let tree = &trees.whole;
    let mut ways = Ways(Vec::new());
    ways.reading(tree);
    if let Some((ready, more)) = &made.ready {
        ways.floor("insert_select", "ready-made rows by SQLite's shell, then every index built", tree, || {
            ready.insert_select()
        });
        ways.floor("import", "ready-made text by the shell's .import, then every index built", tree, || ready.import());
        ways.floor(
            "insert_filled",
            "a tenth as many new rows by the shell onto those of the tree",
            &trees.more,
            || more.insert_onto(ready, &made.template),
        );
    }
    ways.own("scan", "transload scan", tree, || verbs.scan(&tree.path));
    ways.own("migrate", "transload migrate into a new file", tree, || {
        let file = made.directory.join("fresh.db");
        let measured = verbs.transload("migrate", &tree.path, &url(&file))?;
        remove_database(&file);
        Ok(measured)
    });
    ways.own("damaged", "the same with 1% of the documents damaged", &trees.damaged, || {
        let file = made.directory.join("damaged.db");
        let measured = verbs.damaged(&trees.damaged.path, &url(&file))?;
        remove_database(&file);
        Ok(measured)
    });
    ways.own("filled", "transload migrate of a tenth as many new documents onto the tree's", &trees.more, || {
        let file = made.directory.join("filled.db");
        copy_database(&made.template, &file)?;
        let measured = verbs.transload("migrate", &trees.more.path, &url(&file))?;
        if let Some((ready, more)) = &made.ready {
            more.check_onto("filled", ready, &file)?;
        }
        remove_database(&file);
        Ok(measured)
    });
    ways.own("unchanged", "transload migrate once more", tree, || {
        // The database's pages are as much in memory as the tree then.
        verbs.transload("migrate", &tree.path, &made.url)?;
        verbs.transload("migrate", &tree.path, &made.url)
    });
    ways.own("changed", "the same after a tenth of the chats was edited", tree, || {
        verbs.changed(&tree.path, &made.url)
    });
    ways.own("verify", "transload verify", tree, || verbs.transload("verify", &tree.path, &made.url));
    ways.0
}
