//! What any tree's accepted documents say comes back from the database.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use transload::exec::{Progress, Stop};
use transload::export::{self, Report, Settings};
use transload::format::donna::tables::{KINDS, TABLES};
use transload::ledger::LedgerDocument;
use transload::model::ledger::DOCUMENTS;
use transload::model::RelPath;
use transload::target::sqlite::SqliteTarget;
use transload::target::{select_all, Durability, Filter, Target};

use crate::cases;
use crate::said::said;
use crate::support::content::Content;
use crate::trees::{self, migrate, options, write_tree, DONNA};

fn export(target: &dyn Target, directory: &Path, whole_bytes: u64) -> Report {
    let (stop, progress) = (Stop::new(), Progress::new());
    let settings = Settings { format: &DONNA, kinds: &KINDS, whole_bytes, stop: &stop, progress: &progress };
    let readers = target.readers(export::FEWEST_READERS).expect("the database is there");
    export::export(&export::Job { directory, settings, tick: &|_| {} }, readers).expect("the tree is exported")
}

/// The paths of all files that were loaded.
fn loaded(target: &dyn Target) -> Vec<String> {
    let mut connection = target.connect(Durability::Relaxed).expect("the database is there");
    let rows = select_all(&mut *connection, &DOCUMENTS, &Filter::All).expect("the ledger can be read");
    rows.iter().flat_map(|row| LedgerDocument::from_row(row).expect("the ledger's own row").paths()).collect()
}

proptest! {
    #![proptest_config(cases(30))]

    #[test]
    fn what_was_accepted_is_exported_as_it_was_and_makes_the_same_rows(
        seed in any::<u64>(),
        share in 20u64..=100,
        noise in prop_oneof![Just(0u64), Just(5), Just(60)],
        batch_rows in 1usize..50,
        whole_bytes in prop_oneof![Just(300u64), Just(4 << 20)],
    ) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (source, out) = (directory.path().join("source"), directory.path().join("out"));
        write_tree(&source, seed, share, noise);
        let options = options(directory.path(), batch_rows, 1 << 20, whole_bytes);
        let target = SqliteTarget::new(directory.path().join("a.db"));
        migrate(&source, &target, &options);
        let report = export(&target, &out, whole_bytes);
        let total = report.total();
        prop_assert_eq!(total.documents, total.exported, "{:?}", report.refused);
        for (table, tally) in &report.tables {
            prop_assert_eq!(tally.edited + tally.added + tally.deleted + tally.not_exported, 0, "{}", table);
        }
        let paths = loaded(&target);
        prop_assert_eq!(report.files, paths.len() as u64);
        for path in &paths {
            let read = |root: &Path| fs::read(root.join(RelPath::from_text(path).as_path())).expect("the file is there");
            let (before, after) = (said(path, &read(&source)), said(path, &read(&out)));
            prop_assert_eq!(before, after, "{}", path);
        }
        // A directory without any known file is refused as a source.
        if paths.is_empty() {
            return Ok(());
        }
        // What is exported is indented, and so may be larger than what was held whole.
        let usual = trees::options(directory.path(), batch_rows, 1 << 20, 4 << 20);
        let again = SqliteTarget::new(directory.path().join("b.db"));
        migrate(&out, &again, &usual);
        let (before, after) = (Content::of(&target), Content::of(&again));
        for table in TABLES {
            prop_assert_eq!(after.rows(table.name), before.rows(table.name), "{}", table.name);
        }
    }
}
