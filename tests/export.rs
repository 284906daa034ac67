//! `export`: what was migrated comes back as files, and what was changed since as it is now.

mod support;

#[path = "export/changed.rs"]
mod changed;
#[path = "export/hostile.rs"]
mod hostile;
// Other tests use all of it.
#[allow(dead_code)]
#[path = "nothing_lost/node.rs"]
mod node;
#[path = "nothing_lost/random.rs"]
mod random;
#[path = "export/said.rs"]
mod said;
#[path = "export/whole.rs"]
mod whole;
#[path = "export/world.rs"]
mod world;

/// Each case on each target.
macro_rules! on_both_targets {
    ($($case:path as $name:ident),+ $(,)?) => {
        mod sqlite { $(#[test] fn $name() { $case(&crate::world::World::sqlite()) })+ }
        mod postgres { $(#[test] fn $name() { $case(&crate::world::World::postgres()) })+ }
    };
}

on_both_targets!(
    crate::whole::the_fixture as the_fixture_comes_back,
    crate::whole::a_generated_tree as a_generated_tree_comes_back_byte_for_byte,
    crate::whole::twice as what_was_exported_is_migrated_and_exported_the_same,
    crate::whole::large_documents as large_documents_come_back_part_by_part,
    crate::whole::any_members as documents_with_any_members_come_back,
    crate::whole::damaged as rejected_documents_are_counted,
    crate::changed::users as edited_users_come_as_they_are,
    crate::changed::chats as edited_chats_come_as_they_are,
    crate::changed::owners as chats_that_changed_hands_say_so,
    crate::changed::messages as added_and_deleted_messages_come_as_they_are,
    crate::changed::many_messages as messages_added_to_a_large_chat_come_at_its_end,
    crate::changed::moved as a_message_that_was_moved_is_in_its_new_chat,
    crate::changed::memory as memory_comes_as_it_is,
    crate::changed::two_memories as two_files_about_one_user_keep_their_rows,
    crate::changed::new_documents as rows_of_no_document_get_files,
    crate::changed::gone as documents_without_rows_get_no_files,
    crate::changed::logs as log_lines_come_as_they_are,
    crate::hostile::names as no_name_leads_out_of_the_directory,
    crate::hostile::ledger as a_forged_ledger_is_refused_document_by_document,
);
