//! An application writes files and tables all the time, one after the other, while verifications
//! run: what is on its way is no difference, and what never arrives is one.
//!
//! `TRANSLOAD_TEST_LONG=1`: 200 documents a second for two minutes, and fifty faults.

mod support;

#[path = "live/application.rs"]
mod application;
#[path = "live/records.rs"]
mod records;
#[path = "live/store.rs"]
mod store;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::Mutex;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use application::{Planted, Record, Shared, Writer, FAULTS};
use records::{Chat, Entry, Half, Message, User};
use support::chance::{self, Chance};
use support::place::{Database, Place};
use support::proof;
use transload::model::ids::derive;
use transload::verify::outcome::{Conclusion, Outcome};
use transload::verify::Options;
use uuid::Uuid;

/// Threads of the application.
const WRITERS: u64 = 2;
/// 2025-11-28T10:15:30Z.
const THEN: i64 = 1_764_324_930;

struct Plan {
    chats: u64,
    users: u64,
    /// Changes a second.
    rate: f64,
    gap: Duration,
    max_lag: Duration,
    faults: usize,
    /// Before the first fault, and from there to the last.
    quiet: Duration,
    faulty: Duration,
}

fn plan() -> Plan {
    match chance::is_long() {
        true => Plan {
            chats: 1_600,
            users: 400,
            rate: 250.0,
            gap: Duration::from_secs(1),
            max_lag: Duration::from_secs(10),
            faults: 50,
            quiet: Duration::from_secs(40),
            faulty: Duration::from_secs(60),
        },
        false => Plan {
            chats: 160,
            users: 40,
            rate: 60.0,
            gap: Duration::from_millis(300),
            max_lag: Duration::from_millis(1_500),
            faults: 11,
            quiet: Duration::from_secs(1),
            faulty: Duration::from_secs(2),
        },
    }
}

/// Records as the migration will have them: with derived ids.
fn records(plan: &Plan) -> (Vec<Record>, Vec<(String, Uuid)>) {
    let mut records = Vec::new();
    let mut owners = Vec::new();
    for number in 0..plan.users {
        let legacy = format!("user_{number}");
        let id = derive(&["users", &legacy]);
        let clerk = (number % 2 == 0).then(|| format!("clerk_{number}"));
        owners.push((clerk.clone().unwrap_or_else(|| legacy.clone()), id));
        let entry = |at: u64| {
            let key = format!("key {at}");
            let id = derive(&["user_memory", &legacy, "profile", &key]);
            Entry { key, id, value: format!("value {at}"), time: THEN }
        };
        let entries = (0..3).map(entry).collect();
        let email = format!("{number}@example.com");
        records.push(Record::User(User { legacy, id, clerk, email, created: THEN, updated: THEN, entries }));
    }
    for number in 0..plan.chats {
        let key = format!("chat_{number}");
        let message = |at: i64| {
            let legacy = format!("m{at}");
            let id = derive(&["messages", &key, "id", &legacy, "0"]);
            let role = ["user", "assistant"][(at % 2) as usize];
            Message { legacy, id, role, content: format!("message {at}"), time: THEN + at }
        };
        let messages: Vec<Message> = (0..6).map(message).collect();
        records.push(Record::Chat(Chat {
            id: derive(&["chat_sessions", &key]),
            owner: (number % 5 > 0).then(|| owners[(number % plan.users) as usize].clone()),
            title: format!("Chat {number}"),
            retitled: false,
            created: THEN,
            updated: THEN + 5,
            messages,
            key,
        }));
    }
    (records, owners)
}

/// Writes the records' files and migrates them.
fn begin(place: &Place, database: &Database, records: &[Record]) -> std::path::PathBuf {
    let source = place.path("source");
    for record in records {
        let change = match record {
            Record::Chat(chat) => chat.made(),
            Record::User(user) => user.made(),
        };
        let Half::Files(files) = change.files else { unreachable!("files come first") };
        files.iter().for_each(|(path, content)| store::put(&source, path, content.as_deref()));
    }
    let ended = place.run(&source, database, &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    source
}

/// Verifications while the application writes, and what they have to say.
struct Watch<'a> {
    shared: &'a Shared,
    database: &'a Database<'a>,
    options: Options,
    max_lag: Duration,
    runs: u32,
    unsettled: u64,
}

