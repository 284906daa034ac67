//! Any tree is accounted for to the last file, and a second run finds nothing to do.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use jiff::tz::TimeZone;
use proptest::prelude::*;
use transload::exec::{Progress, Stop};
use transload::format::donna::tables::{KINDS, TABLES};
use transload::format::donna::Donna;
use transload::model::{Instant, Value};
use transload::pipeline::{self, Job, Mode, Options, Prefer, Removed, Report, Way};
use transload::schema;
use transload::target::sqlite::SqliteTarget;
use transload::target::{select_all, Durability, Filter, Target};
use uuid::Uuid;

use crate::cases;
use crate::maker::Maker;
use crate::support::content::Content;

pub static DONNA: Donna = Donna;

/// Few names, so that references are met and keys are claimed twice.
const PATHS: [&str; 26] = [
    "users/u1.json",
    "users/u2.json",
    "users/u3.json",
    "users/67E55044-10b1-426f-9247-bb680e5fe0c8.json",
    "users/67e55044-10b1-426f-9247-bb680e5fe0c8.json",
    "data/users/u1.json",
    "memory/u1.json",
    "memory/clerk_1.json",
    "memory/nobody.json",
    "memory/system_oauth.json",
    "chat_sessions/a.json",
    "chat_sessions/a_session.json",
    "chat_sessions/b.json",
    "chat_sessions/b_session.json",
    "chat_sessions/c_session.json",
    "chat_sessions/d.json",
    "data/chat_sessions/a.json",
    "data/chat_sessions/d_session.json",
    "conversations/x@example.com.json",
    "mcp/storage/conversations/d41d8.json",
    "mcp/storage/sessions/1.json",
    "logs/error.log",
    "logs/call_history.json",
    "rate/1.json",
    "notes.txt",
    "chat_sessions/readme.md",
];

/// Writes some of the files; returns how many.
pub fn write_tree(root: &Path, seed: u64, share: u64, noise: u64) -> u64 {
    let mut maker = Maker::new(seed, noise);
    let mut written = 0;
    for path in PATHS {
        if maker.chance.below(100) >= share && path != "users/u2.json" {
            continue;
        }
        let kind = KINDS.iter().find(|kind| match kind.name {
            "chats" => path.contains("chat_sessions/"),
            name => path.contains(&format!("{name}/")),
        });
        let size = maker.chance.below(12);
        let content = maker.content(kind.unwrap_or(&KINDS[0]), path, size);
        let to = root.join(path);
        fs::create_dir_all(to.parent().expect("it is below the root")).expect("a directory can be made");
        fs::write(&to, content).expect("a file can be written");
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_764_547_200 + written);
        File::options().append(true).open(&to).and_then(|file| file.set_modified(time)).expect("it is ours");
        written += 1;
    }
    written
}

pub fn options(root: &Path, batch_rows: usize, batch_bytes: usize, whole_bytes: u64) -> Options {
    Options {
        kinds: KINDS.to_vec(),
        documents: None,
        zone: TimeZone::UTC,
        follow_links: false,
        whole_bytes,
        batch_rows,
        round_bytes: transload::pipeline::ROUND_BYTES,
        batch_bytes,
        writers: 2,
        prefer: Prefer::Neither,
        removed: Removed::Keep,
        mode: Mode::Real,
        way: Way::Bulk,
        count_first: false,
        rejects_directory: root.join("rejects"),
        repair: None,
    }
}

pub fn migrate(source: &Path, target: &dyn Target, options: &Options) -> Report {
    let prepare = |connection: &mut dyn transload::target::Connection| {
        schema::prepare(connection, "sqlite", "donna", &TABLES).map(|_| ()).map_err(Into::into)
    };
    let (stop, progress) = (Stop::new(), Progress::new());
    let job = Job {
        format: &DONNA,
        source,
        target,
        prepare: &prepare,
        options,
        command: "test",
        holder: "a test",
        stop: &stop,
        progress: &progress,
        tick: &|_| {},
    };
    pipeline::migrate(&job).expect("the tree is migrated")
}

