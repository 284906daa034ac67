//! The proof proved: a migrated tree is spoiled in one place, and the verification has to find the
//! document and the cause, and nothing else.
//!
//! `TRANSLOAD_TEST_MUTATIONS=n` makes so many mutations, `TRANSLOAD_TEST_LONG=1` (`scripts/test
//! --long`) a thousand in a tree of 2,000 documents and a hundred clean runs, and
//! `TRANSLOAD_TEST_SEED` repeats a failing case; `ONLY=text` makes those whose names hold the text,
//! and `ALL=1` lists what was done together with one that failed.

mod support;

#[path = "mutations/cells.rs"]
mod cells;
#[path = "mutations/database.rs"]
mod database;
#[path = "mutations/edits.rs"]
mod edits;
#[path = "mutations/files.rs"]
mod files;
#[path = "mutations/ledger.rs"]
mod ledger;
#[path = "properties/maker.rs"]
mod maker;
#[path = "mutations/mutation.rs"]
mod mutation;
#[path = "mutations/rows.rs"]
mod rows;
#[path = "mutations/tree.rs"]
mod tree;
#[path = "mutations/world.rs"]
mod world;

use std::collections::{BTreeMap, BTreeSet};

use mutation::Mutation;
use support::chance::{self, Chance};
use support::place::Place;
use support::proof;
use transload::verify::Options;
use tree::Size;
use uuid::Uuid;
use world::World;

/// Mutations between two verifications: a spoiled tree is mostly sound.
const AT_ONCE: usize = 60;

/// Whether the ledger's rows are sealed.
const SEALED: bool = true;

/// Makes one, if the world has what it takes.
type Make = Box<dyn Fn(&World, &mut Chance) -> Option<Mutation>>;

/// A kind of mutation.
struct Kind {
    name: String,
    make: Make,
}

/// Every kind of mutation there is.
fn kinds() -> Vec<Kind> {
    let mut kinds: Vec<Kind> = Vec::new();
    for cell in cells::all() {
        let name = format!("{:?} {}.{}", cell.edit, cell.table.name, cell.table.columns[cell.column].name);
        kinds.push(Kind { name, make: Box::new(move |world, chance| cell.mutation(world, chance)) });
    }
    for (number, make) in cells::REFERENCES.into_iter().enumerate() {
        kinds.push(Kind { name: format!("reference {number}"), make: Box::new(make) });
    }
    for (number, make) in rows::ALL.into_iter().enumerate() {
        kinds.push(Kind { name: format!("row {number}"), make: Box::new(make) });
    }
    for forgery in ledger::all() {
        if SEALED || !forgery.needs_a_seal() {
            let make = move |world: &World, chance: &mut Chance| forgery.mutation(world, chance);
            kinds.push(Kind { name: forgery.name(), make: Box::new(make) });
        }
    }
    for change in files::all() {
        let make = move |world: &World, chance: &mut Chance| change.mutation(world, chance);
        kinds.push(Kind { name: format!("file {change:?}"), make: Box::new(make) });
    }
    kinds
}

/// Mutates until each kind was done and there were so many; returns what was wrong.
fn campaign(world: &World, kinds: &[Kind], chance: &mut Chance, count: usize) -> Vec<String> {
    let mut made: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut open: Vec<&Kind> = Vec::new();
    let mut done = 0;
    let only = std::env::var("ONLY").ok();
    while done < count || !open.is_empty() {
        if open.is_empty() {
            open.extend(kinds.iter().filter(|kind| only.as_ref().is_none_or(|only| kind.name.contains(only))));
            (1..open.len()).rev().for_each(|at| open.swap(at, chance.below(at as u64 + 1) as usize));
        }
        let (batch, left) = batch(world, open, chance, &mut made);
        open = left;
        if batch.is_empty() {
            continue;
        }
        done += batch.len();
        wrong.extend(mutation::run(world, &batch));
    }
    for kind in kinds.iter().filter(|kind| !made.contains_key(kind.name.as_str())) {
        println!("never: {}", kind.name);
    }
    println!("{done} mutations of {} kinds, {} wrong", made.len(), wrong.len());
    wrong
}

