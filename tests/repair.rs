//! Repairs: whatever happened to a migrated database, it is made equal to the files again, and what
//! changed meanwhile is left alone.
//!
//! Each case runs on every target, and once more with documents that are read in parts.

mod support;

#[allow(dead_code)]
#[path = "lifecycle/world.rs"]
mod world;

#[path = "repair/bench.rs"]
mod bench;
#[path = "repair/changed.rs"]
mod changed;
#[path = "repair/damage.rs"]
mod damage;
#[path = "repair/kills.rs"]
mod kills;
#[path = "repair/ledger.rs"]
mod ledger;
#[path = "repair/plan.rs"]
mod plan;

macro_rules! suite {
    ($make:ident, $reading:ident: $($module:ident: $($case:ident),+;)+) => {
        $(mod $module {
            $(#[test]
            fn $case() {
                crate::$module::$case(&crate::bench::Bench::$make(crate::bench::Reading::$reading));
            })+
        })+
    };
}

macro_rules! on_every_target {
    ($($suite:tt)+) => {
        mod sqlite { suite!(sqlite, Whole: $($suite)+ kills: a_kill_in_the_middle_leaves_either_state;); }
        mod postgres { suite!(postgres, Whole: $($suite)+ kills: a_kill_in_the_middle_leaves_either_state;); }
        mod in_parts { suite!(sqlite, InParts: $($suite)+); }
    };
}

on_every_target! {
    damage: edited_values_are_put_back, lost_rows_are_put_back, rows_of_others_go_and_are_saved,
        rows_that_were_moved_or_swapped_find_back, adopted_rows_stay_where_they_are,
        what_the_database_does_not_take_is_refused;
    ledger: lost_rows_of_the_ledger_are_written_again, edited_rows_of_the_ledger_are_written_again,
        a_forged_ledger_harms_no_other_document, rejects_are_put_right;
    changed: rows_that_changed_since_are_left_alone, files_that_changed_since_are_left_alone,
        a_file_that_is_gone_is_told, files_that_changed_before_they_were_compared_are_loaded;
    plan: a_plan_changes_nothing_and_says_what_would_be_done, a_second_repair_does_nothing;
}
