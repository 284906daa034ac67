//! A migrated tree with its database, ways to damage both, and repairs.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::{json, Value};
use transload::exec::{Progress, Stop};
use transload::format::donna::tables::{KINDS, TABLES};
use transload::format::donna::Donna;
use transload::format::proof::Facts;
use transload::format::Format;
use transload::ledger::extent::{guard, Guard, Wants};
use transload::ledger::{self, LedgerDocument};
use transload::model::ledger::documents;
use transload::model::{Content as FileContent, Document, Instant, Phase, RelPath};
use transload::pipeline::{self, Job, Mode, Options, Prefer, Removed, Repair, RepairOutcome, Repaired, Report, Way};
use transload::schema;
use transload::source::{self, Found, Meaning, ReadOptions, WalkOptions, Walker};
use transload::target::{Connection, Durability, Target};
use transload::verify;
use transload::verify::outcome::{Outcome, Verdict};
use uuid::Uuid;

use crate::support::content::{self, Content};
use crate::world::{history, memory, session, user, World};

pub static DONNA: Donna = Donna;

/// How a run takes documents: held, or decoded from a stream, part by part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    Whole,
    InParts,
}

/// Histories of three messages are larger, and all that is not read in parts is smaller.
const IN_PARTS: u64 = 440;

pub struct Bench {
    pub world: World,
    reading: Reading,
}

impl Bench {
    pub fn sqlite(reading: Reading) -> Bench {
        Bench { world: World::sqlite(), reading }
    }

    pub fn postgres(reading: Reading) -> Bench {
        Bench { world: World::postgres(), reading }
    }

    /// Another world, read as this one.
    pub fn with(world: World, like: &Bench) -> Bench {
        Bench { world, reading: like.reading }
    }

    /// The tables, and nothing in them.
    pub fn prepare(&self) {
        let target = self.target();
        let mut connection = target.connect(Durability::Full).expect("the database answers");
        schema::prepare(&mut *connection, target.capabilities().dialect, "donna", &TABLES).expect("it is empty");
    }

    /// Fills the source and moves it into the database.
    pub fn migrated(&self) -> Content {
        self.fill();
        let report = self.migrate();
        assert_eq!(report.account.summary.documents.failed, 0);
        assert_eq!(report.account.findings.len(), 1, "{:?}", report.account.findings);
        self.content()
    }

    /// Ten documents and a reject: users, one of them known by a clerk id, memory in two files of one
    /// user, chats, a conversation, a log.
    pub fn fill(&self) {
        let world = &self.world;
        world.seed();
        world.json("users/cyd.json", &user("cyd", json!({"clerk_id": "clerk_cyd", "email": "c@example.org"})));
        world.json("memory/clerk_ada.json", &memory(&[("shape", "round"), ("taste", "sweet")]));
        let long: Vec<String> = (1..=40).map(|number| format!("message {number}")).collect();
        world.json("chat_sessions/long.json", &history(&long.iter().map(String::as_str).collect::<Vec<_>>()));
        world.json("chat_sessions/long_session.json", &session("long", json!("clerk_cyd")));
        world.write("users/broken.json", "{\"id\":\"broken\"");
    }

    pub fn target(&self) -> Box<dyn Target> {
        content::target(&self.url())
    }

    pub fn url(&self) -> String {
        match self.world.is_sqlite() {
            true => format!("sqlite:{}", self.world.file().display()),
            false => self.world.url(),
        }
    }

    pub fn content(&self) -> Content {
        Content::of(&*self.target())
    }

    pub fn saved_directory(&self) -> PathBuf {
        self.world.directory().join("replaced")
    }

    pub fn options(&self) -> Options {
        options(self.world.directory(), self.reading)
    }

    pub fn migrate(&self) -> Report {
        run(&self.world.source(), &*self.target(), &self.options()).expect("the tree is migrated")
    }

    /// The guards of all documents of the source, as a comparison would make them now.
    pub fn guards(&self) -> HashMap<Uuid, Guard> {
        guards(&self.world.source(), &*self.target())
    }

    pub fn repair_with(&self, documents: HashMap<Uuid, Guard>, mode: Mode) -> Report {
        let repair = Some(Repair { documents, directory: self.saved_directory() });
        let options = Options { repair, mode, ..self.options() };
        run(&self.world.source(), &*self.target(), &options).expect("the repair runs to its end")
    }

    /// Compares all documents and repairs those that are different.
    pub fn repair(&self) -> Report {
        let outcome = self.verify();
        let listed = outcome.listed.iter().filter(|listed| matches!(listed.verdict, Verdict::Stale | Verdict::Missing));
        let listed = listed.map(|listed| listed.document);
        let different: HashSet<Uuid> =
            outcome.listed_differences.iter().map(|difference| difference.document).chain(listed).collect();
        let mut guards = self.guards();
        guards.retain(|document, _| different.contains(document));
        self.repair_with(guards, Mode::Real)
    }

    /// Compares and repairs until nothing is different. What one repair has touched of another
    /// document's rows is compared again, so it may take a second time.
    pub fn repair_all(&self) -> Vec<Report> {
        let mut reports = vec![self.repair()];
        while reports.last().is_some_and(|report| report.account.repairs.iter().any(is_open)) {
            assert!(reports.len() < 3, "{:?}", reports.last().unwrap().account.repairs);
            reports.push(self.repair());
        }
        reports
    }