/// Mutations of documents that have nothing to do with each other, and the kinds left for later.
fn batch<'k>(
    world: &World,
    open: Vec<&'k Kind>,
    chance: &mut Chance,
    made: &mut BTreeMap<&'k str, usize>,
) -> (Vec<Mutation>, Vec<&'k Kind>) {
    let (mut batch, mut left) = (Vec::new(), Vec::new());
    let mut taken: BTreeSet<Uuid> = BTreeSet::new();
    let mut claimed = BTreeSet::new();
    for kind in open {
        if batch.len() >= AT_ONCE {
            left.push(kind);
            continue;
        }
        let mut is_possible = false;
        for _ in 0..8 {
            let Some(mutation) = (kind.make)(world, chance) else { continue };
            is_possible = true;
            let is_free = mutation.claims.as_ref().is_none_or(|claim| !claimed.contains(claim));
            let touched = world.with_rivals(mutation.touched());
            if is_free && touched.is_disjoint(&taken) {
                taken.extend(touched);
                claimed.extend(mutation.claims.clone());
                *made.entry(&kind.name).or_default() += 1;
                batch.push(mutation);
                is_possible = false;
                break;
            }
        }
        if is_possible {
            left.push(kind);
        }
    }
    (batch, left)
}

fn every_mutation_is_found_and_nothing_else(place: &Place) {
    let count = chance::number("TRANSLOAD_TEST_MUTATIONS").unwrap_or(if chance::is_long() { 1_000 } else { 0 });
    let size = match chance::is_long() {
        true => Size { records: 20_000, made: 150 },
        false => Size { records: 1_500, made: 40 },
    };
    let mut chance = Chance::new("every_mutation_is_found_and_nothing_else");
    let seed = chance.next() >> 8;
    let world = World::new(place, seed, size, &[], proof::options());
    world.assert_clean();
    println!("{} documents", world.docs.len());
    let wrong = campaign(&world, &kinds(), &mut chance, (count as usize).max(1));
    assert!(wrong.is_empty(), "{} findings:\n{}", wrong.len(), wrong.join("\n"));
}

fn clean_runs_raise_no_alarm(place: &Place) {
    let runs = if chance::is_long() { 100 } else { 3 };
    let mut chance = Chance::new("clean_runs_raise_no_alarm");
    for _ in 0..runs {
        let seed = chance.next() >> 8;
        println!("seed {seed}");
        let world = World::new(place, seed, Size { records: 200, made: 12 }, &[], proof::options());
        world.assert_clean();
    }
}

/// Histories that are not held are compared as they flow past, and no difference may come of that.
fn mutations_of_histories_that_are_not_held_are_told_as_those_of_held_ones(place: &Place) {
    let mut chance = Chance::new("mutations_of_histories_that_are_not_held_are_told_as_those_of_held_ones");
    let seed = chance.next() >> 8;
    let size = match chance::is_long() {
        true => Size { records: 10_000, made: 100 },
        false => Size { records: 1_000, made: 20 },
    };
    // Parts of a few rows, and most histories in several of them.
    let options = Options { whole_bytes: 1_200, ..proof::options() };
    let settings = ["--whole-bytes", "1200", "--batch-rows", "5"];
    let mut world = World::new(place, seed, size, &settings, options);
    world.held = Some(proof::options());
    world.assert_clean();
    let count = if chance::is_long() { 1_000 } else { 1 };
    let wrong = campaign(&world, &kinds(), &mut chance, count);
    assert!(wrong.is_empty(), "{} findings:\n{}", wrong.len(), wrong.join("\n"));
}

in_every_place!(
    clean_runs_raise_no_alarm,
    every_mutation_is_found_and_nothing_else,
    mutations_of_histories_that_are_not_held_are_told_as_those_of_held_ones,
);