/// The equations, and that the ledger has what the account says.
fn check(report: &Report, files: u64, content: &Content) -> Result<(), TestCaseError> {
    let summary = &report.account.summary;
    prop_assert_eq!(summary.check(), Ok(()));
    prop_assert_eq!(summary.files.found, files);
    let documents = &summary.documents;
    prop_assert_eq!(documents.conflicts + documents.failed, 0, "{:?}", report.account.findings);
    let loaded = documents.loaded + documents.updated + documents.unchanged;
    prop_assert_eq!(loaded, content.rows("documents").len() as u64);
    prop_assert_eq!(documents.rejected, content.rows("rejects").len() as u64, "{:?}", report.account.findings);
    Ok(())
}

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn any_tree_is_accounted_for_and_a_second_run_writes_nothing(
        seed in any::<u64>(),
        share in 20u64..=100,
        noise in prop_oneof![Just(0u64), Just(5), Just(60)],
        batch_rows in 1usize..50,
        batch_bytes in prop_oneof![Just(1_024usize), Just(1 << 20)],
        whole_bytes in prop_oneof![Just(300u64), Just(4 << 20)],
    ) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let source = directory.path().join("source");
        let files = write_tree(&source, seed, share, noise);
        let options = options(directory.path(), batch_rows, batch_bytes, whole_bytes);

        let target = SqliteTarget::new(directory.path().join("a.db"));
        let first = migrate(&source, &target, &options);
        let content = Content::of(&target);
        check(&first, files, &content)?;

        let second = migrate(&source, &target, &options);
        let documents = &second.account.summary.documents;
        prop_assert_eq!(documents.loaded + documents.updated, 0, "{:?}", second.account.findings);
        prop_assert_eq!(second.account.summary.rows, 0);
        prop_assert_eq!(&second.account.findings, &first.account.findings);
        let content_again = Content::of(&target);
        check(&second, files, &content_again)?;
        content_again.assert_is(&content, "a second run");

        // However the rows were cut into batches and parts, and whichever way they came: the tables hold the same. What is
        // held whole decides only how large a user, a memory file or a session may be.
        let other = SqliteTarget::new(directory.path().join("b.db"));
        let usual = super::trees::options(directory.path(), 1_000, 8 << 20, whole_bytes);
        let usual = Options { way: Way::Online, ..usual };
        let third = migrate(&source, &other, &usual);
        let content_of_other = Content::of(&other);
        check(&third, files, &content_of_other)?;
        for table in TABLES {
            prop_assert_eq!(content_of_other.rows(table.name), content.rows(table.name));
        }
        prop_assert_eq!(content_of_other.rows("rejects"), content.rows("rejects"));
    }

    /// Documents of a batch that are known are replaced together where that is possible.
    #[test]
    fn changes_come_to_the_same_together_and_one_by_one(
        seed in any::<u64>(),
        noise in prop_oneof![Just(0u64), Just(5), Just(60)],
        share in 20u64..=100,
        edits in prop_oneof![Just(0u64), Just(5), Just(30)],
        prefer in prop_oneof![Just(Prefer::Neither), Just(Prefer::File)],
    ) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let source = directory.path().join("source");
        write_tree(&source, seed, 100, 0);
        let usual = Options { prefer, ..options(directory.path(), 1_000, 1 << 20, 4 << 20) };
        let file = |name: &str| directory.path().join(name);
        let together = SqliteTarget::new(file("together.db"));
        migrate(&source, &together, &usual);
        edit(&together, seed, edits);
        fs::copy(file("together.db"), file("alone.db")).expect("nobody has it open");
        let alone = SqliteTarget::new(file("alone.db"));

        write_tree(&source, seed.wrapping_add(1), share, noise);
        let of_together = migrate(&source, &together, &usual);
        let of_alone = migrate(&source, &alone, &Options { batch_rows: 1, ..usual.clone() });
        // The parts of which the residue speaks are cut where batches are, and references are settled after each.
        let (content, expected) = (Content::of(&together), Content::of(&alone));
        for table in TABLES.iter().map(|table| table.name).chain(["documents", "rejects"]) {
            prop_assert_eq!(content.rows(table), expected.rows(table), "{}", table);
        }
        let documents = [&of_together, &of_alone].map(|report| &report.account.summary.documents);
        prop_assert_eq!(documents[0], documents[1]);
        prop_assert_eq!(&of_together.account.findings, &of_alone.account.findings);
    }
}

/// What an application does meanwhile: of a hundred rows, so many are edited, as many deleted, and as many have a row of
/// the application's own put beside them.
fn edit(target: &dyn Target, seed: u64, share: u64) {
    let mut chance = Maker::new(seed, 0).chance;
    let mut connection = target.connect(Durability::Full).expect("the database answers");
    for table in TABLES.iter().rev() {
        let rows = match connection.live_columns(table).expect("the schema can be read") {
            Some(_) => select_all(&mut *connection, table, &Filter::All).expect("the table can be read"),
            None => Vec::new(),
        };
        for mut row in rows {
            let id = [row.0[0].clone()];
            match chance.below(100) {
                at if at < share => {
                    let created = table.column("created_at").expect("each table has it");
                    let Some(Instant(micros)) = row.0[created].as_time() else { continue };
                    row.0[created] = Value::Time(Instant(micros + 1));
                    connection.update(table, &[row]).expect("it can be edited");
                }
                at if at < 2 * share => {
                    connection.delete(table, &Filter::In { column: 0, values: &id }).expect("it can be deleted");
                }
                at if at < 3 * share && table.parent.is_some() => {
                    let drawn = Uuid::from_u64_pair(0x4000 | chance.next() << 16, 1 << 63 | chance.next() >> 2);
                    row.0[0] = Value::Uuid(drawn);
                    connection.insert(table, &[row]).expect("it can be added");
                }
                _ => {}
            }
        }
    }
}
