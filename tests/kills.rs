//! The program is killed at random moments, or its server is, and started again with the same
//! command: what the database holds in the end is what an uninterrupted run leaves.
//!
//! `TRANSLOAD_TEST_KILLS=n` kills n times instead of 10, `TRANSLOAD_TEST_LONG=1` some hundred times,
//! and `TRANSLOAD_TEST_SEED` repeats a failing case.

mod support;

#[path = "kills/edits.rs"]
mod edits;

use std::path::{Path, PathBuf};
use std::time::Duration;

use support::chance::{self, Chance};
use support::content::Content;
use support::place::{Database, Ended, Moment, Place};
use support::postgres::{Options as ServerOptions, PrivatePostgres};
use transload::generate::{generate, Options};

/// Small batches make many commits, and so many different states to be killed in.
const SMALL_BATCHES: [&str; 2] = ["--batch-rows", "150"];

/// Keys and indexes are set aside and put back, which is half of the run's time.
const IN_BULK: [&str; 4] = ["--batch-rows", "150", "--mode", "bulk"];

/// Files of ordinary size are streamed as if they were huge, in parts of a few rows.
const STREAMED: [&str; 4] = ["--batch-rows", "100", "--whole-bytes", "64KiB"];

/// Kills of the main campaign, and of the smaller ones beside it.
fn rounds() -> (usize, usize) {
    let default = if chance::is_long() { 400 } else { 10 };
    let rounds = chance::number("TRANSLOAD_TEST_KILLS").map_or(default, |number| usize::try_from(number).expect("few"));
    (rounds, rounds.div_ceil(5))
}

fn tree(place: &Place, records: u64) -> PathBuf {
    let path = place.path(&format!("tree_{records}"));
    let made = generate(&path, &Options { records, seed: 1, damage: 0.1 }).expect("a tree can be made");
    assert_eq!(made.messages, records);
    path
}

/// A run that was left alone: what every other one must come to.
struct Reference {
    content: Content,
    /// What is built in the database.
    shape: String,
    ended: Ended,
    documents: u64,
    /// From the start to the first document.
    first: Duration,
}

impl Reference {
    fn of(place: &Place, source: &Path, database: &Database, settings: &[&str]) -> Reference {
        let (ended, first) = place.run_watched(source, database, settings);
        assert!(matches!(ended.code, Some(0 | 1)), "the run that is left alone: {ended:?}");
        let (content, shape) = (database.content(), database.shape());
        let documents = content.rows("documents").len() as u64;
        assert!(documents > 0 && content.rows("messages").len() as u64 > documents);
        Reference { content, shape, ended, documents, first }
    }

    /// Moments from the start to just after the last batch, one for each of `places` (0.0 to 1.0).
    fn moment(&self, chance: &mut Chance, place: f64) -> Moment {
        match place {
            early if early < 0.15 => Moment::After(self.first.mul_f64(early / 0.15)),
            late if late > 0.95 => Moment::Documents(self.documents, Duration::from_micros(chance.below(4_000))),
            _ => {
                let documents = (place - 0.15) / 0.8 * self.documents as f64;
                Moment::Documents(documents as u64 + 1, Duration::from_micros(chance.below(5_000)))
            }
        }
    }

    /// The same command again, to its end: it is let in at once and leaves the same content.
    fn assert_resumes(&self, place: &Place, source: &Path, database: &Database, settings: &[&str], after: &str) {
        let again = place.run(source, database, settings);
        assert_eq!(again.code, self.ended.code, "{after}: {}", again.log);
        database.content().assert_is(&self.content, after);
        assert_eq!(database.shape(), self.shape, "{after}");
    }
}

/// What the runs' rows say: `earlier` ones, at most so many killed, and one that went through.
/// Returns how many were found interrupted.
fn assert_runs(database: &Database, earlier: &[&str], most_killed: usize, after: &str) -> usize {
    let states = database.run_states();
    let (last, rest) = states.split_last().expect("a run");
    assert_eq!(last, "done", "{after}: {states:?}");
    let (before, killed) = rest.split_at(earlier.len());
    assert_eq!(before, earlier, "{after}");
    // One that was killed before it noted its beginning has no row; one that was killed when it had
    // noted its end was done.
    let known = |state: &String| state == "interrupted" || state == "done";
    assert!(killed.len() <= most_killed && killed.iter().all(known), "{after}: {states:?}");
    killed.iter().filter(|state| *state == "interrupted").count()
}

fn kills_leave_no_trace(place: &Place) {
    let (rounds, _) = rounds();
    let mut chance = Chance::new("kills_leave_no_trace");
    let source = tree(place, 10_000);
    let reference = Reference::of(place, &source, &place.fresh(), &SMALL_BATCHES);
    let (mut hits, mut interrupted) = (0, 0);
    for at in chance.spread(rounds) {
        let moment = reference.moment(&mut chance, at);
        let database = place.fresh();
        let mut running = place.start(&source, &database, &SMALL_BATCHES);
        running.wait_for(&database, moment);
        hits += usize::from(running.kill());
        let after = format!("after a kill at {moment:?}");
        reference.assert_resumes(place, &source, &database, &SMALL_BATCHES, &after);
        interrupted += assert_runs(&database, &[], 1, &after);
    }
    assert!(hits * 4 >= rounds * 3, "only {hits} of {rounds} kills met a running program");
    assert!(interrupted * 2 >= rounds, "only {interrupted} of {rounds} runs were noticed to be interrupted");
}

