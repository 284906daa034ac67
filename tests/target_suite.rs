//! The behaviour that every target has. A new target is one line at the end of this file.
//!
//! A case gets a target whose database is its own, empty, with the schema prepared.

mod support;

#[path = "target_suite/constraints.rs"]
mod constraints;
#[path = "target_suite/fixtures.rs"]
mod fixtures;
#[path = "target_suite/locks.rs"]
mod locks;
#[path = "target_suite/readers.rs"]
mod readers;
#[path = "target_suite/rows.rs"]
mod rows;
#[path = "target_suite/schemas.rs"]
mod schemas;
#[path = "target_suite/transactions.rs"]
mod transactions;
#[path = "target_suite/values.rs"]
mod values;

use std::any::Any;

use transload::format::donna::tables::TABLES;
use transload::schema;
use transload::target::postgres::{Parameters, PostgresOptions, PostgresTarget};
use transload::target::sqlite::SqliteTarget;
use transload::target::{Durability, Target};

/// A target, and what must live as long as it does.
struct Fresh {
    target: Box<dyn Target>,
    _keep: Box<dyn Any>,
}

fn sqlite() -> Fresh {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let target = Box::new(SqliteTarget::new(directory.path().join("suite.db")));
    Fresh { target, _keep: Box::new(directory) }
}

fn postgres() -> Fresh {
    let parameters = Parameters::from_url(&support::postgres::fresh_database()).expect("a URL");
    Fresh { target: Box::new(PostgresTarget::new(PostgresOptions::new(parameters))), _keep: Box::new(()) }
}

fn run(make: fn() -> Fresh, case: fn(&dyn Target)) {
    let fresh = make();
    let target = &*fresh.target;
    let mut connection = target.connect(Durability::Relaxed).expect("a fresh target can be connected to");
    schema::prepare(&mut *connection, target.capabilities().dialect, "donna", &TABLES).expect("the schema is prepared");
    drop(connection);
    case(target);
}

/// One module a target, one test a case.
macro_rules! every_target_passes {
    ($($make:ident),+ $(,)?) => { $(mod $make { suite!($make); })+ };
}

macro_rules! suite {
    ($make:ident) => {
        suite!(@ $make, values: every_kind_comes_back, nulls_come_back, hostile_texts_come_back_unchanged,
            times_come_back_to_the_microsecond, json_comes_back_by_value, a_filter_finds_every_kind_of_value,
            a_text_with_nul_is_refused_as_data, digests_of_rows_survive_the_database);
        suite!(@ $make, rows: inserting_nothing_is_fine, rows_made_ready_elsewhere_are_what_they_were,
            rows_come_in_the_order_of_the_primary_key,
            a_key_of_two_columns_orders_by_both, a_filter_takes_ten_thousand_values, a_filter_without_values_finds_nothing,
            a_reader_may_stop_early, updates_touch_only_the_rows_named,
            updates_say_the_same_however_many_rows_there_are, updates_leave_children_in_place,
            deletes_count_and_filter, emptiness_is_known, rows_come_in_the_order_asked_for,
            a_scan_gives_the_columns_asked_for, a_scan_may_stop_early, a_batch_outside_of_a_transaction_is_whole_or_nothing);
        suite!(@ $make, transactions: a_rollback_undoes_and_a_commit_keeps, an_inner_rollback_keeps_the_outer_work,
            an_outer_rollback_undoes_inner_commits, after_an_inner_failure_the_outer_work_commits,
            a_failed_transaction_takes_no_more_statements, a_failed_transaction_is_not_committed,
            a_dropped_connection_rolls_back, a_guarded_transaction_is_one_like_any_other, connections_see_each_others_commits,
            in_transaction_rolls_back_what_failed);
        suite!(@ $make, readers: readers_see_one_state_and_keep_it, a_refreshed_reader_sees_what_is_there_now,
            readers_see_the_same_while_somebody_writes, nothing_is_written_through_a_reader,
            transactions_nest_in_a_readers_own, a_failed_reader_works_again_when_refreshed, there_is_always_a_reader,
            only_a_reader_is_refreshed);
        suite!(@ $make, constraints: what_the_columns_cannot_hold_is_refused_as_data, what_the_columns_can_hold_is_accepted,
            columns_left_out_get_their_defaults, rows_that_others_refer_to_take_them_along,
            a_refused_row_is_data_and_leaves_the_connection_usable);
        suite!(@ $make, schemas: live_columns_are_those_of_the_model, a_missing_table_has_no_columns,
            preparing_again_changes_nothing, a_dry_run_of_the_preparation_leaves_nothing,
            a_script_in_a_rolled_back_transaction_leaves_nothing, a_script_outside_of_a_transaction_is_whole_or_nothing,
            a_wrong_script_says_so);
        suite!(@ $make, locks: the_second_one_is_told_who_and_since_when, a_dropped_lock_is_free_again,
            a_lock_does_not_keep_connections_away, an_existing_database_rehearses_on_itself);
    };
    (@ $make:ident, $module:ident: $($case:ident),+) => {
        mod $module {
            $(#[test]
            fn $case() {
                crate::run(crate::$make, crate::$module::$case);
            })+
        }
    };
}

// To add a target: a function like `sqlite` above, and its name here.
every_target_passes!(sqlite, postgres);
