//! PostgreSQL's cases.

use std::path::Path;

use super::{Wanted, Way, Ways};
use crate::bench::error::BenchError;
use crate::bench::floors::postgres::{copy_out, Built, Filled, Ready, Rows};
use crate::bench::psql::Access;
use crate::bench::report::Measured;
use crate::bench::scratch::Scratch;
use crate::bench::trees::{Tree, Trees};
use crate::bench::verbs::Verbs;

/// What the cases need, made once for each size.
pub struct Prepared<'a> {
    access: &'a Access,
    admin: &'a str,
    /// Holds the tree, and follows its changes.
    database: Scratch,
    ready: Ready,
    /// For the cases that ask for new documents.
    onto: Option<Onto<'a>>,
}

/// Rows that come onto those of the tree.
struct Onto<'a> {
    /// Holds the tree as it was at first. Nobody connects to it.
    template: Scratch,
    more: Ready,
    tree: &'a Tree,
}

impl<'a> Prepared<'a> {
    /// `directory`: for ready-made files.
    pub fn make(
        access: &'a Access,
        admin: &'a str,
        verbs: &Verbs,
        trees: &'a Trees,
        directory: &Path,
        connections: usize,
    ) -> Result<Prepared<'a>, BenchError> {
        let load = |tree: &Path, files: &str| -> Result<(Scratch, Ready), BenchError> {
            let database = Scratch::make(access, admin)?;
            verbs.transload("migrate", tree, &database.url)?;
            access.session(&database.url)?.run("VACUUM ANALYZE;")?;
            let files = directory.join(files);
            std::fs::create_dir(&files).map_err(BenchError::file(&files))?;
            let ready = Ready::make(access, admin, &database.url, &files, connections)?;
            Ok((database, ready))
        };
        let (database, ready) = load(&trees.whole.path, "ready")?;
        let onto = |tree: &'a Tree| -> Result<Onto<'a>, BenchError> {
            let template = database.copy()?;
            // Rows have the same values wherever they are loaded, so this database is of no more use.
            let (_, more) = load(&tree.path, "ready-more")?;
            Ok(Onto { template, more, tree })
        };
        let onto = trees.more.as_ref().map(onto).transpose()?;
        Ok(Prepared { access, admin, database, ready, onto })
    }

    /// Has everything on the disk that another case left to be written: it is not the next one's. Not
    /// everybody may ask for it.
    fn settle(&self) {
        let _ = self.access.session(self.admin).and_then(|mut psql| psql.run("CHECKPOINT;"));
    }
}

pub fn cases<'a>(made: &'a Prepared<'a>, verbs: &'a Verbs<'a>, trees: &'a Trees, wanted: &'a Wanted) -> Vec<Way<'a>> {
    let Prepared { access, admin, database, ready, onto } = made;
    let (tree, url) = (&trees.whole, &database.url);
    let mut ways = Ways::new(wanted);
    ways.reading(tree);
    ways.floor("copy_bare", "ready-made rows by binary COPY into bare tables", tree, || {
        ready.load("copy_bare", Rows::Application, Built::Never)
    });
    ways.floor("copy_indexed", "the same with every key, index and foreign key in place", tree, || {
        ready.load("copy_indexed", Rows::Application, Built::Before)
    });
    ways.floor("floor2", "bare COPY, then every key, index and foreign key built", tree, || {
        ready.load("floor2", Rows::Application, Built::After)
    });
    ways.floor("floor2_ledger", "the same with the rows of the ledger and the residue", tree, || {
        ready.load("floor2_ledger", Rows::All, Built::After)
    });
    if let Some(Onto { template, more, tree }) = onto {
        let filled = Filled { template, rows: ready };
        ways.floor("copy_filled", "a tenth as many new rows by binary COPY onto those of the tree", tree, move || {
            more.load_onto("copy_filled", Rows::Application, &filled)
        });
        ways.floor("copy_filled_ledger", "the same with the rows of the ledger and the residue", tree, move || {
            more.load_onto("copy_filled_ledger", Rows::All, &filled)
        });
    }
    ways.floor("copy_out", "the four tables out again in order, by binary COPY", tree, || {
        Ok(Measured { rows: Some(ready.rows(Rows::Application)), ..copy_out(access, url)? })
    });
    ways.own("scan", "transload scan", tree, || verbs.scan(&tree.path));
    ways.own("migrate", "transload migrate into an empty database", tree, || {
        let database = Scratch::make(access, admin)?;
        made.settle();
        verbs.transload("migrate", &tree.path, &database.url)
    });
    if let Some(damaged) = &trees.damaged {
        ways.own("damaged", "the same with 1% of the documents damaged", damaged, || {
            let database = Scratch::make(access, admin)?;
            made.settle();
            verbs.damaged(&damaged.path, &database.url)
        });
    }
    if let Some(Onto { template, more, tree }) = onto {
        ways.own("filled", "transload migrate of a tenth as many new documents onto the tree's", tree, || {
            let database = template.copy()?;
            made.settle();
            let measured = verbs.transload("migrate", &tree.path, &database.url)?;
            more.check_onto("filled", Rows::All, &Filled { template, rows: ready }, &database.url)?;
            Ok(measured)
        });
    }
    ways.own("unchanged", "transload migrate once more", tree, || {
        // The database's pages are as much in memory as the tree then.
        verbs.transload("migrate", &tree.path, url)?;
        verbs.transload("migrate", &tree.path, url)
    });
    ways.own("changed", "the same after a tenth of the chats was edited", tree, || verbs.changed(&tree.path, url));
    ways.own("verify", "transload verify", tree, || verbs.transload("verify", &tree.path, url));
    ways.ways
}