fn two_kills_in_a_row_leave_no_trace(place: &Place) {
    let (_, rounds) = rounds();
    let mut chance = Chance::new("two_kills_in_a_row_leave_no_trace");
    let source = tree(place, 3_000);
    let reference = Reference::of(place, &source, &place.fresh(), &SMALL_BATCHES);
    for at in chance.spread(rounds) {
        let database = place.fresh();
        let moments = [reference.moment(&mut chance, at * 0.9), reference.moment(&mut chance, 0.9)];
        for moment in moments {
            let mut running = place.start(&source, &database, &SMALL_BATCHES);
            running.wait_for(&database, moment);
            running.kill();
        }
        let after = format!("after kills at {moments:?}");
        reference.assert_resumes(place, &source, &database, &SMALL_BATCHES, &after);
        assert_runs(&database, &[], 2, &after);
    }
}

fn kills_of_a_bulk_load_leave_no_trace(place: &Place) {
    let (rounds, _) = rounds();
    let mut chance = Chance::new("kills_of_a_bulk_load_leave_no_trace");
    let source = tree(place, 10_000);
    let reference = Reference::of(place, &source, &place.fresh(), &IN_BULK);
    let online = Reference::of(place, &source, &place.fresh(), &SMALL_BATCHES);
    reference.content.assert_is(&online.content, "a load in bulk");
    assert_eq!(reference.shape, online.shape);
    let mut hits = 0;
    for at in chance.spread(rounds) {
        // The ledger's size says nothing about what is put back.
        let moment = Moment::After(reference.ended.time.mul_f64(at));
        let database = place.fresh();
        let mut running = place.start(&source, &database, &IN_BULK);
        running.wait_for(&database, moment);
        hits += usize::from(running.kill());
        let after = format!("after a kill at {moment:?} of a load in bulk");
        reference.assert_resumes(place, &source, &database, &IN_BULK, &after);
        assert_runs(&database, &[], 1, &after);
    }
    assert!(hits * 4 >= rounds, "only {hits} of {rounds} kills met a running program");
}

fn kills_during_an_update_leave_no_trace(place: &Place) {
    let (_, rounds) = rounds();
    let mut chance = Chance::new("kills_during_an_update_leave_no_trace");
    let source = tree(place, 10_000);
    // Smaller batches still: only a part of the documents is written.
    let settings = ["--batch-rows", "20"];
    let before = place.fresh();
    let loaded = Reference::of(place, &source, &before, &settings);
    assert!(edits::edit(&source) > 50);
    let updated = place.copy_of(&before);
    let reference = Reference::of(place, &source, &updated, &settings);
    assert!(reference.content != loaded.content);
    let mut hits = 0;
    for at in chance.spread(rounds) {
        // The ledger's size says little about an update, so time has to do.
        let moment = Moment::After(reference.ended.time.mul_f64(at));
        let database = place.copy_of(&before);
        let mut running = place.start(&source, &database, &settings);
        running.wait_for(&database, moment);
        hits += usize::from(running.kill());
        let after = format!("after a kill at {moment:?} of an update");
        reference.assert_resumes(place, &source, &database, &settings, &after);
        assert_runs(&database, &["done"], 1, &after);
    }
    assert!(hits * 4 >= rounds, "only {hits} of {rounds} kills met a running program");
}

fn kills_while_a_large_chat_streams_leave_no_trace(place: &Place) {
    let (_, rounds) = rounds();
    let mut chance = Chance::new("kills_while_a_large_chat_streams_leave_no_trace");
    let source = tree(place, 500);
    for number in 0..3 {
        let path = source.join(format!("chat_sessions/large_{number}.json"));
        std::fs::write(path, large_chat(4_000, number)).expect("a chat can be written");
    }
    let reference = Reference::of(place, &source, &place.fresh(), &STREAMED);
    assert!(reference.content.rows("messages").len() > 12_000);
    let mut hits = 0;
    for at in chance.spread(rounds) {
        let moment = Moment::After(reference.ended.time.mul_f64(at));
        let database = place.fresh();
        let mut running = place.start(&source, &database, &STREAMED);
        running.wait_for(&database, moment);
        hits += usize::from(running.kill());
        let after = format!("after a kill at {moment:?} of a large chat");
        reference.assert_resumes(place, &source, &database, &STREAMED, &after);
    }
    assert!(hits * 4 >= rounds, "only {hits} of {rounds} kills met a running program");
}