impl Watch<'_> {
    fn planted(&self) -> Vec<Planted> {
        self.shared.planted.lock().expect("nobody panicked").clone()
    }

    fn verify(&mut self) -> Outcome {
        let started = Instant::now();
        let due = self.planted().into_iter().filter(|planted| planted.at + self.max_lag < started).collect::<Vec<_>>();
        let outcome = proof::verify(&self.shared.root, &*self.database.target(), &self.options);
        self.runs += 1;
        self.unsettled += outcome.documents.unsettled;
        self.assert_right(&outcome, &due);
        outcome
    }

    /// All faults that were made long enough ago are told, and nothing that is no fault.
    fn assert_right(&self, outcome: &Outcome, due: &[Planted]) {
        let is_of = |planted: &Planted, told: &transload::verify::outcome::Difference| {
            told.document == planted.document && (planted.row.is_none() || told.row == planted.row)
        };
        let told = &outcome.listed_differences;
        for planted in due {
            assert!(
                told.iter().any(|difference| is_of(planted, difference)),
                "{:?} was not found: {planted:?}\nof its document: {:#?}\n{:?}",
                planted.fault,
                told.iter().filter(|told| told.document == planted.document).collect::<Vec<_>>(),
                outcome.listed.iter().filter(|listed| listed.document == planted.document).collect::<Vec<_>>(),
            );
        }
        let faulty: BTreeSet<Uuid> = self.planted().into_iter().map(|planted| planted.document).collect();
        let alarms: Vec<_> = told.iter().filter(|told| !faulty.contains(&told.document)).collect();
        assert!(alarms.is_empty(), "{} false alarms in run {}: {alarms:#?}", alarms.len(), self.runs);
        let expected = if told.is_empty() { Conclusion::Agree } else { Conclusion::Differ };
        assert_eq!(outcome.conclusion, expected, "{:?} {:#?}", outcome.documents, outcome.listed);
    }
}

fn a_live_application_is_followed_and_its_faults_are_found(place: &Place) {
    let plan = plan();
    let mut chance = Chance::new("a_live_application_is_followed_and_its_faults_are_found");
    let database = place.fresh();
    let (records, owners) = records(&plan);
    let root = begin(place, &database, &records);
    let shared = Shared {
        root,
        url: database.url.clone(),
        stop: AtomicBool::new(false),
        changes: AtomicU64::new(0),
        planted: Mutex::new(Vec::new()),
        gap: plan.gap,
        every: Duration::from_secs_f64(WRITERS as f64 / plan.rate),
    };
    let options = Options { max_lag: plan.max_lag, tries: 12, ..proof::options() };
    let max_lag = plan.max_lag;
    let mut watch = Watch { shared: &shared, database: &database, options, max_lag, runs: 0, unsettled: 0 };
    let mut by_writer: Vec<Vec<Record>> = (0..WRITERS).map(|_| Vec::new()).collect();
    for (at, record) in records.into_iter().enumerate() {
        // Users and chats in turn, so that each writer's first ones are of both kinds.
        let records = &mut by_writer[at % WRITERS as usize];
        records.insert((at * 7) % (records.len() + 1), record);
    }
    let clock = Instant::now();
    scope(|scope| {
        let mut faults = Vec::new();
        for (number, records) in (0..).zip(by_writer) {
            let (sender, receiver) = channel();
            faults.push(sender);
            let writer = Writer::new(&shared, records, owners.clone(), chance.next(), number + 1);
            scope.spawn(move || writer.run(&receiver));
        }
        // However the test ends, the writers do.
        let stop = Stop(&shared);
        while clock.elapsed() < plan.quiet {
            watch.verify();
        }
        let begun = Instant::now();
        let faults_thread = scope.spawn(move || {
            for at in 0..plan.faults {
                let due = begun + plan.faulty.mul_f64(at as f64 / plan.faults as f64);
                sleep(due.saturating_duration_since(Instant::now()));
                // Some are never in documents that go on: so more of the others are.
                let fault = (FAULTS[at % FAULTS.len()], at % 3 > 0);
                // A writer that is gone has panicked, and that is told.
                let _ = faults[at % faults.len()].send(fault);
            }
            faults
        });
        while !faults_thread.is_finished() || watch.planted().len() < plan.faults {
            watch.verify();
        }
        sleep(plan.max_lag);
        watch.verify();
        drop(stop);
    });
    let changes = shared.changes.load(Ordering::Relaxed);
    let rate = changes as f64 / clock.elapsed().as_secs_f64();
    // When all is quiet, nothing else is left.
    sleep(plan.max_lag);
    let last = watch.verify();
    let planted = watch.planted();
    let busy = planted.iter().filter(|planted| planted.busy).count();
    println!(
        "{changes} changes, {rate:.0} a second, {} runs, {} unsettled; {} faults, {busy} of them in documents that went \
         on; {} documents, {} agreed by their columns",
        watch.runs,
        watch.unsettled,
        planted.len(),
        last.documents.found,
        last.by_columns,
    );
    assert_eq!(planted.len(), plan.faults);
    assert!(busy * 2 >= plan.faults, "half of the faults are in documents that go on");
    assert!(last.by_columns > 0 && last.documents.unsettled == 0);
}

/// Stops the writers when it is dropped.
struct Stop<'a>(&'a Shared);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}

in_every_place!(a_live_application_is_followed_and_its_faults_are_found);
