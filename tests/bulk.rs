//! Loading in bulk: what is set aside comes back exactly, whatever happens meanwhile, and the rows are
//! those of any other load.

mod support;

#[path = "bulk/clashes.rs"]
mod clashes;
#[path = "bulk/interrupted.rs"]
mod interrupted;
#[path = "bulk/obstacles.rs"]
mod obstacles;
#[path = "bulk/shape.rs"]
mod shape;
#[path = "lifecycle/world.rs"]
#[allow(dead_code)]
mod world;

use std::fs;
use std::path::Path;

use shape::{assert_shape, shape};
use transload::generate::{generate, Options};
use world::{assert_same, World};

const BULK: [&str; 2] = ["--mode", "bulk"];
const ONLINE: [&str; 2] = ["--mode", "online"];

/// A tree of some kinds of damage in place of the world's source.
fn grow(world: &World, records: u64) {
    generate(&world.source(), &Options { records, seed: 1, damage: 0.1 }).expect("a tree can be made");
}

/// A source that pays, by a file that nobody reads.
fn make_large(world: &World) {
    world.write("notes/large.txt", "");
    let file = fs::File::options().write(true).open(world.source().join("notes/large.txt"));
    file.and_then(|file| file.set_len(41 << 20)).expect("a file may have holes");
}

/// What tells apart how two runs ended, but for who they were.
fn outcome(ran: &world::Ran) -> (i32, serde_json::Value, Vec<String>) {
    let summary = ran.summary();
    let keys = ["files", "documents", "tables", "rows", "bytes", "notes", "reasons", "not_migrated"];
    let told = keys.iter().map(|key| ((*key).to_owned(), summary[*key].clone())).collect();
    (ran.code, serde_json::Value::Object(told), ran.findings())
}

fn rows_are_the_same_whichever_way_they_came(world: World) {
    grow(&world, 3_000);
    let other = world.with_another_database("other");
    let online = world.migrate(&ONLINE);
    assert_eq!(online.summary()["mode"], "online");
    let bulk = other.migrate(&[&BULK[..], &["--batch-rows", "200"]].concat());
    assert_eq!(bulk.summary()["mode"], "bulk", "{}", bulk.stderr);
    assert_eq!(outcome(&online), outcome(&bulk));
    assert_same(&world.content(), &other.content());
    assert_shape(&other, &shape(&world), "after a load in bulk");
    assert_eq!(other.values("SELECT mode FROM ledger.runs"), ["bulk"]);
    assert_eq!(other.value("SELECT count(*) FROM ledger.set_aside"), "0");
    assert_eq!(other.run(&["schema", "validate"]).code, 0);
    let verified = other.run(&["verify", "source"]);
    assert!(matches!(verified.code, 0 | 1), "{}", verified.stderr);
    // Again: there is nothing to load in bulk any more, and nothing changes.
    let before = other.dump();
    let again = other.migrate(&BULK);
    assert_eq!(again.code, bulk.code);
    assert_eq!(again.summary()["mode_reason"], "documents were loaded before; keys and indexes stay in place");
    assert_same(&before, &other.dump());
}

fn every_fixture_loads_in_bulk(world: World) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut seen = 0;
    for case in ["donna", "donna-damaged"] {
        let _ = fs::remove_dir_all(world.source());
        copy(&fixtures.join(case).join("legacy"), &world.source());
        let (online, bulk) =
            (world.with_another_database(&format!("{case}1")), world.with_another_database(&format!("{case}2")));
        let logs = ["--with", "logs"];
        let by_online = online.migrate(&[&ONLINE[..], &logs].concat());
        let by_bulk = bulk.migrate(&[&BULK[..], &logs].concat());
        assert_eq!(outcome(&by_online), outcome(&by_bulk), "{case}");
        assert_same(&online.content(), &bulk.content());
        assert_shape(&bulk, &shape(&online), case);
        seen += 1;
    }
    assert_eq!(seen, 2);
}

fn copy(from: &Path, to: &Path) {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry.expect("the fixture can be read");
        let target = to.join(entry.path().strip_prefix(from).expect("it is below the root"));
        match entry.file_type().is_dir() {
            true => fs::create_dir_all(&target).expect("a directory can be made"),
            false => drop(fs::copy(entry.path(), &target).expect("a file can be copied")),
        }
    }
}

fn a_large_source_loads_in_bulk_by_itself_and_a_small_one_does_not(world: World) {
    world.seed();
    let other = world.with_another_database("other");
    let small = world.migrate(&[]).summary();
    assert_eq!(small["mode"], "online");
    assert_eq!(small["mode_reason"], "the source is small; keys and indexes stay in place");
    make_large(&world);
    let large = other.migrate(&[]).summary();
    assert_eq!(large["mode"], "bulk");
    assert_eq!(large["mode_reason"], "the tables were empty; keys and indexes were put back after the rows");
    assert_same(&world.content(), &other.content());
    let third = world.with_another_database("third");
    let asked = third.migrate(&ONLINE).summary();
    assert_eq!(asked["mode_reason"], "asked for; keys and indexes stay in place");
    let fourth = world.with_another_database("fourth");
    let dry = fourth.migrate(&["--dry-run"]).summary();
    assert_eq!(dry["mode_reason"], "a dry run changes no table; keys and indexes stay in place");
}

macro_rules! on_every_target {
    ($($module:ident::$case:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $case() {
                super::$module::$case(super::World::sqlite());
            })+
        }
        mod postgres {
            $(#[test]
            fn $case() {
                super::$module::$case(super::World::postgres());
            })+
        }
    };
}

mod load {
    pub(crate) use super::{
        a_large_source_loads_in_bulk_by_itself_and_a_small_one_does_not, every_fixture_loads_in_bulk,
        rows_are_the_same_whichever_way_they_came,
    };
}

on_every_target!(
    load::rows_are_the_same_whichever_way_they_came,
    load::every_fixture_loads_in_bulk,
    load::a_large_source_loads_in_bulk_by_itself_and_a_small_one_does_not,
    interrupted::a_load_that_is_killed_goes_on,
    interrupted::a_load_that_is_asked_to_stop_puts_everything_back,
    interrupted::what_cannot_be_done_while_a_load_is_interrupted_says_so,
);