    pub fn verify(&self) -> Outcome {
        let options = verify::Options {
            kinds: KINDS.to_vec(),
            zone: TimeZone::UTC,
            follow_links: false,
            whole_bytes: 1 << 20,
            threads: 2,
            sample: None,
            changed_since: None,
            max_differences: 10_000,
            max_lag: Duration::ZERO,
            max_unsettled: 0.0,
            tries: 2,
            waivers: Default::default(),
            receipt: false,
            guards: false,
        };
        let (stop, progress, target) = (Stop::new(), Progress::new(), self.target());
        verify::verify(&verify::Job {
            format: &DONNA,
            source: &self.world.source(),
            target: &*target,
            options: &options,
            stop: &stop,
            progress: &progress,
            tick: &|_| {},
        })
        .expect("the sides can be compared")
    }

    /// The lines of the last run that saved any.
    pub fn saved(&self, report: &Report) -> Vec<Value> {
        let Some(path) = &report.saved else { return Vec::new() };
        assert_eq!(path.parent(), Some(&*self.saved_directory()));
        let text = fs::read_to_string(path).expect("the file is there");
        text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
    }
}

/// `action table` of each line, sorted and counted: `2 delete messages`.
pub fn counted(lines: &[Value]) -> Vec<String> {
    let mut counts: std::collections::BTreeMap<String, u32> = Default::default();
    for line in lines {
        let what = format!("{} {}", line["action"].as_str().unwrap(), line["table"].as_str().unwrap());
        *counts.entry(what).or_default() += 1;
    }
    counts.into_iter().map(|(what, count)| format!("{count} {what}")).collect()
}

/// Whether more is to be done.
fn is_open(repaired: &Repaired) -> bool {
    repaired.outcome == RepairOutcome::Changed || repaired.detail.is_some()
}

/// What became of the documents that were not as they should be: `chats c1: repaired`.
pub fn told(report: &Report) -> Vec<String> {
    let repairs = report.account.repairs.iter();
    let told = repairs.filter(|repaired| repaired.outcome != RepairOutcome::Equal).map(|repaired| {
        let outcome = serde_json::to_value(repaired.outcome).unwrap().as_str().unwrap().to_owned();
        format!("{}: {outcome}", repaired.file)
    });
    // The one that is refused by its content.
    told.filter(|told| told != "users/broken.json: rejected").collect()
}

pub fn options(directory: &Path, reading: Reading) -> Options {
    Options {
        kinds: KINDS.to_vec(),
        documents: None,
        zone: TimeZone::UTC,
        follow_links: false,
        whole_bytes: if reading == Reading::Whole { 1 << 20 } else { IN_PARTS },
        batch_rows: 7,
        round_bytes: transload::pipeline::ROUND_BYTES,
        batch_bytes: 1 << 20,
        writers: 2,
        prefer: Prefer::Neither,
        removed: Removed::Keep,
        way: Way::Auto,
        mode: Mode::Real,
        count_first: false,
        rejects_directory: directory.join("rejects"),
        repair: None,
    }
}

pub fn run(source: &Path, target: &dyn Target, options: &Options) -> Result<Report, pipeline::RunError> {
    let dialect = target.capabilities().dialect;
    let prepare = |connection: &mut dyn Connection| {
        schema::prepare(connection, dialect, "donna", &TABLES).map(|_| ()).map_err(Into::into)
    };
    let (stop, progress) = (Stop::new(), Progress::new());
    pipeline::migrate(&Job {
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
    })
}

/// The documents of a source, as they are met.
pub fn documents_of(source: &Path) -> Vec<Document> {
    let mut walker = Walker::new(WalkOptions::new(source, false)).expect("a directory");
    let meaning = Meaning {
        classify: &|path: &RelPath| DONNA.classify(path),
        phase_of_directory: &|path: &RelPath| DONNA.phase_of_directory(path),
    };
    let found = Mutex::new(Vec::new());
    for phase in Phase::ALL {
        let mut take = |met: Found| {
            if let Found::Document(document) = met {
                found.lock().unwrap().push(document);
            }
            ControlFlow::Continue(())
        };
        walker.walk(&meaning, phase, &mut take).expect("the source can be walked");
    }
    found.into_inner().unwrap()
}

/// What whoever compares has to do, document by document.
pub fn guards(source: &Path, target: &dyn Target) -> HashMap<Uuid, Guard> {
    let mut readers = target.readers(1).expect("the database can be read");
    let reader = &mut *readers[0];
    let read = ReadOptions { whole_bytes: 1 << 30, lock_patience: Duration::from_secs(1), follow_links: false };
    let mut guards = HashMap::new();
    for document in documents_of(source) {
        let reading = source::read(source, &document, &read).expect("the file can be read");
        let held = ledger::readable_documents_by(reader, documents::ID, &ledger::uuids(&[document.id])).unwrap();
        let base_time = held.first().map(|held: &LedgerDocument| held.base_time);
        let files: Vec<_> = document.files.iter().map(|file| (file.path.clone(), file.role)).collect();
        let facts = Facts {
            kind: document.kind,
            key: &document.key,
            files: &files,
            base_time: base_time.unwrap_or(Instant(0)),
            zone: TimeZone::UTC,
        };
        let open = |file: usize| match &reading.files[file].content {
            source::FileContent::Whole(bytes) => Ok(FileContent::Whole(bytes)),
            source::FileContent::Large => unreachable!("all are held"),
        };
        let mut wants = Wants::default();
        let wanted = DONNA.expect(&facts, &open, &mut |row| {
            wants.add(row.table, row.id, row.cells.iter().map(|cell| &cell.value));
            ControlFlow::Continue(())
        });
        if wanted.is_err() {
            wants = Wants::default();
        }
        guards.insert(document.id, guard(reader, &DONNA, &document, &wants, reading.digest).unwrap());
    }
    guards
}
