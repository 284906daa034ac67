//! What a user sees over the life of a migration: each case runs the real program, on every target,
//! and looks at its output, its exit code, its files and the rows.
//!
//! A case gets a world of its own: a working directory with an empty source tree, and an empty
//! database.

mod support;

/// Runs each case in a world of its own on every target.
macro_rules! on_every_target {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $case() {
                super::$case(&crate::world::World::sqlite());
            })+
        }
        mod postgres {
            $(#[test]
            fn $case() {
                super::$case(&crate::world::World::postgres());
            })+
        }
    };
}

#[path = "lifecycle/adoption.rs"]
mod adoption;
#[path = "lifecycle/changed.rs"]
mod changed;
#[path = "lifecycle/claims.rs"]
mod claims;
#[path = "lifecycle/conflicts.rs"]
mod conflicts;
#[path = "lifecycle/dry_run.rs"]
mod dry_run;
#[path = "lifecycle/failures.rs"]
mod failures;
#[path = "lifecycle/files.rs"]
mod files;
#[path = "lifecycle/references.rs"]
mod references;
#[path = "lifecycle/rejects.rs"]
mod rejects;
#[path = "lifecycle/removed.rs"]
mod removed;
#[path = "lifecycle/seals.rs"]
mod seals;
#[path = "lifecycle/selection.rs"]
mod selection;
#[path = "lifecycle/servers.rs"]
mod servers;
#[path = "lifecycle/signals.rs"]
mod signals;
#[path = "lifecycle/together.rs"]
mod together;
#[path = "lifecycle/unchanged.rs"]
mod unchanged;
#[path = "lifecycle/values.rs"]
mod values;
#[path = "lifecycle/world.rs"]
mod world;