/// A history of about 300 bytes a message.
fn large_chat(messages: usize, number: usize) -> String {
    let message = |at: usize| {
        let role = ["user", "assistant", "system"][at % 3];
        let words = "some words and signs: 'é✓\\\"' ".repeat(at % 7 + 1);
        format!(
            "{{\"id\":\"{number}_{at}\",\"role\":\"{role}\",\"content\":\"{words}\",\"metadata\":[],\
             \"created_at\":\"2025-11-28T10:15:30+00:00\",\"sequence_number\":{}}}",
            at + 1
        )
    };
    format!("[{}]", (0..messages).map(message).collect::<Vec<_>>().join(","))
}

/// A server whose commits go to the disk, where a crash can lose those that do not wait for it.
fn crashing_place() -> (Place, PathBuf) {
    let server = PrivatePostgres::start_with(&ServerOptions { fsync: true, ..ServerOptions::default() });
    let place = Place::postgres(server);
    let source = tree(&place, 10_000);
    (place, source)
}

fn server(place: &Place) -> &PrivatePostgres {
    place.server.as_ref().expect("this place has a server")
}

#[test]
fn a_server_and_a_program_that_die_together_leave_no_trace() {
    let (_, rounds) = rounds();
    let mut chance = Chance::new("a_server_and_a_program_that_die_together_leave_no_trace");
    let (place, source) = crashing_place();
    let reference = Reference::of(&place, &source, &place.fresh(), &SMALL_BATCHES);
    for at in chance.spread(rounds) {
        let moment = reference.moment(&mut chance, at);
        let database = place.fresh();
        let mut running = place.start(&source, &database, &SMALL_BATCHES);
        running.wait_for(&database, moment);
        server(&place).stop_immediate();
        running.kill();
        server(&place).restart();
        let after = format!("after server and program died at {moment:?}");
        reference.assert_resumes(&place, &source, &database, &SMALL_BATCHES, &after);
    }
}

#[test]
fn a_server_and_a_program_that_die_together_in_a_bulk_load_leave_no_trace() {
    let (_, rounds) = rounds();
    let mut chance = Chance::new("a_server_and_a_program_that_die_together_in_a_bulk_load");
    let (place, source) = crashing_place();
    let reference = Reference::of(&place, &source, &place.fresh(), &IN_BULK);
    for at in chance.spread(rounds) {
        let moment = Moment::After(reference.ended.time.mul_f64(at));
        let database = place.fresh();
        let mut running = place.start(&source, &database, &IN_BULK);
        running.wait_for(&database, moment);
        server(&place).stop_immediate();
        running.kill();
        server(&place).restart();
        let after = format!("after server and program died at {moment:?} of a load in bulk");
        reference.assert_resumes(&place, &source, &database, &IN_BULK, &after);
    }
}

#[test]
fn a_server_that_crashes_and_comes_back_is_not_told_to_have_kept_what_it_lost() {
    let (_, rounds) = rounds();
    let mut chance = Chance::new("a_server_that_crashes_and_comes_back");
    let (place, source) = crashing_place();
    let reference = Reference::of(&place, &source, &place.fresh(), &SMALL_BATCHES);
    let mut went_on = 0;
    for at in chance.spread(rounds) {
        let moment = reference.moment(&mut chance, at);
        let database = place.fresh();
        let mut running = place.start(&source, &database, &SMALL_BATCHES);
        running.wait_for(&database, moment);
        server(&place).restart();
        let ended = running.wait();
        let after = format!("after the server crashed at {moment:?}");
        if ended.code == reference.ended.code {
            went_on += 1;
            database.content().assert_is(&reference.content, &format!("{after} and the program went on"));
        } else {
            assert_eq!(ended.code, Some(2), "{after}: {}", ended.log);
            assert!(ended.log.contains("goes on"), "it says how to go on: {}", ended.log);
        }
        reference.assert_resumes(&place, &source, &database, &SMALL_BATCHES, &after);
    }
    println!("{went_on} of {rounds} runs went on by themselves");
}

#[test]
fn a_server_that_stays_down_ends_the_run_which_then_resumes() {
    let (place, source) = crashing_place();
    let reference = Reference::of(&place, &source, &place.fresh(), &SMALL_BATCHES);
    let database = place.fresh();
    let mut running = place.start(&source, &database, &SMALL_BATCHES);
    running.wait_for(&database, Moment::Documents(reference.documents / 2, Duration::ZERO));
    server(&place).stop_immediate();
    let ended = running.wait();
    assert_eq!(ended.code, Some(2), "{}", ended.log);
    assert!(ended.log.contains("goes on"), "it says how to go on: {}", ended.log);
    server(&place).restart();
    reference.assert_resumes(&place, &source, &database, &SMALL_BATCHES, "after the server was down for long");
    assert_runs(&database, &[], 1, "after the server was down for long");
}

in_every_place!(
    kills_leave_no_trace,
    two_kills_in_a_row_leave_no_trace,
    kills_of_a_bulk_load_leave_no_trace,
    kills_during_an_update_leave_no_trace,
    kills_while_a_large_chat_streams_leave_no_trace,
);
