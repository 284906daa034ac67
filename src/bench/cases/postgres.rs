//! PostgreSQL's cases.

use std::path::Path;

use super::{Way, Ways};
use crate::bench::error::BenchError;
use crate::bench::floors::postgres::{copy_out, Built, Filled, Ready, Rows};
use crate::bench::psql::Access;
use crate::bench::report::Measured;
use crate::bench::scratch::Scratch;
use crate::bench::trees::Trees;
use crate::bench::verbs::Verbs;

/// What the cases need, made once for each size.
pub struct Prepared<'a> {
    access: &'a Access,
    admin: &'a str,
    /// Holds the tree, and follows its changes.
    database: Scratch,
    ready: Ready,
    /// Holds the tree as it was at first. Nobody connects to it.
    template: Scratch,
    more: Ready,
}

impl<'a> Prepared<'a> {
    /// `directory`: for ready-made files.
    pub fn make(
        access: &'a Access,
        admin: &'a str,
        verbs: &Verbs,
        trees: &Trees,
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
        let template = database.copy()?;
        // Rows have the same values wherever they are loaded, so this database is of no more use.
        let (_, more) = load(&trees.more.path, "ready-more")?;
        Ok(Prepared { access, admin, database, ready, template, more })
    }

    fn filled(&self) -> Filled<'_> {
        Filled { template: &self.template, rows: &self.ready }
    }

    /// Has everything on the disk that another case left to be written: it is not the next one's. Not
    /// everybody may ask for it.
    fn settle(&self) {
        let _ = self.access.session(self.admin).and_then(|mut psql| psql.run("CHECKPOINT;"));
    }
}

pub fn cases<'a>(made: &'a Prepared<'a>, verbs: &'a Verbs<'a>, trees: &'a Trees) -> Vec<Way<'a>> {
    let Prepared { access, admin, database, ready, more, .. } = made;
    let (tree, url) = (&trees.whole, &database.url);
    let mut ways = Ways(Vec::new());
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
    ways.floor("copy_filled", "a tenth as many new rows by binary COPY onto those of the tree", &trees.more, || {
        more.load_onto("copy_filled", Rows::Application, &made.filled())
    });
    ways.floor("copy_filled_ledger", "the same with the rows of the ledger and the residue", &trees.more, || {
        more.load_onto("copy_filled_ledger", Rows::All, &made.filled())
    });
    ways.floor("copy_out", "the four tables out again in order, by binary COPY", tree, || {
        Ok(Measured { rows: Some(ready.rows(Rows::Application)), ..copy_out(access, url)? })
    });
    ways.own("scan", "transload scan", tree, || verbs.scan(&tree.path));
    ways.own("migrate", "transload migrate into an empty database", tree, || {
        let database = Scratch::make(access, admin)?;
        made.settle();
        verbs.transload("migrate", &tree.path, &database.url)
    });
    ways.own("damaged", "the same with 1% of the documents damaged", &trees.damaged, || {
        let database = Scratch::make(access, admin)?;
        made.settle();
        verbs.damaged(&trees.damaged.path, &database.url)
    });
    ways.own("filled", "transload migrate of a tenth as many new documents onto the tree's", &trees.more, || {
        let database = made.template.copy()?;
        made.settle();
        let measured = verbs.transload("migrate", &trees.more.path, &database.url)?;
        more.check_onto("filled", Rows::All, &made.filled(), &database.url)?;
        Ok(measured)
    });
    ways.own("unchanged", "transload migrate once more", tree, || {
        // The database's pages are as much in memory as the tree then.
        verbs.transload("migrate", &tree.path, url)?;
        verbs.transload("migrate", &tree.path, url)
    });
    ways.own("changed", "the same after a tenth of the chats was edited", tree, || verbs.changed(&tree.path, url));
    ways.own("verify", "transload verify", tree, || verbs.transload("verify", &tree.path, url));
    ways.0
}
